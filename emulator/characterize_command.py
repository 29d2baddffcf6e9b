"""``ais characterize``: a cell measured, with its tables, files and figure."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from device_models.corners import CornerName
from device_models.oscillator_cell import OscillatorCell
from emulator.cell_runs import BenchFailed
from emulator.cells import BUILT_IN, find_cell
from emulator.characterize import characterize
from emulator.chip import build
from emulator.console import FAILED, UNUSABLE, bar_of_parts, console, stop
from emulator.free_cells import free_core, free_settings, noisy_cells
from emulator.levels import LC
from emulator.simulator import Simulator
from emulator.unusable import unusable_input
from netlists.characterization import NO_TUNING, Characterization
from netlists.characterization_file import write_characterization, write_summary
from netlists.files import write_bytes_whole
from netlists.printable import printable

CHARACTERIZATION_FILE, SUMMARY_FILE = "characterization.h5", "characterization.json"
CELL_FIGURE = "characterization.png"


def characterize_command(
    cell: Annotated[str, typer.Argument(
        help="lc, ring, differential-pair, van-der-pol, or a TOML file that describes a cell of your own.",
        show_default=False,
    )],
    out: Annotated[Path | None, typer.Option(
        help="Folder for characterization.h5, .json and .png; default: out/characterize-CELL.",
        show_default=False,
    )] = None,
    points_per_cycle: Annotated[int | None, typer.Option(
        min=16, max=10_000, help="Steps of a cycle; default: the cell's own (lc 64, ring 200).", show_default=False
    )] = None,
    trust_includes: Annotated[bool, typer.Option(
        "--trust-includes", help="Read the model files that the cell's TOML names. Look through them first."
    )] = False,
    noise: Annotated[float, typer.Option(
        min=0, help="White phase noise, rad per root of second, to be injected and measured back; lc and ring."
    )] = 0.0,
    temperature: Annotated[float | None, typer.Option(
        min=1, max=1000, show_default=False,
        help="Kelvin. Of lc and ring: thermal noise of the elements, to be injected and measured back. Of ring and a "
        "cell of your own: the simulator's temperature, at which all is measured.",
    )] = None,
    corner: Annotated[CornerName, typer.Option(
        help="Process corner; of a cell of your own one that its TOML describes."
    )] = "typical",
) -> None:  # fmt: skip
    """Measure an oscillator cell: frequency, power, phase sensitivity, couplers, injection locking, phase noise."""
    with unusable_input():
        chosen = find_cell(cell, trust_includes=trust_includes, corner=corner, kelvin=temperature)
        elements, told = {"temperature": temperature, "corner": corner}, {"trust_includes": trust_includes}
        noisy = bool(noise) or (temperature is not None and cell in BUILT_IN)
        if noisy:
            build(
                free_core(1), free_settings(cell, 100.0, elements, oscillator=told)
            )  # what it refuses, before any work
        folder = out if out is not None else Path("out") / f"characterize-{chosen.name}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            found = _characterized(chosen, points_per_cycle)
            write_characterization(folder / CHARACTERIZATION_FILE, found)
            diffusing = None
            if noisy:
                with Simulator() as simulator:
                    diffusing = noisy_cells(simulator, cell, found.f0_hz, noise, elements, told, **_few(cell))
            write_summary(folder / SUMMARY_FILE, found, None if diffusing is None else asdict(diffusing))
            from emulator.cell_figure import (
                cell_figure,
            )  # with matplotlib, which other commands need not wait for

            write_bytes_whole(folder / CELL_FIGURE, cell_figure(found))
        except OSError as error:
            stop(UNUSABLE, f"can't write to {folder}: {error}")
        except BenchFailed as error:
            stop(FAILED, f"{error}")
        except KeyboardInterrupt:
            stop(FAILED, "interrupted; nothing was written")
    for table in _tables(chosen.title, found):
        console.print(table)
    if diffusing is not None:
        measured = diffusing.measured
        console.print(Text(
            f"phase noise: {diffusing.cells} free cells over {diffusing.cycles:g} cycles diffuse at "
            f"{measured.rate:.4g} ± {measured.error:.2g} rad²/s, where {diffusing.stated:.4g} is what their noise is "
            f"made for ({math.sqrt(diffusing.stated * 1e-5):.2g} rad rms after 10 µs)"
        ))  # fmt: skip
    names = ", ".join(str(folder / n) for n in (CHARACTERIZATION_FILE, SUMMARY_FILE, CELL_FIGURE))
    console.print(Text(f"files: {printable(names, longest=None)}"), soft_wrap=True)


def _few(cell: str) -> dict[str, Any]:
    """How many cells run how long for their phase noise: transistors take longer."""
    return {} if cell == LC else {"side": 4, "cycles": 100.0}


def _characterized(cell: OscillatorCell, points: int | None) -> Characterization:
    """Measures it anew, with a bar by parts."""
    with bar_of_parts("starting ngspice") as show, Simulator() as simulator:
        return characterize(simulator, cell, points, show)


def _tables(title: str, found: Characterization) -> list[Table]:
    whole = Table(title=Text(printable(title)), show_header=False)
    rows = [
        ("frequency", f"{found.f0_hz / 1e6:.7g} MHz, at {found.points_per_cycle} steps a cycle"),
        ("output", f"amplitude {found.amplitude_v:.4g} V about {found.mean_v:.4g} V"),
        ("power", f"{found.power_w * 1e6:.4g} µW" if found.power_w else "none: the cell has no supply"),
    ]
    for port, ppv in found.ppv.items():
        sizes = " ".join(f"{abs(c) * 1e-15:.3g}" for c in ppv.harmonics[:5])
        rows.append(
            (f"PPV at {port}, harmonics 0 to 4", f"{sizes} rad/fC (nonlinearity {ppv.nonlinearity:.1%})")
        )
    if (shil := found.shil) is not None:
        unit = "A" if shil.kind == "current" else "S"
        for name, edges in (("predicted", shil.predicted_hz), ("measured", shil.measured_hz)):
            low, high = edges / 1e3
            said = f"f0 {low:+.4g} to {high:+.4g} kHz at {shil.current:.3g} {unit}"
            rows.append((f"locks at half the injection, {name}", said))
    if (tuning := found.tuning) is not None:
        rows.append(
            (
                f"tuning by {tuning.parameter}",
                f"{tuning.sensitivity:+.4f} % of the frequency a per cent about {tuning.default:.4g}",
            )
        )
    elif NO_TUNING in found.settings:
        rows.append(("tuning", f"can't be measured: {found.settings[NO_TUNING]}"))
    for name, value in rows:
        whole.add_row(Text(printable(name)), Text(printable(value)))
    couplers = Table(
        title="Couplers", caption="gain and pulling per strength, relative to f0; Γ = −gain sin(Δφ + lag)"
    )
    for heading in ("coupler", "strength", "gain", "lag, rad", "pulling", "µW"):
        couplers.add_column(heading, justify="left" if heading == "coupler" else "right")
    turn = 2 * np.pi * found.f0_hz
    for key, gamma in found.coupling.items():
        couplers.add_row(
            Text(printable(key)), f"{gamma.strength:.3g}", f"{gamma.gain * gamma.strength / turn:+.3e}",
            f"{gamma.lag:+.3f}", f"{gamma.pulling * gamma.strength / turn:+.3e}",
            f"{gamma.power * gamma.strength * 1e6:.3g}",
        )  # fmt: skip
    return [whole, couplers]
