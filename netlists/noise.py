"""White noise on every state: dx_i = f_i dt + σ dW_i, as currents that a circuit and its reference can both be given.

On a grid of model times t_k = k·h the rate ξ_i = (σ/√h) n_{i,k} with the independent normal numbers of
``device_models.noise``, and between grid points it is linear. Its power spectral density is σ² sinc⁴(f h): σ² at low
frequencies, where the state walks as it would under dW, and less from about 1/(2h) on. A state that relaxes at a rate λ
is therefore a little quieter than under white noise: by ``kept_variance``, about 1 − λh/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

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
DEFECT = 3e-5  # rad rms, of the worst windows of the trained digits without noise
_RELTOL = 1e-6  # tolerance at which they have that
_TYPICAL = 0.35  # slope of the digits' rates, over the bound on it that ``fastest_rate`` is


class NoiseError(ValueError):
    """Noise that can't be made as asked; the message says why and what to ask for."""


@dataclass(frozen=True, eq=False)
class Mixing:
    """How independent sources act on the nodes together; one is equal to itself alone.

    Attributes:
        matrix: (N, E), rate of each node for a source's number of one.
    """

    matrix: Array


@dataclass(frozen=True)
class NoiseGrid:
    """The noise of a run.

    Attributes:
        sigma: σ, state unit per root of model time.
        step: h, model time between grid points.
        seed: of the run.
        mixing: of independent sources into the nodes, which are then driven from outside; None for a source a node.
    """

    sigma: float
    step: float
    seed: int
    mixing: Mixing | None = None

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
    @property
    def orders(self) -> tuple[int, ...]: ...

    def rates(self, nodes: int, duration: float) -> npt.NDArray[Any]:
        """At 0, ``step``, … up to the end or beyond: (K+1, N) ξ if there are no orders, or for each of the H orders k
        (K+1, N, H) complex a_k of a rate Re Σ_k a_k exp(ikx) of a phase x."""


@dataclass(frozen=True)
class Noise:
    """The noise of a sample: what every number of it follows from."""

    grid: NoiseGrid
    sample: int

    orders: ClassVar[tuple[int, ...]] = ()

    @property
    def step(self) -> float:
        """Of the grid."""
        return self.grid.step

    def rates(self, nodes: int, duration: float) -> Array:
        """(K+1, N) ξ at ``grid.times(duration)``."""
        grid, count = self.grid, _intervals(duration, self.grid.step) + 1
        if grid.mixing is None:
            return grid.amplitude * normals(grid.seed, self.sample, nodes, 0, count)
        drawn = normals(grid.seed, self.sample, grid.mixing.matrix.shape[1], 0, count)
        return np.asarray(grid.amplitude * (drawn @ grid.mixing.matrix.T))


def _intervals(duration: float, step: float) -> int:
    return math.ceil(duration / step - 1e-9)


def noise_grid(
    core: AnalogCore, asked: NonIdealities, rows: int, seed: int
) -> tuple[NoiseGrid | None, tuple[str, ...]]:
    """The grid of a run, and remarks for the user; None without noise.

    Unless told otherwise h is a row over a whole number, so that rows fall on grid points, as fine as the fastest node
    asks for (within bounds, for the solver takes a step a grid point, or several).

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
    fastest = fastest_rate(core)
    default = _default_step(core, rows, fastest)
    step = asked.noise_step or default
    if step > core.duration:
        raise NoiseError(
            f"noise_step: {step:g} is longer than the run, which lasts {core.duration:g} model time units"
        )
    if _intervals(core.duration, step) * core.nodes > MOST_NUMBERS:
        raise NoiseError(
            f"noise_step: {step:g} makes more than {MOST_NUMBERS:.0e} numbers for {core.nodes} nodes and "
            f"{core.duration:g} model time units. Take a longer one, such as {default:g}."
        )
    grid = NoiseGrid(asked.noise, step, seed)
    lost = 1 - kept_variance(fastest * step)
    if lost <= 1.1 * LARGEST_LOSS:
        return grid, ()
    return grid, (
        f"noise on a grid of {step:g} model time units is slow for the fastest nodes of this core, which may relax at "
        f"{fastest:.3g} per model time unit: their variance comes out up to {lost:.0%} low. "
        f"A noise_step of {2 * LARGEST_LOSS / fastest:.2g} would leave {LARGEST_LOSS:.0%}.",
    )  # fmt: skip


def checked_seed(seed: int) -> int:
    """``seed``, if the generator takes it; NoiseError otherwise."""
    if seed >= LARGEST_KEY:
        raise NoiseError(f"the seed {seed} is too large for noise: take one below 2^63")
    return seed


def _default_step(core: AnalogCore, rows: int, fastest: float) -> float:
    """Of the grid: a row over a whole number."""
    row = core.duration / rows
    per_row = math.ceil(row * fastest / (2 * LARGEST_LOSS))
    return row / min(max(per_row, _FEWEST), _MOST)


def solver_step(core: AnalogCore, grid: NoiseGrid, rows: int, reltol: float) -> float:
    """Model time of the equal steps in which a solver should go from grid point to grid point.

    The trapezoidal rule in steps of s leaves a state at a grid point off by f' ξ s²/12, since between two of them the
    noise bends it. The steps are short enough for a window of the cross-check, with such an error at either end, to be
    as good as under control of the local error without noise, where the trained digits have ``DEFECT`` and it goes as
    the tolerance to the power of ⅔; and no longer than the core itself asks for.
    """
    fastest, looser = fastest_rate(core), reltol / _RELTOL
    allowed = _default_step(core, rows, fastest) * min(1.0, math.cbrt(looser))
    bent = math.sqrt(2) * _TYPICAL * fastest * grid.amplitude * grid.step**2 / 12
    pieces = max(grid.step / allowed, math.sqrt(bent / (DEFECT * math.cbrt(looser**2))))
    return grid.step / max(1, math.ceil(pieces - 1e-9))


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
