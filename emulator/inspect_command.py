"""``ais inspect``: what a file holds, and its defects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from emulator.console import UNUSABLE, console, errors, plain
from emulator.inspection import Inspection, inspect_file
from emulator.unusable import unusable_input
from netlists.printable import printable


def inspect_command(
    file: Annotated[Path, typer.Argument(help="A weights file, a results file, or an output folder.")],
) -> None:
    """Show what a file holds: its datasets, provenance and statistics, and any defect found."""
    with unusable_input():
        _show(inspect_file(file))


def _show(inspection: Inspection) -> None:
    for title, rows in inspection.sections:
        table = Table(title=title, show_header=False, title_justify="left")
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for name, value in rows:
            # Text, so that a file's words are shown and never read as markup
            table.add_row(Text(printable(name)), Text(printable(value, longest=2000)))
        console.print(table)
    for defect in inspection.defects:
        errors.print(Text.assemble(("defect: ", "bold red"), plain(defect)), soft_wrap=True)
    if inspection.defects:
        raise typer.Exit(UNUSABLE)
