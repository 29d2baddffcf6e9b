"""``ais run`` and ``ais compile`` where the file holds a network of modules: what they do, and what they print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from emulator.claimed import Mode
from emulator.console import FAILED, UNUSABLE, console, errors, plain, stop, warn
from emulator.netlist_files import Dialect, NetlistError, write_into
from emulator.ngspice import NgspiceUnavailable
from emulator.thermo.circuit import CircuitFailed
from emulator.thermo.netlist import network_netlist
from emulator.thermo.network_plan import NetworkRunSettings, Plan, plan_network
from emulator.thermo.network_results import NetworkResults
from emulator.thermo.network_run import REPORT, run_network
from emulator.thermo.options import network_settings
from emulator.thermo.sections import over_averages, over_energy, over_inputs
from netlists.bias import BiasError
from netlists.conductances import ConductanceError
from netlists.network import NetworkError
from netlists.network_file import read_network
from netlists.printable import printable

MOST_REASONS = 10


@contextmanager
def _unusable_network(weights: Path) -> Iterator[None]:
    try:
        yield
    except (NetworkError, ConductanceError) as error:
        stop(UNUSABLE, f"{printable(str(weights), longest=None)}: {error}")
    except (BiasError, NetlistError) as error:
        stop(UNUSABLE, str(error))


def compile_network_file(weights: Path, out: Path, dialect: Dialect, given: dict[str, Any]) -> None:
    """Writes the netlist of a network; ``given`` are the command's options by name.

    Raises:
        WeightsError: not usable as a weights file.
        ValidationError: an option out of range.
    """
    with _unusable_network(weights):
        substrate = read_network(weights).substrate
        found = network_netlist(
            substrate, network_settings(given), dialect, given["inputs"], given["sample"], given["reltol"]
        )
        try:
            write_into(out, found.files)
        except OSError as error:
            stop(UNUSABLE, f"can't write to {out}: {error}")
    for remark in found.remarks:
        warn(remark)
    table = Table(title=Text(printable(found.title)), show_header=False)
    for name, value in [
        *found.facts,
        ("files", ", ".join(str(out / name) for name in found.files)),
    ]:
        table.add_row(name, Text(printable(value, longest=None)))
    console.print(table)


def run_network_file(weights: Path, out: Path, mode: Mode, given: dict[str, Any]) -> None:
    """Runs a network and prints what came of it; ``given`` are the command's options by name.

    Raises:
        WeightsError, FolderError, NgspiceUnavailable, NoiseError, DevicesError: unusable input.
        ValidationError: an option out of range.
    """
    settings = NetworkRunSettings.model_validate({
        "split": given["inputs"], "samples": given["samples"], "circuit": network_settings(given),
        "settle": given["settle"], "noise": given["noise"], "noise_step": given["noise_step"],
        "averaging": given["averaging"], "seed": given["seed"], "adc_range": given["adc_range"],
        **({"adc_bits": given["adc_bits"]} if given["adc_bits"] is not None else {}),
    })  # fmt: skip
    kept = f"Finished inputs are kept in {out}; the same command with --resume goes on"
    with _unusable_network(weights):
        plan = plan_network(weights, settings)
        for remark in plan.remarks:
            warn(remark)
        try:
            results = run_network(plan, out, mode, _say)
        except KeyboardInterrupt:
            stop(FAILED, f"interrupted. {kept}")
        except NgspiceUnavailable:  # a RuntimeError too, but nothing was done yet
            raise
        except (CircuitFailed, OSError) as error:
            stop(FAILED, f"{error}. {kept}")
    for table in _tables(plan, results):
        console.print(table)
    console.print(Text(f"report: {printable(str(out / REPORT), longest=None)}"), soft_wrap=True)
    failed = np.flatnonzero(~results.rows["verdict/accepted"])
    for k in failed[:MOST_REASONS].tolist():
        errors.print(Text(plain(f"input {k}: {results.rows['verdict/reason'][k]}")), soft_wrap=True)
    if len(failed):
        stop(FAILED, f"{len(failed)} of {results.inputs} inputs are not what {plan.judge} says")


def _say(text: str) -> None:
    errors.print(printable(text, longest=None), highlight=False, markup=False)


def _tables(plan: Plan, results: NetworkResults) -> Iterator[Table]:
    """Worst and median over inputs; averages against their closed form."""
    said = f"{results.inputs} inputs, {plan.circuit.technology.name}, noise {plan.settings.noise}"
    table = _headed(said, "median", "worst")
    for row in over_inputs(results):
        table.add_row(*row)
    yield table
    if energies := list(over_energy(results)):
        table = Table(title="Energy of an input", box=box.SIMPLE_HEAD, show_header=False)
        for name, value, basis in energies:
            table.add_row(name, value, Text(basis, style="dim"))
        yield table
    if averages := list(over_averages(results)):
        table = _headed("Variance of a visible node's time average", "measured", "closed form")
        for row in averages:
            table.add_row(*row)
        yield table


def _headed(title: str, *headings: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
