"""Counts the primitives and unknowns of a hierarchy of typed elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from device_models.elements import (
    GROUND,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Element,
    Inductor,
    Mosfet,
    RawBlock,
    Resistor,
    Source,
    Transconductance,
)
from netlists.circuit import Inventory
from netlists.design import nodes_of

_KINDS = {
    Capacitor: "capacitor", Transconductance: "vccs", Behavioural: "behavioural", Resistor: "resistor",
    Inductor: "inductor", Mosfet: "mos1",
}  # fmt: skip


@dataclass
class _Inside:
    """What a block holds, flattened: primitives, and unknowns that its ports do not bring."""

    devices: Counter[str] = field(default_factory=Counter)
    unknowns: int = 0


def inventory(blocks: Sequence[Block | RawBlock], bench: Iterable[Element]) -> Inventory:
    """Flattened elements by kind, node voltages and branch currents; a user's own SPICE is not looked into.

    Args:
        blocks: each after those that it calls.
        bench: elements of the test bench.
    """
    inside: dict[str, _Inside] = {}
    for block in blocks:
        inside[block.name] = (
            _Inside() if isinstance(block, RawBlock) else _count(block.elements, block.ports, inside)
        )
    whole = _count(bench, (), inside)
    return Inventory(dict(whole.devices), whole.unknowns)


def _count(elements: Iterable[Element], ports: Sequence[str], inside: Mapping[str, _Inside]) -> _Inside:
    found, nodes = _Inside(), set[str]()
    for element in elements:
        nodes.update(nodes_of(element))
        if isinstance(element, Call):
            found.devices += inside[element.block].devices
            found.unknowns += inside[element.block].unknowns
        else:
            found.devices[element.kind if isinstance(element, Source) else _KINDS[type(element)]] += 1
            branch = isinstance(element, Inductor) or (
                isinstance(element, Source) and element.kind == "voltage"
            )
            found.unknowns += int(branch)
    found.unknowns += len(nodes - {*ports, GROUND})
    return found
