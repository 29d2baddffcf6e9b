"""The amplitude-levelled LC cell: no harmonics, an exact restoring rate, and gains that a quadrature gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cores import both_ways, core
from scipy.integrate import solve_ivp
from test_lc import on_circle, phases_of, simulated

from device_models.families import REALISATIONS
from device_models.lc_oscillator import LIMITED, Limiter
from emulator.ladder import CIRCUIT, ladder_of_lc
from emulator.reference import trajectory
from emulator.reference_lc import circuit_rate
from emulator.simulator import Simulator
from netlists.compile import Devices
from netlists.core import Array
from netlists.lc import lc_core
from netlists.lc_design import design_lc
from netlists.synthetic import window_core

F0 = 1e9
STRENGTHS = [0.1, 1.0, 2.0, 6.0]


@pytest.mark.parametrize("points", [64, 200])
@pytest.mark.parametrize("epsilon", STRENGTHS)
def test_the_limit_cycle_is_that_of_a_bare_tank_in_the_steps_of_the_solver(
    epsilon: float, points: int
) -> None:
    """A cosine however strong the limiter; all that the tank makes up for is the trapezoidal rule."""
    design = design_lc(epsilon, 0.7, points, "lc_levelled")
    half = math.pi / points
    warped = math.tan(half) / half
    psi = np.linspace(0, 2 * np.pi, 31)
    volts, current = design.cycle.at(psi).T
    np.testing.assert_allclose(volts, 0.7 * np.cos(psi), atol=1e-10)
    np.testing.assert_allclose(current, 0.7 * warped * np.sin(psi), atol=1e-10)
    assert design.inductance == pytest.approx(warped**-2, rel=1e-10)
    assert abs(design.coupling_lag) < 1e-10
    assert abs(design.reference_phase) < 1e-10


def test_a_detuned_cell_runs_where_it_was_detuned_to() -> None:
    """Of its own tank: it is the energy there that is levelled."""
    detuning = np.array([-20.0, 35.0])
    trained = core((1, 2), boundaries=(0.0, 1.0), detuning=detuning)
    array = lc_core(trained, F0, 40, points_per_cycle=4096)
    rate = circuit_rate(array.core, array.scaling, array.f0_hz, 0)
    wanted = F0 * (1 + detuning / (2 * np.pi * 40))
    for node, hertz in enumerate(wanted):
        state = np.zeros(4)
        state[node] = 1.0

        def crossing(_: float, y: Array, at: int = node) -> float:
            return float(y[at])

        crossing.direction = 1  # type: ignore[attr-defined]
        run = solve_ivp(rate, (0, 20 / F0), state, "DOP853", rtol=1e-10, atol=1e-13, events=crossing)
        crossings = run.t_events[0]
        found = (len(crossings) - 1) / (crossings[-1] - crossings[0])
        assert found == pytest.approx(hertz, rel=2e-6)


@pytest.mark.parametrize(
    ("family_name", "epsilon"), [*((name, 0.2) for name in sorted(REALISATIONS)), ("lc_levelled", 2.0)]
)
def test_the_restoring_rate_is_the_floquet_exponent(family_name: str, epsilon: float) -> None:
    """The multiplier e^(−2πρ) of a deviation, from the independent circuit equations over one period."""
    array = lc_core(core((1, 1), boundaries=(0.0, 1.0)), F0, 40, epsilon, points_per_cycle=4096,
                    family_name=family_name)  # fmt: skip
    volts, amperes = array.start(np.zeros(1))
    start, unit = np.array([volts[0], amperes[0]]), np.array([1.0, array.scaling.conductance])
    rate = circuit_rate(array.core, array.scaling, array.f0_hz, 0)

    def after_a_turn(state: Array) -> Array:
        run = solve_ivp(rate, (0, 1 / array.f0_hz), state, "DOP853", rtol=1e-11, atol=1e-14 * unit)
        return np.asarray(run.y[:, -1] / unit)

    np.testing.assert_allclose(after_a_turn(start), start / unit, atol=1e-5)
    kick = 1e-4
    columns = [
        (after_a_turn(start + kick * unit * axis) - after_a_turn(start - kick * unit * axis)) / (2 * kick)
        for axis in np.eye(2)
    ]
    # along the cycle nothing dies out: the other multiplier is the determinant
    multiplier = np.linalg.det(np.array(columns))
    expected = math.exp(-2 * math.pi * array.design.restoring)
    # a turn at e^(−4π) leaves 3e-6 of a deviation
    assert multiplier == pytest.approx(expected, rel=1e-3, abs=1e-7)
    if family_name != "lc_tanh":
        assert array.design.restoring == pytest.approx(epsilon, rel=5e-3 if family_name == "lc" else 1e-9)


@pytest.mark.parametrize("epsilon", STRENGTHS)
def test_gains_are_those_of_the_isochrons(epsilon: float) -> None:
    """In polar coordinates v = e^δ cos ψ, y = e^δ sin ψ a small δ decays as δ' = −2ε cos²ψ δ and turns the phase by
    ε sin 2ψ δ; what it will have turned it by in the end is p(ψ) δ with p' = 2ε cos²ψ p − ε sin 2ψ. A current then
    acts by Z = p cos ψ − sin ψ: the first harmonic turns a coupled cell, that of 2 Z cos ψ at 2ψ a pumped one.
    """

    def backwards(time: float, p: Array) -> Array:
        psi = -time
        return np.asarray(-(2 * epsilon * np.cos(psi) ** 2 * p - epsilon * np.sin(2 * psi)))

    turns = 2 + math.ceil(6 / epsilon)  # p forgets where it began as e^(−ε ψ)
    run = solve_ivp(backwards, (0, 2 * np.pi * turns), [0.0], rtol=1e-10, atol=1e-12, dense_output=True)
    psi = 2 * np.pi * np.arange(256) / 256
    p = run.sol(2 * np.pi * turns - psi)[0]
    z = p * np.cos(psi) - np.sin(psi)
    coupled = 2 * np.mean(z * np.exp(-1j * psi)) / 1j
    pumped = 4 * np.mean(z * np.cos(psi) * np.exp(-2j * psi)) / 1j
    design = design_lc(epsilon, 1.0, 4096, "lc_levelled")
    assert design.coupling_gain == pytest.approx(abs(coupled), rel=1e-5)
    assert abs(np.angle(coupled)) < 1e-8
    assert design.reference_gain == pytest.approx(abs(coupled), rel=1e-5)
    assert design.shil_gain == pytest.approx(abs(pumped), rel=1e-5)
    assert design.shil_phase == pytest.approx(np.angle(pumped), abs=1e-5)


@pytest.mark.parametrize("epsilon", [0.3, 2.0])
@pytest.mark.parametrize("devices", ["compiled", "behavioural"])
def test_coupled_cells_in_phase_are_free_cells_of_more_energy(
    compiling: Simulator, devices: Devices, epsilon: float
) -> None:
    """Each adds 2κ to the other's conductance: ε (1 − E) + 2κ = 0 at E = 1 + 2κ/ε, and no harmonics there either."""
    trained = core((1, 2), both_ways([(0, 1)]), 3.0, boundaries=(0.0, 1.0), symmetric=True)
    array = lc_core(trained, F0, 40, epsilon, 0.6)
    kappa = array.core.coupling[0, 0]
    waves = simulated(compiling, array, np.array([0.4, 0.4]), devices)
    phase, amplitude = phases_of(array, waves, np.array([20.5, 39.4]))
    np.testing.assert_allclose(amplitude, 0.6 * math.sqrt(1 + 2 * kappa / epsilon), rtol=2e-5)
    assert kappa / epsilon > 0.006, "there was something to see"
    np.testing.assert_allclose(np.diff(phase, axis=0), 0.0, atol=1e-4)


@pytest.mark.parametrize(("limiter", "epsilon", "left"), [("levelled", 0.04, 0.05), ("tanh", 0.08, 0.25)])
def test_what_a_weak_limiter_costs_is_what_the_ladder_says(
    compiling: Simulator, limiter: Limiter, epsilon: float, left: float
) -> None:
    """The envelope with the design's restoring rate; a differential pair's is only nearly linear in the energy."""
    cycles = 75
    trained = window_core(3, 3, radius=1, duration=4.0, chunks=2, seed=2)
    start = trained.initial_states(0, 1)
    array = lc_core(trained, F0, cycles, epsilon, family_name=LIMITED[limiter].family)
    rungs = ladder_of_lc(trained, cycles, array.design.restoring)
    assert [rung.name for rung in rungs] == ["amplitude dynamics", CIRCUIT]
    envelope = rungs[0].model
    assert envelope is not None
    at = np.linspace(0.6, cycles - 0.6, 11)
    phase, _ = phases_of(array, simulated(compiling, array, start), at)
    time = at / cycles * trained.duration
    departed = rms(on_circle(phase - trajectory(trained, start, time)))
    assert departed > 0.05
    assert rms(on_circle(phase - envelope.run(start, time))) < left * departed


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
