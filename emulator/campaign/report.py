"""A campaign's report: one page that needs nothing else, and its figures as files beside it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.campaign import drawings
from emulator.campaign.along import CampaignReceipts, receipts_of_campaign
from emulator.campaign.analysis import (
    FIGURES,
    MOST_COMPARED,
    REPLICATES,
    TO_DATA,
    TO_TRAINED,
    Fall,
    Setting,
    axes_of,
    fall,
    series_of,
    settings_of,
)
from emulator.campaign.file import Campaign
from emulator.campaign.names import in_words, meaning_of, unit
from emulator.campaign.store import Store
from emulator.campaign.tally import duration
from emulator.conclusion import figure, percent
from emulator.estimate import Estimate
from emulator.page import as_data, page_environment
from emulator.receipt.page import receipt_view
from netlists.files import write_bytes_whole, write_text_whole
from netlists.printable import printable

MOST_MAPS = 3  # pairs of axes that are mapped
MOST_ROWS = 400  # settings in the table
MOST_ON_SHEET = 40  # settings
MEDIA = {"svg": "svg+xml", "png": "png"}
SHARES = ("trained_precision", "trained_recall", "data_precision", "data_recall")
FIDELITY = ("trained_pixel", "pixel", "codes", "defect")


def write_campaign_report(campaign: Campaign, store: Path, page: Path, folder: Path) -> str:
    """Writes the page and the figures, each whole or not at all; returns what was found, in a sentence or two.

    Args:
        campaign: what was asked for.
        store: ``campaign.h5``.
        page: the page's file.
        folder: where figures go as files.

    Raises:
        StoreError: the store can't be read.
        OSError: a file could not be written.
    """
    with Store(store) as opened:
        data = None if campaign.data is None else campaign.data.images
        settings = list(settings_of(opened, data, campaign.extractor))
        attributes = dict(opened.attributes)
        receipts, no_receipts = _receipts(opened, store.parent)
    axes = axes_of(settings)
    falls = list(_falls(settings, axes))
    headline = _headline(falls, settings, axes)
    drawn = dict(_drawn(settings, axes))
    for name, (kind, content) in drawn.items():
        write_bytes_whole(folder / f"{name}.{kind}", content)
    text = page_environment(value=_value, estimate=_estimate, number=_number).get_template("campaign.html.j2").render(
        campaign=campaign,
        title=printable(campaign.title),
        headline=headline,
        settings=settings,
        tiles=_tiles(campaign, settings),
        warnings=_warnings(campaign, settings),
        axes=[_axis(name, values) for name, values in axes.items()],
        falls=[_fall_row(each) for each in falls if each.first is not None],
        nowhere=[_fall_row(each) for each in falls if each.first is None],
        drawings={name: as_data(MEDIA[kind], content) for name, (kind, content) in drawn.items()},
        along={name: _named(drawn, f"along-{name}-") for name in axes},
        maps=_named(drawn, "map-"),
        sheets=[(name, label) for name, label in zip(_named(drawn, "samples-"), _labels(settings), strict=False)],
        columns=[(name, FIGURES[name]) for name in FIGURES if any(name in s.figures for s in settings)],
        table=settings[:MOST_ROWS],
        time=_time(settings),
        reasons=_reasons(settings),
        receipts=receipts,
        receipt=None if receipts is None else receipt_view(receipts.receipt),
        no_receipts=no_receipts,
        compared=MOST_COMPARED,
        circumstances=json.loads(str(attributes["circumstances"])),
    )  # fmt: skip
    write_text_whole(page, text)
    return headline


def _receipts(opened: Store, folder: Path) -> tuple[CampaignReceipts | None, str]:
    """Those of the campaign, or why there are none: a report is worth having without them."""
    try:
        found = receipts_of_campaign(opened, folder)
    except Exception as error:
        return None, printable(f"None could be made: {error}", 500)
    return found, "" if found is not None else "No point has a finished sample."


# -- pictures ------------------------------------------------------------------------------------------------


def _drawn(
    settings: Sequence[Setting], axes: Mapping[str, tuple[Any, ...]]
) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """(name, (kind, content)) of every figure."""
    distances, shares = (
        [name for name in names if any(name in setting.figures for setting in settings)]
        for names in ((TO_TRAINED, TO_DATA), SHARES)
    )
    for across, down in itertools.islice(itertools.combinations(axes, 2), MOST_MAPS):
        for name in distances:
            content = drawings.map_of(settings, (across, axes[across]), (down, axes[down]), name)
            yield f"map-{across}-{down}-{name}", ("svg", content)
    for axis, values in axes.items():
        series = series_of(settings, axis, values)
        for part, names in (("quality", [*distances, *shares]), ("fidelity", FIDELITY)):
            if series and names:
                for k, content in enumerate(drawings.along(axis, values, unit(axis), series, names)):
                    yield f"along-{axis}-{part}-{k}", ("svg", content)
    for k, label in enumerate(_labels(settings)):
        some = [setting for setting in settings if setting.label == label][:MOST_ON_SHEET]
        yield f"samples-{k}", ("png", drawings.sheet(some, list(axes)))


def _labels(settings: Sequence[Setting]) -> list[str]:
    return list(dict.fromkeys(setting.label for setting in settings))


def _named(drawn: Mapping[str, Any], start: str) -> list[str]:
    return [name for name in drawn if name.startswith(start)]


# -- words ---------------------------------------------------------------------------------------------------


def _axis(name: str, values: Sequence[Any]) -> tuple[str, str, list[str]]:
    """An axis, what it is, and its values in words."""
    return name, meaning_of(name).partition("; None:")[0], [in_words(name, value) for value in values]


def _falls(settings: Sequence[Setting], axes: Mapping[str, tuple[Any, ...]]) -> Iterator[Fall]:
    """Along every series, by the distance to the data where there are any, and to the trained model."""
    for axis, values in axes.items():
        for series in series_of(settings, axis, values):
            for name in (TO_DATA, TO_TRAINED):
                found = fall(series, name)
                if found is not None:
                    yield found


def _headline(falls: Sequence[Fall], settings: Sequence[Setting], axes: Mapping[str, tuple[Any, ...]]) -> str:
    """Where quality falls, a sentence an axis and distance."""
    if not settings:
        return "No sample is finished."
    if not falls:
        return "There are too few samples, or too few values on an axis, to say where quality falls."
    names = [name for name in (TO_DATA, TO_TRAINED) if any(each.figure == name for each in falls)]
    sentences = []
    for (axis, values), name in itertools.product(axes.items(), names):
        along = [each for each in falls if each.series.axis == axis and each.figure == name]
        by = f", by the {FIGURES[name].title}" if len(names) > 1 else ""
        fell = {each.first.at[axis] for each in along if each.first is not None}
        where = " or ".join(in_words(axis, value) for value in values if value in fell)
        count = sum(each.first is not None for each in along)
        share = "" if count == len(along) else f" (in {count} of {len(along)} series)"
        if fell:
            sentences.append(f"Along {axis}, quality first falls at {where}{share}{by}.")
        elif along:
            sentences.append(
                f"Along {axis}, quality falls nowhere that {along[0].ideal.starts} samples can tell{by}."
            )
    return " ".join(sentences)


def _fall_row(each: Fall) -> dict[str, Any]:
    axis = each.series.axis
    return {
        "axis": axis,
        "label": each.series.label,
        "others": ", ".join(f"{name} {in_words(name, value)}" for name, value in each.series.others) or "–",
        "figure": FIGURES[each.figure].title,
        "ideal": in_words(axis, each.ideal.at[axis]),
        "ideal_estimate": each.ideal.figures[each.figure],
        "first": None if each.first is None else in_words(axis, each.first.at[axis]),
        "first_estimate": None if each.first is None else each.first.figures[each.figure],
    }


def _tiles(campaign: Campaign, settings: Sequence[Setting]) -> list[tuple[str, str, str]]:
    samples, done = (sum(getattr(setting, name) for setting in settings) for name in ("samples", "completed"))
    seconds = sum(setting.seconds for setting in settings)
    seeds, files = len(campaign.seeds), len(campaign.sources)
    return [
        (f"{len(settings)}", "settings", f"{len(campaign.points)} points of {files} weights file{'s' * (files != 1)}"),
        (f"{samples:,}", "samples", f"{campaign.samples} a point{f' and each of {seeds} seeds' if seeds > 1 else ''}"),
        (percent(done / samples) if samples else "–", "simulated to the end", f"{samples - done} not"),
        (f"{seconds / samples:.2g} s" if samples else "–", "processor time a sample", f"{duration(seconds)} in all"),
    ]  # fmt: skip


def _warnings(campaign: Campaign, settings: Sequence[Setting]) -> list[str]:
    found, samples = [], sum(setting.samples for setting in settings)
    if samples < campaign.simulations:
        found.append(f"{samples} of {campaign.simulations} samples are here; --resume adds the others.")
    if replicates := [name for name in campaign.axes if name in REPLICATES]:
        found.append(
            f"Points that differ in {' and '.join(replicates)} alone are taken together; intervals are for these dies, "
            "and do not say how others would differ. Distances between distributions, precision and recall look at "
            "each start once, through one of the dies after the other."
        )
    if any(not estimate.known for setting in settings for estimate in setting.figures.values()):
        found.append("Some settings have too few samples for intervals.")
    if campaign.data is not None and campaign.data.remark:
        found.append(f"Data: {campaign.data.remark}.")
    return [printable(text, None) for text in found]


def _time(settings: Sequence[Setting]) -> dict[str, str]:
    """Where the processor's time went, as shares."""
    whole, ngspice, reference = (
        sum(getattr(setting, name) for setting in settings)
        for name in ("seconds", "ngspice_s", "reference_s")
    )
    if not whole > 0:
        return {}
    rest = max(0.0, whole - ngspice - reference)
    return {
        "ngspice": percent(ngspice / whole), "reference": percent(reference / whole), "rest": percent(rest / whole)
    }  # fmt: skip


def _reasons(settings: Sequence[Setting]) -> list[tuple[str, int, str]]:
    """(why, how many samples, a setting) of those that were not simulated to the end."""
    found: dict[str, list[Any]] = {}
    for setting in settings:
        for reason, count in setting.reasons.items():
            entry = found.setdefault(reason, [0, _setting_said(setting)])
            entry[0] += count
    return [(printable(reason, 500), count, where) for reason, (count, where) in list(found.items())[:10]]


def _setting_said(setting: Setting) -> str:
    return ", ".join([setting.label, *(f"{name} {in_words(name, value)}" for name, value in setting.values)])


def _value(item: tuple[str, Any]) -> str:
    return printable(in_words(*item))


def _number(value: float, name: str = "") -> str:
    if not math.isfinite(value):
        return "–"
    if name and FIGURES[name].better == "higher":
        return percent(value)
    return f"{value:.2g}" if value == 0 or abs(value) >= 1e-3 else figure(value)


def _estimate(estimate: Estimate | None, name: str = "") -> str:
    if estimate is None:
        return "–"
    said = _number(estimate.value, name)
    return (
        said
        if not estimate.known
        else f"{said} ({_number(estimate.low, name)} to {_number(estimate.high, name)})"
    )
