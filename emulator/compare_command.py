"""``ais compare``: two sets of samples, on the terminal, as JSON, or as a verdict for a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from emulator.console import FAILED, UNUSABLE, console, stop, warn
from emulator.unusable import unusable_input
from netlists.printable import printable


def compare_command(
    first: Annotated[str, typer.Argument(
        metavar="A", show_default=False, help="A run: its folder or results.h5; behind it may stand :circuit (the "
        "default), :reference or :trained. Or a file of images: .npz, HDF5 or idx.",
    )],
    second: Annotated[str, typer.Argument(
        metavar="B", show_default=False, help="What A is measured against: a run or images too."
    )],
    features: Annotated[str, typer.Option(
        help="What the distances see of an image: pixels; classifier:FILE, the hidden layer of a small classifier, "
        "which FILE holds or labelled images in FILE train; or MODULE:FUNCTION, a function of yours."
    )] = "pixels",
    out: Annotated[Path | None, typer.Option(
        help="Folder for compare.html, .png and .json.", show_default=False
    )] = None,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print what would be compare.json, and nothing else."
    )] = False,
    fail_if_different: Annotated[bool, typer.Option(
        "--fail-if-different", help="Exit code 1 if the distributions differ."
    )] = False,
    resamples: Annotated[int, typer.Option(min=50, help="Resamples for the intervals.")] = 400,
    permutations: Annotated[int, typer.Option(min=50, help="Rearrangements for the test.")] = 1000,
    neighbours: Annotated[int, typer.Option(min=1, max=100, help="Nearest neighbours that are looked at.")] = 3,
    data_samples: Annotated[int, typer.Option(
        min=1, help="Images taken of a data set, at random if it has more."
    )] = 2000,
    data_range: Annotated[tuple[float, float] | None, typer.Option(
        help="Numbers of black and white in a data set, such as 0 16; default: bytes 0 to 255, else 0 to 1 or -1 to 1.",
        show_default=False,
    )] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random in the comparison.")] = 0,
) -> None:  # fmt: skip
    """Compare two sets of samples: one by one where they started alike, and in distribution.

    Says whether the distributions differ, with how much certainty, and which difference would not have been seen.
    """
    from emulator.compare_files import compare_files, side_lines, tables
    from emulator.compare_json import as_json as json_of

    with unusable_input():
        try:
            found, receipts, files = compare_files(
                (first, second), features, out, span=data_range, data_samples=data_samples, resamples=resamples,
                permutations=permutations, neighbours=neighbours, seed=seed,
            )  # fmt: skip
        except OSError as error:
            stop(UNUSABLE, f"can't write to {out}: {error}")
    for remark in found.remarks:
        warn(remark)
    if as_json:
        typer.echo(json.dumps(json_of(found, receipts), indent=2))
    else:
        for line in side_lines(found):
            console.print(Text(line), soft_wrap=True)
        for table in tables(found):
            console.print(table)
        console.print(Text(found.verdict, "bold"))
        if files:
            names = ", ".join(str(path) for path in files)
            console.print(Text(f"files: {printable(names, longest=None)}"), soft_wrap=True)
    if fail_if_different and found.outcome == "different":
        raise typer.Exit(FAILED)
