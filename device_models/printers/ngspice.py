"""SymPy expressions in the language of ngspice's behavioural (B) sources; languages much like it are subclasses."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy as sp
from sympy.printing.printer import Printer

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
        if exponent == -1 and base.is_Symbol:
            return f"(1/{self._print(base)})"
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
        text: str = self._alone(expr.args[-1].expr)
        for case in reversed(expr.args[:-1]):
            relation = _RELATIONS.get(type(case.cond))
            if relation is None:
                raise ValueError(f"cannot print the condition {case.cond} for {self.language}")
            condition = f"{self._print(case.cond.lhs)} {relation} {self._print(case.cond.rhs)}"
            text = f"({condition} ? {self._alone(case.expr)} : {text})"
        return text

    def _alone(self, expr: sp.Expr) -> str:
        """An expression that no operator touches: a bracketed parameter needs no brackets there."""
        text: str = self._print(expr)
        return text[1:-1] if expr.is_Symbol and text.startswith("({") else text

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
