"""Axes that several figures share: phases in multiples of π, model time, chunks, the grid of a core."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from emulator.canvas import FAINT
from netlists.core import AnalogCore


def ticks_of_pi(axes: Axes) -> None:
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


def mark_chunks(core: AnalogCore, panels: Sequence[Axes]) -> None:
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


def time_axes(core: AnalogCore, panels: Sequence[Axes], seconds_per_unit: float) -> None:
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


def grid_axes(axes: Axes, core: AnalogCore) -> None:
    """Rows and columns of the core: whole numbers, square cells unless the core is very long."""
    axes.grid(visible=False)
    axes.set(xlabel="column", ylabel="row")
    axes.set_aspect("equal" if max(core.shape) < 8 * min(core.shape) else "auto")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(9, integer=True, min_n_ticks=1))
