"""The figure of a characterisation: waveform, phase sensitivity, coupling functions, lock range."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emulator.canvas import BLUE, FAINT, INK, LINES, ORANGE, WIDTH, drawing, png
from emulator.cell_runs import series
from netlists.characterization import Characterization

_DPI = 130
_TURN = np.linspace(0, 2, 241)  # in units of π
_MOST_SIGNALS = 8


def cell_figure(found: Characterization) -> bytes:
    """PNG."""
    with drawing():
        figure = Figure(figsize=(1.25 * WIDTH, 7.6), layout="constrained")
        panels: dict[str, Axes] = figure.subplot_mosaic("wph;ggl", width_ratios=(1.2, 1.2, 0.9))
        _waveform(panels["w"], found)
        _sensitivity(panels["p"], found)
        _harmonics(panels["h"], found)
        _coupling(panels["g"], found)
        _lock(panels["l"], found)
        for name in "wpg":
            panels[name].set_xlim(0, 2)
            panels[name].set_xticks([0, 0.5, 1, 1.5, 2], ["0", "π/2", "π", "3π/2", "2π"])
        return png(figure, _DPI)


def _waveform(axes: Axes, found: Characterization) -> None:
    cycle = found.cycle
    volts = [k for k, name in enumerate(cycle.signals) if name.startswith("v(")][:_MOST_SIGNALS]
    for colour, k in zip(LINES, volts, strict=False):
        axes.plot(cycle.phase / np.pi, cycle.values[:, k], color=colour, lw=1.4, label=cycle.signals[k])
    fundamental = found.mean_v + found.amplitude_v * np.cos(np.pi * _TURN)
    axes.plot(_TURN, fundamental, color=INK, lw=0.9, ls=(0, (4, 3)), label="fundamental")
    axes.set_title(f"{found.f0_hz / 1e6:.5g} MHz, {found.power_w * 1e6:.3g} µW")
    axes.set_xlabel("phase θ")
    axes.set_ylabel("V")
    _legend_below(axes, 3)


def _sensitivity(axes: Axes, found: Characterization) -> None:
    for colour, (port, ppv) in zip(LINES, found.ppv.items(), strict=False):
        axes.plot(ppv.phase / np.pi, ppv.value * 1e-15, "o", ms=3, color=colour, label=f"at {port}")
        axes.plot(_TURN, series(ppv.harmonics, np.pi * _TURN) * 1e-15, color=colour, lw=1.2)
    axes.set_title("Phase sensitivity (PPV)")
    axes.set_xlabel("phase θ at which charge came")
    axes.set_ylabel("rad per fC")
    _legend_below(axes, 3)


def _harmonics(axes: Axes, found: Characterization) -> None:
    width = 0.8 / max(len(found.ppv), 1)
    for k, (colour, ppv) in enumerate(zip(LINES, found.ppv.values(), strict=False)):
        shown = np.abs(ppv.harmonics[:6]) * 1e-15
        axes.bar(
            np.arange(len(shown)) + (k - (len(found.ppv) - 1) / 2) * width, shown, color=colour, width=width
        )
    axes.set_title("its harmonics")
    axes.set_xlabel("harmonic")
    axes.grid(axis="x", visible=False)


def _legend_below(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.05, -0.16), ncols=columns, columnspacing=1.2, handlelength=1.4
    )


def _coupling(axes: Axes, found: Characterization) -> None:
    for colour, (key, gamma) in zip(LINES, found.coupling.items(), strict=False):
        size = abs(gamma.gain) or 1.0
        label = f"{key}, lag {gamma.lag:+.2f} rad".replace(" -", " −")
        axes.plot(gamma.phase / np.pi, gamma.rate / size, "o", ms=3, color=colour, label=label)
        axes.plot(_TURN, series(gamma.harmonics[:2], np.pi * _TURN) / size, color=colour, lw=1.1)
    axes.set_title("Coupling functions; lines: mean and first harmonic")
    axes.set_xlabel("phase difference, receiver less sender")
    axes.set_ylabel("Γ in units of its sine's amplitude")
    _legend_below(axes, 2)


def _lock(axes: Axes, found: Characterization) -> None:
    shil = found.shil
    if shil is None:
        axes.set_title("Injection locking: not measured")
        axes.set_axis_off()
        return
    sweep = shil.sweep_hz / 1e3
    axes.axvspan(*(shil.predicted_hz / 1e3), color=BLUE, alpha=0.12, lw=0, label="predicted")
    for held, colour, label in ((True, BLUE, "locked"), (False, ORANGE, "not locked")):
        chosen = shil.locked == held
        axes.plot(
            sweep[chosen],
            np.where(held, 1.0, 0.0) * np.ones(chosen.sum()),
            "o",
            ms=4,
            color=colour,
            label=label,
        )
    for edge in shil.measured_hz / 1e3:
        axes.axvline(edge, color=FAINT, lw=0.9, ls=(0, (4, 3)))
    unit = "A" if shil.kind == "current" else "S"
    axes.set_title(f"Injection locking at {shil.current:.2g} {unit}")
    axes.set_xlabel("half the injection's frequency less f₀, kHz")
    axes.xaxis.set_major_locator(MaxNLocator(4))  # of a narrow panel
    axes.set_ylim(-0.5, 1.5)
    axes.set_yticks([0, 1], ["slips", "locked"])
    _legend_below(axes, 3)
