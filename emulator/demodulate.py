"""Phases from waveforms, in blocks as a simulator delivers them: a run's waveforms need not fit into memory.

The phase of a node is that of its fundamental against the common reference cos(2π f₀ t), see
``device_models.oscillator_cell``. Three ways to it: I/Q demodulation, which takes that definition at its word; the
times of zero crossings, as an oscilloscope's counter has them; and flip-flops that sample the node at fixed phases
of the reference, as published chips do. A window that begins before the first point is measured by what there is
of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from emulator.streaming import Array  # not from netlists: that would take the worker 60 MB of SymPy

Index = npt.NDArray[np.intp]

_UNCOVERED = (
    0.01  # of a cycle that a window may begin before the first point, if it is to tell the mean level
)
Demodulation = Literal["iq", "crossings", "flipflops"]
_SLACK = 1e-9  # of a cycle: a window that ends at the stop time may end a rounding error after it


@dataclass(frozen=True)
class Demodulated:
    """What demodulation brings: R windows, M nodes.

    Attributes:
        time: (R,) seconds, the middle of each window.
        phase: (R, M) rad, unwrapped along time; NaN where a demodulator finds none.
        amplitude: (R, M) of the fundamental, in the nodes' unit, as far as the demodulator knows it.
    """

    time: Array
    phase: Array
    amplitude: Array


class Demodulator(Protocol):
    """Blocks of waveforms in, phases out."""

    def take(self, time: Array, values: Array) -> None:
        """A block of (P,) ascending times and (P, M) values that goes on where the last one ended."""

    def result(self) -> Demodulated:
        """The windows that were finished; those beyond the last point are left out."""


class IqDemodulator:
    """Averages v(t) e^{−i 2π f t} over windows of whole cycles, by the trapezoidal rule on the solver's points.

    Args:
        frequency: of the reference, hertz.
        centers: (R,) seconds, ascending; a window reaches half of ``cycles`` to each side. Windows may overlap.
        cycles: whole cycles a window.
    """

    def __init__(self, frequency: float, centers: Array, cycles: int = 1) -> None:
        self._frequency = frequency
        self._centers = np.asarray(centers, np.float64)
        self._half = cycles / frequency / 2
        self._sums: Array | None = None
        self._next = 0  # first window that is not finished
        self._held: tuple[Array, Array] | None = None

    def take(self, time: Array, values: Array) -> None:
        """A block of (P,) ascending times and (P, M) values that goes on where the last one ended."""
        if self._sums is None:
            self._sums = np.zeros((len(self._centers), values.shape[1]), np.complex128)
        if self._held is not None:
            time = np.concatenate([self._held[0], time])
            values = np.concatenate([self._held[1], values])
        if len(time) < 2:
            self._held = (time.copy(), values.copy())
            return
        for row in range(self._next, len(self._centers)):
            low, high = self._centers[row] - self._half, self._centers[row] + self._half
            if low >= time[-1]:
                break
            if high > time[0]:
                self._sums[row] += self._integral(time, values, max(low, time[0]), min(high, time[-1]))
            if high <= time[-1]:
                self._next = max(self._next, row + 1)
        self._held = (time[-1:].copy(), values[-1:].copy())

    def _integral(self, time: Array, values: Array, low: float, high: float) -> Array:
        """∫ v e^{−iωt} dt from low to high; the ends are interpolated in the demodulated signal."""
        points, weights = trapezoid(time, low, high)
        wave = weights * np.exp(-2j * np.pi * self._frequency * time[points])
        # two real products: a complex one would make a complex copy of the values first
        return np.asarray(wave.real @ values[points] + 1j * (wave.imag @ values[points]))

    def result(self) -> Demodulated:
        """The windows that were finished; those beyond the last point are left out."""
        sums = self._sums if self._sums is not None else np.zeros((0, 0), np.complex128)
        done = _finished(self._centers + self._half, self._held[0] if self._held else None, self._frequency)
        z = sums[:done] / self._half  # (2 / window) ∫
        return Demodulated(self._centers[:done], np.unwrap(np.angle(z), axis=0), np.abs(z))


class ZeroCrossings:
    """The phase from the times at which a node rises through its mean level, interpolated linearly.

    cos(2π f t + φ) rises through its mean where 2π f t + φ = −π/2. Through the phases of all the crossings in a
    window goes a straight line, whose value at the window's middle is the phase: a node that runs faster or slower
    than the reference, by less than 1 / ``cycles`` of it, gets the phase it has there. Harmonics move a crossing
    against the fundamental's by a constant of the waveform; a node that crosses its mean more than once a cycle has
    no phase here. A window without a crossing has the phase NaN. The amplitude is half the swing in the window.

    Args:
        frequency: of the reference, hertz.
        centers: (R,) seconds, ascending; a window reaches half of ``cycles`` to each side. Windows may overlap.
        cycles: whole cycles a window; with less than 3 a slower node may not cross twice.
        level: the mean level, one or (M,); None to estimate it as each window's mean, so that windows that begin
            before the first point have no phase.
    """

    def __init__(
        self, frequency: float, centers: Array, cycles: int = 3, level: Array | float | None = None
    ) -> None:
        self._frequency = frequency
        self._level = None if level is None else np.asarray(level, np.float64)
        self._centers = np.asarray(centers, np.float64)
        half = cycles / frequency / 2
        self._windows = _Windows(self._centers - half, self._centers + half, frequency)
        self._rows: list[tuple[Array, Array]] = []

    def take(self, time: Array, values: Array) -> None:
        """A block of (P,) ascending times and (P, M) values that goes on where the last one ended."""
        self._rows += [self._window(*window) for window in self._windows.take(time, values)]

    def _window(self, time: Array, values: Array, low: float, high: float) -> tuple[Array, Array]:
        if len(time) < 2:  # a window before the first point
            return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
        level = self._level
        if level is None and time[0] - low > _UNCOVERED / self._frequency:
            return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
        if level is None:
            points, weights = trapezoid(time, low, high)
            level = weights @ values[points] / weights.sum()
        crossing, node = _rises(time, values, level)
        inside = (crossing >= low) & (crossing < high)
        phase = self._line(crossing[inside], node[inside], (low + high) / 2, values.shape[1])
        return phase, np.asarray(values.max(axis=0) - values.min(axis=0)) / 2

    def _line(self, crossing: Array, node: Index, center: float, nodes: int) -> Array:
        """(nodes,) phase at the centre, from the line through each node's crossings."""

        def total(values: Array) -> Array:
            return np.asarray(np.bincount(node, values, nodes), np.float64)

        count = np.bincount(node, minlength=nodes)
        offset = (crossing - center) * self._frequency  # cycles
        turn = np.full(nodes, np.nan)
        nearest = np.argsort(-np.abs(offset), kind="stable")  # what is written last stays: the nearest
        turn[node[nearest]] = -0.25 - crossing[nearest] * self._frequency
        # the others relative to that one, so that the line does not run over a wrap
        relative = -0.25 - crossing * self._frequency - turn[node]
        relative -= np.round(relative)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_x, mean_y = total(offset) / count, total(relative) / count
            dx = offset - mean_x[node]
            slope = np.where(count > 1, total(dx * (relative - mean_y[node])) / total(dx * dx), 0.0)
            turn += mean_y - slope * mean_x
            return np.asarray(2 * np.pi * (turn - np.round(turn)))

    def result(self) -> Demodulated:
        """The windows that were finished; those beyond the last point are left out."""
        rows = [*self._rows, *(self._window(*window) for window in self._windows.rest())]
        phase, amplitude = (_stack([row[k] for row in rows]) for k in (0, 1))
        return Demodulated(self._centers[: len(rows)], unwrapped(phase), amplitude)


