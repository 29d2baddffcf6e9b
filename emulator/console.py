"""What the commands share: the two consoles, exit codes, and text that can't steer a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from netlists.printable import printable
from netlists.weights import WeightsError

FAILED, UNUSABLE = 1, 2  # exit codes

console = Console()
errors = Console(stderr=True)


def plain(text: str) -> str:
    """Lines as they are, with nothing in them that could steer a terminal."""
    return "\n".join(printable(line, longest=None) for line in text.split("\n"))


def stop(code: int, message: str) -> NoReturn:
    """Ends the command with a message."""
    errors.print(Text.assemble(("error: ", "bold red"), plain(message)), soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def bar_of_parts(first: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for work in parts, told what comes next, how many are done and of how many; lines without a terminal."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=errors, transient=True
    )
    with progress:
        task = progress.add_task(first)

        def show(part: str, done: int, total: int) -> None:
            progress.update(task, description=printable(part), completed=done, total=total)
            if not errors.is_terminal:
                errors.print(f"[{done}/{total}] {printable(part)}", highlight=False, markup=False)

        yield show


def weights_problems(error: WeightsError) -> str:
    """What is wrong with a weights file, a line each."""
    shown = printable(str(error.path))
    return "\n  ".join([f"{shown}: not usable as a weights file", *error.problems])
