"""The main job, from top to bottom: weights → core → circuit → ngspice → trajectory → cross-check → codes."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import queue
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emulator.acquire import acquire, check_converter
from emulator.crosscheck import Comparison, CrossCheck, crosscheck
from emulator.devices import Choice, choose, make_deck
from emulator.doctor import find_capabilities
from emulator.folder import DECK, Mode, OutputFolder, claim
from emulator.ngspice import Capabilities, Statistics
from emulator.reference import ReferenceFailed
from emulator.report import write_report
from emulator.results import ROWS, Columns, Results, gather, write_results
from emulator.settings import WHILE_RUNNING, RunSettings
from emulator.simulator import Simulator, WorkerDied, WorkerTimeout
from emulator.trajectory import Trajectory, from_simulation
from emulator.verdict import Judgement, Verdict
from netlists.core import Array, Index
from netlists.dialects.ngspice import SolverOptions, write_deck, write_netlist
from netlists.files import write_text_whole
from netlists.printable import printable
from netlists.weights import Weights, read_weights


class Observer(Protocol):
    """What a run tells while it goes on; called from several threads."""

    def planned(self, samples: int, todo: int, ability: Capabilities, choice: Choice) -> None:
        """Before the first sample: how many there are, how many are left, by which simulator and devices."""

    def progress(self, sample: int, fraction: float) -> None:
        """Simulated time of a sample done, 0 to 1."""

    def finished(self, sample: int, row: Columns) -> None:
        """A sample is finished and on disk."""


@dataclass(frozen=True)
class Plan:
    """All that the samples of a run share."""

    weights: Weights
    settings: RunSettings
    choice: Choice
    options: SolverOptions


def run(weights_path: Path, settings: RunSettings, out: Path, mode: Mode, observer: Observer) -> Results:
    """Runs all samples and leaves results, report, picture, netlist and receipt of settings in ``out``.

    Finished samples are on disk at any time; an interrupted or failed run is continued by mode ``resume``.

    Raises:
        WeightsError, FolderError, NgspiceUnavailable, DevicesError: unusable input, before any work.
        ValueError: a converter that can't read these runs, before any work.
        OSError: a file could not be written; finished samples stay.
    """
    weights = read_weights(weights_path)
    check_converter(weights.core, settings.scaling, settings.adc)
    with Simulator() as first:  # asked for its abilities, it is also the first to simulate
        ability = find_capabilities(first)
        options = SolverOptions(reltol=settings.reltol, rows=settings.rows, klu=ability.klu)
        choice = choose(
            weights.core, settings.scaling, settings.rows, ability, settings.devices, settings.jacobian
        )
        plan = Plan(weights, settings, choice, options)
        identity = _identity(plan, ability)
        with claim(out, mode, identity) as folder:
            folder.describe(**_circumstances(plan, ability))
            _write_netlist(plan, folder)
            done = folder.completed()
            todo = [sample for sample in range(settings.samples) if sample not in done]
            observer.planned(settings.samples, len(todo), ability, choice)
            _simulate_all(plan, folder, todo, observer, first)
            results = gather(folder.parts(), identity | {"weights": printable(weights.path.name)})
            folder.finish(results)
            write_report(folder, results, weights, choice.circuit)
            folder.describe(state="finished", finished=_now())
    return results


def _simulate_all(
    plan: Plan, folder: OutputFolder, todo: list[int], observer: Observer, first: Simulator
) -> None:
    """A thread a job, each with a simulator of its own; the first error, or an interrupt, ends all."""
    jobs = max(1, min(plan.settings.jobs, len(todo)))
    idle: queue.SimpleQueue[Simulator] = queue.SimpleQueue()
    simulators = [first, *(Simulator() for _ in range(jobs - 1))]
    for simulator in simulators:
        idle.put(simulator)
    stopping = threading.Event()

    def one(sample: int) -> None:
        simulator = idle.get()
        try:
            part = run_sample(plan, simulator, sample, folder.run_folder(sample), observer)
            if stopping.is_set():  # killed by us, not by itself: nothing to record
                return
            write_results(folder.part(sample), part)
            observer.finished(sample, part.rows)
        finally:
            idle.put(simulator)

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="sample")
    try:
        futures = [pool.submit(one, sample) for sample in todo]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future.done():
                future.result()
    finally:
        stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for simulator in simulators:
            simulator.kill()
        pool.shutdown(wait=True)
        for simulator in simulators:
            simulator.close()


def run_sample(plan: Plan, simulator: Simulator, sample: int, folder: Path, observer: Observer) -> Results:
    """One sample from its initial state to its codes, as results of one row."""
    core, settings = plan.weights.core, plan.settings
    start = core.initial_states(settings.seed, sample)
    deck = make_deck(plan.choice, plan.options, start)
    simulation = simulator.simulate(
        deck, folder=folder, limit_s=settings.time_limit_s,
        on_progress=lambda fraction: observer.progress(sample, fraction),
    )  # fmt: skip
    judgement, statistics = simulation.judgement, simulation.statistics
    if not judgement.completed:
        write_text_whole(folder / DECK, deck.text)
        return _row(plan, sample, start, judgement, statistics, None)
    circuit = from_simulation(simulation, start, settings.scaling, core.duration)
    try:
        comparison = simulator.call(
            crosscheck, core, circuit, settings.rows, settings.windows, limit_s=settings.time_limit_s
        )
        return _row(plan, sample, start, judgement, statistics, (circuit, comparison))
    except ReferenceFailed as failure:
        return _row(plan, sample, start, judgement, statistics, (circuit, failure))
    except WorkerTimeout:
        said = f"the reference took more than {settings.time_limit_s:g} s of wall time. Raise --time-limit."
        judgement = Judgement(Verdict.TIME_LIMIT, said)
    except WorkerDied as death:
        said = f"the reference's process died ({death}). Try the sample again with --resume."
        judgement = Judgement(Verdict.CRASHED, said)
    return _row(plan, sample, start, judgement, statistics, None)


def _row(
    plan: Plan, sample: int, start: Array, judgement: Judgement, statistics: Statistics,
    outcome: tuple[Trajectory, Comparison | ReferenceFailed] | None,
) -> Results:  # fmt: skip
    """The sample's row. Figures without an outcome are NaN, codes −1."""
    core, settings = plan.weights.core, plan.settings
    sizes = {"N": core.nodes, "V": len(core.visible), "R": settings.rows + 1, "W": settings.windows}
    row: dict[str, Any] = {
        name: np.full([sizes[letter] for letter in column.shape], -1 if column.kinds == "iu" else np.nan)
        for name, column in ROWS.items()
    }
    row |= {
        "samples/index": sample,
        "samples/initial": start,
        "samples/verdict": str(judgement.verdict),
        "samples/reason": judgement.reason,
        "samples/accepted": False,
        "timing/simulator_cpu": statistics.cpu_s,
        "timing/simulator_wall": statistics.wall_s,
        "timing/steps": statistics.steps,
        "timing/rejected": statistics.rejected,
        "timing/iterations": statistics.iterations,
    }
    runs: dict[str, Any] = {}
    if outcome is not None:
        circuit, comparison = outcome
        seen_by = (settings.scaling, settings.adc, settings.seed, sample)
        analog, codes = acquire(core, circuit, *seen_by)
        row |= {"samples/final": circuit.state[-1], "samples/analog": analog, "samples/codes": codes}
        if isinstance(comparison, ReferenceFailed):
            row["samples/reason"] = f"the circuit ran, but could not be cross-checked: {comparison}"
        else:
            check, states = comparison
            # the reference goes through the very same converter, noise included: only the circuit differs
            seen = acquire(core, Trajectory(check.row_time, states), *seen_by)
            row |= _crosscheck_columns(check, (analog, codes), seen, settings)
            if sample < settings.keep_trajectories:
                runs = {
                    "trajectory/sample": sample,
                    "trajectory/time": check.row_time,
                    "trajectory/circuit": circuit.rows(settings.rows).state,
                    "trajectory/reference": states,
                }
    return Results(
        {name: np.asarray(value)[None] for name, value in row.items()},
        {name: np.asarray(value)[None] for name, value in runs.items()},
        {"weights_sha256": plan.weights.sha256},
    )


