"""A trained phase core as an array of LC oscillators: weights, injections, tanks and starts.

The run is ``cycles`` of the carrier; a trained rate R (per model time unit) becomes R · duration / (2π cycles) per
radian, over the gain with which the cell turns it into a phase rate (``netlists.lc_design``, or as measured).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from netlists.core import AnalogCore, Array, Index, InitialDistribution
from netlists.design import Frequency, settled_frequency
from netlists.lc_design import LcDesign, design_lc
from netlists.scaling import Scaling

TRAINED = ("kuramoto", "kurashil")
DEFAULT_CAPACITANCE = 1e-12


@dataclass(frozen=True)
class Corrections:
    """What a characterisation of the cell measured, in place of the design's own figures.

    Attributes:
        coupling_gain: of κ, phase rate over weight (1 is the averaged equation's).
        shil_gain, shil_phase: of s, and ψ₂, rad.
        reference_gain, reference_phase: of b, and ψ₁, rad.
        frequency: free-running over nominal: the carrier, and with it the injection, runs at that.
    """

    coupling_gain: float
    shil_gain: float
    shil_phase: float
    reference_gain: float
    reference_phase: float
    frequency: float = 1.0


@dataclass(frozen=True)
class LcArray:
    """An array of LC oscillators that carries out a trained phase core.

    Attributes:
        core: of a family of ``device_models.lc_oscillator``; model time in radians of the nominal carrier.
        scaling: seconds a radian, and the tank's capacitor.
        design: the cell.
        f0_hz: frequency of the carrier: what phases are measured against.
        step: of the solver, seconds: the nominal cycle over ``design.points_per_cycle``.
        tau: seconds per model time unit of the trained core.
    """

    core: AnalogCore
    scaling: Scaling
    design: LcDesign
    f0_hz: float
    step: float
    tau: float

    @property
    def cycles(self) -> float:
        """Nominal cycles of the whole run."""
        return self.core.duration / (2 * math.pi)

    @property
    def _limiter(self) -> str:
        if self.core.family.senses_current:
            return f"amplitudes levelled at {self.design.epsilon:g} a radian"
        return f"Q {1 / self.design.epsilon:g}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before reading on: the numbers that all others follow from, and how nodes are called."""
        return (
            f"Parameters: {self._limiter}, {self.scaling.capacitance:g} F a tank; cells run free at "
            f"{self.f0_hz / 1e6:.7g} MHz, as does the reference; the injection at twice that",
            f"Time: {self.cycles:g} cycles for the whole run, tau = {self.tau:.6g} s per model time unit, "
            f"steps of {self.step:.6g} s",
            "Weights: of any size; a coupler's k_T is its transconductance in time chunk T, over C times the angular "
            "frequency",
            "Names: rNNcNN is the output of the cell at row NN, column NN (rows from the top, columns from the left, "
            "from 00); a hidden cell's is inside the call core",
        )

    def measurements(self, nodes: Sequence[str], visible: Index, stop: float) -> tuple[Frequency, ...]:
        """The frequency of the first visible cell; ``nodes`` are all cells' outputs."""
        first = nodes[int(visible[0]) if len(visible) else 0]
        return settled_frequency("f_first", first, 0.0, stop * self.f0_hz)

    def start(self, phases: Array) -> tuple[Array, Array]:
        """(N,) volts and (N,) ampere of cells that stand at (N,) phases of the limit cycle at time 0."""
        values = self.design.cycle.at(phases)
        return values[:, 0], values[:, 1] * self.scaling.conductance


def lc_core(
    core: AnalogCore, f0_hz: float = 1e9, cycles: float = 1000.0, epsilon: float = 2.0, amplitude_v: float = 1.0, *,
    capacitance: float = DEFAULT_CAPACITANCE, points_per_cycle: int = 64, family_name: str = "lc_levelled",
    corrections: Corrections | None = None,
) -> LcArray:  # fmt: skip
    """The LC array of a trained phase core.

    What averaging leaves out falls with the coupling over the limiter's strength, that is with 1/(ε cycles), in the
    levelled and the tanh-limited cell; the van der Pol cell's couplings also lag by ε/4, however many cycles there are.

    Args:
        core: of family ``kuramoto`` or ``kurashil``.
        f0_hz: nominal carrier; the tanks are such that cells run at it in steps of 1/(f0 · points_per_cycle).
        cycles: of the nominal carrier, for the whole run.
        epsilon: strength of the limiter, per radian: see ``device_models.lc_oscillator``.
        amplitude_v: of the free oscillation, volts.
        capacitance: of the tank, farad.
        points_per_cycle: steps of the solver a cycle.
        family_name: ``lc_levelled``, ``lc_tanh`` or ``lc`` (van der Pol).
        corrections: measured figures; None takes the design's.

    Raises:
        ValueError: the core is of another family.
    """
    if core.family_name not in TRAINED:
        raise ValueError(
            f"an LC array carries out {' or '.join(TRAINED)} cores, not {core.family_name}: its state is a phase"
        )
    design = design_lc(epsilon, amplitude_v, points_per_cycle, family_name)
    if corrections is None:
        corrections = Corrections(
            design.coupling_gain, design.shil_gain, design.shil_phase, design.reference_gain,
            design.reference_phase,
        )  # fmt: skip
    radians = 2 * math.pi * cycles
    per_radian = core.duration / radians  # trained time units
    shil = core.parameters.get("shil", np.zeros((core.chunks, core.nodes)))
    frequency = corrections.frequency
    array = replace(
        core,
        family_name=family_name,
        boundaries=core.boundaries / per_radian,
        coupling=core.coupling * (per_radian / corrections.coupling_gain),
        parameters={
            "epsilon": np.array(design.epsilon),
            "amplitude": np.array(amplitude_v),
            "shil_phase": np.array(corrections.shil_phase),
            "bias_phase": np.array(corrections.reference_phase),
            "shil": shil * (per_radian / corrections.shil_gain),
            "bias": core.parameters["bias"] * (per_radian / corrections.reference_gain),
            "carrier": np.array(frequency),
            "inductance": design.detuned(core.parameters["detuning"] * (per_radian / frequency)),
        },
        readout="linear",
        initial=InitialDistribution(-amplitude_v, amplitude_v),
    )
    return LcArray(
        core=array,
        scaling=Scaling(tau=1 / (2 * math.pi * f0_hz), capacitance=capacitance),
        design=design,
        f0_hz=f0_hz * frequency,
        step=1 / (f0_hz * points_per_cycle),
        tau=cycles / (f0_hz * core.duration),
    )
