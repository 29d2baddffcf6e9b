"""One item of a campaign's work: a sample of a point, from arguments alone to a row of columns.

``execute`` is what an executor is given. It may run in any process and in several of its threads: each borrows a
simulator, and the whole sample is made in that simulator's own process, where plans and ngspice are kept from item to
item and runs need no way through a pipe.
"""

from __future__ import annotations

import hashlib
import json
import queue
import resource
import tempfile
import threading
import time as clock
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from emulator import ngspice
from emulator.campaign.points import bearing, cell_identity
from emulator.compiled import BuildFailed, compiler
from emulator.ngspice import Capabilities, Deck, Simulation
from emulator.plan import Plan, make_plan
from emulator.results import ROWS, Column, Columns
from emulator.sample import run_sample
from emulator.settings import RunSettings
from emulator.simulator import Result, Simulator, WorkerDied, WorkerTimeout
from emulator.told import of_circuit
from emulator.verdict import Verdict
from netlists.weights import Weights, read_weights

PREPARING_LIMIT_S = 3600.0  # of characterising a cell
MOST_PLANS = 4  # kept in a simulator's process
TRIES = 2  # of an item whose process died: memory may have run out, or somebody killed it

WORST_WINDOW, CPU, DEVICES = "crosscheck/worst_window", "timing/cpu", "samples/devices"
TOLD = "points/told"  # beside them: what the results of such a run say of its circuit, as JSON
# What a row of a campaign holds: figures, pixels, codes. States and courses can be had again by `ais run`.
COLUMNS: Mapping[str, Column] = {
    **{name: column for name, column in ROWS.items() if set(column.shape) <= {"V"}},
    WORST_WINDOW: Column("largest rms defect of a window"),
    CPU: Column("processor seconds of the whole sample, in the process that simulated it"),
    DEVICES: Column("form of the devices", kinds="OU"),
}


@dataclass(frozen=True)
class Circumstances:
    """What has to be the same wherever a campaign's samples are simulated, or they can't be compared."""

    emulator: str
    ngspice: int
    klu: bool
    osdi: bool
    compiler: bool

    def differences(self, other: Circumstances) -> list[str]:
        """What differs, in words: ours against the other's."""
        ours, theirs = vars(self), vars(other)
        return [
            f"{name} {theirs[name]} instead of {ours[name]}" for name in ours if ours[name] != theirs[name]
        ]


class WorkerRefused(RuntimeError):
    """A worker in other circumstances than the campaign's: its results would not be comparable."""


class Interrupted(RuntimeError):
    """The simulators were ended; an item in flight brings nothing."""


@dataclass(frozen=True)
class Item:
    """A sample of a point. Equal items have equal keys, and equal rows.

    Attributes:
        key: 32 bytes, of all that bears on the numbers.
        point, sample: numbers; the seed is in the settings.
        weights_sha256: of the weights' bytes.
        cell: what identifies the cell that the level's file describes; empty for a level without a file.
    """

    key: bytes
    point: int
    sample: int
    weights_sha256: str
    settings: RunSettings
    circumstances: Circumstances
    cell: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an item came to.

    Attributes:
        columns: a row of ``COLUMNS``, and ``TOLD``; of an item whose process came to nothing there is little in it.
        remarks: what a user should be told of how its point was realised.
    """

    columns: Columns
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """On the simulation."""
        return Verdict(str(self.columns["samples/verdict"]))

    @property
    def cpu_s(self) -> float:
        """Processor seconds of the whole sample."""
        return float(self.columns[CPU])


def items_of(
    point: int,
    weights_sha256: str,
    settings: RunSettings,
    samples: int,
    circumstances: Circumstances,
    cell: str = "",
) -> Iterator[Item]:
    """The items of a point and a seed, which is in the settings."""
    told = bearing(settings, cell)
    known = {"weights": weights_sha256, "settings": told, "circumstances": vars(circumstances)}
    common = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for sample in range(samples):
        whole = common.copy()
        whole.update(f"sample {sample}".encode())
        yield Item(whole.digest(), point, sample, weights_sha256, settings, circumstances, cell)


# -- in the executor's process -------------------------------------------------------------------------------


class Crew:
    """Simulators lent to threads, as many as ask at once; started when needed, reused, and ended all together.

    Attributes:
        ended: whether it was ended.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ais-campaign-")
        self._idle: queue.SimpleQueue[Simulator] = queue.SimpleQueue()
        self._all: list[Simulator] = []
        self._lock = threading.Lock()
        self.ended = False

    @contextmanager
    def one(self) -> Iterator[Simulator]:
        """A simulator for as long as the context lasts."""
        try:
            simulator = self._idle.get_nowait()
        except queue.Empty:
            with self._lock:
                if self.ended:
                    raise Interrupted from None
                simulator = Simulator()
                self._all.append(simulator)
        try:
            yield simulator
        finally:
            self._idle.put(simulator)

    def folder(self, name: str) -> Path:
        """Of this crew alone, gone with it."""
        return Path(self._folder.name) / name

    def end(self) -> None:
        """Ends every simulator's process, whatever it is doing, and starts no other."""
        with self._lock:
            self.ended = True
        for simulator in self._all:
            simulator.kill()


