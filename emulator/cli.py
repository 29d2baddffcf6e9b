"""The command ``ais``. Exit codes: 0 done, 1 the simulation or cross-check failed, 2 unusable input."""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import numpy as np
import typer
from pydantic import ValidationError
from rich import box
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from device_models.families import family
from device_models.oscillator_cell import OscillatorCell
from emulator import doctor as doctor_module
from emulator.campaign.engines import ClusterError
from emulator.campaign.file import CampaignError
from emulator.campaign.sweep import sweep as sweep_job
from emulator.campaign.terminal import Terminal
from emulator.cell_runs import BenchFailed, CellFault
from emulator.cells import LC_LEVELLING, LC_QUALITY, find_cell
from emulator.characterize import characterize as characterize_cell
from emulator.claimed import FolderError, Mode
from emulator.conclusion import saturation
from emulator.console import FAILED, UNUSABLE, bar_of_parts, console, errors, plain, stop, weights_problems
from emulator.demodulate import Demodulation
from emulator.departures import cost
from emulator.devices import DevicesError
from emulator.energy.command import energy_command
from emulator.explanation import explain as explained
from emulator.explanation import first_to_break
from emulator.folder import REPORT
from emulator.free_cells import noisy_cells
from emulator.inspection import InspectError, Inspection, inspect_file
from emulator.levels import LC
from emulator.netlist_files import Dialect, NetlistError, NetlistOutput, Request, make_netlist, write_into
from emulator.ngspice import Capabilities, NgspiceUnavailable
from emulator.options import (
    Bits,
    Chip,
    Clip,
    CornerName,
    CouplerName,
    Cycles,
    Dead,
    Detuning,
    FullScale,
    Level,
    Levelling,
    LimiterName,
    MismatchCoupling,
    MismatchShil,
    Noise,
    NoiseStep,
    Pitch,
    PointsPerCycle,
    Quality,
    QuantizerName,
    Reltol,
    Stuck,
    Tau,
    Temperature,
    TrustIncludes,
    WeightsFile,
    WireCapacitance,
    non_idealities,
    sigma,
)
from emulator.realisation import Realisation
from emulator.receipt.command import receipt_command
from emulator.results import Columns, Results
from emulator.run import run as run_job
from emulator.settings import DEFAULT_RELTOL, RunSettings, settings_for
from emulator.sides import CompareError
from emulator.simulator import Simulator
from emulator.thermo.command import app as thermo_app
from emulator.thermo.options import (
    OPTION_OF,
    OTA,
    AdcRange,
    Averaging,
    BiasBits,
    BusCapacitance,
    Capacitance,
    Inputs,
    OtaBandwidth,
    OtaGain,
    OtaRange,
    Realization,
    Settle,
    Volts,
    check_options,
    given_options,
)
from emulator.thermo.run_command import compile_network_file, run_network_file
from emulator.verdict import Verdict
from netlists.as_built import NonIdealityError
from netlists.cell_file import CellFileError
from netlists.characterization import Characterization
from netlists.characterization_file import write_characterization, write_summary
from netlists.circuit import Inventory
from netlists.compile import Devices, summarise
from netlists.core import AnalogCore
from netlists.files import write_whole
from netlists.lc_design import LcDesignFailed
from netlists.network_file import holds_modules
from netlists.noise import NoiseError
from netlists.printable import printable
from netlists.scaling import Scaling
from netlists.sizing import SizingError
from netlists.weights import WeightsError, read_weights

MOST_ROWS, MOST_REASONS = 40, 10  # on the terminal
MOST_SAID = 2000  # characters of a warning there

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


app.add_typer(thermo_app, name="thermo")
app.command("energy", epilog="Example: ais energy --degree 24 --bits 4 --chunks 4 --out out/energy")(
    energy_command
)
app.command(
    "receipt", epilog="Examples: ais receipt out/demo --out receipt.json; ais receipt out/new out/old"
)(receipt_command)


@app.callback()
def main() -> None:
    """Circuit-level emulation of analog generative models."""


