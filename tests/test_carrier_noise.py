"""Noise of oscillators: that phases diffuse as stated, at every waveform level, and as the reference says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cells import LC_FREQUENCY, LC_QUALITY
from emulator.devices import DevicesAsked
from emulator.free_cells import DURATION, free_cells, free_core, noisy_cells
from emulator.phase_diffusion import Diffusion, phase_diffusion
from emulator.simulator import Simulator
from netlists.carrier_noise import (
    BOLTZMANN,
    MOST_POINTS,
    SeenByPhases,
    carrier_noise,
    check_size,
    harmonics,
    heard,
    lc_noise,
    thermal_sigma,
)
from netlists.characterization import Complex
from netlists.lc import lc_core
from netlists.lc_design import design_lc
from netlists.noise import NoiseError, NoiseGrid

SIGMA = 0.2
pytestmark = [  # estimates of the ladder, for cells without couplers
    pytest.mark.filterwarnings("ignore:Mean of empty slice"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide"),
]


def assert_diffuses(found: Diffusion, sigma: float) -> None:
    assert abs(found.rate - sigma**2) < 3 * found.error
    assert found.error < 0.1 * sigma**2  # or it would say nothing


# --- arithmetic


@given(st.integers(1, 16), st.floats(0.01, 0.1))
def test_a_drive_is_heard_as_a_sum_over_the_solvers_steps_hears_it(substeps: int, angle: float) -> None:
    """The variance that lines between grid points leave of Σ Z ξ, point by point, is what σ is made up for."""
    sensitivity = np.array([0.1, 1.0 + 0.5j, 0.2j, -0.3])
    steps = np.arange(-substeps + 1, substeps)
    shares = 1 - np.abs(steps) / substeps  # of one number at the solver's steps around its grid point
    middles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    phase = middles[:, None] + angle * steps
    felt = (np.exp(1j * np.multiply.outer(phase, np.arange(4))) @ sensitivity).real @ shares / substeps
    np.testing.assert_allclose(heard(sensitivity, angle, substeps), np.mean(felt**2), rtol=1e-9)


def test_of_noise_at_every_step_all_is_heard() -> None:
    for name in ("lc", "lc_tanh"):
        design = design_lc(0.5, family_name=name)
        found = heard(harmonics(design), 2 * math.pi / design.points_per_cycle, 1)
        np.testing.assert_allclose(found, np.mean(design.sensitivity**2), rtol=1e-9)


def test_what_phases_see_of_the_noise_has_the_stated_diffusion() -> None:
    """Re Σ a_k exp(ikφ) of the reference: its integral over the run, which is a sum of independent cycles."""
    noise = lc_noise(lc_core(free_core(2), cycles=200.0), SIGMA, DURATION, seed=4)
    rates = SeenByPhases(noise, 5).rates(400, DURATION)
    assert len(rates) > 200
    phases = np.exp(1j * np.linspace(0, 2 * math.pi, 400, endpoint=False))
    # the first cycle is half a one; a cycle's mean lasts a cycle
    waves = np.stack([phases**k for k in noise.orders], axis=-1)
    walks = (rates[1:201] * waves).sum(axis=-1).real * (DURATION / 200)
    found = np.mean(walks**2) * 200 / DURATION
    assert abs(found / SIGMA**2 - 1) < 3 * math.sqrt(2 / walks.size)


def test_noise_that_can_not_be_is_refused() -> None:
    sensitivity: Complex = np.array([0, 1j])
    with pytest.raises(NoiseError, match="take one below 2"):
        carrier_noise(0.1, sensitivity, 1.0, 0.1, 1.0, 2**63)
    grid = NoiseGrid(1.0, 0.1, 0)
    check_size(grid, 10, 0.1 * MOST_POINTS / 10)
    with pytest.raises(NoiseError, match="Take compiled devices"):
        check_size(grid, 11, 0.1 * MOST_POINTS / 10)


def test_diffusion_is_found_in_walks_that_are_read_in_windows() -> None:
    steps = np.random.default_rng(0).standard_normal((64 * 500, 20)) / math.sqrt(64)
    walk = np.cumsum(SIGMA * steps, axis=0) + 0.3 * np.arange(64 * 500)[:, None] / 64
    means = walk.reshape(500, 64, 20).mean(axis=1)
    assert_diffuses(phase_diffusion(np.arange(500.0), means, 1.0), SIGMA)
    with pytest.raises(ValueError, match="give a longer run"):
        phase_diffusion(np.arange(6.0), means[:6], 1.0)


# --- circuits


@pytest.mark.parametrize(("devices", "side"), [("compiled", 12), ("behavioural", 4)])
def test_phases_of_tanks_diffuse_as_stated(compiling: Simulator, devices: DevicesAsked, side: int) -> None:
    """Measured: 0.99 ± 0.02 and 1.04 ± 0.05 of σ²."""
    run = free_cells(compiling, side, "lc", 200, {"noise": SIGMA}, devices)
    assert_diffuses(run.diffusion, SIGMA)


def test_tanks_follow_the_reference_that_feels_their_noise(compiling: Simulator) -> None:
    """What is left is the window that phases are read over: it ends where the reference's walk goes on."""
    run = free_cells(compiling, 6, "lc", 600, {"noise": SIGMA})
    with_it, without = run.checked(), run.checked(driven=False)
    assert with_it.worst_window < 2 * SIGMA * math.sqrt(run.window / 3)
    assert without.defect_rms > 5 * with_it.defect_rms
    assert without.global_rms > 5 * with_it.global_rms


