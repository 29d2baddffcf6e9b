"""Figures of a campaign: small multiples along each axis, a map of two axes, and sheets of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from emulator.campaign.analysis import FIGURES, Series, Setting, Values, ordered
from emulator.campaign.names import NAMES, in_words
from emulator.canvas import INK, LINES, WIDTH, drawing, svg
from emulator.images import Pixels, grey, tile
from netlists.printable import printable

MOST_LINES = len(LINES)
FEWEST_COLUMNS, MOST_COLUMNS = 3, 4  # small figures side by side
MOST_WITH_UNIT = 3  # of them; beyond, there is no room for the unit below each
MOST_TICKS = 24  # characters below a small figure
PANEL_HIGH = 1.65  # inches
MOST_LABEL = 28  # characters
MAP_HIGH = 0.34  # inches a row
TILE, GAP = 52, 3  # pixels of a sheet


@dataclass(frozen=True)
class Panel:
    """One small figure: what stands above it, and its lines with their names."""

    title: str
    lines: tuple[tuple[str, Series], ...]


def panels_of(series: Sequence[Series]) -> tuple[str, list[Panel]]:
    """What the lines are told apart by, and the small figures.

    A small figure a weights file and value of the other axes, but for one axis whose values are lines in it: the
    one with the most values that are not too many. Without another axis the weights are the lines of one figure.
    """
    names = [name for name, _ in series[0].others]
    counts = {name: len({repr(dict(each.others)[name]) for each in series}) for name in names}
    fitting = [name for name in names if 1 < counts[name] <= MOST_LINES]
    lines = max(fitting, key=lambda name: counts[name]) if fitting else ""
    labels = {each.label for each in series}
    if not lines and len(series) == len(labels) and 1 < len(labels) <= MOST_LINES:
        return "weights", [Panel("", tuple((shortened(each.label), each) for each in series))]
    groups: dict[tuple[str, str], list[Series]] = {}
    for each in series:
        rest = [
            f"{name} {in_words(name, value)}"
            for name, value in each.others
            if name != lines and counts[name] > 1
        ]
        groups.setdefault((each.label, ", ".join(rest)), []).append(each)
    panels = [
        Panel(
            "\n".join(filter(None, [shortened(label) if len(labels) > 1 else "", shortened(rest)])),
            tuple((in_words(lines, dict(each.others)[lines]) if lines else "", each) for each in some),
        )
        for (label, rest), some in groups.items()
    ]
    return lines, panels


def shortened(text: str) -> str:
    """Safe to draw, and not too long."""
    return printable(text if len(text) <= MOST_LABEL else text[: MOST_LABEL - 1] + "…")


def along(
    axis: str, values: Sequence[Any], unit: str, series: Sequence[Series], figures: Sequence[str]
) -> list[bytes]:
    """SVGs of some figures along an axis: a row a figure, a column a small figure, as many columns as fit."""
    lines, panels = panels_of(series)
    with drawing():
        return [
            _along(
                axis,
                values,
                unit,
                lines,
                panels[start : start + MOST_COLUMNS],
                figures,
                _ranges(series, figures),
            )
            for start in range(0, len(panels), MOST_COLUMNS)
        ]


def _along(
    axis: str, values: Sequence[Any], unit: str, lines: str, panels: Sequence[Panel], figures: Sequence[str],
    ranges: dict[str, tuple[float, float]],
) -> bytes:  # fmt: skip
    alone = len(panels) == 1
    rows = [[(name, panels[0]) for name in figures]]
    if not alone:
        rows = [[(name, panel) for panel in panels] for name in figures]
    wide = len(rows[0])
    sheet = Drawing(figsize=(WIDTH, 0.75 + PANEL_HIGH * len(rows) + 0.3 * alone), layout="constrained")
    grid = sheet.subplots(len(rows), max(FEWEST_COLUMNS, wide), squeeze=False)
    colours = _colours(lines, panels)
    plain = unit in ("", axis) or unit.startswith("%")  # which stands behind every value
    for cells, row in zip(grid, rows, strict=True):
        for axes, (name, panel) in zip(cells, row, strict=False):
            _small(axes, axis, values, panel, name, colours)
            _vertical(axes, name, ranges[name], named=alone or axes is cells[0])
            if row is rows[0] and panel.title:
                axes.set_title(panel.title)
            if row is rows[-1]:
                axes.set_xlabel(axis if plain or wide > MOST_WITH_UNIT else f"{axis} ({unit})", fontsize=8.5)
            else:
                axes.tick_params(labelbottom=False)
        for axes in cells[wide:]:
            axes.set_axis_off()
    names = [said for said in colours if said]
    if names:
        handles = [Line2D([], [], color=colours[said], marker="o", ms=3.5, lw=1.4) for said in names]
        looks: dict[str, Any] = {"title": lines, "alignment": "left", "title_fontsize": 8.5}
        if wide < grid.shape[1]:
            grid[0, wide].legend(handles, names, loc="upper left", **looks)
        else:
            sheet.legend(handles, names, loc="outside right upper", **looks)
    return svg(sheet)


def _small(
    axes: Axes, axis: str, values: Sequence[Any], panel: Panel, name: str, colours: dict[str, Any]
) -> None:
    """One small figure: its lines, beside one another where they would hide each other's intervals."""
    positions = _positions(values)
    for rank, (said, series) in enumerate(panel.lines):
        dodge = (rank - (len(panel.lines) - 1) / 2) * 0.012 * (positions[-1] - positions[0])
        at = [positions[values.index(setting.at[axis])] + dodge for setting in series.settings]
        _line(axes, series, name, at, colours[said])
    axes.margins(x=0.08)
    axes.set_xticks(positions, [in_words(axis, value) for value in values])
    if sum(len(in_words(axis, value)) + 1 for value in values) > MOST_TICKS:
        axes.tick_params(axis="x", labelrotation=45)


