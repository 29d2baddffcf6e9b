"""Networks with quartic wells that settle in ngspice: against a stiff solver, closed forms, and ngspice's currents."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from networks import random_network, resistive_network
from scipy.integrate import quad
from test_descent import bistable, well
from test_network_circuit import SCALING, compiled

from device_models.conductances import TechnologyName
from device_models.langevin import LANGEVIN, bias, quadratic, quartic, x
from emulator.devices import DevicesAsked
from emulator.doctor import find_capabilities
from emulator.energy.network import NetworkEnergy, balance, network_energy
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.thermo.circuit import completed, element_deck, operating_points
from emulator.thermo.descent import SETTLING, descent
from emulator.thermo.network_plan import NetworkRunSettings, plan_network
from emulator.thermo.network_results import NetworkResults
from emulator.thermo.network_run import run_network
from emulator.thermo.network_settling import RATE_TOLERANCE, WINDOW_TOLERANCE, path_error, window_defect
from emulator.thermo.relaxation import relaxation, settling_time
from emulator.thermo.sections import over_inputs
from emulator.thermo.transients import Run, cells, run_cells, run_elements
from netlists.core import Array
from netlists.dialects.write import write_design_deck
from netlists.network import LangevinNetwork, NetworkError, one_module
from netlists.network_circuit import NetworkCircuit
from netlists.network_design import network_design, settling
from netlists.network_file import Substrate, write_network

UNIT = SCALING.capacitance * SCALING.volts**2  # joules of a state of one


def monostable(name: TechnologyName) -> LangevinNetwork:
    """What resistors alone can make, or modules and a skip."""
    if name != "passive":
        return random_network((5, 4), rank=2, quartic=0.3, seed=3)
    network = resistive_network(6)
    return replace(network, modules=(replace(network.modules[0], quartic=np.linspace(0.1, 0.5, 6)),))


def by_elements(
    simulator: Simulator, network: LangevinNetwork, name: TechnologyName, duration: float, *, points: int = 500,
    start: Array | None = None,
) -> tuple[NetworkCircuit, Run]:  # fmt: skip
    circuit, start = compiled(network, name), np.zeros(network.nodes) if start is None else start
    ability = find_capabilities(simulator)
    return circuit, run_elements(simulator, ability, circuit, network.bias, duration, start, points=points)


def by_cells(
    simulator: Simulator, network: LangevinNetwork, devices: DevicesAsked, duration: float, *, steps: int = 500,
    start: Array | None = None,
) -> Run:  # fmt: skip
    prepared = cells(
        network, network.bias, duration, steps, find_capabilities(simulator), SCALING, devices=devices
    )
    return run_cells(simulator, prepared, np.zeros(network.nodes) if start is None else start)


def energies(circuit: NetworkCircuit, network: LangevinNetwork, run: Run) -> NetworkEnergy:
    return network_energy(circuit, network.bias, run.time, run.states)


def given(found: NetworkEnergy) -> float:
    return found.bias + found.own + found.couplings


# --- the way, and where it ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "several"),  # resistors alone make no double wells
    [("ideal", False), ("ideal", True), ("passive", False), ("differential", False), ("differential", True)],
)
def test_elements_go_the_way_of_the_reference(
    any_simulator: Simulator, name: TechnologyName, several: bool
) -> None:
    network = bistable() if several else monostable(name)
    way = descent(network, network.bias)
    circuit, run = by_elements(any_simulator, network, name, way.duration)
    assert path_error(run, way) < 1e-4 * way.sensitivity
    np.testing.assert_allclose(run.states[-1], way.rest, atol=1e-3 * np.abs(way.rest).max())
    found = energies(circuit, network, run)
    assert found.heat + found.stored == pytest.approx(given(found), rel=1e-4)
    late = relaxation(run, way.rest, network.matrix, network.quartic)
    assert late.numbers[0] == 0
    assert late.rates[0] == pytest.approx(way.rates[0])
    assert late.error < RATE_TOLERANCE


@pytest.mark.parametrize("devices", ["compiled", "behavioural"])
def test_cells_go_the_way_of_the_reference(compiling: Simulator, devices: DevicesAsked) -> None:
    for network in (monostable("ideal"), bistable()):
        way = descent(network, network.bias)
        run = by_cells(compiling, network, devices, way.duration)
        assert path_error(run, way) < 1e-4 * way.sensitivity
        assert relaxation(run, way.rest, network.matrix, network.quartic).error < RATE_TOLERANCE


def test_behavioural_cells_go_there_without_compiled_ones(any_simulator: Simulator) -> None:
    network = bistable((3, 2))
    way = descent(network, network.bias)
    assert (
        path_error(by_cells(any_simulator, network, "behavioural", way.duration), way)
        < 1e-4 * way.sensitivity
    )


def test_what_parts_circuit_and_reference_is_the_solvers_step(simulator: Simulator) -> None:
    """Trapezoidal, at equal steps: a quarter with half the step; so do the books close."""
    network = monostable("ideal")
    circuit, way = compiled(network), descent(network, network.bias)
    errors, books = [], []
    for points in (100, 200, 400):
        analysis = replace(settling(SCALING, way.duration, 1e-9, points), fixed=True)
        deck = element_deck(circuit, network.bias, analysis, find_capabilities(simulator), np.zeros(9))
        found = completed(simulator.simulate(deck, limit_s=60))
        run = Run(found.time / SCALING.tau, circuit.states(found.values), found)
        errors.append(path_error(run, way))
        joules = energies(circuit, network, run)
        books.append(abs((joules.heat + joules.stored) / given(joules) - 1))
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4, rtol=0.2)
    np.testing.assert_allclose(np.array(books[:-1]) / books[1:], 4, rtol=0.2)


@pytest.mark.parametrize("spoil", ["wells", "force", "matrix"])
def test_another_network_is_seen(simulator: Simulator, spoil: str) -> None:
    network = monostable("ideal")
    way = descent(network, network.bias)
    other = {
        "wells": replace(
            network, modules=tuple(replace(each, quartic=1.05 * each.quartic) for each in network.modules)
        ),
        "force": replace(network, bias=1.02 * network.bias),
        "matrix": replace(
            network, modules=tuple(replace(each, quadratic=each.quadratic + 0.01) for each in network.modules)
        ),
    }[spoil]
    _, run = by_elements(simulator, other, "ideal", way.duration)
    assert window_defect(run, way) > WINDOW_TOLERANCE


def test_late_rates_are_the_jacobians_and_not_the_matrixs(simulator: Simulator) -> None:
    network = random_network((5, 4), rank=2, quartic=1.0, seed=4)
    way = descent(network, network.bias)
    _, run = by_elements(simulator, network, "ideal", way.duration)
    late = relaxation(run, way.rest, network.matrix, network.quartic)
    assert 1 <= len(late.rates) < network.nodes
    assert 1 / late.slowest == pytest.approx(way.rates[0], rel=RATE_TOLERANCE)
    assert way.rates[0] > 1.2 * network.spectrum.smallest
    # with the whole of its way, and not only its end, no mode has a rate
    assert (
        relaxation(run, way.rest, network.matrix + np.diag(12 * network.quartic * way.rest**2)).error > 0.05
    )
    times = np.linspace(0, way.duration, 20_000)
    exact = Run(times, way.at(times), run.simulation)
    wanted = settling_time(exact, way.rest, network.visible, 0.01)
    assert settling_time(run, way.rest, network.visible, 0.01) == pytest.approx(wanted, rel=1e-3)


def test_operating_points_are_those_meant(any_simulator: Simulator) -> None:
    """From 0 on ngspice finds the saddle in the middle; told where to look, the bottom that the force leads to."""
    network = one_module(
        np.zeros((2, 2)), np.full(2, -1.0), np.full(2, 0.25), np.array([0.1, -0.1]), 1.0, [0, 1]
    )
    circuit, ability = compiled(network), find_capabilities(any_simulator)
    forces = np.stack([network.bias, -network.bias, network.bias * [1, -1]])
    wanted = np.stack([descent(network, force).rest for force in forces])
    blind, _ = operating_points(any_simulator, ability, circuit, forces)
    assert (np.abs(blind) < 0.1).all()
    # near is enough, and no more than where the search begins
    found, _ = operating_points(any_simulator, ability, circuit, forces, 1.1 * wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-8)
    assert (np.sign(found) == np.sign(forces)).all()


# --- energy -------------------------------------------------------------------------------------------------


def test_the_closed_form_solves_the_packages_own_well() -> None:
    """v(t) = v0/√(1 + 8 J4 v0² t) of the cell's description without J2 and b."""
    t, v0, j4 = sp.symbols("t v0 j4", positive=True)
    v = v0 / sp.sqrt(1 + 8 * j4 * v0**2 * t)
    rate = LANGEVIN.self_term.subs({quadratic: 0, bias: 0, quartic: j4, x: v})
    assert sp.simplify(sp.diff(v, t) - rate) == 0
    assert v.subs(t, 0) == v0


