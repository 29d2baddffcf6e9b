"""``ais energy``: what a sample would cost, as published and with what that leaves out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from emulator.console import UNUSABLE, console, errors, plain, stop, weights_problems
from emulator.energy import options
from emulator.energy.as_json import as_json as json_of
from emulator.energy.beside import Beside, beside
from emulator.energy.digital import SolverEnergy
from emulator.energy.figure import Share
from emulator.energy.of_core import file_settings
from emulator.energy.overview import Overview, measured_solver, overview, remarks
from emulator.energy.published import DIGITAL, SILICON
from emulator.energy.settings import EnergySettings
from emulator.energy.words import PART_NAMES, between, in_joules, share_of
from emulator.receipt.model import ReceiptError
from emulator.results import Results
from emulator.thermo.options import given_options
from netlists.network_file import holds_modules
from netlists.printable import printable
from netlists.synthetic import window_core
from netlists.weights import Weights, WeightsError, read_weights

_DEFAULT = EnergySettings.model_validate({})
PUBLISHED_SIDE = 56  # the published core, for the reference solver


def energy_command(
    context: typer.Context,
    weights: Annotated[Path | None, typer.Option(
        help="Take nodes, degree, chunks, visible nodes, symmetry and wires from trained weights (HDF5, format "
        "ais-weights); options given by hand go before.", show_default=False,
    )] = None,
    results: Annotated[Path | None, typer.Option(
        help="A run at level ring or lc (its folder, or results.h5): what its circuit took, as it was and scaled to "
        "this core, beside the extrapolation.", show_default=False,
    )] = None,
    nodes: options.Nodes = _DEFAULT.nodes,
    degree: options.Degree = _DEFAULT.mean_degree,
    bits: options.Bits = _DEFAULT.bits,
    f0: options.Frequency = f"{_DEFAULT.f0_hz / 1e6:g}MHz",
    cycles: options.Cycles = _DEFAULT.cycles,
    chunks: options.Chunks = _DEFAULT.chunks,
    visible: options.Visible = None,
    symmetric: options.Symmetric = _DEFAULT.symmetric,
    adc_bits: options.AdcBits = _DEFAULT.adc_bits,
    conversions: options.Conversions = _DEFAULT.conversions,
    pitch_um: options.PitchUm = None,
    wire_ff_per_um: options.WireFfPerUm = None,
    swing_v: options.SwingV = None,
    activity: options.Activity = None,
    reload_pj_per_bit: options.ReloadPjPerBit = None,
    line_ff_per_cell: options.LineFfPerCell = None,
    driver_factor: options.DriverFactor = None,
    start_cycles: options.StartCycles = None,
    walden_fj: options.WaldenFj = None,
    schreier_db: options.SchreierDb = None,
    link_pj_per_bit: options.LinkPjPerBit = None,
    measure: Annotated[bool, typer.Option(
        "--measure", help="Measure the energy of the reference solver on this machine, if the processor shows it."
    )] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print energy.json, and nothing else.")] = False,
    out: Annotated[Path | None, typer.Option(
        help="Folder for energy.html, energy.json and figures.", show_default=False
    )] = None,
) -> None:  # fmt: skip
    """Estimate the energy of a sample: the published extrapolation, its interval, and the terms it leaves out.

    Without options: the published core of 56 × 56 oscillators with 24 couplings and 4 bits. Circuits are simulated by
    `ais run`; --results puts one beside the extrapolation.
    """
    values = {
        "nodes": nodes, "mean_degree": degree, "bits": bits, "f0_hz": options.hertz(f0), "cycles": cycles,
        "chunks": chunks, "visible": visible, "symmetric": symmetric, "adc_bits": adc_bits,
        "conversions": conversions, "pitch_um": pitch_um, "wire_ff_per_um": wire_ff_per_um, "swing_v": swing_v,
        "activity": activity, "reload_pj_per_bit": reload_pj_per_bit, "line_ff_per_cell": line_ff_per_cell,
        "driver_factor": driver_factor, "start_cycles": start_cycles, "walden_fj": walden_fj,
        "schreier_db": schreier_db, "link_pj_per_bit": link_pj_per_bit,
    }  # fmt: skip
    by_hand = {_FIELDS.get(name, name) for name in given_options(context)}
    given = {name: value for name, value in values.items() if name in by_hand}
    file = None if weights is None else _read(weights)
    settings = options.energy_settings(_joined({} if file is None else file_settings(file), given))
    if file is not None and file.core.family.state.periodic is None:
        errors.print(
            Text(f"warning: the powers are of oscillators, which {file.core.family_name} has none of")
        )
    core = None
    if measure:
        core = window_core(PUBLISHED_SIDE, PUBLISHED_SIDE) if file is None else file.core
    circuit = None if results is None else _beside(results, settings)
    found = overview(settings, measured_solver(core), circuit)
    files = [] if out is None else _write(out, found)
    if as_json:
        typer.echo(json.dumps(json_of(found), indent=2))
        return
    for table in _tables(found):
        console.print(table)
        console.print()
    for remark in remarks(found):
        console.print(Text(remark))
    if files:
        console.print(Text(f"files: {printable(', '.join(map(str, files)), longest=None)}"), soft_wrap=True)


_FIELDS = {"degree": "mean_degree", "f0": "f0_hz"}


def _joined(of_file: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The file's settings under those given by hand; the file's wires are those of its degree alone."""
    if given.keys() & {"nodes", "mean_degree"}:
        of_file = {name: value for name, value in of_file.items() if name != "wire_pitches"}
    if "nodes" in given:
        of_file = {name: value for name, value in of_file.items() if name != "visible"}
    return of_file | given


