"""Standard normal numbers that are a function of (seed, sample, node, step): no stream, no order, no state.

Each is drawn by a counter-based generator, so that whoever needs one computes it by itself: the compiled device in C
(``printers/osdi_noise.c``), the reference and the sources of behavioural netlists here. All see the same numbers.

    Philox4x64-10 (Salmon et al., SC '11) with key (seed, sample) and counter (step // 4, node, 0, 0) gives four words
    of 64 bits; Box and Muller make of words 0, 1 the numbers of steps 0, 1 of the four, of words 2, 3 those of 2, 3.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
LARGEST_KEY = 2**63
PER_BLOCK = 4  # steps that one evaluation of the generator serves

# Salmon et al., table 2 and section 4.3: multipliers, and what is added to the key after each round
_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_ROUNDS = 10
_HALF, _LOW, _WORD = np.uint64(32), np.uint64(2**32 - 1), 2**64


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Philox4x64-10.

    Args:
        counter: (..., 4) words of 64 bits.
        key: two words of 64 bits.

    Returns:
        (..., 4) words.
    """
    a, b, c, d = counter.reshape(-1, 4).T
    for turn in range(_ROUNDS):
        k0, k1 = (np.uint64((word + turn * weyl) % _WORD) for word, weyl in zip(key, _WEYL, strict=True))
        (high_a, low_a), (high_c, low_c) = (
            _product(word, multiplier) for word, multiplier in zip((a, c), _MULTIPLIERS, strict=True)
        )
        a, b, c, d = high_c ^ b ^ k0, low_c, high_a ^ d ^ k1, low_a
    return np.stack([a, b, c, d], axis=-1).reshape(counter.shape)


def _product(words: Words, factor: int) -> tuple[Words, Words]:
    """High and low word of the product of 128 bits, from halves."""
    high, low = words >> _HALF, words & _LOW
    factor_high, factor_low = np.uint64(factor >> 32), np.uint64(factor & (2**32 - 1))
    first = low * factor_low
    second = high * factor_low + (first >> _HALF)
    third = low * factor_high + (second & _LOW)
    return high * factor_high + (second >> _HALF) + (third >> _HALF), words * np.uint64(factor)


def normals(seed: int, sample: int, nodes: int, first: int, count: int) -> npt.NDArray[np.float64]:
    """Independent standard normal numbers of nodes 0 … ``nodes`` − 1 at steps ``first`` … ``first`` + ``count`` − 1.

    Args:
        seed, sample: from 0 to 2⁶³ − 1.
        nodes: how many.
        first: step, 0 or more.
        count: of steps.

    Returns:
        (count, nodes), none beyond ±8.6.

    Raises:
        ValueError: seed or sample is out of range.
    """
    for name, number in (("seed", seed), ("sample", sample)):
        if not 0 <= number < LARGEST_KEY:
            raise ValueError(f"the noise's {name} has to be from 0 to 2^63 - 1, not {number}")
    blocks = np.arange(first // PER_BLOCK, -(-(first + count) // PER_BLOCK), dtype=np.uint64)
    counter = np.zeros((len(blocks), nodes, PER_BLOCK), dtype=np.uint64)
    counter[..., 0], counter[..., 1] = blocks[:, None], np.arange(nodes, dtype=np.uint64)
    # the 53 bits a double has; half a bit more keeps the logarithm's argument off zero
    uniform = (philox(counter, (seed, sample)) >> np.uint64(11)).astype(np.float64)
    radius = np.sqrt(-2 * np.log((uniform[..., ::2] + 0.5) * 2.0**-53))
    angle = 2 * math.pi * (uniform[..., 1::2] * 2.0**-53)
    drawn = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    # (blocks, nodes, pairs, 2) in the order of steps
    ordered = drawn.reshape(len(blocks), nodes, PER_BLOCK).swapaxes(1, 2).reshape(-1, nodes)
    skipped = first % PER_BLOCK
    return np.ascontiguousarray(ordered[skipped : skipped + count])
