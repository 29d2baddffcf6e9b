"""A Langevin network as a hierarchy of blocks: parts, a block a module, a block a skip, and the core that joins them.

Node n of module m is ``m<m>n<n>``, modules counted from 1 and nodes from 0, such as ``m1n007``; with two rails it is
``m1n007_p`` and ``m1n007_n``. A skip is two sets of summing buses, from y to x and from x to y, with a transconductor
from each node into each bus and one from each bus into each node: 4Dk for rank k between modules of D nodes. The
product of its factors, which would take 2D², is nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from device_models.conductances import Ota, Part, Technology, bias_converter, storage
from device_models.elements import Block, Call, Element
from netlists.bias import BiasConverter, amperes, bias_elements, bias_nodes
from netlists.bilinear import wiring
from netlists.circuit import GlobalParameter, Inventory, scaling_parameters
from netlists.conductances import Conductances, ModuleConductances
from netlists.core import Array
from netlists.inventory import inventory
from netlists.network import Skip
from netlists.printable import printable
from netlists.scaling import NetworkScaling

CORE_CALL, CORE_BLOCK = "core", "langevin_core"
_GROUND_PARTS: Mapping[Part, str] = {"leak": "g", "negative_leak": "a"}
_HOLD = 0.1  # in units of g


@dataclass(frozen=True)
class NetworkCircuit:
    """A compiled network; what changes from input to input is in ``bench`` alone.

    Attributes:
        title: one line.
        conductances: what it is made of.
        scaling: model units to SI.
        converter: of the forces; None for ideal current sources.
        parameters: what stands at the head of the cell library.
        parts: blocks of the cell library.
        core: blocks of the network, each after those it calls.
        nodes: (N,) name of each node, without rails.
    """

    title: str
    conductances: Conductances
    scaling: NetworkScaling
    converter: BiasConverter | None
    parameters: tuple[GlobalParameter, ...]
    parts: tuple[Block, ...]
    core: tuple[Block, ...]
    nodes: tuple[str, ...]

    @property
    def technology(self) -> Technology:
        """How conductances are made."""
        return self.conductances.technology

    @property
    def wires(self) -> tuple[str, ...]:
        """(N × rails,) the nodes' wires, as the bench names them."""
        return tuple(wire for node in self.nodes for wire in self.technology.wires(node))

    def bench(self, bias: Array | None) -> tuple[Element, ...]:
        """The core, and what drives each node with its (N,) force in model units; None for the core alone.

        Raises:
            BiasError: beyond the converters' full scale.
        """
        core = Call(CORE_CALL, self.wires, CORE_BLOCK)
        if bias is None:
            return (core,)
        return (core, *bias_elements(self.nodes, bias, self.scaling, self.technology, self.converter))

    def forces(self, biases: Array) -> Array:
        """(..., N) forces as the nodes get them: rounded to codes where there are converters.

        Raises:
            BiasError: beyond the converters' full scale.
        """
        return (
            biases
            if self.converter is None
            else np.asarray(self.converter.codes(biases) * self.converter.lsb)
        )

    def currents(self, biases: Array) -> dict[tuple[str, str], Array]:
        """(S,) ampere of (S, N) forces, by the wires that they flow from and to."""
        columns = amperes(self.forces(biases), self.scaling, self.technology).T
        return dict(zip(bias_nodes(self.nodes, self.technology), columns, strict=True))

    def inventory(self, bench: Iterable[Element]) -> Inventory:
        """Primitives and unknowns of the core and a bench around it."""
        return inventory((*self.parts, *self.core), bench)

    def states(self, volts: Array) -> Array:
        """(…, N) states of (…, N × rails) voltages of ``wires``."""
        rails = volts.reshape(*volts.shape[:-1], len(self.nodes), len(self.technology.rails))
        difference = rails[..., 0] - rails[..., 1] if rails.shape[-1] > 1 else rails[..., 0]
        return np.asarray(difference / self.scaling.volts)

    def volts(self, states: Array) -> dict[str, float]:
        """Volts of every wire for (N,) states."""
        rails = len(self.technology.rails)
        shares = np.array([1.0] if rails == 1 else [0.5, -0.5])
        values = (states[:, None] * shares * self.scaling.volts).ravel()
        return dict(zip(self.wires, values.tolist(), strict=True))


