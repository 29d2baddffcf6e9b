"""ngspice in this process, through PySpice's shared library. The only module that imports PySpice.

One instance a process (ngspice is one big global), so everything that must survive a crash or a hang calls
this through ``emulator.simulator``, which keeps the process apart.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import logging
import os
import re
import resource
import time as clock
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from emulator.streaming import RawReduction, Sink, Stream, vector_name
from emulator.verdict import Judgement, Verdict, judge_inventory, judge_reading, judge_run, judge_text

Array = npt.NDArray[np.float64]
LIBRARY_VARIABLE = "NGSPICE_LIBRARY_PATH"
LOG_FILE = "ngspice.log"
NEWEST_WITHOUT_KLU = 41
HOW_TO_GET_46 = (
    "On Debian 12: `scripts/setup.sh` installs 46 from bookworm-backports; Debian 13 has 47 in trixie-backports; "
    f"elsewhere a distribution's newer package, or a library of your own named by {LIBRARY_VARIABLE}."
)


class NgspiceUnavailable(RuntimeError):
    """No ngspice library can be loaded; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Deck:
    """A netlist and what running it has to bring.

    Attributes:
        text: the netlist, with its analysis and options.
        vectors: node names, in any case, or branches as ``v1#branch``, that must be recorded.
        stop: seconds the transient must reach; None if the analysis is no transient.
        points: operating points that it brings, if it is none: more than one of a sweep.
        devices: primitives by kind (``DEVICE_KINDS``), or None not to count.
        unknowns: node voltages and branch currents, or None not to count.
        libraries: compiled devices the netlist uses, from ``emulator.compiled``.
        behaviour: ngspice's compatibility mode (``ngbehavior``) that its model files need; empty for its own.
        sink: takes the waveforms of a transient block by block, in place of memory; it serves one run.

    Raises:
        ValueError: a sink without a transient.
    """

    text: str
    vectors: tuple[str, ...]
    stop: float | None
    devices: Mapping[str, int] | None = None
    unknowns: int | None = None
    libraries: tuple[Path, ...] = ()
    sink: Sink | None = None
    behaviour: str = ""
    points: int = 1

    def __post_init__(self) -> None:
        if self.sink is not None and self.stop is None:
            raise ValueError("a sink takes the waveforms of a transient: give the deck its stop time")


@dataclass(frozen=True)
class Statistics:
    """The solver's own counts, and seconds of the run.

    Of the process's processor time: ``cpu_s``, and ``load_s`` of it for reading the netlist. Wall time: ``wall_s``,
    and what ngspice measures of it itself, analysis and matrix.
    """

    steps: int = 0
    rejected: int = 0
    iterations: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    load_s: float = 0.0
    matrix_load_s: float = 0.0
    matrix_factor_s: float = 0.0
    analysis_s: float = 0.0


@dataclass(frozen=True)
class Simulation:
    """What a run brought: verdict first, then as much of the run as there is.

    Attributes:
        judgement: the verdict with its place and reason.
        time: (P,) seconds; (0,) if the analysis is no transient or none was run. With a sink only the first and
            the last point, and between them the first that is not finite.
        values: (P, M), a column for each requested vector, NaN where there is none; a row an operating point without a
            time.
        statistics: the solver's counts and the seconds it took.
        version: of ngspice, "unknown" if the run gave no answer.
        log: ngspice's lines; of very many the first and the last 2000.
        reduced: what the deck's sink made of the waveforms; None without one, or if nothing came to it.
    """

    judgement: Judgement
    time: Array
    values: Array
    statistics: Statistics
    version: str
    log: tuple[str, ...] = field(default=(), repr=False)
    reduced: Any = field(default=None, repr=False)

    @property
    def verdict(self) -> Verdict:
        """The verdict alone."""
        return self.judgement.verdict


# what `inventory` calls the primitives of our circuits, in every version seen (39 to 46)
DEVICE_KINDS = {
    "asrc": "behavioural", "capacitor": "capacitor", "vsource": "voltage", "resistor": "resistor",
    "inductor": "inductor", "isource": "current", "vccs": "vccs", "vcvs": "vcvs",
}  # fmt: skip

_KEPT_LINES = 2000
_STREAMED_LINES = 10 * _KEPT_LINES


