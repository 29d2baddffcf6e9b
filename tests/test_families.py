"""Each family as a circuit, against an answer known in closed form; and against its reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cores import run
from scipy.linalg import expm
from scipy.optimize import brentq

from device_models.families import FAMILIES, REALISATIONS
from device_models.model import CellModel
from device_models.printers.osdi import Jacobian
from emulator.crosscheck import crosscheck
from emulator.reference import RATES
from emulator.simulator import Simulator
from emulator.trajectory import Trajectory
from netlists.compile import Devices
from netlists.core import AnalogCore, Array, InitialDistribution
from netlists.dialects.ngspice import SolverOptions
from netlists.stiffness import LARGEST_RATIO, relaxation_ratio
from netlists.synthetic import window_core
from netlists.weights import read_weights, write_weights

OPTIONS = SolverOptions(reltol=1e-9, rows=1000)


def small(family: str, weights: Array, duration: float = 4.0, **parameters: float | Array) -> AnalogCore:
    """N nodes in a row, every edge whose weight is not zero; parameters hold in the one chunk."""
    nodes = len(weights)
    edges = np.argwhere(weights != 0)
    base = window_core(1, nodes, family_name=family, radius=0, duration=duration, symmetric=False)
    values = {name: np.zeros_like(array) for name, array in base.parameters.items()}
    for name, value in parameters.items():
        values[name] = np.array(np.broadcast_to(value, base.parameters[name].shape), dtype=np.float64)
    return replace(
        base, edges=edges, coupling=weights[tuple(edges.T)][None], parameters=values,
        visible=np.arange(nodes), image_shape=None, initial=InitialDistribution(-1.0, 1.0),
    )  # fmt: skip


def test_every_family_has_a_reference_and_a_readout() -> None:
    assert set(RATES) == set(FAMILIES)
    assert {model.default_readout for model in FAMILIES.values()} <= {"cos", "sin", "linear", "tanh"}


def mixed_core(family: str, *, symmetric: bool) -> AnalogCore:
    """Sixteen nodes, three chunks, and for what all cells share a value that is not its default."""
    core = window_core(
        4, 4, family_name=family, radius=1, chunks=3, duration=3.0, strength=0.3, symmetric=symmetric, seed=5
    )
    shared = {p.name: np.array(1.3) for p in core.family.parameters if p.scope == "core"}
    return replace(core, parameters={**core.parameters, **shared})


def checked(simulator: Simulator, core: AnalogCore, devices: Devices, jacobian: Jacobian = "own"):
    """The cross-check of a run and its final state."""
    found = run(simulator, core, core.initial_states(0, 0), devices=devices, jacobian=jacobian)
    # the circuit runs to the ulp of its stop time
    time = np.append(found.time[:-1], core.duration)
    check, _ = crosscheck(core, Trajectory(time, found.phase), rows=200)
    return check, found.final


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("symmetric", [True, False])
def test_circuit_follows_the_reference(simulator: Simulator, family: str, symmetric: bool) -> None:
    check, _ = checked(simulator, mixed_core(family, symmetric=symmetric), "behavioural")
    assert check.worst_window < 1e-4
    assert check.global_rms < 1e-3


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("jacobian", ["own", "full"])
def test_compiled_circuit_follows_the_reference(
    compiling: Simulator, family: str, symmetric: bool, jacobian: Jacobian
) -> None:
    core = mixed_core(family, symmetric=symmetric)
    assert relaxation_ratio(core, 200) < LARGEST_RATIO
    check, final = checked(compiling, core, "compiled", jacobian)
    assert check.worst_window < 1e-4
    assert check.global_rms < 1e-3
    _, behavioural = checked(compiling, core, "behavioural")
    np.testing.assert_allclose(final, behavioural, atol=1e-3)


def test_weights_of_every_family_survive_the_file(tmp_path) -> None:
    for family in FAMILIES:
        core = window_core(4, 4, family_name=family, chunks=2)
        write_weights(tmp_path / "w.h5", core, {"family_of": family})
        back = read_weights(tmp_path / "w.h5").core
        assert back.family_name == family
        for name, values in core.parameters.items():
            np.testing.assert_array_equal(back.parameters[name], values)


def test_polynomial_ising_cell_is_a_bernoulli_equation(simulator: Simulator) -> None:
    """x' = αx − x³: x² = α / (1 + (α/x0² − 1) e^{−2αt}), from either side and on either branch."""
    alpha, starts = 0.8, np.array([0.05, -0.05, 1.7, -2.5])
    core = small("polynomial_ising", np.zeros((4, 4)), alpha=alpha)
    found = run(simulator, core, starts, options=OPTIONS)
    decay = np.exp(-2 * alpha * found.time)[:, None]
    exact = np.sign(starts) * np.sqrt(alpha / (1 + (alpha / starts**2 - 1) * decay))
    np.testing.assert_allclose(found.phase, exact, atol=2e-5)


