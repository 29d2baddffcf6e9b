"""Transients of networks in ngspice: settling against the spectrum, noise against statistical mechanics."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from networks import random_network, resistive_network
from scipy.linalg import solve_continuous_lyapunov

from device_models.conductances import Ota, TechnologyName, technology
from emulator.doctor import find_capabilities
from emulator.simulator import Simulator
from emulator.thermo.boltzmann import Well
from emulator.thermo.circuit import NetworkSettings, circuit_of
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.grid_covariance import grid_covariance
from emulator.thermo.ornstein_uhlenbeck import ornstein_uhlenbeck
from emulator.thermo.relaxation import relaxation, settling_time
from emulator.thermo.sampling import (
    NoiseKind,
    averaged,
    covariance_error,
    expected_covariance,
    injection,
    sample_equilibrium,
    variance_error,
)
from emulator.thermo.thermal import averaged_noise
from emulator.thermo.thermal import settling as closed_form
from emulator.thermo.transients import cells, run_cells, run_elements
from netlists.conductances import conductances
from netlists.core import Array
from netlists.johnson import johnson_matrix
from netlists.network import LangevinNetwork, one_module
from netlists.network_core import network_core
from netlists.noise import Noise, NoiseError, kept_variance
from netlists.scaling import NetworkScaling

SCALING = NetworkScaling(tau=1e-8, capacitance=1e-11)


def rest_of(network: LangevinNetwork) -> Array:
    return equilibrium(network, network.bias[None])[0]


# --- settling ---------------------------------------------------------------------------------------------


def test_cells_settle_at_the_rates_of_the_spectrum(compiling: Simulator) -> None:
    """A step of the force of two modules of 64 nodes with a skip: nearly every mode, within 2 %; time to 1 %."""
    network = random_network((64, 64), rank=16, seed=5)
    ability, rest = find_capabilities(compiling), rest_of(network)
    prepared = cells(
        network, network.bias, 8 / network.spectrum.smallest, 300, ability, SCALING, devices="compiled"
    )
    run = run_cells(compiling, prepared, np.zeros(network.nodes))
    found = relaxation(run, rest, network.matrix)
    assert found.error < 0.02
    assert len(found.rates) > 100
    # and along the way, where the exact propagation has it
    process, index = ornstein_uhlenbeck(network), np.linspace(1, len(run.time) - 1, 20).astype(int)
    exact = np.stack([process.mean(np.zeros(network.nodes), float(t)) for t in run.time[index]])
    assert np.abs(run.states[index] - exact).max() < 1e-4 * np.abs(rest).max()
    wanted = closed_form(network, rest[None], 0.01)
    assert settling_time(run, rest, network.visible, 0.01) == pytest.approx(wanted.time, rel=0.01)


@pytest.mark.parametrize("name", ["ideal", "passive", "differential"])
def test_elements_settle_at_the_rates_of_the_spectrum(any_simulator: Simulator, name: TechnologyName) -> None:
    network = resistive_network(9) if name == "passive" else random_network((7, 6), rank=2, seed=2)
    circuit, _ = circuit_of(
        network, NetworkSettings(realization=name, scaling=SCALING.model_copy(update={"tau": 1e-7}))
    )
    ability = find_capabilities(any_simulator)
    run = run_elements(
        any_simulator, ability, circuit, network.bias, 6 / network.spectrum.smallest, np.zeros(network.nodes)
    )
    found = relaxation(run, rest_of(network), network.matrix)
    assert found.error < 0.02
    assert found.slowest == pytest.approx(1 / network.spectrum.smallest, rel=0.02)
    assert len(found.rates) >= network.nodes - 3


def test_amplifiers_settle_at_the_rates_of_what_they_make(simulator: Simulator) -> None:
    """Output conductances as large as a tenth of the couplings: the rates of that matrix, and not of the network's."""
    network = random_network((10,), seed=8)
    settings = NetworkSettings(
        realization="ota",
        scaling=NetworkScaling(tau=1e-6, capacitance=5e-10, volts=1e-6),
        ota=Ota(gain=10.0, bandwidth_hz=1e10),
    )
    circuit, _ = circuit_of(network, settings)
    matrix = circuit.conductances.matrix()
    rest = np.linalg.solve(matrix, network.bias)
    run = run_elements(
        simulator, find_capabilities(simulator), circuit, network.bias, 6 / network.spectrum.smallest,
        np.zeros(network.nodes),
    )  # fmt: skip
    assert relaxation(run, rest, matrix).error < 0.02
    assert relaxation(run, rest, network.matrix).error > 0.05