class SamplingFlipFlops:
    """Flip-flops clocked by equidistant phases of the reference that sample the node's comparator, as on chips.

    In the cycle of the reference that holds a centre, n flip-flops sample whether the node is above its threshold.
    With ``both_edges`` false the taps are a whole cycle's, 2π k / n, and the phase code is the tap that first sees the
    node high after the one before saw it low: n codes (log2 n bits); the falling edge is not looked at. With
    ``both_edges`` the taps are half a cycle's, π k / n, and the n bits are a Johnson code, where the node rises or
    falls and which of the two: 2 n codes (1 + log2 n bits), but of a node that is not high for half of the cycle the
    falling edges are off by as much.

    The phase is the middle of its code's interval: at most π / n off, with both edges π / 2n. Of several edges the
    first tap's counts, as in a priority encoder; without an edge the code is −1 and the phase NaN. There is no
    amplitude: it is NaN.

    Args:
        frequency: of the reference, hertz.
        centers: (R,) seconds, ascending; reported is the middle of the cycle of the reference that holds each.
        taps: n, the flip-flops; 2 at least.
        threshold: of the comparators, one or (M,).
        both_edges: half a cycle's taps.
    """

    def __init__(
        self, frequency: float, centers: Array, taps: int, threshold: Array | float = 0.0,
        both_edges: bool = False,
    ) -> None:  # fmt: skip
        if taps < 2:
            raise ValueError(f"a phase takes 2 taps at least, not {taps}")
        self._taps, self._both = taps, both_edges
        self._codes = taps * (2 if both_edges else 1)
        self._threshold = np.asarray(threshold, np.float64)
        cycle = np.floor(np.asarray(centers, np.float64) * frequency + _SLACK)
        self._centers = (cycle + 0.5) / frequency
        self._instants = (cycle[:, None] + np.arange(taps) / self._codes) / frequency
        self._windows = _Windows(self._instants[:, 0], self._instants[:, -1], frequency)
        self._rows: list[Index] = []

    def take(self, time: Array, values: Array) -> None:
        """A block of (P,) ascending times and (P, M) values that goes on where the last one ended."""
        for window_time, window, *_ in self._windows.take(time, values):
            self._rows.append(self._code(window_time, window, len(self._rows)))

    def _code(self, time: Array, values: Array, row: int) -> Index:
        """(M,) codes of one cycle."""
        if len(time) < 2:  # a cycle before the first point
            return np.full(values.shape[1], -1)
        instants = np.clip(self._instants[row], time[0], time[-1])
        after = np.clip(np.searchsorted(time, instants, "right"), 1, len(time) - 1)
        part = ((instants - time[after - 1]) / (time[after] - time[after - 1]))[:, None]
        high = values[after - 1] * (1 - part) + values[after] * part > self._threshold
        if self._both:  # the other half of the cycle, of a node that is high for half of it
            high = np.concatenate([high, ~high])
        edges = high & ~np.roll(high, 1, axis=0)
        return np.where(edges.any(axis=0), edges.argmax(axis=0), -1)

    def codes(self) -> Index:
        """(R, M) the tap that sees the edge, of n or 2 n; −1 without an edge."""
        rest = [window[:2] for window in self._windows.rest()]
        rows = [
            *self._rows,
            *(self._code(time, values, len(self._rows) + k) for k, (time, values) in enumerate(rest)),
        ]
        return np.stack(rows) if rows else np.zeros((0, 0), np.intp)

    def result(self) -> Demodulated:
        """The windows that were finished; those beyond the last point are left out."""
        codes = self.codes()
        # an edge between tap k − 1 and tap k, on average midway, is where the node's own phase is −π/2
        edge = 2 * np.pi * (codes - 0.5) / self._codes
        phase = np.where(codes < 0, np.nan, np.angle(np.exp(1j * (-np.pi / 2 - edge))))
        return Demodulated(self._centers[: len(codes)], unwrapped(phase), np.full(codes.shape, np.nan))


