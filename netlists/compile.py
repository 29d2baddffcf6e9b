"""Compiles an analog core into a circuit: cells, couplers, schedule, test bench."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from device_models.model import CouplingForm, coupling_form
from device_models.phase_cell import (
    INITIAL_CURRENT,
    cell_block,
    common_parameter,
    coupler_block,
    coupler_name,
    summing_ports,
)
from device_models.printers.osdi import Jacobian
from device_models.printers.spice import NGSPICE, block_text
from netlists.carrier import carrier_parameter
from netlists.circuit import (
    Circuit,
    GlobalParameter,
    Instance,
    Inventory,
    Subcircuit,
    VoltageSteps,
    scaling_parameters,
)
from netlists.compile_compiled import compile_compiled
from netlists.core import AnalogCore
from netlists.noise import FIRST_STRETCH, NoiseGrid
from netlists.scaling import Scaling

# A breakpoint may be hit an ulp or two late: the switch waits this much longer, relative to the boundary,
# so that the step that ends there still belongs to the old chunk.
SWITCH_DELAY = 1e-9


Devices = Literal["behavioural", "compiled"]


def compile_core(
    core: AnalogCore, scaling: Scaling, devices: Devices = "behavioural", jacobian: Jacobian = "own",
    noise: NoiseGrid | None = None,
) -> Circuit:  # fmt: skip
    """The circuit of a core at the phase level, with behavioural or compiled devices, with noise or without."""
    boundaries = [scaling.seconds(float(t)) for t in core.boundaries]
    switches = [boundary * (1 + SWITCH_DELAY) for boundary in boundaries[1:-1]]
    corners = [(t, float(k)) for k, t in enumerate(boundaries)]
    if devices == "compiled" and noise is not None and noise.mixing is None:
        soon = scaling.seconds(noise.step) * FIRST_STRETCH
        corners = sorted([*corners, *((t + soon, k) for t, k in corners[1:-1])])
    clock = VoltageSteps("Vchunk", ("chunk", "0"), tuple(corners)) if core.chunks > 1 else None
    if devices == "compiled":
        return compile_compiled(core, scaling, clock, switches, _cell_parameters(core), jacobian, noise)
    with _uncollected():
        return _compile_behavioural(core, scaling, clock, switches, noise)


@contextmanager
def _uncollected() -> Iterator[None]:
    """While tens of thousands of couplers are made, all of which stay, the garbage collector finds nothing.

    Looking through them again and again took it longer than it took to make them.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _compile_behavioural(
    core: AnalogCore, scaling: Scaling, clock: VoltageSteps | None, switches: list[float],
    noise: NoiseGrid | None,
) -> Circuit:  # fmt: skip
    """A subcircuit a cell and one a coupler; the test bench adds a source of noise a node.

    Visible nodes are the core's ports, hidden ones are internal. Every weight goes in as a subcircuit
    parameter, one a chunk, so that the netlist can be read against the weights file.
    """
    model, chunks = core.family, core.chunks
    names = core.node_names
    pairs, edge_of = core.couplers
    form = coupling_form(model, symmetric=core.symmetric)
    coupler = coupler_name(model, form)
    # a summing cell receives on nodes of its own, all others on the state's
    adders = tuple(summing_ports(model).values())
    inputs = {name: tuple(f"{name}_{adder}" for adder in adders) for name in names}
    tanks = tuple(f"ic_{name}" for name in names) if model.resonator is not None else ()
    starts = [{INITIAL_CURRENT: tank} for tank in tanks] or [{} for _ in names]
    # what senses a current is a source of 0 V, with a node and a current of its own
    sensors = core.nodes * int(model.senses_current)

    cells = [
        Instance(f"X{name}", (name, *inputs[name]), f"{model.family}_cell", values, references=start)
        for name, values, start in zip(names, _cell_parameters(core), starts, strict=True)
    ]
    keys = [f"k_{chunk}" for chunk in range(1, chunks + 1)]
    couplers = [
        Instance(
            f"Xk_{names[i]}_{names[j]}",
            (*(inputs[names[i]] or (names[i],)), names[j]),
            coupler,
            dict(zip(keys, weights, strict=True)),
        )
        for (i, j), weights in zip(pairs.tolist(), core.coupling[:, edge_of].T.tolist(), strict=True)
    ]
    visible = tuple(names[node] for node in core.visible.tolist())
    shown = set(visible)
    rows, columns = core.shape
    in_steps = noise is not None and model.resonator is not None  # by expressions, which are no breakpoints
    return Circuit(
        title=f"{model.title}: {rows} x {columns} core, {len(couplers)} couplers, {chunks} chunk(s)",
        globals=_globals(core, scaling, switches),
        scaling=scaling,
        library=(
            block_text(cell_block(model, chunks), NGSPICE),
            block_text(coupler_block(model, chunks, form), NGSPICE),
        ),
        core=Subcircuit("ais_core", visible, (*cells, *couplers), f"{rows} x {columns} {model.title}"),
        bench=(Instance("Xcore", visible, "ais_core", {}),),
        clock=clock,
        state_nodes=tuple(name if name in shown else f"xcore.{name}" for name in names),
        stop=scaling.seconds(core.duration),
        inventory=Inventory(
            devices={
                "behavioural": core.nodes * (1 + in_steps)
                + len(couplers) * _sources_per_coupler(form, len(adders)),
                "capacitor": core.nodes,
                "voltage": int(clock is not None) + sensors,
                **({"resistor": core.nodes * len(adders)} if adders else {}),
                **({"inductor": core.nodes} if tanks else {}),
                **({"current": core.nodes} if noise and not in_steps else {}),
            },
            # the clock adds its node and its branch current, an inductor its branch current
            unknowns=core.nodes * (1 + len(adders)) + len(tanks) + 2 * (int(clock is not None) + sensors),
        ),
        tanks=tanks,
        noise=noise,
    )


