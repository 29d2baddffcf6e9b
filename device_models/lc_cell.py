"""The LC oscillator as a circuit: a tank, and a limited negative conductance that keeps it going."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy as sp

from device_models import lc_oscillator as lc
from device_models.couplers import transconductor
from device_models.elements import GROUND, Behavioural, Block, Capacitor, Element, Inductor, ammeter
from device_models.lc_oscillator import Limiter
from device_models.oscillator_cell import OscillatorCell, ShilKind

_TITLES: Mapping[Limiter, str] = {
    "levelled": "amplitude levelled at {epsilon:g} a radian",
    "tanh": "Q {quality:g}, tanh-limited conductance",
    "cubic": "Q {quality:g}, van der Pol conductance",
}
FREQUENCY = 100e6  # hertz, of the tank
EPSILON = 0.1  # G / ω C: the amplitude settles in about ten radians
AMPLITUDE = 1.0  # volts, of the fundamental
CAPACITANCE = 1e-12  # farad


def lc_cell(
    frequency: float = FREQUENCY, epsilon: float = EPSILON, amplitude: float = AMPLITUDE,
    capacitance: float = CAPACITANCE, shil: ShilKind = "pump", even: float = 0.5,
    limiter: Limiter = "cubic", inductance: float = 1.0,
) -> OscillatorCell:  # fmt: skip
    """C dv/dt = −i_L + G v − G₂ v² − (4/3)(G/A²) v³ + i_in, L di_L/dt = v.

    Args:
        frequency: of the tank, hertz; the cell itself runs about ε²/16 slower.
        epsilon: G/ωC, per radian: 1/Q of a tank of loss G.
        amplitude: A, volts.
        capacitance: farad.
        shil: ``pump``, a conductance at twice f₀; or ``current``: the even term G₂ is there only then, since a
            half-wave symmetric cell doesn't feel a current at twice f₀.
        even: G₂ in units of G/A.
        limiter: ``cubic`` (van der Pol, as above); ``tanh``, a differential pair: −G (r V tanh(v/V) − v) with the
            gain ratio r at which couplings do not lag; or ``levelled``: −G (1 − (v² + L i_L²/C)/A²) v, which sees the
            energy of the tank. See ``device_models.lc_oscillator``.
        inductance: of the tank, in units of 1/(ω²C): other than 1 where the steps of a run are to give ω.
    """
    omega = 2 * math.pi * frequency
    conductance = epsilon * omega * capacitance
    c, henry, g, g2, a = sp.symbols("c l g g2 a", positive=True)
    v, i = sp.symbols("v i_tank", real=True)
    # in units of ωC the limiter's ε is a conductance, and inductance · y² is L i²/C
    units = {lc.epsilon: g, lc.amplitude: a, lc.v: v, lc.y: i, lc.inductance: henry / c}
    current = -lc.LIMITERS[limiter].subs(units, simultaneous=True)
    sensed = {i: "sense"} if i in current.free_symbols else {}
    end = "coil" if sensed else GROUND
    second = {"g2": even * conductance / amplitude} if shil == "current" else {}
    elements: tuple[Element, ...] = (
        Capacitor("tank", ("out", GROUND), c),
        Inductor("tank", ("out", end), henry, sp.Symbol("ic_tank", real=True)),
        *(ammeter(name, (end, GROUND)) for name in sensed.values()),
        Behavioural(
            "active", ("out", GROUND), current + (g2 * v**2 if second else 0), {v: ("out", GROUND)}, sensed=sensed
        ),
    )  # fmt: skip
    block = Block(
        name="lc_cell",
        ports=("out",),
        elements=elements,
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
    title = _TITLES[limiter].format(epsilon=epsilon, quality=1 / epsilon)
    return OscillatorCell(
        name="lc",
        title=f"LC tank, {frequency / 1e6:g} MHz, {title}",
        block=block,
        output="out",
        injections=("out",),
        supplies={},
        start={"out": 0.1 * amplitude},
        period_guess=1 / frequency,
        # 2 C K v of the sender gives dφ/dt = −K sin Δφ; K at 0.2 % of f₀
        couplers=(transconductor("out", "out", 2 * capacitance * 0.002 * frequency),),
        shil="out",
        source="van der Pol 1926, with the cubic scaled to a given amplitude; device_models.lc_oscillator",
        inductors=("tank",),
        shil_kind=shil,
        points_per_cycle=64,
    )
