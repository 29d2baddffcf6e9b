"""White noise on every state: dx_i = f_i dt + σ dW_i, as currents that a circuit and its reference can both be given.

On a grid of model times t_k = k·h the rate ξ_i = (σ/√h) n_{i,k} with the independent normal numbers of
``device_models.noise``, and between grid points it is linear. Its power spectral density is σ² sinc⁴(f h): σ² at low
frequencies, where the state walks as it would under dW, and less from about 1/(2h) on. A state that relaxes at a rate λ
is therefore a little quieter than under white noise: by ``kept_variance``, about 1 − λh/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_models.noise import LARGEST_KEY, normals
from netlists.core import AnalogCore, Array
from netlists.non_idealities import NonIdealities
from netlists.stiffness import fastest_rate

MOST_NUMBERS = 10**8
LARGEST_LOSS = 0.1  # of the variance of the fastest node
# ngspice begins anew behind a breakpoint with a step of backward Euler of a tenth of the way to the next one. Without
# control of the local error that step's, of order h², would be the largest of all: a second breakpoint makes it small.
FIRST_STRETCH = 0.05  # of the noise's grid step
_FEWEST, _MOST = 2, 8  # grid points a row, where the user asks for no grid of their own


class NoiseError(ValueError):
    """Noise that can't be made as asked; the message says why and what to ask for."""


@dataclass(frozen=True)
class NoiseGrid:
    """The noise of a run.

    Attributes:
        sigma: σ, state unit per root of model time.
        step: h, model time between grid points.
        seed: of the run.
        substeps: equal steps of the solver between two grid points.
    """

    sigma: float
    step: float
    seed: int
    substeps: int = 1

    @property
    def solver_step(self) -> float:
        """Model time of the solver's steps."""
        return self.step / self.substeps

    @property
    def amplitude(self) -> float:
        """σ/√h, the standard deviation of the rate at a grid point."""
        return self.sigma / math.sqrt(self.step)

    def times(self, duration: float) -> Array:
        """(K+1,) grid points 0, h, … up to the first one at a run's end or beyond."""
        return self.step * np.arange(0.0, _intervals(duration, self.step) + 1)


class Driving(Protocol):
    """The noise of a sample as a reference sees it: linear between grid points ``step`` of model time apart."""

    @property
    def step(self) -> float: ...

    def rates(self, nodes: int, duration: float) -> npt.NDArray[Any]:
        """(K+1, N) at 0, ``step``, … up to the end or beyond: ξ, or complex a of a rate Re(a exp(ix)) of a phase x."""


@dataclass(frozen=True)
class Noise:
    """The noise of a sample: what every number of it follows from."""

    grid: NoiseGrid
    sample: int

    @property
    def step(self) -> float:
        """Of the grid."""
        return self.grid.step

    def rates(self, nodes: int, duration: float) -> Array:
        """(K+1, N) ξ at ``grid.times(duration)``."""
        count = _intervals(duration, self.grid.step) + 1
        return self.grid.amplitude * normals(self.grid.seed, self.sample, nodes, 0, count)


def _intervals(duration: float, step: float) -> int:
    return math.ceil(duration / step - 1e-9)


def noise_grid(
    core: AnalogCore, asked: NonIdealities, rows: int, seed: int
) -> tuple[NoiseGrid | None, tuple[str, ...]]:
    """The grid of a run, and remarks for the user; None without noise.

    Unless told otherwise h is a row over a whole number, so that rows fall on grid points, as fine as the fastest node
    asks for (within bounds, for the solver takes a step a grid point).

    Args:
        core: the weights.
        asked: σ, and h if the user wants another.
        rows: of the run.
        seed: of the run.

    Raises:
        NoiseError: a grid step longer than the run, too many grid points, or a seed beyond the generator's.
    """
    if not asked.noise:
        return None, ()
    checked_seed(seed)
    row, fastest = core.duration / rows, fastest_rate(core)
    wanted = 2 * LARGEST_LOSS / fastest if fastest > 0 else math.inf
    per_row = min(max(math.ceil(row / wanted), _FEWEST), _MOST)
    step = asked.noise_step or row / per_row
    if step > core.duration:
        raise NoiseError(
            f"noise_step: {step:g} is longer than the run, which lasts {core.duration:g} model time units"
        )
    if _intervals(core.duration, step) * core.nodes > MOST_NUMBERS:
        raise NoiseError(
            f"noise_step: {step:g} makes more than {MOST_NUMBERS:.0e} numbers for {core.nodes} nodes and "
            f"{core.duration:g} model time units. Take a longer one, such as {row / per_row:g}."
        )
    grid = NoiseGrid(asked.noise, step, seed, max(1, math.ceil(step * per_row / row - 1e-9)))
    lost = 1 - kept_variance(fastest * step)
    if lost <= 1.1 * LARGEST_LOSS:
        return grid, ()
    return grid, (
        f"noise on a grid of {step:g} model time units is slow for the fastest nodes of this core, which may relax at "
        f"{fastest:.3g} per model time unit: their variance comes out up to {lost:.0%} low. "
        f"A noise_step of {wanted:.2g} would leave {LARGEST_LOSS:.0%}.",
    )  # fmt: skip


def checked_seed(seed: int) -> int:
    """``seed``, if the generator takes it; NoiseError otherwise."""
    if seed >= LARGEST_KEY:
        raise NoiseError(f"the seed {seed} is too large for noise: take one below 2^63")
    return seed


def kept_variance(rate_times_step: float) -> float:
    """Variance at grid points of dx = −λx dt + noise on a grid of h, over σ²/(2λ), its variance under white noise.

    With e = λh the state at the grid points is x' = a x + (A ξ + B ξ') h, a = exp(−e), where A and B are the integrals
    of exp(−e(1 − u)) times 1 − u and u over 0 … 1.
    """
    e = rate_times_step
    if e < 1e-3:
        return 1 - e / 2
    a = math.exp(-e)
    before, after = (1 - (1 + e) * a) / e**2, (e - 1 + a) / e**2
    return 2 * e * (before**2 + after**2 + 2 * a * before * after) / (1 - a * a)
