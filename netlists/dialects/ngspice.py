"""Writes a circuit as ngspice text: cell library, core subcircuit, test bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from device_models.elements import checked_name
from device_models.printers.ngspice import number
from device_models.printers.osdi import NOISE_PARAMETERS
from device_models.printers.spice import comments, table_lines
from netlists.circuit import Circuit, DeviceModel, Instance, VoltageSteps
from netlists.core import Array
from netlists.design import Measurement
from netlists.dialects.spice_deck import measure_lines
from netlists.noise import FIRST_STRETCH, Noise

LIBRARY_FILE, CORE_FILE, BENCH_FILE = "cells.lib", "core.sub", "testbench.cir"
DEVICES_SOURCE, DEVICES_LIBRARY = "devices.c", "devices.osdi"


class SolverOptions(BaseModel):
    """ngspice's transient solver, as the netlist sets it.

    The defaults meet a defect of 1e-3 rad a window and 8-bit codes within 1 LSB on the trained digits core;
    ngspice's own (reltol 1e-3, 1 µV, 1 pA) leave phase errors of 0.1 rad.
    """

    model_config = ConfigDict(frozen=True)

    reltol: float = Field(1e-6, gt=0, lt=1, description="relative tolerance of Newton and of the local error")
    rows: int = Field(200, ge=1, description="the step is at most the run's length over this")
    method: str = Field("trap", pattern="^(trap|gear)$", description="integration method")
    step: float | None = Field(
        None, gt=0, description="fixed step in seconds, in place of rows and of control of the local error"
    )
    klu: bool = Field(False, description="KLU sparse solver (needs ngspice 42 or later)")

    @property
    def vntol(self) -> float:
        """Voltage floor of the tolerance: a hundredth of reltol × 1 V, as states pass through zero.

        A tenth with a fixed step: oscillations do that twice a cycle, and only Newton's iterations ask for it.
        """
        return self.reltol * (1e-2 if self.step is None else 0.1)

    def abstol(self, conductance: float) -> float:
        """Current floor, ``reltol`` × 1e-3 of the current a rate of one makes; with a fixed step × 0.1."""
        return self.reltol * (1e-3 if self.step is None else 0.1) * conductance

    def chgtol(self, capacitance: float) -> float:
        """Charge floor, 1e-5 of the charge one unit of state is."""
        return 1e-5 * capacitance


@dataclass(frozen=True)
class NetlistFiles:
    """The files of a netlist; the test bench includes library and core by name. Compiled devices come as C."""

    library: str
    core: str
    bench: str
    devices: str | None = None

    def by_name(self) -> Mapping[str, str]:
        """File name to text."""
        files = {LIBRARY_FILE: self.library, CORE_FILE: self.core, BENCH_FILE: self.bench}
        return files if self.devices is None else files | {DEVICES_SOURCE: self.devices}


def write_netlist(
    circuit: Circuit, options: SolverOptions, initial: Array, currents: Array | None = None, *,
    noise: Noise | None = None, notes: Sequence[str] = (), measurements: Sequence[Measurement] = (),
) -> NetlistFiles:  # fmt: skip
    """The netlist as a designer takes it; the head of the test bench says how to run it.

    Args:
        circuit: the circuit.
        options: of the solver.
        initial, currents, noise: of ``write_deck``.
        notes: comment lines for whoever opens the test bench.
        measurements: of nodes as ngspice names them.
    """
    head = comments(notes, "* ")
    if circuit.device_source is None:
        head.append(f"* Run it: ngspice -b -r testbench.raw {BENCH_FILE}")
    if measurements:
        head.append(f"* With the measurements, which ngspice leaves out under -r: ngspice -b {BENCH_FILE}")
    if circuit.device_source is not None:
        head += [
            "* First build the compiled devices, then run it: cc -O3 -shared -fPIC -fopenmp-simd \\",
            f"*   -o {DEVICES_LIBRARY} {DEVICES_SOURCE} -lm && ngspice -b -r testbench.raw {BENCH_FILE}",
            ".control",
            f"pre_osdi ./{DEVICES_LIBRARY}",
            # each device is a task of OpenMP's; a sweep over all cells is a thread's own, so two threads
            # would find most cells in the other's, and take ten times as long
            "set num_threads=1",
            ".endc",
        ]
    head += [f".include {LIBRARY_FILE}", f".include {CORE_FILE}"]
    return NetlistFiles(
        _library(circuit), _core(circuit), _bench(circuit, options, initial, currents, noise, head, measurements),
        circuit.device_source,
    )  # fmt: skip


def write_body(circuit: Circuit) -> str:
    """Cell library and core: the long part of a deck, the same for every sample."""
    return "\n".join([_library(circuit), _core(circuit)])


def write_deck(
    circuit: Circuit, options: SolverOptions, initial: Array, body: str | None = None,
    currents: Array | None = None, noise: Noise | None = None,
) -> str:  # fmt: skip
    """The same netlist as one text.

    Args:
        circuit: the circuit.
        options: of the solver.
        initial: (N,) states in their unit, one volt each.
        body: its ``write_body``, where it is at hand already.
        currents: (N,) ampere in the inductors at the start, where cells have them; None is no current.
        noise: the sample's, on the grid the circuit was compiled with; None if that has none.

    Raises:
        ValueError: a start, currents or noise that do not fit the circuit.
    """
    return _bench(circuit, options, initial, currents, noise, [write_body(circuit) if body is None else body])


def _library(circuit: Circuit) -> str:
    lines = ["* Cell library: global parameters, then the cells"]
    for parameter in circuit.globals:
        if circuit.models:  # the cards below repeat the numbers, since compiled devices read no .param
            lines.append(f"* {parameter.name} = {number(parameter.value)}: {parameter.meaning}")
            continue
        lines += [
            f"* {parameter.meaning}",
            f".param {checked_name(parameter.name)} = {number(parameter.value)}",
        ]
    # those of cells that make noise hold the sample, and stand in the test bench
    lines += map(_card, () if circuit.makes_noise else circuit.models)
    return "\n".join([*lines, "", *(f"{text}\n" for text in circuit.library)])


def _card(model: DeviceModel) -> str:
    values = [f"{checked_name(name)}={number(value)}" for name, value in model.parameters.items()]
    return " ".join([".model", checked_name(model.name), checked_name(model.kind), *values])


def _core(circuit: Circuit) -> str:
    core = circuit.core
    if circuit.flat:
        return "\n".join([
            f"* Core: {core.title}",
            f"* An instance a node: its own state{', its current' if circuit.tanks else ''}, the nodes it receives",
            "* from, its model; rNNcNN is row and column on the grid. k_T lists the weights of chunk T in the",
            "* order of those nodes. Visible:",
            *(f"*{line[1:]}" for line in _continued(["*", *core.ports])),
            *map(_instance, core.instances),
            "",
        ])  # fmt: skip
    lines = [
        f"* Core: {core.title}",
        "* Ports are the visible nodes in the image's row-major order; rNNcNN is row and column on the grid",
        *_continued([".subckt", checked_name(core.name), *map(checked_name, core.ports)]),
        *map(_instance, core.instances),
        f".ends {core.name}",
        "",
    ]
    return "\n".join(lines)


def _bench(
    circuit: Circuit, options: SolverOptions, initial: Array, currents: Array | None, noise: Noise | None,
    includes: Sequence[str], measurements: Sequence[Measurement] = (),
) -> str:  # fmt: skip
    """``initial`` is (N,) in units of state, one volt each."""
    if initial.shape != (len(circuit.state_nodes),) or not np.isfinite(initial).all():
        raise ValueError(
            f"initial state has shape {initial.shape}, expected ({len(circuit.state_nodes)},), finite"
        )
    step = options.step or circuit.stop / options.rows
    lines = [
        f"* {circuit.title}",
        "* Test bench",
        *includes,
        *map(_instance, circuit.bench),
    ]
    if circuit.clock is not None:
        lines.append(
            "* A ramp that nothing reads: its corners are breakpoints, so that no step straddles a chunk's end"
        )
        lines += _steps(circuit.clock)
    lines += _tanks(circuit, currents)
    lines += _noise(circuit, noise, step)
    lines.append("* Initial states, in volts (one a unit of state)")
    lines += _initial(circuit.state_nodes, initial)
    tolerances = (
        f"reltol={number(options.reltol)} vntol={number(options.vntol)} "
        f"abstol={number(options.abstol(circuit.scaling.conductance))} "
        f"chgtol={number(options.chgtol(circuit.scaling.capacitance))}"
    )
    if options.step is not None:
        tolerances += " trtol=1e12"  # no local error is too large: every step is the longest
    lines.append(f".options method={options.method} {tolerances}{' klu' if options.klu else ''}")
    if circuit.tanks or not circuit.flat:
        # a flat circuit's nodes are its states, and all nodes are saved unless told otherwise: ngspice
        # compares every name of a .save with every node, a fifth of the run of a 56 x 56 core. With inductors
        # there are their currents too, which nobody wants.
        lines += _continued([".save", *(f"v({node})" for node in circuit.state_nodes)])
    lines += measure_lines(measurements, ".meas", "param='{}'", checked_name)
    # compiled cells that make noise limit the steps by themselves, to a hair more than that
    first, longest = (FIRST_STRETCH * step, 1.01 * step) if circuit.makes_noise else (step, step)
    lines.append(f".tran {number(first)} {number(circuit.stop)} 0 {number(longest)} uic")
    return "\n".join([*lines, ".end", ""])


def _tanks(circuit: Circuit, currents: Array | None) -> list[str]:
    """The inductors' initial currents: parameters that tell the cells, or nodes of compiled ones."""
    if currents is None:
        currents = np.zeros(len(circuit.tanks))
    if currents.shape != (len(circuit.tanks),) or not np.isfinite(currents).all():
        raise ValueError(
            f"initial currents have shape {currents.shape}, expected ({len(circuit.tanks)},), finite"
        )
    if not circuit.tanks:
        return []
    if circuit.device_source is None:
        return [
            "* Initial currents of the tanks' inductors, in ampere, from the node to ground",
            *(
                f".param {checked_name(tank)} = {number(current)}"
                for tank, current in zip(circuit.tanks, currents.tolist(), strict=True)
            ),
        ]
    unit = circuit.scaling.conductance
    return [
        f"* Initial currents of the tanks' inductors, which are inside the cells: a volt is {number(unit)} ampere",
        *_initial(circuit.tanks, currents / unit),
    ]


