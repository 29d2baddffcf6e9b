"""Thermal noise of every conductance, as what it adds up to at the nodes.

Each conductance k makes a current of its own, of density 2 kT k in the network's units. What comes together at the
nodes has the density 2 kT Q, Q = Σ k a aᵀ over the wires a of each. Where all are resistors Q is M itself, and the
states' covariance is kT·I: kT/C a node, which is what capacitors among resistors have, and no sampler. Noise of its
own at each node, Q = I, gives kT M⁻¹, the Boltzmann answer.
"""

from __future__ import annotations

import numpy as np

from netlists.conductances import Conductances
from netlists.core import Array
from netlists.scaling import NetworkScaling


def johnson_matrix(made: Conductances, scaling: NetworkScaling) -> Array:
    """(N, N) Q of a network in a technology.

    Ideal sources make no noise, amplifiers ``Technology.noise`` times a resistor's at their outputs; a summing bus
    hands on what its load and its inputs make.
    """
    active, pairs = made.technology.noise, len(made.technology.rails) > 1
    found = np.zeros((made.nodes, made.nodes))
    diagonal = np.einsum("ii->i", found)
    for module, first in zip(made.modules, made.offsets, strict=True):
        diagonal[first : first + len(module.own)] += np.where(
            module.own > 0, module.own, -active * module.own
        )
        i, j = first + module.pairs.T
        resistive = (module.strength < 0) | pairs  # one current, out of a node and into the other
        shares = np.abs(module.strength) * np.where(resistive, 1.0, active)
        np.add.at(diagonal, i, shares)
        np.add.at(diagonal, j, shares)
        joint = np.where(resistive, module.strength, 0.0)
        found[i, j] += joint
        found[j, i] += joint
    for _, to, into, out in made.buses():
        sums = np.abs(into).sum(axis=0)
        volts = (
            (1 + active * sums)
            / (1 + made.technology.loading * sums) ** 2
            * scaling.conductance
            / scaling.bus
        )
        found[to, to] += (out * volts) @ out.T
        diagonal[to] += active * np.abs(out).sum(axis=1)
    return found
