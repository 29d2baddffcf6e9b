"""Cells with frequencies of their own: what a subcircuit's parameter has to be for each."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from device_models.elements import RawBlock
from device_models.oscillator_cell import OscillatorCell
from device_models.printers.ngspice import number
from netlists.characterization import Tuning
from netlists.core import Array
from netlists.sizing import SizingError
from netlists.spice_text import spice_number

_FURTHEST = 1.0  # |ln| of a parameter's change, beyond which it is no means of tuning


def tuned_default(cell: OscillatorCell) -> float:
    """The default of ``cell.tuning``."""
    written = cell.block.parameters[cell.tuning]
    value = spice_number(written) if isinstance(written, str) else float(written)
    assert value  # a cell's file is checked for it
    return value


def with_default(cell: OscillatorCell, value: float) -> OscillatorCell:
    """The same cell with another default of ``cell.tuning``."""
    block, name = cell.block, cell.tuning
    if isinstance(block, RawBlock):
        first, rest = block.text.split("\n", 1)
        first = re.sub(rf"(?<!\w){name}\s*=\s*[^\s,]+", f"{name}={number(value)}", first, count=1)
        changed = {**block.parameters, name: number(value)}
        return replace(cell, block=replace(block, text=f"{first}\n{rest}", parameters=changed))
    return replace(cell, block=replace(block, parameters={**block.parameters, name: value}))


def tuned_values(tuning: Tuning, detuning: Array) -> Array:
    """(N,) values of the parameter for cells that run at 1 + ``detuning`` times the others' frequency.

    Raises:
        SizingError: the parameter can't do that.
    """
    a, b = tuning.sensitivity, tuning.curvature
    asked = np.log1p(detuning)
    inside = a**2 + 2 * b * asked
    # the root that goes to 0 with what is asked
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(asked == 0, 0.0, 2 * asked / (a + np.copysign(np.sqrt(inside), a)))
    lost = ~(np.abs(change) <= _FURTHEST)
    if lost.any():
        furthest = float(np.abs(detuning).max())
        raise SizingError(
            f"{tuning.parameter} moves the frequency by {a:.2g} % a per cent, too little for a cell that is detuned by "
            f"{furthest:.2%}. Take a smaller --detuning, or another parameter of the cell."
        )
    return np.asarray(tuning.default * np.exp(change))


def extrapolated(tuning: Tuning, values: Array) -> str | None:
    """A sentence on cells tuned further than was measured; None if none is."""
    change = values / tuning.default - 1
    beyond = np.abs(np.log1p(change)) > tuning.reach * (1 + 1e-9)
    if not beyond.any():
        return None
    return (
        f"{int(beyond.sum())} of {len(values)} cells have a {tuning.parameter} further from the others' than the "
        f"{np.expm1(tuning.reach):.0%} at which its effect was measured ({change[np.argmax(np.abs(change))]:+.0%} at "
        "most): their frequencies are extrapolated"
    )
