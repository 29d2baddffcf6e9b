"""The circuit of a network under noise against a reference that is driven by the very same noise."""

from __future__ import annotations

import math

import numpy as np

from emulator.reference import propagate
from emulator.thermo.sampling import Equilibrium
from netlists.core import Array
from netlists.network import LangevinNetwork
from netlists.network_core import network_core
from netlists.noise import Noise


def pathwise_defect(
    network: LangevinNetwork, force: Array, found: Equilibrium, noise: Noise, window: float,
    matrix: Array | None = None,
) -> float:  # fmt: skip
    """How far circuit and reference part in a window of time, over the spread of the states.

    At the start of each window the reference (Runge-Kutta from grid point to grid point, ``emulator.driven``) takes the
    circuit's own states, and both go on under the same noise; rms over windows and nodes of where they end. Unlike a
    covariance it needs neither a long run nor a closed form, so that it holds quartic wells to account too.

    Args:
        network: whose temperature and wells.
        force: (N,) on its nodes.
        found: states of the circuit, at grid points of the noise.
        noise: that drove it.
        window: model time of a window.
        matrix: (N, N) in place of M: that of the network as it is made.

    Raises:
        ReferenceFailed: the reference gave up.
    """
    count = len(found.states)
    edges = np.arange(0, count, max(1, math.ceil(window / found.spacing)))
    edges = edges if len(edges) > 1 else np.array([0, count - 1])
    times: Array = found.began + found.spacing * np.arange(count, dtype=np.float64)
    core = network_core(network, force, float(times[-1]), matrix)
    begin, end = edges[:-1], edges[1:]
    arrived = propagate(core, found.states[begin], times[begin], times[end], noise)
    spread = math.sqrt(float(np.mean(np.var(found.states, axis=0))))
    return math.sqrt(float(np.mean((found.states[end] - arrived) ** 2))) / spread
