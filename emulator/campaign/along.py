"""The receipts of a campaign: of its first point, and what varies of it along each axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emulator.campaign.analysis import ordered
from emulator.campaign.names import NAMES, in_words
from emulator.campaign.receipts import point_said, receipt_of_point
from emulator.campaign.store import Store, StoredPoint
from emulator.receipt.beside import ABSENT, Row, Section, grouped, varying
from emulator.receipt.model import Receipt

WEIGHTS = "weights"  # the axis of several weights files
MOST_VALUES = 12  # of an axis that are shown


@dataclass(frozen=True)
class Along:
    """What varies along an axis, with all else held.

    Attributes:
        axis: name.
        held: the others, in words; empty if there are none.
        fields: a column a value.
        left_out: values that are not shown.
    """

    axis: str
    held: str
    fields: Section
    left_out: int


@dataclass(frozen=True)
class CampaignReceipts:
    """The receipt of a campaign's first point, and how the others differ from it.

    Attributes:
        base: which point, in words.
        receipt: its.
        along: axis by axis.
        nowhere: axes along which no two points with samples are alike in all else.
    """

    base: str
    receipt: Receipt
    along: tuple[Along, ...]
    nowhere: tuple[str, ...]


def receipts_of_campaign(store: Store, folder: Path) -> CampaignReceipts | None:
    """Of the points that have samples; None if none has.

    Raises:
        ReceiptError, StoreError: as ``receipt_of_point``.
    """
    points = [point for point in store.points if store.count(point)]
    if not points:
        return None
    known: dict[int, Receipt] = {}

    def receipt(point: StoredPoint) -> Receipt:
        if point.number not in known:
            known[point.number] = receipt_of_point(store, point, folder)
        return known[point.number]

    places = [_place(point) for point in points]
    axes = [name for name in places[0] if len({repr(place[name]) for place in places}) > 1]
    series = {axis: _series(points, axis) for axis in axes}
    return CampaignReceipts(
        base=point_said(points[0]),
        receipt=receipt(points[0]),
        along=tuple(_along(axis, some, receipt) for axis, some in series.items() if some),
        nowhere=tuple(axis for axis, some in series.items() if not some),
    )


def _place(point: StoredPoint) -> dict[str, Any]:
    """Value by axis, the weights among them."""
    return {WEIGHTS: point.label, **point.values}


def _series(points: Sequence[StoredPoint], axis: str) -> list[StoredPoint]:
    """Points that differ on an axis alone, in its order: the first point among them, if any do from it; else the first.

    Empty if no two points do.
    """
    groups: dict[str, list[StoredPoint]] = {}
    for point in points:
        groups.setdefault(repr([item for item in _place(point).items() if item[0] != axis]), []).append(point)
    found = next((some for some in groups.values() if len(some) > 1), [])
    values = ordered([_place(point)[axis] for point in found]) if found else ()
    return sorted(found, key=lambda point: values.index(_place(point)[axis]))


def _along(axis: str, points: Sequence[StoredPoint], receipt: Callable[[StoredPoint], Receipt]) -> Along:
    shown = [points[k] for k in np.unique(np.linspace(0, len(points) - 1, MOST_VALUES).round().astype(int))]
    rows = [_brief(row) for row in varying([receipt(point) for point in shown]) if _worth(row, axis)]
    rows.sort(key=lambda row: row.group != "Energy")  # comes first: it is what the page is for
    others = [(name, value) for name, value in _place(points[0]).items() if name != axis]
    return Along(
        axis=axis,
        held=", ".join(
            str(value) if name == WEIGHTS else f"{name} {in_words(name, value)}" for name, value in others
        ),
        fields=Section(f"Along {axis}", tuple(_value(axis, point) for point in shown), grouped(rows)),
        left_out=len(points) - len(shown),
    )


def _value(axis: str, point: StoredPoint) -> str:
    return point.label if axis == WEIGHTS else in_words(axis, point.values[axis])


def _brief(row: Row) -> Row:
    """Why a figure is not there, once: with what it comes to, and not with each of its parts."""
    if ".figure." not in row.field:
        return row
    return replace(
        row, cells=tuple(cell if cell.recorded else replace(cell, said=ABSENT) for cell in row.cells)
    )


def _worth(row: Row, axis: str) -> bool:
    """Neither the axis itself, which heads the columns, nor what the energies' sentences repeat."""
    of_figure = row.field.startswith("energy.") and not row.field.startswith("energy.basis.")
    repeated = ".under." in row.field or row.field.endswith((".low_J", ".high_J", ".kind"))
    itself = row.field == "simulation.settings" and row.entry == ".".join(NAMES.get(axis, ()))
    return not itself and not (of_figure and repeated)
