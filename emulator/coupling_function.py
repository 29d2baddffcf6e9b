"""Γ of a coupler: pairs of cells at many phase differences, and how fast the phases move."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from device_models.oscillator_cell import CouplerType, OscillatorCell, Wire
from emulator.cell_runs import Waves, harmonics, phases, run_bench, series
from emulator.limit_cycle import FreeRun
from emulator.simulator import Simulator
from netlists.cell_bench import Bench, Copy, evenly, state_at, supply_current
from netlists.characterization import CouplingFunction, PhaseSensitivity
from netlists.core import Array

PAIRS, HARMONICS = 24, 6
IDLE_PAIRS, IDLE_STRENGTH = 4, 10.0  # with every bit at 0, and as they do less, so much stronger
_SETTLE, _WINDOWS = 8, 14  # cycles
_LARGEST, _SMALLEST = (
    0.15,
    0.01,
)  # rad that the fastest pair may move within the windows: weak, and measurable
_TRIALS = 4


def coupling_function(
    simulator: Simulator, cell: OscillatorCell, free: FreeRun, ppv: Mapping[str, PhaseSensitivity],
    coupler: CouplerType, *, crossed: bool,
) -> CouplingFunction:  # fmt: skip
    """Measures both sides of a coupler, at its guess of a strength or one nearby that is weak enough.

    Raises:
        BenchFailed: the simulator did not finish.
    """
    strength = coupler.strength_guess
    for _ in range(_TRIALS):
        found = _measure(simulator, cell, free, ppv, coupler, strength, crossed)
        fastest = max(float(np.abs(found.rate).max()), float(np.abs(found.sender_rate).max())) * strength
        moved = fastest * free.steps.seconds(_WINDOWS)
        if _SMALLEST < moved < _LARGEST:
            break
        strength *= float(np.clip(0.3 * _LARGEST / max(moved, 1e-9), 1e-2, 1e2))
    return found


def _measure(
    simulator: Simulator, cell: OscillatorCell, free: FreeRun, ppv: Mapping[str, PhaseSensitivity],
    coupler: CouplerType, strength: float, crossed: bool,
) -> CouplingFunction:  # fmt: skip
    wiring = (coupler.crossed if crossed else None) or coupler.straight
    bench = Bench(cell, f"{cell.name}: coupler {coupler.name}{' crossed' * crossed}")
    alone, paired = bench.supply("alone"), bench.supply("paired")
    twin = bench.copy("twin", alone, state_at(free.cycle, 0.0))
    # half a grid's step away from 0: pairs that differ by nothing tell the least
    offsets = evenly(PAIRS) + np.pi / PAIRS
    senders = [bench.copy(f"s{k}", paired, state_at(free.cycle, 0.0)) for k in range(PAIRS)]
    receivers = [bench.copy(f"r{k}", paired, state_at(free.cycle, phase)) for k, phase in enumerate(offsets)]
    # how a rate is read depends a little on the phase, so each has a twin of its own
    apart = bench.supply("apart")
    doubles = [bench.copy(f"d{k}", apart, state_at(free.cycle, phase)) for k, phase in enumerate(offsets)]
    idle = _idle_pairs(bench, free, coupler, wiring, IDLE_STRENGTH * strength)
    meters = [
        bench.couple(f"c{k}", coupler, wiring, sender, receiver, paired, strength, metered=True)
        for k, (sender, receiver) in enumerate(zip(senders, receivers, strict=True))
    ]

    def output(copy: Copy) -> str:
        return copy.vector(f"v({cell.output})")

    outputs = [output(copy) for copy in (twin, *senders, *receivers, *doubles, *idle)]
    supplies = [supply_current(node) for node in (*alone.values(), *paired.values())]
    currents = [vector for found in meters for _, vector in found]
    end = _SETTLE + _WINDOWS
    waves = run_bench(simulator, bench, free.steps, end + 2, [*outputs, *supplies, *currents], _SETTLE - 1)

    centers: Array = _SETTLE + 0.5 + np.arange(_WINDOWS, dtype=np.float64)
    phase = phases(waves, outputs, free.steps.frequency, centers)
    rate = np.polyfit(free.steps.seconds(1) * centers, phase, 1)[0]
    sender, receiver, double = (slice(1 + k * PAIRS, 1 + (k + 1) * PAIRS) for k in range(3))
    difference = phase[:, receiver].mean(axis=0) - phase[:, sender].mean(axis=0)
    own, other = (rate[receiver] - rate[double]) / strength, (rate[sender] - rate[0]) / strength
    ports = {wire.port for wire, _ in meters[0]}
    predicted = np.zeros(0, np.complex128)
    if ports <= ppv.keys():
        felt = _felt(waves, meters, phase[:, receiver], centers, ppv, free)
        predicted = harmonics(difference, felt / strength, HARMONICS)
    order = np.argsort(np.mod(difference, 2 * np.pi))
    found = harmonics(difference, own, HARMONICS)
    return CouplingFunction(
        coupler=coupler.name,
        crossed=crossed,
        strength=strength,
        phase=np.mod(difference, 2 * np.pi)[order],
        rate=own[order],
        harmonics=found,
        predicted=predicted,
        sender_rate=other[order],
        pulling=float(found[0].real),
        power=_power(waves, cell, alone, paired) / strength,
        idle=_idle_rates(rate[1 + 3 * PAIRS :] / (IDLE_STRENGTH * strength)),
    )


def _idle_pairs(
    bench: Bench, free: FreeRun, coupler: CouplerType, wiring: tuple[Wire, ...], strength: float
) -> list[Copy]:
    """Receivers, senders whose couplers have every bit at 0, and twins of either; none for a coupler without bits.

    How a rate is read depends a little on the phase (2·10⁻⁵ of a ring's frequency).
    """
    if not coupler.bits:
        return []
    supply = bench.supply("idle")
    starts = [*(evenly(IDLE_PAIRS) + np.pi / IDLE_PAIRS), *np.zeros(IDLE_PAIRS)]
    copies = [bench.copy(f"i{k}", supply, state_at(free.cycle, phase)) for k, phase in enumerate(2 * starts)]
    receivers, senders = copies[:IDLE_PAIRS], copies[IDLE_PAIRS : 2 * IDLE_PAIRS]
    for k, (sender, receiver) in enumerate(zip(senders, receivers, strict=True)):
        bench.couple(f"ic{k}", coupler, wiring, sender, receiver, supply, strength, idle=True)
    return copies


def _idle_rates(rates: Array) -> tuple[float, float]:
    """Of receivers and senders, on average over the phase differences."""
    if not len(rates):
        return 0.0, 0.0
    coupled, alone = np.split(rates, 2)
    receivers, senders = np.split(coupled - alone, 2)
    return float(receivers.mean()), float(senders.mean())


def _felt(
    waves: Waves, meters: list[list[tuple[Wire, str]]], phase: Array, centers: Array,
    ppv: Mapping[str, PhaseSensitivity], free: FreeRun,
) -> Array:  # fmt: skip
    """(pairs,) rad/s that the PPV makes of the currents into each receiver, on average."""
    weight = _window(waves.time)
    rates = np.empty(len(meters))
    for k, found in enumerate(meters):
        slope, origin = np.polyfit(centers, phase[:, k], 1)
        cycles = waves.time * free.steps.frequency
        theta = 2 * np.pi * cycles + slope * cycles + origin
        rates[k] = sum(
            weight @ (series(ppv[wire.port].harmonics, theta) * waves.of([vector])[:, 0])
            for wire, vector in found
        )
    return rates


def _window(time: Array) -> Array:
    """Weights of an average over the run, with ends as soft as in ``phases``."""
    share = (time - time[0]) / (time[-1] - time[0])
    weight = np.sin(np.pi * share) ** 2 * np.gradient(time)
    return np.asarray(weight / weight.sum())


def _power(waves: Waves, cell: OscillatorCell, alone: Mapping[str, str], paired: Mapping[str, str]) -> float:
    """Watts that a coupler draws, with what it makes the two cells draw."""
    weight = _window(waves.time)

    def mean(nodes: Mapping[str, str]) -> float:
        return -sum(
            volts * float(weight @ waves.of([supply_current(nodes[port])])[:, 0])
            for port, volts in cell.supplies.items()
        )

    return mean(paired) / PAIRS - 2 * mean(alone)
