"""The SPICE text of a user's own cell, and its model files: read with care, as nobody should run what is in them.

Subcircuits, model cards, parameters and functions are taken; nothing that runs commands or reads files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from device_models.elements import RawBlock
from netlists.cell_corners import sets_temperature
from netlists.spice_text import SpiceElement, element, header, logical_lines

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
_TAKEN = {".subckt", ".ends", ".model", ".param", ".func"}
# what makes ngspice run commands: a control block, its disguise as a comment, and devices that start processes
_COMMANDS = re.compile(r"\.(?:control|endc|exec\w*|csparam)\b|\*#|\*ng_script", re.IGNORECASE)
_INCLUDE = re.compile(r"\.(?:include|inc|lib)\s+[\"']?([^\"'\s]+)", re.IGNORECASE)
_LARGEST = 20_000_000  # bytes of a file


def read_text(path: Path) -> str:
    """A file's text.

    Raises:
        ValueError: it is not there, not text, or too large.
    """
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
class Library:
    """What a SPICE text holds: subcircuits by name, the elements of each, and the lines outside of all."""

    blocks: Mapping[str, RawBlock]
    elements: Mapping[str, tuple[SpiceElement, ...]]
    lines: tuple[str, ...]


def read_library(text: str, problems: list[str]) -> Library:
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
            if found.name in blocks or not re.match(NAME, found.name):
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
    return Library(blocks, {key: tuple(value) for key, value in elements.items()}, tuple(outside))


def check_calls(library: Library, problems: list[str]) -> None:
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


def blocks_below(block: RawBlock, library: Library, problems: list[str]) -> tuple[RawBlock, ...]:
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


def read_includes(
    names: Sequence[str], folder: Path, problems: list[str], *, trusted: bool, tempered: bool
) -> tuple[Path, ...]:
    """The model files, searched for commands together with those that they include.

    ``tempered``: the temperature is told otherwise, so that they may not set it.
    """
    if names and not trusted:
        problems.append(
            f"includes: {', '.join(names)} would be read by the simulator. Look through them, then pass "
            "--trust-includes."
        )
        return ()
    paths = tuple((folder / name).resolve() for name in names)
    for path in reached(paths):
        try:
            text = read_text(path)
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
        problems += [
            f"includes: {path.name}, line {number} sets the temperature, and --temperature does: {line[:80]}. Leave "
            "one of the two out."
            for number, line in logical_lines(text)
            if tempered and sets_temperature(line)
        ]
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
            lines = read_text(path).split("\n")
        except (OSError, ValueError):
            continue
        found = (_INCLUDE.match(line.strip()) for line in lines)
        waiting += [(path.parent / match.group(1)).resolve() for match in found if match]
    return tuple(seen)
