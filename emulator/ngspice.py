"""ngspice in this process, through PySpice's shared library. The only module that imports PySpice.

One instance a process (ngspice is one big global), so everything that must survive a crash or a hang calls
this through ``emulator.simulator``, which keeps the process apart.
"""

from __future__ import annotations

import ctypes.util
import logging
import os
import re
import resource
import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from emulator.verdict import Judgement, Verdict, judge_inventory, judge_reading, judge_run

Array = npt.NDArray[np.float64]
LIBRARY_VARIABLE = "NGSPICE_LIBRARY_PATH"
NEWEST_WITHOUT_KLU = 41
HOW_TO_GET_46 = (
    "On Debian 12: `scripts/setup.sh` installs 46 from bookworm-backports; elsewhere a distribution's newer "
    f"package, or a library of your own named by {LIBRARY_VARIABLE}."
)


class NgspiceUnavailable(RuntimeError):
    """No ngspice library can be loaded; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Deck:
    """A netlist and what running it has to bring.

    Attributes:
        text: the netlist, with its analysis and options.
        vectors: node names (as ngspice lists them) that must be recorded.
        stop: seconds the transient must reach; None if the analysis is no transient.
        devices: primitives by kind (``DEVICE_KINDS``), or None not to count.
        unknowns: node voltages and branch currents, or None not to count.
        libraries: compiled devices the netlist uses, from ``emulator.compiled``.
    """

    text: str
    vectors: tuple[str, ...]
    stop: float | None
    devices: Mapping[str, int] | None = None
    unknowns: int | None = None
    libraries: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Statistics:
    """The solver's own counts, and seconds of the run (processor time of the process, and wall time)."""

    steps: int = 0
    rejected: int = 0
    iterations: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    load_s: float = 0.0
    matrix_load_s: float = 0.0
    matrix_factor_s: float = 0.0


@dataclass(frozen=True)
class Simulation:
    """What a run brought: verdict first. ``values`` is (P, M), a column for each requested vector."""

    judgement: Judgement
    time: Array
    values: Array
    statistics: Statistics
    version: str
    log: tuple[str, ...] = field(default=(), repr=False)

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


def find_library() -> str:
    """Path or soname of the ngspice library.

    Raises:
        NgspiceUnavailable: none is found, or the one that NGSPICE_LIBRARY_PATH names is not there.
    """
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        if "/" in named and not Path(named).is_file():
            raise NgspiceUnavailable(f"{LIBRARY_VARIABLE} names {named}, which is not a file")
        return named
    found = ctypes.util.find_library("ngspice")
    if found is None:
        raise NgspiceUnavailable(
            "no ngspice shared library found. Run `make setup` (or scripts/setup.sh), install your "
            f"distribution's libngspice, or name the library in {LIBRARY_VARIABLE}."
        )
    return found


class _Log:
    """The simulator's lines: streamed to a file, the first and the last of them kept in memory."""

    def __init__(self, path: Path | None) -> None:
        self.lines: list[str] = []
        self._stream: IO[str] | None = path.open("w", encoding="utf-8") if path is not None else None
        self._written = 0

    def add(self, line: str) -> None:
        if line.lstrip().startswith("Reference value"):  # ngspice's own progress display
            return
        if len(self.lines) >= 2 * _KEPT_LINES:
            del self.lines[_KEPT_LINES]
        self.lines.append(line)
        # an expression outside its domain can say so millions of times
        if self._stream is not None and self._written < 10 * _KEPT_LINES:
            self._stream.write(line + "\n")
            self._stream.flush()
            self._written += 1

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


