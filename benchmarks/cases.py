"""The benchmarks. Each round runs its sides in turn on this machine; ratios of a round are what counts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.campaigns import campaign
from benchmarks.harness import Benchmark, Measure
from benchmarks.naive import naive_deck
from benchmarks.networks import networks
from benchmarks.peers import peers
from benchmarks.soak import soak
from emulator import reference
from emulator.crosscheck import Comparison, crosscheck, difference
from emulator.devices import Choice, choose, make_deck
from emulator.doctor import find_capabilities
from emulator.levels import realise
from emulator.ngspice import Capabilities, Deck, Simulation
from emulator.realisation import Observed, Realisation
from emulator.settings import OscillatorSettings, RunSettings
from emulator.simulator import Simulator
from netlists.compile import compile_core
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions, write_deck
from netlists.scaling import Scaling
from netlists.synthetic import window_core
from netlists.weights import read_weights, write_weights

SCALING = Scaling(tau=1e-6)
DIGITS = Path(__file__).parents[1] / "examples" / "digits16-kurashil.h5"
# rms coupling of the 56 x 56 core; see benchmarks/README.md for what other strengths give
STRENGTH = 0.2
LC_CYCLES = 1000.0


@lru_cache(maxsize=1)
def ability() -> Capabilities:
    """What this machine's ngspice can do."""
    with Simulator() as simulator:
        return find_capabilities(simulator)


def options(rows: int = 200, reltol: float = 1e-4) -> SolverOptions:
    """Solver options with KLU where there is one."""
    return SolverOptions(reltol=reltol, rows=rows, klu=ability().klu)


def chosen(core: AnalogCore, rows: int = 200) -> Choice:
    """What ``auto`` takes for a core on this machine."""
    return choose(core, SCALING, rows, ability())


def timed_run(simulator: Simulator, deck: Deck) -> Simulation:
    """A run that has to complete."""
    result = simulator.simulate(deck)
    if not result.judgement.completed:
        raise RuntimeError(f"{result.judgement.verdict}: {result.judgement.reason}")
    return result


