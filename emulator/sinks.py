"""What runs keep of their waveforms: phases, mean powers, and a few excerpts to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from emulator.demodulate import Demodulated, Demodulator, trapezoid
from emulator.streaming import Array, vector_name


@dataclass(frozen=True)
class Reading:
    """Vectors whose phase is wanted, and a fresh demodulator for them (it serves one run)."""

    vectors: tuple[str, ...]
    demodulator: Demodulator


@dataclass(frozen=True)
class Means:
    """Mean values over intervals: of vectors, or of products such as a supply's power.

    Attributes:
        products: of each, the vectors that are multiplied: ("vdd", "vsupply#branch"), or a branch alone.
        intervals: (J, 2) seconds, begin and end; they may overlap, or have gaps between them.
        squared: vectors the sum of whose squares is a last column, if there are any.
    """

    products: tuple[tuple[str, ...], ...]
    intervals: Array
    squared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Excerpt:
    """Vectors of which all points from ``begin`` to ``end`` (seconds, included) are kept."""

    vectors: tuple[str, ...]
    begin: float
    end: float


@dataclass(frozen=True)
class Waveform:
    """Points of a run.

    Attributes:
        vectors: their names.
        time: (P,) seconds.
        values: (P, M).
    """

    vectors: tuple[str, ...]
    time: Array
    values: Array


@dataclass(frozen=True)
class Waveforms:
    """What is left of a run's waveforms.

    Attributes:
        demodulated: by the name of the reading.
        means: (J, Q) over each interval, of each product, and of the sum of squares if one was asked for; NaN of an
            interval that the run did not reach the end of.
        kept: the excerpts, in order.
    """

    demodulated: Mapping[str, Demodulated] = field(default_factory=dict)
    means: Array = field(default_factory=lambda: np.empty((0, 0)))
    kept: tuple[Waveform, ...] = ()


class WaveformSink:
    """Demodulates, averages and keeps, each as far as asked.

    Every vector named has to be among the deck's; all others are passed over.
    """

    def __init__(
        self, readings: Mapping[str, Reading] = MappingProxyType({}), means: Means | None = None,
        excerpts: Sequence[Excerpt] = (),
    ) -> None:  # fmt: skip
        self._readings = dict(readings)
        self._means = means
        self._excerpts = tuple(excerpts)
        self._columns: dict[str, slice | list[int]] = {}
        self._averages: _Averages | None = None
        self._factors: list[list[int]] = []
        self._squared: slice | list[int] = slice(0)
        self._kept: list[list[tuple[Array, Array]]] = [[] for _ in excerpts]
        self._kept_columns: list[slice | list[int]] = []

    def begin(self, names: tuple[str, ...]) -> None:
        """Finds the vectors among the columns to come.

        Raises:
            ValueError: one is not among them.
        """
        index = {vector_name(name): column for column, name in enumerate(names)}
        self._columns = {name: _select(index, reading.vectors) for name, reading in self._readings.items()}
        self._kept_columns = [_select(index, excerpt.vectors) for excerpt in self._excerpts]
        if self._means is not None:
            self._factors = [_find(index, product) for product in self._means.products]
            self._squared = _select(index, self._means.squared)
            count = len(self._factors) + bool(self._means.squared)
            self._averages = _Averages(self._means.intervals, count)

    def take(self, time: Array, values: Array) -> None:
        """A block that goes on where the last one ended."""
        for name, reading in self._readings.items():
            reading.demodulator.take(time, values[:, self._columns[name]])
        if self._averages is not None and self._means is not None:
            found = [values[:, factors].prod(axis=1) for factors in self._factors]
            if self._means.squared:
                chosen = values[:, self._squared]
                found.append(np.einsum("pn,pn->p", chosen, chosen))
            self._averages.take(time, np.stack(found, axis=1) if found else np.empty((len(time), 0)))
        for excerpt, columns, kept in zip(self._excerpts, self._kept_columns, self._kept, strict=True):
            inside = slice(*np.searchsorted(time, [excerpt.begin, np.nextafter(excerpt.end, np.inf)]))
            if inside.start < inside.stop:
                kept.append((time[inside].copy(), values[inside, columns].copy()))

    def result(self) -> Waveforms:
        """What was asked for, as far as the run came."""
        return Waveforms(
            {name: reading.demodulator.result() for name, reading in self._readings.items()},
            self._averages.result() if self._averages is not None else np.empty((0, 0)),
            tuple(_joined(excerpt, kept) for excerpt, kept in zip(self._excerpts, self._kept, strict=True)),
        )


class _Averages:
    """Means of (P, Q) values over intervals, by the trapezoidal rule on the points, the ends interpolated."""

    def __init__(self, intervals: Array, count: int) -> None:
        self._intervals = np.asarray(intervals, np.float64).reshape(-1, 2)
        if not (self._intervals[:, 1] > self._intervals[:, 0]).all():
            raise ValueError("an interval to average over has to end after its begin")
        self._sums = np.zeros((len(self._intervals), count))
        self._time = np.empty(0)
        self._values = np.empty((0, count))

    def take(self, time: Array, values: Array) -> None:
        time, values = np.concatenate([self._time, time]), np.concatenate([self._values, values])
        if len(time) > 1:
            begins, ends = self._intervals.T
            for row in np.flatnonzero((begins < time[-1]) & (ends > time[0])):
                points, weights = trapezoid(time, begins[row], ends[row])
                self._sums[row] += weights @ values[points]
        self._time, self._values = time[-1:].copy(), values[-1:].copy()

    def result(self) -> Array:
        begins, ends = self._intervals.T
        # the last point is the stop time up to rounding
        reached = ends <= (self._time[-1] * (1 + 1e-9) if len(self._time) else -np.inf)
        means = self._sums / (ends - begins)[:, None]
        return np.where(reached[:, None], means, np.nan)


def _joined(excerpt: Excerpt, kept: list[tuple[Array, Array]]) -> Waveform:
    if not kept:
        return Waveform(excerpt.vectors, np.empty(0), np.empty((0, len(excerpt.vectors))))
    return Waveform(
        excerpt.vectors,
        np.concatenate([time for time, _ in kept]),
        np.concatenate([values for _, values in kept]),
    )


def _find(index: Mapping[str, int], vectors: Sequence[str]) -> list[int]:
    missing = [name for name in vectors if vector_name(name) not in index]
    if missing:
        raise ValueError(
            f"{', '.join(missing[:5])} can't be taken from the waveforms: not among the deck's vectors"
        )
    return [index[vector_name(name)] for name in vectors]


def _select(index: Mapping[str, int], vectors: Sequence[str]) -> slice | list[int]:
    """Columns of the vectors; a slice, which copies nothing, where they stand side by side."""
    columns = _find(index, vectors)
    if columns and columns == list(range(columns[0], columns[0] + len(columns))):
        return slice(columns[0], columns[-1] + 1)
    return columns
