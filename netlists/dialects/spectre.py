"""Writes a design for Spectre, in its native language (against its reference; no Spectre was at hand to run it)."""

from __future__ import annotations

from collections.abc import Mapping

from device_models.printers.ngspice import number
from device_models.printers.spectre import (
    continued,
    in_spice,
    spectre_block_text,
    spectre_element_lines,
    spectre_model_lines,
)
from netlists.circuit import GlobalParameter
from netlists.design import Design, Transient
from netlists.dialects.deck import Dialect
from netlists.dialects.spice_deck import joined_path, kept_currents, kept_nodes, measure_lines

_METHODS = {"trap": "traponly", "gear": "gear2only"}


def _path(path: str) -> str:
    return joined_path(path, prefix="x", separator=".").lower()


def _how_to_run(design: Design) -> list[str]:  # noqa: ARG001 - the same for every design
    return ["Run it: spectre testbench.scs; waveforms in testbench.raw, measurements in testbench.measure"]


def _parameter(parameter: GlobalParameter) -> list[str]:
    return [f"parameters {parameter.name.lower()}={number(parameter.value)}"]


def _include(name: str) -> str:
    return f'include "{name}"'


def _theirs(design: Design) -> list[str]:
    lines = [*design.options, *(f'.include "{path}"' for path in design.includes)]
    return [in_spice(lines)] if lines else []


def _initial(initial: Mapping[str, float]) -> list[str]:
    return [f"ic {_path(node)}={number(value)}" for node, value in initial.items()]


def _run(design: Design) -> list[str]:
    run = design.analysis
    lines = [
        f"tolerances options reltol={number(run.reltol)} vabstol={number(run.vntol)} iabstol={number(run.abstol)}",
    ]
    if isinstance(run, Transient):
        lines.append(
            f"run tran stop={number(run.stop)} maxstep={number(run.step)} method={_METHODS[run.method]} "
            f"ic=all skipdc=yes{' lteratio=1e12' if run.fixed else ''}"
        )
    else:
        lines.append("run dc")
    nodes, currents = kept_nodes(design), [f"v{name}:p".lower() for name in kept_currents(design)]
    kept = [*map(_path, nodes), *currents]
    if nodes:
        lines += continued("save", kept)
    else:
        lines.append("keep options save=all")
        if currents:
            lines += continued("save", currents)
    measures = measure_lines(design.measurements, ".measure", "param='{}'", _path)
    return [*lines, *([in_spice(measures)] if measures else [])]


SPECTRE_DIALECT = Dialect(
    files={"cells": "cells.scs", "core": "core.scs", "testbench": "testbench.scs"},
    how_to_run=_how_to_run,
    mark="// ",
    opening=("simulator lang=spectre",),
    parameter=_parameter,
    model=spectre_model_lines,
    block=spectre_block_text,
    element=spectre_element_lines,
    include=_include,
    theirs=_theirs,
    initial=_initial,
    run=_run,
    closing=(),
)
