"""Figures of a run: curves as SVG, the core as PNG.

Every function takes arrays and gives the bytes of a file, the same bytes for the same input: no time stamps,
no random identifiers, no settings of the user's own matplotlib. Nothing is drawn through pyplot, and no text
that comes from a weights file is ever drawn.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

from emulator.sinks import Waveform
from netlists.core import AnalogCore, Array, Index

INK, FAINT, RULE = "#1f2933", "#6b7785", "#dfe4ea"
BLUE, ORANGE, RED = "#2f6db5", "#d9822b", "#c0392b"
LINES = ("#2f6db5", "#d9822b", "#2a9d74", "#c0499b", "#7a5cc4", "#a3870a", "#3fa7d6", "#c0392b")

WIDTH, HALF = 9.6, 4.7  # inches; the report shows figures about as wide, or two side by side
MOST_LINES = len(LINES)  # more samples than this are drawn as a band
MOST_BARS = 32  # more samples than this are a histogram
MOST_WIRED_NODES, MOST_RINGS = 400, 1024  # larger cores are drawn without wires, and without rings

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ais-emulator",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
}
NO_SOFTWARE: Any = {"Software": None}  # keeps matplotlib's version out of a PNG
_one_at_a_time = threading.Lock()  # matplotlib's settings belong to the process


@contextmanager
def drawing() -> Iterator[None]:
    """Our settings and nobody else's, for as long as a figure is made."""
    with _one_at_a_time, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def svg(figure: Figure) -> bytes:
    """A figure as SVG that can stand in a page."""
    stream = io.BytesIO()
    # savefig would draw twice, the first time for nothing: the layout is found in the second
    canvas = FigureCanvasSVG(figure)
    canvas.print_svg(stream, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))  # type: ignore[no-untyped-call]
    text = stream.getvalue()
    return text[text.index(b"<svg") :]  # without the document type, which names an address


def png(figure: Figure, dpi: float) -> bytes:
    """A figure as PNG."""
    stream = io.BytesIO()
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(stream, metadata=NO_SOFTWARE)  # type: ignore[no-untyped-call]
    return stream.getvalue()


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
                _ticks_of_pi(axes)
            axes.set_ylabel(f"{name} nodes{_in(core)}")
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), handlelength=1.4, alignment="left",
                        title="node, rms error", title_fontsize=8.5)  # fmt: skip
        both = [Line2D([], [], color=FAINT, lw=2.6), Line2D([], [], color=INK, lw=1.0, ls=(0, (4, 3)))]
        panels[-1].add_artist(panels[-1].get_legend())
        panels[-1].legend(both, ["circuit", "reference"], loc="lower left", bbox_to_anchor=(1.0, -0.04),
                          handlelength=2.2)  # fmt: skip
        _mark_chunks(core, panels)
        _time_axes(core, panels, seconds_per_unit)
        return svg(figure)


def _in(core: AnalogCore) -> str:
    unit = core.family.state.unit
    return f" ({unit})" if unit else ""


def _from_worst_to_best(nodes: Index, rms: Array, count: int = 4) -> Index:
    """``count`` nodes evenly spaced by rank of their error, the worst first and the best last."""
    ranks = np.unique(np.linspace(0, len(nodes) - 1, min(count, len(nodes))).astype(int))
    ranked: Index = nodes[np.argsort(-rms[nodes], kind="stable")[ranks]]
    return ranked


def _ticks_of_pi(axes: Axes) -> None:
    """Ticks at multiples of π; at every whole turn if there are many."""
    low, high = axes.get_ylim()
    step = 1 if high - low < 6 * math.pi else 2 if high - low < 12 * math.pi else 4
    if high - low > 60 * math.pi:
        return
    if high - low < 2.5 * math.pi:
        axes.yaxis.set_major_locator(MultipleLocator(math.pi / 2))
    else:
        axes.yaxis.set_major_locator(MultipleLocator(step * math.pi))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _in_pi(value / math.pi)))


def _in_pi(turns: float) -> str:
    if abs(turns) < 1e-6:
        return "0"
    sign, size = "−" if turns < 0 else "", abs(turns)
    return f"{sign}{'' if size == 1 else f'{size:g}'}π"