def _warn(message: str) -> None:
    """A compiler's message can be long: the terminal shows its beginning, ``run.json`` keeps it whole."""
    said = plain(message[:MOST_SAID]) + ("… (run.json has the rest)" if len(message) > MOST_SAID else "")
    errors.print(Text.assemble(("warning: ", "bold yellow"), said), soft_wrap=True)


_UNUSABLE_INPUT = (
    FolderError, NgspiceUnavailable, DevicesError, InspectError, CellFault, CellFileError, SizingError, LcDesignFailed,
    NetlistError, NonIdealityError, CompareError, NoiseError, CampaignError, ClusterError,
)  # fmt: skip


@contextmanager
def _unusable_input() -> Iterator[None]:
    """Bad input ends a command with one clear message instead of a traceback."""
    try:
        yield
    except WeightsError as error:
        stop(UNUSABLE, weights_problems(error))
    except _UNUSABLE_INPUT as error:
        stop(UNUSABLE, str(error))
    except ValidationError as error:
        said = [
            f"{_option(e['loc'])}: {e['msg'].removeprefix('Value error, ')}, received {e['input']!r}"
            for e in error.errors()
        ]
        stop(UNUSABLE, "; ".join(said))


def _option(place: tuple[str | int, ...]) -> str:
    """The option that sets what a validation complains of."""
    name = str(place[-1]) if place else "settings"
    # the weights have bits too, and theirs are called so
    others = {"time_limit_s": "time-limit", **OPTION_OF} | (
        {} if "non_idealities" in place else {"bits": "adc-bits"}
    )
    return "--" + others.get(name, name.replace("_", "-"))


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: in order, with finished samples kept."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # what is ignored, as under nohup, stays ignored
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command(
    epilog="Example: ais run examples/digits16-kurashil.h5 --samples 8 --jobs 4 --out out/demo. "
    "Interrupted? The same command with --resume goes on."
)
def run(
    context: typer.Context,
    weights: WeightsFile,
    out: Annotated[Path, typer.Option(help="Folder for results, report, picture and netlist.")],
    samples: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 8,
    seed: Annotated[int, typer.Option(
        min=0, help="Seed of the initial states; a sample's start depends on it and on its number alone."
    )] = 0,
    jobs: Annotated[int | None, typer.Option(
        min=1, help="Simulators side by side; default: one a processor.", show_default=False
    )] = None,
    level: Level = "phase",
    devices: Annotated[str, typer.Option(
        help="Form of the devices: behavioural (B sources, any ngspice), compiled (OSDI: a C compiler, and ngspice "
        "45, or 44 for at most 17 neighbours a node), or auto, which takes compiled where it can."
    )] = "auto",
    jacobian: Annotated[str, typer.Option(
        help="What compiled devices tell the solver: own (derivatives by the own state alone: a diagonal matrix), "
        "full (all of them, for strong couplings), or auto, which takes own where it converges well."
    )] = "auto",
    tau: Tau = 1e-6,
    reltol: Reltol = DEFAULT_RELTOL,
    cycles: Cycles = 1000.0,
    points_per_cycle: PointsPerCycle = None,
    coupler: CouplerName = None,
    full_scale: FullScale = None,
    clip: Clip = False,
    limiter: LimiterName = "levelled",
    levelling: Levelling = LC_LEVELLING,
    quality: Quality = LC_QUALITY,
    demodulation: Annotated[Demodulation, typer.Option(
        help="How phases are read from waveforms: iq, crossings (of zero), or flipflops (n-tap sampling, as on chips)."
    )] = "iq",
    taps: Annotated[int, typer.Option(min=2, max=1024, help="Sampling flip-flops of --demodulation flipflops.")] = 64,
    pitch_um: Pitch = 20.0,
    wire_ff_per_um: WireCapacitance = 0.0,
    trust_includes: TrustIncludes = False,
    bits: Bits = None,
    quantizer: QuantizerName = None,
    noise: Noise = "off",
    noise_step: NoiseStep = None,
    mismatch_coupling: MismatchCoupling = "0",
    mismatch_shil: MismatchShil = "0",
    detuning: Detuning = "0",
    dead: Dead = "0",
    stuck: Stuck = "0",
    temperature: Temperature = None,
    corner: CornerName = "typical",
    chip: Chip = 0,
    explain: Annotated[bool, typer.Option(
        "--explain", help="Show what each step from the trained ODE to the circuit costs, expected and measured."
    )] = False,
    adc_bits: Annotated[int | None, typer.Option(
        min=1, max=16, help="Resolution of the converter, bits; default: 8 at phase level, else 4.", show_default=False
    )] = None,
    rows: Annotated[int, typer.Option(
        min=50, help="Rows recorded of each run; also bounds the step to the run's length over this."
    )] = 200,
    time_limit: Annotated[float, typer.Option(
        help="Wall-clock seconds after which a simulation is stopped."
    )] = 3600.0,
    keep_trajectories: Annotated[int, typer.Option(
        min=0, help="Samples whose whole run goes into results.h5."
    )] = 4,
    inputs: Inputs = None,
    realization: Realization = "ideal",
    capacitance: Capacitance = 1e-12,
    volts: Volts = 0.01,
    bus_capacitance: BusCapacitance = 0.0,
    bias_bits: BiasBits = None,
    ota_gain: OtaGain = OTA.gain,
    ota_bandwidth: OtaBandwidth = OTA.bandwidth_hz,
    ota_range: OtaRange = OTA.input_range,
    settle: Settle = 4,
    averaging: Averaging = 50.0,
    adc_range: AdcRange = None,
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
    mode = _mode(overwrite, resume)
    if _is_network(context, weights):
        asked = {
            "inputs": inputs, "realization": realization, "tau": tau, "capacitance": capacitance, "volts": volts,
            "bus_capacitance": bus_capacitance, "bias_bits": bias_bits, "clip": clip, "ota_gain": ota_gain,
            "ota_bandwidth": ota_bandwidth, "ota_range": ota_range, "settle": settle, "averaging": averaging,
            "adc_range": adc_range, "adc_bits": adc_bits, "noise": noise, "noise_step": noise_step, "seed": seed,
            "samples": samples if "samples" in given_options(context) else None,
        }  # fmt: skip
        with _unusable_input(), _terminated_as_interrupted():
            run_network_file(weights, out, mode, asked)
        return
    with _unusable_input():
        checked = read_weights(weights)
        settings = settings_for(checked.core.readout, {
            "samples": samples, "seed": seed, "level": level, "devices": devices, "jacobian": jacobian,
            "scaling": Scaling.model_validate({"tau": tau}), "reltol": reltol, "rows": rows,
            "oscillator": {
                "cycles": cycles, "points_per_cycle": points_per_cycle, "coupler": coupler,
                "full_scale": full_scale, "clip": clip, "limiter": limiter, "levelling": levelling,
                "quality": quality, "demodulation": demodulation, "taps": taps, "pitch_um": pitch_um,
                "wire_ff_per_um": wire_ff_per_um, "trust_includes": trust_includes,
            },
            "non_idealities": non_idealities(
                bits=bits, quantizer=quantizer, noise=sigma(noise), noise_step=noise_step,
                mismatch_coupling=mismatch_coupling, mismatch_shil=mismatch_shil, detuning=detuning,
                dead=dead, stuck=stuck, temperature=temperature, corner=corner, chip=chip,
            ),
            "time_limit_s": time_limit, "keep_trajectories": keep_trajectories,
            **({"jobs": jobs} if jobs is not None else {}),
            **({"adc": {"bits": adc_bits}} if adc_bits is not None else {}),
        })  # fmt: skip
    kept = f"Finished samples are kept in {out}; the same command with --resume goes on"
    with _unusable_input():
        try:
            with _terminated_as_interrupted(), _Bars() as bars:
                results = run_job(weights, settings, out, mode, bars)
        except KeyboardInterrupt:
            stop(FAILED, f"interrupted. {kept}")
        except NgspiceUnavailable:  # a RuntimeError too, but nothing was done yet
            raise
        except (OSError, RuntimeError) as error:
            stop(FAILED, f"{error}. {kept}")
    console.print(_table(results))
    if explain:
        _explain(results)
    if (lost := cost(results)) is not None:
        console.print(Text(lost.sentence))
    for warning in saturation(results, checked.core.readout):
        _warn(warning)
    _conclude(results, out)


class _Bars:
    """A progress bar a sample in flight, by simulated time, and one for all. Without a terminal, lines."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn(),
            console=errors, transient=True,
        )  # fmt: skip
        self._all: TaskID | None = None
        self._preparing: TaskID | None = None
        self._tasks: dict[int, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def status(self, text: str) -> None:
        """What takes time before the first sample."""
        if self._preparing is None:
            self._preparing = self._progress.add_task("", total=None, note="")
        self._progress.update(self._preparing, description=printable(text))
        if not errors.is_terminal:
            errors.print(printable(text), highlight=False, markup=False)

    def planned(self, samples: int, todo: int, ability: Capabilities, realisation: Realisation) -> None:
        """Says by which simulator, warns of what it lacks, and opens the bar for all."""
        for warning in (*doctor_module.warnings(ability), *realisation.remarks):
            _warn(warning)
        if self._preparing is not None:
            self._progress.remove_task(self._preparing)
        kept = f", {samples - todo} already finished" if todo < samples else ""
        errors.print(
            f"{todo} sample{'s' * (todo != 1)} to simulate with ngspice {ability.version}, "
            f"{realisation.devices} devices{kept}"
        )
        self._all = self._progress.add_task("all samples", total=todo, note="")

    def progress(self, sample: int, fraction: float) -> None:
        """Moves a sample's bar."""
        with self._lock:
            if sample not in self._tasks:
                self._tasks[sample] = self._progress.add_task(
                    f"sample {sample}", total=1.0, note="simulated time"
                )
            self._progress.update(self._tasks[sample], completed=fraction)

    def finished(self, sample: int, row: Columns) -> None:
        """Closes a sample's bar and moves the one for all."""
        with self._lock:
            task = self._tasks.pop(sample, None)
            if task is not None:
                self._progress.remove_task(task)
            if self._all is not None:
                self._progress.advance(self._all)
        if not errors.is_terminal:
            verdict, seconds = row["samples/verdict"][0], float(row["timing/simulator_wall"][0])
            errors.print(f"sample {sample}: {verdict} in {seconds:.1f} s", highlight=False)


def _table(results: Results) -> Table:
    """The run at a glance; narrow enough for 80 columns."""
    unit = family(str(results.attributes["family"])).state.unit
    table = Table(
        title="Circuit against reference",
        caption=f"global: rms error ({unit}); defect: worst window's rms ({unit}); pixel: rms error after "
        "readout; codes: ADC codes within 1 LSB; sensit.: growth of a small "
        "perturbation of the start",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    for heading in (
        "#",
        "verdict",
        "steps",
        "iter.",
        "sec.",
        "global",
        "defect",
        "pixel",
        "codes",
        "sensit.",
        "",
    ):
        table.add_column(heading, justify="left" if heading == "verdict" else "right", no_wrap=True)
    rows = results.rows
    for k in range(min(results.samples, MOST_ROWS)):
        passed = bool(rows["samples/accepted"][k])
        codes = float(rows["crosscheck/codes_within_1lsb"][k])
        table.add_row(
            str(rows["samples/index"][k]), str(rows["samples/verdict"][k]),
            str(rows["timing/steps"][k]), str(rows["timing/iterations"][k]),
            f"{rows['timing/simulator_wall'][k]:.1f}",
            _figure(rows["crosscheck/global_rms"][k]),
            _figure(results.worst_window(k)),
            _figure(rows["crosscheck/pixel_rms"][k]),
            f"{100 * codes:.4g}%" if np.isfinite(codes) else "-",
            _figure(rows["crosscheck/sensitivity"][k]),
            Text("pass", "green") if passed else Text("FAIL", "bold red"),
        )  # fmt: skip
    return table


def _explain(results: Results) -> None:
    """What each step from the ODE to the circuit costs, expected and measured."""
    steps = explained(results)
    if not steps:
        errors.print(
            "nothing to explain: at the phase level the circuit is the ODE, or no sample was completed"
        )
        return
    table = Table(
        title="What each step costs (medians)", box=box.SIMPLE_HEAD, show_edge=False,
        caption="expected: shift of an equilibrium, from the sizing alone; rad: what the end of a run moves by",
    )  # fmt: skip
    for heading in ("step", "gives up that", "expected", "rad", "pixel", "codes > 1 LSB", "most in"):
        table.add_column(heading, justify="left" if heading in ("step", "gives up that") else "right")
    for step in steps:
        table.add_row(
            step.name, step.assumption, _figure(step.predicted), _figure(step.end_rms), _figure(step.pixel_rms),
            f"{100 * step.codes:.3g}%", str(step.samples),
        )  # fmt: skip
    console.print(table)
    console.print(Text(first_to_break(steps)))


def _figure(value: float) -> str:
    return f"{value:.1e}" if np.isfinite(value) else "-"


def _conclude(results: Results, out: Path) -> None:
    if results.samples > MOST_ROWS:
        console.print(f"the first {MOST_ROWS} of {results.samples} samples; the report shows all")
    console.print(Text(f"report: {printable(str(out / REPORT), longest=None)}"), soft_wrap=True)
    failed = np.flatnonzero(~results.rows["samples/accepted"].astype(bool))
    if not len(failed):
        return
    for k in failed[:MOST_REASONS]:
        sample, verdict = results.rows["samples/index"][k], results.verdicts[k]
        reason = str(results.rows["samples/reason"][k])
        if verdict == Verdict.COMPLETED and np.isfinite(results.rows["crosscheck/global_rms"][k]):
            knob = (
                "a smaller --reltol"
                if results.attributes.get("level") == "phase"
                else "more --cycles, or --explain"
            )
            reason = f"the simulation completed, but the circuit departs from the reference; try {knob}"
        errors.print(Text(plain(f"sample {sample}: {verdict}: {reason}")), soft_wrap=True)
    more = f" ({len(failed) - MOST_REASONS} more are in the report)" if len(failed) > MOST_REASONS else ""
    stop(FAILED, f"{len(failed)} of {results.samples} samples did not pass{more}")


@app.command(
    epilog="Example: ais sweep examples/campaigns/bits.toml --out out/bits. "
    "Interrupted? The same command with --resume goes on."
)
def sweep(
    campaign: Annotated[Path, typer.Argument(
        help="Campaign file (TOML): weights files, samples, seeds, and a grid or list of settings.", show_default=False
    )],
    out: Annotated[Path | None, typer.Option(
        help="Folder for campaign.h5, report and figures; default: out/ and the campaign file's name.",
        show_default=False,
    )] = None,
    jobs: Annotated[int | None, typer.Option(
        min=1, help="Simulators side by side; default: one a processor.", show_default=False
    )] = None,
    cluster: Annotated[str | None, typer.Option(
        help="Address of a Dask scheduler, such as tcp://host:8786: its workers simulate, with the same version of "
        "this package and the same ngspice as here.", show_default=False,
    )] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier campaign's results.")] = False,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Finish an interrupted campaign, or add points, seeds or samples to it."
    )] = False,
) -> None:  # fmt: skip
    """Run a campaign: a grid or list of settings x weights files x seeds x samples.

    Every sample is made as by `ais run`. The report shows quality and fidelity against each setting that is swept,
    with confidence intervals, and the first value at which quality falls.
    """
    if jobs is not None and cluster is not None:
        stop(UNUSABLE, "--jobs is of this machine, and --cluster takes another's workers: choose one")
    mode, folder = _mode(overwrite, resume), out if out is not None else Path("out") / campaign.stem
    kept = f"Finished samples are kept in {folder}; the same command with --resume goes on"
    with _unusable_input():
        try:
            with _terminated_as_interrupted(), Terminal(errors) as terminal:
                swept = sweep_job(campaign, folder, mode, terminal, jobs=jobs, address=cluster)
        except KeyboardInterrupt:
            stop(FAILED, f"interrupted. {kept}")
        except (ClusterError, NgspiceUnavailable):  # RuntimeErrors too, but nothing was done yet
            raise
        except (OSError, RuntimeError) as error:
            stop(FAILED, f"{error}. {kept}")
    console.print(terminal.table(MOST_ROWS))
    console.print(Text(printable(swept.found, longest=None)))
    console.print(Text(f"report: {printable(str(swept.report), longest=None)}"), soft_wrap=True)
    if swept.failed:
        stop(FAILED, f"{swept.failed} of {swept.samples} samples were not simulated to the end")


