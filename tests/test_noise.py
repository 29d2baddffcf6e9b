"""The noise's numbers: known answers, their distribution, that all are independent, and the grid they stand on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import trapezoid
from small import family_core, small_core

from device_models.families import FAMILIES
from device_models.noise import normals, philox
from emulator.reference import RATES
from netlists.core import AnalogCore
from netlists.noise import LARGEST_LOSS, Noise, NoiseError, NoiseGrid, kept_variance, noise_grid, solver_step
from netlists.non_idealities import NonIdealities
from netlists.stiffness import fastest_rate

ONES = 2**64 - 1

# --- the generator

# kat_vectors of Random123, the generator's own distribution: philox4x64 10
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    ((ONES,) * 4, (ONES,) * 2, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]
WORD, KEY = st.integers(0, ONES), st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, int], expected: str) -> None:
    found = philox(np.array(counter, dtype=np.uint64), key)
    assert " ".join(f"{int(word):016x}" for word in found) == expected


@given(st.tuples(WORD, WORD, WORD, WORD), st.tuples(WORD, WORD))
def test_numpy_has_the_same_words(counter: tuple[int, ...], key: tuple[int, int]) -> None:
    before = (sum(word << 64 * k for k, word in enumerate(counter)) - 1) % 2**256  # numpy adds one first
    words = np.array([before >> 64 * k & ONES for k in range(4)], dtype=np.uint64)
    theirs = np.random.Philox(key=np.array(key, dtype=np.uint64), counter=words).random_raw(4)
    np.testing.assert_array_equal(philox(np.array(counter, dtype=np.uint64), key), theirs)


def test_box_and_muller_from_numpys_words() -> None:
    """Steps 4 … 7 of node 3, from numpy's generator and the formula as the text books have it."""
    words = np.random.Philox(key=np.array([11, 22], dtype=np.uint64), counter=[0, 3, 0, 0]).random_raw(4)
    u = (words >> np.uint64(11)) / 2.0**53
    expected = [
        np.sqrt(-2 * np.log(u[k] + 2.0**-54)) * turn(2 * np.pi * u[k + 1])
        for k in (0, 2)
        for turn in (np.cos, np.sin)
    ]
    np.testing.assert_allclose(normals(11, 22, 4, 4, 4)[:, 3], expected, rtol=1e-14)


# --- the distribution


def test_they_are_standard_normal() -> None:
    drawn = normals(1, 2, 256, 0, 4000)  # a million: standard errors of 0.001, 0.0014, 0.0024, 0.0048
    moments = [drawn.mean(), drawn.var(), stats.skew(drawn, axis=None), stats.kurtosis(drawn, axis=None)]
    for found, expected, error in zip(
        moments, (0, 1, 0, 0), np.sqrt(np.array([1, 2, 6, 24]) / drawn.size), strict=True
    ):
        assert abs(found - expected) < 4 * error
    assert stats.kstest(drawn.ravel()[:100_000], "norm").pvalue > 1e-3
    assert np.abs(drawn).max() < 8.6
    # each place in a block is normal by itself
    for place in range(4):
        assert stats.kstest(drawn[place::4].ravel()[:50_000], "norm").pvalue > 1e-3


def test_nodes_steps_seeds_and_samples_are_independent() -> None:
    """Correlations, and those of the squares, are what 3 · 10⁴ independent numbers have: 0.006 rms."""
    drawn = normals(5, 6, 30, 0, 1000)
    keys = [(6, 6), (5, 7), (6, 5), (5 + 2**32, 6), (5, 6 + 2**32)]
    others = [
        *(drawn[:, shift:] for shift in (1, 7)),
        *(drawn[lag:] for lag in (1, 2, 3, 4, 5, 8)),
        *(normals(seed, sample, 30, 0, 1000) for seed, sample in keys),
    ]
    for other in others:
        rows, columns = other.shape
        first, second = drawn[:rows, :columns].ravel(), other.ravel()
        limit = 4 / np.sqrt(first.size)
        assert abs(np.corrcoef(first, second)[0, 1]) < limit
        assert abs(np.corrcoef(first**2, second**2)[0, 1]) < limit


