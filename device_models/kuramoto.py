"""Phase oscillators: Kuramoto, and KuraSHIL, the same with sub-harmonic injection locking.

    dφ_i/dt = ω_i − Σ_j K_ij(t) sin(φ_i − φ_j) − B_i(t) sin φ_i [ − S_i(t) sin 2φ_i ]

Source: Wang & Achour, arXiv:2606.27294. The difference's sine is written with the features sin φ and cos φ
(in-phase and quadrature), so that a node's coupling needs only the sums Σ K sin φ_j and Σ K cos φ_j.
"""

from __future__ import annotations

import math
from dataclasses import replace

import sympy as sp

from device_models.model import CellModel, Parameter, State

_PAPER = "Wang & Achour, arXiv:2606.27294"

phi = sp.Symbol("phi", real=True)
omega, bias, shil = sp.symbols("omega B S", real=True)
sum_sin, sum_cos = sp.symbols("sum_sin sum_cos", real=True)

_BIAS = Parameter(
    bias, "bias", "rad per model time unit", "node-and-chunk", 0.0, -math.inf, math.inf,
    "pull of the common reference oscillator, whose phase is 0", _PAPER,
)  # fmt: skip
_DETUNING = Parameter(
    omega, "detuning", "rad per model time unit", "node", 0.0, -math.inf, math.inf,
    "frequency difference from the common reference", _PAPER,
)  # fmt: skip
_SHIL = Parameter(
    shil, "shil", "rad per model time unit", "node-and-chunk", 0.0, -math.inf, math.inf,
    "strength of the sub-harmonic injection at twice the oscillator frequency", _PAPER,
)  # fmt: skip

KURAMOTO = CellModel(
    family="kuramoto",
    title="Kuramoto oscillators",
    state=State(phi, unit="rad", storage="charge", periodic=2 * math.pi),
    parameters=(_BIAS, _DETUNING),
    self_term=omega - bias * sp.sin(phi),
    features={"sin": sp.sin(phi), "cos": sp.cos(phi)},
    sums={"sin": sum_sin, "cos": sum_cos},
    coupling=-(sp.sin(phi) * sum_cos - sp.cos(phi) * sum_sin),
    source=_PAPER,
    default_readout="cos",
)

KURASHIL = replace(
    KURAMOTO,
    family="kurashil",
    title="Kuramoto oscillators with sub-harmonic injection locking (KuraSHIL)",
    parameters=(_SHIL, _BIAS, _DETUNING),
    self_term=KURAMOTO.self_term - shil * sp.sin(2 * phi),
)