def _line(axes: Axes, series: Series, name: str, x: Sequence[float], colour: Any) -> None:
    shown = [
        (at, setting.figures[name])
        for at, setting in zip(x, series.settings, strict=True)
        if name in setting.figures
    ]
    if not shown:
        return
    at, estimates = [each[0] for each in shown], [each[1] for each in shown]
    axes.plot(at, [e.value for e in estimates], color=colour, lw=1.2, marker="o", ms=3.0, zorder=3)
    for place, estimate in zip(at, estimates, strict=True):
        if estimate.known:
            axes.plot(
                [place, place], [estimate.low, estimate.high], color=colour, lw=1.8, alpha=0.45, zorder=2
            )


def _vertical(axes: Axes, name: str, span: tuple[float, float], *, named: bool) -> None:
    figure = FIGURES[name]
    low, high = span
    axes.grid(visible=True, axis="y")
    axes.grid(visible=False, axis="x")
    if figure.better == "higher":
        axes.set_ylim(max(0.0, low - 0.06 * (1 - low)), 1 + 0.06 * (1 - low) if low < 1 else 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    elif name == "defect" and low > 0 and high / low > 30:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.5, high * 1.5)
    else:
        axes.set_ylim(0, 1.08 * high if high > 0 else 1.0)
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(4))
    if named:
        axes.set_ylabel(_wrapped(figure.title), fontsize=8.5)
    else:
        axes.tick_params(labelleft=False)


