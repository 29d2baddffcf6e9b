"""The LC oscillator as a circuit: a tank, and a van der Pol conductance that keeps it going."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import sympy as sp

from device_models.couplers import transconductor
from device_models.elements import GROUND, Behavioural, Block, Capacitor, Inductor
from device_models.lc_oscillator import TANH_DRIVE, TANH_GAIN
from device_models.oscillator_cell import OscillatorCell, ShilKind

Limiter = Literal["cubic", "tanh"]
_LIMITERS: Mapping[Limiter, str] = {"cubic": "van der Pol conductance", "tanh": "tanh-limited conductance"}
FREQUENCY = 100e6  # hertz, of the tank
QUALITY = 10.0  # ω C / G: how many radians the amplitude takes to settle
AMPLITUDE = 1.0  # volts, of the fundamental
CAPACITANCE = 1e-12  # farad


def lc_cell(
    frequency: float = FREQUENCY, quality: float = QUALITY, amplitude: float = AMPLITUDE,
    capacitance: float = CAPACITANCE, shil: ShilKind = "pump", even: float = 0.5,
    limiter: Limiter = "cubic", inductance: float = 1.0,
) -> OscillatorCell:  # fmt: skip
    """C dv/dt = −i_L + G v − G₂ v² − (4/3)(G/A²) v³ + i_in, L di_L/dt = v.

    Args:
        frequency: of the tank, hertz; the cell itself runs about 1/(16 Q²) slower.
        quality: Q = ωC/G.
        amplitude: A, volts.
        capacitance: farad.
        shil: ``pump``, a conductance at twice f₀; or ``current``: the even term G₂ is there only then, since a
            half-wave symmetric cell doesn't feel a current at twice f₀.
        even: G₂ in units of G/A.
        limiter: ``cubic`` (van der Pol, as above) or ``tanh``, a differential pair: −G (r V tanh(v/V) − v) with the
            gain ratio r at which couplings do not lag, see ``device_models.lc_oscillator``.
        inductance: of the tank, in units of 1/(ω²C): other than 1 where the steps of a run are to give ω.
    """
    omega = 2 * math.pi * frequency
    conductance = omega * capacitance / quality
    c, henry, g, g2, a = sp.symbols("c l g g2 a", positive=True)
    v = sp.Symbol("v", real=True)
    current = -g * v + sp.Rational(4, 3) * g / a**2 * v**3
    if limiter == "tanh":
        current = g * (v - TANH_GAIN * a / TANH_DRIVE * sp.tanh(TANH_DRIVE * v / a))
    second = {"g2": even * conductance / amplitude} if shil == "current" else {}
    block = Block(
        name="lc_cell",
        ports=("out",),
        elements=(
            Capacitor("tank", ("out", GROUND), c),
            Inductor("tank", ("out", GROUND), henry, sp.Symbol("ic_tank", real=True)),
            Behavioural(
                "active", ("out", GROUND), current + (g2 * v**2 if second else 0), {v: ("out", GROUND)}
            ),
        ),
        title="LC oscillator cell",
        parameters={
            "c": capacitance, "l": inductance / (omega**2 * capacitance), "g": conductance, "a": amplitude, **second,
            "ic_tank": 0.0,
        },
        notes=(
            "c farad, l henry: the tank; g siemens: the negative conductance; a volts: the amplitude;",
            *(("g2 A/V^2: even term, which gives a second harmonic to lock on;",) if second else ()),
            "ic_tank ampere: the inductor's initial current",
        ),
    )  # fmt: skip
    return OscillatorCell(
        name="lc",
        title=f"LC tank, {frequency / 1e6:g} MHz, Q {quality:g}, {_LIMITERS[limiter]}",
        block=block,
        output="out",
        injections=("out",),
        supplies={},
        start={"out": 0.1 * amplitude},
        period_guess=1 / frequency,
        # 2 C K v of the sender gives dφ/dt = −K sin Δφ; K at 0.2 % of f₀
        couplers=(transconductor("out", "out", 2 * capacitance * 0.002 * frequency),),
        shil="out",
        source="van der Pol 1926, with the cubic scaled to a given amplitude",
        inductors=("tank",),
        shil_kind=shil,
        points_per_cycle=64,
    )
