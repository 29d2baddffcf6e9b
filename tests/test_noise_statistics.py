"""What noise does in the circuit: Ornstein-Uhlenbeck cells and noisy SHIL cells against closed forms.

Cells without couplings are independent copies, so one run of ngspice has hundreds of them, and the scatter among them
is the standard error of what they say together.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from noisy import NoisyRun, noisy_run, uncoupled
from scipy.integrate import cumulative_trapezoid, trapezoid

from emulator.simulator import Simulator
from netlists.core import Array
from netlists.noise import Noise, NoiseGrid, kept_variance

CELLS = 256


def mean_and_error(values: Array) -> tuple[float, float]:
    """Of (K, N) values of N independent cells: over time and cells, and its standard error."""
    means = values.mean(axis=0)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def assert_within_three_errors(values: Array, expected: float, largest_error: float) -> None:
    found, error = mean_and_error(values)
    assert error < largest_error, "too few numbers to say anything"
    assert abs(found - expected) < 3 * error, f"{found} +- {error}, expected {expected}"


# --- Ornstein-Uhlenbeck: x' = −λ x + ξ

RELAXATION, SIGMA, STEP = 1.0, 0.5, 0.1


@pytest.fixture(scope="module")
def ou(compiling: Simulator) -> NoisyRun:
    core = uncoupled("langevin", CELLS, 100.0, quadratic=RELAXATION / 2, bias=0.3)
    return noisy_run(compiling, core, Noise(NoiseGrid(SIGMA, STEP, seed=1), 0))


@pytest.fixture(scope="module")
def settled(ou: NoisyRun) -> Array:
    """(K, N) deviations from b/λ after ten relaxation times."""
    return ou.at_grid[100:] - 0.3 / RELAXATION


def test_ou_mean(settled: Array) -> None:
    assert_within_three_errors(settled, 0.0, 0.005)


def test_ou_variance(settled: Array) -> None:
    """σ²/(2λ), less what the grid loses: 4.8 per cent here, five standard errors."""
    expected = SIGMA**2 / (2 * RELAXATION) * kept_variance(RELAXATION * STEP)
    assert_within_three_errors(settled**2, expected, 0.01 * expected)
    assert (
        abs(mean_and_error(settled**2)[0] - SIGMA**2 / (2 * RELAXATION)) > 3 * mean_and_error(settled**2)[1]
    )


@pytest.mark.parametrize("lag", [1, 2, 5, 10, 20])
def test_ou_autocorrelation(settled: Array, lag: int) -> None:
    """exp(−λ m h) from the first lag on; over the first step the noise at the point between counts twice.

    With a = exp(−λh) the states at grid points follow x' = a x + A ξ + B ξ', so that ⟨x' x⟩ = a ⟨x²⟩ + A B σ²/h.
    """
    a, s = np.exp(-RELAXATION * STEP), np.linspace(0, STEP, 2001)
    left = np.exp(-RELAXATION * (STEP - s))  # of what comes in at s, at the step's end
    before, after = trapezoid(left * (1 - s / STEP), s), trapezoid(left * s / STEP, s)
    variance = SIGMA**2 / (2 * RELAXATION) * kept_variance(RELAXATION * STEP)
    expected = (a * variance + before * after * SIGMA**2 / STEP) * a ** (lag - 1)
    assert_within_three_errors(settled[lag:] * settled[:-lag], expected, 0.01 * variance)


def test_ou_cells_are_independent(settled: Array) -> None:
    """Neighbouring cells' states are not correlated: over 900 time units as many as 450 independent numbers."""
    left, right = settled[:, :-1], settled[:, 1:]
    correlation = (left * right).mean(axis=0) / np.sqrt((left**2).mean(axis=0) * (right**2).mean(axis=0))
    assert abs(correlation.mean()) < 3 * correlation.std() / np.sqrt(len(correlation))
    assert correlation.std() < 0.2


# --- SHIL: φ' = −S sin 2φ + ξ, the potential −(S/2) cos 2φ at temperature σ²/2


def density(phase: Array, shil: float, sigma: float) -> Array:
    """Stationary and not normalised, exp(−V/D) with D = σ²/2."""
    return np.asarray(np.exp(shil / sigma**2 * (np.cos(2 * phase) - 1)))


def test_shil_wells_are_as_wide_as_their_potential_says(compiling: Simulator) -> None:
    shil, sigma, step = 1.0, 0.3, 0.05
    core = uncoupled("kurashil", CELLS, 60.0, shil=shil)
    run = noisy_run(compiling, core, Noise(NoiseGrid(sigma, step, seed=2), 0))
    settled = run.at_grid[100:]
    assert np.abs(settled).max() < np.pi / 2, "none has left its well"
    phase = np.linspace(-np.pi / 2, np.pi / 2, 20_001)
    p = density(phase, shil, sigma)
    white = trapezoid(p * phase**2, phase) / trapezoid(p, phase)
    assert white > 1.04 * sigma**2 / (4 * shil), "wider than a parabola's"
    expected = white * kept_variance(2 * shil * step)
    assert_within_three_errors(settled**2, expected, 0.01 * expected)


def test_shil_escapes_as_fast_as_it_should(compiling: Simulator) -> None:
    """Mean first passage from one well's bottom to the next one's, exact by quadrature.

        T = (1/D) ∫_0^π exp(V(y)/D) ∫_0^y exp(−V(z)/D) dz dy

    of either side, the two being mirror images.
    """
    shil, sigma = 1.0, 1.0
    core = uncoupled("kurashil", 400, 150.0, shil=shil)
    run = noisy_run(compiling, core, Noise(NoiseGrid(sigma, 0.025, seed=3), 0))
    escaped = np.abs(run.at_grid) >= np.pi
    assert escaped.any(axis=0).mean() > 0.99
    first = np.where(escaped.any(axis=0), escaped.argmax(axis=0) * 0.025, core.duration)

    phase = np.linspace(0, np.pi, 20_001)
    inside = cumulative_trapezoid(density(phase, shil, sigma), phase, initial=0)
    exact = trapezoid(inside / density(phase, shil, sigma), phase) / (sigma**2 / 2)
    assert_within_three_errors(first[None], exact, 0.06 * exact)


def test_noise_grows_with_sigma_alone(compiling: Simulator) -> None:
    """Cells without a force walk: the same path at any σ, σ times as wide, and σ² T in variance."""
    core = uncoupled("kurashil", CELLS, 10.0)
    runs = [noisy_run(compiling, core, Noise(NoiseGrid(sigma, 0.1, seed=4), 0)) for sigma in (0.01, 0.1, 1.0)]
    for small, large in pairwise(runs):
        np.testing.assert_allclose(10 * small.at_grid, large.at_grid, atol=1e-5)
    assert_within_three_errors(runs[-1].at_grid[-1:] ** 2, 10.0 - 0.05, 2.0)