def find_library() -> str:
    """Path or soname of the ngspice library.

    Raises:
        NgspiceUnavailable: none is found, or the one that NGSPICE_LIBRARY_PATH names is not there.
    """
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        if "/" in named and not Path(named).is_file():
            raise NgspiceUnavailable(
                f"{LIBRARY_VARIABLE} names {named}, which is not a file. Correct the path, or leave it unset "
                "and run `make setup`."
            )
        return str(Path(named).absolute()) if "/" in named else named
    found = ctypes.util.find_library("ngspice")
    if found is None:
        raise NgspiceUnavailable(
            "no ngspice shared library found. Run `make setup` (or scripts/setup.sh), install your "
            f"distribution's libngspice, or name the library in {LIBRARY_VARIABLE}."
        )
    return found


# ngspice's own progress display, and the pipe of ours that it takes for a file
_NOT_LOGGED = ("Reference value", 'binary raw file "/dev/fd/')


class _Log:
    """The simulator's lines: streamed to a file, the first and the last of them kept in memory.

    An expression outside its domain can say so millions of times, so both are bounded; the file then gets a
    note of how many lines are left out, and the last ones, when the run ends.
    """

    def __init__(self, path: Path | None) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
        self._count = 0
        self._stream: IO[str] | None = path.open("w", encoding="utf-8") if path is not None else None

    @property
    def lines(self) -> tuple[str, ...]:
        """What is kept, in the order it came."""
        return (*self._first, *self._last)

    def add(self, line: str) -> None:
        if line.lstrip().startswith(_NOT_LOGGED):
            return
        (self._first if len(self._first) < _KEPT_LINES else self._last).append(line)
        if self._stream is not None and self._count < _STREAMED_LINES:
            self._stream.write(line + "\n")
            self._stream.flush()
        self._count += 1

    def close(self) -> None:
        if self._stream is None:
            return
        unwritten = max(0, self._count - _STREAMED_LINES)
        end = list(self._last)[-unwritten:] if unwritten else []
        if unwritten > len(end):
            self._stream.write(f"[{unwritten - len(end)} lines left out]\n")
        self._stream.writelines(f"{line}\n" for line in end)
        self._stream.close()


class _WithoutInitData:
    """The library, but initialised without the callback that tells of a run's vectors.

    Where there is one, ngspice calls it with the run's plot, and crashes if the run goes to a file and has none
    (39 and 46); and PySpice would make an object of every vector, for nobody.
    """

    def __init__(self, library: Any, null: Any) -> None:
        self._library, self._null = library, null

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def ngSpice_Init(self, *callbacks: Any) -> int:
        return int(self._library.ngSpice_Init(*callbacks[:4], self._null, *callbacks[5:]))


