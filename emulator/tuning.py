"""How a cell is tuned: what its period does when the capacitor changes that its frequency can be set by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from device_models.elements import Block
from device_models.oscillator_cell import OscillatorCell
from emulator.limit_cycle import free_run
from emulator.simulator import Simulator
from netlists.core import Array

_CHANGE = 0.05  # of the capacitor; a ring's period is linear in it to 1e-5 up to twice that


def period_slope(simulator: Simulator, cell: OscillatorCell, points: int) -> float:
    """Relative change of the period over that of the capacitor ``cell.tuning``, from cells that run free with others.

    Raises:
        CellFault, BenchFailed: as of ``free_run``.
    """
    periods = [
        1 / free_run(simulator, _tuned(cell, change), points).steps.frequency
        for change in (-_CHANGE, 0.0, _CHANGE)
    ]
    return (periods[2] - periods[0]) / (2 * _CHANGE * periods[1])


def _tuned(cell: OscillatorCell, change: float) -> OscillatorCell:
    assert isinstance(cell.block, Block)
    nominal = cell.block.parameters[cell.tuning]
    return replace(
        cell,
        block=replace(cell.block, parameters={**cell.block.parameters, cell.tuning: nominal * (1 + change)}),
    )


def capacitor_changes(detuning: Array, slope: float) -> Array:
    """(N,) relative changes of the capacitors of cells that run at 1 + ``detuning`` times the others' frequency."""
    return np.asarray((1 / (1 + detuning) - 1) / slope)
