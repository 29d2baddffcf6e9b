"""Whether a long campaign's processes grow: resident memory of each, from /proc."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.campaigns import Watch, digits16
from benchmarks.harness import Measure
from emulator.campaign.sweep import sweep
from emulator.campaign.work import Item, Outcome

SAMPLES, SETTLED, EVERY = 2000, 100, 20  # in all; those until memory is what it needs; between two looks
JOBS = 2
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


class _Weighed(Watch):
    """Looks at every process's memory now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[int, list[float]] = {}  # MB of each process, from its first look after ``SETTLED``

    def finished(self, item: Item, outcome: Outcome) -> None:
        super().finished(item, outcome)
        if len(self.wall) >= SETTLED and len(self.wall) % EVERY == 0:
            for pid in [os.getpid(), *_children(os.getpid())]:
                if (used := _resident(pid)) is not None:
                    self.memory.setdefault(pid, []).append(used)


def soak(rounds: int) -> list[Measure]:  # noqa: ARG001  once is long enough
    """The most that any process grew between the hundredth sample and the last, and the most that one held."""
    if not Path("/proc/self/statm").exists():
        return []
    watch = _Weighed()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "soak.toml"
        path.write_text(f'weights = ["{digits16()}"]\nsamples = {SAMPLES}\n')
        sweep(path, Path(name) / "out", "new", watch, jobs=JOBS)
    growth = max(max(seen) - seen[0] for seen in watch.memory.values())
    minutes = (watch.wall[-1] - watch.wall[0]) / 60
    notes = f"{SAMPLES} samples of digits16, {JOBS} jobs, {minutes:.0f} min, {len(watch.memory)} processes"
    return [
        Measure("soak", "growth of the process that grew most", "MB", (growth,), must=50, notes=notes),
        Measure("soak", "largest process", "MB", (max(map(max, watch.memory.values())),), notes=notes),
    ]


def _children(pid: int) -> list[int]:
    """Of a process, theirs with them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        if parent == pid:
            child = int(stat.parent.name)
            found += [child, *_children(child)]
    return found


def _resident(pid: int) -> float | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB
    except OSError:  # it has ended
        return None