class _Windows:
    """Cuts windows out of blocks: holds the latest points as long as a window needs them."""

    def __init__(self, lows: Array, highs: Array, frequency: float) -> None:
        self._lows, self._highs, self._frequency = lows, highs, frequency
        self._next = 0
        self._time: Array | None = None
        self._values: Array = np.empty((0, 0))

    def take(self, time: Array, values: Array) -> Iterator[tuple[Array, Array, float, float]]:
        """Time, values and both ends of each window now finished, with the points around its ends."""
        if self._time is not None:
            time, values = np.concatenate([self._time, time]), np.concatenate([self._values, values])
        self._time, self._values = time, values
        while self._next < len(self._lows) and len(time) and self._highs[self._next] <= time[-1]:
            yield self._window(self._next)
            self._next += 1
        low = self._lows[self._next] if self._next < len(self._lows) else np.inf
        first = max(int(np.searchsorted(time, low, "right")) - 1, 0)
        self._time, self._values = time[first:].copy(), values[first:].copy()

    def rest(self) -> Iterator[tuple[Array, Array, float, float]]:
        """The windows that end with the last point up to rounding."""
        for row in range(self._next, _finished(self._highs, self._time, self._frequency)):
            yield self._window(row)

    def _window(self, row: int) -> tuple[Array, Array, float, float]:
        assert self._time is not None
        low, high = float(self._lows[row]), float(self._highs[row])
        first = max(int(np.searchsorted(self._time, low, "right")) - 1, 0)
        last = int(np.searchsorted(self._time, high, "left")) + 1
        return self._time[first:last], self._values[first:last], low, high


