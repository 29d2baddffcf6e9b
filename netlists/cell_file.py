"""A user's own oscillator: a SPICE subcircuit and a TOML file that says what its ports are.

``netlists.cell_library`` reads the SPICE text and searches the model files, which come in through the TOML's
``includes`` only if the user trusts them; ``netlists.cell_corners`` knows what is another at a corner.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device_models.corners import CornerName, temperature_lines
from device_models.couplers import transconductor
from device_models.elements import RawBlock, checked_name
from device_models.oscillator_cell import CouplerType, OscillatorCell, ShilKind, Side, Wire
from netlists.cell_corners import CornerEntry, Described, at_corner, check_corners, sets_temperature
from netlists.cell_library import (
    NAME,
    Library,
    blocks_below,
    check_calls,
    read_includes,
    read_library,
    read_text,
)
from netlists.printable import printable
from netlists.spice_text import SpiceElement, spice_number

_WIRE = re.compile(r"(sender|receiver|global):([A-Za-z][A-Za-z0-9_]*)\Z")
_OPTION = re.compile(r"\.(?:options?|param|temp) [A-Za-z0-9_ =.+*/()-]*\Z", re.IGNORECASE)
_GUESS = 1e-6  # siemens of the ideal coupler; characterisation finds its own way from there


class CellFileError(ValueError):
    """A cell file that can't be used; ``problems`` says all that is wrong with it."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = [printable(problem, longest=None) for problem in problems]
        super().__init__("\n  ".join([f"{printable(str(path))}: not usable as a cell", *self.problems]))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CouplerEntry(_Strict):
    """``[[couplers]]`` of the TOML."""

    name: str = Field(pattern=NAME)
    title: str = ""
    subcircuit: str = Field(pattern=NAME)
    straight: tuple[str, ...]
    crossed: tuple[str, ...] | None = None
    strength: str = Field(pattern=NAME)
    strength_unit: str = ""
    strength_guess: float = Field(gt=0)
    bits: tuple[str, ...] = ()
    mutual: bool = False


class DetuningEntry(_Strict):
    """``[detuning]`` of the TOML: the subcircuit's parameter by which a copy gets a frequency of its own."""

    parameter: str = Field(pattern=NAME)


class CellEntry(_Strict):
    """The TOML file."""

    name: str = Field(pattern=NAME)
    title: str = ""
    source: str = ""
    spice: str
    subcircuit: str = Field(pattern=NAME)
    ports: tuple[str, ...]
    output: str
    injections: tuple[str, ...] = Field(min_length=1)
    shil: str
    shil_kind: ShilKind = "current"
    period_guess: float = Field(gt=0)
    output_mean: float = 0.0  # volts about which the output swings, for the ideal coupler
    points_per_cycle: int = Field(200, ge=16, le=10_000)
    supplies: Mapping[str, float] = {}
    start: Mapping[str, float] = {}
    includes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    behaviour: str = Field("", pattern=r"^[a-z0-9]*$")
    couplers: tuple[CouplerEntry, ...] = ()
    corners: Mapping[Described, CornerEntry] = {}
    detuning: DetuningEntry | None = None


def read_cell(
    path: Path, *, trust_includes: bool = False, corner: CornerName = "typical", kelvin: float | None = None
) -> OscillatorCell:
    """The cell that a TOML file describes.

    Args:
        path: the TOML file.
        trust_includes: model files that it names are read.
        corner: one that it describes; ``typical`` is what the SPICE text says.
        kelvin: the simulator's temperature; None leaves it alone, at 300.15 K or what the file's ``options`` say.

    Raises:
        CellFileError: with everything that is wrong with it.
    """
    try:
        entry = CellEntry.model_validate(tomllib.loads(read_text(path)))
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise CellFileError(path, found) from error
    except (OSError, ValueError) as error:
        raise CellFileError(path, [str(error)]) from error
    problems: list[str] = []
    spice = path.parent / entry.spice
    try:
        library = read_library(read_text(spice), problems)
    except (OSError, ValueError) as error:
        raise CellFileError(path, [f"spice: {error}"]) from error
    entry, library = _in_force(entry, library, corner, kelvin, problems)
    includes = read_includes(
        entry.includes, path.parent, problems, trusted=trust_includes, tempered=kelvin is not None
    )
    cell = None if problems else _cell(entry, library, includes, problems)
    if problems or cell is None:
        raise CellFileError(path, problems)
    return cell


