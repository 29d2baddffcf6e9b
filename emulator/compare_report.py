"""What ``ais compare`` leaves behind: ``compare.json``, ``compare.png`` and ``compare.html``, each whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from emulator import compare_figures, images
from emulator.comparison import Comparison
from emulator.conclusion import figure, percent
from emulator.crosscheck import difference
from emulator.permutation import ALPHA, PermutationTest
from emulator.quality import LEVEL, Metric
from emulator.report import Shown, Tile, as_data
from emulator.sides import Side
from netlists.core import Array, Index
from netlists.files import write_text_whole, write_whole
from netlists.printable import printable

JSON, PICTURE, PAGE = "compare.json", "compare.png", "compare.html"
FORMAT, VERSION = "ais-comparison", 1
MOST_SHOWN, FARTHEST = 16, 8  # samples shown as images: the first, and those that are farthest apart
TILE = 72  # CSS pixels, longer side of an image
NAMES = {
    "sliced_wasserstein": "Sliced Wasserstein distance", "energy": "Energy distance",
    "mmd_squared": "Maximum mean discrepancy, squared", "precision": "Precision", "recall": "Recall",
}  # fmt: skip


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Writes the three files and returns their paths.

    Raises:
        OSError: one could not be written.
    """
    write_text_whole(folder / JSON, json.dumps(as_json(comparison), indent=2) + "\n")
    write_whole(folder / PICTURE, lambda path: _write_bytes(path, compare_figures.overview(comparison)))
    write_text_whole(folder / PAGE, _page(comparison))
    return [folder / name for name in (PAGE, PICTURE, JSON)]


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


# -- for programs ------------------------------------


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All figures; what is not known is null."""
    quality, test, pairs = comparison.quality, comparison.test, comparison.pairs
    metrics = {f.name: asdict(value) for f in fields(quality) if isinstance(value := getattr(quality, f.name), Metric)}
    return _plain({
        "format": FORMAT,
        "version": VERSION,
        "emulator_version": version("ais-emulator"),
        "outcome": comparison.outcome,
        "verdict": comparison.verdict,
        "remarks": list(comparison.remarks),
        "first": _side(comparison.first),
        "second": _side(comparison.second),
        "pixels": comparison.pixels,
        "features": {
            "name": quality.features, "meaning": comparison.extractor.meaning, "dimensions": quality.dimensions,
            **comparison.extractor.facts,
        },
        "paired": quality.paired,
        "metrics": metrics,
        "interval": LEVEL,
        "kernel_width": quality.bandwidth,
        "neighbours": quality.neighbours,
        "lsb": comparison.lsb,
        "seed": comparison.seed,
        "test": None if test is None else {
            "p": test.p, "alpha": ALPHA, "clearest": test.clearest, "unseen_shift": test.unseen,
            "rearrangements": len(test.energy.values),
            "figures": {
                name: {"measured": null.measured, "p": null.p, "expected": null.expected, "limit": null.limit}
                for name, null in test.figures.items()
            },
            "precision_expected": test.precision, "recall_expected": test.recall,
        },
        "samples": None if pairs is None else {f.name: getattr(pairs, f.name).tolist() for f in fields(pairs)},
    })  # fmt: skip


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name, "origin": side.origin, "samples": side.samples, "left_out": side.left_out,
        "image_shape": side.image_shape, "readout": side.readout,
        "converter": None if side.converter is None else side.converter.model_dump(mode="json"), **side.facts,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """The same without NaN, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -- for people --------------------------------------


def metric_rows(comparison: Comparison) -> list[tuple[str, str, str, str, str]]:
    """(figure, measured, what one distribution gives, p, estimate with its interval) in words."""
    test = comparison.test
    found = []
    for name, title in NAMES.items():
        metric: Metric = getattr(comparison.quality, name)
        share = name in ("precision", "recall")
        said = percent if share else figure
        expected, p = _by_chance(test, name)
        interval = f"{said(metric.low)} to {said(metric.high)}" if math.isfinite(metric.low) else "–"
        estimate = "–" if not math.isfinite(metric.estimate) else said(metric.estimate)
        found.append((title, said(metric.measured), said(expected), p, f"{estimate} ({interval})"))
    if test is not None:
        null = test.neighbours
        found.append(("Nearest neighbours in the same set", percent(null.measured), percent(null.expected),
                      f"{null.p:.2g}", ""))  # fmt: skip
    return found


def _by_chance(test: PermutationTest | None, name: str) -> tuple[float, str]:
    """What two sets of one distribution give, and the p-value, if there is one."""
    if test is None:
        return math.nan, "–"
    if name in ("precision", "recall"):
        return float(getattr(test, name)), ""
    null = getattr(test, name)
    return null.expected, f"{null.p:.2g}"


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
            found.append((title, said(float(np.median(values))), said(float(values[row])), f"{pairs.index[row]}"))
    return found