@lru_cache(maxsize=1)
def _instance() -> Any:
    """The process's one ngspice.

    Raises:
        NgspiceUnavailable: the library is missing or does not load.
    """
    library = find_library()
    # PySpice logs as errors whatever ngspice prints on stderr; we keep and judge those lines ourselves
    logging.getLogger("PySpice").setLevel(logging.CRITICAL + 1)
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

    class Shared(NgSpiceShared):  # type: ignore[misc]
        """PySpice's instance with our log and progress; its callbacks can't raise."""

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

        @staticmethod
        def _send_init_data(*_: Any) -> int:
            return 0  # PySpice would make an object of every vector, for nobody

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
            """A plot's real vectors by name, copied."""
            library = self._ngspice_shared
            names = library.ngSpice_AllVecs(plot.encode())
            found, index = {}, 0
            while names[index] != ffi.NULL:
                name = ffi.string(names[index])
                info = library.ngGet_Vec_Info(plot.encode() + b"." + name)
                index += 1
                if info != ffi.NULL and info.v_realdata != ffi.NULL:
                    data = ffi.buffer(info.v_realdata, 8 * info.v_length)
                    found[name.decode()] = np.frombuffer(data, np.float64).copy()
            return found

        def ask(self, command: str) -> list[str]:
            """A command's answer, kept out of the log; empty if ngspice refuses it."""
            kept, self.log = self.log, None
            try:
                return list(self.exec_command(command, join_lines=False))
            except NameError:
                return []
            finally:
                self.log = kept

    NgSpiceShared.LIBRARY_PATH = library
    try:
        shared = Shared()
    except OSError as error:
        raise NgspiceUnavailable(f"the ngspice library {library} does not load: {error}") from error
    shared.ask("set num_threads=1")
    return shared


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

    Args:
        deck: the netlist and what it has to bring.
        folder: becomes the working folder; the log is streamed to ``ngspice.log`` in it.
        report: called with the fraction of simulated time done, a few times a second.

    Raises:
        NgspiceUnavailable: the library is missing or does not load.
    """
    shared = _instance()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
    log = _Log(folder / "ngspice.log" if folder is not None else None)
    shared.log, shared.on_progress = log, report
    wall, cpu = clock.perf_counter(), _cpu_seconds()
    try:
        judgement, loaded = _load(shared, deck, log)
        time: Array = np.empty(0)
        found: dict[str, Array] = {}
        if judgement is None:
            _run(shared, log)
            time, found = _vectors(shared)
            judgement = judge_reading(log.lines) or _count_unknowns(shared, deck)
            judgement = judgement or judge_run(log.lines, time, found, deck.vectors, deck.stop)
        statistics = _statistics(shared, _cpu_seconds() - cpu, clock.perf_counter() - wall, loaded - wall)
        missing = np.full(len(time), np.nan)
        columns = [found.get(name, missing) for name in deck.vectors]
        values = np.stack(columns, axis=1) if columns else np.empty((len(time), 0))
        version = str(shared.ngspice_version)
        return Simulation(judgement, time, values, statistics, version, tuple(log.lines))
    finally:
        shared.log, shared.on_progress = None, None
        log.close()
        for command in ("destroy all", "remcirc"):
            shared.ask(command)


def _load(shared: Any, deck: Deck, log: _Log) -> tuple[Judgement | None, float]:
    """Reads the deck and counts its devices before anything is spent on one that is not meant."""
    for library in deck.libraries:
        refused = _load_library(shared, library)
        if refused is not None:  # reading the netlist without its devices would end the process
            return refused, clock.perf_counter()
    try:
        shared.read_circuit(deck.text)
    except NameError as error:
        log.add(f"PySpice: {error}")
    judgement = judge_reading(log.lines)
    if judgement is None:
        judgement = judge_inventory(deck.devices, _inventory(shared), None, None)
    return judgement, clock.perf_counter()


_libraries: set[Path] = set()


def _load_library(shared: Any, library: Path) -> Judgement | None:
    """Loads compiled devices, once a process: ngspice keeps them over many circuits."""
    if library in _libraries:
        return None
    here = Path.cwd()
    os.chdir(library.parent)  # the command takes no quotes, and the path may hold a blank
    try:
        said = shared.ask(f"osdi ./{library.name}")
    finally:
        os.chdir(here)
    if not library.is_file() or any("rror" in line for line in said):
        return Judgement(
            Verdict.PARSE_ERROR,
            f"ngspice does not load the compiled devices {library}: {' '.join(said) or 'no such file'}. "
            "Remove the file to have it built again; ngspice takes such devices from version 44 on.",
        )
    _libraries.add(library)
    return None


def _run(shared: Any, log: _Log) -> None:
    try:
        shared.run()
    except NameError as error:
        log.add(f"PySpice: {error}")


def _inventory(shared: Any) -> dict[str, int]:
    counted: dict[str, int] = {}
    for line in shared.ask("inventory"):
        kind, separator, count = line.partition(":")
        if separator and count.strip().isdigit():
            kind = kind.strip().lower()
            counted[DEVICE_KINDS.get(kind, kind)] = int(count)
    return counted


def _count_unknowns(shared: Any, deck: Deck) -> Judgement | None:
    equations = _numbers(shared.ask("rusage everything")).get("circuit equations")
    counted = None if equations is None else int(equations) - 1  # ngspice counts ground
    return judge_inventory(None, {}, deck.unknowns, counted)


def _vectors(shared: Any) -> tuple[Array, dict[str, Array]]:
    """Time and the other vectors of the last analysis; empty if there was none."""
    names = [name for name in shared.plot_names if name != "const"]
    if not names:
        return np.empty(0), {}
    found = shared.real_vectors(names[0])
    return found.pop("time", np.empty(0)), found


def _statistics(shared: Any, cpu: float, wall: float, load: float) -> Statistics:
    numbers = _numbers(shared.ask("rusage everything"))
    return Statistics(
        steps=int(numbers.get("accepted timepoints", 0)),
        rejected=int(numbers.get("rejected timepoints", 0)),
        iterations=int(numbers.get("total iterations", 0)),
        cpu_s=cpu,
        wall_s=wall,
        load_s=load,
        matrix_load_s=numbers.get("matrix load time", 0.0),
        matrix_factor_s=numbers.get("matrix factor time", 0.0),
    )


def _numbers(lines: list[str]) -> dict[str, float]:
    matches = (re.match(r"\s*(.*?)\s*[=:]\s*([-+0-9.eE]+)", line) for line in lines)
    return {m.group(1).lower(): float(m.group(2)) for m in matches if m and m.group(2)[-1].isdigit()}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
