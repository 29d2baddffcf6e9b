"""How a cell is tuned: what its frequency does when the parameter changes that it can be set by."""

from __future__ import annotations

import numpy as np

from device_models.oscillator_cell import OscillatorCell
from emulator.cell_runs import CellFault
from emulator.limit_cycle import FreeRun, free_run
from emulator.simulator import Simulator
from netlists.characterization import Tuning
from netlists.tuning import tuned_default, with_default

_CHANGE = 0.1  # ln of the parameter; a ring's frequency is quadratic in its logarithm to 1e-5 up to there


def measured_tuning(simulator: Simulator, cell: OscillatorCell, free: FreeRun) -> Tuning:
    """From cells that run free with ``cell.tuning`` a little lower and a little higher; ``free`` is the cell as it is.

    Raises:
        CellFault: it does not oscillate there.
        BenchFailed: as of ``free_run``.
    """
    default, f0 = tuned_default(cell), free.steps.frequency
    low, high = (
        float(np.log(_run(simulator, cell, default * float(np.exp(u)), free) / f0))
        for u in (-_CHANGE, _CHANGE)
    )
    return Tuning(
        cell.tuning, default, (high - low) / (2 * _CHANGE), (high + low) / _CHANGE**2, reach=_CHANGE
    )


def _run(simulator: Simulator, cell: OscillatorCell, value: float, free: FreeRun) -> float:
    """Hertz."""
    try:
        return free_run(simulator, with_default(cell, value), free.steps.points).steps.frequency
    except CellFault as fault:
        raise type(fault)(f"with {cell.tuning} = {value:.4g}, to see what it does: {fault}") from fault