@lru_cache(maxsize=1)
def _instance() -> Any:
    """The process's one ngspice.

    Raises:
        NgspiceUnavailable: the library is missing or does not load.
    """
    library = find_library()
    _check_loads(library)
    # PySpice logs as errors whatever ngspice prints on stderr; we keep and judge those lines ourselves
    logging.getLogger("PySpice").setLevel(logging.CRITICAL + 1)
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

    class Shared(NgSpiceShared):  # type: ignore[misc]
        """PySpice's instance with our log and progress; its callbacks can't raise."""

        _ngspice_shared: Any
        log: _Log | None = None  # None while a command of ours is answered
        on_progress: Callable[[float], None] | None = None

        @staticmethod
        def _send_char(message: Any, _id: int, user_data: Any) -> int:
            self = ffi.from_handle(user_data)
            content = ffi.string(message).decode("utf-8", errors="replace").partition(" ")[2]
            if self.log is None:
                self._stdout.append(content)
            else:
                self.log.add(content)
            return 0

        def send_stat(self, message: str, _id: int) -> int:
            match = re.search(r"tran:?\s+([0-9.]+)%", message)
            if match and self.on_progress is not None:
                self.on_progress(float(match.group(1)) / 100)
            return 0

        def _load_library(self, verbose: bool) -> None:
            super()._load_library(verbose)
            self._ngspice_shared = _WithoutInitData(self._ngspice_shared, ffi.NULL)

        def read_circuit(self, text: str) -> None:
            """``load_circuit`` without an object a line: a twentieth of its time for a large netlist."""
            buffer = text.encode()
            if not buffer.endswith(b"\n"):
                buffer += b"\n"
            # every line ends with a zero, and the list of lines with an empty line and a null pointer
            buffer = buffer.replace(b"\n", b"\0") + b"\0"
            held = ffi.from_buffer(buffer)
            ends = np.flatnonzero(np.frombuffer(buffer, np.uint8) == 0)
            starts = np.concatenate(([0], ends[:-1] + 1))
            starts = starts[(starts != ends) | (ends == len(buffer) - 1)]
            lines = np.append(starts + int(ffi.cast("uintptr_t", held)), 0).astype(np.uintp)
            self.clear_output()
            code = self._ngspice_shared.ngSpice_Circ(ffi.cast("char **", ffi.from_buffer(lines)))
            if code:
                raise NameError(f"ngSpice_Circ returned {code}")

        def real_vectors(self, plot: str) -> dict[str, Array]:
            """A plot's real vectors by name: ngspice's own memory, which ends with the plot."""
            library = self._ngspice_shared
            names = library.ngSpice_AllVecs(plot.encode())
            found, index = {}, 0
            while names[index] != ffi.NULL:
                name = ffi.string(names[index])
                info = library.ngGet_Vec_Info(plot.encode() + b"." + name)
                index += 1
                if info != ffi.NULL and info.v_realdata != ffi.NULL:
                    data = ffi.buffer(info.v_realdata, 8 * info.v_length)
                    found[name.decode()] = np.frombuffer(data, np.float64)
            return found

        def ask(self, command: str) -> list[str]:
            """A command's answer, kept out of the log; what ngspice says if it refuses it."""
            kept, self.log = self.log, None
            try:
                self.exec_command(command)
            except NameError:
                pass
            finally:
                self.log = kept
            return list(self._stdout)

    NgSpiceShared.LIBRARY_PATH = library.replace("{", "{{").replace("}", "}}")  # PySpice formats it
    try:
        shared = Shared()
    except NameError as error:
        raise NgspiceUnavailable(f"the ngspice library {library} does not start: {error}") from error
    shared.ask("set num_threads=1")
    shared.ask("set filetype=binary")
    return shared


def _check_loads(library: str) -> None:
    """Loads the library by itself first: PySpice's loading fails halfway and can't be tried again.

    Raises:
        NgspiceUnavailable: it is no library, or another one.
    """
    try:
        found = hasattr(ctypes.CDLL(library), "ngSpice_Init")
        why = f"{library} is a library, but not ngspice's"
    except OSError as error:
        found, why = False, f"the ngspice library {library} does not load: {error}"
    if not found:
        raise NgspiceUnavailable(
            f"{why}. Name a libngspice in {LIBRARY_VARIABLE}, or leave it unset and run `make setup`."
        )


@dataclass(frozen=True)
class Capabilities:
    """What the ngspice library found can do."""

    library: str
    version: int
    klu: bool
    osdi: bool
    xspice: bool


def capabilities() -> Capabilities:
    """Asks the library itself.

    Raises:
        NgspiceUnavailable: the library is missing or does not load.
    """
    shared = _instance()
    banner = " ".join(shared.ask("version -f"))
    # the command exists only in builds with OSDI: without a file it complains, unknown it says so
    osdi = not any("no such command" in line.lower() for line in shared.ask("osdi"))
    return Capabilities(
        library=_loaded_path(find_library()),
        version=shared.ngspice_version or 0,
        klu="KLU" in banner,
        osdi=osdi,
        xspice=bool(shared.has_xspice),
    )


def _loaded_path(library: str) -> str:
    """Where the loader found a soname."""
    with Path("/proc/self/maps").open() as maps:
        for line in maps:
            path = line.rstrip().rpartition(" ")[2]
            if "ngspice" in path and path.startswith("/") and ".cm" not in path:
                return path
    return library