@pytest.mark.parametrize("name", ["ideal", "passive", "differential"])
def test_a_pure_well_discharges_as_the_closed_form_says(
    any_simulator: Simulator, name: TechnologyName
) -> None:
    """All that was stored becomes heat of the well, and nothing else takes or gives."""
    c, v0, end = 0.3, 2.0, 5.0
    circuit, run = by_elements(
        any_simulator, network := well(0.0, c, 0.0), name, end, points=2000, start=np.array([v0])
    )
    exact = v0 / np.sqrt(1 + 8 * c * v0**2 * run.time)
    np.testing.assert_allclose(run.states[:, 0], exact, atol=1e-4 * v0)
    found, rails = energies(circuit, network, run), len(circuit.technology.rails)
    lost = (v0**2 - exact[-1] ** 2) / 2 * UNIT / rails
    assert found.heat == pytest.approx(lost, rel=1e-3)
    assert -found.stored == pytest.approx(lost, rel=1e-4)
    assert (found.bias, found.own, found.couplings) == (0, 0, 0)


def test_compiled_cells_discharge_as_the_closed_form_says(compiling: Simulator) -> None:
    c, v0 = 0.3, 2.0
    run = by_cells(compiling, well(0.0, c, 0.0), "compiled", 5.0, steps=2000, start=np.array([v0]))
    np.testing.assert_allclose(run.states[:, 0], v0 / np.sqrt(1 + 8 * c * v0**2 * run.time), atol=1e-4 * v0)