def _crosscheck_columns(
    check: CrossCheck, circuit: tuple[Array, Index], reference: tuple[Array, Index], settings: RunSettings
) -> dict[str, Any]:
    """The columns of a comparison; ``circuit`` and ``reference`` are analog pixels and codes."""
    agree = float(np.mean(np.abs(circuit[1] - reference[1]) <= 1))
    wanted = settings.acceptance
    passed = check.worst_window <= wanted.worst_window_rms and agree >= wanted.codes_within_1lsb
    return {
        "samples/final_reference": check.final_reference,
        "samples/analog_reference": reference[0],
        "samples/codes_reference": reference[1],
        "samples/accepted": passed,
        "crosscheck/global_rms": check.global_rms,
        "crosscheck/global_max": check.global_max,
        "crosscheck/end_rms": check.end_rms,
        "crosscheck/defect_rms": check.defect_rms,
        "crosscheck/defect_max": check.defect_max,
        "crosscheck/defect_window_rms": _padded(check.window_rms, settings.windows),
        "crosscheck/pixel_rms": float(np.sqrt(np.mean((circuit[0] - reference[0]) ** 2))),
        "crosscheck/codes_within_1lsb": agree,
        "crosscheck/sensitivity": check.sensitivity,
        "crosscheck/row_time": check.row_time,
        "crosscheck/row_rms": check.row_rms,
        "timing/reference_wall": check.wall_s,
    }


