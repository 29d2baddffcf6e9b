"""Where a campaign's items are executed: threads that own simulators here, or the workers of a Dask cluster.

Both are an ``Executor`` of the standard library, and any other serves as well.
"""

from __future__ import annotations

import asyncio
import time as clock
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.campaign.work import Circumstances, Crew, Item, Outcome, circumstances, execute
from emulator.simulator import Simulator
from netlists.printable import printable

CONNECT_S = 15.0
WORKERS_S = 30.0
COUNT_EVERY_S = 2.0
Warn = Callable[[str], None]


class ClusterError(RuntimeError):
    """No cluster there, or none that can be used; the message says what would help."""


class ClusterLost(RuntimeError):
    """A cluster that was there and is no more."""


@dataclass
class Engine:
    """An executor, and what a campaign has to know of it.

    Attributes:
        executor: takes ``execute``.
        slots: how many items it executes at once, now.
        where: in words.
        here: whether the files of this machine are there.
        more: further arguments of ``execute``.
        refuse: called after a worker has refused an item; has to see that no item goes there again.
        idle: called when nothing has come back for a while: whether it has workers, and none of them is at work.
    """

    executor: Executor
    slots: Callable[[], int]
    where: str
    here: bool
    more: tuple[Any, ...] = ()
    refuse: Callable[[], None] = lambda: None
    idle: Callable[[], bool] = lambda: False

    def submit(self, item: Item, weights: Path, *, wanted: bool) -> Future[Outcome]:
        """Hands an item to the executor.

        Args:
            item: what to do.
            weights: their file.
            wanted: whether a process that is not here asked for its content.
        """
        given = weights.absolute() if self.here else weights.read_bytes() if wanted else None
        return self.executor.submit(execute, item, given, *self.more)


def examine() -> Circumstances:
    """The circumstances here, asked for in a simulator's process.

    Raises:
        NgspiceUnavailable: no ngspice library can be loaded.
    """
    with Simulator() as simulator:
        return simulator.call(circumstances, limit_s=60)


@contextmanager
def local(jobs: int) -> Iterator[Engine]:
    """Simulators of this machine, one a job; ended with whatever they are doing when the context ends."""
    crew = Crew()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="item")
    try:
        yield Engine(pool, lambda: jobs, f"{jobs} job{'s' * (jobs != 1)} here", here=True, more=(crew,))
    finally:
        crew.end()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def cluster(address: str, ours: Circumstances, warn: Warn) -> Iterator[Engine]:
    """The workers of a Dask cluster, but for those in other circumstances than ours: these are refused.

    Raises:
        ClusterError: Dask is not installed, nobody answers, or no worker can be used.
    """
    client = _client(address)
    try:
        workers = _Workers(client, ours, warn)
        workers.look()
        engine = Engine(
            workers.executor(), workers.threads, f"the cluster at {printable(address)}", here=False
        )

        def refuse() -> None:
            try:
                workers.look()
            except ClusterError as error:
                raise ClusterLost(str(error)) from error
            engine.executor = workers.executor()

        engine.refuse, engine.idle = refuse, workers.idle
        yield engine
    finally:
        client.close(timeout=5)


def _client(address: str) -> Any:
    try:
        from distributed import Client
        from distributed.comm import connect
    except ImportError as error:
        raise ClusterError(
            "--cluster needs Dask. Install it with: pip install 'ais-emulator[dask]'"
        ) from error

    async def knock() -> None:
        await (await connect(address, timeout=CONNECT_S)).close()

    try:
        asyncio.run(knock())  # a client that can't connect goes on trying in the background
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except Exception as error:  # what is there may be anything, and so is what comes of talking to it
        raise ClusterError(
            f"no Dask scheduler answers at {printable(address)!r} within {CONNECT_S:g} s "
            f"({type(error).__name__}: {printable(str(error))}). Give the address that it prints when it starts, "
            "such as tcp://host:8786."
        ) from error


class _Workers:
    """A cluster's workers: which may be used, and how many items they take at once."""

    def __init__(self, client: Any, ours: Circumstances, warn: Warn) -> None:
        self._client, self._ours, self._warn = client, ours, warn
        self._good: list[str] | None = None  # None while all that come may be used
        self._refused: dict[str, str] = {}
        self._threads, self._counted = 0, -COUNT_EVERY_S

    def look(self) -> None:
        """Examines all workers there are.

        Raises:
            ClusterError: none can be used.
            ClusterLost: the scheduler is gone.
        """
        try:
            self._client.wait_for_workers(1, timeout=WORKERS_S)
            found = self._client.run(examine, on_error="return")
        except TimeoutError as error:
            raise ClusterError(
                f"the cluster has no workers, and none came within {WORKERS_S:g} s."
            ) from error
        except Exception as error:
            raise _lost(error) from error
        good = [worker for worker, theirs in found.items() if not self._differs(worker, theirs)]
        if not good:
            raise ClusterError(
                "no worker of the cluster can be used: each has another version of the package or another ngspice "
                "than this machine. Install the same there."
            )
        # without a bad one, those that come later are welcome: every item looks for itself
        self._good = good if self._refused else None
        self._counted = -COUNT_EVERY_S

    def executor(self) -> Executor:
        """Of the workers that may be used."""
        only = {} if self._good is None else {"workers": self._good}
        found: Executor = self._client.get_executor(pure=False, **only)
        return found

    def threads(self) -> int:
        """Of the workers that may be used.

        Raises:
            ClusterLost: the scheduler is gone.
        """
        if clock.monotonic() - self._counted > COUNT_EVERY_S:
            try:
                known = self._client.nthreads()
            except Exception as error:
                raise _lost(error) from error
            allowed = (count for worker, count in known.items() if self._good is None or worker in self._good)
            self._threads, self._counted = sum(allowed), clock.monotonic()
        return self._threads

    def idle(self) -> bool:
        """Whether some may be used, and none of them is at work, by their own account: the scheduler may be wrong."""
        try:
            told = self._client.run(_tasks, on_error="ignore")
        except Exception:  # nobody answers: no sign of anything
            return False
        ours = [tasks for worker, tasks in told.items() if self._good is None or worker in self._good]
        return bool(ours) and not any(ours)

    def _differs(self, worker: str, theirs: Circumstances | Exception) -> bool:
        """Whether a worker is refused; said once."""
        if isinstance(theirs, Circumstances):
            different = self._ours.differences(theirs)
        else:
            different = [f"{type(theirs).__name__}: {printable(str(theirs))}"]
        if different and worker not in self._refused:
            self._refused[worker] = ", ".join(different)
            self._warn(
                f"worker {worker} is refused, its results would not be comparable: {self._refused[worker]}"
            )
        return bool(different)


def _tasks(dask_worker: Any) -> int:
    """How many a worker executes or is about to, asked there."""
    return len(dask_worker.state.executing) + len(dask_worker.state.ready)


def _lost(error: Exception) -> ClusterLost:
    said = printable(str(error)) or type(error).__name__
    return ClusterLost(f"the cluster's scheduler no longer answers ({said})")
