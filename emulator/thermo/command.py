"""``ais thermo``: substrates made of a trained network's kernels, and what holds of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from pydantic import ValidationError
from rich import box
from rich.table import Table
from rich.text import Text

from emulator.console import (
    FAILED,
    UNUSABLE,
    bar_of_parts,
    console,
    errors,
    option_problems,
    stop,
    warn,
    weights_problems,
)
from emulator.doctor import find_capabilities, warnings
from emulator.ngspice import NgspiceUnavailable
from emulator.simulator import Simulator
from emulator.thermo.audit import Audit
from emulator.thermo.audit import audit as audit_file
from emulator.thermo.audit_files import other_rows, score_rows, write_audit
from emulator.thermo.audit_transients import CircuitTransients
from emulator.thermo.build import Built, Design
from emulator.thermo.build import build as build_substrate
from emulator.thermo.circuit import CircuitFailed, CircuitSolver, NetworkSettings, circuit_of
from emulator.thermo.findings import findings
from emulator.thermo.spu_command import spu
from netlists.activations import Activations, ActivationsError, read_activations
from netlists.bilinear import wiring
from netlists.conductances import ConductanceError
from netlists.network import NetworkError
from netlists.network_file import NetworkFile, read_network, write_network
from netlists.printable import printable
from netlists.scaling import NetworkScaling
from netlists.weights import WeightsError

EXACT: Final = "exact"
Realization = Literal["exact", "ideal", "passive", "differential", "ota"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


app.command(epilog="Example: ais thermo spu gaussian.h5 --out out/spu")(spu)


@app.callback()
def main() -> None:
    """Thermodynamic substrates: Langevin networks that compute by coming to equilibrium."""


@contextmanager
def _unusable_input() -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        stop(UNUSABLE, weights_problems(error))
    except ValidationError as error:
        stop(UNUSABLE, option_problems(error))
    except (ActivationsError, NetworkError, ConductanceError, NgspiceUnavailable) as error:
        stop(UNUSABLE, str(error))


@app.command(epilog="Example: ais thermo build activations.h5 --dim 64 --rank 16 --out substrate.h5")
def build(
    activations: Annotated[Path, typer.Argument(
        help="Kernels and activations of a trained U-Net (HDF5, format unet-activations).", show_default=False
    )],
    out: Annotated[Path, typer.Option(help="File for the substrate (HDF5, format ais-weights); replaces an earlier.")],
    dim: Annotated[int, typer.Option(min=1, help="Nodes of either module.")] = Design.dim,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the skip between the modules.")] = Design.rank,
    quadratic: Annotated[float, typer.Option(help="J2 of every node.")] = Design.quadratic,
    kt: Annotated[float, typer.Option(help="Temperature; the couplings are divided by it.")] = Design.kt,
    weight_decay: Annotated[float, typer.Option(
        min=0, help="Weight decay of the interface's training."
    )] = Design.weight_decay,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the interface's start.")] = Design.seed,
    shift: Annotated[bool, typer.Option(
        "--shift", help="Mend a system matrix that is not positive definite, by its diagonal."
    )] = False,
) -> None:  # fmt: skip
    """Make a substrate: couplings from kernels, a low-rank skip, and a digital interface trained on the activations.

    Refused if the system matrix is not positive definite, which a skip of too low a rank can make it.
    """
    design = Design(dim, rank, quadratic, kt, weight_decay, seed, shift)
    with _unusable_input():
        given = read_activations(activations)
        built = build_substrate(given, design)
        try:
            write_network(out, built.substrate, _provenance(activations, given, design, built))
        except OSError as error:
            stop(UNUSABLE, f"can't write to {out}: {error}")
    console.print(_summary(built, out))
    for name, fit in built.fits.items():
        if not fit.converged:
            errors.print(f"warning: the {name}'s net was still improving after {fit.iterations} iterations")


def _provenance(
    path: Path, given: Activations, design: Design, built: Built
) -> dict[str, str | int | float | bool]:
    return {
        "source": path.name,
        "source_sha256": given.sha256,
        "weight_decay": design.weight_decay,
        "seed": design.seed,
        "shift": built.shift,
        "objective": "mean squared error of the forces that the digital interface makes, with weight decay",
        **({"dataset": given.provenance["dataset"]} if "dataset" in given.provenance else {}),
        **{f"source_{name}": value for name, value in given.provenance.items()},
    }


def _summary(built: Built, out: Path) -> Table:
    network, interface = built.substrate.network, built.substrate.interface
    skip, found = network.skips[0], network.spectrum
    wires = wiring(skip)
    table = Table(title="Substrate", show_header=False)
    rows = [
        ("modules", f"{network.sizes[0]} + {network.sizes[1]} nodes, kT = {network.kt:g}"),
        ("eigenvalues of M", f"{found.smallest:.4g} to {found.largest:.4g}, ratio {found.condition:.4g}"),
        (
            "margin",
            f"{found.smallest:.4g} of {network.matrix.diagonal().mean():.4g}, the mean of the diagonal",
        ),
        *([("added to the diagonal", f"{built.shift:.4g}")] if built.shift else []),
        ("skip", f"rank {skip.rank}: {wires.bus:,} transconductors (4Dk), dense {wires.dense:,} (2D²)"),
        ("break-even", f"rank {wires.break_even:g}: below it the bus takes fewer"),
        ("interface", f"{interface.parameters:,} parameters" if interface else "none"),
        *[
            (
                f"fit of the {name}'s net",
                f"error {fit.error:.3g}, {fit.error / fit.variance:.2%} of the variance, {fit.iterations} iterations",
            )
            for name, fit in built.fits.items()
        ],
        ("file", str(out)),
    ]
    for name, value in rows:
        table.add_row(name, Text(printable(value, longest=None)))
    return table


@app.command(epilog="Example: ais thermo audit substrate.h5 --out out/audit")
def audit(
    substrate: Annotated[Path, typer.Argument(
        help="A substrate, as `ais thermo build` makes it.", show_default=False
    )],
    out: Annotated[Path, typer.Option(help="Folder for audit.json, audit.md and audit.png; replaces earlier ones.")],
    realization: Annotated[Realization, typer.Option(
        help="What finds the equilibria: operating points in ngspice of a circuit with ideal negative conductances, "
        "differential rails, OTAs, or passive resistors alone; or exact, linear algebra without a circuit."
    )] = "ideal",
    tau: Annotated[float, typer.Option(help="Seconds per model time unit, of the circuit.")] = NetworkScaling().tau,
    capacitance: Annotated[float, typer.Option(
        help="Farad of a node; a coupling of 1 is this over tau, siemens."
    )] = NetworkScaling().capacitance,
    clip: Annotated[bool, typer.Option(
        "--clip", help="Set conductances that the realization can't make to the nearest that it can."
    )] = False,
    split: Annotated[str, typer.Option(help="Inputs to audit on.")] = "test",
) -> None:  # fmt: skip
    """Score a substrate as published, beside the baselines that the score needs; settling, and noise to average.

    Published figures stand in a column of their own.
    """
    with _unusable_input():
        file = read_network(substrate)
        if out.exists() and not out.is_dir():
            stop(UNUSABLE, f"can't write to {out}: it is no folder")
        if realization == EXACT:
            found = audit_file(file, split=split)
        else:
            scaling = NetworkScaling(tau=tau, capacitance=capacitance)
            settings = NetworkSettings(realization=realization, scaling=scaling, clip=clip)
            try:
                found = _circuit_audit(file, settings, split)
            except CircuitFailed as error:
                stop(FAILED, str(error))
        try:
            files = write_audit(out, found)
        except OSError as error:
            stop(UNUSABLE, f"can't write to {out}: {error}")
    for table in _tables(found):
        console.print(table)
    for sentence in findings(found):
        console.print(Text(sentence))
    console.print(Text(f"files: {printable(', '.join(map(str, files)), longest=None)}"), soft_wrap=True)


def _circuit_audit(file: NetworkFile, settings: NetworkSettings, split: str) -> Audit:
    _, remarks = circuit_of(file.substrate.network, settings, largest_bias=1.0)
    for remark in remarks:
        warn(remark)
    clipped = any(remark.startswith("clipped") for remark in remarks)
    with bar_of_parts("starting ngspice") as stage, Simulator() as simulator:
        ability = find_capabilities(simulator)
        said = f"operating points in ngspice {ability.version}, realization {settings.realization}"
        if settings.realization != "ideal":
            said += f", {settings.scaling.conductance:g} S a unit" + (", clipped" if clipped else "")
        for lost in warnings(ability):
            warn(lost)
        solve = CircuitSolver(simulator, ability, settings)
        run = CircuitTransients(simulator, ability, settings)
        return audit_file(file, solve, said, split, run, stage)


def _tables(found: Audit) -> Iterator[Table]:
    scores = Table(title=f"Decoder, equilibria by {found.solver}", box=box.SIMPLE_HEAD)
    for heading in ("", "cosine", "centred R²", "published"):
        scores.add_column(heading, justify="right" if heading else "left")
    for name, _, score, figure in score_rows(found):
        scores.add_row(name, f"{score.cosine:.4f}", f"{score.r2:.4f}", figure)
    yield scores
    others = Table(box=box.SIMPLE_HEAD)
    for heading in ("", "measured", "published"):
        others.add_column(heading, overflow="fold")
    for row in other_rows(found):
        others.add_row(*row)
    yield others
