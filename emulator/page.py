"""Pages that need nothing else: what their templates have in common.

A template escapes everything it is given, and nothing is marked as safe: what a file says in words is shown as
text. Pictures go in as data, so that a page asks no server for anything.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import jinja2

from emulator.conclusion import about, figure, percent


@dataclass(frozen=True)
class Tile:
    """One image of a sample as a page shows it: data, and what it shows in words."""

    source: str
    alt: str


def page_environment(**filters: Callable[..., str]) -> jinja2.Environment:
    """Where templates come from, with the filters all use and those of one page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emulator"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"figure": figure, "percent": percent, "about": about, **filters}
    return environment


def as_data(kind: str, data: bytes) -> str:
    """A picture as the source of an ``img``; ``kind`` is png or svg+xml."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