def _initial(nodes: Sequence[str], volts: Array) -> list[str]:
    """Several nodes a line, as ngspice goes over all lines many times; not all, which nobody could read."""
    words = [
        f"v({checked_name(node)})={number(value)}" for node, value in zip(nodes, volts.tolist(), strict=True)
    ]
    return [" ".join([".ic", *words[k : k + _STATES]]) for k in range(0, len(words), _STATES)]


def _noise(circuit: Circuit, noise: Noise | None, step: float) -> list[str]:
    """The sample's noise: what compiled cells have to know of it, or a source of it for each node."""
    grid = circuit.noise
    if (None if noise is None else noise.grid) != grid:
        raise ValueError(f"the circuit was compiled for {grid}, and is given {noise}")
    if noise is None or grid is None:
        return []
    tau = circuit.scaling.tau
    lines = [
        f"* Noise of {number(grid.sigma)} state units per root of model time, on a grid of {number(grid.step)}: "
        f"seed {grid.seed}, sample {noise.sample}"
    ]
    if circuit.makes_noise:
        words = (grid.amplitude, grid.step * tau, step, *_halves(grid.seed), *_halves(noise.sample))
        told = dict(zip(NOISE_PARAMETERS, words, strict=True))
        return lines + [_card(replace(m, parameters={**m.parameters, **told})) for m in circuit.models]
    duration = circuit.stop / tau
    # seconds keep more digits: breakpoints of two sources that are one must not be a time step apart
    times = [f"{t:.15g}" for t in (tau * grid.times(duration)).tolist()]
    amperes = circuit.scaling.conductance * noise.rates(len(circuit.state_nodes), duration)
    for node, row in zip(circuit.state_nodes, amperes.T.tolist(), strict=True):
        name = f"noise_{node.rpartition('.')[2]}"
        if circuit.tanks:
            lines += table_lines(name, node, times, row)
            continue
        points = [f"{t} {ampere:.12g}" for t, ampere in zip(times, row, strict=True)]
        lines += _continued([checked_name(f"I{name}"), "0", checked_name(node), "PWL(", *points, ")"])
    return lines


