"""Intervals that hold what they promise, on Gaussians whose distance is known."""

from __future__ import annotations

import time
from dataclasses import astuple, fields
from math import sqrt

import numpy as np
import pytest
from test_distance import gaussian_energy, gaussian_mmd_squared, normal

from emulator.distance import energy_distance, mmd_squared, precision_recall, sliced_wasserstein
from emulator.permutation import permutation_test
from emulator.quality import FEWEST, Metric, Quality, quality, quality_of, share_interval
from emulator.two_sets import TwoSets, directions, resampled, sliced
from netlists.core import Array

SAMPLES, FEATURES, SIGMA = 64, 16, 5.0
REPETITIONS = 100
ENOUGH = REPETITIONS * (
    0.95 - 3 * sqrt(0.95 * 0.05 / REPETITIONS)
)  # three standard errors below what is promised


def metrics(found: Quality) -> dict[str, Metric]:
    """Its figures by name."""
    return {
        f.name: getattr(found, f.name) for f in fields(found) if isinstance(getattr(found, f.name), Metric)
    }


def holds(metric: Metric, truth: float) -> bool:
    """Whether the interval holds the truth."""
    return metric.low <= truth + 1e-12 and truth - 1e-12 <= metric.high


@pytest.mark.parametrize(
    ("shift", "reference"), [(0.0, SAMPLES), (1.0, SAMPLES), (3.0, SAMPLES), (1.0, 2 * SAMPLES)]
)
def test_intervals_hold_the_distance_of_the_distributions(shift: float, reference: int) -> None:
    """As often as promised, or more: also where both distributions are the same."""
    moved = np.full(FEATURES, shift / sqrt(FEATURES))
    truths = {
        "sliced_wasserstein": sqrt(np.mean((directions(FEATURES) @ moved) ** 2)),
        "energy": gaussian_energy(shift, FEATURES),
        "mmd_squared": gaussian_mmd_squared(shift, FEATURES, SIGMA),
    }
    held, estimates = dict.fromkeys(truths, 0), {name: [] for name in truths}
    widths = {name: [] for name in truths}
    for seed in range(REPETITIONS):
        x, y = normal(SAMPLES, FEATURES, 2 * seed, shift), normal(reference, FEATURES, 2 * seed + 1)
        found = metrics(quality(x, y, resamples=150, seed=seed, sigma=SIGMA))
        for name, truth in truths.items():
            held[name] += holds(found[name], truth)
            estimates[name].append(found[name].estimate)
            widths[name].append(found[name].high - found[name].low)
    for name, truth in truths.items():
        assert held[name] >= ENOUGH, name
        if shift == 3.0:
            assert np.mean(estimates[name]) == pytest.approx(truth, rel=0.05)
            assert np.mean(widths[name]) < 0.7 * truth


def test_plain_percentiles_would_not_hold_it() -> None:
    """Why sliced Wasserstein's interval is moved: the bootstrap's own distances are all too large."""
    truth, held = 1.0 / sqrt(FEATURES), 0
    for seed in range(20):
        sets = TwoSets(normal(SAMPLES, FEATURES, 2 * seed, 1.0), normal(SAMPLES, FEATURES, 2 * seed + 1))
        again = np.sqrt(sliced(sets, resampled(sets, 150, np.random.default_rng(seed))))
        held += np.quantile(again, 0.025) <= truth <= np.quantile(again, 0.975)
    assert held == 0


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 0.1), (0.2, 0.1), (1.0, 1.0), (0.05, 0.01)])
def test_intervals_of_pairs(shift: float, spread: float) -> None:
    """The right set is the left one, moved and stirred a little: resampled by pairs, and much narrower for it."""
    wide = sqrt(1 + spread**2)
    moved = np.full(FEATURES, shift / sqrt(FEATURES))
    truth = sqrt(np.mean((directions(FEATURES) @ moved) ** 2) + (wide - 1) ** 2)
    held, widths, alone = 0, [], []
    for seed in range(REPETITIONS):
        x = normal(SAMPLES, FEATURES, 2 * seed)
        y = x + spread * normal(SAMPLES, FEATURES, 2 * seed + 1) + moved
        found = quality(x, y, paired=True, resamples=150, seed=seed).sliced_wasserstein
        held += holds(found, truth)
        widths.append(found.high - found.low)
        if seed < 5:
            other = normal(SAMPLES, FEATURES, 2 * seed + 1001) + moved
            independent = quality(x, other, resamples=150, seed=seed).sliced_wasserstein
            alone.append(independent.high - independent.low)
    assert held >= ENOUGH
    if spread < 1:
        assert np.mean(widths) < 0.6 * np.mean(alone)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (2.0, 1.0), (0.0, 0.6), (0.0, 1.4)])
