"""Prints a cell model as Verilog-A modules, for any simulator with a Verilog-A compiler.

One module a (cell, number of neighbours): the cell and all its couplings, as on the chip and as in the compiled
device. The state is a voltage of one volt per unit on a capacitor: C dv/dt = (C/τ) · rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from device_models.model import CellModel, Parameter
from device_models.printers.ngspice import ExpressionPrinter, number

_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "exp": "exp", "log": "ln", "Abs": "abs", "asin": "asin", "acos": "acos", "atan": "atan",
}  # fmt: skip


class _VerilogAPrinter(ExpressionPrinter):
    """SymPy to Verilog-A. Integer powers stay products: ``pow`` would cost more and says no more."""

    language = "Verilog-A"
    functions = _FUNCTIONS

    def _literal(self, value: float) -> str:
        return number(value)

    def _print_Pi(self, expr: sp.Expr) -> str:
        return number(float(expr))


def module_name(model: CellModel, neighbours: int) -> str:
    """Name of the module for a number of neighbours."""
    return f"{model.family}_{neighbours}"


def module(model: CellModel, neighbours: int, chunks: int) -> str:
    """One Verilog-A module. Ports: the state, the current of a resonator as a voltage, then each neighbour's state.

    Parameters: ``ais_c``, ``ais_g`` (= C/τ), ``ais_switch_k`` (chunk k ends), the cell's own (a value a chunk where
    they are scheduled), and ``k_<neighbour>_<chunk>``, the couplings per model time unit; with a carrier ``ais_w``,
    its angular frequency. A resonator's inductor is in the module, as the equation of its current.
    """
    own = [str(symbol) for symbol in model.states]
    inputs = [f"in{j}" for j in range(1, neighbours + 1)]
    declared = [
        ("ais_c", 1e-12, "state capacitor, farad"),
        ("ais_g", 1e-6, "C / tau, ampere per unit of rate"),
    ]
    if model.carrier is not None:
        declared += [("ais_w", 0.0, "angular frequency of the common reference, rad/s")]
    declared += [(f"ais_switch_{k}", 0.0, f"chunk {k} ends, seconds") for k in range(1, chunks)]
    for p in model.given:
        declared += [(name, p.default, f"{p.meaning}, {p.unit}") for name in _instances_of(p, chunks)]
    declared += [(f"k_{j}_{k}", 0.0, "") for j in range(1, neighbours + 1) for k in range(1, chunks + 1)]
    variables = [_variable(p) for p in model.parameters if p.scope == "node-and-chunk"]
    variables += [str(symbol) for symbol in model.sums.values()] + [f"w{j}" for j in range(1, neighbours + 1)]
    return "\n".join([
        f"// {model.title}: {neighbours} neighbours, {chunks} time chunk(s)",
        f"// {model.source}",
        *(
            f"// rate of {name} = {rate}   (per model time unit)"
            for name, rate in zip(own, model.rates, strict=True)
        ),
        f"module {module_name(model, neighbours)}({', '.join([*own, *inputs])});",
        f"    inout {', '.join(own)};",
        *([f"    input {', '.join(inputs)};"] if inputs else []),
        f"    electrical {', '.join([*own, *inputs])};",
        *(f"    parameter real {name} = {number(default)};{f'  // {meaning}' if meaning else ''}"
          for name, default, meaning in declared),
        f"    real {', '.join(variables)};",
        "    analog begin",
        *_schedule(model, neighbours, chunks),
        *_sums(model, inputs),
        *(
            f"        I({name}) <+ ddt(ais_c*V({name})) - ais_g*({_print(rate, model, own[0])});"
            for name, rate in zip(own, model.rates, strict=True)
        ),
        "    end",
        "endmodule",
        "",
    ])  # fmt: skip


def library(model: CellModel, neighbours: Sequence[int], chunks: int) -> str:
    """The modules for every number of neighbours a core needs, as one file."""
    head = '`include "disciplines.vams"\n'
    return "\n".join([head, *(module(model, count, chunks) for count in sorted(set(neighbours)))])


def _instances_of(parameter: Parameter, chunks: int) -> list[str]:
    if parameter.scope == "node-and-chunk":
        return [f"{parameter.name}_{k}" for k in range(1, chunks + 1)]
    return [parameter.name]


def _variable(parameter: Parameter) -> str:
    return f"{parameter.name}_now"


def _schedule(model: CellModel, neighbours: int, chunks: int) -> list[str]:
    """The values in force: a step that ends at a boundary still belongs to the chunk before it."""
    lines = []
    for chunk in range(1, chunks + 1):
        condition = f"if ($abstime <= ais_switch_{chunk}) " if chunk < chunks else ""
        lines.append(f"        {'else ' if chunk > 1 else ''}{condition}begin")
        lines += [
            f"            {_variable(p)} = {p.name}_{chunk};"
            for p in model.parameters
            if p.scope == "node-and-chunk"
        ]
        lines += [f"            w{j} = k_{j}_{chunk};" for j in range(1, neighbours + 1)]
        lines.append("        end")
    return lines


def _sums(model: CellModel, inputs: Sequence[str]) -> list[str]:
    lines = []
    for feature, symbol in model.sums.items():
        terms = [
            f"w{j}*({_print(model.features[feature], model, port)})" for j, port in enumerate(inputs, start=1)
        ]
        lines.append(f"        {symbol} = {' + '.join(terms) if terms else '0.0'};")
    return lines


def _print(expression: sp.Expr, model: CellModel, port: str) -> str:
    names = {symbol: f"V({symbol})" for symbol in model.states} | {model.state.symbol: f"V({port})"}
    for p in model.given:
        names[p.symbol] = _variable(p) if p.scope == "node-and-chunk" else p.name
    if model.carrier is not None:
        names[model.carrier.phase] = "(ais_w*$abstime)"
    names |= {symbol: str(symbol) for symbol in model.sums.values()}
    return str(_VerilogAPrinter(names).doprint(expression))