def _is_network(context: typer.Context, weights: Path) -> bool:
    """Whether the file holds a network of modules; options that mean nothing to what it holds are refused."""
    with _unusable_input():
        found = holds_modules(weights)
    check_options(context, network=found)
    return found


def _mode(overwrite: bool, resume: bool) -> Mode:
    if overwrite and resume:
        stop(UNUSABLE, "--overwrite starts anew and --resume continues: choose one")
    return "overwrite" if overwrite else "resume" if resume else "new"


@app.command(
    name="compile",
    epilog="Examples: ais compile examples/digits16-kurashil.h5 --out out/netlist; "
    "ais compile weights.h5 --level ring --cycles 200 --out out/ring. Then, in that folder: "
    "ngspice -b -r testbench.raw testbench.cir",
)
def compile_command(
    context: typer.Context,
    weights: WeightsFile,
    out: Annotated[Path, typer.Option(help="Folder for the netlist files; replaces an earlier call's.")],
    level: Level = "phase",
    dialect: Annotated[Dialect, typer.Option(
        help="ngspice, xyce, spectre, or verilog-a: the phase level's cells as modules, for any simulator that "
        "compiles them."
    )] = "ngspice",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the initial state in the test bench.")] = 0,
    sample: Annotated[int, typer.Option(min=0, help="Sample whose initial state the test bench holds.")] = 0,
    devices: Annotated[Devices, typer.Option(
        help="Form of the devices of the levels phase and lc: behavioural, or compiled (for ngspice alone; with their "
        "C source, the test bench says how to build)."
    )] = "behavioural",
    tau: Tau = 1e-6,
    reltol: Reltol = DEFAULT_RELTOL,
    rows: Annotated[int, typer.Option(
        min=50, help="At the phase level the step is at most the run's length over this."
    )] = 200,
    cycles: Cycles = 1000.0,
    points_per_cycle: PointsPerCycle = None,
    coupler: CouplerName = None,
    full_scale: FullScale = None,
    clip: Clip = False,
    limiter: LimiterName = "levelled",
    levelling: Levelling = LC_LEVELLING,
    quality: Quality = LC_QUALITY,
    pitch_um: Pitch = 20.0,
    wire_ff_per_um: WireCapacitance = 0.0,
    trust_includes: TrustIncludes = False,
    bits: Bits = None,
    quantizer: QuantizerName = None,
    noise: Noise = "off",
    noise_step: NoiseStep = None,
    mismatch_coupling: MismatchCoupling = "0",
    mismatch_shil: MismatchShil = "0",
    detuning: Detuning = "0",
    dead: Dead = "0",
    stuck: Stuck = "0",
    chip: Chip = 0,
    inputs: Inputs = None,
    realization: Realization = "ideal",
    capacitance: Capacitance = 1e-12,
    volts: Volts = 0.01,
    bus_capacitance: BusCapacitance = 0.0,
    bias_bits: BiasBits = None,
    ota_gain: OtaGain = OTA.gain,
    ota_bandwidth: OtaBandwidth = OTA.bandwidth_hz,
    ota_range: OtaRange = OTA.input_range,
) -> None:  # fmt: skip
    """Write the netlist: cell library, core subcircuit and a test bench that runs as it is.

    At the waveform levels (lc, ring, a cell of your own) the cell is characterised first, where that is not known from
    before, and beside the netlist go placement.csv, coupler_codes.csv, weights.mem (the codes' memory image) and
    floorplan.png. With --dialect verilog-a: one module for each number of neighbours that the core needs, in cells.va.

    Of a network of modules: parts, a subcircuit a module and a skip, and a bench in which an input's force steps up.
    """
    if _is_network(context, weights):
        asked = {
            "inputs": inputs, "realization": realization, "tau": tau, "capacitance": capacitance, "volts": volts,
            "bus_capacitance": bus_capacitance, "bias_bits": bias_bits, "clip": clip, "ota_gain": ota_gain,
            "ota_bandwidth": ota_bandwidth, "ota_range": ota_range, "sample": sample, "reltol": reltol,
        }  # fmt: skip
        with _unusable_input():
            compile_network_file(weights, out, dialect, asked)
        return
    with _unusable_input():
        core = read_weights(weights).core
        settings = RunSettings.model_validate({
            "seed": seed, "level": level, "scaling": Scaling.model_validate({"tau": tau}), "reltol": reltol,
            "rows": rows,
            "oscillator": {
                "cycles": cycles, "points_per_cycle": points_per_cycle, "coupler": coupler,
                "full_scale": full_scale, "clip": clip, "limiter": limiter, "levelling": levelling,
                "quality": quality, "pitch_um": pitch_um, "wire_ff_per_um": wire_ff_per_um,
                "trust_includes": trust_includes,
            },
            "non_idealities": non_idealities(
                bits=bits, quantizer=quantizer, noise=sigma(noise), noise_step=noise_step,
                mismatch_coupling=mismatch_coupling, mismatch_shil=mismatch_shil, detuning=detuning,
                dead=dead, stuck=stuck, chip=chip,
            ),
        })  # fmt: skip
        request = Request(core, settings, dialect, devices, sample)
        try:
            with _terminated_as_interrupted(), _Bars() as bars:
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
        _warn(remark)
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


