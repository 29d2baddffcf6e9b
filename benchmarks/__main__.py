"""Command line of the benchmark suite."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.cases import BENCHMARKS, LC_CYCLES, ability
from benchmarks.harness import (
    ROUNDS,
    Measure,
    earlier,
    in_order,
    load,
    load_circumstances,
    machine,
    save,
    worsened,
)
from benchmarks.scaling import measure as measure_scaling
from benchmarks.scaling import save as save_scaling
from benchmarks.table import markdown, rewrite
from benchmarks.waveforms import measure as measure_waveforms
from benchmarks.waveforms import save as save_waveforms

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Speed and accuracy, measured.")
console = Console()


@app.command(name="list")
def list_benchmarks() -> None:
    """Show the benchmarks."""
    table = Table(show_header=False)
    for benchmark in BENCHMARKS.values():
        table.add_row(benchmark.name, benchmark.title, "takes minutes" if benchmark.slow else "")
    console.print(table)


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(help="Benchmarks to run; all if none is named.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="An earlier benchmarks.json: say what got worse.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for benchmarks.json and benchmarks.csv.")] = Path(
        "out/benchmarks"
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds after the warm-up.")] = ROUNDS,
) -> None:
    """Run benchmarks; exit code 1 if something got worse than the baseline beyond the noise.

    What the folder holds of other benchmarks stays there, if it was measured in the same circumstances.
    """
    unknown = sorted(set(names or ()) - set(BENCHMARKS))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    before = load(baseline) if baseline is not None else []
    found = ability()
    circumstances = machine() | {
        "ngspice": str(found.version),
        "klu": str(found.klu),
        "osdi": str(found.osdi),
    }
    chosen = names or list(BENCHMARKS)
    kept = [m for m in earlier(out, circumstances) if m.benchmark not in chosen]
    measures: list[Measure] = []
    for name in chosen:
        console.print(f"{name}: {BENCHMARKS[name].title}", highlight=False)
        measures += BENCHMARKS[name].run(rounds)
        save(in_order([*kept, *measures], BENCHMARKS), circumstances, out)
    console.print(_table(measures))
    console.print(f"{', '.join(f'{k} {v}' for k, v in circumstances.items())}", highlight=False)
    worse = worsened(measures, before)
    for sentence in worse:
        console.print(Text.assemble(("worse: ", "bold red"), sentence))
    if worse:
        raise typer.Exit(1)


@app.command()
def table(
    source: Annotated[
        Path, typer.Option("--from", help="Results of a run, benchmarks.json.", exists=True, dir_okay=False)
    ] = Path("docs/benchmarks.json"),
    readme: Annotated[
        Path, typer.Option(help="Text with the two marker comments to write between.", exists=True)
    ] = Path("README.md"),
) -> None:
    """Write a run's results into the README."""
    try:
        rewrite(readme, markdown(load(source), load_circumstances(source)))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def scaling(
    table: Annotated[Path, typer.Option(help="CSV to write.")] = Path("docs/scaling.csv"),
    picture: Annotated[Path, typer.Option(help="PNG to write.")] = Path("docs/scaling.png"),
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds after the warm-up.")] = ROUNDS,
) -> None:
    """Measure seconds against nodes and draw the README's figure."""
    found = measure_scaling(rounds)
    save_scaling(found, table, picture)
    for kind, points in found.items():
        said = ", ".join(f"{nodes} nodes {median(seconds):.3g} s" for nodes, seconds in points.items())
        console.print(f"{kind}: {said}", highlight=False)


@app.command()
def waveforms(
    picture: Annotated[Path, typer.Option(help="PNG to write.")] = Path("docs/lc56.png"),
    cycles: Annotated[float, typer.Option(min=10, help="Carrier cycles of the run.")] = LC_CYCLES,
) -> None:
    """Simulate the 56 x 56 core as LC waveforms, minutes, and draw the README's figure."""
    found = measure_waveforms(cycles)
    save_waveforms(found, picture)
    used = found.simulation.statistics
    console.print(
        f"{used.cpu_s:.1f} s CPU, {used.wall_s:.1f} s; {found.counts}; {found.peak_mb:.0f} MB above idle; "
        f"defect {found.comparison[0].worst_window:.2g} rad rms in the worst window",
        highlight=False,
    )


def _table(measures: list[Measure]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("benchmark", "measure", "median", "spread", "unit", "must", "aim", "reached"):
        table.add_column(heading, no_wrap=heading != "measure")
    for m in measures:
        sign = "≤ " if m.better == "lower" else "≥ "
        table.add_row(
            m.benchmark, m.name, f"{m.median:.4g}", f"± {m.spread:.2g}", m.unit,
            "" if m.must is None else f"{sign}{m.must:g}", "" if m.aim is None else f"{sign}{m.aim:g}",
            m.reached,
        )  # fmt: skip
    return table


if __name__ == "__main__":
    app()
