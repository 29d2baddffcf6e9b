"""How networks with quartic wells come to rest from 0: the reference against closed forms and another solver."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import random_network
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from emulator.thermo.descent import NEAR_A_SADDLE, SETTLING, descent
from emulator.thermo.equilibrium import equilibrium, equilibrium_near, hessian
from emulator.thermo.heun import drift
from netlists.core import Array
from netlists.network import LangevinNetwork, one_module


def well(quadratic: float, quartic: float, force: float) -> LangevinNetwork:
    """A node by itself."""
    ones = np.ones(1)
    return one_module(np.zeros((1, 1)), quadratic * ones, quartic * ones, force * ones, 1.0, [0])


def bistable(sizes: tuple[int, ...] = (5, 4), seed: int = 3) -> LangevinNetwork:
    """Modules and a skip, so far below 0 in some directions that there are several equilibria."""
    network = random_network(sizes, rank=2, quartic=0.2, seed=seed)
    return replace(
        network, modules=tuple(replace(each, quadratic=each.quadratic - 0.8) for each in network.modules)
    )


def potential(network: LangevinNetwork, states: Array) -> Array:
    return np.asarray(
        ((states @ network.matrix) * states).sum(axis=-1) / 2
        + states**4 @ network.quartic
        - states @ network.bias
    )


@given(seed=st.integers(0, 10**6), several=st.booleans())
@settings(max_examples=20, deadline=None)
def test_another_stiff_solver_goes_the_same_way(seed: int, several: bool) -> None:
    """Radau on the drift of the stochastic solver, at the same times."""
    network = bistable(seed=seed) if several else random_network((5, 4), rank=2, quartic=0.3, seed=seed)
    way = descent(network, network.bias)
    times = np.linspace(0, way.duration, 9)
    f = drift(network)
    other = solve_ivp(
        lambda _, x: f(x), (0, times[-1]), np.zeros(9), "Radau", times, rtol=1e-10, atol=1e-12,
        jac=lambda _, x: -hessian(network, x),
    )  # fmt: skip
    # either errs by its tolerance a step, which the way then makes the more of
    np.testing.assert_allclose(way.at(times), other.y.T, rtol=0, atol=1e-7 * way.sensitivity)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_it_goes_down_to_a_minimum(seed: int) -> None:
    network = bistable(seed=seed)
    way = descent(network, network.bias)
    np.testing.assert_allclose(drift(network)(way.rest), 0, atol=1e-10)
    np.testing.assert_allclose(
        way.rates, np.linalg.eigvalsh(hessian(network, way.rest)), rtol=1e-9, atol=1e-9
    )
    assert way.rates[0] > 0
    heights = potential(network, way.at(np.linspace(0, way.duration, 50)))
    assert (np.diff(heights) < 1e-9).all()
    left = np.linalg.norm(way.at(np.array([0.5, 1.0]) * way.duration) - way.rest, axis=1)
    assert left[1] == pytest.approx(math.exp(-SETTLING) * np.linalg.norm(way.rest), rel=0.02)
    assert left[0] > left[1]


def test_of_one_equilibrium_it_is_newtons() -> None:
    network = random_network((7, 4), rank=2, quartic=0.4, seed=5)
    way = descent(network, network.bias)
    np.testing.assert_allclose(way.rest, equilibrium(network, network.bias[None])[0], rtol=1e-10)
    assert way.sensitivity == 1
    assert way.close_call == ""


def test_almost_without_wells_it_lasts_as_long_as_the_slowest_mode_says() -> None:
    network = one_module(np.zeros((2, 2)), np.array([0.5, 2.0]), np.full(2, 1e-9), np.ones(2), 1.0, [0])
    assert descent(network, network.bias).duration == pytest.approx(SETTLING, rel=1e-3)


def test_time_through_a_pure_well_is_that_of_quadrature() -> None:
    """t(x) = ∫ dx/(b − 4c x³), without a quadratic part: no spectrum of M says anything of it."""
    c, b = 0.3, 0.7
    way = descent(network := well(0.0, c, b), network.bias)
    rest = math.cbrt(b / (4 * c))
    assert way.rest[0] == pytest.approx(rest, rel=1e-12)
    assert way.rates[0] == pytest.approx(12 * c * rest**2, rel=1e-12)
    time, _ = quad(lambda x: 1 / (b - 4 * c * x**3), 0, rest * (1 - math.exp(-SETTLING)), limit=200)
    assert way.duration == pytest.approx(time, rel=2e-3)
    assert way.at(np.array([time]))[0, 0] == pytest.approx(rest * (1 - math.exp(-SETTLING)), rel=1e-8)


@pytest.mark.parametrize("force", [0.3, 0.01, 1e-6])
def test_growth_next_to_a_saddle_is_the_flows_own(force: float) -> None:
    """x' = f(x) of one node: dx(t)/dx(0) = f(x(t))/f(0), at most where f is; f(0) is the force."""
    a, c = 1.0, 0.25
    way = descent(network := well(-a, c, force), network.bias)
    steepest = math.sqrt(a / (6 * c))
    wanted = (force + 2 * a * steepest - 4 * c * steepest**3) / force
    assert way.sensitivity == pytest.approx(wanted, rel=0.02)
    assert ("separatrix" in way.close_call) == (wanted > NEAR_A_SADDLE)
    assert way.rest[0] == pytest.approx(brentq(lambda x: force + 2 * a * x - 4 * c * x**3, 1, 3), rel=1e-9)


