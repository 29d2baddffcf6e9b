"""What ``ais compile`` writes: the netlist of a level in a dialect, and what goes beside it to whoever lays it out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from device_models.model import coupling_form
from device_models.printers import verilog_a
from emulator.chip import build, settings_as_built
from emulator.levels import (
    LC,
    PHASE,
    THERMAL,
    Status,
    clipped_remark,
    lc_array,
    lc_options,
    noise_of_cells,
    noise_of_lc,
    oscillator_array,
    phase_options,
)
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from netlists.array_design import array_design
from netlists.as_built import COUPLING, AsBuilt
from netlists.as_built_facts import facts
from netlists.carrier_noise import CarrierNoise, check_size
from netlists.circuit import Circuit, Inventory
from netlists.compile import Devices, compile_core
from netlists.core import AnalogCore, Array, Index
from netlists.design import Design, Frequency
from netlists.dialects.ngspice import (
    BENCH_FILE,
    CORE_FILE,
    DEVICES_SOURCE,
    LIBRARY_FILE,
    SolverOptions,
    write_netlist,
)
from netlists.dialects.write import DESIGN_FILES, write_design_files
from netlists.files import write_bytes_whole, write_text_whole
from netlists.floorplan import CODES_FILE, FLOORPLAN_FILES, coupler_strengths, write_floorplan_files
from netlists.lc import LcArray
from netlists.noise import Noise, noise_grid
from netlists.oscillator_array import OscillatorArray
from netlists.phase_design import phase_design
from netlists.sizing import Links, limited

Dialect = Literal["ngspice", "xyce", "spectre", "verilog-a"]
MODULES_FILE, FLOORPLAN_FIGURE = "cells.va", "floorplan.png"
BEHAVIOUR_FILE = ".spiceinit"
NETLIST_FILES = frozenset({
    LIBRARY_FILE, CORE_FILE, BENCH_FILE, DEVICES_SOURCE, MODULES_FILE, FLOORPLAN_FIGURE,
    *DESIGN_FILES, *FLOORPLAN_FILES,
})  # fmt: skip
_OUR_BEHAVIOUR = re.compile(r"set ngbehavior=[a-z]*\n")


class NetlistError(ValueError):
    """A netlist that can't be written as asked; the message says why and what to ask for."""


@dataclass(frozen=True)
class NetlistOutput:
    """A netlist, ready to be put in a folder.

    Attributes:
        title: what it is, in a line.
        files: name to content.
        inventory: elements by kind; None where there is no netlist but modules alone.
        facts: what else a user should know: name and value.
        remarks: what a user should be warned of.
        couplers: how many, and of what kind.
    """

    title: str
    files: Mapping[str, str | bytes]
    inventory: Inventory | None
    couplers: str
    facts: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        core: trained weights.
        settings: the level and its options; the seed of the start.
        dialect: the simulator's, or modules in Verilog-A.
        devices: form of the devices.
        sample: whose start the test bench holds.
    """

    core: AnalogCore
    settings: RunSettings
    dialect: Dialect
    devices: Devices
    sample: int = 0

    @property
    def start(self) -> Array:
        """(N,) states of the sample."""
        return self.core.initial_states(self.settings.seed, self.sample)


def make_netlist(request: Request, status: Status) -> NetlistOutput:
    """The files of a level in a dialect.

    Args:
        request: what is asked for.
        status: told what is being done, if it takes time.

    Raises:
        NetlistError: the dialect can't say it, or not in these devices.
        NonIdealityError: one that has nothing to act on.
        NoiseError: noise that can't be made as asked.
        CellFault, CellFileError, SizingError, LcDesignFailed: the cell or the weights can't be realised like that.
        NgspiceUnavailable: no simulator to characterise the cell with.
        BenchFailed: a characterisation did not finish.
    """
    level = request.settings.level
    _check(request)
    built = build(request.core, request.settings)
    request = replace(request, settings=settings_as_built(request.settings, built))
    if level == PHASE:
        return _phase(request, built)
    with Simulator() as simulator:
        return (_lc if level == LC else _cells)(request, built, simulator, status)


def _check(request: Request) -> None:
    level, dialect = request.settings.level, request.dialect
    if dialect == "verilog-a" and level != PHASE:
        raise NetlistError(
            f"--dialect verilog-a holds the modules of the phase level, and --level {level} is made of circuit "
            "elements. Take --dialect ngspice, xyce or spectre, or --level phase."
        )
    if dialect == "verilog-a" and request.settings.non_idealities.in_weights:
        raise NetlistError(
            "--dialect verilog-a holds modules, and no weights that a chip could miss. Leave the non-idealities out, "
            "or take --dialect ngspice, xyce or spectre."
        )
    noisy = request.settings.non_idealities
    thermal = noisy.temperature is not None and level in THERMAL
    if dialect != "ngspice" and (noisy.noise or thermal):
        raise NetlistError(
            f"noise is written for ngspice alone, not for --dialect {dialect}. Leave "
            f"{'--noise' if noisy.noise else '--temperature, which brings thermal noise,'} out."
        )
    if request.devices == "compiled" and (
        dialect not in ("ngspice", "verilog-a") or level not in (PHASE, LC)
    ):
        asked = f"--level {level}" if dialect == "ngspice" else f"--dialect {dialect}"
        raise NetlistError(
            f"--devices compiled are ngspice's alone, at the levels phase and lc; {asked} has none. "
            "Take --devices behavioural."
        )


def write_into(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Writes the files, and removes those of an earlier call that these do not replace.

    Raises:
        OSError: can't be written.
    """
    for name, content in files.items():
        if isinstance(content, str):
            write_text_whole(folder / name, content)
        else:
            write_bytes_whole(folder / name, content)
    for name in NETLIST_FILES - files.keys():
        # a user may keep a .spiceinit of their own
        if name != BEHAVIOUR_FILE or _is_ours(folder / name):
            (folder / name).unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    return path.is_file() and bool(_OUR_BEHAVIOUR.fullmatch(path.read_text(errors="replace")))