@app.command(
    epilog="Examples: ais characterize ring; ais characterize examples/cells/cross_coupled.toml --out out/mine"
)
def characterize(
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
        min=0, help="Kelvin: thermal noise of the elements, to be injected and measured back.", show_default=False
    )] = None,
) -> None:  # fmt: skip
    """Measure an oscillator cell: frequency, power, phase sensitivity, couplers, injection locking, phase noise."""
    with _unusable_input():
        chosen = find_cell(cell, trust_includes=trust_includes)
        folder = out if out is not None else Path("out") / f"characterize-{chosen.name}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            found = _characterized(chosen, points_per_cycle)
            write_characterization(folder / CHARACTERIZATION_FILE, found)
            diffusing = None
            if noise or temperature is not None:
                with Simulator() as simulator:
                    diffusing = noisy_cells(simulator, cell, found.f0_hz, noise, temperature, **_few(cell))
            write_summary(folder / SUMMARY_FILE, found, None if diffusing is None else asdict(diffusing))
            from emulator.cell_figure import (
                cell_figure,
            )  # with matplotlib, which other commands need not wait for

            write_whole(folder / CELL_FIGURE, lambda path: _write_bytes(path, cell_figure(found)))
        except OSError as error:
            stop(UNUSABLE, f"can't write to {folder}: {error}")
        except BenchFailed as error:
            stop(FAILED, f"{error}")
        except KeyboardInterrupt:
            stop(FAILED, "interrupted; nothing was written")
    for table in _cell_tables(chosen.title, found):
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