def test_factors_are_multiplied_out_in_cells_alone() -> None:
    network = random_network((5, 4), rank=2, quartic=0.1)
    core = network_core(network, network.bias, 3.0)
    weights = np.zeros((9, 9))
    weights[tuple(core.edges.T)] = core.coupling[0]
    np.testing.assert_array_equal(weights + np.diag(2 * core.parameters["quadratic"]), network.matrix)
    assert (core.shape, core.duration) == ((1, 9), 3.0)
    assert network_core(random_network((4, 4, 4)), np.zeros(12), 1.0).shape == (3, 4)


# --- noise ------------------------------------------------------------------------------------------------


def sampled(
    simulator: Simulator, network: LangevinNetwork, points: int, kind: str = "isotropic", **more: object
):
    drive = injection(network, kind, 11, **more)
    found = sample_equilibrium(
        simulator,
        find_capabilities(simulator),
        network,
        network.bias,
        drive,
        SCALING,
        rest_of(network),
        points,
    )
    return drive, found


@pytest.mark.parametrize("coarse", [0.1, 1.0])
def test_a_single_node_has_kt_over_c(compiling: Simulator, coarse: float) -> None:
    """Variance kT/λ times what the grid keeps, within 3 standard errors; at 1 the grid keeps 2/3, which is seen."""
    rate, kt = 1.6, 0.7
    network = one_module(np.zeros((1, 1)), np.array([rate / 2]), np.zeros(1), np.array([0.4]), kt, range(1))
    _, found = sampled(compiling, network, round(6_000 / min(coarse, 0.2)), step=coarse / rate, substeps=4)
    decay = math.exp(-coarse)
    error = math.sqrt(2 / len(found.states) * (1 + decay**2) / (1 - decay**2))
    kept = kept_variance(coarse)
    assert found.covariance[0, 0] / (kt / rate * kept) == pytest.approx(1, abs=3 * error)
    assert error < 0.03
    assert found.mean[0] == pytest.approx(
        0.4 / rate, abs=3 * math.sqrt(kt / rate * 2 / coarse / len(found.states))
    )
    if coarse == 1.0:
        assert abs(kept - 1) > 10 * error


def test_isotropic_noise_gives_the_boltzmann_covariance(compiling: Simulator) -> None:
    network = random_network((16,), seed=1)
    drive, found = sampled(compiling, network, 100_000, step=0.05)
    error, bound = covariance_error(network.matrix, found, expected_covariance(network.matrix, drive))
    assert bound < 0.1
    assert 0.5 * bound < error < 1.5 * bound
    boltzmann = network.kt * np.linalg.inv(network.matrix)
    np.testing.assert_allclose(ornstein_uhlenbeck(network).stationary_covariance(), boltzmann, rtol=1e-9)
    assert covariance_error(network.matrix, found, boltzmann)[0] < 1.5 * bound
    # kT·I, which resistors would give, is far off
    assert covariance_error(network.matrix, found, network.kt * np.eye(16))[0] > 5 * bound


def test_the_sum_of_variances_tells_noises_apart_before_the_covariance_does(compiling: Simulator) -> None:
    network = random_network((16,), seed=1)
    drive, found = sampled(compiling, network, 1000, step=0.05)
    bound = covariance_error(network.matrix, found, expected_covariance(network.matrix, drive))[1]
    assert bound > 0.3
    off, spread = variance_error(network.matrix, found, drive)
    assert abs(off) < 3 * spread
    assert spread < 0.5 * bound
    weaker = replace(drive, currents=0.4 * drive.currents)
    off, spread = variance_error(network.matrix, found, weaker)
    assert off > 4 * spread


