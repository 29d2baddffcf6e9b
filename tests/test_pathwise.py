"""Circuits of networks under noise against a reference that the very same noise drives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import random_network

from emulator.doctor import find_capabilities
from emulator.simulator import Simulator
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.network_plan import NetworkRunSettings, plan_network
from emulator.thermo.network_row import DEFECT_TOLERANCE
from emulator.thermo.network_run import run_network
from emulator.thermo.pathwise import pathwise_defect
from emulator.thermo.sampling import Equilibrium, injection, sample_equilibrium
from netlists.network import LangevinNetwork
from netlists.network_file import Substrate, write_network
from netlists.noise import Noise
from netlists.scaling import NetworkScaling

SEED, WINDOW = 4, 2.0


def double_wells(nodes: int = 4) -> LangevinNetwork:
    """Weakly coupled, each with two bottoms a few kT apart."""
    network = random_network((nodes,), quartic=0.25, seed=1, kt=0.2)
    module = replace(
        network.modules[0], coupling=0.1 * network.modules[0].coupling, quadratic=np.full(nodes, -0.5)
    )
    return replace(network, modules=(module,), bias=np.zeros(nodes))


def sampled(
    simulator: Simulator, network: LangevinNetwork, substeps: int = 1, step: float = 0.1
) -> tuple[Equilibrium, Noise]:
    drive = injection(network, "isotropic", SEED, step=step, substeps=substeps)
    start = np.zeros(network.nodes) if network.quartic.any() else equilibrium(network, network.bias[None])[0]
    ability = find_capabilities(simulator)
    found = sample_equilibrium(
        simulator, ability, network, network.bias, drive, NetworkScaling(tau=1e-6), start, 400
    )
    return found, Noise(drive.grid, 0)


def test_circuit_and_reference_go_together_through_double_wells(compiling: Simulator) -> None:
    network = double_wells()
    found, noise = sampled(compiling, network, step=0.02)
    assert np.any(found.states > 0.5)
    assert np.any(found.states < -0.5)  # it does go from one to the other
    assert pathwise_defect(network, network.bias, found, noise, WINDOW) < 0.005


def test_what_parts_them_is_the_solvers_step(compiling: Simulator) -> None:
    """Trapezoidal: a quarter with half the step, on one and the same noise."""
    network = random_network((6,), seed=3)
    defects = [
        pathwise_defect(network, network.bias, *sampled(compiling, network, substeps), WINDOW)
        for substeps in (1, 2, 4)
    ]
    ratios = np.array(defects[:-1]) / defects[1:]
    np.testing.assert_allclose(ratios, 4, rtol=0.15)


@pytest.mark.parametrize("spoil", ["noise", "matrix", "quartic", "force"])
def test_another_noise_or_network_is_seen(compiling: Simulator, spoil: str) -> None:
    network = random_network((6,), quartic=0.1, seed=3)
    found, noise = sampled(compiling, network, step=0.03)
    assert pathwise_defect(network, network.bias, found, noise, WINDOW) < DEFECT_TOLERANCE
    wells = replace(network.modules[0], quartic=1.2 * network.modules[0].quartic)
    seen = {
        "noise": lambda: pathwise_defect(network, network.bias, found, replace(noise, sample=1), WINDOW),
        "matrix": lambda: pathwise_defect(network, network.bias, found, noise, WINDOW, 1.1 * network.matrix),
        "quartic": lambda: pathwise_defect(
            replace(network, modules=(wells,)), network.bias, found, noise, WINDOW
        ),
        "force": lambda: pathwise_defect(network, network.bias + 0.1, found, noise, WINDOW),
    }[spoil]()
    assert seen > DEFECT_TOLERANCE


def test_a_run_of_quartic_wells_is_held_to_its_reference(tmp_path: Path, compiling: Simulator) -> None:
    write_network(tmp_path / "n.h5", Substrate(double_wells()))
    plan = plan_network(
        tmp_path / "n.h5", NetworkRunSettings.model_validate({"noise": "on", "averaging": 20})
    )
    results = run_network(plan, tmp_path / "out", "new", lambda _: None)
    assert 0 < results.rows["equilibrium/defect"][0] < DEFECT_TOLERANCE
    assert results.rows["verdict/accepted"][0]