@settings(max_examples=50)
@given(KEY, KEY, st.integers(1, 5), st.integers(0, 40), st.integers(1, 20))
def test_a_number_does_not_depend_on_what_else_is_drawn(
    seed: int, sample: int, nodes: int, first: int, count: int
) -> None:
    whole = normals(seed, sample, 7, 0, 64)
    np.testing.assert_array_equal(
        normals(seed, sample, nodes, first, count), whole[first : first + count, :nodes]
    )


@pytest.mark.parametrize(("seed", "sample"), [(-1, 0), (2**63, 0), (0, -1), (0, 2**63)])
def test_a_seed_or_sample_out_of_range(seed: int, sample: int) -> None:
    with pytest.raises(ValueError, match=r"has to be from 0 to 2\^63 - 1"):
        normals(seed, sample, 1, 0, 1)


# --- the grid


def asked(**settings: float) -> NonIdealities:
    return NonIdealities.model_validate(settings)


def test_the_walk_spreads_as_under_white_noise() -> None:
    """∫ξ over K intervals, linear between grid points, has the variance σ² (T − h/2)."""
    noise = Noise(NoiseGrid(0.3, 0.02, 7), 1)
    rates = noise.rates(20_000, 1.0)
    assert rates.shape == (51, 20_000)
    walked = noise.grid.step * (rates.sum(axis=0) - (rates[0] + rates[-1]) / 2)
    expected = 0.3**2 * (1.0 - 0.01)
    assert walked.var() == pytest.approx(expected, rel=4 * np.sqrt(2 / 20_000))


@pytest.mark.parametrize("loss", [1e-4, 0.01, 0.1, 1.0, 3.0])
def test_kept_variance_is_that_of_the_driven_state(loss: float) -> None:
    """From the step response: x(t_k) = Σ_j w_j ξ_{k−j}, each weight an integral of exp(−λs) times a hat."""
    step, points = 1.0, 4001
    s = np.linspace(0, step, points)
    rising = trapezoid(np.exp(-loss * s) * s / step, s)  # towards the grid point before
    falling = trapezoid(np.exp(-loss * s) * (1 - s / step), s)
    lags = np.arange(int(60 / loss) + 2)
    weights = np.exp(-loss * step * lags) * falling + np.where(
        lags > 0, np.exp(-loss * step * (lags - 1)) * rising, 0
    )
    expected = np.sum(weights**2) / step * 2 * loss
    assert kept_variance(loss) == pytest.approx(expected, rel=1e-5)


def test_kept_variance_at_a_fine_grid() -> None:
    assert kept_variance(0.0) == 1.0
    assert kept_variance(1.001e-3) == pytest.approx(kept_variance(0.999e-3), abs=2e-6)


@pytest.mark.parametrize("rows", [50, 200, 1000])
@pytest.mark.parametrize("strength", [0.1, 0.5, 3.0])
def test_rows_are_grid_points_unless_told_otherwise(rows: int, strength: float) -> None:
    core = small_core(strength=strength)
    grid, remarks = noise_grid(core, asked(noise=0.1), rows, 3)
    assert grid is not None
    per_row = core.duration / rows / grid.step
    assert per_row == pytest.approx(round(per_row), abs=1e-9)
    assert 2 <= round(per_row) <= 8
    assert (grid.sigma, grid.seed) == (0.1, 3)
    lost = 1 - kept_variance(fastest_rate(core) * grid.step)
    assert bool(remarks) == (lost > 1.1 * LARGEST_LOSS)
    if round(per_row) < 8:
        assert lost <= LARGEST_LOSS


