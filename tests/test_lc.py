"""LC oscillators at the waveform level: frequency, amplitude, phase equation, and the circuit equations themselves."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from cores import both_ways, core

from device_models.families import FAMILIES, REALISATIONS, family
from device_models.lc_oscillator import TANH_DRIVE
from emulator.compiled import build
from emulator.demodulate import iq
from emulator.ngspice import Deck, Statistics
from emulator.reference import trajectory
from emulator.reference_lc import tanh_drive, waveforms
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.compile import Devices, compile_core
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions, write_deck, write_netlist
from netlists.lc import Corrections, LcArray, lc_core
from netlists.lc_design import LcDesignFailed, design_lc
from netlists.scaling import Scaling
from netlists.synthetic import window_core

F0 = 1e9
STRONG = 2.0  # of levelling, a radian: what runs take


def cells(weak: float) -> list[tuple[str, float]]:
    """Every family with a limiter of that strength, and the levelled one with a strong limiter too."""
    return [*((name, weak) for name in sorted(REALISATIONS)), ("lc_levelled", STRONG)]


@dataclass(frozen=True)
class Waves:
    """(P,) seconds, (P, N) volts."""

    time: Array
    volts: Array
    statistics: Statistics


def simulated(
    simulator: Simulator, array: LcArray, phases: Array, devices: Devices = "compiled", reltol: float = 1e-6
) -> Waves:
    """The array from phases on the limit cycle, every device and unknown counted."""
    circuit = compile_core(array.core, array.scaling, devices)
    volts, currents = array.start(phases)
    text = write_deck(circuit, SolverOptions(reltol=reltol, step=array.step), volts, currents=currents)
    libraries = () if circuit.device_source is None else (build(circuit.device_source),)
    inventory = circuit.inventory
    deck = Deck(text, circuit.state_nodes, circuit.stop, inventory.devices, inventory.unknowns, libraries)
    result = simulator.simulate(deck, limit_s=120)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    # ngspice's first point is the end of its first step, not the start
    time = np.concatenate([[0.0], result.time])
    return Waves(time, np.concatenate([volts[None], result.values]), result.statistics)


def phases_of(array: LcArray, waves: Waves, cycles: Array) -> tuple[Array, Array]:
    """(R, N) phases and amplitudes at numbers of carrier cycles, by demodulation over a cycle."""
    found = iq(waves.time, waves.volts, array.f0_hz, cycles / array.f0_hz, 1)
    assert len(found.time) == len(cycles)
    return found.phase, found.amplitude


def on_circle(difference: Array) -> Array:
    return np.asarray(np.angle(np.exp(1j * difference)))


# --- the design ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [64, 200, 4096])
@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_tank_of_van_der_pol_makes_up_for_solver_and_nonlinearity(points: int, epsilon: float) -> None:
    """w = (2/h) tan(h/2) of the trapezoidal rule, over 1 − ε²/16 + 17 ε⁴/3072 of van der Pol's oscillator."""
    design = design_lc(epsilon, 0.7, points, "lc")
    step = 2 * math.pi / points
    resonance = design.inductance**-0.5
    mu = epsilon / resonance  # per radian of the tank
    warped = 2 / step * math.tan(step / 2) / (1 - mu**2 / 16 + 17 * mu**4 / 3072)
    # the third harmonic, which slows it, is itself warped
    assert resonance == pytest.approx(warped, rel=step**2 * epsilon**2 / 16 + 2e-9)


def test_waveform_of_van_der_pol_has_the_third_harmonic_of_perturbation_theory() -> None:
    """v = A cos ψ − (ε A/8) sin 3ψ, y = A sin ψ + (ε A/24) cos 3ψ."""
    design = design_lc(0.05, 0.7, 512, "lc")
    psi = np.linspace(0, 2 * np.pi, 31)
    v, y = design.cycle.at(psi).T
    np.testing.assert_allclose(v, 0.7 * (np.cos(psi) - 0.05 / 8 * np.sin(3 * psi)), atol=0.7 * 0.05**2)
    np.testing.assert_allclose(y, 0.7 * (np.sin(psi) + 0.05 / 24 * np.cos(3 * psi)), atol=0.7 * 0.05**2)


