"""A run as the simulator's own time points, in model units: no interpolation between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.ngspice import Simulation
from netlists.core import Array, Index
from netlists.scaling import Scaling


@dataclass(frozen=True)
class Trajectory:
    """States along a run.

    Attributes:
        time: (P,) ascending model times, the first is 0.
        state: (P, N) in the state's unit.
    """

    time: Array
    state: Array

    def nearest(self, times: Array) -> Index:
        """(R,) index of the time point nearest to each of the given times."""
        after = np.clip(np.searchsorted(self.time, times), 1, len(self.time) - 1)
        before = after - 1
        return np.where(times - self.time[before] <= self.time[after] - times, before, after)

    def rows(self, count: int) -> Trajectory:
        """``count`` + 1 time points, the nearest to a uniform grid over the run (ends included)."""
        index = self.nearest(np.linspace(0.0, self.time[-1], count + 1))
        return Trajectory(self.time[index], self.state[index])


def from_simulation(simulation: Simulation, start: Array, scaling: Scaling, duration: float) -> Trajectory:
    """The trajectory of a completed simulation.

    ngspice's first recorded point lies after 0, so the initial state is put before it; the last point is the
    stop time up to rounding and is set to ``duration``.
    """
    time = simulation.time / scaling.tau
    time[-1] = duration
    later = time > 0
    return Trajectory(
        np.concatenate([[0.0], time[later]]), np.concatenate([start[None, :], simulation.values[later]])
    )
