"""A user's own oscillator: a SPICE subcircuit and a TOML file that says what its ports are.

The SPICE text may hold subcircuits, model cards, parameters and functions; nothing that runs commands or reads
files. Model files come in through the TOML's ``includes``, only if the user trusts them, and are searched for control
blocks all the same. Tables ``[corners.NAME]`` say what is another at a corner (``netlists.cell_corners``).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device_models.corners import CornerName, temperature_lines
from device_models.couplers import transconductor
from device_models.elements import RawBlock, checked_name
from device_models.oscillator_cell import CouplerType, OscillatorCell, ShilKind, Side, Wire
from netlists.cell_corners import CornerEntry, Described, at_corner, check_corners, sets_temperature
from netlists.printable import printable
from netlists.spice_text import SpiceElement, element, header, logical_lines, spice_number

_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
_WIRE = re.compile(r"(sender|receiver|global):([A-Za-z][A-Za-z0-9_]*)\Z")
_OPTION = re.compile(r"\.(?:options?|param|temp) [A-Za-z0-9_ =.+*/()-]*\Z", re.IGNORECASE)
_TAKEN = {".subckt", ".ends", ".model", ".param", ".func"}
# what makes ngspice run commands: a control block, its disguise as a comment, and devices that start processes
_COMMANDS = re.compile(r"\.(?:control|endc|exec\w*|csparam)\b|\*#|\*ng_script", re.IGNORECASE)
_INCLUDE = re.compile(r"\.(?:include|inc|lib)\s+[\"']?([^\"'\s]+)", re.IGNORECASE)
_LARGEST = 20_000_000  # bytes of a file
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

    name: str = Field(pattern=_NAME)
    title: str = ""
    subcircuit: str = Field(pattern=_NAME)
    straight: tuple[str, ...]
    crossed: tuple[str, ...] | None = None
    strength: str = Field(pattern=_NAME)
    strength_unit: str = ""
    strength_guess: float = Field(gt=0)
    bits: tuple[str, ...] = ()
    mutual: bool = False


class DetuningEntry(_Strict):
    """``[detuning]`` of the TOML: the subcircuit's parameter by which a copy gets a frequency of its own."""

    parameter: str = Field(pattern=_NAME)


class CellEntry(_Strict):
    """The TOML file."""

    name: str = Field(pattern=_NAME)
    title: str = ""
    source: str = ""
    spice: str
    subcircuit: str = Field(pattern=_NAME)
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
        entry = CellEntry.model_validate(tomllib.loads(_text(path)))
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise CellFileError(path, found) from error
    except (OSError, ValueError) as error:
        raise CellFileError(path, [str(error)]) from error
    problems: list[str] = []
    spice = path.parent / entry.spice
    try:
        library = _library(_text(spice), problems)
    except (OSError, ValueError) as error:
        raise CellFileError(path, [f"spice: {error}"]) from error
    entry, library = _in_force(entry, library, corner, kelvin, problems)
    includes = _includes(entry, path.parent, problems, trusted=trust_includes, tempered=kelvin is not None)
    cell = None if problems else _cell(entry, library, includes, problems)
    if problems or cell is None:
        raise CellFileError(path, problems)
    return cell


def _in_force(
    entry: CellEntry, library: _Library, corner: CornerName, kelvin: float | None, problems: list[str]
) -> tuple[CellEntry, _Library]:
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


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} is larger than {_LARGEST} bytes")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    return text.replace("\r\n", "\n")


@dataclass(frozen=True)
class _Library:
    """What a SPICE text holds: subcircuits by name, the elements of each, and the lines outside of all."""

    blocks: Mapping[str, RawBlock]
    elements: Mapping[str, tuple[SpiceElement, ...]]
    lines: tuple[str, ...]


