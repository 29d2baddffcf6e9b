"""Fields of receipts that stand beside one another, as rows for people: titles, values with units, reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emulator.energy.figure import Share
from emulator.energy.words import in_joules
from emulator.receipt.difference import Difference, differences
from emulator.receipt.field import NotRecorded
from emulator.receipt.lines import WITH_THE_NUMBER, part_names, said, unit_of
from emulator.receipt.model import Receipt
from netlists.printable import printable

MOST_WORDS = 500
NO_FIELD = "its receipt has no such field"
ABSENT = "–"  # of an entry that another receipt has
NONE = "none"  # names no entry: there are none
_JOULES = ("_J", ".joules")
_SHA256, _SHORT = re.compile(r"[0-9a-f]{64}"), 8
_UNTITLED = ("figure", "shares", "joules")  # stand between what has a name


@dataclass(frozen=True)
class Cell:
    """What a receipt says in a field: a value in words, or why there is none."""

    said: str
    recorded: bool = True


@dataclass(frozen=True)
class Row:
    """A field, or an entry of one, in several receipts.

    Attributes:
        field: its dotted name in the JSON.
        entry: which of its entries; empty for the whole field.
        group, title: for people.
        unit: of the cells, where they do not say it.
        cells: one a receipt.
    """

    field: str
    entry: str
    group: str
    title: str
    unit: str
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """Dotted name with the entry."""
        return f"{self.field}[{self.entry}]" if self.entry else self.field


@dataclass(frozen=True)
class Section:
    """Rows that have something in common, by group.

    Attributes:
        title: what they have in common.
        heads: of the columns behind the field's.
        groups: (title, rows).
    """

    title: str
    heads: tuple[str, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]

    @property
    def count(self) -> int:
        """Rows."""
        return sum(len(rows) for _, rows in self.groups)


def grouped(rows: Iterable[Row]) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Rows by group, as they come."""
    return tuple((group, tuple(some)) for group, some in groupby(rows, key=lambda row: row.group))


def rows_of(field: str, values: Sequence[Any], receipts: Sequence[Receipt]) -> Iterator[Row]:
    """A field as rows: one, or of a field with entries by name, one for each entry that is not the same in all.

    Of sentences, each receipt's are those that not all have.

    Args:
        field: its dotted name.
        values: what ``differences`` has for it, one a receipt; None where it is not recorded.
        receipts: these.
    """
    found = [_found(receipt, field) for receipt in receipts]
    titles, info = next((each[:2] for each in found if each[2] is None), (("", field), None))
    missing = [Cell(printable(reason or NO_FIELD, MOST_WORDS), recorded=False) for _, _, reason in found]
    unit = "" if info is None else unit_of(info)
    of_row = "" if unit in WITH_THE_NUMBER else unit
    row = Row(field, "", titles[0], ", ".join(titles[1:]) or titles[0], of_row, ())
    bare = [value["value"] if _is_fact(value) else value for value in values]
    alike = _same(bare)
    if not alike and sum(isinstance(value, Mapping) for value in bare) > 1:
        for name, entries in _entries(bare):
            title = f"{row.title}: {name}"
            yield replace(row, entry=name, title=title, cells=_cells(entries, entries, missing))
        return
    if not alike and any(isinstance(value, list) for value in bare):
        said = ["; ".join(each) for each in _own(bare)]
    else:
        own = unit if unit in WITH_THE_NUMBER else ""
        said = [_said(field, value, own) for value in values]
        if len(set(said)) == 1 and not _same(values):  # what differs is who said it
            said = [
                f"{each} ({value['origin']})" if _is_fact(value) else each
                for each, value in zip(said, values, strict=True)
            ]
    yield replace(row, cells=_cells(said, values, missing))


def _entries(values: Sequence[Any]) -> Iterator[tuple[str, list[str | None]]]:
    """Entries by name that are not the same in all; None where there are no entries at all."""
    held = [value for value in values if isinstance(value, Mapping)]
    for name in dict.fromkeys(name for value in held for name in value if name != NONE):
        found = [str(value.get(name, ABSENT)) if isinstance(value, Mapping) else None for value in values]
        if len(set(found)) > 1:
            yield name, found


