"""A compiled core of behavioural cells as a design, for the dialects beyond ngspice's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import sympy as sp

from device_models.elements import Block, Call, Element, PiecewiseLinear, Source, Value
from device_models.model import coupling_form
from device_models.phase_cell import cell_block, coupler_block
from netlists.circuit import Circuit, GlobalParameter, Instance
from netlists.core import AnalogCore, Array
from netlists.design import Design, Frequency, Transient
from netlists.dialects.ngspice import SolverOptions

_CLOCK_NOTE = ("The source chunk is a ramp that nothing reads: its corners are where time steps have to end",)


def phase_design(
    core: AnalogCore, circuit: Circuit, options: SolverOptions, initial: Array, currents: Array | None = None, *,
    notes: tuple[str, ...] = (), measurements: Sequence[Frequency] = (),
) -> Design:  # fmt: skip
    """The design of ``compile_core(core, …)`` with behavioural devices.

    Args:
        core: what was compiled.
        circuit: the result.
        options: of the solver.
        initial: (N,) states in their unit, one volt each.
        currents: (N,) ampere in the inductors at the start, where cells have them; None is no current.
        notes: comment lines for whoever opens the test bench.
        measurements: of nodes as ``circuit.state_nodes`` names them.

    Raises:
        ValueError: compiled devices, which no other simulator reads.
    """
    if circuit.device_source is not None:
        raise ValueError("compiled devices are ngspice's alone: take behavioural ones")
    model = core.family
    form = coupling_form(model, symmetric=core.symmetric)
    block = Block(
        circuit.core.name, circuit.core.ports, _calls(circuit.core.instances), f"Core: {circuit.core.title}",
        notes=("ports are the visible nodes in the image's row-major order; rNNcNN is row and column on the grid",),
    )  # fmt: skip
    bench = _calls(circuit.bench)
    if circuit.clock is not None:
        clock = circuit.clock
        bench += (Source(clock.name[1:], "voltage", clock.nodes, PiecewiseLinear(tuple(clock.points))),)
    paths = tuple(_path(node) for node in circuit.state_nodes)
    amperes = np.zeros(len(circuit.tanks)) if currents is None else currents
    starts = tuple(
        GlobalParameter(tank, float(value), "initial current of an inductor, ampere")
        for tank, value in zip(circuit.tanks, amperes, strict=True)
    )
    step = options.step or circuit.stop / options.rows
    return Design(
        title=circuit.title,
        notes=(*notes, *_CLOCK_NOTE) if circuit.clock is not None else notes,
        parameters=(*circuit.globals, *starts),
        blocks=(cell_block(model, core.chunks), coupler_block(model, core.chunks, form), block),
        core=(block.name,),
        bench=bench,
        analysis=Transient(
            circuit.stop, step, options.reltol, options.vntol, options.abstol(circuit.scaling.conductance),
            options.chgtol(circuit.scaling.capacitance), "gear" if options.method == "gear" else "trap",
            fixed=options.step is not None,
        ),
        initial=dict(zip(paths, initial.tolist(), strict=True)),
        saved=paths,
        measurements=tuple(replace(m, node=_path(m.node)) for m in measurements),
    )  # fmt: skip


def _calls(instances: Iterable[Instance]) -> tuple[Element, ...]:
    found = []
    for instance in instances:
        parameters: dict[str, Value] = dict(instance.parameters)
        parameters |= {name: sp.Symbol(other, real=True) for name, other in instance.references.items()}
        found.append(Call(instance.name.removeprefix("X"), instance.nodes, instance.subcircuit, parameters))
    return tuple(found)


def _path(node: str) -> str:
    """A node as ngspice names it, with the calls' names as the design has them."""
    *calls, last = node.split(".")
    return ".".join([*(call.removeprefix("x") for call in calls), last])
