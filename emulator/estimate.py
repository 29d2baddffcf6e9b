"""Figures over samples, with the 95 % interval of what more of them would come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emulator.quality import FEWEST, LEVEL, RESAMPLES, share_interval
from emulator.starts import rows_of
from netlists.core import Array, Index


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


def resampled(values: Array, figure: Callable[[Array], Array], starts: Index | None = None) -> Estimate:
    """A figure (…, S) → (…), with the bootstrap's percentiles.

    Args:
        values: (S,) of the samples.
        figure: of values along the last axis.
        starts: (S,) of the samples, counted from 0, which are resampled with all their samples; None: one each.
    """
    rows = rows_of(_one_each(values) if starts is None else starts)
    if len(rows) < FEWEST:
        return Estimate(float(figure(values)), math.nan, math.nan)
    drawn = rows[np.random.default_rng(0).integers(0, len(rows), (RESAMPLES, len(rows)))]
    low, high = np.quantile(figure(values[drawn.reshape(RESAMPLES, -1)]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(figure(values)), float(low), float(high))


def share_of_codes(shares: Array, codes: int, starts: Index | None = None) -> Estimate:
    """The mean of a share of the codes of each sample; codes that go together count for less than as many single ones.

    How much less is seen in how the starts vary. If all are alike, nothing is seen of it: all codes count.

    Args:
        shares: (S,) of the samples.
        codes: of each sample.
        starts: (S,) of the samples, counted from 0; None: one each.
    """
    mean, starts = float(np.mean(shares)), _one_each(shares) if starts is None else starts
    of_each = np.bincount(starts, shares) / np.bincount(starts)
    if len(of_each) < FEWEST:
        return Estimate(mean, math.nan, math.nan)
    variance = float(np.var(of_each, ddof=1)) / len(of_each)
    # samples of one start are no more codes than one of them
    return Estimate(mean, *share_interval(mean, variance, len(of_each) * codes))


def _one_each(values: Array) -> Index:
    return np.arange(len(values))
