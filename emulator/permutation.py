"""Do two sets of samples come from one distribution? The permutation test, and what it could have seen.

If they do, every rearrangement of the samples is as likely as the one at hand: independent sets shuffled, the two
of a pair swapped or not. The p-value is the share of rearrangements that are at least as far apart, the one at
hand counted among them, so it is valid for any number of samples (Phipson & Smyth 2010).
"""

from __future__ import annotations

import math
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
    def p(self) -> float:
        """Probability of a figure as large as the measured one."""
        # rearrangements that are the sets themselves differ from them by rounding
        slack = 1e-9 * (abs(self.measured) + float(np.abs(self.values).max(initial=0.0)))
        larger = int(np.count_nonzero(self.values >= self.measured - slack))
        return (1 + larger) / (1 + len(self.values))

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
    """The test, by three distances; the verdict is by the energy distance alone.

    Attributes:
        sliced_wasserstein, energy, mmd_squared: of which each is the null distribution.
        precision, recall: what they are, on average, of two sets from one distribution; NaN if too few samples.
        unseen: rms over features of the largest shift that would go unseen more than one time in five.
    """

    sliced_wasserstein: Null
    energy: Null
    mmd_squared: Null
    precision: float
    recall: float
    unseen: float

    @property
    def p(self) -> float:
        """Probability of an energy distance as large as the measured one, if nothing differs."""
        return self.energy.p


def permutation_test(
    sets: TwoSets, permutations: int = PERMUTATIONS, seed: int = 0, k: int = NEIGHBOURS
) -> PermutationTest | None:
    """Tests whether both sets come from one distribution; None if there are too few samples to tell.

    Args:
        sets: features; paired sets are swapped within pairs.
        permutations: rearrangements, at random.
        seed: of them; the same seed gives the same test.
        k: neighbour of precision and recall.
    """
    if min(sets.n, sets.m) < FEWEST:
        return None
    generator = np.random.default_rng((seed, _STREAM))
    draws = rearranged(sets, permutations, generator)
    itself = as_they_are(sets)
    null = Null(_root(energy(sets, itself))[0], _root(energy(sets, draws)))
    few = min(_within(sets, _SHARES), permutations)
    shares = np.mean([_shares(sets, draws, row, k) for row in range(few)], axis=0)
    return PermutationTest(
        sliced_wasserstein=Null(_root(sliced(sets, itself))[0], _root(sliced(sets, draws))),
        energy=null,
        mmd_squared=Null(float(mmd_unbiased(sets, itself)[0]), mmd_unbiased(sets, draws)),
        precision=float(shares[0]),
        recall=float(shares[1]),
        unseen=_unseen(sets, draws, null.limit**2, generator),
    )


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
    """The shift that the test by energy distance sees with 80 % probability, as rms over features.

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
