"""Distances between two sets of samples, as their definitions say.

x is (n, d), y is (m, d): a row a sample, a column a feature. ``emulator.quality`` adds what the samples'
number leaves uncertain.
"""

from __future__ import annotations

import math

import numpy as np

from emulator.two_sets import TwoSets, as_they_are, energy, mmd_unbiased, sliced
from netlists.core import Array

NEIGHBOURS = 3


def sliced_wasserstein(x: Array, y: Array, order: int = 2) -> float:
    """Sliced Wasserstein distance, in feature units: (mean over directions of W_order^order)^(1/order).

    Source: Rabin et al. 2011. The directions are fixed (``two_sets.directions``). A shift by δ alone is
    |δ|/√d: the rms over features.

    Raises:
        ValueError: shapes that don't fit, or an order below 1.
    """
    if order < 1:
        raise ValueError(f"the order of a Wasserstein distance is at least 1, received {order!r}")
    sets = TwoSets(x, y)
    return float(sliced(sets, as_they_are(sets), order)[0] ** (1 / order))


def energy_distance(x: Array, y: Array) -> float:
    """Energy distance √(2 E|X−Y| − E|X−X'| − E|Y−Y'|), as ``scipy.stats.energy_distance`` has it in 1-D.

    Source: Székely & Rizzo 2013. In the square root of feature units. For finite sets it is above zero even if
    both come from one distribution.
    """
    sets = TwoSets(x, y)
    return math.sqrt(max(0.0, float(energy(sets, as_they_are(sets))[0])))


def mmd_squared(x: Array, y: Array, sigma: float | None = None) -> float:
    """Squared maximum mean discrepancy with kernel exp(−|x−y|²/2σ²), unbiased, so that it may be negative.

    Source: Gretton et al. 2012, lemma 6. ``sigma``: None takes the median distance of the pooled samples. NaN for
    a single sample.
    """
    sets = TwoSets(x, y, sigma=sigma)
    return float(mmd_unbiased(sets, as_they_are(sets))[0])


def precision_recall(real: Array, generated: Array, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Precision and recall of ``generated`` (n, d) against ``real`` (m, d).

    Source: Kynkäänniemi et al. 2019. The manifold of a set is the balls around its samples that reach to their
    k-th neighbours. Precision is the share of generated samples on the real manifold, recall the share of real
    ones on the generated manifold. Both depend on the number of samples: compare like with like.

    Raises:
        ValueError: shapes that don't fit, or fewer than k + 1 samples in a set.
    """
    sets = TwoSets(generated, real)
    return shares_on_manifold(sets.distances, sets.n, k, paired=False)


def shares_on_manifold(distances: Array, n: int, k: int, *, paired: bool) -> tuple[float, float]:
    """Precision of the first n samples against the others, and recall.

    Args:
        distances: (n + m, n + m) between all samples.
        n: how many of them are generated.
        k: neighbour that a ball reaches.
        paired: sample i and n + i belong together, and one does not count as being in the other's ball.

    Raises:
        ValueError: fewer than k + 1 samples in a set.
    """
    fewest = min(n, len(distances) - n)
    if not 1 <= k < fewest:
        raise ValueError(
            f"the balls reach to neighbour {k!r}; expected 1 to {fewest - 1}, one less than there are samples"
        )
    generated, real = distances[:n, :n], distances[n:, n:]
    between = distances[:n, n:]  # generated down, real across
    on_real = between <= _radius(real, k)
    on_generated = between <= _radius(generated, k)[:, None]
    if paired:
        for inside in (on_real, on_generated):
            np.fill_diagonal(inside, False)
    return float(np.mean(np.any(on_real, axis=1))), float(np.mean(np.any(on_generated, axis=0)))


def _radius(distances: Array, k: int) -> Array:
    """Distance of each sample to its k-th neighbour; the sample itself, at distance 0, is the one before all."""
    return np.asarray(np.partition(distances, k, axis=1)[:, k])
