"""Volts at the start of nodes inside a block: with ``uic`` what is not given starts at 0 V, and would have to jump.

A node that jumps through a transistor's capacitance takes a current that grows as the step shrinks, and the
simulator finds no first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp

from device_models.elements import (
    GROUND,
    Block,
    Call,
    Capacitor,
    Dc,
    PiecewiseLinear,
    RawBlock,
    Sine,
    Source,
    Value,
    Waveform,
)


def held_nodes(
    block: Block, blocks: Mapping[str, Block | RawBlock], parameters: Mapping[str, Value], outside: Mapping[str, float]
) -> dict[str, float]:  # fmt: skip
    """Nodes inside that a source holds, or that only a capacitor ties to one, by their path in SPICE.

    Args:
        block: of typed elements; those in a user's own SPICE are not looked into.
        blocks: by name, those that it calls.
        parameters: that replace its defaults.
        outside: volts of those of its ports that something holds.
    """
    values = {**block.parameters, **parameters}
    volts = {GROUND: 0.0, **outside}
    for element in block.elements:
        if isinstance(element, Source) and element.kind == "voltage" and element.nodes[1] == GROUND:
            volts[element.nodes[0]] = _number(_first(element.waveform), values)
    for element in block.elements:
        if isinstance(element, Capacitor):
            volts |= _uncharged(element, volts, block.ports)
    found = {node: level for node, level in volts.items() if node != GROUND and node not in block.ports}
    for call, inner in _calls(block, blocks):
        ports = {
            port: volts[node] for port, node in zip(inner.ports, call.nodes, strict=True) if node in volts
        }
        given = {name: _number(value, values) for name, value in call.parameters.items()}
        deeper = held_nodes(inner, blocks, given, ports)
        found |= {f"x{call.name}.{node}".lower(): level for node, level in deeper.items()}
    return found


def _uncharged(capacitor: Capacitor, volts: Mapping[str, float], ports: tuple[str, ...]) -> dict[str, float]:
    """The node inside, if the other side is held."""
    one, two = capacitor.nodes
    return {
        node: volts[other]
        for node, other in ((one, two), (two, one))
        if node not in volts and node not in ports and other in volts
    }


def _calls(block: Block, blocks: Mapping[str, Block | RawBlock]) -> Iterator[tuple[Call, Block]]:
    for element in block.elements:
        if isinstance(element, Call) and isinstance(inner := blocks.get(element.block), Block):
            yield element, inner


def _first(waveform: Waveform) -> Value:
    """At t = 0."""
    if isinstance(waveform, Dc):
        return waveform.value
    if isinstance(waveform, PiecewiseLinear):
        return waveform.points[0][1]
    assert isinstance(waveform, Sine)
    return waveform.offset + waveform.amplitude * sp.sin(waveform.phase)


def _number(value: Value, parameters: Mapping[str, Value]) -> float:
    if not isinstance(value, sp.Expr):
        return float(value)
    return float(value.subs({symbol: parameters[symbol.name] for symbol in value.free_symbols}))
