"""Energies of circuits that are known: closed forms, balances, and what runs say of their cells.

The circuits written by hand run in equal steps of the trapezoidal rule, on every ngspice at hand; joules are
integrated here from the waveforms, or by the circuit itself, by a source that charges a capacitor with a power.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cores import both_ways, core
from test_known_circuits import transient
from test_levels import asked, made, observed

from device_models.lc_oscillator import Limiter
from device_models.ring_oscillator import LOAD, VDD, ring_cell
from emulator.cells import LC_FREQUENCY
from emulator.limit_cycle import free_run
from emulator.simulator import Simulator
from emulator.waveform_level import LcLevel
from netlists.core import Array


def integral(time: Array, power: Array) -> float:
    return float(np.trapezoid(power, time))


def test_charging_a_capacitor_takes_twice_what_it_holds(any_simulator: Simulator) -> None:
    """1.2 V into 2 pF through 1 kΩ for 20 RC, in steps of RC/400."""
    volts, ohms, farads = 1.2, 1e3, 2e-12
    elements = [f"V1 in 0 {volts}", f"R1 in out {ohms}", f"C1 out 0 {farads}"]
    time, found = transient(
        any_simulator, elements, {"in": volts, "out": 0.0}, ["out", "v1#branch"], 20 * ohms * farads, 8000
    )
    out, current = found.T
    supplied, heat = integral(time, -volts * current), integral(time, (volts - out) ** 2 / ohms)
    assert supplied == pytest.approx(farads * volts**2, rel=0.01)
    assert heat == pytest.approx(farads * volts**2 / 2, rel=0.01)
    assert supplied - heat == pytest.approx(farads * out[-1] ** 2 / 2, rel=0.01)


# a tank of 1 F, 1 H and a loss of 0.1 S; its active element, out of node n, has 1 V for an amplitude
LOSS = 0.1
ACTIVE = {
    "cubic": f"(2*{LOSS}*v(n)-{LOSS}*(4/3)*v(n)*v(n)*v(n))",
    "levelled": f"({LOSS}*v(n)+2*(1-v(n)*v(n)-i(vs)*i(vs))*v(n))",
}


@pytest.mark.parametrize("limiter", ["cubic", "levelled"])
def test_the_active_element_of_a_tank_delivers_half_the_squared_amplitude_times_the_loss(
    any_simulator: Simulator, limiter: str
) -> None:
    """30 cycles at 64 steps; two more nodes sum up what the element delivers, and what the loss takes."""
    cycles, active = 30, ACTIVE[limiter]
    elements = [
        "C1 n 0 1", "L1 n m 1", "Vs m 0 0", f"R1 n 0 {1 / LOSS}", f"B1 0 n I={active}",
        f"B2 0 given I=v(n)*{active}", "C2 given 0 1", f"B3 0 taken I={LOSS}*v(n)*v(n)", "C3 taken 0 1",
    ]  # fmt: skip
    stop = 2 * math.pi * cycles
    time, found = transient(
        any_simulator, elements, {"n": 1.0, "m": 0.0, "given": 0.0, "taken": 0.0}, ["n", "given", "taken"], stop,
        64 * cycles,
    )  # fmt: skip
    assert found[-1, 1] == pytest.approx(LOSS / 2 * stop, rel=0.01)
    assert found[-1, 2] == pytest.approx(found[-1, 1], rel=0.01)
    assert integral(time, LOSS * found[:, 0] ** 2) == pytest.approx(found[-1, 2], rel=1e-3)


@pytest.mark.parametrize(("limiter", "quality"), [("levelled", 2.0), ("cubic", 10.0), ("tanh", 10.0)])
def test_a_run_says_what_its_tanks_lose(
    simulator: Simulator, tmp_path: Path, limiter: Limiter, quality: float
) -> None:
    """Two cells with next to nothing between them, 100 cycles."""
    trained = core((1, 2), both_ways([(0, 1)]), 1e-6, symmetric=True)
    level = made(simulator, trained, asked("lc", cycles=100, limiter=limiter, quality=quality), tmp_path)
    found = observed(simulator, level, np.array([0.3, 2.0]))
    loss, seconds = 2 * math.pi * LC_FREQUENCY * 1e-12 / quality, 100 / LC_FREQUENCY
    assert found.oscillators_j == pytest.approx(2 * loss / 2 * seconds, rel=0.01)
    assert max(found.couplers_j, found.injection_j) < 1e-3 * found.oscillators_j


def test_elements_of_an_lc_array_deliver_what_all_waveforms_say(simulator: Simulator, tmp_path: Path) -> None:
    """Coupled, pumped and pulled cells: currents times voltages at all points, and their means cycle by cycle."""
    edges = both_ways([(0, 1), (1, 3), (2, 3)])
    trained = core(
        (2, 2), edges, [0.4, -0.3, 0.5] * 2, shil=0.3, bias=-0.4, symmetric=True, boundaries=(0.0, 4.0)
    )
    level = made(simulator, trained, asked("lc", cycles=100, rows=100), tmp_path)
    assert isinstance(level, LcLevel)
    start = np.array([0.1, 2.0, -1.0, 0.5])
    whole = simulator.simulate(replace(level.deck(start), sink=None), limit_s=300)
    time = np.linspace(0, level.watch.duration_s, 100 * 64 + 1)
    volts = np.stack([np.interp(time, whole.time, column) for column in whole.values.T], axis=1)
    array, parameters = level.array, level.array.core.parameters
    unit, theta = 2 * math.pi * LC_FREQUENCY * 1e-12, 2 * math.pi * array.f0_hz * time
    receiver, sender = array.core.edges.T

    def of_cycles(power: Array) -> Array:
        return np.asarray(power[:-1].reshape(100, 64, -1).mean(axis=1) / LC_FREQUENCY)

    currents = unit * 2 * array.core.coupling[0] * volts[:, sender]
    couplers = of_cycles(currents * volts[:, receiver])
    into = np.stack([couplers[:, receiver == node].sum(axis=1) for node in range(4)], axis=1)
    pump = 4 * parameters["shil"][0] * np.cos(2 * theta + float(parameters["shil_phase"]))[:, None] * volts
    pull = 2 * parameters["bias"][0] * np.cos(theta + float(parameters["bias_phase"]))[:, None]
    pumps, pulls = (of_cycles(unit * current * volts) for current in (pump, pull))
    own = of_cycles(unit / level.quality * volts**2) - into - pumps - pulls
    found = observed(simulator, level, start)
    joules = [found.oscillators_j, found.couplers_j, found.injection_j]
    wanted = [float(np.maximum(each, 0).sum()) for each in (own, couplers, np.hstack([pumps, pulls]))]
    assert joules == pytest.approx(wanted, rel=0.01)
    # some absorb: what is delivered is more than what is lost
    heat = float(of_cycles(unit / level.quality * volts**2).sum())
    assert sum(joules) > 1.005 * heat
    assert min(joules) > 0.005 * heat


def test_energies_do_not_depend_on_how_phases_are_read(simulator: Simulator, tmp_path: Path) -> None:
    """Flip-flops see no amplitude; a levelled one stays what it is."""
    trained = core((2, 2), both_ways([(0, 1), (1, 3), (2, 3)]), 0.4, shil=0.3, bias=0.4, symmetric=True)
    found = []
    for kind in ("iq", "crossings", "flipflops"):
        level = made(simulator, trained, asked("lc", cycles=100, demodulation=kind), tmp_path)
        seen = observed(simulator, level, np.array([0.1, 2.0, -1.0, 0.5]))
        found.append([seen.oscillators_j, seen.couplers_j, seen.injection_j])
    np.testing.assert_allclose(found[1], found[0], rtol=0.005)
    np.testing.assert_allclose(found[2], found[0], rtol=0.005)


def test_a_ring_takes_its_loads_charge_from_the_supply_once_a_cycle(any_simulator: Simulator) -> None:
    """C V² f a stage, C the capacitor at its output: the level-1 transistors have none of their own."""
    cell = ring_cell()
    found = free_run(any_simulator, cell, 100)
    stages = len(cell.start)
    assert stages == 5
    assert found.power == pytest.approx(stages * LOAD * VDD**2 * found.steps.frequency, rel=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_in_a_network_of_r_l_and_c_supplies_give_what_is_lost_and_stored(
    any_simulator: Simulator, seed: int
) -> None:
    """Six nodes, a sine and a step of current, a random element between any two; 4,000 equal steps."""
    generator = np.random.default_rng(seed)
    nodes = 6
    pairs = [(a, b) for a in range(nodes + 1) for b in range(a)]
    kinds = generator.choice(["R", "L", "C"], len(pairs), p=[0.5, 0.2, 0.3])
    values = generator.uniform(0.5, 2.0, len(pairs))

    def name(node: int) -> str:
        return "0" if node == 0 else f"n{node}"

    elements = [
        f"{kind}{k} {name(a)} {name(b)} {value!r}"
        for k, ((a, b), kind, value) in enumerate(zip(pairs, kinds, values.tolist(), strict=True))
    ]
    # every node has a capacitor to ground, so that a step of current meets no inductor alone
    elements += [f"Cg{node} n{node} 0 0.3" for node in range(1, nodes + 1)]
    elements += ["V1 in 0 SIN(0 1 0.15)", "Rs in n1 0.7", "I1 0 n2 0.4"]
    coils = [k for k, kind in enumerate(kinds) if kind == "L"]
    names = [f"n{node}" for node in range(1, nodes + 1)]
    vectors = [*names, "in", "v1#branch", *(f"l{k}#branch" for k in coils)]
    time, found = transient(any_simulator, elements, dict.fromkeys([*names, "in"], 0.0), vectors, 20.0, 4000)
    volts = np.concatenate([np.zeros((len(time), 1)), found[:, :nodes]], axis=1)
    across = {k: volts[:, a] - volts[:, b] for k, (a, b) in enumerate(pairs)}
    supplied = integral(time, -found[:, nodes] * found[:, nodes + 1] + 0.4 * volts[:, 2])
    lost = integral(time, (found[:, nodes] - volts[:, 1]) ** 2 / 0.7)
    lost += sum(integral(time, across[k] ** 2 / values[k]) for k in across if kinds[k] == "R")
    stored = 0.3 / 2 * (volts[-1] ** 2).sum()
    stored += sum(values[k] / 2 * across[k][-1] ** 2 for k in across if kinds[k] == "C")
    stored += sum(values[k] / 2 * found[-1, nodes + 2 + n] ** 2 for n, k in enumerate(coils))
    assert min(supplied, lost, stored) > 0.01
    assert lost + stored == pytest.approx(supplied, rel=1e-3)
