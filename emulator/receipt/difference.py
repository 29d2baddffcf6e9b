"""Two receipts, field by field: what is the same, what differs, and what only one of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulator.receipt.model import Receipt, as_json

Status = Literal["different", "only in A", "only in B", "same", "in neither"]
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
