"""Prints a cell model as ngspice subcircuits with behavioural (B) sources.

The state is a voltage of one volt per unit on a capacitor: C dv/dt = (C/τ) · rate. The library's global
parameters (``ais_c``, ``ais_g`` = C/τ, the chunk switching times) stand at its head, where a designer looks.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import sympy as sp
from sympy.printing.printer import Printer

from device_models.model import OTHER, OWN, CellModel, CouplingForm, coupling_form, pair_rate

_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "exp": "exp", "log": "ln", "Abs": "abs", "sign": "sgn", "asin": "asin", "acos": "acos", "atan": "atan",
}  # fmt: skip
_RELATIONS = {sp.StrictLessThan: "<", sp.LessThan: "<=", sp.StrictGreaterThan: ">", sp.GreaterThan: ">="}
_LARGEST_PRODUCT = 16
_LARGEST_INTEGER = 10**11


class ExpressionPrinter(Printer):  # type: ignore[misc]
    """SymPy to the expression language of a B source. What has no method here is refused.

    Integer powers become products: in a B source ``x^3``, ``x**3`` and ``pow(x,3)`` all mean |x|³ up to ngspice 46.
    Languages of the same syntax are subclasses with their own functions and literals.
    """

    printmethod = "_ngspice"
    language = "a B source"
    functions: Mapping[str, str] = _FUNCTIONS

    def __init__(self, names: Mapping[sp.Symbol, str]) -> None:
        super().__init__()
        self._names = names

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        try:
            return self._names[symbol]
        except KeyError:
            raise ValueError(f"no netlist name given for symbol {symbol}") from None

    def _print_Add(self, expr: sp.Add) -> str:
        text = ""
        for term in expr.as_ordered_terms():
            printed = f"({self._print(term)})" if term.is_Add else self._print(term)
            negative = printed.startswith("-")
            joint = (" - " if negative else " + ") if text else ("-" if negative else "")
            text += joint + printed.removeprefix("-")
        return text

    def _print_Mul(self, expr: sp.Mul) -> str:
        sign = ""
        if expr.could_extract_minus_sign():
            sign, expr = "-", -expr
        return sign + "*".join(self._factor(factor) for factor in sp.Mul.make_args(expr))

    def _factor(self, expr: sp.Expr) -> str:
        text: str = self._print(expr)
        return f"({text})" if expr.is_Add or expr.is_Mul or text.startswith("-") else text

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, exponent = expr.args
        if exponent.is_Float and float(2 * exponent).is_integer():
            exponent = sp.Rational(int(2 * exponent), 2)
        if exponent in (sp.Rational(1, 2), -sp.Rational(1, 2)):
            root = f"sqrt({self._print(base)})"
            return root if exponent > 0 else f"(1/{root})"
        if exponent.is_Integer and 1 <= abs(int(exponent)) <= _LARGEST_PRODUCT:
            product = "*".join([f"({self._print(base)})"] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1/({product}))"
        raise ValueError(
            f"cannot print {expr} for {self.language}: only square roots and integer powers up to "
            f"{_LARGEST_PRODUCT} keep their sign there"
        )

    def _print_Function(self, expr: sp.Function) -> str:
        name = type(expr).__name__
        if name not in self.functions or len(expr.args) != 1:
            raise ValueError(
                f"cannot print {expr} for {self.language}; known functions: {sorted(self.functions)}"
            )
        return f"{self.functions[name]}({self._print(expr.args[0])})"

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        if expr.args[-1].cond is not sp.true:
            raise ValueError(f"cannot print {expr}: its last case has to be unconditional")
        text: str = self._print(expr.args[-1].expr)
        for case in reversed(expr.args[:-1]):
            relation = _RELATIONS.get(type(case.cond))
            if relation is None:
                raise ValueError(f"cannot print the condition {case.cond} for {self.language}")
            condition = f"{self._print(case.cond.lhs)} {relation} {self._print(case.cond.rhs)}"
            text = f"({condition} ? {self._print(case.expr)} : {text})"
        return text

    def _print_Integer(self, expr: sp.Integer) -> str:
        return str(int(expr)) if abs(int(expr)) < _LARGEST_INTEGER else self._literal(float(expr))

    def _print_Rational(self, expr: sp.Rational) -> str:
        if max(abs(int(expr.p)), int(expr.q)) >= _LARGEST_INTEGER:
            return self._literal(float(expr))
        return f"({int(expr.p)}.0/{int(expr.q)}.0)"

    def _print_Float(self, expr: sp.Float) -> str:
        return self._literal(float(expr))

    def _print_NumberSymbol(self, expr: sp.Expr) -> str:
        return self._literal(float(expr))

    def _print_Pi(self, expr: sp.Expr) -> str:  # noqa: ARG002 - SymPy's signature
        return "pi"

    def _literal(self, value: float) -> str:
        return literal(value)

    def _refuse(self, expr: sp.Basic) -> str:
        raise ValueError(f"cannot print {type(expr).__name__} for {self.language}: {expr}")

    emptyPrinter = _refuse


def number(value: float) -> str:
    """The shortest text that reads back as the same double."""
    if not math.isfinite(value):
        raise ValueError(f"cannot print {value} in a netlist: not a finite number")
    return repr(float(value))


def literal(value: float) -> str:
    """A number inside a B source's expression, where ngspice keeps 11 digits of a literal.

    One that needs more is written as the sum of its first 11 digits and the rest. (Subcircuit parameters in
    braces keep 16 digits, and need no such thing.)
    """
    head = float(f"{value:.10e}")
    rest = value - head
    if rest == 0.0 or not math.isfinite(value):
        return number(value)
    return f"({number(head)} {'-' if rest < 0 else '+'} {number(abs(rest))})"


def print_expression(expression: sp.Expr, names: Mapping[sp.Symbol, str]) -> str:
    """An expression in the language of ngspice's B sources.

    Args:
        expression: a scalar SymPy expression.
        names: for each free symbol the text that stands for it, e.g. ``v(phi)``.

    Raises:
        ValueError: a symbol without a name, or something a B source can't express faithfully.
    """
    return str(ExpressionPrinter(names).doprint(expression))


def scheduled(parameter: str, chunks: int) -> str:
    """The value of a parameter that changes from chunk to chunk, as a function of simulated time.

    A step that ends at a boundary still belongs to the chunk before it; ngspice restarts with backward
    Euler after a breakpoint, so the next step sees the new chunk only.
    """
    # in parentheses, as a negative value substituted behind a minus sign would read as "--0.3"
    text = f"({{{parameter}_{chunks}}})"
    for chunk in range(chunks - 1, 0, -1):
        text = f"(time <= {{ais_switch_{chunk}}} ? {{{parameter}_{chunk}}} : {text})"
    return text


def cell_subcircuit(model: CellModel, chunks: int) -> str:
    """The cell: storage and self term, and where the coupling needs them, its summing nodes.

    Ports: the state, then a summing node for each feature if the coupling form is ``summing``. Parameters:
    one value, or one a chunk. A summing node holds one volt per unit of the weighted sum.
    """
    port = str(model.state.symbol)
    names: dict[sp.Symbol, str] = {model.state.symbol: f"v({port})", **_common_names(model)}
    arguments: list[str] = []
    for parameter in model.parameters:
        if parameter.scope == "node":
            names[parameter.symbol] = f"({{{parameter.name}}})"
            arguments.append(f"{parameter.name}={number(parameter.default)}")
        elif parameter.scope == "node-and-chunk":
            names[parameter.symbol] = scheduled(parameter.name, chunks)
            arguments += [f"{parameter.name}_{k}={number(parameter.default)}" for k in range(1, chunks + 1)]
    rate, adders = model.self_term, []
    sums = summing_ports(model)
    if sums:
        rate = rate + model.coupling
        names |= {model.sums[feature]: f"v({node})" for feature, node in sums.items()}
        adders = [f"R{node} {node} 0 {{1/ais_g}}" for node in sums.values()]
    return "\n".join([
        f"* Cell: {model.title}",
        f"*   {model.source}",
        f"*   rate = {rate}   (per model time unit; 1 V is {_unit(model)})",
        *_wrapped(f".subckt {model.family}_cell {' '.join([port, *sums.values()])}", arguments),
        f"Cstate {port} 0 {{ais_c}}",
        *adders,
        f"Bself 0 {port} I = {{ais_g}}*({print_expression(rate, names)})",
        f".ends {model.family}_cell",
    ])  # fmt: skip


def summing_ports(model: CellModel) -> dict[str, str]:
    """Port of the summing node of each feature; empty where couplers act on the state itself."""
    if coupling_form(model, symmetric=False) != "summing":
        return {}
    return {feature: f"sum_{feature}" for feature in model.features}


def coupler_subcircuit(model: CellModel, chunks: int, form: CouplingForm) -> str:
    """One coupler, see ``coupling_form``. Ports: ``i j``, or the summing nodes of i and then j."""
    weight = f"{{ais_g}}*{scheduled('k', chunks)}"
    weights = [f"k_{chunk}=0" for chunk in range(1, chunks + 1)]
    rate = pair_rate(model)
    ports, meaning = "i j", f"rate of i = K * ({_indexed(rate)})"
    if rate is None:
        ports = " ".join([*summing_ports(model).values(), "j"])
        meaning = ", ".join(f"{node} += K * ({f})" for node, f in zip(
            summing_ports(model).values(), model.features.values(), strict=True))  # fmt: skip
        names = {model.state.symbol: "v(j)", **_common_names(model)}
        sources = [
            f"B{node} 0 {node} I = {weight}*({print_expression(model.features[feature], names)})"
            for feature, node in summing_ports(model).items()
        ]
    elif form == "reciprocal":
        sources = [f"Bk j i I = {weight}*({_pair_text(model, rate, 'i', 'j')})"]
    else:
        sources = [f"Bij 0 i I = {weight}*({_pair_text(model, rate, 'i', 'j')})"]
        if form == "mutual":
            sources.append(f"Bji 0 j I = {weight}*({_pair_text(model, rate, 'j', 'i')})")
    return "\n".join([
        f"* Coupler, {_FORMS[form]}",
        f"*   {meaning}",
        *_wrapped(f".subckt {coupler_name(model, form)} {ports}", weights),
        *sources,
        f".ends {coupler_name(model, form)}",
    ])  # fmt: skip


_FORMS: Mapping[CouplingForm, str] = {
    "reciprocal": "reciprocal: one current between the two nodes",
    "mutual": "mutual: each node drives a current into the other, at the same weight",
    "directed": "directed: j acts on i alone",
    "summing": "summing: j pushes its feature into a summing node of i",
}


def coupler_name(model: CellModel, form: CouplingForm) -> str:
    """Name of the coupler subcircuit."""
    return f"{model.family}_coupler" + ("_directed" if form == "directed" else "")


def common_parameter(model: CellModel, name: str) -> str:
    """Name of the global netlist parameter that holds a cell parameter of scope ``core``."""
    return f"{model.family}_{name}"


def _common_names(model: CellModel) -> dict[sp.Symbol, str]:
    return {
        p.symbol: f"({{{common_parameter(model, p.name)}}})" for p in model.parameters if p.scope == "core"
    }


def _pair_text(model: CellModel, rate: sp.Expr, receiver: str, sender: str) -> str:
    """The rate as B-source text; a difference is one controlling pair, with half the derivatives of two."""
    difference = sp.Symbol("difference", real=True)
    relative = rate.subs(OTHER, OWN + difference)
    if OWN in relative.free_symbols:
        names = {OWN: f"v({receiver})", OTHER: f"v({sender})"}
        return print_expression(rate, names | _common_names(model))
    return print_expression(relative, {difference: f"v({sender},{receiver})", **_common_names(model)})


def _unit(model: CellModel) -> str:
    return "a state of 1" if model.state.unit == "1" else f"1 {model.state.unit}"


def _indexed(rate: sp.Expr | None) -> str:
    return str(rate).replace("x_own", "x_i").replace("x_other", "x_j")


def _wrapped(head: str, words: Sequence[str], width: int = 110) -> list[str]:
    lines = textwrap.wrap(" ".join([head, *words]), width - 2, break_long_words=False, break_on_hyphens=False)
    return [lines[0], *(f"+ {line}" for line in lines[1:])]
