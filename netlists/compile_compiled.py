"""Compiles an analog core into a circuit of compiled devices: one instance a node, its couplers inside."""

from __future__ import annotations

from collections import Counter

import numpy as np

from device_models.model import with_values
from device_models.printers import osdi as printer
from device_models.printers.osdi import Jacobian
from netlists.carrier import carrier_frequency, carrier_parameter
from netlists.circuit import (
    Circuit,
    DeviceModel,
    Instance,
    Inventory,
    Subcircuit,
    VoltageSteps,
    scaling_parameters,
)
from netlists.core import AnalogCore
from netlists.noise import NoiseGrid
from netlists.scaling import Scaling


def compile_compiled(
    core: AnalogCore, scaling: Scaling, clock: VoltageSteps | None, switches: list[float],
    parameters: list[dict[str, float]], jacobian: Jacobian = "own", noise: NoiseGrid | None = None,
) -> Circuit:  # fmt: skip
    """The circuit of a core at the phase level with compiled devices.

    Each node is one device with a terminal for its state, one for the current of its resonator if it has one (the
    inductor is inside), and one for each neighbour it receives from; its
    weights are listed with it, a list a chunk in the order of those terminals. The circuit is flat, as
    ngspice takes twice as long to read the same instances from within a subcircuit.

    Args:
        core: the core.
        scaling: model units to SI.
        clock: source whose corners are the breakpoints, or None.
        switches: (T−1,) seconds at which a chunk ends.
        parameters: cell parameters of each node, by name.
        jacobian: ``own`` has matrix entries for the own state alone, ``full`` for the neighbours too.
        noise: that the cells make by themselves, unless it is mixed; or None.
    """
    names, chunks = core.node_names, core.chunks
    own_noise = noise is not None and noise.mixing is None
    # what all cells share becomes a number in their source, so that a feature needs nothing but the state
    common = {p.name: float(core.parameters[p.name]) for p in core.family.parameters if p.scope == "core"}
    model = with_values(core.family, common)
    order = np.lexsort((core.edges[:, 1], core.edges[:, 0]))
    senders, weights = core.edges[order, 1].tolist(), core.coupling[:, order].tolist()
    ends = np.cumsum(core.degree).tolist()
    keys = [printer.weights_name(chunk) for chunk in range(1, chunks + 1)]
    degrees = core.degree.tolist()

    tanks = tuple(f"{name}_{model.resonator.current}" for name in names) if model.resonator else ()
    own_nodes = list(zip(names, tanks, strict=True)) if tanks else [(name,) for name in names]

    cells = []
    for node, (states, values, degree, end) in enumerate(
        zip(own_nodes, parameters, degrees, ends, strict=True)
    ):
        own = slice(end - degree, end)
        lists = {key: row[own] for key, row in zip(keys, weights, strict=True)} if degree else {}
        nodes = (*states, *(names[sender] for sender in senders[own]))
        if own_noise:
            values = {**values, printer.NOISE_NODE: node}
        cells.append(Instance(f"N{states[0]}", nodes, f"{model.family}_{degree}", values, lists))

    carrier = [] if (w := carrier_frequency(core, scaling)) is None else [w]
    shared = dict(
        zip(printer.model_parameter_names(model, chunks),
            [scaling.conductance, scaling.capacitance, *carrier, *switches], strict=True)
    )  # fmt: skip
    counts = Counter(degrees)
    library = printer.osdi_library(model, counts, chunks, noise=own_noise)
    rows, columns = core.shape
    visible = tuple(names[node] for node in core.visible.tolist())
    return Circuit(
        title=f"{model.title}: {rows} x {columns} core, compiled cells, {chunks} chunk(s)",
        globals=(*scaling_parameters(scaling), *carrier_parameter(core, scaling)),
        scaling=scaling,
        library=(),
        core=Subcircuit("ais_core", visible, tuple(cells), f"{rows} x {columns} {model.title}"),
        bench=(),
        clock=clock,
        state_nodes=names,
        stop=scaling.seconds(core.duration),
        inventory=Inventory(
            devices={
                **{library.device(degree, jacobian): n for degree, n in counts.items()},
                "voltage": int(clock is not None),
                **({"current": core.nodes} if noise is not None and not own_noise else {}),
            },
            unknowns=core.nodes + len(tanks) + 2 * int(clock is not None),
        ),
        models=tuple(
            DeviceModel(
                f"{model.family}_{degree}", library.device(degree, jacobian), shared
            )
            for degree in sorted(counts)
        ),
        device_source=library.source,
        flat=True,
        tanks=tanks,
        noise=noise,
    )  # fmt: skip
