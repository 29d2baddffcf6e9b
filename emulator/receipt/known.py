"""Something that many facts are read from (the core, the settings), or why it is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from emulator.receipt.field import Fact, NotRecorded, Origin

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """What is known, and who said it; ``what`` is the reason where nobody did."""

    what: T | NotRecorded
    origin: Origin = "run"

    def fact(self, make: Callable[[T, Origin], Fact]) -> Fact:
        """A fact made of it, or the reason why there is none."""
        return self.what if isinstance(self.what, NotRecorded) else make(self.what, self.origin)

    @property
    def value(self) -> T | None:
        """None where nobody said it."""
        return None if isinstance(self.what, NotRecorded) else self.what
