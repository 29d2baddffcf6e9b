"""Two sides compared: sample by sample where both have the same starts, and in distribution, with a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emulator.crosscheck import difference
from emulator.distance import NEIGHBOURS
from emulator.features import PIXELS, Extractor
from emulator.permutation import ALPHA, PERMUTATIONS, PermutationTest, permutation_test
from emulator.quality import FEWEST, RESAMPLES, Quality, quality_of
from emulator.sides import DATA, CompareError, Side
from emulator.two_sets import TwoSets
from netlists.core import Array, Index

PERCENT_95 = "95\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class Pairs:
    """P samples of both sides that started alike; what the sides don't share is NaN.

    Attributes:
        index: (P,) sample numbers.
        equal: (P,) share of the codes that are equal.
        within_1lsb: (P,) share of the codes within 1 LSB.
        pixel_rms: (P,) rms difference of the pixels before the converter, in full scales.
        state_rms: (P,) rms difference of the states at the end over nodes, on the circle where they are phases.
    """

    index: Index
    equal: Array
    within_1lsb: Array
    pixel_rms: Array
    state_rms: Array


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        first, second: the sides as compared: of sides with the same starts, the samples that both have.
        features: of both sides, (n, F) and (m, F).
        pixels: what stands for an image: ``codes``, or ``pixels`` before the converter where codes can't be compared.
        extractor: what the metrics see of an image.
        pairs: sample by sample, or None if the starts differ.
        quality: the first against the second, in distribution.
        test: whether their distributions differ; None if there are too few samples to tell.
        lsb: one step of the coarser converter, in full scales; None where the features are no pixels of two runs.
        seed: of resamples and rearrangements.
        remarks: what the reader has to know.
    """

    first: Side
    second: Side
    features: tuple[Array, Array]
    pixels: str
    extractor: Extractor
    pairs: Pairs | None
    quality: Quality
    test: PermutationTest | None
    lsb: float | None
    seed: int
    remarks: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """``different``, ``within`` (1 LSB, whatever the test says), ``alike`` (not told apart) or ``open``."""
        if self.test is None:
            return "open"
        if self.lsb is not None and self.quality.sliced_wasserstein.high < self.lsb:
            return "within"
        return "different" if self.test.p < ALPHA else "alike"

    @property
    def verdict(self) -> str:
        """The outcome in a sentence or two, with its uncertainty."""
        metric, test = self.quality.sliced_wasserstein, self.test
        counts = _counts(self.quality)
        if test is None:
            return f"There are too few samples to compare distributions: {counts}; expected at least {FEWEST} of each."
        unit = " of full scale" if self.extractor is PIXELS else ""
        chance = f"p = {test.p:.2g}"
        if self.outcome == "within" and metric.measured == 0:
            return f"The samples are the same: of {counts}, all {self.pixels} are equal."
        if self.outcome == "within":
            seen = (
                "They can’t be told apart" if test.p >= ALPHA else "A difference smaller than that is there"
            )
            return (
                f"The distributions agree to within 1 LSB: with {counts}, their sliced Wasserstein distance is at most "
                f"{metric.high:.2g}{unit}, and 1 LSB is {self.lsb:.2g}. {seen} ({chance})."
            )
        if self.outcome == "different":
            return (
                f"The distributions differ ({chance}, with {counts}; seen best by: {test.clearest}). Their sliced "
                f"Wasserstein distance is {metric.estimate:.2g}{unit} ({PERCENT_95}: {metric.low:.2g} to "
                f"{metric.high:.2g}).{self._against_data}"
            )
        return (
            f"The distributions can’t be told apart with {counts}: {chance}; a shift of less than {test.unseen:.2g}"
            f"{unit} in sliced Wasserstein distance would not be seen."
        )

    @property
    def _against_data(self) -> str:
        """Samples of a model are never quite the data: how good they are is the question then."""
        if self.second.origin != DATA or self.test is None or math.isnan(self.test.precision):
            return ""
        found, expected = self.quality, self.test
        return (
            f" Precision is {share(found.precision.measured)} and recall {share(found.recall.measured)}; samples of "
            f"the data’s distribution would have {share(expected.precision)} and {share(expected.recall)}."
        )


def share(value: float) -> str:
    """In whole percent, as a few dozen samples allow; a dash for what is not known."""
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%" if math.isfinite(value) else "–"


def _counts(quality: Quality) -> str:
    if quality.paired:
        return f"{quality.samples} pair{'s' * (quality.samples != 1)} of samples"
    if quality.samples == quality.reference:
        return f"{quality.samples} samples of each"
    return f"{quality.samples} and {quality.reference} samples"


