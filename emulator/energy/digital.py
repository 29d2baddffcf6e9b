"""The energy of our own reference solver on this machine, from the processor's counters.

Linux shows them as powercap zones (``Documentation/power/powercap/powercap.rst`` of the kernel): microjoules that
count up and begin anew at ``max_energy_range_uj``. They are of whole packages and of memory, so that whatever else
runs is counted too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from emulator.reference import METHOD, RTOL, trajectory
from netlists.core import AnalogCore

POWERCAP = Path("/sys/class/powercap")
LEAST_SECONDS = 1.0  # counters move every millisecond or so
_ZONES = "intel-rapl:*"  # AMD's are called so too; intel-rapl-mmio repeats a package
_COUNTED = ("package", "dram")  # cores are part of their package, psys is the whole platform


class NoCounter(RuntimeError):
    """The processor's energy can't be read here; says why."""


@dataclass(frozen=True)
class Counter:
    """An energy counter.

    Attributes:
        name: of the zone.
        path: of the file that holds its microjoules.
        wrap: microjoules at which it begins anew.
    """

    name: str
    path: Path
    wrap: int

    def read(self) -> int:
        """Microjoules since some time.

        Raises:
            NoCounter: can't be read.
        """
        return _whole_number(self.path)


@dataclass(frozen=True)
class SolverEnergy:
    """What the reference solver took.

    Attributes:
        joules: a sample, of the processor's packages and its memory.
        samples, seconds: what was measured.
        counters: names of the zones.
        solver: what ran.
    """

    joules: float
    samples: int
    seconds: float
    counters: tuple[str, ...]
    solver: str


def find_counters(root: Path = POWERCAP) -> tuple[Counter, ...]:
    """Counters of the packages and of memory beside them, none of which is part of another.

    Raises:
        NoCounter: there is none, or one can't be read.
    """
    if not root.is_dir():
        raise NoCounter(
            f"there is no {root}: the kernel shows no energy counter, as in most virtual machines"
        )
    found = []
    for zone in sorted(root.glob(_ZONES)):
        name = _text(zone / "name") if (zone / "name").exists() else ""
        if name.startswith(_COUNTED) and (zone / "energy_uj").exists():
            wrap = _whole_number(zone / "max_energy_range_uj")
            found.append(Counter(f"{zone.name} {name}", zone / "energy_uj", wrap))
    if not found:
        raise NoCounter(f"{root} has no zone of a processor's package with an energy counter")
    for counter in found:
        counter.read()
    return tuple(found)


def spent(before: int, after: int, wrap: int) -> float:
    """Joules between two readings of a counter, which began anew at most once."""
    return ((after - before) if after >= before else (after - before + wrap)) * 1e-6


def measure(work: Callable[[], object], counters: tuple[Counter, ...]) -> tuple[float, float]:
    """Joules and seconds of some work.

    Raises:
        NoCounter: a counter can't be read any more.
    """
    before, begin = [counter.read() for counter in counters], time.monotonic()
    work()
    seconds, after = time.monotonic() - begin, [counter.read() for counter in counters]
    joules = sum(
        spent(first, last, counter.wrap) for first, last, counter in zip(before, after, counters, strict=True)
    )
    return joules, seconds


def solver_energy(
    core: AnalogCore, root: Path = POWERCAP, least_seconds: float = LEAST_SECONDS
) -> SolverEnergy:
    """Joules of one sample from the reference solver: samples are drawn until there is enough to read.

    Raises:
        NoCounter: not measurable here.
        ReferenceFailed: the solver gave up.
    """
    counters = find_counters(root)
    times = np.array([core.duration])
    joules, seconds, samples = 0.0, 0.0, 0
    while not samples or seconds < least_seconds:
        start = core.initial_states(seed=0, sample=samples)
        taken, lasted = measure(partial(trajectory, core, start, times), counters)
        joules, seconds, samples = joules + taken, seconds + lasted, samples + 1
    names = tuple(counter.name for counter in counters)
    return SolverEnergy(joules / samples, samples, seconds, names, f"{METHOD}, rtol {RTOL:g}, in numpy")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except PermissionError:
        raise NoCounter(f"{path} can be read by root alone") from None
    except OSError as error:
        raise NoCounter(f"{path} can't be read ({error.strerror})") from error


def _whole_number(path: Path) -> int:
    text = _text(path)
    try:
        return int(text)
    except ValueError:
        raise NoCounter(f"{path} holds {text[:40]!r}; expected microjoules") from None
