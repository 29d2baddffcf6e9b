"""Exact propagation of a linear Langevin network: no time step, no discretisation error.

    dx = (b − M x) dt + √(2 kT) dW
    E x(t) = x* + e^{−Mt} (x₀ − x*),   cov x(t) = kT M⁻¹ (I − e^{−2Mt}),   cov x(∞) = kT M⁻¹

In the eigenvectors of M all of it is one number a mode. Source: Gardiner, Handbook of Stochastic Methods, ch. 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.core import Array
from netlists.network import LangevinNetwork, NetworkError


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """A linear network in its modes. λ may be negative: such a mode runs away, which finite times allow.

    Attributes:
        rates: (N,) eigenvalues λ of M.
        modes: (N, N) eigenvectors, a column each.
        force: (N,) b.
        kt: temperature.
    """

    rates: Array
    modes: Array
    force: Array
    kt: float

    def mean(self, start: Array, time: float) -> Array:
        """(..., N) expected states after a time, from (..., N)."""
        decay = np.exp(-self.rates * time)
        driven = (self.force @ self.modes) * _integral(self.rates, time)
        return np.asarray(((start @ self.modes) * decay + driven) @ self.modes.T)

    def variances(self, time: float) -> Array:
        """(N,) variance of each mode after a time, from a known start: kT (1 − e^{−2λt})/λ."""
        return np.asarray(2 * self.kt * _integral(2 * self.rates, time))

    def covariance(self, time: float) -> Array:
        """(N, N) covariance after a time, from a known start: that of the increments of an exact step."""
        return np.asarray((self.modes * self.variances(time)) @ self.modes.T)

    def stationary_covariance(self) -> Array:
        """(N, N) kT M⁻¹.

        Raises:
            NetworkError: M is not positive definite.
        """
        if not self.rates[0] > 0:
            raise NetworkError(f"the smallest eigenvalue of M is {self.rates[0]:.4g}; expected above 0")
        return np.asarray((self.modes * (self.kt / self.rates)) @ self.modes.T)

    def path(self, start: Array, times: Array, generator: np.random.Generator) -> Array:
        """(R, ..., N) states at ascending times from (..., N) states at time 0, drawn from their exact distribution."""
        states = np.empty((len(times), *np.shape(start)))
        current, now = np.asarray(start, dtype=np.float64), 0.0
        for row, time in enumerate(times):
            spread = np.sqrt(self.variances(float(time) - now))
            noise = generator.standard_normal(np.shape(start)) * spread
            current, now = self.mean(current, float(time) - now) + noise @ self.modes.T, float(time)
            states[row] = current
        return states


def _integral(rates: Array, time: float) -> Array:
    """∫₀ᵗ e^{−λs} ds = (1 − e^{−λt})/λ, t where λ = 0."""
    zero = rates == 0
    return np.where(zero, time, -np.expm1(-rates * time) / np.where(zero, 1.0, rates))


def ornstein_uhlenbeck(network: LangevinNetwork) -> OrnsteinUhlenbeck:
    """The modes of a network under its own bias.

    Raises:
        NetworkError: it has quartic wells.
    """
    if network.quartic.any():
        raise NetworkError("the network has quartic wells; expected none, for exact propagation")
    rates, modes = np.linalg.eigh(network.matrix)
    return OrnsteinUhlenbeck(
        np.asarray(rates, dtype=np.float64), np.asarray(modes, dtype=np.float64), network.bias, network.kt
    )
