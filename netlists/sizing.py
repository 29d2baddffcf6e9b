"""Sizes couplers and drivers so that the averaged phase dynamics of an array is the trained ODE.

The whole run takes a given number of carrier cycles, so a model time unit is τ = cycles / (f · duration) seconds and
a weight K is K/τ rad/s. A coupler of strength s gives −s · gain · sin(φ_i − φ_j), plus whatever else its measured
coupling function holds; a driver of current I gives −I · gain · sin φ (reference) or −I · gain · sin 2φ (injection).
Gains come from the characterisation, so nothing here knows what a cell is made of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from device_models.oscillator_cell import CouplerType, OscillatorCell
from netlists.characterization import Characterization, CouplingFunction
from netlists.core import AnalogCore, Array, Index

CROSSED = ":crossed"
NOTICED = 0.1  # rad within a chunk, by which a node that nothing holds drifts
FAMILIES_OF_PHASES = ("kurashil", "kuramoto")


class SizingError(ValueError):
    """Weights that a cell's couplers or drivers can't give; the message says how many, by how much, and what to do."""


@dataclass(frozen=True)
class Links:
    """The couplers of an array: Q of them, T chunks.

    Attributes:
        receiver, sender: (Q,) nodes; a mutual coupler acts on both.
        edge: (Q,) edge of the core whose weights it holds.
        crossed: (Q,) wired crossed, so that the strength is positive whatever the sign of the weight. A coupler
            whose sign changes from chunk to chunk has one link for each sign.
        strength: (T, Q), 0 where a link has no weight in a chunk; with what mismatch makes of it.
        codes: (T, Q) magnitude code of each link, or None without a digital code.
        factor: (Q,) by which each is stronger than designed.
        full: designed strength of the largest code, straight and crossed; 0 without codes.
    """

    receiver: Index
    sender: Index
    edge: Index
    crossed: Array
    strength: Array
    codes: Index | None
    factor: Array
    full: tuple[float, float] = (0.0, 0.0)

    @property
    def whole(self) -> Array:
        """(Q,) strength of each link with all its legs on."""
        return self.factor * np.where(self.crossed, self.full[1], self.full[0])

    @property
    def unused(self) -> Array:
        """(T, Q) strength that the legs that are off would add: they act no more, but may load; 0 without codes."""
        if self.codes is None:
            return np.zeros_like(self.strength)
        return np.asarray(self.whole - self.strength)


@dataclass(frozen=True)
class Sizing:
    """An array's numbers.

    Attributes:
        cycles: carrier cycles of the whole run.
        carrier_hz: frequency of the common reference; the injection has twice as much.
        free_hz: free-running frequency of a cell.
        tau: seconds per model time unit.
        links: the couplers.
        lsb: weight of one code, model units; 0 without codes.
        clipped: number of weights (over all chunks) that were beyond the largest code.
        injection: (T, N) current amplitude of the sub-harmonic injection into each cell, ampere.
        reference: (T, N) the same of the common reference, ampere.
        as_built: the core as the array realises it: quantised, clipped and mismatched weights, first harmonics alone.
        pulling: (T, N) rad/s by which the couplers of a node shift its frequency, whatever the phases.
        codes: (T, E) signed codes of the weights; None without.
    """

    cycles: float
    carrier_hz: float
    free_hz: float
    tau: float
    links: Links
    lsb: float
    clipped: int
    injection: Array
    reference: Array
    as_built: AnalogCore
    pulling: Array
    codes: Index | None = None

    @property
    def detuning(self) -> Array:
        """(N,) frequencies of the cells relative to ``free_hz``, less 1."""
        return np.asarray(self.as_built.parameters["detuning"] / (2 * np.pi * self.free_hz * self.tau))


def size(
    core: AnalogCore, cell: OscillatorCell, known: Characterization, *, cycles: float, coupler: CouplerType,
    bits: int | None = None, full_scale: float | None = None, clip: bool = False, mismatch: Array | None = None,
) -> Sizing:  # fmt: skip
    """Sizes an array of ``cell`` for a core.

    Args:
        core: trained weights of phase oscillators.
        cell: the oscillator.
        known: its characterisation.
        cycles: carrier cycles of the whole run.
        coupler: one of the cell's coupler types.
        bits: of the coupler's magnitude code; None for the coupler's own, and continuous weights without one.
        full_scale: weight of the largest code, model units; None for the largest weight.
        clip: weights beyond it are set to it, instead of an error.
        mismatch: (E,) factors by which the couplers of the edges are stronger than designed. The core's weights are
            what comes out; None: as designed.

    Raises:
        SizingError: another family, weights beyond ``full_scale``, directed weights on a mutual coupler, signs that
            a coupler can't give, a detuning of cells that can't be tuned, or a coupler without action.
    """
    if core.family_name not in FAMILIES_OF_PHASES:
        raise SizingError(
            f"cells of oscillators realise {' and '.join(FAMILIES_OF_PHASES)}, not {core.family_name}. "
            "Take --level phase."
        )
    if coupler.mutual and not core.symmetric:
        raise SizingError(
            f"the weights are directed, and the coupler {coupler.name!r} of {cell.name!r} is passive: it acts on both "
            "cells alike. Take another --coupler, or symmetric weights."
        )
    if np.any(core.parameters["detuning"]) and not cell.tuning:
        raise SizingError(
            f"the weights hold detunings, and {cell.name!r} has no parameter for tuning: no element gives a cell "
            "another frequency. Take --level lc or phase, weights without detuning, or a cell of your own with "
            "[detuning] in its TOML."
        )
    tau = cycles / (known.f0_hz * core.duration)
    factor = np.ones(len(core.edges)) if mismatch is None else mismatch
    programmed = core if mismatch is None else replace(core, coupling=core.coupling / factor)
    built, limit, lsb, codes, clipped = _quantised(programmed, coupler, bits, full_scale, clip)
    if mismatch is not None:
        built = replace(built, coupling=built.coupling * factor)
    links = _links(built, coupler, known, tau, limit, codes, factor)
    pulling = _pulling(core, links, coupler, known)
    # couplers pull all cells alike on average: the reference then runs where the cells do
    carrier = known.f0_hz + float(pulling.mean()) / (2 * np.pi)
    return Sizing(
        cycles, carrier, known.f0_hz, tau, links, lsb, clipped,
        injection=_driven(core, "shil", known.shil.gain if known.shil else 0.0, tau, cell),
        reference=_driven(core, "bias", known.reference_gain, tau, cell),
        as_built=built, pulling=pulling - pulling.mean(), codes=codes,
    )  # fmt: skip


def weak_injection(core: AnalogCore, detuning: Array) -> str | None:
    """A sentence on nodes that neither injection nor reference holds against a detuning; None if all are held.

    The phases of such nodes run on, whatever they should stand at. That both scale with the cycles, more of them
    do not help.

    Args:
        core: with the rates that hold, in model units.
        detuning: (T, N) or (N,) in rad per model time unit.
    """
    shil = core.parameters.get("shil", np.zeros(0))
    if not np.any(shil):
        return None
    pull = np.abs(np.broadcast_to(detuning, shil.shape))
    hold = np.abs(shil) + np.abs(core.parameters["bias"])
    drift = pull * np.diff(core.boundaries)[:, None]
    lost = (pull > hold) & (drift > NOTICED)
    if not lost.any():
        return None
    chunk, node = np.unravel_index(int(np.argmax(np.where(lost, pull - hold, -np.inf))), lost.shape)
    return (
        f"the injection is too weak to hold {int(lost.any(axis=0).sum())} of {core.nodes} nodes against the detuning "
        f"of their frequency: {core.node_names[int(node)]} most, {pull[chunk, node]:.2g} rad per model time unit "
        f"against {hold[chunk, node]:.2g} in chunk {int(chunk) + 1}; their phases drift. Take another --coupler, which "
        "pulls less, or weights with a stronger injection (shil)."
    )


def coupling_functions(known: Characterization, coupler: CouplerType) -> tuple[CouplingFunction, ...]:
    """Γ of the straight and, if there is one, the crossed wiring; SizingError if it was not measured."""
    names = (coupler.name, coupler.name + CROSSED) if coupler.crossed is not None else (coupler.name,)
    missing = [name for name in names if name not in known.coupling]
    if missing:
        raise SizingError(
            f"the characterisation of {known.cell!r} has no coupling function of {missing[0]!r}."
        )
    found = tuple(known.coupling[name] for name in names)
    for function in found:
        if not np.isfinite(function.gain) or abs(function.gain) * function.strength < 1e-12 * known.f0_hz:
            raise SizingError(
                f"the coupler {function.coupler!r} does not act on {known.cell!r}: look at its wiring."
            )
    return found


def limited(
    core: AnalogCore, full_scale: float | None = None, clip: bool = False
) -> tuple[AnalogCore, float, int]:
    """The core with weights up to full scale (None: the largest weight), that full scale, and how many are clipped.

    Raises:
        SizingError: weights beyond it, without ``clip``.
    """
    largest = float(np.abs(core.coupling).max(initial=0.0))
    limit = full_scale if full_scale is not None else largest
    beyond = np.abs(core.coupling) > limit * (1 + 1e-12)
    if beyond.any() and not clip:
        raise SizingError(
            f"{int(beyond.sum())} of {beyond.size} weights are beyond the couplers' full scale of {limit:g}, by up to "
            f"{largest - limit:.3g}. Take --full-scale {_rounded_up(largest)}, or --clip."
        )
    return replace(core, coupling=np.clip(core.coupling, -limit, limit)), limit, int(beyond.sum())


def _rounded_up(value: float) -> str:
    """In six digits, and not less."""
    text = f"{value:g}"
    return text if float(text) >= value else f"{value * (1 + 5e-6):g}"


def _quantised(
    core: AnalogCore, coupler: CouplerType, bits: int | None, full_scale: float | None, clip: bool
) -> tuple[AnalogCore, float, float, Index | None, int]:
    """The core with weights that a coupler can give, full scale, weight and (T, E) signs of codes, how many clipped."""
    built, limit, clipped = limited(core, full_scale, clip)
    count = bits if bits is not None else len(coupler.bits)
    if not count:
        return built, limit, 0.0, None, clipped
    if coupler.bits and count != len(coupler.bits):
        raise SizingError(f"the coupler {coupler.name!r} has {len(coupler.bits)} legs, not {count}.")
    lsb = limit / (2**count - 1) if limit else 1.0
    codes = np.rint(built.coupling / lsb).astype(np.int64)
    return replace(core, coupling=codes * lsb), limit, lsb, codes, clipped


def _links(
    core: AnalogCore,
    coupler: CouplerType,
    known: Characterization,
    tau: float,
    limit: float,
    codes: Index | None,
    factor: Array,
) -> Links:
    """A link a coupler; one that has no crossed wiring takes signed strengths or, if it can't, refuses."""
    functions = coupling_functions(known, coupler)
    once = core.edges[:, 0] < core.edges[:, 1]
    edges = np.flatnonzero(once | (not coupler.mutual))
    rates = core.coupling[:, edges] / tau
    if coupler.crossed is None:
        strength = rates / functions[0].gain
        if codes is not None and np.any(strength < 0):
            raise SizingError(
                f"{int((strength < 0).sum())} weights have a sign that the coupler {coupler.name!r} can't give: it has "
                "no crossed wiring. Take another --coupler."
            )
        held = np.ones(len(edges), bool)[None]
        signs = [(held[0], False, strength)]
    else:
        # which wiring gives a positive weight is for the measured gains to say
        straight, crossed = functions
        if straight.gain * crossed.gain > 0:
            raise SizingError(f"straight and crossed wiring of {coupler.name!r} act with the same sign.")
        signs = []
        for flipped, function in ((False, straight), (True, crossed)):
            strength = np.maximum(rates / function.gain, 0.0)
            signs.append((strength.any(axis=0), flipped, strength))
        # couplers that are zero throughout are still there, and load
        nowhere = ~(signs[0][0] | signs[1][0])
        signs[0] = (signs[0][0] | nowhere, *signs[0][1:])
    parts = [
        (edges[held], np.full(held.sum(), flipped), strength[:, held]) for held, flipped, strength in signs
    ]
    edge = np.concatenate([part[0] for part in parts])
    strength = np.concatenate([part[2] for part in parts], axis=1)
    magnitude, full = None, (0.0, 0.0)
    if codes is not None:
        full = (limit / tau / abs(functions[0].gain), limit / tau / abs(functions[-1].gain))
        magnitude = np.where(strength != 0, np.abs(codes[:, edge]), 0)
    order = np.lexsort((core.edges[edge, 1], core.edges[edge, 0]))
    return Links(
        receiver=core.edges[edge, 0][order], sender=core.edges[edge, 1][order], edge=edge[order],
        crossed=np.concatenate([part[1] for part in parts])[order], strength=strength[:, order],
        codes=None if magnitude is None else magnitude[:, order], factor=factor[edge[order]], full=full,
    )  # fmt: skip


