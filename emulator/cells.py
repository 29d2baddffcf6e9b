"""Cells by name: those that are built in, and a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from device_models.lc_cell import lc_cell
from device_models.oscillator_cell import OscillatorCell
from device_models.ring_oscillator import ring_cell
from netlists.cell_file import CellFileError, read_cell

BUILT_IN: Mapping[str, Callable[[], OscillatorCell]] = {"lc": lc_cell, "ring": ring_cell}


def find_cell(name: str, *, trust_includes: bool = False) -> OscillatorCell:
    """``lc``, ``ring``, or the cell that a TOML file describes.

    Raises:
        CellFileError: there is no such cell, or the file can't be used.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    path = Path(name)
    if not path.is_file():
        known = ", ".join(BUILT_IN)
        raise CellFileError(path, [f"neither a built-in cell ({known}) nor a TOML file that is there"])
    return read_cell(path, trust_includes=trust_includes)