def _page(comparison: Comparison) -> str:
    drawn = {"shares": compare_figures.shares(comparison), "distances": compare_figures.distances(comparison),
             "plane": compare_figures.scatter(comparison)}  # fmt: skip
    if comparison.test is not None:
        drawn["chance"] = compare_figures.chance(comparison)
    if comparison.pairs is not None:
        drawn["pairs"] = compare_figures.agreement(comparison.pairs)
    bands, span = _bands(comparison)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emulator"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("compare.html.j2").render(
        comparison=comparison,
        verdict=comparison.verdict,
        outcome=comparison.outcome,
        stamp=STAMP[comparison.outcome],
        tone=TONE[comparison.outcome],
        titles=[_title(side) for side in (comparison.first, comparison.second)],
        remarks=[printable(text, None) for text in comparison.remarks],
        metrics=metric_rows(comparison),
        pair_rows=pair_rows(comparison),
        bands=bands,
        colours=_colours(span),
        span=span,
        tile_size=_tile_size(comparison),
        sides=[[(name, printable(str(value), 2000)) for name, value in _side(side).items() if value is not None]
               for side in (comparison.first, comparison.second)],
        features=[("features", comparison.quality.features), ("meaning", comparison.extractor.meaning),
                  ("number", str(comparison.quality.dimensions)), *comparison.extractor.facts.items()],
        drawings={name: as_data("svg+xml", data) for name, data in drawn.items()},
        version=version("ais-emulator"),
    )  # fmt: skip


STAMP = {"different": "DIFFERENT", "within": "WITHIN 1 LSB", "alike": "NOT TOLD APART", "open": "TOO FEW SAMPLES"}
TONE = {"different": "fail", "within": "pass", "alike": "pass", "open": "mixed"}


def _title(side: Side) -> str:
    told = [f"{side.samples} samples"]
    if side.origin != "data":
        told = [str(side.facts.get("level", "")) + " level", f"seed {side.facts.get('seed', '?')}", *told]
    return f"{printable(side.name, None)}, {side.origin} ({', '.join(told)})"


def _tile_size(comparison: Comparison) -> tuple[int, int]:
    shape = compare_figures.display_shape(comparison)
    high, wide = (max(8, round(TILE * side / max(shape))) for side in shape)
    return high, wide


def _bands(comparison: Comparison) -> tuple[list[tuple[str, list[Shown]]], int]:
    """Rows of images with a title: of pairs the first and the farthest apart, with their difference in LSB."""
    pairs, count = comparison.pairs, min(comparison.first.samples, comparison.second.samples)
    apart = _code_differences(comparison)
    span = 2 if apart is None else max(2, int(np.abs(apart).max(initial=0)))
    first = list(range(min(MOST_SHOWN, count)))
    chosen = [("The first", first[k : k + 8]) for k in range(0, len(first), 8)]
    if pairs is not None and count > MOST_SHOWN and np.isfinite(pairs.pixel_rms).all():
        chosen.append(("The farthest apart", np.argsort(-pairs.pixel_rms, kind="stable")[:FARTHEST].tolist()))
    shape = compare_figures.display_shape(comparison)
    return [
        (title, [_shown(comparison, row, shape, apart, span) for row in rows]) for title, rows in chosen
    ], span


def _code_differences(comparison: Comparison) -> Index | None:
    first, second = comparison.first.codes, comparison.second.codes
    if comparison.pairs is None or comparison.pixels != "codes" or first is None or second is None:
        return None
    return first - second


def _shown(
    comparison: Comparison, row: int, shape: tuple[int, int], apart: Index | None, span: int
) -> Shown:
    """Both images of a row, and their difference where there is one."""
    names = ("A", "B")
    tiles = [
        Tile(as_data("png", images.tile(images.grey(_bytes(side.pixels[row], shape), 255))), f"{name}, image {row}")
        for name, side in zip(names, (comparison.first, comparison.second), strict=True)
    ]
    remark = ""
    if apart is not None:
        pixels = images.diverging(apart[row].reshape(shape), span)
        most, off = int(np.abs(apart[row]).max()), int(np.count_nonzero(apart[row]))
        remark = f"{off} off, by {'up to ' if most > 1 else ''}{most}" if off else "all equal"
        tiles.append(Tile(as_data("png", images.tile(pixels)), f"difference: {remark}"))
    number = row if comparison.pairs is None else int(comparison.pairs.index[row])
    return Shown(number, True, tuple(tiles), remark)


def _bytes(pixels: Array, shape: tuple[int, int]) -> Index:
    return compare_figures.bytes_of(pixels).reshape(shape)


def _colours(span: int) -> Sequence[tuple[str, str, bool]]:
    return images.swatches(span)


__all__ = ["difference"]
