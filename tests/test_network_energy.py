"""Energies of Langevin networks: forms against the system matrix, balances of transients, circuits by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import random_network, resistive_network
from test_known_circuits import transient
from test_network_circuit import FAINT, SCALING, compiled
from test_thermo_runs import invoke, substrate

from device_models.conductances import TechnologyName, technology
from emulator.energy.circuit import NotThere, measured
from emulator.energy.figure import EnergyFigure, Kind
from emulator.energy.floors import thermal_floors
from emulator.energy.network import NetworkEnergy, balance, network_energy, network_figure, until
from emulator.ngspice import capabilities
from emulator.simulator import Simulator
from emulator.thermo.network_plan import NetworkRunSettings, plan_network
from emulator.thermo.network_results import NetworkResults, read_network_results
from emulator.thermo.network_run import RESULTS, run_network
from emulator.thermo.transients import run_elements
from netlists.bias import BiasConverter
from netlists.conductances import conductances
from netlists.network import LangevinNetwork, one_module
from netlists.network_file import write_network
from netlists.network_power import power_forms

NAMES: list[TechnologyName] = ["ideal", "differential", "ota"]


@given(st.integers(0, 10**6), st.sampled_from(NAMES), st.integers(0, 3))
def test_what_is_lost_less_what_is_delivered_is_the_system_matrix(
    seed: int, name: TechnologyName, rank: int
) -> None:
    """M of the list of conductances, which is computed apart from the powers; of its symmetric part, as xᵀMx is."""
    made = conductances(random_network((5, 4), rank=rank, seed=seed), technology(name))
    scaling = SCALING.model_copy(update={"bus_conductance": 3e-4})
    forms = power_forms(made, scaling)
    matrix = made.matrix()
    np.testing.assert_allclose(
        forms.heat - forms.own - forms.couplings, (matrix + matrix.T) / 2, rtol=1e-9, atol=1e-12
    )
    # passive parts take power whatever the states, and nodes' own active ones give it
    for form in (forms.heat, forms.own):
        assert np.linalg.eigvalsh(form).min() > -1e-12


def test_resistors_alone_deliver_nothing() -> None:
    made = conductances(resistive_network(8), technology("passive"))
    forms = power_forms(made, SCALING)
    assert not forms.own.any()
    assert not forms.couplings.any()
    np.testing.assert_allclose(forms.heat, made.matrix(), atol=1e-14)


def settled(
    simulator: Simulator, network: LangevinNetwork, name: TechnologyName, points: int = 2000
) -> NetworkEnergy:
    """Energies of a network that settles for five time constants of its slowest mode, element by element."""
    circuit = compiled(network, name, scaling=FAINT if name == "ota" else SCALING)
    duration = 5.0 / float(np.linalg.eigvalsh(network.matrix)[0])
    ability = simulator.call(capabilities)
    run = run_elements(
        simulator, ability, circuit, network.bias, duration, np.zeros(network.nodes), points=points
    )
    return network_energy(circuit, network.bias, run.time, run.states)


@pytest.mark.parametrize(
    ("name", "quartic"), [("ideal", 0.0), ("ideal", 0.2), ("differential", 0.0), ("differential", 0.2), ("ota", 0.0)]
)  # fmt: skip
def test_supplies_give_what_is_lost_and_stored(
    any_simulator: Simulator, name: TechnologyName, quartic: float
) -> None:
    """Two modules and a skip; of amplifiers to 1 %, whose poles are in the circuit and not in the forms."""
    network = random_network((5, 4), rank=2, quartic=quartic, seed=3)
    found = settled(any_simulator, network, name)
    given = found.bias + found.own + found.couplings
    assert min(found.bias, found.heat, found.stored) > 0
    assert found.heat + found.stored == pytest.approx(given, rel=1e-3 if name != "ota" else 0.01)


def test_a_node_that_charges_takes_c_v_squared(any_simulator: Simulator) -> None:
    """b into one resistor of 1: x goes to b; after t time constants ∫ b x = b² (t − 1 + e⁻ᵗ), and x²/2 is stored."""
    network = one_module(np.zeros((1, 1)), np.array([0.5]), np.zeros(1), np.array([2.0]), 1.0, [0])
    found = settled(any_simulator, network, "passive")
    unit, end = SCALING.capacitance * SCALING.volts**2, 5.0
    assert found.seconds == pytest.approx(end * SCALING.tau)
    assert found.bias == pytest.approx(unit * 4 * (end - 1 + math.exp(-end)), rel=1e-3)
    assert found.stored == pytest.approx(unit * 2 * (1 - math.exp(-end)) ** 2, rel=1e-3)
    assert (found.own, found.couplings) == (0, 0)
    assert found.bias_charge == pytest.approx(2 * SCALING.current * found.seconds)


def test_every_part_takes_and_gives_what_a_circuit_by_hand_says(any_simulator: Simulator) -> None:
    """Three nodes in units of one: a resistor 0.6 between 0 and 1, −0.3 between 1 and 2, −0.2 and a well at node 2.

    Sources of the hand-written circuit sum up each power in a capacitor of its own.
    """
    hand = [
        "C0 a 0 1", "C1 b 0 1", "C2 c 0 1", "R0 a 0 {1/0.5}", "R1 b 0 {1/0.9}", "Rk a b {1/0.6}",
        # a negative conductance draws the negative current, and delivers v² times it
        "Bk b c I=-0.3*(v(b)-v(c))", "Bo c 0 I=-0.2*v(c)", "Bw c 0 I=4*0.7*v(c)*v(c)*v(c)",
        "I0 0 a 0.8", "I1 0 b -0.5", "I2 0 c 1.1",
        "Bs 0 s I=0.8*v(a)-0.5*v(b)+1.1*v(c)", "Cs s 0 1",
        "Bg 0 g I=0.2*v(c)*v(c)", "Cg g 0 1",
        "Bj 0 j I=0.3*(v(b)-v(c))*(v(b)-v(c))", "Cj j 0 1",
        "Bh 0 h I=0.5*v(a)*v(a)+0.9*v(b)*v(b)+0.6*(v(a)-v(b))*(v(a)-v(b))+2.8*v(c)*v(c)*v(c)*v(c)", "Ch h 0 1",
    ]  # fmt: skip
    ends = ["a", "b", "c", "s", "g", "j", "h"]
    _, by_hand = transient(any_simulator, hand, dict.fromkeys(ends, 0.0), ends, 6.0, 3000)
    matrix = np.array([[1.1, -0.6, 0.0], [-0.6, 1.2, 0.3], [0.0, 0.3, -0.5]])
    coupling = (matrix - np.diag(np.diag(matrix))) / 2
    bias = np.array([0.8, -0.5, 1.1])
    network = one_module(coupling, np.diag(matrix) / 2, np.array([0.0, 0.0, 0.7]), bias, 1.0, range(3))
    circuit = compiled(network, "ideal")
    run = run_elements(
        any_simulator, any_simulator.call(capabilities), circuit, bias, 6.0, np.zeros(3), points=3000
    )
    np.testing.assert_allclose(run.states[-1], by_hand[-1, :3], rtol=1e-4)
    found = network_energy(circuit, bias, run.time, run.states)
    unit = SCALING.capacitance * SCALING.volts**2
    joules = np.array([found.bias, found.own, found.couplings, found.heat]) / unit
    np.testing.assert_allclose(joules, by_hand[-1, 3:], rtol=1e-3)


def test_converters_draw_their_full_scale_whatever_their_code() -> None:
    network = random_network((4,), seed=1)
    converter = BiasConverter(6, 3.0)
    time, states = np.array([0.0, 2.0]), np.zeros((2, 4))
    for name, rails in (("ideal", 1), ("differential", 2)):
        circuit = compiled(network, name, converter=converter)
        found = network_energy(circuit, circuit.forces(network.bias), time, states)
        assert found.bias_charge == pytest.approx(4 * 3.0 * SCALING.current / rails * 2 * SCALING.tau)


def test_a_transient_is_cut_and_held() -> None:
    time, states = np.array([0.0, 1.0, 2.0]), np.array([[0.0], [1.0], [4.0]])
    cut = until(time, states, 1.5)
    np.testing.assert_array_equal(cut[0], [0.0, 1.0, 1.5])
    np.testing.assert_array_equal(cut[1][:, 0], [0.0, 1.0, 2.5])
    held = until(time, states, 1.5, 3.0)
    np.testing.assert_array_equal(held[0], [0.0, 1.0, 2.0, 4.5])
    np.testing.assert_array_equal(held[1][:, 0], [0.0, 1.0, 4.0, 4.0])
    assert until(time, states, math.nan)[0] is time


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six inputs of two modules of five nodes, four of which settle."""
    folder = tmp_path_factory.mktemp("networks")
    write_network(folder / "substrate.h5", substrate())
    settings = NetworkRunSettings(samples=6, settle=4)
    run_network(plan_network(folder / "substrate.h5", settings), folder / "out", "new", lambda _: None)
    return folder / "out" / RESULTS


