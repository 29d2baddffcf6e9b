"""Oscillators of a waveform level that nothing couples, holds or pulls: what their phases do by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from emulator.chip import build, settings_as_built
from emulator.crosscheck import CrossCheck, crosscheck
from emulator.devices import DevicesAsked
from emulator.doctor import find_capabilities
from emulator.levels import realise
from emulator.realisation import Realisation
from emulator.settings import OscillatorSettings, RunSettings
from emulator.simulator import Simulator
from emulator.trajectory import Trajectory
from netlists.as_built import AsBuilt
from netlists.core import AnalogCore
from netlists.noise import Noise
from netlists.non_idealities import NonIdealities
from netlists.synthetic import window_core
from netlists.weights import Weights

DURATION = 10.0  # model time units


def free_core(side: int) -> AnalogCore:
    """side × side cells without couplers, injection, reference or detuning."""
    core = window_core(side, side, strength=0.0)
    return replace(
        core,
        edges=core.edges[:0],
        coupling=core.coupling[:, :0],
        parameters={name: np.zeros_like(values) for name, values in core.parameters.items()},
    )


@dataclass(frozen=True)
class FreeCells:
    """What a simulation made of them."""

    built: AsBuilt
    level: Realisation
    trajectory: Trajectory
    noise: Noise | None
    cycles: float

    @property
    def window(self) -> float:
        """Model time of a cycle, which phases are read over."""
        return DURATION / self.cycles

    def checked(self, *, driven: bool = True) -> CrossCheck:
        """Against the reference, with the noise or without."""
        noise = self.level.driving(self.noise) if driven else None
        return crosscheck(self.built.core, self.trajectory, 200, 50, noise)[0]


def free_cells(
    simulator: Simulator, side: int, level: str, cycles: float, non_idealities: Mapping[str, Any],
    devices: DevicesAsked = "auto", oscillator: Mapping[str, Any] = MappingProxyType({}),
) -> FreeCells:  # fmt: skip
    """Runs side × side free cells for ``cycles`` cycles; equal cells start at random phases."""
    core = free_core(side)
    settings = RunSettings(
        level=level, devices=devices, oscillator=OscillatorSettings(cycles=cycles, **oscillator),
        non_idealities=NonIdealities.model_validate(non_idealities),
    )  # fmt: skip
    built = build(core, settings)
    weights = Weights(Path("none.h5"), "", built.core)
    realised = realise(
        weights, settings_as_built(settings, built), find_capabilities(simulator), simulator, lambda _: None,
        built.legs,
    )  # fmt: skip
    noise = None if realised.noise is None else Noise(realised.noise, sample=3)
    start = core.initial_states(0, 0)
    simulation = simulator.simulate(realised.deck(start, noise), limit_s=300)
    assert simulation.judgement.completed, simulation.judgement.reason
    assert simulation.statistics.rejected == 0
    trajectory = realised.observe(simulation, start).trajectory
    return FreeCells(built, realised, trajectory, noise, cycles)
