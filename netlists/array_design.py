"""An oscillator array as a design: with its test bench, start and measurements, for every dialect."""

from __future__ import annotations

from netlists.characterization import Characterization
from netlists.circuit import GlobalParameter
from netlists.core import Array
from netlists.design import AverageCurrent, Design, Measurement, NoiseCurrent, Transient, settled_frequency
from netlists.noise import Noise
from netlists.oscillator_array import CORE_CALL, OscillatorArray, is_option


def array_design(
    array: OscillatorArray, known: Characterization, start: Array, noise: Noise | None = None
) -> Design:
    """The design of an array that starts at (N,) phases of the limit cycle, under a sample's noise or without.

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
    shown = outputs[int(array.core.visible[0])] if len(array.core.visible) else outputs[0]
    measurements += settled_frequency("f_first", shown, known.mean_v, array.stop * known.f0_hz)
    rows = array.core.shape[0]
    ports = {f"{CORE_CALL}.{port}".lower(): port for port in array.blocks[-1].ports}
    paths = {node: _path(node) for node in volts}
    return Design(
        title=array.title,
        notes=array_notes(array),
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
        analysis=Transient(
            array.stop, array.step, reltol=1e-6, vntol=1e-9, abstol=1e-13, chgtol=1e-20, fixed=True
        ),
        # a visible cell's port goes by its name in the bench
        initial={ports.get(path, path): volts[node] for node, path in paths.items()},
        saved=outputs,
        measurements=tuple(measurements),
        noise=() if noise is None else _currents(array, noise),
    )


def _currents(array: OscillatorArray, noise: Noise) -> tuple[NoiseCurrent, ...]:
    """Into the first injection ports; times have the digits that an expression's literals keep."""
    port, names = array.cell.injections[0], array.core.node_names
    # a visible cell's output goes by its name in the bench
    nodes = [
        _path(output) if port == array.cell.output else f"{CORE_CALL}.{name}_{port}"
        for name, output in zip(names, array.outputs, strict=True)
    ]
    times = tuple(f"{time:.12g}" for time in noise.grid.times(array.stop).tolist())
    amperes = noise.rates(len(nodes), array.stop).T.tolist()
    return tuple(
        NoiseCurrent(f"noise_{name}", node, times, tuple(row))
        for name, node, row in zip(names, nodes, amperes, strict=True)
    )


def array_notes(array: OscillatorArray) -> tuple[str, ...]:
    """What to know before reading on: the numbers that all others follow from, and how nodes are called."""
    sizing, coupler = array.sizing, array.coupler
    supplies = ", ".join(f"{port.upper()} {volts:g} V" for port, volts in array.cell.supplies.items())
    volts = f"{supplies}; cells" if supplies else "no supply; cells"
    if coupler.bits:
        weights = (
            f"{len(coupler.bits)} bits and a sign, 1 LSB = {sizing.lsb:.6g} per model time unit, "
            f"{sizing.clipped} weights clipped"
        )
    else:
        weights = f"continuous ({coupler.strength_unit}), {sizing.clipped} clipped"
    return (
        f"Parameters: {volts} run free at {sizing.free_hz / 1e6:.7g} MHz; line_ref at "
        f"{sizing.carrier_hz / 1e6:.7g} MHz, line_shil at twice that",
        f"Time: {sizing.cycles:g} cycles for the whole run, tau = {sizing.tau:.6g} s per model time unit, steps of "
        f"{array.step:.6g} s",
        f"Weights: {weights}",
        "Measured: mean current of each supply, A, negative where it delivers; f_first, Hz, of the first visible cell",
        "Names: rNNcNN_port is that port of the cell at row NN, column NN (rows from the top, columns from the left, "
        "from 00); a hidden cell's is inside the call core, a visible cell's output a port of it",
    )


def _option(line: str) -> str:
    """As every dialect takes it: ``.temp`` is an option with a line of its own."""
    card, _, value = line.partition(" ")
    return f".options temp={value.strip()}" if card.lower() == ".temp" else line


def _path(node: str) -> str:
    """A node as ngspice names it, with the calls' names as the design has them."""
    *calls, last = node.split(".")
    return ".".join([*(call.removeprefix("x") for call in calls), last])
