"""Cells by name: those that are built in, and a user's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from device_models.corners import CORNERS, CornerName
from device_models.lc_cell import CAPACITANCE, lc_cell
from device_models.lc_oscillator import LIMITED, Limiter
from device_models.oscillator_cell import OscillatorCell
from device_models.ring_oscillator import ring_cell
from netlists.cell_file import CellFileError, read_cell
from netlists.lc_design import design_lc

LC_FREQUENCY, LC_LEVELLING, LC_QUALITY, LC_POINTS = 100e6, 2.0, 2.0, 64


@dataclass(frozen=True)
class Tank:
    """The tanks of the level ``lc``: hertz, Q, and farad."""

    frequency: float
    quality: float
    capacitance: float

    def epsilon(self, limiter: Limiter, levelling: float) -> float:
        """ε of a cell with this tank: of the levelled one, whose conductance makes up for any loss, the levelling."""
        return levelling if limiter == "levelled" else 1 / self.quality


def level_tank(quality: float = LC_QUALITY, corner: CornerName = "typical") -> Tank:
    """What is designed for a quality, as it is at a corner: inductors are what they are drawn as."""
    off = CORNERS[corner]
    detuned = math.sqrt(off.capacitance)
    return Tank(LC_FREQUENCY / detuned, quality * detuned / off.loss, CAPACITANCE * off.capacitance)


def level_lc(
    limiter: Limiter = "levelled", levelling: float = LC_LEVELLING, quality: float = LC_QUALITY,
    points: int = LC_POINTS, corner: CornerName = "typical",
) -> OscillatorCell:  # fmt: skip
    """An LC cell of the level ``lc``, tuned to run at its frequency in the steps of the level."""
    tank = level_tank(quality, corner)
    epsilon = tank.epsilon(limiter, levelling)
    design = design_lc(epsilon, points_per_cycle=points, family_name=LIMITED[limiter].family)
    cell = lc_cell(
        tank.frequency, epsilon, capacitance=tank.capacitance, limiter=limiter, inductance=design.inductance
    )
    return replace(cell, points_per_cycle=points)


BUILT_IN: Mapping[str, Callable[..., OscillatorCell]] = {
    "lc": level_lc, "ring": ring_cell, "van-der-pol": lc_cell,
    "differential-pair": partial(level_lc, "tanh"),
}  # fmt: skip
_AT_CORNERS = frozenset({"lc", "ring", "differential-pair"})


def find_cell(
    name: str, *, trust_includes: bool = False, corner: CornerName = "typical", kelvin: float | None = None
) -> OscillatorCell:
    """A built-in cell, or the one that a TOML file describes.

    Args:
        name: of the cell, or the file's path.
        trust_includes: model files that the TOML names are read.
        corner: of the process.
        kelvin: the simulator's temperature, for the ring and a cell of a file; in the others nothing depends on it.

    Raises:
        CellFileError: there is no such cell, no such corner of it, or the file can't be used.
    """
    path = Path(name)
    if name in BUILT_IN:
        if corner != "typical" and name not in _AT_CORNERS:
            raise CellFileError(path, [f"corner {corner}: the cell has none, only typical"])
        at = {"corner": corner} if name in _AT_CORNERS else {}
        return BUILT_IN[name](**at, **({"kelvin": kelvin} if name == "ring" else {}))
    if not path.is_file():
        known = ", ".join(BUILT_IN)
        raise CellFileError(path, [f"neither a built-in cell ({known}) nor a TOML file that is there"])
    return read_cell(path, trust_includes=trust_includes, corner=corner, kelvin=kelvin)
