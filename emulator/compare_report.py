"""What a comparison leaves behind: ``compare.json``, ``.png`` and ``.html``, each whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from emulator import compare_figures, images
from emulator.compare_json import as_json, side_facts
from emulator.compare_receipts import Receipts, receipts_view
from emulator.comparison import Comparison, share
from emulator.conclusion import figure, percent
from emulator.page import Tile, as_data, page_environment
from emulator.quality import Metric
from emulator.sides import DATA, Side
from netlists.core import Array, Index
from netlists.files import write_bytes_whole, write_text_whole
from netlists.printable import printable

JSON, PICTURE, PAGE = "compare.json", "compare.png", "compare.html"
MOST_SHOWN = 16  # samples shown as images, besides those that are farthest apart
TILE, STRIP = 72, 640  # CSS pixels, longer side of an image
DISTANCES = {"sliced_wasserstein": "sliced Wasserstein", "energy": "energy distance", "mmd_squared": "MMD²"}
SHARES = ("precision", "recall")


def write_comparison(folder: Path, comparison: Comparison, receipts: Receipts) -> list[Path]:
    """Writes the three files and returns their paths.

    Raises:
        OSError: one could not be written.
    """
    write_text_whole(folder / JSON, json.dumps(as_json(comparison, receipts), indent=2) + "\n")
    write_bytes_whole(folder / PICTURE, compare_figures.overview(comparison))
    write_text_whole(folder / PAGE, _page(comparison, receipts))
    return [folder / name for name in (PAGE, PICTURE, JSON)]


@dataclass(frozen=True)
class Band:
    """Images in rows: a title, what stands above the columns, rows with their names, and what stands below."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]
    remarks: tuple[str, ...] = ()


# -- figures in words --------------------------------


def metric_rows(comparison: Comparison) -> list[tuple[str, str, str, str, str]]:
    """(figure, measured, what one distribution gives, p, estimate with its interval) in words."""
    quality, test = comparison.quality, comparison.test
    found = []
    for name, title in DISTANCES.items():
        metric = getattr(quality, name)
        null = None if test is None else getattr(test, name)
        by_chance = ("–", "–") if null is None else (number(null.expected), f"{null.p:.2g}")
        found.append((title, number(metric.measured), *by_chance, _estimate(metric, number)))
    if test is not None:
        null = test.neighbours
        found.append((
            "nearest neighbours", share(null.measured), share(null.expected), f"{null.p:.2g}", ""
        ))  # fmt: skip
    for name in SHARES:
        metric = getattr(quality, name)
        expected = math.nan if test is None else getattr(test, name)
        found.append((name, share(metric.measured), share(expected), "", _estimate(metric, share)))
    return found


def _estimate(metric: Metric, said: Callable[[float], str]) -> str:
    if not math.isfinite(metric.low):
        return "–"
    return f"{said(metric.estimate)} ({said(metric.low)} to {said(metric.high)})"


def number(value: float) -> str:
    """Two figures; a dash for what is not known."""
    if value < 0:
        return f"−{number(-value)}"
    return f"{value:.2g}" if value >= 1e-3 else figure(value)


