"""Circuit against reference: over the whole run, and window by window.

Trained dynamics can be sensitive: a node near a saddle goes either way, and a correct circuit then differs
from a correct reference at the end. So there are two figures. The *global* error compares whole runs. The
*defect* starts the reference anew at the circuit's own state at the start of each window and compares at its
end: it measures the circuit's local fidelity whatever the sensitivity.
"""

from __future__ import annotations

import time as clock
from dataclasses import dataclass

import numpy as np

from emulator import reference
from emulator.trajectory import Trajectory
from netlists.core import AnalogCore, Array
from netlists.noise import Driving

WINDOWS = 50
PERTURBATION = 1e-6


@dataclass(frozen=True)
class CrossCheck:
    """What the comparison found; errors in the state's unit (rad for phases, on the circle).

    Attributes:
        final_reference: (N,) the reference's state at the end of the run.
        row_time: (R,) model times of the rows.
        row_rms: (R,) rms over nodes of the error at each row.
        global_rms, global_max: of the error over all rows and nodes.
        end_rms: of the error at the end of the run.
        window_rms: (W,) rms over nodes of the defect of each window.
        defect_rms, defect_max: of the defect over all windows and nodes.
        sensitivity: growth of a small perturbation of the start until the end, as a ratio of rms.
        wall_s: seconds the reference took.
    """

    final_reference: Array
    row_time: Array
    row_rms: Array
    global_rms: float
    global_max: float
    end_rms: float
    window_rms: Array
    defect_rms: float
    defect_max: float
    sensitivity: float
    wall_s: float

    @property
    def worst_window(self) -> float:
        """The largest rms of a window."""
        return float(self.window_rms.max())


Comparison = tuple[CrossCheck, Array]


def difference(a: Array, b: Array, period: float | None) -> Array:
    """``a`` − ``b``, on the circle where the state is periodic; same shape."""
    error = a - b
    return error if period is None else np.asarray(error - period * np.round(error / period))


def crosscheck(
    core: AnalogCore, circuit: Trajectory, rows: int, windows: int = WINDOWS, noise: Driving | None = None
) -> Comparison:
    """Compares a circuit's run with the reference, under the very noise the circuit saw.

    Args:
        core: the weights both hold.
        circuit: the simulator's time points.
        rows: number of rows, see ``Trajectory.rows``.
        windows: number of windows; their edges are the time points nearest to a uniform grid.
        noise: the sample's, or None.

    Returns:
        The comparison, and the reference's states (rows + 1, N) at the rows' times.

    Raises:
        reference.ReferenceFailed: the reference solver gave up.
    """
    period = core.family.state.periodic
    started = clock.perf_counter()
    shown = circuit.rows(rows)
    nudge = PERTURBATION * np.random.default_rng(0).choice([-1.0, 1.0], core.nodes)
    states, nudged = _run_and_its_neighbour(core, circuit.state[0], nudge, shown.time, noise)
    error = difference(shown.state, states, period)

    edges = np.unique(circuit.nearest(np.linspace(0.0, circuit.time[-1], windows + 1)))
    begin, end = edges[:-1], edges[1:]
    arrived = reference.propagate(core, circuit.state[begin], circuit.time[begin], circuit.time[end], noise)
    defect = difference(circuit.state[end], arrived, period)

    growth = _rms(difference(nudged, states[-1], period)) / PERTURBATION
    return (
        CrossCheck(
            final_reference=states[-1],
            row_time=shown.time,
            row_rms=np.sqrt(np.mean(error**2, axis=1)),
            global_rms=_rms(error),
            global_max=float(np.abs(error).max()),
            end_rms=_rms(error[-1]),
            window_rms=np.sqrt(np.mean(defect**2, axis=1)),
            defect_rms=_rms(defect),
            defect_max=float(np.abs(defect).max()),
            sensitivity=growth,
            wall_s=clock.perf_counter() - started,
        ),
        states,
    )


def _run_and_its_neighbour(
    core: AnalogCore, start: Array, nudge: Array, times: Array, noise: Driving | None
) -> tuple[Array, Array]:
    """(R, N) states at ``times``, the last of which is the end, and (N,) the end from the nudged start."""
    if noise is not None:
        both = reference.trajectories(core, np.stack([start, start + nudge]), times, noise)
        return both[:, 0], both[-1, 1]
    span = (np.zeros(1), np.full(1, core.duration))
    nudged = reference.propagate(core, (start + nudge)[None, :], *span)[0]
    return reference.trajectory(core, start, times), nudged


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