def test_intervals_of_precision_and_recall(shift: float, scale: float) -> None:
    """They hold what sets of this size have on average."""
    draws = [
        (normal(SAMPLES, 8, 2 * seed, shift, scale), normal(SAMPLES, 8, 2 * seed + 1)) for seed in range(300)
    ]
    truth = np.mean([precision_recall(y, x) for x, y in draws], axis=0)
    held = np.zeros(2)
    for seed, (x, y) in enumerate(draws[:REPETITIONS]):
        found = quality_of(TwoSets(x, y), "", resamples=1, seed=seed)
        held += [holds(found.precision, truth[0]), holds(found.recall, truth[1])]
    assert (held >= ENOUGH).all()


def test_measured_is_the_definition() -> None:
    x, y = normal(30, 5, 0, 0.5), normal(41, 5, 1)
    found = quality(x, y)
    assert found.sliced_wasserstein.measured == pytest.approx(sliced_wasserstein(x, y))
    assert found.energy.measured == pytest.approx(energy_distance(x, y))
    assert found.mmd_squared.measured == pytest.approx(mmd_squared(x, y))
    assert (found.precision.measured, found.recall.measured) == precision_recall(y, x)
    assert (found.samples, found.reference, found.features, found.dimensions) == (30, 41, "pixels", 5)
    for metric in metrics(found).values():
        assert metric.low <= metric.estimate <= metric.high


def test_same_seed_same_figures_and_images_of_any_shape() -> None:
    x, y = normal(20, 12, 0), normal(20, 12, 1)
    first = quality(x, y, seed=3)
    assert astuple(quality(x.reshape(20, 3, 4), y.reshape(20, 3, 4), seed=3)) == astuple(first)
    assert astuple(quality(x, y, seed=4)) != astuple(first)


def test_equal_pairs_are_not_apart_at_all() -> None:
    x = normal(20, 6, 0)
    found = quality(x, x, paired=True)
    for metric in (found.sliced_wasserstein, found.energy):
        assert metric.measured < 1e-7
        assert metric.high < 1e-7
    assert found.mmd_squared.measured == pytest.approx(0, abs=1e-12)


def test_few_samples_have_no_interval() -> None:
    x, y = normal(FEWEST - 1, 3, 0), normal(50, 3, 1)
    found = quality(x, y)
    for metric in metrics(found).values():
        assert np.isfinite(metric.measured)
        assert np.isnan([metric.low, metric.high]).all()
    one = quality(x[:1], y)
    assert np.isfinite(one.sliced_wasserstein.measured)
    assert np.isnan([one.mmd_squared.measured, one.precision.measured, one.energy.estimate]).all()
    assert permutation_test(TwoSets(x, y)) is None


def test_interval_of_a_share() -> None:
    # 95 % of 20 of 40, from tables
    assert share_interval(0.5, 0.25 / 40, 40) == pytest.approx((0.338, 0.662), abs=5e-4)
    # none of 64: 1 − (0.025)^(1/64)
    assert share_interval(0.0, 0.0, 64) == (0.0, pytest.approx(1 - 0.025 ** (1 / 64)))
    low, high = share_interval(1.0, 0.0, 64)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 64)), 1.0)
    # a variance beyond that of one sample, or below that of all, is not believed
    assert share_interval(0.5, 1.0, 40) == share_interval(0.5, 0.25, 40)
    assert share_interval(0.5, 1e-9, 40) == share_interval(0.5, 0.25 / 40, 40)


# -- the permutation test ----------------------------


