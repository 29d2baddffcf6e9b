"""What a run's samples are simulated as: a level of fidelity, as decks in and trajectories out.

A realisation knows how a core became a circuit. The rest of the way (worker, cross-check, readout, converter,
results) is the same for all levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from emulator.devices import Choice, make_deck
from emulator.energy.metering import Metering
from emulator.ladder import Rung
from emulator.ngspice import Deck, Simulation
from emulator.sinks import Waveform
from emulator.trajectory import Trajectory, from_simulation
from netlists.circuit import Inventory
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions, write_netlist
from netlists.noise import Driving, Noise, NoiseGrid
from netlists.scaling import Scaling


@dataclass(frozen=True)
class Observed:
    """What one simulation brought, in model units, and what only waveforms can tell.

    Attributes:
        trajectory: states along the run.
        amplitude: (N,) of each node's fundamental at the end, relative to the free-running cell; None at phase level.
        oscillators_j, couplers_j, injection_j: joules over the run, what ``metering`` says they are; NaN where there
            are none.
        excerpts: waveforms of a few nodes, at the start and at the end.
    """

    trajectory: Trajectory
    amplitude: Array | None = None
    oscillators_j: float = math.nan
    couplers_j: float = math.nan
    injection_j: float = math.nan
    excerpts: tuple[Waveform, ...] = ()


class Realisation(Protocol):
    """A core as circuits of one level.

    Attributes:
        title: what was built, in a line.
        devices, jacobian: form of the devices, and of what compiled ones tell the solver.
        remarks: what a user should be told before the run.
        tau: seconds per model time unit.
        stop: seconds of a run.
        inventory: the counts a simulator has to confirm.
        options: of the solver.
        rungs: models between the trained ODE and the circuit; empty where the circuit is the ODE.
        noise: that drives the cells, or None; in the circuit's own units.
        noise_step: model time between its grid points; None without.
        phase_noise: by how much the phases of oscillators diffuse, with thermal noise; None of other cells.
        metering: what the energies of a run mean; None where nothing has any.
    """

    @property
    def title(self) -> str: ...
    @property
    def devices(self) -> str: ...
    @property
    def jacobian(self) -> str: ...
    @property
    def remarks(self) -> tuple[str, ...]: ...
    @property
    def tau(self) -> float: ...
    @property
    def stop(self) -> float: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def options(self) -> SolverOptions: ...
    @property
    def rungs(self) -> tuple[Rung, ...]: ...
    @property
    def noise(self) -> NoiseGrid | None: ...
    @property
    def noise_step(self) -> float | None: ...
    @property
    def phase_noise(self) -> float | None: ...
    @property
    def metering(self) -> Metering | None: ...

    def deck(self, start: Array, noise: Noise | None = None) -> Deck:
        """The deck that runs from (N,) states, under a sample's noise if there is any."""

    def driving(self, noise: Noise | None) -> Driving | None:
        """A sample's noise as the states of the core feel it."""

    def observe(self, simulation: Simulation, start: Array) -> Observed:
        """What a completed simulation of that deck brought."""

    def files(self, start: Array, noise: Noise | None = None) -> Mapping[str, str]:
        """The netlist as a designer takes it, by file name."""


class ChosenDevices:
    """What a level of compiled or behavioural devices says of itself: all of it stands in the choice."""

    choice: Choice

    @property
    def title(self) -> str:
        """What was built."""
        return self.choice.circuit.title

    @property
    def devices(self) -> str:
        """Form of the devices."""
        return self.choice.devices

    @property
    def jacobian(self) -> str:
        """What compiled devices tell the solver."""
        return self.choice.jacobian

    @property
    def remarks(self) -> tuple[str, ...]:
        """Of how the choice of devices fell."""
        return self.choice.remarks

    @property
    def inventory(self) -> Inventory:
        """Counts."""
        return self.choice.circuit.inventory

    @property
    def noise(self) -> NoiseGrid | None:
        """What the circuit was compiled with."""
        return self.choice.circuit.noise


@dataclass(frozen=True)
class PhaseLevel(ChosenDevices):
    """Cells whose voltage is the phase."""

    core: AnalogCore
    choice: Choice
    options: SolverOptions
    rungs: tuple[Rung, ...] = ()

    @property
    def tau(self) -> float:
        """Seconds per model time unit."""
        return self._scaling.tau

    @property
    def stop(self) -> float:
        """Seconds of a run."""
        return self.choice.circuit.stop

    @property
    def _scaling(self) -> Scaling:
        return self.choice.circuit.scaling

    def deck(self, start: Array, noise: Noise | None = None) -> Deck:
        """Starts from voltages that are the states."""
        return make_deck(self.choice, self.options, start, noise)

    phase_noise: None = None
    metering: None = None

    @property
    def noise_step(self) -> float | None:
        """Of the circuit's grid."""
        return None if self.noise is None else self.noise.step

    def driving(self, noise: Noise | None) -> Driving | None:
        """As it is."""
        return noise

    def observe(self, simulation: Simulation, start: Array) -> Observed:
        """The solver's time points as they are."""
        return Observed(from_simulation(simulation, start, self._scaling, self.core.duration))

    def files(self, start: Array, noise: Noise | None = None) -> Mapping[str, str]:
        """Cell library, core, test bench."""
        return write_netlist(self.choice.circuit, self.options, start, noise=noise).by_name()
