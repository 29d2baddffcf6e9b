"""A whole hierarchical netlist as data: blocks, test bench, start, stimulus, measurements. Dialects write it.

Names are plain words, without a dialect's prefix letters and without dots: a dot leads into a block. The node ``n1``
in the call ``r03c07`` in the call ``row03`` in the bench's call ``core`` is ``core.row03.r03c07.n1``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import sympy as sp

from device_models.elements import (
    GROUND,
    TIME,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    Inductor,
    Mosfet,
    MosModel,
    PiecewiseLinear,
    RawBlock,
    Resistor,
    Sine,
    Source,
    Transconductance,
    Value,
)
from device_models.printers.spice import full_name
from netlists.circuit import GlobalParameter

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
# a card in a subcircuit of a user's may declare parts of it, and nothing else
_RAW_CARDS = {".subckt", ".ends", ".param", ".model", ".func"}
_OPTION_LINE = re.compile(r"\.(?:options?|param|temp|model|func)\s+[^\r\n]+", re.IGNORECASE)
_RESERVED_PARAMETERS = frozenset(
    """time temp temper tnom freq hertz vt gmin pi e m i v sin cos tan asin acos atan sinh cosh tanh exp ln log log10
    sqrt abs sgn sign min max pow pwr int floor ceil if else and or not""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Frequency:
    """Hertz of a node: between its ``first`` and ``last`` rising crossing of ``level`` volts, counted from 1."""

    name: str
    node: str
    level: float
    first: int
    last: int


@dataclass(frozen=True)
class AverageCurrent:
    """Ampere through a voltage source of the bench, from its first node to its second, between two times."""

    name: str
    source: str
    start: float
    stop: float


Measurement: TypeAlias = Frequency | AverageCurrent
# between which rising crossings a frequency is measured: the first ones belong to the start
_SETTLED = 3


