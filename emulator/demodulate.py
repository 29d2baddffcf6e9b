"""Phases from waveforms, in blocks as a simulator delivers them: a run's waveforms need not fit into memory.

The phase of a node is that of its fundamental against the common reference cos(2π f₀ t), see
``device_models.oscillator_cell``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.core import Array


@dataclass(frozen=True)
class Demodulated:
    """What I/Q demodulation brings: R windows, M nodes.

    Attributes:
        time: (R,) seconds, the middle of each window.
        phase: (R, M) rad, unwrapped along time.
        amplitude: (R, M) of the fundamental, in the nodes' unit.
    """

    time: Array
    phase: Array
    amplitude: Array


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
        first = max(int(np.searchsorted(time, low, "right")) - 1, 0)
        last = min(int(np.searchsorted(time, high, "left")), len(time) - 1)
        t = time[first : last + 1]
        wave = values[first : last + 1] * np.exp(-2j * np.pi * self._frequency * t)[:, None]
        if len(t) < 2:
            return np.zeros(values.shape[1], np.complex128)
        begin = wave[0] + (wave[1] - wave[0]) * (low - t[0]) / (t[1] - t[0])
        end = wave[-1] + (wave[-2] - wave[-1]) * (t[-1] - high) / (t[-1] - t[-2])
        wave[0], wave[-1] = begin, end
        steps = np.diff(np.concatenate([[low], t[1:-1], [high]]))
        return np.asarray(steps @ (wave[1:] + wave[:-1]) / 2)

    def result(self) -> Demodulated:
        """The windows that were finished; those beyond the last point are left out."""
        sums = self._sums if self._sums is not None else np.zeros((0, 0), np.complex128)
        z = sums[: self._next] / self._half  # (2 / window) ∫
        return Demodulated(self._centers[: self._next], np.unwrap(np.angle(z), axis=0), np.abs(z))


def iq(time: Array, values: Array, frequency: float, centers: Array, cycles: int = 1) -> Demodulated:
    """I/Q demodulation of waveforms at hand: (P,) seconds, (P, M) values, (R,) window centres in seconds."""
    demodulator = IqDemodulator(frequency, centers, cycles)
    demodulator.take(time, values)
    return demodulator.result()
