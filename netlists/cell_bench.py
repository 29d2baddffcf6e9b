"""Test benches of many copies of one oscillator cell: all of them see the same time steps.

The step is fixed, since the frequency of a cell depends on it (the trapezoidal rule detunes by (ωh)²/12): every
measurement is made in the very steps of a later run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from device_models.elements import Block, Call, Dc, Element, RawBlock, Source, checked_name
from device_models.oscillator_cell import CouplerType, OscillatorCell, Wire
from device_models.printers.ngspice import number
from device_models.printers.spice import NGSPICE, block_text, comments, element_lines, model_lines
from netlists.characterization import LimitCycle
from netlists.core import Array
from netlists.spice_text import element as spice_element
from netlists.spice_text import logical_lines

# What the fixed steps are solved to: phases to some 1e-7 rad a cycle. The local error sets no step (trtol).
SOLVER = ".options method=trap trtol=1e9 reltol=1e-6 vntol=1e-9 abstol=1e-13 chgtol=1e-20 itl4=100"


@dataclass(frozen=True)
class Copy:
    """One copy of the cell in a bench.

    Attributes:
        cell: what it is a copy of.
        name: of the instance, without the X.
        supply: node of each supply port.
    """

    cell: OscillatorCell
    name: str
    supply: Mapping[str, str]

    def node(self, port: str) -> str:
        """The bench's node at a port."""
        return self.supply[port] if port in self.cell.supplies else f"{port}_{self.name}"

    def vector(self, signal: str) -> str:
        """What ngspice calls a signal ``v(node)`` or ``i(inductor)`` of the cell."""
        inside = signal[2:-1]
        if signal.startswith("i("):
            return f"l.x{self.name}.l{inside}#branch".lower()
        return (self.node(inside) if inside in self.cell.block.ports else f"x{self.name}.{inside}").lower()

    def call(self, inductors: Mapping[str, float]) -> Call:
        """The instance; ``inductors`` are initial currents in ampere."""
        nodes = tuple("0" if port == "0" else self.node(port) for port in self.cell.block.ports)
        return Call(self.name, nodes, self.cell.block.name, {f"ic_{key}": v for key, v in inductors.items()})


@dataclass(frozen=True)
class State:
    """Initial volts by node, and ampere by inductor, of one cell; names as inside the cell."""

    volts: Mapping[str, float]
    inductors: Mapping[str, float] = field(default_factory=dict)


def state_at(cycle: LimitCycle, phase: float) -> State:
    """The cell's state at a phase of its limit cycle, rad."""
    values = dict(zip(cycle.signals, cycle.at(phase).tolist(), strict=True))
    return State(
        {name[2:-1]: value for name, value in values.items() if name.startswith("v(")},
        {name[2:-1]: value for name, value in values.items() if name.startswith("i(")},
    )