def figure(found: EnergyFigure | NotThere) -> EnergyFigure:
    assert isinstance(found, EnergyFigure), found
    return found


def test_a_run_of_a_network_keeps_its_energies(ran: Path) -> None:
    results = read_network_results(ran)
    rows = {name: results.rows[f"energy/{name}"] for name in NetworkEnergy.__dataclass_fields__}
    assert np.isfinite(rows["bias"]).tolist() == [True] * 4 + [False] * 2
    given = rows["bias"] + rows["own"] + rows["couplings"]
    np.testing.assert_allclose((rows["heat"] + rows["stored"])[:4], given[:4], rtol=2e-3)
    found = figure(measured(results))
    shares = {share.part: share for share in found.shares}
    assert shares["oscillators"].joules == pytest.approx(np.mean((rows["bias"] + rows["own"])[:4]))
    assert shares["oscillators"].kind is Kind.CIRCUIT
    assert shares["digital_interface"].kind is Kind.EXTRAPOLATION
    assert shares["digital_interface"].joules == pytest.approx(
        np.mean((rows["bias_charge"] - rows["bias"])[:4])
    )
    double = figure(network_figure(results.rows, "x", converter_volts=2.0))
    more = double.joules - found.joules
    assert more == pytest.approx(np.mean(rows["bias_charge"][:4]))
    low = network_figure(results.rows, "x", converter_volts=1e-6)
    assert isinstance(low, NotThere)
    assert "higher supply" in low.reason


