"""An audit's transients: closed forms by brute force, and the circuit against them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import random_network

from emulator.doctor import find_capabilities
from emulator.simulator import Simulator
from emulator.thermo import audit_transients
from emulator.thermo.audit_noise import NoisyReadout, noisy_readout
from emulator.thermo.audit_tables import HEADINGS, length_rows, transient_rows, transients_json
from emulator.thermo.audit_transients import CircuitTransients, Effort, Transients
from emulator.thermo.circuit import NetworkSettings
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.grid_covariance import _hold, average_covariance, covariance_spread, grid_covariance
from emulator.thermo.sampling import Equilibrium, injection
from emulator.thermo.thermal import averaged_noise
from netlists.core import Array
from netlists.network import LangevinNetwork
from netlists.scaling import NetworkScaling

KT, STEP = 0.6, 0.7


def system() -> tuple[Array, Array]:
    """A matrix that is not symmetric, and currents that it does not commute with."""
    generator = np.random.default_rng(0)
    return np.eye(3) + 0.2 * generator.normal(size=(3, 3)), np.diag([1.0, 2.0, 0.5])


def responses(points: int) -> Array:
    """(P, 3, …) of each state to every independent number of the noise, long after the start."""
    matrix, currents = system()
    decay, before, after = _hold(matrix, STEP)
    factor = np.linalg.cholesky(2 * KT / STEP * currents)
    earlier = 60
    rows = [np.zeros((3, 3 * (earlier + points + 1)))]
    for k in range(earlier + points):
        row = decay @ rows[-1]
        row[:, 3 * k : 3 * k + 3] += before @ factor
        row[:, 3 * k + 3 : 3 * k + 6] += after @ factor
        rows.append(row)
    return np.stack(rows[-points:])


@pytest.mark.parametrize("points", [1, 2, 5, 40])
def test_an_average_on_a_grid_by_brute_force(points: int) -> None:
    matrix, currents = system()
    mean = responses(points).mean(axis=0)
    found = average_covariance(matrix, currents, KT, STEP, points)
    np.testing.assert_allclose(found, mean @ mean.T, atol=1e-12)


def test_a_fine_grid_averages_as_time_does() -> None:
    network = random_network((5,), seed=3)
    for time in (0.5, 20.0):
        points = round(time / 1e-3)
        found = average_covariance(network.matrix, np.eye(5), network.kt, 1e-3, points)
        wanted = averaged_noise(network, np.array([time]))[0] ** 2
        assert np.diag(found).mean() == pytest.approx(wanted, rel=5e-3)


def test_how_far_a_covariance_is_off_by_the_rule_of_four() -> None:
    """Against samples of the process itself, on two of its three states."""
    matrix, currents = system()
    points, trials = 30, 2000
    drawn = np.random.default_rng(1).standard_normal((trials, 3 * (60 + points + 1)))
    states = np.einsum("pnk,tk->tpn", responses(points)[:, :2], drawn)
    found = np.einsum("tpi,tpj->tij", states, states) / points
    wanted = grid_covariance(matrix, currents, KT, STEP)[:2, :2]
    rms = np.sqrt(np.mean(np.sum((found - wanted) ** 2, axis=(1, 2))))
    spread = covariance_spread(matrix, currents, KT, STEP, slice(0, 2), points)
    assert rms == pytest.approx(spread, rel=0.05)


# --- readouts of states drawn by hand ---------------------------------------------------------------------


def substrate() -> tuple[LangevinNetwork, Array, Array]:
    """Two modules, the second read out; forces of six inputs; what the decoder should show: where it rests."""
    network = random_network((5, 4), rank=2, seed=3, kt=0.02, strength=0.2)
    network = replace(network, visible=np.arange(5, 9))
    biases = np.random.default_rng(5).normal(size=(6, 9))
    return network, biases, equilibrium(network, biases)[:, 5:]


def test_readouts_without_noise_score_as_rest_does() -> None:
    network, biases, wanted = substrate()
    rests = equilibrium(network, biases)
    drive = injection(network, "isotropic", 0)
    still = [
        Equilibrium(np.tile(rest, (300, 1)), drive.grid.step, drive.grid.step, 300, 0, 0.0) for rest in rests
    ]
    found = noisy_readout(network, network.matrix, drive, rests, still, wanted, 0.1)
    assert found.resting_cosine == pytest.approx(1)
    assert found.resting_r2 == pytest.approx(1)
    assert found.residual == pytest.approx(0, abs=1e-12)
    for row in found.lengths:
        assert (row.variance, row.cosine, row.r2) == pytest.approx((0, 1, 1), abs=1e-12)
        assert row.expected > 0
        assert row.cosine_expected < 1
    assert found.samples[0] == 1
    assert found.lengths[0].points == 1
    assert found.lengths[-1].points == 300


# --- the circuit ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(compiling: Simulator) -> Transients:
    network, biases, wanted = substrate()
    ability = find_capabilities(compiling)
    settings = NetworkSettings(scaling=NetworkScaling(tau=1e-8, capacitance=1e-11))
    said: list[tuple[str, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            audit_transients,
            "COMPILED",
            {"isotropic": Effort(6, 400.0, 6000), "johnson": Effort(4, 60.0, 600)},
        )
        found = CircuitTransients(compiling, ability, settings)(
            network, biases, wanted, 0.05, lambda *words: said.append(words)
        )
    assert said[:2] == [("settling", 0, 4), ("settling", 1, 4)]
    assert said[-1] == ("johnson noise", 3, 4)
    return found


def test_inputs_settle_when_linear_algebra_says(measured: Transients) -> None:
    network = substrate()[0]
    found = measured.settling
    assert found.slowest_error < 0.02
    assert found.rate_error < 0.02
    assert found.slowest_predicted == pytest.approx([1 / network.spectrum.smallest] * 4)
    assert found.time_error < 0.01
    assert len(set(found.times)) == 4
    np.testing.assert_allclose(found.curve, found.curve_predicted, atol=2e-3)


def isotropic(measured: Transients) -> NoisyReadout:
    assert [row.kind for row in measured.noise] == ["isotropic", "johnson"]
    return measured.noise[0]


def test_averages_scatter_as_the_closed_form_says(measured: Transients) -> None:
    for noise in measured.noise:
        for row in noise.lengths:
            assert row.variance == pytest.approx(row.expected, abs=4 * row.error), (noise.kind, row)
    found = isotropic(measured)
    assert found.lengths[0].expected == pytest.approx(found.boltzmann)
    assert found.lengths[0].error < 0.05 * found.lengths[0].variance
    # of 24 numbers
    assert found.residual == pytest.approx(found.residual_expected, rel=0.7)
    samples, expected = found.samples
    assert samples == pytest.approx(expected, rel=0.1)
    time, error, wanted = found.time_needed
    assert time == pytest.approx(wanted, abs=4 * error)
    assert error < 0.3 * time


def test_resistors_are_no_sampler(measured: Transients) -> None:
    control = measured.noise[1]
    first = control.lengths[0]
    assert abs(first.variance - control.boltzmann) > 3 * first.error
    assert control.boltzmann == pytest.approx(isotropic(measured).boltzmann)


def test_averaging_brings_the_cosine_back(measured: Transients) -> None:
    found = isotropic(measured)
    for row in found.lengths:
        assert row.cosine == pytest.approx(row.cosine_expected, abs=5 * row.cosine_error)
    cosines = [row.cosine for row in found.lengths]
    assert cosines[0] < 0.99
    assert cosines[-1] > 0.995
    deviations = [1 - row.r2 for row in found.lengths]
    assert deviations[-1] < 0.05 * deviations[0]


def test_tables_and_json_say_so(measured: Transients) -> None:
    rows = {name: (ours, theirs) for name, ours, theirs in transient_rows(measured)}
    assert any(name.startswith("time constant of the slowest mode, 4 inputs") for name in rows)
    assert "kT/M" in rows["variance of a node under Johnson noise, which is not the network's"][1]
    lengths = list(length_rows(isotropic(measured)))
    assert {len(row) for row in lengths} == {len(HEADINGS)}
    assert (lengths[0][0], lengths[-1][0]) == ("one instant", "no noise: at rest")
    plain = transients_json(measured)
    assert plain["settling"].keys().isdisjoint({"curve", "curve_time"})
    assert plain["noise"]["isotropic"]["time_needed"]["measured"] == isotropic(measured).time_needed[0]
