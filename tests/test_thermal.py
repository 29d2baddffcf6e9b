"""Settling and averaging: closed forms against definitions, integrals and sampled paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.linalg import expm
from substrates import one_node, random_network

from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.ornstein_uhlenbeck import ornstein_uhlenbeck
from emulator.thermo.thermal import (
    averaged_noise,
    averaged_variance,
    averaging,
    distances,
    settling,
    signal_between_inputs,
)


@given(quadratic=st.floats(0.01, 10), tolerance=st.floats(1e-6, 0.5))
def test_one_node_settles_as_one_exponential(quadratic: float, tolerance: float) -> None:
    network = one_node(quadratic, bias=2.0)
    found = settling(network, equilibrium(network, network.bias[None]), tolerance)
    assert found.slowest == pytest.approx(1 / (2 * quadratic))
    assert found.time == pytest.approx(np.log(1 / tolerance) / (2 * quadratic), rel=1e-6)
    assert found.bound == pytest.approx(found.time, rel=1e-6)


def test_distance_by_its_definition() -> None:
    network = random_network(0)
    rest = equilibrium(network, np.random.default_rng(0).standard_normal((3, network.nodes)))
    time = 1.7
    left = rest @ expm(-network.matrix * time)
    shown = network.visible
    expected = np.mean(np.linalg.norm(left[:, shown], axis=1) / np.linalg.norm(rest[:, shown], axis=1))
    assert distances(network, rest, np.array([time]))[0] == pytest.approx(expected, rel=1e-10)


@given(seed=st.integers(0, 10**6))
def test_settled_is_for_good(seed: int) -> None:
    network = random_network(seed)
    rest = equilibrium(network, np.random.default_rng(seed).standard_normal((3, network.nodes)))
    found = settling(network, rest)
    at, after = distances(network, rest, np.array([found.time])), found.time * np.linspace(1.001, 5, 50)
    assert at[0] == pytest.approx(found.tolerance, rel=1e-6)
    assert (distances(network, rest, after) < found.tolerance).all()


def test_variance_of_an_average_is_the_mean_of_the_autocorrelation() -> None:
    rate, kt, time = 0.8, 0.6, 2.5
    integral, _ = dblquad(lambda s, t: kt / rate * np.exp(-rate * abs(s - t)), 0, time, 0, time, epsabs=1e-6)
    assert averaged_variance(np.array([rate]), kt, time)[0] == pytest.approx(integral / time**2, rel=1e-4)


def test_short_averages_are_instants() -> None:
    """Where the closed form cancels: a series takes over without a step."""
    rates = np.array([1.0])
    around = [averaged_variance(rates, 1.0, t)[0] for t in (0.0, 0.99999e-4, 1.00001e-4)]
    assert around[0] == 1
    assert around[1] == pytest.approx(around[2], rel=1e-9)
    assert around[1] == pytest.approx(1 - 1e-4 / 3, rel=1e-8)


def test_averages_of_paths_scatter_as_much() -> None:
    """Exact paths on a fine grid, averaged by the trapezoidal rule, over many walkers."""
    network = random_network(1, (4, 3), 2)
    process, walkers, length = ornstein_uhlenbeck(network), 4000, 6.0
    generator = np.random.default_rng(0)
    start = process.path(np.zeros((walkers, 7)), np.array([200.0]), generator)[0]  # as good as stationary
    grid = np.linspace(0, length, 121)[1:]
    path = np.concatenate([start[None], process.path(start, grid, generator)])
    averages = np.trapezoid(path, dx=length / 120, axis=0) / length
    rest = equilibrium(network, network.bias[None])[0]
    found = np.sqrt(np.mean((averages - rest)[:, network.visible] ** 2))
    # 4000 walkers of three nodes: 1 % of a standard deviation
    assert found == pytest.approx(averaged_noise(network, np.array([length]))[0], rel=0.03)


@given(seed=st.integers(0, 10**6), signal=st.floats(0.001, 0.1), ratio=st.sampled_from([0.1, 1.0]))
def test_the_criterion_is_met(seed: int, signal: float, ratio: float) -> None:
    network = random_network(seed, kt=0.5)
    found = averaging(network, signal, ratio)
    covariance = ornstein_uhlenbeck(network).stationary_covariance()
    shown = network.visible
    assert found.noise**2 == pytest.approx(np.mean(np.diag(covariance)[shown]), rel=1e-9)
    assert found.noise / np.sqrt(found.samples) == pytest.approx(ratio * signal, rel=1e-9)
    assert averaged_noise(network, np.array([found.time]))[0] == pytest.approx(ratio * signal, rel=1e-6)
    # a long average is worth one independent readout every two correlation times
    assert found.time == pytest.approx(2 * found.correlation_time * found.samples, rel=0.1)
    assert found.kt_of_one == pytest.approx(0.5 / found.samples, rel=1e-9)


def test_a_signal_above_the_noise_needs_one_look() -> None:
    network = one_node(1.0, kt=0.02)
    found = averaging(network, 1.0)
    assert (found.samples, found.time) == (1.0, 0.0)
    assert found.kt_of_one == pytest.approx(2.0)
    assert averaging(one_node(1.0, kt=0.0), 1.0).noise == 0


def test_what_tells_inputs_apart_is_without_their_mean() -> None:
    d = np.random.default_rng(0).normal(5.0, 0.3, (2000, 4))
    assert signal_between_inputs(d) == pytest.approx(0.3, rel=0.05)
    assert signal_between_inputs(d + np.arange(4)) == pytest.approx(signal_between_inputs(d), rel=1e-9)
