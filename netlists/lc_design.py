"""The LC cell's limit cycle as the solver sees it: tank, waveform, phase sensitivity and the gains that follow.

The trapezoidal rule with P equal steps a cycle acts on the k-th harmonic as d/dt → i (2/h) tan(k h/2), h = 2π/P, where
the true derivative is i k. The periodic solution of

    D v = f(v, y) − y,   D y = w² v

with that D is therefore exactly what a fixed-step simulation settles to, and w, the tank's resonance, can be chosen
so that its frequency is the carrier's: the pre-warp of the tank and the slowness of a nonlinear oscillator (van der
Pol: 1 − ε²/16 + 17 ε⁴/3072 of w) in one. The phase sensitivity is the left null vector of the linearised equations.
A limiter that levels the tank's energy sees the inductance 1/w² too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp

from device_models.families import family
from netlists.characterization import LimitCycle
from netlists.core import Array

_ITERATIONS = 50
_ENOUGH = 1e-12
_MOST_POINTS = 128
_CHANGE = 0.01  # of the loss, for the inductance's derivative by it


class LcDesignFailed(ValueError):
    """No limit cycle was found; the message says what to change."""


@dataclass(frozen=True)
class LcDesign:
    """A free-running LC cell in model units (radians of the carrier; currents over C ω₀), with fixed steps.

    Attributes:
        family_name: of ``device_models.lc_oscillator``.
        epsilon: the limiter's strength, per radian.
        amplitude: the family's parameter A, volts.
        points_per_cycle: P.
        inductance: of the tank, relative to 1/(ω₀² C), with which it oscillates at the carrier's frequency.
        cycle: (M,) phases from 0 up; signals ``v`` and ``y``. The fundamental of v peaks at phase 0.
        restoring: rate at which a small deviation of the amplitude dies out, per radian: the limit cycle's Floquet
            exponent, which by Liouville's formula is minus the mean of ∂f/∂v.
        sensitivity: (M,) Z: a rate f added to the node's turns the phase by the mean of Z f, rad per rad.
        coupling_gain: of κ: dφ/dt = −``coupling_gain`` κ sin(φ_i − φ_j + ``coupling_lag``).
        coupling_lag: rad.
        shil_gain, shil_phase: of s, and ψ₂ for which it pulls to 0 and π: dφ/dt = −``shil_gain`` s sin 2φ.
        reference_gain, reference_phase: of b, and ψ₁ for which it pulls to 0.
    """

    family_name: str
    epsilon: float
    amplitude: float
    points_per_cycle: int
    inductance: float
    cycle: LimitCycle
    restoring: float
    sensitivity: Array
    coupling_gain: float
    coupling_lag: float
    shil_gain: float
    shil_phase: float
    reference_gain: float
    reference_phase: float

    def detuned(self, relative: Array) -> Array:
        """Relative inductances of cells that run at (1 + ``relative``) times the carrier's frequency.

        A faster cell has less loss a radian of its own, and is held back less by its limiter.
        """
        half = np.pi / self.points_per_cycle
        tuned = self.inductance * (np.tan(half) / np.tan(half * (1 + relative))) ** 2
        if not np.any(relative):
            return np.asarray(tuned)
        less, more = (
            design_lc(self.epsilon * (1 + change), self.amplitude, self.points_per_cycle, self.family_name)
            for change in (-_CHANGE, _CHANGE)
        )
        by_loss = np.log(more.inductance / less.inductance) / np.log((1 + _CHANGE) / (1 - _CHANGE))
        return np.asarray(tuned * (1 + relative) ** -by_loss)


def design_lc(
    epsilon: float, amplitude: float = 1.0, points_per_cycle: int = 64, family_name: str = "lc_levelled"
) -> LcDesign:
    """Solves for the limit cycle of the free cell under the trapezoidal rule with equal steps.

    Raises:
        LcDesignFailed: Newton's method finds no limit cycle, as ε is too large for so few points.
    """
    # a cycle's harmonics fall off fast: with smaller steps no more points are needed to represent it
    points = min(points_per_cycle, _MOST_POINTS)
    psi = 2 * np.pi * np.arange(points) / points
    limiter = _limiter(family_name, epsilon, amplitude)
    derivative, by_frequency = _operators(points, points_per_cycle)
    v, y, square = amplitude * np.cos(psi), amplitude * np.sin(psi), 1.0
    one, sine = np.eye(points), np.sin(psi)
    for _ in range(_ITERATIONS):
        rate, by_v, by_y, by_inductance = limiter(v, y, 1 / square)
        residual = np.concatenate([derivative @ v - rate + y, derivative @ y - square * v, [sine @ v]])
        jacobian = np.block([
            [derivative - np.diag(by_v), one - np.diag(by_y), by_inductance[:, None] / square**2],
            [-square * one, derivative, -v[:, None]],
            [sine[None], np.zeros((1, points)), np.zeros((1, 1))],
        ])  # fmt: skip
        step = np.linalg.solve(jacobian, -residual)
        v, y, square = v + step[:points], y + step[points:-1], square + step[-1]
        if np.abs(step).max() < _ENOUGH * max(amplitude, 1.0):
            break
    if not (np.abs(step).max() < _ENOUGH * max(amplitude, 1.0) and 0.25 < square < 4.0):
        raise LcDesignFailed(
            f"no limit cycle near the carrier found for a limiter of strength epsilon = {epsilon:g} a radian at "
            f"{points_per_cycle} points a cycle; take a weaker one (a larger Q) or more points"
        )
    sensitivity = _sensitivity(jacobian[:-1, :-1], np.concatenate([by_frequency @ v, by_frequency @ y]))
    z1, v1 = _harmonic(sensitivity, 1), _harmonic(v, 1)
    coupled, pumped = z1 * np.conj(v1) / 1j, 2 * _harmonic(sensitivity * v, 2) / 1j
    pulled = amplitude * z1 / 1j
    return LcDesign(
        family_name=family_name,
        epsilon=epsilon,
        amplitude=amplitude,
        points_per_cycle=points_per_cycle,
        inductance=float(1 / square),
        cycle=LimitCycle(psi, ("v", "y"), np.stack([v, y], axis=1)),
        restoring=-float(by_v.mean()),
        sensitivity=sensitivity,
        coupling_gain=float(abs(coupled)),
        coupling_lag=float(np.angle(coupled)),
        shil_gain=float(abs(pumped)),
        shil_phase=float(np.angle(pumped)),
        reference_gain=float(abs(pulled)),
        reference_phase=float(np.angle(pulled)),
    )


def _limiter(
    family_name: str, epsilon: float, amplitude: float
) -> Callable[[Array, Array, float], tuple[Array, ...]]:
    """The free cell's rate without its inductor, and its derivatives, each (M,).

    A function of (M,) v and y and the relative inductance, by which the derivatives are, in this order.
    """
    model = family(family_name)
    assert model.resonator is not None
    values = {model.parameter("epsilon").symbol: epsilon, model.parameter("amplitude").symbol: amplitude}
    silent = {model.parameter(name).symbol: 0 for name in ("shil", "bias")}
    rate = model.self_term.subs(silent).subs(values)
    unknowns = (*model.states, model.resonator.inductance.symbol)
    function = sp.lambdify(unknowns, [rate, *(sp.diff(rate, x) for x in unknowns)], "numpy")
    return lambda v, y, inductance: tuple(
        np.broadcast_to(part, v.shape) for part in function(v, y, inductance)
    )


def _operators(points: int, points_per_cycle: int) -> tuple[Array, Array]:
    """(M, M) the trapezoidal rule's derivative on M points of a cycle, and that by the frequency.

    The highest harmonic of an even M, alternating from point to point, is left out: there is none of it.
    """
    k = np.fft.fftfreq(points, 1 / points)
    half = np.pi / points_per_cycle
    inside = np.abs(k) < points / 2
    tangent = np.tan(half * np.where(inside, k, 0.0))
    spectrum = np.fft.fft(np.eye(points), axis=0)
    derivative = np.fft.ifft(1j * tangent[:, None] / half * spectrum, axis=0).real
    slope = 1j * (inside * k * (1 + tangent**2))[:, None]
    return derivative, np.fft.ifft(slope * spectrum, axis=0).real


def _sensitivity(linearised: Array, by_frequency: Array) -> Array:
    """(M,) Z from the left null vector of the linearised equations."""
    points = len(linearised) // 2
    left = np.linalg.svd(linearised)[0][:, -1]
    return np.asarray(points * left[:points] / (left @ by_frequency))


def _harmonic(values: Array, k: int) -> complex:
    """Complex amplitude c of the k-th harmonic, Re c e^{ikψ}."""
    return complex(2 * np.fft.fft(values)[k] / len(values))
