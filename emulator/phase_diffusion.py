"""How fast phases diffuse, from the phases of free oscillators that were read in windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netlists.core import Array

_LAG_WINDOWS = 4  # increments over that many windows, so that these overlap little


@dataclass(frozen=True)
class Diffusion:
    """Variance of a phase per unit of time, and the standard error of that."""

    rate: float
    error: float


def phase_diffusion(time: Array, phase: Array, window: float) -> Diffusion:
    """The diffusion of phases that nothing holds.

    A phase read over a window w is its mean over that, which takes w/3 of the lag off the variance of an increment.

    Args:
        time: (R,) middles of the windows, equally far apart.
        phase: (R, M) rad, unwrapped, of M independent oscillators.
        window: w, in the unit of ``time``.

    Raises:
        ValueError: the run is too short for two increments.
    """
    stride = max(1, math.ceil(_LAG_WINDOWS * window / float(time[1] - time[0]) - 1e-9))
    increments = np.diff(phase[::stride], axis=0)
    if len(increments) < 2:
        raise ValueError(f"{len(time)} windows are too few to see a diffusion: give a longer run")
    lag = stride * float(time[1] - time[0]) - window / 3
    # a mean drift is a frequency, not diffusion
    drift = increments.mean()
    rate = float(np.mean((increments - drift) ** 2) / lag)
    return Diffusion(rate, rate * math.sqrt(2 / increments.size))