def settled_frequency(name: str, node: str, level: float, cycles: float) -> tuple[Frequency, ...]:
    """The frequency of a node over the later half of about so many cycles; nothing where these are too few."""
    # fewer cells' cycles than the reference's fit in, at worst; a few less are certain to come
    last = int(0.9 * int(cycles)) - 1
    return (Frequency(name, node, level, max(_SETTLED, last // 2), last),) if last > _SETTLED else ()


@dataclass(frozen=True)
class Transient:
    """The analysis: from the initial conditions to ``stop`` seconds, in steps of at most ``step``.

    Nodes that no initial condition names start at 0 V: no operating point is sought. Of the tolerances each simulator
    takes those it has. ``fixed``: the local error sets no step, so that every step is the longest one but where
    breakpoints cut it.
    """

    stop: float
    step: float
    reltol: float = 1e-4
    vntol: float = 1e-6
    abstol: float = 1e-12
    chgtol: float = 1e-15
    method: Literal["trap", "gear"] = "trap"
    fixed: bool = False


@dataclass(frozen=True)
class NoiseCurrent:
    """A current in ampere into a node, linear between points (seconds), none of which is a breakpoint."""

    name: str
    node: str
    times: tuple[str, ...]
    amperes: tuple[float, ...]


@dataclass(frozen=True)
class OperatingPoint:
    """The analysis: where the circuit comes to rest, with all sources at their value at time 0."""

    reltol: float = 1e-6
    vntol: float = 1e-9
    abstol: float = 1e-15


Analysis: TypeAlias = Transient | OperatingPoint


@dataclass(frozen=True)
class Scope:
    """What stands in a block: the block of each call, and the nodes that are no ports."""

    calls: Mapping[str, str]
    inner: frozenset[str]


@dataclass(frozen=True)
class Design:
    """A netlist for any simulator.

    Attributes:
        title: one line.
        notes: comment lines for whoever opens the test bench.
        parameters: global parameters; they stand on top of the cell library.
        blocks: subcircuits, each after those that it calls.
        bench: elements of the test bench.
        analysis: a transient, or an operating point.
        core: names of the blocks that make up the core; they get a file of their own beside the cell library.
        core_title: what stands at its head.
        models: transistor model cards of our own.
        includes: model files of a user's, read by the simulator.
        options: lines in SPICE that those files or raw blocks need: ``.option``, ``.param``, ``.model``, …
        behaviour: ngspice's ``ngbehavior`` that those files need, or empty.
        initial: volts at the start, by node.
        saved: nodes whose voltage is kept.
        currents: voltage sources of the bench whose current is kept.
        measurements: what the simulator computes of the waveforms.
        noise: currents that stand beside the bench, into nodes anywhere; ngspice alone has them.
    """

    title: str
    blocks: tuple[Block | RawBlock, ...]
    bench: tuple[Element, ...]
    analysis: Analysis
    notes: tuple[str, ...] = ()
    parameters: tuple[GlobalParameter, ...] = ()
    core: tuple[str, ...] = ()
    core_title: str = "Core: rows and what couples them; a node's name says its row and column"
    models: tuple[MosModel, ...] = ()
    includes: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()
    behaviour: str = ""
    initial: Mapping[str, float] = field(default_factory=dict)
    saved: tuple[str, ...] = ()
    currents: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    noise: tuple[NoiseCurrent, ...] = ()

    @cached_property
    def block(self) -> Mapping[str, Block | RawBlock]:
        """The blocks by name."""
        return {block.name: block for block in self.blocks}

    @cached_property
    def scopes(self) -> Mapping[str, Scope]:
        """What names mean in the bench (``""``) and in each typed block."""
        typed = [
            (block.name, block.ports, block.elements) for block in self.blocks if isinstance(block, Block)
        ]
        return {
            name: Scope(
                {element.name: element.block for element in elements if isinstance(element, Call)},
                # a port goes by the name that it has outside
                frozenset(node for element in elements for node in nodes_of(element)) - {*ports, GROUND},
            )
            for name, ports, elements in [("", (), self.bench), *typed]
        }


def checked(design: Design) -> Design:
    """The design, if every dialect can say it and all that it names is there.

    Raises:
        ValueError: names the element and says what to do.
    """
    _unique((model.name for model in design.models), "two model cards are called {}: rename one")
    _unique((p.name for p in design.parameters), "two global parameters are called {}: rename one")
    _unique((block.name for block in design.blocks), "two blocks are called {}: rename one")
    for parameter in design.parameters:
        _parameter_name(parameter.name, "the global parameters")
        _finite(parameter.value, f"global parameter {parameter.name}")
    known = {p.name for p in design.parameters}
    models = None if design.includes else {model.name for model in design.models}
    for model in design.models:
        _name(model.name, "a model card")
    earlier: dict[str, Block | RawBlock] = {}
    for block in design.blocks:
        _name(block.name, "a block")
        _unique(block.ports, f"block {block.name} has two ports called {{}}: rename one")
        for port in block.ports:
            _name(port, f"block {block.name}, ports")
        if isinstance(block, RawBlock):
            _check_raw(block)
        else:
            own = set(known)
            for name, value in block.parameters.items():
                _parameter_name(name, f"block {block.name}")
                _check_value(value, own, f"block {block.name}, parameter {name}")
                own.add(name)
            _unique(block.parameters, f"block {block.name} has two parameters called {{}}: rename one")
            _check_scope(block.elements, block.ports, own, earlier, models, f"block {block.name}")
        earlier[block.name] = block
    _check_scope(design.bench, (), known, earlier, models, "the test bench")
    _check_run(design)
    return design


def node_exists(design: Design, path: str) -> bool:
    """Whether a path such as ``core.row03.r03c07.n1`` leads to a node; inside a raw block any name will do."""
    *calls, node = path.split(".")
    scope = design.scopes[""]
    for name in calls:
        block = scope.calls.get(name)
        if block is None or block not in design.scopes:
            return block is not None  # raw, or missing, which is said elsewhere
        scope = design.scopes[block]
    return node in scope.inner


def nodes_of(element: Element) -> tuple[str, ...]:
    """All nodes that an element touches or looks at."""
    match element:
        case Transconductance(nodes=nodes, controls=controls):
            return (*nodes, *controls)
        case Behavioural(nodes=nodes, controls=controls):
            return (*nodes, *(node for pair in controls.values() for node in pair))
        case _:
            return element.nodes


def values_of(element: Element) -> Iterator[tuple[str, Value]]:
    """The values of an element that are numbers or expressions of parameters, with a word on what each is."""
    match element:
        case Resistor(value=value) | Transconductance(value=value):
            yield "value", value
        case Capacitor(value=value, initial=initial) | Inductor(value=value, initial=initial):
            yield "value", value
            if initial is not None:
                yield "initial value", initial
        case Mosfet(width=width, length=length):
            yield from (("width", width), ("length", length))
        case Call(parameters=parameters):
            yield from ((f"parameter {name}", value) for name, value in parameters.items())
        case Source(waveform=Dc(value=value)):
            yield "value", value
        case Source(waveform=Sine(offset=offset, amplitude=amplitude, frequency=frequency, phase=phase)):
            yield from zip(
                ("offset", "amplitude", "frequency", "phase"),
                (offset, amplitude, frequency, phase),
                strict=True,
            )
        case Source(waveform=PiecewiseLinear(points=points)):
            yield from (("point", value) for point in points for value in point)
        case _:
            return


def _check_scope(
    elements: tuple[Element, ...],
    ports: tuple[str, ...],
    known: set[str],
    blocks: Mapping[str, Block | RawBlock],
    models: set[str] | None,
    place: str,
) -> None:
    nodes = set(ports)
    sources = {e.name for e in elements if isinstance(e, Source) and e.kind == "voltage"}
    for element in elements:
        where = f"{place}, {full_name(element)}"
        _name(element.name, place)
        for node in nodes_of(element):
            if node.lower() == "gnd":
                raise ValueError(f"{where}: node {node!r} is ground in some dialects: call ground {GROUND!r}")
            if node != GROUND:
                _name(node, where)
            nodes.add(node)
        for what, value in values_of(element):
            _check_value(value, known, f"{where}, {what}")
        _check_kind(element, known, blocks, models, where)
        _check_sensed(element, sources, where)
    _unique(map(full_name, elements), f"{place} has two elements called {{}}: rename one")
    _unique(
        nodes, f"{place} has nodes that differ in case alone, {{}}: no simulator but Spectre tells them apart"
    )


def _check_kind(
    element: Element,
    known: set[str],
    blocks: Mapping[str, Block | RawBlock],
    models: set[str] | None,
    where: str,
) -> None:
    match element:
        case Behavioural(current=current, controls=controls, where=short, sensed=sensed):
            for expression in short.values():
                _check_symbols(expression, known | {TIME.name}, where)
            named = controls.keys() | short.keys() | sensed.keys()
            _check_symbols(current, known | {TIME.name}, where, known_symbols=named)
        case Source(waveform=PiecewiseLinear(points=points)):
            times = [time for time, _ in points]
            if not times or any(
                not isinstance(a, sp.Basic) and not isinstance(b, sp.Basic) and a >= b
                for a, b in pairwise(times)
            ):
                raise ValueError(f"{where}: the times of a piecewise linear source have to increase")
        case Mosfet(model=model):
            if models is not None and model not in models:
                raise ValueError(f"{where}: no model card {model!r}; there are {sorted(models)}")
        case Call(block=name, nodes=nodes, parameters=parameters):
            if name not in blocks:
                raise ValueError(f"{where}: no block {name!r} before it; give the block, or put it earlier")
            block = blocks[name]
            if len(nodes) != len(block.ports):
                raise ValueError(
                    f"{where}: {len(nodes)} nodes for the {len(block.ports)} ports of {name} ({' '.join(block.ports)})"
                )
            unknown = sorted(set(parameters) - set(block.parameters))
            if unknown:
                raise ValueError(
                    f"{where}: block {name} has no parameter {', '.join(unknown)}, only {sorted(block.parameters)}"
                )
        case _:
            pass


def _check_sensed(element: Element, sources: set[str], where: str) -> None:
    for name in sorted(set(element.sensed.values()) - sources) if isinstance(element, Behavioural) else ():
        raise ValueError(
            f"{where}: it senses the current of {name!r}, which is no voltage source of the same block"
        )


def _check_value(value: Value, known: set[str], where: str) -> None:
    if isinstance(value, sp.Basic):
        _check_symbols(value, known, where)
    else:
        _finite(value, where)


def _check_symbols(
    expression: sp.Expr, known: set[str], where: str, known_symbols: Iterable[sp.Symbol] = ()
) -> None:
    unknown = sorted(s.name for s in expression.free_symbols - set(known_symbols) if s.name not in known)
    if unknown:
        raise ValueError(
            f"{where}: unknown parameter {', '.join(unknown)}; declare it in the block or among the global parameters"
        )


def _check_raw(block: RawBlock) -> None:
    lines = [line.split() for line in block.text.splitlines() if line.strip()]
    cards = [words for words in lines if not words[0].startswith(("*", "+"))]
    first, last = (cards[0], cards[-1]) if cards else ([""], [""])
    if (
        first[0].lower() != ".subckt"
        or [word.lower() for word in first[1:2]] != [block.name.lower()]
        or last[0].lower() != ".ends"
    ):
        raise ValueError(f"block {block.name}: its SPICE has to run from .subckt {block.name} to .ends")
    for words in cards:
        if words[0].startswith(".") and words[0].lower() not in _RAW_CARDS:
            raise ValueError(
                f"block {block.name}: {words[0]} is not allowed in a subcircuit, only {sorted(_RAW_CARDS)}: take it out"
            )


def _check_run(design: Design) -> None:
    run = design.analysis
    moving = isinstance(run, Transient)
    what, tolerances = "transient" if moving else "operating point", ("reltol", "vntol", "abstol")
    for name in (*tolerances, *(("stop", "step", "chgtol") if moving else ())):
        value = getattr(run, name)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"the {what}'s {name} has to be a positive number, not {value}")
    if not moving and (design.initial or design.measurements):
        raise ValueError(
            "an operating point has no start and nothing to measure along the way: leave both out"
        )
    for node, value in design.initial.items():
        _finite(value, f"initial condition of {node}")
    sources = {e.name for e in design.bench if isinstance(e, Source) and e.kind == "voltage"}
    _unique((m.name for m in design.measurements), "two measurements are called {}: rename one")
    for place, nodes in [
        ("an initial condition", list(design.initial)),
        ("a saved node", list(design.saved)),
        ("a measurement", [m.node for m in design.measurements if isinstance(m, Frequency)]),
        ("a noise current", [current.node for current in design.noise]),
    ]:
        for node in nodes:
            if not node_exists(design, node):
                raise ValueError(
                    f"{place} names {node!r}, which is no node: give the calls on the way to it and its name inside, "
                    "such as core.row00.r00c00.n1, and a port's outer name"
                )
    for name in (
        *design.currents,
        *(m.source for m in design.measurements if isinstance(m, AverageCurrent)),
    ):
        if name not in sources:
            raise ValueError(
                f"the current of {name!r} is asked for, which is no voltage source of the test bench"
            )
    for m in design.measurements:
        _name(m.name, "a measurement")
        if isinstance(m, Frequency) and not 1 <= m.first < m.last:
            raise ValueError(f"measurement {m.name}: crossings {m.first} to {m.last} make no period")
        if (
            isinstance(m, AverageCurrent)
            and isinstance(run, Transient)
            and not 0 <= m.start < m.stop <= run.stop
        ):
            raise ValueError(f"measurement {m.name}: from {m.start} to {m.stop} is not within the run")
    unknown = sorted(set(design.core) - set(design.block))
    if unknown:
        raise ValueError(f"no block is called {', '.join(unknown)}, named as part of the core")
    for path in design.includes:
        if not re.fullmatch(r"[^\"'\s\\]+", str(path)):
            raise ValueError(
                f"model file {str(path)!r}: a netlist can't name it: no quotes, blanks, backslashes"
            )
    for line in design.options:
        if not _OPTION_LINE.fullmatch(line):
            raise ValueError(
                f"not an option line: {line!r} (such as .option scale=1e-6, or a .model or .param)"
            )
    if not re.fullmatch(r"[a-z0-9]*", design.behaviour):
        raise ValueError(f"not a name of ngspice's behaviour: {design.behaviour!r} (such as hsa)")


def _name(name: str, where: str) -> None:
    if not _NAME.match(name):
        raise ValueError(
            f"{where}: {name!r} can't be a name in a netlist: letters, digits and '_', starting with a letter"
        )


def _parameter_name(name: str, where: str) -> None:
    _name(name, where)
    if name.lower() in _RESERVED_PARAMETERS:
        raise ValueError(
            f"{where}: a parameter can't be called {name!r}, which means something else: rename it"
        )


def _finite(value: float, where: str) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{where}: {value} is not a finite number")


def _unique(names: Iterable[str], complaint: str) -> None:
    """SPICE does not tell upper from lower case, so no two names may differ in it alone."""
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise ValueError(complaint.format(", ".join(twice)))