@dataclass
class Bench:
    """Copies of a cell and what is around them, as it is built up."""

    cell: OscillatorCell
    title: str
    elements: list[Element] = field(default_factory=list)
    initial: dict[str, float] = field(default_factory=dict)
    blocks: dict[str, Block | RawBlock] = field(default_factory=dict)

    def supply(self, name: str) -> dict[str, str]:
        """Sources for all supply ports, in this group's name; their nodes by port. Current: ``supply_current``."""
        nodes = {}
        for port, volts in self.cell.supplies.items():
            nodes[port] = f"{port}_{name}"
            self.elements.append(Source(nodes[port], "voltage", (nodes[port], "0"), Dc(volts)))
            self.initial[nodes[port]] = volts
        return nodes

    def copy(self, name: str, supply: Mapping[str, str], state: State) -> Copy:
        """Puts a copy in, that starts in a state."""
        copy = Copy(self.cell, name, supply)
        self.elements.append(copy.call(state.inductors))
        for node, volts in state.volts.items():
            self.initial[copy.vector(f"v({node})")] = volts
        return copy

    def couple(
        self, name: str, coupler: CouplerType, wiring: tuple[Wire, ...], sender: Copy, receiver: Copy,
        supply: Mapping[str, str], strength: float, *, metered: bool = False, idle: bool = False,
    ) -> list[tuple[Wire, str]]:  # fmt: skip
        """Puts a coupler in. With ``metered`` a 0 V source measures the current into each port of the receiver.

        With ``idle`` every bit of its code is 0.

        Returns:
            Of each such port what ngspice calls the current.
        """
        block = coupler.blocks[-1]
        self.blocks |= {b.name: b for b in coupler.blocks}
        nodes: list[str] = []
        meters: list[tuple[Wire, str]] = []
        for port, wire in zip(block.ports, wiring, strict=True):
            if wire.side == "global":
                nodes.append(supply[wire.port])
                continue
            at = (sender if wire.side == "sender" else receiver).node(wire.port)
            if metered and wire.side == "receiver":
                inner = f"{port}_{name}"
                self.elements.append(Source(inner, "voltage", (inner, at), Dc(0.0)))
                self.initial[inner] = self.initial[at.lower()]
                meters.append((wire, supply_current(inner)))
                at = inner
            nodes.append(at)
        off = {f"{bit}_1": 0.0 for bit in coupler.bits} if idle else {}
        self.elements.append(Call(name, tuple(nodes), block.name, {coupler.strength: strength, **off}))
        return meters

    def text(self, step: float, stop: float, record: Iterable[str], start: float = 0.0) -> str:
        """The deck: a run of fixed steps from the initial state, recorded from ``start`` on (all in seconds)."""
        cell = self.cell
        blocks = {b.name: b for b in (*cell.blocks, cell.block)} | self.blocks
        initial = [f".ic v({checked_name(node)})={number(volts)}" for node, volts in self.initial.items()]
        return "\n".join([
            *comments([self.title], "* "),
            *(f'.include "{path}"' for path in cell.includes),
            *cell.options,
            *(line for model in cell.models for line in model_lines(model)),
            *(block_text(block, NGSPICE) for block in blocks.values()),
            *(line for element in self.elements for line in element_lines(element, NGSPICE)),
            *initial,
            SOLVER,
            *(f".save {name if '#' in name else f'v({name})'}" for name in record),
            f".tran {number(step)} {number(stop)} {number(start)} {number(step)} uic",
            ".end",
            "",
        ])  # fmt: skip


def fixed_step(frequency: float, points: int) -> float:
    """Seconds a step, for about ``points`` a cycle of a frequency in hertz.

    A whole number of them would let an oscillator with kinks in its waveforms lock on the steps themselves (a ring
    by 4·10⁻⁵ of its frequency), so the steps fall on other phases in each cycle.
    """
    return 1 / (frequency * (points + _ODD_PART))


_ODD_PART = (3 - 5**0.5) / 2  # the golden section, which no small number of cycles makes whole


def supply_current(node: str) -> str:
    """What ngspice calls the current of the source at a node: negative where a supply delivers power."""
    return f"v{node}#branch".lower()


def signals(cell: OscillatorCell) -> tuple[str, ...]:
    """Everything that makes up the state: ``v(node)`` of ports and nodes inside, ``i(inductor)``."""
    ports = [port for port in cell.block.ports if port not in cell.supplies and port != "0"]
    blocks = {b.name.lower(): b for b in (*cell.blocks, cell.block)}
    inside = _nodes_inside(cell.block, blocks)
    return (*(f"v({node})" for node in (*ports, *inside)), *(f"i({name})" for name in cell.inductors))


def _nodes_inside(block: Block | RawBlock, blocks: Mapping[str, Block | RawBlock]) -> list[str]:
    """Nodes of a block that are no ports, and those of the blocks it uses, as ngspice calls them."""
    ports = {port.lower() for port in block.ports} | {"0", "gnd"}
    found = dict.fromkeys(node for name, nodes, _ in _elements(block) for node in nodes if node not in ports)
    deeper = [
        f"{name}.{node}"
        for name, _, called in _elements(block)
        if called is not None and called in blocks  # models of a file that is included are closed to us
        for node in _nodes_inside(blocks[called], blocks)
    ]
    return [*found, *deeper]


def _elements(block: Block | RawBlock) -> Iterator[tuple[str, tuple[str, ...], str | None]]:
    """Name with its letter, nodes, and the block called, in lower case."""
    if isinstance(block, Block):
        for item in block.elements:
            called = item.block.lower() if isinstance(item, Call) else None
            name = f"x{item.name}".lower() if isinstance(item, Call) else item.name.lower()
            yield name, tuple(node.lower() for node in item.nodes), called
        return
    for _, line in logical_lines(block.text):
        if not line.startswith("."):
            read = spice_element(line)
            yield read.name, read.nodes, read.block


def evenly(count: int) -> Array:
    """``count`` phases from 0 up, rad."""
    return np.asarray(np.arange(count) * (2 * np.pi / count), np.float64)
