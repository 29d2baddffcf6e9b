"""The level ``lc``: what the compiler makes of trained weights runs at the carrier's frequency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from emulator.doctor import find_capabilities
from emulator.levels import realise
from emulator.settings import OscillatorSettings, RunSettings
from emulator.simulator import Simulator
from netlists.synthetic import window_core
from netlists.weights import read_weights, write_weights


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
