"""Every setting by one flat name, found in the settings themselves: a setting added later can be swept at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emulator.settings import RunSettings
from netlists.non_idealities import unit_of

# What a campaign says otherwise (samples, seeds), or its command does (jobs), or what only a single run keeps
_NOT_SET = frozenset({"samples", "seed", "jobs", "keep_trajectories"})
# As the options of the command line have it: both weights and converter have bits
_PREFIXES = {"adc": "adc_"}

Place = tuple[str, ...]  # of a setting: names of fields, from the outermost


def _leaves(model: type[BaseModel], above: Place = ()) -> Iterator[Place]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, (*above, name))
        elif above or name not in _NOT_SET:
            yield (*above, name)


def _named() -> dict[str, Place]:
    found: dict[str, Place] = {}
    for path in _leaves(RunSettings):
        name = "".join(_PREFIXES.get(part, "") for part in path[:-1]) + path[-1]
        if name in found:
            raise TypeError(
                f"two settings are called {name}: {'.'.join(found[name])} and {'.'.join(path)}; give one a prefix"
            )
        found[name] = path
    return found


NAMES: Mapping[str, Place] = _named()


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by flat name as ``RunSettings`` takes them.

    Raises:
        KeyError: no such name.
    """
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *groups, leaf = NAMES[name]
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[leaf] = value
    return tree


def value_of(settings: RunSettings, name: str) -> Any:
    """The value in force of a setting by flat name."""
    value: Any = settings
    for part in NAMES[name]:
        value = getattr(value, part)
    return value


def meaning_of(name: str) -> str:
    """What a setting is, in its own words."""
    return _field(name).description or ""


def may_be_off(name: str) -> bool:
    """Whether a setting takes None, which a campaign file calls "none"."""
    return type(None) in get_args(_field(name).annotation)


def unit(name: str) -> str:
    """Of a setting's values as ``in_words`` says them; empty if none is known."""
    return unit_of(_field(name))


def in_words(name: str, value: Any) -> str:
    """A setting's value in words, a share in per cent."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{100 * value:g}%" if unit(name).startswith("%") else f"{value:g}"
    # of a cell's file, wherever it lies, its name
    return Path(value).name if name == "level" else str(value)


def _field(name: str) -> FieldInfo:
    model: Any = RunSettings
    *groups, leaf = NAMES[name]
    for group in groups:
        model = model.model_fields[group].annotation
    found: FieldInfo = model.model_fields[leaf]
    return found


def name_at(place: tuple[int | str, ...]) -> str:
    """The flat name of what a validation complains of."""
    path = tuple(str(part) for part in place)
    return next((name for name, known in NAMES.items() if known == path), ".".join(path))


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """ "; did you mean …?" with the most similar of the known names; empty if none is."""
    close = difflib.get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
