"""What the simulation of one or two cells says of an oscillator: the way from a cell to its ``Characterization``."""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from device_models.oscillator_cell import CouplerType, OscillatorCell
from device_models.printers.spice import NGSPICE, block_text
from emulator.cell_runs import CellFault
from emulator.compiled import cache_folder
from emulator.coupling_function import PAIRS, coupling_function
from emulator.limit_cycle import free_run
from emulator.ngspice import capabilities
from emulator.sensitivity import PHASES, sensitivity
from emulator.shil import shil_lock
from emulator.simulator import Simulator
from emulator.tuning import measured_tuning
from netlists.cell_bench import SOLVER, Bench, State, fixed_step
from netlists.cell_file import reached
from netlists.characterization import NO_TUNING, Characterization
from netlists.characterization_file import (
    CharacterizationError,
    read_characterization,
    write_characterization,
)

# Raise it when a measurement changes what it means: what was cached before is then measured again.
METHOD = 3
_OUTPUT_HARMONICS = 16

Progress = Callable[[str, int, int], None]  # what is measured next, how many parts are done, of how many


def characterize(
    simulator: Simulator, cell: OscillatorCell, points: int | None = None, progress: Progress | None = None
) -> Characterization:
    """Measures a cell by itself, with charges put in, with each of its couplers, and under injection.

    Args:
        simulator: runs the benches.
        cell: what to measure.
        points: steps a cycle; None for the cell's own.
        progress: called before each part.

    Raises:
        CellFault: the cell can't be characterised; the message says what to do.
        BenchFailed: the simulator did not finish a bench.
    """
    with threadpool_limits(1):  # as in a plan: the same to the last bit in any process
        return _measured(simulator, cell, points or cell.points_per_cycle, progress)


def _measured(
    simulator: Simulator, cell: OscillatorCell, points: int, progress: Progress | None
) -> Characterization:
    ports = tuple(dict.fromkeys((*cell.injections, cell.shil)))
    wirings = list(_wirings(cell))
    total = 2 + len(ports) + len(wirings) + bool(cell.tuning)
    parts = iter(range(total + 1))

    def part(name: str) -> None:
        done = next(parts)
        if progress is not None:
            progress(name, done, total)

    began = clock.perf_counter()
    part("start-up, period and limit cycle")
    free = free_run(simulator, cell, points)
    ppv = {}
    for port in ports:
        part(f"phase sensitivity at {port}")
        ppv[port] = sensitivity(simulator, cell, free, port)
    coupling = {}
    for coupler, crossed in wirings:
        key = coupler.name + ":crossed" * crossed
        part(f"coupler {key}")
        coupling[key] = coupling_function(simulator, cell, free, ppv, coupler, crossed=crossed)
    part("injection locking")
    shil = shil_lock(simulator, cell, free, ppv[cell.shil])
    tuning, no_tuning = None, {}
    if cell.tuning:
        part(f"tuning by {cell.tuning}")
        try:
            tuning = measured_tuning(simulator, cell, free)
        except CellFault as fault:  # who wants all cells alike can do without
            no_tuning = {NO_TUNING: f"{fault}"}
    part("done")
    first = ppv[cell.injections[0]].harmonics[1]
    return Characterization(
        cell=cell.name,
        source_sha256=identity(cell),
        points_per_cycle=points,
        f0_hz=free.steps.frequency,
        amplitude_v=float(np.abs(free.output[1])),
        mean_v=float(free.output[0].real),
        harmonics=free.output[: _OUTPUT_HARMONICS + 1],
        power_w=free.power,
        cycle=free.cycle,
        ppv=ppv,
        coupling=coupling,
        shil=shil,
        reference_phase=float(np.angle(first)) - np.pi / 2,
        reference_gain=float(np.abs(first)) / 2,
        settings={
            "ngspice": float(simulator.call(capabilities).version),
            "solver": SOLVER,
            "step_s": fixed_step(free.steps.frequency, points),
            "ppv_phases": float(PHASES),
            "coupler_pairs": float(PAIRS),
            "seconds": clock.perf_counter() - began,
            "title": cell.title,
            **no_tuning,
        },
        tuning=tuning,
    )


def _wirings(cell: OscillatorCell) -> Iterator[tuple[CouplerType, bool]]:
    for coupler in cell.couplers:
        yield coupler, False
        if coupler.crossed is not None:
            yield coupler, True


def identity(cell: OscillatorCell) -> str:
    """SHA-256 of all that makes a cell what it is: netlist, models and included files, couplers, ports, start.

    A cell at another corner or temperature is another cell.
    """
    bench = Bench(cell, cell.name)
    bench.copy("cell", bench.supply("supply"), State(cell.start))
    blocks = [block_text(block, NGSPICE) for coupler in cell.couplers for block in coupler.blocks]
    facts = asdict(cell)
    # written out above and below; a file counts by what is in it, wherever it lies
    for name in ("block", "blocks", "models", "includes"):
        facts.pop(name)
    for coupler in facts["couplers"]:
        coupler.pop("blocks")
        coupler.pop("in_chunks")  # the same coupler in another form; its text would hold an address
    whole = hashlib.sha256("\n".join([_without_includes(bench), *blocks, repr(facts)]).encode())
    for path in reached(cell.includes):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _without_includes(bench: Bench) -> str:
    lines = bench.text(1.0, 1.0, ()).splitlines()
    return "\n".join(line for line in lines if not line.startswith(".include"))


def cached(
    simulator: Simulator, cell: OscillatorCell, points: int | None = None, progress: Progress | None = None
) -> Characterization:
    """``characterize``, or what it brought before for the same cell, settings and ngspice.

    Raises:
        CellFault, BenchFailed: see ``characterize``.
        OSError: the cache folder can't be written.
    """
    path = cache_file(simulator, cell, points)
    if path.is_file():
        try:
            return read_characterization(path)
        except CharacterizationError:  # damaged, or of an older version: measured again
            path.unlink(missing_ok=True)
    found = characterize(simulator, cell, points, progress)
    write_characterization(path, found)
    return found


def cache_file(simulator: Simulator, cell: OscillatorCell, points: int | None = None) -> Path:
    """Where the characterisation of a cell is kept."""
    facts = [
        METHOD,
        identity(cell),
        points or cell.points_per_cycle,
        simulator.call(capabilities).version,
        SOLVER,
    ]
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
    return cache_folder().parent / "cells" / f"{name}.h5"
