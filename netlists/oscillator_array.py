"""An array of oscillator cells as a hierarchy of blocks: cells and drivers in rows, rows and couplers in a core.

Nodes are named by row and column: ``r03c07_n1`` is port n1 of the cell at row 3, column 7, everywhere at the core's
level. Inside its row the cell is ``r03c07``, its injection driver ``s_r03c07``, its reference driver ``b_r03c07``. A
coupler is ``k_<receiver>_<sender>``, with ``x`` at the end where it is wired crossed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp

from device_models.elements import (
    GROUND,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    MosModel,
    RawBlock,
    Sine,
    Source,
    Transconductance,
    Value,
    scheduled,
)
from device_models.oscillator_cell import CouplerType, OscillatorCell
from netlists.cell_bench import fixed_step
from netlists.characterization import Characterization
from netlists.circuit import Inventory
from netlists.core import AnalogCore, Array, Index
from netlists.held_nodes import held_nodes
from netlists.inventory import inventory
from netlists.sizing import Sizing, SizingError

INJECTION_LINE, REFERENCE_LINE = "line_shil", "line_ref"
CELLS_SUPPLY, COUPLERS_SUPPLY = "cells", "couplers"
CORE_CALL = "core"
COUPLER = "k_"  # begins the name of every coupler


@dataclass(frozen=True)
class OscillatorArray:
    """A core as blocks and a bench; what changes from sample to sample is in ``initial`` alone.

    Attributes:
        title: one line.
        cell: the oscillator.
        models: transistor cards.
        blocks: subcircuits, each after those it uses; the core is the last.
        bench: sources and the core's call.
        outputs: (N,) node of each cell's output as seen from the bench.
        supplies: nodes of the oscillators' and of the couplers' supplies, with their volts.
        core: the grid.
        sizing: the numbers.
        coupler: the type of all couplers.
        step, stop: seconds.
    """

    title: str
    cell: OscillatorCell
    models: tuple[MosModel, ...]
    blocks: tuple[Block | RawBlock, ...]
    bench: tuple[Element, ...]
    outputs: tuple[str, ...]
    supplies: Mapping[str, Mapping[str, float]]
    core: AnalogCore
    sizing: Sizing
    coupler: CouplerType
    step: float
    stop: float

    @cached_property
    def inventory(self) -> Inventory:
        """Flattened elements by kind, and unknowns; those inside a user's own SPICE are not counted."""
        return inventory(self.blocks, self.bench)

    @property
    def counted(self) -> bool:
        """Whether all elements are known by type."""
        return not self.cell.includes and not any(isinstance(block, RawBlock) for block in self.blocks)

    def initial(self, known: Characterization, phases: Array) -> tuple[dict[str, float], dict[str, float]]:
        """Volts by node and ampere by bench parameter of cells that stand at (N,) phases of the limit cycle."""
        values = known.cycle.at(phases)
        # supplies too: with `uic` what is not named starts at 0 V, and would have to jump
        volts = {node: level for group in self.supplies.values() for node, level in group.items()}
        currents: dict[str, float] = {}
        ports = [port.lower() for port in self.cell.block.ports]
        columns = self.core.shape[1]
        for node, name in enumerate(self.core.node_names):
            row = f"row{node // columns:02d}"
            for signal, value in zip(known.cycle.signals, values[node].tolist(), strict=True):
                inside = signal[2:-1]
                if signal.startswith("i("):
                    currents[initial_current(name, inside)] = value
                elif inside.lower() in ports:
                    volts[f"x{CORE_CALL}.{name}_{inside}".lower()] = value
                else:
                    volts[f"x{CORE_CALL}.x{row}.x{name}.{inside}".lower()] = value
        return volts | self._coupler_nodes, currents

    @cached_property
    def _coupler_nodes(self) -> dict[str, float]:
        """Volts of the nodes inside the couplers, such as those of their bits, whatever the phases."""
        blocks = {block.name: block for block in self.blocks}
        supplies = self.supplies[COUPLERS_SUPPLY]
        known: dict[str, dict[str, float]] = {}  # couplers with the same code are alike
        found: dict[str, float] = {}
        core = self.blocks[-1]
        assert isinstance(core, Block)
        for call in core.elements:
            block = blocks[call.block] if isinstance(call, Call) else None
            if (
                not isinstance(call, Call)
                or not isinstance(block, Block)
                or not call.name.startswith(COUPLER)
            ):
                continue
            key = repr((block.name, call.parameters))
            if key not in known:
                held = {p: supplies[n] for p, n in zip(block.ports, call.nodes, strict=True) if n in supplies}
                known[key] = held_nodes(block, blocks, call.parameters, held)
            found |= {f"x{CORE_CALL}.x{call.name}.{node}".lower(): v for node, v in known[key].items()}
        return found