def _library(text: str, problems: list[str]) -> _Library:
    """Reads a SPICE text; what must not be in it is a problem."""
    if any(not (c.isprintable() or c in "\n\t") for c in text):
        problems.append("spice: holds control characters")
    for number, line in enumerate(text.split("\n"), start=1):
        if _COMMANDS.match(line.strip()):
            problems.append(f"spice, line {number}: commands are not taken: {line.strip()}. Remove them.")
    blocks: dict[str, RawBlock] = {}
    elements: dict[str, list[SpiceElement]] = {}
    outside: list[str] = []
    inside: list[str] | None = None
    name = ""
    for number, line in logical_lines(text):
        word = line.split(maxsplit=1)[0].lower()
        where = f"spice, line {number}"
        if word.startswith(".") and word not in _TAKEN:
            hint = (
                " Name model files under `includes` in the TOML."
                if word in (".include", ".inc", ".lib")
                else ""
            )
            if not _COMMANDS.match(line):
                problems.append(f"{where}: {word} is not taken, only {', '.join(sorted(_TAKEN))}.{hint}")
        elif word == ".subckt":
            found = header(line)
            if inside is not None:
                problems.append(f"{where}: .subckt {found.name} inside {name}. Put it beside it.")
            if found.name in blocks or not re.match(_NAME, found.name):
                problems.append(f"{where}: subcircuit {found.name!r} is there already, or has no proper name")
            for port, count in Counter(found.ports).items():
                if count > 1:
                    problems.append(f"{where}: port {port} of {found.name} is named twice")
            name, inside = found.name, [line]
            blocks[name] = RawBlock(name, found.ports, "", found.parameters)
            elements[name] = []
        elif word == ".ends":
            if inside is None:
                problems.append(f"{where}: .ends without .subckt")
                continue
            blocks[name] = replace(blocks[name], text="\n".join([*inside, f".ends {name}"]))
            inside = None
        elif word.startswith("."):
            (outside if inside is None else inside).append(line)
        elif inside is None:
            if number > 1:  # a title is no element
                problems.append(f"{where}: an element outside of all subcircuits: {line}")
        else:
            inside.append(line)
            try:
                elements[name].append(element(line))
            except ValueError as error:
                problems.append(f"{where}: {error}")
    if inside is not None:
        problems.append(f"spice: .subckt {name} has no .ends")
    for block, found_elements in elements.items():
        for repeated, count in Counter(e.name for e in found_elements).items():
            if count > 1:
                problems.append(
                    f"spice: {repeated} is there {count} times in {block}. Give each its own name."
                )
    return _Library(blocks, {key: tuple(value) for key, value in elements.items()}, tuple(outside))


def _includes(
    entry: CellEntry, folder: Path, problems: list[str], *, trusted: bool, tempered: bool
) -> tuple[Path, ...]:
    """The model files, searched for commands together with those that they include.

    ``tempered``: the temperature is told otherwise, so that they may not set it.
    """
    if entry.includes and not trusted:
        problems.append(
            f"includes: {', '.join(entry.includes)} would be read by the simulator. Look through them, then pass "
            "--trust-includes."
        )
        return ()
    paths = tuple((folder / name).resolve() for name in entry.includes)
    for path in reached(paths):
        try:
            text = _text(path)
        except (OSError, ValueError) as error:
            problems.append(f"includes: {error}")
            continue
        if '"' in str(path) or "\n" in str(path):
            problems.append(f"includes: {path} can't be named in a netlist")
        for number, line in enumerate(text.split("\n"), start=1):
            stripped = line.strip()
            if _COMMANDS.match(stripped) or stripped[:1] in ("a", "A"):
                problems.append(
                    f"includes: {path.name}, line {number}: commands are not taken: {stripped[:80]}"
                )
            elif tempered and sets_temperature(stripped):
                problems.append(
                    f"includes: {path.name}, line {number} sets the temperature, and --temperature does: "
                    f"{stripped[:80]}. Leave one of the two out."
                )
    return paths


def reached(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Model files and all that these include, each once; one that can't be read leads nowhere."""
    waiting, seen = list(paths), dict[Path, None]()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen[path] = None
        try:
            lines = _text(path).split("\n")
        except (OSError, ValueError):
            continue
        found = (_INCLUDE.match(line.strip()) for line in lines)
        waiting += [(path.parent / match.group(1)).resolve() for match in found if match]
    return tuple(seen)


def _cell(
    entry: CellEntry, library: _Library, includes: tuple[Path, ...], problems: list[str]
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
        _check_calls(library, problems)
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


def _check_calls(library: _Library, problems: list[str]) -> None:
    """Every subcircuit called is there, with as many nodes as it has ports."""
    for name, elements in library.elements.items():
        for call in (e for e in elements if e.block is not None):
            called = library.blocks.get(call.block or "")
            if called is None:
                problems.append(f"spice: {call.name} in {name} calls {call.block}, which is not there")
            elif len(called.ports) != len(call.nodes):
                problems.append(
                    f"spice: {call.name} in {name} has {len(call.nodes)} nodes; {called.name} has "
                    f"{len(called.ports)} ports"
                )


def _coupler(
    entry: CouplerEntry, cell: CellEntry, library: _Library, problems: list[str]
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
        blocks=(*_below(block, library, problems), block),
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


def _below(block: RawBlock, library: _Library, problems: list[str]) -> tuple[RawBlock, ...]:
    """The subcircuits that a block uses, each before what uses it."""
    found: dict[str, RawBlock] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            problems.append(f"spice: subcircuit {name} contains itself")
            return
        for call in library.elements[name]:
            if call.block is not None and call.block in library.blocks:
                visit(call.block, (*above, name))
                found.setdefault(call.block, library.blocks[call.block])

    visit(block.name, ())
    return tuple(found.values())


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
