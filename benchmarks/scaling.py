"""Seconds of a sample against the number of nodes: behavioural, compiled, and the reference."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.cases import SCALING, STRENGTH, chosen, options, rk45, timed_run
from emulator.devices import Choice, make_deck
from emulator.simulator import Simulator
from netlists.compile import compile_core
from netlists.synthetic import window_core

SIDES = (4, 8, 16, 32, 56, 112, 224)
LARGEST_BEHAVIOURAL = 32  # beyond, a sample takes minutes


def measure(rounds: int) -> dict[str, list[tuple[int, float]]]:
    """CPU seconds by kind, as (nodes, median of the rounds); T = 10, 1 chunk, reltol 1e-4, 200 rows."""
    found: dict[str, list[tuple[int, float]]] = {"behavioural": [], "compiled": [], "scipy RK45": []}
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
                    found[kind].append((core.nodes, float(np.median(values[1:]))))
    return found


def save(found: dict[str, list[tuple[int, float]]], table: Path, picture: Path) -> None:
    """Writes the table as CSV and the log-log figure as PNG."""
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "nodes", "cpu_seconds"])
        writer.writerows(
            [kind, nodes, f"{value:.4g}"] for kind, points in found.items() for nodes, value in points
        )
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for (kind, points), marker in zip(found.items(), "sod", strict=True):
        nodes, seconds = zip(*points, strict=True)
        axes.loglog(nodes, seconds, marker=marker, label=kind)
    axes.set(
        xlabel="nodes", ylabel="CPU seconds of a sample", title="T = 10, 24 neighbours, reltol 1e-4, 200 rows"
    )
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=130, metadata={"Software": None})
