"""The figure of a waveform run: drawn from arrays, the same bytes for the same input."""

from __future__ import annotations

import numpy as np

from emulator.sinks import Waveform
from emulator.waveform_figure import waveforms
from netlists.synthetic import window_core


def test_waveforms_are_drawn_the_same_each_time() -> None:
    core = window_core(3, 3, chunks=2)
    nodes, time = core.node_names[::4], np.linspace(0.0, 5e-8, 100)
    wave = np.cos(2 * np.pi * 1e8 * time[:, None] + np.arange(len(nodes)))
    excerpts = [Waveform(nodes, time, wave), Waveform(nodes, time + 1e-5, wave)]
    states = np.linspace(0.0, 3.0, 9) * np.linspace(0.0, 1.0, 51)[:, None]
    phases = (np.linspace(0.0, core.duration, 51), states, states + 0.01)
    drawn = waveforms(core, excerpts, phases, 1e-6)
    assert drawn.startswith(b"\x89PNG")
    assert waveforms(core, excerpts, phases, 1e-6) == drawn