def test_any_ngspice_takes_the_noise_of_tanks(any_simulator: Simulator) -> None:
    run = free_cells(any_simulator, 3, "lc", 60, {"noise": SIGMA}, "behavioural")
    assert run.checked(driven=False).global_rms > 2 * run.checked().global_rms


def test_phases_of_rings_diffuse_as_stated(simulator: Simulator) -> None:
    """Measured: 1.03 ± 0.05 of σ²; and the reference, driven by the carrier's part of the noise, follows."""
    run = free_cells(simulator, 4, "ring", 100, {"noise": SIGMA})
    assert_diffuses(run.diffusion, SIGMA)
    assert run.checked(driven=False).global_rms > 2 * run.checked().global_rms


def test_noise_in_seconds_is_measured_back(compiling: Simulator) -> None:
    found = noisy_cells(compiling, "lc", LC_FREQUENCY, 60.0, {})
    assert found.stated == pytest.approx(60.0**2)
    assert abs(found.measured.rate - found.stated) < 3 * found.measured.error
    assert found.measured.error < 0.1 * found.stated


# --- Johnson noise


def test_johnson_noise_is_the_closed_form() -> None:
    """kT/(Q C A²) per radian, of a cell whose waveform is all but a sine, in steps so short that they are none."""
    array = lc_core(free_core(2), cycles=100.0, epsilon=1 / 50.0, family_name="lc", points_per_cycle=1000)
    sigma = thermal_sigma(array, 50.0, 300.0, DURATION)
    per_radian = BOLTZMANN * 300.0 / (50.0 * array.scaling.capacitance)
    np.testing.assert_allclose(sigma**2 * DURATION / (2 * math.pi * 100), per_radian, rtol=1e-3)


def test_johnson_noise_is_measured_back(compiling: Simulator) -> None:
    """Two milliradian in a hundred cycles at 300 K; twice the temperature is twice the diffusion."""
    for kelvin in (300.0, 600.0):
        run = free_cells(compiling, 12, "lc", 200, {"temperature": kelvin}, "compiled")
        sigma = run.level.phase_noise
        assert sigma is not None
        # of a cell that noise turns as a sine does; the levelled one feels it by its own sensitivity
        sine = BOLTZMANN * kelvin / (LC_QUALITY * 1e-12) * 2 * math.pi * 200 / DURATION
        heard_of_it = 2 * np.mean(run.level.array.design.sensitivity**2)
        np.testing.assert_allclose(sigma**2, sine * heard_of_it, rtol=1e-6)
        assert_diffuses(run.diffusion, sigma)


def test_noise_and_heat_add_in_power(compiling: Simulator) -> None:
    alone, both = (
        free_cells(compiling, 2, "lc", 20, {"temperature": 300.0, **more}).level.phase_noise
        for more in ({}, {"noise": 3e-3})
    )
    assert alone is not None
    assert both == pytest.approx(math.hypot(alone, 3e-3))
