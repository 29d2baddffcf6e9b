"""A simulator in a process of its own: a crash or a hang of ngspice ends a run, never the program."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time as clock
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from emulator.ngspice import LIBRARY_VARIABLE, LOG_FILE, Deck, Simulation, Statistics, simulate
from emulator.verdict import Judgement, Verdict, judge_reading

Result = TypeVar("Result")

START_LIMIT_S = 60.0
_ORPHAN_CHECK_S = 0.5
_LARGE_PAGES = "glibc.malloc.hugetlb=1"


class WorkerDied(RuntimeError):
    """The worker process ended without an answer."""


class WorkerTimeout(RuntimeError):
    """The worker process was killed at the wall-clock limit."""


class Simulator:
    """Owns one worker process, started when first needed and replaced after any failed run.

    Use as a context manager, one thread at a time; several simulators may run side by side.

    Args:
        library: path of the ngspice library; None for the one that ``find_library`` finds.
    """

    def __init__(self, library: str | Path | None = None) -> None:
        self._library = str(library) if library is not None else None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._stderr: IO[bytes] | None = None
        self._killed = False
        self._starting = threading.Lock()

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None if there is none now."""
        return self._process.pid if self._process is not None else None

    def kill(self) -> None:
        """Ends the worker process from another thread, and for good: no other is started.

        Whoever waits for the worker sees it die.
        """
        with self._starting:
            self._killed = True
            process = self._process  # its own thread may be closing it
            if process is not None:
                process.kill()

    def close(self) -> None:
        """Ends the worker process, whatever it is doing; the next call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        if self._stderr is not None:
            self._stderr.close()
        self._process, self._connection, self._stderr = None, None, None

    def simulate(
        self, deck: Deck, *, folder: Path | None = None, limit_s: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Simulation:  # fmt: skip
        """Runs a deck; crashes and hangs come back as verdicts.

        Args:
            deck: the netlist and what it has to bring.
            folder: the run's own folder: working folder and place of the log ``ngspice.log``.
            limit_s: wall-clock seconds after which the worker is killed; starting a worker does not count.
            on_progress: called with the fraction of simulated time done.

        Raises:
            NgspiceUnavailable: no ngspice library can be loaded.
            WorkerDied: the worker can't be started at all.
        """
        self._started()
        started = clock.perf_counter()
        folder = folder.absolute() if folder is not None else None
        log = folder / LOG_FILE if folder is not None else None
        if log is not None:
            log.unlink(missing_ok=True)  # one from an earlier run would be taken for this one's
        done = 0.0

        def progress(fraction: float) -> None:
            nonlocal done
            done = fraction
            if on_progress is not None:
                on_progress(fraction)

        try:
            result = self.call(simulate, deck, folder, limit_s=limit_s, on_progress=progress, reporting=True)
        except WorkerTimeout:
            judgement = _over_limit(limit_s or 0.0, done, deck.stop)
            return _without_result(judgement, clock.perf_counter() - started, _lines(log))
        except WorkerDied as death:
            lines = _lines(log)
            # what ngspice does to its memory on a bad deck can kill it before it has answered
            judgement = judge_reading(lines) or _crashed(death, lines)
            return _without_result(judgement, clock.perf_counter() - started, lines)
        if not result.judgement.completed:
            self.close()
        return result

    def call(
        self, function: Callable[..., Result], *args: Any, limit_s: float | None = None,
        on_progress: Callable[[float], None] | None = None, reporting: bool = False,
    ) -> Result:  # fmt: skip
        """Runs an importable function in the worker.

        Its exceptions come back as they are, with the worker's traceback as a note; one that can't be pickled
        comes back as a RuntimeError with the traceback as its text. With ``reporting`` the function gets a
        last argument ``report`` that sends fractions back.

        Raises:
            WorkerDied, WorkerTimeout: the worker is gone; the next call starts another.
        """
        connection = self._started()
        deadline = None if limit_s is None else clock.monotonic() + limit_s
        try:
            self._send(connection, (function, args, reporting))
            kind, payload = self._receive(connection, deadline)
            while kind == "progress":
                if on_progress is not None:
                    on_progress(payload)
                kind, payload = self._receive(connection, deadline)
        except BaseException:
            # the time limit, Ctrl-C or what on_progress raised: the worker would answer the next call with
            # what is left of this one
            self.close()
            raise
        if kind == "error":
            raise payload
        return payload  # type: ignore[no-any-return]

    def _started(self) -> Connection[Any, Any]:
        running = self._process is not None and self._process.poll() is None
        # an idle worker has nothing to say: where there is something to read it has just died
        if running and self._connection is not None and not self._connection.poll():
            return self._connection
        self.close()
        try:
            self._connection = self._start()
            self._receive(self._connection, clock.monotonic() + START_LIMIT_S)
        except WorkerDied as death:
            self.close()
            raise WorkerDied(f"the simulator's process does not start: {death}") from death
        except BaseException:
            self.close()
            raise
        return self._connection

    def _start(self) -> Connection[Any, Any]:
        ours, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        named = {LIBRARY_VARIABLE: self._library} if self._library is not None else {}
        own = {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": _import_path(),
            "GLIBC_TUNABLES": _tunables(),
        }
        with theirs, self._starting:  # a kill comes before, and no worker is started, or after, and hits it
            if self._killed:
                raise WorkerDied("it was ended for good")
            # a fresh interpreter instead of multiprocessing's spawn, which would run the caller's main module
            # again; a session of its own, so that Ctrl-C reaches the parent alone and it decides; -P, so that
            # no file of the working folder is taken for a module
            start = f"from emulator.simulator import serve; serve({theirs.fileno()}, {os.getpid()})"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", start],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                start_new_session=True,
                env=os.environ | own | named,
            )
        return ours

    def _send(self, connection: Connection[Any, Any], message: object) -> None:
        try:
            connection.send(message)
        except OSError as error:
            raise WorkerDied(self._last_words()) from error

    def _receive(self, connection: Connection[Any, Any], deadline: float | None) -> tuple[str, Any]:
        wait = None if deadline is None else max(0.0, deadline - clock.monotonic())
        try:
            if not connection.poll(wait):
                raise WorkerTimeout(f"no answer from process {self.pid} in time")
            message: tuple[str, Any] = connection.recv()
        except (EOFError, OSError) as error:  # OSError if it dies in the middle of a message
            raise WorkerDied(self._last_words()) from error
        return message

    def _last_words(self) -> str:
        """How the process ended and the last line it wrote."""
        if self._process is None or self._stderr is None:
            return "no process"
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - 4096))
        words = self._stderr.read().decode("utf-8", errors="replace").strip().splitlines()
        return f"{how}: {words[-1].strip()}" if words else how


def serve(descriptor: int, parent: int) -> None:
    """The worker's main loop: functions in, answers out, until the other end closes."""
    connection: Connection[Any, Any] = Connection(descriptor)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    with suppress(ValueError, OSError):  # a crash is reported; its memory need not fill the run's folder
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send(("started", None))
    while True:
        try:
            function, args, reporting = connection.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # the function can't be imported here
            connection.send_bytes(_error(error))
            continue
        try:
            extra = (lambda fraction: connection.send(("progress", fraction)),) if reporting else ()
            answer = pickle.dumps(
                ("done", function(*args, *extra)), protocol=5
            )  # 5 copies an array once, not twice
        except Exception as error:
            answer = _error(error)
        connection.send_bytes(answer)