def initial_current(node: str, inductor: str) -> str:
    """Bench parameter of an inductor's initial current."""
    return f"ic_{node}_{inductor}"


def build_array(
    core: AnalogCore, cell: OscillatorCell, known: Characterization, sizing: Sizing, coupler: CouplerType,
    switches: Sequence[float], stop: float, wire_farads: Array | None = None, tuned: Array | None = None,
) -> OscillatorArray:  # fmt: skip
    """The array of a sized core.

    Args:
        core: the grid, as built.
        cell: the oscillator; its coupler's block takes a bit a chunk where it has bits.
        known: its characterisation.
        sizing: of the core.
        coupler: the type that was sized.
        switches: (T−1,) seconds at which a chunk ends.
        stop: seconds of the run.
        wire_farads: (N,) capacitance of the wires at each cell's output, farad; None for none.
        tuned: (N,) values of the parameter that tunes the cells; None: all cells are alike.

    Raises:
        SizingError: weights that change in time on a coupler that can't.
    """
    names = core.node_names
    rows, columns = core.shape
    drivers = _drivers(cell, switches)
    shared = tuple(port for port in cell.block.ports if port in cell.supplies)
    own = tuple(port for port in cell.block.ports if port not in cell.supplies and port != GROUND)
    row_blocks = []
    for row in range(rows):
        nodes = range(row * columns, (row + 1) * columns)
        elements: list[Element] = []
        for node in nodes:
            name = names[node]
            wires = tuple(f"{name}_{port}" if port in own else port for port in cell.block.ports)
            starts: dict[str, Value] = {
                f"ic_{key}": sp.Symbol(initial_current(name, key), real=True) for key in cell.inductors
            }
            elements.append(Call(name, wires, cell.block.name, starts | _tuning(cell, tuned, node)))
            elements += _driven(name, cell, sizing, node)
            if wire_farads is not None and wire_farads[node] > 0:
                elements.append(
                    Capacitor(f"w_{name}", (f"{name}_{cell.output}", GROUND), float(wire_farads[node]))
                )
        ports = (
            *(f"{names[node]}_{port}" for node in nodes for port in own),
            *shared,
            INJECTION_LINE,
            REFERENCE_LINE,
        )
        row_blocks.append(Block(
            f"row{row:02d}", ports, tuple(elements), f"Row {row}: {columns} cells with their drivers",
        ))  # fmt: skip
    calls: list[Element] = [Call(block.name, block.ports, block.name) for block in row_blocks]
    calls += _couplers(core, sizing, coupler)
    supplied = sorted(
        {wire.port for wire in (*coupler.straight, *(coupler.crossed or ())) if wire.side == "global"}
    )
    core_ports = (
        *(f"{names[node]}_{cell.output}" for node in core.visible.tolist()),
        *shared, *(_coupler_supply(port) for port in supplied), INJECTION_LINE, REFERENCE_LINE,
    )  # fmt: skip
    core_block = Block(
        "oscillator_core", core_ports, tuple(calls),
        f"Core: {rows} x {columns} cells, {len(sizing.links.edge)} couplers",
        notes=(
            "ports: outputs of the visible cells in the image's row-major order, supplies, and the two lines",
            f"k_<receiver>_<sender> is the {coupler.name} coupler between these two cells"
            + (", with x at its end where it is wired crossed, for the other sign" if coupler.crossed else ""),
        ),
    )  # fmt: skip
    own_blocks = (
        *cell.blocks, cell.block, *drivers,
        *(block for block in coupler.blocks if block.name not in {b.name for b in cell.blocks}),
    )  # fmt: skip
    blocks = (*(_with_cards(block, cell) for block in own_blocks), *row_blocks, core_block)
    supplies = {
        CELLS_SUPPLY: {port: cell.supplies[port] for port in shared},
        COUPLERS_SUPPLY: {_coupler_supply(port): cell.supplies[port] for port in supplied},
    }
    shown = set(core.visible.tolist())
    outputs = tuple(
        f"{name}_{cell.output}" if node in shown else f"x{CORE_CALL}.{name}_{cell.output}"
        for node, name in enumerate(names)
    )
    return OscillatorArray(
        title=f"{cell.title}: {rows} x {columns} cells, {len(sizing.links.edge)} {coupler.name} couplers, "
        f"{core.chunks} chunk(s)",
        cell=cell, models=cell.models, blocks=blocks,
        bench=(*_sources(supplies, known, sizing), Call(CORE_CALL, core_ports, core_block.name)),
        outputs=outputs, supplies=supplies, core=core, sizing=sizing, coupler=coupler,
        step=fixed_step(known.f0_hz, known.points_per_cycle), stop=stop,
    )  # fmt: skip


