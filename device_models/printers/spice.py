"""Typed elements and blocks as SPICE text, for ngspice and its relatives: a ``Spice`` says in what they differ."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    Waveform,
    checked_name,
)
from device_models.printers.ngspice import ExpressionPrinter, number

WIDTH = 110
_LETTERS: Mapping[type[Element], str] = {
    Resistor: "R", Capacitor: "C", Inductor: "L", Transconductance: "G", Behavioural: "B", Mosfet: "M", Call: "X",
}  # fmt: skip


@dataclass(frozen=True)
class Spice:
    """A SPICE dialect.

    Attributes:
        values: prints expressions of parameters, as they stand in braces.
        currents: prints the currents of B sources.
        parameter: a parameter's name as it stands in such a current.
        current: how the printed current stands behind the nodes of a B source.
    """

    values: type[ExpressionPrinter]
    currents: type[ExpressionPrinter]
    parameter: Callable[[sp.Symbol], str]
    current: str


class _NgspiceValues(ExpressionPrinter):
    """What stands in braces outside of B sources; there ngspice keeps all digits of a literal."""

    language = "a netlist parameter of ngspice"

    def _literal(self, value: float) -> str:
        return number(value)

    def _print_Pi(self, expr: sp.Expr) -> str:
        return number(float(expr))


def _braced(symbol: sp.Symbol) -> str:
    """In parentheses, as a negative value substituted behind a minus sign would read as ``--0.3``."""
    name = checked_name(symbol.name)
    return f"{{{name}}}" if symbol.is_positive else f"({{{name}}})"


NGSPICE = Spice(_NgspiceValues, ExpressionPrinter, _braced, "I = {}")


def letter(element: Element) -> str:
    """What a SPICE name of this kind of element begins with."""
    if isinstance(element, Source):
        return "V" if element.kind == "voltage" else "I"
    return _LETTERS[type(element)]


def full_name(element: Element) -> str:
    """The element's name as it stands in a netlist."""
    return letter(element) + element.name


def block_text(block: Block | RawBlock, spice: Spice) -> str:
    """A subcircuit; its title and notes go before it as comments. A raw one as its author wrote it."""
    if isinstance(block, RawBlock):
        return block.text.strip("\n")
    name = checked_name(block.name)
    ports = " ".join(map(checked_name, block.ports))
    return "\n".join([
        *comments([block.title], "* "),
        *comments(block.notes, "*   "),
        *wrapped(f".subckt {name} {ports}".rstrip(), _assigned(block.parameters, spice)),
        *(line for element in block.elements for line in element_lines(element, spice)),
        f".ends {name}",
    ])  # fmt: skip


def element_lines(element: Element, spice: Spice) -> list[str]:
    """An element as one logical line."""
    head = " ".join(map(checked_name, [full_name(element), *element.nodes]))
    match element:
        case Resistor(value=value):
            return [f"{head} {value_text(value, spice)}"]
        case Capacitor(value=value, initial=initial) | Inductor(value=value, initial=initial):
            start = "" if initial is None else f" ic={value_text(initial, spice)}"
            return [f"{head} {value_text(value, spice)}{start}"]
        case Transconductance(controls=controls, value=value):
            return [f"{head} {' '.join(map(checked_name, controls))} {value_text(value, spice)}"]
        case Behavioural():
            return [f"{head} {spice.current.format(current_text(element, spice.currents, spice.parameter))}"]
        case Source(waveform=waveform):
            return wrapped(head, _waveform(waveform, spice))
        case Mosfet(model=model, width=width, length=length):
            return [
                f"{head} {checked_name(model)} W={value_text(width, spice)} L={value_text(length, spice)}"
            ]
        case Call(block=block, parameters=parameters):
            return wrapped(head, [checked_name(block), *_assigned(parameters, spice)])


def table_lines(
    name: str, node: str, times: Sequence[str], amperes: Sequence[float], per_line: int = 8
) -> list[str]:
    """In ngspice, a current into a node that is linear between points (seconds), by an expression.

    The points of a PWL source would be breakpoints: behind each ngspice takes a few short steps of backward Euler, and
    an oscillator would run at another frequency than in equal steps.
    """
    points = [f"{time},{ampere:.12g}" for time, ampere in zip(times, amperes, strict=True)]
    rows = [",".join(points[k : k + per_line]) for k in range(0, len(points), per_line)]
    head = f"B{checked_name(name)} 0 {checked_name(node)} I=pwl(time,"
    return [head, *(f"+ {row}," for row in rows[:-1]), f"+ {rows[-1]})"]


