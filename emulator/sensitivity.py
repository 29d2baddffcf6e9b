"""The PPV of a cell: charge put into a port at many phases, and how far the phase has moved once all is calm."""

from __future__ import annotations

import numpy as np

from device_models.elements import PiecewiseLinear, Source
from device_models.oscillator_cell import OscillatorCell
from emulator.cell_runs import CellFault, Steps, harmonics, phases, run_bench
from emulator.limit_cycle import FreeRun
from emulator.simulator import Simulator
from netlists.cell_bench import Bench, evenly, state_at
from netlists.characterization import PhaseSensitivity
from netlists.core import Array

PHASES, HARMONICS = 32, 12
_PILOTS = 8
_KICK_AT = 2.0  # cycles
_SHIFT = 0.03  # rad, the largest that the charge is to make
_NONLINEAR = 0.05
_CALM = 5e-3  # change of the shifts from one look to the next, relative to the largest
# The steps fall on other phases in each cycle, which makes the shifts of a cell with kinks jitter a little. That is as
# small after twice the time, where a slow relaxation would be smaller.
_JITTER = 0.02
_LONGEST = 800  # cycles
_LOOK = 8  # windows of a cycle averaged
_TRIALS = 8


def sensitivity(simulator: Simulator, cell: OscillatorCell, free: FreeRun, port: str) -> PhaseSensitivity:
    """PPV at a port, extrapolated from two charges to none.

    Raises:
        CellFault: no charge makes a usable shift, or the cell does not come to rest after one.
        BenchFailed: the simulator did not finish.
    """
    charge, cycles = _charge(simulator, cell, free, port)
    before = np.inf
    while True:
        phase, shift, change = _kick(simulator, cell, free, port, PHASES, (charge, charge / 2), cycles)
        calm = change < _CALM or before / 2 < change < _JITTER
        before = change
        whole, half = shift / np.array([charge, charge / 2])[:, None]
        value = 2 * half - whole  # the error is proportional to the charge
        nonlinearity = float(np.abs(whole - half).max() / np.abs(value).max())
        # A port where it takes much charge to move the phase. Of a cell that jitters a smaller charge shows less.
        if calm and nonlinearity > _NONLINEAR and np.abs(shift).max() > _SHIFT / 8 and 4 * change < _JITTER:
            charge /= 4
            before = np.inf
            continue
        if calm or cycles > _LONGEST:
            break
        cycles *= 2
    if not calm:
        raise CellFault(
            f"{cell.name}: {cycles:g} cycles after a charge into {port} the phase still moves. Look for a slow time "
            "constant, such as a bias that charges."
        )
    order = np.argsort(phase)
    return PhaseSensitivity(
        port=port,
        phase=phase[order],
        value=value[order],
        harmonics=harmonics(phase, value, HARMONICS),
        charge=charge,
        nonlinearity=nonlinearity,
    )


def _charge(simulator: Simulator, cell: OscillatorCell, free: FreeRun, port: str) -> tuple[float, float]:
    """A charge in coulomb that shifts the phase by about ``_SHIFT``, and cycles after which all is calm."""
    volts = float(np.abs(free.output[1]))
    charge = free.power / (volts * free.steps.frequency) / 400 if free.power > 0 else 1e-15
    cycles = 8.0
    for _ in range(_TRIALS):
        _, shift, change = _kick(simulator, cell, free, port, _PILOTS, (charge,), cycles)
        largest = float(np.abs(shift).max())
        if _SHIFT / 2 < largest < _SHIFT * 2:
            return charge, cycles if change < _JITTER else 2 * cycles
        charge *= min(max(_SHIFT / max(largest, 1e-12), 1e-3), 1e3)
    raise CellFault(
        f"{cell.name}: no charge into {port} shifts the phase (the last try was {charge:.2g} C). Name an injection "
        "port that the oscillation passes through, not one held by a source."
    )


def _kick(
    simulator: Simulator, cell: OscillatorCell, free: FreeRun, port: str, count: int,
    charges: tuple[float, ...], cycles: float,
) -> tuple[Array, Array, float]:  # fmt: skip
    """Copies at ``count`` phases without and with each charge.

    Returns:
        (count,) phase at which it came, rad; (charges, count) shift in rad; how much it still changes, relative to
        the largest.
    """
    bench = Bench(cell, f"{cell.name}: PPV at {port}")
    supply = bench.supply("supply")
    amounts = (0.0, *charges)
    copies = [
        [
            bench.copy(f"p{k}q{m}", supply, state_at(free.cycle, phase))
            for k, phase in enumerate(evenly(count))
        ]
        for m in range(len(amounts))
    ]
    for amount, row in zip(amounts[1:], copies[1:], strict=True):
        for copy in row:
            pulse = _pulse(amount, free.steps)
            node = copy.node(port)
            bench.elements.append(Source(f"kick_{copy.name}", "current", ("0", node), pulse))
    outputs = [copy.vector(f"v({cell.output})") for row in copies for copy in row]
    end = _KICK_AT + cycles + 2 * _LOOK
    waves = run_bench(simulator, bench, free.steps, end + 2, outputs)
    centers = end - np.arange(2 * _LOOK)[::-1]
    before = phases(waves, outputs[:count], free.steps.frequency, np.array([_KICK_AT]))[0]
    found = phases(waves, outputs, free.steps.frequency, centers).reshape(len(centers), len(amounts), count)
    moved = np.angle(np.exp(1j * (found[:, 1:] - found[:, :1])))
    early, late = moved[:_LOOK].mean(axis=0), moved[_LOOK:].mean(axis=0)
    change = float(np.abs(late - early).max() / max(np.abs(late).max(), 1e-300))
    return np.mod(before + 2 * np.pi * _KICK_AT, 2 * np.pi), late, change


def _pulse(charge: float, steps: Steps) -> PiecewiseLinear:
    """A triangle of half a step's width, so short that its harmonics are those of a blow."""
    middle, half = steps.seconds(_KICK_AT), steps.step / 4
    return PiecewiseLinear(((middle - half, 0.0), (middle, charge / half), (middle + half, 0.0)))
