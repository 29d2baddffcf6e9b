"""Langevin networks as data: the system matrix, its spectrum, and what can't be one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from substrates import one_node, random_network

from netlists.core import Array
from netlists.network import (
    LangevinNetwork,
    Module,
    NetworkError,
    Skip,
    one_module,
    require_confining,
    spectrum,
)


def potential(network: LangevinNetwork, x: Array) -> float:
    """V written out from the papers, without the matrix."""
    total = -float(network.bias @ x)
    parts = [x[network.span(k)] for k in range(len(network.modules))]
    for module, part in zip(network.modules, parts, strict=True):
        total += float(module.quadratic @ part**2 + module.quartic @ part**4 + part @ module.coupling @ part)
    for skip in network.skips:
        total += float((parts[skip.onto] @ skip.left) @ (parts[skip.other] @ skip.right))
    return total


@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
)
def test_the_force_is_minus_the_potentials_slope(seed: int, sizes: tuple[int, ...]) -> None:
    network = random_network(seed, sizes, rank=1, quartic=0.3)
    x = np.random.default_rng(seed).standard_normal(network.nodes)
    force = network.bias - network.matrix @ x - 4 * network.quartic * x**3
    step = 1e-5
    for node in range(network.nodes):
        move = step * np.eye(network.nodes)[node]
        slope = (potential(network, x + move) - potential(network, x - move)) / (2 * step)
        assert force[node] == pytest.approx(-slope, abs=1e-7)


def test_the_matrix_by_hand() -> None:
    left, right = (
        Module(n, np.array([[c]]), np.array([q]), np.zeros(1))
        for n, c, q in (("x", 0.5, 0.1), ("y", 0.2, 0.3))
    )
    skip = Skip(0, 1, np.array([[2.0]]), np.array([[0.25]]))
    network = LangevinNetwork((left, right), (skip,), np.zeros(2), 1.0, np.array([1]))
    np.testing.assert_allclose(network.matrix, [[0.2 + 1.0, 0.5], [0.5, 0.6 + 0.4]], rtol=1e-15)
    mean, half = 1.1, np.hypot(0.1, 0.5)
    found = network.spectrum
    np.testing.assert_allclose(found.eigenvalues, [mean - half, mean + half], rtol=1e-13)
    assert found.condition == pytest.approx((mean + half) / (mean - half))


def test_margin_is_what_the_diagonal_may_lose() -> None:
    network = random_network(1)
    margin = network.spectrum.smallest
    less, more = (network.matrix - f * margin * np.eye(network.nodes) for f in (0.999, 1.001))
    assert spectrum(less).positive
    assert not spectrum(more).positive
    assert spectrum(more).condition == np.inf


def test_rounding_is_no_margin() -> None:
    factor = np.random.default_rng(0).standard_normal((6, 3))
    assert not spectrum(factor @ factor.T).positive  # rank 3: three eigenvalues are zero but for rounding


def square(nodes: int = 3) -> Array:
    return 0.1 * np.eye(nodes)


def module(name: str = "m", nodes: int = 3, **changed: Array) -> Module:
    return Module(
        **{
            "name": name,
            "coupling": square(nodes),
            "quadratic": np.ones(nodes),
            "quartic": np.zeros(nodes),
            **changed,
        }
    )  # type: ignore[arg-type]


def joined(skip: Skip) -> LangevinNetwork:
    return LangevinNetwork((module("a"), module("b", 2)), (skip,), np.zeros(5), 1.0, np.array([4]))


def uneven() -> Array:
    coupling = square()
    coupling[0, 2] = 0.25
    return coupling


BAD: list[tuple[Callable[[], object], str]] = [
    (
        lambda: module(coupling=np.zeros((3, 2))),
        r"module 'm': coupling has shape \(3, 2\); expected a square",
    ),
    (lambda: module(coupling=np.zeros(9)), r"module 'm': coupling has shape \(9,\); expected a square"),
    (
        lambda: module(coupling=uneven()),
        r"module 'm': coupling is not symmetric, J\[0, 2\] = 0.25 and J\[2, 0\] = 0; ",
    ),
    (
        lambda: module(coupling=square() + 0j),
        "module 'm': coupling has dtype complex128; expected real numbers",
    ),
    (
        lambda: module(coupling=np.full((3, 3), np.nan)),
        r"module 'm': coupling: 9 of 9 values are NaN .* at \(0, 0\)",
    ),
    (lambda: module(quadratic=np.ones(4)), r"module 'm': quadratic has shape \(4,\); expected \(3,\)"),
    (
        lambda: module(quadratic=np.array([1, np.inf, 1])),
        r"module 'm': quadratic: 1 of 3 .* the first at \(1,\)",
    ),
    (lambda: module(quartic=np.ones((3, 1))), r"module 'm': quartic has shape \(3, 1\); expected \(3,\)"),
    (
        lambda: module(quartic=np.array([0, -0.5, 0])),
        "quartic is negative at 1 nodes, the first node 1 with J4 = -0.5",
    ),
    (
        lambda: joined(Skip(0, 2, np.ones((3, 1)), np.ones((2, 1)))),
        "skip 0: other is module 2; expected 0 to 1",
    ),
    (lambda: joined(Skip(1, 1, np.ones((2, 1)), np.ones((2, 1)))), "skip 0: joins module 1 to itself"),
    (
        lambda: joined(Skip(0, 1, np.ones((2, 1)), np.ones((2, 1)))),
        r"skip 0: left has shape \(2, 1\); expected \(3, k\), a row for each node of module 'a'",
    ),
    (
        lambda: joined(Skip(0, 1, np.ones((3, 2)), np.ones((2, 1)))),
        "skip 0: left has rank 2 and right 1; expected the same",
    ),
    (
        lambda: joined(Skip(0, 1, np.ones((3, 3)), np.ones((2, 3)))),
        "skip 0: has rank 3; expected at most 2, the smaller dimension",
    ),
    (lambda: joined(Skip(0, 1, np.ones((3, 1)) * 1j, np.ones((2, 1)))), "skip 0: left has dtype complex128"),
    (lambda: LangevinNetwork((), (), np.zeros(0), 1.0, np.array([0])), "no modules; expected at least one"),
    (
        lambda: LangevinNetwork((module(),), (), np.zeros(2), 1.0, np.array([0])),
        r"bias has shape \(2,\); expected \(3,\)",
    ),
    (
        lambda: LangevinNetwork((module(),), (), np.zeros(3), -1.0, np.array([0])),
        "temperature kT is -1.0; expected",
    ),
    (
        lambda: LangevinNetwork((module(),), (), np.zeros(3), np.nan, np.array([0])),
        "temperature kT is nan; expected",
    ),
    (
        lambda: LangevinNetwork((module(),), (), np.zeros(3), 1.0, np.array([1, 3])),
        "visible has nodes 1 to 3, 2 different among 2; expected different nodes from 0 to 2",
    ),
    (lambda: LangevinNetwork((module(),), (), np.zeros(3), 1.0, np.array([1, 1])), "1 different among 2"),
    (lambda: LangevinNetwork((module(),), (), np.zeros(3), 1.0, np.array([])), "expected at least one node"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make()


def test_rounding_of_a_product_is_symmetric_enough() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 40, 40))
    product = a @ b @ b.T @ a.T
    assert (product != product.T).any()
    assert module(nodes=40, coupling=product).nodes == 40


def test_only_a_potential_with_a_bottom_confines() -> None:
    require_confining(one_node(0.1))
    require_confining(one_node(-1.0, quartic=0.1))  # a double well
    with pytest.raises(NetworkError, match=r"M is not positive definite: its smallest eigenvalue is -2"):
        require_confining(one_node(-1.0))
    # the quartic holds its own node alone
    coupling = np.zeros((3, 3))
    quadratic, quartic = np.array([-1.0, 0.5, 0.5]), np.array([0.1, 0.0, 0.0])
    held = one_module(coupling, quadratic, quartic, np.zeros(3), 1.0, [0])
    require_confining(held)
    coupling[1, 2] = coupling[2, 1] = 0.7
    with pytest.raises(
        NetworkError, match="M on the 2 nodes without a quartic well is not positive definite"
    ):
        require_confining(replace(held, modules=(replace(held.modules[0], coupling=coupling),)))
