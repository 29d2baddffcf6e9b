"""How far a campaign is: running figures of each point, and an honest time left."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emulator.campaign.work import WORST_WINDOW, Outcome
from emulator.verdict import Verdict


@dataclass
class Tally:
    """A point's items so far; sums alone, so that it stays as small as it begins.

    Attributes:
        source: of the point.
        total, done, failed: items; failed ones are done too.
        cpu_s: processor seconds of those done.
        worst: largest defect of a window.
    """

    source: int
    total: int
    done: int = 0
    failed: int = 0
    cpu_s: float = 0.0
    worst: float = math.nan
    _squares: float = 0.0
    _codes: float = 0.0
    _compared: int = 0

    def add(self, outcome: Outcome) -> None:
        """Counts an item."""
        self.done += 1
        self.cpu_s += outcome.cpu_s
        if outcome.verdict != Verdict.COMPLETED:
            self.failed += 1
            return
        pixel = float(outcome.columns["crosscheck/trained_pixel_rms"])
        if math.isfinite(pixel):
            self._compared += 1
            self._squares += pixel**2
            self._codes += float(outcome.columns["crosscheck/trained_codes_within_1lsb"])
            self.worst = max(
                self.worst if math.isfinite(self.worst) else 0.0, float(outcome.columns[WORST_WINDOW])
            )

    @property
    def pixel_rms(self) -> float:
        """Against the trained model, over the samples so far."""
        return math.sqrt(self._squares / self._compared) if self._compared else math.nan

    @property
    def codes(self) -> float:
        """Share of the codes within 1 LSB of the trained model's, over the samples so far."""
        return self._codes / self._compared if self._compared else math.nan


class Pace:
    """Time left: the work that remains over the pace at which work gets done.

    The work of an item is what items of its point took in processor seconds; of a point without any, what those of
    its weights took, or all. The pace is processor seconds a second since the beginning, so jobs that share a busy
    machine, and whatever is no item's work, are counted as they are. It runs on a clock that no one sets.
    """

    def __init__(self, tallies: Sequence[Tally], now: Callable[[], float] = clock.monotonic) -> None:
        self._tallies, self._now = tallies, now
        self._began = now()
        self._before = self._cpu_s()

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return self._now() - self._began

    def left_s(self) -> float | None:
        """Seconds; None as long as nothing is known."""
        done, elapsed = self._cpu_s() - self._before, self.elapsed_s
        if done <= 0 or elapsed <= 0:
            return None
        return self._remaining_cpu_s() / (done / elapsed)

    def _cpu_s(self) -> float:
        return sum(tally.cpu_s for tally in self._tallies)

    def _remaining_cpu_s(self) -> float:
        overall = _mean(self._tallies)
        of_source = {tally.source: [] for tally in self._tallies}  # type: dict[int, list[Tally]]
        for tally in self._tallies:
            of_source[tally.source].append(tally)
        means = {source: _mean(some) for source, some in of_source.items()}

        def cost(tally: Tally) -> float:
            if tally.done:
                return tally.cpu_s / tally.done
            return means[tally.source] or overall

        return sum((tally.total - tally.done) * cost(tally) for tally in self._tallies)


def _mean(tallies: Sequence[Tally]) -> float:
    done = sum(tally.done for tally in tallies)
    return sum(tally.cpu_s for tally in tallies) / done if done else 0.0


def duration(seconds: float) -> str:
    """In words, to the accuracy that an estimate has."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
