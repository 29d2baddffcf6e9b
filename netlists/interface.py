"""The minimal digital interface of a thermodynamic substrate: two small networks that turn an input into forces."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from netlists.core import Array
from netlists.network import NetworkError

Activation = Literal["linear", "silu"]


@dataclass(frozen=True)
class TwoLayers:
    """out = second · f(first · in), without biases; f is the identity or SiLU, f(h) = h/(1 + e^−h).

    Attributes:
        first: (h, in).
        second: (out, h).
        activation: f.
    """

    first: Array
    second: Array
    activation: Activation

    def __call__(self, inputs: Array) -> Array:
        """(S, out) of (S, in)."""
        hidden = inputs @ self.first.T
        return np.asarray((silu(hidden) if self.activation == "silu" else hidden) @ self.second.T)

    @property
    def parameters(self) -> int:
        """Numbers in the arrays."""
        return self.first.size + self.second.size


def silu(hidden: Array) -> Array:
    """h/(1 + e^−h)."""
    return hidden * sigmoid(hidden)


def sigmoid(hidden: Array) -> Array:
    """1/(1 + e^−h), for any h."""
    return 0.5 * (1 + np.tanh(0.5 * hidden))


@dataclass(frozen=True)
class Interface:
    """Encoder net, linear: x to b_enc; transfer net, SiLU: b_enc to b_dec (De, arXiv:2604.14332).

    Raises:
        NetworkError: layers that don't fit one another.
    """

    encoder: TwoLayers
    transfer: TwoLayers

    def __post_init__(self) -> None:
        layers = {
            "encoder/first": self.encoder.first, "encoder/second": self.encoder.second,
            "transfer/first": self.transfer.first, "transfer/second": self.transfer.second,
        }  # fmt: skip
        for (before, earlier), (name, layer) in pairwise(layers.items()):
            if layer.shape[1] != len(earlier):
                raise NetworkError(
                    f"interface: {name} has shape {layer.shape}; expected (any, {len(earlier)}) to follow {before} of "
                    f"shape {earlier.shape}"
                )

    @property
    def parameters(self) -> int:
        """Numbers in all four arrays."""
        return self.encoder.parameters + self.transfer.parameters

    def forces(self, inputs: Array) -> tuple[Array, Array]:
        """b_enc (S, D) and b_dec (S, D) of inputs x (S, D)."""
        encoder = self.encoder(inputs)
        return encoder, self.transfer(encoder)
