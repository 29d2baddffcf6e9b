"""Noise of the compiled device, called through ctypes: numpy's numbers, and steps that end on the grid."""

from __future__ import annotations

import numpy as np
import pytest
from compiled_device import Device
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.langevin import LANGEVIN
from device_models.noise import normals
from device_models.printers.osdi import DeviceLibrary, osdi_library
from emulator.compiled import BuildFailed, build

G, C, GRID = 2.0e-6, 3.0e-12, 1e-8
LARGEST = 2**63 - 1


@pytest.fixture(scope="module")
def library() -> DeviceLibrary:
    printed = osdi_library(LANGEVIN, [0], 1, noise=True)
    try:
        build(printed.source)
    except BuildFailed as error:
        pytest.skip(str(error))
    return printed


def device(
    library: DeviceLibrary,
    node: int,
    seed: int,
    sample: int,
    *,
    amplitude: float = 1.0,
    longest: float = GRID,
) -> Device:
    """A cell whose only rate is the noise."""
    words = [float(half) for key in (seed, sample) for half in (key % 2**32, key // 2**32)]
    made = Device(library, 0, "own")
    assert made.set_up([0.0, 0.0, 0.0, node], [""], [G, C, amplitude, GRID, longest, *words]) == 0
    return made


def rate(cell: Device, time: float) -> float:
    """What the noise adds, by way of the current out of the node; in a sweep from the second iteration on."""
    for solution in (np.zeros(2), np.zeros(2)):
        found = -cell.evaluate(solution, time)[0][0] / G
    return found


@pytest.mark.parametrize(
    ("node", "seed", "sample"), [(0, 0, 0), (3, 1, 2), (999, LARGEST, LARGEST), (17, 2**32, 2**32 - 1)]
)
def test_at_grid_points_it_is_numpys(library: DeviceLibrary, node: int, seed: int, sample: int) -> None:
    """In the order of time, from the first point on and from the middle of a block on."""
    expected = normals(seed, sample, node + 1, 0, 40)[:, node]
    for first in (1, 6, 13):
        cell = device(library, node, seed, sample)
        found = [rate(cell, GRID * k) for k in range(first, 40)]
        np.testing.assert_allclose(found, expected[first:], rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 60.0), min_size=1, max_size=12), st.integers(0, LARGEST), st.integers(0, 2**40)
)
def test_between_grid_points_it_is_linear_in_whatever_order_it_is_asked(
    library: DeviceLibrary, times: list[float], seed: int, sample: int
) -> None:
    """Rejected steps go back in time, also over the end of a block."""
    points = 2.5 * normals(seed, sample, 6, 0, 64)[:, 5]
    cell = device(library, 5, seed, sample, amplitude=2.5)
    for time in times:
        expected = np.interp(time, np.arange(64), points)
        assert rate(cell, GRID * time) == pytest.approx(expected, abs=2.5e-12)


def test_alone_and_in_a_sweep_it_is_the_same(library: DeviceLibrary) -> None:
    cell = device(library, 2, 3, 4)
    solution = np.zeros(2)
    alone = -cell.evaluate(solution, 5.3 * GRID)[0][0] / G  # the first evaluation enrols the cell
    again = np.zeros(2)
    assert -cell.evaluate(again, 5.3 * GRID)[0][0] / G == pytest.approx(alone, rel=1e-14)


# --- steps


@pytest.mark.parametrize("substeps", [1, 2, 3, 7])
@pytest.mark.parametrize("first", [1e-4, 0.013, 0.3, 1.0])
def test_steps_as_long_as_it_says_end_on_every_grid_point(
    library: DeviceLibrary, substeps: int, first: float
) -> None:
    """ngspice takes the bound, or twice the last step if that is less; it must never be below 0.9 of the last."""
    longest = GRID / substeps
    cell = device(library, 0, 0, 0, longest=longest)
    time, step, reached = 0.0, first * longest, []
    while time < 9.5 * GRID:
        time += step
        reached.append(time)
        rate(cell, time)
        bound = cell.longest_step
        assert bound > 0.9 * step
        assert bound <= longest * (1 + 1e-8)
        step = min(bound, 2 * step)
    reached_points = np.array(reached) / GRID
    for point in range(1, 10):
        assert np.abs(reached_points - point).min() < 1e-6
    # once in step, no more steps than asked for
    assert np.count_nonzero(reached_points > 5 + 1e-6) <= substeps * 5


def test_without_noise_there_is_no_bound() -> None:
    printed = osdi_library(LANGEVIN, [0], 1)
    try:
        cell = Device(printed, 0, "own")
    except BuildFailed as error:
        pytest.skip(str(error))
    assert cell.uint(112) == 2**32 - 1
    assert cell.set_up([0.0, 0.0, 0.0], [""], [G, C]) == 0
    assert rate(cell, 1e-6) == 0.0