def _pulling(core: AnalogCore, links: Links, coupler: CouplerType, known: Characterization) -> Array:
    """(T, N) mean action of a node's couplers, by measured Γ, on both their cells, and load of legs that are off."""
    functions = coupling_functions(known, coupler)
    pulling = np.zeros((core.chunks, core.nodes))
    for function, mine in zip(
        functions, (~links.crossed.astype(bool), links.crossed.astype(bool)), strict=False
    ):
        for chunk in range(core.chunks):
            # a signed strength pulls by its sign, as its current does
            strength, unused = links.strength[chunk, mine], links.unused[chunk, mine]
            onto, back = function.idle
            received = strength * function.pulling + unused * onto
            sent = strength * float(function.sender_rate.mean()) + unused * back
            np.add.at(pulling[chunk], links.receiver[mine], received)
            np.add.at(pulling[chunk], links.sender[mine], sent)
    return pulling


def _driven(core: AnalogCore, name: str, gain: float, tau: float, cell: OscillatorCell) -> Array:
    """(T, N) drive that gives a parameter's rates."""
    rates = core.parameters[name] / tau if name in core.parameters else np.zeros((core.chunks, core.nodes))
    if not rates.any():
        return np.zeros((core.chunks, core.nodes))
    if not gain > 0:
        raise SizingError(
            f"the weights hold {name}, and {cell.name!r} does not respond to it: its phase sensitivity lacks that "
            "harmonic. Make the cell asymmetric, or choose another injection port."
        )
    return np.asarray(rates / gain)
