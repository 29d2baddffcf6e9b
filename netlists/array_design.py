"""An oscillator array as a design: with its test bench, start and measurements, for every dialect."""

from __future__ import annotations

from netlists.characterization import Characterization
from netlists.circuit import GlobalParameter
from netlists.core import Array
from netlists.design import AverageCurrent, Design, Frequency, Measurement, Transient
from netlists.oscillator_array import CORE_CALL, OscillatorArray, is_option

# between which rising crossings of a cell's mean its frequency is measured: the first ones belong to the start
_SETTLED = 3


def array_design(array: OscillatorArray, known: Characterization, start: Array) -> Design:
    """The design of an array that starts at (N,) phases of the limit cycle.

    Measured are the frequency of the first visible cell, over the second half of the cycles to come, and the mean
    current of each supply over the run.
    """
    volts, amperes = array.initial(known, start)
    outputs = tuple(map(_path, array.outputs))
    measurements: list[Measurement] = [
        AverageCurrent(f"i_{node}", node, 0.0, array.stop)
        for group in array.supplies.values()
        for node in group
    ]
    cycles = int(array.stop * known.f0_hz)
    # fewer cells' cycles than the reference's fit in, at worst; a few less are certain to come
    last = int(0.9 * cycles) - 1
    if len(array.core.visible) and last > _SETTLED:
        shown = outputs[int(array.core.visible[0])]
        measurements.append(Frequency("f_first", shown, known.mean_v, max(_SETTLED, last // 2), last))
    rows = array.core.shape[0]
    ports = {f"{CORE_CALL}.{port}".lower(): port for port in array.blocks[-1].ports}
    paths = {node: _path(node) for node in volts}
    return Design(
        title=array.title,
        notes=(
            "Node rNNcNN_port is that port of the cell at row NN, column NN; inside the call core, unless visible",
        ),
        parameters=tuple(
            GlobalParameter(name, value, "initial current of an inductor, ampere")
            for name, value in amperes.items()
        ),
        models=array.models,
        includes=array.cell.includes,
        options=tuple(_option(line) for line in array.cell.options if is_option(line)),
        behaviour=array.cell.behaviour,
        blocks=array.blocks,
        core=tuple(block.name for block in array.blocks[-rows - 1 :]),
        bench=array.bench,
        transient=Transient(
            array.stop, array.step, reltol=1e-6, vntol=1e-9, abstol=1e-13, chgtol=1e-20, fixed=True
        ),
        # a visible cell's port goes by its name in the bench
        initial={ports.get(path, path): volts[node] for node, path in paths.items()},
        saved=outputs,
        measurements=tuple(measurements),
    )


def _option(line: str) -> str:
    """As every dialect takes it: ``.temp`` is an option with a line of its own."""
    card, _, value = line.partition(" ")
    return f".options temp={value.strip()}" if card.lower() == ".temp" else line


def _path(node: str) -> str:
    """A node as ngspice names it, with the calls' names as the design has them."""
    *calls, last = node.split(".")
    return ".".join([*(call.removeprefix("x") for call in calls), last])
