"""One input of a network's run: its operating point, settling, sampling and readout, each against linear algebra."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import numpy as np

from device_models.adc import digitise
from emulator.ngspice import Capabilities
from emulator.reference import ReferenceFailed
from emulator.simulator import Simulator
from emulator.thermo.circuit import CircuitFailed
from emulator.thermo.descent import descent
from emulator.thermo.equilibrium import equilibrium, equilibrium_near
from emulator.thermo.network_plan import Plan
from emulator.thermo.network_settling import settling_part
from emulator.thermo.part import Part, relative
from emulator.thermo.pathwise import pathwise_defect
from emulator.thermo.sampling import (
    Equilibrium,
    averaged,
    covariance_error,
    expected_covariance,
    sample_equilibrium,
    variance_error,
)
from netlists.core import Array, Index
from netlists.network import NetworkError
from netlists.noise import Noise

AVERAGES = (0.3, 1.0, 3.0, 10.0, 30.0)  # time constants of the slowest mode
REST_TOLERANCE = 1e-6
DEFECT_TOLERANCE = 0.02  # of the spread; the noise grids chosen leave 0.006 or less
# times the standard error: of a covariance, whose many elements leave little chance to its norm; of one number
SPREAD, VARIANCE_SPREAD = 2.0, 4.0


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
    as_made = _rest_as_made(plan, index, rest)
    trained, error = _rest_of_network(plan, index), relative(rest, as_made)
    faults = []
    if not error <= _rest_tolerance(plan, as_made):
        faults.append(f"operating point off by {error:.2g}")
    parts = [
        settling_part(plan, simulator, ability, index, rest),
        _sampling(plan, simulator, ability, index, as_made),
    ]
    visible, shown = plan.network.visible, rest
    values: dict[str, Any] = {
        "inputs/index": index, "inputs/force": plan.forces[index], "rest/circuit": rest, "rest/as_made": as_made,
        "rest/network": trained, "rest/error": error, "rest/error_network": relative(rest, trained),
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


def _rest_as_made(plan: Plan, index: int, near: Array) -> Array:
    """Where the conductances as made rest: with quartic wells, where the way from 0 leads."""
    if plan.descents:
        return plan.descents[index].rest
    found = equilibrium_near(plan.matrix, plan.network.quartic, plan.forces[index], near)
    assert found is not None  # one step is exact
    return found


def _rest_of_network(plan: Plan, index: int) -> Array:
    try:
        return np.asarray(equilibrium(plan.network, plan.biases[index : index + 1])[0])
    except NetworkError:  # several equilibria: the one that the way from 0 leads to
        with suppress(ReferenceFailed):
            return descent(plan.network, plan.biases[index]).rest
        return np.full(plan.network.nodes, np.nan)


def _rest_tolerance(plan: Plan, rest: Array) -> float:
    """Amplifiers depart from their slope by the square of the signal over their input range."""
    if plan.circuit.technology.name != "ota":
        return REST_TOLERANCE
    volts = float(np.abs(rest).max()) * plan.circuit.scaling.volts
    return REST_TOLERANCE + (volts / plan.settings.circuit.ota.input_range) ** 2


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
    points = math.ceil(plan.averaged)
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