def test_gains_are_ones_to_first_order_and_the_pulling_is_that_of_theory() -> None:
    """A conductance more, 2κ, slows a van der Pol cell by d(ε²/16): the coupling lags by ε/4."""
    epsilon = 0.08
    design = design_lc(epsilon, 1.3, 512, "lc")
    for gain in (design.coupling_gain, design.shil_gain, design.reference_gain):
        assert gain == pytest.approx(1.0, abs=epsilon**2)
    assert design.coupling_lag == pytest.approx(epsilon / 4, rel=0.02)
    for strong in (0.05, 0.1, 0.2, 0.25):
        assert abs(design_lc(strong, 1.3, 64, "lc_tanh").coupling_lag) < 1e-4
    # the trapezoidal rule weakens every slow action by cos²(h/2)
    coarse = design_lc(epsilon, 1.3, 64, "lc")
    assert coarse.coupling_gain / design.coupling_gain == pytest.approx(math.cos(math.pi / 64) ** 2, abs=1e-4)


def test_tanh_limiter_meets_its_loss_at_the_amplitude() -> None:
    assert tanh_drive() == pytest.approx(TANH_DRIVE, rel=1e-10)


def test_no_limit_cycle_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(LcDesignFailed, match=r"a weaker one \(a larger Q\) or more points"):
        design_lc(40.0, 1.0, 8, "lc")


# --- the free cell ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family_name", "epsilon"), cells(0.2))
@pytest.mark.parametrize("devices", ["compiled", "behavioural"])
def test_free_cell_runs_at_the_carrier_from_its_phase_on(
    compiling: Simulator, family_name: str, epsilon: float, devices: Devices
) -> None:
    starts = np.array([0.4, -2.0, 3.0])
    array = lc_core(
        core((1, 3), boundaries=(0.0, 1.0)), F0, 60, epsilon, amplitude_v=0.6, family_name=family_name
    )
    waves = simulated(compiling, array, starts, devices)
    phase, amplitude = phases_of(array, waves, np.array([0.6, 1.6, 20.5, 40.5, 59.4]))
    # ngspice begins with a few short Euler steps, which leave 3e-4 rad and 1e-4 of the amplitude
    np.testing.assert_allclose(on_circle(phase - starts), 0.0, atol=6e-4)
    drift = (phase[-1] - phase[1]) / (2 * np.pi * 57.8)
    assert np.abs(drift).max() < 3e-7
    fundamental = 2 * abs(np.fft.fft(array.design.cycle.values[:, 0])[1]) / 64
    np.testing.assert_allclose(amplitude[2:], fundamental, rtol=1e-5)
    np.testing.assert_allclose(amplitude[0], 0.6, rtol=1e-3)
    assert waves.statistics.steps < 60 * 64 + 30


@pytest.mark.parametrize("points", [64, 200])
def test_without_pre_warp_a_cell_runs_slow_by_the_square_of_the_step(
    compiling: Simulator, points: int
) -> None:
    """(ω h)²/12 by the trapezoidal rule and ε²/16 by the nonlinearity."""
    plain = core((1, 1), boundaries=(0.0, 1.0))
    array = lc_core(plain, F0, 60, 0.05, points_per_cycle=points, family_name="lc")
    unwarped = dict(array.core.parameters) | {"inductance": np.ones(1)}
    array = replace(array, core=replace(array.core, parameters=unwarped))
    waves = simulated(compiling, array, np.zeros(1))
    phase, _ = phases_of(array, waves, np.array([5.5, 55.5]))
    slow = (phase[0, 0] - phase[1, 0]) / (2 * np.pi * 50)
    expected = (2 * np.pi / points) ** 2 / 12 + 0.05**2 / 16
    assert slow == pytest.approx(expected, rel=0.01)


# --- the averaged equation -------------------------------------------------------------------------------


