"""Equilibrium sampling: a network's circuit under noise, its mean and covariance, and what an average is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emulator.devices import takes_compiled
from emulator.ngspice import Capabilities
from emulator.simulator import Simulator
from emulator.thermo.grid_covariance import average_covariance
from emulator.thermo.heun import LARGEST_STEP, largest_step, slowest_rate
from emulator.thermo.transients import cells, run_cells, run_elements
from netlists.conductances import Conductances
from netlists.core import Array, Index
from netlists.johnson import johnson_matrix
from netlists.network import LangevinNetwork
from netlists.network_circuit import NetworkCircuit
from netlists.noise import LARGEST_LOSS, Mixing, Noise, NoiseError, NoiseGrid, kept_variance
from netlists.scaling import NetworkScaling

NoiseKind = Literal["isotropic", "johnson"]
COARSEST = 2.0  # times the fastest rate: noise that is slower than what it drives is no noise
BURN_IN = (
    8.0  # slowest time constants; from the operating point on, spreads are then within e^−16 of their own
)


@dataclass(frozen=True)
class Injection:
    """What noise a network is driven by.

    Attributes:
        kind: isotropic, the Boltzmann answer; johnson, of every conductance.
        grid: times and sources.
        currents: (N, N) Q, the density of the nodes' rates over 2 kT.
        substeps: equal steps of the solver between two grid points.
        remarks: on what the grid costs.
    """

    kind: NoiseKind
    grid: NoiseGrid
    currents: Array
    substeps: int = 1
    remarks: tuple[str, ...] = ()


def fastest_pole(network: LangevinNetwork) -> float:
    """The fastest rate where the states are, wells included."""
    return LARGEST_STEP / largest_step(network)


def injection(
    network: LangevinNetwork, kind: NoiseKind, seed: int, *, step: float | None = None, substeps: int = 1,
    made: Conductances | None = None, scaling: NetworkScaling | None = None,
) -> Injection:  # fmt: skip
    """Noise of a network's temperature.

    Args:
        network: to be driven.
        kind: of the noise.
        seed: of its numbers.
        step: between grid points, model time; None for one that loses a tenth of the fastest mode's variance.
        substeps: steps of the solver in that.
        made, scaling: the conductances that make Johnson noise.

    Raises:
        NoiseError: no temperature, or a grid that the fastest mode does not see as noise.
    """
    if not network.kt > 0:
        raise NoiseError(f"temperature kT is {network.kt:g}: without one there is no noise; take it off")
    fastest = fastest_pole(network)
    wanted = 2 * LARGEST_LOSS / fastest
    step = wanted if step is None else step
    lost = 1 - kept_variance(fastest * step)
    said = (
        f"a noise grid of {step:g} model time units is {fastest * step:.2g} time constants of the fastest pole, whose "
        f"variance comes out {lost:.0%} low. A step of {wanted:.2g} would leave {LARGEST_LOSS:.0%}"
    )
    if fastest * step > COARSEST:
        raise NoiseError(f"{said}; expected at most {COARSEST / fastest:.2g}")
    currents, mixing = np.eye(network.nodes), None
    if kind == "johnson":
        if made is None or scaling is None:
            raise ValueError("Johnson noise is that of conductances: give them and their scaling")
        currents = johnson_matrix(made, scaling)
        # as many sources as nodes do what one a conductance does: what comes together at the nodes is the same
        values, vectors = np.linalg.eigh(currents)
        mixing = Mixing(vectors * np.sqrt(np.maximum(values, 0.0)))
    grid = NoiseGrid(math.sqrt(2 * network.kt), step, seed, mixing)
    return Injection(kind, grid, currents, substeps, (said,) if lost > 1.1 * LARGEST_LOSS else ())


@dataclass(frozen=True)
class Equilibrium:
    """States of a circuit under noise, at the noise's grid points, once it has forgotten its start.

    Attributes:
        states: (P, N).
        spacing: model time between them.
        began: model time of the first.
        points, iterations: of the whole run.
        cpu_s: processor seconds of the simulator.
    """

    states: Array
    spacing: float
    began: float
    points: int
    iterations: int
    cpu_s: float

    @property
    def mean(self) -> Array:
        """(N,)."""
        return np.asarray(self.states.mean(axis=0))

    @property
    def covariance(self) -> Array:
        """(N, N), about the mean measured."""
        return np.asarray(np.cov(self.states.T, ddof=0).reshape(self.states.shape[1], -1))


def sample_equilibrium(
    simulator: Simulator, ability: Capabilities, network: LangevinNetwork, bias: Array, drive: Injection,
    scaling: NetworkScaling, rest: Array, points: int, sample: int = 0, matrix: Array | None = None,
    circuit: NetworkCircuit | None = None,
) -> Equilibrium:  # fmt: skip
    """Runs a network under (N,) forces and noise from (N,) states of rest; keeps ``points`` grid points after burn-in.

    ``matrix`` takes the place of M: that of the network as it can be made. Where there are no compiled cells, the
    elements of a ``circuit`` take the place of behavioural ones, as they are a quarter of the work.

    Raises:
        CircuitFailed: the simulation did not complete.
    """
    grid = drive.grid
    skipped = math.ceil(BURN_IN / slowest_rate(network, matrix) / grid.step)
    total = skipped + points
    duration = total * grid.step
    noise = Noise(grid, sample)
    if circuit is not None and not takes_compiled(ability):
        run = run_elements(simulator, ability, circuit, bias, duration, rest, noise=noise)
    else:
        steps = total * drive.substeps
        prepared = cells(network, bias, duration, steps, ability, scaling, matrix=matrix, noise=grid)
        run = run_cells(simulator, prepared, rest, noise)
    # the simulator's steps end on grid points, up to rounding
    index = np.searchsorted(run.time, grid.step * np.arange(skipped + 1, total + 1) * (1 - 1e-9))
    index = np.minimum(index, len(run.time) - 1)
    used = run.simulation.statistics
    return Equilibrium(
        run.states[index], grid.step, (skipped + 1) * grid.step, used.steps, used.iterations, used.cpu_s
    )


def expected_covariance(matrix: Array, drive: Injection, points: int = 1) -> Array:
    """(N, N) covariance of states that relax by a matrix under this noise, on this grid; of the mean of ``points``."""
    return average_covariance(matrix, drive.currents, drive.grid.sigma**2 / 2, drive.grid.step, points)


def covariance_error(matrix: Array, found: Equilibrium, expected: Array) -> tuple[float, float]:
    """Frobenius error of a covariance, relative, and its standard error, from that many correlated points.

    In the modes of M, which have correlations a_i^|k| from point to point, the variance of a measured covariance is
    (P_ii P_jj + P_ij²)(1 + a_i a_j)/(1 − a_i a_j) over the number of points. Of a matrix that is not symmetric the
    modes are those of its symmetric part, from which amplifiers' losses differ little.
    """
    rates, modes = np.linalg.eigh((matrix + matrix.T) / 2)
    decay = np.exp(-rates * found.spacing)
    product = np.outer(decay, decay)
    in_modes = modes.T @ expected @ modes
    squares = np.outer(np.diag(in_modes), np.diag(in_modes)) + in_modes**2
    variance = np.sum(squares * (1 + product) / (1 - product)) / len(found.states)
    size = float(np.linalg.norm(expected))
    return float(np.linalg.norm(found.covariance - expected)) / size, math.sqrt(float(variance)) / size


def variance_error(matrix: Array, found: Equilibrium, drive: Injection) -> tuple[float, float]:
    """Error of the sum of all nodes' variances, relative, and its standard error.

    A sum over modes averages what a whole covariance does not: it tells noises apart long before that does. What the
    measured mean takes of the variances is accounted for.
    """
    expected = expected_covariance(matrix, drive)
    wanted = float(np.trace(expected - expected_covariance(matrix, drive, len(found.states))))
    rates, modes = np.linalg.eigh((matrix + matrix.T) / 2)
    decay = np.exp(-rates * found.spacing)
    product = np.outer(decay, decay)
    variance = np.sum(2 * (modes.T @ expected @ modes) ** 2 * (1 + product) / (1 - product)) / len(
        found.states
    )
    return float(np.trace(found.covariance)) / wanted - 1, math.sqrt(float(variance)) / wanted


def averaged(found: Equilibrium, shown: Index, length: int) -> Array:
    """(B, V) averages of the ``shown`` nodes over stretches of ``length`` points, one after another."""
    blocks = len(found.states) // length
    kept = found.states[: blocks * length, shown]
    return np.asarray(kept.reshape(blocks, length, -1).mean(axis=1))
