"""The points of a campaign: settings of one run each, checked as far as that goes without simulating."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from emulator.acquire import check_converter
from emulator.campaign.names import NAMES, in_words, meaning_of, name_at, nested, value_of
from emulator.cells import BUILT_IN
from emulator.characterize import identity
from emulator.chip import build
from emulator.levels import PHASE, level_cell
from emulator.settings import WHILE_RUNNING, RunSettings, settings_for
from netlists.core import AnalogCore
from netlists.non_idealities import SAYS_HOW
from netlists.weights import Weights

NEXT_LINE = "\n  "  # as errors with several problems have it
Flat = Mapping[str, Any]  # settings by their flat names


@dataclass(frozen=True)
class Source:
    """A weights file of a campaign and what figures call it."""

    label: str
    weights: Weights


@dataclass(frozen=True)
class Point:
    """One setting of one weights file, to be simulated with every seed and sample.

    Attributes:
        number: from 0 in the order of the file.
        source: index of the weights.
        settings: all of them; ``seed`` is set item by item.
        values: what is in force on each axis.
        cell: what identifies the cell that the level's file describes; empty for a level without a file.
    """

    number: int
    source: int
    settings: RunSettings
    values: Flat
    cell: str = ""


def in_words_of(source: Source, values: Flat) -> str:
    """A point of these weights in words."""
    return ", ".join([source.label, *(f"{name}={in_words(name, value)}" for name, value in values.items())])


def points_of(
    sources: Sequence[Source], common: Flat, chosen: Sequence[tuple[str, Flat]],
    axes: tuple[str, ...], problems: list[str],
) -> tuple[Point, ...]:  # fmt: skip
    """Every choice of settings with every weights file.

    Args:
        sources: weights.
        common: settings of all points.
        chosen: what each point adds to them, and the table of the file that says so.
        axes: names of all settings that are swept.
        problems: takes what is wrong with them.
    """
    problems.extend(_without_effect(common, chosen))
    found: list[Point] = []
    seen: dict[str, str] = {}
    tried: dict[object, str] = {}
    for source, (where, flat) in itertools.product(range(len(sources)), chosen):
        core, given = sources[source].weights.core, {**common, **flat}
        said = in_words_of(sources[source], flat)
        try:
            settings = settings_for(core.readout, nested(given), strict=True)
            cell = _checked(core, settings, tried)
        except ValidationError as error:
            table = dict.fromkeys(common, "settings") | dict.fromkeys(flat, where)
            problems.extend(_refused(each, given, table) for each in error.errors())
            continue
        except ValueError as error:
            problems.append(f"{where}: {said}: {'; '.join(str(error).split(NEXT_LINE))}")
            continue
        point = Point(len(found), source, settings, {name: value_of(settings, name) for name in axes}, cell)
        key = sources[source].weights.sha256 + json.dumps(bearing(settings, cell), sort_keys=True)
        if key in seen:
            problems.append(f"{where}: the point {said} is the same as {seen[key]}")
        seen.setdefault(key, f"that of {where}, {said}")
        found.append(point)
    return tuple(found)


def _without_effect(common: Flat, chosen: Sequence[tuple[str, Flat]]) -> Iterator[str]:
    """Settings that say how another acts, which is off at every point."""
    given = {**dict.fromkeys(common, "settings"), **{name: where for where, flat in chosen for name in flat}}
    for name, other in SAYS_HOW.items():
        if given.get(name) and not any({**common, **flat}.get(other) for _, flat in chosen):
            yield f"{given[name]}.{name}: says how {other} acts, which is off at every point; give {other} too"


def _checked(core: AnalogCore, settings: RunSettings, tried: dict[object, str]) -> str:
    """What identifies the cell of a level with a file, once nothing is wrong that can be known without a simulator.

    Whether a chip can be had depends on what is asked of it, hardly ever on how much: each kind is tried once.

    Raises:
        ValueError: something is.
    """
    check_converter(core, settings.scaling, settings.adc)
    asked, told = settings.non_idealities, settings.oscillator
    kind = (
        id(core), settings.level, told, frozenset(asked.in_force), asked.bits, asked.quantizer, asked.corner,
        asked.temperature,
    )  # fmt: skip
    if kind not in tried:
        build(core, settings)
        own = settings.level not in (PHASE, *BUILT_IN)
        tried[kind] = cell_identity(settings) if own else ""
    return tried[kind]


def cell_identity(settings: RunSettings) -> str:
    """Of the cell that the level's file describes, at the corner and temperature of the settings.

    Raises:
        CellFileError: it can't be used.
    """
    return identity(level_cell(settings))


def _refused(error: Mapping[str, Any], given: Flat, table: Mapping[str, str]) -> str:
    """One problem with the value of a setting; a contradiction is one of all that were given of its group."""
    name, message = name_at(error["loc"]), error["msg"].removeprefix("Value error, ")
    if name in NAMES:
        return f"{table.get(name, 'settings')}.{name}: {message}, received {error['input']!r} ({meaning_of(name)})"
    group = tuple(map(str, error["loc"]))
    party = [each for each in given if NAMES[each][: len(group)] == group]
    values = ", ".join(f"{table[each]}.{each} = {in_words(each, given[each])}" for each in party)
    return f"{values}: {message}"


def bearing(settings: RunSettings, cell: str = "") -> dict[str, Any]:
    """Settings that bear on the numbers, as JSON takes them; a cell's file counts by what is in it."""
    told = settings.model_dump(mode="json", exclude=set(WHILE_RUNNING))
    return told | ({"level": cell} if cell else {})
