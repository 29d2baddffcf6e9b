"""An audit's transients in ngspice: inputs that settle, and inputs at rest under noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from emulator.devices import takes_compiled
from emulator.ngspice import Capabilities
from emulator.simulator import Simulator
from emulator.thermo.audit_noise import NoisyReadout, correlation_points, noisy_readout
from emulator.thermo.audit_settling import MeasuredSettling, measured_settling, settle_input
from emulator.thermo.circuit import NetworkSettings, circuit_of
from emulator.thermo.sampling import NoiseKind, injection, sample_equilibrium
from netlists.core import Array
from netlists.network import LangevinNetwork
from netlists.network_circuit import NetworkCircuit

# What is done next, how many parts are done, of how many
Stage = Callable[[str, int, int], None]

SETTLED_INPUTS = 4
SEED = 0
FULL_EFFORT = 256  # nodes; a grid point of more costs as their square, and runs are as much shorter
FEWEST = 50  # grid points


@dataclass(frozen=True)
class Effort:
    """How much is simulated under noise of a kind: so many runs of so many correlation times, or grid points."""

    runs: int
    correlation_times: float
    points: int


COMPILED: dict[NoiseKind, Effort] = {
    "isotropic": Effort(16, 400.0, 4000),
    # sources from outside cost the simulator the square of their points
    "johnson": Effort(4, 60.0, 600),
}
# element by element, which takes a hundred times as long
BY_ELEMENTS: dict[NoiseKind, Effort] = {"isotropic": Effort(2, 30.0, 300), "johnson": Effort(2, 10.0, 150)}


@dataclass(frozen=True)
class Transients:
    """What an audit measured over time. Without a temperature there is no noise.

    Attributes:
        settling: without noise.
        noise: under isotropic noise, the Boltzmann answer, and under Johnson noise, the negative control.
        devices: that the runs under noise were made with, in words.
        cpu_s: processor seconds of the simulator, all together.
    """

    settling: MeasuredSettling
    noise: list[NoisyReadout]
    devices: str
    cpu_s: float


@dataclass(frozen=True)
class CircuitTransients:
    """Runs the transients of networks as circuits.

    Attributes:
        simulator: that runs them.
        ability: of its ngspice.
        settings: how networks become circuits.
    """

    simulator: Simulator
    ability: Capabilities
    settings: NetworkSettings = field(default_factory=NetworkSettings)

    def __call__(
        self, network: LangevinNetwork, biases: Array, wanted: Array, signal: float, stage: Stage
    ) -> Transients:
        """Of (S, N) forces, under which the decoder should show (S, D) activations.

        Raises:
            CircuitFailed: a simulation did not complete.
        """
        circuit, _ = circuit_of(network, self.settings, float(np.abs(biases).max(initial=0.0)))
        runs, used = [], 0.0
        for k, bias in enumerate(biases[:SETTLED_INPUTS]):
            stage("settling", k, len(biases[:SETTLED_INPUTS]))
            runs.append(settle_input(self.simulator, self.ability, network, circuit, bias))
            used += runs[-1].simulation.statistics.cpu_s
        settled = measured_settling(network, circuit, biases[:SETTLED_INPUTS], runs)
        noise = []
        for kind in COMPILED if network.kt > 0 else ():
            found, seconds = self._under_noise(kind, network, circuit, biases, wanted, signal, stage)
            noise.append(found)
            used += seconds
        devices = (
            "compiled cells"
            if takes_compiled(self.ability)
            else "the same elements, as this ngspice takes no compiled cells"
        )
        return Transients(settled, noise, devices, used)

    def _under_noise(
        self, kind: NoiseKind, network: LangevinNetwork, circuit: NetworkCircuit, biases: Array, wanted: Array,
        signal: float, stage: Stage,
    ) -> tuple[NoisyReadout, float]:  # fmt: skip
        effort = (COMPILED if takes_compiled(self.ability) else BY_ELEMENTS)[kind]
        drive = injection(network, kind, SEED, made=circuit.conductances, scaling=circuit.scaling)
        most = min(effort.points, math.ceil(effort.correlation_times * correlation_points(network, drive)))
        points = max(FEWEST, math.ceil(most * min(1.0, (FULL_EFFORT / network.nodes) ** 2)))
        matrix, forces = circuit.conductances.matrix(), circuit.forces(biases)[: effort.runs]
        rests: Array = np.linalg.solve(matrix, forces.T).T.astype(np.float64)
        runs = []
        for k, (force, rest) in enumerate(zip(forces, rests, strict=True)):
            stage(f"{kind} noise", k, len(forces))
            runs.append(sample_equilibrium(
                self.simulator, self.ability, network, force, drive, circuit.scaling, rest, points, k, matrix, circuit
            ))  # fmt: skip
        found = noisy_readout(network, matrix, drive, rests, runs, wanted[: len(runs)], signal)
        return found, sum(run.cpu_s for run in runs)