def test_polynomial_ising_pair_settles_where_the_potential_is_least(simulator: Simulator) -> None:
    """Two ferromagnetic nodes: x² = α + βJ; antiferromagnetic ones: x_1 = −x_2, x² = α + β|J|."""
    for sign in (1.0, -1.0):
        core = small("polynomial_ising", sign * 0.6 * (1 - np.eye(2)), 40.0, alpha=0.3, beta=0.5)
        found = run(simulator, core, np.array([0.2, 0.1 * sign]), options=OPTIONS)
        np.testing.assert_allclose(found.final, np.sqrt(0.3 + 0.5 * 0.6) * np.array([1, sign]), atol=1e-6)


def test_tanh_ising_settles_at_its_fixed_point(simulator: Simulator) -> None:
    """x = tanh((α + βJ) x) beyond the threshold α + βJ = 1; below it the state decays to 0."""
    for strength, above in ((0.9, True), (0.2, False)):
        core = small("tanh_ising", strength * (1 - np.eye(2)), 60.0, alpha=0.4, beta=1.5)
        found = run(simulator, core, np.array([0.3, 0.5]), options=OPTIONS)
        gain = 0.4 + 1.5 * strength
        assert (gain > 1) == above
        exact = brentq(lambda x, gain=gain: np.tanh(gain * x) - x, 1e-3, 1.0) if above else 0.0
        np.testing.assert_allclose(found.final, exact, atol=1e-6)


def test_tanh_ising_is_linear_for_small_states(simulator: Simulator) -> None:
    """x' = (αI + βJ − I) x to first order: the matrix exponential."""
    generator = np.random.default_rng(3)
    weights = generator.normal(0.0, 0.4, (3, 3)) * (1 - np.eye(3))
    core = small("tanh_ising", weights, 2.0, alpha=0.3, beta=0.7)
    start = 1e-4 * generator.normal(size=3)
    # so small a state needs a floor of the voltage tolerance to match
    found = run(simulator, core, start, options=SolverOptions(reltol=1e-9, rows=400))
    exact = expm(2.0 * ((0.3 - 1) * np.eye(3) + 0.7 * weights)) @ start
    np.testing.assert_allclose(found.final, exact, atol=1e-4 * 1e-4)


def test_tanh_features_reach_the_hopfield_fixed_point(simulator: Simulator) -> None:
    """A pair that excites itself: x = J tanh(g x)."""
    core = small("tanh_feature_ising", 1.2 * (1 - np.eye(2)), 60.0, gain=1.4)
    found = run(simulator, core, np.array([0.1, 0.2]), options=OPTIONS)
    exact = brentq(lambda x: 1.2 * np.tanh(1.4 * x) - x, 1e-2, 2.0)
    np.testing.assert_allclose(found.final, exact, atol=1e-6)


def test_langevin_network_relaxes_as_the_matrix_exponential(simulator: Simulator) -> None:
    """Without a quartic term x' = b − A x, A = 2 J2 + K: x(t) = x* + e^{−At}(x0 − x*), x* = A⁻¹ b."""
    generator = np.random.default_rng(4)
    half = generator.normal(0.0, 0.3, (5, 5))
    weights = (half + half.T) * (1 - np.eye(5))
    force, start = generator.normal(size=5), generator.normal(size=5)
    core = small("langevin", weights, 3.0, quadratic=1.1, bias=force)
    matrix = 2.2 * np.eye(5) + weights
    rest = np.linalg.solve(matrix, force)
    found = run(simulator, core, start, options=OPTIONS)
    exact = np.array([rest + expm(-matrix * t) @ (start - rest) for t in found.time])
    np.testing.assert_allclose(found.phase, exact, atol=2e-5)


