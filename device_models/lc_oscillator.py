"""LC oscillators at the waveform level: a tank, a limited negative conductance, transconductance couplings.

The model time unit is a radian of the carrier (τ = 1/ω₀), the state a node's voltage v, and y its inductor's current
in units of C ω₀:

    dv_i/dt = limiter(v_i, y_i) + 2 Σ_j κ_ij v_j + 4 s_i cos(2θ + ψ₂) v_i + 2 b_i A cos(θ + ψ₁) − y_i
    dy_i/dt = v_i / inductance_i,    θ = carrier × t

Limiters of amplitude A, and the rate per radian at which each restores it:

- ``lc`` (van der Pol, twice the loss at small voltages): ε (v − (4/3) v³/A²), ε = 1/Q the tank's loss per radian.
  Restores at ε.
- ``lc_tanh`` (differential pair, r times the loss): ε (r V tanh(v/V) − v), r = ``TANH_GAIN``. At amplitude A the
  fundamental's gain r N(A/V) is 1, with N(a) = (1/πa) ∫ tanh(a cos ψ) cos ψ dψ over a turn; A/V = ``TANH_DRIVE``.
  Restores at 0.42 ε.
- ``lc_levelled`` (sum-of-squares levelling): ε (1 − (v² + inductance y²)/A²) v, a conductance set by the energy in
  the tank. Restores at exactly ε, however large.

On the limit cycle v = A cos ψ, y = A sin ψ with ψ = θ + φ, a current f into the node turns the phase by
dφ/dt = −f sin ψ / A. Averaged over a cycle that gives, to first order in ε, κ, s and b,

    dφ_i/dt = −Σ_j κ_ij sin(φ_i − φ_j) − s_i sin(2φ_i − ψ₂) − b_i sin(φ_i − ψ₁),

the trained ODE with rates per radian of the carrier. To second order the free cell runs slow (van der Pol: by ε²/16)
and couplings, which add conductance, pull the frequency: for van der Pol by −(ε/4) Σ_j κ_ij cos(φ_i − φ_j), an error
that no number of cycles removes. A differential pair's harmonics slow it less the harder it is driven: r is chosen
such that a little more conductance leaves the frequency as it is, and the pulling vanishes. Source: Adler 1946;
van der Pol 1927; Wang & Roychowdhury, "OIM", UCNC 2019.

The levelled cell has no harmonics at all: on the limit cycle its energy is constant, so the conductance is zero there
all the time, and v and y are a free tank's. It can be made strong where a limiter that sees v alone would distort, and
the stronger it is the less amplitudes follow the neighbours, which is what the trained ODE assumes. What a designer
would build is a quadrature oscillator whose outputs are squared, summed and compared with A². That sum is the known
measure of an amplitude without ripple; errors of the squarers come back as a second harmonic. y is then the second
integrator's voltage, and the inductor a gyrator: OTA-C oscillators of that kind, under other amplitude controls, were
built for 50 to 130 MHz (Linares-Barranco et al., IEEE Trans. Circuits Syst. I 51 (2004) 649; Rodríguez-Vázquez et al.,
IEEE Trans. Circuits Syst. 37 (1990) 198). Behavioural about it here: squarers and multiplier are ideal, without delay
(theirs would have to be small against 1/ε radians), noise, saturation or power; y is read off the inductor; and the
tank's own loss is taken as cancelled by a constant conductance, neither of which is written out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import sympy as sp

from device_models.model import Carrier, CellModel, Parameter, Resonator, State

_SOURCE = "van der Pol 1927; Adler 1946; Wang & Roychowdhury, UCNC 2019"
_RATE = "rad per rad of the carrier"

# where the coupling's lag vanishes (``netlists.lc_design``; to 1e-4 rad for any Q above 4), and the drive that follows
TANH_GAIN = 2.215
TANH_DRIVE = 2.625048221372498

v, y = sp.symbols("v y", real=True)
theta = sp.Symbol("theta", real=True)
epsilon, amplitude = sp.symbols("epsilon A", positive=True)
pump, reference, pump_phase, reference_phase = sp.symbols("s b psi2 psi1", real=True)
inductance, frequency = sp.symbols("inductance carrier", positive=True)
total = sp.Symbol("sum_v", real=True)

Limiter = Literal["levelled", "tanh", "cubic"]
LIMITERS: Mapping[Limiter, sp.Expr] = MappingProxyType(
    {
        "levelled": epsilon * (1 - (v**2 + inductance * y**2) / amplitude**2) * v,
        "tanh": epsilon * (TANH_GAIN / TANH_DRIVE * amplitude * sp.tanh(TANH_DRIVE * v / amplitude) - v),
        "cubic": epsilon * (v - sp.Rational(4, 3) * v**3 / amplitude**2),
    }
)

_PARAMETERS = (
    Parameter(
        epsilon, "epsilon", "1", "core", 0.1, 0.0, math.inf,
        "strength of the limiter, per radian: 1/Q, or the rate of a levelled cell", _SOURCE,
    ),
    Parameter(
        amplitude, "amplitude", "V", "core", 1.0, 0.0, math.inf,
        "amplitude of the free oscillation", _SOURCE,
    ),
    Parameter(
        pump_phase, "shil_phase", "rad", "core", 0.0, -math.inf, math.inf,
        "phase of the pump against twice the carrier's", _SOURCE,
    ),
    Parameter(
        reference_phase, "bias_phase", "rad", "core", 0.0, -math.inf, math.inf,
        "phase of the reference current against the carrier's", _SOURCE,
    ),
    Parameter(
        pump, "shil", _RATE, "node-and-chunk", 0.0, -math.inf, math.inf,
        "conductance pumped at twice the carrier frequency", _SOURCE,
    ),
    Parameter(
        reference, "bias", _RATE, "node-and-chunk", 0.0, -math.inf, math.inf,
        "current of the common reference", _SOURCE,
    ),
)  # fmt: skip


def _lc(family: str, limited: str, limiter: Limiter) -> CellModel:
    """The cell with one of the limiters."""
    return CellModel(
        family=family,
        title=f"LC oscillators ({limited}) with transconductance couplings",
        state=State(v, unit="V"),
        parameters=_PARAMETERS,
        self_term=LIMITERS[limiter]
        + 4 * pump * sp.cos(2 * theta + pump_phase) * v
        + 2 * reference * amplitude * sp.cos(theta + reference_phase),
        features={"v": v},
        sums={"v": total},
        coupling=2 * total,
        source=_SOURCE,
        carrier=Carrier(
            theta,
            Parameter(
                frequency, "carrier", "rad per model time unit", "core", 1.0, 0.0, math.inf,
                "frequency of the common reference", _SOURCE,
            ),
        ),
        resonator=Resonator(
            y,
            Parameter(
                inductance, "inductance", "1", "node", 1.0, 0.0, math.inf,
                "tank inductor, relative to 1/(ω₀² C)", _SOURCE,
            ),
        ),
    )  # fmt: skip


LC = _lc("lc", "van der Pol", "cubic")
LC_TANH = _lc("lc_tanh", "tanh-limited", "tanh")
LC_LEVELLED = _lc("lc_levelled", "amplitude-levelled", "levelled")
LIMITED: Mapping[Limiter, CellModel] = MappingProxyType(
    {"levelled": LC_LEVELLED, "tanh": LC_TANH, "cubic": LC}
)
