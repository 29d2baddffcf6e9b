"""The free-running cell: that it starts and settles, its frequency in the solver's own steps, its limit cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_models.oscillator_cell import OscillatorCell
from emulator.cell_runs import (
    DoesNotOscillate,
    DoesNotStart,
    HiddenState,
    PeriodDrifts,
    SeveralFrequencies,
    Steps,
    UnexpectedPeriod,
    Waves,
    harmonics,
    phases,
    run_bench,
    series,
)
from emulator.simulator import Simulator
from netlists.cell_bench import Bench, State, evenly, signals, state_at, supply_current
from netlists.characterization import Complex, LimitCycle
from netlists.core import Array

_STARTUP = (60, 240, 960)  # cycles; longer where the swing still changes
_WINDOWS = 24  # cycles over which the frequency is measured
_DRIFT = 1e-6  # largest relative change of the frequency from one half of the windows to the other
_MOST_PASSES = 5
_SAME = 1e-8  # relative change of the frequency at which the step is taken for right
_FURTHEST_GUESS = 5.0
_OTHER_FREQUENCIES = 0.02  # rms, relative to the fundamental's
_LEAVES = 0.02  # a cell started on the table stays this close, relative to the swing
_STILL = 1e-3  # least swing to be relative to, over the level: what a source holds swings by rounding alone
_RESOLVED = 8  # steps a period has to have to be believed


@dataclass(frozen=True)
class FreeRun:
    """The cell by itself: its steps (with f₀), table, the output's harmonics in volts, and watts of all supplies."""

    steps: Steps
    cycle: LimitCycle
    output: Complex
    power: float
    cycles_to_start: int


def free_run(simulator: Simulator, cell: OscillatorCell, points: int) -> FreeRun:
    """Starts the cell, lets it settle, and measures period and limit cycle at ``points`` steps a cycle.

    Raises:
        CellFault: what is wrong with the cell, and what to do.
        BenchFailed: the simulator did not finish.
    """
    frequency, cycles = _start(simulator, cell, points)
    state = State(cell.start)
    found: FreeRun | None = None
    for _ in range(_MOST_PASSES):
        steps = Steps(frequency, points)
        found = _settled(simulator, cell, steps, state, cycles if found is None else 2, cycles)
        state = state_at(found.cycle, 0.0)
        change = abs(found.steps.frequency / frequency - 1)
        frequency = found.steps.frequency
        if change < _SAME:
            break
    assert found is not None
    return _stays(simulator, cell, found)


def _start(simulator: Simulator, cell: OscillatorCell, points: int) -> tuple[float, int]:
    """Frequency in hertz, roughly, and the cycles it takes to settle."""
    steps = Steps(1 / cell.period_guess, points)
    scale = max((abs(volts) for volts in (*cell.supplies.values(), *cell.start.values())), default=0.0) or 1.0
    for cycles in _STARTUP:
        waves, output = _alone(simulator, cell, steps, State(cell.start), cycles, 0.0)
        time, values = waves.time, waves.of([output])[:, 0]
        quarters = [values[(time >= a * time[-1]) & (time <= b * time[-1])] for a, b in _QUARTERS]
        swings = [float(np.ptp(quarter)) for quarter in quarters]
        if abs(swings[-1] - swings[-2]) < 0.01 * swings[-1] or swings[-1] < 1e-6 * scale:
            break
    where = f"the output {cell.output} of {cell.name}"
    if swings[-1] < 1e-3 * scale:
        if max(swings) < 0.05 * scale:
            raise DoesNotStart(
                f"{cell.name} does not start: after {cycles} guessed periods {where} rests at {values[-1]:.4g} V. "
                "Give it start voltages further from its operating point, or check its supply."
            )
        raise DoesNotOscillate(
            f"{cell.name} does not oscillate: the swing of {where} decays from {max(swings):.3g} V to "
            f"{swings[-1]:.3g} V. Give it more gain, or less load."
        )
    frequency, other, share = _frequencies(time, values, steps.step)
    if frequency * time[-1] < 6:
        raise DoesNotOscillate(
            f"{cell.name} does not oscillate: {where} moves by {swings[-1]:.3g} V, but does not repeat within "
            f"{cycles} guessed periods. Correct the period guess, or give it more gain."
        )
    ratio = frequency * cell.period_guess
    if frequency * steps.step * _RESOLVED > 1:
        raise UnexpectedPeriod(
            f"{cell.name} has a period far below the guess of {cell.period_guess:.4g} s, too short for its steps of "
            f"{steps.step:.4g} s. Lower the period guess, to {cell.period_guess / points:.4g} s at first."
        )
    if not 1 / _FURTHEST_GUESS <= ratio <= _FURTHEST_GUESS:
        raise UnexpectedPeriod(
            f"{cell.name} has a period of {1 / frequency:.4g} s, further than a factor {_FURTHEST_GUESS:g} from the "
            f"guess of {cell.period_guess:.4g} s. Set the period guess to what was found."
        )
    if share > _OTHER_FREQUENCIES:
        raise SeveralFrequencies(
            f"{cell.name} oscillates at several frequencies: {frequency:.4g} Hz, and {other:.4g} Hz with "
            f"{share:.0%} of its amplitude. Choose start voltages of one mode, or damp the other."
        )
    return frequency, int(np.ceil(cycles * ratio))


_QUARTERS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))