def test_the_side_that_the_force_is_on_is_where_it_goes() -> None:
    for sign in (1, -1):
        network = well(-1.0, 0.25, sign * 1e-7)
        assert sign * descent(network, network.bias).rest[0] > 1.4
    # a second node that holds the first, against its own small force
    coupling = np.array([[0.0, -0.5], [-0.5, 0.0]])
    network = one_module(coupling, np.full(2, -1.0), np.full(2, 0.25), np.array([-0.01, 0.5]), 1.0, [0, 1])
    assert (descent(network, network.bias).rest > 1).all()


def test_without_a_push_a_saddle_is_where_it_stays() -> None:
    network = well(-1.0, 0.25, 0.0)
    way = descent(network, network.bias)
    assert way.rest[0] == 0
    assert way.rates[0] == -2
    assert "a saddle, of rate -2" in way.close_call
    pair = one_module(np.zeros((2, 2)), np.full(2, -1.0), np.full(2, 0.25), np.array([0.5, 0.0]), 1.0, [0, 1])
    way = descent(pair, pair.bias)
    assert way.rest[1] == 0
    assert way.rest[0] > 1.4
    assert way.rates[0] == pytest.approx(-2)
    flat = descent(well(0.0, 0.25, 0.0), np.zeros(1))  # nothing pushes and nothing pulls
    assert (flat.rest[0], flat.rates[0], flat.close_call) == (0, 0, "")


def test_what_is_pushed_where_nothing_holds_is_no_equilibrium() -> None:
    none, wells = np.zeros(2), np.full(2, 0.3)
    assert equilibrium_near(np.zeros((2, 2)), wells, np.array([0.5, 0.5]), none) is None
    assert equilibrium_near(np.diag([1.0, 0.0]), np.array([0.3, 0.0]), np.array([0.5, 0.5]), none) is None
    found = equilibrium_near(np.zeros((2, 2)), wells, np.array([0.5, 0.0]), np.array([1.0, 0.0]))
    assert found is not None
    np.testing.assert_allclose(found, [np.cbrt(0.5 / 1.2), 0], rtol=1e-12)


def test_newton_finds_what_it_is_next_to() -> None:
    network = well(-1.0, 0.25, 0.1)
    force = network.bias
    roots = np.sort(np.roots([1.0, 0.0, -2.0, -0.1]).real)  # of 4 · 0.25 x³ − 2 x − 0.1
    for root in roots:
        found = equilibrium_near(network.matrix, network.quartic, force, np.array([root + 0.02]))
        assert found is not None
        assert found[0] == pytest.approx(root, rel=1e-9)
