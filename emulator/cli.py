"""The command ``ais``. Exit codes: 0 done, 1 the simulation or cross-check failed, 2 unusable input."""

from __future__ import annotations

import typer

from emulator.campaign.command import sweep_command
from emulator.characterize_command import characterize_command
from emulator.compare_command import compare_command
from emulator.compile_command import compile_command
from emulator.doctor_command import doctor_command
from emulator.energy.command import energy_command
from emulator.inspect_command import inspect_command
from emulator.receipt.command import receipt_command
from emulator.run_command import run_command
from emulator.thermo.command import app as thermo_app

app = typer.Typer(
    name="ais",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # a paragraph of a docstring is wrapped as one
    help="Takes a trained analog generative model and shows what a circuit makes of it. "
    "Exit codes: 0 done, 1 the simulation or cross-check failed, 2 unusable input.",
    epilog="Try: ais run examples/digits16-kurashil.h5 --samples 2 --out out/demo",
)


@app.callback()
def main() -> None:
    """Circuit-level emulation of analog generative models."""


app.command("energy", epilog="Example: ais energy --degree 24 --bits 4 --chunks 4 --out out/energy")(
    energy_command
)
app.command(
    "receipt", epilog="Examples: ais receipt out/demo --out receipt.json; ais receipt out/new out/old"
)(receipt_command)
app.command(
    "run",
    epilog="Example: ais run examples/digits16-kurashil.h5 --samples 8 --jobs 4 --out out/demo. "
    "Interrupted? The same command with --resume goes on.",
)(run_command)
app.command(
    "sweep",
    epilog="Example: ais sweep examples/campaigns/bits.toml --out out/bits. "
    "Interrupted? The same command with --resume goes on.",
)(sweep_command)
app.command(
    "compile",
    epilog="Examples: ais compile examples/digits16-kurashil.h5 --out out/netlist; "
    "ais compile weights.h5 --level ring --cycles 200 --out out/ring. Then, in that folder: "
    "ngspice -b -r testbench.raw testbench.cir",
)(compile_command)
app.command(
    "characterize",
    epilog="Examples: ais characterize ring; ais characterize examples/cells/cross_coupled.toml --out out/mine",
)(characterize_command)
app.command(
    "compare",
    epilog="Examples: ais compare out/new out/old --out out/compare; ais compare out/digits out/digits:reference; "
    "ais compare out/digits images.npz --features classifier:images.npz",
)(compare_command)
app.command("inspect", epilog="Example: ais inspect examples/digits16-kurashil.h5")(inspect_command)
app.command("doctor", epilog="Exit code 2 if no circuit can be simulated here.")(doctor_command)
app.add_typer(thermo_app, name="thermo")