def simulate(
    deck: Deck, folder: Path | None = None, report: Callable[[float], None] | None = None
) -> Simulation:
    """Runs a deck in this process's ngspice and judges it; never raises for what the deck does.

    After a verdict other than COMPLETED this process's ngspice is not to be used again.

    Args:
        deck: the netlist and what it has to bring.
        folder: becomes the working folder; the log is streamed to ``ngspice.log`` in it.
        report: called with the fraction of simulated time done, a few times a second.

    Raises:
        NgspiceUnavailable: the library is missing or does not load.
        Exception: what the deck's sink raised, if the run is otherwise good.
    """
    shared = _instance()
    if folder is None:
        return _simulate(shared, deck, _Log(None), report)
    folder.mkdir(parents=True, exist_ok=True)
    log = _Log(folder / LOG_FILE)
    with contextlib.chdir(folder):
        return _simulate(shared, deck, log, report)


def _simulate(shared: Any, deck: Deck, log: _Log, report: Callable[[float], None] | None) -> Simulation:
    shared.log, shared.on_progress = log, report
    wall, cpu = clock.perf_counter(), _cpu_seconds()
    time, found, counts = np.empty(0), dict[str, Array](), dict[str, float]()
    reduction = RawReduction(deck.vectors, deck.sink) if deck.sink is not None else None
    try:
        judgement = _load(shared, deck, log)
        loaded = _cpu_seconds()
        if judgement is None:
            time, found = _run(shared, log, reduction)
            counts = _numbers(shared.ask("rusage everything"))
            judgement = judge_reading(log.lines) or _count_unknowns(counts, deck)
            judgement = judgement or _judge_vectors(log.lines, time, found, deck, reduction)
        statistics = _statistics(counts, _cpu_seconds() - cpu, clock.perf_counter() - wall, load=loaded - cpu)
        values = _columns(deck, found, len(time))
        version = str(shared.ngspice_version)
        reduced = reduction.result if reduction is not None else None
        result = Simulation(judgement, time, values, statistics, version, log.lines, reduced)
    finally:
        shared.log, shared.on_progress = None, None
        log.close()
    # After a deck that it could not read ngspice (39 and 46) frees things twice, and the next command, or the
    # cleaning up itself, kills the process: the worker is replaced then, so leave all as it is.
    if result.judgement.completed:
        for command in ("destroy all", "remcirc"):
            shared.ask(command)
        if reduction is not None and reduction.error is not None:
            reduction.error.add_note(f"in the sink that takes the waveforms, a {type(deck.sink).__name__}")
            raise reduction.error
    return result


def _load(shared: Any, deck: Deck, log: _Log) -> Judgement | None:
    """Reads the deck and counts its devices, before any time is spent on another circuit than is meant."""
    if judgement := judge_text(deck.text):
        return judgement
    if deck.behaviour != _behaviour[0]:
        shared.ask(f"set ngbehavior={deck.behaviour}" if deck.behaviour else "unset ngbehavior")
        _behaviour[0] = deck.behaviour
    for library in deck.libraries:
        # reading the netlist without its devices would end the process
        if judgement := _load_library(shared, library):
            return judgement
    try:
        shared.read_circuit(_as_sent(deck.text))
    except NameError as error:
        log.add(f"PySpice: {error}")
    if judgement := judge_reading(log.lines):
        return judgement
    inventory = shared.ask("inventory")  # or that there is no circuit, for which the log has the reason
    judgement = judge_reading([*log.lines, *inventory])
    return judgement or judge_inventory(deck.devices, _inventory(inventory), None, None)


def _as_sent(text: str) -> str:
    """The netlist up to its ``.end``, with comments for empty lines.

    PySpice drops empty lines, and with them the line numbers that ngspice reports (and an empty title). What
    comes after ``.end`` would become the beginning of the next netlist.
    """
    kept = text[: _end_card(text)].split("\n")
    return "\n".join([*(line if line.strip() else "*" for line in kept), ".end"])


def _end_card(text: str) -> int:
    """Where the line break before the ``.end`` line is; the text's length if there is none."""
    lower, at = text.lower(), -1
    while (at := lower.find(".end", at + 1)) >= 0:
        start, stop = lower.rfind("\n", 0, at) + 1, lower.find("\n", at)
        line = lower[start : stop if stop >= 0 else None]
        if line.partition(";")[0].strip() == ".end":
            return max(start - 1, 0)
    return len(text)


_libraries: set[Path] = set()
_behaviour = [""]  # what this process's ngspice was last told