def compile_network(
    made: Conductances,
    scaling: NetworkScaling,
    converter: BiasConverter | None = None,
    ota: Ota | None = None,
) -> NetworkCircuit:
    """The circuit of a network.

    Args:
        made: its conductances, from ``realised``.
        scaling: model units to SI.
        converter: of the forces; None for ideal current sources.
        ota: figures of the amplifiers, those that the technology was made with; None if it has none.
    """
    technology, modules = made.technology, made.modules
    names = [
        [f"m{number}n{node:0{_width(len(module.own))}d}" for node in range(len(module.own))]
        for number, module in enumerate(modules, 1)
    ]
    blocks = [_module(module, number, technology) for number, module in enumerate(modules, 1)]
    calls: list[Element] = [
        Call(f"m{number}", _wires(names[number - 1], technology), block.name)
        for number, block in enumerate(blocks, 1)
    ]
    for number, skip in enumerate(made.skips, 1):
        block = _skip(skip, number, technology, len(str(skip.rank - 1)))
        blocks.append(block)
        ends = (names[skip.onto], names[skip.other])
        calls.append(Call(f"skip{number}", _wires([n for end in ends for n in end], technology), block.name))
    nodes = tuple(node for module in names for node in module)
    core = Block(
        CORE_BLOCK, _wires(nodes, technology), tuple(calls),
        f"Core: {len(nodes)} nodes in {len(modules)} module(s), {len(made.skips)} skip(s)",
        notes=(f"{technology.name}: {technology.title}", _wiring_said(made)),
    )  # fmt: skip
    used = {call.block for block in blocks for call in block.elements if isinstance(call, Call)}
    parts = [
        part
        for name, part in technology.blocks.items()
        if name in used or (name == "ota" and _amplified(used))
    ]
    if converter is not None:
        parts.append(bias_converter(converter.bits, technology.rails))
    return NetworkCircuit(
        title=f"Langevin network, {technology.name}: {len(nodes)} nodes in {len(modules)} module(s)",
        conductances=made, scaling=scaling, converter=converter,
        parameters=tuple(_parameters(made, scaling, converter, ota)),
        parts=tuple(parts), core=(*blocks, core), nodes=nodes,
    )  # fmt: skip


def _amplified(used: set[str]) -> bool:
    active: set[Part] = {"negative", "negative_leak", "transconductor", "bus_input"}
    return bool(used & active)


def _parameters(
    made: Conductances, scaling: NetworkScaling, converter: BiasConverter | None, ota: Ota | None
) -> Iterator[GlobalParameter]:
    yield from scaling_parameters(scaling)
    yield GlobalParameter("ais_v", scaling.volts, "volts of one unit of state")
    if made.skips:
        yield GlobalParameter("ais_bus", scaling.bus, "load of a summing bus, siemens")
        yield GlobalParameter("ais_cbus", scaling.bus_capacitance, "capacitance of a summing bus, farad")
    if ota is not None:
        for name, key in (("ota_gain", "gain"), ("ota_pole", "bandwidth_hz"), ("ota_range", "input_range")):
            meaning = Ota.model_fields[key].description
            yield GlobalParameter(name, float(getattr(ota, key)), f"amplifiers: {meaning}")
    if converter is not None:
        yield GlobalParameter(
            "ais_lsb", converter.lsb * scaling.current, "one code of a bias converter, ampere"
        )


def _wiring_said(made: Conductances) -> str:
    """The skips' parts against those of their products."""
    said = []
    for number, skip in enumerate(made.skips, 1):
        counts = wiring(skip)
        said.append(
            f"skip {number}, rank {skip.rank}: {counts.bus} transconductors, {counts.dense} without buses; as many at "
            f"rank {counts.break_even:.4g}"
        )
    return "; ".join(said) or "no skips"