def _wrapped(title: str, wide: int = 22) -> str:
    lines = [""]
    for word in title.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= wide:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _ranges(series: Sequence[Series], figures: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Of each figure, over all small figures: they are compared, so they have one scale."""
    found = {}
    for name in figures:
        ends = [
            end for each in series for setting in each.settings if name in setting.figures
            for e in [setting.figures[name]] for end in (e.value, e.low, e.high) if math.isfinite(end)
        ]  # fmt: skip
        positive = [end for end in ends if end > 0] or [0.0]
        smallest = min(ends, default=0.0) if FIGURES[name].better == "higher" else min(positive)
        found[name] = (smallest, max(ends, default=1.0))
    return found


def _positions(values: Sequence[Any]) -> list[float]:
    """Where values stand: to scale if they are numbers that can be told apart there, else one by one."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        gaps = np.diff(np.array(values, dtype=np.float64))
        if len(gaps) and gaps.min() > 0.06 * gaps.sum():
            return [float(value) for value in values]
    return [float(k) for k in range(len(values))]


def _colours(lines: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """A colour a line, in order; numbers are graded, as they have one."""
    order: dict[str, Any] = {}
    for panel in panels:
        for said, series in panel.lines:
            order.setdefault(said, dict(series.others).get(lines))
    values = list(order.values())
    if lines in NAMES and len(values) > 2 and all(isinstance(value, int | float | None) for value in values):
        ranked = ordered(values)
        shades = colormaps["viridis"](np.linspace(0.0, 0.85, len(ranked)))
        return {in_words(lines, value): shades[rank] for rank, value in enumerate(ranked)}
    return {said: LINES[k % len(LINES)] for k, said in enumerate(order)}


# -- a map of two axes ---------------------------------------------------------------------------------------


def map_of(
    settings: Sequence[Setting], across: tuple[str, Sequence[Any]], down: tuple[str, Sequence[Any]], name: str
) -> bytes:
    """SVG: a figure on the plane of two axes, a small map a weights file; a number in each field.

    With more axes than two, a field is the mean over the others.
    """
    labels = list(dict.fromkeys(setting.label for setting in settings))[:MOST_COLUMNS]
    fields = {
        label: _fields([s for s in settings if s.label == label], across, down, name) for label in labels
    }
    top = (
        max((float(np.nanmax(each)) for each in fields.values() if np.isfinite(each).any()), default=1.0)
        or 1.0
    )
    with drawing():
        high = 0.85 + MAP_HIGH * len(down[1])
        sheet = Drawing(figsize=(WIDTH, high), layout="constrained")
        grid = list(sheet.subplots(1, max(2, len(labels)), squeeze=False, sharey=True)[0])
        for axes in grid[len(labels) :]:
            axes.set_visible(False)
        for axes, label in zip(grid, labels, strict=False):
            axes.imshow(fields[label], cmap="Blues", norm=Normalize(0, 1.15 * top), aspect="auto")
            for (row, column), value in np.ndenumerate(fields[label]):
                if math.isfinite(value):
                    ink = "white" if value > 0.65 * top else INK
                    axes.text(column, row, f"{value:.2g}", ha="center", va="center", size=8, color=ink)
            axes.set_xticks(range(len(across[1])), [in_words(across[0], value) for value in across[1]])
            axes.set_yticks(range(len(down[1])), [in_words(down[0], value) for value in down[1]])
            axes.grid(visible=False)
            axes.tick_params(length=0)
            axes.set_xlabel(across[0])
            if len(labels) > 1:
                axes.set_title(shortened(label))
        grid[0].set_ylabel(down[0])
        return svg(sheet)


def _fields(
    settings: Sequence[Setting], across: tuple[str, Sequence[Any]], down: tuple[str, Sequence[Any]], name: str
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    sums = np.zeros((len(down[1]), len(across[1])))
    counts = np.zeros_like(sums)
    for setting in settings:
        if name in setting.figures:
            place = down[1].index(setting.at[down[0]]), across[1].index(setting.at[across[0]])
            sums[place] += setting.figures[name].value
            counts[place] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / np.where(counts, counts, np.nan))


# -- sheets of samples ---------------------------------------------------------------------------------------


def sheet(settings: Sequence[Setting], axes: Sequence[str]) -> bytes:
    """PNG: the first samples of every setting of one weights file, a row a setting; the trained model's above all."""
    shape = settings[0].image_shape
    zoom = max(1, TILE // max(shape))
    high, wide = shape[0] * zoom, shape[1] * zoom
    count = max(len(setting.codes) for setting in settings)
    # the best resolution shows the trained model best
    finest = max(settings, key=lambda setting: setting.top)
    rows = [("trained model", finest.trained, finest.top)]
    rows += [(_said(setting.values, axes), setting.codes, setting.top) for setting in settings]
    left = 24 + round(7 * max(len(said) for said, _, _ in rows))
    size = left + count * (wide + GAP), len(rows) * (high + GAP) + 3 * GAP
    tops = [GAP + row * (high + GAP) + (2 * GAP if row else 0) for row in range(len(rows))]
    canvas = _lettered(size, left - 10, [y + high / 2 for y in tops], [said for said, _, _ in rows])
    for y, (_, codes, top) in zip(tops, rows, strict=True):
        for column, image in enumerate(codes.reshape(len(codes), *shape)):
            x = left + column * (wide + GAP)
            canvas[y : y + high, x : x + wide] = grey(image, top).repeat(zoom, axis=0).repeat(zoom, axis=1)
    return tile(canvas)


def _lettered(size: tuple[int, int], right: float, heights: Sequence[float], words: Sequence[str]) -> Pixels:
    """(rows, columns, 3) white paper of a size, with a line of words that ends at ``right`` at each height.

    Images are put onto it later: matplotlib would make numbers of 16 bytes a pixel of them.
    """
    with drawing():
        paper = Drawing(figsize=(size[0] / 100, size[1] / 100), dpi=100)
        for k, (height, said) in enumerate(zip(heights, words, strict=True)):
            paper.text(
                right / size[0], 1 - height / size[1], said, ha="right", va="center", size=8, parse_math=False,
                weight="normal" if k else "bold", color=INK,
            )  # fmt: skip
        drawn: Any = FigureCanvasAgg(paper)
        drawn.draw()
        return np.array(drawn.buffer_rgba(), dtype=np.uint8)[: size[1], : size[0], :3]


def _said(values: Values, axes: Sequence[str]) -> str:
    said = ", ".join(f"{name} {in_words(name, value)}" for name, value in values if name in axes)
    return printable(said) or "as it is"