def compare(
    first: Side, second: Side, extractor: Extractor = PIXELS, *, resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS, seed: int = 0, k: int = NEIGHBOURS,
) -> Comparison:  # fmt: skip
    """Compares two sides; the first is measured against the second.

    Args:
        first, second: what to compare.
        extractor: what the metrics see of an image.
        resamples, permutations: of the intervals and of the test.
        seed: of both; the same seed gives the same figures.
        k: neighbour of precision and recall.

    Raises:
        CompareError: images of different sizes.
        FeaturesError, ClassifierError: the extractor does not fit these images.
    """
    _check(first, second)
    remarks = [*first.remarks, *second.remarks]
    remarks += [
        f"{side.left_out} samples of {side.name} have no codes and are left out."
        for side in (first, second)
        if side.left_out
    ]
    same = _same_starts(first, second)
    if same is not None:
        others = max(first.samples, second.samples) - len(same[0])
        if others:
            remarks.append(
                f"{len(same[0])} sample{'s' * (len(same[0]) != 1)} started alike on both sides; "
                f"{others} other{'s are' if others != 1 else ' is'} left out."
            )
        first, second = first.rows(same[0]), second.rows(same[1])
    kind, why = _pixels(first, second)
    if why:
        remarks.append(why)
    shape = first.image_shape or second.image_shape
    left, right = (extractor(_images(side, kind, shape)) for side in (first, second))
    sets = TwoSets(left, right, paired=same is not None)
    runs = first.converter is not None and second.converter is not None
    return Comparison(
        first=first,
        second=second,
        features=(sets.left, sets.right),
        pixels=kind,
        extractor=extractor,
        pairs=None if same is None else _pairs(first, second, comparable=kind == "codes"),
        quality=quality_of(sets, extractor.name, resamples=resamples, seed=seed, k=k),
        test=permutation_test(sets, permutations, seed, k),
        lsb=max(_lsb(first), _lsb(second)) if runs and extractor is PIXELS else None,
        seed=seed,
        remarks=tuple(remarks),
    )  # fmt: skip


def _check(first: Side, second: Side) -> None:
    sizes = [side.pixels.shape[1] for side in (first, second)]
    shapes = [side.image_shape for side in (first, second)]
    said = [
        f"{side.name} has {size} pixels" + (f" ({shape[0]} × {shape[1]})" if shape else "")
        for side, size, shape in zip((first, second), sizes, shapes, strict=True)
    ]
    if sizes[0] != sizes[1] or (None not in shapes and shapes[0] != shapes[1]):
        raise CompareError(f"{' and '.join(said)}: only images of one shape can be compared")


def _same_starts(first: Side, second: Side) -> tuple[Index, Index] | None:
    """Rows of both that have the same number and started alike, if they are enough to be what is compared."""
    if first.index is None or second.index is None or first.initial is None or second.initial is None:
        return None
    if first.initial.shape[1] != second.initial.shape[1]:
        return None
    _, left, right = np.intersect1d(first.index, second.index, return_indices=True)
    alike = np.all(first.initial[left] == second.initial[right], axis=1)
    if np.count_nonzero(alike) < min(FEWEST, first.samples, second.samples):
        return None
    return left[alike], right[alike]


def _pixels(first: Side, second: Side) -> tuple[str, str]:
    """Whether codes stand for the images, or the pixels before the converter; and why, if not the codes."""
    if DATA in (first.origin, second.origin):
        return "codes", ""
    before = "the pixels before the converter are compared, relative to full scale, not the codes."
    if None not in (first.readout, second.readout) and first.readout != second.readout:
        return "pixels", f"The readouts differ ({first.readout}, {second.readout}): {before}"
    if first.converter != second.converter:
        one, two = (side.converter.model_dump() if side.converter else {} for side in (first, second))
        said = ", ".join(f"{name} {one[name]} and {two[name]}" for name in one if one[name] != two[name])
        return "pixels", f"The converters differ ({said}): {before}"
    return "codes", ""


def _images(side: Side, kind: str, shape: tuple[int, int] | None) -> Array:
    """(S, rows, columns) where either side knows them, for extractors that look at images; else (S, V)."""
    pixels = side.analog if kind == "pixels" and side.analog is not None else side.pixels
    return pixels if shape is None else pixels.reshape(len(pixels), *shape)


def _lsb(side: Side) -> float:
    return 1.0 / (2**side.converter.bits - 1) if side.converter is not None else 0.0


def _pairs(first: Side, second: Side, *, comparable: bool) -> Pairs:
    assert first.index is not None
    nothing = np.full(first.samples, np.nan)
    equal, within, pixel_rms, state_rms = nothing, nothing, nothing, nothing
    if comparable and first.codes is not None and second.codes is not None:
        apart = np.abs(first.codes - second.codes)
        equal, within = np.mean(apart == 0, axis=1), np.mean(apart <= 1, axis=1)
    if first.analog is not None and second.analog is not None:
        pixel_rms = _rms(first.analog - second.analog)
    if first.state is not None and second.state is not None and first.period == second.period:
        state_rms = _rms(difference(first.state, second.state, first.period))
    return Pairs(first.index, equal, within, pixel_rms, state_rms)


def _rms(values: Array) -> Array:
    return np.asarray(np.sqrt(np.mean(values**2, axis=1)))
