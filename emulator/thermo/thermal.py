"""What the dynamics costs that a linear solve does not show: time to settle, and time to average the noise away.

All in closed form, for linear networks: the mean of a time average over T has covariance
2 kT (M⁻²/T − M⁻³ (I − e^{−MT})/T²), which is kT M⁻¹ for T → 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emulator.thermo.ornstein_uhlenbeck import ornstein_uhlenbeck
from netlists.core import Array
from netlists.network import LangevinNetwork

GRID = 400  # times looked at for the last crossing, before it is refined


@dataclass(frozen=True)
class Settling:
    """From rest at 0 to the equilibrium, without noise. Model time units.

    Attributes:
        tolerance: settled is within this of the visible equilibrium, relative, on the mean over inputs.
        time: when that is reached for good.
        slowest: 1/λ_min.
        bound: ln(1/tolerance)/λ_min: what one has to wait for whatever inputs.
    """

    tolerance: float
    time: float
    slowest: float
    bound: float


def distances(network: LangevinNetwork, equilibria: Array, times: Array) -> Array:
    """(R,) mean over inputs of ‖y(t) − y*‖/‖y*‖, y the visible nodes, from rest at 0 to equilibria (S, N)."""
    process = ornstein_uhlenbeck(network)
    shown = network.visible
    sizes = np.linalg.norm(equilibria[:, shown], axis=1)
    weights = equilibria @ process.modes

    def distance(time: float) -> float:
        left = (weights * np.exp(-process.rates * time)) @ process.modes[shown].T
        return float(np.mean(np.linalg.norm(left, axis=1) / sizes))

    return np.array([distance(float(time)) for time in times])


def settling(network: LangevinNetwork, equilibria: Array, tolerance: float = 0.01) -> Settling:
    """Settling of the visible nodes to equilibria (S, N) of inputs switched on at time 0."""
    from scipy.optimize import brentq

    def excess(time: float) -> float:
        return float(distances(network, equilibria, np.array([time]))[0]) - tolerance

    slowest = 1 / network.spectrum.smallest
    bound = slowest * math.log(1 / tolerance)
    # hidden nodes can carry more than the visible ones, which then settle later than the whole does
    end = 2 * bound
    while excess(end) > 0:
        end *= 2
    times = np.linspace(0, end, GRID)
    last = int(np.flatnonzero(distances(network, equilibria, times) > tolerance)[-1])
    time = float(brentq(excess, times[last], times[last + 1], xtol=1e-9 * end))
    return Settling(tolerance, time, slowest, bound)


@dataclass(frozen=True)
class Averaging:
    """What it takes to see a signal under the thermal noise of the visible nodes.

    Criterion: the rms noise of the averaged readout, over visible nodes, is ``ratio`` times the rms signal.

    Attributes:
        ratio: noise over signal that is asked for.
        signal: rms signal of a node.
        noise: rms thermal noise of a node at one instant, √(tr kT M⁻¹ / V) over the V visible nodes.
        correlation_time: of that noise, ∫ tr C(t) dt / tr C(0) = tr M⁻² / tr M⁻¹. Model time units.
        samples: independent readouts to average, (noise/(ratio·signal))², at least 1.
        time: how long a continuous average takes for the same; 0 if one instant is enough. Model time units.
        kt_of_one: temperature at which one instant would do.
    """

    ratio: float
    signal: float
    noise: float
    correlation_time: float
    samples: float
    time: float
    kt_of_one: float


def averaging(network: LangevinNetwork, signal: float, ratio: float = 1.0) -> Averaging:
    """How long to average until the noise is ``ratio`` times a signal (rms, per visible node)."""
    from scipy.optimize import brentq

    rates, share = _visible_modes(network)
    unit_variance = float(share @ (1 / rates))  # at kT = 1
    variance, wanted = network.kt * unit_variance, (ratio * signal) ** 2
    correlation = float(share @ rates**-2.0) / unit_variance

    def excess(time: float) -> float:
        return float(averaged_noise(network, np.array([time]))[0]) ** 2 - wanted

    time = 0.0
    if variance > wanted:
        # at long times the variance is 2 variance · correlation / time, from below
        time = float(brentq(excess, 0.0, 2 * variance * correlation / wanted, xtol=1e-12 * correlation))
    return Averaging(
        ratio,
        signal,
        math.sqrt(variance),
        correlation,
        max(1.0, variance / wanted),
        time,
        wanted / unit_variance,
    )


def averaged_noise(network: LangevinNetwork, times: Array) -> Array:
    """(R,) rms thermal noise of a visible node in an average over each of the times, in equilibrium."""
    rates, share = _visible_modes(network)
    return np.array([math.sqrt(share @ averaged_variance(rates, network.kt, float(t))) for t in times])


def _visible_modes(network: LangevinNetwork) -> tuple[Array, Array]:
    """(N,) rates of the modes, and how much of each a visible node shows, on the mean."""
    process = ornstein_uhlenbeck(network)
    share = np.sum(process.modes[network.visible] ** 2, axis=0) / len(network.visible)
    return process.rates, np.asarray(share)


def averaged_variance(rates: Array, kt: float, time: float) -> Array:
    """(N,) variance of each mode's average over a time, in equilibrium: (2 kT/λ) (u − 1 + e^{−u})/u² at u = λT."""
    u = rates * time
    small = u < 1e-4
    safe = np.where(small, 1.0, u)
    # (u − 1 + e^−u)/u², whose difference cancels at small u
    shape = np.where(small, 0.5 - u / 6 + u**2 / 24, (safe + np.expm1(-safe)) / safe**2)
    return 2 * kt / rates * shape


def signal_between_inputs(activations: Array) -> float:
    """Rms, over samples and nodes, of (S, D) activations about their mean: what tells one input from another."""
    return float(np.sqrt(np.mean((activations - activations.mean(axis=0)) ** 2)))
