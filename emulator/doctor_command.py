"""``ais doctor``: what there is to simulate with."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from emulator.console import UNUSABLE, console
from emulator.doctor import examine
from netlists.printable import printable


def doctor_command() -> None:
    """Show which ngspice, library, KLU, OSDI and C compiler there are, and what is lost without each."""
    marks = {
        "ok": Text("ok", "green"),
        "lost": Text("missing", "yellow"),
        "broken": Text("BROKEN", "bold red"),
    }
    table = Table(title="ais doctor")
    for heading in ("what", "", "found", "what is lost, and what helps"):
        table.add_column(heading, overflow="fold")
    findings = examine()
    for finding in findings:
        found, advice = Text(printable(finding.found)), Text(printable(finding.advice, longest=None))
        table.add_row(finding.what, marks[finding.state], found, advice)
    console.print(table)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(UNUSABLE)
