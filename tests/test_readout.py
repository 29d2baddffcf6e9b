"""Readout kinds against their definitions."""

import math

import numpy as np
import pytest

from device_models.readout import READOUTS, full_scale, read_out


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        ("cos", 0.0, 1.0),
        ("cos", math.pi / 3, 0.5),
        ("cos", math.pi, -1.0),
        ("cos", 7 * math.pi, -1.0),
        ("sin", math.pi / 6, 0.5),
        ("sin", -math.pi / 2, -1.0),
        ("linear", -2.75, -2.75),
        ("tanh", 0.5 * math.log(3.0), 0.5),  # tanh(x) = (e^2x - 1) / (e^2x + 1)
        ("tanh", -40.0, -1.0),
    ],
)
def test_known_values(kind: str, state: float, expected: float) -> None:
    assert read_out(kind, state) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("kind", sorted(READOUTS))
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (0, 4)])
def test_shape_and_dtype(kind: str, shape: tuple[int, ...]) -> None:
    values = read_out(kind, np.ones(shape, dtype=np.int32))
    assert isinstance(values, np.ndarray)
    assert values.shape == shape
    assert values.dtype == np.float64


@pytest.mark.parametrize("kind", ["cos", "sin", "tanh"])
def test_values_fill_the_full_scale_and_stay_inside(kind: str) -> None:
    values = read_out(kind, np.linspace(-30.0, 30.0, 60_001))
    low, high = full_scale(kind)
    assert (low, high) == (-1.0, 1.0)
    assert low <= values.min() < low + 1e-6
    assert high - 1e-6 < values.max() <= high


def test_linear_is_a_copy_in_the_units_of_the_state() -> None:
    state = np.array([0.3, 1.8])
    values = read_out("linear", state)
    values[0] = 99.0
    np.testing.assert_array_equal(state, [0.3, 1.8])


def test_full_scale_of_linear_is_the_users() -> None:
    assert full_scale("linear") == (-1.0, 1.0)
    assert full_scale("linear", linear=(0.0, 1.8)) == (0.0, 1.8)
    assert full_scale("tanh", linear=(0.0, 1.8)) == (-1.0, 1.0)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (1.0, -1.0), (0.0, math.inf), (math.nan, 1.0)])
def test_full_scale_of_linear_must_be_a_range(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="finite with low < high, received"):
        full_scale("linear", linear=bounds)


@pytest.mark.parametrize("call", [lambda kind: read_out(kind, [0.0]), full_scale])
@pytest.mark.parametrize("kind", ["cosine", "", "COS"])
def test_unknown_kind_names_what_came_and_what_is_known(call, kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{kind}'; known kinds: cos, sin, linear, tanh"):
        call(kind)


def test_a_failed_state_is_not_hidden() -> None:
    assert all(np.isnan(read_out(kind, [math.nan])).all() for kind in READOUTS)
