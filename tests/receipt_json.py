"""A receipt's JSON, walked through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def facts(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All facts of a receipt's JSON."""
    for key, each in value.items():
        place = f"{name}.{key}".lstrip(".")
        if isinstance(each, dict) and ("origin" in each or "not_recorded" in each):
            yield place, each
        elif isinstance(each, dict) and "figure" not in each:
            yield from facts(each, place)


def empty(value: Any, name: str = "") -> Iterator[str]:
    """Places of a JSON value that hold nothing."""
    if value in (None, "", [], {}):
        yield name
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from empty(each, f"{name}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from empty(each, f"{name}[{number}]")