@pytest.mark.parametrize("name", ["ideal", "differential"])
def test_heat_is_that_of_ngspices_own_currents(any_simulator: Simulator, name: TechnologyName) -> None:
    """Voltage times current of every well and every resistor, as ngspice has them, integrated."""
    network = random_network((2, 2), quartic=0.4, seed=1)
    circuit, end = compiled(network, name), 4.0
    analysis = settling(SCALING, end, points=1000)
    design = network_design(circuit, network.bias, analysis, np.zeros(4))
    wires = dict(zip(circuit.wires, range(len(circuit.wires)), strict=True))
    rails = circuit.technology.rails
    wells = {
        f"@b.xcore.xm{module}.xw_00{node}.bj4{rail}[i]": wires[f"m{module}n00{node}{rail}"]
        for module in (1, 2) for node in (0, 1) for rail in rails
    }  # fmt: skip
    resistors = {
        "passive": "r.xcore.xm{0}.xk_000_001.rk{1}", "negative": "r.xcore.xm{0}.xk_000_001.rk_{2}",
        "leak": "r.xcore.xm{0}.xg_00{3}.rk{1}",
    }  # fmt: skip
    powers = []
    for number, module in enumerate(circuit.conductances.modules, 1):
        assert (module.own > 0).all()
        kind = "passive" if module.strength[0] < 0 else "negative"
        if kind == "passive" or len(rails) > 1:
            powers += [
                resistors[kind].format(number, rail, pair)
                for rail, pair in zip(rails, ("pn", "np"), strict=False)
            ]
        powers += [resistors["leak"].format(number, rail, "", node) for node in (0, 1) for rail in rails]
    extra = [*wells, *(f"@{name}[p]" for name in powers)]
    text = write_design_deck(design, "ngspice").replace(".save ", f".save {' '.join(extra)} ", 1)
    found = completed(any_simulator.simulate(Deck(text, (*circuit.wires, *extra), analysis.stop), limit_s=60))
    volts, currents, watts = np.split(found.values, [len(wires), len(wires) + len(wells)], axis=1)
    in_wells = float(np.trapezoid((volts[:, list(wells.values())] * currents).sum(axis=1), found.time))
    in_resistors = float(np.trapezoid(watts.sum(axis=1), found.time))
    states, time = circuit.states(volts), found.time / SCALING.tau
    joules = network_energy(circuit, network.bias, time, states)
    # what the wells alone are said to turn into heat: without them in the list of conductances there is less
    without = [replace(each, well=np.zeros(2)) for each in circuit.conductances.modules]
    plain = replace(circuit, conductances=replace(circuit.conductances, modules=tuple(without)))
    of_wells = joules.heat - network_energy(plain, network.bias, time, states).heat
    assert 0.05 < of_wells / joules.heat < 0.95
    assert of_wells == pytest.approx(in_wells, rel=1e-4)
    assert joules.heat == pytest.approx(in_wells + in_resistors, rel=1e-4)