def test_johnson_noise_of_resistors_gives_kt_over_c_instead(compiling: Simulator) -> None:
    """The negative control: the same mean, a covariance of kT·I whatever the couplings."""
    network = resistive_network(8, seed=3)
    made = conductances(network, technology("passive"))
    drive = injection(network, "johnson", 11, made=made, scaling=SCALING)
    ability, rest = find_capabilities(compiling), rest_of(network)
    # sources from outside cost the simulator the square of their points: several runs, of noise of their own
    runs = [
        sample_equilibrium(compiling, ability, network, network.bias, drive, SCALING, rest, 600, sample)
        for sample in range(10)
    ]
    found = replace(runs[0], states=np.concatenate([run.states for run in runs]))
    np.testing.assert_allclose(drive.currents, network.matrix, rtol=1e-12, atol=1e-12)
    expected = expected_covariance(network.matrix, drive)
    error, bound = covariance_error(network.matrix, found, expected)
    assert bound < 0.2
    assert 0.5 * bound < error < 1.5 * bound
    assert covariance_error(network.matrix, found, network.kt * np.eye(8))[0] < 1.5 * bound
    assert covariance_error(network.matrix, found, network.kt * np.linalg.inv(network.matrix))[0] > 4 * bound


def test_crossed_rails_are_resistors_too() -> None:
    """Diagonally dominant, couplings of both signs: straight and crossed resistors alone, so Q is M and P is kT·I."""
    network = random_network((8,), seed=1)
    dominant = replace(
        network.modules[0],
        quadratic=np.abs(network.matrix - np.diag(np.diag(network.matrix))).sum(axis=1) / 2 + 0.1,
    )
    network = LangevinNetwork((dominant,), (), network.bias, 1.0, network.visible)
    made = conductances(network, technology("differential"))
    assert (made.modules[0].own > 0).all()
    found = johnson_matrix(made, SCALING)
    np.testing.assert_allclose(found, network.matrix, rtol=1e-12)
    np.testing.assert_allclose(grid_covariance(network.matrix, found, 0.3, 1e-6), 0.3 * np.eye(8), atol=1e-5)
    # amplifiers make noise of their own, and another covariance
    amplified = johnson_matrix(conductances(network, technology("ota")), SCALING)
    off = network.matrix - np.diag(np.diag(network.matrix))
    diagonal = np.diag(network.matrix) + np.maximum(off, 0).sum(axis=1)
    np.testing.assert_allclose(amplified, np.minimum(off, 0) + np.diag(diagonal), atol=1e-12)


def test_johnson_noise_of_buses_by_hand() -> None:
    """One bus each way between two modules of a node: load, input and output of either."""
    network = random_network((1, 1), rank=1, seed=0)
    skip, scaling = network.skips[0], SCALING.model_copy(update={"bus_conductance": 4 * SCALING.conductance})
    left, right = abs(float(skip.left[0, 0])), abs(float(skip.right[0, 0]))
    made = conductances(network, technology("ota", Ota(gain=100.0)))
    x = float(network.matrix[0, 0]) + left + left**2 / 4 * (1 + right) / (1 + right / 100) ** 2
    y = float(network.matrix[1, 1]) + right + right**2 / 4 * (1 + left) / (1 + left / 100) ** 2
    np.testing.assert_allclose(johnson_matrix(made, scaling), np.diag([x, y]), rtol=1e-12)


def test_covariance_on_a_grid_is_lyapunovs_where_the_grid_is_fine() -> None:
    generator = np.random.default_rng(0)
    matrix = np.eye(4) + 0.3 * generator.normal(size=(4, 4))  # not symmetric
    currents = np.diag(generator.uniform(0.5, 2, 4))
    fine = grid_covariance(matrix, currents, 0.7, 1e-5)
    np.testing.assert_allclose(
        fine, solve_continuous_lyapunov(matrix, 2 * 0.7 * currents), rtol=1e-4, atol=1e-5
    )
    for step in (0.03, 0.5, 3.0):
        one = grid_covariance(np.array([[1.7]]), np.eye(1), 0.7, step)
        assert one[0, 0] == pytest.approx(0.7 / 1.7 * kept_variance(1.7 * step), rel=1e-9)


