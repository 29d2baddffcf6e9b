"""Covariance that noise on a grid of times makes, exactly: what a circuit has to show, the grid's own bias included.

    dx = −M x dt + ξ(t) dt,   ξ linear between grid points h apart, where it has covariance 2 kT Q/h

At grid points x' = E x + A ξ + B ξ', so that P = cov x solves P = E P Eᵀ + A S Aᵀ + B S Bᵀ + E B S Aᵀ + A S Bᵀ Eᵀ, with
S = cov ξ and cov(x, ξ) = B S. For h → 0 it is the Lyapunov equation M P + P Mᵀ = 2 kT Q: kT M⁻¹ for Q = I.
"""

from __future__ import annotations

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
    from scipy.linalg import solve_discrete_lyapunov

    decay, before, after = _hold(matrix, step)
    noise = 2 * kt / step * currents
    mixed = decay @ after @ noise @ before.T
    driven = before @ noise @ before.T + after @ noise @ after.T + mixed + mixed.T
    return np.asarray(solve_discrete_lyapunov(decay, driven))


def _hold(matrix: Array, step: float) -> tuple[Array, Array, Array]:
    """E = exp(−Mh), and A, B: what a ramp from ξ to ξ' adds of either. From one exponential (Van Loan's)."""
    from scipy.linalg import expm

    n = len(matrix)
    block, unit = np.zeros((3 * n, 3 * n)), np.eye(n)
    block[:n, :n], block[:n, n : 2 * n], block[n : 2 * n, 2 * n :] = -matrix * step, unit * step, unit
    whole = expm(block)
    held, ramp = whole[:n, n : 2 * n], whole[:n, 2 * n :]
    return whole[:n, :n], held - ramp, ramp