CHARACTERIZATION_FILE, SUMMARY_FILE = "characterization.h5", "characterization.json"
CELL_FIGURE = "characterization.png"


def _few(cell: str) -> dict[str, Any]:
    """How many cells run how long for their phase noise: transistors take longer."""
    return {} if cell == LC else {"side": 4, "cycles": 100.0}


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _characterized(cell: OscillatorCell, points: int | None) -> Characterization:
    """Measures it anew, with a bar by parts."""
    with bar_of_parts("starting ngspice") as show, Simulator() as simulator:
        return characterize_cell(simulator, cell, points, show)


def _cell_tables(title: str, found: Characterization) -> list[Table]:
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


@app.command(
    name="compare",
    epilog="Examples: ais compare out/new out/old --out out/compare; ais compare out/digits out/digits:reference; "
    "ais compare out/digits images.npz --features classifier:images.npz",
)
def compare_command(
    first: Annotated[str, typer.Argument(
        metavar="A", show_default=False, help="A run: its folder or results.h5; behind it may stand :circuit (the "
        "default), :reference or :trained. Or a file of images: .npz, HDF5 or idx.",
    )],
    second: Annotated[str, typer.Argument(
        metavar="B", show_default=False, help="What A is measured against: a run or images too."
    )],
    features: Annotated[str, typer.Option(
        help="What the distances see of an image: pixels; classifier:FILE, the hidden layer of a small classifier, "
        "which FILE holds or labelled images in FILE train; or MODULE:FUNCTION, a function of yours."
    )] = "pixels",
    out: Annotated[Path | None, typer.Option(
        help="Folder for compare.html, .png and .json.", show_default=False
    )] = None,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print what would be compare.json, and nothing else."
    )] = False,
    fail_if_different: Annotated[bool, typer.Option(
        "--fail-if-different", help="Exit code 1 if the distributions differ."
    )] = False,
    resamples: Annotated[int, typer.Option(min=50, help="Resamples for the intervals.")] = 400,
    permutations: Annotated[int, typer.Option(min=50, help="Rearrangements for the test.")] = 1000,
    neighbours: Annotated[int, typer.Option(min=1, max=100, help="Nearest neighbours that are looked at.")] = 3,
    data_samples: Annotated[int, typer.Option(
        min=1, help="Images taken of a data set, at random if it has more."
    )] = 2000,
    data_range: Annotated[tuple[float, float] | None, typer.Option(
        help="Numbers of black and white in a data set, such as 0 16; default: bytes 0 to 255, else 0 to 1 or -1 to 1.",
        show_default=False,
    )] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random in the comparison.")] = 0,
) -> None:  # fmt: skip
    """Compare two sets of samples: one by one where they started alike, and in distribution.

    Says whether the distributions differ, with how much certainty, and which difference would not have been seen.
    """
    from emulator.compare_command import compare_files, side_lines, tables
    from emulator.compare_json import as_json as json_of

    with _unusable_input():
        try:
            found, files = compare_files(
                (first, second), features, out, span=data_range, data_samples=data_samples, resamples=resamples,
                permutations=permutations, neighbours=neighbours, seed=seed,
            )  # fmt: skip
        except OSError as error:
            stop(UNUSABLE, f"can't write to {out}: {error}")
    for remark in found.remarks:
        _warn(remark)
    if as_json:
        typer.echo(json.dumps(json_of(found), indent=2))
    else:
        for line in side_lines(found):
            console.print(Text(line), soft_wrap=True)
        for table in tables(found):
            console.print(table)
        console.print(Text(found.verdict, "bold"))
        if files:
            names = ", ".join(str(path) for path in files)
            console.print(Text(f"files: {printable(names, longest=None)}"), soft_wrap=True)
    if fail_if_different and found.outcome == "different":
        raise typer.Exit(FAILED)


