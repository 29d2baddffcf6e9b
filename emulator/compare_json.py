"""A comparison as JSON, for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any

import numpy as np

from emulator.compare_receipts import Receipts
from emulator.compare_receipts import as_json as receipts_as_json
from emulator.comparison import Comparison
from emulator.permutation import ALPHA
from emulator.quality import LEVEL, Metric
from emulator.sides import Side

FORMAT, VERSION = "ais-comparison", 1


def as_json(comparison: Comparison, receipts: Receipts) -> dict[str, Any]:
    """All figures; what is not known is null."""
    quality, test, pairs = comparison.quality, comparison.test, comparison.pairs
    metrics = {
        f.name: asdict(value)
        for f in fields(quality)
        if isinstance(value := getattr(quality, f.name), Metric)
    }
    found = {
        "format": FORMAT,
        "version": VERSION,
        "emulator_version": version("ais-emulator"),
        "outcome": comparison.outcome,
        "verdict": comparison.verdict,
        "remarks": list(comparison.remarks),
        "first": side_facts(comparison.first),
        "second": side_facts(comparison.second),
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
        "receipts": receipts_as_json(receipts),
    }  # fmt: skip
    return {name: _plain(value) for name, value in found.items()}


def side_facts(side: Side) -> dict[str, Any]:
    """All that is known of a side but its samples."""
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
