"""Digital codes of weights: which levels a DAC of a few bits has, and the one nearest to a weight.

A code k stands for the level (k + offset) · LSB, and full scale F is what the largest code is made for:

| kind | codes of b bits | LSB | levels |
|---|---|---|---|
| ``signed`` (two's complement, mid-tread) | −2^(b−1) … 2^(b−1) − 1 | F / 2^(b−1) | −F … F − LSB, with zero |
| ``offset`` (offset binary, mid-rise) | the same, + 2^(b−1) on the wires | 2F / (2^b − 1) | −F … F, no zero |
| ``sign-magnitude`` (two codes are zero) | −(2^(b−1) − 1) … 2^(b−1) − 1 | F / (2^(b−1) − 1) | −F … F, with zero |
| ``unsigned`` (of what is never negative) | 0 … 2^b − 1 | F / (2^b − 1) | 0 … F |

Every code is used: two's complement has one negative code more than positive ones, so that its largest level is an LSB
short of F. A weight beyond the last level takes that, and is counted as clipped where it misses by more than half
an LSB. ``offset`` makes ± half an LSB of a small weight, and + of none at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netlists.core import Array, Index
from netlists.non_idealities import Quantizer

Kind = Quantizer | Literal["unsigned"]


@dataclass(frozen=True)
class Code:
    """A kind of code of a number of bits.

    Attributes:
        kind, bits: as above.
        lowest, highest: codes.
        offset: of the levels, in LSB: 0, or ½ where zero is no level.
        reach: full scale in LSB.
    """

    kind: Kind
    bits: int
    lowest: int
    highest: int
    offset: float
    reach: float

    def lsb(self, full_scale: float) -> float:
        """Weight of one LSB."""
        return full_scale / self.reach

    @property
    def levels(self) -> Array:
        """(L,) distinct levels in units of full scale, ascending."""
        return self.weights(np.arange(self.lowest, self.highest + 1), 1.0)

    def codes(self, weights: Array, full_scale: float) -> Index:
        """Code of the level nearest to each weight; of two as near the even one. 0 where full scale is 0."""
        if full_scale == 0:
            return np.zeros(weights.shape, np.int64)
        position = weights / self.lsb(full_scale)
        # half an LSB off zero the nearest level is a matter of the integer part, which never mistakes a sign
        nearest = np.floor(position) if self.offset else np.rint(position)
        return np.clip(nearest, self.lowest, self.highest).astype(np.int64)

    def weights(self, codes: Index, full_scale: float) -> Array:
        """What codes stand for; 0 where full scale is 0."""
        return np.asarray((codes + self.offset) / self.reach * full_scale)


def code(kind: Kind, bits: int) -> Code:
    """The code of a kind and a number of bits, of at least 2."""
    half = 2 ** (bits - 1)
    match kind:
        case "signed":
            return Code(kind, bits, -half, half - 1, 0.0, half)
        case "offset":
            return Code(kind, bits, -half, half - 1, 0.5, half - 0.5)
        case "sign-magnitude":
            return Code(kind, bits, 1 - half, half - 1, 0.0, half - 1)
        case "unsigned":
            return Code(kind, bits, 0, 2 * half - 1, 0.0, 2 * half - 1)
