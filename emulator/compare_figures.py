"""Figures of a comparison, in the style of the report's: as parts for the page, and all of them on one sheet."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from emulator.canvas import BLUE, FAINT, HALF, INK, ORANGE, RED, WIDTH, drawing, png, svg
from emulator.comparison import Comparison, Pairs
from emulator.images import Pixels, grey
from emulator.permutation import ALPHA
from emulator.quality import Metric
from emulator.sides import Side
from netlists.core import Array

MOST_ON_SHEET = 32
MOST_JOINED = 64  # pairs that are drawn as such
MOST_RINGS = 400  # samples; of more, B is dots too
_GAP = 1  # pixels between images of a sheet


def display_shape(comparison: Comparison) -> tuple[int, int]:
    """Rows and columns of an image, to look at: those known, else a square if it is one, else a strip."""
    pixels = comparison.first.pixels.shape[1]
    known = comparison.first.image_shape or comparison.second.image_shape
    side = round(pixels**0.5)
    return known or ((side, side) if side * side == pixels else (1, pixels))


def chance(comparison: Comparison) -> bytes:
    """SVG: the figures of the test among those of rearranged samples."""
    with drawing():
        figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
        _draw_nulls(list(figure.subplots(1, 4)), comparison)
        return svg(figure)


def distances(comparison: Comparison) -> bytes:
    """SVG: the estimated distances with intervals."""
    with drawing():
        figure = Figure(figsize=(HALF, 2.6), layout="constrained")
        _draw_distances(list(figure.subplots(3, 1)), comparison)
        return svg(figure)


def shares(comparison: Comparison) -> bytes:
    """SVG: precision and recall with intervals, beside what two sets from one distribution have."""
    with drawing():
        figure = Figure(figsize=(HALF, 2.6), layout="constrained")
        _draw_shares(figure.subplots(), comparison)
        return svg(figure)


def agreement(pairs: Pairs) -> bytes:
    """SVG: every pair of samples by how far its states and its pixels are apart."""
    with drawing():
        figure = Figure(figsize=(HALF, 3.4), layout="constrained")
        _draw_pairs(figure.subplots(), pairs)
        return svg(figure)


def scatter(comparison: Comparison) -> bytes:
    """SVG: the samples in the plane that both sets together fill the most."""
    with drawing():
        figure = Figure(figsize=(HALF, 3.4), layout="constrained")
        _draw_plane(figure.subplots(), comparison)
        return svg(figure)


def overview(comparison: Comparison) -> bytes:
    """PNG of all that, with samples of both sides."""
    heights = [3.4, *([2.6] if comparison.test is not None else []), 4.2]
    with drawing():
        figure = Figure(figsize=(1.3 * WIDTH, sum(heights)), layout="constrained")
        engine = figure.get_layout_engine()
        assert engine is not None
        engine.set(w_pad=0.12, h_pad=0.08)  # type: ignore[call-arg]
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for name, side, axes in zip(
            "AB", (comparison.first, comparison.second), parts[0].subplots(1, 2), strict=True
        ):
            _draw_sheet(axes, name, side, display_shape(comparison))
        if comparison.test is not None:
            _draw_nulls(list(parts[1].subplots(1, 4)), comparison)
        columns = parts[-1].subfigures(1, 3 if comparison.pairs is not None else 2, squeeze=False)[0]
        if comparison.pairs is not None:
            _draw_pairs(columns[0].subplots(), comparison.pairs)
        _draw_plane(columns[-2].subplots(), comparison)
        *lines, last = columns[-1].subplots(4, 1, height_ratios=(1, 1, 1, 2))
        _draw_distances(lines, comparison)
        _draw_shares(last, comparison)
        return png(figure, 120)


def sheet(images: Array) -> Pixels:
    """RGB of images (S, rows, columns) from 0 to 1, side by side on white, in about twice as many columns as rows."""
    count, high, wide = images.shape
    across = max(1, min(count, round((2 * count * high / wide) ** 0.5)))
    down = -(-count // across)
    canvas = np.full((down * (high + _GAP) - _GAP, across * (wide + _GAP) - _GAP, 3), 255, dtype=np.uint8)
    for k, image in enumerate(images):
        y, x = (k // across) * (high + _GAP), (k % across) * (wide + _GAP)
        canvas[y : y + high, x : x + wide] = grey(bytes_of(image), 255)
    return canvas


def bytes_of(pixels: Array) -> npt.NDArray[np.int64]:
    """Pixels from 0 to 1 as 0 to 255."""
    return np.round(255 * np.clip(pixels, 0, 1)).astype(np.int64)


# -- panels ------------------------------------------


def _draw_sheet(axes: Axes, name: str, side: Side, shape: tuple[int, int]) -> None:
    images = side.pixels[:MOST_ON_SHEET].reshape(-1, *shape)
    axes.imshow(sheet(images), interpolation="nearest", aspect="equal" if shape[0] > 1 else "auto")
    axes.set_axis_off()
    more = f", the first {len(images)} of {side.samples}" if side.samples > len(images) else ""
    axes.set_title(f"{name}: {side.origin}{more}")


def _draw_nulls(panels: list[Axes], comparison: Comparison) -> None:
    """What rearrangements of the samples give, and what the samples themselves do."""
    assert comparison.test is not None
    for axes, (name, null) in zip(panels, comparison.test.figures.items(), strict=True):
        axes.hist(
            null.values, bins=30, range=_range_of(null.values), color=FAINT, alpha=0.4, label="rearranged"
        )
        axes.axvline(null.limit, color=INK, lw=1.0, ls=(0, (4, 3)), label="95 % are below")
        axes.axvline(null.measured, color=RED if null.p < ALPHA else BLUE, lw=2.0, label="measured")
        axes.set_title(f"{name}\np = {null.p:.2g}")
        axes.yaxis.set_major_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.ticklabel_format(axis="x", scilimits=(-3, 4), useMathText=True)
        axes.grid(axis="y", visible=False)
    panels[0].set_ylabel("rearrangements")
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.04), handlelength=1.4)


def _range_of(values: Array) -> tuple[float, float]:
    """From the smallest to the largest, with some room if they hardly differ."""
    low, high = float(values.min()), float(values.max())
    room = (
        max(1e-6 * max(abs(low), abs(high)), 1e-12)
        if high - low < 1e-6 * max(abs(low), abs(high), 1e-6)
        else 0.0
    )
    return low - room, high + room


def _draw_distances(panels: list[Axes], comparison: Comparison) -> None:
    """Estimates with intervals, each on its own scale from 0."""
    quality = comparison.quality
    for axes, (name, metric) in zip(panels, (
        ("sliced Wasserstein", quality.sliced_wasserstein), ("energy distance", quality.energy),
        ("MMD²", quality.mmd_squared),
    ), strict=True):  # fmt: skip
        shown = metric.estimate if np.isfinite(metric.estimate) else metric.measured
        known = np.isfinite(metric.low)
        axes.axvline(0, color=FAINT, lw=0.8)
        if name == "sliced Wasserstein" and comparison.lsb is not None and known:
            axes.axvline(comparison.lsb, color=ORANGE, lw=1.4)
            axes.annotate("1 LSB", (comparison.lsb, 1), (3, -2), xycoords=("data", "axes fraction"),
                          textcoords="offset points", va="top", size=7.5, color=ORANGE)  # fmt: skip
        if np.isfinite(shown):
            axes.errorbar(shown, 0, xerr=_arms(metric), fmt="o", color=BLUE, ms=6, capsize=4, lw=1.6,
                          mfc=BLUE if known else "white")  # fmt: skip
        axes.set(yticks=[0], yticklabels=[name], ylim=(-1, 1))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(axis="x", scilimits=(-3, 4), useMathText=True)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.08)
    panels[0].set_title("Estimated distances, 95 %")


def _arms(metric: Metric) -> npt.NDArray[np.float64]:
    """Lengths of the error bars below and above; none where there is no interval."""
    arms = np.array([[metric.estimate - metric.low], [metric.high - metric.estimate]])
    return np.asarray(np.nan_to_num(np.maximum(arms, 0.0)))


def _draw_shares(axes: Axes, comparison: Comparison) -> None:
    quality, test = comparison.quality, comparison.test
    rows = [("precision", quality.precision, test.precision if test else np.nan),
            ("recall", quality.recall, test.recall if test else np.nan)]  # fmt: skip
    for y, (name, metric, expected) in enumerate(reversed(rows)):
        if not np.isfinite(metric.measured):
            axes.annotate(f"{name}: too few samples", (0.5, y), ha="center", va="center", color=FAINT)
            continue
        axes.errorbar(metric.estimate, y, xerr=_arms(metric), fmt="o", color=BLUE, ms=6, capsize=4, lw=1.6,
                      label="measured, 95 %" if y else None)  # fmt: skip
        axes.plot([expected] * 2, [y - 0.28, y + 0.28], color=INK, lw=1.6, ls=(0, (2, 1.5)),
                  label="one distribution" if y else None)  # fmt: skip
    axes.set(
        xlim=(0, 1.02), ylim=(-0.6, 1.6), yticks=range(2), yticklabels=[name for name, *_ in reversed(rows)]
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid(axis="y", visible=False)
    axes.set_title("Precision and recall")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.42, -0.2), ncols=2, handlelength=1.4, columnspacing=1.2
        )


def _draw_pairs(axes: Axes, pairs: Pairs) -> None:
    """A dot a pair: rms error of the states across, of the pixels up; red where codes are beyond 1 LSB."""
    axes.set_title("Sample by sample")
    comparable = bool(np.isfinite(pairs.state_rms).all())  # cores of other families have no states in common
    x = pairs.state_rms if comparable else pairs.index.astype(np.float64)
    y = pairs.pixel_rms
    axes.set(
        xlabel="states at the end (rms)" if comparable else "sample", ylabel="pixels (rms, of full scale)"
    )
    if comparable:
        x = _log_scale(axes, "x", x)
    y = _log_scale(axes, "y", y)
    beyond = pairs.within_1lsb < 1
    known = np.isfinite(pairs.within_1lsb).any()
    for chosen, colour, name in (
        (~beyond, BLUE, "all codes within 1 LSB" if known else "pairs"), (beyond, RED, "some beyond 1 LSB"),
    ):  # fmt: skip
        if chosen.any():
            axes.scatter(
                x[chosen], y[chosen], s=16, color=colour, alpha=0.75, lw=0, label=f"{name}: {chosen.sum()}"
            )
    for k in np.argsort(-y)[:3]:
        axes.annotate(
            f"{pairs.index[k]}", (x[k], y[k]), (4, 2), textcoords="offset points", size=7.5, color=FAINT
        )
    axes.legend(loc="upper left", handletextpad=0.2, borderaxespad=0.2)


_EQUAL = 1e-9  # stands for 0 on a logarithmic scale


def _log_scale(axes: Axes, which: Literal["x", "y"], values: Array) -> Array:
    """Makes an axis logarithmic if the values need it; what is 0 is put at its lower end then."""
    positive = values[values > 0]
    if len(positive) and (len(positive) < len(values) or positive.max() > 10 * positive.min()):
        axes.set(**{f"{which}scale": "log"})
        return np.maximum(values, min(_EQUAL, float(positive.min())))
    axes.locator_params(axis=which, nbins=5)
    axes.ticklabel_format(axis=which, scilimits=(-3, 4), useMathText=True)
    return values


def _draw_plane(axes: Axes, comparison: Comparison) -> None:
    """Both sets along the first two principal components of their features together."""
    axes.set_title("In the plane of largest variance")
    features = comparison.features
    if features[0].shape[1] < 2 or sum(len(part) for part in features) < 3:
        _say(axes, "nothing to draw")
        return
    pooled = np.concatenate(features)
    centred = pooled - pooled.mean(axis=0)
    _, size, axis = np.linalg.svd(centred, full_matrices=False)
    share = size**2 / max(float(np.sum(size**2)), 1e-300)
    plane = centred @ axis[:2].T
    count = len(features[0])
    if comparison.pairs is not None and len(plane) <= 2 * MOST_JOINED:
        ends = np.stack([plane[:count], plane[count:]], axis=1)
        axes.add_collection(LineCollection(list(ends), colors=FAINT, linewidths=0.5, alpha=0.4, zorder=1))
    rings: dict[str, Any] = {"s": 26, "facecolors": "none", "edgecolors": ORANGE, "linewidths": 1.1}
    dots: dict[str, Any] = {"s": 6, "color": ORANGE, "alpha": 0.45, "lw": 0}
    axes.scatter(
        plane[count:, 0], plane[count:, 1], label="B", **(dots if len(plane) > MOST_RINGS else rings)
    )
    axes.scatter(plane[:count, 0], plane[:count, 1], s=10, color=BLUE, alpha=0.9, lw=0, label="A")
    axes.set(xlabel=f"first component ({share[0]:.0%})", ylabel=f"second ({share[1]:.0%})")
    axes.legend(loc="upper right", ncols=2, handletextpad=0.1, borderaxespad=0.2, columnspacing=0.8)


def _say(axes: Axes, text: str) -> None:
    axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=FAINT)
