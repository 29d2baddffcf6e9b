"""Langevin networks as circuits: every technology rests where linear algebra says, and says what it can't make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import random_network, resistive_network
from scipy.linalg import expm
from scipy.optimize import brentq, fsolve

from device_models.conductances import Ota, TechnologyName, technology
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.bias import BiasConverter, BiasError
from netlists.conductances import ConductanceError, conductances, realised
from netlists.core import Array
from netlists.design import Analysis
from netlists.dialects.write import write_design_deck, write_design_files
from netlists.network import LangevinNetwork, Module, one_module
from netlists.network_circuit import NetworkCircuit, compile_network
from netlists.network_design import network_design, operating_point, settling
from netlists.scaling import NetworkScaling

SCALING = NetworkScaling(tau=1e-8, capacitance=1e-11)
FAINT = SCALING.model_copy(update={"volts": 1e-7})  # far below an amplifier's input range
LOSSLESS: list[TechnologyName] = ["ideal", "differential"]


def compiled(
    network: LangevinNetwork, name: TechnologyName = "ideal", *, scaling: NetworkScaling = SCALING,
    converter: BiasConverter | None = None, ota: Ota | None = None,
) -> NetworkCircuit:  # fmt: skip
    ota = (ota or Ota()) if name == "ota" else None
    return compile_network(conductances(network, technology(name, ota)), scaling, converter, ota)


def simulate(
    simulator: Simulator, circuit: NetworkCircuit, bias: Array, analysis: Analysis, start: Array | None = None
) -> tuple[Array, Array]:
    design = network_design(circuit, bias, analysis, start)
    counts = circuit.inventory(design.bench)
    stop = getattr(analysis, "stop", None)
    text = write_design_deck(design, "ngspice")
    deck = Deck(text, circuit.wires, stop, counts.devices, counts.unknowns)
    found = simulator.simulate(deck, limit_s=120)
    assert found.verdict is Verdict.COMPLETED, found.judgement.reason
    return found.time, circuit.states(found.values)


def rest(simulator: Simulator, circuit: NetworkCircuit, bias: Array) -> Array:
    return simulate(simulator, circuit, bias, operating_point(circuit.scaling))[1][0]


def relative(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


# --- operating point --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize(("sizes", "rank"), [((1,), 0), ((2,), 0), ((16,), 0), ((9, 5), 2), ((5, 4, 6), 3)])
def test_operating_point_is_what_linear_algebra_says(
    any_simulator: Simulator, name: TechnologyName, sizes: tuple[int, ...], rank: int
) -> None:
    network = random_network(sizes, rank=rank, seed=rank)
    found = rest(any_simulator, compiled(network, name), network.bias)
    assert relative(found, np.linalg.solve(network.matrix, network.bias)) < 1e-9


@pytest.mark.parametrize("size", [64, 128])
def test_operating_point_of_large_modules(simulator: Simulator, size: int) -> None:
    network = random_network((size, size), rank=16, seed=size)
    found = rest(simulator, compiled(network), network.bias)
    assert relative(found, np.linalg.solve(network.matrix, network.bias)) < 1e-9


def test_resistors_alone(any_simulator: Simulator) -> None:
    network = resistive_network(8)
    circuit = compiled(network, "passive")
    assert (
        relative(rest(any_simulator, circuit, network.bias), np.linalg.solve(network.matrix, network.bias))
        < 1e-9
    )
    kinds = circuit.inventory(circuit.bench(network.bias)).devices
    assert set(kinds) == {"resistor", "capacitor", "current"}


@pytest.mark.parametrize("name", ["ideal", "differential", "ota"])
def test_quartic_wells_rest_where_their_force_is_zero(any_simulator: Simulator, name: TechnologyName) -> None:
    """Uncoupled nodes, b of either sign: 2 J2 x + 4 J4 x³ = b, also about the positive curvature's end J2 = 0."""
    quadratic, quartic, bias = (
        np.array([0.5, 0.0, 2.0, 0.1]),
        np.array([0.3, 1.0, 0.0, 5.0]),
        np.array([2.0, -1.5, 1.0, -3.0]),
    )
    network = one_module(np.zeros((4, 4)), quadratic, quartic, bias, 1.0, range(4))
    found = rest(any_simulator, compiled(network, name), bias)
    wanted = [
        brentq(lambda x, a=a, q=q, b=b: 2 * a * x + 4 * q * x**3 - b, -10, 10, xtol=1e-14)
        for a, q, b in zip(quadratic, quartic, bias, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["ideal", "differential"])
def test_a_double_well_settles_in_the_well_it_starts_in(simulator: Simulator, name: TechnologyName) -> None:
    """V = x⁴/4 − x²/2, with a negative own conductance: x = ±1."""
    network = one_module(np.zeros((2, 2)), np.full(2, -0.5), np.full(2, 0.25), np.zeros(2), 1.0, range(2))
    circuit = compiled(network, name)
    _, states = simulate(simulator, circuit, network.bias, settling(SCALING, 20.0), np.array([0.01, -0.2]))
    np.testing.assert_allclose(states[-1], [1.0, -1.0], rtol=1e-6)


# --- amplifiers -------------------------------------------------------------------------------------------


def by_hand(network: LangevinNetwork, gain: float) -> Array:
    """M with what output conductances do, amplifier by amplifier; one node a row at a time."""
    found = np.zeros((network.nodes, network.nodes))
    for number, module in enumerate(network.modules):
        first, matrix = network.offsets[number], np.diag(2 * module.quadratic) + 2 * module.coupling
        for i in range(module.nodes):
            resistors = sum(-matrix[i, j] for j in range(module.nodes) if j != i and matrix[i, j] < 0)
            amplifiers = sum(matrix[i, j] for j in range(module.nodes) if j != i and matrix[i, j] > 0)
            own = matrix[i, i] - resistors
            found[first + i, first + i] = matrix[i, i] + (amplifiers + max(-own, 0.0)) / gain
            for j in range(module.nodes):
                if j != i:
                    found[first + i, first + j] = matrix[i, j]
    for skip in network.skips:
        x, y = network.span(skip.onto), network.span(skip.other)
        for r in range(skip.rank):
            left, right = skip.left[:, r], skip.right[:, r]
            found[x, y] += np.outer(left, right) / (1 + np.abs(right).sum() / gain)
            found[y, x] += np.outer(right, left) / (1 + np.abs(left).sum() / gain)
            found[x, x] += np.diag(np.abs(left)) / gain
            found[y, y] += np.diag(np.abs(right)) / gain
    return found


@pytest.mark.parametrize("gain", [20.0, 200.0, 1e6])
def test_amplifiers_of_finite_gain_rest_at_their_own_closed_form(
    any_simulator: Simulator, gain: float
) -> None:
    network = random_network((7, 5), rank=2, seed=3)
    circuit = compiled(network, "ota", scaling=FAINT, ota=Ota(gain=gain))
    found, wanted = rest(any_simulator, circuit, network.bias), by_hand(network, gain)
    np.testing.assert_allclose(circuit.conductances.matrix(), wanted, rtol=1e-12, atol=1e-15)
    assert relative(found, np.linalg.solve(wanted, network.bias)) < 1e-6
    # and not where the network itself would, by about what is lost
    missed = relative(found, np.linalg.solve(network.matrix, network.bias))
    assert 0.1 / gain < missed < 10 / gain


def test_amplifiers_saturate(any_simulator: Simulator) -> None:
    """Two nodes with M_12 > 0 and a signal as large as the input range: the tanh's own equation."""
    network = one_module(
        np.array([[0.0, 0.2], [0.2, 0.0]]), np.full(2, 0.5), np.zeros(2), np.array([1.0, -0.4]), 1.0, range(2)
    )
    ota = Ota(gain=50.0)
    scaling = SCALING.model_copy(update={"volts": ota.input_range})  # a state of one
    found = rest(any_simulator, compiled(network, "ota", scaling=scaling, ota=ota), network.bias)

    def force(x: Array) -> Array:
        return network.bias - x - 0.4 * np.tanh(x[::-1]) - 0.4 / 50.0 * x

    np.testing.assert_allclose(found, fsolve(force, found, xtol=1e-14), rtol=1e-6)
    assert relative(found, np.linalg.solve(network.matrix, network.bias)) > 0.02


def test_an_amplifier_lags_by_its_pole(simulator: Simulator) -> None:
    """The transient of two nodes and two poles near their rates: the matrix exponential of all four."""
    pole, gain = 3.0, 1e9
    ota = Ota(gain=gain, bandwidth_hz=pole / (2 * np.pi * SCALING.tau))
    network = one_module(
        np.array([[0.0, 0.3], [0.3, 0.0]]), np.full(2, 0.5), np.zeros(2), np.array([1.0, 0.2]), 1.0, range(2)
    )
    circuit = compiled(network, "ota", scaling=FAINT, ota=ota)
    time, states = simulate(simulator, circuit, network.bias, settling(FAINT, 6.0, reltol=1e-7))
    # x1, x2, and what the amplifiers have understood of x2 and x1
    whole = np.array(
        [[-1, 0, -0.6, 0], [0, -1, 0, -0.6], [0, pole, -pole, 0], [pole, 0, 0, -pole]], dtype=float
    )
    drive = np.array([1.0, 0.2, 0.0, 0.0])
    for index in (len(time) // 10, len(time) // 3, len(time) - 1):
        wanted = np.linalg.solve(whole, (expm(whole * time[index] / FAINT.tau) - np.eye(4)) @ drive)[:2]
        np.testing.assert_allclose(states[index], wanted, rtol=1e-4)


# --- the list of conductances -----------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn) -> LangevinNetwork:
    sizes = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    seed = draw(st.integers(0, 1000))
    network = random_network(sizes, rank=draw(st.integers(0, min(sizes))), seed=seed)
    generator, modules = np.random.default_rng(seed), []
    for module in network.modules:  # any matrix is a list of conductances, positive definite or not
        kept = np.triu(generator.random(module.coupling.shape) < draw(st.sampled_from([0.0, 0.5, 1.0])))
        coupling = np.where(kept | kept.T, module.coupling * draw(st.sampled_from([-3.0, 1.0])), 0.0)
        modules.append(Module(module.name, coupling, generator.normal(size=module.nodes), module.quartic))
    return LangevinNetwork(tuple(modules), network.skips, network.bias, 1.0, network.visible)


@given(networks(), st.sampled_from(["ideal", "differential"]))
def test_conductances_without_losses_add_up_to_the_system_matrix(
    network: LangevinNetwork, name: TechnologyName
) -> None:
    np.testing.assert_allclose(
        conductances(network, technology(name)).matrix(), network.matrix, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("name", ["ideal", "differential", "ota"])
def test_skips_are_never_multiplied_out(name: TechnologyName) -> None:
    """Transconductors of a skip: 4Dk, of any rank; D² only within modules."""
    for size, rank in ((12, 1), (12, 3), (24, 3)):
        network = random_network((size, size), rank=rank)
        circuit = compiled(network, name)
        skip = next(block for block in circuit.core if block.name == "skip_1")
        calls = [element.block for element in skip.elements]
        assert calls.count("bus_input") == calls.count("transconductor") == 2 * size * rank
        assert calls.count("bus") == 2 * rank
        assert len(calls) == 4 * size * rank + 2 * rank
        assert circuit.conductances.transconductors == 4 * size * rank
        note = next(block for block in circuit.core if block.name == "langevin_core").notes[1]
        assert (
            f"{4 * size * rank} transconductors, {2 * size**2} without buses; as many at rank {size / 2:g}"
            in note
        )


def test_resistors_alone_refuse_what_takes_more() -> None:
    with pytest.raises(
        ConductanceError,
        match=r"resistors alone .*: \d+ of 31 couplings have M_ij above 0, up to .*; "
        r"a skip of rank 2 needs 48 transconductors.*ideal, differential or ota",
    ):
        realised(conductances(random_network((5, 7), rank=2), technology("passive")), SCALING, clip=True)
    own = resistive_network(4)
    short = Module("m", own.modules[0].coupling, own.modules[0].quadratic * 0.5, np.zeros(4))
    network = LangevinNetwork((short,), (), own.bias, 1.0, own.visible)
    with pytest.raises(
        ConductanceError, match=r"[1-4] of 4 nodes need a negative own conductance, down to -"
    ):
        realised(conductances(network, technology("passive")), SCALING)


def test_conductances_out_of_range_are_counted_and_clipped(any_simulator: Simulator) -> None:
    """1 kΩ to 10 MΩ at 1 mS a unit: M_12 = 0.2 fits, M_13 = 3e-5 is too small by 3.3, M_23 = 1e-5 by 10."""
    coupling = np.zeros((3, 3))
    for i, j, value in ((0, 1, -0.2), (0, 2, -3e-5), (1, 2, -1e-5)):
        coupling[i, j] = coupling[j, i] = value / 2
    network = one_module(coupling, np.full(3, 0.4), np.zeros(3), np.array([1.0, -1.0, 2.0]), 1.0, range(3))
    wanted = conductances(network, technology("differential"))
    with pytest.raises(ConductanceError) as refused:
        realised(wanted, SCALING)
    for words in (
        "differential: 2 of 3 couplings can't be made, 2 too small, down to 1e-08 S (10 times)",
        "What can be made is from 1e-07 to 0.001 S, 1 kΩ to 10 MΩ",
        "--tau",
        "--clip",
    ):
        assert words in str(refused.value)
    made, said = realised(wanted, SCALING, clip=True)
    assert said.startswith("clipped to what can be made: differential: 2 of 3")
    matrix = network.matrix.copy()
    matrix[0, 2] = matrix[2, 0] = matrix[1, 2] = matrix[2, 1] = 0.0  # below half the smallest: nothing
    np.testing.assert_allclose(made.matrix(), matrix, rtol=1e-14)
    found = rest(any_simulator, compile_network(made, SCALING), network.bias)
    assert relative(found, np.linalg.solve(matrix, network.bias)) < 1e-9
    # what is in range is left as it is
    fine = SCALING.model_copy(update={"capacitance": 1e-10, "tau": 1e-8})
    assert realised(conductances(network, technology("ideal")), fine)[1] == ""


def test_too_large_a_unit_is_said_with_one_that_fits() -> None:
    network = resistive_network(6)
    huge = NetworkScaling(tau=1e-9, capacitance=1e-10)  # 0.1 S
    with pytest.raises(
        ConductanceError, match=r"15 of 15 couplings can't be made, 15 too large, up to .* S"
    ) as refused:
        realised(conductances(network, technology("passive")), huge)
    tau = float(str(refused.value).split("--tau ")[1].split()[0])
    realised(conductances(network, technology("passive")), NetworkScaling(tau=tau * 1.05, capacitance=1e-10))


# --- forces -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSLESS)
def test_converters_drive_with_their_codes(any_simulator: Simulator, name: TechnologyName) -> None:
    network = random_network((6,), seed=4)
    converter = BiasConverter(4, float(np.abs(network.bias).max()))
    forces = np.rint(network.bias / converter.lsb) * converter.lsb
    assert 0 < np.abs(forces - network.bias).max() <= converter.lsb / 2
    circuit = compiled(network, name, converter=converter)
    found = rest(any_simulator, circuit, network.bias)
    assert relative(found, np.linalg.solve(network.matrix, forces)) < 1e-9


def test_forces_that_do_not_fit_are_refused() -> None:
    network = random_network((3,))
    circuit = compiled(network, converter=BiasConverter(3, 1.0))
    with pytest.raises(
        BiasError, match=r"2 of 3 forces are beyond the converters' full scale of 1, up to 2:"
    ):
        circuit.bench(np.array([-2.0, 1.0, 1.5]))
    with pytest.raises(BiasError, match="2 forces for 3 nodes"):
        compiled(network).bench(np.zeros(2))


def test_a_module_name_can_not_write_into_the_netlist() -> None:
    module = Module("x\n.control\nshell true\n.endc", np.zeros((1, 1)), np.ones(1), np.zeros(1))
    network = LangevinNetwork((module,), (), np.zeros(1), 1.0, np.arange(1))
    for text in write_design_files(
        network_design(compiled(network), network.bias, operating_point(SCALING)), "ngspice"
    ).values():
        assert not any(line.lstrip().startswith((".control", "shell")) for line in text.splitlines())
