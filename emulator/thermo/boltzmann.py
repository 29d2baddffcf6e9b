"""What statistical mechanics says of a single node, V = J2 x² + J4 x⁴ − b x: by quadrature, and Kramers' rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from netlists.core import Array
from netlists.network import NetworkError

# Where the density has fallen by e^−60 nothing is left to integrate at double precision
NEGLIGIBLE = 60.0
POINTS = 20_001  # of the quadrature

Number = TypeVar("Number", float, Array)


@dataclass(frozen=True)
class Well:
    """A node's potential, in units of its own; needs J4 > 0, or J4 = 0 and J2 > 0.

    Raises:
        NetworkError: no bottom, or no temperature.
    """

    quadratic: float
    quartic: float
    bias: float
    kt: float

    def __post_init__(self) -> None:
        if not (self.quartic > 0 or (self.quartic == 0 and self.quadratic > 0)):
            raise NetworkError(
                f"J2 = {self.quadratic:g} and J4 = {self.quartic:g}: no bottom; expected J4 > 0, or J4 = 0 and J2 > 0"
            )
        if not self.kt > 0:
            raise NetworkError(f"temperature kT is {self.kt:g}; expected above 0")

    def potential(self, x: Number) -> Number:
        """V(x)."""
        return x * (x * (self.quadratic + self.quartic * x * x) - self.bias)

    def curvature(self, x: float) -> float:
        """V''(x)."""
        return 2 * self.quadratic + 12 * self.quartic * x * x

    def resting_points(self) -> list[float]:
        """Where V' = 0, ascending: one, or a minimum, the barrier between and a second minimum."""
        roots = np.roots([4 * self.quartic, 0.0, 2 * self.quadratic, -self.bias])
        real = roots[np.abs(roots.imag) <= 1e-9 * (1 + np.abs(roots.real))].real
        return sorted({round(float(root), 12) for root in real})

    def _reach(self) -> tuple[float, float, float]:
        """The lowest potential, and a stretch beyond which the density is negligible."""
        points = self.resting_points()
        lowest = min(self.potential(x) for x in points)
        ends = []
        for sign, end in ((-1, points[0]), (1, points[-1])):
            size = 1e-3 * (1 + abs(end))
            while self.potential(end + sign * size) - lowest < NEGLIGIBLE * self.kt:
                size *= 1.5
            ends.append(end + sign * size)
        return lowest, ends[0], ends[1]

    def moment(self, power: int) -> float:
        """E xᵏ in equilibrium: ∫ xᵏ e^{−V/kT} dx / ∫ e^{−V/kT} dx.

        By the trapezoidal rule, which converges exponentially where the integrand has died away at both ends.
        """
        lowest, low, high = self._reach()
        x = np.linspace(low, high, POINTS)
        density = np.exp((lowest - self.potential(x)) / self.kt)
        return float((density * x**power).sum() / density.sum())

    def _barrier(self) -> tuple[float, float]:
        points = self.resting_points()
        if len(points) != 3:
            raise NetworkError(
                f"J2 = {self.quadratic:g}, J4 = {self.quartic:g}, b = {self.bias:g} is a single well; expected two, "
                "with a barrier to escape over"
            )
        return points[0], points[1]

    def kramers_rate(self) -> float:
        """Escapes from the left well per model time unit, for a barrier of many kT: √(V''(a) |V''(c)|)/2π e^{−ΔV/kT}.

        Source: Kramers, Physica 7, 284 (1940), overdamped, at a mobility of 1.

        Raises:
            NetworkError: no two wells.
        """
        bottom, top = self._barrier()
        height = self.potential(top) - self.potential(bottom)
        attempts = math.sqrt(self.curvature(bottom) * -self.curvature(top)) / (2 * math.pi)
        return attempts * math.exp(-height / self.kt)

    def escape_rate(self) -> float:
        """Escapes from the left well per model time unit, whatever the barrier: half over the mean time to its top.

        The mean first passage time from the bottom a to the top c is
        (1/kT) ∫_a^c e^{V(y)/kT} ∫_{−∞}^y e^{−V(z)/kT} dz dy; from the top either side is as likely. Source: Gardiner,
        Handbook of Stochastic Methods, §5.2.7.

        Raises:
            NetworkError: no two wells.
        """
        from scipy.integrate import quad

        bottom, top = self._barrier()
        _, low, _ = self._reach()

        def inside(y: float) -> float:
            value, _ = quad(
                lambda z: math.exp((self.potential(y) - self.potential(z)) / self.kt), low, y,
                points=[bottom] if low < bottom < y else None, limit=500, epsrel=1e-10,
            )  # fmt: skip
            return float(value)

        passage, _ = quad(inside, bottom, top, limit=500, epsrel=1e-9)
        return self.kt / (2 * float(passage))
