"""What non-idealities do to the elements of circuits: corners, temperature, detuned cells, mismatched legs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from device_models.corners import CORNERS, CornerName
from device_models.elements import Call
from device_models.lc_cell import CAPACITANCE
from device_models.oscillator_cell import OscillatorCell
from device_models.ring_oscillator import LENGTH, NMOS, PMOS, WIDTH_N, ring_cell
from emulator.cells import LC_QUALITY, level_lc, level_tank
from emulator.characterize import cache_file, cached
from emulator.chip import build, settings_as_built
from emulator.free_cells import free_cells
from emulator.levels import oscillator_array
from emulator.limit_cycle import FreeRun, free_run
from emulator.ngspice import Deck
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from netlists.as_built import NonIdealityError
from netlists.carrier_noise import BOLTZMANN
from netlists.channel_noise import LONG_CHANNEL, channel_diffusion, conductance
from netlists.core import AnalogCore, Array
from netlists.non_idealities import NonIdealities
from netlists.oscillator_array import COUPLER, OscillatorArray
from netlists.synthetic import window_core

pytestmark = [  # estimates of the ladder, for cells without couplers
    pytest.mark.filterwarnings("ignore:Mean of empty slice"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide"),
]


def free(simulator: Simulator, cell: OscillatorCell) -> FreeRun:
    return free_run(simulator, cell, cell.points_per_cycle)


# --- corners and temperature


def test_the_typical_corner_is_the_cell_itself() -> None:
    assert repr(ring_cell(corner="typical")) == repr(ring_cell())
    assert repr(level_lc(corner="typical")) == repr(level_lc())
    tank = level_tank()
    assert (tank.frequency, tank.quality, tank.capacitance) == (100e6, LC_QUALITY, CAPACITANCE)
    assert NMOS in ring_cell().models
    assert PMOS in ring_cell().models


@pytest.mark.parametrize("corner", ["slow", "fast"])
def test_tanks_run_where_their_capacitors_are(simulator: Simulator, corner: CornerName) -> None:
    off = CORNERS[corner]
    typical, found = (free(simulator, level_lc(corner=c)) for c in ("typical", corner))
    ratio = found.steps.frequency / typical.steps.frequency
    np.testing.assert_allclose(ratio, 1 / math.sqrt(off.capacitance), rtol=1e-4)
    tank = level_tank(LC_QUALITY, corner)
    loss = 2 * math.pi * tank.frequency * tank.capacitance / tank.quality
    designed = 2 * math.pi * 100e6 * CAPACITANCE / LC_QUALITY
    np.testing.assert_allclose(loss / designed, off.loss)


def test_rings_are_slow_at_the_slow_corner_and_when_hot(simulator: Simulator) -> None:
    """Measured: 73, 104 and 145 MHz; 95 MHz at 400 K."""
    slow, typical, fast, hot = (
        free(simulator, ring_cell(corner=corner, kelvin=kelvin)).steps.frequency
        for corner, kelvin in (("slow", None), ("typical", None), ("fast", None), ("typical", 400.0))
    )
    assert slow < 0.8 * typical
    assert fast > 1.25 * typical
    assert 0.85 * typical < hot < 0.95 * typical
    # 300.15 K is where ngspice is by itself; and nothing of the hot run is left behind
    again = [free(simulator, ring_cell(kelvin=kelvin)).steps.frequency for kelvin in (300.15, None)]
    assert again == [typical, typical]


def test_each_corner_and_temperature_is_characterised_by_itself(simulator: Simulator) -> None:
    cells = [ring_cell(), ring_cell(corner="slow"), ring_cell(kelvin=350.0), ring_cell(kelvin=351.0)]
    cells += [level_lc(), level_lc(corner="fast")]
    assert len({cache_file(simulator, cell) for cell in cells}) == len(cells)


# --- channel noise


@pytest.mark.parametrize("card", [NMOS, PMOS])
def test_conductances_of_a_channel_are_those_of_its_current(simulator: Simulator, card: object) -> None:
    """gm + gds against ngspice's own, along ramps of gate and drain that pass through all regions."""
    up = card is PMOS
    sign, supply = (-1, "vdd") if up else (1, "0")
    name = PMOS.name if up else NMOS.name
    model = PMOS if up else NMOS
    known = {key: model.parameters[key] for key in ("vto", "kp", "lambda")}
    parameters = " ".join(f"{key}={value!r}" for key, value in known.items())
    start = 1.0 if up else 0.0
    lines = [
        "* a transistor, twice: the second one's gate and drain are a little higher",
        f".model {name} {model.polarity} level=1 {parameters}",
        "Vdd vdd 0 1.0",
    ]
    for k, more in (("a", 0.0), ("b", 1e-4 * sign)):
        lines += [
            f"Vg{k} g{k} 0 PWL(0 {start + more} 1u {start + sign + more})",
            f"Vd{k} d{k} 0 PWL(0 {start + more} 0.25u {start + 0.8 * sign + more} 0.5u {start + more} 1u "
            f"{start + sign + more})",
            f"M{k} d{k} g{k} {supply} {supply} {name} W={WIDTH_N!r} L={LENGTH!r}",
        ]
    vectors = ("vda#branch", "vdb#branch", "ga", "da")
    lines += [
        ".options reltol=1e-9 abstol=1e-18",
        ".save i(vda) i(vdb) v(ga) v(da)",
        ".tran 2n 1u",
        ".end",
        "",
    ]
    found = simulator.simulate(Deck("\n".join(lines), vectors, 1e-6))
    assert found.judgement.completed, found.judgement.reason
    current_a, current_b, gate, drain = found.values.T
    measured = -sign * (current_b - current_a) / 1e-4
    gate, drain = (1 - gate, 1 - drain) if up else (gate, drain)
    expected = conductance(model, WIDTH_N / LENGTH, gate + 5e-5, drain + 5e-5, 300.15)
    inside = np.abs(gate - 0.3) > 1e-3  # but for the kink at the threshold
    np.testing.assert_allclose(measured[inside], expected[inside], atol=2e-3 * expected.max())