def _finished(highs: Array, time: Array | None, frequency: float) -> int:
    """How many of the windows end at the last point or before."""
    if time is None or not len(time):
        return 0
    return int(np.searchsorted(highs, time[-1] + _SLACK / frequency, "right"))


def trapezoid(time: Array, low: float, high: float) -> tuple[slice, Array]:
    """The points around [low, high] and their weights in the trapezoidal rule over it, ends interpolated.

    What lies outside the points counts as nothing.
    """
    low, high = max(low, float(time[0])), min(high, float(time[-1]))
    first = max(int(np.searchsorted(time, low, "right")) - 1, 0)
    last = min(int(np.searchsorted(time, high, "left")), len(time) - 1)
    t = time[first : last + 1]
    weights = np.zeros(len(t))
    if len(t) < 2 or high <= low:
        return slice(first, last + 1), weights
    inner = np.concatenate([[low], t[1:-1], [high]])
    steps = np.diff(inner)
    weights[:-1] += steps / 2
    weights[1:] += steps / 2
    for end, neighbour, part in (
        (0, 1, (low - t[0]) / (t[1] - t[0])),
        (-1, -2, (t[-1] - high) / (t[-1] - t[-2])),
    ):
        # the value at the end of the interval is (1 − part) of the point there and part of its neighbour
        moved = (steps[end] / 2) * part
        weights[end] -= moved
        weights[neighbour] += moved
    return slice(first, last + 1), weights


def _rises(time: Array, values: Array, level: Array) -> tuple[Array, Index]:
    """Times at which values rise through the level, and which node's, by time."""
    low = values < level
    point, node = np.nonzero(low[:-1] & ~low[1:])
    below, above = values[point, node], values[point + 1, node]
    part = (np.broadcast_to(level, values.shape[1:])[node] - below) / (above - below)
    return time[point] + part * (time[point + 1] - time[point]), node


def unwrapped(phase: Array) -> Array:
    """(R, M) unwrapped along time; NaN stays, and what is after it goes on from what was before."""
    result = phase.copy()
    for column in result.T:
        known = ~np.isnan(column)
        column[known] = np.unwrap(column[known])
    return result


def _stack(rows: list[Array]) -> Array:
    return np.stack(rows) if rows else np.zeros((0, 0))


def iq(time: Array, values: Array, frequency: float, centers: Array, cycles: int = 1) -> Demodulated:
    """I/Q demodulation of waveforms at hand: (P,) seconds, (P, M) values, (R,) window centres in seconds."""
    demodulator = IqDemodulator(frequency, centers, cycles)
    demodulator.take(time, values)
    return demodulator.result()