def rk45(core: AnalogCore, start: Array, rtol: float = 1e-6) -> tuple[float, Array]:
    """Processor seconds and final state of scipy's RK45 on the reference's rate, chunk by chunk."""
    began, state = clock.process_time(), start
    for chunk in range(core.chunks):
        span = (core.boundaries[chunk], core.boundaries[chunk + 1])
        rows = np.linspace(*span, 200 // core.chunks + 1)
        of_chunk = partial(_rate, reference.RATES[core.family_name](core, chunk))
        state = solve_ivp(of_chunk, span, state, rtol=rtol, atol=1e-9, t_eval=rows).y[:, -1]
    return clock.process_time() - began, state


def _rate(of_many: Callable[[Array], Array], _: float, state: Array) -> Array:
    return of_many(state[:, None])[:, 0]


def core56(rounds: int) -> list[Measure]:
    """One sample of the 56 × 56 × 24 KuraSHIL core against scipy on the same work."""
    measures = []
    for chunks in (1, 4):
        core = window_core(56, 56, chunks=chunks, strength=STRENGTH)
        start = core.initial_states(0, 0)
        choice, settings = chosen(core), options()
        deck = make_deck(choice, settings, start)
        exact = reference.trajectory(core, start, np.array([core.duration]), rtol=1e-9)[-1]
        ratios, seconds, peaks, result = [], [], [], None
        with Simulator() as simulator:
            simulator.call(_resident)
            for turn in range(rounds + 1):
                idle = simulator.call(_resident)
                result = timed_run(simulator, deck)
                theirs, _ = rk45(core, start)
                if turn > 0:  # the first is the warm-up
                    ratios.append(result.statistics.cpu_s / theirs)
                    seconds.append(result.statistics.cpu_s)
                else:
                    peaks.append((simulator.call(_peak) - idle) / 1e6)
        assert result is not None
        error = difference(result.values[-1], exact, core.family.state.periodic)
        counts = f"{result.statistics.steps} steps, {result.statistics.iterations} iterations, reltol 1e-4, 200 rows"
        name = f"{chunks} chunk{'s' if chunks > 1 else ''}"
        form = f"{choice.devices}, {choice.jacobian} Jacobian; {counts}"
        must, aim = (6, 2) if chunks == 1 else (None, None)
        measures += [
            Measure("core56", f"ngspice / scipy RK45 rtol 1e-6, {name}", "ratio", tuple(ratios),
                    must=must, aim=aim, notes=form),
            Measure("core56", f"ngspice CPU of a sample, {name}", "s", tuple(seconds), notes=form),
            Measure("core56", f"final phases against DOP853 at 1e-9, {name}", "rad rms",
                    (float(np.sqrt(np.mean(error**2))),), must=1.5e-3, notes=counts),
            Measure("core56", f"final phase of the median node against it, {name}", "rad",
                    (float(np.median(np.abs(error))),), notes=counts),
            Measure("core56", f"worker's peak memory above idle, {name}", "MB", tuple(peaks), must=100, aim=50),
        ]  # fmt: skip
    return measures


def naive56(rounds: int) -> list[Measure]:
    """The netlist of a newcomer (PySpice, a B source an edge, KLU) against ours; minutes a round, so one round."""
    core = window_core(56, 56, strength=STRENGTH)
    start, settings = core.initial_states(0, 0), options()
    began = clock.process_time()
    naive = naive_deck(core, SCALING, settings, start)
    building = clock.process_time() - began
    ours = make_deck(chosen(core), settings, start)
    with Simulator() as simulator:
        timed_run(simulator, ours)
        theirs = timed_run(simulator, naive)
        mine = [timed_run(simulator, ours).statistics.cpu_s for _ in range(rounds)]
    counts = f"{theirs.statistics.steps} steps, {theirs.statistics.iterations} iterations"
    ratios = tuple(theirs.statistics.cpu_s / seconds for seconds in mine)
    return [
        Measure("naive56", "naive PySpice netlist / ours", "ratio", ratios, better="higher", must=40, aim=100,
                notes=f"naive: {counts}, one run"),
        Measure("naive56", "ngspice CPU of the naive netlist", "s", (theirs.statistics.cpu_s,), notes=counts),
        Measure("naive56", "building it with PySpice objects", "s", (building,)),
    ]  # fmt: skip


def scale(rounds: int) -> list[Measure]:
    """CPU per node and step at 224 × 224 against 56 × 56."""
    decks = {}
    for side in (56, 224):
        core = window_core(side, side, strength=STRENGTH, duration=2.0)
        decks[side] = make_deck(chosen(core, rows=40), options(rows=40), core.initial_states(0, 0))
    ratios = []
    with Simulator() as simulator:
        for turn in range(rounds + 1):
            cost = {}
            for side, deck in decks.items():
                used = timed_run(simulator, deck).statistics
                cost[side] = (used.cpu_s - used.load_s) / side**2 / max(1, used.steps)
            if turn > 0:
                ratios.append(cost[224] / cost[56])
    return [
        Measure("scale", "CPU per node and step, 224 x 224 / 56 x 56", "ratio", tuple(ratios), must=1.5, aim=1.1,
                notes="T = 2, 40 rows, reading the netlist not counted")
    ]  # fmt: skip


def compile56(rounds: int) -> list[Measure]:
    """Weights in memory to netlist text, 56 × 56 with 4 chunks."""
    core = window_core(56, 56, chunks=4, strength=STRENGTH)
    start, settings = core.initial_states(0, 0), options()
    measures = []
    for devices in ("compiled", "behavioural"):
        seconds = []
        for _ in range(rounds + 1):
            fresh = window_core(56, 56, chunks=4, strength=STRENGTH)
            began = clock.process_time()
            write_deck(compile_core(fresh, SCALING, devices), settings, start)
            seconds.append(clock.process_time() - began)
        measures.append(
            Measure("compile56", f"weights to netlist text, {devices}", "s CPU", tuple(seconds[1:]),
                    must=0.5, aim=0.1)
        )  # fmt: skip
    return measures


def batch(rounds: int) -> list[Measure]:
    """Samples per second with two jobs against one."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            seconds = {jobs: _whole_run(Path(folder) / f"{turn}-{jobs}", 128, jobs) for jobs in (1, 2)}
            if turn > 0:
                ratios.append(seconds[1] / seconds[2])
    return [Measure("batch", "samples per second, 2 jobs / 1 job", "ratio", tuple(ratios), better="higher",
                    must=1.8, notes="128 samples of digits16, the whole command")]  # fmt: skip


def digits16(rounds: int) -> list[Measure]:
    """64 samples of the trained digits, the whole command with cross-check and report."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = [_whole_run(Path(folder) / str(turn), 64, 2) for turn in range(rounds + 1)]
    return [Measure("digits16", "64 samples, whole command, 2 jobs", "s wall", tuple(seconds[1:]), must=30)]


@dataclass(frozen=True)
class WaveformRun:
    """One sample at the waveform level ``lc``.

    Attributes:
        core: what was trained.
        level: its circuit.
        simulation: its run.
        observed: phases, amplitudes and excerpts of waveforms.
        comparison: with the reference, and the reference's states.
        peak_mb: of the worker above idle, over netlist, run and demodulation.
    """

    core: AnalogCore
    level: Realisation
    simulation: Simulation
    observed: Observed
    comparison: Comparison
    peak_mb: float

    @property
    def counts(self) -> str:
        """Time points and iterations."""
        used = self.simulation.statistics
        return f"{used.steps} steps, {used.iterations} iterations"


def waveform_run(core: AnalogCore, cycles: float, folder: Path) -> WaveformRun:
    """Sample 0 of a core through the level ``lc``, in a worker of its own; ``folder`` takes the weights file."""
    path = folder / "weights.h5"
    write_weights(path, core)
    weights = read_weights(path)
    settings = RunSettings(level="lc", oscillator=OscillatorSettings(cycles=cycles))
    with Simulator() as simulator:
        level = realise(weights, settings, ability(), simulator, lambda _: None)
    start = core.initial_states(0, 0)
    with Simulator() as simulator:  # one that has characterised no cell
        find_capabilities(simulator)
        idle = simulator.call(_resident)
        simulation = timed_run(simulator, level.deck(start))
        peak = (simulator.call(_peak) - idle) / 1e6
        observed = level.observe(simulation, start)
        comparison = simulator.call(crosscheck, core, observed.trajectory, settings.rows)
    return WaveformRun(core, level, simulation, observed, comparison, peak)


def lc56(_: int) -> list[Measure]:
    """One sample of the 56 × 56 × 24 core, waveforms and all; minutes a run, so one run."""
    core = window_core(56, 56, strength=STRENGTH)
    return _waveforms("lc56", core, 1, must_s=480.0, aim_s=180.0, must_mb=300.0)


def lc16(rounds: int) -> list[Measure]:
    """One sample of the trained digits as waveforms; no warm-up, which would be no different."""
    return _waveforms("lc16", read_weights(DIGITS).core, rounds, must_s=90.0)


def _waveforms(
    name: str, core: AnalogCore, rounds: int, *, must_s: float, aim_s: float | None = None,
    must_mb: float | None = None,
) -> list[Measure]:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        runs = [waveform_run(core, LC_CYCLES, Path(folder)) for _ in range(rounds)]
    run, check = runs[-1], runs[-1].comparison[0]
    used = [r.simulation.statistics for r in runs]
    amplitude = np.zeros(1) if run.observed.amplitude is None else run.observed.amplitude
    what = f"{run.level.devices}, {run.level.jacobian} Jacobian; {LC_CYCLES:g} cycles; {run.counts}"
    return [
        Measure(name, "ngspice CPU of a sample", "s", tuple(u.cpu_s for u in used), must=must_s, aim=aim_s,
                notes=what),
        Measure(name, "wall time of the same", "s wall", tuple(u.wall_s for u in used), notes=what),
        Measure(name, "worker's peak memory above idle", "MB", tuple(r.peak_mb for r in runs), must=must_mb),
        Measure(name, "defect against the trained ODE, median window", "rad rms",
                (float(np.median(check.window_rms)),)),
        Measure(name, "defect, worst window", "rad rms", (check.worst_window,)),
        Measure(name, "amplitude at the end over the free cell's, smallest", "ratio", (float(amplitude.min()),),
                better="higher"),
        Measure(name, "amplitude at the end over the free cell's, largest", "ratio", (float(amplitude.max()),)),
    ]  # fmt: skip


def _whole_run(out: Path, samples: int, jobs: int) -> float:
    began = clock.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "from emulator.cli import app; app()", "run", str(DIGITS), "--samples", str(samples),
         "--jobs", str(jobs), "--out", str(out)],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    if done.returncode not in (0, 1):  # 1: a sample near a saddle missed a code, which is not what is timed
        raise RuntimeError(done.stderr)
    return clock.perf_counter() - began


def _resident() -> int:
    """Bytes this process holds now, its peak forgotten."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("core56", "a sample of the 56 x 56 x 24 KuraSHIL core: ngspice against scipy", core56),
        Benchmark(
            "naive56", "the same as a newcomer's PySpice netlist: a B source an edge", naive56, slow=True
        ),
        Benchmark("scale", "cost per node and step from 3,136 to 50,176 nodes", scale),
        Benchmark("compile56", "weights to netlist text", compile56),
        Benchmark("batch", "two jobs against one", batch),
        Benchmark("peers", "the same netlist through other ways from Python to ngspice", peers),
        Benchmark("digits16", "64 samples of the trained digits, the whole command", digits16),
        Benchmark("networks", "Langevin networks: an operating point, and a transient under noise", networks),
        Benchmark("campaign", "what a campaign adds to a sample, and two jobs against one", campaign),
        Benchmark("soak", "whether a long campaign's processes grow", soak, slow=True),
        Benchmark("lc16", "a sample of the trained digits as LC waveforms", lc16, slow=True),
        Benchmark("lc56", "a sample of the 56 x 56 x 24 core as LC waveforms", lc56, slow=True),
    )
}
