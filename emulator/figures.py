"""Figures of a run, as SVG: phases, errors, codes, time.

Every function takes arrays and gives the bytes of a file. No text that comes from a weights file is ever drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from emulator.axes import grid_axes, mark_chunks, ticks_of_pi, time_axes
from emulator.canvas import BLUE, FAINT, HALF, INK, LINES, ORANGE, RED, WIDTH, drawing, svg
from netlists.core import AnalogCore, Array, Index

MOST_LINES = len(LINES)  # more samples than this are drawn as a band
MOST_BARS = 32  # more samples than this are a histogram
MOST_RINGS = 1024  # larger cores are drawn without rings


def phases(
    core: AnalogCore, seconds_per_unit: float, time: Array, circuit: Array, reference: Array, error: Array
) -> bytes:
    """SVG of one run: four visible and four hidden nodes, from the largest error to the smallest.

    Phases are drawn unwrapped and moved by whole turns, circuit and reference alike, so that the circuit ends
    in (−π, π].

    Args:
        core: gives nodes, names and chunk boundaries.
        seconds_per_unit: seconds of circuit time per model time unit.
        time: (R+1,) model time.
        circuit, reference: (R+1, N) states.
        error: (R+1, N) their difference, on the circle where the state is periodic.
    """
    period = core.family.state.periodic
    rms = np.sqrt(np.mean(error**2, axis=0))
    groups = [("visible", core.visible), ("hidden", core.hidden)]
    shown = [(name, _from_worst_to_best(nodes, rms)) for name, nodes in groups if len(nodes)]
    with drawing():
        figure = Figure(figsize=(WIDTH, 0.9 + 2.35 * len(shown)), layout="constrained")
        panels = list(figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0])
        for axes, (name, nodes) in zip(panels, shown, strict=True):
            for colour, node in zip(LINES, nodes.tolist(), strict=False):
                turn = 0.0 if period is None else period * np.ceil(circuit[-1, node] / period - 0.5)
                axes.plot(time, circuit[:, node] - turn, color=colour, lw=2.6, alpha=0.75,
                          label=f"{core.node_names[node]}  {rms[node]:.1e}")  # fmt: skip
                axes.plot(time, reference[:, node] - turn, color=INK, lw=1.0, ls=(0, (4, 3)))
            if period is not None:
                ticks_of_pi(axes)
            axes.set_ylabel(f"{name} nodes{_in(core)}")
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), handlelength=1.4, alignment="left",
                        title="node, rms error", title_fontsize=8.5)  # fmt: skip
        both = [Line2D([], [], color=FAINT, lw=2.6), Line2D([], [], color=INK, lw=1.0, ls=(0, (4, 3)))]
        panels[-1].add_artist(panels[-1].get_legend())
        panels[-1].legend(both, ["circuit", "reference"], loc="lower left", bbox_to_anchor=(1.0, -0.04),
                          handlelength=2.2)  # fmt: skip
        mark_chunks(core, panels)
        time_axes(core, panels, seconds_per_unit)
        return svg(figure)


def _in(core: AnalogCore) -> str:
    unit = core.family.state.unit
    return f" ({unit})" if unit else ""


def _from_worst_to_best(nodes: Index, rms: Array, count: int = 4) -> Index:
    """``count`` nodes evenly spaced by rank of their error, the worst first and the best last."""
    ranks = np.unique(np.linspace(0, len(nodes) - 1, min(count, len(nodes))).astype(int))
    ranked: Index = nodes[np.argsort(-rms[nodes], kind="stable")[ranks]]
    return ranked


def errors(
    core: AnalogCore, seconds_per_unit: float, numbers: Sequence[int], time: Array, whole: Array,
    windows: Array, accepted: float,
) -> bytes:  # fmt: skip
    """SVG of the error along the run: over the whole run above, window by window below, on the same scale.

    Up to eight samples are a line each; more are a band with median, and the three worst as lines.

    Args:
        core: gives chunk boundaries and the unit.
        seconds_per_unit: seconds of circuit time per model time unit.
        numbers: (S,) sample numbers, all of completed samples.
        time: (S, R+1) model time of each row.
        whole: (S, R+1) rms error over nodes.
        windows: (S, W) rms defect of each window.
        accepted: largest defect that passes.
    """
    edges = np.linspace(0, core.duration, windows.shape[1] + 1)
    # the start is exact by construction, and zero has no place on a logarithmic scale
    whole, windows = (np.where(values > 0, values, np.nan) for values in (whole, windows))
    worst = np.argsort(-np.nan_to_num(np.nanmax(windows, axis=1, initial=0.0)), kind="stable")
    few = len(numbers) <= MOST_LINES
    lines = range(len(numbers)) if few else sorted(worst[:3].tolist())
    with drawing():
        figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, sharey=True)
        for axes, x, values in (
            (above, time.mean(axis=0), whole),
            (below, (edges[:-1] + edges[1:]) / 2, windows),
        ):
            if not few:
                low, middle, high = _percentiles(values)
                axes.fill_between(x, low, high, color=BLUE, alpha=0.2, lw=0, label="5 % to 95 % of samples")
                axes.plot(x, middle, color=INK, lw=1.2, label="median")
        for colour, k in zip(LINES, lines, strict=False):
            above.plot(time[k], whole[k], color=colour, lw=1.3, label=f"sample {numbers[k]}")
            below.stairs(np.nan_to_num(windows[k]), edges, color=colour, lw=1.3, baseline=None)
        below.axhline(accepted, color=RED, lw=1.2, ls=(0, (6, 3)))
        below.annotate(
            f"accepted up to {accepted:g}", (1, accepted), (-4, -3), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="top", size=8.5, color=RED,
        )  # fmt: skip
        above.set_yscale("log")
        _powers(above.yaxis)
        above.set_ylabel(f"whole run: rms{_in(core)}")
        below.set_ylabel(f"defect per window: rms{_in(core)}")
        figure.align_ylabels([above, below])
        above.legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), handlelength=1.2)
        mark_chunks(core, (above, below))
        time_axes(core, (above, below), seconds_per_unit)
        return svg(figure)


def _powers(axis: Axis) -> None:
    """Ticks of a logarithmic axis: whole powers, as the text writes its numbers, such as 1e-5."""
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"1e{math.log10(value):.0f}" if value > 0 else "")
    )
    axis.set_minor_locator(NullLocator())


def _percentiles(values: Array) -> tuple[Array, Array, Array]:
    """5 %, 50 % and 95 % of each column (S, R); NaN where a column holds nothing."""
    empty = np.isfinite(values).sum(axis=0) == 0
    filled = np.where(empty, 1.0, values)
    low, middle, high = np.where(empty, np.nan, np.nanpercentile(filled, [5, 50, 95], axis=0))
    return low, middle, high


def code_differences(difference: Index) -> bytes:
    """SVG of how many pixels are how far apart: 0, 1, 2, 3 to 4, 5 to 8 LSB and so on, red beyond 1.

    Args:
        difference: |circuit − reference| in LSB of all completed samples, any shape.
    """
    names, counts = _classes(difference.ravel())
    with drawing():
        figure = Figure(figsize=(HALF, 3.6), layout="constrained")
        axes = figure.subplots()
        bars = axes.bar(range(len(names)), counts, width=0.6, color=[BLUE] * 2 + [RED] * len(names))
        axes.bar_label(bars, [f"{count:,}" for count in counts], size=8.5, padding=2)
        axes.set_yscale("symlog", linthresh=1, linscale=0.35)
        axes.set_ylim(0, 4 * max(1, int(counts.max())))
        every = 2 if counts.max() > 1e5 else 1
        axes.yaxis.set_major_locator(FixedLocator([0, *(10**k for k in range(0, 12, every))]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.minorticks_off()
        axes.set_xticks(range(len(names)), names)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="|circuit − reference|, up to (LSB)", ylabel="pixels")
        return svg(figure)


def node_errors(core: AnalogCore, error: Array) -> bytes:
    """SVG of the core with each node's rms error over samples; rings mark visible nodes where there is room.

    Args:
        core: gives the grid.
        error: (S, N) error at the end of the completed samples, in the state's unit.
    """
    node = np.sqrt(np.mean(error**2, axis=0)).reshape(core.shape)
    with drawing():
        figure = Figure(figsize=(HALF, 3.6), layout="constrained")
        axes = figure.subplots()
        low, high = _decades(node)
        shown = axes.imshow(np.maximum(node, low), cmap="viridis", norm=LogNorm(low, high))
        if len(core.visible) < core.nodes <= MOST_RINGS:
            rows, columns = np.divmod(core.visible, core.shape[1])
            size = max(3.0, 1600 / max(core.shape) ** 2)
            axes.scatter(columns, rows, s=size, facecolors="none", edgecolors="white", linewidths=0.8)
        grid_axes(axes, core)
        bar = figure.colorbar(shown, ax=axes, label=f"rms error{_in(core)}", fraction=0.05)
        _powers(bar.ax.yaxis)
        return svg(figure)


def _classes(sizes: Index) -> tuple[list[str], Index]:
    """Largest of each class and counts: 0, 1, 2, 3 to 4, 5 to 8 and so on, four or as many as are needed."""
    tops = [0, *(2**k for k in range(max(3, int(sizes.max(initial=0) - 1).bit_length() + 1)))]
    return [str(top) for top in tops], np.histogram(sizes, np.array([-1, *tops]) + 0.5)[0]


def _decades(values: Array) -> tuple[float, float]:
    """Whole decades around the positive values, at most six of them."""
    positive = values[values > 0]
    if not len(positive):
        return 1e-6, 1e-5
    high = math.ceil(math.log10(positive.max()) + 1e-9)
    low = max(min(math.floor(math.log10(positive.min())), high - 1), high - 6)
    return 10.0**low, 10.0**high


def seconds(numbers: Sequence[int], simulator: Array, reference: Array) -> bytes:
    """SVG of wall seconds (S,) of simulator and reference by sample; NaN where the reference did not run.

    Up to 32 samples are a bar each; more are histograms.
    """
    return _stacked(
        numbers, [("ngspice", simulator), ("reference", np.nan_to_num(reference))], "wall time (s)"
    )


def points(numbers: Sequence[int], steps: Index, rejected: Index) -> bytes:
    """SVG of accepted and rejected time points (S,) by sample, drawn like ``seconds``."""
    return _stacked(numbers, [("accepted", steps), ("rejected", rejected)], "time points")


def _stacked(numbers: Sequence[int], parts: Sequence[tuple[str, Any]], label: str) -> bytes:
    with drawing():
        figure = Figure(figsize=(HALF, 2.8), layout="constrained")
        axes = figure.subplots()
        below = np.zeros(len(numbers))
        for (name, values), colour in zip(parts, (BLUE, ORANGE), strict=True):
            if len(numbers) <= MOST_BARS:
                axes.bar(range(len(numbers)), values, 0.7, bottom=below, color=colour, label=name)
                below = below + values
            else:
                axes.hist(values, bins=30, color=colour, alpha=0.85, label=name)
        if len(numbers) <= MOST_BARS:
            every = -(-len(numbers) // 12)
            axes.set_xlim(-0.6, max(len(numbers), 4) - 0.4)
            axes.set_xticks(range(0, len(numbers), every), [str(number) for number in numbers[::every]])
            axes.grid(axis="x", visible=False)
            axes.set(xlabel="sample", ylabel=label)
        else:
            axes.set(xlabel=label, ylabel="samples")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, borderaxespad=0, handlelength=1,
                    columnspacing=1.2)  # fmt: skip
        return svg(figure)
