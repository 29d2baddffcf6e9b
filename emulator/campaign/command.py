"""``ais sweep``: a campaign with its table, and where the report is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from emulator.campaign.engines import ClusterError
from emulator.campaign.sweep import sweep
from emulator.campaign.terminal import Terminal
from emulator.console import (
    FAILED,
    MOST_ROWS,
    UNUSABLE,
    chosen_mode,
    console,
    errors,
    stop,
    terminated_as_interrupted,
)
from emulator.ngspice import NgspiceUnavailable
from emulator.unusable import unusable_input
from netlists.printable import printable


def sweep_command(
    campaign: Annotated[Path, typer.Argument(
        help="Campaign file (TOML): weights files, samples, seeds, and a grid or list of settings.", show_default=False
    )],
    out: Annotated[Path | None, typer.Option(
        help="Folder for campaign.h5, report and figures; default: out/ and the campaign file's name.",
        show_default=False,
    )] = None,
    jobs: Annotated[int | None, typer.Option(
        min=1, help="Simulators side by side; default: one a processor.", show_default=False
    )] = None,
    cluster: Annotated[str | None, typer.Option(
        help="Address of a Dask scheduler, such as tcp://host:8786: its workers simulate, with the same version of "
        "this package and the same ngspice as here.", show_default=False,
    )] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier campaign's results.")] = False,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Finish an interrupted campaign, or add points, seeds or samples to it."
    )] = False,
) -> None:  # fmt: skip
    """Run a campaign: a grid or list of settings x weights files x seeds x samples.

    Every sample is made as by `ais run`. The report shows quality and fidelity against each setting that is swept,
    with confidence intervals, and the first value at which quality falls.
    """
    if jobs is not None and cluster is not None:
        stop(UNUSABLE, "--jobs is of this machine, and --cluster takes another's workers: choose one")
    mode, folder = chosen_mode(overwrite, resume), out if out is not None else Path("out") / campaign.stem
    kept = f"Finished samples are kept in {folder}; the same command with --resume goes on"
    with unusable_input():
        try:
            with terminated_as_interrupted(), Terminal(errors) as terminal:
                swept = sweep(campaign, folder, mode, terminal, jobs=jobs, address=cluster)
        except KeyboardInterrupt:
            stop(FAILED, f"interrupted. {kept}")
        except (ClusterError, NgspiceUnavailable):  # RuntimeErrors too, but nothing was done yet
            raise
        except (OSError, RuntimeError) as error:
            stop(FAILED, f"{error}. {kept}")
    console.print(terminal.table(MOST_ROWS))
    console.print(Text(printable(swept.found, longest=None)))
    console.print(Text(f"report: {printable(str(swept.report), longest=None)}"), soft_wrap=True)
    if swept.failed:
        stop(FAILED, f"{swept.failed} of {swept.samples} samples were not simulated to the end")
