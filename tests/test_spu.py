"""Resonators coupled by capacitors: a Gaussian sampler whose precision matrix is the capacitance matrix."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from netlist_text import flat, flat_design, read_spectre, read_spice
from networks import random_network, resistive_network

from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.thermo.grid_covariance import grid_covariance
from netlists.conductances import ConductanceError
from netlists.dialects.write import write_design_deck, write_design_files
from netlists.noise import Noise
from netlists.scaling import NetworkScaling
from netlists.spu import Spu, SpuCell, compile_spu

SCALING = NetworkScaling(tau=1e-7, capacitance=1e-11)
KT = 0.6
LENGTH = 30  # time constants of the slowest pole in a run: sources cost the square of their points


def sampler(size: int = 5, **cell: float) -> Spu:
    return compile_spu(resistive_network(size, seed=2), SpuCell(**cell), SCALING)


@pytest.mark.parametrize("cell", [{}, {"damping": 2.0, "resonance": 0.7}])
def test_the_voltages_of_fine_noise_have_the_inverse_of_the_capacitances(cell: dict[str, float]) -> None:
    """Whatever damping and resonance: ½ kT in every capacitor and inductor, and nothing between the two kinds."""
    spu = sampler(**cell)
    found = grid_covariance(spu.system(), spu.currents(), KT, 1e-4)
    wanted = np.zeros((10, 10))
    wanted[:5, :5] = KT * np.linalg.inv(spu.precision)
    wanted[5:, 5:] = KT * spu.cell.resonance**2 * np.eye(5)
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_ngspice_samples_that_gaussian(any_simulator: Simulator) -> None:
    spu = sampler(3, damping=1.5, resonance=1.5)
    poles = np.linalg.eigvals(spu.system())
    step, slowest = 0.2 / np.abs(poles).max(), poles.real.min()
    points = math.ceil(LENGTH / slowest / step)
    skipped = math.ceil(5 / slowest / step)
    squares, means = np.zeros((3, 3)), np.zeros(3)
    runs = 8
    for sample in range(runs):
        noise = Noise(spu.grid(KT, step, 9), sample)
        duration = (skipped + points) * step
        design = spu.design(noise, duration)
        counts = spu.inventory(design)
        deck = Deck(
            write_design_deck(design, "ngspice"),
            spu.nodes,
            design.analysis.stop,
            counts.devices,
            counts.unknowns,
        )
        found = any_simulator.simulate(deck, limit_s=120)
        assert found.judgement.completed, found.judgement.reason
        at = np.searchsorted(
            found.time / SCALING.tau, step * np.arange(skipped, skipped + points) * (1 - 1e-9)
        )
        states = found.values[at] / SCALING.volts
        squares += states.T @ states / points / runs
        means += states.mean(axis=0) / runs
    expected = grid_covariance(spu.system(), spu.currents(), KT, step)[:3, :3]
    # an amplitude is forgotten in 1/Re λ, its square in half of that; a run is worth that many squares
    worth = runs * LENGTH
    bound = math.sqrt((np.trace(expected) ** 2 + np.sum(expected**2)) / worth)
    assert bound < 0.2 * np.linalg.norm(expected)
    assert np.linalg.norm(squares - expected) < 1.5 * bound
    # resistors at the same temperature would give kT·I
    assert np.linalg.norm(squares - KT * np.eye(3)) > 3 * bound
    assert np.abs(means).max() < 3 * math.sqrt(expected.max() / worth)


def test_every_dialect_says_the_same_circuit() -> None:
    spu = sampler(4)
    design = spu.design(Noise(spu.grid(KT, 0.1, 0), 0), 0.5)
    wanted = flat_design(design)
    kinds = [kind for kind, *_ in wanted.values()]
    assert (kinds.count("L"), kinds.count("R"), kinds.count("C"), kinds.count("I")) == (4, 4, 4 + 6, 4)
    for dialect, read, bench in (
        ("ngspice", read_spice, "testbench.cir"), ("xyce", read_spice, "testbench.cir"),
        ("spectre", read_spectre, "testbench.scs"),
    ):  # fmt: skip
        found = flat(read(write_design_files(design, dialect), bench))
        assert set(found) == set(wanted)
        for path, (kind, nodes, words, numbers) in wanted.items():
            assert found[path][:3] == (kind, nodes, words)
            assert found[path][3] == pytest.approx(numbers, rel=1e-12)


def test_what_capacitors_can_not_make_is_refused() -> None:
    with pytest.raises(
        ConductanceError, match=r"\d+ couplings have M_ij above 0, up to .*; \d+ nodes have couplings beyond"
    ):
        compile_spu(random_network((8,), strength=2.0), SpuCell(), SCALING)
    network = resistive_network(3)
    quartic = replace(network, modules=(replace(network.modules[0], quartic=np.array([0.0, 0.1, 0.0])),))
    with pytest.raises(ConductanceError, match="1 nodes have quartic wells"):
        compile_spu(quartic, SpuCell(), SCALING)
