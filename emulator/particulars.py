"""What a run was made of, as rows of words for the report: the circuit, settings, versions, hashes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from emulator.departures import as_built_said, said
from emulator.realisation import Realisation
from emulator.results import Results
from emulator.settings import RunSettings
from emulator.si import si
from netlists.compile import summarise
from netlists.core import Array
from netlists.printable import printable
from netlists.weights import Weights

ELEMENTS = {"behavioural": "behavioural sources", "capacitor": "capacitors", "voltage": "voltage source"}
MOST_WORDS = 2000  # characters of one value

Pairs = list[tuple[str, str]]


def of_circuit(weights: Weights, circuit: Realisation) -> dict[str, Any]:
    """What the weights were compiled to: ``facts`` (what, value) and ``ranges`` of the weights."""
    core, summary = weights.core, summarise(weights.core, circuit.inventory)
    devices = ", ".join(
        f"{count:,} {ELEMENTS.get(kind, kind)}" for kind, count in circuit.inventory.devices.items() if count
    )
    hidden = summary.nodes - summary.visible
    start, fewest, most = core.initial, summary.degree_min, summary.degree_max
    image = f"{core.image_shape[0]} × {core.image_shape[1]} pixels" if core.image_shape else "no image shape"
    facts = [
        ("Cells", core.family.title),
        ("Equation from", core.family.source),
        ("Grid", f"{core.shape[0]} × {core.shape[1]}"),
        ("Nodes", f"{summary.visible:,} visible ({image}), {hidden:,} hidden"),
        ("Couplers", f"{summary.couplers:,} {'reciprocal (K_ij = K_ji)' if core.symmetric else 'directed'}"),
        ("Couplers per node", f"{fewest} to {most}, mean {summary.degree_mean:.2f}"),
        ("Longest wire", f"{summary.longest_wire:g} cell pitches (Manhattan)"),
        ("Time chunks", f"{core.chunks}, at model times {_shortened(core.boundaries)}"),
        ("Run", f"{core.duration:g} model time units, {si(circuit.stop, 's', 4)} of circuit time"),
        ("Netlist", f"{summary.elements:,} elements ({devices}), {circuit.inventory.unknowns:,} unknowns"),
        ("Start", f"{start.kind} on [{start.low:.4g}, {start.high:.4g}) {core.family.state.unit}"),
        ("Readout", core.readout),
    ]  # fmt: skip
    parameters = [("coupling K", "per model time unit", core.coupling)] + [
        (parameter.name, parameter.unit, core.parameters[parameter.name])
        for parameter in core.family.parameters
    ]
    ranges = [
        (name, unit, *(f"{cell(values):.3g}" for cell in (np.min, np.median, np.max)))
        for name, unit, values in parameters
        if values.size
    ]
    return {"facts": facts, "ranges": ranges}


def _shortened(values: Array) -> str:
    shown = values if len(values) <= 9 else [*values[:4], *values[-2:]]
    said = [f"{value:g}" for value in shown]
    return ", ".join(said if len(values) <= 9 else [*said[:4], "…", *said[4:]])


def of_run(
    run: Mapping[str, Any], results: Results, settings: RunSettings, weights: Weights
) -> dict[str, Any]:
    """Everything that was in force, as (name, value) or (name, value, meaning) in words."""
    attributes, asked = results.attributes, settings.non_idealities
    rest = {
        key: value for key, value in run.items() if key not in ("identity", "settings", "told", "weights")
    }
    command = run.get("command")
    line = ""
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        program = "ais" if Path(command[0]).name == "ais" else command[0]
        line = printable(shlex.join([program, *command[1:]]), MOST_WORDS)
    level = printable(str(attributes.get("level", settings.level)))
    devices = printable(str(attributes.get("devices", "behavioural")))
    plain = level == "phase"
    lacking = "".join([", no noise"] * (not asked.noise) + [", no mismatch"] * (not asked.drawn))
    return {
        "kind": f"Circuit simulation at the {level} level with {devices} devices"
        + (f": no transistor{lacking}." if plain else "; no measurement of silicon."),
        "command": line,
        "weights_hash": weights.sha256,
        "level": level,
        "devices": devices,
        "departures": [[printable(word, MOST_WORDS) for word in row] for row in said(results)],
        "as_built": [[printable(word, MOST_WORDS) for word in row] for row in as_built_said(results)],
        "every_setting": list(_fields(settings)),
        "every_attribute": _flat({k: _parsed(v) for k, v in sorted(attributes.items()) if k != "settings"}),
        "every_circumstance": _flat(rest),
        "provenance": _flat(dict(weights.provenance)),
    }  # fmt: skip


def _parsed(value: Any) -> Any:
    """What an attribute says, if it is JSON that says something with parts; else itself."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return {} if value is None else value


def _flat(value: Mapping[str, Any], most: int = 200) -> Pairs:
    """Nested words and numbers as (dotted name, value), safe to show and bounded."""
    found = [(printable(name), printable(said, MOST_WORDS)) for name, said in _leaves("", value)]
    return found if len(found) <= most else [*found[:most], ("…", f"{len(found) - most} more")]


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and (value or not name):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), item)
    elif isinstance(value, Mapping | list) and not value:
        yield name, "none"
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield name, shlex.join(value) if name == "command" else " | ".join("\n".join(value).splitlines())
    else:
        yield name, str(value)


def _fields(model: BaseModel, before: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted name, value, meaning) of every field of a model and of the models in it."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", printable(str(value), MOST_WORDS), field.description or ""
