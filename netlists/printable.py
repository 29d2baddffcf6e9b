"""Text from outside, made safe to show."""

from __future__ import annotations

LONGEST = 300


def printable(text: str, longest: int | None = LONGEST) -> str:
    """``text`` on one line: what could steer a terminal or fake a line becomes an escape such as ``\\x1b``.

    Everything longer than ``longest`` characters is cut, and says so.
    """
    if longest is not None and len(text) > longest:
        text = text[:longest] + f"… ({len(text)} characters)"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
