"""Oscillator arrays as designs: every dialect says them, and ngspice runs them as it runs the array's own deck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cores import core, window_grid
from netlist_text import flat, flat_design, read_spectre, read_spice

from device_models.lc_cell import lc_cell
from device_models.oscillator_cell import CouplerType, OscillatorCell
from device_models.ring_oscillator import ring_cell
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.array_design import array_design
from netlists.characterization import Characterization, CouplingFunction, LimitCycle, ShilLock
from netlists.design import AverageCurrent, Design, Frequency
from netlists.dialects.write import write_design_deck, write_design_files
from netlists.floorplan import wire_farads
from netlists.oscillator_array import OscillatorArray, build_array
from netlists.sizing import size


def guessed(cell: OscillatorCell, coupler: CouplerType) -> Characterization:
    """Numbers of a likely size: the text of a netlist does not depend on how they were obtained."""
    phase = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    nodes = [port for port in cell.block.ports if port not in cell.supplies]
    signals = [*(f"v({node})" for node in nodes), *(f"i({name})" for name in cell.inductors)]
    half = max(cell.supplies.values(), default=0.0) / 2
    values = np.stack([half + 0.4 * np.cos(phase - k) for k in range(len(signals))], axis=1)
    rate = -1e9 * np.sin(phase)

    def function(name: str, sign: float, crossed: bool) -> CouplingFunction:
        harmonics = np.array([0, 1j * sign * 1e9, 0])
        return CouplingFunction(
            name, crossed, coupler.strength_guess, phase, sign * rate, harmonics, harmonics, 0 * rate, 0.0, 1e-6
        )  # fmt: skip

    coupling = {coupler.name: function(coupler.name, 1.0, False)}
    if coupler.crossed is not None:
        coupling[f"{coupler.name}:crossed"] = function(coupler.name, -1.0, True)
    f0 = 1 / cell.period_guess
    none = np.zeros(2)
    lock = ShilLock(cell.shil, cell.shil_kind, 0.3, 1e12, 1e-6, none, none, none[:1], np.zeros(1, bool))
    return Characterization(
        cell.name, "", 100, f0, 0.4, half, np.zeros(3, complex), 1e-5,
        LimitCycle(phase, tuple(signals), values), {}, coupling, lock, 0.1, 1e12, {},
    )  # fmt: skip


def made(cell: OscillatorCell, coupler_name: str, **more: object) -> tuple[OscillatorArray, Characterization]:
    coupler = cell.coupler(coupler_name)
    known = guessed(cell, coupler)
    edges = window_grid(2, 3, 1)
    weights = np.random.default_rng(0).normal(size=len(edges)) * 0.2
    analog_core = core((2, 3), edges, weights, shil=0.5, bias=0.1, visible=[5, 0])
    sizing = size(analog_core, cell, known, cycles=20, coupler=coupler)
    return build_array(analog_core, cell, known, sizing, coupler, (), 20 / known.f0_hz, **more), known


CASES = [
    (ring_cell(), "gm"),
    (ring_cell(), ring_cell().couplers[0].name),
    (lc_cell(), lc_cell().couplers[0].name),
]
IDS = [f"{cell.name}-{name}" for cell, name in CASES]


@pytest.mark.parametrize(("cell", "coupler"), CASES, ids=IDS)
def test_arrays_read_back_in_every_dialect(cell: OscillatorCell, coupler: str) -> None:
    array, known = made(cell, coupler)
    design = array_design(array, known, np.linspace(-3, 3, 6))
    wanted = flat_design(design)
    for dialect in ("ngspice", "xyce"):
        found = flat(read_spice(write_design_files(design, dialect), "testbench.cir"))
        assert found.keys() == wanted.keys()
        for path, primitive in wanted.items():
            assert found[path][:3] == primitive[:3]
            assert found[path][3] == pytest.approx(primitive[3], rel=1e-10, abs=1e-30)
    found = flat(read_spectre(write_design_files(design, "spectre"), "testbench.scs"))
    assert {path: p[:3] for path, p in found.items()} == {path: p[:3] for path, p in wanted.items()}
    assert len([path for path in wanted if path.startswith("xcore.xk_")]) >= 22
    supplies = {node for group in array.supplies.values() for node in group}
    own = [
        node for node in design.initial if node not in supplies and ".k_" not in node
    ]  # not the couplers' bits
    assert len(own) + len(design.parameters) == 6 * len(known.cycle.signals)
    assert {m.name for m in design.measurements if isinstance(m, AverageCurrent)} >= {
        f"i_{supply}" for supply in cell.supplies
    }
    assert [m for m in design.measurements if isinstance(m, Frequency)]


@pytest.mark.parametrize(("cell", "coupler"), CASES[::2], ids=IDS[::2])
def test_ngspice_runs_an_arrays_design(simulator: Simulator, cell: OscillatorCell, coupler: str) -> None:
    array, known = made(cell, coupler)
    design = replace(array_design(array, known, np.linspace(-3, 3, 6)), measurements=())
    result = run(simulator, design, array)
    assert np.ptp(result, axis=0).min() > 0.1
    loaded, _ = made(cell, coupler, wire_farads=wire_farads(array.core, array.sizing.links.edge, 20.0, 2e-16))
    slower = run(
        simulator, replace(array_design(loaded, known, np.linspace(-3, 3, 6)), measurements=()), loaded
    )
    # 4 to 8 fF a wire: seen by a ring of 40 fF a node
    assert np.abs(slower[-1] - result[-1]).max() > 1e-6


def run(simulator: Simulator, design: Design, array: OscillatorArray) -> np.ndarray:
    deck = Deck(write_design_deck(design, "ngspice"), array.outputs, array.stop)
    result = simulator.simulate(deck, limit_s=60)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    return result.values
