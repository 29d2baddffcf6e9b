"""What the commands share: the two consoles, exit codes, signals, and text that can't steer a terminal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from emulator.claimed import Mode
from netlists.printable import printable
from netlists.weights import WeightsError

FAILED, UNUSABLE = 1, 2  # exit codes
MOST_ROWS = 40  # of a table on the terminal

console = Console()
errors = Console(stderr=True)


def plain(text: str) -> str:
    """Lines as they are, with nothing in them that could steer a terminal."""
    return "\n".join(printable(line, longest=None) for line in text.split("\n"))


def stop(code: int, message: str) -> NoReturn:
    """Ends the command with a message."""
    errors.print(Text.assemble(("error: ", "bold red"), plain(message)), soft_wrap=True)
    raise typer.Exit(code)


def warn(message: str) -> None:
    """Says what the user should know, and goes on."""
    errors.print(Text.assemble(("warning: ", "bold yellow"), plain(message)), soft_wrap=True)


def chosen_mode(overwrite: bool, resume: bool) -> Mode:
    """What becomes of an earlier call's results in the folder."""
    if overwrite and resume:
        stop(UNUSABLE, "--overwrite starts anew and --resume continues: choose one")
    return "overwrite" if overwrite else "resume" if resume else "new"


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: in order, with finished samples kept."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # what is ignored, as under nohup, stays ignored
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


def option_problems(error: ValidationError) -> str:
    """What is wrong with the values of options, named by the last part of each place."""
    said = [f"--{e['loc'][-1]}: {e['msg']}, received {e['input']!r}" for e in error.errors()]
    return "; ".join(said)


def weights_problems(error: WeightsError) -> str:
    """What is wrong with a weights file, a line each."""
    shown = printable(str(error.path))
    return "\n  ".join([f"{shown}: not usable as a weights file", *error.problems])
