"""Figures of a core: its floorplan as PNG, its weights as SVG. No text of a weights file is ever drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from emulator.axes import grid_axes
from emulator.canvas import FAINT, INK, LINES, WIDTH, drawing, png, svg
from netlists.core import AnalogCore, Array

MOST_WIRED_NODES = 400  # larger cores are drawn without wires


def floorplan(core: AnalogCore) -> bytes:
    """PNG of the core: nodes and couplings of the last chunk on the grid.

    Cores of more than 400 nodes show each node's sum of |K| as a heat map instead of wires.
    """
    with drawing():
        figure = Figure(figsize=(0.6 * WIDTH, 5.0), layout="constrained")
        axes = figure.subplots()
        if core.nodes <= MOST_WIRED_NODES:
            _wires(figure, axes, core)
        else:
            _strengths(figure, axes, core)
        rows, columns = core.shape
        axes.set(xlim=(-0.8, columns - 0.2), ylim=(rows - 0.2, -0.8))
        grid_axes(axes, core)
        return png(figure, 130)


def weights(core: AnalogCore) -> bytes:
    """SVG of all weights as histograms: the couplings by chunk, and the cells' own parameters."""
    with drawing():
        figure = Figure(figsize=(0.4 * WIDTH, 5.0), layout="constrained")
        above, below = figure.subplots(2, 1)
        _, edge_of = core.couplers
        shades = mpl.colormaps["viridis"](np.linspace(0.05, 0.8, core.chunks))
        named = range(core.chunks) if core.chunks <= 4 else (0, core.chunks - 1)
        _histograms(above, [
            (f"chunk {chunk + 1}" if chunk in named else "", shades[chunk], values[edge_of])
            for chunk, values in enumerate(core.coupling)
        ])  # fmt: skip
        above.set(xlabel="K per model time unit", ylabel="couplers")
        _histograms(below, [
            (parameter.name, colour, core.parameters[parameter.name].ravel())
            for colour, parameter in zip(LINES, core.family.parameters, strict=False)
            if np.any(core.parameters[parameter.name])
        ])  # fmt: skip
        below.set(xlabel="cell parameters per model time unit", ylabel="values")
        return svg(figure)


def _histograms(axes: Axes, columns: Sequence[tuple[str, Any, Array]]) -> None:
    """Outlined histograms of (label, colour, values) on common bins."""
    values = [column for _, _, column in columns if len(column)]
    if not values:
        axes.annotate("all zero", (0.5, 0.5), xycoords="axes fraction", ha="center", color=FAINT)
        return
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    if high == low:
        low, high = low - 0.5, high + 0.5
    bins = np.linspace(low, high, 41)
    for label, colour, column in columns:
        axes.stairs(np.histogram(column, bins)[0], bins, color=colour, lw=1.3, label=label or None)
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1.03, 1.0), ncols=4, borderaxespad=0.1, handlelength=0.8,
                handletextpad=0.3, columnspacing=0.8, fontsize=7.5)  # fmt: skip


def _wires(figure: Figure, axes: Axes, core: AnalogCore) -> None:
    """Nodes as dots, couplings of the last chunk as lines, the strong ones on top."""
    pairs, edge_of = core.couplers
    weight = core.coupling[-1, edge_of]
    order = np.argsort(np.abs(weight), kind="stable")
    ends = np.stack([pairs % core.shape[1], pairs // core.shape[1]], axis=-1).astype(np.float64)
    largest = float(np.abs(weight).max(initial=0.0)) or 1.0
    # the darkest ends of the map say nothing that its strong middle does not
    colours = LinearSegmentedColormap.from_list("signs", mpl.colormaps["RdBu_r"](np.linspace(0.1, 0.9, 256)))
    scale = ScalarMappable(Normalize(-largest, largest), colours)
    size = 16 / max(core.shape)
    width = (0.5 + 1.5 * np.abs(weight) / largest) * min(size, 2)
    lines = LineCollection(list(ends[order]), colors=scale.to_rgba(weight[order]), linewidths=width[order])
    axes.add_collection(lines)
    for nodes, face, dot, name in (
        (core.visible, INK, 26, "visible"), (core.hidden, "white", 15, "hidden"),
    ):  # fmt: skip
        if len(nodes):
            axes.scatter(nodes % core.shape[1], nodes // core.shape[1], s=dot * min(size, 3) ** 2, zorder=3,
                         facecolors=face, edgecolors=INK, linewidths=0.8, label=name)  # fmt: skip
    axes.set_title(_of_last_chunk("Couplings", core))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1, handletextpad=0.1,
                columnspacing=1.0)  # fmt: skip
    figure.colorbar(scale, ax=axes, label="K per model time unit", fraction=0.04, pad=0.02)


def _strengths(figure: Figure, axes: Axes, core: AnalogCore) -> None:
    """Each node's sum of |K| over what it receives, in the last chunk."""
    total = np.bincount(core.edges[:, 0], np.abs(core.coupling[-1]), minlength=core.nodes)
    shown = axes.imshow(total.reshape(core.shape), cmap="viridis")
    axes.set_title(_of_last_chunk("Sum of |K| that each node receives", core))
    figure.colorbar(shown, ax=axes, label="per model time unit", fraction=0.04, pad=0.02)


def _of_last_chunk(what: str, core: AnalogCore) -> str:
    return what if core.chunks == 1 else f"{what}, chunk {core.chunks} of {core.chunks}"