def test_channel_noise_of_the_ring_is_of_the_size_that_theory_has(simulator: Simulator) -> None:
    """Abidi 2006, eq. 26: D = (2π f₀)² (2kT/I) ((γ_n + γ_p)/(VDD − V_T) + 1/VDD), with one γ for both."""
    cell = ring_cell()
    known = cached(simulator, cell)
    found = channel_diffusion(cell, known, 300.15)
    amperes = known.power_w / 1.0
    theory = (2 * np.pi * known.f0_hz) ** 2 * 2 * BOLTZMANN * 300.15 / amperes * (2 * LONG_CHANNEL / 0.7 + 1)
    assert 0.5 < found / theory < 2
    np.testing.assert_allclose(channel_diffusion(cell, known, 600.3) / found, 2**-0.5, rtol=1e-9)


# --- detuning


def test_tanks_run_at_the_frequencies_that_were_drawn(compiling: Simulator) -> None:
    run = free_cells(compiling, 4, "lc", 200, {"detuning": 0.002, "chip": 5}, "compiled")
    assert_drifts(run.trajectory.time, run.trajectory.state, run.built.detuning)


def test_rings_run_at_the_frequencies_that_were_drawn(simulator: Simulator) -> None:
    """By their capacitors, sized by the measured slope of the period."""
    run = free_cells(simulator, 2, "ring", 100, {"detuning": 0.002, "chip": 5})
    assert_drifts(run.trajectory.time, run.trajectory.state, run.built.detuning)


def assert_drifts(time: Array, phase: Array, asked: Array | None) -> None:
    assert asked is not None
    late = time > time[-1] / 5
    found = np.polyfit(time[late], phase[late], 1)[0]
    np.testing.assert_allclose(found, asked, atol=5e-3 * np.abs(asked).max())
    assert np.abs(asked).max() > 0.1


# --- couplers with legs


def ring_of(simulator: Simulator, core: AnalogCore, **non_idealities: object) -> OscillatorArray:
    settings = RunSettings(level="ring", non_idealities=NonIdealities.model_validate(non_idealities))
    built = build(core, settings)
    return oscillator_array(
        built.core, settings_as_built(settings, built), simulator, lambda _: None, built.legs
    )[0]


def couplers(array: OscillatorArray) -> dict[str, Call]:
    calls = (element for element in array.blocks[-1].elements)  # type: ignore[union-attr]
    return {call.name: call for call in calls if isinstance(call, Call) and call.name.startswith(COUPLER)}


@pytest.fixture(scope="module")
def core() -> AnalogCore:
    core = window_core(3, 3)
    return replace(core, parameters={**core.parameters, "detuning": np.zeros(9)})


def test_mismatch_is_on_the_transistors_and_not_in_the_codes(simulator: Simulator, core: AnalogCore) -> None:
    ideal, other = ring_of(simulator, core), ring_of(simulator, core, mismatch_coupling=0.1, chip=3)
    before, after = couplers(ideal), couplers(other)
    assert before.keys() == after.keys()
    factors = []
    for name, call in before.items():
        bits = {k: v for k, v in call.parameters.items() if k != "strength"}
        assert {k: v for k, v in after[name].parameters.items() if k != "strength"} == bits
        factors.append(float(after[name].parameters["strength"]) / float(call.parameters["strength"]))  # type: ignore[arg-type]
    assert abs(np.std(factors) / 0.1 - 1) < 3 / math.sqrt(2 * len(factors))
    # an element each: both directions of a pair are their own
    assert len(set(np.round(factors, 9))) == len(factors)
    # and the model that the ladder takes for the circuit has the very same
    works = ideal.sizing.as_built.coupling != 0
    ratio = other.sizing.as_built.coupling[works] / ideal.sizing.as_built.coupling[works]
    assert set(np.round(ratio, 9)) <= set(np.round(factors, 9))


def test_dead_couplers_have_all_legs_off_and_stuck_ones_all_on(
    simulator: Simulator, core: AnalogCore
) -> None:
    ideal, other = ring_of(simulator, core), ring_of(simulator, core, dead=0.2, stuck=0.2, chip=1)
    on = {
        name: [value for key, value in call.parameters.items() if key != "strength"]
        for name, call in couplers(other).items()
    }
    edges = len(ideal.core.edges)
    assert sum(not any(bits) for bits in on.values()) >= round(0.2 * edges)
    assert sum(all(bits) for bits in on.values()) >= round(0.2 * edges)


def test_transistors_without_width_are_refused(core: AnalogCore) -> None:
    settings = RunSettings(level="ring", non_idealities=NonIdealities(mismatch_coupling=1.0))
    with pytest.raises(NonIdealityError, match="no width left"):
        build(core, settings)
