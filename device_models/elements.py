"""Elements of a netlist as typed data, below any simulator's syntax: what the dialects write.

Values are SI numbers or SymPy expressions of the enclosing block's parameters. Names are given without a
dialect's prefix letter; writers add it (``R``, ``M``, ``X``, …) where their language wants one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias

import sympy as sp

Value: TypeAlias = float | sp.Expr
TIME = sp.Symbol("time", real=True)  # seconds, in expressions of behavioural elements
GROUND = "0"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]*\Z|0\Z")


@lru_cache(maxsize=1 << 18)
def checked_name(name: str) -> str:
    """``name``, if it can stand in a netlist as it is; ValueError otherwise."""
    if not _NAME.match(name):
        raise ValueError(
            f"not a netlist name: {name!r} (letters, digits, '_' and '.', starting with a letter)"
        )
    return name


@dataclass(frozen=True, slots=True)
class Resistor:
    """Ohm's law; ``value`` in ohm."""

    name: str
    nodes: tuple[str, str]
    value: Value


@dataclass(frozen=True, slots=True)
class Capacitor:
    """``value`` in farad; ``initial`` in volts, where a run starts from initial conditions."""

    name: str
    nodes: tuple[str, str]
    value: Value
    initial: Value | None = None


@dataclass(frozen=True, slots=True)
class Inductor:
    """``value`` in henry; ``initial`` in ampere, from the first node to the second through the element."""

    name: str
    nodes: tuple[str, str]
    value: Value
    initial: Value | None = None


@dataclass(frozen=True, slots=True)
class Transconductance:
    """A current ``value`` × v(controls), in siemens, from the first node through the element to the second."""

    name: str
    nodes: tuple[str, str]
    controls: tuple[str, str]
    value: Value


@dataclass(frozen=True, slots=True)
class Behavioural:
    """A current in ampere, an expression of voltages, currents and ``TIME``, from the first node through to the second.

    ``controls`` says between which nodes each voltage symbol stands, ``where`` which symbols are short for an
    expression of parameters and ``TIME`` (a scheduled weight, say), ``sensed`` which symbols are the current through a
    voltage source of the same block, by its name, from its first node to its second; other symbols are parameters.
    """

    name: str
    nodes: tuple[str, str]
    current: sp.Expr
    controls: Mapping[sp.Symbol, tuple[str, str]]
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    sensed: Mapping[sp.Symbol, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dc:
    """A constant."""

    value: Value


@dataclass(frozen=True, slots=True)
class Sine:
    """offset + amplitude · sin(2π frequency t + phase); hertz and rad, from t = 0 on."""

    offset: Value
    amplitude: Value
    frequency: Value
    phase: Value = 0.0


@dataclass(frozen=True, slots=True)
class PiecewiseLinear:
    """Straight lines through (seconds, value) points, constant before and after; each is a breakpoint."""

    points: tuple[tuple[Value, Value], ...]


Waveform: TypeAlias = Dc | Sine | PiecewiseLinear


@dataclass(frozen=True, slots=True)
class Source:
    """An independent source, volts or amperes; a current flows from the first node through to the second."""

    name: str
    kind: Literal["voltage", "current"]
    nodes: tuple[str, str]
    waveform: Waveform


def ammeter(name: str, nodes: tuple[str, str]) -> Source:
    """A source of 0 V, whose current other elements can sense: the one way that every simulator has."""
    return Source(name, "voltage", nodes, Dc(0.0))


@dataclass(frozen=True, slots=True)
class Mosfet:
    """Drain, gate, source, bulk; width and length in metres."""

    name: str
    nodes: tuple[str, str, str, str]
    model: str
    width: Value
    length: Value


@dataclass(frozen=True, slots=True)
class Call:
    """A block put to use; ``parameters`` replace its defaults."""

    name: str
    nodes: tuple[str, ...]
    block: str
    parameters: Mapping[str, Value] = field(default_factory=dict)


Element: TypeAlias = (
    Resistor | Capacitor | Inductor | Transconductance | Behavioural | Source | Mosfet | Call
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MosModel:
    """A level-1 (Shichman-Hodges) model card, parameters in SPICE's names and units."""

    name: str
    polarity: Literal["nmos", "pmos"]
    parameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Block:
    """A subcircuit of typed elements.

    ``parameters`` are its own, with defaults; ``notes`` are comment lines for whoever reads the netlist.
    """

    name: str
    ports: tuple[str, ...]
    elements: tuple[Element, ...]
    title: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A subcircuit as its author wrote it, in SPICE: ``text`` from ``.subckt`` to ``.ends``.

    ``parameters`` are those its ``.subckt`` line declares, with their defaults as written.
    """

    name: str
    ports: tuple[str, ...]
    text: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def scheduled(name: str, switches: Sequence[float]) -> sp.Expr:
    """``name_1`` until the first switch (seconds), then ``name_2``, and so on; ``name_1`` alone without one."""
    values = [sp.Symbol(f"{name}_{chunk}", real=True) for chunk in range(1, len(switches) + 2)]
    cases = [
        (value, sp.StrictLessThan(TIME, switch)) for value, switch in zip(values, switches, strict=False)
    ]
    return sp.Piecewise(*cases, (values[-1], True)) if cases else values[0]