def _load_library(shared: Any, library: Path) -> Judgement | None:
    """Loads compiled devices, once a process: ngspice keeps them over many circuits."""
    if library in _libraries:
        return None
    if not library.is_file():
        return Judgement(
            Verdict.PARSE_ERROR, f"the compiled devices {library} are not there. Build them again."
        )
    with contextlib.chdir(library.parent):  # the command takes no quotes, and the path may hold a blank
        said = shared.ask(f"osdi ./{library.name}")
    if any("rror" in line for line in said):
        return Judgement(
            Verdict.PARSE_ERROR,
            f"ngspice does not load the compiled devices {library}: {' '.join(said)}. "
            "Remove the file to have it built again; ngspice takes such devices from version 44 on.",
        )
    _libraries.add(library)
    return None


def _run(shared: Any, log: _Log, reduction: RawReduction | None) -> tuple[Array, dict[str, Array]]:
    """Time and vectors of the run; of one that is reduced on its way only the points that were kept."""
    if reduction is None:
        _command(shared, log, "run")
        return _vectors(shared)
    with Stream(reduction) as stream:
        _command(shared, log, f"run {stream.path}")
    return reduction.time, reduction.found


def _judge_vectors(
    lines: Sequence[str], time: Array, found: Mapping[str, Array], deck: Deck, reduction: RawReduction | None
) -> Judgement:
    judgement = judge_run(
        lines, time, found, [vector_name(name) for name in deck.vectors], deck.stop, deck.points
    )
    fault = reduction.fault if reduction is not None else None
    # a file that could not be read at all has neither vectors nor a last time, for a reason of its own
    if fault is not None and (judgement.completed or not len(time)):
        return Judgement(Verdict.TRUNCATED, fault)
    return judgement


def _command(shared: Any, log: _Log, command: str) -> None:
    try:
        shared.exec_command(command)
    except NameError as error:
        log.add(f"PySpice: {error}")


def _inventory(lines: list[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for line in lines:
        kind, separator, count = line.partition(":")
        if separator and count.strip().isdigit():
            kind = kind.strip().lower()
            counted[DEVICE_KINDS.get(kind, kind)] = int(count)
    return counted


def _count_unknowns(counts: Mapping[str, float], deck: Deck) -> Judgement | None:
    equations = counts.get("circuit equations")
    counted = None if equations is None else int(equations) - 1  # ngspice counts ground
    return judge_inventory(None, {}, deck.unknowns, counted)


def _vectors(shared: Any) -> tuple[Array, dict[str, Array]]:
    """Time and the other vectors of the last analysis by node name; empty if there was none.

    All but time are good until the plot is destroyed.
    """
    names = [name for name in shared.plot_names if name != "const"]
    if not names:
        return np.empty(0), {}
    found = {vector_name(name): values for name, values in shared.real_vectors(names[0]).items()}
    return found.pop("time", np.empty(0)).copy(), found


def _columns(deck: Deck, found: Mapping[str, Array], points: int) -> Array:
    """(P, M) values of the requested vectors; NaN where one is missing or shorter than the others."""
    columns = [found.get(vector_name(name), np.empty(0)) for name in deck.vectors]
    rows = points if deck.stop is not None else max((len(column) for column in columns), default=0)
    # a column after the other, as they come: a tenth of the time, and of use to those who look at a node
    values = np.full((rows, len(columns)), np.nan, order="F")
    for k, column in enumerate(columns):
        values[: len(column), k] = column[:rows]
    return values


def _statistics(counts: Mapping[str, float], cpu: float, wall: float, load: float) -> Statistics:
    return Statistics(
        steps=int(counts.get("accepted timepoints", 0)),
        rejected=int(counts.get("rejected timepoints", 0)),
        iterations=int(counts.get("total iterations", 0)),
        cpu_s=cpu,
        wall_s=wall,
        load_s=load,
        matrix_load_s=counts.get("matrix load time", 0.0),
        matrix_factor_s=counts.get("matrix factor time", 0.0),
        analysis_s=counts.get("total analysis time (seconds)", 0.0),
    )


def _numbers(lines: list[str]) -> dict[str, float]:
    matches = (re.match(r"\s*(.*?)\s*[=:]\s*([-+0-9.eE]+)", line) for line in lines)
    return {m.group(1).lower(): float(m.group(2)) for m in matches if m and m.group(2)[-1].isdigit()}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
