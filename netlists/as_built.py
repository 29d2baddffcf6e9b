"""The weights as a chip holds them: digital codes, broken couplers, mismatched elements, detuned cells.

In this order: each weight becomes the nearest level of its code; a dead coupler's becomes zero, a stuck one's the level
at an end of its code; and every element misses what it is set to by a factor of its own, the same in all chunks, as it
is the same element. What bears mismatch and faults is the physical coupler: one of a symmetric core serves both
directions and stays symmetric.

Programmed, and so in codes, are the couplings and what changes with the chunk: injection and pull of the reference have
a DAC a cell, of the same number of bits, unsigned if nothing of the core's is negative. The full scale of a kind
of weight is common to all its elements and, unless told otherwise, in each chunk that chunk's largest weight. The
frequency of a cell is no programmed weight; it adds to what the trained model has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from netlists.core import AnalogCore, Array, Index
from netlists.die import Die, draw
from netlists.non_idealities import NonIdealities
from netlists.quantizer import Code, code
from netlists.sizing import limited

COUPLING, SHIL, DETUNING = "coupling", "shil", "detuning"


class NonIdealityError(ValueError):
    """A non-ideality that has nothing to act on; the message names the option and says what there is."""


@dataclass(frozen=True)
class Quantised:
    """A kind of weight in codes. T chunks, M weights a chunk.

    Attributes:
        code: which codes there are.
        full_scale: (T,) weight that the largest is made for, per model time unit.
        codes: (T, M).
        clipped: number of weights that miss the last level by more than half an LSB, over all chunks.
    """

    code: Code
    full_scale: Array
    codes: Index
    clipped: int

    @property
    def lsb(self) -> Array:
        """(T,) weight of an LSB, per model time unit."""
        return self.full_scale / self.code.reach

    @property
    def weights(self) -> Array:
        """(T, M) what the codes stand for."""
        rows = zip(self.codes, self.full_scale, strict=True)
        return np.stack([self.code.weights(codes, float(scale)) for codes, scale in rows])


@dataclass(frozen=True)
class AsBuilt:
    """A core as a chip holds it, and what was done to it.

    Attributes:
        core: with the weights as built.
        asked: the non-idealities. Those that do not act on weights leave the core as it is.
        quantised: codes by kind of weight, ``coupling`` or a parameter's name; empty without.
        die: what was drawn; None if nothing was.
        coupler_of: (E,) number of the physical coupler that each edge is a direction of.
        detuning: (N,) added to the trained one, rad per model time unit; None without.
        full_scale: weight of the largest code of couplers that have codes of their own; None for all others.
        clipped: number of weights that were beyond full scale, and are set to it.
    """

    core: AnalogCore
    asked: NonIdealities
    quantised: Mapping[str, Quantised] = field(default_factory=lambda: MappingProxyType({}))
    die: Die | None = None
    coupler_of: Index | None = None
    detuning: Array | None = None
    full_scale: float | None = None
    clipped: int = 0

    @property
    def legs(self) -> Array | None:
        """(E,) by how much couplers that have codes of their own are stronger than designed; None if none is."""
        if self.full_scale is None or self.die is None or not self.asked.mismatch_coupling:
            return None
        return self.die.coupling[self.coupler_of]


def as_built(
    core: AnalogCore, asked: NonIdealities, *, cycles: float, full_scale: float | None = None,
    clip: bool = False, coded: bool = False, directed: bool = False,
) -> AsBuilt:  # fmt: skip
    """The weights of a core as the chip of these non-idealities holds them.

    Args:
        core: trained weights.
        asked: the non-idealities.
        cycles: of the carrier over the whole run: what a relative frequency is in model time.
        full_scale: of the couplings, for all chunks; None: the largest of each, or of all if ``coded``.
        clip: couplings beyond it are set to it, instead of an error.
        coded: the couplers have codes of their own, which the coupling's are left to.
        directed: couplers are elements of one direction also where the weights are symmetric.

    Raises:
        NonIdealityError: the family has nothing that one of them could act on, or more couplers broken than there are.
        SizingError: couplings beyond ``full_scale``.
    """
    _check(core, asked)
    if not asked.in_weights:
        return AsBuilt(core, asked)
    coupler_of = np.arange(len(core.edges)) if directed else core.coupler_of
    couplers = int(coupler_of.max(initial=-1)) + 1
    die = draw(asked, couplers, core.nodes) if asked.drawn else None

    core, limit, clipped = limited(core, full_scale, clip)
    in_chunks = full_scale is None and not coded
    scale = _full_scale(core.coupling) if in_chunks else np.full(core.chunks, limit)
    coupling, parameters = core.coupling, dict(core.parameters)
    quantised: dict[str, Quantised] = {}
    if asked.bits is not None:
        if not coded and coupling.any():
            quantised[COUPLING] = _quantise(coupling, code(asked.quantizer, asked.bits), scale)
            coupling = quantised[COUPLING].weights
        for name in programmed(core):
            values = parameters[name]
            # a converter is what it is in all chunks, so all of them say whether it needs a sign
            kind = asked.quantizer if (values < 0).any() else "unsigned"
            quantised[name] = _quantise(values, code(kind, asked.bits), _full_scale(values))
            parameters[name] = quantised[name].weights
    symmetric, detuning = core.symmetric, None
    if die is not None:
        coupling = _broken(coupling, coupler_of, die, scale, quantised.get(COUPLING))
        coupling = coupling * die.coupling[coupler_of]
        # two opposite edges that are elements of their own have weights of their own now
        alone = couplers == len(core.edges) and (asked.mismatch_coupling or asked.dead or asked.stuck)
        symmetric = symmetric and not alone
        if asked.mismatch_shil:
            parameters[SHIL] = parameters[SHIL] * die.shil
        if asked.detuning:
            detuning = die.detuning * (2 * np.pi * cycles / core.duration)
            parameters[DETUNING] = parameters[DETUNING] + detuning
    built = replace(core, coupling=coupling, parameters=parameters, symmetric=symmetric)
    return AsBuilt(
        built, asked, MappingProxyType(quantised), die, coupler_of, detuning,
        limit if coded else None, clipped,
    )  # fmt: skip


def _check(core: AnalogCore, asked: NonIdealities) -> None:
    family, known = core.family, core.parameters
    if asked.mismatch_shil and SHIL not in known:
        raise NonIdealityError(
            f"--mismatch-shil: {family.family} has no sub-harmonic injection that could be mismatched."
        )
    if asked.detuning and (DETUNING not in known or family.state.periodic is None):
        raise NonIdealityError(
            f"--detuning: the state of {family.family} is no phase, and its cells have no frequency to miss; "
            "kurashil and kuramoto have."
        )
    if asked.dead + asked.stuck > 1:
        raise NonIdealityError(
            f"--dead {100 * asked.dead:g}% and --stuck {100 * asked.stuck:g}% are more than all couplers together."
        )


def _full_scale(weights: Array) -> Array:
    """(T,) the largest of each chunk."""
    return np.asarray(np.abs(weights).max(axis=1, initial=0.0))


def programmed(core: AnalogCore) -> list[str]:
    """Parameters of cells that change with the chunk, where there is anything to program."""
    changing = [p.name for p in core.family.parameters if p.scope == "node-and-chunk"]
    return [name for name in changing if core.parameters[name].any()]


def _quantise(weights: Array, chosen: Code, scale: Array) -> Quantised:
    codes = np.stack([chosen.codes(row, float(full)) for row, full in zip(weights, scale, strict=True)])
    found = Quantised(chosen, scale, codes, 0)
    missed = np.abs(found.weights - weights) > 0.5 * (1 + 1e-9) * found.lsb[:, None]
    return replace(found, clipped=int(missed.sum()))


def _broken(coupling: Array, coupler_of: Index, die: Die, scale: Array, held: Quantised | None) -> Array:
    """(T, E) couplings with those of dead and stuck couplers."""
    ends = np.array([-1.0, 1.0]) if held is None else held.code.levels[[0, -1]]
    low, high = np.multiply.outer(ends, scale)[..., None]
    works, stuck_at = np.ones(len(die.coupling), bool), np.zeros(len(die.coupling))
    works[die.dead] = False
    stuck_at[die.stuck] = die.stuck_sign
    side = stuck_at[coupler_of]
    found = np.where(side > 0, high, np.where(side < 0, low, coupling))
    return np.where(works[coupler_of], found, 0.0)
