"""The files of a design: what they hold and in what order, whatever the dialect. A ``Dialect`` says how it is written.

``cells``: global parameters, model cards, cells and couplers. ``core``: rows and core. ``testbench``: stimulus, start,
measurements and analysis; it includes the other two by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from device_models.elements import Block, Element, MosModel, RawBlock
from device_models.printers.spice import comments
from netlists.circuit import GlobalParameter
from netlists.design import Design, checked

LIBRARY, CORE, BENCH = "cells", "core", "testbench"


@dataclass(frozen=True)
class Dialect:
    """How a simulator's netlist is written.

    Attributes:
        files: name of the file of each of ``LIBRARY``, ``CORE``, ``BENCH``.
        how_to_run: a line for the head of the test bench.
        mark: begins a comment.
        opening: lines at the head of every file, behind its title.
        parameter, model, block, element: lines of each.
        include: line that reads one of our files.
        theirs: lines that read a user's model files and set the options they need.
        initial: lines that set the nodes' voltages at the start.
        run: lines of tolerances, what is kept, measurements and analysis.
        closing: lines at the end of the test bench.
        more: further files, name to text.
        check: what this simulator alone can't say, as a ValueError.
    """

    files: Mapping[str, str]
    how_to_run: Callable[[Design], Sequence[str]]
    mark: str
    opening: Sequence[str]
    parameter: Callable[[GlobalParameter], Sequence[str]]
    model: Callable[[MosModel], Sequence[str]]
    block: Callable[[Block | RawBlock], str]
    element: Callable[[Element], Sequence[str]]
    include: Callable[[str], str]
    theirs: Callable[[Design], Sequence[str]]
    initial: Callable[[Mapping[str, float]], Sequence[str]]
    run: Callable[[Design], Sequence[str]]
    closing: Sequence[str]
    more: Callable[[Design], Mapping[str, str]] = lambda _: {}
    check: Callable[[Design], None] = lambda _: None


def write_files(design: Design, dialect: Dialect) -> dict[str, str]:
    """File name to text."""
    dialect.check(checked(design))
    core = set(design.core)
    library = [block for block in design.blocks if block.name not in core]
    array = [block for block in design.blocks if block.name in core]
    names = dialect.files
    files = {
        names[LIBRARY]: _joined(_library_lines(design, dialect, library)),
        names[BENCH]: _joined(
            _bench_lines(design, dialect, [names[LIBRARY], *([names[CORE]] if array else [])])
        ),
        **dialect.more(design),
    }
    if array:
        head = _title(dialect, design.core_title)
        files[names[CORE]] = _joined([*head, *_blocks(dialect, array)])
    return files


def _library_lines(design: Design, dialect: Dialect, blocks: Sequence[Block | RawBlock]) -> list[str]:
    lines = _title(dialect, "Cell library: global parameters, model cards, then the cells")
    for parameter in design.parameters:
        lines += comments([parameter.meaning], dialect.mark)
        lines += dialect.parameter(parameter)
    lines += dialect.theirs(design)
    for model in design.models:
        lines += dialect.model(model)
    return [*lines, *_blocks(dialect, blocks)]


def _bench_lines(design: Design, dialect: Dialect, includes: Sequence[str]) -> list[str]:
    lines = _title(dialect, design.title)
    lines += comments([*design.notes, *dialect.how_to_run(design)], dialect.mark)
    lines += map(dialect.include, includes)
    for element in design.bench:
        lines += dialect.element(element)
    if design.initial:
        lines += comments(["Where the run starts, in volts"], dialect.mark)
        lines += dialect.initial(design.initial)
    return [*lines, *dialect.run(design), *dialect.closing]


def _title(dialect: Dialect, text: str) -> list[str]:
    return [*comments([text], dialect.mark), *dialect.opening]


def _blocks(dialect: Dialect, blocks: Sequence[Block | RawBlock]) -> list[str]:
    return [line for block in blocks for line in ("", dialect.block(block))]


def _joined(lines: Sequence[str]) -> str:
    return "\n".join([*lines, ""])
