"""The cross-check: what it must say of trajectories whose errors are known, and of ngspice's own order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_core

from emulator import reference
from emulator.crosscheck import CrossCheck, crosscheck, difference
from emulator.ngspice import Deck, Simulation, Statistics
from emulator.simulator import Simulator
from emulator.trajectory import Trajectory, from_simulation
from emulator.verdict import COMPLETED
from netlists.compile import compile_core
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions, write_deck
from netlists.scaling import Scaling

TURN = 2 * np.pi
ROWS, WINDOWS = 100, 10


def still(shape: tuple[int, int] = (2, 3), duration: float = 4.0, bias: float = 0.0) -> AnalogCore:
    """A core where nothing happens, or only φ' = −B sin φ."""
    core = small_core(shape, 1, duration, strength=0.0)
    return replace(core, parameters={**core.parameters, "bias": np.full((1, core.nodes), bias)})


def solved(core: AnalogCore, start: Array | None = None, points: int = ROWS + 1) -> Trajectory:
    """The reference's own run."""
    time = np.linspace(0.0, core.duration, points)
    return Trajectory(
        time, reference.trajectory(core, core.initial_states(0, 0) if start is None else start, time)
    )


def check(core: AnalogCore, run: Trajectory) -> CrossCheck:
    return crosscheck(core, run, ROWS, WINDOWS)[0]


# --- trajectories whose errors are known


@pytest.mark.parametrize("chunks", [1, 3])
def test_the_reference_has_no_defect_and_no_error(chunks: int) -> None:
    core = small_core((4, 4), chunks, 4.0)
    found, states = crosscheck(core, solved(core), ROWS, WINDOWS)
    for figure in (found.global_max, found.end_rms, found.defect_max, found.worst_window):
        assert figure < 1e-8
    np.testing.assert_array_equal(found.final_reference, states[-1])
    assert found.row_time.shape == found.row_rms.shape == (ROWS + 1,)
    assert found.window_rms.shape == (WINDOWS,)


def test_an_error_at_one_window_edge() -> None:
    """One node is eps off at the edge of windows 4 and 5: 4 ends wrong, and 5 starts there and ends right."""
    core, eps = still(), 1e-3
    run = solved(core)
    run.state[40, 2] += eps
    found = check(core, run)
    expected = np.zeros(WINDOWS)
    expected[[3, 4]] = eps / np.sqrt(core.nodes)
    np.testing.assert_allclose(found.window_rms, expected, atol=1e-15)
    assert found.defect_rms == pytest.approx(eps * np.sqrt(2 / (core.nodes * WINDOWS)))
    assert found.defect_max == pytest.approx(eps)
    assert found.global_rms == pytest.approx(eps / np.sqrt(core.nodes * (ROWS + 1)))
    assert found.global_max == pytest.approx(eps)
    assert found.end_rms == 0
    assert np.flatnonzero(found.row_rms).tolist() == [40]


def test_an_error_between_window_edges_is_no_defect() -> None:
    core = still()
    run = solved(core)
    run.state[45, 2] += 1e-3
    found = check(core, run)
    assert found.defect_max == 0
    assert found.global_max == pytest.approx(1e-3)


def test_an_error_that_stays_is_the_defect_of_one_window_and_global_from_there_on() -> None:
    core, eps = still(), 1e-3
    run = solved(core)
    run.state[41:, :] += eps
    found = check(core, run)
    expected = np.zeros(WINDOWS)
    expected[4] = eps
    np.testing.assert_allclose(found.window_rms, expected, atol=1e-15)
    assert found.global_rms == pytest.approx(eps * np.sqrt(60 / 101))
    assert found.end_rms == pytest.approx(eps)


def test_an_error_at_a_window_start_reaches_its_end_as_the_dynamics_carry_it() -> None:
    """φ' = −B sin φ about 0 shrinks an error by exp(−B Δ) over a window of Δ."""
    core, eps, bias = still(bias=1.5), 1e-4, 1.5
    run = solved(core, np.zeros(core.nodes))
    run.state[40, 0] += eps
    found = check(core, run)
    np.testing.assert_allclose(found.window_rms[3], eps / np.sqrt(core.nodes), rtol=1e-6)
    carried = eps * np.exp(-bias * core.duration / WINDOWS)
    np.testing.assert_allclose(found.window_rms[4], carried / np.sqrt(core.nodes), rtol=1e-6)


def test_a_wrong_weight_is_a_defect_in_every_window() -> None:
    """A detuning off by ω makes each window of Δ end ωΔ away, and the run ωT."""
    core, omega = still(), 1e-3
    wrong = replace(core, parameters={**core.parameters, "detuning": np.full(core.nodes, omega)})
    found = check(core, solved(wrong))
    np.testing.assert_allclose(found.window_rms, omega * core.duration / WINDOWS, rtol=1e-6)
    assert found.end_rms == pytest.approx(omega * core.duration)


def test_whole_turns_are_no_error() -> None:
    core = small_core((3, 3), 2, 4.0)
    run = solved(core)
    turns = np.random.default_rng(0).integers(-3, 4, run.state.shape)
    turns[0] = 0
    found = check(core, Trajectory(run.time, run.state + TURN * turns))
    assert found.global_max < 1e-8
    assert found.defect_max < 1e-8


def test_a_turn_less_a_little_is_a_little() -> None:
    core = still()
    run = solved(core)
    run.state[30:, 1] += TURN - 1e-3
    found = check(core, run)
    assert found.global_max == pytest.approx(1e-3)
    assert found.defect_max == pytest.approx(1e-3)


