"""The reference: against the trainer's own endpoints, the equation written out, and closed forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import family_core, small_core

from device_models.families import FAMILIES
from emulator.crosscheck import difference
from emulator.reference import RATES, ReferenceFailed, kurashil_rate, propagate, trajectory
from netlists.core import AnalogCore, Array
from netlists.weights import read_weights

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits16-kurashil.h5"
TURN = 2 * np.pi


def two(
    forward: float, back: float, *, detuning: tuple[float, float] = (0.0, 0.0), bias: float = 0.0,
    shil: float = 0.0, duration: float = 3.0,
) -> AnalogCore:  # fmt: skip
    """Two oscillators: 0 receives from 1 with weight ``forward``, 1 from 0 with ``back``."""
    return replace(
        small_core((1, 2), 1, duration),
        edges=np.array([[0, 1], [1, 0]]),
        coupling=np.array([[forward, back]]),
        parameters={
            "shil": np.full((1, 2), shil),
            "bias": np.full((1, 2), bias),
            "detuning": np.array(detuning),
        },
        symmetric=forward == back,
    )


def slow_rate(core: AnalogCore, chunk: int, x: Array) -> Array:
    """Every family's equation as its source writes it, term by term."""
    rate = np.zeros(core.nodes)
    value = {
        name: np.broadcast_to(v, (core.chunks, core.nodes))[chunk] for name, v in core.parameters.items()
    }
    for i in range(core.nodes):
        neighbours = [
            (core.coupling[chunk, edge], x[core.edges[edge, 1]])
            for edge in range(len(core.edges))
            if core.edges[edge, 0] == i
        ]
        p = {name: v[i] for name, v in value.items()}
        if core.family_name in ("kurashil", "kuramoto"):
            rate[i] = p["detuning"] - p["bias"] * np.sin(x[i])
            for k, other in neighbours:
                rate[i] -= k * np.sin(x[i] - other)
            if core.family_name == "kurashil":
                rate[i] -= p["shil"] * np.sin(2 * x[i])
        elif core.family_name == "polynomial_ising":
            rate[i] = p["alpha"] * x[i] - x[i] ** 3 + p["beta"] * sum(k * other for k, other in neighbours)
        elif core.family_name == "tanh_ising":
            field = p["alpha"] * x[i] + p["beta"] * sum(k * other for k, other in neighbours)
            rate[i] = -x[i] + np.tanh(field)
        elif core.family_name == "tanh_feature_ising":
            rate[i] = -x[i] + sum(k * np.tanh(p["gain"] * other) for k, other in neighbours)
        elif core.family_name == "langevin":
            rate[i] = p["bias"] - 2 * p["quadratic"] * x[i] - 4 * p["quartic"] * x[i] ** 3
            rate[i] -= sum(k * other for k, other in neighbours)
        else:
            pytest.fail(f"{core.family_name} has no equation here")
    return rate


# --- against whoever trained the weights


def test_the_trainers_endpoints_are_met_with_the_trainers_steps() -> None:
    """Heun, 16 steps a chunk, in float32, is what the trainer did: signs, chunks and scale must be ours.

    What is left is float32's rounding, grown by up to a few thousand where a start passes near a saddle.
    """
    weights = read_weights(EXAMPLE)
    core, starts, ends = weights.core, weights.check["initial"], weights.check["final_heun64"]
    phase = starts.T.copy()
    for chunk in range(core.chunks):
        rate = kurashil_rate(core, chunk)
        h = (core.boundaries[chunk + 1] - core.boundaries[chunk]) / 16
        for _ in range(16):
            slope = rate(phase)
            phase = phase + h / 2 * (slope + rate(phase + h * slope))
    error = np.abs(difference(phase.T, ends, TURN))
    assert np.median(error) < 1e-6  # 2.6e-7, two units in the last place of a float32 phase
    assert np.quantile(error, 0.99) < 2e-4  # 4.6e-5
    assert error.max() < 1e-2  # 3.1e-3

    wrong = kurashil_rate(replace(core, coupling=-core.coupling), 0)(starts.T)
    assert np.abs(wrong - kurashil_rate(core, 0)(starts.T)).max() > 1, "the signs would have shown"


def test_the_trainers_endpoints_are_near_the_exact_ones() -> None:
    """Sixteen Heun steps a chunk are coarse: a median error of about 0.02 rad is the trainer's own."""
    weights = read_weights(EXAMPLE)
    core, some = weights.core, slice(0, 6)
    starts = weights.check["initial"][some]
    exact = propagate(core, starts, np.zeros(6), np.full(6, core.duration))
    error = np.abs(difference(exact, weights.check["final_heun64"][some], TURN))
    assert np.median(error) < 0.05
    assert np.mean(error < 0.5) > 0.9


