"""A receipt on the terminal, and two of them field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich import box
from rich.console import Group as Together
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from emulator.energy.figure import PARTS, EnergyFigure, PartName
from emulator.receipt.beside import rows_of_differences, telling
from emulator.receipt.claim import Claim
from emulator.receipt.difference import ORDER, Difference
from emulator.receipt.field import NotRecorded
from emulator.receipt.lines import Group, basis_group, energy_slots, groups, part_names
from emulator.receipt.model import Receipt
from emulator.si import si
from netlists.printable import printable


def shown(receipt: Receipt) -> RenderableType:
    """A receipt for the terminal."""
    parts: list[RenderableType] = [_table(group) for group in groups(receipt)]
    basis = basis_group(receipt)
    if basis is not None:
        parts.append(_table(basis))
    parts.append(Text("Energy per sample", "bold"))
    for title, slot in energy_slots(receipt):
        parts.append(_slot(title, slot, part_names(receipt)))
    return Together(*parts)


def _table(group: Group) -> Table:
    table = Table(
        title=Text(group.title, "bold"), box=box.SIMPLE_HEAD, show_header=False, title_justify="left"
    )
    table.add_column(max_width=24, overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    table.add_column(max_width=18, overflow="fold", style="dim")
    for line in group.lines:
        if line.recorded:
            value = Text(line.said)
            if line.note:
                value.append(f" ({line.note})", "dim")
            table.add_row(Text(line.title), value, Text(line.origin))
        else:
            table.add_row(Text(line.title, "dim"), Text(line.said, "dim italic"), Text("not recorded"))
    return table


def _slot(title: str, slot: Claim | NotRecorded, names: Mapping[PartName, str]) -> RenderableType:
    if isinstance(slot, NotRecorded):
        return Text.assemble(
            (f"\n{title}: ", "bold"), ("not recorded: ", "dim"), (slot.not_recorded, "dim italic")
        )
    low, high = (si(joules, "J") for joules in (slot.low_J, slot.high_J))
    head = Text.assemble(
        (f"\n{title}: ", "bold"), (si(slot.energy_per_sample_J, "J"), "bold green"), f" ({low} to {high})  ",
        (f" {slot.kind} ", "reverse"), f"  {slot.energy_per_sample_J:.4g} J",
    )  # fmt: skip
    return Together(head, _boundary(slot.figure, names), Text(slot.sentence))


def _boundary(figure: EnergyFigure, names: Mapping[PartName, str]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(max_width=24, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    inside = {share.part: share for share in figure.shares}
    for part in PARTS:
        name = names[part]
        if part in inside:
            share = inside[part]
            table.add_row(
                Text(name), Text(si(share.joules, "J"), "green"), Text(printable(share.source, None), "dim")
            )
        else:
            table.add_row(
                Text(name, "dim"), Text("outside", "yellow"), Text(figure.outside[part], "dim italic")
            )
    return table


def comparison_tables(found: list[Difference], first: Receipt, second: Receipt) -> RenderableType:
    """What differs, and how much is the same."""
    counts = Counter(each.status for each in found)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for heading in ("field", "A", "B"):
        table.add_column(heading, overflow="fold", ratio=1)
    for each in found:
        if each.status not in ("same", "in neither") and telling(each):
            style = "" if each.status == "different" else "yellow"
            for row in rows_of_differences([each], first, second):
                shown = [
                    Text(cell.said) if cell.recorded else Text("not recorded", "dim") for cell in row.cells
                ]
                unit = (f" ({row.unit})" if row.unit else "", "dim")
                table.add_row(Text.assemble((row.name, style), unit), *shown)
    total = ", ".join(f"{counts[status]} {status}" for status in ORDER if counts[status])
    return Together(
        *([table] if table.row_count else []), Text(f"{len(found)} fields: {total} (--json has all)", "bold")
    )
