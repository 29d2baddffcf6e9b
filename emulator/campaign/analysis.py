"""What a campaign's samples say: figures of every point with intervals, and where quality falls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.campaign.store import Store, StoredPoint
from emulator.campaign.work import CPU, WORST_WINDOW
from emulator.estimate import Estimate, resampled, rms, share_of_codes
from emulator.features import Extractor
from emulator.quality import Metric, quality
from emulator.starts import one_of_each, starts_of
from emulator.verdict import Verdict
from netlists.core import Array, Index

# What is drawn anew of a chip or a converter: points that differ in it alone are samples of one setting
REPLICATES = frozenset({"chip", "adc_mismatch_seed"})
MOST_COMPARED = 512  # starts of a setting that distances between distributions look at
SHOWN = 12  # samples of a setting kept to be looked at

Values = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Figure:
    """What an estimate is of.

    Attributes:
        title: for people, in a few words.
        unit: of its values; empty for a share.
        better: which way is better.
    """

    title: str
    unit: str
    better: str = "lower"


TO_TRAINED, TO_DATA = "to_trained", "to_data"
FIGURES: Mapping[str, Figure] = {
    TO_TRAINED: Figure("distance to the trained model", "energy distance"),
    TO_DATA: Figure("distance to the data", "energy distance"),
    # of what distances are to: of the data where there are any
    "trained_precision": Figure("precision, by the trained model", "", "higher"),
    "trained_recall": Figure("recall of the trained model", "", "higher"),
    "data_precision": Figure("precision, by the data", "", "higher"),
    "data_recall": Figure("recall of the data", "", "higher"),
    "trained_pixel": Figure("pixels against the trained model", "readout, rms"),
    "pixel": Figure("pixels, circuit against reference", "readout, rms"),
    "codes": Figure("codes within 1 LSB of the reference's", "", "higher"),
    "defect": Figure("defect, worst window", "state unit, rms"),
}


@dataclass(frozen=True)
class Setting:
    """All samples of one weights file and one value on every axis.

    Attributes:
        label: of the weights.
        values: on the axes; replicates are not among them.
        samples, completed: how many there are, and were simulated to the end and compared.
        starts: how many starts those come from, as many unless dies or converters are taken together.
        figures: by name of ``FIGURES``; what can't be known is left out.
        image_shape: of a sample.
        top: largest code.
        codes, trained: (K, V) of the first samples, as the circuit and as the trained model made them.
        numbers: (K,) of these.
        seconds, ngspice_s, reference_s: processor seconds of all samples, and what of them are whose.
        reasons: why samples were not simulated to the end, and how many.
    """

    label: str
    values: Values
    samples: int
    completed: int
    starts: int
    figures: Mapping[str, Estimate]
    image_shape: tuple[int, int]
    top: int
    codes: Index
    trained: Index
    numbers: Index
    seconds: float
    ngspice_s: float
    reference_s: float
    reasons: Mapping[str, int]

    @property
    def at(self) -> dict[str, Any]:
        """Value by axis."""
        return dict(self.values)


def settings_of(store: Store, data: Array | None, extractor: Extractor) -> Iterator[Setting]:
    """The settings of a campaign in the order of its points, with their figures.

    Args:
        store: finished samples; those of one setting are in memory at a time.
        data: (M, …) images 0 to 1, or None.
        extractor: what distances see of an image.
    """
    groups: dict[tuple[str, str], list[StoredPoint]] = {}
    for point in store.points:
        key = (point.label, repr(_values(point)))
        groups.setdefault(key, []).append(point)
    for points in groups.values():
        rows = [store.rows(point) for point in points]
        columns = {name: np.concatenate([some[name] for some in rows]) for name in rows[0]}
        if len(columns[CPU]):
            yield _setting(points[0], columns, data, extractor)


def _values(point: StoredPoint) -> Values:
    return tuple((name, value) for name, value in point.values.items() if name not in REPLICATES)


def _setting(
    point: StoredPoint, columns: Mapping[str, npt.NDArray[Any]], data: Array | None, extractor: Extractor
) -> Setting:
    there = (columns["samples/verdict"] == Verdict.COMPLETED) & np.isfinite(columns["crosscheck/pixel_rms"])
    done = {name: column[there] for name, column in columns.items()}
    starts = starts_of(done["samples/seed"], done["samples/index"])
    top = 2 ** int(point.settings["adc"]["bits"]) - 1
    reasons: dict[str, int] = {}
    for verdict, reason in zip(
        columns["samples/verdict"][~there], columns["samples/reason"][~there], strict=True
    ):
        said = f"{verdict}: {reason}"
        reasons[said] = reasons.get(said, 0) + 1
    return Setting(
        label=point.label,
        values=_values(point),
        samples=len(there),
        completed=int(there.sum()),
        starts=int(starts.max(initial=-1)) + 1,
        figures=dict(_figures(done, starts, top, data, extractor)) if there.any() else {},
        image_shape=point.image_shape,
        top=top,
        codes=columns["samples/codes"][:SHOWN],
        trained=columns["samples/codes_trained"][:SHOWN],
        numbers=columns["samples/index"][:SHOWN],
        seconds=_total(columns[CPU]),
        ngspice_s=_total(columns["timing/simulator_cpu"]),
        reference_s=_total(columns["timing/reference_wall"]),
        reasons=reasons,
    )  # fmt: skip


def _total(seconds: Array) -> float:
    return float(np.nansum(seconds))


def _figures(
    done: Mapping[str, npt.NDArray[Any]], starts: Index, top: int, data: Array | None, extractor: Extractor
) -> Iterator[tuple[str, Estimate]]:
    """Figures of the completed samples of a setting."""
    # the energy distance: pairs that lie close, as here, bias its estimate and interval not at all
    some = one_of_each(starts)[:MOST_COMPARED]
    made, trained = done["samples/codes"][some] / top, done["samples/codes_trained"][some] / top
    found, of = quality(made, trained, extractor, paired=True), "trained"
    yield TO_TRAINED, _of(found.energy)
    if data is not None:
        found, of = quality(made, data.reshape(len(data), -1), extractor), "data"
        yield TO_DATA, _of(found.energy)
    for name, share in ((f"{of}_precision", found.precision), (f"{of}_recall", found.recall)):
        if math.isfinite(share.measured):
            yield name, _of(share)
    yield "trained_pixel", resampled(done["crosscheck/trained_pixel_rms"], rms, starts)
    yield "pixel", resampled(done["crosscheck/pixel_rms"], rms, starts)
    yield "codes", share_of_codes(done["crosscheck/codes_within_1lsb"], made.shape[1], starts)
    yield "defect", resampled(done[WORST_WINDOW], lambda values: np.median(values, axis=-1), starts)


def _of(metric: Metric) -> Estimate:
    value = metric.estimate if math.isfinite(metric.estimate) else metric.measured
    return Estimate(value, metric.low, metric.high)


# -- where quality falls -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """Settings that differ on one axis alone, from its most ideal value on.

    Attributes:
        axis: name.
        label: of the weights.
        others: values on the other axes.
        settings: in the order of the axis.
    """

    axis: str
    label: str
    others: Values
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Fall:
    """Where a figure gets worse along a series, beyond what the samples' number leaves uncertain.

    Attributes:
        series: along which.
        figure: name of ``FIGURES``.
        ideal: the setting that the others are compared with.
        first: the first whose interval is clear of the ideal's, on the worse side; None if there is none.
    """

    series: Series
    figure: str
    ideal: Setting
    first: Setting | None


def axes_of(settings: Sequence[Setting]) -> dict[str, tuple[Any, ...]]:
    """The axes along which anything changes, and their values in order: of numbers, from small to large."""
    found: dict[str, list[Any]] = {}
    for setting in settings:
        for name, value in setting.values:
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return {name: ordered(values) for name, values in found.items() if len(values) > 1}


def ordered(values: Sequence[Any]) -> tuple[Any, ...]:
    """Numbers from small to large, with none before or behind them as it was; words as they are."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    others = [value for value in values if value is None]
    if len(numbers) + len(others) < len(values):
        return tuple(values)  # words, as the campaign has them
    # none stands where the campaign has it: before the numbers, or behind them
    rising = sorted(numbers)
    return tuple([*others, *rising] if values[0] is None and numbers == rising else [*rising, *others])