def test_a_coarse_grid_is_told_of() -> None:
    core = small_core(strength=2.0)
    grid, (remark,) = noise_grid(core, asked(noise=0.1, noise_step=0.1), 200, 0)
    assert grid == NoiseGrid(0.1, 0.1, 0)
    lost = 1 - kept_variance(0.1 * fastest_rate(core))
    assert f"their variance comes out up to {lost:.0%} low" in remark


@pytest.mark.parametrize("step", [None, 0.1])
@pytest.mark.parametrize("sigma", [1e-6, 0.1, 10.0])
def test_the_solver_takes_a_whole_number_of_steps_between_grid_points(
    sigma: float, step: float | None
) -> None:
    """More of them for stronger noise, a tighter tolerance or a coarse grid; never longer ones than a fine grid's."""
    core = small_core()
    grid, _ = noise_grid(core, NonIdealities(noise=sigma, noise_step=step), 200, 0)
    fine, _ = noise_grid(core, NonIdealities(noise=sigma), 200, 0)
    assert grid is not None
    assert fine is not None
    pieces = [grid.step / solver_step(core, grid, 200, reltol) for reltol in (1e-3, 1e-6, 1e-9, 1e-12)]
    np.testing.assert_allclose(pieces, np.rint(pieces), atol=1e-9)
    assert (np.diff(pieces) >= 0).all()
    assert pieces[-1] > pieces[0]
    assert all(grid.step / count <= fine.step * (1 + 1e-9) for count in pieces)
    twice = replace(grid, sigma=4 * sigma)
    more = grid.step / solver_step(core, twice, 200, 1e-9)
    assert more <= 2 * pieces[2] + 1e-9, "the error goes as the square of the step"
    assert more >= pieces[2]


def test_no_noise_has_no_grid() -> None:
    assert noise_grid(small_core(), asked(), 200, 0) == (None, ())


@pytest.mark.parametrize(
    ("given", "seed", "complaint"),
    [
        ({"noise": 0.1, "noise_step": 3.0}, 0, "noise_step: 3 is longer than the run, which lasts 2 model"),
        ({"noise": 0.1, "noise_step": 1e-9}, 0, "more than 1e[+]08 numbers for 16 nodes and 2 model .* such as 0.0"),
        ({"noise": 0.1}, 2**63, "seed 9223372036854775808 is too large for noise: take one below 2"),
    ],
)  # fmt: skip
def test_noise_that_cannot_be_made(given: dict[str, float], seed: int, complaint: str) -> None:
    with pytest.raises(NoiseError, match=complaint):
        noise_grid(small_core(), asked(**given), 200, seed)


@pytest.mark.parametrize("family", sorted(RATES))
def test_the_fastest_rate_bounds_those_of_random_states_and_is_no_wild_guess(family: str) -> None:
    core = family_core(family, symmetric=False)
    found = 0.0
    for chunk in range(core.chunks):
        rate = RATES[family](core, chunk)
        for sample in range(100):
            states = np.repeat(core.initial_states(0, sample)[:, None], core.nodes, axis=1)
            nudge = 1e-6 * np.eye(core.nodes)
            slope = (rate(states + nudge) - rate(states - nudge)) / 2e-6
            found = max(found, float(np.abs(np.diag(slope)).max()))
    assert found <= fastest_rate(core) * (1 + 1e-6)
    assert fastest_rate(core) <= 1.5 * found


def uncoupled(core: AnalogCore) -> AnalogCore:
    return replace(core, edges=core.edges[:0], coupling=core.coupling[:, :0])


def test_the_fastest_rate_without_couplings_is_the_wells() -> None:
    core = uncoupled(family_core("langevin", symmetric=True))
    core = replace(core, parameters={**core.parameters, "quartic": np.zeros(core.nodes)})
    assert fastest_rate(core) == pytest.approx(2 * core.parameters["quadratic"].max())


def test_every_family_has_a_fastest_rate() -> None:
    assert set(RATES) <= set(FAMILIES)
