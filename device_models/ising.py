"""Continuous-state Ising machines: polynomial and tanh nonlinearity.

    polynomial         dx_i/dt = α_i x_i − x_i³ + β Σ_j J_ij x_j
    tanh               dx_i/dt = −x_i + tanh(α_i x_i + β Σ_j J_ij x_j)
    tanh, features     dx_i/dt = −x_i + Σ_j J_ij tanh(g x_j)

Source: Böhm, Van Vaerenbergh, Verschaffelt & Van der Sande, Communications Physics 4, 149 (2021) for the first two;
the third is the continuous Hopfield network (Hopfield, PNAS 81, 3088 (1984)). The gain of
the third is one number for the core: a wire carries one feature, and its listeners share it.
"""

from __future__ import annotations

import math

import sympy as sp

from device_models.model import CellModel, Parameter, State

_BOHM = "Böhm et al., Commun. Phys. 4, 149 (2021)"
_HOPFIELD = "Hopfield, PNAS 81, 3088 (1984)"
_RATE = "per model time unit"

x = sp.Symbol("x", real=True)
alpha, beta, gain, total = sp.symbols("alpha beta g sum_x", real=True)


def _parameters(source: str) -> tuple[Parameter, ...]:
    return (
        Parameter(
            alpha, "alpha", _RATE, "node-and-chunk", 0.0, -math.inf, math.inf,
            "linear gain of the node", source,
        ),
        Parameter(
            beta, "beta", "1", "core", 1.0, -math.inf, math.inf,
            "strength common to all couplings", source,
        ),
    )  # fmt: skip


POLYNOMIAL_ISING = CellModel(
    family="polynomial_ising",
    title="Ising machine with polynomial nonlinearity",
    state=State(x, unit="1"),
    parameters=_parameters(_BOHM),
    self_term=alpha * x - x**3,
    features={"x": x},
    sums={"x": total},
    coupling=beta * total,
    source=_BOHM,
)

TANH_ISING = CellModel(
    family="tanh_ising",
    title="Ising machine with tanh nonlinearity",
    state=State(x, unit="1"),
    parameters=_parameters(_BOHM),
    self_term=-x,
    features={"x": x},
    sums={"x": total},
    coupling=sp.tanh(alpha * x + beta * total),
    source=_BOHM,
)

TANH_FEATURE_ISING = CellModel(
    family="tanh_feature_ising",
    title="Ising machine with tanh features (continuous Hopfield network)",
    state=State(x, unit="1"),
    parameters=(
        Parameter(gain, "gain", "1", "core", 1.0, 0.0, math.inf, "gain in front of the tanh", _HOPFIELD),
    ),
    self_term=-x,
    features={"tanh": sp.tanh(gain * x)},
    sums={"tanh": sp.Symbol("sum_tanh", real=True)},
    coupling=sp.Symbol("sum_tanh", real=True),
    source=_HOPFIELD,
    default_readout="tanh",
)
