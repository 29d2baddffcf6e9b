"""A simulator in a process of its own: a crash or a hang of ngspice ends a run, never the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time as clock
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from emulator.ngspice import Deck, NgspiceUnavailable, Simulation, Statistics, simulate
from emulator.verdict import Judgement, Verdict

Result = TypeVar("Result")


class WorkerDied(RuntimeError):
    """The worker process ended without an answer."""


class WorkerTimeout(RuntimeError):
    """The worker process was killed at the wall-clock limit."""


class Simulator:
    """Owns one worker process, started when first needed and replaced after any failed run.

    Use as a context manager, one thread at a time.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._stderr: Any = None

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kill(self) -> None:
        """Ends the worker process from another thread; whoever waits for it sees it die."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Ends the worker process, whatever it is doing."""
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
            limit_s: wall-clock seconds after which the worker is killed.
            on_progress: called with the fraction of simulated time done.

        Raises:
            NgspiceUnavailable: no ngspice library can be loaded.
        """
        started = clock.perf_counter()
        folder = folder.absolute() if folder is not None else None
        try:
            result = self.call(
                simulate, deck, folder, limit_s=limit_s, on_progress=on_progress, reporting=True
            )
        except WorkerTimeout:
            reason = (
                f"stopped after {limit_s:g} s of wall time. Raise --time-limit, loosen reltol, or look for a "
                "node that rings."
            )
            return _without_result(Judgement(Verdict.TIME_LIMIT, reason), clock.perf_counter() - started)
        except WorkerDied as death:
            reason = f"ngspice died ({death}). Run the deck again; if it dies again, another ngspice may not."
            return _without_result(Judgement(Verdict.CRASHED, reason), clock.perf_counter() - started)
        if not result.judgement.completed:
            self.close()
        return result

    def call(
        self, function: Callable[..., Result], *args: Any, limit_s: float | None = None,
        on_progress: Callable[[float], None] | None = None, reporting: bool = False,
    ) -> Result:  # fmt: skip
        """Runs an importable function in the worker; its exceptions come back as they are.

        With ``reporting`` the function gets a last argument ``report`` that sends fractions back.

        Raises:
            WorkerDied, WorkerTimeout: the worker is gone; the next call starts another.
        """
        connection = self._started()
        deadline = None if limit_s is None else clock.monotonic() + limit_s
        try:
            connection.send((function, args, reporting))
            while True:
                wait = None if deadline is None else max(0.0, deadline - clock.monotonic())
                if not connection.poll(wait):
                    self.close()
                    raise WorkerTimeout
                kind, payload = connection.recv()
                if kind == "progress":
                    if on_progress is not None:
                        on_progress(payload)
                elif kind == "error":
                    raise payload
                else:
                    return payload  # type: ignore[no-any-return]
        except (EOFError, ConnectionError) as error:
            message = self._last_words()
            self.close()
            raise WorkerDied(message) from error
        except KeyboardInterrupt:
            self.close()
            raise

    def _started(self) -> Connection[Any, Any]:
        if self._process is not None and self._process.poll() is None and self._connection is not None:
            return self._connection
        self.close()
        ours, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()
        # a fresh interpreter instead of multiprocessing's spawn, which would run the caller's main module
        # again; a session of its own, so that Ctrl-C reaches the parent alone and it decides
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from emulator.simulator import serve; serve({theirs.fileno()})"],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            start_new_session=True,
            env=os.environ
            | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": _import_path()},
        )
        theirs.close()
        self._connection = ours
        return ours

    def _last_words(self) -> str:
        """How the process ended and the last line it wrote."""
        if self._process is None:
            return "no process"
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._stderr.seek(0)
        words = self._stderr.read().decode("utf-8", errors="replace").strip().splitlines()
        return f"{how}: {words[-1]}" if words else how


def serve(descriptor: int) -> None:
    """The worker's main loop: functions in, answers out, until the other end closes."""
    connection: Connection[Any, Any] = Connection(descriptor)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    while True:
        try:
            function, args, reporting = connection.recv()
        except (EOFError, ConnectionError):
            return
        try:
            extra = (lambda fraction: connection.send(("progress", fraction)),) if reporting else ()
            answer = ("done", function(*args, *extra))
        except Exception as error:
            answer = ("error", _portable(error))
        connection.send(answer)


def _end_with_parent(parent: int) -> None:
    """A parent that was killed can't say so, and a run would go on for nobody."""
    while os.getppid() == parent:
        clock.sleep(0.5)
    os._exit(1)


def _portable(error: Exception) -> Exception:
    if isinstance(error, NgspiceUnavailable | ValueError | ArithmeticError):
        return error
    return RuntimeError("".join(traceback.format_exception(error)).strip())


def _import_path() -> str:
    return os.pathsep.join(path for path in sys.path if path)


def _without_result(judgement: Judgement, wall: float) -> Simulation:
    return Simulation(judgement, np.empty(0), np.empty((0, 0)), Statistics(wall_s=wall), "unknown")
