"""The digital interface: what is in it, and that its training finds what closed forms say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from substrates import activations_file, real_activations

from emulator.thermo.build import Design, build
from emulator.thermo.forces import module_forces
from emulator.thermo.training import fit, loss_and_gradient
from netlists.activations import read_activations
from netlists.interface import Activation, TwoLayers, sigmoid, silu


@given(st.floats(-1e6, 1e6))
def test_sigmoid_and_silu_at_any_argument(h: float) -> None:
    s = float(sigmoid(np.array(h)))
    expected = 1 / (1 + np.exp(-h)) if h > -700 else 0.0
    assert s == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert float(silu(np.array(h))) == pytest.approx(h * expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("activation", ["linear", "silu"])
@given(seed=st.integers(0, 10**6))
def test_the_gradient_is_the_slope_of_the_loss(activation: Activation, seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs, targets = generator.standard_normal((9, 4)), generator.standard_normal((9, 5))
    flat = generator.standard_normal(3 * 4 + 5 * 3)

    def net(numbers: np.ndarray) -> TwoLayers:
        return TwoLayers(numbers[:12].reshape(3, 4), numbers[12:].reshape(5, 3), activation)

    loss, gradient = loss_and_gradient(net(flat), inputs, targets)
    assert loss == pytest.approx(float(np.mean((net(flat)(inputs) - targets) ** 2)))
    for k in generator.choice(27, 5, replace=False):
        move = 1e-6 * np.eye(27)[k]
        up, down = (loss_and_gradient(net(flat + s * move), inputs, targets)[0] for s in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


def test_a_linear_bottleneck_finds_the_best_of_its_rank() -> None:
    """Without weight decay: reduced-rank regression, the least squares fit cut to its leading directions."""
    generator = np.random.default_rng(1)
    inputs = generator.standard_normal((60, 6))
    targets = inputs @ generator.standard_normal((6, 5)) + 0.3 * generator.standard_normal((60, 5))
    fitted = inputs @ np.linalg.lstsq(inputs, targets)[0]
    leading = np.linalg.svd(fitted)[2][:2]
    best = np.mean((fitted @ leading.T @ leading - targets) ** 2)
    net, found = fit(inputs, targets, 2, "linear", 0.0, generator)
    assert found.converged
    assert found.error == pytest.approx(best, rel=1e-6)
    np.testing.assert_allclose(net(inputs), fitted @ leading.T @ leading, atol=1e-3)


def test_weight_decay_shrinks_singular_values() -> None:
    """With white inputs the best net of two layers soft-thresholds the singular values of the least squares map."""
    generator = np.random.default_rng(2)
    inputs = np.linalg.qr(generator.standard_normal((40, 4)))[0] * np.sqrt(40)  # inputsᵀ inputs / 40 = 1
    targets = inputs @ generator.standard_normal((4, 3)) + generator.standard_normal((40, 3))
    decay = 0.8
    u, s, vt = np.linalg.svd(inputs.T @ targets / 40, full_matrices=False)
    # the loss is ‖·‖²/3 + decay · the sum of singular values, which is what half the squares of both layers come to
    shrunk = np.maximum(s - decay * 3 / 2, 0)
    assert np.count_nonzero(shrunk) == 2
    net, _ = fit(inputs, targets, 3, "linear", decay, generator)
    np.testing.assert_allclose(net.second @ net.first, (u * shrunk @ vt).T, atol=1e-5)


def test_the_published_number_of_parameters(tmp_path: Path) -> None:
    activations = read_activations(activations_file(tmp_path / "a.h5", channels=64, train=20))
    interface = build(activations, Design(dim=64)).substrate.interface
    assert interface is not None
    arrays = [net.first for net in (interface.encoder, interface.transfer)]
    arrays += [net.second for net in (interface.encoder, interface.transfer)]
    assert sorted(a.shape for a in arrays) == [(4, 64), (16, 64), (64, 4), (64, 16)]
    assert interface.parameters == sum(a.size for a in arrays) == 2560


def test_training_is_the_same_every_time(tmp_path: Path) -> None:
    activations = read_activations(activations_file(tmp_path / "a.h5"))
    one, two, other = (build(activations, Design(dim=8, rank=4, seed=s)).substrate for s in (3, 3, 4))
    np.testing.assert_array_equal(one.biases("test"), two.biases("test"))
    assert (one.biases("test") != other.biases("test")).any()


def test_more_weight_decay_fits_worse(tmp_path: Path) -> None:
    activations = read_activations(activations_file(tmp_path / "a.h5"))
    fits = [build(activations, Design(dim=8, rank=4, weight_decay=w)).fits for w in (1e-8, 1e-5, 1e-3)]
    for name in ("encoder", "decoder"):
        errors = [found[name].error for found in fits]
        assert errors == sorted(errors)


def test_the_trained_network_s_interface() -> None:
    """It learns the forces it is to give; the seed hardly matters where the decay decides."""
    activations = read_activations(real_activations())
    built = [build(activations, Design(weight_decay=1e-6, seed=seed)) for seed in (0, 1)]
    for one in built:
        assert all(found.converged for found in one.fits.values())
        assert all(found.error < 0.05 * found.variance for found in one.fits.values())
    substrate = built[0].substrate
    wanted = module_forces(substrate.network, 0, substrate.activations("test", 0))
    given_forces = [b.substrate.biases("test")[:, :64] for b in built]
    scale = np.std(wanted - wanted.mean(axis=0))
    assert np.sqrt(np.mean((given_forces[0] - wanted) ** 2)) < 0.2 * scale
    assert np.sqrt(np.mean((given_forces[0] - given_forces[1]) ** 2)) < 0.05 * scale
