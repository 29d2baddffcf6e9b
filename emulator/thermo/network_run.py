"""``ais run`` of a Langevin network: operating points of all inputs, then one input after another, into a folder."""

from __future__ import annotations

import datetime
import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from emulator.claimed import FolderError, Kind, Mode, describe, described, remove, taken
from emulator.core_facts import PROVENANCE, told_provenance
from emulator.doctor import find_capabilities, warnings
from emulator.folder import RECEIPT
from emulator.ngspice import Capabilities
from emulator.results import ResultsError
from emulator.simulator import Simulator
from emulator.thermo.circuit import operating_points
from emulator.thermo.netlist import network_netlist
from emulator.thermo.network_facts import ADC, NETWORK, NetworkFacts
from emulator.thermo.network_plan import Plan
from emulator.thermo.network_results import (
    NetworkResults,
    gather,
    read_network_results,
    split,
    write_network_results,
)
from emulator.thermo.network_row import input_row
from netlists.dialects.write import DESIGN_FILES
from netlists.files import write_text_whole
from netlists.printable import printable

Status = Callable[[str], None]

RESULTS, REPORT, NETLIST, PARTS, PART = (
    "results.h5",
    "report.html",
    "netlist",
    "partial/input-*.h5",
    "partial/input-{:05d}.h5",
)
KIND = Kind(
    "run", "ais-network-run", "run.json",
    # what ngspice leaves beside the netlist is ours too
    (
        RESULTS, REPORT, RECEIPT, *(f"{NETLIST}/{name}" for name in (*sorted(DESIGN_FILES), "testbench.raw")),
        PARTS, "run.json",
    ),
    (NETLIST, "partial"),
)  # fmt: skip


def run_network(plan: Plan, out: Path, mode: Mode, status: Status) -> NetworkResults:
    """Runs all inputs and leaves results, netlist and a description in ``out``; finished inputs survive a kill.

    Raises:
        FolderError, NgspiceUnavailable: before any work.
        CircuitFailed: operating points were not found; a transient's failure is its input's alone.
        OSError: a file could not be written; finished inputs stay.
    """
    with Simulator() as simulator:
        ability = find_capabilities(simulator)
        identity = _identity(plan, ability)
        with taken(out, KIND, mode, identity):
            if mode == "resume" and (out / RESULTS).exists():
                _unpack(out)
            describe(
                out, KIND, identity=identity, state="running", command=sys.argv, started=_now(), ngspice=vars(ability),
                told=_told(plan), remarks=list(plan.remarks),
            )  # fmt: skip
            for lost in warnings(ability):
                status(f"warning: {lost}")
            netlist = {"netlist_sha256": _write_netlist(plan, out / NETLIST)}
            done = finished_inputs(out)
            todo = [k for k in range(len(plan.biases)) if k not in done]
            status(
                f"{len(todo)} of {len(plan.biases)} inputs {plan.name!r} to simulate with ngspice {ability.version}"
            )
            if todo:
                _simulate(plan, simulator, ability, todo, out, identity, status)
            results = gather([*finished_inputs(out).values()], identity | _told(plan) | netlist)
            write_network_results(out / RESULTS, results)
            remove(out, (PARTS,), ("partial",))
            describe(out, KIND, state="finished", finished=_now())
            _write_receipt_and_report(plan, out, results)
    return results


def _simulate(
    plan: Plan, simulator: Simulator, ability: Capabilities, todo: list[int], out: Path, identity: dict[str, Any],
    status: Status,
) -> None:  # fmt: skip
    # of all inputs, finished or not: the last bits of one depend on those before it
    near = np.stack([each.rest for each in plan.descents]) if plan.several else None
    rests, cpu_s = operating_points(simulator, ability, plan.circuit, plan.biases, near)
    for k in todo:
        row = input_row(plan, simulator, ability, k, rests[k], cpu_s / len(rests))
        write_network_results(out / PART.format(k), NetworkResults(row, identity))
        status(f"input {k}: {row['verdict/reason'][0] or f'as {plan.judge} says'}")


def _unpack(folder: Path) -> None:
    """Makes parts of finished results again."""
    try:
        parts = split(read_network_results(folder / RESULTS))
    except ResultsError as error:
        raise FolderError(f"{error}. Remove it, or start anew with --overwrite") from error
    for part in parts:
        write_network_results(folder / PART.format(int(part.rows["inputs/index"][0])), part)


def finished_inputs(folder: Path) -> dict[int, NetworkResults]:
    """Results of each finished input of a run in progress, by number."""
    found = {}
    for path in sorted(folder.glob(PARTS)):
        with suppress(ResultsError):  # a damaged part counts as not finished
            part = read_network_results(path)
            found[int(part.rows["inputs/index"][0])] = part
    return found


def _write_netlist(plan: Plan, folder: Path) -> str:
    """The SHA-256 of its files, in the order of their names."""
    made = network_netlist(plan.file.substrate, plan.settings.circuit, "ngspice", plan.name, 0)
    for name, text in made.files.items():
        write_text_whole(folder / name, text)
    return hashlib.sha256("".join(made.files[name] for name in sorted(made.files)).encode()).hexdigest()


def _identity(plan: Plan, ability: Capabilities) -> dict[str, Any]:
    """What bears on the numbers; a resumed run must have the same."""
    return {
        "weights": printable(plan.file.path.name),
        "weights_sha256": plan.file.sha256,
        "inputs": printable(plan.name),
        "inputs_sha256": hashlib.sha256(plan.biases.tobytes()).hexdigest(),
        "emulator_version": version("ais-emulator"),
        "ngspice_version": str(ability.version),
        "family": "langevin",
        "realization": plan.circuit.technology.name,
        "noise": plan.settings.noise,
        "noise_step": plan.drive.grid.step if plan.drive else 0.0,
        "settings": json.dumps(plan.settings.model_dump(mode="json")),
        "remarks": json.dumps(list(plan.remarks)),
    }


def _write_receipt_and_report(plan: Plan, out: Path, results: NetworkResults) -> None:
    # receipts are made from folders too, and so know of this module
    from emulator.receipt.make import receipt_from
    from emulator.receipt.model import write_receipt
    from emulator.receipt.sources import Sources
    from emulator.thermo.network_report import network_report  # with matplotlib, a third of a second

    record = described(out, KIND)
    receipt = receipt_from(Sources(results, record))
    write_receipt(out / RECEIPT, receipt)
    write_text_whole(out / REPORT, network_report(plan, results, record, receipt))


def _told(plan: Plan) -> dict[str, str]:
    """What results say beyond their identity."""
    return {
        NETWORK: NetworkFacts.of(plan.file.substrate).model_dump_json(),
        PROVENANCE: told_provenance(plan.file.provenance),
        ADC: plan.adc.model_dump_json(),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
