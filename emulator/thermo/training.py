"""Training of the digital interface: least squares with weight decay, by L-BFGS with exact gradients.

Protocol: De, arXiv:2604.14332. The encoder net is fitted to b_enc = A x, the transfer net from the true b_enc to
b_dec = B d; mean squared error and half the weight decay times the squared norm of the weights, which is what an
optimiser's weight decay adds to the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator.thermo.forces import module_forces
from netlists.bilinear import DECODER, ENCODER
from netlists.core import Array
from netlists.interface import Activation, Interface, TwoLayers, sigmoid, silu
from netlists.network_file import Substrate

ENCODER_WIDTH, TRANSFER_WIDTH = 4, 16
MOST_ITERATIONS = 20_000
HISTORY = 20  # past steps that L-BFGS takes its curvature from
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-14, 1e-10


@dataclass(frozen=True)
class Fit:
    """How well a net was fitted.

    Attributes:
        error: mean squared error on the training inputs.
        variance: of the targets about their mean: the error of the best constant.
        iterations: of L-BFGS.
        converged: or the iterations ran out.
    """

    error: float
    variance: float
    iterations: int
    converged: bool


def train_interface(
    substrate: Substrate, *, weight_decay: float, seed: int
) -> tuple[Interface, dict[str, Fit]]:
    """The interface of a substrate of two modules, trained on its inputs ``train``, and how well each net fits."""
    x, d = (substrate.activations("train", module) for module in (0, 1))
    b_enc, b_dec = module_forces(substrate.network, 0, x), module_forces(substrate.network, 1, d)
    generators = np.random.default_rng(seed).spawn(2)
    encoder, encoder_fit = fit(x, b_enc, ENCODER_WIDTH, "linear", weight_decay, generators[0])
    transfer, transfer_fit = fit(b_enc, b_dec, TRANSFER_WIDTH, "silu", weight_decay, generators[1])
    return Interface(encoder, transfer), {ENCODER: encoder_fit, DECODER: transfer_fit}


def fit(
    inputs: Array, targets: Array, width: int, activation: Activation, weight_decay: float,
    generator: np.random.Generator,
) -> tuple[TwoLayers, Fit]:  # fmt: skip
    """Two layers of a width from inputs (S, in) to targets (S, out), from a uniform random start."""
    from scipy.optimize import minimize  # a tenth of a second, which every command would wait for

    fan_in, fan_out = inputs.shape[1], targets.shape[1]
    start = np.concatenate(
        [
            generator.uniform(-1, 1, width * fan_in) / np.sqrt(fan_in),
            generator.uniform(-1, 1, fan_out * width) / np.sqrt(width),
        ]
    )

    def layers(flat: Array) -> TwoLayers:
        first, second = flat[: width * fan_in], flat[width * fan_in :]
        return TwoLayers(first.reshape(width, fan_in), second.reshape(fan_out, width), activation)

    def objective(flat: Array) -> tuple[float, Array]:
        loss, gradient = loss_and_gradient(layers(flat), inputs, targets)
        return loss + weight_decay / 2 * float(flat @ flat), gradient + weight_decay * flat

    found: Any = minimize(
        objective, start, jac=True, method="L-BFGS-B",
        options={
            "maxiter": MOST_ITERATIONS, "maxfun": 2 * MOST_ITERATIONS, "maxcor": HISTORY,
            "ftol": LOSS_TOLERANCE, "gtol": GRADIENT_TOLERANCE,
        },
    )  # fmt: skip
    net = layers(found.x)
    error = float(np.mean((net(inputs) - targets) ** 2))
    variance = float(np.mean((targets - targets.mean(axis=0)) ** 2))
    return net, Fit(error, variance, int(found.nit), bool(found.success))


def loss_and_gradient(net: TwoLayers, inputs: Array, targets: Array) -> tuple[float, Array]:
    """Mean squared error, and its derivative by the numbers of both layers, one after the other."""
    hidden = inputs @ net.first.T
    if net.activation == "silu":
        s = sigmoid(hidden)
        out, slope = silu(hidden), s * (1 + hidden * (1 - s))
    else:
        out, slope = hidden, np.ones_like(hidden)
    error = out @ net.second.T - targets
    back = 2 * error / error.size
    first = (back @ net.second * slope).T @ inputs
    return float(np.mean(error**2)), np.concatenate([first.ravel(), (back.T @ out).ravel()])