def pair_rows(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """(what, median, worst, sample of the worst) in words; empty without pairs, and without what can't be compared."""
    pairs = comparison.pairs
    if pairs is None:
        return []
    found = []
    for title, values, worst, said in (
        ("codes within 1 LSB", pairs.within_1lsb, np.argmin, percent),
        ("codes that are equal", pairs.equal, np.argmin, percent),
        ("pixels before the converter, rms of full scale", pairs.pixel_rms, np.argmax, figure),
        ("states at the end, rms", pairs.state_rms, np.argmax, figure),
    ):
        if np.isfinite(values).all():
            row = int(worst(values))
            found.append(
                (title, said(float(np.median(values))), said(float(values[row])), f"{pairs.index[row]}")
            )
    return found


def _page(comparison: Comparison, receipts: Receipts) -> str:
    drawn = {"shares": compare_figures.shares(comparison), "distances": compare_figures.distances(comparison),
             "plane": compare_figures.scatter(comparison)}  # fmt: skip
    if comparison.test is not None:
        drawn["chance"] = compare_figures.chance(comparison)
    if comparison.pairs is not None:
        drawn["pairs"] = compare_figures.agreement(comparison.pairs)
    bands, span = _bands(comparison)
    return page_environment().get_template("compare.html.j2").render(
        comparison=comparison,
        verdict=comparison.verdict,
        outcome=comparison.outcome,
        stamp=STAMP[comparison.outcome],
        tone=_tone(comparison),
        titles=[_title(side) for side in (comparison.first, comparison.second)],
        remarks=[printable(text, None) for text in comparison.remarks],
        metrics=metric_rows(comparison),
        pair_rows=pair_rows(comparison),
        bands=bands,
        colours=images.swatches(span),
        span=span,
        tile_size=_tile_size(compare_figures.display_shape(comparison)),
        strip=images.is_strip(compare_figures.display_shape(comparison)),
        sides=[list(_facts(side)) for side in (comparison.first, comparison.second)],
        features=[("features", comparison.quality.features), ("meaning", comparison.extractor.meaning),
                  ("number", str(comparison.quality.dimensions)), *comparison.extractor.facts.items()],
        receipts=receipts_view(receipts),
        drawings={name: as_data("svg+xml", data) for name, data in drawn.items()},
        version=version("ais-emulator"),
    )  # fmt: skip


STAMP = {
    "different": "DIFFERENT",
    "within": "WITHIN 1 LSB",
    "alike": "NOT TOLD APART",
    "open": "TOO FEW SAMPLES",
}


def _tone(comparison: Comparison) -> str:
    """Red where two runs differ; that a model's samples are not the data is no failure."""
    if comparison.outcome == "different":
        return "mixed" if DATA in (comparison.first.origin, comparison.second.origin) else "fail"
    return "mixed" if comparison.outcome == "open" else "pass"


def _title(side: Side) -> str:
    told = [f"{side.samples} samples"]
    if side.origin != DATA:
        told = [str(side.facts.get("level", "")) + " level", f"seed {side.facts.get('seed', '?')}", *told]
    return f"{printable(side.name, None)}, {side.origin} ({', '.join(told)})"


def _facts(side: Side) -> Iterator[tuple[str, str]]:
    """All that is known of a side, in words."""
    for name, value in side_facts(side).items():
        if isinstance(value, dict):
            yield from ((f"{name}.{part}", str(item)) for part, item in value.items())
        elif value is not None:
            yield name, printable(str(value), 2000)


def _tile_size(shape: tuple[int, int]) -> tuple[int, int]:
    longer = STRIP if images.is_strip(shape) else TILE
    high, wide = (max(8, round(longer * side / max(shape))) for side in shape)
    return high, wide


def _bands(comparison: Comparison) -> tuple[list[Band], int]:
    """Images to show, and the range of their differences in LSB.

    Of pairs the first and those farthest apart, one below the other; else the first of each side.
    """
    shape = compare_figures.display_shape(comparison)
    per = 1 if images.is_strip(shape) else images.PER_BAND
    pairs, sides = comparison.pairs, (comparison.first, comparison.second)
    if pairs is None:
        return [
            Band(f"{name}: {side.origin}", (), tuple(
                ("", _tiles(side.pixels[start : start + per], shape, name))
                for start in range(0, min(MOST_SHOWN, side.samples), per)
            ))
            for name, side in zip("AB", sides, strict=True)
        ], 2  # fmt: skip
    apart = _code_differences(comparison)
    span = 2 if apart is None else max(2, int(np.abs(apart).max(initial=0)))
    first = np.arange(min(MOST_SHOWN, len(pairs.index)))
    chosen = [("", first[k : k + per]) for k in range(0, len(first), per)]
    if len(pairs.index) > MOST_SHOWN and np.isfinite(pairs.pixel_rms).all():
        farthest = np.argsort(-pairs.pixel_rms, kind="stable")[: images.PER_BAND]
        chosen += [("The farthest apart", farthest[k : k + per]) for k in range(0, len(farthest), per)]
    return [_band(comparison, title, rows, shape, apart, span) for title, rows in chosen], span


def _band(
    comparison: Comparison, title: str, rows: Index, shape: tuple[int, int], apart: Index | None, span: int
) -> Band:
    """Pairs, A above B above their difference, where there is one."""
    assert comparison.pairs is not None
    found = [
        (name, _tiles(side.pixels[rows], shape, name))
        for name, side in zip("AB", (comparison.first, comparison.second), strict=True)
    ]
    remarks = []
    if apart is not None:
        for off in np.abs(apart[rows]):
            most, count = int(off.max()), int(np.count_nonzero(off))
            remarks.append(f"{count} off, by {'up to ' if most > 1 else ''}{most}" if count else "all equal")
        found.append(("A − B", tuple(
            Tile(as_data("png", images.tile(images.diverging(each.reshape(shape), span))), f"difference: {said}")
            for each, said in zip(apart[rows], remarks, strict=True)
        )))  # fmt: skip
    heads = tuple(str(number) for number in comparison.pairs.index[rows])
    return Band(title, heads, tuple(found), tuple(remarks))


def _tiles(pixels: Array, shape: tuple[int, int], name: str) -> tuple[Tile, ...]:
    return tuple(
        Tile(
            as_data("png", images.tile(images.grey(compare_figures.bytes_of(each).reshape(shape), 255))),
            f"of {name}",
        )
        for each in pixels
    )


def _code_differences(comparison: Comparison) -> Index | None:
    first, second = comparison.first.codes, comparison.second.codes
    if comparison.pixels != "codes" or first is None or second is None:
        return None
    return first - second
