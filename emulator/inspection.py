"""What a file holds, for people: weights, results, a part of a run, or an output folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_models.model import CellModel
from emulator.campaign.store import FORMAT as CAMPAIGN_FORMAT
from emulator.campaign.store import Store, StoreError
from emulator.campaign.sweep import RECORD as CAMPAIGN
from emulator.campaign.sweep import STORE
from emulator.departures import as_built_said, said
from emulator.folder import FORMAT as RUN_FORMAT
from emulator.folder import PARTS, RESULTS, RUN
from emulator.results import FORMAT as RESULTS_FORMAT
from emulator.results import Results, ResultsError, gather, read_results
from emulator.thermo.network_results import FORMAT as NETWORK_RESULTS_FORMAT
from emulator.thermo.network_results import gather as gather_inputs
from emulator.thermo.network_results import read_network_results
from emulator.thermo.network_run import KIND as NETWORK_RUN
from emulator.thermo.network_run import RESULTS as NETWORK_RESULTS
from emulator.thermo.network_run import finished_inputs
from emulator.thermo.sections import Section, network_run_sections, network_sections
from netlists import hdf5
from netlists.network_file import holds_modules, read_network
from netlists.printable import printable
from netlists.weights import FORMAT as WEIGHTS_FORMAT
from netlists.weights import Weights, WeightsError, read_weights


class InspectError(ValueError):
    """Nothing that can be inspected."""


@dataclass(frozen=True)
class Inspection:
    """Sections of (name, value) rows, and the defects found."""

    sections: Sequence[Section]
    defects: Sequence[str] = ()


def inspect_file(path: Path) -> Inspection:
    """Looks at a file or output folder.

    Raises:
        InspectError: no such file, not HDF5, or a format that isn't ours.
    """
    shown = printable(str(path))
    try:
        if path.is_dir():
            return _folder(path, shown)
        if not path.exists():
            raise InspectError(f"{shown}: no such file")
        with hdf5.opened(path) as file:
            kind = hdf5.attributes(file).get("format", "absent")
            held = hdf5.contents(file)
    except (OSError, hdf5.Hdf5Error) as error:
        raise InspectError(f"{shown}: {printable(str(error))}") from error
    if kind == WEIGHTS_FORMAT:
        try:
            about = (
                network_sections(read_network(path)) if holds_modules(path) else _weights(read_weights(path))
            )
            return Inspection([*about, ("datasets", held)])
        except WeightsError as error:
            return Inspection([("datasets", held)], error.problems)
    if kind == RESULTS_FORMAT:
        try:
            return Inspection([*_results(read_results(path)), ("datasets", held)])
        except ResultsError as error:
            return Inspection([("datasets", held)], [str(error)])
    if kind == NETWORK_RESULTS_FORMAT:
        try:
            return Inspection([*network_run_sections(read_network_results(path)), ("datasets", held)])
        except ResultsError as error:
            return Inspection([("datasets", held)], [str(error)])
    if kind == CAMPAIGN_FORMAT:
        try:
            with Store(path) as store:
                return Inspection([*_campaign(store), ("datasets", held)])
        except StoreError as error:
            return Inspection([("datasets", held)], [str(error)])
    known = ", ".join((WEIGHTS_FORMAT, RESULTS_FORMAT, NETWORK_RESULTS_FORMAT, CAMPAIGN_FORMAT))
    raise InspectError(f"{shown}: attribute format is {printable(repr(kind))}; known: {known}")


def _campaign(store: Store) -> list[Section]:
    """What a campaign swept, and how many samples of each point are there."""
    about = [
        ("title", str(store.attributes.get("title", ""))),
        ("weights", ", ".join(dict.fromkeys(point.label for point in store.points))),
        ("swept", ", ".join(store.axes) or "nothing"),
        ("samples", str(store.samples)),
        ("circumstances", str(store.attributes.get("circumstances", "unknown"))),
    ]
    points = []
    for point in store.points:
        verdicts = Counter(str(verdict) for verdict in store.rows(point)["samples/verdict"])
        values = ", ".join(f"{name} {value}" for name, value in point.values.items())
        said = ", ".join(f"{name} {count}" for name, count in verdicts.items()) or "none yet"
        points.append((f"{point.label} {values}", said))
    return [("campaign", about), ("samples of each point", points)]


def _folder(path: Path, shown: str) -> Inspection:
    """A folder of ours: its results, or what an unfinished run has so far."""
    if (path / CAMPAIGN).is_file():
        if (path / STORE).is_file():
            return inspect_file(path / STORE)
        raise InspectError(
            f"{shown}: a campaign without a finished sample; finish it with ais sweep … --resume"
        )
    defects = []
    try:
        run = json.loads((path / RUN).read_text(encoding="utf-8"))
        if isinstance(run, dict) and run.get("format") == NETWORK_RUN.format:
            return _network_folder(path, shown)
        if not isinstance(run, dict) or run.get("format") != RUN_FORMAT:
            raise InspectError(f"{shown}: a folder without a run of ours")
    except FileNotFoundError:
        raise InspectError(f"{shown}: a folder without a run of ours") from None
    except ValueError as error:
        if isinstance(error, InspectError):
            raise
        run = {}
        defects.append(f"{RUN}: not readable ({error})")
    if (path / RESULTS).is_file() and run.get("state") != "running":
        found = inspect_file(path / RESULTS)
        return Inspection(found.sections, [*defects, *found.defects])
    parts = []
    for file in sorted((path / PARTS).glob("*.h5")):
        try:
            parts.append(read_results(file))
        except ResultsError as error:
            defects.append(str(error))
    settings = run.get("settings")
    asked = settings.get("samples", "unknown") if isinstance(settings, dict) else "unknown"
    state = [
        ("finished samples", str(len(parts))),
        ("samples asked for", str(asked)),
        ("started", str(run.get("started", "unknown"))),
        ("to finish it", "the same command with --resume"),
    ]
    sections: list[Section] = [("unfinished run", state)]
    if parts:
        sections += _results(gather(parts, parts[0].attributes))
    return Inspection(sections, defects)


def _network_folder(path: Path, shown: str) -> Inspection:
    """A network's run: its results, or those of the inputs that are finished."""
    if (path / NETWORK_RESULTS).is_file():
        return inspect_file(path / NETWORK_RESULTS)
    parts = list(finished_inputs(path).values())
    if not parts:
        raise InspectError(
            f"{shown}: a network's run without a finished input; finish it with ais run … --resume"
        )
    state = [("finished inputs", str(len(parts))), ("to finish it", "the same command with --resume")]
    whole = gather_inputs(parts, parts[0].attributes)
    return Inspection([("unfinished run", state), *network_run_sections(whole)])


