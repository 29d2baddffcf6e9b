"""What each step down from the trained ODE to the circuit costs, and which assumption of the model breaks first.

The ladder is a list of models, each with one assumption of the trained ODE less, from the same start: the ODE itself,
the weights as built, the measured coupling functions, their frequency pulling (loading), and for LC cells the
amplitudes as states of their own. What is left between the last model and the circuit ("a cell is its phase", or its
envelope) is what none of them has: averaging over the cycle, the amplitudes of other cells, coupling harmonics where
they are not a step of their own, and the solver's own error. The cost of a step is what the end
of the run moves by, in rad, in pixels and in codes. Beside the measured cost stands a prediction from the sizing
alone: how far an equilibrium shifts, the disturbing rate over the restoring one, for a run that is not sensitive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from device_models.oscillator_cell import CouplerType
from emulator.crosscheck import difference
from emulator.phase_models import Action, actions, envelope_trajectory, gamma_rate, phase_trajectory
from emulator.reference import trajectory
from netlists.characterization import Characterization, Complex
from netlists.core import AnalogCore, Array, Index
from netlists.sizing import Sizing, coupling_functions

CIRCUIT = "waveforms"


@dataclass(frozen=True)
class Rung:
    """One model, and what it gives up of the one above.

    Attributes:
        name: a word.
        assumption: of the trained model, that no longer holds.
        model: what takes its place; None for the circuit.
        predicted: rad by which it is expected to move an equilibrium; NaN where there is no estimate.
    """

    name: str
    assumption: str
    model: PhaseModel | None
    predicted: float


@dataclass(frozen=True)
class PhaseModel:
    """A model that a worker process can integrate.

    Attributes:
        core: weights.
        sizing: of an array, with the actions of its couplers; None for the ODE or the envelope.
        actions: see ``phase_models``.
        growth: restoring rate of an LC envelope's amplitude, per model time unit; None for a phase model.
    """

    core: AnalogCore
    sizing: Sizing | None = None
    actions: tuple[Action, ...] = ()
    growth: float | None = None

    def run(self, start: Array, times: Array) -> Array:
        """(R, N) phases at ascending model times, from (N,) ``start``."""
        if self.growth is not None:
            return envelope_trajectory(self.core, start, times, self.growth)[0]
        sizing = self.sizing
        if sizing is None:
            return trajectory(self.core, start, times, rtol=RTOL)
        return phase_trajectory(
            self.core, start, times, lambda chunk: gamma_rate(self.core, sizing, self.actions, chunk)
        )


RTOL = 1e-8


def restoring(core: AnalogCore) -> float:
    """Median over nodes of the rates that hold a phase where it is, per model time unit: Σ|K| + 2|S| + |B|."""
    total = np.zeros(core.nodes)
    for chunk in range(core.chunks):
        total += np.bincount(core.edges[:, 0], np.abs(core.coupling[chunk]), minlength=core.nodes)
        total += np.abs(core.parameters["bias"][chunk])
        if "shil" in core.parameters:
            total += 2 * np.abs(core.parameters["shil"][chunk])
    return float(np.median(total)) / core.chunks


def ladder_of_array(
    core: AnalogCore, sizing: Sizing, known: Characterization, coupler: CouplerType
) -> tuple[Rung, ...]:
    """The ladder of an array of circuit cells."""
    whole = actions(known, coupler, sizing)
    free = tuple(Action(a.onto, a.other, a.strength, _without_mean(a.harmonics)) for a in whole)
    hold = max(restoring(core), 1e-300)
    degree = len(core.edges) / core.nodes
    weights = float(np.sqrt(np.mean(core.coupling**2)))
    functions = coupling_functions(known, coupler)
    lag = max(abs(function.lag) for function in functions)
    shape = max(float(np.linalg.norm(f.harmonics[2:])) / abs(f.gain) for f in functions) + lag
    rungs = [Rung("weights as built", "weights are exact", PhaseModel(sizing.as_built),
                  sizing.lsb / math.sqrt(12) * math.sqrt(degree) / hold)]  # fmt: skip
    # the pulling's mean is taken up by the reference, in the frame of the model without it
    still = _still(sizing)
    return (
        *rungs,
        Rung("coupling harmonics", "couplings are sines without lag", PhaseModel(sizing.as_built, still, free),
             shape * weights * math.sqrt(degree) / hold),
        Rung("loading", "couplers do not pull the frequency", PhaseModel(sizing.as_built, sizing, whole),
             float(sizing.pulling.std()) * sizing.tau / hold),
        Rung(CIRCUIT, "a cell is its phase", None, math.nan),
    )  # fmt: skip


def ladder_of_lc(core: AnalogCore, cycles: float, restored: float) -> tuple[Rung, ...]:
    """The ladder of LC cells with transconductance couplers, whose limiters restore amplitudes at a rate a radian."""
    per_radian = core.duration / (2 * math.pi * cycles)
    growth = restored / per_radian
    hold = max(restoring(core), 1e-300)
    strength = float(np.sqrt(np.mean(core.coupling**2))) * len(core.edges) / core.nodes
    return (
        Rung("amplitude dynamics", "amplitudes are constant", PhaseModel(core, growth=growth), strength / growth),
        Rung(CIRCUIT, "a cell is its envelope", None, hold * per_radian),
    )  # fmt: skip


def _without_mean(harmonics: Complex) -> Complex:
    found = np.array(harmonics)
    found[0] = 0.0
    return found


def _still(sizing: Sizing) -> Sizing:
    """A sizing whose reference runs at the free frequency: no coupler pulls."""
    return replace(sizing, carrier_hz=sizing.free_hz)


@dataclass(frozen=True)
class Costs:
    """Of L rungs: what the end of a run moves by from the model above.

    Attributes:
        end_rms: (L,) rad rms over nodes, on the circle.
        pixel_rms: (L,) rms of the analog pixels.
        codes: (L,) share of codes that move by more than 1 LSB.
    """

    end_rms: Array
    pixel_rms: Array
    codes: Array


def ends(rungs: Sequence[Rung], core: AnalogCore, start: Array) -> Array:
    """(L, N) phases at the end of a run: of the ODE, then of each rung's model but the circuit's.

    Raises:
        reference.ReferenceFailed: a model could not be integrated.
    """
    models = [PhaseModel(core), *(rung.model for rung in rungs if rung.model is not None)]
    return np.stack([model.run(start, np.array([core.duration]))[-1] for model in models])


def costs(core: AnalogCore, found: Array, read: Callable[[Array], tuple[Array, Index]]) -> Costs:
    """What each step moved.

    Args:
        core: the trained weights.
        found: (L + 1, N) phases at the end: of ``ends``, and of the circuit.
        read: (N,) phases to (V,) analog pixels and (V,) codes.
    """
    error = difference(found[1:], found[:-1], core.family.state.periodic)
    seen = [read(phases) for phases in found]
    pixels, codes = (np.stack([pair[k] for pair in seen]) for k in (0, 1))
    return Costs(
        np.sqrt(np.mean(error**2, axis=1)),
        np.sqrt(np.mean(np.diff(pixels, axis=0) ** 2, axis=1)),
        np.mean(np.abs(np.diff(codes, axis=0)) > 1, axis=1),
    )
