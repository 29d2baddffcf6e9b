"""Reads SPICE subcircuits as far as we need to: lines, element names and nodes, subcircuit headers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

# how many words after the name are nodes
_NODES = {
    "R": 2, "C": 2, "L": 2, "V": 2, "I": 2, "D": 2, "B": 2, "F": 2, "H": 2, "W": 2,
    "E": 4, "G": 4, "S": 4, "T": 4, "M": 4, "J": 3, "Z": 3, "Q": 3, "K": 0,
}  # fmt: skip
_SUFFIX = {"t": 12, "g": 9, "meg": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18}
# a unit may follow, which means nothing: 2.4pF
_NUMBER = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)(meg|[tgkmunpfa]|)(?:F|H|V|A|S|Hz|ohm|s|m)?\Z",
    re.IGNORECASE,
)
_NESTED = re.compile(r"\{[^{}]*\}|\([^()]*\)|'[^']*'|\"[^\"]*\"")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*")
_COMMENT = re.compile(r";.*|(?:^|\s)(?:\$\s|//).*")


@dataclass(frozen=True)
class SpiceElement:
    """An element's line: its name with the letter, its nodes, and for an X line the subcircuit it calls."""

    name: str
    nodes: tuple[str, ...]
    block: str | None
    text: str


@dataclass(frozen=True)
class SpiceHeader:
    """A ``.subckt`` line."""

    name: str
    ports: tuple[str, ...]
    parameters: dict[str, str]


@dataclass(frozen=True)
class Assignment:
    """What a ``.param`` line sets: a name, and where in the line its value stands."""

    name: str
    start: int
    stop: int


def assignments(line: str) -> tuple[Assignment, ...]:
    """The parameters that a ``.param`` line sets, in order; nothing of other lines, or of functions."""
    head = line.split(maxsplit=1)[:1]
    if not head or head[0].lower() != ".param":
        return ()
    bare = line
    while found := _NESTED.search(bare):  # what is inside an expression sets nothing
        bare = bare[: found.start()] + "#" * len(found.group()) + bare[found.end() :]
    names = list(_ASSIGNED.finditer(bare))
    ends = [*(match.start() for match in names[1:]), len(line)][: len(names)]
    return tuple(
        Assignment(match.group(1), match.end(), match.end() + len(line[match.end() : end].rstrip(" \t,")))
        for match, end in zip(names, ends, strict=True)
    )


def spice_number(text: str) -> float | None:
    """A number as SPICE writes it, such as ``2.4p`` or ``1meg``; None of what is none, or an expression."""
    match = _NUMBER.match(text.strip())
    if match is None:
        return None
    value = float(Decimal(match.group(1)).scaleb(_SUFFIX[match.group(2).lower()]))
    return value if math.isfinite(value) else None


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that is no comment, continuations joined to it."""
    number, joined = 0, ""
    for count, written in enumerate(text.split("\n"), start=1):
        line = _COMMENT.sub("", written).strip()
        if not line or line[0] == "*":
            continue
        if line[0] == "+":
            joined += f" {line[1:].strip()}"
            continue
        if joined:
            yield number, joined
        number, joined = count, line
    if joined:
        yield number, joined


def header(line: str) -> SpiceHeader:
    """Name, ports and parameters of a ``.subckt`` line."""
    words = _words(line)[1:]
    plain = [word for word in words if "=" not in word and word.lower() != "params:"]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    return SpiceHeader(plain[0].lower() if plain else "", tuple(p.lower() for p in plain[1:]), given)


def element(line: str) -> SpiceElement:
    """Name and nodes of an element's line, in lower case as ngspice has them.

    Raises:
        ValueError: an element of a kind that is not known here.
    """
    words = _words(line)
    letter = words[0][0].upper()
    name = words[0].lower()
    if letter == "X":
        plain = [word.lower() for word in words[1:] if "=" not in word and word.lower() != "params:"]
        return SpiceElement(name, tuple(plain[:-1]), plain[-1] if plain else None, line)
    if letter not in _NODES:
        raise ValueError(f"an element of kind {letter!r}, which is not known here: {line}")
    count = _NODES[letter]
    if letter in "EG" and any(word.split("=")[0].split("{")[0].lower() in _EXPRESSION for word in words[3:4]):
        count = 2
    return SpiceElement(name, tuple(word.lower() for word in words[1 : 1 + count]), None, line)


_EXPRESSION = {"vol", "value", "cur", "table", "laplace", "poly"}


def _words(line: str) -> list[str]:
    return re.sub(r"\s*=\s*", "=", line.replace(",", " ").replace("(", " ( ").replace(")", " ) ")).split()
