"""Oscillators of a waveform level that nothing couples, holds or pulls: what their phases do by themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from emulator.cell_runs import BenchFailed
from emulator.chip import build, settings_as_built
from emulator.crosscheck import CrossCheck, crosscheck
from emulator.devices import DevicesAsked
from emulator.doctor import find_capabilities
from emulator.levels import realise
from emulator.phase_diffusion import Diffusion, phase_diffusion
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

    @property
    def diffusion(self) -> Diffusion:
        """Of the phases, per model time unit, from a little after the start on."""
        return phase_diffusion(self.trajectory.time[2:], self.trajectory.state[2:], self.window)

    def checked(self, *, driven: bool = True) -> CrossCheck:
        """Against the reference, with the noise or without."""
        noise = self.level.driving(self.noise) if driven else None
        return crosscheck(self.built.core, self.trajectory, 200, 50, noise)[0]


def free_settings(
    level: str, cycles: float, non_idealities: Mapping[str, Any], devices: DevicesAsked = "auto",
    oscillator: Mapping[str, Any] = MappingProxyType({}),
) -> RunSettings:  # fmt: skip
    """Of a run of free cells."""
    return RunSettings(
        level=level, devices=devices, oscillator=OscillatorSettings(cycles=cycles, **oscillator),
        non_idealities=NonIdealities.model_validate(non_idealities),
    )  # fmt: skip


def free_cells(
    simulator: Simulator, side: int, level: str, cycles: float, non_idealities: Mapping[str, Any],
    devices: DevicesAsked = "auto", oscillator: Mapping[str, Any] = MappingProxyType({}),
) -> FreeCells:  # fmt: skip
    """Runs side × side free cells for ``cycles`` cycles; equal cells start at random phases.

    Raises:
        BenchFailed: the simulation did not finish.
    """
    core, settings = free_core(side), free_settings(level, cycles, non_idealities, devices, oscillator)
    built = build(core, settings)
    weights = Weights(Path("none.h5"), "", built.core)
    realised = realise(
        weights, settings_as_built(settings, built), find_capabilities(simulator), simulator, lambda _: None,
        built.legs,
    )  # fmt: skip
    noise = None if realised.noise is None else Noise(realised.noise, sample=3)
    start = core.initial_states(0, 0)
    simulation = simulator.simulate(realised.deck(start, noise), limit_s=300)
    if not simulation.judgement.completed:
        raise BenchFailed("free cells", simulation.judgement)
    trajectory = realised.observe(simulation, start).trajectory
    return FreeCells(built, realised, trajectory, noise, cycles)


@dataclass(frozen=True)
class NoisyCells:
    """Phase diffusion of a cell that runs free under noise, in rad²/s.

    Attributes:
        stated: what the noise was made for.
        measured: of ``cells`` of them over ``cycles``.
    """

    stated: float
    measured: Diffusion
    cells: int
    cycles: float


def noisy_cells(
    simulator: Simulator, level: str, f0_hz: float, noise: float, elements: Mapping[str, Any],
    oscillator: Mapping[str, Any] = MappingProxyType({}), side: int = 6, cycles: float = 200.0,
) -> NoisyCells:  # fmt: skip
    """Measures back how fast the phases of side × side cells diffuse.

    Args:
        simulator: runs them.
        level: a waveform level.
        f0_hz: of the cell.
        noise: rad per root of second.
        elements: their ``temperature``, which brings thermal noise in addition, and their ``corner``.
        oscillator: settings of the level.
        side, cycles: of the run.

    Raises:
        BenchFailed: the simulation did not finish.
        SizingError, NonIdealityError: a cell that noise or temperature can't act on.
    """
    second = f0_hz * DURATION / cycles  # model time units in one
    asked = {"noise": noise / math.sqrt(second), **elements}
    run = free_cells(simulator, side, level, cycles, asked, "auto", oscillator)
    stated, found = run.level.phase_noise or 0.0, run.diffusion
    measured = Diffusion(found.rate * second, found.error * second)
    return NoisyCells(stated**2 * second, measured, side * side, cycles)
