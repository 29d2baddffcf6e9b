"""What ``ais compare`` was given, read and compared, and the outcome as tables for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from emulator.classifier import ClassifierError
from emulator.compare_receipts import Receipts, receipts_of
from emulator.compare_report import metric_rows, pair_rows, write_comparison
from emulator.comparison import Comparison, compare
from emulator.features import FeaturesError, find_extractor
from emulator.image_sets import ImagesError, Span
from emulator.results import ResultsError
from emulator.sides import DATA, CompareError, Side, read_side
from netlists.printable import printable

CLASSIFIER_FILE = "classifier.h5"


def compare_files(
    given: tuple[str, str], features: str, out: Path | None, *, span: Span | None, data_samples: int,
    resamples: int, permutations: int, neighbours: int, seed: int,
) -> tuple[Comparison, Receipts, list[Path]]:  # fmt: skip
    """Compares two files and their receipts, and writes what was found into ``out``, if there is one.

    Raises:
        CompareError: what was given can't be used; nothing was written but a classifier that was trained.
        OSError: a file could not be written.
    """
    try:
        first, second = (read_side(each, span, data_samples, seed) for each in given)
        keep = None if out is None else out / CLASSIFIER_FILE
        extractor = find_extractor(features, keep, seed, span)
        found = compare(
            first, second, extractor, resamples=resamples, permutations=permutations, seed=seed, k=neighbours
        )
    except (ResultsError, ImagesError, FeaturesError, ClassifierError) as error:
        raise CompareError(str(error)) from error
    receipts = receipts_of(first, second)
    return found, receipts, [] if out is None else write_comparison(out, found, receipts)


def tables(comparison: Comparison) -> list[Table]:
    """Sample by sample, and in distribution; narrow enough for 80 columns."""
    found = []
    if agreement := pair_rows(comparison):
        pairs = Table(
            title=f"Sample by sample: {comparison.first.samples} pairs that started alike",
            box=box.SIMPLE_HEAD, show_edge=False,
        )  # fmt: skip
        for heading in ("", "median", "worst", "sample"):
            pairs.add_column(heading, justify="right" if heading else "left")
        for line in agreement:
            pairs.add_row(*line)
        found.append(pairs)
    whole = Table(
        title="In distribution: A against B",
        caption=Text(f"features: {printable(comparison.quality.features)}"),
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for heading in ("", "measured", "one distribution", "p", "estimate (95 %)"):
        whole.add_column(heading, justify="right" if heading else "left")
    for row in metric_rows(comparison):
        whole.add_row(*row)
    return [*found, whole]


def side_lines(comparison: Comparison) -> list[str]:
    """What A and B are."""
    return [
        f"{name}: {_said(side)}"
        for name, side in zip("AB", (comparison.first, comparison.second), strict=True)
    ]


def _said(side: Side) -> str:
    what = {"trained": "samples of the trained model", DATA: "images of a data set"}
    return printable(
        f"{side.name}, {side.samples} {what.get(side.origin, f'samples of the {side.origin}')}", None
    )
