"""The reference under noise: against exact solutions, another solver, itself in pieces, and its own order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from small import family_core, small_core

from emulator import driven
from emulator.crosscheck import crosscheck
from emulator.driven import Drive, carry
from emulator.reference import RATES, ReferenceFailed, propagate, trajectories, trajectory
from emulator.trajectory import Trajectory
from netlists.core import AnalogCore, Array
from netlists.noise import Noise, NoiseGrid


def noise(step: float = 0.02, sigma: float = 0.3) -> Noise:
    return Noise(NoiseGrid(sigma, step, 1), 2)


def linear_core(chunks: int = 2) -> AnalogCore:
    """Langevin nodes in parabolas, with couplings."""
    core = family_core("langevin", symmetric=False)
    return replace(core, parameters={**core.parameters, "quartic": np.zeros(core.nodes)})


def exact_linear(core: AnalogCore, start: Array, given: Noise) -> Array:
    """(K+1, N) at the grid points: x' = −M x + b + ξ₀ + (ξ₁ − ξ₀) t/h by the exponential of an augmented matrix."""
    rates, step, n = given.rates(core.nodes, core.duration), given.grid.step, core.nodes
    x, found = start, [start]
    for k in range(len(rates) - 1):
        chunk = np.searchsorted(core.boundaries, (k + 0.5) * step) - 1
        matrix = np.zeros((n, n))
        matrix[core.edges[:, 0], core.edges[:, 1]] = core.coupling[chunk]
        matrix += np.diag(2 * core.parameters["quadratic"])
        # states, the constant 1, and the time
        whole = np.zeros((n + 2, n + 2))
        whole[:n, :n] = -matrix
        whole[:n, n] = core.parameters["bias"][chunk] + rates[k]
        whole[:n, n + 1] = (rates[k + 1] - rates[k]) / step
        whole[n + 1, n] = 1
        x = (expm(whole * step) @ np.concatenate([x, [1, 0]]))[:n]
        found.append(x)
    return np.array(found)


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5])
def test_linear_nodes_are_met_exactly(step: float) -> None:
    core, given = linear_core(), noise(step)
    start = core.initial_states(0, 0)
    expected = exact_linear(core, start, given)
    found = trajectory(core, start, given.grid.times(core.duration), given)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def slow(core: AnalogCore, start: Array, given: Noise) -> Array:
    """(K+1, N) by scipy's solver, begun anew at each grid point."""
    rates, step = given.rates(core.nodes, core.duration), given.grid.step
    found = [start]
    for k in range(len(rates) - 1):
        chunk = int(np.searchsorted(core.boundaries, (k + 0.5) * step)) - 1
        rate = RATES[core.family_name](core, chunk)

        def driven_rate(t: float, y: Array, k: int = k, rate=rate) -> Array:  # type: ignore[no-untyped-def]
            share = t / step
            return rate(y[:, None])[:, 0] + (1 - share) * rates[k] + share * rates[k + 1]

        solved = solve_ivp(driven_rate, (0, step), found[-1], method="DOP853", rtol=1e-12, atol=1e-12)
        found.append(solved.y[:, -1])
    return np.array(found)


@pytest.mark.parametrize("family", sorted(RATES))
def test_every_family_agrees_with_another_solver(family: str) -> None:
    core, given = family_core(family, symmetric=False), noise(0.05, 0.5)
    start = core.initial_states(0, 1)
    found = trajectory(core, start, given.grid.times(core.duration), given)
    np.testing.assert_allclose(found, slow(core, start, given), atol=1e-5)


def test_windows_are_pieces_of_the_run_wherever_they_begin() -> None:
    """Also off the grid, over a chunk's end that is off the grid, and of no length."""
    core, given = small_core((3, 3), 3, 2.0), noise(0.03)
    times = np.sort(np.concatenate([np.random.default_rng(0).uniform(0, 2, 30), [0, 1 / 3, 0.03, 0.6, 2.0]]))
    run = trajectory(core, core.initial_states(0, 0), times, given)
    np.testing.assert_allclose(propagate(core, run[:-1], times[:-1], times[1:], given), run[1:], atol=1e-6)
    np.testing.assert_array_equal(propagate(core, run, times, times, given), run)


