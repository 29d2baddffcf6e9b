"""``ais receipt``: the receipt of a run, or two of them field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from emulator.campaign.receipts import point_named, receipt_of_campaign
from emulator.console import UNUSABLE, console, stop
from emulator.energy.options import hertz
from emulator.receipt.difference import as_rows, differences
from emulator.receipt.make import NOTHING_STATED, receipt_of
from emulator.receipt.model import Receipt, ReceiptError, as_json, write_receipt
from emulator.receipt.stated import Stated
from emulator.receipt.terminal import comparison_tables, shown
from netlists.printable import printable


def receipt_command(
    results: Annotated[Path, typer.Argument(
        metavar="RESULTS", show_default=False, help="A run's folder or results.h5, a campaign's folder with the number "
        "of a point behind it (out/bits:3; else the first), or a receipt's JSON."
    )],
    other: Annotated[Path | None, typer.Argument(
        metavar="[OTHER]", show_default=False, help="Another: the two are compared field by field."
    )] = None,
    out: Annotated[Path | None, typer.Option(help="Write the receipt there, as JSON.", show_default=False)] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
    weights: Annotated[Path | None, typer.Option(
        help="The run's weights file, for results that do not say what is in it; by default it is looked for.",
        show_default=False,
    )] = None,
    bits: Annotated[int | None, typer.Option(
        help="State a chip's bits of a weight, where the run had full precision.", show_default=False
    )] = None,
    f0: Annotated[str | None, typer.Option(
        metavar="FREQUENCY", help="State the oscillators' frequency, where the run had no carrier, such as 100MHz.",
        show_default=False,
    )] = None,
    cycles: Annotated[float | None, typer.Option(
        help="State the cycles of a sample, where the run had no carrier.", show_default=False
    )] = None,
) -> None:  # fmt: skip
    """Show what a run's energy figures rest on: every field a value with its origin, or why nobody recorded it.

    Of two receipts, what is the same, what differs, and what only one of them has.
    """
    try:
        stated = Stated.model_validate({
            "bits": bits, "f0": None if f0 is None else hertz(f0), "cycles": cycles
        })  # fmt: skip
        if other is not None:
            _compare(results, other, weights, stated, out, as_json_)
            return
        receipt, point = _receipt_of(results, weights, stated)
        if out is not None:
            write_receipt(out, receipt)
    except ReceiptError as error:
        stop(UNUSABLE, str(error))
    except ValidationError as error:
        said = [f"--{e['loc'][0]}: {e['msg']}, received {e['input']!r}" for e in error.errors()]
        stop(UNUSABLE, "; ".join(said))
    except OSError as error:
        stop(UNUSABLE, f"can't write to {out}: {error}")
    if as_json_:
        typer.echo(json.dumps(as_json(receipt), indent=2, ensure_ascii=False))
        return
    if point:
        console.print(Text(point, "bold"))
    console.print(shown(receipt))
    if out is not None:
        console.print(Text(f"receipt: {printable(str(out), longest=None)}"), soft_wrap=True)


def _receipt_of(
    path: Path, weights: Path | None = None, stated: Stated = NOTHING_STATED
) -> tuple[Receipt, str]:
    """A receipt, and of which point it is, if of a campaign."""
    named = point_named(path)
    return (
        (receipt_of(path, weights, stated), "")
        if named is None
        else receipt_of_campaign(*named, weights, stated)
    )


def _compare(
    results: Path, other: Path, weights: Path | None, stated: Stated, out: Path | None, as_json_: bool
) -> None:
    if out is not None:
        raise ReceiptError("--out writes one receipt; a comparison is printed, with --json for programs")
    if weights is not None or stated != NOTHING_STATED:
        raise ReceiptError(
            "of two receipts nothing can be stated: make each with --out, and compare what that wrote"
        )
    (first, of_first), (second, of_second) = _receipt_of(results), _receipt_of(other)
    found = differences(first, second)
    if as_json_:
        typer.echo(json.dumps(as_rows(found), indent=2, ensure_ascii=False))
        return
    for name, path, point in (("A", results, of_first), ("B", other, of_second)):
        console.print(Text(f"{name}: {printable(str(path), None)}{point and f', {point}'}"), soft_wrap=True)
    console.print(comparison_tables(found, first, second))
