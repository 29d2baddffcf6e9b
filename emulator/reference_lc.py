"""The waveform-level reference: the LC array's circuit equations once more, in SI units, solved by DOP853.

    C dv_i/dt = −i_i + limiter(v_i, i_i) + 2 C ω₀ Σ_j κ_ij v_j
                + 4 C ω₀ s_i cos(2 ω t + ψ₂) v_i + 2 C ω₀ b_i A cos(ω t + ψ₁)
    L_i di_i/dt = v_i,    L_i = λ_i / (ω₀² C)

with ω₀ = 1/τ and the carrier ω = 2π f. Limiters, in ampere, all with G = C ω₀ ε: van der Pol G (v − (4/3) v³/A²); the
differential pair G (r V tanh(v/V) − v), where V is such that a cosine of amplitude A meets as much gain as loss, and r
is 2.215; and the levelled tank G (1 − W/W₀) v with its energy W = (C v² + L i²)/2 and W₀ = C A²/2.

Independent of ``device_models``, as ``emulator.reference`` is, and of any fixed step: it takes weights and inductors
from the array's core, and knows nothing of what they were made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import scipy.sparse as sparse
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from emulator.reference import METHOD, ReferenceFailed
from netlists.core import AnalogCore, Array
from netlists.scaling import Scaling


def waveforms(
    core: AnalogCore, scaling: Scaling, f0_hz: float, start: tuple[Array, Array], times: Array, *,
    rtol: float = 1e-9,
) -> tuple[Array, Array]:  # fmt: skip
    """Node voltages and inductor currents of an LC array.

    Args:
        core: of family ``lc_levelled``, ``lc_tanh`` or ``lc``.
        scaling: seconds per radian of the nominal carrier, and the tank's capacitor.
        f0_hz: of the carrier.
        start: (N,) volts and (N,) ampere at time 0.
        times: (R,) ascending seconds, within the run.
        rtol: relative tolerance of DOP853.

    Returns:
        (R, N) volts and (R, N) ampere at ``times``.

    Raises:
        ReferenceFailed: the solver gave up.
    """
    times = np.minimum(times, scaling.tau * core.duration)  # a simulator's last one may be an ulp beyond
    current = np.concatenate(start)
    found = np.empty((len(times), len(current)))
    found[times <= 0] = current
    scale = np.repeat([float(core.parameters["amplitude"])] * 2, core.nodes)
    scale[core.nodes :] *= scaling.conductance
    for chunk in range(core.chunks):
        low, high = (scaling.tau * float(core.boundaries[k]) for k in (chunk, chunk + 1))
        inside = (times > low) & (times <= high)
        asked, where = np.unique(np.append(times[inside], high), return_inverse=True)
        rate = circuit_rate(core, scaling, f0_hz, chunk)
        solution = solve_ivp(
            rate, (low, high), current, METHOD, t_eval=asked, rtol=rtol, atol=rtol * 1e-2 * scale
        )
        if not solution.success:
            raise ReferenceFailed(f"the reference solver {METHOD} stopped: {solution.message}")
        found[inside] = solution.y.T[where[:-1]]
        current = solution.y[:, -1]
    return found[:, : core.nodes], found[:, core.nodes :]


def circuit_rate(
    core: AnalogCore, scaling: Scaling, f0_hz: float, chunk: int
) -> Callable[[float, Array], Array]:
    """d/dt of (2N,) volts and ampere as a function of seconds and those."""
    nodes, given = core.nodes, core.parameters
    capacitance, unit = scaling.capacitance, scaling.capacitance / scaling.tau  # farad, siemens
    amplitude = float(given["amplitude"])
    inductance = given["inductance"] * scaling.tau**2 / capacitance
    receivers, senders = core.edges.T
    coupling = sparse.csr_array((2 * unit * core.coupling[chunk], (receivers, senders)), shape=(nodes, nodes))
    pumped, driven = 4 * unit * given["shil"][chunk], 2 * unit * amplitude * given["bias"][chunk]
    pump_phase, reference_phase = float(given["shil_phase"]), float(given["bias_phase"])
    limiter = LIMITERS[core.family_name](unit * float(given["epsilon"]), amplitude, capacitance, inductance)
    omega = 2 * np.pi * f0_hz

    def rate(time: float, y: Array) -> Array:
        v, i = y[:nodes], y[nodes:]
        into = limiter(v, i) + coupling @ v - i
        into += pumped * np.cos(2 * omega * time + pump_phase) * v
        into += driven * np.cos(omega * time + reference_phase)
        return np.concatenate([into / capacitance, v / inductance])

    return rate


Limiter = Callable[[Array, Array], Array]  # ampere, of volts and ampere


def _van_der_pol(conductance: float, amplitude: float, *_: object) -> Limiter:
    return lambda v, _: conductance * (v - 4 / 3 * v**3 / amplitude**2)


def _differential_pair(conductance: float, amplitude: float, *_: object) -> Limiter:
    width = amplitude / tanh_drive()
    return lambda v, _: conductance * (_GAIN * width * np.tanh(v / width) - v)


def _levelled(conductance: float, amplitude: float, capacitance: float, inductance: Array) -> Limiter:
    full = capacitance * amplitude**2 / 2

    def current(v: Array, i: Array) -> Array:
        energy = capacitance * v**2 / 2 + inductance * i**2 / 2
        return np.asarray(conductance * (1 - energy / full) * v)

    return current


_GAIN = 2.215
LIMITERS: Mapping[str, Callable[..., Limiter]] = {
    "lc": _van_der_pol, "lc_tanh": _differential_pair, "lc_levelled": _levelled,
}  # fmt: skip


@lru_cache(maxsize=1)
def tanh_drive() -> float:
    """A/V at which the fundamental of tanh((A/V) cos ψ) is A/V over r: gain meets loss."""

    def excess(drive: float) -> float:
        fundamental, _ = quad(
            lambda psi: np.tanh(drive * np.cos(psi)) * np.cos(psi), 0, 2 * np.pi, epsabs=1e-13
        )
        return float(fundamental / np.pi / drive - 1 / _GAIN)

    return float(brentq(excess, 1.0, 5.0, xtol=1e-13))
