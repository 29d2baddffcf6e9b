"""Waveforms reduced while the simulator writes them: a run whose waveforms do not fit into memory.

ngspice writes its raw file into a pipe, point by point; a thread of the same process reads it, cuts it into blocks
and hands those to a ``Sink``. Nothing of the file stays but its first and last point, and what the sink keeps.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emulator.verdict import LARGEST_VALUE

Array = npt.NDArray[np.float64]

BLOCK_BYTES = 1 << 20
_READ_BYTES = 1 << 18  # small enough to stay in the processor's cache on its way into the block
_POLL_MS = 100


class Sink(Protocol):
    """Takes the waveforms of one run and keeps what is wanted of them.

    It travels to the worker process and works there: it has to be picklable, and so has its result. Its errors
    end in the caller of the simulation, once the run is over.
    """

    def begin(self, names: tuple[str, ...]) -> None:
        """Called once, before the first block, with the deck's vectors: the columns to come."""

    def take(self, time: Array, values: Array) -> None:
        """A block of (P,) ascending seconds and (P, M) values, the sink's own, that goes on where the last ended."""

    def result(self) -> Any:
        """What is left of it all; called once after the last block, of a run broken off as well."""


class RawReduction:
    """The bytes of a binary raw file in, blocks of the requested columns out.

    Attributes:
        time: seconds of the points that are kept: the first, the first that is not finite, the last.
        found: their values by requested vector, of those that are in the file.
        fault: why the file can't be trusted, or None; known after ``close``.
        error: what the sink raised.
        result: what the sink returned; None if it raised, or was never begun.
    """

    def __init__(self, vectors: Sequence[str], sink: Sink) -> None:
        self.time: Array = np.empty(0)
        self.found: dict[str, Array] = {}
        self.fault: str | None = None
        self.error: Exception | None = None
        self.result: Any = None
        self._vectors = tuple(vectors)
        self._sink: Sink | None = sink  # None once it is not to be given more
        self._begun: Sink | None = None
        self._head = bytearray()
        self._block = memoryview(b"")
        self._filled = 0
        self._row_bytes = 0
        self._present: list[str] = []
        self._columns: slice | list[int] = slice(0)
        self._kept: dict[int, tuple[float, Array]] = {}
        self._last: tuple[float, Array] | None = None
        self._bad = False
        self._rows = 0

    def feed(self, data: memoryview) -> None:
        """The next bytes of the file; never raises for what the sink does."""
        if self.fault is not None:
            return
        if not self._row_bytes:
            before = len(self._head)
            self._head += data
            end = self._header_end()
            if not end:
                return
            data = data[end - before :]
            self._head.clear()
        while len(data):
            count = min(len(data), len(self._block) - self._filled)
            self._block[self._filled : self._filled + count] = data[:count]
            self._filled += count
            data = data[count:]
            if self._filled == len(self._block):
                self._flush()

    def close(self) -> None:
        """The end of the file."""
        if self.fault is None and self._row_bytes:
            tail = bytes(self._block[self._filled - self._filled % self._row_bytes : self._filled])
            self._flush()
            # ngspice writes the number of points back into the header, which in a pipe comes last
            if not tail.strip().isdigit() or int(tail) != self._rows:
                self._refuse(f"they end after {self._rows} points in {tail[:20]!r}")
        if self._last is not None:
            self._kept[self._rows - 1] = self._last
        self.time = np.array([time for time, _ in self._kept.values()])
        rows = np.array([values for _, values in self._kept.values()])
        rows = rows.reshape(len(self._kept), len(self._present))
        self.found = dict(zip(self._present, rows.T, strict=True))
        if self._begun is not None and self.error is None:
            try:
                self.result = self._begun.result()
            except Exception as error:
                self._failed(error)

    def _header_end(self) -> int:
        """Reads the header and returns where the points begin; 0 as long as it is not complete."""
        mark = b"\nBinary:\n"
        end = self._head.find(mark)
        if end < 0:
            if self._head.find(b"\nValues:\n") >= 0:
                self._refuse("they come as text: take `set filetype=ascii` out of the deck")
            return 0
        lines = self._head[:end].decode("utf-8", errors="replace").split("\n")
        names = [line.split()[1].lower() for line in lines[lines.index("Variables:") + 1 :]]
        if names[0] != "time":
            self._refuse("they have no time: leave the transient as the only analysis in the deck")
            return 0
        self._row_bytes = 8 * len(names)
        self._block = memoryview(bytearray(max(1, BLOCK_BYTES // self._row_bytes) * self._row_bytes))
        self._choose({vector_name(name): column for column, name in enumerate(names) if column})
        return end + len(mark)

    def _choose(self, columns: dict[str, int]) -> None:
        """Finds the requested vectors among the file's columns, and begins the sink if all are there."""
        wanted = [vector_name(name) for name in self._vectors]
        self._present = [name for name in wanted if name in columns]
        chosen = [columns[name] for name in self._present]
        contiguous = bool(chosen) and chosen == list(range(chosen[0], chosen[0] + len(chosen)))
        self._columns = slice(chosen[0], chosen[-1] + 1) if contiguous else chosen
        sink, self._sink = self._sink, None
        if sink is None or len(chosen) < len(wanted):
            return
        try:
            sink.begin(self._vectors)
            self._begun = self._sink = sink
        except Exception as error:
            self._failed(error)

    def _flush(self) -> None:
        """The whole rows of the block; what is left of one is the file's end."""
        count = self._filled // self._row_bytes
        self._filled = 0
        if not count:
            return
        rows = np.frombuffer(self._block, np.float64, count * self._row_bytes // 8).reshape(count, -1)
        time, values = rows[:, 0].copy(), np.array(rows[:, self._columns], order="C")
        if not self._rows:
            self._kept[0] = time[0], values[0].copy()
        self._last = time[-1], values[-1].copy()
        if not self._bad and not (_finite(time) and _finite(values)):
            self._bad = True
            self._sink = None  # it need not cope with that, and the run can't be used
            sound = (np.abs(values) <= LARGEST_VALUE).all(axis=1) & (np.abs(time) <= LARGEST_VALUE)
            row = int(np.argmin(sound))
            self._kept[self._rows + row] = time[row], values[row].copy()
        self._rows += count
        if self._sink is not None:
            try:
                self._sink.take(time, values)
            except Exception as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.error, self._sink = error, None

    def _refuse(self, why: str) -> None:
        self.fault = f"The waveforms can't be read while ngspice writes them: {why}."


class Stream:
    """A pipe that ngspice takes for a file, and the thread that empties it.

    The thread never stops reading before the other end is closed, whatever becomes of the sink: a writer that
    waits for a reader would wait for ever. Use as a context manager; ``reduction`` is complete after it.
    """

    def __init__(self, reduction: RawReduction) -> None:
        self.reduction = reduction
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @property
    def path(self) -> str:
        """What to open as the file: no file of any folder, so there is none to collide with or to be left behind."""
        return f"/dev/fd/{self._writer}"

    def __enter__(self) -> Stream:
        self._reader, self._writer = os.pipe()
        # larger than usual, where the system has that, for fewer switches between the two threads
        with suppress(OSError, AttributeError):
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, BLOCK_BYTES)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._writer)  # so far there was a writer, though ngspice may never have opened its own
        self._over.set()
        self._thread.join()
        os.close(self._reader)
        self.reduction.close()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        buffer = bytearray(_READ_BYTES)
        while True:
            if not poll.poll(_POLL_MS):
                if self._over.is_set():  # ngspice may have forgotten to close its file
                    return
                continue
            count = os.readv(self._reader, [buffer])
            if not count:
                return
            self._feed(memoryview(buffer)[:count])

    def _feed(self, data: memoryview) -> None:
        try:
            self.reduction.feed(data)
        except Exception as error:  # a file that looks like no other must not stop the reading
            self.reduction.fault = f"The waveforms can't be read while ngspice writes them: {error!r}."


def _finite(values: Array) -> bool:
    """Whether all are finite and below ``LARGEST_VALUE``, without an array in between; NaN compares false."""
    return bool(values.size == 0 or (values.max() <= LARGEST_VALUE and values.min() >= -LARGEST_VALUE))


def vector_name(vector: str) -> str:
    """One name for a vector, as a deck (``a``, ``v1#branch``), a raw file (``v(a)``, ``i(v1)``) or a list has it.

    In its list of vectors ngspice calls a node that is a number, 2, ``V(2)``.
    """
    name = vector.lower()
    inner = name[2:-1]
    if name.startswith("v(") and name.endswith(")"):
        return inner
    if name.startswith("i(") and name.endswith(")"):
        return inner if inner.startswith("@") else f"{inner}#branch"
    return name
