"""Forces that hold a substrate at given states, and the regimes in which the published table was made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netlists.core import Array
from netlists.network import LangevinNetwork, NetworkError
from netlists.network_file import Substrate


def module_forces(network: LangevinNetwork, module: int, states: Array) -> Array:
    """(S, D) forces under which a module alone, without skips, rests at (S, D) states: A x, or B d."""
    nodes = network.span(module)
    return np.asarray(states @ network.matrix[nodes, nodes] + 4 * network.quartic[nodes] * states**3)


def network_forces(network: LangevinNetwork, states: Array) -> Array:
    """(S, N) forces under which the whole network rests at (S, N) states: M x."""
    return np.asarray(states @ network.matrix + 4 * network.quartic * states**3)


def regimes(substrate: Substrate, split: str) -> Mapping[str, Array]:
    """(S, N) forces by regime: which part of them the digital interface gives, and which the true activations.

    ``oracle``: A x and B d, what either module needs alone; the skip then moves them, so that not even this is exact.
    ``oracle_exact``: M [x; d]. ``learned_encoder``: b_enc of the interface, B d. ``skip_only``: b_enc of the interface
    and nothing for the decoder, which hears of the input through the skip. ``full``: both of the interface.

    Raises:
        NetworkError: no interface, no such inputs, or not two modules.
    """
    network = substrate.network
    if len(network.modules) != 2:
        raise NetworkError(f"{len(network.modules)} modules; expected an encoder and a decoder")
    x, d = (substrate.activations(split, module) for module in (0, 1))
    learned = substrate.biases(split)
    encoder, decoder = learned[:, network.span(0)], learned[:, network.span(1)]
    true_encoder, true_decoder = module_forces(network, 0, x), module_forces(network, 1, d)
    return {
        "oracle": np.concatenate([true_encoder, true_decoder], axis=1),
        "oracle_exact": network_forces(network, np.concatenate([x, d], axis=1)),
        "learned_encoder": np.concatenate([encoder, true_decoder], axis=1),
        "skip_only": np.concatenate([encoder, np.zeros_like(decoder)], axis=1),
        "full": learned,
    }


def conditioning_deficit(network: LangevinNetwork, states: Array) -> float:
    """How much larger the force that holds a module at states (S, D) is than what its couplings alone would give.

    std(A x)/std(J x), as the published 2,600× is measured in the author's code (arXiv:2604.14332).
    """
    coupled = states @ network.modules[0].coupling
    return float(np.std(module_forces(network, 0, states)) / np.std(coupled))
