"""The main job, from top to bottom: weights → core as built → circuit → ngspice → trajectory → cross-check → codes."""

from __future__ import annotations

import datetime
import platform
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from emulator.claimed import Mode
from emulator.doctor import find_capabilities
from emulator.folder import OutputFolder, claim
from emulator.ngspice import Capabilities
from emulator.plan import Plan, make_plan
from emulator.realisation import Realisation
from emulator.receipt.make import receipt_from
from emulator.receipt.model import write_receipt
from emulator.receipt.sources import Sources
from emulator.results import Columns, Results, gather, write_results
from emulator.sample import run_sample
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from emulator.told import identity_of, told
from netlists.as_built_facts import facts
from netlists.files import write_text_whole
from netlists.weights import Weights, read_weights

_WAIT_S = 0.5


class Observer(Protocol):
    """What a run tells while it goes on; called from several threads."""

    def status(self, text: str) -> None:
        """What is being done before the samples can be planned."""

    def planned(self, samples: int, todo: int, ability: Capabilities, realisation: Realisation) -> None:
        """Before the first sample: how many there are, how many are left, by which simulator and devices."""

    def progress(self, sample: int, fraction: float) -> None:
        """Simulated time of a sample done, 0 to 1."""

    def finished(self, sample: int, row: Columns) -> None:
        """A sample is finished and on disk."""


def run(weights_path: Path, settings: RunSettings, out: Path, mode: Mode, observer: Observer) -> Results:
    """Runs all samples and leaves results, report, picture, netlist, receipt and settings in ``out``.

    Finished samples are on disk at any time; an interrupted or failed run is continued by mode ``resume``.

    Raises:
        WeightsError, FolderError, NgspiceUnavailable, DevicesError: unusable input, before any work.
        NonIdealityError: one that has nothing to act on, before any work.
        ValueError: a converter that can't read these runs, before any work.
        OSError: a file could not be written; finished samples stay.
    """
    weights = read_weights(weights_path)
    with Simulator() as first:  # asked for its abilities, it is also the first to simulate
        ability = find_capabilities(first)
        plan = make_plan(weights, settings, ability, first, observer.status)
        identity = identity_of(plan, ability)
        with claim(out, mode, identity) as folder:
            folder.describe(**_circumstances(plan, ability, folder.described()))
            _write_netlist(plan, folder)
            done = folder.completed()
            todo = [sample for sample in range(settings.samples) if sample not in done]
            observer.planned(settings.samples, len(todo), ability, plan.realisation)
            done |= _simulate_all(plan, folder, todo, observer, first)
            results = gather(list(done.values()), identity | told(plan))
            folder.finish(results)
            folder.describe(state="finished", finished=_now())
            write_receipt(folder.receipt, receipt_from(Sources(results, folder.described())))
            _write_report(folder, results, replace(weights, core=plan.built.core), plan)
    return results


def _write_report(folder: OutputFolder, results: Results, weights: Weights, plan: Plan) -> None:
    from emulator.report import write_report  # with matplotlib, half a second that samples need not wait for

    write_report(folder, results, weights, plan.realisation)


def _simulate_all(
    plan: Plan, folder: OutputFolder, todo: list[int], observer: Observer, first: Simulator
) -> dict[int, Results]:
    """A thread a job, each with a simulator of its own; the first error, or an interrupt, ends all.

    Returns:
        What every sample came to, by number; each is on disk.
    """
    finished: dict[int, Results] = {}
    jobs = max(1, min(plan.settings.jobs, len(todo)))
    idle: queue.SimpleQueue[Simulator] = queue.SimpleQueue()
    simulators = [first, *(Simulator() for _ in range(jobs - 1))]
    for simulator in simulators:
        idle.put(simulator)
    stopping = threading.Event()

    def one(sample: int) -> None:
        simulator = idle.get()
        try:
            progress = partial(observer.progress, sample)
            part = run_sample(plan, simulator, sample, folder.run_folder(sample), progress)
            if stopping.is_set():  # killed by us, not by itself: nothing to record
                return
            write_results(folder.part(sample), part, explained=False)
            finished[sample] = part
            observer.finished(sample, part.rows)
        finally:
            idle.put(simulator)

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="sample")
    try:
        futures = [pool.submit(one, sample) for sample in todo]
        # not in one go: Python notices a Ctrl-C that comes just before a wait begins only when the wait ends
        while wait(futures, _WAIT_S, FIRST_EXCEPTION).not_done and not any(map(_failed, futures)):
            pass
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
    return finished


def _failed(future: Future[None]) -> bool:
    return future.done() and future.exception() is not None


def _write_netlist(plan: Plan, folder: OutputFolder) -> None:
    start = plan.weights.core.initial_states(plan.settings.seed, 0)
    for name, text in plan.realisation.files(start, plan.noise(0)).items():
        write_text_whole(folder.netlist / name, text)


def _circumstances(plan: Plan, ability: Capabilities, before: Mapping[str, Any]) -> dict[str, Any]:
    """How the run was made; ``before`` is what ``run.json`` says already."""
    resumed = list(before.get("resumed", []))
    if "started" in before:
        resumed.append({"command": sys.argv, "at": _now()})
    return {
        # a resumed run is still the one that was started; what was typed since stands beside it
        "command": before.get("command", sys.argv),
        "started": before.get("started", _now()),
        "resumed": resumed,
        "settings": plan.settings.model_dump(mode="json"),
        "weights": {
            "file": plan.weights.path.name,
            "sha256": plan.weights.sha256,
            "provenance": dict(plan.weights.provenance),
        },
        "ngspice": vars(ability),
        "as_built": dict(facts(plan.built)),
        "told": told(plan),
        "devices": _devices(plan.realisation, before.get("devices", {}).get("remarks", [])),
        "versions": {
            "python": platform.python_version(),
            **{
                name: version(name) for name in ("ais-emulator", "PySpice", "numpy", "scipy", "sympy", "h5py")
            },
        },
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }


def _devices(taken: Realisation, before: Sequence[str]) -> dict[str, Any]:
    """What devices were taken, and why; a resume with nothing to remark leaves what was remarked ``before``."""
    remarks = list(taken.remarks or before)
    return {"form": taken.devices, "jacobian": taken.jacobian, "remarks": remarks}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