def _frequencies(time: Array, values: Array, step: float) -> tuple[float, float, float]:
    """The strongest frequency, the strongest that is no multiple of it, and the amplitude of all such beside it."""
    late = time >= time[-1] / 2
    grid = np.arange(time[-1] / 2, time[-1], step)
    wave = np.interp(grid, time[late], values[late])
    spectrum = np.abs(np.fft.rfft((wave - wave.mean()) * np.blackman(len(wave)))) ** 2
    peak = int(np.argmax(spectrum[2:])) + 2
    bins = np.arange(len(spectrum))
    near = slice(max(peak - 3, 0), peak + 4)
    centre = float(np.average(bins[near], weights=spectrum[near]))
    harmonic = np.round(bins / centre)
    # three bins are the window's width; the centre's error grows with the harmonic
    elsewhere = (np.abs(bins - harmonic * centre) > 4 + 0.02 * harmonic) & (bins > 3)
    other = int(np.argmax(np.where(elsewhere, spectrum, 0)))
    share = float(np.sqrt(spectrum[elsewhere].sum() / spectrum[near].sum()))
    return centre / (step * len(grid)), other / (step * len(grid)), share


def _alone(
    simulator: Simulator, cell: OscillatorCell, steps: Steps, state: State, cycles: float, start: float
) -> tuple[Waves, str]:
    bench = Bench(cell, f"{cell.name}: free-running")
    supply = bench.supply("supply")
    copy = bench.copy("cell", supply, state)
    vectors = [copy.vector(signal) for signal in signals(cell)]
    output = copy.vector(f"v({cell.output})")
    meters = [supply_current(node) for node in supply.values()]
    return run_bench(simulator, bench, steps, cycles, [*vectors, *meters, output], start), output


def _settled(
    simulator: Simulator, cell: OscillatorCell, steps: Steps, state: State, settle: int, at_most: int
) -> FreeRun:
    """The frequency to the last digits, from a run that goes on until it no longer drifts."""
    while True:
        waves, output = _alone(simulator, cell, steps, state, settle + _WINDOWS + 3, settle)
        frequency, drift = _slope(waves, output, steps.frequency, settle)
        if drift < _DRIFT:
            return _tabulate(waves, cell, Steps(frequency, steps.points), output, settle, at_most)
        if settle > 8 * max(at_most, _STARTUP[0]):
            raise PeriodDrifts(
                f"the period of {cell.name} drifts: after {settle} cycles it still changes by {drift:.1e} within "
                f"{_WINDOWS // 2} cycles. Give it more points per cycle; if it drifts still, look for a slow time "
                "constant (a bias that charges), or another oscillation."
            )
        settle = 2 * max(settle, 8)


def _slope(waves: Waves, output: str, frequency: float, first: float) -> tuple[float, float]:
    """Frequency in hertz by the slope of the I/Q phase, and its relative change between both halves."""
    drift = np.inf
    for _ in range(4):  # windows of whole cycles need the frequency that is sought
        centers = first + 1.5 + np.arange(_WINDOWS)
        centers = centers[centers + 1 < waves.time[-1] * frequency]
        phase = phases(waves, [output], frequency, centers)[:, 0] / (2 * np.pi)
        half = len(centers) // 2
        early = np.polyfit(centers[:half], phase[:half], 1)[0]
        late = np.polyfit(centers[half:], phase[half:], 1)[0]
        change = float(np.polyfit(centers, phase, 1)[0])
        drift = abs(late - early)
        frequency *= 1 + change
        if abs(change) < _SAME / 10:
            break
    return frequency, drift


def _tabulate(
    waves: Waves, cell: OscillatorCell, steps: Steps, output: str, settle: int, cycles: int
) -> FreeRun:
    angle = 2 * np.pi * steps.frequency * waves.time
    kept = angle >= angle[-1] - 2 * np.pi * 8
    count = max(steps.points // 2 - 1, 4)
    found = harmonics(angle[kept], waves.values[kept], count)
    out = found[:, waves.names[output]]
    turn = np.exp(
        -1j * np.angle(out[1]) * np.arange(len(found))
    )  # θ = 0 where the output's fundamental peaks
    found = found * turn[:, None]
    names = signals(cell)
    phase = evenly(max(64, steps.points))
    values = series(found[:, : len(names)], phase)
    # signals come first in the order of the bench, then the supplies
    power = -sum(
        volts * float(found[0, len(names) + k].real) for k, volts in enumerate(cell.supplies.values())
    )
    return FreeRun(steps, LimitCycle(phase, names, values), out * turn, float(power), max(settle, cycles))


def _stays(simulator: Simulator, cell: OscillatorCell, found: FreeRun) -> FreeRun:
    """Starts a cell on the table and sees that it stays there, as every later run supposes."""
    start = 1.0
    waves, output = _alone(simulator, cell, found.steps, state_at(found.cycle, start), 6, 0)
    names = found.cycle.signals
    phase = phases(waves, [output], found.steps.frequency, np.array([2.0]))[0, 0]
    angle = 2 * np.pi * found.steps.frequency * waves.time + phase
    level = np.abs(found.cycle.values).max(axis=0)
    swing = np.maximum(np.ptp(found.cycle.values, axis=0), _STILL * level)
    away = np.abs(waves.values[:, : len(names)] - found.cycle.at(angle)) / np.where(swing > 0, swing, 1)
    worst = int(np.argmax(away.max(axis=0)))
    if away.max() > _LEAVES:
        raise HiddenState(
            f"{cell.name} leaves its limit cycle when started on it ({names[worst]} by {away.max():.1%} of its "
            "swing): nodes and inductors don't say all of its state. Name every inductor under `inductors`, and "
            "give charge-storing nodes inside included models a smaller part."
        )
    return found
