"""A receipt: what was run, on what, how well, and what one sample costs; with its file and its JSON schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from emulator.receipt.field import Frozen
from emulator.receipt.groups import (
    Energy,
    Fidelity,
    Files,
    Layout,
    Precision,
    Readout,
    Simulation,
    Substrate,
    Time,
    Training,
)
from emulator.receipt.network_groups import (
    NetworkEnergy,
    NetworkFidelity,
    NetworkPrecision,
    NetworkReadout,
    NetworkSimulation,
    NetworkSubstrate,
    NetworkTime,
)
from netlists.files import write_text_whole
from netlists.printable import printable

FORMAT: Literal["ais-receipt"] = "ais-receipt"
VERSION: Literal[1] = 1
SCHEMA_FILE = "receipt.schema.json"
SCHEMA_ID = f"urn:ais-emulator:receipt:{VERSION}"
MOST_BYTES = 10_000_000


class ReceiptError(ValueError):
    """Nothing that a receipt could be made of, or no receipt of ours."""


class _Receipt(Frozen):
    format: Literal["ais-receipt"]
    version: Literal[1]


class GridReceipt(_Receipt):
    """Of samples drawn from a grid of coupled cells."""

    of: Literal["samples of a grid"]
    files: Files = Field(title="Files and versions")
    substrate: Substrate = Field(title="Substrate")
    precision: Precision = Field(title="Precision and non-idealities")
    time: Time = Field(title="Time")
    readout: Readout = Field(title="Readout")
    training: Training = Field(title="Training")
    simulation: Simulation = Field(title="Simulation")
    fidelity: Fidelity = Field(title="Fidelity")
    layout: Layout = Field(title="Layout")
    energy: Energy = Field(title="Energy")


class NetworkReceipt(_Receipt):
    """Of the equilibria of a Langevin network."""

    of: Literal["equilibria of a Langevin network"]
    files: Files = Field(title="Files and versions")
    substrate: NetworkSubstrate = Field(title="Substrate")
    precision: NetworkPrecision = Field(title="Precision and non-idealities")
    time: NetworkTime = Field(title="Time")
    readout: NetworkReadout = Field(title="Readout")
    training: Training = Field(title="Training")
    simulation: NetworkSimulation = Field(title="Simulation")
    fidelity: NetworkFidelity = Field(title="Fidelity")
    layout: Layout = Field(title="Layout")
    energy: NetworkEnergy = Field(title="Energy")


Receipt: TypeAlias = GridReceipt | NetworkReceipt
_ADAPTER: TypeAdapter[GridReceipt | NetworkReceipt] = TypeAdapter(
    Annotated[GridReceipt | NetworkReceipt, Field(discriminator="of")]
)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a receipt; ``receipt.schema.json`` beside this module is the same."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Receipt of an energy figure",
        **_ADAPTER.json_schema(mode="serialization"),
    }


def schema_text() -> str:
    """The schema as its file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def as_json(receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain data; notes and intervals that are not there are left out."""
    return receipt.model_dump(mode="json", exclude_none=True)


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Writes a receipt, whole or not at all."""
    text = json.dumps(as_json(receipt), indent=2, ensure_ascii=False, allow_nan=False)
    write_text_whole(path, text + "\n")


def read_receipt(path: Path) -> Receipt:
    """Reads a receipt.

    Raises:
        ReceiptError: no JSON, another format or version, or fields that are not a receipt's.
    """
    shown = printable(str(path))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ReceiptError(f"{shown}: is larger than {MOST_BYTES:,} bytes; expected a receipt")
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ReceiptError):
            raise
        raise ReceiptError(f"{shown}: is no receipt ({printable(str(error))}); expected JSON") from error
    found = said if isinstance(said, dict) else {}
    if found.get("format") != FORMAT:
        received = printable(repr(found["format"])) if "format" in found else "absent"
        raise ReceiptError(f"{shown}: format is {received}; expected {FORMAT!r}")
    if found.get("version") != VERSION:
        raise ReceiptError(
            f"{shown}: is a receipt of version {printable(repr(found.get('version')))}; this program reads version "
            f"{VERSION}. Make it anew from the results"
        )
    try:
        return _ADAPTER.validate_json(json.dumps(said))
    except ValidationError as error:
        problems = [_problem(item["loc"], item["msg"]) for item in error.errors()[:5]]
        raise ReceiptError(f"{shown}: is no receipt of version {VERSION}: {'; '.join(problems)}") from error


def _problem(place: tuple[int | str, ...], message: str) -> str:
    return printable(f"{'.'.join(str(part) for part in place)}: {message}")
