"""Writes a design for Xyce (written against its reference guide; no Xyce was at hand to run it)."""

from __future__ import annotations

from functools import partial

from device_models.printers.ngspice import number
from device_models.printers.spice import block_text, element_lines, model_lines, wrapped
from device_models.printers.xyce import XYCE
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

_path = partial(joined_path, prefix="X", separator=":")


def _how_to_run(design: Design) -> list[str]:  # noqa: ARG001 - the same for every design
    return ["Run it: Xyce testbench.cir; waveforms in testbench.cir.prn, measurements in testbench.cir.mt0"]


def _theirs(design: Design) -> list[str]:
    lines = []
    for option in design.options:
        card, *words = option.split()
        if not card.lower().startswith(".option"):
            lines.append(option)
            continue
        if all(word.lower().startswith("temp=") for word in words):
            lines.append(f".options device {' '.join(words)}")
            continue
        if any(not word.lower().startswith("scale=") for word in words):
            raise ValueError(
                f"Xyce has no equal of {option!r}: only scale=… can be carried over; take the option out, "
                "or use model files that do without"
            )
        lines.append(f".options parser {' '.join(words)}")
    return [*lines, *(f'.include "{path}"' for path in design.includes)]


def _run(design: Design) -> list[str]:
    run = design.analysis
    nodes = [f"V({_path(node)})" for node in kept_nodes(design)] or ["V(*)"]
    currents = [f"I(V{name})" for name in kept_currents(design)]
    if not isinstance(run, Transient):
        return [
            f".options nonlin reltol={number(run.reltol)} abstol={number(run.vntol)}",
            *wrapped(".print dc", [*nodes, *currents]),
            ".op",
        ]
    return [
        f".options timeint method={run.method} reltol={number(run.reltol)} abstol={number(run.vntol)}"
        + (f" erroption=1 delmax={number(run.step)}" if run.fixed else ""),
        *wrapped(".print tran", [*nodes, *currents]),
        *measure_lines(design.measurements, ".measure", "eqn {{{}}}", _path),
        f".tran {number(run.step)} {number(run.stop)} 0 {number(run.step)} UIC",
    ]


XYCE_DIALECT = Dialect(
    files=SPICE_FILES,
    how_to_run=_how_to_run,
    mark="* ",
    opening=(),
    parameter=parameter_lines,
    model=model_lines,
    block=partial(block_text, spice=XYCE),
    element=partial(element_lines, spice=XYCE),
    include=include_line,
    theirs=_theirs,
    initial=partial(initial_lines, path=_path),
    run=_run,
    closing=(".end",),
)
