"""How fast a circuit relaxes, measured from a transient, against the spectrum of its matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.thermo.transients import Run
from netlists.core import Array, Index

FAINTEST = 1e-2  # of the strongest mode at the start: others are not measured
DECAYED = 1e-2  # of a mode's own start: how far it is followed
FLOOR = 1e-4  # of the largest deviation: what the solver's tolerance leaves
FEWEST = 5  # points that make a slope


@dataclass(frozen=True)
class Relaxation:
    """Rates per model time unit, of the modes that a transient shows.

    Attributes:
        rates: (K,) eigenvalues, ascending.
        measured: (K,) slopes of the logarithm of the modes' amplitudes.
        numbers: (K,) which modes these are, counted from the slowest.
        modes: N, how many there are in all.
    """

    rates: Array
    measured: Array
    numbers: Index
    modes: int

    @property
    def error(self) -> float:
        """The largest relative error of a rate; NaN if none was measured."""
        return (
            float(np.max(np.abs(self.measured / self.rates - 1), initial=0.0))
            if len(self.rates)
            else float("nan")
        )

    @property
    def slowest(self) -> float:
        """Time constant of the slowest mode that was measured; NaN if there is none."""
        return float(1 / self.measured[0]) if len(self.rates) else float("nan")


def relaxation(run: Run, rest: Array, matrix: Array) -> Relaxation:
    """Rates of the modes of a (N, N) matrix in a transient that ends near (N,) states of rest.

    The deviation from rest is projected on each left eigenvector; its amplitude then decays by itself, at the
    eigenvalue if the circuit is the matrix.
    """
    values, right = np.linalg.eig(matrix)
    order = np.argsort(values.real)
    deviations = run.states - rest
    amplitudes = np.abs(deviations @ np.linalg.inv(right)[order].T)
    size = float(np.linalg.norm(deviations[0]))
    rates, measured, numbers = [], [], []
    for number, (rate, amplitude) in enumerate(zip(values.real[order].tolist(), amplitudes.T, strict=True)):
        if amplitude[0] < FAINTEST * amplitudes[0].max():
            continue
        low = np.flatnonzero(amplitude < max(DECAYED * amplitude[0], FLOOR * size))
        end = int(low[0]) if len(low) else len(amplitude)
        if end >= FEWEST:
            rates.append(rate)
            numbers.append(number)
            measured.append(-float(np.polyfit(run.time[:end], np.log(amplitude[:end]), 1)[0]))
    return Relaxation(np.array(rates), np.array(measured), np.array(numbers, dtype=np.int64), len(values))


def settling_time(run: Run, rest: Array, shown: Index, tolerance: float) -> float:
    """Model time after which the ``shown`` nodes stay within ``tolerance`` of (N,) states of rest, relative to these.

    Between points of the transient it is interpolated; NaN if they never settle.
    """
    size = float(np.linalg.norm(rest[shown]))
    distance = np.linalg.norm(run.states[:, shown] - rest[shown], axis=1)
    outside = np.flatnonzero(distance > tolerance * size)
    if not len(outside):
        return 0.0
    last = int(outside[-1])
    if last + 1 == len(distance):
        return float("nan")
    ends = np.log(np.maximum(distance[last : last + 2], 1e-300))
    share = (ends[0] - np.log(tolerance * size)) / (ends[0] - ends[1])
    return float(run.time[last] + share * (run.time[last + 1] - run.time[last]))
