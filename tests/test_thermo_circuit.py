"""Networks as circuits under many inputs: operating points in one analysis, and what is refused before one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from networks import random_network, resistive_network

import emulator.thermo.circuit
from device_models.conductances import Ota, TechnologyName
from emulator.doctor import find_capabilities
from emulator.ngspice import Simulation
from emulator.simulator import Simulator
from emulator.thermo.circuit import (
    CircuitFailed,
    CircuitSolver,
    NetworkSettings,
    circuit_of,
    completed,
    element_deck,
    operating_points,
)
from emulator.thermo.equilibrium import equilibrium
from netlists.conductances import ConductanceError
from netlists.dialects.ngspice_sweep import write_sweep_deck
from netlists.network import NetworkError
from netlists.network_design import network_design, operating_point, settling
from netlists.scaling import NetworkScaling

SCALING = NetworkScaling(tau=1e-8, capacitance=1e-11)


def settings(name: TechnologyName = "ideal", **more: object) -> NetworkSettings:
    return NetworkSettings.model_validate({"realization": name, "scaling": SCALING, **more})


@pytest.mark.parametrize("name", ["ideal", "differential"])
@pytest.mark.parametrize("inputs", [1, 2, 9])
def test_many_inputs_in_one_analysis(any_simulator: Simulator, name: TechnologyName, inputs: int) -> None:
    """Tables keep 11 digits; quartic wells, whose equilibrium is Newton's, make each a system of its own."""
    network = random_network((6, 4), rank=2, quartic=0.2)
    biases = np.random.default_rng(1).normal(0, 3, (inputs, network.nodes))
    solve = CircuitSolver(any_simulator, find_capabilities(any_simulator), settings(name))
    np.testing.assert_allclose(solve(network, biases), equilibrium(network, biases), rtol=1e-8, atol=1e-9)


