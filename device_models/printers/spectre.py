"""Typed elements and blocks in Spectre's own language.

Spectre tells upper from lower case, and what it reads as SPICE it turns into lower case: all names are written in
lower case, so that SPICE subcircuits of a user's and the native netlist know each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from device_models.elements import (
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
)
from device_models.printers.ngspice import ExpressionPrinter, number
from device_models.printers.spice import WIDTH, bare, comments, current_text, degrees, full_name, wrapped

# parameters of SPICE's level 1 that Spectre's mos1 has, where the names differ
_MOS1_NAMES: Mapping[str, str] = {"u0": "uo"}
_MOS1 = frozenset(
    """vto kp gamma phi lambda uo tox nsub ld js is cbd cbs cj cjsw mj mjsw pb cgso cgdo cgbo rsh rd rs tpg nss nfs fc
    kf af""".split()  # noqa: SIM905
)

# what Spectre takes for the beginning of a statement, where an element's name stands
_STATEMENTS = frozenset(
    """ahdl_include altergroup correlate else end ends export for function global ic if include inline invisible
    library local march model nodeset parameters paramset plot print protect real return save section sens simulator
    statistics subckt to truncate unprotect vary""".split()  # noqa: SIM905
)


class SpectreExpressionPrinter(ExpressionPrinter):
    """SymPy to Spectre's expressions. Integer powers stay products."""

    language = "Spectre"

    def _literal(self, value: float) -> str:
        return number(value)

    def _print_Pi(self, expr: sp.Expr) -> str:
        return number(float(expr))

    def _print_sign(self, expr: sp.Expr) -> str:
        argument = self._print(expr.args[0])
        return f"({argument} > 0 ? 1 : ({argument} < 0 ? -1 : 0))"


def spectre_block_text(block: Block | RawBlock) -> str:
    """A subcircuit; its title and notes go before it as comments. A raw one as SPICE, as its author wrote it."""
    if isinstance(block, RawBlock):
        return in_spice(block.text.strip("\n").split("\n"))
    defaults = [f"{name.lower()}={spectre_value(value)}" for name, value in block.parameters.items()]
    name = block.name.lower()
    return "\n".join([
        *comments([block.title], "// "),
        *comments(block.notes, "//   "),
        *continued("subckt", [name, f"({_nodes(block.ports)})"]),
        *(continued("parameters", defaults) if defaults else ()),
        *(line for element in block.elements for line in spectre_element_lines(element)),
        f"ends {name}",
    ])  # fmt: skip


def in_spice(lines: Sequence[str]) -> str:
    """Lines that Spectre is to read as SPICE."""
    return "\n".join(["simulator lang=spice", *lines, "simulator lang=spectre"])


def spectre_element_lines(element: Element) -> list[str]:
    """An element as one logical line: name (nodes) master parameters.

    Raises:
        ValueError: with its letter in front, the element's name is a word of Spectre's own.
    """
    name = full_name(element).lower()
    if name in _STATEMENTS:
        raise ValueError(f"Spectre reads {name!r} as a statement of its own: give the element another name")
    head = f"{name} ({_nodes(element.nodes)})"
    match element:
        case Resistor(value=value):
            return [f"{head} resistor r={spectre_value(value)}"]
        case Capacitor(value=value, initial=initial):
            return [f"{head} capacitor c={spectre_value(value)}{_initial(initial)}"]
        case Inductor(value=value, initial=initial):
            return [f"{head} inductor l={spectre_value(value)}{_initial(initial)}"]
        case Transconductance(nodes=nodes, controls=controls, value=value):
            head = f"{name} ({_nodes((*nodes, *controls))})"
            return [f"{head} vccs gm={spectre_value(value)}"]
        case Behavioural():
            current = current_text(element, SpectreExpressionPrinter, _name, "$time", str.lower, _sensed)
            return [f"{head} bsource i=({bare(current)})"]
        case Source(kind=kind, waveform=waveform):
            return continued(head, ["vsource" if kind == "voltage" else "isource", *_waveform(waveform)])
        case Mosfet(model=model, width=width, length=length):
            return [f"{head} {model.lower()} w={spectre_value(width)} l={spectre_value(length)}"]
        case Call(nodes=nodes, block=block, parameters=parameters):
            words = [f"{name.lower()}={spectre_value(value)}" for name, value in parameters.items()]
            return continued(head, [block.lower(), *words])


def spectre_model_lines(model: MosModel) -> list[str]:
    """A model of Spectre's mos1.

    Raises:
        ValueError: a parameter that mos1 does not have.
    """
    words = []
    for name, value in model.parameters.items():
        known = _MOS1_NAMES.get(name.lower(), name.lower())
        if known not in _MOS1:
            raise ValueError(
                f"Spectre's mos1 has no parameter {name!r} of model {model.name}: leave it out, or include a model "
                f"file of Spectre's own; known are {', '.join(sorted(_MOS1))}"
            )
        words.append(f"{known}={number(value)}")
    return continued("model", [model.name.lower(), "mos1", f"type={model.polarity[0]}", *words])


def spectre_value(value: Value) -> str:
    """A number, or an expression of parameters in parentheses."""
    if not isinstance(value, sp.Basic):
        return number(value)
    if value.is_number:
        return number(float(value))
    names = {symbol: _name(symbol) for symbol in value.free_symbols}
    return f"({bare(str(SpectreExpressionPrinter(names).doprint(value)))})"


def continued(head: str, words: Sequence[str], width: int = WIDTH) -> list[str]:
    """Words as one logical line: all but its last piece end in a backslash."""
    first, *rest = (line.removeprefix("+ ") for line in wrapped(head, words, width))
    lines = [first, *(f"    {line}" for line in rest)]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _name(symbol: sp.Symbol) -> str:
    return str(symbol.name).lower()


def _sensed(source: str) -> str:
    """The current into a source's first port."""
    return f'i("{source.lower()}:1")'


def _nodes(nodes: Sequence[str]) -> str:
    return " ".join(nodes).lower()


def _initial(value: Value | None) -> str:
    return "" if value is None else f" ic={spectre_value(value)}"


def _waveform(waveform: Waveform) -> list[str]:
    match waveform:
        case Dc(value=value):
            return ["type=dc", f"dc={spectre_value(value)}"]
        case Sine(offset=offset, amplitude=amplitude, frequency=frequency, phase=phase):
            pairs = {"sinedc": offset, "ampl": amplitude, "freq": frequency, "sinephase": degrees(phase)}
            return ["type=sine", *(f"{name}={spectre_value(value)}" for name, value in pairs.items())]
        case PiecewiseLinear(points=points):
            values = [spectre_value(value) for point in points for value in point]
            return ["type=pwl", "wave=[", *values, "]"]