@app.command(epilog="Example: ais inspect examples/digits16-kurashil.h5")
def inspect(
    file: Annotated[Path, typer.Argument(help="A weights file, a results file, or an output folder.")],
) -> None:
    """Show what a file holds: its datasets, provenance and statistics, and any defect found."""
    with _unusable_input():
        _show(inspect_file(file))


def _show(inspection: Inspection) -> None:
    for title, rows in inspection.sections:
        table = Table(title=title, show_header=False, title_justify="left")
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for name, value in rows:
            # Text, so that a file's words are shown and never read as markup
            table.add_row(Text(printable(name)), Text(printable(value, longest=2000)))
        console.print(table)
    for defect in inspection.defects:
        errors.print(Text.assemble(("defect: ", "bold red"), plain(defect)), soft_wrap=True)
    if inspection.defects:
        raise typer.Exit(UNUSABLE)


@app.command(epilog="Exit code 2 if no circuit can be simulated here.")
def doctor() -> None:
    """Show which ngspice, library, KLU, OSDI and C compiler there are, and what is lost without each."""
    marks = {
        "ok": Text("ok", "green"),
        "lost": Text("missing", "yellow"),
        "broken": Text("BROKEN", "bold red"),
    }
    table = Table(title="ais doctor")
    for heading in ("what", "", "found", "what is lost, and what helps"):
        table.add_column(heading, overflow="fold")
    findings = doctor_module.examine()
    for finding in findings:
        found, advice = Text(printable(finding.found)), Text(printable(finding.advice, longest=None))
        table.add_row(finding.what, marks[finding.state], found, advice)
    console.print(table)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(UNUSABLE)
