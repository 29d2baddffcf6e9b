"""The level ``lc``: what the compiler makes of trained weights runs at the carrier's frequency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emulator.cells import BUILT_IN, LC_LEVELLING, LC_QUALITY
from emulator.characterize import cached
from emulator.doctor import find_capabilities
from emulator.levels import realise
from emulator.settings import OscillatorSettings, RunSettings
from emulator.simulator import Simulator
from netlists.lc_design import design_lc
from netlists.synthetic import window_core
from netlists.weights import read_weights, write_weights


@pytest.mark.parametrize(
    ("name", "family_name", "epsilon"),
    [("lc", "lc_levelled", LC_LEVELLING), ("differential-pair", "lc_tanh", 1 / LC_QUALITY)],
)
def test_what_is_designed_is_what_is_measured(name: str, family_name: str, epsilon: float) -> None:
    cell = BUILT_IN[name]()
    farads = float(cell.block.parameters["c"])
    design = design_lc(epsilon, points_per_cycle=cell.points_per_cycle, family_name=family_name)
    with Simulator() as simulator:
        known = cached(simulator, cell)
    assert known.shil is not None
    # the averaged equation's gains: 1/(2C) a siemens, 1/(4C) a siemens pumped, 1/(2CA) an ampere
    np.testing.assert_allclose(known.f0_hz * cell.period_guess, 1, rtol=2e-5)
    np.testing.assert_allclose(known.amplitude_v, np.abs(design.cycle.at(0.0)[0]), rtol=2e-2)
    np.testing.assert_allclose(known.coupling["gm"].gain * 2 * farads, design.coupling_gain, rtol=1e-4)
    np.testing.assert_allclose(known.coupling["gm"].lag, design.coupling_lag, atol=1e-4)
    np.testing.assert_allclose(known.shil.gain * 4 * farads, design.shil_gain, rtol=1e-2)
    np.testing.assert_allclose(known.shil.drive_phase, design.shil_phase, atol=1e-2)
    pulled = known.reference_gain * 2 * farads * known.amplitude_v
    np.testing.assert_allclose(pulled, design.reference_gain, rtol=1e-2)
    np.testing.assert_allclose(known.shil.measured_hz, known.shil.predicted_hz, rtol=0.1)


def test_cells_that_nothing_pulls_keep_their_phases(tmp_path: Path) -> None:
    core = window_core(2, 2, strength=0.0)
    silent = {name: np.zeros_like(core.parameters[name]) for name in ("bias", "shil", "detuning")}
    core = replace(core, parameters={**core.parameters, **silent})
    write_weights(tmp_path / "free.h5", core)
    settings = RunSettings(level="lc", oscillator=OscillatorSettings(cycles=300))
    start = core.initial_states(0, 0)
    with Simulator() as simulator:
        ability = find_capabilities(simulator)
        weights = read_weights(tmp_path / "free.h5")
        level = realise(weights, settings, ability, simulator, lambda _: None)
        simulation = simulator.simulate(level.deck(start))
    assert simulation.judgement.completed
    phases = level.observe(simulation, start).trajectory.state
    # a carrier 1e-5 off would be 0.02 rad in 300 cycles
    assert np.abs(phases - start).max() < 2e-3
