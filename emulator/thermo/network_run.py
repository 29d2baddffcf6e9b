"""``ais run`` of a Langevin network: operating points, settling, sampling under noise, readout; an input after another."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from device_models.adc import AdcSettings, digitise
from emulator.doctor import find_capabilities
from emulator.folder import Mode, OutputFolder, claim
from emulator.ngspice import Capabilities
from emulator.results import ResultsError
from emulator.simulator import Simulator
from emulator.thermo.circuit import CircuitFailed, NetworkSettings, circuit_of, operating_points
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.netlist import OWN_BIAS, forces_of, network_netlist
from emulator.thermo.network_results import (
    NetworkResults,
    gather,
    read_network_results,
    split,
    write_network_results,
)
from emulator.thermo.relaxation import relaxation, settling_time
from emulator.thermo.sampling import (
    Equilibrium,
    Injection,
    averaged,
    covariance_error,
    expected_covariance,
    injection,
    sample_equilibrium,
)
from emulator.thermo.thermal import averaged_noise
from emulator.thermo.transients import Run, cells, run_cells, run_elements
from netlists.core import Array, Index
from netlists.files import write_text_whole
from netlists.network import LangevinNetwork, NetworkError
from netlists.network_circuit import NetworkCircuit
from netlists.network_file import NetworkFile, read_network
from netlists.printable import printable

NoiseAsked = Literal["off", "on", "johnson"]
Status = Callable[[str], None]

SETTLING = 8.0  # time constants of the slowest mode that a settling transient lasts
ROWS = 200
AVERAGES = (0.3, 1.0, 3.0, 10.0, 30.0)
REST_TOLERANCE, RATE_TOLERANCE = 1e-6, 0.02
SPREAD = 2.0  # times its standard error, that a covariance may be off
HEADROOM = 1.25  # of the converter's full scale over the largest visible state


class NetworkRunSettings(BaseModel):
    """What is simulated of a network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str | None = Field(
        None, description="inputs; None: test, or the file's own bias where it has none"
    )
    inputs: int | None = Field(None, ge=1, description="how many of them; None: all")
    circuit: NetworkSettings = Field(default_factory=NetworkSettings, description="how it becomes a circuit")
    settle: int = Field(4, ge=0, description="inputs whose settling is simulated: the first so many")
    noise: NoiseAsked = Field("off", description="off, on (isotropic), or johnson (of every conductance)")
    noise_step: float | None = Field(None, gt=0, description="model time between the noise's grid points")
    averaging: float = Field(
        50.0, ge=1, description="time constants of the slowest mode that a readout averages"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of the noise")
    adc_bits: int = Field(8, ge=1, le=16, description="resolution of the converter")
    adc_range: float | None = Field(
        None, gt=0, description="its full scale, either way; None: what the states take"
    )


@dataclass(frozen=True)
class Plan:
    """What is the same for all inputs.

    Attributes:
        file, settings: what was asked for.
        name: of the inputs.
        biases: (S, N) forces asked for.
        circuit: the network as a circuit.
        matrix: (N, N) of the conductances as made.
        drive: the noise, or None.
        remarks: what a user should be told.
    """

    file: NetworkFile
    settings: NetworkRunSettings
    name: str
    biases: Array
    circuit: NetworkCircuit
    matrix: Array
    drive: Injection | None
    remarks: tuple[str, ...]

    @property
    def network(self) -> LangevinNetwork:
        """As it was trained."""
        return self.file.substrate.network

    @property
    def slowest(self) -> float:
        """Rate of the slowest mode as made."""
        return float(np.abs(np.linalg.eigvals(self.matrix).real).min())


def plan_network(path: Path, settings: NetworkRunSettings) -> Plan:
    """Reads and checks all there is to check before a simulator runs.

    Raises:
        WeightsError, NetworkError, ConductanceError, BiasError, NoiseError: unusable input.
    """
    file = read_network(path)
    name, biases = forces_of(file.substrate, settings.split)
    if settings.inputs is not None and settings.inputs > len(biases):
        raise NetworkError(
            f"{settings.inputs} inputs of {name!r} are asked for; the file holds {len(biases)}"
        )
    biases = biases[: settings.inputs]
    network = file.substrate.network
    circuit, remarks = circuit_of(network, settings.circuit, float(np.abs(biases).max()))
    circuit.forces(biases)
    drive = None
    if settings.noise != "off":
        kind: Literal["isotropic", "johnson"] = "isotropic" if settings.noise == "on" else "johnson"
        drive = injection(
            network,
            kind,
            settings.seed,
            step=settings.noise_step,
            made=circuit.conductances,
            scaling=circuit.scaling,
        )
        remarks = (*remarks, *drive.remarks)
    return Plan(file, settings, name, biases, circuit, circuit.conductances.matrix(), drive, remarks)


def run_network(plan: Plan, out: Path, mode: Mode, status: Status) -> NetworkResults:
    """Runs all inputs and leaves results, netlist and a description in ``out``; finished inputs survive a kill.

    Raises:
        FolderError, NgspiceUnavailable: before any work.
        CircuitFailed: an operating point was not found; a transient's failure is its input's alone.
        OSError: a file could not be written; finished inputs stay.
    """
    with Simulator() as simulator:
        ability = find_capabilities(simulator)
        identity = _identity(plan, ability)
        with claim(out, mode, identity, _unpack) as folder:
            folder.describe(
                command=sys.argv, started=_now(), ngspice=vars(ability), remarks=list(plan.remarks)
            )
            _write_netlist(plan, folder)
            done = _finished(folder)
            todo = [k for k in range(len(plan.biases)) if k not in done]
            status(
                f"{len(todo)} of {len(plan.biases)} inputs of {plan.name} to simulate with ngspice {ability.version}"
            )
            if todo:
                rests, simulation = operating_points(simulator, ability, plan.circuit, plan.biases[todo])
                share = simulation.statistics.cpu_s / len(todo)
                for k, rest in zip(todo, rests, strict=True):
                    row = _row(plan, simulator, ability, k, rest, share)
                    write_network_results(folder.part(k), NetworkResults(row, identity))
                    status(f"input {k}: {row['verdict/reason'][0] or 'as linear algebra says'}")
            results = gather([*_finished(folder).values()], identity)
            write_network_results(folder.results, results)
            folder.drop_parts()
            folder.describe(state="finished", finished=_now())
    return results


def _unpack(folder: OutputFolder) -> None:
    """Makes parts of finished results again."""
    for part in split(read_network_results(folder.results)):
        write_network_results(folder.part(int(part.rows["inputs/index"][0])), part)


def _finished(folder: OutputFolder) -> dict[int, NetworkResults]:
    found = {}
    for path in folder.part_files():
        with suppress(ResultsError):  # a damaged part counts as not finished
            part = read_network_results(path)
            found[int(part.rows["inputs/index"][0])] = part
    return found


def _row(
    plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array, cpu: float
) -> dict[str, Any]:
    """Everything of one input, as arrays of one row."""
    force = plan.circuit.forces(plan.biases[index])
    as_made = rest_as_made(plan.matrix, plan.network.quartic, force, rest)
    trained = _rest_of_network(plan, plan.biases[index])
    error, faults = _relative(rest, as_made), list[str]()
    if not error <= _rest_tolerance(plan, as_made):
        faults.append(f"operating point off by {error:.2g}")
    settling, said, used = _settling(plan, simulator, ability, index, as_made)
    faults += said
    noisy, mean, said, sampled = _sampling(plan, simulator, ability, index, as_made)
    faults += said
    visible = plan.network.visible
    shown = (rest if mean is None else mean)[visible]
    adc = converter(plan)
    codes, wanted = digitise(shown, adc), digitise(as_made[visible], adc)
    values: dict[str, Any] = {
        "inputs/index": index, "inputs/force": force, "rest/circuit": rest, "rest/as_made": as_made,
        "rest/network": trained, "rest/error": error, "rest/error_network": _relative(rest, trained),
        **settling, **noisy,
        "readout/analog": shown, "readout/analog_reference": as_made[visible],
        "readout/codes": codes, "readout/codes_reference": wanted,
        "readout/codes_within_1lsb": float(np.mean(np.abs(codes - wanted) <= 1)),
        "verdict/accepted": not faults, "timing/simulator_cpu": cpu + used + sampled,
    }  # fmt: skip
    rows = {name: np.asarray(value)[None] for name, value in values.items()}
    return {**rows, "verdict/reason": np.array(["; ".join(faults)], dtype=object)}


def rest_as_made(matrix: Array, quartic: Array, force: Array, near: Array) -> Array:
    """(N,) equilibrium of b = M x + 4 J4 x³ next to a state, by one Newton step: exact where there is no quartic."""
    left = force - matrix @ near - 4 * quartic * near**3
    return np.asarray(near + np.linalg.solve(matrix + np.diag(12 * quartic * near**2), left))


def _rest_of_network(plan: Plan, bias: Array) -> Array:
    try:
        return equilibrium(plan.network, bias[None])[0]
    except NetworkError:  # several equilibria, which no figure can be about
        return np.full(plan.network.nodes, np.nan)


def _relative(found: Array, wanted: Array) -> float:
    size = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / size if size else float(np.linalg.norm(found))


def _rest_tolerance(plan: Plan, rest: Array) -> float:
    """Amplifiers depart from their slope as the square of the signal over their input range."""
    if plan.circuit.technology.name != "ota":
        return REST_TOLERANCE
    volts = float(np.abs(rest).max()) * plan.circuit.scaling.volts
    return REST_TOLERANCE + (volts / plan.settings.circuit.ota.input_range) ** 2


def _settling(
    plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array
) -> tuple[dict[str, Any], list[str], float]:
    """Rows of the step from 0 to the input's force, what is wrong with it, and processor seconds."""
    empty: dict[str, Any] = {
        "settling/rate_error": math.nan, "settling/modes": 0, "settling/slowest": math.nan, "settling/time": math.nan,
        "settling/row_time": np.full(ROWS, math.nan),
        "settling/visible": np.full((ROWS, len(plan.network.visible)), math.nan),
    }  # fmt: skip
    # with several wells it is chance which one it goes to, and no mode has a rate of its own on the way
    if index >= plan.settings.settle or plan.network.quartic.any():
        return empty, [], 0.0
    try:
        run = _settle(plan, simulator, ability, index)
    except CircuitFailed as failure:
        return empty, [f"settling: {failure}"], 0.0
    found = relaxation(run, rest, plan.matrix)
    rows = np.clip(np.searchsorted(run.time, np.linspace(0, run.time[-1], ROWS)), 0, len(run.time) - 1)
    # an amplifier's pole is part of the circuit and not of the matrix
    checked = plan.circuit.technology.name != "ota"
    wrong = checked and not found.error <= RATE_TOLERANCE
    return {
        "settling/rate_error": found.error, "settling/modes": len(found.rates), "settling/slowest": found.slowest,
        "settling/time": settling_time(run, rest, plan.network.visible, 0.01),
        "settling/row_time": run.time[rows], "settling/visible": run.states[np.ix_(rows, plan.network.visible)],
    }, [f"a mode's rate is off by {found.error:.2g}"] if wrong else [], run.simulation.statistics.cpu_s  # fmt: skip


def _settle(plan: Plan, simulator: Simulator, ability: Capabilities, index: int) -> Run:
    """As cells where the circuit is the equation, else element by element."""
    duration, start = SETTLING / plan.slowest, np.zeros(plan.network.nodes)
    if plan.circuit.technology.name != "ideal":
        return run_elements(
            simulator, ability, plan.circuit, plan.biases[index], duration, start, points=ROWS
        )
    force, scaling = plan.circuit.forces(plan.biases[index]), plan.circuit.scaling
    prepared = cells(plan.network, force, duration, ROWS, ability, scaling, matrix=plan.matrix)
    return run_cells(simulator, prepared, start)


def _sampling(
    plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array
) -> tuple[dict[str, Any], Array | None, list[str], float]:
    """Rows of the run under noise, its mean (None without one), what is wrong with it, and processor seconds."""
    nothing = np.full(plan.network.nodes, math.nan)
    lengths = np.array([length for length in AVERAGES if length <= plan.settings.averaging])
    rows: dict[str, Any] = {
        "equilibrium/mean": nothing, "equilibrium/variance": nothing, "equilibrium/variance_expected": nothing,
        "equilibrium/covariance_error": math.nan, "equilibrium/covariance_bound": math.nan,
        "equilibrium/boltzmann_error": math.nan, "averaging/times": lengths,
        "averaging/variance": np.full(len(lengths), math.nan), "averaging/expected": np.full(len(lengths), math.nan),
    }  # fmt: skip
    if plan.drive is None:
        return rows, None, [], 0.0
    points = math.ceil(plan.settings.averaging / plan.slowest / plan.drive.grid.step)
    try:
        found = sample_equilibrium(
            simulator, ability, plan.network, plan.circuit.forces(plan.biases[index]), plan.drive, plan.circuit.scaling,
            rest, points, index, plan.matrix,
        )  # fmt: skip
    except CircuitFailed as failure:
        return rows, None, [f"under noise: {failure}"], 0.0
    rows |= {"equilibrium/mean": found.mean, "equilibrium/variance": np.diag(found.covariance)}
    faults: list[str] = []
    if not plan.network.quartic.any():
        expected = expected_covariance(plan.matrix, plan.drive)
        error, bound = covariance_error(plan.matrix, found, expected)
        boltzmann = plan.network.kt * np.linalg.inv(plan.matrix)
        rows |= {
            "equilibrium/variance_expected": np.diag(expected), "equilibrium/covariance_error": error,
            "equilibrium/covariance_bound": bound,
            "equilibrium/boltzmann_error": covariance_error(plan.matrix, found, boltzmann)[0],
            "averaging/expected": averaged_noise(plan.network, lengths / plan.slowest) ** 2,
        }  # fmt: skip
        if not error <= SPREAD * bound:
            faults.append(f"covariance off by {error:.2g}, {error / bound:.2g} standard errors")
    rows["averaging/variance"] = _averages(found, lengths / plan.slowest, plan.network.visible)
    return rows, found.mean, faults, found.cpu_s


def _averages(found: Equilibrium, times: Array, shown: Index) -> Array:
    """(L,) mean variance of averages over each of the times, about the mean of the whole run; NaN below two of them."""
    variances = []
    for time in times.tolist():
        length = max(1, round(time / found.spacing))
        blocks = averaged(found, shown, length)
        # the mean that it is about is of these very blocks
        variances.append(float(np.mean(blocks.var(axis=0, ddof=1))) if len(blocks) > 1 else math.nan)
    return np.array(variances)


def converter(plan: Plan) -> AdcSettings:
    """The ADC: its full scale as asked for, or what the visible nodes of all inputs take at rest, with some to spare."""
    reach = plan.settings.adc_range
    if reach is None:
        forces = plan.circuit.forces(plan.biases)
        visible = np.linalg.solve(plan.matrix, forces.T)[plan.network.visible]
        reach = HEADROOM * float(np.abs(visible).max()) or 1.0
    return AdcSettings(bits=plan.settings.adc_bits, low=-reach, high=reach)


def _write_netlist(plan: Plan, folder: OutputFolder) -> None:
    settings = plan.settings
    made = network_netlist(plan.file.substrate, settings.circuit, "ngspice", plan.name, 0, 1e-6)
    for name, text in made.files.items():
        write_text_whole(folder.netlist / name, text)


def _identity(plan: Plan, ability: Capabilities) -> dict[str, Any]:
    """What bears on the numbers; a resumed run must have the same."""
    return {
        "weights": printable(plan.file.path.name),
        "weights_sha256": plan.file.sha256,
        "inputs": plan.name if plan.name == OWN_BIAS else printable(plan.name),
        "inputs_sha256": hashlib.sha256(plan.biases.tobytes()).hexdigest(),
        "emulator_version": version("ais-emulator"),
        "ngspice_version": str(ability.version),
        "family": "langevin",
        "realization": plan.circuit.technology.name,
        "noise": plan.settings.noise,
        "noise_step": plan.drive.grid.step if plan.drive else 0.0,
        "seed": plan.settings.seed,
        "settings": json.dumps(plan.settings.model_dump(mode="json")),
        "remarks": json.dumps(list(plan.remarks)),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