def _own(values: Sequence[Any]) -> Iterator[list[str]]:
    """What each has that not all have."""
    lists = [value if isinstance(value, list) else [] for value in values]
    for some in lists:
        yield [str(each) for each in some if not all(each in other for other in lists)] or [ABSENT]


def _cells(said: Sequence[str | None], values: Sequence[Any], missing: Sequence[Cell]) -> tuple[Cell, ...]:
    """In words; where a value is None, why."""
    return tuple(
        why if value is None or words is None else _cell(words)
        for words, value, why in zip(said, values, missing, strict=True)
    )


def rows_of_differences(found: Sequence[Difference], first: Receipt, second: Receipt) -> Iterator[Row]:
    """Those of two receipts."""
    for each in found:
        yield from rows_of(each.field, (each.first, each.second), (first, second))


def varying(receipts: Sequence[Receipt]) -> Iterator[Row]:
    """Fields that are not the same in all of several receipts, in their order; those that tell more than others."""
    base = receipts[0]
    found = [{each.field: each for each in differences(base, other)} for other in receipts[1:]]
    for field in dict.fromkeys(name for each in found for name in each):
        here = [each[field] for each in found if field in each]
        if any(each.status not in ("same", "in neither") and telling(each) for each in here):
            values = [here[0].first, *(each[field].second if field in each else None for each in found)]
            yield from rows_of(field, values, receipts)


def telling(difference: Difference) -> bool:
    """Whether it tells more than its neighbours: of a figure that one receipt lacks, what it comes to is enough."""
    parts = difference.field.split(".")
    of_figure = parts[0] == "energy" and parts[1] != "basis"
    if not of_figure:
        return True
    if difference.status != "different":
        return parts[-1] in ("kind", "energy_per_sample_J") and len(parts) == 3
    return parts[-1] not in ("sentence", "joint", "name", "source", "low", "high")


def _same(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _is_fact(value: Any) -> bool:
    return isinstance(value, Mapping) and {"value", "origin"} <= value.keys()


def _cell(words: str) -> Cell:
    return Cell(f"{words[:_SHORT]}…" if _SHA256.fullmatch(words) else printable(words, MOST_WORDS))


def _said(field: str, value: Any, unit: str) -> str:
    if _is_fact(value):
        shown = said(value["value"], unit, value.get("interval"))
        return shown if value["origin"] != "stated by the user" else f"{shown} (stated by the user)"
    if isinstance(value, float) and field.endswith(_JOULES):
        return in_joules(value)
    return said(value, unit)


def _found(receipt: Receipt, field: str) -> tuple[tuple[str, ...], FieldInfo | None, str | None]:
    """(titles on the way to a field, its description, None); of what is not there, why not in place of None."""
    at: Any = receipt
    info: FieldInfo | None = None
    titles: list[str] = []
    names: dict[str, str] = dict(part_names(receipt).items())
    for part in field.split("."):
        title = names.get(part, part.replace("_", " "))
        if isinstance(at, NotRecorded):
            return tuple(titles), info, at.not_recorded
        if isinstance(at, BaseModel) and part in type(at).model_fields:
            info = type(at).model_fields[part]
            title, at = info.title or title, getattr(at, part)
        elif isinstance(at, Mapping) and part in at:
            at = at[part]
        elif share := _share(at, part):
            at = share
        else:
            return tuple(titles), info, NO_FIELD
        if part not in _UNTITLED:
            titles.append(title)
    if isinstance(at, NotRecorded):
        return tuple(titles), info, at.not_recorded
    return tuple(titles), info, None if at is not None else NO_FIELD


def _share(shares: Any, part: str) -> Share | None:
    """That of a part, of a figure's."""
    held = shares if isinstance(shares, tuple) else ()
    return next((each for each in held if isinstance(each, Share) and each.part == part), None)