def against_phase_equation(
    simulator: Simulator, trained: AnalogCore, starts: Array, cycles: float, epsilon: float, family_name: str
) -> Array:
    """(R, N) phases of the circuit minus those of the trained ODE, at eleven times of the run."""
    array = lc_core(trained, F0, cycles, epsilon, family_name=family_name)
    waves = simulated(simulator, array, starts)
    at = np.linspace(0.6, cycles - 0.6, 11)
    phase, _ = phases_of(array, waves, at)
    reference = trajectory(trained, starts, at / cycles * trained.duration)
    return on_circle(phase - reference)


@pytest.mark.parametrize(("family_name", "epsilon"), cells(0.1))
def test_two_cells_follow_the_averaged_equation(
    compiling: Simulator, family_name: str, epsilon: float
) -> None:
    """K of 1 % of f₀ (per second), 300 cycles: the phase difference within 2 % of a radian."""
    weights = 0.01 * np.ones(2)
    trained = core((1, 2), both_ways([(0, 1)]), weights, boundaries=(0.0, 300.0), symmetric=True)
    error = against_phase_equation(compiling, trained, np.array([0.0, 2.6]), 300, epsilon, family_name)
    assert np.abs(error[:, 1] - error[:, 0]).max() < 0.02
    # both are pulled alike, by at most κ times the lag
    lag = design_lc(epsilon, 1.0, 64, family_name).coupling_lag
    assert np.abs(error).max() < 0.01 * 300 * lag + 0.02


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("what", ["coupling", "shil", "bias", "detuning"])
@pytest.mark.parametrize(("family_name", "epsilon"), cells(0.125))
def test_every_term_has_its_sign_and_strength(
    compiling: Simulator, family_name: str, epsilon: float, what: str, sign: float
) -> None:
    """One term at a time, from angles where it moves a phase by 0.4 rad and more."""
    if what == "coupling":  # the second cell hears nobody
        trained = core((1, 2), [(0, 1)], sign, boundaries=(0.0, 2.0))
    else:
        trained = core((1, 2), boundaries=(0.0, 2.0), **{what: sign})
    starts = np.array([1.1, 0.3])
    moved = trajectory(trained, starts, np.array([2.0]))[0] - starts
    assert np.abs(moved).max() > 0.4
    error = against_phase_equation(compiling, trained, starts, 200, epsilon, family_name)
    # the van der Pol cell's coupling lags by 1/(4 Q) = 0.03, and errors grow on the way away from an unstable phase
    assert np.abs(error).max() < 0.06


@pytest.mark.parametrize(("family_name", "epsilon"), [("lc_tanh", 0.2), ("lc_levelled", STRONG)])
def test_the_error_of_averaging_falls_as_one_over_the_cycles(
    compiling: Simulator, family_name: str, epsilon: float
) -> None:
    trained = window_core(3, 3, radius=1, duration=4.0, chunks=2, seed=2)
    starts = trained.initial_states(0, 1)
    rms = [
        float(
            np.sqrt(np.mean(against_phase_equation(compiling, trained, starts, n, epsilon, family_name) ** 2))
        )
        for n in (75, 300)
    ]
    assert rms[0] / rms[1] == pytest.approx(4.0, rel=0.2)
    assert rms[1] < 0.015


# --- the circuit equations -------------------------------------------------------------------------------


def strong(family_name: str, points: int, epsilon: float = 0.2) -> LcArray:
    """Six cells with every term there is, far beyond what averaging takes, in two chunks."""
    trained = window_core(2, 3, radius=1, duration=2.0, chunks=2, strength=1.0, symmetric=False, seed=7)
    values = dict(trained.parameters) | {"detuning": np.linspace(-1, 1, 6)}
    measured = Corrections(0.9, 1.1, 0.3, 0.8, -0.5, frequency=1.002)
    return lc_core(
        replace(trained, parameters=values), F0, 12, epsilon, 0.6, family_name=family_name,
        points_per_cycle=points, corrections=measured,
    )  # fmt: skip


