"""How far samples are from a reference or from data, with what their number leaves uncertain.

Plain resampling misleads here. A resample holds copies, and copies are at distance zero: so

- sliced Wasserstein: between finite sets it is above that of the distributions even if those are the same, and
  between resamples once more above. The bootstrap measures that bias; estimate and interval are moved by it.
- energy distance and maximum mean discrepancy: U-statistics, in which no sample meets a copy of itself, have no
  bias, and neither have their resamples. The percentile interval is used as it is; where both distributions are
  the same it is wider than it need be, never narrower.
- precision and recall: the bootstrap is not valid for nearest neighbours (Abadie & Imbens 2008). Their variance is
  that of random halves (delete-half jackknife, Shao & Wu 1989), the interval Clopper and Pearson's for the
  number of independent samples that would have that variance.

Paired sets (the same starts, through circuit and reference) are resampled by pairs, and no sample meets its
partner. The bootstrap sees only part of the bias of their sliced Wasserstein distance: if pairs lie closer than
samples, the transport is the pairing itself, copies or not. The estimate is then too large, and so is the upper
end of the interval; the lower end is that of the shift of the means, which is never above the distance and has an
unbiased estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from emulator.distance import NEIGHBOURS, shares_on_manifold
from emulator.features import PIXELS, Extractor
from emulator.two_sets import (
    Draws,
    TwoSets,
    as_they_are,
    energy,
    energy_unbiased,
    mmd_unbiased,
    resampled,
    sliced,
    weights,
)
from netlists.core import Array

FEWEST = 8  # samples below which no interval is given
LEVEL = 0.95
RESAMPLES = 400
_HALVES = (30, 100)  # fewest, most
_WORK = 200_000_000  # distances to look at in halves
_STREAM = 1  # of this module, for a seed


@dataclass(frozen=True)
class Metric:
    """A figure and its uncertainty; what is not known is NaN.

    Attributes:
        measured: of these samples, as the figure is defined.
        estimate: of the distributions behind them, freed of the bias of small sets where that can be done.
        low, high: ends of the 95 % interval of what ``estimate`` estimates.
    """

    measured: float
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Samples against a reference or data.

    Attributes:
        sliced_wasserstein: order 2, in feature units.
        energy: energy distance, in the square root of feature units.
        mmd_squared: squared maximum mean discrepancy, without a unit.
        precision, recall: shares; they depend on the number of samples, so compare like with like.
        samples, reference: how many there are.
        features: the extractor's name.
        dimensions: how many features.
        bandwidth: width of the kernel, in feature units.
        neighbours: k of precision and recall.
        paired: whether sample and reference belong together one by one.
    """

    sliced_wasserstein: Metric
    energy: Metric
    mmd_squared: Metric
    precision: Metric
    recall: Metric
    samples: int
    reference: int
    features: str
    dimensions: int
    bandwidth: float
    neighbours: int
    paired: bool


def quality(
    samples: Array, reference: Array, extractor: Extractor = PIXELS, *, paired: bool = False,
    resamples: int = RESAMPLES, seed: int = 0, k: int = NEIGHBOURS, sigma: float | None = None,
) -> Quality:  # fmt: skip
    """Figures of samples against a reference, with 95 % intervals.

    Args:
        samples: (S, V) or (S, rows, columns) pixels, 0 to 1 of full scale.
        reference: (M, …) the same, of another run or of data.
        extractor: what the figures see of an image.
        paired: sample i and reference i come from the same start.
        resamples: of the bootstrap.
        seed: of the resamples; the same seed gives the same figures.
        k: neighbour of precision and recall.
        sigma: width of the kernel, in feature units; None: the median distance. Give one where discrepancies of
            several calls are to be compared.

    Raises:
        ValueError: shapes that don't fit, values that are not finite.
        FeaturesError: the extractor failed.
    """
    sets = TwoSets(extractor(samples), extractor(reference), paired, sigma)
    return quality_of(sets, extractor.name, resamples=resamples, seed=seed, k=k)


