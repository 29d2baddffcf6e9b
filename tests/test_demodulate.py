"""Phases from waveforms whose phases are known: three demodulators, in blocks of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.demodulate import (
    Demodulated,
    Demodulator,
    IqDemodulator,
    SamplingFlipFlops,
    ZeroCrossings,
    iq,
    trapezoid,
    unwrapped,
)
from netlists.core import Array

F0 = 1e8
CYCLES = 20
CENTERS = np.arange(2, 18) / F0
Make = Callable[[], Demodulator]
KINDS: dict[str, Make] = {
    "iq": lambda: IqDemodulator(F0, CENTERS),
    "iq, overlapping": lambda: IqDemodulator(F0, CENTERS, cycles=3),
    "crossings": lambda: ZeroCrossings(F0, CENTERS),
    "crossings, level known": lambda: ZeroCrossings(F0, CENTERS, level=0.1),
    "flip-flops": lambda: SamplingFlipFlops(F0, CENTERS, taps=8),
    "flip-flops, both edges": lambda: SamplingFlipFlops(F0, CENTERS, taps=8, both_edges=True),
}

phases = st.floats(-np.pi, np.pi)
amplitudes = st.floats(1e-3, 1e3)
cuts = st.lists(st.integers(1, 300), min_size=1, max_size=60)


def grid(points: int = 64, cycles: int = CYCLES) -> Array:
    """Equal steps, ``points`` a cycle, both ends included."""
    return np.arange(points * cycles + 1) / (points * F0)


def jittered(seed: int, points: int = 64) -> Array:
    """Ascending times that are no grid, from 0 to the end."""
    time = grid(points)
    time[1:-1] += np.random.default_rng(seed).uniform(-0.4, 0.4, len(time) - 2) / (points * F0)
    return time


def tone(time: Array, phase: Sequence[float], amplitude: float = 1.0, frequency: float = F0) -> Array:
    """(P, M) cosines."""
    return amplitude * np.cos(2 * np.pi * frequency * time[:, None] + np.asarray(phase))


def demodulate(
    demodulator: Demodulator, time: Array, values: Array, sizes: Sequence[int] = ()
) -> Demodulated:
    """In blocks of the sizes given, in turn; at once without."""
    start, turn = 0, 0
    while start < len(time):
        size = sizes[turn % len(sizes)] if sizes else len(time)
        demodulator.take(time[start : start + size], values[start : start + size])
        start, turn = start + size, turn + 1
    return demodulator.result()


def off(found: Array, expected: Array | Sequence[float]) -> float:
    """Largest difference on the circle."""
    return float(np.abs(np.angle(np.exp(1j * (found - np.asarray(expected))))).max())


# -- all of them


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 99), cuts)
def test_blocks_do_not_matter(kind: str, seed: int, sizes: list[int]) -> None:
    time = jittered(seed)
    values = tone(time, [0.3, -2.0, 3.1]) + tone(time, [0, 1, 2], 0.2, 2 * F0) + 0.1
    whole = demodulate(KINDS[kind](), time, values)
    parts = demodulate(KINDS[kind](), time, values, sizes)
    np.testing.assert_array_equal(parts.time, whole.time)
    np.testing.assert_allclose(parts.phase, whole.phase, rtol=0, atol=1e-12)
    np.testing.assert_allclose(parts.amplitude, whole.amplitude, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_belong_to_the_caller(kind: str) -> None:
    time, demodulator = grid(), KINDS[kind]()
    values = tone(time, [0.3, -2.0])
    for start in range(0, len(time), 50):
        block = time[start : start + 50].copy(), values[start : start + 50].copy()
        demodulator.take(*block)
        for array in block:
            array[:] = np.nan
    whole = demodulate(KINDS[kind](), time, values)
    np.testing.assert_allclose(demodulator.result().phase, whole.phase, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_run_that_breaks_off_or_has_no_points(kind: str) -> None:
    time = grid()[: 64 * 10 + 5]
    result = demodulate(KINDS[kind](), time, tone(time, [0.3, 1.0]))
    assert 6 <= len(result.time) <= 9
    assert result.phase.shape == result.amplitude.shape == (len(result.time), 2)
    assert KINDS[kind]().result().time.shape == (0,)
    assert KINDS[kind]().result().phase.shape[0] == 0
    only = demodulate(KINDS[kind](), time[:1], tone(time[:1], [0.3]))
    assert only.time.shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_last_window_ends_with_the_run_up_to_rounding(kind: str) -> None:
    # 1000 cycles, and the stop time a few roundings short of them
    stop = 1000 / F0 * (1 - 4e-16)
    time = np.concatenate([np.arange(64 * 990, 64 * 1000) / (64 * F0), [stop]])
    center = np.array([1000 / F0 - (1.5 if "cross" in kind or "over" in kind else 0.5) / F0])
    make = {
        "iq": lambda: IqDemodulator(F0, center),
        "iq, overlapping": lambda: IqDemodulator(F0, center, 3),
        "crossings": lambda: ZeroCrossings(F0, center),
        "crossings, level known": lambda: ZeroCrossings(F0, center, level=0.0),
        "flip-flops": lambda: SamplingFlipFlops(F0, center, 8),
        "flip-flops, both edges": lambda: SamplingFlipFlops(F0, center, 8, both_edges=True),
    }[kind]
    result = demodulate(make(), time, tone(time, [0.3]), [100])
    assert result.phase.shape == (1, 1)
    assert off(result.phase, [0.3]) < np.pi / 8


# -- I/Q


@settings(max_examples=100, deadline=None)
@given(phases, amplitudes, st.integers(5, 100), st.integers(1, 4))
def test_iq_of_a_tone_on_a_commensurate_grid(
    phase: float, amplitude: float, points: int, cycles: int
) -> None:
    time = grid(points)
    result = iq(time, tone(time, [phase], amplitude), F0, CENTERS + (cycles % 2) * 0.5 / F0, cycles)
    assert off(result.phase, [phase]) < 1e-12
    np.testing.assert_allclose(result.amplitude, amplitude, rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(phases, st.lists(st.tuples(st.integers(2, 9), st.floats(0, 1), phases), max_size=4), st.floats(-2, 2))
def test_iq_rejects_harmonics_and_dc(
    phase: float, harmonics: list[tuple[int, float, float]], dc: float
) -> None:
    time = grid()
    values = tone(time, [phase]) + dc
    for order, amplitude, shift in harmonics:
        values += tone(time, [shift], amplitude, order * F0)
    result = iq(time, values, F0, CENTERS)
    assert off(result.phase, [phase]) < 1e-11
    np.testing.assert_allclose(result.amplitude, 1, rtol=1e-11)


def second_order(measure: Callable[[int], float], coarse: int = 40) -> None:
    """The error is small, and falls at least with the square of the step."""
    one, two = measure(coarse), measure(2 * coarse)
    assert one < 6 * (2 * np.pi / coarse) ** 2
    assert two < one / 2.5


def test_iq_off_the_grid_is_second_order() -> None:
    phase = np.linspace(-3, 3, 40)

    def error(points: int) -> float:
        time = jittered(0, points)  # and windows that begin between two points
        values = tone(time, phase) + 0.3 + tone(time, phase * 2, 0.2, 2 * F0)
        return off(iq(time, values, F0, CENTERS + 0.37e-9).phase, phase)

    second_order(error)


def test_iq_follows_a_node_that_runs_faster() -> None:
    time = grid()
    result = iq(time, tone(time, [0.3], 1.0, 1.001 * F0), F0, CENTERS)
    expected = 0.3 + 2 * np.pi * 0.001 * F0 * CENTERS
    np.testing.assert_allclose(result.phase[:, 0], expected, atol=0.001)


# -- zero crossings


@settings(max_examples=100, deadline=None)
@given(phases, amplitudes, st.floats(-0.05, 0.05), st.floats(-10, 10), st.booleans(), st.integers(3, 6))
def test_crossings_of_a_tone(
    phase: float, amplitude: float, faster: float, dc: float, known: bool, cycles: int
) -> None:
    time = grid(points=64)  # windows have to lie within it
    values = tone(time, [phase, phase + 1], amplitude, (1 + faster) * F0) + dc * amplitude
    level = np.full(2, dc * amplitude) if known else None
    result = demodulate(ZeroCrossings(F0, CENTERS[1:-1], cycles, level), time, values)
    expected = phase + np.array([0, 1]) + 2 * np.pi * faster * F0 * result.time[:, None]
    # a level estimated over a window that is not whole cycles of the node's own is off by part of the difference
    bound = 3e-5 if known else 3e-5 + 4 * abs(faster)
    assert off(result.phase, expected) < bound + 1e-9 * abs(dc)
    np.testing.assert_allclose(result.amplitude, amplitude, rtol=0.01)


def test_crossings_are_unwrapped_and_of_the_right_turn() -> None:
    time = grid()
    result = demodulate(ZeroCrossings(F0, CENTERS, level=0.0), time, tone(time, [3.0], 1.0, 1.05 * F0))
    assert abs(result.phase[0, 0]) <= np.pi
    np.testing.assert_allclose(np.diff(result.phase[:, 0]), 2 * np.pi * 0.05, atol=1e-4)


def test_crossings_fall_with_the_square_of_the_step() -> None:
    phase = np.linspace(-3, 3, 40)

    def error(points: int) -> float:
        time = np.unique(np.concatenate([grid(points)[::2], grid(points)[1::2] + 0.3 / (points * F0)]))
        return off(demodulate(ZeroCrossings(F0, CENTERS), time, tone(time, phase) + 0.5).phase, phase)

    second_order(error)


def test_odd_harmonics_and_dc_leave_the_crossings_of_a_symmetric_wave() -> None:
    time = grid(points=640)
    angle = 2 * np.pi * F0 * time[:, None] + np.array([0.4, -1.0])
    values = np.cos(angle) + 0.2 * np.cos(3 * angle) + 0.1 * np.cos(5 * angle) - 3.0
    assert off(demodulate(ZeroCrossings(F0, CENTERS), time, values).phase, [0.4, -1.0]) < 1e-5


def test_second_harmonic_moves_the_crossings_by_a_constant() -> None:
    time = grid(points=640)
    phase = np.array([0.4, -1.0, 2.0])
    angle = 2 * np.pi * F0 * time[:, None] + phase
    result = demodulate(ZeroCrossings(F0, CENTERS), time, np.cos(angle) + 0.2 * np.cos(2 * angle))
    shift = result.phase - phase
    assert off(shift, np.full_like(shift, shift[0, 0])) < 1e-4
    assert 0.1 < abs(shift[0, 0]) < 0.3


def test_crossings_of_a_node_that_stands_still() -> None:
    time = grid()
    values = np.column_stack([tone(time, [0.5])[:, 0], np.ones_like(time)])
    values[time > 10 / F0, 0] = 1.0  # stops on the way
    values[time > 15 / F0, 0] = tone(time, [0.5])[time > 15 / F0, 0]
    result = demodulate(ZeroCrossings(F0, CENTERS, level=0.0), time, values)
    assert np.isnan(result.phase[:, 1]).all()
    assert np.isnan(result.phase[:, 0]).any()
    known = ~np.isnan(result.phase[:, 0])
    assert off(result.phase[[0, 1, 2, -1], 0], [0.5] * 4) < 1e-4
    assert np.abs(np.diff(result.phase[known, 0])).max() < np.pi


# -- flip-flops


@settings(max_examples=200, deadline=None)
@given(phases, amplitudes, st.integers(2, 64), st.booleans(), st.integers(0, 9))
def test_flip_flops_of_a_tone(phase: float, amplitude: float, taps: int, both: bool, seed: int) -> None:
    time = jittered(seed, 200)
    demodulator = SamplingFlipFlops(F0, CENTERS, taps, both_edges=both)
    result = demodulate(demodulator, time, tone(time, [phase], amplitude))
    resolution = 2 * np.pi / taps / (2 if both else 1)
    assert off(result.phase, [phase]) <= resolution / 2 + 0.01
    assert 0 <= demodulator.codes().min() <= demodulator.codes().max() < 2 * np.pi / resolution + 1e-9
    np.testing.assert_allclose(result.time * F0 % 1, 0.5, atol=1e-9)
    assert np.isnan(result.amplitude).all()


@pytest.mark.parametrize(
    ("taps", "both", "codes"), [(8, False, 8), (8, True, 16), (5, False, 5), (5, True, 10)]
)
def test_every_code_is_a_turn_s_equal_part(taps: int, both: bool, codes: int) -> None:
    time, phase = grid(points=500, cycles=3), np.linspace(-np.pi, np.pi, 800, endpoint=False)
    demodulator = SamplingFlipFlops(F0, np.array([1.5 / F0]), taps, both_edges=both)
    result = demodulate(demodulator, time, tone(time, phase))
    found, counts = np.unique(demodulator.codes(), return_counts=True)
    np.testing.assert_array_equal(found, np.arange(codes))
    np.testing.assert_allclose(counts, 800 / codes, atol=6)
    error = np.angle(np.exp(1j * (result.phase[0] - phase)))
    assert abs(error.mean()) < 0.02
    assert error.std() == pytest.approx(2 * np.pi / codes / np.sqrt(12), rel=0.05)


def test_threshold_of_each_comparator() -> None:
    time = grid()
    values = tone(time, [0.5, 0.5, 0.5]) + np.array([0.0, 0.6, 2.0])
    demodulator = SamplingFlipFlops(F0, CENTERS, 32, threshold=np.array([0.0, 0.6, 0.0]))
    result = demodulate(demodulator, time, values)
    np.testing.assert_array_equal(result.phase[:, 0], result.phase[:, 1])
    assert (demodulator.codes()[:, 2] == -1).all()
    assert np.isnan(result.phase[:, 2]).all()
    with pytest.raises(ValueError, match="2 taps"):
        SamplingFlipFlops(F0, CENTERS, 1)


@pytest.mark.parametrize("kind", ["flip-flops", "flip-flops, both edges"])
def test_harmonics_that_leave_the_crossings_leave_the_codes(kind: str) -> None:
    time = grid(points=500)
    phase = np.linspace(-3, 3, 50)
    angle = 2 * np.pi * F0 * time[:, None] + phase
    pure = demodulate(KINDS[kind](), time, np.cos(angle))
    rich = demodulate(KINDS[kind](), time, np.cos(angle) + 0.2 * np.cos(3 * angle))
    np.testing.assert_array_equal(pure.phase, rich.phase)


# -- parts


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 999), st.floats(-0.2, 1.2), st.floats(-0.2, 1.2))
def test_trapezoid_is_exact_for_straight_lines(seed: int, one: float, two: float) -> None:
    time = np.sort(np.random.default_rng(seed).uniform(0, 1, 8))
    low, high = min(one, two), max(one, two)
    points, weights = trapezoid(time, low, high)
    a, b = max(low, time[0]), min(high, time[-1])
    expected = [b - a, (b * b - a * a) / 2] if b > a else [0, 0]
    np.testing.assert_allclose([weights.sum(), weights @ time[points]], expected, atol=1e-12)


def test_unwrapping_passes_over_gaps() -> None:
    phase = np.array([[3.0, np.nan], [np.nan, np.nan], [-3.0, np.nan]])
    np.testing.assert_allclose(unwrapped(phase)[:, 0], [3.0, np.nan, 2 * np.pi - 3.0])
    assert np.isnan(unwrapped(phase)[:, 1]).all()
