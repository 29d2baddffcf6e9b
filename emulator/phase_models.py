"""Models between the trained ODE and the circuit, each with one assumption less: the rungs of the ladder.

All are averaged equations in model units, written straight from the mathematics as the reference is. The rate of a
phase oscillator with a measured coupling function is

    dφ_i/dt = Δ_i + Σ_links s · Γ(φ_i − φ_j) − B_i sin φ_i − S_i sin 2φ_i,   Γ(x) = Re Σ_k c_k e^{ikx}

and the envelope z = A e^{iφ} / A₀ of an LC cell, before the amplitude is taken as constant, obeys

    dz_i/dt = (ρ / 2)(1 − |z_i|²) z_i + Σ_j K_ij z_j + S_i z̄_i + B_i

with ρ the rate at which its limiter restores the amplitude: first-order averaging of the van der Pol cell
C dv/dt = −i_L + G v − (4/3)(G/A₀²) v³ + i, ρ = ω₀ τ G / (ω₀ C), and of one levelled by its energy,
C dv/dt = −i_L + G (1 − (v² + L i_L²/C)/A₀²) v + i, with the same ρ, there also far from small G.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from device_models.oscillator_cell import CouplerType
from emulator.cell_runs import harmonics
from emulator.reference import Rate, chunked
from netlists.characterization import Characterization, Complex
from netlists.core import AnalogCore, Array, Index
from netlists.sizing import Sizing, coupling_functions

LARGEST_HARMONIC = 12


@dataclass(frozen=True)
class Action:
    """Couplers of one wiring, in SI units: what they do to the receiving cell, or to the sending one.

    Attributes:
        onto, other: (Q,) cells acted on, and those whose phase it depends on.
        strength: (T, Q) of the couplers.
        harmonics: (H,) of Γ(φ_onto − φ_other), rad/s per unit of strength, from the mean on.
    """

    onto: Index
    other: Index
    strength: Array
    harmonics: Complex


def actions(known: Characterization, coupler: CouplerType, sizing: Sizing) -> tuple[Action, ...]:
    """What an array's couplers do, by the measured Γ of each wiring: to both their cells, and as load when off."""
    links, found = sizing.links, []
    wired = links.crossed.astype(bool)
    for function, mine in zip(coupling_functions(known, coupler), (~wired, wired), strict=False):
        # a signed strength stands for the sign of the weight, a magnitude for that of the wiring
        strength = links.strength[:, mine]
        receiver, sender = links.receiver[mine], links.sender[mine]
        found.append(Action(receiver, sender, strength, function.harmonics))
        # measured over the receiver's lead, which is the sender's lag; not from 0 on, nor quite evenly
        order = min(len(function.harmonics), (len(function.phase) - 1) // 2)
        back = np.conj(harmonics(function.phase, function.sender_rate, order))
        found.append(Action(sender, receiver, strength, back))
        unused = links.unused[:, mine]
        for onto, other, rate in zip((receiver, sender), (sender, receiver), function.idle, strict=True):
            if rate:
                found.append(Action(onto, other, unused, np.array([rate], np.complex128)))
    return tuple(found)


def gamma_rate(core: AnalogCore, sizing: Sizing, actions: Sequence[Action], chunk: int) -> Rate:
    """The phase model with measured coupling functions, (N, W) → (N, W), per model time unit."""
    nodes = core.nodes
    # for each harmonic k: Re c_k e^{ikφ_i} Σ_j s_ij e^{−ikφ_j}, one sparse product
    terms = []
    for action in actions:
        matrix = sparse.csr_array(
            (action.strength[chunk] * sizing.tau, (action.onto, action.other)), shape=(nodes, nodes)
        )
        terms.append((matrix, action.harmonics[: LARGEST_HARMONIC + 1]))
    bias, shil = core.parameters["bias"][chunk][:, None], 0.0
    detuning = core.parameters["detuning"][:, None]
    if "shil" in core.parameters:
        shil = core.parameters["shil"][chunk][:, None]
    # the reference runs with the cells on average
    frame = 2 * np.pi * (sizing.carrier_hz - sizing.free_hz) * sizing.tau

    def rate(phase: Array) -> Array:
        total = detuning - bias * np.sin(phase) - shil * np.sin(2 * phase) - frame
        wave = np.exp(1j * phase)
        for matrix, spectrum in terms:
            total = total + spectrum[0].real * np.asarray(matrix.sum(axis=1))[:, None]
            power = np.ones_like(wave)
            for harmonic in spectrum[1:]:
                power = power * wave
                total = total + (harmonic * power * (matrix @ np.conj(power))).real
        return np.asarray(total)

    return rate


def envelope_rate(core: AnalogCore, growth: float, chunk: int) -> Callable[[Complex], Complex]:
    """The LC array's envelope, (N,) complex → (N,), per model time unit; ``growth`` is ρ."""
    receivers, senders = core.edges.T
    weights = sparse.csr_array((core.coupling[chunk], (receivers, senders)), shape=(core.nodes, core.nodes))
    bias = core.parameters["bias"][chunk]
    shil = core.parameters["shil"][chunk] if "shil" in core.parameters else 0.0
    detuning = core.parameters["detuning"]

    def rate(z: Complex) -> Complex:
        size = (z * np.conj(z)).real
        return np.asarray(
            (0.5 * growth * (1 - size) + 1j * detuning) * z + weights @ z + shil * np.conj(z) + bias
        )

    return rate


def phase_trajectory(core: AnalogCore, start: Array, times: Array, rate_of: Callable[[int], Rate]) -> Array:
    """(R, N) phases at model times, for a rate a chunk."""

    def flat(chunk: int) -> Rate:
        rate = rate_of(chunk)
        return lambda y: rate(y[:, None])[:, 0]

    return chunked(core, start, times, flat)


def envelope_trajectory(core: AnalogCore, start: Array, times: Array, growth: float) -> tuple[Array, Array]:
    """(R, N) phases, unwrapped from ``start``, and (R, N) relative amplitudes of an LC array that starts at A₀."""
    nodes = core.nodes

    def rate_of(chunk: int) -> Callable[[Array], Array]:
        rate = envelope_rate(core, growth, chunk)

        def flat(y: Array) -> Array:
            change = rate(y[:nodes] + 1j * y[nodes:])
            return np.concatenate([change.real, change.imag])

        return flat

    found = chunked(core, np.concatenate([np.cos(start), np.sin(start)]), times, rate_of)
    z = found[:, :nodes] + 1j * found[:, nodes:]
    phase = np.unwrap(np.concatenate([start[None], np.angle(z)]), axis=0)[1:]
    return phase, np.abs(z)