def _globals(core: AnalogCore, scaling: Scaling, switches: list[float]) -> tuple[GlobalParameter, ...]:
    model = core.family
    return (
        *scaling_parameters(scaling),
        *carrier_parameter(core, scaling),
        *(
            GlobalParameter(
                common_parameter(model, p.name),
                float(core.parameters[p.name]),
                f"{p.meaning}, {p.unit}",
            )
            for p in model.parameters
            if p.scope == "core"
        ),
        *(
            GlobalParameter(f"ais_switch_{k}", switch, f"chunk {k} ends, seconds")
            for k, switch in enumerate(switches, 1)
        ),
    )


def _sources_per_coupler(form: CouplingForm, adders: int) -> int:
    return {"reciprocal": 1, "directed": 1, "mutual": 2, "summing": adders}[form]


def _cell_parameters(core: AnalogCore) -> list[dict[str, float]]:
    values: list[dict[str, float]] = [{} for _ in range(core.nodes)]
    for parameter in core.family.given:
        if parameter.scope == "core":  # one value for all: a global of the library
            continue
        array = core.parameters[parameter.name]
        if parameter.scope == "node":
            columns = [(parameter.name, array)]
        else:
            columns = [(f"{parameter.name}_{k + 1}", array[k]) for k in range(core.chunks)]
        for name, column in columns:
            for node, value in enumerate(column.tolist()):
                values[node][name] = value
    return values


@dataclass(frozen=True)
class Summary:
    """What a compiled core is made of, for people."""

    nodes: int
    visible: int
    couplers: int
    chunks: int
    elements: int
    degree_min: int
    degree_mean: float
    degree_max: int
    longest_wire: float


def summarise(core: AnalogCore, inventory: Inventory) -> Summary:
    """Counts and lengths; wires in cell pitches (Manhattan)."""
    pairs, _ = core.couplers
    return Summary(
        nodes=core.nodes,
        visible=len(core.visible),
        couplers=len(pairs),
        chunks=core.chunks,
        elements=sum(inventory.devices.values()),
        degree_min=int(core.degree.min()),
        degree_mean=float(core.degree.mean()),
        degree_max=int(core.degree.max()),
        longest_wire=float(np.max(core.wire_lengths, initial=0.0)),
    )