def model_lines(model: MosModel) -> list[str]:
    """A model card."""
    words = [f"{checked_name(name)}={number(value)}" for name, value in model.parameters.items()]
    return wrapped(f".model {checked_name(model.name)} {model.polarity} level=1", words)


def _assigned(values: Mapping[str, Value], spice: Spice) -> list[str]:
    return [f"{checked_name(name)}={value_text(value, spice)}" for name, value in values.items()]


def value_text(value: Value, spice: Spice) -> str:
    """A number, or an expression of parameters in braces."""
    if not isinstance(value, sp.Basic):
        return number(value)
    if value.is_number:
        return number(float(value))
    names = {symbol: checked_name(symbol.name) for symbol in value.free_symbols}
    return f"{{{bare(str(spice.values(names).doprint(value)))}}}"


def current_text(
    element: Behavioural,
    printer: type[ExpressionPrinter],
    parameter: Callable[[sp.Symbol], str],
    time: str = "time",
    voltage: Callable[[str], str] = str,
    sensed: Callable[[str], str] = "i({})".format,
) -> str:
    """The current of a behavioural element, what its ``where`` stands for written out.

    ``parameter``, ``voltage`` and ``sensed`` give the dialect's spelling of a parameter, of ``v(a,b)``, and of the
    current through a voltage source of a given name.
    """
    names = {symbol: voltage(_voltage(*nodes)) for symbol, nodes in element.controls.items()}
    names |= {symbol: sensed(f"V{checked_name(name)}") for symbol, name in element.sensed.items()}
    names[TIME] = time

    def text(expression: sp.Expr, names: Mapping[sp.Symbol, str]) -> str:
        rest = {symbol: parameter(symbol) for symbol in expression.free_symbols if symbol not in names}
        return str(printer({**rest, **names}).doprint(expression))

    short = {
        symbol: text(meaning, {}) if meaning.is_Symbol else f"({bare(text(meaning, {TIME: time}))})"
        for symbol, meaning in element.where.items()
    }
    return text(element.current, names | short)


def bare(text: str) -> str:
    """Without the brackets around all of it, if it has such."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def degrees(phase: Value) -> Value:
    """A sine's phase in the unit of SPICE and Spectre."""
    return phase * 180 / sp.pi if isinstance(phase, sp.Basic) else math.degrees(phase)


def comments(texts: Sequence[str], mark: str) -> list[str]:
    """Comment lines, long texts wrapped: nothing in a text can end the line, or continue it."""
    lines: list[str] = []
    for text in texts:
        words = " ".join(text.splitlines())
        cut = textwrap.wrap(words, WIDTH - len(mark), subsequent_indent="  ", break_long_words=False) or [""]
        lines += [f"{mark}{line}".rstrip("\\ ") for line in cut]
    return lines


def wrapped(head: str, words: Sequence[str], width: int = WIDTH) -> list[str]:
    """Words as one logical line, cut into continuation lines between words."""
    lines = textwrap.wrap(" ".join([head, *words]), width - 2, break_long_words=False, break_on_hyphens=False)
    return [lines[0], *(f"+ {line}" for line in lines[1:])]


def _waveform(waveform: Waveform, spice: Spice) -> list[str]:
    match waveform:
        case Dc(value=value):
            return ["DC", value_text(value, spice)]
        case Sine(offset=offset, amplitude=amplitude, frequency=frequency, phase=phase):
            values = [offset, amplitude, frequency]
            if isinstance(phase, sp.Basic) or phase != 0:
                values += [0.0, 0.0, degrees(phase)]  # delay and damping come before it
            return ["SIN(", *(value_text(value, spice) for value in values), ")"]
        case PiecewiseLinear(points=points):
            return ["PWL(", *(value_text(value, spice) for point in points for value in point), ")"]


def _voltage(plus: str, minus: str) -> str:
    plus = checked_name(plus)
    return f"v({plus})" if minus == GROUND else f"v({plus},{checked_name(minus)})"
