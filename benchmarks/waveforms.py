"""The README's waveforms: a sample of the 56 × 56 core at the level ``lc``, simulated cycle by cycle."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.cases import STRENGTH, WaveformRun, waveform_run
from emulator.waveform_figure import waveforms
from netlists.synthetic import window_core

SIDE = 56


def measure(cycles: float) -> WaveformRun:
    """Sample 0; minutes."""
    with tempfile.TemporaryDirectory() as folder:
        return waveform_run(window_core(SIDE, SIDE, strength=STRENGTH), cycles, Path(folder))


def save(run: WaveformRun, picture: Path) -> None:
    """Writes the figure as PNG."""
    check, states = run.comparison
    rows = run.observed.trajectory.rows(len(check.row_time) - 1)
    drawn = waveforms(run.core, run.observed.excerpts, (rows.time, rows.state, states), run.level.tau)
    picture.write_bytes(drawn)