@lru_cache(maxsize=1)
def _own_crew() -> Crew:
    return Crew()


_making = threading.Lock()


class WeightsWanted(RuntimeError):
    """This process has no file of the item's weights: the item should come again, with its content."""


def execute(item: Item, weights: Path | bytes | None, crew: Crew | None = None) -> Outcome:
    """Simulates an item; crashes, hangs and failed simulations are outcomes.

    Args:
        item: what to do.
        weights: the weights file; or its content, which this process keeps; or None, if it may have it already.
        crew: lends the simulators; None for this process's own.

    Raises:
        WeightsWanted: it has it not.
        WorkerRefused: the circumstances here are not the item's.
        Interrupted: the crew was ended.
        Exception: what keeps the point from being realised at all, such as SizingError.
    """
    with _making:
        crew = crew or _own_crew()
    path = weights if isinstance(weights, Path) else _file_of(weights, item, crew)
    if path is None:
        with crew.one() as simulator:  # one that would refuse the item need not have its weights
            simulator.call(check_circumstances, item, limit_s=PREPARING_LIMIT_S)
        raise WeightsWanted
    began = clock.monotonic()
    for left in reversed(range(TRIES)):
        try:
            return _in_a_simulator(item, path, crew)
        except WorkerTimeout:
            limit = item.settings.time_limit_s
            said = (
                f"the sample took more than {limit:g} s of wall time. Raise time_limit_s, or loosen reltol."
            )
            return _without_row(item, Verdict.TIME_LIMIT, said, clock.monotonic() - began)
        except WorkerDied as death:
            if crew.ended:
                raise Interrupted from death
            if not left:
                said = f"the simulator's process died, {TRIES} times ({death}). Try it again with --resume."
                return _without_row(item, Verdict.CRASHED, said, clock.monotonic() - began)
    raise AssertionError("not reached")


def _in_a_simulator(item: Item, path: Path, crew: Crew) -> Outcome:
    limit = item.settings.time_limit_s
    with crew.one() as simulator:
        folder = crew.folder(f"simulator-{id(simulator)}")
        try:
            simulator.call(prepare, item, path, limit_s=max(limit, PREPARING_LIMIT_S))
            outcome = simulator.call(work, item, path, folder, limit_s=limit)
        except Exception:
            simulator.close()
            raise
        if outcome.verdict != Verdict.COMPLETED:
            simulator.close()  # its ngspice is not to be used again
        return outcome


def _without_row(item: Item, verdict: Verdict, reason: str, seconds: float) -> Outcome:
    said = {
        "samples/index": item.sample, "samples/verdict": str(verdict), "samples/reason": reason,
        "samples/accepted": False, CPU: seconds,
    }  # fmt: skip
    return Outcome({name: np.asarray(value) for name, value in said.items()})