def test_runs_side_by_side_are_the_same_as_alone() -> None:
    core, given, times = small_core(), noise(), np.linspace(0, 2, 11)
    starts = np.stack([core.initial_states(0, k) for k in range(3)])
    together = trajectories(core, starts, times, given)
    for k in range(3):
        np.testing.assert_allclose(together[:, k], trajectory(core, starts[k], times, given), atol=1e-9)


def test_without_sigma_it_is_the_reference_without_noise() -> None:
    core, times = small_core(), np.linspace(0, 2, 11)
    start = core.initial_states(0, 0)
    still = Noise(NoiseGrid(0.0, 0.02, 0), 0)
    np.testing.assert_allclose(
        trajectory(core, start, times, still), trajectory(core, start, times), atol=1e-8
    )


def test_the_error_shrinks_with_the_fifth_power_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same broken line on finer grids: only the steps are shorter. Steps are never halved here."""
    monkeypatch.setattr(driven, "TOLERANCE", np.inf)
    core = small_core((4, 4), 1, 2.0)
    rates = noise(0.5, 0.3).rates(core.nodes, core.duration)
    states, ends = core.initial_states(0, 0)[:, None], (np.zeros(1), np.full(1, core.duration))

    def solved(pieces: int) -> Array:
        step, coarse = 0.5 / pieces, np.arange(len(rates))
        fine = np.arange(pieces * (len(rates) - 1) + 1) / pieces
        broken = np.stack([np.interp(fine, coarse, column) for column in rates.T], axis=1)
        return carry(RATES["kurashil"](core, 0), states, *ends, Drive(step, broken))

    exact, pieces = solved(256), [8, 16, 32, 64]
    errors = [np.sqrt(np.mean((solved(count) - exact) ** 2)) for count in pieces]
    slope = np.polyfit(np.log(pieces), np.log(errors), 1)[0]
    assert -5.5 < slope < -4.5


def test_a_state_that_runs_away_is_told_of() -> None:
    core = family_core("langevin", symmetric=True)
    core = replace(core, parameters={**core.parameters, "quartic": np.full(core.nodes, -2.0)})
    start = np.full(core.nodes, 3.0)
    with pytest.raises(ReferenceFailed, match=r"under noise stopped: steps of .* are still too long"):
        trajectory(core, start, np.array([core.duration]), noise())
    with pytest.raises(ReferenceFailed, match="under noise stopped"):
        propagate(core, start[None], np.zeros(1), np.ones(1), noise())


# --- the cross-check


def test_the_cross_check_sees_the_very_noise() -> None:
    core, given = small_core((4, 4), 2, 2.0), noise()
    times = np.linspace(0, 2, 101)
    run = Trajectory(times, trajectory(core, core.initial_states(0, 0), times, given))
    check, states = crosscheck(core, run, 100, 10, given)
    assert check.global_max < 1e-6
    assert check.defect_max < 1e-6
    np.testing.assert_array_equal(check.final_reference, states[-1])
    # another sample's noise, or none, is told from it at once
    for other in (replace(given, sample=3), None):
        assert crosscheck(core, run, 100, 10, other)[0].worst_window > 0.02


def test_sensitivity_is_that_of_the_dynamics_and_not_of_the_noise() -> None:
    """Both runs see the same noise: in a parabola they approach each other as without."""
    core = linear_core()
    core = replace(
        core,
        edges=core.edges[:0],
        coupling=core.coupling[:, :0],
        parameters={**core.parameters, "quadratic": np.full(core.nodes, 0.7)},
    )
    given, times = noise(), np.linspace(0, 2, 101)
    run = Trajectory(times, trajectory(core, core.initial_states(0, 0), times, given))
    assert crosscheck(core, run, 100, 10, given)[0].sensitivity == pytest.approx(np.exp(-1.4 * 2.0), rel=1e-4)
