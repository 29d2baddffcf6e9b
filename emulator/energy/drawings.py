"""Figures of ``ais energy`` as SVG: energy along degree, bits and cycles; its parts; what the published figures allow.

Published points are open circles of a colour of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon as Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from emulator.canvas import BLUE, FAINT, INK, LINES, ORANGE, RED, WIDTH, drawing, svg
from emulator.energy.extrapolation import as_published, strips
from emulator.energy.feasible import Polygon, Strip
from emulator.energy.figure import EnergyFigure
from emulator.energy.overview import Overview
from emulator.energy.published import DIGITAL, SILICON, PublishedEnergy, ais_figures
from emulator.energy.settings import EnergySettings
from emulator.energy.terms import with_terms
from emulator.energy.words import PART_NAMES, in_joules, share_of
from netlists.core import Array

_POINTS = 60  # of a curve
_MOST_BITS = 12
_CORE = ("oscillators", "couplers")


def curves(found: Overview) -> bytes:
    """SVG of the energy along degree, bits and cycles, all else as asked; bands are intervals."""
    with drawing():
        figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
        panels = list(figure.subplots(1, 3, sharey=True))
        settings = found.settings
        most = max(settings.nodes - 1, 2)
        degrees = np.geomspace(1, most, _POINTS).tolist()
        bits = range(1, max(_MOST_BITS, settings.bits) + 1)
        cycles = np.geomspace(settings.cycles / 100, settings.cycles * 100, _POINTS).tolist()
        _along(panels[0], settings, "mean_degree", degrees, "couplings a node")
        _along(panels[1], settings, "bits", bits, "bits of a weight")
        _along(panels[2], settings, "cycles", cycles, "cycles of a sample")
        for axes in (panels[0], panels[2]):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        panels[1].set_xticks(bits[1::2])
        panels[0].set_yscale("log")
        _in_joules(panels[0])
        panels[0].set_ylabel("energy of a sample")
        # of all panels, as published points need not be in the first, or in any
        shown = {
            label: handle
            for axes in panels
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            shown.values(),
            shown.keys(),
            loc="outside upper left",
            ncols=4,
            handlelength=1.8,
            columnspacing=1.6,
        )
        return svg(figure)


def _along(axes: Axes, settings: EnergySettings, name: str, values: Sequence[float], label: str) -> None:
    """Both figures along one setting, with intervals; published points of just these other settings."""
    kept = {"wire_pitches": None} if name == "mean_degree" else {}
    for figure_of, colour, said in (
        (with_terms, ORANGE, "with what it leaves out"),
        (as_published, BLUE, "as published"),
    ):
        found = [figure_of(settings.model_copy(update=kept | {name: value})) for value in values]
        _band(axes, values, found, colour, said)
    low, high = DIGITAL[0].low, DIGITAL[0].high
    axes.axhspan(low, high, color=FAINT, alpha=0.18, lw=0, label=f"{DIGITAL[0].name}, published")
    shown = [figure for figure in ais_figures() if _on_the_curve(figure, settings, name)]
    for figure in shown:
        place = {"mean_degree": figure.degree, "bits": figure.bits, "cycles": figure.cycles}[name]
        axes.plot(
            place, figure.joules, "o", color=RED, mfc="white", ms=7, mew=1.6, zorder=5, label="published extrapolations"
        )  # fmt: skip
        axes.annotate(
            figure.text, (place, figure.joules), (-8, 4), textcoords="offset points", ha="right", va="bottom",
            size=8.5, color=RED,
        )  # fmt: skip
    axes.axvline(getattr(settings, name), color=FAINT, lw=0.9, ls=(0, (3, 3)), zorder=1.5)
    axes.set_xlabel(label)


def _band(axes: Axes, values: Sequence[float], found: Sequence[EnergyFigure], colour: str, said: str) -> None:
    low, high = np.array([figure.interval for figure in found]).T
    axes.fill_between(values, low, high, color=colour, alpha=0.22, lw=0)
    axes.plot(values, [figure.joules for figure in found], color=colour, lw=1.8, label=said)


def _on_the_curve(figure: PublishedEnergy, settings: EnergySettings, along: str) -> bool:
    """Whether a published configuration is the one asked for but for one setting."""
    pairs = {
        "mean_degree": (figure.degree, settings.mean_degree), "bits": (figure.bits, settings.bits),
        "cycles": (figure.cycles, settings.cycles), "nodes": (figure.nodes, settings.nodes),
        "f0_hz": (figure.f0_hz, settings.f0_hz),
    }  # fmt: skip
    return all(printed == asked for name, (printed, asked) in pairs.items() if name != along)


def parts(found: Overview) -> bytes:
    """SVG of the parts as horizontal bars on a logarithmic scale, with their ranges."""
    shares = found.whole.shares
    floor = found.whole.joules * 1e-5
    with drawing():
        figure = Figure(figsize=(WIDTH, 0.9 + 0.36 * len(shares)), layout="constrained")
        axes = figure.subplots()
        for row, share in enumerate(shares):
            colour = BLUE if share.part in _CORE else ORANGE
            if share.joules > floor:
                axes.barh(row, share.joules - floor, left=floor, height=0.58, color=colour, alpha=0.85)
            if share.high > floor:
                low, high = max(share.low, floor), share.high
                axes.plot([low, high], [row, row], color=INK, lw=1.2, zorder=3)
                ends = [
                    end for end in (share.low, high) if end > floor
                ]  # what reaches below the floor has none
                axes.plot(ends, [row] * len(ends), "|", color=INK, ms=7, mew=1.2, zorder=3)
            said = f"{in_joules(share.joules)}   {share_of(share.joules, found.whole.joules)}"
            axes.annotate(
                said if share.joules else "none", (1, row), (6, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", size=8.5,
            )  # fmt: skip
        axes.set_yticks(range(len(shares)), [PART_NAMES[share.part] for share in shares])
        axes.axhline(len(found.published.shares) - 0.5, color=FAINT, lw=0.9)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlim(floor, 1.6 * max(share.high for share in shares))
        axes.xaxis.set_major_locator(LogLocator(numticks=12))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: in_joules(value)))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("energy of a sample; lines are ranges")
        return svg(figure)


def _in_joules(axes: Axes) -> None:
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: in_joules(value)))


def allowed(found: Overview) -> bytes:
    """SVG of all a and b that give the published figures to their rounding, and of the pair that is taken."""
    fit = found.fit
    with drawing():
        figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
        axes = figure.subplots()
        corners = fit.polygon.vertices
        margin = 0.25 * np.ptp(corners, axis=0)
        low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        for colour, strip, printed in zip(LINES[2:], strips(ais_figures()), ais_figures(), strict=False):
            axes.add_patch(_strip(strip, (low, high), color=colour, alpha=0.14, lw=0, zorder=1))
            axes.fill_between(
                [], [], [], color=colour, alpha=0.25, lw=0, label=f"{printed.text}: {printed.name}"
            )
        axes.add_patch(_patch(fit.polygon, facecolor=BLUE, alpha=0.45, edgecolor=INK, lw=1.2, zorder=3))
        axes.add_patch(_patch(fit.narrowed, facecolor=BLUE, alpha=0.8, edgecolor="none", zorder=4))
        axes.fill_between([], [], [], color=BLUE, alpha=0.45, lw=0, label="all three, to their rounding")
        axes.fill_between(
            [],
            [],
            [],
            color=BLUE,
            alpha=0.95,
            lw=0,
            label=f"and {SILICON.watts * 1e6:.0f} µW a node of the measured chip",
        )
        axes.plot(
            fit.oscillator_uw, fit.coupling_uw, "o", color="white", mec=INK, ms=6, zorder=5, label="taken"
        )
        axes.set_xlabel("a: an oscillator (µW)")
        axes.set_ylabel("b: a coupling of 4 bits (µW)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), handlelength=1.2)
        return svg(figure)


def _patch(polygon: Polygon, **style: Any) -> Patch:
    return Patch(polygon.vertices, closed=True, **style)


def _strip(strip: Strip, box: tuple[Array, Array], **style: Any) -> Patch:
    """The strip between a's limits of the picture."""
    left, right = (float(bound[0]) for bound in box)
    ends = [
        (a, (bound - strip.first * a) / strip.second)
        for bound, order in ((strip.low, (left, right)), (strip.high, (right, left)))
        for a in order
    ]
    return Patch(ends, closed=True, **style)
