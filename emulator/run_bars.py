"""How far a run is: bars on a terminal, lines where there is none."""

from __future__ import annotations

import threading

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from emulator.console import errors, warn
from emulator.doctor import warnings
from emulator.ngspice import Capabilities
from emulator.realisation import Realisation
from emulator.results import Columns
from netlists.printable import printable

MOST_SAID = 2000  # characters of a warning on the terminal


class RunBars:
    """A progress bar a sample in flight, by simulated time, and one for all. Without a terminal, lines."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn(),
            console=errors, transient=True,
        )  # fmt: skip
        self._all: TaskID | None = None
        self._preparing: TaskID | None = None
        self._tasks: dict[int, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> RunBars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def status(self, text: str) -> None:
        """What takes time before the first sample."""
        if self._preparing is None:
            self._preparing = self._progress.add_task("", total=None, note="")
        self._progress.update(self._preparing, description=printable(text))
        if not errors.is_terminal:
            errors.print(printable(text), highlight=False, markup=False)

    def planned(self, samples: int, todo: int, ability: Capabilities, realisation: Realisation) -> None:
        """Says by which simulator, warns of what it lacks, and opens the bar for all."""
        for warning in (*warnings(ability), *realisation.remarks):
            warn(_shortened(warning))
        if self._preparing is not None:
            self._progress.remove_task(self._preparing)
        kept = f", {samples - todo} already finished" if todo < samples else ""
        errors.print(
            f"{todo} sample{'s' * (todo != 1)} to simulate with ngspice {ability.version}, "
            f"{realisation.devices} devices{kept}"
        )
        self._all = self._progress.add_task("all samples", total=todo, note="")

    def progress(self, sample: int, fraction: float) -> None:
        """Moves a sample's bar."""
        with self._lock:
            if sample not in self._tasks:
                self._tasks[sample] = self._progress.add_task(
                    f"sample {sample}", total=1.0, note="simulated time"
                )
            self._progress.update(self._tasks[sample], completed=fraction)

    def finished(self, sample: int, row: Columns) -> None:
        """Closes a sample's bar and moves the one for all."""
        with self._lock:
            task = self._tasks.pop(sample, None)
            if task is not None:
                self._progress.remove_task(task)
            if self._all is not None:
                self._progress.advance(self._all)
        if not errors.is_terminal:
            verdict, seconds = row["samples/verdict"][0], float(row["timing/simulator_wall"][0])
            errors.print(f"sample {sample}: {verdict} in {seconds:.1f} s", highlight=False)


def _shortened(message: str) -> str:
    """A compiler's message can be long: the terminal shows its beginning, ``run.json`` keeps it whole."""
    return message[:MOST_SAID] + ("… (run.json has the rest)" if len(message) > MOST_SAID else "")