def _with_cards(block: Block | RawBlock, cell: OscillatorCell) -> Block | RawBlock:
    """A user's subcircuit with the model cards and parameters that stand beside it in its file."""
    cards = [line for line in cell.options if not is_option(line)]
    if isinstance(block, Block) or not cards:
        return block
    body, ends = block.text.rstrip().rsplit("\n", 1)
    return replace(block, text="\n".join([body, *cards, ends]))


def is_option(line: str) -> bool:
    """Whether a line of a cell's is for the whole netlist; others, such as models, are for its subcircuits."""
    return line.lower().startswith((".option", ".temp"))


def _coupler_supply(port: str) -> str:
    return f"{port}_{COUPLERS_SUPPLY}"


def _sources(
    supplies: Mapping[str, Mapping[str, float]], known: Characterization, sizing: Sizing
) -> list[Element]:
    """Supplies, and the two lines: 1 V cosines at the carrier and at twice that."""
    found: list[Element] = [
        Source(node, "voltage", (node, GROUND), Dc(volts))
        for group in supplies.values()
        for node, volts in group.items()
    ]
    turns = {
        INJECTION_LINE: (2 * sizing.carrier_hz, known.shil.drive_phase if known.shil else 0.0),
        REFERENCE_LINE: (sizing.carrier_hz, known.reference_phase),
    }
    # a sine a quarter of a turn early is the cosine
    return found + [
        Source(line, "voltage", (line, GROUND), Sine(0.0, 1.0, hertz, phase + math.pi / 2))
        for line, (hertz, phase) in turns.items()
    ]


def _tuning(cell: OscillatorCell, tuned: Array | None, node: int) -> dict[str, Value]:
    return {} if tuned is None else {cell.tuning: float(tuned[node])}