# --- against the equation


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_rate_is_the_equation(family: str, symmetric: bool) -> None:
    core = family_core(family, symmetric=symmetric, seed=3)
    states = np.random.default_rng(0).uniform(-4, 4, (core.nodes, 5))
    for chunk in range(core.chunks):
        rates = RATES[family](core, chunk)(states)
        for column in range(5):
            expected = slow_rate(core, chunk, states[:, column])
            np.testing.assert_allclose(rates[:, column], expected, rtol=1e-13, atol=1e-13)


def test_an_edge_acts_on_its_first_node_alone() -> None:
    core = two(1.0, 0.0)
    rate = kurashil_rate(core, 0)(np.array([[0.0], [0.5]]))[:, 0]
    np.testing.assert_allclose(rate, [np.sin(0.5), 0.0], atol=1e-15)


# --- against closed forms


def test_two_passive_oscillators_attract() -> None:
    """With K both ways, δ = φ_0 − φ_1 obeys δ' = −2K sin δ: tan(δ/2) decays as exp(−2Kt); the mean stays."""
    core, times = two(0.7, 0.7), np.linspace(0, 3, 13)
    start = np.array([1.2, -1.3])
    states = trajectory(core, start, times)
    delta = 2 * np.arctan(np.tan((start[0] - start[1]) / 2) * np.exp(-2 * 0.7 * times))
    np.testing.assert_allclose(states[:, 0] - states[:, 1], delta, atol=1e-9)
    np.testing.assert_allclose(states.sum(axis=1), start.sum(), atol=1e-9)


def test_one_directed_coupler_moves_one_oscillator() -> None:
    core, times = two(0.7, 0.0), np.linspace(0, 3, 13)
    start = np.array([1.2, -1.3])
    states = trajectory(core, start, times)
    np.testing.assert_allclose(states[:, 1], start[1], atol=1e-15)
    delta = 2 * np.arctan(np.tan(1.25) * np.exp(-0.7 * times))
    np.testing.assert_allclose(states[:, 0] - states[:, 1], delta, atol=1e-9)


def test_detuned_oscillators_slip_at_adlers_beat() -> None:
    """δ' = Δω − 2K sin δ with Δω > 2K turns once in 2π / √(Δω² − 4K²)."""
    beat = TURN / np.sqrt(2.0**2 - 4 * 0.6**2)
    core = two(0.6, 0.6, detuning=(1.0, -1.0), duration=4 * beat)
    states = trajectory(core, np.array([0.3, 0.0]), np.linspace(0, 4 * beat, 5))
    turns = (states[:, 0] - states[:, 1] - 0.3) / TURN
    np.testing.assert_allclose(turns, np.arange(5), atol=1e-8)