@pytest.mark.parametrize(("family_name", "epsilon"), cells(0.2))
@pytest.mark.parametrize("devices", ["compiled", "behavioural"])
def test_waveforms_are_those_of_the_circuit_equations_to_second_order(
    compiling: Simulator, family_name: str, epsilon: float, devices: Devices
) -> None:
    """The same inductors for every step: what is left is the trapezoidal rule's own error."""
    worst = []
    base = strong(family_name, 200, epsilon)
    starts = np.linspace(-3, 3, 6)
    for points in (200, 400):
        array = replace(base, step=1 / (F0 * points))
        waves = simulated(compiling, array, starts, devices, reltol=1e-8)
        volts, _ = waveforms(array.core, array.scaling, array.f0_hz, array.start(starts), waves.time)
        worst.append(np.abs(waves.volts - volts).max())
    assert worst[0] < 0.02
    assert worst[0] / worst[1] == pytest.approx(4.0, rel=0.15)


def test_64_points_a_cycle_are_as_good_as_512(compiling: Simulator) -> None:
    """With tank and gains designed for the step, phases and amplitudes agree with the continuous equations'."""
    trained = window_core(2, 3, radius=1, duration=2.0, chunks=2, seed=7)
    starts = np.linspace(-3, 3, 6)
    cycles = np.linspace(2.5, 57.5, 12)
    coarse, fine = (lc_core(trained, F0, 60, points_per_cycle=points) for points in (64, 512))
    phase, amplitude = phases_of(coarse, simulated(compiling, coarse, starts), cycles)
    time = np.linspace(0, 60 / F0, 60 * 128 + 1)
    volts, _ = waveforms(fine.core, fine.scaling, fine.f0_hz, fine.start(starts), time)
    exact = iq(time, volts, fine.f0_hz, cycles / fine.f0_hz, 1)
    assert np.abs(on_circle(phase - exact.phase)).max() < 8e-3
    np.testing.assert_allclose(amplitude, exact.amplitude, rtol=8e-3)
    # and the tank matters: in the continuous equations the coarse one's runs 4e-4 fast
    volts, _ = waveforms(coarse.core, coarse.scaling, coarse.f0_hz, coarse.start(starts), time)
    detuned = iq(time, volts, coarse.f0_hz, cycles / coarse.f0_hz, 1)
    assert np.abs(on_circle(phase - detuned.phase)).max() > 0.1


@pytest.mark.parametrize(("family_name", "epsilon"), [("lc", 0.2), ("lc_levelled", STRONG)])
def test_compiled_and_behavioural_arrays_are_the_same_circuit(
    compiling: Simulator, family_name: str, epsilon: float
) -> None:
    array = strong(family_name, 64, epsilon)
    starts = np.linspace(-3, 3, 6)
    one, two = (simulated(compiling, array, starts, devices, 1e-9) for devices in ("compiled", "behavioural"))
    np.testing.assert_allclose(one.time, two.time, rtol=1e-9)
    np.testing.assert_allclose(one.volts, two.volts, atol=1e-6)


def test_compiled_cells_take_two_iterations_a_step(compiling: Simulator) -> None:
    trained = window_core(6, 6, duration=0.3, chunks=1)
    array = lc_core(trained, F0, 30)
    statistics = simulated(compiling, array, trained.initial_states(0, 0)).statistics
    assert statistics.steps < 30 * 64 + 30
    assert statistics.iterations < 2.03 * statistics.steps


# --- lc_core and the netlist -----------------------------------------------------------------------------


