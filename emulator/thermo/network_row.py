"""One input of a network's run: its operating point, settling, sampling and readout, each against linear algebra."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from device_models.adc import digitise
from emulator.devices import takes_compiled
from emulator.energy.network import NetworkEnergy, network_energy, until
from emulator.ngspice import Capabilities
from emulator.reference import ReferenceFailed
from emulator.simulator import Simulator
from emulator.thermo.circuit import CircuitFailed
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.network_plan import Plan
from emulator.thermo.pathwise import pathwise_defect
from emulator.thermo.relaxation import relaxation, settling_time
from emulator.thermo.sampling import (
    Equilibrium,
    averaged,
    covariance_error,
    expected_covariance,
    sample_equilibrium,
    variance_error,
)
from emulator.thermo.transients import Run, cells, run_cells, run_elements
from netlists.core import Array, Index
from netlists.network import NetworkError
from netlists.noise import Noise

SETTLING = 8.0  # time constants of the slowest mode that a settling transient lasts
SETTLED = 0.01
ROWS = 200
AVERAGES = (0.3, 1.0, 3.0, 10.0, 30.0)  # time constants of the slowest mode
REST_TOLERANCE, RATE_TOLERANCE = 1e-6, 0.02
DEFECT_TOLERANCE = 0.02  # of the spread; the noise grids chosen leave 0.006 or less
NOT_SIMULATED = NetworkEnergy(*(math.nan,) * 7)
# times the standard error: of a covariance, whose many elements leave little chance to its norm; of one number
SPREAD, VARIANCE_SPREAD = 2.0, 4.0


@dataclass(frozen=True)
class Part:
    """What one simulation adds to an input's row.

    Attributes:
        rows: dataset to value.
        faults: what is not as linear algebra says.
        cpu_s: processor seconds of the simulator.
        readout: (N,) states that are read out, if it says so.
    """

    rows: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    readout: Array | None = None


def input_row(
    plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array, cpu_s: float
) -> dict[str, Any]:
    """Everything of one input by dataset, as arrays of one row.

    Args:
        plan: of the run.
        simulator, ability: its ngspice.
        index: number of the input.
        rest: (N,) its operating point.
        cpu_s: processor seconds that took.
    """
    as_made = rest_as_made(plan.matrix, plan.network.quartic, plan.forces[index], rest)
    trained, error = _rest_of_network(plan, index), _relative(rest, as_made)
    faults = []
    if not error <= _rest_tolerance(plan, as_made):
        faults.append(f"operating point off by {error:.2g}")
    parts = [
        # about where it rests itself: next to another point the slopes are of the distance
        _settling(plan, simulator, ability, index, rest),
        _sampling(plan, simulator, ability, index, as_made),
    ]
    visible, shown = plan.network.visible, rest
    values: dict[str, Any] = {
        "inputs/index": index, "inputs/force": plan.forces[index], "rest/circuit": rest, "rest/as_made": as_made,
        "rest/network": trained, "rest/error": error, "rest/error_network": _relative(rest, trained),
    }  # fmt: skip
    for part in parts:
        values |= part.rows
        faults += part.faults
        cpu_s += part.cpu_s
        shown = shown if part.readout is None else part.readout
    codes, wanted = digitise(shown[visible], plan.adc), digitise(as_made[visible], plan.adc)
    values |= {
        "readout/analog": shown[visible], "readout/analog_reference": as_made[visible],
        "readout/codes": codes, "readout/codes_reference": wanted,
        "readout/codes_within_1lsb": float(np.mean(np.abs(codes - wanted) <= 1)),
        "verdict/accepted": not faults, "timing/simulator_cpu": cpu_s,
    }  # fmt: skip
    rows = {name: np.asarray(value)[None] for name, value in values.items()}
    return {**rows, "verdict/reason": np.array(["; ".join(faults)], dtype=object)}


def rest_as_made(matrix: Array, quartic: Array, force: Array, near: Array) -> Array:
    """(N,) equilibrium of b = M x + 4 J4 x³ next to a state, by one Newton step: exact where there is no quartic."""
    left = force - matrix @ near - 4 * quartic * near**3
    return np.asarray(near + np.linalg.solve(matrix + np.diag(12 * quartic * near**2), left))


def _rest_of_network(plan: Plan, index: int) -> Array:
    try:
        return np.asarray(equilibrium(plan.network, plan.biases[index : index + 1])[0])
    except NetworkError:  # several equilibria, which no figure can be about
        return np.full(plan.network.nodes, np.nan)


def _relative(found: Array, wanted: Array) -> float:
    size = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / (size or 1.0)


def _rest_tolerance(plan: Plan, rest: Array) -> float:
    """Amplifiers depart from their slope by the square of the signal over their input range."""
    if plan.circuit.technology.name != "ota":
        return REST_TOLERANCE
    volts = float(np.abs(rest).max()) * plan.circuit.scaling.volts
    return REST_TOLERANCE + (volts / plan.settings.circuit.ota.input_range) ** 2


def _settling(plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array) -> Part:
    """The step from 0 to the input's force."""
    visible = plan.network.visible
    rows: dict[str, Any] = {
        "settling/rate_error": math.nan, "settling/modes": 0, "settling/slowest": math.nan, "settling/time": math.nan,
        "settling/rates": np.full(plan.network.nodes, math.nan),
        "settling/row_time": np.full(ROWS, math.nan), "settling/visible": np.full((ROWS, len(visible)), math.nan),
        **NOT_SIMULATED.rows,
    }  # fmt: skip
    # where rates depend on the state, no mode has one on the way
    if index >= plan.settings.settle or plan.network.quartic.any():
        return Part(rows)
    try:
        run = _settle(plan, simulator, ability, index)
    except CircuitFailed as failure:
        return Part(rows, [f"settling: {failure}"])
    found = relaxation(run, rest, plan.matrix)
    rows["settling/rates"][found.numbers] = found.measured
    at = np.clip(np.searchsorted(run.time, np.linspace(0, run.time[-1], ROWS)), 0, len(run.time) - 1)
    settled = settling_time(run, rest, visible, SETTLED)
    rows |= {
        "settling/rate_error": found.error, "settling/modes": len(found.rates), "settling/slowest": found.slowest,
        "settling/time": settled,
        "settling/row_time": run.time[at], "settling/visible": run.states[np.ix_(at, visible)],
    }  # fmt: skip
    # a readout under noise goes on for its average, at rest on the mean
    averages = plan.settings.averaging / plan.slowest if plan.drive is not None else 0.0
    over = until(run.time, run.states, settled, averages)
    rows |= network_energy(plan.circuit, plan.forces[index], *over).rows
    # an amplifier's pole is part of the circuit and not of the matrix
    checked = plan.circuit.technology.name != "ota"
    wrong = checked and not found.error <= RATE_TOLERANCE
    faults = [f"a mode's rate is off by {found.error:.2g}"] if wrong else []
    return Part(rows, faults, run.simulation.statistics.cpu_s)


