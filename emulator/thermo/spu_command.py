"""``ais thermo spu``: a Gaussian sampler of coupled resonators, as a netlist and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from emulator.console import (
    FAILED,
    UNUSABLE,
    bar_of_parts,
    console,
    option_problems,
    stop,
    warn,
    weights_problems,
)
from emulator.doctor import find_capabilities
from emulator.netlist_files import write_into
from emulator.ngspice import NgspiceUnavailable
from emulator.simulator import Simulator
from emulator.thermo.circuit import CircuitFailed
from emulator.thermo.spu_run import SpuPlan, SpuRun, plan_spu, run_spu
from netlists.conductances import ConductanceError
from netlists.dialects.write import write_design_files
from netlists.files import write_text_whole
from netlists.network import NetworkError, require_confining
from netlists.network_file import NetworkFile, read_network
from netlists.noise import NoiseError
from netlists.printable import printable
from netlists.scaling import NetworkScaling
from netlists.spu import SpuCell, compile_spu
from netlists.weights import WeightsError

JSON, NETLIST = "spu.json", "netlist"
FORMAT, VERSION = "ais-spu", 1


def spu(
    network: Annotated[Path, typer.Argument(
        help="A Langevin network without quartic wells (HDF5, format ais-weights); M is the precision matrix.",
        show_default=False,
    )],
    out: Annotated[Path, typer.Option(help="Folder for spu.json and netlist/; replaces earlier ones.")],
    damping: Annotated[float, typer.Option(
        help="Conductance of a cell's resistor, per model time unit."
    )] = SpuCell().damping,
    resonance: Annotated[float, typer.Option(
        help="Of a cell whose capacitance is 1, radian per model time unit."
    )] = SpuCell().resonance,
    tau: Annotated[float, typer.Option(help="Seconds per model time unit.")] = NetworkScaling().tau,
    capacitance: Annotated[float, typer.Option(help="Farad of a precision of one.")] = NetworkScaling().capacitance,
    runs: Annotated[int, typer.Option(
        min=1, help="Runs, each under noise of its own and 12 time constants of the slowest pole long."
    )] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
) -> None:  # fmt: skip
    """Sample a Gaussian by resonators that are coupled by capacitors (the stochastic processing unit).

    The covariance of their voltages is that of the network's distribution, kT/M, with M in the part of the capacitance
    matrix: couplings below 0 alone, and no more of them than the diagonal holds. It is compared with its closed form.
    """
    try:
        file = read_network(network)
        model = file.substrate.network
        require_confining(model)
        plan = plan_spu(
            compile_spu(
                model, SpuCell(damping=damping, resonance=resonance), NetworkScaling(tau=tau, capacitance=capacitance)
            ),
            model.kt, seed,
        )  # fmt: skip
        if model.bias.any():
            warn(
                "an inductor lets no force stand: the samples are about 0, and the mean M⁻¹b is left to be added"
            )
        with bar_of_parts("starting ngspice") as stage, Simulator() as simulator:
            ability = find_capabilities(simulator)
            found = run_spu(simulator, plan, runs, stage)
    except WeightsError as error:
        stop(UNUSABLE, weights_problems(error))
    except ValidationError as error:
        stop(UNUSABLE, option_problems(error))
    except (NetworkError, ConductanceError, NoiseError, NgspiceUnavailable) as error:
        stop(UNUSABLE, str(error))
    except CircuitFailed as error:
        stop(FAILED, str(error))
    try:
        write_into(out / NETLIST, write_design_files(plan.design(0), "ngspice"))
        found_json = as_json(file, plan, found, str(ability.version))
        write_text_whole(out / JSON, json.dumps(found_json, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        stop(UNUSABLE, f"can't write to {out}: {error}")
    console.print(_table(plan, found))
    console.print(Text(f"files: {printable(f'{out / JSON}, {out / NETLIST}', longest=None)}"), soft_wrap=True)
    if not found.accepted:
        stop(FAILED, f"the covariance is off by {found.error / found.standard_error:.2g} standard errors")


def as_json(file: NetworkFile, plan: SpuPlan, found: SpuRun, ngspice: str) -> dict[str, Any]:
    """The run as plain data."""
    return {
        "format": FORMAT, "version": VERSION, "network": {"file": file.path.name, "sha256": file.sha256},
        "ngspice": ngspice, "nodes": len(plan.spu.nodes), "kt": plan.kt, "cell": plan.spu.cell.model_dump(),
        "scaling": plan.spu.scaling.model_dump(), "elements": found.elements, "accepted": found.accepted,
        "noise": {"seed": plan.seed, "step": plan.step, "runs": found.runs, "points": plan.kept},
        "covariance": {
            "error": found.error, "standard_error": found.standard_error, "off_boltzmann": found.off(found.boltzmann),
            "off_resistors": found.off(plan.kt * np.eye(len(found.boltzmann))),
            "measured": found.covariance.tolist(), "expected": found.expected.tolist(),
            "boltzmann": found.boltzmann.tolist(),
        },
        "cpu_s": found.cpu_s,
    }  # fmt: skip


def _table(plan: SpuPlan, found: SpuRun) -> Table:
    spu = plan.spu
    table = Table(title=Text(f"Coupled resonators: {len(spu.nodes)} cells"), show_header=False)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.elements.items()))
    for row in (
        ("elements", counted),
        ("cell", f"damping {spu.cell.damping:g}, resonance {spu.cell.resonance:g} per model time unit"),
        ("samples", f"{found.runs} runs of {plan.kept:,} points, {plan.step:.3g} model time units apart"),
        ("covariance, against its closed form", f"{found.error:.2%} (standard error {found.standard_error:.2%})"),
        ("covariance, against kT/M", f"{found.off(found.boltzmann):.2%}"),
        ("covariance, against kT·I, as of capacitors among resistors",
         f"{found.off(plan.kt * np.eye(len(spu.nodes))):.2%}"),
        ("simulator", f"{found.cpu_s:.3g} s CPU"),
    ):  # fmt: skip
        table.add_row(*row)
    return table