def _padded(values: Array, length: int) -> Array:
    return np.pad(values, (0, length - len(values)), constant_values=np.nan)


def _write_netlist(plan: Plan, folder: OutputFolder) -> None:
    start = plan.weights.core.initial_states(plan.settings.seed, 0)
    for name, text in write_netlist(plan.choice.circuit, plan.options, start).by_name().items():
        write_text_whole(folder.netlist / name, text)


def _identity(plan: Plan, ability: Capabilities) -> dict[str, Any]:
    """What bears on the numbers: hashes, versions, options, settings; flat, for attributes and comparison."""
    settings = plan.settings.model_dump(mode="json", exclude=set(WHILE_RUNNING))
    netlist = write_deck(plan.choice.circuit, plan.options, np.zeros(plan.weights.core.nodes))
    return {
        "weights_sha256": plan.weights.sha256,
        "netlist_sha256": hashlib.sha256(netlist.encode()).hexdigest(),
        "emulator_version": version("ais-emulator"),
        "ngspice_version": str(ability.version),
        "ngspice_options": plan.options.model_dump_json(),
        "seed": settings.pop("seed"),
        "level": settings.pop("level"),
        "devices": plan.choice.devices,
        "devices_asked": settings.pop("devices"),
        "jacobian": plan.choice.jacobian,
        "family": plan.weights.core.family_name,
        "settings": json.dumps(settings),
        "non_idealities": json.dumps(_non_idealities(plan.settings)),
    }


def _non_idealities(settings: RunSettings) -> Mapping[str, Any]:
    """Every departure from the ideal in force; empty for the ideal run."""
    ideal = type(settings.adc)(bits=settings.adc.bits, low=settings.adc.low, high=settings.adc.high)
    given, default = settings.adc.model_dump(), ideal.model_dump()
    return {f"adc_{name}": value for name, value in given.items() if value != default[name]}


def _circumstances(plan: Plan, ability: Capabilities) -> dict[str, Any]:
    return {
        "command": sys.argv,
        "started": _now(),
        "settings": plan.settings.model_dump(mode="json"),
        "weights": {
            "file": plan.weights.path.name,
            "sha256": plan.weights.sha256,
            "provenance": dict(plan.weights.provenance),
        },
        "ngspice": vars(ability),
        "versions": {
            "python": platform.python_version(),
            **{
                name: version(name) for name in ("ais-emulator", "PySpice", "numpy", "scipy", "sympy", "h5py")
            },
        },
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
