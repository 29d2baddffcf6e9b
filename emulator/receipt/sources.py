"""What a receipt is made from: results, what the run's folder says beside them, the weights file if it is at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emulator.folder import FORMAT as RUN_FORMAT
from emulator.folder import RESULTS, RUN, OutputFolder
from emulator.receipt.model import ReceiptError
from emulator.results import FORMAT as RESULTS_FORMAT
from emulator.results import Results, ResultsError, gather, read_results
from emulator.thermo.network_results import FORMAT as NETWORK_FORMAT
from emulator.thermo.network_results import NetworkResults, read_network_results
from emulator.thermo.network_results import gather as gather_inputs
from emulator.thermo.network_run import KIND as NETWORK_RUN
from emulator.thermo.network_run import finished_inputs
from netlists import hdf5
from netlists.network_file import NetworkFile, holds_modules, read_network
from netlists.printable import printable
from netlists.weights import Weights, WeightsError, read_weights, sha256_of


@dataclass(frozen=True)
class Sources:
    """Whatever is known of a run.

    Attributes:
        results: of a grid or of a network; of an unfinished run those of what is finished.
        run: what ``run.json`` says, or another ``record`` of how the samples were made; empty if it is not there.
        weights: the file that ran, if one with its SHA-256 was found.
        no_weights: why there is none.
    """

    results: Results | NetworkResults
    run: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights | NetworkFile | None = None
    no_weights: str = "the weights file was not looked for"
    record: str = RUN


def find_sources(path: Path, weights: Path | None = None) -> Sources:
    """Reads a results file, or a folder of a run, and looks for the weights file.

    Args:
        path: ``results.h5``, or the folder it is in.
        weights: the weights file; None looks beside the results, here, and where the command of the run named it.

    Raises:
        ReceiptError: no results of a run, or a weights file was given that is not the run's.
    """
    shown = printable(str(path))
    if not path.exists():
        raise ReceiptError(f"{shown}: no such file")
    folder = path if path.is_dir() else path.parent
    run = _run_of(folder)
    try:
        results = _of_folder(path, run) if path.is_dir() else _of_file(path)
    except (ResultsError, OSError) as error:
        raise ReceiptError(str(error)) from error
    # a results file that was copied somewhere has nothing to do with the run.json it lies beside
    ours = run.get("identity", {}).get("weights_sha256") == results.attributes.get("weights_sha256")
    run = run if ours else {}
    return with_weights(Sources(results, run), folder, weights)


def with_weights(sources: Sources, folder: Path, given: Path | None) -> Sources:
    """The same with the weights file, if it is found; ``given`` or where it may lie, in ``folder`` for one.

    Raises:
        ReceiptError: a weights file was given that is not the run's.
    """
    found, reason = _find_weights(sources.results, sources.run, folder, given)
    if given is not None and found is None:
        raise ReceiptError(f"{printable(str(folder))}: not with these weights: {reason}")
    return replace(sources, weights=found, no_weights=reason)


def _run_of(folder: Path) -> Mapping[str, Any]:
    try:
        said = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("identity"), dict) else {}


def _of_folder(path: Path, run: Mapping[str, Any]) -> Results | NetworkResults:
    shown = printable(str(path))
    if (path / RESULTS).is_file() and run.get("state") != "running":
        return _of_file(path / RESULTS)
    told = run.get("told")
    told = {**run.get("identity", {}), **(told if isinstance(told, dict) else {})}
    if run.get("format") == NETWORK_RUN.format:
        inputs = list(finished_inputs(path).values())
        if inputs:
            return gather_inputs(inputs, told)
    if run.get("format") == RUN_FORMAT:
        parts = OutputFolder(path).parts()
        if parts:
            return gather(parts, told)
    if run.get("format") in (RUN_FORMAT, NETWORK_RUN.format):
        raise ReceiptError(f"{shown}: a run without a finished sample; finish it with ais run … --resume")
    raise ReceiptError(
        f"{shown}: a folder without a run; expected one of ais run, with {RESULTS} or finished samples"
    )


def _of_file(path: Path) -> Results | NetworkResults:
    shown = printable(str(path))
    try:
        with hdf5.opened(path) as file:
            kind = hdf5.attributes(file).get("format", "absent")
    except hdf5.Hdf5Error as error:
        raise ReceiptError(f"{shown}: {error}; expected results of a run, or a receipt's JSON") from error
    if kind == RESULTS_FORMAT:
        return read_results(path)
    if kind == NETWORK_FORMAT:
        return read_network_results(path)
    raise ReceiptError(
        f"{shown}: attribute format is {printable(repr(kind))}; expected {RESULTS_FORMAT!r} or {NETWORK_FORMAT!r}"
    )


def _find_weights(
    results: Results | NetworkResults, run: Mapping[str, Any], folder: Path, given: Path | None
) -> tuple[Weights | NetworkFile | None, str]:
    """The file with the run's SHA-256, or why there is none."""
    wanted = results.attributes.get("weights_sha256")
    if wanted is None:
        return None, "the results do not say which weights file they are of"
    others = []
    for path in [given] if given is not None else _places(results, run, folder):
        try:
            if not path.is_file():
                continue
            found = sha256_of(path)
            if found == wanted:
                return (read_network(path) if holds_modules(path) else read_weights(path)), ""
            others.append(
                f"{printable(str(path))} has the SHA-256 {found[:12]}…, the run's weights have {str(wanted)[:12]}…"
            )
        except (WeightsError, OSError) as error:
            others.append(printable(str(error)))
    if others:
        return None, "; ".join(others)
    name = printable(
        str(given if given is not None else results.attributes.get("weights", "the weights file"))
    )
    return None, f"{name} is not at hand"


def _places(results: Results | NetworkResults, run: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Where the weights file may lie: beside the results, here, or where the run's command named it."""
    name = Path(str(results.attributes.get("weights", "")).replace("\0", "")).name
    if name:
        yield folder / name
        yield Path(name)
    command = run.get("command")
    for word in command if isinstance(command, list) else []:
        if name and isinstance(word, str) and Path(word).name == name:
            yield Path(word)
