"""A campaign on the terminal: a live table of its points; without a terminal, a line now and then."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from emulator.campaign.file import Campaign
from emulator.campaign.names import in_words
from emulator.campaign.tally import Pace, Tally, duration
from emulator.campaign.work import Circumstances, Item, Outcome
from emulator.conclusion import figure, percent
from emulator.verdict import Verdict
from netlists.printable import printable

LINE_EVERY_S = 15.0
REDRAW_EVERY_S = 0.5
AROUND = 8  # lines of the terminal that are not points


class Terminal:
    """Shows a campaign's course. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._campaign: Campaign | None = None
        self._tallies: Sequence[Tally] = ()
        self._latest: dict[
            int, None
        ] = {}  # points by when something of theirs was finished, the last at the end
        self._shown = -math.inf

    def __enter__(self) -> Terminal:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def warn(self, text: str) -> None:
        """Above the table."""
        self._say(Text.assemble(("warning: ", "bold yellow"), printable(text, longest=None)))

    def status(self, text: str) -> None:
        """Nothing is left to simulate."""
        self._live.stop()
        self._say(Text(printable(text, longest=None)))

    def planned(self, campaign: Campaign, tallies: Sequence[Tally], ours: Circumstances, where: str) -> None:
        """How much there is to do."""
        self._campaign, self._tallies = campaign, tallies
        points, seeds, done = len(campaign.points), len(campaign.seeds), sum(tally.done for tally in tallies)
        parts = [f"{points} point{'s' * (points != 1)}", f"{campaign.samples} samples"]
        parts += [f"{seeds} seeds"] if seeds > 1 else []
        finished = f", {done} already finished" if done else ""
        self._say(Text(
            f"{printable(campaign.title)}: {' × '.join(parts)} = {campaign.simulations} simulations{finished}; "
            f"ngspice {ours.ngspice}, {where}"
        ))  # fmt: skip

    def finished(self, item: Item, outcome: Outcome) -> None:
        """Remembers which points are at work; says why a sample was not simulated to the end."""
        self._latest.pop(item.point, None)
        self._latest[item.point] = None
        if (
            outcome.verdict != Verdict.COMPLETED
            and self._campaign is not None
            and self._tallies[item.point].failed == 1
        ):
            point = self._campaign.describe(self._campaign.points[item.point])
            reason = str(outcome.columns["samples/reason"])
            self.warn(f"{point}, sample {item.sample}: {outcome.verdict}: {reason}")

    def going_on(self, pace: Pace) -> None:
        """Draws the table anew, or says how far it is."""
        now = clock.monotonic()
        if now - self._shown < (REDRAW_EVERY_S if self._console.is_terminal else LINE_EVERY_S):
            return
        self._shown = now
        if self._console.is_terminal:
            room = max(3, self._console.height - AROUND)
            self._live.update(Group(self.table(room), self._bar(pace)), refresh=True)
        else:
            self._say(Text(self._line(pace)))

    def table(self, room: int) -> Table:
        """The points, as many as there is room for: those at work before others."""
        assert self._campaign is not None
        latest = list(self._latest)[-room:]
        others = (point.number for point in self._campaign.points if point.number not in self._latest)
        chosen = sorted(
            [*latest, *(number for number, _ in zip(others, range(room - len(latest)), strict=False))]
        )
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1),
            caption="window: worst defect (state unit, rms); pixels, codes: rms and share within 1 LSB, against the "
            "trained model; s: processor time a sample",
        )  # fmt: skip
        # where it is narrow, names are cut, never numbers: rich takes from columns that may wrap, and these do not
        names = ("weights", *self._campaign.axes)
        for heading in names:
            table.add_column(_cut(heading), justify="left" if heading == "weights" else "right")
        for heading in ("done", "window", "pixels", "codes", "s"):
            table.add_column(heading, justify="right", no_wrap=True)
        for number in chosen:
            point, tally = self._campaign.points[number], self._tallies[number]
            done = Text(f"{tally.done}/{tally.total}", "red" if tally.failed else "")
            table.add_row(
                _cut(printable(self._campaign.sources[point.source].label, longest=24)),
                *(_cut(printable(in_words(*each), longest=16)) for each in point.values.items()), done,
                figure(tally.worst), figure(tally.pixel_rms), percent(tally.codes),
                f"{tally.cpu_s / tally.done:.2g}" if tally.done else "–",
            )  # fmt: skip
        return table

    def _say(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _line(self, pace: Pace) -> str:
        done, total = (sum(getattr(tally, name) for tally in self._tallies) for name in ("done", "total"))
        failed = sum(tally.failed for tally in self._tallies)
        left = pace.left_s()
        return ", ".join([
            f"{done} of {total} samples",
            *([f"{failed} not simulated to the end"] if failed else []),
            f"{duration(pace.elapsed_s)} gone",
            *([] if left is None else [f"about {duration(left)} left"]),
        ])  # fmt: skip

    def _bar(self, pace: Pace) -> Table:
        row = Table.grid(padding=(0, 1))
        done, total = (sum(getattr(tally, name) for tally in self._tallies) for name in ("done", "total"))
        row.add_row(ProgressBar(total, done, width=30), Text(self._line(pace)))
        return row


def _cut(text: str) -> Text:
    """On one line, cut where there is no room."""
    return Text(text, no_wrap=True, overflow="ellipsis")