@pytest.mark.parametrize(("quadratic", "quartic"), [(0.4, 0.3), (-0.8, 0.25)])
def test_quartic_and_double_wells_have_the_moments_of_quadrature(
    compiling: Simulator, quadratic: float, quartic: float
) -> None:
    """Sixty-four nodes are as many samples at each time; moments within 3 standard errors, from blocks of their own."""
    nodes, kt = 64, 0.5
    network = one_module(
        np.zeros((nodes, nodes)),
        np.full(nodes, quadratic),
        np.full(nodes, quartic),
        np.full(nodes, 0.1),
        kt,
        range(nodes),
    )
    well = Well(quadratic, quartic, 0.1, kt)
    drive = injection(network, "isotropic", 3, step=0.02)
    found = sample_equilibrium(
        compiling,
        find_capabilities(compiling),
        network,
        network.bias,
        drive,
        SCALING,
        np.zeros(nodes),
        20_000,
    )
    for power in (1, 2, 4):
        each = (found.states**power).mean(axis=0)
        error = float(each.std(ddof=1) / math.sqrt(nodes))
        assert each.mean() == pytest.approx(well.moment(power), abs=3 * error), power
        assert error < 0.12 * max(abs(well.moment(power)), 0.3), power


def test_an_average_is_worth_its_correlation_times(compiling: Simulator) -> None:
    """Variance of time averages over 1 to 30 correlation times of the slowest mode, against the closed form."""
    network = random_network((8,), seed=6)
    _, found = sampled(compiling, network, 150_000, step=0.05)
    for times in (1, 5, 30):
        length = round(times / network.spectrum.smallest / found.spacing)
        blocks = averaged(found, network.visible, length)
        measured = math.sqrt(float(np.mean((blocks - found.mean) ** 2)))
        wanted = float(averaged_noise(network, np.array([length * found.spacing]))[0])
        # rms over blocks and nodes; the slowest modes share most of it, so that it is worth a few nodes a block
        assert measured == pytest.approx(wanted, rel=4 / math.sqrt(2 * 3 * len(blocks))), times


@pytest.mark.parametrize("name", ["ideal", "differential"])
@pytest.mark.parametrize("kind", ["isotropic", "johnson"])
def test_elements_under_noise_go_where_cells_go(
    any_simulator: Simulator, name: TechnologyName, kind: NoiseKind
) -> None:
    """The same numbers, by current sources into the nodes or by cells with a source each: path by path."""
    network = random_network((4, 3), rank=2, seed=2, kt=0.3)
    circuit, _ = circuit_of(network, NetworkSettings(realization=name, scaling=SCALING))
    ability, rest = find_capabilities(any_simulator), rest_of(network)
    drive = injection(network, kind, 5, made=circuit.conductances, scaling=SCALING)
    duration, noise = 40 * drive.grid.step, Noise(drive.grid, 3)
    one = run_elements(any_simulator, ability, circuit, network.bias, duration, rest, noise=noise)
    prepared = cells(
        network, network.bias, duration, 160, ability, SCALING, noise=drive.grid, devices="behavioural"
    )
    other = run_cells(any_simulator, prepared, rest, noise)
    at = drive.grid.step * np.arange(1, 40)
    found, wanted = (
        np.stack([np.interp(at, run.time, column) for column in run.states.T], axis=1) for run in (one, other)
    )
    # behind each grid point ngspice begins anew with a step of backward Euler
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.005 * np.std(wanted - rest)