def _end_with_parent(parent: int) -> None:
    """A parent that was killed can't say so, and a run would go on for nobody."""
    while os.getppid() == parent:
        clock.sleep(_ORPHAN_CHECK_S)
    os._exit(1)


def _error(error: Exception) -> bytes:
    """An exception as an answer: as it is, if it survives the way."""
    text = "".join(traceback.format_exception(error)).strip()
    try:
        error.add_note(f"in the simulator's process:\n{text}")
        answer = pickle.dumps(("error", error))
        pickle.loads(answer)  # some can be written, but not read
    except Exception:
        return pickle.dumps(("error", RuntimeError(text)))
    return answer


def _import_path() -> str:
    return os.pathsep.join(path or str(Path.cwd()) for path in sys.path)


def _tunables() -> str:
    """glibc's settings, with large pages where nothing else is said; elsewhere than on Linux nobody reads them.

    ngspice walks over all devices' memory in every iteration, and small pages cost a large core a fifth of its time.
    """
    given = os.environ.get("GLIBC_TUNABLES", "")
    return given if "glibc.malloc.hugetlb" in given else f"{given}:{_LARGE_PAGES}".lstrip(":")


def _over_limit(limit_s: float, done: float, stop: float | None) -> Judgement:
    reached = f" at {done:.1%} of the simulated time" if stop is not None else ""
    reason = (
        f"The run was stopped after {limit_s:g} s of wall time{reached}. Raise --time-limit, loosen reltol, "
        "or look for a node that rings."
    )
    return Judgement(Verdict.TIME_LIMIT, reason, time=None if stop is None else done * stop)


def _crashed(death: WorkerDied, lines: tuple[str, ...]) -> Judgement:
    said = next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), None)
    if "SIGKILL" in str(death):
        advice = "If nobody killed it, the memory ran out: take a smaller core or fewer workers."
    else:
        advice = "Run the deck again; if it dies again, try another version of ngspice."
    last = f", its last line was: {said}" if said else ""
    return Judgement(Verdict.CRASHED, f"ngspice died ({death}){last}. {advice}")


def _lines(log: Path | None) -> tuple[str, ...]:
    """What a run without an answer left in its log."""
    if log is None or not log.is_file():
        return ()
    return tuple(log.read_text(encoding="utf-8", errors="replace").splitlines())


def _without_result(judgement: Judgement, wall: float, log: tuple[str, ...]) -> Simulation:
    return Simulation(judgement, np.empty(0), np.empty((0, 0)), Statistics(wall_s=wall), "unknown", log)
