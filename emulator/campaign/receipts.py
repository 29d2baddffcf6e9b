"""Receipts of a campaign's points, of what ``campaign.h5`` holds.

A point's samples are those that ``ais run`` makes with its settings, so its receipt is that run's but for what a
campaign does not keep.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulator.campaign.names import in_words
from emulator.campaign.store import Store, StoredPoint, StoreError
from emulator.campaign.sweep import RECORD, STORE
from emulator.campaign.work import DEVICES, WORST_WINDOW
from emulator.receipt.field import NotRecorded
from emulator.receipt.fill import SEEDS
from emulator.receipt.make import NOTHING_STATED, receipt_from
from emulator.receipt.model import Receipt, ReceiptError
from emulator.receipt.sources import Sources, with_weights
from emulator.receipt.stated import Stated
from emulator.results import Results
from emulator.told import of_settings, of_weights
from netlists.printable import printable
from netlists.weights import Weights

# What is stated, and the field of an extrapolation's basis that it is stated for
_STATED = {"bits": "bits", "f0": "clock_Hz", "cycles": "cycles"}


# -- of one point --------------------------------------------------------------------------------------------


def results_of(store: Store, point: StoredPoint) -> Results:
    """A point's samples as results: without states and courses, which a campaign does not keep."""
    columns = store.rows(point)
    rows = {**columns, "crosscheck/defect_window_rms": columns[WORST_WINDOW][:, None]}
    seeds = json.loads(str(store.attributes["seeds"]))
    where = json.loads(str(store.attributes["circumstances"]))
    devices = sorted({str(form) for form in columns[DEVICES]} - {""})
    attributes = {
        "emulator_version": where["emulator"], "ngspice_version": str(where["ngspice"]),
        **({"devices": devices[0]} if len(devices) == 1 else {}),
        **point.weights, **point.told, **of_settings(dict(point.settings)), "seed": seeds[0],
        **({SEEDS: ", ".join(map(str, seeds))} if len(seeds) > 1 else {}),
    }  # fmt: skip
    return Results(rows, {}, attributes)


def receipt_of_point(
    store: Store,
    point: StoredPoint,
    folder: Path,
    weights: Path | None = None,
    stated: Stated = NOTHING_STATED,
) -> Receipt:
    """The receipt of a point.

    Args:
        store: the campaign's.
        point: one of its points.
        folder: where ``campaign.json`` lies, and perhaps the weights file.
        weights: the weights file; None looks where it may lie.
        stated: what the user says; the rest is what the campaign states, as far as the point does not know it.

    Raises:
        ReceiptError: what the user stated contradicts the point, or a weights file was given that is not its.
        StoreError: damaged.
    """
    asked = int(store.attributes["samples"]) * len(json.loads(str(store.attributes["seeds"])))
    run = {**_record(folder), "settings": {"samples": asked}}
    results = results_of(store, point)
    sources = with_weights(Sources(results, run, record=RECORD), folder, weights)
    if isinstance(sources.weights, Weights):  # which campaigns of earlier versions say little of
        attributes = {**of_weights(sources.weights), **results.attributes}
        sources = replace(sources, results=replace(results, attributes=attributes))
    return _as_stated(sources, stated, stated_in(store))


def stated_in(store: Store) -> Stated:
    """What the campaign states of a chip; of earlier versions' nothing."""
    return Stated.model_validate_json(str(store.attributes.get("stated", "{}")))


def _as_stated(sources: Sources, by_user: Stated, by_campaign: Stated) -> Receipt:
    """The user's word goes first; what the campaign states is taken where the point does not know it."""
    given = by_user.model_dump(exclude_none=True)
    if by_campaign != NOTHING_STATED:
        basis = getattr(receipt_from(sources).energy, "basis", None)
        unknown = {
            name for name, field in _STATED.items() if isinstance(getattr(basis, field, None), NotRecorded)
        }
        given = by_campaign.model_dump(exclude_none=True, include=unknown) | given
    return receipt_from(sources, Stated.model_validate(given))


def _record(folder: Path) -> Mapping[str, Any]:
    """What ``campaign.json`` says of how the samples were made."""
    try:
        said = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    kept = ("state", "finished", "command")
    return {name: said[name] for name in kept if name in said} if isinstance(said, dict) else {}


# -- of a campaign that is named -----------------------------------------------------------------------------


def point_named(path: Path) -> tuple[Path, int] | None:
    """``campaign.h5`` and the number of a point, of a campaign's folder or file with or without ``:NUMBER`` behind it.

    None if it is no campaign.

    Raises:
        ReceiptError: a campaign without a finished sample.
    """
    number = 0
    if not path.exists():
        before, colon, after = str(path).rpartition(":")
        if not (colon and after.isdecimal()):
            return None
        path, number = Path(before), int(after)
    if path.is_dir() and (path / RECORD).is_file():
        if not (path / STORE).is_file():
            raise ReceiptError(
                f"{printable(str(path))}: a campaign without a finished sample; finish it with ais sweep … --resume"
            )
        return path / STORE, number
    return (path, number) if path.name == STORE and path.is_file() else None


def receipt_of_campaign(
    path: Path, number: int, weights: Path | None = None, stated: Stated = NOTHING_STATED
) -> tuple[Receipt, str]:
    """The receipt of a point of ``campaign.h5``, and which that is, in words.

    Raises:
        ReceiptError: no such point, a damaged file, or as ``receipt_of_point``.
    """
    try:
        with Store(path) as store:
            if number >= len(store.points):
                raise ReceiptError(
                    f"{printable(str(path))}: has no point {number}; expected 0 to {len(store.points) - 1}"
                )
            point = store.points[number]
            receipt = receipt_of_point(store, point, path.parent, weights, stated)
    except StoreError as error:
        raise ReceiptError(str(error)) from error
    return receipt, f"point {number} of {len(store.points)}: {point_said(point)}"


def point_said(point: StoredPoint) -> str:
    """A point in words."""
    return ", ".join(
        [point.label, *(f"{name} {in_words(name, value)}" for name, value in point.values.items())]
    )