def test_without_compiled_cells_it_is_the_elements_that_are_sampled(simulator: Simulator) -> None:
    network = random_network((3,), seed=6, kt=0.2)
    circuit, _ = circuit_of(network, NetworkSettings(scaling=SCALING))
    drive, rest = injection(network, "isotropic", 2), rest_of(network)
    old = replace(find_capabilities(simulator), osdi=False)
    found = [
        sample_equilibrium(
            simulator, old, network, network.bias, drive, SCALING, rest, 60, circuit=given
        ).states
        for given in (circuit, None)
    ]
    assert np.abs(found[0] - found[1]).max() < 0.01 * np.std(found[1] - rest)
    assert (found[0] != found[1]).any()


def test_the_same_noise_is_the_same_run(compiling: Simulator) -> None:
    network = random_network((3,))
    (_, one), (_, again) = (sampled(compiling, network, 50) for _ in range(2))
    np.testing.assert_array_equal(one.states, again.states)
    other = injection(network, "isotropic", 12)
    found = sample_equilibrium(
        compiling, find_capabilities(compiling), network, network.bias, other, SCALING, rest_of(network), 50
    )
    assert np.abs(found.states - one.states).max() > 0.1


def test_grids_too_coarse_are_refused_or_warned_of() -> None:
    network = one_module(np.zeros((2, 2)), np.array([0.5, 5.0]), np.zeros(2), np.zeros(2), 1.0, range(2))
    assert injection(network, "isotropic", 0).remarks == ()
    fine = injection(network, "isotropic", 0).grid.step
    assert fine == pytest.approx(0.02)
    warned = injection(network, "isotropic", 0, step=0.1).remarks
    lost = round(100 * (1 - kept_variance(1.0)))
    assert (
        f"is 1 time constants of the fastest pole, whose variance comes out {lost}% low. A step of 0.02"
        in warned[0]
    )
    with pytest.raises(NoiseError, match=r"time constants of the fastest pole.*expected at most 0.2$"):
        injection(network, "isotropic", 0, step=0.3)
    with pytest.raises(NoiseError, match="temperature kT is 0"):
        injection(replace(network, kt=0.0), "isotropic", 0)


def test_double_wells_are_left_at_kramers_rate(compiling: Simulator) -> None:
    """A barrier of 4 kT, 128 nodes: hops from bottom to bottom over the time spent there."""
    nodes, kt = 128, 0.25
    network = one_module(
        np.zeros((nodes, nodes)),
        np.full(nodes, -1.0),
        np.full(nodes, 0.25),
        np.zeros(nodes),
        kt,
        range(nodes),
    )
    well = Well(-1.0, 0.25, 0.0, kt)
    bottom = math.sqrt(2)
    drive = injection(network, "isotropic", 5, step=0.01)
    found = sample_equilibrium(
        compiling,
        find_capabilities(compiling),
        network,
        network.bias,
        drive,
        SCALING,
        np.full(nodes, bottom),
        25_000,
    )
    # which bottom a node was at last; where it has been at none yet, the one it started at
    side = np.where(found.states > 0.8 * bottom, 1, np.where(found.states < -0.8 * bottom, -1, 0))
    side[0] = np.where(side[0] == 0, 1, side[0])
    last = np.maximum.accumulate(np.where(side != 0, np.arange(len(side))[:, None], 0), axis=0)
    settled = np.take_along_axis(side, last, axis=0)
    hops = int((np.diff(settled, axis=0) != 0).sum())
    rate = hops / (nodes * len(found.states) * found.spacing)
    assert hops > 150
    # hops are Poisson's; the grid's noise, a percent too cool at these rates, costs four of the rate
    assert rate == pytest.approx(well.escape_rate(), rel=0.04 + 3 / math.sqrt(hops))
    assert rate == pytest.approx(well.kramers_rate(), rel=0.2)


def test_a_noisy_run_of_two_coupled_modules(compiling: Simulator) -> None:
    """64 + 64 nodes, rank 16, two thousand grid points."""
    network = random_network((64, 64), rank=16, seed=5)
    drive, found = sampled(compiling, network, 2000)
    assert drive.grid.mixing is None
    assert found.states.shape == (2000, 128)
