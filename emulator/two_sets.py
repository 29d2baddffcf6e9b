"""Two sets of samples, and what any draw from them (a resample, a rearrangement) is apart.

Everything here is worked out for many draws at once. Distances between all samples are taken once; a draw is
then a choice of rows, by index or as weights, and its distance is sorting or a quadratic form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import pdist, squareform

from netlists.core import Array, Index

DIRECTIONS = 128
_IN_CACHE = 2**16  # numbers sorted at a time, few enough to stay in the processor's cache


@dataclass(frozen=True)
class TwoSets:
    """Samples as rows of features.

    Attributes:
        left: (n, d) features.
        right: (m, d) features.
        paired: row i of both belongs together (the same start, say), so that the sets are not independent.
        sigma: width of the Gaussian kernel in feature units; None: ``bandwidth``.

    Raises:
        ValueError: shapes that don't fit, no samples, or values that are not finite.
    """

    left: Array
    right: Array
    paired: bool = False
    sigma: float | None = None

    def __post_init__(self) -> None:
        for name, rows in (("first", self.left), ("second", self.right)):
            if rows.ndim != 2 or not rows.size:
                raise ValueError(
                    f"the {name} set has shape {rows.shape}; expected (samples, features), not empty"
                )
            if not np.isfinite(rows).all():
                raise ValueError(f"the {name} set holds values that are not finite")
        if self.left.shape[1] != self.right.shape[1]:
            raise ValueError(
                f"the sets have {self.left.shape[1]} and {self.right.shape[1]} features; expected as many"
            )
        if self.paired and len(self.left) != len(self.right):
            raise ValueError(
                f"paired sets of {len(self.left)} and {len(self.right)} samples; expected as many"
            )
        if self.sigma is not None and not self.sigma > 0:
            raise ValueError(f"the kernel's width must be positive, received {self.sigma!r}")

    @property
    def n(self) -> int:
        """Samples on the left."""
        return len(self.left)

    @property
    def m(self) -> int:
        """Samples on the right."""
        return len(self.right)

    @cached_property
    def pooled(self) -> Array:
        """(n + m, d) both sets, the left one first."""
        return np.concatenate([self.left, self.right]).astype(np.float64)

    @cached_property
    def distances(self) -> Array:
        """(n + m, n + m) Euclidean distances of all samples."""
        return squareform(pdist(self.pooled))

    @cached_property
    def projections(self) -> Array:
        """(L, n + m) all samples along ``directions``."""
        return directions(self.pooled.shape[1]) @ self.pooled.T

    @cached_property
    def bandwidth(self) -> float:
        """Width of the Gaussian kernel: the median distance of all pairs (Gretton et al. 2012, section 8).

        If more than half of the pairs coincide, the median of those that don't; 1 if all do.
        """
        if self.sigma is not None:
            return self.sigma
        apart = self.distances[np.triu_indices(len(self.distances), 1)]
        middle = float(np.median(apart))
        if middle == 0 and apart.any():
            middle = float(np.median(apart[apart > 0]))
        return middle or 1.0

    @cached_property
    def kernel(self) -> Array:
        """(n + m, n + m) exp(−d² / 2σ²) of all pairs, and 0 for a sample with itself."""
        values: Array = np.exp(-0.5 * (self.distances / self.bandwidth) ** 2)
        np.fill_diagonal(values, 0.0)
        return values


@dataclass(frozen=True)
class Draws:
    """R choices of samples, as rows of ``TwoSets.pooled``: (R, n) that stand on the left, (R, m) on the right."""

    left: Index
    right: Index


def as_they_are(sets: TwoSets) -> Draws:
    """The sets themselves: one draw."""
    return Draws(np.arange(sets.n)[None], sets.n + np.arange(sets.m)[None])


def resampled(sets: TwoSets, count: int, generator: np.random.Generator) -> Draws:
    """``count`` bootstrap resamples: of each set with replacement; of paired sets, of pairs."""
    left = generator.integers(0, sets.n, (count, sets.n))
    right = left if sets.paired else generator.integers(0, sets.m, (count, sets.m))
    return Draws(left, sets.n + right)


def rearranged(sets: TwoSets, count: int, generator: np.random.Generator) -> Draws:
    """``count`` rearrangements that are as likely as the sets themselves if both come from one distribution.

    Independent sets are shuffled; within paired ones, the two of a pair change places or don't.
    """
    if sets.paired:
        own, other = np.arange(sets.n), np.arange(sets.n) + sets.n
        swap = generator.random((count, sets.n)) < 0.5
        return Draws(np.where(swap, other, own), np.where(swap, own, other))
    order = np.argsort(generator.random((count, sets.n + sets.m)), axis=1)
    return Draws(order[:, : sets.n], order[:, sets.n :])


def directions(dimensions: int, count: int = DIRECTIONS) -> Array:
    """(count, dimensions) unit vectors, the same ones at every call; a single one in one dimension.

    They come as random orthonormal frames, which cover the sphere more evenly than independent vectors do: over
    a whole frame, the mean square of a shift's projections is its square over ``dimensions``, exactly.
    """
    if dimensions == 1:
        return np.ones((1, 1))
    generator = np.random.default_rng(0)
    frames: list[Array] = []
    for start in range(0, count, dimensions):
        wide = min(dimensions, count - start)
        frame, triangle = np.linalg.qr(generator.standard_normal((dimensions, wide)))
        frames.append((frame * np.sign(np.diag(triangle))).T)
    return np.concatenate(frames)


# -- distances of draws ------------------------------


def sliced(sets: TwoSets, draws: Draws, order: int = 2) -> Array:
    """(R,) sliced Wasserstein distances to the power ``order`` (Rabin et al. 2011).

    In one dimension the best transport joins quantile to quantile; sets of different sizes are cut at every
    quantile of either.
    """
    lefts, rights, width = _quantile_cells(sets.n, sets.m)
    total = np.zeros(len(draws.left))
    some = max(1, _IN_CACHE // (sets.n + sets.m))
    for start in range(0, len(total), some):
        chunk = slice(start, start + some)
        for line in sets.projections:
            left, right = np.sort(line[draws.left[chunk]], axis=1), np.sort(line[draws.right[chunk]], axis=1)
            apart = left - right if sets.n == sets.m else left[:, lefts] - right[:, rights]
            total[chunk] += (apart * apart if order == 2 else np.abs(apart) ** order) @ width
    return total / len(sets.projections)


def _quantile_cells(n: int, m: int) -> tuple[Index, Index, Array]:
    """Cells of [0, 1] in which both quantile functions are constant: their ranks, and each cell's width."""
    edges = np.unique(np.concatenate([np.arange(n + 1) * m, np.arange(m + 1) * n]))  # in units of 1 / nm
    return edges[:-1] // m, edges[:-1] // n, np.diff(edges) / (n * m)


