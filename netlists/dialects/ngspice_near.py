"""Writes a deck for ngspice that looks for an operating point next to given voltages: of several, the one meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from device_models.printers.ngspice import number
from netlists.design import Design, OperatingPoint
from netlists.dialects.deck import write_files
from netlists.dialects.spice_ngspice import NGSPICE_DIALECT
from netlists.dialects.write import joined_deck


def write_near_deck(design: Design, volts: Mapping[str, float]) -> str:
    """The deck as one text.

    Args:
        design: with an operating point as its analysis.
        volts: by node of the bench. They are held until the others have been found, and then let go.

    Raises:
        ValueError: an analysis of another kind.
    """
    if not isinstance(design.analysis, OperatingPoint):
        raise ValueError("needs a design at rest, received a transient")
    dialect = replace(NGSPICE_DIALECT, run=partial(_run, volts=volts))
    return joined_deck(write_files(design, dialect), dialect)


def _run(design: Design, volts: Mapping[str, float]) -> Sequence[str]:
    return [
        *(f".nodeset v({node})={number(value)}" for node, value in volts.items()),
        *NGSPICE_DIALECT.run(design),
    ]