def test_rates_times_and_scaling() -> None:
    trained = core(
        (1, 2), both_ways([(0, 1)]), 0.5, boundaries=(0.0, 1.0, 4.0), shil=0.2, bias=-0.3, symmetric=True
    )
    array = lc_core(trained, 2e9, 100, 0.1, 0.8, capacitance=2e-12)
    per_radian = 4.0 / (2 * np.pi * 100)
    assert array.scaling == Scaling(tau=1 / (2 * np.pi * 2e9), capacitance=2e-12)
    assert array.scaling.seconds(array.core.duration) == pytest.approx(100 / 2e9)
    assert array.tau == pytest.approx(100 / 2e9 / 4)
    assert array.step == pytest.approx(1 / (2e9 * 64))
    np.testing.assert_allclose(array.core.boundaries, np.array([0.0, 1.0, 4.0]) / per_radian)
    np.testing.assert_allclose(array.core.coupling * array.design.coupling_gain, 0.5 * per_radian)
    np.testing.assert_allclose(array.core.parameters["shil"] * array.design.shil_gain, 0.2 * per_radian)
    np.testing.assert_allclose(array.core.parameters["bias"] * array.design.reference_gain, -0.3 * per_radian)
    volts, currents = array.start(np.array([0.0, np.pi / 2]))
    np.testing.assert_allclose(volts, [0.8, 0.0], atol=0.8 * 0.1)
    np.testing.assert_allclose(currents, np.array([0.0, 0.8]) * 2e-12 * 2 * np.pi * 2e9, atol=1e-3)


def test_kuramoto_cores_have_no_injection_and_other_families_no_phase() -> None:
    assert not lc_core(window_core(2, 2, family_name="kuramoto")).core.parameters["shil"].any()
    with pytest.raises(ValueError, match="not langevin: its state is a phase"):
        lc_core(window_core(2, 2, family_name="langevin"))


def test_realisations_are_families_that_no_weights_file_may_name() -> None:
    assert not set(REALISATIONS) & set(FAMILIES)
    assert family("lc") is REALISATIONS["lc"]


def test_currents_at_the_start_are_nodes_of_compiled_cells_and_parameters_of_behavioural_ones() -> None:
    array = lc_core(core((1, 2), boundaries=(0.0, 1.0), detuning=[0.0, 1.0]), F0, 10)
    volts, currents = array.start(np.array([0.3, -1.2]))
    options = SolverOptions(step=array.step)
    compiled = write_deck(compile_core(array.core, array.scaling, "compiled"), options, volts, None, currents)
    found = {name: float(value) for name, value in re.findall(r"v\((\w+_y)\)=(\S+)", compiled)}
    unit = array.scaling.capacitance / array.scaling.tau
    assert found == pytest.approx({"r00c00_y": currents[0] / unit, "r00c01_y": currents[1] / unit}, rel=1e-14)
    cells = [line.split() for line in compiled.splitlines() if line.startswith("Nr")]
    assert [line[:4] for line in cells] == [
        ["Nr00c00", "r00c00", "r00c00_y", "lc_levelled_0"],
        ["Nr00c01", "r00c01", "r00c01_y", "lc_levelled_0"],
    ]
    for line, inductance in zip(cells, array.core.parameters["inductance"], strict=True):
        assert f"inductance={float(inductance)!r}" in line
    circuit = compile_core(array.core, array.scaling)
    files = write_netlist(circuit, options, volts, currents)
    assert f".param ic_r00c01 = {float(currents[1])!r}" in files.bench
    assert "ic={ic_r00c01}" in files.core
    assert "Ltank v v_y" in files.library
    assert "Vsense v_y 0" in files.library
    with pytest.raises(ValueError, match=r"initial currents have shape \(3,\), expected \(2,\)"):
        write_deck(circuit, options, volts, currents=np.zeros(3))


def test_a_fixed_step_is_in_place_of_rows_and_changes_no_other_deck() -> None:
    circuit = compile_core(core((1, 2), boundaries=(0.0, 1.0)), Scaling())
    plain = write_deck(circuit, SolverOptions(), np.zeros(2))
    assert "trtol" not in plain
    fixed = write_deck(circuit, SolverOptions(step=1e-9), np.zeros(2))
    different = [line for line in fixed.splitlines() if line not in plain.splitlines()]
    assert [line.split()[0] for line in different] == [".options", ".tran"]
    assert different[0].endswith(" trtol=1e12")
    assert different[1] == ".tran 1e-09 1e-06 0 1e-09 uic"
    with pytest.raises(ValueError, match="step"):
        SolverOptions(step=0.0)
