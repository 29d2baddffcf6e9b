"""``ais run``: the main job, of a core on a grid or of a network of modules."""

# ruff: noqa: ARG001 - typer reads the options off the signature; settings take them by name from the context

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from emulator import options
from emulator.conclusion import saturation
from emulator.console import FAILED, chosen_mode, console, stop, terminated_as_interrupted, warn
from emulator.demodulate import Demodulation
from emulator.departures import cost
from emulator.ngspice import NgspiceUnavailable
from emulator.options import CORE, core_settings
from emulator.run import run
from emulator.run_bars import RunBars
from emulator.run_outcome import conclude, results_table, show_steps
from emulator.settings import settings_for
from emulator.thermo import options as network_options
from emulator.thermo.options import NETWORK, given_options, is_network
from emulator.thermo.run_command import run_network_file
from emulator.unusable import unusable_input
from netlists.weights import read_weights


def run_command(
    context: typer.Context,
    weights: options.WeightsFile,
    out: Annotated[Path, typer.Option(help="Folder for results, report, picture and netlist.")],
    samples: Annotated[int, typer.Option(min=1, help="Number of samples.")] = CORE.samples,
    seed: Annotated[int, typer.Option(
        min=0, help="Seed of the initial states; a sample's start depends on it and on its number alone."
    )] = CORE.seed,
    jobs: Annotated[int | None, typer.Option(
        min=1, help="Simulators side by side; default: one a processor.", show_default=False
    )] = None,
    level: options.Level = CORE.level,
    devices: Annotated[str, typer.Option(
        help="Form of the devices: behavioural (B sources, any ngspice), compiled (OSDI: a C compiler, and ngspice "
        "45, or 44 for at most 17 neighbours a node), or auto, which takes compiled where it can."
    )] = CORE.devices,
    jacobian: Annotated[str, typer.Option(
        help="What compiled devices tell the solver: own (derivatives by the own state alone: a diagonal matrix), "
        "full (all of them, for strong couplings), or auto, which takes own where it converges well."
    )] = CORE.jacobian,
    tau: options.Tau = CORE.scaling.tau,
    reltol: options.Reltol = CORE.reltol,
    cycles: options.Cycles = CORE.oscillator.cycles,
    points_per_cycle: options.PointsPerCycle = None,
    coupler: options.CouplerName = None,
    full_scale: options.FullScale = None,
    clip: options.Clip = False,
    limiter: options.LimiterName = CORE.oscillator.limiter,
    levelling: options.Levelling = CORE.oscillator.levelling,
    quality: options.Quality = CORE.oscillator.quality,
    demodulation: Annotated[Demodulation, typer.Option(
        help="How phases are read from waveforms: iq, crossings (of zero), or flipflops (n-tap sampling, as on chips)."
    )] = CORE.oscillator.demodulation,
    taps: Annotated[int, typer.Option(
        min=2, max=1024, help="Sampling flip-flops of --demodulation flipflops."
    )] = CORE.oscillator.taps,
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
    explain: Annotated[bool, typer.Option(
        "--explain", help="Show what each step from the trained ODE to the circuit costs, expected and measured."
    )] = False,
    adc_bits: Annotated[int | None, typer.Option(
        min=1, max=16, help="Resolution of the converter, bits; default: 8 at phase level, else 4.", show_default=False
    )] = None,
    rows: Annotated[int, typer.Option(
        min=50, help="Rows recorded of each run; also bounds the step to the run's length over this."
    )] = CORE.rows,
    time_limit: Annotated[float, typer.Option(
        help="Wall-clock seconds after which a simulation is stopped."
    )] = CORE.time_limit_s,
    keep_trajectories: Annotated[int, typer.Option(
        min=0, help="Samples whose whole run goes into results.h5."
    )] = CORE.keep_trajectories,
    inputs: network_options.Inputs = None,
    realization: network_options.Realization = NETWORK.circuit.realization,
    capacitance: network_options.Capacitance = NETWORK.circuit.scaling.capacitance,
    volts: network_options.Volts = NETWORK.circuit.scaling.volts,
    bus_capacitance: network_options.BusCapacitance = NETWORK.circuit.scaling.bus_capacitance,
    bias_bits: network_options.BiasBits = None,
    ota_gain: network_options.OtaGain = NETWORK.circuit.ota.gain,
    ota_bandwidth: network_options.OtaBandwidth = NETWORK.circuit.ota.bandwidth_hz,
    ota_range: network_options.OtaRange = NETWORK.circuit.ota.input_range,
    settle: network_options.Settle = NETWORK.settle,
    averaging: network_options.Averaging = NETWORK.averaging,
    adc_range: network_options.AdcRange = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace an earlier run's results in --out."
    )] = False,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Finish an interrupted run in --out, or add samples to it."
    )] = False,
) -> None:  # fmt: skip
    """Compile, simulate, cross-check, read out and digitise: the main job.

    Each sample starts from a random state, runs as a circuit in ngspice, is compared with an independent
    reference solver, and is read out through an ADC. A sample passes if its defect stays below 1e-3 rad rms
    in every window and 99 % of its codes are within 1 LSB of the reference's.

    Of a network of modules (`ais thermo build`): operating point, settling and, with --noise on, equilibrium sampling
    of every input, against linear algebra.
    """
    mode = chosen_mode(overwrite, resume)
    with unusable_input():
        if is_network(context, weights):
            asked = {**context.params, "samples": samples if "samples" in given_options(context) else None}
            with terminated_as_interrupted():
                run_network_file(weights, out, mode, asked)
            return
        readout = read_weights(weights).core.readout
        settings = settings_for(readout, {
            **core_settings(context.params),
            "samples": samples, "devices": devices, "jacobian": jacobian,
            "time_limit_s": time_limit, "keep_trajectories": keep_trajectories,
            **({"jobs": jobs} if jobs is not None else {}),
            **({"adc": {"bits": adc_bits}} if adc_bits is not None else {}),
        })  # fmt: skip
    kept = f"Finished samples are kept in {out}; the same command with --resume goes on"
    with unusable_input():
        try:
            with terminated_as_interrupted(), RunBars() as bars:
                results = run(weights, settings, out, mode, bars)
        except KeyboardInterrupt:
            stop(FAILED, f"interrupted. {kept}")
        except NgspiceUnavailable:  # a RuntimeError too, but nothing was done yet
            raise
        except (OSError, RuntimeError) as error:
            stop(FAILED, f"{error}. {kept}")
    console.print(results_table(results))
    if explain:
        show_steps(results)
    if (lost := cost(results)) is not None:
        console.print(Text(lost.sentence))
    for warning in saturation(results, readout):
        warn(warning)
    conclude(results, out)
