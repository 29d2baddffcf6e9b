"""A rate driven by noise that is linear between grid points, integrated from grid point to grid point.

Between two of them all is smooth, and at them only the drive's slope jumps: so each stretch is a step of its own, of
Dormand and Prince's pair of order 5 (scipy's RK45). The rate is continuous, so a step's last is the next one's first. A
stretch on which the pair differs by more than ``TOLERANCE`` is halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from netlists.core import Array, Index
from netlists.noise import Driving

TOLERANCE: Final = 1e-6  # of a stretch, in state units: the whole run is then right to 1e-5
_HALVINGS = 30
_NEAR = 1e-9  # of the grid's step: what is as near to a grid point is there


class DrivenFailed(RuntimeError):
    """The rate can't be integrated; the message says why."""


@dataclass(frozen=True)
class Drive:
    """A sample's noise, to be asked for at any time.

    Attributes:
        step: model time between grid points.
        rates: (K+1, N) at the grid points: what is added to a rate; or (K+1, N, H) complex a_k of phases x, for
            Re Σ_k a_k exp(ikx).
        orders: (H,) the k of those.
    """

    step: float
    rates: npt.NDArray[Any]
    orders: tuple[int, ...] = ()

    def next_point(self, times: Array) -> Array:
        """(W,) the first grid point after each of the times."""
        return self.step * (np.floor(times / self.step + _NEAR) + 1)

    def at(self, times: Array) -> npt.NDArray[Any]:
        """(N, W), or (N, W, H), at model times within the run."""
        where = times / self.step
        before: Index = np.clip(np.floor(where).astype(np.int64), 0, len(self.rates) - 2)
        share = (where - before).reshape(-1, *[1] * (self.rates.ndim - 1))
        found = (1 - share) * self.rates[before] + share * self.rates[before + 1]
        return np.asarray(np.swapaxes(found, 0, 1))

    def felt(self, now: npt.NDArray[Any], states: Array) -> Array:
        """(N, W) that it adds to the rates, where it is ``now``, in ``states``."""
        if not self.orders:
            return now
        wave = np.exp(1j * states)
        terms = (now[..., n] * wave**order for n, order in enumerate(self.orders))
        return np.asarray(sum(terms).real)


def drive_of(noise: Driving, nodes: int, duration: float) -> Drive:
    """The noise of a sample over a run."""
    return Drive(noise.step, noise.rates(nodes, duration), noise.orders)


def carry(rate: Callable[[Array], Array], states: Array, begin: Array, end: Array, drive: Drive) -> Array:
    """Carries W independent states side by side, each from its own begin to its own end.

    Args:
        rate: (N, W') states to their rates without the drive, for any number W' of columns.
        states: (N, W) at ``begin``.
        begin, end: (W,) model times, begin ≤ end.
        drive: added to the rate of every node.

    Returns:
        (N, W) states at ``end``.

    Raises:
        DrivenFailed: a stretch can't be halved any further.
    """
    states, time, now = np.array(states), np.array(begin), drive.at(begin)
    first = rate(states) + drive.felt(now, states)
    while len(active := np.flatnonzero(time < end - _NEAR * drive.step)):
        columns = slice(None) if len(active) == len(time) else active
        stop = np.minimum(drive.next_point(time[columns]), end[columns])
        then = drive.at(stop)
        # an overflow on the way to giving up is no news to the user: the message is
        with np.errstate(over="ignore", invalid="ignore"):
            states[:, columns], first[:, columns] = _stretch(
                rate,
                drive,
                states[:, columns],
                first[:, columns],
                now[:, columns],
                then,
                stop - time[columns],
            )
        time[columns], now[:, columns] = stop, then
    return states


@lru_cache(maxsize=1)
def _pair() -> tuple[Array, Array, Array]:
    """The pair's weights: of a stage on those before it (the last row is the step itself), where it is, the error's."""
    from scipy.integrate import RK45  # a fifth of a second, which every command would wait for

    return np.vstack([np.pad(RK45.A[1:], ((0, 0), (0, 1))), RK45.B]), np.append(RK45.C[1:], 1.0), RK45.E


def _stretch(
    rate: Callable[[Array], Array],
    drive: Drive,
    x: Array,
    first: Array,
    begin: npt.NDArray[Any],
    end: npt.NDArray[Any],
    span: Array,
    halvings: int = 0,
) -> tuple[Array, Array]:
    """States at the end, and the rates there.

    Args:
        rate: without the drive.
        drive: what drives the states.
        x: (N, W) states at the beginning.
        first: (N, W) rates there.
        begin, end: the drive at either end.
        span: (W,) model time between them.
        halvings: how often the stretch was halved already.
    """
    weights, places, errors = _pair()
    stages = np.empty((len(errors), *x.shape))
    flat = stages.reshape(len(errors), -1)
    stages[0] = first
    for stage, (row, share) in enumerate(zip(weights, places, strict=True), 1):
        moved = (row[:stage] @ flat[:stage]).reshape(x.shape)
        there = x + span * moved
        stages[stage] = rate(there) + drive.felt(begin + share * (end - begin), there)
    error = float(np.abs(span * (errors @ flat).reshape(x.shape)).max(initial=0.0))
    if error <= TOLERANCE:
        return there, stages[-1]
    if halvings == _HALVINGS:
        raise DrivenFailed(f"steps of {float(span.max()):g} model time units are still too long")
    middle = (begin + end) / 2
    x, first = _stretch(rate, drive, x, first, begin, middle, span / 2, halvings + 1)
    return _stretch(rate, drive, x, first, middle, end, span / 2, halvings + 1)