def series_of(settings: Sequence[Setting], axis: str, values: Sequence[Any]) -> list[Series]:
    """The series along an axis, of at least two settings each."""
    groups: dict[tuple[str, str], list[Setting]] = {}
    for setting in settings:
        others = tuple(item for item in setting.values if item[0] != axis)
        groups.setdefault((setting.label, repr(others)), []).append(setting)
    found = []
    for some in groups.values():
        ordered = sorted(some, key=lambda setting: values.index(setting.at[axis]))
        others = tuple(item for item in ordered[0].values if item[0] != axis)
        if len(ordered) > 1:
            found.append(Series(axis, ordered[0].label, others, tuple(ordered)))
    return found


def fall(series: Series, figure: str) -> Fall | None:
    """Where a figure falls, from the most ideal end of a series on; None without intervals there.

    The most ideal end is the one with the better figure; of numbers both ends are looked at, of words all values.
    """
    known = [
        setting for setting in series.settings if figure in setting.figures and setting.figures[figure].known
    ]
    if len(known) < 2:
        return None
    sign = 1 if FIGURES[figure].better == "lower" else -1
    ends = sorted((known[0], known[-1]), key=lambda setting: sign * setting.figures[figure].value)
    ideal = ends[0]
    from_ideal = known if ideal is known[0] else known[::-1]
    worse = (
        setting for setting in from_ideal[1:] if _clear(setting.figures[figure], ideal.figures[figure], sign)
    )
    return Fall(series, figure, ideal, next(worse, None))


def _clear(estimate: Estimate, ideal: Estimate, sign: int) -> bool:
    """Whether an interval lies wholly on the worse side of another."""
    return estimate.low > ideal.high if sign > 0 else estimate.high < ideal.low