def test_more_inputs_than_one_analysis_takes(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.thermo.circuit.MOST_TOGETHER", 4)
    network = random_network((3,))
    biases = np.random.default_rng(1).normal(size=(9, 3))
    found = CircuitSolver(simulator, find_capabilities(simulator), settings())(network, biases)
    np.testing.assert_allclose(found, equilibrium(network, biases), rtol=1e-9)


def test_operating_points_are_counted(simulator: Simulator) -> None:
    """A sweep that brings fewer points than inputs is no success."""
    circuit, _ = circuit_of(random_network((3,)), settings())
    biases = np.ones((3, 3))
    design = network_design(circuit, None, operating_point(SCALING))
    deck = element_deck(circuit, biases[0], operating_point(SCALING), find_capabilities(simulator))
    short = write_sweep_deck(design, circuit.currents(biases)).replace("0 2 1", "0 1 1")
    for points in (2, 3):
        found = simulator.simulate(type(deck)(short, circuit.wires, None, points=points), limit_s=60)
        assert found.judgement.completed == (points == 2)


def test_converters_round_every_input(simulator: Simulator) -> None:
    network = random_network((5,), seed=2)
    biases = np.random.default_rng(0).normal(size=(4, 5))
    full_scale = float(np.abs(biases).max())
    circuit, _ = circuit_of(network, settings(bias_bits=6), full_scale)
    lsb = full_scale / 63
    found, _ = operating_points(simulator, find_capabilities(simulator), circuit, biases)
    np.testing.assert_allclose(found, equilibrium(network, np.rint(biases / lsb) * lsb), rtol=1e-9)


@pytest.mark.parametrize("near", [False, True])
def test_processor_time_is_that_of_all_simulations(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, near: bool
) -> None:
    network = random_network((3,), quartic=0.2)
    circuit, _ = circuit_of(network, settings())
    biases = np.random.default_rng(0).normal(size=(5, 3))
    simulate, spent = simulator.simulate, []

    def watched(*args: Any, **more: Any) -> Simulation:
        found = simulate(*args, **more)
        spent.append(found.statistics.cpu_s)
        return found

    monkeypatch.setattr(simulator, "simulate", watched)
    monkeypatch.setattr(emulator.thermo.circuit, "MOST_TOGETHER", 2)
    meant = equilibrium(network, biases) if near else None
    _, cpu_s = operating_points(simulator, find_capabilities(simulator), circuit, biases, meant)
    assert len(spent) == (5 if near else 3)
    assert cpu_s == pytest.approx(sum(spent))


def test_a_failed_simulation_says_why(simulator: Simulator) -> None:
    circuit, _ = circuit_of(random_network((2,)), settings())
    deck = element_deck(circuit, np.ones(2), settling(SCALING, 1.0), find_capabilities(simulator))
    broken = type(deck)(deck.text.replace(".tran", ".tran bad"), deck.vectors, deck.stop)
    with pytest.raises(CircuitFailed, match=r"^[A-Z_]+: .*tran"):
        completed(simulator.simulate(broken, limit_s=60))


def test_what_has_no_resting_point_is_refused() -> None:
    network = random_network((4,))
    short = type(network)(
        (type(network.modules[0])("m", network.modules[0].coupling, np.full(4, -1.0), np.zeros(4)),),
        (), network.bias, 1.0, network.visible,
    )  # fmt: skip
    with pytest.raises(NetworkError, match="not positive definite"):
        circuit_of(short, settings())
    # own conductances that are lost: a chain held at one end alone
    held = resistive_network(2)
    loose = type(held)(
        (type(held.modules[0])("m", np.array([[0, -0.5], [-0.5, 0]]), np.array([0.5, 0.5]) + 2e-5, np.zeros(2)),),
        (), held.bias, 1.0, held.visible,
    )  # fmt: skip
    with pytest.raises(ConductanceError, match=r"own conductances can't be made, 2 too small"):
        circuit_of(loose, settings("passive"))
    with pytest.raises(ConductanceError, match="as it can be made the network has no resting point any more"):
        circuit_of(loose, settings("passive", clip=True))
    with pytest.raises(NetworkError, match="all forces are 0"):
        circuit_of(held, settings(bias_bits=4), 0.0)


@pytest.mark.parametrize("sizes", [(10,), (6, 6)])
def test_a_slow_amplifier_is_remarked_with_what_it_does_to_the_rates(sizes: tuple[int, ...]) -> None:
    """Against all states of the circuit: nodes, what amplifiers have of them, and what buses' second ones have."""
    network = random_network(sizes, rank=2 if len(sizes) > 1 else 0, seed=8)
    pole = 8 * network.spectrum.largest
    slow, fast = (
        NetworkSettings(
            realization="ota", scaling=NetworkScaling(tau=1e-6, capacitance=1e-10),
            ota=Ota(gain=1e9, bandwidth_hz=rate / (2 * np.pi * 1e-6)), clip=True,
        )
        for rate in (pole, 100 * pole)
    )  # fmt: skip
    circuit, remarks = circuit_of(network, slow)
    assert not any("pole" in remark for remark in circuit_of(network, fast)[1])
    (said,) = [remark for remark in remarks if "pole" in remark]
    stated = re.search(r"modes relax about ([\d.]+)% off", said)
    assert stated
    matrix, made = circuit.conductances.matrix(), circuit.conductances
    once, twice = np.zeros_like(matrix), np.zeros_like(matrix)
    for module, first in zip(made.modules, made.offsets, strict=True):
        nodes = slice(first, first + len(module.own))
        once[nodes, nodes] = np.maximum(matrix[nodes, nodes], 0) * (1 - np.eye(len(module.own)))
        once[nodes, nodes] += np.diag(np.minimum(module.own, 0))
        twice[nodes] = matrix[nodes]
        twice[nodes, nodes] = 0
    eye, none = np.eye(len(matrix)), np.zeros_like(matrix)
    whole = np.block([
        [matrix - once - twice, once, twice], [-pole * eye, pole * eye, none], [none, -pole * eye, pole * eye],
    ])  # fmt: skip
    late = np.sort(np.linalg.eigvals(whole).real)[: len(matrix)]
    off = np.abs(late / np.sort(np.linalg.eigvals(matrix).real) - 1).max()
    assert float(stated[1]) / 100 == pytest.approx(off, rel=0.2)
