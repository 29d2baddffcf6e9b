"""One sample, from its initial state to its codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device_models.adc import digitise
from device_models.readout import read_out
from emulator.acquire import acquire, on_rails
from emulator.crosscheck import Comparison, CrossCheck, crosscheck
from emulator.folder import DECK
from emulator.ladder import costs, ends
from emulator.ngspice import Statistics
from emulator.plan import Plan
from emulator.realisation import Observed
from emulator.reference import ReferenceFailed, trajectory
from emulator.results import ROWS, Results
from emulator.settings import RunSettings
from emulator.simulator import Simulator, WorkerDied, WorkerTimeout
from emulator.trajectory import Trajectory
from emulator.verdict import Judgement, Verdict
from netlists.core import AnalogCore, Array, Index
from netlists.files import write_text_whole
from netlists.scaling import Scaling


def run_sample(
    plan: Plan, simulator: Simulator, sample: int, folder: Path,
    on_progress: Callable[[float], None] | None = None,
) -> Results:  # fmt: skip
    """One sample from its initial state to its codes, as results of one row.

    Args:
        plan: what it shares with the other samples.
        simulator: runs the circuit and the reference.
        sample: its number.
        folder: the simulator's working folder; keeps the log, and the deck of a simulation that failed.
        on_progress: called with the fraction of simulated time done.
    """
    core, settings = plan.built.core, plan.settings
    start = core.initial_states(settings.seed, sample)
    noise = plan.noise(sample)
    deck = plan.realisation.deck(start, noise)
    simulation = simulator.simulate(
        deck, folder=folder, limit_s=settings.time_limit_s, on_progress=on_progress
    )
    judgement, statistics = simulation.judgement, simulation.statistics
    if not judgement.completed:
        write_text_whole(folder / DECK, deck.text)
        return _row(plan, sample, start, judgement, statistics, None)
    observed = plan.realisation.observe(simulation, start)
    try:
        comparison = simulator.call(
            crosscheck,
            core,
            observed.trajectory,
            settings.rows,
            settings.windows,
            plan.realisation.driving(noise),
            limit_s=settings.time_limit_s,
        )
        rungs = plan.realisation.rungs
        models = simulator.call(ends, rungs, core, start, limit_s=settings.time_limit_s) if rungs else None
        trained = None
        if settings.non_idealities.in_force:
            times = comparison[0].row_time
            trained = simulator.call(
                trajectory, plan.weights.core, start, times, limit_s=settings.time_limit_s
            )
        return _row(plan, sample, start, judgement, statistics, (observed, comparison), models, trained)
    except ReferenceFailed as failure:
        return _row(plan, sample, start, judgement, statistics, (observed, failure))
    except WorkerTimeout:
        said = f"the reference took more than {settings.time_limit_s:g} s of wall time. Raise --time-limit."
        judgement = Judgement(Verdict.TIME_LIMIT, said)
    except WorkerDied as death:
        said = f"the reference's process died ({death}). Try the sample again with --resume."
        judgement = Judgement(Verdict.CRASHED, said)
    return _row(plan, sample, start, judgement, statistics, None)


def _row(
    plan: Plan, sample: int, start: Array, judgement: Judgement, statistics: Statistics,
    outcome: tuple[Observed, Comparison | ReferenceFailed] | None, models: Array | None = None,
    trained: Array | None = None,
) -> Results:  # fmt: skip
    """The sample's row. Figures without an outcome are NaN, codes −1.

    Args:
        plan, sample, start, judgement, statistics: what was run, and how it went.
        outcome: what was observed of it, and how that compares.
        models: of the ladder.
        trained: (R, N) states of the trained model; None where it is the reference.
    """
    core, settings = plan.built.core, plan.settings
    sizes = {
        "N": core.nodes,
        "V": len(core.visible),
        "R": settings.rows + 1,
        "W": settings.windows,
        "L": len(plan.realisation.rungs),
    }
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
        observed, comparison = outcome
        circuit = observed.trajectory
        seen_by = (Scaling.model_validate({"tau": plan.realisation.tau}), settings.adc, settings.seed, sample)
        analog, codes = acquire(core, circuit, *seen_by)
        row |= {"samples/final": circuit.state[-1], "samples/analog": analog, "samples/codes": codes}
        row |= {
            "energy/oscillators": observed.oscillators_j,
            "energy/couplers": observed.couplers_j,
            "energy/injection": observed.injection_j,
        }
        if observed.amplitude is not None:
            row["samples/amplitude"] = observed.amplitude
        if isinstance(comparison, ReferenceFailed):
            row["samples/reason"] = f"the circuit ran, but could not be cross-checked: {comparison}"
        else:
            check, states = comparison
            # rows are the nearest time points, and one can be nearest to two of them
            rising = np.unique(check.row_time, return_index=True)[1]
            # the reference goes through the very same converter, noise included: only the circuit differs
            seen = acquire(core, Trajectory(check.row_time[rising], states[rising]), *seen_by)
            row |= _crosscheck_columns(check, (analog, codes), seen, settings)
            ideal = states if trained is None else trained
            seen = acquire(core, Trajectory(check.row_time[rising], ideal[rising]), *seen_by)
            row |= _trained_columns(ideal[-1], (analog, codes), seen)
            if models is not None:
                row |= _ladder_columns(core, np.concatenate([models, circuit.state[-1:]]), settings)
            if sample < settings.keep_trajectories:
                runs = {
                    "trajectory/sample": sample,
                    "trajectory/time": check.row_time,
                    "trajectory/circuit": circuit.rows(settings.rows).state,
                    "trajectory/reference": states,
                }
    return Results(  # copies: views would keep the sample's whole trajectory
        {name: np.array([value]) for name, value in row.items()},
        {name: np.array([value]) for name, value in runs.items()},
        {"weights_sha256": plan.weights.sha256},
    )


def _crosscheck_columns(
    check: CrossCheck, circuit: tuple[Array, Index], reference: tuple[Array, Index], settings: RunSettings
) -> dict[str, Any]:
    """The columns of a comparison; ``circuit`` and ``reference`` are analog pixels and codes."""
    agree = _within_1lsb(circuit, reference)
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
        "crosscheck/pixel_rms": _pixel_rms(circuit, reference),
        "crosscheck/codes_on_rails": on_rails(circuit[1], settings.adc),
        "crosscheck/codes_within_1lsb": agree,
        "crosscheck/sensitivity": check.sensitivity,
        "crosscheck/row_time": check.row_time,
        "crosscheck/row_rms": check.row_rms,
        "timing/reference_wall": check.wall_s,
    }


def _trained_columns(
    final: Array, circuit: tuple[Array, Index], trained: tuple[Array, Index]
) -> dict[str, Any]:
    """The columns of the trained model: what the chip costs, whatever the circuit makes of it."""
    return {
        "samples/final_trained": final,
        "samples/analog_trained": trained[0],
        "samples/codes_trained": trained[1],
        "crosscheck/trained_pixel_rms": _pixel_rms(circuit, trained),
        "crosscheck/trained_codes_within_1lsb": _within_1lsb(circuit, trained),
    }


def _pixel_rms(a: tuple[Array, Index], b: tuple[Array, Index]) -> float:
    return float(np.sqrt(np.mean((a[0] - b[0]) ** 2)))


def _within_1lsb(a: tuple[Array, Index], b: tuple[Array, Index]) -> float:
    return float(np.mean(np.abs(a[1] - b[1]) <= 1))


def _ladder_columns(core: AnalogCore, found: Array, settings: RunSettings) -> dict[str, Any]:
    """The columns of the ladder; an ideal converter of the same resolution reads all models."""
    ideal = type(settings.adc)(bits=settings.adc.bits, low=settings.adc.low, high=settings.adc.high)

    def read(phases: Array) -> tuple[Array, Index]:
        pixels = read_out(core.readout, phases[core.visible])
        return pixels, digitise(pixels, ideal)

    cost = costs(core, found, read)
    return {
        "ladder/end_rms": cost.end_rms, "ladder/pixel_rms": cost.pixel_rms, "ladder/codes": cost.codes
    }  # fmt: skip


def _padded(values: Array, length: int) -> Array:
    return np.pad(values, (0, length - len(values)), constant_values=np.nan)
