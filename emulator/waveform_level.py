"""The waveform levels: cells that oscillate, read through demodulators while the simulator writes.

What is simulated is the carrier, cycle by cycle; what goes on to the cross-check is a trajectory of phases, as at the
phase level. The run goes on after its end, with the last chunk's weights, until the last demodulation window is whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from emulator.demodulate import Demodulation, Demodulator, IqDemodulator, SamplingFlipFlops, ZeroCrossings
from emulator.devices import Choice
from emulator.energy.metering import Metering
from emulator.energy.tanks import delivered
from emulator.ladder import Rung
from emulator.ngspice import Deck, Simulation
from emulator.realisation import ChosenDevices, Observed
from emulator.sinks import Excerpt, Means, Reading, Waveforms, WaveformSink
from emulator.trajectory import Trajectory
from netlists.array_design import array_design
from netlists.carrier_noise import CarrierNoise, SeenByPhases
from netlists.characterization import Characterization
from netlists.circuit import Circuit, Inventory
from netlists.core import AnalogCore, Array
from netlists.design import Design
from netlists.dialects.ngspice import SolverOptions, write_deck, write_netlist
from netlists.dialects.write import write_design_deck, write_design_files
from netlists.lc import LcArray
from netlists.noise import Driving, Noise, NoiseGrid
from netlists.oscillator_array import CELLS_SUPPLY, COUPLERS_SUPPLY, OscillatorArray

IQ_CYCLES, CROSSING_CYCLES = 1, 3
EXCERPT_CYCLES = 5
EXCERPT_NODES = 4
PHASES = "phases"


@dataclass(frozen=True)
class Watch:
    """How phases are read from waveforms.

    Attributes:
        kind: the demodulator.
        taps: of the flip-flops.
        rows: of the trajectory.
        carrier_hz: of the reference.
        duration_s: of the run.
        amplitude: of the free-running fundamental, volts.
        threshold: of the flip-flops, volts: the output's mean.
        offset: rad that the demodulator reads for a cell of phase 0, as its waveform is no cosine.
    """

    kind: Demodulation
    taps: int
    rows: int
    carrier_hz: float
    duration_s: float
    amplitude: float
    threshold: float
    offset: float = 0.0

    @property
    def cycles(self) -> int:
        """Of a window."""
        return CROSSING_CYCLES if self.kind == "crossings" else IQ_CYCLES

    @property
    def stop(self) -> float:
        """Seconds until the last window is whole; a little more, for its last flip-flop."""
        return self.duration_s + (self.cycles + 1) / 2 / self.carrier_hz

    @property
    def centers(self) -> Array:
        """(rows,) seconds of the windows' middles; the start is known without one."""
        return np.linspace(0.0, self.duration_s, self.rows + 1)[1:]

    def demodulator(self) -> Demodulator:
        """A fresh one."""
        if self.kind == "iq":
            return IqDemodulator(self.carrier_hz, self.centers, self.cycles)
        if self.kind == "crossings":
            return ZeroCrossings(self.carrier_hz, self.centers, self.cycles, self.threshold)
        return SamplingFlipFlops(self.carrier_hz, self.centers, taps=self.taps, threshold=self.threshold)

    def sink(
        self, outputs: Sequence[str], products: Sequence[tuple[str, ...]] = (), squared: Sequence[str] = ()
    ) -> WaveformSink:
        """What a run is reduced to: phases, what energies are made of, and a few nodes' first and last cycles."""
        shown = tuple(outputs[:: max(1, len(outputs) // EXCERPT_NODES)][:EXCERPT_NODES])
        length = EXCERPT_CYCLES / self.carrier_hz
        return WaveformSink(
            {PHASES: Reading(tuple(outputs), self.demodulator())},
            Means(tuple(products), np.array([[0.0, self.duration_s]]), tuple(squared))
            if products or squared
            else None,
            (Excerpt(shown, 0.0, length), Excerpt(shown, self.duration_s - length, self.duration_s)),
        )

    def trajectory(self, waveforms: Waveforms, start: Array, duration: float) -> Trajectory:
        """Phases from (N,) ``start`` on, over a run of ``duration`` model time units."""
        found = waveforms.demodulated[PHASES]
        turn = 2 * np.pi
        phase = found.phase - self.offset
        phase += turn * np.round((start - phase[0]) / turn)
        times = np.append(0.0, found.time * (duration / self.duration_s))
        times[-1] = duration
        return Trajectory(times, np.concatenate([start[None], phase]))

    def relative_amplitude(self, waveforms: Waveforms) -> Array:
        """(N,) at the end."""
        return np.asarray(waveforms.demodulated[PHASES].amplitude[-1] / self.amplitude)


class Noisy:
    """What a level says of the noise of its oscillators."""

    felt: CarrierNoise | None

    @property
    def noise_step(self) -> float | None:
        """Model time between grid points."""
        return None if self.felt is None else self.felt.step

    @property
    def phase_noise(self) -> float | None:
        """rad per root of model time by which phases diffuse."""
        return None if self.felt is None else self.felt.sigma

    def driving(self, noise: Noise | None) -> Driving | None:
        """What phases feel of it."""
        return None if noise is None or self.felt is None else SeenByPhases(self.felt, noise.sample)


@dataclass(frozen=True)
class LcLevel(Noisy, ChosenDevices):
    """LC tanks with transconductance couplers, in any form of the devices.

    ``quality`` is that of the tanks. The netlist has no loss of its own beside the active conductance that makes up
    for it, so it is known here alone.
    """

    trained: AnalogCore
    array: LcArray
    choice: Choice
    options: SolverOptions
    watch: Watch
    quality: float
    rungs: tuple[Rung, ...] = ()
    felt: CarrierNoise | None = None

    @property
    def tau(self) -> float:
        """Seconds per model time unit of the trained weights."""
        return self.array.tau

    @property
    def stop(self) -> float:
        """Seconds of a run."""
        return self.watch.stop

    @property
    def metering(self) -> Metering:
        """What elements deliver to the tanks: none of them has a supply."""
        array = self.array
        tank = (
            f"tanks of {array.scaling.capacitance:g} F and Q {self.quality:g} at {array.design.amplitude:g} V"
        )
        return Metering(
            meaning="delivered", cell=f"{array.core.family.title}, {tank}", coupler="transconductors",
            oscillators=self.array.core.nodes, couplings=len(self.array.core.edges), seconds=self.watch.duration_s,
            cycles=self.watch.duration_s * self.watch.carrier_hz, quality=self.quality,
        )  # fmt: skip

    @property
    def _circuit(self) -> Circuit:
        return replace(self.choice.circuit, stop=self.watch.stop)

    def deck(self, start: Array, noise: Noise | None = None) -> Deck:
        """Starts every cell at its phase on the limit cycle."""
        volts, amperes = self.array.start(start)
        circuit = self._circuit
        return Deck(
            text=write_deck(circuit, self.options, volts, self.choice.body, amperes, noise),
            vectors=circuit.state_nodes,
            stop=circuit.stop,
            devices=circuit.inventory.devices,
            unknowns=circuit.inventory.unknowns,
            libraries=self.choice.libraries,
            sink=self.watch.sink(circuit.state_nodes, squared=circuit.state_nodes),
        )

    def observe(self, simulation: Simulation, start: Array) -> Observed:
        """Demodulated phases, the amplitudes at the end, and what elements deliver for the tanks' losses ω C/Q."""
        waveforms: Waveforms = simulation.reduced
        found = self.watch.trajectory(waveforms, start, self.trained.duration)
        heat = (
            self.array.scaling.conductance
            / self.quality
            * float(waveforms.means[0, 0])
            * self.watch.duration_s
        )
        # flip-flops see no amplitude: that of a free cell then
        seen = waveforms.demodulated[PHASES].amplitude
        amplitude = np.where(np.isfinite(seen), seen, self.watch.amplitude)
        phasors = np.concatenate([np.full((1, len(start)), self.watch.amplitude), amplitude]) * np.exp(
            1j * found.state
        )
        parts = delivered(self.array, found.time * self.tau, phasors, heat)
        return Observed(
            found, self.watch.relative_amplitude(waveforms), parts.oscillators, parts.couplers, parts.injection,
            excerpts=waveforms.kept,
        )  # fmt: skip

    def files(self, start: Array, noise: Noise | None = None) -> Mapping[str, str]:
        """Cell library, core, test bench."""
        volts, amperes = self.array.start(start)
        circuit = self._circuit
        measurements = self.array.measurements(circuit.state_nodes, self.trained.visible, circuit.stop)
        return write_netlist(
            circuit, self.options, volts, amperes, noise=noise, notes=self.array.notes,
            measurements=measurements,
        ).by_name()  # fmt: skip


@dataclass(frozen=True)
class CellLevel(Noisy):
    """Cells given as circuits: the CMOS ring, or a user's."""

    trained: AnalogCore
    array: OscillatorArray
    known: Characterization
    watch: Watch
    remarks: tuple[str, ...] = ()
    rungs: tuple[Rung, ...] = ()
    devices: str = "circuit"
    jacobian: str = "full"
    felt: CarrierNoise | None = None
    wires: bool = False

    @property
    def metering(self) -> Metering:
        """What the supplies give."""
        return Metering(
            meaning="supplied", cell=self.array.cell.title, coupler=self.array.coupler.title,
            oscillators=self.array.core.nodes, couplings=len(self.array.core.edges), seconds=self.watch.duration_s,
            cycles=self.watch.duration_s * self.watch.carrier_hz, wires=self.wires,
        )  # fmt: skip

    @property
    def noise(self) -> NoiseGrid | None:
        """In seconds, and ampere into each output."""
        return None if self.felt is None else self.felt.grid

    @property
    def title(self) -> str:
        """What was built."""
        return self.array.title

    @property
    def tau(self) -> float:
        """Seconds per model time unit of the trained weights."""
        return self.array.sizing.tau

    @property
    def stop(self) -> float:
        """Seconds of a run."""
        return self.watch.stop

    @property
    def inventory(self) -> Inventory:
        """Counts of the elements that are known by type; those inside a user's own text are not counted."""
        counts = self.array.inventory
        if self.felt is None:
            return counts
        more = counts.devices.get("behavioural", 0) + self.array.core.nodes
        return replace(counts, devices={**counts.devices, "behavioural": more})

    @property
    def options(self) -> SolverOptions:
        """Of the solver."""
        return SolverOptions(step=self.array.step, rows=self.watch.rows)

    def design(self, start: Array, noise: Noise | None = None) -> Design:
        """The netlist that starts at (N,) phases."""
        return array_design(self.array, self.known, start, noise)

    def _supplies(self) -> list[tuple[str, str, float]]:
        """(group, node, volts) of every supply."""
        return [
            (group, node, volts)
            for group in (CELLS_SUPPLY, COUPLERS_SUPPLY)
            for node, volts in self.array.supplies[group].items()
        ]

    def deck(self, start: Array, noise: Noise | None = None) -> Deck:
        """Starts every cell at its phase on the limit cycle."""
        branches = tuple(f"v{node}#branch" for _, node, _ in self._supplies())
        vectors = (*self.array.outputs, *branches)
        # what is measured would want all waveforms in memory
        design = replace(
            self.design(start, noise),
            measurements=(),
            currents=tuple(node for _, node, _ in self._supplies()),
        )
        return Deck(
            text=write_design_deck(design, "ngspice"),
            vectors=vectors,
            stop=self.array.stop,
            devices=self.inventory.devices if self.array.counted else None,
            behaviour=self.array.cell.behaviour,
            sink=self.watch.sink(self.array.outputs, [(branch,) for branch in branches]),
        )

    def observe(self, simulation: Simulation, start: Array) -> Observed:
        """Demodulated phases, amplitudes at the end, and the energy that the supplies gave."""
        waveforms: Waveforms = simulation.reduced
        energy = dict.fromkeys((CELLS_SUPPLY, COUPLERS_SUPPLY), math.nan)
        for k, (group, _, volts) in enumerate(self._supplies()):
            joules = -volts * float(waveforms.means[0, k]) * self.watch.duration_s
            energy[group] = joules + (0.0 if math.isnan(energy[group]) else energy[group])
        return Observed(
            self.watch.trajectory(waveforms, start, self.trained.duration),
            self.watch.relative_amplitude(waveforms),
            energy[CELLS_SUPPLY], energy[COUPLERS_SUPPLY],
            excerpts=waveforms.kept,
        )  # fmt: skip

    def files(self, start: Array, noise: Noise | None = None) -> Mapping[str, str]:
        """The netlist in one file a level of the hierarchy."""
        return write_design_files(self.design(start, noise), "ngspice")
