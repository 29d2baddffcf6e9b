"""Frequencies as people write them."""

from __future__ import annotations

import re

_FREQUENCY = re.compile(r"([0-9.]+(?:e[-+]?\d+)?)\s*([kMGT]?)(?:Hz)?", re.IGNORECASE)
_PREFIX = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def hertz(text: str) -> float:
    """A frequency such as ``100MHz``, ``100 MHz``, ``0.1G`` or ``1e8``.

    Raises:
        ValueError: none.
    """
    found = _FREQUENCY.fullmatch(text.strip())
    try:
        if found:
            return float(found[1]) * _PREFIX[found[2].lower()]
    except ValueError:
        pass
    msg = "expected a frequency, such as 100MHz or 1e8"
    raise ValueError(msg)
