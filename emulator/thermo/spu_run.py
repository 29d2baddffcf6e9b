"""Coupled resonators as a sampler, run in ngspice: the covariance of their voltages, against closed forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.thermo.audit_transients import Stage
from emulator.thermo.circuit import TIME_LIMIT_S, completed
from emulator.thermo.grid_covariance import covariance_spread, grid_covariance
from netlists.core import Array
from netlists.design import Design
from netlists.dialects.write import write_design_deck
from netlists.noise import Noise, NoiseError
from netlists.spu import Spu

STEP = 0.1  # of the noise's grid, over the magnitude of the fastest pole
BURN_IN, KEPT = 6.0, 12.0  # time constants of the slowest pole; sources cost the square of their points
SPREAD = 2.0  # times its standard error, that a covariance may be off


@dataclass(frozen=True)
class SpuPlan:
    """How a sampler is run, in model units.

    Attributes:
        spu: the sampler.
        kt: temperature.
        seed: of the noise.
        step: between grid points of the noise.
        skipped, kept: grid points of a run before it has forgotten its start, and after.
    """

    spu: Spu
    kt: float
    seed: int
    step: float
    skipped: int
    kept: int

    def design(self, run: int) -> Design:
        """A run under noise of its own."""
        noise = Noise(self.spu.grid(self.kt, self.step, self.seed), run)
        return self.spu.design(noise, (self.skipped + self.kept) * self.step)


def plan_spu(spu: Spu, kt: float, seed: int) -> SpuPlan:
    """A plan by the sampler's poles.

    Raises:
        NoiseError: no temperature.
    """
    if not kt > 0:
        raise NoiseError(f"temperature kT is {kt:g}; expected above 0, as it is noise that samples")
    poles = np.linalg.eigvals(spu.system())
    step, slowest = STEP / float(np.abs(poles).max()), float(poles.real.min())
    skipped, kept = (math.ceil(times / slowest / step) for times in (BURN_IN, KEPT))
    return SpuPlan(spu, kt, seed, step, skipped, kept)


@dataclass(frozen=True)
class SpuRun:
    """What the runs of a sampler show, in model units.

    Attributes:
        runs: from rest, each under noise of its own.
        covariance: (N, N) of the voltages, about 0.
        expected: (N, N) the same in closed form, on the noise's grid.
        standard_error: of ``error``.
        boltzmann: (N, N) kT A⁻¹, which noise without a grid would give.
        elements: by kind.
        cpu_s: processor seconds of the simulator.
    """

    runs: int
    covariance: Array
    expected: Array
    standard_error: float
    boltzmann: Array
    elements: dict[str, int]
    cpu_s: float

    def off(self, other: Array) -> float:
        """Frobenius distance of the covariance from another, relative to that."""
        return float(np.linalg.norm(self.covariance - other) / np.linalg.norm(other))

    @property
    def error(self) -> float:
        """Of the covariance against its closed form."""
        return self.off(self.expected)

    @property
    def accepted(self) -> bool:
        """Whether it is the closed form's, as far as so many points can tell."""
        return self.error <= SPREAD * self.standard_error


def run_spu(simulator: Simulator, plan: SpuPlan, runs: int, stage: Stage) -> SpuRun:
    """Samples in so many runs.

    Raises:
        CircuitFailed: a simulation did not complete.
    """
    spu, nodes = plan.spu, len(plan.spu.nodes)
    squares, used = np.zeros((nodes, nodes)), 0.0
    points = plan.step * np.arange(plan.skipped, plan.skipped + plan.kept) * (1 - 1e-9)
    for run in range(runs):
        stage("sampling", run, runs)
        design = plan.design(run)
        counts = spu.inventory(design)
        stop = (plan.skipped + plan.kept) * plan.step * spu.scaling.tau
        text = write_design_deck(design, "ngspice")
        deck = Deck(text, spu.nodes, stop, counts.devices, counts.unknowns)
        found = completed(simulator.simulate(deck, limit_s=TIME_LIMIT_S))
        at = np.searchsorted(found.time / spu.scaling.tau, points)
        states = found.values[at] / spu.scaling.volts
        squares += states.T @ states / plan.kept / runs
        used += found.statistics.cpu_s
    shown = slice(0, nodes)
    system, currents = spu.system(), spu.currents()
    expected = grid_covariance(system, currents, plan.kt, plan.step)[shown, shown]
    spread = covariance_spread(system, currents, plan.kt, plan.step, shown, plan.kept) / math.sqrt(runs)
    return SpuRun(
        runs, squares, expected, spread / float(np.linalg.norm(expected)),
        plan.kt * np.asarray(np.linalg.inv(spu.precision)), dict(counts.devices), used,
    )  # fmt: skip
