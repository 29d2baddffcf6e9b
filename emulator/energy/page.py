"""What ``ais energy`` says as files: ``energy.html`` to read, ``energy.json`` for programs, and the figures."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from emulator.energy import drawings
from emulator.energy.as_json import as_json
from emulator.energy.digital import SolverEnergy
from emulator.energy.overview import Overview, remarks
from emulator.energy.published import AIS_PAPER, DIGITAL, SILICON
from emulator.energy.words import PART_NAMES, between, in_joules, share_of
from emulator.page import as_data, page_environment
from netlists.files import write_bytes_whole, write_text_whole

PAGE, JSON = "energy.html", "energy.json"


def write_energy(folder: Path, found: Overview) -> list[Path]:
    """Writes page, JSON and figures, each whole or not at all; returns their paths.

    Raises:
        OSError: one could not be written.
    """
    drawn = {
        "curves": drawings.curves(found), "parts": drawings.parts(found), "allowed": drawings.allowed(found)
    }  # fmt: skip
    write_text_whole(folder / JSON, json.dumps(as_json(found), indent=2) + "\n")
    write_text_whole(folder / PAGE, _page(found, drawn))
    pictures = {folder / f"energy-{name}.svg": data for name, data in drawn.items()}
    for path, data in pictures.items():
        write_bytes_whole(path, data)
    return [folder / PAGE, folder / JSON, *pictures]


def _page(found: Overview, drawn: dict[str, bytes]) -> str:
    environment = page_environment(joules=in_joules, between=between, of=share_of)
    core = len(found.published.shares)
    return environment.get_template("energy.html.j2").render(
        found=found,
        settings=found.settings,
        core=found.whole.shares[:core],
        added=found.whole.shares[core:],
        names=PART_NAMES,
        silicon=SILICON,
        digital=DIGITAL,
        paper=AIS_PAPER,
        measured=isinstance(found.solver, SolverEnergy),
        assumptions=found.settings.assumptions,
        meanings={name: type(found.settings).model_fields[name].description for name in found.settings.assumptions},
        remarks=remarks(found),
        drawings={name: as_data("svg+xml", data) for name, data in drawn.items()},
        version=version("ais-emulator"),
    )  # fmt: skip