def _drivers(cell: OscillatorCell, switches: Sequence[float]) -> tuple[Block, ...]:
    """The injection's and the reference's driver: a line's voltage becomes a current into the cell."""
    gain = scheduled("gm", switches)
    parameters: dict[str, Value] = {f"gm_{chunk}": 0.0 for chunk in range(1, len(switches) + 2)}
    pumped = cell.shil_kind == "pump"
    return (
        Block(
            "shil_driver", ("line", "out"), (_driver(gain, switches, pumped),),
            "Sub-harmonic injection: "
            + ("a conductance pumped by the line, which carries twice the carrier" if pumped
               else "a current from the line, which carries twice the carrier"),
            parameters, ("gm_T siemens per volt of the line, in time chunk T",),
        ),
        Block(
            "reference_driver", ("line", "out"), (_driver(gain, switches, False),),
            "Pull of the common reference: a current from the line at the carrier",
            parameters, ("gm_T siemens in time chunk T",),
        ),
    )  # fmt: skip


def _driver(gain: sp.Expr, switches: Sequence[float], pumped: bool) -> Element:
    if not switches and not pumped:
        return Transconductance("m", (GROUND, "out"), ("line", GROUND), gain)
    line, out = sp.symbols("line out", real=True)
    controls = {line: ("line", GROUND)} | ({out: ("out", GROUND)} if pumped else {})
    return Behavioural("m", (GROUND, "out"), gain * line * (out if pumped else 1), controls)


def _driven(name: str, cell: OscillatorCell, sizing: Sizing, node: int) -> list[Element]:
    """The drivers of a cell that has any drive."""
    found: list[Element] = []
    for letter, block, line, port, drive in [
        ("s", "shil_driver", INJECTION_LINE, cell.shil, sizing.injection),
        ("b", "reference_driver", REFERENCE_LINE, cell.injections[0], sizing.reference),
    ]:
        if drive[:, node].any():
            gains = {f"gm_{chunk}": float(value) for chunk, value in enumerate(drive[:, node], 1)}
            found.append(Call(f"{letter}_{name}", (line, f"{name}_{port}"), block, gains))
    return found


def _couplers(core: AnalogCore, sizing: Sizing, coupler: CouplerType) -> list[Element]:
    links, names = sizing.links, core.node_names
    found: list[Element] = []
    for q, (receiver, sender, crossed) in enumerate(
        zip(links.receiver.tolist(), links.sender.tolist(), links.crossed.tolist(), strict=True)
    ):
        wiring = coupler.crossed if crossed and coupler.crossed is not None else coupler.straight
        wires = []
        for wire in wiring:
            side = {"sender": names[sender], "receiver": names[receiver]}.get(wire.side)
            wires.append(_coupler_supply(wire.port) if side is None else f"{side}_{wire.port}")
        name = f"{COUPLER}{names[receiver]}_{names[sender]}{'x' if crossed else ''}"
        given = _strengths(coupler, links.strength[:, q], float(links.whole[q]),
                           None if links.codes is None else links.codes[:, q])  # fmt: skip
        found.append(Call(name, tuple(wires), coupler.blocks[-1].name, given))
    return found


def _strengths(coupler: CouplerType, strength: Array, full: float, codes: Index | None) -> dict[str, Value]:
    """Parameters of one coupler: its strength, or that of its legs and a bit a leg and chunk."""
    if coupler.in_chunks is None:  # one value for all time is all it takes
        changes = np.ptp(codes) if coupler.bits and codes is not None else np.ptp(strength)
        if changes > 0:
            raise SizingError(
                f"the weights change in time, and the coupler {coupler.name!r} can't. Take another --coupler, or "
                "weights with one time chunk."
            )
        strength, codes = strength[:1], None if codes is None else codes[:1]
    if coupler.bits and codes is not None:
        bits = {
            f"{bit}_{chunk}": float((int(code) >> k) & 1)
            for k, bit in enumerate(coupler.bits)
            for chunk, code in enumerate(codes, 1)
        }
        return {coupler.strength: full, **bits}
    if coupler.scheduled:
        return {f"{coupler.strength}_{chunk}": float(value) for chunk, value in enumerate(strength, 1)}
    return {coupler.strength: float(strength[0])}
