"""Figures of a network's run, as SVG in the style of the other reports."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emulator.canvas import BLUE, FAINT, HALF, INK, LINES, ORANGE, RED, WIDTH, drawing, svg
from netlists.core import Array, Index

SHOWN = 6  # nodes of a settling transient
SMALLEST = 1e-17  # errors are drawn on a logarithmic axis


def settling(time: Array, circuit: Array, reference: Array, names: list[str], settled: float) -> bytes:
    """Some nodes on their way to rest.

    Args:
        time: (R,) model time.
        circuit, reference: (R, V) states.
        names: (V,) of the nodes.
        settled: model time at which all of them are within 1 %; NaN for never.
    """
    ends = np.argsort(reference[-1])
    shown = np.unique(ends[np.linspace(0, len(ends) - 1, min(SHOWN, len(ends))).astype(int)])
    with drawing():
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axes = figure.subplots()
        for colour, node in zip(LINES, shown.tolist(), strict=False):
            axes.plot(time, circuit[:, node], color=colour, lw=2.6, alpha=0.75, label=names[node])
            axes.plot(time, reference[:, node], color=INK, lw=1.0, ls=(0, (4, 3)))
        if np.isfinite(settled):
            axes.axvline(settled, color=FAINT, lw=0.9)
            axes.annotate("settled to 1 %", (settled, 1.0), (0, 3), xycoords=("data", "axes fraction"), ha="center",
                          textcoords="offset points", fontsize=8.5, color=FAINT)  # fmt: skip
        nodes = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), handlelength=1.4)
        axes.add_artist(nodes)
        both = [Line2D([], [], color=FAINT, lw=2.6), Line2D([], [], color=INK, lw=1.0, ls=(0, (4, 3)))]
        axes.legend(both, ["circuit", "reference"], loc="lower left", bbox_to_anchor=(1.0, -0.04),
                    handlelength=2.2)  # fmt: skip
        axes.set_xlabel("model time")
        axes.set_ylabel("state")
        return svg(figure)


def node_errors(errors: Array, offsets: list[int], tolerance: float) -> bytes:
    """(N,) errors of the operating point, relative to the rms state, by node; ``offsets`` are where modules begin."""
    with drawing():
        figure = Figure(figsize=(HALF, 3.0), layout="constrained")
        axes = figure.subplots()
        ends = [*offsets[1:], len(errors)]
        for number, (first, end) in enumerate(zip(offsets, ends, strict=True)):
            axes.semilogy(
                range(first, end), np.maximum(errors[first:end], SMALLEST), ".", color=LINES[number % len(LINES)],
                label=f"module {number + 1}",
            )  # fmt: skip
        axes.axhline(tolerance, color=ORANGE, lw=0.9, ls="--")
        axes.set_xlabel("node")
        axes.set_ylabel("relative error")
        if len(offsets) > 1:
            axes.legend(loc="best")
        return svg(figure)


def time_constants(rates: Array, measured: Array) -> bytes:
    """1/λ of every mode, (N,) as the spectrum has them and as measured (NaN where not)."""
    with drawing():
        figure = Figure(figsize=(HALF, 3.0), layout="constrained")
        axes = figure.subplots()
        modes = np.arange(1, len(rates) + 1)
        axes.plot(modes, 1 / rates, color=FAINT, lw=2.6, alpha=0.7, label="spectrum")
        axes.plot(modes, 1 / measured, ".", color=BLUE, label="measured in the transient")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("mode, from the slowest")
        axes.set_ylabel("time constant, model time")
        axes.legend(loc="upper right")
        return svg(figure)


def variances(measured: Array, expected: Array, boltzmann: Array, kt: float, shown: Index) -> bytes:
    """Variance of each of the ``shown`` nodes: (N,) as measured, in closed form, and kT M⁻¹; both NaN with wells."""
    with drawing():
        figure = Figure(figsize=(HALF, 3.0), layout="constrained")
        axes = figure.subplots()
        order = shown[np.argsort(boltzmann[shown])]
        nodes = np.arange(1, len(order) + 1)
        axes.plot(nodes, measured[order], ".", color=BLUE, label="circuit")
        known = bool(np.isfinite(boltzmann).all())
        if known:
            axes.plot(
                nodes, expected[order], color=INK, lw=1.0, ls=(0, (4, 3)), label="closed form of this noise"
            )
            axes.plot(nodes, boltzmann[order], color=ORANGE, lw=1.2, label="Boltzmann: (kT M⁻¹)ᵢᵢ")
        axes.axhline(kt, color=RED, lw=0.9, label="kT: capacitors among resistors")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("visible node, by its Boltzmann variance" if known else "visible node")
        axes.set_ylabel("variance")
        axes.legend(loc="best", fontsize=7.5)
        return svg(figure)


def averages(times: Array, measured: Array, expected: Array) -> bytes:
    """(L,) variance of a visible node's time average over its length, in time constants of the slowest mode."""
    with drawing():
        figure = Figure(figsize=(HALF, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.loglog(times, measured, "o", ms=4, color=BLUE, label="circuit")
        if np.isfinite(expected).any():
            axes.loglog(times, expected, color=INK, lw=1.0, ls=(0, (4, 3)), label="closed form")
        axes.set_xlabel("averaged over, time constants of the slowest mode")
        axes.set_ylabel("variance")
        axes.legend(loc="best")
        return svg(figure)
