"""Seconds of a sample against the number of nodes: behavioural, compiled, and the reference."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from benchmarks.cases import SCALING, STRENGTH, chosen, options, rk45, timed_run
from emulator.devices import Choice, make_deck
from emulator.simulator import Simulator
from netlists.compile import compile_core
from netlists.synthetic import window_core

SIDES = (4, 8, 16, 32, 56, 112, 224)
LARGEST_BEHAVIOURAL = 32  # beyond, a sample takes minutes


# by kind and number of nodes, CPU seconds of every round
Found = dict[str, dict[int, list[float]]]


def measure(rounds: int) -> Found:
    """All kinds in turn in each round, the warm-up not kept; T = 10, 1 chunk, reltol 1e-4, 200 rows."""
    found: Found = {"behavioural": {}, "compiled": {}, "scipy RK45": {}}
    with Simulator() as simulator:
        for side in SIDES:
            core = window_core(side, side, strength=STRENGTH)
            start, settings = core.initial_states(0, 0), options()
            ways = {"compiled": chosen(core)}
            if side <= LARGEST_BEHAVIOURAL:
                ways["behavioural"] = Choice("behavioural", "full", compile_core(core, SCALING))
            seconds: dict[str, list[float]] = {kind: [] for kind in found}
            for _ in range(rounds + 1):
                for kind, choice in ways.items():
                    run = timed_run(simulator, make_deck(choice, settings, start))
                    seconds[kind].append(run.statistics.cpu_s)
                seconds["scipy RK45"].append(rk45(core, start)[0])
            for kind, values in seconds.items():
                if values:
                    found[kind][core.nodes] = values[1:]
    return found


def save(found: Found, table: Path, picture: Path) -> None:
    """Writes the table as CSV and the log-log figure of the medians, with their ranges, as PNG."""
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "nodes", "cpu_seconds_median", "least", "most", "rounds"])
        writer.writerows(
            [
                kind,
                nodes,
                *(f"{value:.4g}" for value in (median(values), min(values), max(values))),
                len(values),
            ]
            for kind, points in found.items()
            for nodes, values in points.items()
        )
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for (kind, points), marker in zip(found.items(), "sod", strict=True):
        middle = [median(values) for values in points.values()]
        below = [m - min(values) for m, values in zip(middle, points.values(), strict=True)]
        above = [max(values) - m for m, values in zip(middle, points.values(), strict=True)]
        axes.errorbar(list(points), middle, [below, above], marker=marker, capsize=2, label=kind)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="nodes",
        ylabel="CPU seconds of a sample",
        title="T = 10, 24 neighbours, reltol 1e-4, 200 rows",
    )
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=130, metadata={"Software": None})
