"""Writes typed elements, model cards and blocks (``device_models.elements``) as ngspice text: a function an element."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import sympy as sp

from device_models.elements import (
    GROUND,
    TIME,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    Inductor,
    Mosfet,
    MosModel,
    PiecewiseLinear,
    RawBlock,
    Resistor,
    Sine,
    Source,
    Transconductance,
    Value,
)
from device_models.printers.ngspice import number, print_expression
from netlists.circuit import checked_name

_WIDTH = 110


def write_value(value: Value) -> str:
    """A number as it is; an expression of the block's parameters in braces, which keep 16 digits."""
    if not isinstance(value, sp.Expr):
        return number(value)
    names = {symbol: checked_name(str(symbol)) for symbol in value.free_symbols}
    return f"{{{print_expression(value, names)}}}"


def write_element(element: Element) -> str:
    """One element, continued on further lines where it is long."""
    match element:
        case Resistor():
            words = [*_head("R", element.name, element.nodes), write_value(element.value)]
        case Capacitor():
            words = _storage("C", element)
        case Inductor():
            words = _storage("L", element)
        case Transconductance():
            words = [
                *_head("G", element.name, (*element.nodes, *element.controls)), write_value(element.value)
            ]  # fmt: skip
        case Behavioural():
            words = _behavioural(element)
        case Source():
            words = _source(element)
        case Mosfet():
            size = [f"W={write_value(element.width)}", f"L={write_value(element.length)}"]
            words = [*_head("M", element.name, element.nodes), checked_name(element.model), *size]
        case Call():
            given = [
                f"{checked_name(name)}={write_value(value)}" for name, value in element.parameters.items()
            ]
            words = [*_head("X", element.name, element.nodes), checked_name(element.block), *given]
    return "\n".join(continued(words))


def write_block(block: Block | RawBlock) -> str:
    """A subcircuit with its comments; one in SPICE already stays as its author wrote it."""
    if isinstance(block, RawBlock):
        return block.text.rstrip("\n")
    name = checked_name(block.name)
    defaults = [f"{checked_name(key)}={write_value(value)}" for key, value in block.parameters.items()]
    return "\n".join([
        *(f"* {' '.join(line.split())}" for line in (block.title, *block.notes)),
        *continued([".subckt", name, *map(checked_name, block.ports), *defaults]),
        *map(write_element, block.elements),
        f".ends {name}",
    ])  # fmt: skip


def write_model(model: MosModel) -> str:
    """A level-1 model card."""
    values = [f"{checked_name(key)}={number(value)}" for key, value in model.parameters.items()]
    words = [".model", checked_name(model.name), model.polarity, "level=1", *values]
    return "\n".join(continued(words))


def continued(words: Sequence[str]) -> list[str]:
    """Words as a line, with ``+`` in front of what does not fit on it."""
    lines = textwrap.wrap(" ".join(words), _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [lines[0], *(f"+ {line}" for line in lines[1:])]


def _head(letter: str, name: str, nodes: Sequence[str]) -> list[str]:
    return [checked_name(f"{letter}{name}"), *map(checked_name, nodes)]


def _storage(letter: str, element: Capacitor | Inductor) -> list[str]:
    words = [*_head(letter, element.name, element.nodes), write_value(element.value)]
    return words if element.initial is None else [*words, f"ic={write_value(element.initial)}"]


def _behavioural(element: Behavioural) -> list[str]:
    names = {symbol: _voltage(*nodes) for symbol, nodes in element.controls.items()}
    # in parentheses, as a negative value substituted behind a minus sign would read as "--0.3"
    for symbol in element.current.free_symbols - names.keys():
        names[symbol] = "time" if symbol == TIME else f"({{{checked_name(str(symbol))}}})"
    return [*_head("B", element.name, element.nodes), "I =", print_expression(element.current, names)]


def _voltage(high: str, low: str) -> str:
    inside = checked_name(high) if low == GROUND else f"{checked_name(high)},{checked_name(low)}"
    return f"v({inside})"


def _source(element: Source) -> list[str]:
    head = _head("V" if element.kind == "voltage" else "I", element.name, element.nodes)
    match element.waveform:
        case Dc(value):
            return [*head, "DC", write_value(value)]
        case Sine(offset, amplitude, frequency, phase):
            degrees = phase * (180 / sp.pi) if isinstance(phase, sp.Expr) else math.degrees(phase)
            shape = [*map(write_value, (offset, amplitude, frequency, 0.0, 0.0, degrees))]
            return [*head, f"SIN({' '.join(shape)})"]
        case PiecewiseLinear(points):
            pairs = [write_value(value) for point in points for value in point]
            return [*head, f"PWL({' '.join(pairs)})"]