@given(
    st.floats(-100, 100), st.floats(-100, 100), st.integers(-5, 5),
)  # fmt: skip
def test_differences_on_the_circle(a: float, b: float, turns: int) -> None:
    left, right = np.array([a]), np.array([b])
    error = difference(left, right, TURN)[0]
    assert abs(error) <= np.pi + 1e-9
    assert np.cos(error) == pytest.approx(np.cos(a - b), abs=1e-9)
    assert np.sin(error) == pytest.approx(np.sin(a - b), abs=1e-9)
    moved = difference(left + turns * TURN, right, TURN)[0]
    assert abs(np.exp(1j * moved) - np.exp(1j * error)) < 1e-9
    assert difference(left, right, None)[0] == a - b


@pytest.mark.parametrize("rate", [1.0, -1.0, 0.0])
def test_sensitivity_is_the_growth_of_the_linear_system(rate: float) -> None:
    """At the equilibrium 0, φ' = λ sin φ: a nudge grows as exp(λT)."""
    core = still(bias=-rate)
    found = check(core, solved(core, np.zeros(core.nodes)))
    assert found.sensitivity == pytest.approx(np.exp(rate * core.duration), rel=1e-4)
    assert found.defect_max < 1e-9


def test_sensitivity_does_not_hide_in_the_defect() -> None:
    """Near a saddle a small error decides the end: the global figure is large, the defect stays small."""
    core = still(bias=-2.0, duration=8.0)
    run = solved(core, np.full(core.nodes, 1e-5))
    other = solved(core, np.full(core.nodes, -1e-5))
    other.state[0] = run.state[0]
    found = check(core, other)
    assert found.global_max > 3
    assert found.worst_window < 1e-4
    assert found.sensitivity > 1e3


def test_fewer_time_points_than_windows_make_fewer_windows() -> None:
    core = small_core((2, 2), 1, 2.0)
    run = solved(core, points=5)
    found = crosscheck(core, run, ROWS, 50)[0]
    assert found.window_rms.shape == (4,)
    assert found.defect_max < 1e-8
    assert found.row_time.shape == (ROWS + 1,)


def test_a_run_of_two_points() -> None:
    core = small_core((2, 2), 2, 2.0)
    found = crosscheck(core, solved(core, points=2), ROWS, 50)[0]
    assert found.window_rms.shape == (1,)
    assert found.worst_window < 1e-8


# --- trajectories


@given(
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=30),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9),
)
def test_nearest_time_points(steps: list[float], where: list[float]) -> None:
    time = np.concatenate([[0.0], np.cumsum(steps)])
    run = Trajectory(time, np.zeros((len(time), 1)))
    asked = np.array(where) * time[-1]
    found = run.nearest(asked)
    np.testing.assert_allclose(
        np.abs(time[found] - asked), np.abs(time[:, None] - asked).min(axis=0), atol=1e-12
    )
    rows = run.rows(7)
    assert rows.time[0] == 0
    assert rows.time[-1] == time[-1]


def test_the_start_is_put_before_what_ngspice_records() -> None:
    scaling = Scaling.model_validate({"tau": 1e-3})
    for first in (0.0, 1e-9):
        time = np.array([first, 1e-3, 2e-3 * (1 + 1e-12)])
        values = np.array([[5.0], [6.0], [7.0]])
        simulation = Simulation(COMPLETED, time, values, Statistics(), "46")
        run = from_simulation(simulation, np.array([4.0]), scaling, 2.0)
        assert run.time[0] == 0
        assert run.time[-1] == 2.0
        assert (np.diff(run.time) > 0).all()
        assert run.state[0] == 4.0
        assert run.state[-1] == 7.0
        assert time[-1] == 2e-3 * (1 + 1e-12), "the simulation itself is left alone"


# --- ngspice's order, through the whole chain


@pytest.fixture(scope="module")
def worker() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def defect(worker: Simulator, core: AnalogCore, reltol: float, rows: int, extra: str = "") -> float:
    """The rms defect of a run in ngspice with the given tolerance and step limit."""
    scaling = Scaling.model_validate({})
    circuit, start = compile_core(core, scaling), core.initial_states(0, 0)
    text = write_deck(circuit, SolverOptions(reltol=reltol, rows=rows), start)
    text = text.replace("\n.options ", f"\n.options {extra} ", 1)
    simulation = worker.simulate(Deck(text, circuit.state_nodes, circuit.stop), limit_s=60)
    assert simulation.judgement.completed, simulation.judgement.reason
    return crosscheck(core, from_simulation(simulation, start, scaling, core.duration), 50)[0].defect_rms


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_defect_shrinks_with_the_tolerance(worker: Simulator, seed: int) -> None:
    """The trapezoidal rule's local error goes as h³ and is held at reltol: h ~ reltol^⅓, the defect ~ h².

    Measured between 2⁻¹⁸ and 2⁻²⁴ (above, the step limit rules): slopes 0.66, 0.67, 0.66 (ngspice 46 and 39).
    """
    core = small_core((6, 6), 2, 4.0, seed=seed)
    tolerances = 2.0 ** -np.arange(18, 25, 1.5)
    found = [defect(worker, core, float(reltol), 50) for reltol in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(found), 1)[0]
    assert 0.60 < slope < 0.73


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_defect_shrinks_with_the_square_of_the_step(worker: Simulator, seed: int) -> None:
    """Steps at the limit, Newton to 1e-12: nothing is left but the rule's own error, which goes as h².

    Measured: slopes -1.98, -1.97, -1.97 (ngspice 46 and 39).
    """
    core = small_core((6, 6), 2, 4.0, seed=seed)
    steps = np.array([50, 100, 200, 400])
    found = [defect(worker, core, 1e-12, int(rows), "trtol=1e12") for rows in steps]
    slope = np.polyfit(np.log(steps), np.log(found), 1)[0]
    assert -2.05 < slope < -1.92
