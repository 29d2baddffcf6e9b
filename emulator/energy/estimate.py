"""Means over samples with their interval, and what stands where there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from netlists.core import Array

CONFIDENCE = 0.95


@dataclass(frozen=True)
class NotThere:
    """There is no figure, and why."""

    reason: str


@dataclass(frozen=True)
class Estimate:
    """A mean over samples, in joules, and its interval; of one sample the interval has no width."""

    joules: float
    low: float
    high: float
    samples: int

    @property
    def said(self) -> str:
        """How it was taken."""
        if self.samples == 1:
            return "one sample, so without an interval"
        return f"mean of {self.samples} samples with its {CONFIDENCE:.0%} interval (Student's t)"


def over_samples(joules: Array) -> Estimate | None:
    """Mean over the samples that have a number, and its confidence interval; None where none has."""
    known = joules[np.isfinite(joules)]
    if not len(known):
        return None
    mean, half = float(known.mean()), 0.0
    if len(known) > 1:
        error = float(known.std(ddof=1)) / math.sqrt(len(known))
        half = float(stdtrit(len(known) - 1, (1 + CONFIDENCE) / 2)) * error
    return Estimate(mean, max(0.0, mean - half), mean + half, len(known))