def _weights(weights: Weights) -> list[Section]:
    core = weights.core
    image = "none" if core.image_shape is None else f"{core.image_shape[0]} x {core.image_shape[1]}"
    about = [
        ("sha256", weights.sha256),
        ("family", f"{core.family_name}: {core.family.title}"),
        ("equation", _equation(core.family)),
        ("grid", f"{core.shape[0]} x {core.shape[1]}: {core.nodes} nodes, {len(core.visible)} visible"),
        ("couplings", f"{len(core.edges)} directed edges, {'symmetric' if core.symmetric else 'asymmetric'}"),
        (
            "neighbours of a node",
            f"{core.degree.min()} to {core.degree.max()}, mean {core.degree.mean():.2f}",
        ),
        ("schedule", f"{core.chunks} chunk(s), boundaries {', '.join(f'{t:g}' for t in core.boundaries)}"),
        ("readout", f"{core.readout}, image {image}"),
        ("initial state", f"{core.initial.kind} on [{core.initial.low:g}, {core.initial.high:g}]"),
        ("trainer's endpoints", ", ".join(f"{k} {v.shape}" for k, v in weights.check.items()) or "none"),
    ]
    ranges = [("coupling", _range(core.coupling)), *((k, _range(v)) for k, v in core.parameters.items())]
    provenance = [(name, str(value)) for name, value in weights.provenance.items()]
    return [("weights", about), ("values", ranges), ("provenance, as the file says", provenance)]


def _equation(model: CellModel) -> str:
    """The rate of a node, with the sums it receives from its neighbours spelt out."""
    sums = ", ".join(f"{model.sums[name]} = sum of K*{feature}" for name, feature in model.features.items())
    return f"d{model.state.symbol}/dt = {model.self_term + model.coupling}; over its neighbours, {sums}"


def _results(results: Results) -> list[Section]:
    rows = results.rows
    verdicts = Counter(results.verdicts)
    about = [
        ("samples", str(results.samples)),
        ("verdicts", ", ".join(f"{name} {count}" for name, count in verdicts.items())),
        ("passed", f"{int(rows['samples/accepted'].sum())} of {results.samples}"),
        ("whole runs kept", str(len(results.trajectories.get("trajectory/sample", [])))),
    ]
    figures = [
        (name.split("/")[1], _range(rows[name]))
        for name in rows
        if name.startswith(("crosscheck/", "timing/")) and rows[name].ndim == 1
    ]
    # these are said in words above
    attributes = [
        (k, str(v)) for k, v in results.attributes.items() if k not in ("non_idealities", "as_built")
    ]
    chip = [(name, value) for name, value, _ in said(results)] or [
        ("none", "the chip and its converter are ideal")
    ]
    built = as_built_said(results)
    return [
        ("results", about), ("non-idealities in force", chip), *([("weights as built", built)] if built else []),
        ("figures (smallest, median, largest)", figures), ("attributes", attributes),
    ]  # fmt: skip


def _range(values: Any) -> str:
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return "none"
    return f"{finite.min():.4g}, {np.median(finite):.4g}, {finite.max():.4g}"
