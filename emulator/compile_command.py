"""``ais compile``: the netlist of a core on a grid, or of a network of modules."""

# ruff: noqa: ARG001 - typer reads the options off the signature; settings take them by name from the context

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from emulator import options
from emulator.cell_runs import BenchFailed
from emulator.console import FAILED, UNUSABLE, console, stop, terminated_as_interrupted, warn
from emulator.netlist_files import Dialect, NetlistOutput, Request, make_netlist, write_into
from emulator.options import CORE, core_settings
from emulator.run_bars import RunBars
from emulator.settings import RunSettings
from emulator.thermo import options as network_options
from emulator.thermo.options import NETWORK, is_network
from emulator.thermo.run_command import compile_network_file
from emulator.unusable import unusable_input
from netlists.circuit import Inventory
from netlists.compile import Devices, summarise
from netlists.core import AnalogCore
from netlists.printable import printable
from netlists.weights import read_weights


def compile_command(
    context: typer.Context,
    weights: options.WeightsFile,
    out: Annotated[Path, typer.Option(help="Folder for the netlist files; replaces an earlier call's.")],
    level: options.Level = CORE.level,
    dialect: Annotated[Dialect, typer.Option(
        help="ngspice, xyce, spectre, or verilog-a: the phase level's cells as modules, for any simulator that "
        "compiles them."
    )] = "ngspice",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the initial state in the test bench.")] = CORE.seed,
    sample: Annotated[int, typer.Option(min=0, help="Sample whose initial state the test bench holds.")] = 0,
    devices: Annotated[Devices, typer.Option(
        help="Form of the devices of the levels phase and lc: behavioural, or compiled (for ngspice alone; with their "
        "C source, the test bench says how to build)."
    )] = "behavioural",
    tau: options.Tau = CORE.scaling.tau,
    reltol: options.Reltol = CORE.reltol,
    rows: Annotated[int, typer.Option(
        min=50, help="At the phase level the step is at most the run's length over this."
    )] = CORE.rows,
    cycles: options.Cycles = CORE.oscillator.cycles,
    points_per_cycle: options.PointsPerCycle = None,
    coupler: options.CouplerName = None,
    full_scale: options.FullScale = None,
    clip: options.Clip = False,
    limiter: options.LimiterName = CORE.oscillator.limiter,
    levelling: options.Levelling = CORE.oscillator.levelling,
    quality: options.Quality = CORE.oscillator.quality,
    pitch_um: options.Pitch = CORE.oscillator.pitch_um,
    wire_ff_per_um: options.WireCapacitance = CORE.oscillator.wire_ff_per_um,
    trust_includes: options.TrustIncludes = False,
    bits: options.Bits = None,
    quantizer: options.QuantizerName = None,
    noise: options.Noise = "off",
    noise_step: options.NoiseStep = None,
    mismatch_coupling: options.MismatchCoupling = "0",
    mismatch_shil: options.MismatchShil = "0",
    detuning: options.Detuning = "0",
    dead: options.Dead = "0",
    stuck: options.Stuck = "0",
    temperature: options.Temperature = None,
    corner: options.CornerName = CORE.non_idealities.corner,
    chip: options.Chip = CORE.non_idealities.chip,
    inputs: network_options.Inputs = None,
    realization: network_options.Realization = NETWORK.circuit.realization,
    capacitance: network_options.Capacitance = NETWORK.circuit.scaling.capacitance,
    volts: network_options.Volts = NETWORK.circuit.scaling.volts,
    bus_capacitance: network_options.BusCapacitance = NETWORK.circuit.scaling.bus_capacitance,
    bias_bits: network_options.BiasBits = None,
    ota_gain: network_options.OtaGain = NETWORK.circuit.ota.gain,
    ota_bandwidth: network_options.OtaBandwidth = NETWORK.circuit.ota.bandwidth_hz,
    ota_range: network_options.OtaRange = NETWORK.circuit.ota.input_range,
) -> None:  # fmt: skip
    """Write the netlist: cell library, core subcircuit and a test bench that runs as it is.

    At the waveform levels (lc, ring, a cell of your own) the cell is characterised first, where that is not known from
    before, and beside the netlist go placement.csv, coupler_codes.csv, weights.mem (the codes' memory image) and
    floorplan.png. With --dialect verilog-a: one module for each number of neighbours that the core needs, in cells.va.

    Of a network of modules: parts, a subcircuit a module and a skip, and a bench in which an input's force steps up.
    """
    with unusable_input():
        if is_network(context, weights):
            compile_network_file(weights, out, dialect, context.params)
            return
        core = read_weights(weights).core
        settings = RunSettings.model_validate(core_settings(context.params))
        request = Request(core, settings, dialect, devices, sample)
        try:
            with terminated_as_interrupted(), RunBars() as bars:
                output = make_netlist(request, bars.status)
        except BenchFailed as error:
            stop(FAILED, f"{error}")
        except KeyboardInterrupt:
            stop(FAILED, "interrupted; nothing was written")
        try:
            write_into(out, output.files)
        except OSError as error:
            stop(UNUSABLE, f"can't write to {out}: {error}")
    for remark in output.remarks:
        warn(remark)
    console.print(_netlist_table(core, output, out))


def _netlist_table(core: AnalogCore, output: NetlistOutput, out: Path) -> Table:
    summary = summarise(core, output.inventory or Inventory({}, 0))
    table = Table(title=Text(printable(output.title)), show_header=False)
    for name, value in [
        *([] if output.inventory is None else [("elements", f"{summary.elements}")]),
        ("nodes", f"{summary.nodes} ({summary.visible} visible, {summary.nodes - summary.visible} hidden)"),
        ("couplers", output.couplers),
        (
            "couplers per node",
            f"{summary.degree_min} to {summary.degree_max}, mean {summary.degree_mean:.2f}",
        ),
        ("longest wire", f"{summary.longest_wire:g} cell pitches"),
        ("time chunks", f"{summary.chunks}"),
        *output.facts,
        ("files", ", ".join(str(out / name) for name in output.files)),
    ]:
        table.add_row(name, Text(printable(value, longest=None)))
    return table