@pytest.mark.parametrize("name", ["ideal", "differential"])
def test_a_double_wells_active_conductance_delivers(any_simulator: Simulator, name: TechnologyName) -> None:
    """dt = dx/f(x): what each part gives and takes between 0 and x, by quadrature over the state."""
    a, c, b = 1.0, 0.25, 0.2
    network = well(-a, c, b)
    way = descent(network, network.bias)
    circuit, run = by_elements(any_simulator, network, name, way.duration, points=2000)
    found, end = energies(circuit, network, run), float(run.states[-1, 0])
    assert circuit.conductances.modules[0].own[0] == -2 * a

    def over(power: sp.Expr) -> float:
        f = sp.lambdify(x, power / LANGEVIN.self_term.subs({quadratic: -a, quartic: c, bias: b}))
        return quad(f, 0, end, limit=500)[0] * UNIT / len(circuit.technology.rails)

    assert found.own == pytest.approx(over(2 * a * x**2), rel=2e-3)
    assert found.bias == pytest.approx(over(b * x), rel=2e-3)
    assert found.heat == pytest.approx(over(4 * c * x**4), rel=2e-3)
    assert found.couplings == 0
    assert found.own > found.bias  # most of it is the node's own doing
    assert given(found) == pytest.approx(found.heat + found.stored, rel=1e-4)


# --- runs ---------------------------------------------------------------------------------------------------


def ran(folder: Path, network: LangevinNetwork, **settings: object) -> tuple[NetworkResults, str]:
    write_network(folder / "q.h5", Substrate(network))
    plan = plan_network(folder / "q.h5", NetworkRunSettings.model_validate(settings))
    results = run_network(plan, folder / "out", "new", lambda _: None)
    page = (folder / "out" / "report.html").read_text()
    return results, " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.mark.parametrize("name", ["ideal", "differential", "ota"])
@pytest.mark.parametrize("several", [False, True])
def test_a_run_settles_and_has_its_energy(tmp_path: Path, name: TechnologyName, several: bool) -> None:
    network = bistable() if several else monostable("ideal")
    scaling = {"tau": 1e-8, "capacitance": 1e-11, "volts": 1e-3 if name == "ota" else 0.01}
    made = {"realization": name, "scaling": scaling, "clip": name != "ideal", "ota": {"bandwidth_hz": 1e10}}
    results, page = ran(tmp_path, network, circuit=made)
    rows = results.rows
    assert rows["verdict/accepted"].all(), rows["verdict/reason"]
    assert rows["settling/path_error"][0] < (1e-3 if name != "ota" else 0.01)
    assert rows["settling/rate_error"][0] < RATE_TOLERANCE
    assert rows["settling/local_rate"][0] == pytest.approx(
        1 / rows["settling/slowest"][0], rel=RATE_TOLERANCE
    )
    assert rows["settling/time"][0] > 0
    assert abs(balance(rows)[0]) < 2e-4
    assert rows["energy/heat"][0] > 0
    np.testing.assert_allclose(
        rows["rest/circuit"], rows["rest/as_made"], rtol=1e-2 if name == "ota" else 1e-6
    )
    assert "a stiff solver of the same equation" in page
    assert (
        "what the reference says of the conductances as they are made: operating points and settling" in page
    )
    assert "as the reference says: 1 of 1 inputs" in page
    assert math.isfinite(rows["settling/sensitivity"][0])


def test_what_is_close_to_a_separatrix_is_said(tmp_path: Path) -> None:
    network = one_module(
        np.array([[0, 0.1], [0.1, 0]]),
        np.full(2, -1.0),
        np.full(2, 0.25),
        np.array([1e-4, -2e-4]),
        1.0,
        [0, 1],
    )
    results, page = ran(tmp_path, network)
    assert results.rows["verdict/accepted"][0], results.rows["verdict/reason"]
    assert results.rows["settling/sensitivity"][0] > 1e3
    # what the way makes of the solver's errors is no error of the circuit
    assert results.rows["settling/path_error"][0] > 2 * results.rows["settling/defect"][0]
    assert "input 0: the start is close to a separatrix: a perturbation of it grows" in page


