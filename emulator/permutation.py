"""Do two sets of samples come from one distribution? The permutation test, and what it could have seen.

If they do, every rearrangement of the samples is as likely as the one at hand: independent sets shuffled, the two
of a pair swapped or not. The p-value is the share of rearrangements that are at least as far apart, the one at
hand counted among them, so it is valid for any number of samples (Phipson & Smyth 2010).

Each distance sees some differences better than others. So the test is of four figures at once, by the smallest of
their p-values, which the same rearrangements put in relation (Westfall & Young 1993): four looks at the samples
count as four.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emulator.distance import NEIGHBOURS, shares_on_manifold
from emulator.quality import FEWEST
from emulator.two_sets import (
    Draws,
    TwoSets,
    as_they_are,
    energy,
    mmd_unbiased,
    neighbours_shared,
    rearranged,
    sliced,
)
from netlists.core import Array

PERMUTATIONS = 1000
ALPHA = 0.05
POWER = 0.8
_STREAM = 2  # of this module, for a seed
_SHARES, _MOVED = (5, 20), (10, 200)  # rearrangements (fewest, most) that are looked at more closely
_WORK = 40_000_000  # distances to look at there
_STEPS = 50


@dataclass(frozen=True)
class Null:
    """A figure if both sets came from one distribution.

    Attributes:
        measured: the figure of the sets as they are.
        values: (R,) that of the rearrangements.
    """

    measured: float
    values: Array

    @property
    def ranks(self) -> Array:
        """(1 + R,) p-value of the sets as they are, and of each rearrangement among all."""
        everything = np.concatenate([[self.measured], self.values])
        # rearrangements that are the same sets differ by rounding
        slack = 1e-9 * float(np.abs(everything).max())
        below = np.searchsorted(np.sort(everything), everything - slack, side="left")
        return np.asarray((len(everything) - below) / len(everything))

    @property
    def p(self) -> float:
        """Probability of a figure as large as the measured one."""
        return float(self.ranks[0])

    @property
    def expected(self) -> float:
        """Mean of the rearrangements."""
        return float(self.values.mean())

    @property
    def limit(self) -> float:
        """What 95 % of the rearrangements stay below."""
        return float(np.quantile(self.values, 1 - ALPHA))


@dataclass(frozen=True)
class PermutationTest:
    """The test by four figures at once.

    Attributes:
        sliced_wasserstein, energy, mmd_squared: distances.
        neighbours: share of nearest neighbours within the same set.
        precision, recall: what they are, on average, of two sets from one distribution; NaN if too few samples.
        unseen: rms over features of the largest shift that would go unseen more than one time in five.
    """

    sliced_wasserstein: Null
    energy: Null
    mmd_squared: Null
    neighbours: Null
    precision: float
    recall: float
    unseen: float

    @property
    def figures(self) -> Mapping[str, Null]:
        """The four by name."""
        return {
            "sliced Wasserstein": self.sliced_wasserstein, "energy distance": self.energy,
            "MMD²": self.mmd_squared, "nearest neighbours": self.neighbours,
        }  # fmt: skip

    @property
    def p(self) -> float:
        """Probability that any of the four is as far out as the farthest out is, if nothing differs."""
        least = _smallest(*self.figures.values())
        return float(np.mean(least <= least[0]))

    @property
    def clearest(self) -> str:
        """The figure that is farthest out."""
        return min(self.figures, key=lambda name: self.figures[name].p)


def _smallest(*nulls: Null) -> Array:
    """(1 + R,) the smallest p-value of several figures, of the sets as they are and of each rearrangement."""
    return np.asarray(np.min([null.ranks for null in nulls], axis=0))


def permutation_test(
    sets: TwoSets, permutations: int = PERMUTATIONS, seed: int = 0, k: int = NEIGHBOURS
) -> PermutationTest | None:
    """Tests whether both sets come from one distribution; None if there are too few samples to tell.

    Args:
        sets: features; paired sets are swapped within pairs.
        permutations: rearrangements, at random.
        seed: of them; the same seed gives the same test.
        k: neighbours that are looked at, also for precision and recall.
    """
    if min(sets.n, sets.m) < FEWEST:
        return None
    generator = np.random.default_rng((seed, _STREAM))
    draws = rearranged(sets, permutations, generator)
    itself = as_they_are(sets)
    nulls = (
        Null(_root(sliced(sets, itself))[0], _root(sliced(sets, draws))),
        Null(_root(energy(sets, itself))[0], _root(energy(sets, draws))),
        Null(float(mmd_unbiased(sets, itself)[0]), mmd_unbiased(sets, draws)),
        Null(float(neighbours_shared(sets, itself, k)[0]), neighbours_shared(sets, draws, k)),
    )
    few = min(_within(sets, _SHARES), permutations)
    shares = np.mean([_shares(sets, draws, row, k) for row in range(few)], axis=0)
    critical = _critical(nulls[1], _smallest(*nulls))
    return PermutationTest(
        sliced_wasserstein=nulls[0],
        energy=nulls[1],
        mmd_squared=nulls[2],
        neighbours=nulls[3],
        precision=float(shares[0]),
        recall=float(shares[1]),
        unseen=_unseen(sets, draws, critical**2, generator),
    )


def _critical(null: Null, smallest: Array) -> float:
    """The value of a figure from which on it alone makes the test of all four see a difference."""
    ordered = np.sort(smallest)
    seen = ordered[np.searchsorted(ordered, ordered, side="right") <= ALPHA * len(ordered)]
    return float(np.quantile(null.values, 1 - (seen[-1] if len(seen) else 0.0)))


def _within(sets: TwoSets, bounds: tuple[int, int]) -> int:
    """How many rearrangements there is time for."""
    return int(np.clip(_WORK // (sets.n + sets.m) ** 2, *bounds))


def _root(squares: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _shares(sets: TwoSets, draws: Draws, row: int, k: int) -> tuple[float, float]:
    if min(sets.n, sets.m) <= k:
        return math.nan, math.nan
    rows = np.concatenate([draws.left[row], draws.right[row]])
    return shares_on_manifold(sets.distances[np.ix_(rows, rows)], sets.n, k, paired=sets.paired)


def _unseen(sets: TwoSets, draws: Draws, critical: float, generator: np.random.Generator) -> float:
    """The shift that the energy distance alone makes seen with 80 % probability, as rms over features.

    Rearranged sets, which nothing tells apart, are moved against each other along random directions, each until
    its squared energy distance is ``critical``. The rearrangements themselves stand for those of the moved sets,
    which a shift that is barely seen hardly widens.
    """
    dimensions = sets.pooled.shape[1]
    count = min(_within(sets, _MOVED), len(draws.left))
    towards = generator.standard_normal((count, dimensions))
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    lines = towards @ sets.pooled.T
    starts = energy(sets, Draws(draws.left[:count], draws.right[:count]))
    shifts = [
        _crossing(
            sets.distances[np.ix_(left, right)], line[left][:, None] - line[right], critical - float(start)
        )
        for left, right, line, start in zip(draws.left, draws.right, lines, starts, strict=False)
    ]
    return float(np.quantile(shifts, POWER)) / math.sqrt(dimensions)


def _crossing(apart: Array, along: Array, missing: float) -> float:
    """The shift of the right set that adds ``missing`` to the squared energy distance, 2 E|X − Y − shift|.

    Args:
        apart: (n, m) distances |x − y|.
        along: (n, m) components of x − y in the shift's direction.
        missing: 0 or less gives a shift of 0.

    Only the distances between the sets change, each as a convex function of the shift: Newton's method from beyond
    the crossing falls onto it without ever passing it.
    """
    if missing <= 0:
        return 0.0
    shift = 2 * float(apart.max()) + missing  # adds more than is missing
    for _ in range(_STEPS):
        moved = np.sqrt(np.maximum(apart**2 - 2 * shift * along + shift**2, 0.0))
        excess = 2 * float(np.mean(moved - apart)) - missing
        slope = 2 * float(np.mean((shift - along) / np.where(moved > 0, moved, 1.0)))
        step = excess / slope
        shift -= step
        if step < 1e-3 * shift:
            break
    return shift
