"""The reference: the families' equations once more, straight from the mathematics, in model units.

Written on the weights with numpy and scipy and independent of ``device_models``: the cross-check compares
two statements of the same physics, and would prove nothing if both came from one description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import scipy.sparse as sparse

from emulator.driven import Drive, DrivenFailed, carry, drive_of
from netlists.core import AnalogCore, Array
from netlists.noise import Driving

Rate = Callable[[Array], Array]

METHOD: Final = "DOP853"
RTOL, ATOL = 1e-10, 1e-12
LARGEST_RATE = 1e100


class ReferenceFailed(RuntimeError):
    """The reference solver gave up; the message carries its own."""


def kurashil_rate(core: AnalogCore, chunk: int) -> Rate:
    """dφ_i/dt = ω_i − Σ_j K_ij sin(φ_i − φ_j) − B_i sin φ_i − S_i sin 2φ_i   (arXiv:2606.27294)

    The sum over neighbours costs two sparse products, Σ K sin φ_j and Σ K cos φ_j. The rate takes phases of
    shape (N, W), a column for each of W independent copies of the core, and returns the same shape.
    """
    weights = _matrix(core, chunk)
    reference_pull = core.parameters["bias"][chunk][:, None]
    injection = core.parameters["shil"][chunk][:, None]
    detuning = core.parameters["detuning"][:, None]

    def rate(phase: Array) -> Array:
        sine, cosine = np.sin(phase), np.cos(phase)
        pull = sine * (weights @ cosine) - cosine * (weights @ sine)
        return np.asarray(detuning - pull - sine * (reference_pull + 2 * injection * cosine))

    return rate


def kuramoto_rate(core: AnalogCore, chunk: int) -> Rate:
    """dφ_i/dt = ω_i − Σ_j K_ij sin(φ_i − φ_j) − B_i sin φ_i   (arXiv:2606.27294)"""
    weights = _matrix(core, chunk)
    pull, detuning = core.parameters["bias"][chunk][:, None], core.parameters["detuning"][:, None]

    def rate(phase: Array) -> Array:
        wave = np.exp(1j * phase)
        # Σ K sin(φ_i − φ_j) is the imaginary part of e^{iφ_i} times the conjugate of Σ K e^{iφ_j}
        return np.asarray(detuning - (wave * np.conj(weights @ wave)).imag - pull * wave.imag)

    return rate


def polynomial_ising_rate(core: AnalogCore, chunk: int) -> Rate:
    """dx_i/dt = α_i x_i − x_i³ + β Σ_j J_ij x_j   (Böhm et al. 2021)"""
    matrix = sparse.diags_array(core.parameters["alpha"][chunk]) + core.parameters["beta"] * _matrix(
        core, chunk
    )
    return lambda x: matrix @ x - x * x * x


def tanh_ising_rate(core: AnalogCore, chunk: int) -> Rate:
    """dx_i/dt = −x_i + tanh(α_i x_i + β Σ_j J_ij x_j)   (Böhm et al. 2021)"""
    matrix = sparse.diags_array(core.parameters["alpha"][chunk]) + core.parameters["beta"] * _matrix(
        core, chunk
    )
    return lambda x: np.tanh(matrix @ x) - x


def tanh_feature_ising_rate(core: AnalogCore, chunk: int) -> Rate:
    """dx_i/dt = −x_i + Σ_j J_ij tanh(g x_j)   (Hopfield 1984)"""
    weights, gain = _matrix(core, chunk), float(core.parameters["gain"])
    return lambda x: weights @ np.tanh(gain * x) - x


def langevin_rate(core: AnalogCore, chunk: int) -> Rate:
    """dx_i/dt = b_i − 2 J2_i x_i − 4 J4_i x_i³ − Σ_j K_ij x_j   (arXiv:2604.14332, without its noise)"""
    stiffness = sparse.diags_array(2 * core.parameters["quadratic"]) + _matrix(core, chunk)
    quartic, force = 4 * core.parameters["quartic"][:, None], core.parameters["bias"][chunk][:, None]
    return lambda x: force - stiffness @ x - quartic * x**3


def _matrix(core: AnalogCore, chunk: int) -> sparse.csr_array:
    """(N, N) couplings of a chunk, row i receives from column j."""
    receivers, senders = core.edges.T
    return sparse.csr_array((core.coupling[chunk], (receivers, senders)), shape=(core.nodes, core.nodes))


RATES: Mapping[str, Callable[[AnalogCore, int], Rate]] = MappingProxyType(
    {
        "kurashil": kurashil_rate,
        "kuramoto": kuramoto_rate,
        "polynomial_ising": polynomial_ising_rate,
        "tanh_ising": tanh_ising_rate,
        "tanh_feature_ising": tanh_feature_ising_rate,
        "langevin": langevin_rate,
    }
)


def propagate(
    core: AnalogCore, starts: Array, begin: Array, end: Array, noise: Driving | None = None, *,
    rtol: float = RTOL,
) -> Array:  # fmt: skip
    """Carries W independent states, each from its own begin to its own end.

    All windows that are inside the same chunk are integrated side by side: without noise on a common time that runs
    from 0 to 1 while each window covers its own stretch, with noise from grid point to grid point.

    Args:
        core: the core.
        starts: (W, N) states at ``begin``.
        begin, end: (W,) model times, 0 ≤ begin ≤ end ≤ duration.
        noise: that drives the nodes, or None.
        rtol: relative tolerance of DOP853, without noise.

    Returns:
        (W, N) states at ``end``.

    Raises:
        ReferenceFailed: the solver gave up.
    """
    drive = None if noise is None else drive_of(noise, core.nodes, core.duration)
    states = np.array(starts, dtype=np.float64)
    for chunk in range(core.chunks):
        low = np.maximum(begin, core.boundaries[chunk])
        high = np.minimum(end, core.boundaries[chunk + 1])
        inside = np.flatnonzero(high > low)
        if len(inside):
            rate = RATES[core.family_name](core, chunk)
            if drive is not None:
                states[inside] = _driven(rate, states[inside].T, low[inside], high[inside], drive).T
            else:
                states[inside] = _unit_run(rate, states[inside], (high - low)[inside], rtol)
    return states


def _driven(rate: Rate, states: Array, begin: Array, end: Array, drive: Drive) -> Array:
    try:
        return carry(rate, states, begin, end, drive)
    except DrivenFailed as failure:
        raise ReferenceFailed(f"the reference under noise stopped: {failure}") from failure


def _unit_run(rate: Rate, starts: Array, stretch: Array, rtol: float) -> Array:
    shape = starts.T.shape

    def flat(_: float, y: Array) -> Array:
        return (rate(y.reshape(shape)) * stretch).ravel()

    found = _solve(flat, starts.T.ravel(), 0.0, np.ones(1), rtol)
    return np.asarray(found[0].reshape(shape).T)


def trajectory(
    core: AnalogCore, start: Array, times: Array, noise: Driving | None = None, *, rtol: float = RTOL
) -> Array:
    """The reference's states along one run.

    Args:
        core: the core.
        start: (N,) state at time 0.
        times: (R,) ascending model times within [0, duration].
        noise: that drives the nodes, or None.
        rtol: relative tolerance of DOP853, without noise.

    Returns:
        (R, N) states at ``times``.

    Raises:
        ReferenceFailed: the solver gave up.
    """
    if noise is not None:
        return trajectories(core, start[None], times, noise)[:, 0]

    def rate_of(chunk: int) -> Rate:
        rate = RATES[core.family_name](core, chunk)
        return lambda y: rate(y[:, None])[:, 0]

    return chunked(core, start, times, rate_of, rtol=rtol)


def trajectories(core: AnalogCore, starts: Array, times: Array, noise: Driving) -> Array:
    """The same for W runs under the same noise, side by side.

    Args:
        core: the core.
        starts: (W, N) states at time 0.
        times: (R,) ascending model times within [0, duration].
        noise: that drives the nodes.

    Returns:
        (R, W, N) states at ``times``.

    Raises:
        ReferenceFailed: the solver gave up.
    """
    drive, runs = drive_of(noise, core.nodes, core.duration), len(starts)
    states = np.empty((len(times), *starts.shape))
    states[times <= 0] = starts
    current, now = np.array(starts.T, dtype=np.float64), 0.0
    for chunk in range(core.chunks):
        rate, high = RATES[core.family_name](core, chunk), core.boundaries[chunk + 1]
        inside = np.flatnonzero((times > core.boundaries[chunk]) & (times <= high))
        for row, stop in [*((row, times[row]) for row in inside), (None, high)]:
            current = _driven(rate, current, np.full(runs, now), np.full(runs, stop), drive)
            now = stop
            if row is not None:
                states[row] = current.T
    return states


def chunked(
    core: AnalogCore, start: Array, times: Array, rate_of: Callable[[int], Rate], *, rtol: float = RTOL
) -> Array:
    """(R, M) states at ascending model times within a run, from (M,) states and a rate (M,) → (M,) a chunk.

    Raises:
        ReferenceFailed: the solver gave up.
    """
    states = np.empty((len(times), len(start)))
    states[times <= 0] = start
    current = np.array(start, dtype=np.float64)
    for chunk in range(core.chunks):
        low, high = core.boundaries[chunk], core.boundaries[chunk + 1]
        inside = (times > low) & (times <= high)
        rate = rate_of(chunk)

        def flat(_: float, y: Array, rate: Rate = rate) -> Array:
            return rate(y)

        asked, where = np.unique(np.append(times[inside], high), return_inverse=True)
        found = _solve(flat, current, float(low), asked, rtol)
        states[inside] = found[where[:-1]]
        current = found[-1]
    return states


def _solve(
    rate: Callable[[float, Array], Array], start: Array, begin: float, times: Array, rtol: float
) -> Array:
    """(R, M) states at ``times``, ascending from ``begin`` on; the last is the end."""
    from scipy.integrate import solve_ivp  # a fifth of a second, which every command would wait for

    # an overflow on the way to giving up is no news to the user: the message is
    with np.errstate(over="ignore", invalid="ignore"):
        # scipy would look for a first step for ever, its norm of such a rate being infinite
        fastest = float(np.abs(rate(begin, start)).max(initial=0.0))
        if not fastest < LARGEST_RATE:
            raise ReferenceFailed(f"a rate of {fastest:g} per model time unit is beyond {METHOD}")
        solution = solve_ivp(
            rate, (begin, float(times[-1])), start, method=METHOD, rtol=rtol, atol=ATOL, t_eval=times
        )
    if not solution.success:
        raise ReferenceFailed(f"the reference solver {METHOD} stopped: {solution.message}")
    return np.asarray(solution.y.T, dtype=np.float64)