def _mark_chunks(core: AnalogCore, panels: Sequence[Axes]) -> None:
    """Vertical lines where the weights change, and the chunks' numbers above the first panel."""
    for axes in panels:
        for boundary in core.boundaries[1:-1]:
            axes.axvline(boundary, color=FAINT, lw=0.8, alpha=0.6, zorder=1.5)
    if 1 < core.chunks <= 12:
        for k, (low, high) in enumerate(zip(core.boundaries, core.boundaries[1:], strict=False), 1):
            panels[0].annotate(
                f"chunk {k}" if core.chunks <= 6 else f"{k}", ((low + high) / 2, 1), (0, -3),
                xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", va="top",
                size=7.5, color=FAINT,
            )  # fmt: skip


def _time_axes(core: AnalogCore, panels: Sequence[Axes], seconds_per_unit: float) -> None:
    """Model time below, seconds above."""
    panels[-1].set_xlabel("model time")
    panels[-1].set_xlim(0, core.duration)
    unit, size = prefix(core.duration * seconds_per_unit)
    factor = seconds_per_unit / size

    def shown(time: Any) -> Any:
        return time * factor

    def back(shown: Any) -> Any:
        return shown / factor

    above = panels[0].secondary_xaxis("top", functions=(shown, back))
    above.set_xlabel(f"circuit time ({unit}s)")
    above.tick_params(labelsize=8)


def prefix(seconds: float) -> tuple[str, float]:
    """SI prefix for times up to ``seconds``, and its size."""
    for letter, size in (("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9)):
        if seconds >= size:
            return letter, size
    return "p", 1e-12


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
        _mark_chunks(core, (above, below))
        _time_axes(core, (above, below), seconds_per_unit)
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
        _grid_axes(axes, core)
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


# -- the core ----------------------------------------


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
        _grid_axes(axes, core)
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


def _grid_axes(axes: Axes, core: AnalogCore) -> None:
    """Rows and columns of the core: whole numbers, square cells unless the core is very long."""
    axes.grid(visible=False)
    axes.set(xlabel="column", ylabel="row")
    axes.set_aspect("equal" if max(core.shape) < 8 * min(core.shape) else "auto")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(9, integer=True, min_n_ticks=1))


# -- waveforms ---------------------------------------


def waveforms(
    core: AnalogCore,
    excerpts: Sequence[Waveform],
    phases_of: tuple[Array, Array, Array],
    seconds_per_unit: float,
) -> bytes:
    """PNG of a run at a waveform level: a few nodes' first and last cycles, and their phases in between.

    Args:
        core: gives node names and chunk boundaries.
        excerpts: waveforms at the start and at the end; both of the same nodes.
        phases_of: (R+1,) model time, and (R+1, N) phases of circuit and reference.
        seconds_per_unit: seconds of circuit time per model time unit.
    """
    time, circuit, reference = phases_of
    period = core.family.state.periodic
    with drawing():
        figure = Figure(figsize=(WIDTH, 6.0), layout="constrained")
        panels = figure.subplot_mosaic([["first", "last"], ["phases", "phases"]], height_ratios=[1.0, 1.3])
        for name, excerpt in zip(("first", "last"), excerpts, strict=True):
            _cycles(panels[name], excerpt)
            panels[name].set_title(f"{name} cycles")
        panels["last"].sharey(panels["first"])
        panels["first"].set_ylabel("node (V)")
        axes = panels["phases"]
        for colour, node in zip(LINES, excerpts[0].vectors, strict=False):
            k = core.node_names.index(node)
            turn = 0.0 if period is None else period * np.ceil(circuit[-1, k] / period - 0.5)
            axes.plot(time, circuit[:, k] - turn, color=colour, lw=2.6, alpha=0.75, label=node)
            axes.plot(time, reference[:, k] - turn, color=INK, lw=1.0, ls=(0, (4, 3)))
        axes.plot([], [], color=INK, lw=1.0, ls=(0, (4, 3)), label="reference")
        axes.set(title="demodulated phases, and the reference's", ylabel="phase (rad)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), handlelength=1.6, alignment="left",
                    title="node")  # fmt: skip
        _ticks_of_pi(axes)
        _mark_chunks(core, [axes])
        _time_axes(core, [axes], seconds_per_unit)
        return png(figure, 130)


def _cycles(axes: Axes, excerpt: Waveform) -> None:
    for colour, values in zip(LINES, excerpt.values.T, strict=False):
        axes.plot(excerpt.time * 1e9, values, color=colour, lw=1.3)
    axes.set_xlabel("time (ns)")
    axes.margins(x=0)
