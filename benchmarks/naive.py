"""The netlist that somebody new to this would write: PySpice objects, a B source an edge, one a node."""

from __future__ import annotations

import numpy as np
from PySpice.Spice.Netlist import Circuit

from emulator.ngspice import Deck
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions
from netlists.scaling import Scaling


def naive_deck(core: AnalogCore, scaling: Scaling, options: SolverOptions, initial: Array) -> Deck:
    """A one-chunk KuraSHIL core, edge by edge, with the solver options of the run it is compared with."""
    if core.chunks != 1:
        raise ValueError("the naive netlist has no schedule")
    circuit = Circuit("naive KuraSHIL core")
    g, names = scaling.conductance, core.node_names
    shil, bias = core.parameters["shil"][0], core.parameters["bias"][0]
    for node, name in enumerate(names):
        circuit.C(name, name, circuit.gnd, scaling.capacitance)
        v, s, b = f"v({name})", float(shil[node]), float(bias[node])
        circuit.BehavioralSource(
            f"self_{name}", circuit.gnd, name,
            current_expression=f"{-g!r}*({s!r}*sin(2*{v}) + {b!r}*sin({v}))",
        )  # fmt: skip
    for (i, j), weight in zip(core.edges.tolist(), core.coupling[0].tolist(), strict=True):
        circuit.BehavioralSource(
            f"{names[i]}_{names[j]}", circuit.gnd, names[i],
            current_expression=f"{-g * weight!r}*sin(v({names[i]})-v({names[j]}))",
        )  # fmt: skip
    stop = scaling.seconds(core.duration)
    step = stop / options.rows
    lines = [str(circuit).replace(".end", "").rstrip()]
    lines += [f".ic v({name})={value!r}" for name, value in zip(names, initial.tolist(), strict=True)]
    lines.append(
        f".options method={options.method} reltol={options.reltol!r} vntol={options.vntol!r} "
        f"abstol={options.abstol(g)!r} chgtol={options.chgtol(scaling.capacitance)!r}{' klu' if options.klu else ''}"
    )
    lines.append(".save " + " ".join(f"v({name})" for name in names))
    lines += [f".tran {step!r} {stop!r} 0 {step!r} uic", ".end", ""]
    return Deck("\n".join(lines), tuple(names), stop)


def phases_at_end(values: Array) -> Array:
    """(N,) last row of a simulation's values, NaN where it has none."""
    return values[-1] if len(values) else np.full(values.shape[1], np.nan)
