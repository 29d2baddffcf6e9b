"""The campaign file: TOML to points, every problem of it found before any work."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from emulator.campaign.names import (
    NAMES,
    may_be_off,
    nearest,
)
from emulator.campaign.points import Flat, Point, Source, in_words_of, points_of
from emulator.cells import BUILT_IN
from emulator.classifier import ClassifierError
from emulator.features import PIXELS, Extractor, FeaturesError, find_extractor
from emulator.image_sets import ImagesError, ImageSet, read_images
from emulator.levels import PHASE
from emulator.receipt.stated import Stated
from emulator.settings import WHILE_RUNNING
from netlists.printable import printable
from netlists.weights import WeightsError, read_weights

MOST_POINTS = 100_000
MOST_IMAGES = 1000  # of a data set; more would say little more
MOST_PROBLEMS = 20  # said of one file


class CampaignError(ValueError):
    """A campaign file that can't be used; the message names the file, and of each problem the key."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        unique = [printable(problem, longest=None) for problem in dict.fromkeys(problems)]
        left = len(unique) - MOST_PROBLEMS
        said = unique[:MOST_PROBLEMS] + ([f"… and {left} more"] if left > 0 else [])
        super().__init__("\n  ".join([f"{printable(str(path))}: not usable as a campaign", *said]))
        self.path, self.problems = path, tuple(unique)


class _WeightsEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    file: str = Field(min_length=1, description="path, relative to the campaign file")
    label: str | None = Field(None, min_length=1, description="what figures call it; None: the file's name")


def _entry(given: Any) -> Any:
    return {"file": given} if isinstance(given, str) else given


class _File(BaseModel):
    """The TOML's own keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str = ""
    weights: list[Annotated[_WeightsEntry, BeforeValidator(_entry)]] = Field(min_length=1)
    samples: int = Field(ge=1, le=10_000_000)
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1)
    settings: dict[str, Any] = {}
    grid: dict[str, Any] | list[dict[str, Any]] = []
    points: list[dict[str, Any]] = Field([], alias="list")
    data: str | None = Field(
        None, min_length=1, description="images to compare with, relative to the campaign file"
    )
    data_range: list[float] | None = Field(
        None, min_length=2, max_length=2, description="numbers of black and of white in the data"
    )
    stated: dict[str, Any] = Field({}, description="of a chip, for the receipts of points that don't say it")
    features: str = Field(PIXELS.name, description="what distances between distributions see of an image")


@dataclass(frozen=True)
class Campaign:
    """What a campaign file asks for.

    Attributes:
        path: where it was read from; ``text`` is what it said.
        axes: names of the settings that are swept, in the file's order.
        samples: of each point and seed.
        data: images to compare with, or None.
        extractor: what distances between distributions see of an image.
        stated: of a chip, for the receipts of points that don't say it.
    """

    path: Path
    text: str
    title: str
    sources: tuple[Source, ...]
    samples: int
    seeds: tuple[int, ...]
    axes: tuple[str, ...]
    points: tuple[Point, ...]
    data: ImageSet | None
    extractor: Extractor
    stated: Stated

    @property
    def simulations(self) -> int:
        """Number of work items."""
        return len(self.points) * len(self.seeds) * self.samples

    def describe(self, point: Point) -> str:
        """A point in words."""
        return in_words_of(self.sources[point.source], point.values)


def read_campaign(path: str | Path) -> Campaign:
    """Reads and checks a campaign file, its weights files, and the settings of every point.

    Raises:
        CampaignError: with every problem found: key, what was received, what was expected.
    """
    path = Path(path)
    text, file = _parsed(path)
    problems: list[str] = []
    sources = _sources(path, file.weights, problems)
    if len(set(file.seeds)) < len(file.seeds):
        problems.append(f"seeds: {file.seeds} names one twice")
    data, extractor = _data(path, file, sources, problems), _extractor(file.features, problems)
    stated = _stated(file.stated, problems)
    common = _known(path, "settings", file.settings, problems)
    chosen = list(_chosen(path, file, common, problems))
    if problems:
        raise CampaignError(path, problems)
    axes = tuple(dict.fromkeys(name for _, flat in chosen for name in flat))
    points = points_of(sources, common, chosen, axes, problems)
    if problems:
        raise CampaignError(path, problems)
    return Campaign(
        path,
        text,
        file.title or path.stem,
        sources,
        file.samples,
        tuple(file.seeds),
        axes,
        points,
        data,
        extractor,
        stated,
    )


def _parsed(path: Path) -> tuple[str, _File]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, _File.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(path, [f"can't be read ({error})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise CampaignError(path, [f"is no TOML: {error}"]) from error
    except ValidationError as error:
        raise CampaignError(path, [_said(each) for each in error.errors()]) from error


def _said(error: Mapping[str, Any]) -> str:
    """One problem with the file's own keys."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        known = tuple(field.alias or name for name, field in _File.model_fields.items())
        if len(error["loc"]) > 1:
            known = tuple(_WeightsEntry.model_fields)
        hint = nearest(str(error["loc"][-1]), known)
        in_settings = str(error["loc"][-1]) in NAMES
        where = f"; {place} is a setting: it goes into [settings] or [grid]" if in_settings else ""
        return f"{place}: unknown key{hint or where}; known: {', '.join(known)}"
    if error["type"] == "missing":
        return f"{place}: missing; expected {'a number' if place == 'samples' else 'a list of files'}"
    return f"{place}: {error['msg']}, received {error['input']!r}"