def _as_built_notes(built: AsBuilt) -> tuple[str, ...]:
    """For the head of a test bench."""
    return tuple(f"As built, {what}: {said}" for what, said in facts(built))


def _noise_notes(felt: CarrierNoise | None) -> tuple[str, ...]:
    if felt is None:
        return ()
    return (f"Noise: phases diffuse by {felt.sigma:.6g} rad per root of model time, thermal noise included",)


def _phase(request: Request, built: AsBuilt) -> NetlistOutput:
    core, settings = built.core, request.settings
    grid, remarks = noise_grid(core, settings.non_idealities, settings.rows, settings.seed)
    noise = None if grid is None else Noise(grid, request.sample)
    circuit = compile_core(core, settings.scaling, request.devices, noise=grid)
    couplers = _couplers_said(core)
    if request.dialect == "verilog-a":
        modules = verilog_a.library(core.family, core.degree.tolist(), core.chunks)
        return NetlistOutput(circuit.title, {MODULES_FILE: modules}, None, couplers)
    files = _circuit_files(
        request, core, circuit, phase_options(core, settings, grid), request.start,
        notes=_as_built_notes(built), noise=noise,
    )  # fmt: skip
    said = (("time unit", f"tau = {settings.scaling.tau:.6g} s"), *facts(built))
    return NetlistOutput(circuit.title, files, circuit.inventory, couplers, said, remarks)


def _couplers_said(core: AnalogCore) -> str:
    return f"{len(core.couplers[0])} ({coupling_form(core.family, symmetric=core.symmetric)})"


def _circuit_files(
    request: Request, core: AnalogCore, circuit: Circuit, options: SolverOptions, start: Array,
    currents: Array | None = None, notes: tuple[str, ...] = (), measurements: Sequence[Frequency] = (),
    noise: Noise | None = None,
) -> Mapping[str, str]:  # fmt: skip
    """A compiled core in the form that the dialect has for it."""
    if request.dialect == "ngspice":
        return write_netlist(
            circuit, options, start, currents, noise=noise, notes=notes, measurements=measurements
        ).by_name()
    design = phase_design(core, circuit, options, start, currents, notes=notes, measurements=measurements)
    return _design_files(design, request.dialect)


def _design_files(design: Design, dialect: Dialect) -> Mapping[str, str]:
    if dialect == "verilog-a":
        raise NetlistError("a test bench is no Verilog-A module: take --dialect ngspice, xyce or spectre")
    try:
        return write_design_files(design, dialect)
    except ValueError as error:  # what the dialect lacks, by element
        raise NetlistError(str(error)) from error


def _lc(request: Request, built: AsBuilt, simulator: Simulator, status: Status) -> NetlistOutput:
    settings = request.settings
    array, watch, remarks = lc_array(built.core, settings, simulator, status)
    felt = noise_of_lc(array, settings, request.core.duration)
    grid, noise = (None, None) if felt is None else (felt.grid, Noise(felt.grid, request.sample))
    if grid is not None and request.devices == "behavioural":
        check_size(grid, array.core.nodes, array.core.duration)
    circuit = compile_core(array.core, array.scaling, request.devices, noise=grid)
    circuit = replace(circuit, stop=watch.stop)
    volts, amperes = array.start(request.start)
    measurements = array.measurements(circuit.state_nodes, request.core.visible, circuit.stop)
    files: Mapping[str, str | bytes] = _circuit_files(
        request, array.core, circuit, lc_options(array, settings), volts, amperes,
        (*array.notes, *_as_built_notes(built), *_noise_notes(felt)), measurements, noise,
    )  # fmt: skip
    siemens = array.core.coupling * array.scaling.conductance
    said = (
        *([] if COUPLING in built.quantised else [("codes", "none: continuous transconductances")]),
        *_clip_facts(remarks),
        ("strengths", f"up to {np.abs(siemens).max(initial=0.0):.4g} S a coupler"),
        *_time_facts(array.cycles, array.tau, array.f0_hz, array.step),
        *facts(built),
    )
    files = {**files, **_lc_beside(request, built, array, siemens)}
    couplers = _couplers_said(array.core)
    return NetlistOutput(circuit.title, files, circuit.inventory, couplers, said, remarks)


