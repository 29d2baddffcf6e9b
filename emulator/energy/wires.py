"""How long the wires of a core's couplings are, before anybody laid it out."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from netlists.core import Array


def mean_pitches(nodes: int, degree: float) -> float:
    """Mean Manhattan length of a coupling's wire, in cell pitches, where nodes couple to all others in a window.

    Cells stand on a square grid whose edges clip the windows, which are square: inside the grid windows of side w
    have w² − 1 couplings of mean length w/2, and all-to-all on n × n cells has mean length 2n/3. Between two sizes
    of window, the wire of a node grows linearly with its degree. 0 without couplings.
    """
    if degree <= 0:
        return 0.0
    degrees, wire = _windows(math.isqrt(nodes - 1) + 1)
    return float(np.interp(degree, degrees, wire)) / degree


@lru_cache(maxsize=8)
def _windows(side: int) -> tuple[Array, Array]:
    """(side,) mean degree of windows of radius 0, 1, …, and (side,) pitches of wire a node that they have."""
    distance = np.arange(side, dtype=np.float64)
    # ordered pairs of a row of cells that are so far apart
    pairs = np.where(distance > 0, 2.0, 1.0) * (side - distance)
    count, length = np.cumsum(pairs), np.cumsum(pairs * distance)
    return count**2 / side**2 - 1, 2 * count * length / side**2
