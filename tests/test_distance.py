"""Distances of sample sets against closed forms, other libraries' numbers, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable
from math import gamma, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp1f1
from scipy.stats import energy_distance as scipy_energy
from scipy.stats import wasserstein_distance

from emulator.distance import energy_distance, mmd_squared, precision_recall, sliced_wasserstein
from emulator.two_sets import (
    TwoSets,
    as_they_are,
    directions,
    energy,
    energy_unbiased,
    mmd_unbiased,
    neighbours_shared,
)
from netlists.core import Array

Distance = Callable[[Array, Array], float]


def normal(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> Array:
    """(n, d) Gaussian samples whose mean is ``shift`` away from 0."""
    return scale * np.random.default_rng(seed).standard_normal((n, d)) + shift / sqrt(d)


def mean_length(shift: float, variance: float, d: int) -> float:
    """E|N(shift, variance I)|, the mean of a noncentral chi."""
    central = sqrt(2 * variance) * gamma((d + 1) / 2) / gamma(d / 2)
    return float(central * hyp1f1(-0.5, d / 2, -(shift**2) / (2 * variance)))


def gaussian_energy(shift: float, d: int) -> float:
    """Energy distance of two standard normals."""
    return sqrt(2 * mean_length(shift, 2, d) - 2 * mean_length(0, 2, d))


def gaussian_mmd_squared(shift: float, d: int, sigma: float) -> float:
    """Squared MMD of two standard normals: E exp(−|N(δ, 2I)|²/2σ²) in closed form."""
    wide = sigma**2 + 2
    return float(2 * (sigma**2 / wide) ** (d / 2) * (1 - np.exp(-(shift**2) / (2 * wide))))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (5, 12), (64, 63), (30, 2)])
def test_one_dimension_is_scipys(n: int, m: int) -> None:
    x, y = normal(n, 1, 0), normal(m, 1, 1, shift=0.7, scale=1.4)
    one, two = x[:, 0], y[:, 0]
    assert sliced_wasserstein(x, y, order=1) == pytest.approx(wasserstein_distance(one, two), rel=1e-12)
    assert energy_distance(x, y) == pytest.approx(scipy_energy(one, two), rel=1e-9)


def test_second_order_transport_by_hand() -> None:
    """Quantiles: [0, ½) goes 0 → 1; [½, ⅔) goes 2 → 1; [⅔, 1) goes 2 → 5."""
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0], [1.0]])
    assert sliced_wasserstein(x, y) == pytest.approx(sqrt(1 / 2 + 1 / 6 + 9 / 3), rel=1e-12)


def test_a_shift_alone_is_its_rms_over_features() -> None:
    x, shift = normal(40, 24, 3), normal(1, 24, 4)
    sets = TwoSets(x, x + shift)
    along = directions(24)
    expected = np.mean((along @ shift[0]) ** 2)
    assert sliced_wasserstein(x, x + shift) == pytest.approx(sqrt(expected), rel=1e-12)
    # over whole frames the mean square of a shift's projections is exact
    whole = directions(24, 48)
    assert np.mean((whole @ shift[0]) ** 2) == pytest.approx(np.sum(shift**2) / 24, rel=1e-12)
    np.testing.assert_allclose(np.linalg.norm(sets.projections, axis=0) > 0, True)
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("d", [1, 3, 16])
@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_shifted_gaussians_are_as_far_apart_as_the_closed_forms_say(d: int, shift: float) -> None:
    """Means of many draws, within four standard errors."""
    sigma = 1.7
    found = []
    for seed in range(60):
        x, y = normal(120, d, 2 * seed), normal(90, d, 2 * seed + 1, shift)
        sets = TwoSets(x, y, sigma=sigma)
        found.append([energy_unbiased(sets, as_they_are(sets))[0], mmd_unbiased(sets, as_they_are(sets))[0]])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / sqrt(len(found))
    expected = [gaussian_energy(shift, d) ** 2, gaussian_mmd_squared(shift, d, sigma)]
    assert np.all(np.abs(mean - expected) < 4 * error)
    assert np.all(error < 0.15 * np.array(expected))  # else that says nothing


def test_gaussians_of_different_width() -> None:
    """In every direction W2 of N(0, 1) and N(0, s²) is |s − 1|."""
    x, y = normal(4000, 5, 0), normal(3000, 5, 1, scale=1.5)
    assert sliced_wasserstein(x, y) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [(sliced_wasserstein, 1.0 / sqrt(4)), (energy_distance, gaussian_energy(1.0, 4)),
     (lambda x, y: mmd_squared(x, y, sigma=2.0), gaussian_mmd_squared(1.0, 4, 2.0))],
    ids=["sliced Wasserstein", "energy", "mmd"],
)  # fmt: skip
def test_error_falls_as_one_over_root_n(distance: Distance, expected: float) -> None:
    """Four sizes, each four times the one before: the rms error halves."""
    if distance is sliced_wasserstein:
        shift = np.full(4, 0.5)
        expected = float(np.sqrt(np.mean((directions(4) @ shift) ** 2)))
    sizes = [40, 160, 640]
    errors = []
    for n in sizes:
        draws = [distance(normal(n, 4, 3 * k), normal(n, 4, 3 * k + 1, shift=1.0)) for k in range(40)]
        errors.append(sqrt(np.mean((np.array(draws) - expected) ** 2)))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert -0.7 < slope < -0.4


def test_equal_sets_are_not_apart() -> None:
    x = normal(30, 6, 0)
    assert sliced_wasserstein(x, x) == 0
    assert energy_distance(x, x) < 1e-7
    assert precision_recall(x, x) == (1.0, 1.0)
    # the unbiased estimate does not know that they are one set, and is a little below zero
    assert -0.1 < mmd_squared(x, x) < 0


sets_of_points = st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(1, 4), st.integers(0, 10_000))


@settings(max_examples=40, deadline=None)
@given(sets_of_points)
def test_order_of_samples_and_origin_do_not_matter(case: tuple[int, int, int, int]) -> None:
    n, m, d, seed = case
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(n, d)), generator.normal(size=(m, d))
    moved = 5 * generator.normal(size=d)
    for distance in (sliced_wasserstein, energy_distance, mmd_squared):
        value = distance(x, y)
        assert distance(generator.permutation(x), generator.permutation(y)) == pytest.approx(value, abs=1e-7)
        assert distance(x + moved, y + moved) == pytest.approx(value, abs=1e-7)
        assert distance(y, x) == pytest.approx(value, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(sets_of_points, st.floats(0.01, 100))
def test_units(case: tuple[int, int, int, int], factor: float) -> None:
    """Sliced Wasserstein is in units of the features, the energy distance in their root, and MMD has none."""
    n, m, d, seed = case
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(n, d)), generator.normal(size=(m, d))
    assert sliced_wasserstein(factor * x, factor * y) == pytest.approx(factor * sliced_wasserstein(x, y))
    assert energy_distance(factor * x, factor * y) == pytest.approx(sqrt(factor) * energy_distance(x, y))
    assert mmd_squared(factor * x, factor * y) == pytest.approx(mmd_squared(x, y), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(sets_of_points)
def test_both_distances_are_metrics(case: tuple[int, int, int, int]) -> None:
    n, m, d, seed = case
    generator = np.random.default_rng(seed)
    x, y, z = (generator.normal(size=(k, d)) + generator.normal(size=d) for k in (n, m, n + m))
    for distance in (sliced_wasserstein, energy_distance):
        assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-9


def test_weights_give_what_copies_give() -> None:
    """A draw with copies, by weights, is the set of its rows."""
    x, y = normal(6, 3, 0), normal(5, 3, 1)
    sets = TwoSets(x, y)
    draws = as_they_are(sets)
    rows = np.array([[0, 0, 3, 5, 5, 5]])
    drawn = type(draws)(rows, draws.right)
    assert sqrt(energy(sets, drawn)[0]) == pytest.approx(energy_distance(x[rows[0]], y), rel=1e-12)


def test_pairs_leave_out_partners() -> None:
    """By definition: the mean over i ≠ j of d(x_i, y_j) + d(y_i, x_j) − d(x_i, x_j) − d(y_i, y_j)."""
    x, y = normal(7, 2, 0), normal(7, 2, 1)
    sets = TwoSets(x, y, paired=True)

    def d(a: Array, b: Array) -> float:
        return float(np.linalg.norm(a - b))

    terms = [
        d(x[i], y[j]) + d(y[i], x[j]) - d(x[i], x[j]) - d(y[i], y[j])
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    assert energy_unbiased(sets, as_they_are(sets))[0] == pytest.approx(np.mean(terms), rel=1e-10)


def test_precision_and_recall_by_hand() -> None:
    """Real at 0, 1, 2, 3, 10 with k = 1: balls of radius 1, and one of 7 about 10."""
    real = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])
    made = np.array([[0.5], [3.9], [-1.5], [16.9], [17.1]])
    precision, recall = precision_recall(real, made, k=1)
    assert precision == 3 / 5  # 0.5 and 3.9 are near real ones, and 16.9 is within 7 of 10
    # radii of the made: 2 about 0.5, 3.4 about 3.9, 2 about −1.5, 0.2 about both others
    assert recall == 4 / 5
    assert precision_recall(made, real, k=1) == (recall, precision)


def test_a_mode_dropped_costs_recall_and_one_invented_costs_precision() -> None:
    near, far = normal(60, 8, 0), normal(60, 8, 1, shift=40)
    both = np.concatenate([near, far])
    fresh = normal(60, 8, 2)
    precision, recall = precision_recall(both, fresh)
    assert precision > 0.7
    assert 0.3 < recall < 0.55
    assert precision_recall(fresh, both)[::-1] == pytest.approx((precision, recall))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "2 and 4 features|4 and 2 features"),
        (np.zeros((0, 2)), np.zeros((3, 2)), r"set has shape \(0, 2\)"),
        (np.zeros((3, 2)), np.zeros(3), r"set has shape \(3,\)"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "not finite"),
    ],
)
def test_sets_that_do_not_fit_are_refused(x: Array, y: Array, said: str) -> None:
    for distance in (sliced_wasserstein, energy_distance, mmd_squared, precision_recall):
        with pytest.raises(ValueError, match=said):
            distance(x, y)


def test_settings_that_make_no_sense_are_refused() -> None:
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match=r"neighbour 4; expected 1 to 3"):
        precision_recall(x, x, k=4)
    with pytest.raises(ValueError, match="order of a Wasserstein distance is at least 1"):
        sliced_wasserstein(x, x, order=0)
    with pytest.raises(ValueError, match="width must be positive"):
        mmd_squared(x, x, sigma=0.0)
    with pytest.raises(ValueError, match="paired sets of 4 and 3"):
        TwoSets(x, x[:3], paired=True)


def test_sets_of_copies_have_a_kernel_all_the_same() -> None:
    """Codes of few bits coincide: the median distance is 0, and the kernel still has a width."""
    x = np.zeros((5, 3))
    assert mmd_squared(x, x) == pytest.approx(0.0)
    x[0, 0] = 2.0
    assert TwoSets(x, np.zeros((5, 3))).bandwidth == 2.0


def test_shared_neighbours_by_hand() -> None:
    x = np.array([[0.0], [1.1], [9.0]])
    # 0 and 1.1 are nearest to each other, and so are 30 and 31; 9 is nearest to 8.5, and 2.3 to 1.1
    sets = TwoSets(x, np.array([[2.3], [8.5], [30.0], [31.0]]))
    assert neighbours_shared(sets, as_they_are(sets), 1)[0] == pytest.approx((2 / 3 + 2 / 4) / 2)
    # partners are no neighbours: 9 and 8.5 are both nearest to 2.3 then
    paired = TwoSets(x, np.array([[2.3], [30.0], [8.5]]), paired=True)
    assert neighbours_shared(paired, as_they_are(paired), 1)[0] == pytest.approx((2 / 3 + 1 / 3) / 2)
