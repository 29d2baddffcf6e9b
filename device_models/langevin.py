"""Quadratic-plus-quartic Langevin nodes with bilinear couplings: the deterministic part, −∇V.

    V = Σ_i (J2_i x_i² + J4_i x_i⁴ − b_i x_i) + ½ Σ_ij K_ij x_i x_j
    dx_i/dt = b_i − 2 J2_i x_i − 4 J4_i x_i³ − Σ_j K_ij x_j

Source: De, arXiv:2604.14332; Whitelam, arXiv:2506.15121. There V holds xᵀJx, so K = J + Jᵀ off the diagonal.
"""

from __future__ import annotations

import math

import sympy as sp

from device_models.model import CellModel, Parameter, State

_PAPERS = "De, arXiv:2604.14332; Whitelam, arXiv:2506.15121"
_RATE = "per model time unit"

x = sp.Symbol("x", real=True)
quadratic, quartic, bias, total = sp.symbols("J2 J4 b sum_x", real=True)

LANGEVIN = CellModel(
    family="langevin",
    title="Langevin nodes in quadratic and quartic wells, bilinear couplings",
    state=State(x, unit="1"),
    parameters=(
        Parameter(
            quadratic, "quadratic", _RATE, "node", 0.0, -math.inf, math.inf,
            "J2, coefficient of x² in the potential", _PAPERS,
        ),
        Parameter(
            quartic, "quartic", _RATE, "node", 0.0, 0.0, math.inf,
            "J4, coefficient of x⁴ in the potential", _PAPERS,
        ),
        Parameter(
            bias, "bias", _RATE, "node-and-chunk", 0.0, -math.inf, math.inf,
            "b, force on the node", _PAPERS,
        ),
    ),
    self_term=bias - 2 * quadratic * x - 4 * quartic * x**3,
    features={"x": x},
    sums={"x": total},
    coupling=-total,
    source=_PAPERS,
)  # fmt: skip
