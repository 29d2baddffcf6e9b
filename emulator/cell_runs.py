"""Runs test benches of oscillator cells, and what can be wrong with a cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Judgement
from netlists.cell_bench import Bench, fixed_step
from netlists.core import Array

LIMIT_S = 600.0  # wall-clock seconds a bench


class CellFault(ValueError):
    """A cell that can't be characterised as it is; the message says what to do."""


class DoesNotStart(CellFault):
    """It stays where it was put."""


class DoesNotOscillate(CellFault):
    """It moves, but comes to rest."""


class UnexpectedPeriod(CellFault):
    """Its period is far from the guess."""


class SeveralFrequencies(CellFault):
    """More than one oscillation at a time."""


class PeriodDrifts(CellFault):
    """It does not settle."""


class HiddenState(CellFault):
    """Its nodes and inductors don't say all of its state."""


class BenchFailed(RuntimeError):
    """The simulator did not finish a bench."""

    def __init__(self, title: str, judgement: Judgement) -> None:
        super().__init__(f"{title}: {judgement.verdict}: {judgement.reason}")
        self.judgement = judgement


@dataclass(frozen=True)
class Waves:
    """What a bench recorded: (P,) seconds, and (P,) values by vector."""

    time: Array
    values: Array
    names: dict[str, int]

    def of(self, vectors: Iterable[str]) -> Array:
        """(P, M) of the vectors named."""
        return self.values[:, [self.names[name] for name in vectors]]


@dataclass(frozen=True)
class Steps:
    """The fixed step: points a cycle at a frequency in hertz."""

    frequency: float
    points: int

    @property
    def step(self) -> float:
        """Seconds."""
        return fixed_step(self.frequency, self.points)

    def seconds(self, cycles: float) -> float:
        """Cycles in seconds."""
        return cycles / self.frequency


def run_bench(
    simulator: Simulator, bench: Bench, steps: Steps, cycles: float, record: Iterable[str], start: float = 0.0
) -> Waves:
    """Runs ``cycles`` cycles, recorded from cycle ``start`` on.

    Raises:
        BenchFailed: the simulator did not get to the end.
    """
    vectors = tuple(dict.fromkeys(record))
    stop = steps.seconds(cycles)
    text = bench.text(steps.step, stop, vectors, steps.seconds(start))
    deck = Deck(text, vectors, stop, behaviour=bench.cell.behaviour)
    result = simulator.simulate(deck, limit_s=LIMIT_S)
    if not result.judgement.completed:
        raise BenchFailed(bench.title, result.judgement)
    return Waves(result.time, result.values, {name: k for k, name in enumerate(vectors)})


def phases(
    waves: Waves, vectors: Iterable[str], frequency: float, centers: npt.NDArray[np.floating[Any]]
) -> Array:
    """(R, M) rad, unwrapped along R: φ of each vector's fundamental around ``centers`` (in cycles).

    The window is Hann's over two cycles: mean and harmonics fall into its zeros, and where the steps lie in it
    makes no difference, as it would with a window that ends abruptly.
    """
    columns = waves.of(vectors)
    found = np.empty((len(centers), columns.shape[1]), np.complex128)
    for row, center in enumerate(centers):
        first, last = np.searchsorted(waves.time, np.array([center - 1, center + 1]) / frequency)
        time = waves.time[first:last]
        angle = 2 * np.pi * frequency * time
        weight = np.cos((angle / (2 * np.pi) - center) * np.pi / 2) ** 2 * np.gradient(time)
        found[row] = (weight * np.exp(-1j * angle)) @ columns[first:last]
    return np.unwrap(np.angle(found), axis=0)


def harmonics(phase: Array, values: Array, count: int) -> npt.NDArray[np.complex128]:
    """Least squares of Re Σ_k c_k e^{ikθ} to values at any phases.

    Args:
        phase: (P,) rad.
        values: (P,) or (P, S).
        count: of harmonics beside the mean; P has to exceed twice that.

    Returns:
        (count + 1,) or (count + 1, S)
    """
    k = np.arange(1, count + 1)
    waves = np.multiply.outer(phase, k)
    design = np.concatenate([np.ones((len(phase), 1)), np.cos(waves), np.sin(waves)], axis=1)
    found = np.linalg.lstsq(design, values, rcond=None)[0]
    return np.concatenate([found[:1].astype(np.complex128), found[1 : count + 1] - 1j * found[count + 1 :]])


def series(coefficients: npt.NDArray[np.complex128], phase: Array) -> Array:
    """Re Σ_k c_k e^{ikθ} at phases; (H,) or (H, S) coefficients give (P,) or (P, S)."""
    return np.asarray(
        (np.exp(1j * np.multiply.outer(phase, np.arange(len(coefficients)))) @ coefficients).real
    )