def _settle(plan: Plan, simulator: Simulator, ability: Capabilities, index: int) -> Run:
    """As compiled cells where the circuit is the equation and there are such, else element by element."""
    duration, start = SETTLING / plan.slowest, np.zeros(plan.network.nodes)
    if plan.circuit.technology.name != "ideal" or not takes_compiled(ability):
        return run_elements(
            simulator, ability, plan.circuit, plan.biases[index], duration, start, points=ROWS
        )
    scaling = plan.circuit.scaling
    prepared = cells(plan.network, plan.forces[index], duration, ROWS, ability, scaling, matrix=plan.matrix)
    return run_cells(simulator, prepared, start)


def _sampling(plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array) -> Part:
    """The run under noise, as cells."""
    nothing = np.full(plan.network.nodes, math.nan)
    lengths = np.array([length for length in AVERAGES if length <= plan.settings.averaging])
    empty = np.full(len(lengths), math.nan)
    rows: dict[str, Any] = {
        "equilibrium/mean": nothing, "equilibrium/variance": nothing, "equilibrium/variance_expected": nothing,
        "equilibrium/covariance_error": math.nan, "equilibrium/covariance_bound": math.nan,
        "equilibrium/boltzmann_error": math.nan, "equilibrium/defect": math.nan,
        "averaging/times": lengths, "averaging/variance": empty, "averaging/expected": empty,
    }  # fmt: skip
    if plan.drive is None:
        return Part(rows)
    points = math.ceil(plan.settings.averaging / plan.slowest / plan.drive.grid.step)
    try:
        found = sample_equilibrium(
            simulator, ability, plan.network, plan.forces[index], plan.drive, plan.circuit.scaling, rest, points,
            index, plan.matrix, plan.circuit,
        )  # fmt: skip
    except CircuitFailed as failure:
        return Part(rows, [f"under noise: {failure}"])
    rows |= {
        "equilibrium/mean": found.mean, "equilibrium/variance": np.diag(found.covariance),
        "averaging/variance": _averages(found, lengths / plan.slowest, plan.network.visible),
    }  # fmt: skip
    faults = _against_the_same_noise(plan, found, index, rows)
    if not plan.network.quartic.any():
        faults += _against_closed_forms(plan, found, lengths, rows)
    return Part(rows, faults, found.cpu_s, found.mean)


