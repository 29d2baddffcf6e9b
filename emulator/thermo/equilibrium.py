"""Where a Langevin network comes to rest without noise, by linear algebra.

A ``Solver`` is what takes inputs to equilibria: this one, or a circuit's operating point.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from netlists.core import Array
from netlists.network import LangevinNetwork, NetworkError, require_confining, spectrum

MOST_STEPS = 100
FLAT = 1e-9  # of the largest force: what may push in a direction in which nothing holds
STEP_TOLERANCE = 1e-14  # of the largest state: what a Newton step no longer improves


class Solver(Protocol):
    """(S, N) equilibria of a network under (S, N) forces."""

    def __call__(self, network: LangevinNetwork, biases: Array, /) -> Array: ...


def equilibrium(network: LangevinNetwork, biases: Array) -> Array:
    """(S, N) states at which b = M x + 4 J4 x³, from (S, N) forces: exact where there is no quartic, else by Newton.

    Raises:
        NetworkError: the potential has no bottom, or so shaped that it can have several.
    """
    require_confining(network)
    matrix, quartic = network.matrix, network.quartic
    if not quartic.any():
        return np.asarray(np.linalg.solve(matrix, biases.T).T)
    found = network.spectrum
    if not found.positive:
        raise NetworkError(
            f"the smallest eigenvalue of M is {found.smallest:.4g}: with quartic wells there can be several "
            "equilibria; expected all above 0, which makes it one"
        )
    return np.stack([_newton(matrix, quartic, bias) for bias in biases])


def _newton(matrix: Array, quartic: Array, bias: Array) -> Array:
    """The minimum of ½ xᵀMx + Σ J4 x⁴ − b·x, which is convex: Newton steps, halved until they go down."""

    def potential(x: Array) -> float:
        return float(x @ (0.5 * matrix @ x - bias) + quartic @ x**4)

    x = np.zeros_like(bias)
    for _ in range(MOST_STEPS):
        slope = matrix @ x + 4 * quartic * x**3 - bias
        step = np.linalg.solve(jacobian(matrix, quartic, x), slope)
        if np.abs(step).max() <= STEP_TOLERANCE * np.abs(x).max():
            return x - step
        length, here, descent = 1.0, potential(x), float(slope @ step)
        rounding = 1e-12 * (1 + abs(here))
        while potential(x - length * step) > here - 1e-4 * length * descent + rounding:
            length /= 2
        x = x - length * step
    raise ArithmeticError(f"Newton's method found no equilibrium in {MOST_STEPS} steps")


def equilibrium_near(matrix: Array, quartic: Array, force: Array, near: Array) -> Array | None:
    """(N,) state next to another at which b = M x + 4 J4 x³, by Newton's method; None if that leads to none.

    M, (N, N), need not be symmetric, nor the equilibrium stable. Where there is no quartic one step is exact.
    """
    x, reach = near, float(np.abs(near).max())
    for _ in range(MOST_STEPS):
        left = force - matrix @ x - 4 * quartic * x**3
        slope = jacobian(matrix, quartic, x)
        try:
            step = np.linalg.solve(slope, left)
        except np.linalg.LinAlgError:  # flat in some direction
            step = np.linalg.lstsq(slope, left)[0]
            if np.abs(left - slope @ step).max() > FLAT * np.abs(force).max():  # in which something pushes
                return None
        x = x + step
        if not quartic.any() or np.abs(step).max() <= STEP_TOLERANCE * max(reach, float(np.abs(x).max())):
            return np.asarray(x)
    return None


def jacobian(matrix: Array, quartic: Array, state: Array) -> Array:
    """(N, N) derivative of M x + 4 J4 x³ at a state (N,): its eigenvalues are the local rates of relaxation."""
    return np.asarray(matrix + np.diag(12 * quartic * state**2))


def hessian(network: LangevinNetwork, state: Array) -> Array:
    """(N, N) curvature of the potential at a state (N,): M where there is no quartic."""
    return jacobian(network.matrix, network.quartic, state)


def rates_at(network: LangevinNetwork, state: Array) -> Array:
    """(N,) relaxation rates about an equilibrium, ascending, per model time unit."""
    return spectrum(hessian(network, state)).eigenvalues