def _sources(path: Path, entries: Sequence[_WeightsEntry], problems: list[str]) -> tuple[Source, ...]:
    found: list[Source] = []
    for number, entry in enumerate(entries):
        where = path.parent / entry.file
        try:
            weights = read_weights(where)
        except WeightsError as error:
            problems.extend(f"weights[{number}] {entry.file}: {problem}" for problem in error.problems)
            continue
        label = entry.label or where.stem
        if any(label == other.label for other in found):
            problems.append(
                f"weights[{number}]: a second file is called {label!r}; give it a label of its own"
            )
        found.append(Source(label, weights))
    return tuple(found)


def _data(path: Path, file: _File, sources: Sequence[Source], problems: list[str]) -> ImageSet | None:
    if file.data is None:
        if file.data_range is not None:
            problems.append("data_range: says what black and white are in data, which is missing")
        return None
    try:
        span = None if file.data_range is None else (file.data_range[0], file.data_range[1])
        found = read_images(path.parent / file.data, span, MOST_IMAGES)
    except ImagesError as error:
        problems.append(f"data: {error}")
        return None
    pixels = found.images[0].size
    for source in sources:
        held = len(source.weights.core.visible)
        if held != pixels:
            problems.append(f"data: has {pixels} pixels an image; the weights {source.label} have {held}")
    return found


def _extractor(asked: str, problems: list[str]) -> Extractor:
    try:
        return find_extractor(asked)
    except (FeaturesError, ImagesError, ClassifierError) as error:
        problems.append(f"features: {error}")
        return PIXELS


def _stated(given: Mapping[str, Any], problems: list[str]) -> Stated:
    known = Stated.model_fields
    problems.extend(
        f"stated.{name}: unknown{nearest(name, tuple(known))}; expected {', '.join(known)}"
        for name in given
        if name not in known
    )
    try:
        return Stated.model_validate({name: value for name, value in given.items() if name in known})
    except ValidationError as error:
        problems.extend(
            f"stated.{each['loc'][0]}: {each['msg']}, received {each['input']!r}" for each in error.errors()
        )
        return Stated.model_validate({})


def _known(
    path: Path, where: str, given: Flat, problems: list[str], *, swept: bool = False
) -> dict[str, Any]:
    """The settings that there are; "none" is None where a setting may be off."""
    found = {}
    for name, value in given.items():
        if name not in NAMES:
            top = next((key for key in ("samples", "seeds") if name in (key, key.removesuffix("s"))), "")
            hint = f"; {top} stand at the top of the file" if top else nearest(name, NAMES)
            hint = "; it is an option of ais sweep" if name == "jobs" else hint
            problems.append(f"{where}.{name}: unknown setting{hint}")
        elif swept and NAMES[name][-1] in WHILE_RUNNING:
            problems.append(f"{where}.{name}: does not bear on the numbers; it goes into [settings]")
        else:
            values = value if isinstance(value, list) else [value]
            told = [_value(path, where, name, each, problems) for each in values]
            found[name] = told if isinstance(value, list) else told[0]
    return found


def _value(path: Path, where: str, name: str, value: Any, problems: list[str]) -> Any:
    if isinstance(value, str) and value.strip().lower() == "none" and may_be_off(name):
        return None
    if name == "level" and isinstance(value, str) and value not in (PHASE, *BUILT_IN):
        cell = path.parent / value
        if not cell.is_file():
            known = (PHASE, *BUILT_IN)
            problems.append(
                f"{where}.level: received {value!r}{nearest(value, known)}; expected {', '.join(known)}, or the "
                "path of a cell's TOML file"
            )
        return str(cell.resolve())
    return value


def _chosen(path: Path, file: _File, common: Flat, problems: list[str]) -> Iterator[tuple[str, Flat]]:
    """(table, settings by name) of every point but for the weights."""
    grids = file.grid if isinstance(file.grid, list) else [file.grid]
    if not grids and not file.points:
        yield "settings", {}
    for number, grid in enumerate(grids):
        where = "grid" if not isinstance(file.grid, list) else f"grid[{number}]"
        if not grid:
            problems.append(f"{where}: empty; expected settings, each with a list of values")
        axes = _known(path, where, grid, problems, swept=True)
        for name, values in axes.items():
            if not isinstance(values, list):
                problems.append(f"{where}.{name}: received {values!r}; expected a list of values")
            elif not values:
                problems.append(f"{where}.{name}: empty; expected at least one value")
        _not_twice(where, axes, common, problems)
        lists = [values if isinstance(values, list) else [values] for values in axes.values()]
        count = 1
        for values in lists:
            count *= len(values)
        if count > MOST_POINTS:
            problems.append(f"{where}: {count:,} points; at most {MOST_POINTS:,} are taken")
            continue
        yield from ((where, dict(zip(axes, values, strict=True))) for values in itertools.product(*lists))
    for number, entry in enumerate(file.points):
        where = f"list[{number}]"
        point = _known(path, where, entry, problems, swept=True)
        for name, value in point.items():
            if isinstance(value, list):
                problems.append(f"{where}.{name}: is a list; expected one value, or a [grid]")
        _not_twice(where, point, common, problems)
        yield where, point


def _not_twice(where: str, names: Flat, common: Flat, problems: list[str]) -> None:
    twice = (name for name in names if name in common)
    problems.extend(f"{where}.{name}: is in [settings] too; give it in one place" for name in twice)