def _lc_beside(request: Request, built: AsBuilt, array: LcArray, siemens: Array) -> dict[str, str | bytes]:
    asked, edges = request.settings.oscillator, array.core.couplers[1]
    pitch = asked.pitch_um
    return {
        **write_floorplan_files(request.core, edges, None, 0.0, pitch_um=pitch, bits=2),
        CODES_FILE: coupler_strengths(request.core, edges, siemens[:, edges], "S", pitch),
        FLOORPLAN_FIGURE: _floorplan(limited(built.core, asked.full_scale, asked.clip)[0]),
    }


def _floorplan(core: AnalogCore) -> bytes:
    from emulator.core_figures import floorplan  # with matplotlib, which other commands need not wait for

    return floorplan(core)


def _cells(request: Request, built: AsBuilt, simulator: Simulator, status: Status) -> NetlistOutput:
    array, known, remarks = oscillator_array(built.core, request.settings, simulator, status, built.legs)
    felt = noise_of_cells(array, known, request.settings, request.core.duration)
    noise = None if felt is None else Noise(felt.grid, request.sample)
    design = array_design(array, known, request.start, noise)
    design = replace(design, notes=(*design.notes, *_as_built_notes(built), *_noise_notes(felt)))
    files = _design_files(design, request.dialect)
    said = (
        ("codes", _codes_said(array)),
        *_clip_facts(clipped_remark(array.sizing.clipped)),
        ("unit strengths", _strengths_said(array)),
        *_time_facts(array.sizing.cycles, array.sizing.tau, array.sizing.carrier_hz, array.step),
        *facts(built),
    )
    beside = _array_beside(request, array)
    form = "mutual" if array.coupler.mutual else "directed"
    edges = array.sizing.links.edge
    twice = len(edges) - len(np.unique(edges))
    couplers = f"{len(edges)} ({array.coupler.name}, {form}{_twice_said(twice)})"
    return NetlistOutput(array.title, {**files, **beside}, array.inventory, couplers, said, remarks)


def _codes_said(array: OscillatorArray) -> str:
    bits = len(array.coupler.bits)
    if not bits:
        return "none: continuous strengths"
    return f"{bits} bits and a sign; 1 LSB = {array.sizing.lsb:.4g} per model time unit"


def _strengths_said(array: OscillatorArray) -> str:
    links, unit = array.sizing.links, array.coupler.strength_unit
    if links.codes is None:
        return f"up to {np.abs(links.strength).max(initial=0.0):.4g} {unit}"
    straight, crossed = links.full
    return f"straight {straight:.4g}, crossed {crossed:.4g} ({unit})"


def _clip_facts(remarks: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return (("clipped", remarks[0] if remarks else "no weights"),)


def _time_facts(cycles: float, tau: float, carrier_hz: float, step: float) -> tuple[tuple[str, str], ...]:
    return (
        ("time unit", f"tau = {tau:.6g} s, {cycles:g} cycles for the run, steps of {step:.4g} s"),
        ("carrier", f"{carrier_hz / 1e6:.7g} MHz; injection at twice that"),
    )


def _twice_said(weights: int) -> str:
    """A coupler is wired for one sign: how many weights need a second, in words."""
    return f"; {weights} weights change sign in time and have two, straight and crossed" if weights else ""


def _array_beside(request: Request, array: OscillatorArray) -> dict[str, str | bytes]:
    """Placement, codes or strengths, memory image and figure."""
    core, sizing, bits = request.core, array.sizing, len(array.coupler.bits)
    pitch, edges = request.settings.oscillator.pitch_um, np.unique(sizing.links.edge)
    codes = None if sizing.codes is None else sizing.codes[:, edges]
    files: dict[str, str | bytes] = dict(
        write_floorplan_files(core, edges, codes, sizing.lsb, pitch_um=pitch, bits=bits + 1)
    )
    if codes is None:
        strengths, unit = _signed(sizing.links, edges), array.coupler.strength_unit
        files[CODES_FILE] = coupler_strengths(core, edges, strengths, unit, pitch)
    return {**files, FLOORPLAN_FIGURE: _floorplan(sizing.as_built)}


def _signed(links: Links, edges: Index) -> Array:
    """(T, Q) strength of each edge's couplers, negative where one is wired crossed."""
    sign = np.where(links.crossed.astype(bool), -1.0, 1.0)
    found = np.zeros((len(links.strength), len(edges)))
    np.add.at(found.T, np.searchsorted(edges, links.edge), (sign * links.strength).T)
    return found
