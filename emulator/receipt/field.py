"""A fact on a receipt: a value and where it came from, or why nobody recorded it. Never empty, never guessed."""

from __future__ import annotations

import math
from typing import Annotated, Any, Generic, Literal, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Origin = Literal["run", "weights file", "computed", "stated by the user"]
Words = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Value = TypeVar("Value")


class Frozen(BaseModel):
    """Nothing on a receipt is changed, and nothing is on it that has no place."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(Frozen):
    """Between which a figure lies, 95 %."""

    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.high:
            msg = f"the interval {self.low:g} to {self.high:g} runs backwards"
            raise ValueError(msg)
        return self


class Recorded(Frozen, Generic[Value]):
    """A value that somebody recorded.

    Attributes:
        value: of the field, in the unit that the field's description says.
        origin: who said it.
        interval: of a figure that was estimated from samples; left out of all others.
        note: what has to be known to read it; left out where there is nothing.
    """

    value: Value
    origin: Origin
    interval: Interval | None = None
    note: Words | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        value: Any = self.value
        if isinstance(value, str | tuple | dict) and not value:
            msg = "an empty value; expected one, or the reason why there is none"
            raise ValueError(msg)
        if isinstance(value, float) and not math.isfinite(value):
            msg = f"{value} is no number; expected one, or the reason why there is none"
            raise ValueError(msg)
        return self


class NotRecorded(Frozen):
    """Nobody recorded it; ``not_recorded`` is the reason."""

    not_recorded: Words


class Text(Recorded[Words]):
    """Words that somebody recorded."""


class Integer(Recorded[Count]):
    """A count that somebody recorded."""


class Real(Recorded[Number]):
    """A number that somebody recorded."""


class Greater(Recorded[Positive]):
    """A number above zero that somebody recorded."""


class Entries(Recorded[dict[str, Words]]):
    """Words by name that somebody recorded."""


class Counts(Recorded[dict[str, Count]]):
    """Counts by name that somebody recorded."""


class Lines(Recorded[tuple[Words, ...]]):
    """Sentences that somebody recorded."""


Said: TypeAlias = Text | NotRecorded
Counted: TypeAlias = Integer | NotRecorded
Figure: TypeAlias = Real | NotRecorded
Size: TypeAlias = Greater | NotRecorded
Table: TypeAlias = Entries | NotRecorded
Tally: TypeAlias = Counts | NotRecorded
Sentences: TypeAlias = Lines | NotRecorded
Fact: TypeAlias = Recorded[Any] | NotRecorded


def value_of(fact: Fact) -> Any:
    """The value, or None."""
    return fact.value if isinstance(fact, Recorded) else None