def energy(sets: TwoSets, draws: Draws) -> Array:
    """(R,) squared energy distances 2 E|X−Y| − E|X−X'| − E|Y−Y'| of the draws as they are (V-statistic)."""
    left, right = weights(sets, draws.left), weights(sets, draws.right)
    within, cross = _forms(sets.distances, left, right)
    return _without_rounding(2 * cross - within[0] - within[1], sets.distances)


def energy_unbiased(sets: TwoSets, draws: Draws) -> Array:
    """(R,) the same without bias (U-statistic): no sample meets itself, nor its partner; may be negative."""
    return _u_statistic(sets, sets.distances, draws)


def mmd_unbiased(sets: TwoSets, draws: Draws) -> Array:
    """(R,) squared maximum mean discrepancies, unbiased (Gretton et al. 2012, lemma 6); may be negative.

    In paired sets no sample meets its partner either.
    """
    return -_u_statistic(sets, sets.kernel, draws)


def neighbours_shared(sets: TwoSets, draws: Draws, k: int) -> Array:
    """(R,) share of the samples' k nearest neighbours that are on the same side (Schilling 1986).

    It is the mean of both sides' shares, so that a small set is not lost beside a large one. For rearrangements,
    which hold every sample once. In paired sets a sample's partner is not its neighbour.
    """
    apart = sets.distances.copy()
    np.fill_diagonal(apart, np.inf)
    if sets.paired:
        own = np.arange(sets.n)
        apart[own, own + sets.n] = apart[own + sets.n, own] = np.inf
    nearest = np.argpartition(apart, k - 1, axis=1)[:, :k]
    on_left = np.zeros((len(draws.left), len(apart)), dtype=np.bool_)
    np.put_along_axis(on_left, draws.left, True, axis=1)
    shared = np.mean([on_left == on_left[:, each] for each in nearest.T], axis=0)
    left = np.sum(shared, axis=1, where=on_left) / sets.n
    return np.asarray((left + np.sum(shared, axis=1, where=~on_left) / sets.m) / 2)


def _u_statistic(sets: TwoSets, matrix: Array, draws: Draws) -> Array:
    """2 E M(X, Y) − E M(X, X') − E M(Y, Y') over pairs of different rows; ``matrix`` is 0 on its diagonal.

    A resample holds some rows several times. Pairs of a row with its own copies would be zero distances that the
    distribution does not have; they are left out, and the mean is over what remains of the weights.
    """
    left, right = weights(sets, draws.left), weights(sets, draws.right)
    within, cross = _forms(matrix, left, right)
    with np.errstate(invalid="ignore", divide="ignore"):  # a single sample has no pairs: NaN
        within = within / (1 - np.stack([np.sum(left**2, axis=1), np.sum(right**2, axis=1)]))
        if sets.paired:
            n, partner = sets.n, np.diag(matrix, sets.n)
            both = left[:, :n] * right[:, n:] + left[:, n:] * right[:, :n]
            together = left[:, :n] + left[:, n:]
            cross = (cross - both @ partner) / (1 - np.sum(together**2, axis=1))
        return _without_rounding(2 * cross - within[0] - within[1], matrix)


def _without_rounding(values: Array, matrix: Array) -> Array:
    """Exactly 0 where all that differs from it is the rounding of sums over ``matrix``."""
    return np.where(np.abs(values) < 1e-13 * matrix.max(), 0.0, values)


def _forms(matrix: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """Quadratic forms of weights (R, N): (2, R) of each side with itself, and (R,) of one with the other."""
    seen = left @ matrix
    within = np.stack([np.sum(seen * left, axis=1), np.sum((right @ matrix) * right, axis=1)])
    return within, np.asarray(np.sum(seen * right, axis=1))


def weights(sets: TwoSets, rows: Index) -> Array:
    """(R, n + m) share of each row in a draw (R, ·)."""
    count, total = len(rows), sets.n + sets.m
    flat = (rows + total * np.arange(count)[:, None]).ravel()
    counts = np.bincount(flat, minlength=count * total).reshape(count, total)
    return np.asarray(counts / rows.shape[1])