def p_values(shift: float, *, paired: bool, count: int = 100) -> Array:
    """(count, 5) p of the test, and of its figures, for sets this far apart."""
    found = []
    for seed in range(count):
        x, y = normal(32, 8, 2 * seed), normal(32, 8, 2 * seed + 1, shift)
        sets = TwoSets(x, x + 0.1 * y if paired else y, paired)
        test = permutation_test(sets, 99, seed)
        assert test is not None
        parts = (test.sliced_wasserstein, test.energy, test.mmd_squared, test.neighbours)
        found.append([test.p, *(part.p for part in parts)])
    return np.array(found)


def test_p_values_are_uniform_if_nothing_differs() -> None:
    p = p_values(0.0, paired=False)
    for column in p.T:
        assert 0.0 <= np.mean(column <= 0.05) <= 0.12
        assert 0.38 <= np.mean(column <= 0.5) <= 0.62


def test_p_values_are_uniform_if_only_chance_swaps_pairs() -> None:
    """Both of a pair are one sample stirred twice."""
    found = []
    for seed in range(100):
        z = normal(32, 8, 3 * seed)
        x, y = (z + 0.1 * normal(32, 8, 3 * seed + k) for k in (1, 2))
        test = permutation_test(TwoSets(x, y, paired=True), 99, seed)
        assert test is not None
        found.append(test.p)
    assert np.mean(np.array(found) <= 0.05) <= 0.12
    assert 0.38 <= np.mean(np.array(found) <= 0.5) <= 0.62


def test_a_shift_is_seen_and_pairs_see_a_smaller_one() -> None:
    assert np.mean(p_values(2.0, paired=False, count=30)[:, 0] <= 0.05) == 1
    # the same sets, a tenth of the shift
    assert np.mean(p_values(2.0, paired=True, count=30)[:, 0] <= 0.05) == 1
    unpaired = permutation_test(TwoSets(normal(32, 8, 0), normal(32, 8, 0) + 0.1 * normal(32, 8, 1, 2.0)), 99)
    assert unpaired is not None
    assert unpaired.p > 0.5


@pytest.mark.parametrize("case", [(64, 64, 16, False), (32, 96, 4, False), (64, 64, 16, True)])
def test_the_shift_it_says_it_would_see_is_seen_four_times_of_five(case: tuple[int, int, int, bool]) -> None:
    n, m, d, paired = case

    def sets(seed: int) -> tuple[Array, Array]:
        x, y = normal(n, d, 2 * seed), normal(m, d, 2 * seed + 1)
        return x, x + 0.2 * y if paired else y

    limits = []
    for seed in range(5):
        test = permutation_test(TwoSets(*sets(seed), paired), 199, seed)
        assert test is not None
        limits.append(test.unseen)
    assert np.std(limits) < 0.3 * np.mean(limits)
    shift, generator, seen = float(np.mean(limits)) * sqrt(d), np.random.default_rng(0), []
    for seed in range(5, 65):
        x, y = sets(seed)
        towards = generator.standard_normal(d)
        test = permutation_test(TwoSets(x, y + shift * towards / np.linalg.norm(towards), paired), 99, seed)
        assert test is not None
        seen.append(test.p <= 0.05)
    assert abs(np.mean(seen) - 0.8) < 3 * sqrt(0.8 * 0.2 / len(seen))


def test_equal_sets_have_p_of_one() -> None:
    x = normal(16, 4, 0)
    test = permutation_test(TwoSets(x, x, paired=True), 99)
    assert test is not None
    assert (test.p, test.sliced_wasserstein.p, test.energy.p, test.mmd_squared.p) == (1, 1, 1, 1)
    assert test.unseen == 0
    coincident = permutation_test(TwoSets(np.zeros((9, 2)), np.zeros((12, 2))), 99)
    assert coincident is not None
    assert coincident.energy.p == 1
    assert coincident.p > 0.05


def test_two_thousand_samples_take_seconds() -> None:
    x, y = normal(2000, 64, 0), normal(2000, 64, 1)
    started = time.process_time()
    quality(x, y, resamples=200)
    assert time.process_time() - started < 15  # 3 s on a quiet machine