def _read(path: Path) -> Weights:
    try:
        if holds_modules(path):
            stop(UNUSABLE, plain(
                f"{path}: holds a network of modules; the extrapolation is of oscillators on a grid"
            ))  # fmt: skip
        return read_weights(path)
    except WeightsError as error:
        stop(UNUSABLE, weights_problems(error))


def _beside(path: Path, settings: EnergySettings) -> Beside:
    from emulator.receipt.sources import find_sources

    try:
        found = find_sources(path).results
        if not isinstance(found, Results):
            stop(
                UNUSABLE,
                plain(f"{path}: results of a network of modules; expected those of oscillators on a grid"),
            )
        return beside(printable(str(path)), found, settings)
    except ReceiptError as error:
        stop(UNUSABLE, plain(str(error)))
    except ValueError as error:
        stop(UNUSABLE, plain(f"{path}: {error}"))


def _write(out: Path, found: Overview) -> list[Path]:
    from emulator.energy.page import write_energy  # with matplotlib, which the tables need not wait for

    try:
        return write_energy(out, found)
    except OSError as error:
        stop(UNUSABLE, f"can't write to {out}: {error}")


def _tables(found: Overview) -> Iterator[Table]:
    settings, whole = found.settings, found.whole
    core = len(found.published.shares)
    table = _table(
        f"{settings.nodes:,} nodes × {settings.mean_degree:.4g} couplings, {settings.bits} bits, "
        f"{settings.cycles:g} cycles at {settings.f0_hz / 1e6:g} MHz, {settings.chunks} "
        f"chunk{'s' if settings.chunks > 1 else ''}",
        "a sample takes", "", "interval", "of all",
    )  # fmt: skip
    for share in whole.shares[:core]:
        table.add_row(*_row(share, whole.joules))
    published = found.published
    table.add_row(
        published.name, in_joules(published.joules), between(published.interval),
        share_of(published.joules, whole.joules), style="bold", end_section=True,
    )  # fmt: skip
    for share in whole.shares[core:]:
        table.add_row(*_row(share, whole.joules))
    table.add_row(whole.name, in_joules(whole.joules), between(whole.interval), "", style="bold")
    yield table

    table = _table("Published, and what the fit gives", "", "printed", "fit", "error", "rests on")
    for each in found.reproduced:
        printed = each.published
        table.add_row(
            printed.name, printed.text, in_joules(each.joules), f"{100 * each.error:+.1f} %", printed.kind
        )
    power = found.fit.oscillator_uw + SILICON.degree * found.fit.coupling_uw
    table.add_row(
        f"28 nm chip, {SILICON.degree:.2f} couplings a node", f"{SILICON.watts * 1e6:.0f} µW/node",
        f"{power:.0f} µW/node", f"{100 * (power * 1e-6 / SILICON.watts - 1):+.1f} %", SILICON.kind,
    )  # fmt: skip
    a, b, node = (found.fit.polygon.bounds(*axis) for axis in ((1, 0), (0, 1), (1, SILICON.degree)))
    table.caption = Text(
        f"a = {found.fit.oscillator_uw:.1f} µW an oscillator ({a[0]:.1f} to {a[1]:.1f}), "
        f"b = {found.fit.coupling_uw:.2f} µW a coupling ({b[0]:.2f} to {b[1]:.2f}) of 4 bits. The chip's power is put "
        f"into the fit; the three energies alone leave {node[0]:.0f} to {node[1]:.0f} µW for it."
    )
    yield table

    if found.circuit is not None:
        yield _circuit_table(found.circuit)

    table = _table("Digital generators", "", "a sample", "rests on")
    for row in DIGITAL:
        table.add_row(row.name, row.text, row.basis)
    table.add_row("our reference solver", *_solver_words(found.solver))
    yield table


def _circuit_table(circuit: Beside) -> Table:
    table = _table(f"From the circuit: {circuit.name}", "a sample takes", "", "interval", "rests on")
    for figure in (circuit.run, circuit.scaled):
        for share in figure.shares:
            table.add_row(
                PART_NAMES[share.part], in_joules(share.joules), between((share.low, share.high)), share.kind
            )
        table.add_row(
            Text(figure.name), in_joules(figure.joules), between(figure.interval), figure.kind, style="bold",
            end_section=True,
        )  # fmt: skip
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(
        title=title, box=box.SIMPLE_HEAD, show_edge=False, title_justify="left", caption_justify="left"
    )
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number and heading != "rests on" else "left")
    return table


def _row(share: Share, whole: float) -> tuple[str, str, str, str]:
    return (
        PART_NAMES[share.part], in_joules(share.joules), between((share.low, share.high)),
        share_of(share.joules, whole),
    )  # fmt: skip


def _solver_words(solver: SolverEnergy | str) -> tuple[str, str]:
    if isinstance(solver, str):
        return "–", solver
    return in_joules(solver.joules), (
        f"measured silicon: this machine, {solver.samples} samples in {solver.seconds:.2g} s ({solver.solver})"
    )