def quality_of(
    sets: TwoSets, features: str, *, resamples: int = RESAMPLES, seed: int = 0, k: int = NEIGHBOURS
) -> Quality:
    """The same of features that are at hand."""
    generator = np.random.default_rng((seed, _STREAM))
    itself = as_they_are(sets)
    draws = resampled(sets, resamples, generator) if min(sets.n, sets.m) >= FEWEST else None
    precision, recall = _precision_recall(sets, k, generator)
    return Quality(
        sliced_wasserstein=_sliced(sets, itself, draws),
        energy=_energy(sets, itself, draws),
        mmd_squared=_mmd(sets, itself, draws),
        precision=precision,
        recall=recall,
        samples=sets.n,
        reference=sets.m,
        features=features,
        dimensions=sets.left.shape[1],
        bandwidth=sets.bandwidth,
        neighbours=k,
        paired=sets.paired,
    )


def _sliced(sets: TwoSets, itself: Draws, draws: Draws | None) -> Metric:
    square = float(sliced(sets, itself)[0])
    measured = math.sqrt(square)
    if draws is None:
        return Metric(measured, math.nan, math.nan, math.nan)
    again = sliced(sets, draws)
    bias = float(again.mean()) - square
    estimate = square - bias
    low, high = _interval(again - 2 * bias)
    if sets.paired:
        low = min(_interval(_shift(sets, draws))[0], estimate)
    return Metric(measured, *_roots(estimate, low, high))


def _shift(sets: TwoSets, draws: Draws) -> Array:
    """(R,) mean square over the directions of the shift of the means of paired sets, unbiased."""
    n = sets.n
    apart = sets.projections[:, :n] - sets.projections[:, n:]
    gram = apart.T @ apart / len(apart)
    share = weights(sets, draws.left)[:, :n]
    mean = np.sum((share @ gram) * share, axis=1)
    return np.asarray((mean - share**2 @ np.diag(gram)) / (1 - np.sum(share**2, axis=1)))


def _energy(sets: TwoSets, itself: Draws, draws: Draws | None) -> Metric:
    measured = math.sqrt(max(0.0, float(energy(sets, itself)[0])))
    (estimate,) = _roots(float(energy_unbiased(sets, itself)[0]))
    ends = _roots(*_interval(energy_unbiased(sets, draws))) if draws else (math.nan, math.nan)
    return Metric(measured, estimate, *ends)


def _mmd(sets: TwoSets, itself: Draws, draws: Draws | None) -> Metric:
    square = float(mmd_unbiased(sets, itself)[0])
    ends = _interval(mmd_unbiased(sets, draws)) if draws else (math.nan, math.nan)
    return Metric(square, square, *ends)


def _roots(*squares: float) -> tuple[float, ...]:
    """Distances whose squares were estimated; an estimate below zero is a distance of zero."""
    return tuple(math.nan if math.isnan(square) else math.sqrt(max(0.0, square)) for square in squares)


def _interval(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


# -- precision and recall ----------------------------


def _precision_recall(sets: TwoSets, k: int, generator: np.random.Generator) -> tuple[Metric, Metric]:
    n, m = sets.n, sets.m
    if min(n, m) <= k:
        nothing = Metric(*[math.nan] * 4)
        return nothing, nothing
    shares = shares_on_manifold(sets.distances, n, k, paired=sets.paired)
    if min(n, m) < FEWEST or min(n, m) // 2 <= k:
        return tuple(Metric(share, share, math.nan, math.nan) for share in shares)  # type: ignore[return-value]
    found = np.empty((int(np.clip(_WORK // (n + m) ** 2, *_HALVES)), 2))
    for draw in range(len(found)):
        left = generator.permutation(n)[: n // 2]
        right = left if sets.paired else generator.permutation(m)[: m // 2]
        rows = np.concatenate([left, n + right])
        found[draw] = shares_on_manifold(sets.distances[np.ix_(rows, rows)], len(left), k, paired=sets.paired)
    variances = found.var(axis=0)
    return tuple(
        Metric(share, share, *share_interval(share, float(variance), count))
        for share, variance, count in zip(shares, variances, (n, m), strict=True)
    )  # type: ignore[return-value]


def share_interval(share: float, variance: float, count: int) -> tuple[float, float]:
    """95 % interval (Clopper & Pearson 1934) of a share with this variance.

    It is that of as many independent samples as would have the variance, share (1 − share) / variance of them:
    at most ``count``, and all of these where the share is 0 or 1 or nothing varies.
    """
    even = share * (1 - share)
    size = float(np.clip(even / variance, 1, count)) if variance > 0 and even > 0 else float(count)
    ones, tail = share * size, (1 - LEVEL) / 2
    low = float(betaincinv(ones, size - ones + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(ones + 1, size - ones, 1 - tail)) if share < 1 else 1.0
    return low, high
