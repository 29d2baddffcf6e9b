"""Codes of weights: every code is used, no weight is further from its level than half an LSB, signs stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.core import Array
from netlists.quantizer import Kind, code

KINDS: list[Kind] = ["signed", "offset", "sign-magnitude", "unsigned"]
kinds = st.sampled_from(KINDS)
bits = st.integers(2, 16)
scales = st.floats(1e-6, 1e6)
shares = st.lists(st.floats(-1, 1), min_size=1, max_size=30).map(lambda values: np.array(values))


def within(kind: Kind, weights: Array) -> Array:
    return np.abs(weights) if kind == "unsigned" else weights


@given(kinds, bits, scales, shares)
def test_half_an_lsb_at_most_within_the_levels(kind: Kind, b: int, scale: float, share: Array) -> None:
    chosen, weights = code(kind, b), within(kind, share) * scale
    lsb, levels = chosen.lsb(scale), chosen.levels * scale
    codes = chosen.codes(weights, scale)
    found = chosen.weights(codes, scale)
    assert ((codes >= chosen.lowest) & (codes <= chosen.highest)).all()
    reached = np.clip(weights, levels[0], levels[-1])
    assert np.abs(found - reached).max() <= 0.5 * lsb * (1 + 1e-9)
    # only two's complement has no level at an end of full scale
    if kind != "signed":
        np.testing.assert_allclose(reached, weights, rtol=1e-12)
    assert weights.max() - reached.max() <= lsb * (1 + 1e-9)


@given(kinds, bits, scales, shares)
def test_no_level_is_nearer(kind: Kind, b: int, scale: float, share: Array) -> None:
    if b > 8:
        b = b // 2
    chosen, weights = code(kind, b), within(kind, share) * scale
    found = chosen.weights(chosen.codes(weights, scale), scale)
    best = np.abs(weights[:, None] - chosen.levels * scale).min(axis=1)
    np.testing.assert_allclose(np.abs(weights - found), best, atol=1e-12 * scale)


@given(kinds, bits, scales, shares)
def test_twice_is_once(kind: Kind, b: int, scale: float, share: Array) -> None:
    chosen = code(kind, b)
    codes = chosen.codes(within(kind, share) * scale, scale)
    np.testing.assert_array_equal(chosen.codes(chosen.weights(codes, scale), scale), codes)


@given(kinds, bits, scales, shares)
def test_signs_stay(kind: Kind, b: int, scale: float, share: Array) -> None:
    chosen, weights = code(kind, b), within(kind, share) * scale
    found = chosen.weights(chosen.codes(weights, scale), scale)
    assert (np.sign(found) * np.sign(weights) >= 0).all()
    if kind == "offset":
        assert (found != 0).all()
    else:
        assert (found[weights == 0] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("b", [2, 3, 4, 8])
def test_the_whole_code_range_is_used(kind: Kind, b: int) -> None:
    chosen = code(kind, b)
    weights = within(kind, np.linspace(-1, 1, 20 * 2**b + 1))
    used = np.unique(chosen.codes(weights, 1.0))
    np.testing.assert_array_equal(used, np.arange(chosen.lowest, chosen.highest + 1))
    assert len(used) == len(chosen.levels) == (2**b - 1 if kind == "sign-magnitude" else 2**b)


@pytest.mark.parametrize(
    ("kind", "levels"),
    [
        ("signed", [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75]),
        ("offset", [-1, -5 / 7, -3 / 7, -1 / 7, 1 / 7, 3 / 7, 5 / 7, 1]),
        ("sign-magnitude", [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1]),
        ("unsigned", [0, 1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7, 1]),
    ],
)
def test_levels_of_three_bits(kind: Kind, levels: list[float]) -> None:
    np.testing.assert_allclose(code(kind, 3).levels, levels, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_has_no_codes(kind: Kind) -> None:
    chosen = code(kind, 4)
    codes = chosen.codes(np.zeros(3), 0.0)
    assert not codes.any()
    assert not chosen.weights(codes, 0.0).any()
