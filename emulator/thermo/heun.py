"""Stochastic Heun solver of Langevin networks with quartic wells: the reference where nothing exact is known.

    x̃ = x + f(x) h + √(2kT) ΔW,   x' = x + ½ (f(x) + f(x̃)) h + √(2kT) ΔW

Weak order 2 for additive noise and strong order 1. Source: Kloeden and Platen, Numerical Solution of
Stochastic Differential Equations, §15.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from netlists.core import Array
from netlists.network import LangevinNetwork, NetworkError

# (step number) → (..., N) standard normal numbers
Normals = Callable[[int], Array]

LARGEST_STEP = 0.5  # times the fastest rate; beyond 2 an explicit step grows what it should damp
_SPREAD = math.gamma(0.75) / math.gamma(0.25)  # ⟨x²⟩ of a well x⁴ at kT = 1


def drift(network: LangevinNetwork) -> Callable[[Array], Array]:
    """f(x) = b − M x − 4 J4 x³ of states (..., N)."""
    matrix, quartic, bias = network.matrix, 4 * network.quartic, network.bias
    # a product is some ten times as fast as a power
    return lambda x: bias - x @ matrix - quartic * x * x * x


def largest_step(network: LangevinNetwork) -> float:
    """Half over the fastest rate where the states are: at the bottom of the wells, and a thermal amplitude beyond."""
    quartic = network.quartic[network.quartic > 0]
    bottom = np.sqrt(np.maximum(-network.spectrum.smallest, 0) / (4 * quartic))
    thermal = (network.kt / quartic) ** 0.25
    fastest = network.spectrum.largest + np.max(12 * quartic * (bottom + thermal) ** 2, initial=0)
    return float(LARGEST_STEP / fastest)


def slowest_rate(network: LangevinNetwork, matrix: Array | None = None) -> float:
    """Rate of the slowest mode at the network's temperature; ``matrix`` takes the place of M.

    A well J4 x⁴ by itself spreads ⟨x²⟩ = Γ(3/4)/Γ(1/4) √(kT/J4), where its force has the slope 12 J4⟨x²⟩. Wells with
    two bottoms are taken for single ones: how long states take from one bottom to the other is for whoever has such
    wells to know (Kramers).
    """
    matrix = network.matrix if matrix is None else matrix
    if not network.quartic.any():
        return float(np.abs(np.linalg.eigvals(matrix).real).min())
    rates, modes = np.linalg.eigh((matrix + matrix.T) / 2)
    held = 12 * _SPREAD * np.sqrt(network.kt * network.quartic)
    return float(np.linalg.eigvalsh((modes * np.abs(rates)) @ modes.T + np.diag(held))[0])


def heun(
    network: LangevinNetwork, start: Array, step: float, steps: int, normals: Normals, every: int = 1
) -> Array:
    """(steps // every, ..., N) states after every so many steps, from (..., N), driven by the normals given.

    Raises:
        NetworkError: a step that is not above 0, or states that ran away.
    """
    if not step > 0:
        raise NetworkError(f"step is {step}; expected above 0 model time units")
    f, scale = drift(network), np.sqrt(2 * network.kt * step)
    x = np.array(start, dtype=np.float64)
    kept = np.empty((steps // every, *x.shape))
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(steps):
            here, noise = f(x), scale * normals(k)
            x = x + 0.5 * step * (here + f(x + step * here + noise)) + noise
            if (k + 1) % every == 0:
                kept[(k + 1) // every - 1] = x
    if not np.isfinite(x).all():
        raise NetworkError(
            f"states ran away at a step of {step:g}; expected at most about {largest_step(network):.2g} model time "
            "units for this network"
        )
    return kept


def white(generator: np.random.Generator, shape: tuple[int, ...]) -> Normals:
    """Independent normals of a shape at every step."""
    return lambda _: generator.standard_normal(shape)
