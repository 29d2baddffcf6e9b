"""The figure of a run at a waveform level: first and last cycles, and phases in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emulator.axes import mark_chunks, ticks_of_pi, time_axes
from emulator.canvas import INK, LINES, WIDTH, drawing, png
from emulator.sinks import Waveform
from netlists.core import AnalogCore, Array


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
        ticks_of_pi(axes)
        mark_chunks(core, [axes])
        time_axes(core, [axes], seconds_per_unit)
        return png(figure, 130)


def _cycles(axes: Axes, excerpt: Waveform) -> None:
    for colour, values in zip(LINES, excerpt.values.T, strict=False):
        axes.plot(excerpt.time * 1e9, values, color=colour, lw=1.3)
    axes.set_xlabel("time (ns)")
    axes.margins(x=0)
