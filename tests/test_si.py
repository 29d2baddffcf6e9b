"""Numbers with a prefix are the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.si import si

SIZES = {
    "G": 1e9,
    "M": 1e6,
    "k": 1e3,
    "": 1.0,
    "m": 1e-3,
    "µ": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
    "a": 1e-18,
}


@given(st.floats(1e-17, 1e11), st.sampled_from([1, -1]))
def test_a_prefix_changes_no_value(size: float, sign: int) -> None:
    number, word = si(sign * size, "J", 4).split(" ")
    assert math.isclose(float(number) * SIZES[word.removesuffix("J")], sign * size, rel_tol=1e-3)
    assert 1 <= abs(float(number)) < 1000 or size >= 1e12


@pytest.mark.parametrize(
    ("value", "said"),
    [(22.66e-6, "22.7 µs"), (0.99996e-6, "1 µs"), (0.0, "0 s"), (-2e-9, "-2 ns"), (1e8, "100 Ms")],
)
def test_known_ones(value: float, said: str) -> None:
    assert si(value, "s") == said
