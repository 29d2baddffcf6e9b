"""Figures over independent samples, with the 95 % interval of what more of them would come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emulator.quality import FEWEST, LEVEL, RESAMPLES, share_interval
from netlists.core import Array


@dataclass(frozen=True)
class Estimate:
    """A figure of the samples, and the 95 % interval of what more of them would come to; NaN if not known."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there are enough samples for an interval."""
        return math.isfinite(self.low)


def rms(values: Array) -> Array:
    """Over the last axis."""
    return np.asarray(np.sqrt(np.mean(values**2, axis=-1)))


def resampled(values: Array, figure: Callable[[Array], Array]) -> Estimate:
    """A figure (…, S) → (…) of independent samples, with the bootstrap's percentiles."""
    if len(values) < FEWEST:
        return Estimate(float(figure(values)), math.nan, math.nan)
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(figure(values[drawn]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(figure(values)), float(low), float(high))


def share_of_codes(shares: Array, codes: int) -> Estimate:
    """The mean of a share of the codes of each sample; codes that go together count for less than as many single ones.

    How much less is seen in how the samples vary. If all are alike, nothing is seen of it: all codes count.
    """
    mean = float(np.mean(shares))
    if len(shares) < FEWEST:
        return Estimate(mean, math.nan, math.nan)
    variance = float(np.var(shares, ddof=1)) / len(shares)
    return Estimate(mean, *share_interval(mean, variance, len(shares) * codes))
