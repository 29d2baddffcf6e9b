"""Where the power of a Langevin network goes: what conductances turn into heat, what active ones deliver.

With the states x, b · x is what the sources of the forces give; of what flows out of the nodes, xᵀMx, resistors turn
xᵀHx into heat and active parts deliver xᵀAx, M = H − A but for what is antisymmetric. Capacitors hold x · x / 2. All in
units of g V² (or C V²), V being the volts of one unit of state; of a pair of rails each has half of the state, which
makes it half of that. Quartic wells are passive, 4 J4 x⁴.

An amplifier's own bias current, which a real one has, is no part of its macromodel: what it delivers is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.conductances import Conductances
from netlists.core import Array
from netlists.scaling import NetworkScaling


@dataclass(frozen=True)
class PowerForms:
    """(N, N) quadratic forms of the states: ``heat``, and what is delivered by nodes' own and by coupling parts."""

    heat: Array
    own: Array
    couplings: Array


def power_forms(made: Conductances, scaling: NetworkScaling) -> PowerForms:
    """The forms of a network in a technology, of amplifiers at small signals and below their pole.

    Their output conductances count as heat, as do the loads of the summing buses. What holds two rails of a node that
    has no conductance of its own is left out, as are the buses' capacitors.
    """
    technology = made.technology
    heat, own, couplings = (np.zeros((made.nodes, made.nodes)) for _ in range(3))
    heated, owned, coupled = (np.einsum("ii->i", form) for form in (heat, own, couplings))
    for module, first in zip(made.modules, made.offsets, strict=True):
        nodes, strength = slice(first, first + len(module.own)), module.strength
        active = np.maximum(-module.own, 0.0)
        heated[nodes] += np.maximum(module.own, 0.0) + technology.loading * active
        owned[nodes] += active
        i, j = first + module.pairs.T
        # crossed resistors, whose heat is k (x_i + x_j)², are no active parts
        resistive = (strength < 0) | (len(technology.rails) > 1)
        joint = np.where(resistive, strength, 0.0)
        shares = np.where(resistive, np.abs(strength), technology.loading * strength)
        for ends in (i, j):
            np.add.at(heated, ends, shares)
            np.add.at(coupled, ends, np.where(resistive, 0.0, -technology.diagonal * strength))
        for a, b in ((i, j), (j, i)):
            heat[a, b] += joint
            couplings[a, b] -= strength - joint
    for source, to, into, out in made.buses():
        sums = np.abs(into).sum(axis=0)
        volts = into / (1 + technology.loading * sums)
        back = out @ volts.T / 2
        couplings[to, source] -= back
        couplings[source, to] -= back.T
        load = (volts * (1 + technology.loading * sums) * scaling.bus / scaling.conductance) @ volts.T
        heat[source, source] += load
        couplings[source, source] += load
        heated[to] += technology.loading * np.abs(out).sum(axis=1)
    return PowerForms(heat, own, couplings)
