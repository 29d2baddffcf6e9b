"""Writes a design for ngspice."""

from __future__ import annotations

from functools import partial

import sympy as sp

from device_models.elements import Block, Call
from device_models.printers.ngspice import number
from device_models.printers.spice import (
    NGSPICE,
    block_text,
    element_lines,
    full_name,
    model_lines,
    table_lines,
    wrapped,
)
from netlists.design import Design, Transient
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
    run = design.analysis
    tolerances = f"reltol={number(run.reltol)} vntol={number(run.vntol)} abstol={number(run.abstol)}"
    if isinstance(run, Transient):
        fixed = " trtol=1e12 itl4=100" if run.fixed else ""
        lines = [f".options method={run.method} {tolerances} chgtol={number(run.chgtol)}{fixed}"]
        analysis = f".tran {number(run.step)} {number(run.stop)} 0 {number(run.step)} uic"
    else:
        lines, analysis = [f".options {tolerances}"], ".op"
    told = ["* Noise: currents into the outputs, linear between points"] if design.noise else []
    for current in design.noise:
        told += table_lines(current.name, _path(current.node), current.times, current.amperes)
    lines = told + lines
    nodes = kept_nodes(design)
    if nodes:
        currents = kept_currents(design)
        lines += wrapped(".save", [*(f"v({_path(n)})" for n in nodes), *(f"i(v{name})" for name in currents)])
    lines += measure_lines(design.measurements, ".meas", "param='{}'", _path)
    return [*lines, analysis]


def _more(design: Design) -> dict[str, str]:
    """ngspice reads its behaviour before the netlist, from a file of this name in the folder it runs in."""
    return {".spiceinit": f"set ngbehavior={design.behaviour}\n"} if design.behaviour else {}


def _check_names(design: Design) -> None:
    """ngspice looks up the names in a call's parameters among the called block's own first.

    Which is the same only where the call hands the parameter of that name on as it is.
    """
    scopes = [("the test bench", design.bench)]
    scopes += [(f"block {b.name}", b.elements) for b in design.blocks if isinstance(b, Block)]
    for place, elements in scopes:
        for call in elements:
            if not isinstance(call, Call):
                continue
            own = design.block[call.block].parameters
            for name, value in call.parameters.items():
                if not isinstance(value, sp.Basic):
                    continue
                for used in sorted(symbol.name for symbol in value.free_symbols):
                    handed_on = (
                        isinstance(given := call.parameters.get(used), sp.Symbol) and given.name == used
                    )
                    if used != name and used in own and not handed_on:
                        raise ValueError(
                            f"{place}, {full_name(call)}: ngspice takes {used} in parameter {name} for {call.block}'s "
                            "own parameter of that name: rename one of the two"
                        )


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
    check=_check_names,
)