def _halves(word: int) -> tuple[float, float]:
    """Low and high 32 bits, each of which a parameter holds exactly."""
    return float(word % 2**32), float(word // 2**32)


def _instance(instance: Instance) -> str:
    words = [
        checked_name(instance.name),
        *map(checked_name, instance.nodes),
        checked_name(instance.subcircuit),
    ]
    words += [f"{checked_name(name)}={number(value)}" for name, value in instance.parameters.items()]
    words += [f"{checked_name(name)}={_list(values)}" for name, values in instance.lists.items()]
    words += [
        f"{checked_name(name)}={{{checked_name(other)}}}" for name, other in instance.references.items()
    ]
    return "\n".join(_continued(words)) if len(words) > _LONG else " ".join(words)


def _list(values: Sequence[float]) -> str:
    """Numbers of one parameter as one word: ngspice drops quotes and ends a value at a blank or comma."""
    text = ":".join(map(repr, values))
    if "n" in text:  # nan and inf; no finite number has the letter
        raise ValueError(f"cannot print {text} in a netlist: not finite numbers")
    return text


def _steps(source: VoltageSteps) -> list[str]:
    points = [f"{number(t)} {number(v)}" for t, v in source.points]
    return _continued([source.name, *source.nodes, "PWL(", *points, ")"])


_LONG = 24
_STATES = 8


def _continued(words: Sequence[str], per_line: int = 16) -> list[str]:
    """Words as one logical line, cut into continuation lines."""
    pieces = [" ".join(words[k : k + per_line]) for k in range(0, len(words), per_line)]
    return [pieces[0], *(f"+ {piece}" for piece in pieces[1:])]