def test_quartic_langevin_cell_is_a_bernoulli_equation(simulator: Simulator) -> None:
    """x' = −2 J2 x − 4 J4 x³, from both signs: 1/x² = (1/x0² + 2 J4/J2) e^{4 J2 t} − 2 J4/J2."""
    quadratic, quartic, starts = 0.3, 0.2, np.array([1.5, -1.5, 0.2])
    core = small("langevin", np.zeros((3, 3)), 3.0, quadratic=quadratic, quartic=quartic)
    found = run(simulator, core, starts, options=OPTIONS)
    ratio = 2 * quartic / quadratic
    growth = np.exp(4 * quadratic * found.time)[:, None]
    exact = np.sign(starts) / np.sqrt((1 / starts**2 + ratio) * growth - ratio)
    np.testing.assert_allclose(found.phase, exact, atol=2e-5)


def test_langevin_energy_decreases(simulator: Simulator) -> None:
    """V = Σ(J2 x² + J4 x⁴ − b x) + ½ xᵀKx falls along the run and ends where its gradient vanishes."""
    generator = np.random.default_rng(6)
    half = generator.normal(0.0, 0.4, (6, 6))
    weights = (half + half.T) * (1 - np.eye(6))
    force = generator.normal(size=6)
    core = small("langevin", weights, 40.0, quadratic=-0.2, quartic=0.3, bias=force)
    x = run(simulator, core, generator.normal(size=6), options=OPTIONS).phase
    energy = (-0.2 * x**2 + 0.3 * x**4 - force * x).sum(axis=1) + 0.5 * np.einsum(
        "ti,ij,tj->t", x, weights, x
    )
    assert np.all(np.diff(energy) < 1e-7)
    assert energy[0] - energy[-1] > 0.5
    np.testing.assert_allclose(-0.4 * x[-1] + 1.2 * x[-1] ** 3 + weights @ x[-1] - force, 0.0, atol=1e-4)


def test_kuramoto_is_kurashil_without_injection(simulator: Simulator) -> None:
    with_injection = window_core(3, 3, family_name="kurashil", radius=1, duration=3.0)
    silent = with_injection.parameters | {"shil": np.zeros_like(with_injection.parameters["shil"])}
    locked = replace(with_injection, parameters=silent)
    plain = replace(
        locked, family_name="kuramoto", parameters={k: v for k, v in silent.items() if k != "shil"}
    )
    start = locked.initial_states(1, 0)
    ours, theirs = (run(simulator, core, start).final for core in (plain, locked))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_descriptions_name_their_symbols() -> None:
    """A cell that uses a symbol nobody declared is refused, by name."""
    model = FAMILIES["tanh_ising"]
    with pytest.raises(ValueError, match=r"coupling uses unknown symbols \['alpha'\]"):
        replace_parameters(model)


def test_only_a_cells_own_self_term_may_depend_on_its_resonators_current() -> None:
    """Nobody else sees it: neighbours hear the state alone."""
    model = REALISATIONS["lc_levelled"]
    assert model.resonator is not None
    with pytest.raises(ValueError, match=r"feature v uses unknown symbols \['y'\]"):
        replace(model, features={"v": model.state.symbol + model.resonator.current})
    with pytest.raises(ValueError, match=r"coupling uses unknown symbols \['y'\]"):
        replace(model, coupling=model.coupling * model.resonator.current)
    with pytest.raises(ValueError, match=r"self_term uses unknown symbols \['inductance', 'y'\]"):
        replace(model, resonator=None)


def replace_parameters(model: CellModel) -> CellModel:
    """The same cell without its first parameter."""
    return replace(model, parameters=model.parameters[1:])
