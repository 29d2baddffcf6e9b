"""An oscillator array as an ngspice deck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_models.printers.ngspice import number
from netlists.cell_bench import SOLVER
from netlists.characterization import Characterization
from netlists.circuit import checked_name
from netlists.core import Array
from netlists.dialects.ngspice import BENCH_FILE, CORE_FILE, LIBRARY_FILE
from netlists.dialects.ngspice_blocks import continued, write_block, write_element, write_model
from netlists.oscillator_array import OscillatorArray


def write_array_body(array: OscillatorArray) -> str:
    """Models, cells, rows and core: the long part of a deck, the same for every sample."""
    library, core = _parts(array)
    return "\n".join([library, core])


def write_array_deck(
    array: OscillatorArray, known: Characterization, start: Array, body: str, vectors: Sequence[str]
) -> str:
    """The deck of one sample: (N,) phases to start from, vectors to save."""
    return "\n".join([f"* {array.title}", body, *_bench(array, known, start, vectors), ".end", ""])


def write_array(array: OscillatorArray, known: Characterization, start: Array) -> Mapping[str, str]:
    """The netlist as files: cells, core, test bench."""
    library, core = _parts(array)
    head = [
        f"* {array.title}", f"* Run it: ngspice -b -r testbench.raw {BENCH_FILE}",
        f".include {LIBRARY_FILE}", f".include {CORE_FILE}",
    ]  # fmt: skip
    bench = "\n".join([*head, *_bench(array, known, start, array.outputs), ".end", ""])
    return {LIBRARY_FILE: library + "\n", CORE_FILE: core + "\n", BENCH_FILE: bench}


def _parts(array: OscillatorArray) -> tuple[str, str]:
    rows = array.core.shape[0] + 1
    cells, core = array.blocks[:-rows], array.blocks[-rows:]
    return (
        "\n".join(
            ["* Cell library", *array.cell.options, *map(write_model, array.models), *map(write_block, cells)]
        ),
        "\n".join(["* Core", *map(write_block, core)]),
    )


def _bench(
    array: OscillatorArray, known: Characterization, start: Array, vectors: Sequence[str]
) -> list[str]:
    volts, amperes = array.initial(known, start)
    shown = [name if "#" in name else f"v({checked_name(name)})" for name in vectors]
    return [
        *(f".param {checked_name(name)} = {number(value)}" for name, value in amperes.items()),
        *map(write_element, array.bench),
        *(f".ic v({checked_name(node)})={number(value)}" for node, value in volts.items()),
        SOLVER,
        *continued([".save", *shown]),
        f".tran {number(array.step)} {number(array.stop)} 0 {number(array.step)} uic",
    ]
