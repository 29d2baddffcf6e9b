"""A receipt as lines for people: title, value with its unit, where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emulator.conclusion import percent
from emulator.energy.figure import PartName
from emulator.energy.words import NETWORK_PART_NAMES, PART_NAMES
from emulator.receipt.claim import Claim
from emulator.receipt.field import NotRecorded, Recorded
from emulator.receipt.groups import Basis
from emulator.receipt.model import NetworkReceipt, Receipt
from emulator.si import si

_PREFIXED = ("s", "Hz")
WITH_THE_NUMBER = ("share", *_PREFIXED)  # units without which a number is not said
_LARGEST_WHOLE = 1e7  # a number of cycles, not a power of ten


@dataclass(frozen=True)
class Line:
    """A fact in words.

    Attributes:
        title, meaning: of the field.
        said: the value with unit and interval; of what nobody recorded, the reason.
        origin: who said it; empty if nobody did.
        note: what has to be known to read it; may be empty.
    """

    title: str
    meaning: str
    said: str
    origin: str
    note: str = ""

    @property
    def recorded(self) -> bool:
        """Whether there is a value."""
        return bool(self.origin)


@dataclass(frozen=True)
class Group:
    """Lines that belong together."""

    title: str
    meaning: str
    lines: tuple[Line, ...]


def groups(receipt: Receipt) -> list[Group]:
    """All groups but the energies."""
    return [
        _group(field.title or name, getattr(receipt, name))
        for name, field in type(receipt).model_fields.items()
        if isinstance(getattr(receipt, name), BaseModel) and name != "energy"
    ]


def energy_slots(receipt: Receipt) -> list[tuple[str, Claim | NotRecorded]]:
    """(kind of number, its figure or the reason why there is none)."""
    energy = receipt.energy
    slots = type(energy).model_fields
    found = [(field.title or name, getattr(energy, name)) for name, field in slots.items()]
    return [(title, slot) for title, slot in found if isinstance(slot, Claim | NotRecorded)]


def part_names(receipt: Receipt) -> Mapping[PartName, str]:
    """What the parts of its substrate are called."""
    return NETWORK_PART_NAMES if isinstance(receipt, NetworkReceipt) else PART_NAMES


def basis_group(receipt: Receipt) -> Group | None:
    """What an extrapolation is computed from; None where there is no such thing."""
    basis = getattr(receipt.energy, "basis", None)
    return _group("Computed from", basis) if isinstance(basis, Basis) else None


def _group(title: str, group: BaseModel) -> Group:
    return Group(title, (type(group).__doc__ or "").strip(), tuple(_lines(group)))


def _lines(group: BaseModel) -> Iterator[Line]:
    for name, field in type(group).model_fields.items():
        fact = getattr(group, name)
        title, meaning = field.title or name, field.description or ""
        if isinstance(fact, Recorded):
            yield Line(title, meaning, value_said(fact, field), fact.origin, fact.note or "")
        else:
            yield Line(title, meaning, fact.not_recorded, "")


def value_said(fact: Recorded[Any], field: FieldInfo) -> str:
    """A value with its unit, and its interval if it has one."""
    interval = None if fact.interval is None else fact.interval.model_dump()
    return said(fact.value, unit_of(field), interval)


def unit_of(field: FieldInfo) -> str:
    """Of a field's values; empty if it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, Mapping) else ""


def said(value: Any, unit: str, interval: Mapping[str, float] | None = None) -> str:
    """A value as a receipt or its JSON has it, in words."""
    shown = _said(value, unit)
    if interval is not None:
        own = unit if unit in WITH_THE_NUMBER else ""  # of the others, once is enough
        shown += f" (95 %: {_said(interval['low'], own)} to {_said(interval['high'], own)})"
    return shown


def _said(value: Any, unit: str) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {each}" for name, each in value.items())
    if isinstance(value, tuple | list):
        return "; ".join(map(str, value))
    if isinstance(value, float):
        if unit == "share":
            return percent(value).replace("\N{NO-BREAK SPACE}", " ")
        if unit in _PREFIXED:
            return si(value, unit, 4)
        whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
        return f"{f'{value:,.0f}' if whole else f'{value:.4g}'}{' ' * bool(unit)}{unit}"
    return f"{value:,}" if isinstance(value, int) else str(value)
