"""Cells by name: those that are built in, and a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from device_models.lc_cell import lc_cell
from device_models.lc_oscillator import LIMITED, Limiter
from device_models.oscillator_cell import OscillatorCell
from device_models.ring_oscillator import ring_cell
from netlists.cell_file import CellFileError, read_cell
from netlists.lc_design import design_lc

LC_FREQUENCY, LC_LEVELLING, LC_QUALITY, LC_POINTS = 100e6, 2.0, 2.0, 64


def level_lc(
    limiter: Limiter = "levelled", epsilon: float = LC_LEVELLING, points: int = LC_POINTS
) -> OscillatorCell:
    """An LC cell of the level ``lc``, tuned to run at its frequency in the steps of the level."""
    design = design_lc(epsilon, points_per_cycle=points, family_name=LIMITED[limiter].family)
    cell = lc_cell(LC_FREQUENCY, epsilon, limiter=limiter, inductance=design.inductance)
    return replace(cell, points_per_cycle=points)


BUILT_IN: Mapping[str, Callable[[], OscillatorCell]] = {
    "lc": level_lc, "ring": ring_cell, "van-der-pol": lc_cell,
    "differential-pair": partial(level_lc, "tanh", 1 / LC_QUALITY),
}  # fmt: skip


def find_cell(name: str, *, trust_includes: bool = False) -> OscillatorCell:
    """A built-in cell, or the one that a TOML file describes.

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