def _in_force(
    entry: CellEntry, library: Library, corner: CornerName, kelvin: float | None, problems: list[str]
) -> tuple[CellEntry, Library]:
    """The file at a corner and a temperature; its title says so."""
    check_corners(entry.corners, (*entry.options, *library.lines), problems)
    title, options = entry.title or entry.name, entry.options
    if corner != "typical":
        described = entry.corners.get(corner)
        if described is None:
            problems.append(
                f"corner {corner}: the cell has none, only {', '.join(['typical', *entry.corners])}. Add a table "
                f"[corners.{corner}] with the parameters that differ there."
            )
            return entry, library
        title, options = f"{title}, {corner} corner", at_corner(options, described)
        library = replace(library, lines=at_corner(library.lines, described))
        if described.includes is not None:
            entry = entry.model_copy(update={"includes": described.includes})
    if kelvin is not None:
        problems += [
            f"options: {line!r} sets the temperature, and --temperature {kelvin:g} does. Leave one of the two out."
            for line in filter(sets_temperature, options)
        ]
        title, options = f"{title}, {kelvin:g} K", (*options, *temperature_lines(kelvin))
    return entry.model_copy(update={"title": title, "options": options}), library


def _cell(
    entry: CellEntry, library: Library, includes: tuple[Path, ...], problems: list[str]
) -> OscillatorCell | None:
    block = library.blocks.get(entry.subcircuit.lower())
    if block is None:
        problems.append(
            f"subcircuit: the SPICE file has no {entry.subcircuit}, only {', '.join(library.blocks) or 'none'}"
        )
        return None
    ports = tuple(port.lower() for port in entry.ports)
    _check_ports(entry, block, ports, problems)
    problems += [f"options: {line!r} is not taken" for line in entry.options if not _OPTION.match(line)]
    if not includes:
        check_calls(library, problems)
    nodes = {node for e in library.elements[block.name] for node in e.nodes}
    start = {name.lower(): volts for name, volts in entry.start.items()}
    problems += [
        f"start: {block.name} has no node {name}"
        for name in start
        if name not in nodes and "." not in name and name not in ports
    ]
    tuning = "" if entry.detuning is None else _tuning(entry.detuning.parameter, block, problems)
    couplers = [_coupler(c, entry, library, problems) for c in entry.couplers]
    names = Counter(c.name for c in entry.couplers)
    problems += [f"couplers: {name} is there {count} times" for name, count in names.items() if count > 1]
    if problems:
        return None
    if "gm" not in names:
        ports_used = entry.output.lower(), entry.injections[0].lower()
        couplers.append(transconductor(*ports_used, _GUESS, entry.output_mean))
    block, inductors = _with_initial_currents(block, library.elements[block.name], problems)
    used = {b.name for c in couplers if c is not None for b in c.blocks}
    return OscillatorCell(
        name=entry.name,
        title=entry.title,
        block=block,
        output=entry.output.lower(),
        injections=tuple(port.lower() for port in entry.injections),
        supplies={port.lower(): volts for port, volts in entry.supplies.items()},
        start=start,
        period_guess=entry.period_guess,
        couplers=tuple(c for c in couplers if c is not None),
        shil=entry.shil.lower(),
        source=entry.source or f"{entry.spice}, {entry.subcircuit}",
        blocks=tuple(b for b in library.blocks.values() if b.name != block.name and b.name not in used),
        includes=includes,
        options=(*entry.options, *library.lines),
        behaviour=entry.behaviour,
        inductors=inductors,
        shil_kind=entry.shil_kind,
        points_per_cycle=entry.points_per_cycle,
        tuning=tuning,
    )


def _tuning(parameter: str, block: RawBlock, problems: list[str]) -> str:
    """The parameter, as the subcircuit writes it."""
    names = {name.lower(): name for name in block.parameters}
    name = names.get(parameter.lower())
    if name is None:
        problems.append(
            f"detuning: the .subckt line of {block.name} has no parameter {parameter}, only "
            f"{', '.join(block.parameters) or 'none'}"
        )
        return ""
    if not spice_number(block.parameters[name]):
        problems.append(
            f"detuning: {name}={block.parameters[name]} of {block.name} is no number other than 0, so that shares of "
            f"it mean nothing. Write it as {name}=2.4p, say."
        )
    return name


