"""Characterisation of the built-in cells against theory and independent computations, and of cells that are broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from typer.testing import CliRunner

import emulator.characterize as module
import emulator.characterize_command
from device_models.elements import Block, RawBlock
from device_models.lc_cell import AMPLITUDE, CAPACITANCE, EPSILON, FREQUENCY, lc_cell
from device_models.oscillator_cell import OscillatorCell
from device_models.ring_oscillator import BALANCED, ring_cell
from emulator.cell_runs import (
    BenchFailed,
    CellFault,
    DoesNotOscillate,
    DoesNotStart,
    HiddenState,
    PeriodDrifts,
    SeveralFrequencies,
    Steps,
    UnexpectedPeriod,
    harmonics,
)
from emulator.cli import app
from emulator.coupling_function import coupling_function
from emulator.levels import level_cell
from emulator.limit_cycle import FreeRun, free_run
from emulator.sensitivity import sensitivity
from emulator.settings import RunSettings
from emulator.shil import drive, follows, shil_lock
from emulator.simulator import Simulator
from netlists.cell_bench import evenly, fixed_step
from netlists.characterization import Characterization, Complex, LimitCycle, PhaseSensitivity
from netlists.characterization_file import (
    CharacterizationError,
    read_characterization,
    write_characterization,
)

OMEGA = 2 * np.pi * FREQUENCY
CONDUCTANCE = OMEGA * CAPACITANCE * EPSILON


@pytest.fixture(scope="module")
def lc_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ais characterize lc`` writes."""
    folder = tmp_path_factory.mktemp("lc")
    result = CliRunner().invoke(app, ["characterize", "van-der-pol", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert "99.85" in result.output
    return folder


@pytest.fixture(scope="module")
def lc(lc_folder: Path) -> Characterization:
    return read_characterization(lc_folder / "characterization.h5")


@dataclass(frozen=True)
class Measured:
    """A cell by itself."""

    cell: OscillatorCell
    free: FreeRun
    ppv: PhaseSensitivity


def measured(simulator: Simulator, cell: OscillatorCell) -> Measured:
    free = free_run(simulator, cell, cell.points_per_cycle)
    return Measured(cell, free, sensitivity(simulator, cell, free, cell.shil))


@pytest.fixture(scope="module")
def ring(simulator: Simulator) -> Measured:
    return measured(simulator, ring_cell())


@pytest.fixture(scope="module")
def balanced(simulator: Simulator) -> Measured:
    return measured(simulator, ring_cell(ratio=BALANCED))


# -- the LC cell


def test_lc_runs_where_theory_says(lc: Characterization) -> None:
    step = fixed_step(lc.f0_hz, lc.points_per_cycle)
    trapezoidal = (OMEGA * step) ** 2 / 12
    van_der_pol = EPSILON**2 / 16
    assert lc.f0_hz == pytest.approx(FREQUENCY * (1 - trapezoidal - van_der_pol), rel=1e-5)
    assert lc.amplitude_v == pytest.approx(AMPLITUDE, rel=1e-3)
    assert lc.cycle.signals == ("v(out)", "i(tank)")
    assert lc.cycle.at(0.0)[0] == pytest.approx(lc.cycle.values[:, 0].max(), rel=1e-3)


def rates(state: np.ndarray) -> np.ndarray:
    """The van der Pol cell, volts and the coil's voltage per ωL, time in radians of the tank."""
    v, i = state
    return np.array([-i + EPSILON * (v - 4 / 3 * v**3 / AMPLITUDE**2), v])


def adjoint_ppv(count: int) -> Complex:
    """The PPV's harmonics in rad per coulomb, by integrating the adjoint equation backwards along the cycle."""

    def crossing(_: float, state: np.ndarray) -> float:
        return float(state[1])  # the coil's current, from below: v is near its peak

    crossing.direction = 1  # type: ignore[attr-defined]
    tight = {"rtol": 1e-11, "atol": 1e-12}
    settled = solve_ivp(lambda _, x: rates(x), (0, 600), [1.0, 0.0], events=crossing, **tight)
    period = float(np.mean(np.diff(settled.t_events[0][-20:])))
    start = settled.y_events[0][-1]
    cycle = solve_ivp(lambda _, x: rates(x), (0, period), start, dense_output=True, **tight)

    def backwards(time: float, z: np.ndarray) -> np.ndarray:
        v = cycle.sol((-time) % period)[0]
        slope = EPSILON * (1 - 4 * v**2 / AMPLITUDE**2)
        return np.array([[slope, 1.0], [-1.0, 0.0]]) @ z

    back = solve_ivp(backwards, (0, 40 * period), [0.0, 1.0], dense_output=True, **tight)
    grid = np.arange(256) * period / 256
    z = back.sol(39 * period - grid)
    x = cycle.sol(grid)
    speed = np.sum(z * np.array([rates(state) for state in x.T]).T, axis=0)  # constant along the cycle
    theta = 2 * np.pi * grid / period
    peak = np.angle(harmonics(theta, x[0], 3)[1])
    ppv = z[0] / speed * (2 * np.pi / period) / CAPACITANCE
    return harmonics(theta + peak, ppv, count)


def test_lc_phase_sensitivity_is_the_adjoint_solution(lc: Characterization) -> None:
    ppv = lc.ppv["out"]
    scale = 1 / (CAPACITANCE * AMPLITUDE)
    # first order: −sin θ / (C A)
    assert abs(ppv.harmonics[1] - 1j * scale) < 0.4 * EPSILON * scale
    expected = adjoint_ppv(5)
    assert abs(expected[1]) == pytest.approx(scale, rel=0.01)
    np.testing.assert_allclose(ppv.harmonics[:6] / scale, expected / scale, atol=3e-3)
    assert ppv.nonlinearity < 0.02
    assert len(ppv.phase) >= 32


def test_lc_coupling(lc: Characterization) -> None:
    gm = lc.coupling["gm"]
    assert gm.gain == pytest.approx(1 / (2 * CAPACITANCE), rel=0.01)  # 2 C K v gives −K sin Δφ
    assert abs(gm.lag) < 0.05
    assert abs(gm.pulling) < 1e-3 * gm.gain
    assert np.abs(gm.sender_rate).max() < 1e-3 * gm.gain
    np.testing.assert_allclose(gm.harmonics[:3], gm.predicted[:3], atol=0.01 * gm.gain)


def test_lc_pump(lc: Characterization) -> None:
    shil = lc.shil
    assert shil is not None
    assert shil.kind == "pump"
    assert shil.gain == pytest.approx(1 / (4 * CAPACITANCE), rel=0.02)  # 4 C S cos 2ωt gives −S sin 2φ
    np.testing.assert_allclose(shil.measured_hz, shil.predicted_hz, rtol=0.1)
    assert shil.locked.any()
    assert not shil.locked.all()


def test_lc_locks_on_a_current_if_it_has_an_even_term(simulator: Simulator) -> None:
    even = measured(simulator, lc_cell(shil="current"))
    shil = shil_lock(simulator, even.cell, even.free, even.ppv)
    np.testing.assert_allclose(shil.measured_hz, shil.predicted_hz, rtol=0.1)
    # without the term the PPV has no second harmonic
    gain, _ = drive(replace(even.cell, shil_kind="current"), even.free, even.ppv)
    plain = measured(simulator, replace(lc_cell(), shil_kind="current"))
    assert drive(plain.cell, plain.free, plain.ppv)[0] < 1e-3 * gain


# -- the ring


def test_rings_are_as_their_designer_measured_them(ring: Measured, balanced: Measured) -> None:
    per_femtocoulomb = 2 * np.pi * 1e15  # rad per coulomb in a cycle per fC
    for found, megahertz, microwatts, second in ((ring, 102, 20, 6.3e-4), (balanced, 171, 34, 0.0)):
        assert found.free.steps.frequency == pytest.approx(megahertz * 1e6, rel=0.05)
        assert found.free.power == pytest.approx(microwatts * 1e-6, rel=0.05)
        sizes = np.abs(found.ppv.harmonics) / per_femtocoulomb
        assert sizes[1] == pytest.approx(2.5e-3, rel=0.1)
        assert sizes[2] == pytest.approx(second, rel=0.1, abs=6e-5)


def test_ring_locks_as_predicted_and_a_balanced_one_does_not(
    simulator: Simulator, ring: Measured, balanced: Measured
) -> None:
    shil = shil_lock(simulator, ring.cell, ring.free, ring.ppv)
    np.testing.assert_allclose(shil.measured_hz, shil.predicted_hz, rtol=0.1)
    half = shil.predicted_hz / 2
    again = follows(simulator, ring.cell, ring.free, shil.drive_phase, shil.current, half)
    assert again.all()
    _, phase = drive(balanced.cell, balanced.free, balanced.ppv)
    share = half * balanced.free.steps.frequency / ring.free.steps.frequency
    assert not follows(simulator, balanced.cell, balanced.free, phase, shil.current, share).any()


def test_ring_couplers_of_both_signs(simulator: Simulator, ring: Measured) -> None:
    coupler = ring.cell.coupler("inverter")
    ppv = {"n1": ring.ppv}
    straight, crossed = (
        coupling_function(simulator, ring.cell, ring.free, ppv, coupler, crossed=crossed)
        for crossed in (False, True)
    )
    assert straight.gain < 0 < crossed.gain
    for gamma in (straight, crossed):
        assert abs(gamma.lag) < 0.06
        assert abs(gamma.predicted[1] - gamma.harmonics[1]) < 0.03 * abs(gamma.gain)
        assert 0 < gamma.power * gamma.strength < 1e-6
        assert np.abs(gamma.sender_rate).max() < 0.1 * abs(gamma.gain)  # directed


# -- cells that are broken


def with_parameters(cell: OscillatorCell, **values: float) -> OscillatorCell:
    assert isinstance(cell.block, Block)
    return replace(cell, block=replace(cell.block, parameters={**cell.block.parameters, **values}))


def raw(text: str, **changes: object) -> OscillatorCell:
    block = RawBlock("mine", ("out",), f".subckt mine out ic_tank=0\n{text.strip()}\n.ends mine")
    return replace(lc_cell(), name="mine", block=block, couplers=(), **changes)


VAN_DER_POL = "I=6.28e-5*v(x) - 8.38e-5*v(x)*v(x)*v(x)"
TWO_TANKS = f"""
C1 a 0 1p
L1 a 0 2.533u
B1 0 a {VAN_DER_POL.replace("x", "a")}
C2 b 0 1p
L2 b 0 1.1u
B2 0 b {VAN_DER_POL.replace("x", "b")}
B3 0 out I=v(a)+0.3*v(b)
R1 out 0 1
"""
# w is the integral of v(out); what flows back in proportion to it is part of the coil, and s charges slowly
DRIFTING = f"""
C1 out 0 1p
Ltank out 0 2.533u ic={{ic_tank}}
B1 0 out {VAN_DER_POL.replace("x", "out")}
B2 0 w I=6.28e-4*v(out)
C2 w 0 1p
R2 w 0 100k
B3 out 0 I=1e-5*v(s)*v(w)
I1 0 s 1u
R1 s 0 1meg
C3 s 0 50p
"""


@pytest.mark.parametrize(
    ("make", "fault", "said"),
    [
        (lambda: replace(lc_cell(), start={"out": 0.0}), DoesNotStart, "start voltages"),
        (lambda: with_parameters(lc_cell(), g=-2e-5), DoesNotOscillate, "decays"),
        (lambda: replace(lc_cell(), period_guess=8e-8), UnexpectedPeriod, "period guess"),
        (lambda: replace(lc_cell(), period_guess=60.3 / FREQUENCY), UnexpectedPeriod, "far below the guess"),
        (lambda: raw(TWO_TANKS, start={"a": 0.1, "b": 0.1}, inductors=()), SeveralFrequencies, "Hz"),
        (lambda: raw(DRIFTING), PeriodDrifts, "more points per cycle; .* slow time constant"),
        (lambda: replace(lc_cell(), inductors=()), HiddenState, "inductor"),
    ],
)
def test_broken_cells(
    simulator: Simulator, make: Callable[[], OscillatorCell], fault: type[CellFault], said: str
) -> None:
    with pytest.raises(fault, match=said):
        free_run(simulator, make(), 64)


def test_a_node_that_a_source_holds_is_no_hidden_state(simulator: Simulator) -> None:
    """Its swing is rounding alone, and so is what it is away by."""
    tank = f"""
    C1 out 0 1p
    Ltank out held 2.533u ic={{ic_tank}}
    V1 held 0 1.2
    B1 0 out {VAN_DER_POL.replace("x", "out,held")}
    """
    found = free_run(simulator, raw(tank, start={"out": 1.7}), 64)
    held = found.cycle.values[:, found.cycle.signals.index("v(held)")]
    np.testing.assert_allclose(held, 1.2, rtol=1e-9)


def test_a_cell_that_jitters_is_not_given_ever_smaller_charges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jitter is the larger a part of the shift the smaller the charge, and passes for nonlinearity."""
    jitter, rate = 1e-3, 1e13  # rad, rad/C

    def kick(*asked: Any) -> tuple[np.ndarray, np.ndarray, float]:
        count, charges = asked[4], asked[5]
        phase = evenly(count)
        shift = rate * np.outer(charges, np.cos(phase))
        shift += jitter * (-1.0) ** np.add.outer(np.arange(len(charges)), np.arange(count))
        return phase, shift, 0.14 * jitter / np.abs(shift).max()

    monkeypatch.setattr("emulator.sensitivity._kick", kick)
    cycle = LimitCycle(evenly(4), (), np.zeros((4, 0)))
    free = FreeRun(Steps(1e9, 64), cycle, np.array([0, 1.0 + 0j]), 0.0, 8)
    found = sensitivity(cast(Simulator, None), lc_cell(), free, "out")
    np.testing.assert_allclose(abs(found.harmonics[1]), rate, rtol=0.05)


def test_a_bench_that_fails_says_why(simulator: Simulator) -> None:
    with pytest.raises(BenchFailed, match="PARSE_ERROR"):
        free_run(simulator, raw("C1 out 0 1p\nD1 out 0 nomodel"), 64)


def test_a_ring_needs_an_odd_number_of_stages() -> None:
    with pytest.raises(ValueError, match="odd number of stages"):
        ring_cell(stages=4)


# -- files, cache, command


def test_files(lc_folder: Path, lc: Characterization, tmp_path: Path) -> None:
    write_characterization(tmp_path / "again.h5", lc)
    again = read_characterization(tmp_path / "again.h5")
    assert again.settings == lc.settings
    np.testing.assert_array_equal(again.cycle.values, lc.cycle.values)
    np.testing.assert_array_equal(again.coupling["gm"].harmonics, lc.coupling["gm"].harmonics)
    figures = json.loads((lc_folder / "characterization.json").read_text())
    assert figures["f0_hz"] == lc.f0_hz
    assert figures["power_w"] == lc.power_w == 0
    assert figures["amplitude_v"] == lc.amplitude_v
    assert figures["ppv_harmonics"]["out"]["magnitude"][1] == pytest.approx(1e12, rel=0.01)
    low, high = figures["shil_lock_range_hz"]["predicted"]
    assert low < 0 < high
    assert len(figures["shil_lock_range_hz"]["measured"]) == 2
    assert (lc_folder / "characterization.png").read_bytes().startswith(b"\x89PNG")


def break_format(file: h5py.File) -> None:
    file.attrs["version"] = 99


def break_cycle(file: h5py.File) -> None:
    del file["cycle/values"]
    file["cycle/values"] = np.zeros((3, 3))


def break_harmonics(file: h5py.File) -> None:
    file["ppv/out/harmonics"][1, 1] = np.nan


def break_scalar(file: h5py.File) -> None:
    del file.attrs["f0_hz"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_format, "version 2"),
        (break_cycle, "cycle/values: has shape"),
        (break_harmonics, "NaN or infinite"),
        (break_scalar, "f0_hz"),
    ],
)
def test_damaged_files(
    lc_folder: Path, tmp_path: Path, damage: Callable[[h5py.File], None], said: str
) -> None:
    path = tmp_path / "damaged.h5"
    path.write_bytes((lc_folder / "characterization.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(CharacterizationError, match=said):
        read_characterization(path)
    path.write_text("no HDF5")
    with pytest.raises(CharacterizationError, match="HDF5"):
        read_characterization(path)


def test_measured_once(
    simulator: Simulator, lc: Characterization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def counted(*arguments: object) -> Characterization:
        calls.append(arguments)
        return lc

    monkeypatch.setattr(module, "characterize", counted)
    for _ in range(2):
        assert module.cached(simulator, lc_cell()).f0_hz == lc.f0_hz
    assert len(calls) == 1
    module.cached(simulator, lc_cell(epsilon=0.11))
    module.cached(simulator, lc_cell(), 100)
    assert len(calls) == 3
    module.cache_file(simulator, lc_cell()).write_text("damaged")
    assert module.cached(simulator, lc_cell()).f0_hz == lc.f0_hz
    assert len(calls) == 4


def test_command_refuses_what_is_no_cell(tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["characterize", str(tmp_path / "none.toml")])
    assert missing.exit_code == 2
    assert "lc, ring" in missing.output
    (tmp_path / "bad.toml").write_text("name = [")
    bad = CliRunner().invoke(
        app, ["characterize", str(tmp_path / "bad.toml"), "--out", str(tmp_path / "out")]
    )
    assert bad.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_the_ring_is_measured_at_the_temperature_of_its_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its noise is told per second, by its frequency: 6 % lower at 350 K."""
    seen = []

    def stopped(cell: OscillatorCell, points: int | None) -> Characterization:
        seen.append((cell, points))
        raise KeyboardInterrupt

    monkeypatch.setattr(emulator.characterize_command, "_characterized", stopped)
    asked = ["characterize", "ring", "--temperature", "350", "--corner", "slow", "--out", str(tmp_path)]
    CliRunner().invoke(app, asked)
    assert repr(seen[0][0].options) == repr(ring_cell(corner="slow", kelvin=350.0).options)
    assert module.identity(seen[0][0]) == module.identity(ring_cell(corner="slow", kelvin=350.0))
    settings = {"level": "ring", "non_idealities": {"temperature": 350.0, "corner": "slow"}}
    assert module.identity(level_cell(RunSettings.model_validate(settings))) == module.identity(seen[0][0])


def test_noise_that_a_cell_can_not_have_is_refused_before_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator.characterize_command, "_characterized", lambda *_: pytest.fail("measured"))
    command = ["characterize", "differential-pair", "--corner", "slow", "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, [*command, "--noise", "100"])
    assert refused.exit_code == 2
    assert "what is in a cell of --level differential-pair is fixed" in " ".join(refused.output.split())
    assert not (tmp_path / "out").exists()


def test_the_rings_coupler_works_hot(simulator: Simulator, ring: Measured) -> None:
    """At 400 K junctions with SPICE's default current would leak as much as a weak coupler drives."""
    hot = measured(simulator, replace(ring_cell(kelvin=400.0), points_per_cycle=100))
    assert 0.85 < hot.free.steps.frequency / ring.free.steps.frequency < 0.95  # mobility falls as T^-1.5
    coupler = hot.cell.coupler("inverter")
    gamma = coupling_function(simulator, hot.cell, hot.free, {"n1": hot.ppv}, coupler, crossed=False)
    assert abs(gamma.lag) < 0.06
    assert abs(gamma.predicted[1] - gamma.harmonics[1]) < 0.03 * abs(gamma.gain)
