"""Writes a design for ngspice."""

from __future__ import annotations

from functools import partial

from device_models.printers.ngspice import number
from device_models.printers.spice import NGSPICE, block_text, element_lines, model_lines, wrapped
from netlists.design import Design
from netlists.dialects.deck import Dialect
from netlists.dialects.spice_deck import (
    SPICE_FILES,
    include_line,
    initial_lines,
    joined_path,
    kept_currents,
    kept_nodes,
    measure_lines,
    parameter_lines,
)

_path = partial(joined_path, prefix="x", separator=".")


def _how_to_run(design: Design) -> list[str]:
    lines = ["Run it: ngspice -b -r testbench.raw testbench.cir"]
    if design.measurements:
        lines.append("With the measurements, which ngspice leaves out under -r: ngspice -b testbench.cir")
    return lines


def _theirs(design: Design) -> list[str]:
    return [*design.options, *(f'.include "{path}"' for path in design.includes)]


def _run(design: Design) -> list[str]:
    run = design.transient
    lines = [
        f".options method={run.method} reltol={number(run.reltol)} vntol={number(run.vntol)} "
        f"abstol={number(run.abstol)} chgtol={number(run.chgtol)}"
    ]
    nodes = kept_nodes(design)
    if nodes:
        currents = kept_currents(design)
        lines += wrapped(".save", [*(f"v({_path(n)})" for n in nodes), *(f"i(v{name})" for name in currents)])
    lines += measure_lines(design.measurements, ".meas", "param='{}'", _path)
    return [*lines, f".tran {number(run.step)} {number(run.stop)} 0 {number(run.step)} uic"]


def _more(design: Design) -> dict[str, str]:
    """ngspice reads its behaviour before the netlist, from a file of this name in the folder it runs in."""
    return {".spiceinit": f"set ngbehavior={design.behaviour}\n"} if design.behaviour else {}


NGSPICE_DIALECT = Dialect(
    files=SPICE_FILES,
    how_to_run=_how_to_run,
    mark="* ",
    opening=(),
    parameter=parameter_lines,
    model=model_lines,
    block=partial(block_text, spice=NGSPICE),
    element=partial(element_lines, spice=NGSPICE),
    include=include_line,
    theirs=_theirs,
    initial=partial(initial_lines, path=_path),
    run=_run,
    closing=(".end",),
    more=_more,
)