def test_injection_alone_follows_its_closed_form() -> None:
    """φ' = −S sin 2φ: tan φ decays as exp(−2St), to whichever of 0 and π is nearer."""
    core, times = two(0.0, 0.0, shil=0.9), np.linspace(0, 3, 7)
    states = trajectory(core, np.array([1.4, np.pi - 1.4]), times)
    expected = np.arctan(np.tan(1.4) * np.exp(-1.8 * times))
    np.testing.assert_allclose(states[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(states[:, 1], np.pi - expected, atol=1e-9)


def test_identical_oscillators_all_to_all_follow_watanabe_and_strogatz() -> None:
    """N identical oscillators under K/N all to all: cross-ratios of exp(iφ) are constants of the motion."""
    nodes = 6
    edges = np.array([(i, j) for i in range(nodes) for j in range(nodes) if i != j])
    core = replace(
        small_core((2, 3), 1, 4.0),
        edges=edges, coupling=np.full((1, len(edges)), 1.0 / nodes),
        parameters={"shil": np.zeros((1, 6)), "bias": np.zeros((1, 6)), "detuning": np.zeros(6)},
    )  # fmt: skip
    start = np.random.default_rng(1).uniform(-np.pi, np.pi, nodes)

    def cross_ratio(phase: Array) -> Array:
        z = np.exp(1j * phase)
        return np.abs((z[0] - z[2]) * (z[1] - z[3]) / ((z[0] - z[3]) * (z[1] - z[2])))

    states = trajectory(core, start, np.linspace(0, 4, 9))
    ratios = [cross_ratio(state) for state in states]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-7)
    coherence = np.abs(np.exp(1j * states).mean(axis=1))
    assert (np.diff(coherence) > 0).all()


def test_weights_change_at_the_chunk_boundaries() -> None:
    """Injection that changes sign at half time undoes itself: tan φ grows back along the way it came."""
    core = replace(
        two(0.0, 0.0, duration=2.0),
        boundaries=np.array([0.0, 1.0, 2.0]),
        coupling=np.zeros((2, 2)),
        parameters={
            "shil": np.array([[0.8, 0.8], [-0.8, -0.8]]), "bias": np.zeros((2, 2)), "detuning": np.zeros(2),
        },
    )  # fmt: skip
    start = np.array([1.1, -0.4])
    states = trajectory(core, start, np.array([0.0, 0.5, 1.0, 1.5, 2.0]))
    np.testing.assert_allclose(states[4], start, atol=1e-9)
    np.testing.assert_allclose(states[3], states[1], atol=1e-9)
    np.testing.assert_allclose(np.tan(states[2]), np.tan(start) * np.exp(-1.6), atol=1e-9)


# --- its own accuracy, and the two ways to ask it


def test_a_tighter_tolerance_changes_nothing_that_matters() -> None:
    core = small_core((4, 4), 2, 6.0, strength=1.0)
    start, times = core.initial_states(0, 0), np.linspace(0, 6, 31)
    usual = trajectory(core, start, times)
    np.testing.assert_allclose(usual, trajectory(core, start, times, rtol=1e-13), rtol=0, atol=1e-8)


def test_windows_equal_the_trajectory_from_the_same_starts() -> None:
    """Also windows that straddle one or two chunk boundaries, end on one, are empty, or cover the run."""
    core = small_core((3, 3), 3, 6.0)  # boundaries 0, 2, 4, 6
    times = np.array([0.0, 0.3, 1.9, 2.0, 2.1, 3.5, 4.0, 5.7, 6.0])
    states = trajectory(core, core.initial_states(1, 0), times)
    pairs = [(a, b) for a in range(len(times)) for b in range(a, len(times))]
    first, last = np.array(pairs).T
    arrived = propagate(core, states[first], times[first], times[last])
    np.testing.assert_allclose(arrived, states[last], rtol=0, atol=1e-8)


def test_windows_do_not_disturb_one_another() -> None:
    core = small_core((3, 3), 2, 2.0)
    starts = np.random.default_rng(0).uniform(-3, 3, (5, core.nodes))
    begin, end = np.array([0.0, 0.5, 0.9, 1.0, 1.5]), np.array([2.0, 0.7, 1.1, 1.2, 2.0])
    together = propagate(core, starts, begin, end)
    for k in range(5):
        alone = propagate(core, starts[k : k + 1], begin[k : k + 1], end[k : k + 1])[0]
        np.testing.assert_allclose(together[k], alone, rtol=0, atol=1e-9)


def test_rows_may_be_asked_anywhere_and_repeatedly() -> None:
    core = small_core((2, 2), 2, 2.0)
    start = core.initial_states(0, 0)
    whole = trajectory(core, start, np.linspace(0, 2, 9))
    np.testing.assert_allclose(trajectory(core, start, np.array([1.25]))[0], whole[5], atol=1e-9)
    repeated = trajectory(core, start, np.array([0.0, 0.0, 0.5, 0.5, 2.0]))
    np.testing.assert_allclose(repeated, whole[[0, 0, 2, 2, 8]], atol=1e-9)


def test_no_node_is_forgotten_without_couplings() -> None:
    core = replace(
        small_core((2, 2), 1, 1.0), edges=np.empty((0, 2), dtype=np.int64), coupling=np.empty((1, 0))
    )
    states = trajectory(core, np.zeros(4), np.array([0.0, 1.0]))
    assert np.isfinite(states).all()


@pytest.mark.parametrize("strength", [1e150, 1e200, 1e308])
def test_rates_beyond_any_solver_are_refused_and_not_tried_for_ever(strength: float) -> None:
    core = two(strength, strength, bias=strength, shil=strength)
    with pytest.raises(ReferenceFailed, match="per model time unit is beyond DOP853"):
        trajectory(core, np.array([0.5, 1.0]), np.array([0.0, 1.0]))
    with pytest.raises(ReferenceFailed, match="per model time unit is beyond DOP853"):
        propagate(core, np.array([[0.5, 1.0]]), np.zeros(1), np.ones(1))


def test_a_solver_that_gives_up_says_so() -> None:
    core = replace(
        two(0.0, 0.0, duration=2.0),
        boundaries=np.array([0.0, 1.0, 2.0]),
        coupling=np.array([[0.0, 0.0], [1e30, 1e30]]),
        parameters={"shil": np.zeros((2, 2)), "bias": np.zeros((2, 2)), "detuning": np.zeros(2)},
    )
    with pytest.raises(ReferenceFailed, match="the reference solver DOP853 stopped: Required step size"):
        trajectory(core, np.array([0.5, 1.0]), np.array([0.0, 2.0]))
