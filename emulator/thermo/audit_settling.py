"""Settling of an audited substrate as its circuit shows it, beside what linear algebra promises of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.ngspice import Capabilities
from emulator.simulator import Simulator
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.relaxation import relaxation, settling_time
from emulator.thermo.thermal import distances, settling
from emulator.thermo.transients import Run, run_elements
from netlists.core import Array
from netlists.network import LangevinNetwork
from netlists.network_circuit import NetworkCircuit

TOLERANCE = 0.01
LONGEST = 8.0  # time constants of the slowest mode that a transient lasts
POINTS = 400
CURVE = 200


@dataclass(frozen=True)
class MeasuredSettling:
    """Transients from 0, element by element, one an input. Model time units.

    Attributes:
        tolerance: settled is within this of the visible equilibrium, relative.
        times: (S,) when that is reached for good.
        predicted: (S,) the same by linear algebra on the network.
        slowest: (S,) time constant of the slowest mode that the transient shows.
        slowest_predicted: (S,) 1/λ of that mode; 1/λ_min where it is the slowest of all.
        modes: (S,) how many modes' rates were measured.
        rate_error: largest relative error of one of them.
        curve_time: (R,).
        curve: (R,) distance of the visible nodes from equilibrium, relative, on the mean over inputs.
        curve_predicted: (R,) the same by linear algebra.
    """

    tolerance: float
    times: list[float]
    predicted: list[float]
    slowest: list[float]
    slowest_predicted: list[float]
    modes: list[int]
    rate_error: float
    curve_time: list[float]
    curve: list[float]
    curve_predicted: list[float]

    @property
    def slowest_error(self) -> float:
        """Largest relative error of a slowest mode's time constant; NaN if no mode was measured."""
        return _largest_error(self.slowest, self.slowest_predicted)

    @property
    def time_error(self) -> float:
        """Largest relative error of a settling time; NaN if an input did not settle."""
        return _largest_error(self.times, self.predicted)


def _largest_error(measured: list[float], predicted: list[float]) -> float:
    return float(np.max(np.abs(np.array(measured) / np.array(predicted) - 1)))


def settle_input(
    simulator: Simulator, ability: Capabilities, network: LangevinNetwork, circuit: NetworkCircuit, bias: Array
) -> Run:  # fmt: skip
    """Lets a network's elements go from 0 under (N,) forces.

    Raises:
        CircuitFailed: the simulation did not complete.
    """
    duration = LONGEST / network.spectrum.smallest
    return run_elements(simulator, ability, circuit, bias, duration, np.zeros(network.nodes), points=POINTS)


def measured_settling(
    network: LangevinNetwork, circuit: NetworkCircuit, biases: Array, runs: list[Run]
) -> MeasuredSettling:
    """What the runs of (S, N) forces show, a run an input.

    Rates are those of the conductances as they are made; settling is of the network as it was trained.
    """
    matrix, shown = circuit.conductances.matrix(), network.visible
    rests: Array = np.linalg.solve(matrix, circuit.forces(biases).T).T.astype(np.float64)
    trained = equilibrium(network, biases)
    rates = [relaxation(run, rest, matrix) for run, rest in zip(runs, rests, strict=True)]
    grid: Array = np.linspace(0, min(run.time[-1] for run in runs), CURVE)
    curves = []
    for run, rest in zip(runs, rests, strict=True):
        distance = np.linalg.norm(run.states[:, shown] - rest[shown], axis=1) / np.linalg.norm(rest[shown])
        curves.append(np.interp(grid, run.time, distance))
    return MeasuredSettling(
        tolerance=TOLERANCE,
        times=[settling_time(run, rest, shown, TOLERANCE) for run, rest in zip(runs, rests, strict=True)],
        predicted=[settling(network, rest[None], TOLERANCE).time for rest in trained],
        slowest=[found.slowest for found in rates],
        slowest_predicted=[1 / float(found.rates[0]) if len(found.rates) else np.nan for found in rates],
        modes=[len(found.rates) for found in rates],
        rate_error=max(found.error for found in rates),
        curve_time=grid.tolist(),
        curve=np.mean(curves, axis=0).tolist(),
        curve_predicted=distances(network, trained, grid).tolist(),
    )