@pytest.mark.parametrize("network", [bistable(), well(0.0, 0.3, 0.5)])
def test_the_network_as_trained_has_a_rest_too(tmp_path: Path, network: LangevinNetwork) -> None:
    """By the way from 0, where there can be several or M holds nothing; ideal sources are what was trained."""
    rows = ran(tmp_path, network)[0].rows
    np.testing.assert_allclose(rows["rest/network"], rows["rest/as_made"], rtol=1e-9)
    assert rows["rest/error_network"][0] < 1e-6


def test_another_equilibrium_than_the_references_is_a_fault(tmp_path: Path) -> None:
    network = bistable((3, 2))
    write_network(tmp_path / "q.h5", Substrate(network))
    plan = plan_network(tmp_path / "q.h5", NetworkRunSettings())
    elsewhere = replace(plan, descents=(descent(network, -network.bias),))
    results = run_network(elsewhere, tmp_path / "out", "new", lambda _: None)
    assert not results.rows["verdict/accepted"][0]
    assert "it settles in another equilibrium than the reference" in results.rows["verdict/reason"][0]
    assert np.isfinite(results.rows["energy/heat"][0])


@pytest.mark.parametrize("stiffness", [0.0, 5e-10])
def test_a_pure_well_has_its_own_unit_of_time_under_noise(tmp_path: Path, stiffness: float) -> None:
    results, _ = ran(tmp_path, well(stiffness, 0.3, 0.5), noise="on", averaging=20)
    assert results.rows["verdict/accepted"][0], results.rows["verdict/reason"]
    assert np.isfinite(results.rows["equilibrium/defect"][0])


def test_what_nothing_holds_has_no_average(tmp_path: Path) -> None:
    free = one_module(np.zeros((2, 2)), np.array([1.0, 1e-9]), np.zeros(2), np.zeros(2), 1.0, [0])
    write_network(tmp_path / "q.h5", Substrate(free))
    plan_network(tmp_path / "q.h5", NetworkRunSettings())
    with pytest.raises(NetworkError, match=r"takes .* points of the noise's grid; expected at most 1e\+07"):
        plan_network(tmp_path / "q.h5", NetworkRunSettings(noise="on"))


@pytest.mark.parametrize("wells", [0.0, 0.25])
def test_without_a_force_there_is_nothing_to_settle(tmp_path: Path, wells: float) -> None:
    network = replace(random_network((4,), quartic=wells, seed=1), bias=np.zeros(4))
    results, page = ran(tmp_path, network)
    assert results.rows["verdict/accepted"][0], results.rows["verdict/reason"]
    assert results.rows["settling/time"][0] == 0
    assert results.rows["energy/heat"][0] == 0
    assert "PASS" in page


def test_a_linear_network_without_a_rate_does_not_pass(tmp_path: Path) -> None:
    """Its force acts on a mode that is over long before the first points of the slow one."""
    none = np.zeros(2)
    network = one_module(np.zeros((2, 2)), np.array([0.5, 5e5]), none, np.array([0.0, 1.0]), 1.0, [0, 1])
    results, _ = ran(tmp_path, network)
    assert results.rows["settling/modes"][0] == 0
    assert results.rows["verdict/reason"][0] == "no mode's rate could be measured"


def test_the_worst_local_rate_is_that_of_a_saddle(tmp_path: Path) -> None:
    results, _ = ran(tmp_path, well(-1.0, 0.25, 0.3), settle=0)
    two = {name: np.concatenate([column, column]) for name, column in results.rows.items()}
    rates = two | {"settling/local_rate": np.array([-2.0, 4.0])}
    said = {name: worst for name, _, worst in over_inputs(replace(results, rows=rates))}
    assert said["slowest local rate at rest, per model time"] == "-2"


@pytest.mark.parametrize("wells", [0.0, 0.25])
def test_the_netlists_bench_runs_as_long_as_the_report_says(tmp_path: Path, wells: float) -> None:
    network = random_network((4,), quartic=wells, seed=1)
    _, page = ran(tmp_path, network, settle=0, circuit={"scaling": {"tau": 1e-6}})
    bench = (tmp_path / "out" / "netlist" / "testbench.cir").read_text()
    stop = float(re.search(r"^\.tran \S+ (\S+)", bench, re.MULTILINE)[1])  # type: ignore[index]
    said = re.search(r"the bench runs (\S+) s", page)
    assert said is not None
    assert float(said[1]) == pytest.approx(stop, rel=1e-3)
    way = descent(network, network.bias).duration if wells else SETTLING / network.spectrum.smallest
    assert stop == pytest.approx(10 / SETTLING * way * 1e-6)
