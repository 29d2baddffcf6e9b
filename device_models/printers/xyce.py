"""Typed elements and blocks in Xyce's SPICE: parameters stand in expressions by their bare names."""

from __future__ import annotations

import sympy as sp

from device_models.elements import checked_name
from device_models.printers.ngspice import ExpressionPrinter, number
from device_models.printers.spice import Spice


class XyceExpressionPrinter(ExpressionPrinter):
    """SymPy to Xyce's expressions. Integer powers stay products, which no simulator reads another way."""

    language = "Xyce"

    def _literal(self, value: float) -> str:
        return number(value)

    def _print_Pi(self, expr: sp.Expr) -> str:
        return number(float(expr))


def _name(symbol: sp.Symbol) -> str:
    return checked_name(str(symbol.name))


XYCE = Spice(XyceExpressionPrinter, XyceExpressionPrinter, _name, "I={{{}}}")
