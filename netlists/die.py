"""What is drawn once a chip: how its couplers and cells miss their design, and which couplers are broken.

Every kind has a stream of its own, from the chip's number and the kind alone. So a kind is drawn alike whether others
are in force or not, a larger standard deviation scales the same numbers, a larger share of broken couplers holds a
smaller one, and node or coupler number n is drawn alike whatever the weights and however many follow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from netlists.core import Array, Index
from netlists.non_idealities import NonIdealities

_DIE = 0xD1E  # keeps these streams apart from those of initial states and converters of the same seed


class Kind(IntEnum):
    """Streams. A number once given keeps its kind, or chips would change from release to release."""

    COUPLING = 0
    SHIL = 1
    DETUNING = 2
    FAULTS = 3
    STUCK_SIGN = 4


@dataclass(frozen=True)
class Die:
    """One chip of Q couplers and N cells.

    Attributes:
        coupling: (Q,) strength of each coupler, relative to its design; never negative.
        shil: (N,) injection into each cell, relative to its design; never negative.
        detuning: (N,) free-running frequency of each cell, relative to its design, less 1.
        dead: numbers of the couplers that are stuck at zero, ascending.
        stuck: numbers of those that are stuck at full scale, ascending.
        stuck_sign: the sign of each of those.
    """

    coupling: Array
    shil: Array
    detuning: Array
    dead: Index
    stuck: Index
    stuck_sign: Array


def draw(asked: NonIdealities, couplers: int, nodes: int) -> Die:
    """The die of the chip's number; shares of couplers are rounded to whole ones."""
    # from either end of one shuffled row: disjoint, and neither kind moves the other
    shuffled = _stream(asked.chip, Kind.FAULTS).permutation(couplers)
    dead = round(asked.dead * couplers)
    stuck = min(round(asked.stuck * couplers), couplers - dead)
    chosen = np.sort(shuffled[couplers - stuck :])
    sign = _stream(asked.chip, Kind.STUCK_SIGN).choice([-1.0, 1.0], couplers)
    return Die(
        coupling=_relative(asked.chip, Kind.COUPLING, asked.mismatch_coupling, couplers),
        shil=_relative(asked.chip, Kind.SHIL, asked.mismatch_shil, nodes),
        detuning=asked.detuning * _stream(asked.chip, Kind.DETUNING).standard_normal(nodes),
        dead=np.sort(shuffled[:dead]),
        stuck=chosen,
        stuck_sign=sign[chosen],
    )


def _relative(chip: int, kind: Kind, sigma: float, count: int) -> Array:
    """Normal about 1. An element that would be less than nothing is nothing: its sign is in its wiring."""
    return np.maximum(1.0 + sigma * _stream(chip, kind).standard_normal(count), 0.0)


def _stream(chip: int, kind: Kind) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(chip, spawn_key=(_DIE, kind))))
