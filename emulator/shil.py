"""Sub-harmonic injection locking: what the PPV predicts, and the range in which copies of the cell really lock."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import sympy as sp

from device_models.elements import GROUND, TIME, Behavioural, Element, Sine, Source
from device_models.oscillator_cell import OscillatorCell
from emulator.cell_runs import harmonics, phases, run_bench
from emulator.limit_cycle import FreeRun
from emulator.sensitivity import HARMONICS
from emulator.simulator import Simulator
from netlists.cell_bench import Bench, evenly, state_at
from netlists.characterization import Complex, PhaseSensitivity, ShilLock
from netlists.core import Array

_RANGE = 0.01  # of f₀, the lock range that the drive is to make
_STRONGEST = 0.25  # of 2π f₀: a drive that moves the phase faster than this is no perturbation
_LONGEST = 400  # cycles
_SLIPPED = 0.4  # rad from the slowest phase, beyond which a cell is not locked
_COARSE = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.4])  # of the predicted edge
_FINER, _FINE = 6, 0.03
_DIRECTIONS = (-1.0, 1.0)


def drive(cell: OscillatorCell, free: FreeRun, ppv: PhaseSensitivity) -> tuple[float, float]:
    """(gain, drive_phase) of the cell's kind of injection, see ``ShilLock``."""
    second = _felt(cell, free, ppv)[2]
    return float(abs(second)) / 2, float(np.angle(second)) - np.pi / 2


def shil_lock(simulator: Simulator, cell: OscillatorCell, free: FreeRun, ppv: PhaseSensitivity) -> ShilLock:
    """Predicts the lock range, and measures it by a sweep, first coarse and then finer at both edges.

    Raises:
        BenchFailed: the simulator did not finish.
    """
    f0 = free.steps.frequency
    gain, phase = drive(cell, free, ppv)
    strongest = _STRONGEST * 2 * np.pi * f0 / max(np.abs(_felt(cell, free, ppv)[1:]).max(), 1e-300)
    amplitude = min(_RANGE * 2 * np.pi * f0 / max(gain, 1e-300), strongest)
    edge = amplitude * gain / (2 * np.pi)
    detunings = np.concatenate([sign * _COARSE * edge for sign in _DIRECTIONS])
    locked = follows(simulator, cell, free, phase, amplitude, detunings)
    while not locked.all():
        brackets = [_bracket(detunings, locked, sign) for sign in _DIRECTIONS]
        finer = [np.linspace(a, b, _FINER + 2)[1:-1] for a, b in brackets if abs(b - a) > _FINE * edge]
        if not finer:
            break
        more = np.concatenate(finer)
        locked = np.append(locked, follows(simulator, cell, free, phase, amplitude, more))
        detunings = np.append(detunings, more)
    order = np.argsort(detunings)
    brackets = [_bracket(detunings, locked, sign) for sign in _DIRECTIONS]
    return ShilLock(
        port=cell.shil,
        kind=cell.shil_kind,
        drive_phase=phase,
        gain=gain,
        current=amplitude,
        predicted_hz=np.array([-edge, edge]),
        measured_hz=np.array([np.mean(bracket) for bracket in brackets]),
        sweep_hz=detunings[order],
        locked=locked[order],
    )


def _bracket(detunings: Array, locked: npt.NDArray[np.bool_], sign: float) -> tuple[float, float]:
    """On one side, the furthest detuning that locks before the first that does not, and that one."""
    side = detunings * sign > 0
    free = np.abs(detunings[side & ~locked])
    outside = float(free.min()) if len(free) else float(np.abs(detunings[side]).max())
    held = np.abs(detunings[side & locked])
    held = held[held < outside] if len(free) else held
    return sign * float(held.max(initial=0.0)), sign * outside


def follows(
    simulator: Simulator, cell: OscillatorCell, free: FreeRun, drive_phase: float, amplitude: float,
    detunings: Array,
) -> npt.NDArray[np.bool_]:  # fmt: skip
    """Whether the cell follows drives at twice f₀ + detuning, for each of (P,) detunings in hertz.

    Each copy starts at the phase that its drive holds back least: one that is not locked leaves it in the direction
    of its detuning, one that is locked goes back to where it is held.

    Raises:
        BenchFailed: the simulator did not finish.
    """
    f0 = free.steps.frequency
    cycles = float(np.clip(1.1 * f0 / np.abs(detunings).max(), 60, _LONGEST))
    bench = Bench(cell, f"{cell.name}: injection locking")
    supply = bench.supply("supply")
    signs = np.sign(detunings)
    copies = [
        bench.copy(f"d{k}", supply, state_at(free.cycle, -sign * np.pi / 4)) for k, sign in enumerate(signs)
    ]
    for copy, detuning in zip(copies, detunings, strict=True):
        node = copy.node(cell.shil)
        name = f"drive_{copy.name}"
        bench.elements.append(_drive(cell, name, node, amplitude, 2 * (f0 + detuning), drive_phase))
    outputs = [copy.vector(f"v({cell.output})") for copy in copies]
    waves = run_bench(simulator, bench, free.steps, cycles + 2, outputs)
    centers = np.linspace(2, cycles, max(int(cycles / 4), 2))
    phase = phases(waves, outputs, f0, centers) - 2 * np.pi * np.outer(centers / f0, detunings)
    # unwrapped from the start on, as the first window may already lie on another turn
    start = -signs * np.pi / 4
    moved = np.unwrap(np.concatenate([start[None], phase]), axis=0)[1:] - start
    return np.asarray((-signs * moved).max(axis=0) < _SLIPPED)


def _drive(
    cell: OscillatorCell, name: str, node: str, amplitude: float, frequency: float, phase: float
) -> Element:
    """Into the node: amplitude · cos(2π frequency t + phase), times its voltage for a pump."""
    if cell.shil_kind == "current":
        wave = Sine(0.0, amplitude, frequency, phase + np.pi / 2)
        return Source(name, "current", (GROUND, node), wave)
    volts = sp.Symbol("v", real=True)
    current = amplitude * sp.cos(2 * np.pi * frequency * TIME + phase) * volts
    return Behavioural(name, (GROUND, node), current, {volts: (node, GROUND)})


def _felt(cell: OscillatorCell, free: FreeRun, ppv: PhaseSensitivity) -> Complex:
    """Harmonics of the PPV, for a pump of the PPV times the port's voltage."""
    if cell.shil_kind == "current":
        return ppv.harmonics
    phase = evenly(8 * HARMONICS)
    volts = free.cycle.at(phase)[:, free.cycle.signals.index(f"v({cell.shil})")]
    sensitivity = np.exp(1j * np.multiply.outer(phase, np.arange(len(ppv.harmonics)))) @ ppv.harmonics
    return harmonics(phase, sensitivity.real * volts, HARMONICS)
