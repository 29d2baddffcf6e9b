"""How facts come about: from an attribute of the results, from a number that was computed, or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from emulator.estimate import Estimate
from emulator.receipt.field import (
    Counted,
    Entries,
    Figure,
    Greater,
    Integer,
    Interval,
    NotRecorded,
    Origin,
    Real,
    Said,
    Table,
    Text,
)
from netlists.printable import printable

MOST_WORDS = 2000


def text(value: Any, origin: Origin, note: str | None = None) -> Text:
    """Words, safe to show."""
    return Text(value=printable(str(value), MOST_WORDS), origin=origin, note=note)


def integer(value: int, origin: Origin, note: str | None = None) -> Integer:
    """A count."""
    return Integer(value=int(value), origin=origin, note=note)


def size(value: float, origin: Origin, note: str | None = None) -> Greater:
    """A number above zero."""
    return Greater(value=float(value), origin=origin, note=note)


def real(value: float, origin: Origin, note: str | None = None) -> Figure:
    """A number; one that is not finite was not recorded."""
    if not math.isfinite(value):
        return NotRecorded(not_recorded=note or "no sample has it")
    return Real(value=float(value), origin=origin, note=note)


def estimated(estimate: Estimate, fewest: int) -> Figure:
    """A figure over samples, with its interval where there are enough of them."""
    if not math.isfinite(estimate.value):
        return NotRecorded(not_recorded="no sample was simulated to the end and compared")
    if not estimate.known:
        return Real(
            value=estimate.value, origin="computed", note=f"no interval from fewer than {fewest} samples"
        )
    return Real(
        value=estimate.value, origin="computed", interval=Interval(low=estimate.low, high=estimate.high)
    )


def missing(reason: str) -> NotRecorded:
    """Nobody recorded it."""
    return NotRecorded(not_recorded=printable(reason, MOST_WORDS))


def attribute(attributes: Mapping[str, Any], name: str) -> Said:
    """What an attribute of the results says."""
    if name not in attributes or str(attributes[name]) == "":
        return missing(f"the results have no attribute {name}")
    return text(attributes[name], "run")


def counted_attribute(attributes: Mapping[str, Any], name: str) -> Counted:
    """A count that an attribute of the results says."""
    value = attributes.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return missing(f"the results have no attribute {name} that is a count")
    return integer(value, "run")


def json_attribute(attributes: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """An object that an attribute of the results holds as JSON; None if it does not."""
    try:
        found = json.loads(str(attributes[name]))
    except (KeyError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def words_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Words and numbers as words by name; what is nested has dotted names."""
    found: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, Mapping) and value:
            found |= {f"{printable(str(name))}.{key}": said for key, said in words_of(value).items()}
        else:
            found[printable(str(name))] = printable("none" if value in (None, "", {}, []) else _word(value))
    return found


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(given: Mapping[str, Any] | None, origin: Origin, reason: str) -> Table:
    """Words by name, or ``reason`` where there are none."""
    return Entries(value=words_of(given), origin=origin) if given else missing(reason)