def _check_ports(entry: CellEntry, block: RawBlock, ports: tuple[str, ...], problems: list[str]) -> None:
    for port, count in Counter(ports).items():
        if count > 1:
            problems.append(f"ports: {port} is named twice")
    problems += [
        f"ports: {block.name} has no port {port}, only {', '.join(block.ports)}"
        for port in ports
        if port not in block.ports
    ]
    problems += [
        f"ports: {block.name} has a port {port}, which is not listed"
        for port in block.ports
        if port not in ports
    ]
    for port in block.ports:
        try:
            checked_name(port)
        except ValueError as error:
            problems.append(f"ports: {error}")
    roles = [("output", entry.output), ("shil", entry.shil)]
    roles += [("injections", port) for port in entry.injections]
    roles += [("supplies", port) for port in entry.supplies]
    supplies = {port.lower() for port in entry.supplies}
    for role, port in roles:
        if port.lower() not in ports:
            problems.append(f"{role}: {port} is no port of {block.name}")
        elif role != "supplies" and port.lower() in supplies:
            problems.append(f"{role}: {port} is a supply, which holds its voltage")


def _coupler(
    entry: CouplerEntry, cell: CellEntry, library: Library, problems: list[str]
) -> CouplerType | None:
    where = f"couplers, {entry.name}"
    block = library.blocks.get(entry.subcircuit.lower())
    if block is None:
        problems.append(f"{where}: the SPICE file has no subcircuit {entry.subcircuit}")
        return None
    parameters = {name.lower() for name in block.parameters}
    problems += [
        f"{where}: {block.name} has no parameter {name}"
        for name in (entry.strength, *(f"{bit}_1" for bit in entry.bits))
        if name.lower() not in parameters
    ]
    wirings = [
        None if written is None else _wiring(written, block, cell, f"{where}, {which}", problems)
        for which, written in (("straight", entry.straight), ("crossed", entry.crossed))
    ]
    return CouplerType(
        name=entry.name,
        title=entry.title,
        blocks=(*blocks_below(block, library, problems), block),
        straight=wirings[0] or (),
        crossed=wirings[1],
        strength=entry.strength.lower(),
        strength_unit=entry.strength_unit,
        strength_guess=entry.strength_guess,
        bits=tuple(bit.lower() for bit in entry.bits),
        mutual=entry.mutual,
    )


def _wiring(
    written: tuple[str, ...], block: RawBlock, cell: CellEntry, where: str, problems: list[str]
) -> tuple[Wire, ...]:
    if len(written) != len(block.ports):
        problems.append(f"{where}: has {len(written)} wires; {block.name} has {len(block.ports)} ports")
    sides: dict[str, Side] = {"sender": "sender", "receiver": "receiver", "global": "global"}
    ports, supplies = {p.lower() for p in cell.ports}, {p.lower() for p in cell.supplies}
    wires = []
    for text in written:
        match = _WIRE.match(text)
        if match is None:
            problems.append(f"{where}: {text!r} is no wire, such as 'sender:{cell.output}' or 'global:vdd'")
            continue
        wire = Wire(sides[match.group(1)], match.group(2).lower())
        if wire.port not in (supplies if wire.side == "global" else ports - supplies):
            kind = "supply" if wire.side == "global" else "port for signals"
            problems.append(f"{where}: the cell has no {kind} {wire.port}")
        wires.append(wire)
    return tuple(wires)


def _with_initial_currents(
    block: RawBlock, elements: tuple[SpiceElement, ...], problems: list[str]
) -> tuple[RawBlock, tuple[str, ...]]:
    """The block with a parameter ``ic_<name>`` for the initial current of each of its inductors."""
    coils = [e for e in elements if e.name.startswith("l")]
    text = block.text
    for coil in coils:
        if re.search(r"\bic\s*=", coil.text, re.IGNORECASE):
            problems.append(f"spice: leave out ic= of {coil.name}; the cell starts from the TOML's `start`")
        text = text.replace(f"\n{coil.text}\n", f"\n{coil.text} ic={{ic_{coil.name[1:]}}}\n", 1)
    names = tuple(coil.name[1:] for coil in coils)
    first, rest = text.split("\n", 1)
    declared = " ".join([first, *(f"ic_{name}=0" for name in names)])
    parameters = {**block.parameters, **{f"ic_{name}": "0" for name in names}}
    return replace(block, text=f"{declared}\n{rest}", parameters=parameters), names
