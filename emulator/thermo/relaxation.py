"""How fast a circuit relaxes, measured from a transient, against the spectrum of its matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.thermo.equilibrium import jacobian
from emulator.thermo.transients import Run
from netlists.core import Array, Index

FAINTEST = 1e-2  # of the strongest mode at the start: others are not measured
DECAYED = 1e-2  # of a mode's own start: how far it is followed
FLOOR = 1e-4  # of the largest deviation: what the solver's tolerance leaves
FEWEST = 5  # points that make a slope
BENT = 0.01  # of a mode's rate: what wells may add to it where a slope is taken
DECADES = 10.0  # times the floor: what is left of a mode, once wells add no more, that a slope is taken of


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


def relaxation(run: Run, rest: Array, matrix: Array, quartic: Array | None = None) -> Relaxation:
    """Rates of the modes of a (N, N) matrix in a transient that ends near (N,) states of rest.

    The deviation from rest is projected on each left eigenvector; its amplitude then decays by itself, at the
    eigenvalue if the circuit is the matrix. With (N,) quartic wells J4 these are the modes of the Jacobian at rest: the
    amplitude a of a deviation d, by the left eigenvector l, decays as

        a' = −λ a − l·4 J4 (3 x* d² + d³),

    exactly, and its slope is taken where the wells' share of that is small for good: late, and of few modes.
    """
    wells = np.zeros_like(rest) if quartic is None else quartic
    values, right = np.linalg.eig(jacobian(matrix, wells, rest))
    order = np.argsort(values.real)
    deviations, left = run.states - rest, np.linalg.inv(right)[order].T
    amplitudes = np.abs(deviations @ left)
    bends = np.abs((4 * wells * (3 * rest + deviations) * deviations**2) @ left)
    size = float(np.linalg.norm(deviations[0]))
    rates, measured, numbers = [], [], []
    for number, rate in enumerate(values.real[order].tolist()):
        amplitude = amplitudes[:, number]
        begin = _straight(
            amplitude, bends[:, number] / rate if rate > 0 else np.full_like(amplitude, np.inf), size
        )
        faintest = FAINTEST * amplitudes[0].max() if begin == 0 else DECADES * FLOOR * size
        if begin == len(amplitude) or amplitude[begin] < faintest or not size:
            continue
        low = np.flatnonzero(amplitude[begin:] < max(DECAYED * amplitude[begin], FLOOR * size))
        end = begin + int(low[0]) if len(low) else len(amplitude)
        if end - begin >= FEWEST:
            rates.append(rate)
            numbers.append(number)
            measured.append(-float(np.polyfit(run.time[begin:end], np.log(amplitude[begin:end]), 1)[0]))
    return Relaxation(np.array(rates), np.array(measured), np.array(numbers, dtype=np.int64), len(values))


def _straight(amplitude: Array, bend: Array, size: float) -> int:
    """The first row from which on wells take no part in a mode's decay, as long as there is anything left of it."""
    alive = np.flatnonzero(amplitude >= FLOOR * size)
    bent = np.flatnonzero(bend > BENT * amplitude)
    bent = bent[bent <= alive[-1]] if len(alive) else bent
    return int(bent[-1]) + 1 if len(bent) else 0


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
