"""How a network with quartic wells comes to rest from 0, and where: the reference of circuits that settle.

A stiff solver follows x' = b − M x − 4 J4 x³; Newton's method finishes what it has come close to. Of several
equilibria it is the one that this very start leads to, which no search for roots would say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from emulator.reference import RATES, ReferenceFailed
from emulator.thermo.equilibrium import equilibrium_near, jacobian
from netlists.core import Array, Index
from netlists.network import LangevinNetwork
from netlists.network_core import network_core

if TYPE_CHECKING:
    from scipy.integrate import LSODA

RTOL, ATOL = 1e-10, 1e-12  # the second of the state that the force takes nodes to
SETTLING = 8.0  # time constants that a settling lasts: until e⁻⁸ of the way is left
MOST_STEPS = 200_000
_LOOK = 1.2  # how much later the next look at whether it has arrived
_LINGER = 64.0  # growth times of what leads away from a saddle, after which nothing does: rounding takes 37
_GRID = 200  # times at which the growth of a perturbation is followed
NEAR_A_SADDLE = 100.0  # growth of a perturbation from which on an input counts as close to a separatrix


@dataclass(frozen=True)
class Descent:
    """The way from 0 to rest under one force, without noise. Model units.

    Attributes:
        rest: (N,) where it ends, by Newton's method.
        duration: until e⁻⁸ of the way is left, of all nodes and of the visible ones.
        rates: (N,) real parts of the Jacobian's eigenvalues at rest, ascending: below 0 at a saddle.
        at: (R,) times → (R, N) states, found anew: kept for every input they would be many.
        local: state (N,) → (N, N), the Jacobian there.
        carried: state (N,) and a time → (N,) where that leads to after so long.
    """

    rest: Array
    duration: float
    rates: Array
    at: Callable[[Array], Array]
    local: Callable[[Array], Array]
    carried: Callable[[Array, float], Array]

    @cached_property
    def sensitivity(self) -> float:
        """How much a small perturbation of the start grows on the way, at most; 1 if it only shrinks.

        The largest norm that the flow's derivative by its start has. Where M is positive definite so is the Jacobian
        at every state, and the flow only contracts.
        """
        from scipy.linalg import expm

        matrix = self.local(np.zeros_like(self.rest))
        if float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0]) > 0:
            return 1.0
        step = self.duration / _GRID
        grown, largest = np.eye(len(matrix)), 1.0
        for middle in self.at(step * np.arange(0.5, _GRID)):
            grown = expm(-step * self.local(middle)) @ grown
            largest = max(largest, float(np.linalg.norm(grown, 2)))
        return largest

    @property
    def close_call(self) -> str:
        """What to say of a start near a separatrix, or of a rest that is none; empty where neither is so."""
        if self.rates[0] < 0:
            return f"what it rests at is a saddle, of rate {self.rates[0]:.3g}: any push leads away"
        if self.sensitivity > NEAR_A_SADDLE:
            return (
                f"the start is close to a separatrix: a perturbation of it grows {self.sensitivity:.2g} times"
            )
        return ""


def descent(network: LangevinNetwork, force: Array, matrix: Array | None = None) -> Descent:
    """The way to rest under (N,) forces; ``matrix`` (N, N) takes the place of M: that of the network as it is made.

    Raises:
        ReferenceFailed: the solver gave up, or found no rest.
    """
    from scipy.integrate import LSODA  # a fifth of a second, which every command would wait for

    matrix, quartic = network.matrix if matrix is None else matrix, network.quartic
    shown, start = network.visible, np.zeros(network.nodes)
    rate = RATES["langevin"](network_core(network, force, 1.0, matrix), 0)
    size, fastest = _scales(matrix, quartic, force)

    def slope(_: float, x: Array) -> Array:
        return rate(x[:, None])[:, 0]

    def of_rate(_: float, x: Array) -> Array:
        return -jacobian(matrix, quartic, x)

    def starting(state: Array, end: float) -> LSODA:
        return LSODA(slope, 0.0, state, end, rtol=RTOL, atol=ATOL * size, jac=of_rate)

    def carried(state: Array, time: float) -> Array:
        solver = starting(state, time)
        while solver.status == "running":
            _advance(solver)
        return np.asarray(solver.y)

    def at(times: Array) -> Array:
        states = np.tile(start, (len(times), 1))
        solver = starting(start, float(times.max(initial=0.0)) or 1 / fastest)
        while solver.status == "running":
            before = solver.t
            _advance(solver)
            inside = (times > before) & (times <= solver.t)
            states[inside] = solver.dense_output()(times[inside]).T
        return states

    solver = starting(start, 1e12 / fastest)
    times, states = [0.0], [start]
    look, lingered = 1 / fastest, math.inf
    for _ in range(MOST_STEPS):
        _advance(solver)
        times.append(float(solver.t))
        states.append(solver.y.copy())
        if solver.t < look and solver.status == "running":
            continue
        look = _LOOK * solver.t
        rest = equilibrium_near(matrix, quartic, force, solver.y)
        if rest is None or not _remains(solver.y, rest, start, shown) <= math.exp(-SETTLING):
            lingered = math.inf
        elif (rates := _rates(matrix, quartic, rest))[0] >= 0 or solver.t >= lingered:
            break
        else:  # at a saddle: rounding alone would lead away from it in a while
            lingered = min(lingered, solver.t - _LINGER / rates[0])
        if solver.status != "running":
            raise ReferenceFailed(f"no rest was found in {solver.t:.3g} model time units")
    else:
        raise ReferenceFailed(f"no rest was found in {MOST_STEPS} steps, {solver.t:.3g} model time units")
    left = np.array([_remains(x, rest, start, shown) for x in states])
    duration = _last_crossing(np.array(times), left, math.exp(-SETTLING)) or SETTLING / fastest
    return Descent(rest, duration, rates, at, partial(jacobian, matrix, quartic), carried)


def _advance(solver: LSODA) -> None:
    message = solver.step()
    if solver.status == "failed":
        raise ReferenceFailed(f"the reference solver LSODA stopped: {message}")


def _scales(matrix: Array, quartic: Array, force: Array) -> tuple[float, float]:
    """A state that the force takes nodes to at least, and a rate that is about as large as any on the way."""
    strongest = float(np.abs(np.linalg.eigvals(matrix)).max())
    wells = quartic[quartic > 0]
    # where a well alone holds the force, or what the couplings push it with
    reach = np.maximum(np.cbrt(np.abs(force).max() / (4 * wells)), np.sqrt(strongest / (4 * wells)))
    fastest = max(strongest, float((12 * wells * reach**2).max(initial=0.0)))
    if fastest == 0:
        return 1.0, 1.0  # no couplings and no force: nothing ever moves
    return float(np.abs(force).max()) / fastest or 1.0, fastest


def _rates(matrix: Array, quartic: Array, state: Array) -> Array:
    """(N,) of the Jacobian, ascending; what only rounding leaves is 0."""
    found = np.sort(np.linalg.eigvals(jacobian(matrix, quartic, state)).real)
    return np.where(np.abs(found) <= 1e-12 * np.abs(found).max(), 0.0, found)


def _remains(state: Array, rest: Array, start: Array, shown: Index) -> float:
    """Share of the way that is left, of all nodes or of the ``shown``, whichever is more."""
    whole, visible = (float(np.linalg.norm((rest - start)[nodes])) for nodes in (slice(None), shown))
    left = [
        (float(np.linalg.norm((state - rest)[n])), way) for n, way in ((slice(None), whole), (shown, visible))
    ]
    return max((distance / way for distance, way in left if way > 0), default=0.0)


def _last_crossing(times: Array, left: Array, wanted: float) -> float:
    """When what is left falls to what is wanted for good; 0 if it is no more from the start."""
    outside = np.flatnonzero(left > wanted)
    if not len(outside):
        return 0.0
    last = int(outside[-1])
    ends = np.log(np.maximum(left[last : last + 2], 1e-300))
    return float(
        times[last] + (times[last + 1] - times[last]) * (ends[0] - math.log(wanted)) / (ends[0] - ends[1])
    )