def _against_the_same_noise(plan: Plan, found: Equilibrium, index: int, rows: dict[str, Any]) -> list[str]:
    """Adds what a reference driven by the same noise says; returns what is not met."""
    assert plan.drive is not None
    noise, window = Noise(plan.drive.grid, index), 1 / plan.slowest
    try:
        defect = pathwise_defect(plan.network, plan.forces[index], found, noise, window, plan.matrix)
    except ReferenceFailed as failure:
        return [str(failure)]
    rows["equilibrium/defect"] = defect
    if not defect <= DEFECT_TOLERANCE:
        return [
            f"under the same noise circuit and reference part by {defect:.2g} of the spread; try a finer noise step"
        ]
    return []


def _against_closed_forms(plan: Plan, found: Equilibrium, lengths: Array, rows: dict[str, Any]) -> list[str]:
    """Adds what is expected of a linear network to its rows; returns what is not met."""
    assert plan.drive is not None
    expected = expected_covariance(plan.matrix, plan.drive)
    error, bound = covariance_error(plan.matrix, found, expected)
    boltzmann = plan.network.kt * np.asarray(np.linalg.inv(plan.matrix), dtype=np.float64)
    rows |= {
        "equilibrium/variance_expected": np.diag(expected), "equilibrium/covariance_error": error,
        "equilibrium/covariance_bound": bound,
        "equilibrium/boltzmann_error": covariance_error(plan.matrix, found, boltzmann)[0],
    }  # fmt: skip
    shown = plan.network.visible
    rows["averaging/expected"] = np.array([
        np.diag(expected_covariance(plan.matrix, plan.drive, points))[shown].mean()
        for points in _points(found, lengths / plan.slowest)
    ])  # fmt: skip
    faults = []
    if not error <= SPREAD * bound:
        faults.append(f"covariance off by {error:.2g}, {error / bound:.2g} standard errors")
    off, spread = variance_error(plan.matrix, found, plan.drive)
    if not abs(off) <= VARIANCE_SPREAD * spread:
        faults.append(f"the sum of variances off by {off:.2g}, {off / spread:.2g} standard errors")
    return faults


def _points(found: Equilibrium, times: Array) -> list[int]:
    """Grid points in averages over each of the times."""
    return [max(1, round(time / found.spacing)) for time in times.tolist()]


def _averages(found: Equilibrium, times: Array, shown: Index) -> Array:
    """(L,) mean variance of averages over each of the times, about the mean of the whole run; NaN of fewer than two."""
    variances = []
    for points in _points(found, times):
        blocks = averaged(found, shown, points)
        # the mean that it is about is of these very blocks
        variances.append(float(np.mean(blocks.var(axis=0, ddof=1))) if len(blocks) > 1 else math.nan)
    return np.array(variances)