def test_what_a_run_prints_and_its_inspection_say_the_energy(ran: Path) -> None:
    code, said = invoke("inspect", ran)
    assert code == 0
    assert "energy of an input" in said
    assert re.search(r"k_B T at 300 K, 10 nodes 41\.4 zJ, [\d.e+]+ times less", said)
    assert re.search(r"given against lost and stored \de-05", said)


def test_results_of_earlier_versions_have_no_energies(ran: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.h5"
    old.write_bytes(ran.read_bytes())
    with h5py.File(old, "a") as file:
        del file["energy"]
    found = measured(read_network_results(old))
    assert isinstance(found, NotThere)
    assert "none was let settle" in found.reason


def test_no_energy_without_a_settling(ran: Path) -> None:
    results = read_network_results(ran)
    rest = NetworkResults({name: column[4:] for name, column in results.rows.items()}, results.attributes)
    assert isinstance(measured(rest), NotThere)


def test_noise_adds_the_time_of_its_average(tmp_path: Path, compiling: Simulator) -> None:
    """At rest b · x goes on: over 50 time constants more than 90 % of it all, and the figure says so."""
    given = substrate()
    write_network(tmp_path / "w.h5", replace(given, network=replace(given.network, kt=1e-4)))
    found = [
        run_network(
            plan_network(tmp_path / "w.h5", NetworkRunSettings(samples=1, noise=noise, averaging=50.0)),
            tmp_path / noise, "new", lambda _: None,
        )
        for noise in ("off", "on")
    ]  # fmt: skip
    quiet, noisy = (results.rows for results in found)
    said = [figure(measured(results)).shares[0].source for results in found]
    assert ["then at rest while a readout averages" in each for each in said] == [False, True]
    longer = noisy["energy/seconds"] / quiet["energy/seconds"]
    assert longer > 5
    # what is held still is at rest, and not on its way there
    assert np.abs(balance(noisy)).max() < 1e-3
    power = [rows["energy/bias"][0] / rows["energy/seconds"][0] for rows in (quiet, noisy)]
    assert power[1] == pytest.approx(power[0], rel=0.5)


def test_floors_by_hand() -> None:
    node, bit = thermal_floors(1e-12, 100, 8)
    assert node.joules == pytest.approx(100 * 1.380649e-23 * 300)
    assert bit.joules == pytest.approx(8 * 2.87098e-21, rel=1e-5)
    assert (node.ratio, bit.ratio) == pytest.approx((1e-12 / node.joules, 1e-12 / bit.joules))
