"""Two receipts, field by field: what is the same, what differs, and what only one of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulator.energy.words import in_joules
from emulator.receipt.model import Receipt, as_json

Status = Literal["different", "only in A", "only in B", "same", "in neither"]
_JOULES = ("_J", ".joules")
ORDER: tuple[Status, ...] = ("different", "only in A", "only in B", "same", "in neither")


@dataclass(frozen=True)
class Difference:
    """One field of both.

    Attributes:
        field: its dotted name in the JSON.
        status: how the two stand to one another.
        first, second: what each has; None where it is not recorded, or has no such field.
    """

    field: str
    status: Status
    first: Any
    second: Any


def differences(first: Receipt, second: Receipt) -> list[Difference]:
    """All fields of either, in the order of the receipt."""
    one, other = dict(_leaves(as_json(first))), dict(_leaves(as_json(second)))
    return [_difference(name, one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])]


def _difference(name: str, first: Any, second: Any) -> Difference:
    status: Status
    if first is None or second is None:
        status = "in neither" if first is second else "only in A" if second is None else "only in B"
    else:
        status = "same" if first == second else "different"
    return Difference(name, status, first, second)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of all fields; of a fact its value, origin and interval, without the note."""
    if isinstance(value, Mapping) and "not_recorded" in value:
        yield name, None
    elif isinstance(value, Mapping) and {"value", "origin"} <= value.keys():
        yield name, {key: each for key, each in value.items() if key != "note"}
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        for each in value:  # shares of a figure
            yield from _leaves({k: v for k, v in each.items() if k != "part"}, f"{name}.{each['part']}")
    else:
        yield name, value


def as_rows(found: list[Difference]) -> dict[str, Any]:
    """A comparison as plain data."""
    return {
        "format": "ais-receipt-comparison",
        "version": 1,
        "counts": {status: sum(each.status == status for each in found) for status in ORDER},
        "fields": [
            {"field": each.field, "status": each.status, "A": each.first, "B": each.second} for each in found
        ],
    }


def said(field: str, value: Any) -> str:
    """A field's value in words."""
    if value is None:
        return "not recorded"
    if isinstance(value, Mapping) and "origin" in value:
        shown = said(field, value["value"])
        if "interval" in value:
            shown += f" ({value['interval']['low']:.4g} to {value['interval']['high']:.4g})"
        return shown if value["origin"] != "stated by the user" else f"{shown} (stated by the user)"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {each}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(str(each) for each in value)
    if isinstance(value, float):
        return in_joules(value) if field.endswith(_JOULES) else f"{value:.6g}"
    return str(value)