def _file_of(content: bytes | None, item: Item, crew: Crew) -> Path | None:
    """The file of an item's weights in this process, written by the first who brings them; None before."""
    path = crew.folder(f"{item.weights_sha256}.h5")
    with _making:
        if not path.exists():
            if content is None:
                return None
            path.write_bytes(content)
    return path


# -- in the simulator's process ------------------------------------------------------------------------------


class _Here(Simulator):
    """A simulator in this very process: for what runs in a simulator's process already, within its time limit."""

    def simulate(
        self, deck: Deck, *, folder: Path | None = None, limit_s: float | None = None,  # noqa: ARG002
        on_progress: Callable[[float], None] | None = None,
    ) -> Simulation:  # fmt: skip
        return ngspice.simulate(deck, folder, on_progress)

    def call(
        self, function: Callable[..., Result], *args: Any, limit_s: float | None = None,  # noqa: ARG002
        on_progress: Callable[[float], None] | None = None, reporting: bool = False,  # noqa: ARG002
    ) -> Result:  # fmt: skip
        return function(*args)


@lru_cache(maxsize=1)
def circumstances() -> Circumstances:
    """Those of this process.

    Raises:
        NgspiceUnavailable: no ngspice library can be loaded.
    """
    ability = _ability()
    try:
        compiles = bool(compiler())
    except BuildFailed:
        compiles = False
    return Circumstances(version("ais-emulator"), ability.version, ability.klu, ability.osdi, compiles)


@lru_cache(maxsize=1)
def _ability() -> Capabilities:
    return ngspice.capabilities()


def check_circumstances(item: Item) -> None:
    """Sees to it that an item is simulated in its circumstances alone.

    Raises:
        WorkerRefused: this process's are others.
    """
    if different := item.circumstances.differences(circumstances()):
        raise WorkerRefused(", ".join(different))


def prepare(item: Item, path: Path) -> None:
    """Makes the item's plan, if this process has not made it before; characterising a cell can take minutes.

    Raises:
        WorkerRefused: this process's circumstances are not the item's.
        FileChanged: the weights or the cell are not the item's.
        Exception: the point can't be realised.
    """
    check_circumstances(item)
    told = item.settings
    if item.cell and item.cell != cell_identity(told):
        raise FileChanged(f"{told.level}: is another cell here than where the campaign began")
    _plan(item, path)


def work(item: Item, path: Path, folder: Path) -> Outcome:
    """Simulates a sample in this process, which leaves ngspice's log in a folder."""
    began = _cpu_seconds()
    planned = _plan(item, path)
    plan = planned.plan
    part = run_sample(plan, _Here(), item.sample, folder)
    columns: dict[str, Any] = {name: part.rows[name][0] for name in COLUMNS if name in part.rows}
    columns[WORST_WINDOW] = part.worst_window(0)
    columns[DEVICES] = plan.realisation.devices
    columns[TOLD] = planned.told
    columns[CPU] = _cpu_seconds() - began
    return Outcome({name: np.asarray(value) for name, value in columns.items()}, plan.realisation.remarks)


@dataclass(frozen=True)
class _Planned:
    """A plan, and what results say of its circuit, as JSON."""

    plan: Plan
    told: str


_plans: dict[tuple[str, RunSettings], _Planned] = {}


def _plan(item: Item, path: Path) -> _Planned:
    """The item's plan; the last few are kept."""
    key = (item.weights_sha256, item.settings)
    planned = _plans.pop(key, None)
    if planned is None:
        weights = _weights(path, item.weights_sha256)
        plan = make_plan(weights, item.settings, _ability(), _Here(), lambda _: None)
        planned = _Planned(plan, json.dumps(of_circuit(plan, _ability())))
    _plans[key] = planned  # the newest is the last
    while len(_plans) > MOST_PLANS:
        del _plans[next(iter(_plans))]
    return planned


@lru_cache(maxsize=MOST_PLANS)
def _weights(path: Path, sha256: str) -> Weights:
    weights = read_weights(path)
    if weights.sha256 != sha256:
        raise FileChanged(f"{path}: is another file than when the campaign began; start it again")
    return weights


class FileChanged(RuntimeError):
    """A weights or cell file is not what it was when the campaign began."""


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
