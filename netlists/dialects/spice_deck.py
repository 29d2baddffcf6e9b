"""What the SPICE dialects share above the blocks: parameters, includes, initial conditions, measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from device_models.printers.ngspice import number
from netlists.circuit import GlobalParameter
from netlists.design import AverageCurrent, Design, Frequency, Measurement

SPICE_FILES = {"cells": "cells.lib", "core": "core.sub", "testbench": "testbench.cir"}


def joined_path(path: str, prefix: str, separator: str) -> str:
    """A node's path with the calls' names as the netlist has them."""
    *calls, node = path.split(".")
    return separator.join([*(prefix + call for call in calls), node])


def parameter_lines(parameter: GlobalParameter) -> list[str]:
    """A global parameter."""
    return [f".param {parameter.name}={number(parameter.value)}"]


def include_line(name: str) -> str:
    """Reads a file of the netlist's own folder."""
    return f'.include "{name}"'


def initial_lines(initial: Mapping[str, float], path: Callable[[str], str]) -> list[str]:
    """A line a node."""
    return [f".ic v({path(node)})={number(value)}" for node, value in initial.items()]


def measure_lines(
    measurements: Sequence[Measurement], card: str, equation: str, path: Callable[[str], str]
) -> list[str]:
    """Measurements; ``equation`` is how the card begins that computes from earlier ones."""
    lines = []
    for m in measurements:
        match m:
            case Frequency(name=name, node=node, level=level, first=first, last=last):
                when = f"when v({path(node)})={number(level)}"
                lines += [
                    f"{card} tran {name}_first {when} rise={first}",
                    f"{card} tran {name}_last {when} rise={last}",
                    f"{card} tran {name} {equation.format(f'{last - first}/({name}_last-{name}_first)')}",
                ]
            case AverageCurrent(name=name, source=source, start=start, stop=stop):
                lines.append(f"{card} tran {name} avg i(v{source}) from={number(start)} to={number(stop)}")
    return lines


def kept_nodes(design: Design) -> list[str]:
    """Nodes to be saved: those asked for, and those that are measured. Empty if all are to be."""
    if not design.saved:
        return []
    measured = [m.node for m in design.measurements if isinstance(m, Frequency)]
    return list(dict.fromkeys([*design.saved, *measured]))


def kept_currents(design: Design) -> list[str]:
    """Voltage sources of the bench whose current is to be saved."""
    measured = [m.source for m in design.measurements if isinstance(m, AverageCurrent)]
    return list(dict.fromkeys([*design.currents, *measured]))
