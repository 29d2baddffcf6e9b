"""Covariance that noise on a grid of times makes, exactly: what a circuit has to show, the grid's own bias included.

    dx = −M x dt + ξ(t) dt,   ξ linear between grid points h apart, where it has covariance 2 kT Q/h

At grid points x' = E x + A ξ + B ξ', so that P = cov x solves P = E P Eᵀ + A S Aᵀ + B S Bᵀ + E B S Aᵀ + A S Bᵀ Eᵀ, with
S = cov ξ and cov(x, ξ) = B S. For h → 0 it is the Lyapunov equation M P + P Mᵀ = 2 kT Q: kT M⁻¹ for Q = I.

From point to point R_m = cov(x_{k+m}, x_k) = E^{m−1} (E P + A S Bᵀ), so that the mean of n points has the covariance
(P + 1/n Σ_{m<n} (1 − m/n)(R_m + R_mᵀ))/n.
"""

from __future__ import annotations

import math

import numpy as np

from netlists.core import Array


def grid_covariance(matrix: Array, currents: Array, kt: float, step: float) -> Array:
    """(N, N) stationary covariance at grid points.

    Args:
        matrix: (N, N) M, all of whose modes decay.
        currents: (N, N) Q.
        kt: temperature.
        step: h, model time.
    """
    return _stationary(matrix, currents, kt, step)[1]


def average_covariance(matrix: Array, currents: Array, kt: float, step: float, points: int) -> Array:
    """(N, N) covariance of the mean of so many grid points, one after another; arguments as ``grid_covariance``."""
    decay, alone, next_one = _stationary(matrix, currents, kt, step)
    if points == 1:
        return alone
    unit = np.eye(len(matrix))
    left = unit - decay
    # Σ (n − m) E^{m−1} = (n (I − E) − (I − Eⁿ)) (I − E)⁻²
    rest = points * left - (unit - np.linalg.matrix_power(decay, points))
    later = np.linalg.solve(left, np.linalg.solve(left, rest)) @ next_one
    return np.asarray((points * alone + later + later.T) / points**2)


def covariance_spread(
    matrix: Array, currents: Array, kt: float, step: float, shown: slice, points: int
) -> float:
    """Rms Frobenius error of the covariance of ``shown`` states about 0, from so many grid points, one after another.

    Its square is 1/n Σ_m (1 − |m|/n) ((tr R_m)² + tr R_m²), as products of four normal numbers have it.
    """
    decay, alone, later = _stationary(matrix, currents, kt, step)
    total = 0.0
    for m in range(points):
        block = alone[shown, shown] if m == 0 else later[shown, shown]
        share = 1.0 if m == 0 else 2 * (1 - m / points)
        total += share * (float(np.trace(block)) ** 2 + float(np.sum(block * block.T)))
        later = later if m == 0 else decay @ later
    return math.sqrt(total / points)


def _stationary(matrix: Array, currents: Array, kt: float, step: float) -> tuple[Array, Array, Array]:
    """E, the covariance P of a grid point and R_1, that of a point with the one before it."""
    from scipy.linalg import solve_discrete_lyapunov

    decay, before, after = _hold(matrix, step)
    noise = 2 * kt / step * currents
    mixed = decay @ after @ noise @ before.T
    driven = before @ noise @ before.T + after @ noise @ after.T + mixed + mixed.T
    alone: Array = np.asarray(solve_discrete_lyapunov(decay, driven), dtype=np.float64)
    return decay, alone, decay @ alone + before @ noise @ after.T


def _hold(matrix: Array, step: float) -> tuple[Array, Array, Array]:
    """E = exp(−Mh), and A, B: what a ramp from ξ to ξ' adds of either. From one exponential (Van Loan's)."""
    from scipy.linalg import expm

    n = len(matrix)
    block, unit = np.zeros((3 * n, 3 * n)), np.eye(n)
    block[:n, :n], block[:n, n : 2 * n], block[n : 2 * n, 2 * n :] = -matrix * step, unit * step, unit
    whole = expm(block)
    held, ramp = whole[:n, n : 2 * n], whole[:n, 2 * n :]
    return whole[:n, :n], held - ramp, ramp