def _module(module: ModuleConductances, number: int, technology: Technology) -> Block:
    """Capacitors, own conductances and wells of a module's nodes, and the couplings between them."""
    width = _width(len(module.own))
    labels = [f"{node:0{width}d}" for node in range(len(module.own))]
    names = ["n" + label for label in labels]
    elements: list[Element] = []
    for name, label, own, well in zip(names, labels, module.own.tolist(), module.well.tolist(), strict=True):
        wires = technology.wires(name)
        elements += storage(name, wires, technology.rails)
        for part, k in _to_ground(own, technology):
            elements.append(Call(f"{_GROUND_PARTS[part]}_{label}", wires, part, {"k": k}))
        if well:
            elements.append(Call(f"w_{label}", wires, "well", {"j4": well}))
    for (i, j), strength in zip(module.pairs.tolist(), module.strength.tolist(), strict=True):
        wires = (*technology.wires(names[i]), *technology.wires(names[j]))
        kind: Part = "passive" if strength < 0 else "negative"
        elements.append(Call(f"k_{labels[i]}_{labels[j]}", wires, kind, {"k": abs(strength)}))
    return Block(
        f"module_{number}", _wires(names, technology), tuple(elements),
        f"Module {number} ({printable(module.name)}): {len(names)} nodes, {len(module.pairs)} couplings",
        notes=(
            "g_<node> and a_<node>: conductance to ground, positive and negative: what is left of M_ii when the "
            "couplings' shares are taken off",
            "k_<i>_<j>: passive is M_ij = -k, negative M_ij = k, in units of ais_g",
        ),
    )  # fmt: skip


def _to_ground(own: float, technology: Technology) -> list[tuple[Part, float]]:
    """Parts of a node's own conductance.

    Of two rails a pair of both signs, which is nothing to their difference, keeps what they share from floating.
    """
    if own:
        return [("leak" if own > 0 else "negative_leak", abs(own))]
    return [("leak", _HOLD), ("negative_leak", _HOLD)] if len(technology.rails) > 1 else []


def _skip(skip: Skip, number: int, technology: Technology, width: int) -> Block:
    """Buses from y to x and from x to y."""
    ends = {
        letter: [f"{letter}{node:0{_width(len(factor))}d}" for node in range(len(factor))]
        for letter, factor in (("x", skip.left), ("y", skip.right))
    }
    elements: list[Element] = []
    for source, into, to, out_of in (("y", skip.right, "x", skip.left), ("x", skip.left, "y", skip.right)):
        for rank in range(skip.rank):
            label = f"{source}{to}_{rank:0{width}d}"
            bus = technology.wires(f"bus_{label}")
            elements.append(Call(f"bus_{label}", bus, "bus"))
            for name, k in zip(ends[source], into[:, rank].tolist(), strict=True):
                if k:
                    wires = (*technology.inputs(name, k < 0), *bus)
                    elements.append(Call(f"in_{label}_{name}", wires, "bus_input", {"k": abs(k)}))
            for name, k in zip(ends[to], out_of[:, rank].tolist(), strict=True):
                if k:  # the rate is −M x
                    wires = (*technology.inputs(f"bus_{label}", k > 0), *technology.wires(name))
                    elements.append(Call(f"out_{label}_{name}", wires, "transconductor", {"k": abs(k)}))
    rows, columns = len(skip.left), len(skip.right)
    return Block(
        f"skip_{number}", _wires([*ends["x"], *ends["y"]], technology), tuple(elements),
        f"Skip {number} of rank {skip.rank}: module {skip.other + 1} (y, {columns} nodes) and module "
        f"{skip.onto + 1} (x, {rows} nodes)",
        notes=(
            "in_<bus>_<node> adds k times the node's voltage to the bus, out_<bus>_<node> takes k times the bus's "
            "from the node; a factor of the other sign has its inputs swapped",
        ),
    )  # fmt: skip


def _wires(nodes: Iterable[str], technology: Technology) -> tuple[str, ...]:
    return tuple(wire for node in nodes for wire in technology.wires(node))


def _width(count: int) -> int:
    return max(3, len(str(count - 1)))
