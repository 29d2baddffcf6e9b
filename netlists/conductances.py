"""A Langevin network as a list of conductances: couplings, what each node has to ground, transconductors of buses.

In units of g, ``Scaling.conductance``. What a technology can't make is refused here, or left out when asked to clip;
``matrix`` says what the list as it stands makes of M, in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from device_models.conductances import SiemensRange, Technology
from netlists.core import Array, Index
from netlists.network import LangevinNetwork, Skip
from netlists.scaling import NetworkScaling


class ConductanceError(ValueError):
    """Conductances that the technology can't make: how many, how far, and what to do."""


@dataclass(frozen=True)
class ModuleConductances:
    """One module of D nodes and Q couplings.

    Attributes:
        name: for people.
        pairs: (Q, 2) nodes i < j of each coupling.
        strength: (Q,) M_ij; above 0 it is active.
        own: (D,) conductance to ground; below 0 it is active.
        well: (D,) J4.
    """

    name: str
    pairs: Index
    strength: Array
    own: Array
    well: Array


@dataclass(frozen=True)
class Conductances:
    """A network in a technology.

    Attributes:
        modules: in the order of their nodes.
        skips: factors of the buses between them.
        technology: that makes them.
        offsets: first node of each module.
        nodes: N.
    """

    modules: tuple[ModuleConductances, ...]
    skips: tuple[Skip, ...]
    technology: Technology
    offsets: tuple[int, ...]
    nodes: int

    @property
    def transconductors(self) -> int:
        """Those of all buses: 4Dk for a skip of rank k between modules of D nodes."""
        return sum(2 * int(np.count_nonzero(f)) for skip in self.skips for f in (skip.left, skip.right))

    def matrix(self) -> Array:
        """(N, N) what the circuit has for M at small signals: M itself but for finite output conductances.

        An amplifier of transconductance k loads the node it drives with k/A; a bus on which Σ|k| come together loses
        as much against its load of 1, so that its gain is 1/(1 + Σ|k|/A).
        """
        loading, found = self.technology.loading, np.zeros((self.nodes, self.nodes))
        diagonal = np.einsum("ii->i", found)
        for module, first in zip(self.modules, self.offsets, strict=True):
            own, strength = module.own, module.strength
            nodes = slice(first, first + len(own))
            diagonal[nodes] += own + loading * np.maximum(-own, 0.0)
            shares = np.where(strength < 0, -strength, (self.technology.diagonal + loading) * strength)
            i, j = first + module.pairs.T
            np.add.at(diagonal, i, shares)
            np.add.at(diagonal, j, shares)
            found[i, j] += strength
            found[j, i] += strength
        for source, to, into, out in self.buses():
            gains = 1 / (1 + loading * np.abs(into).sum(axis=0))
            found[to, source] += (out * gains) @ into.T
            diagonal[to] += loading * np.abs(out).sum(axis=1)
        return found

    def buses(self) -> Iterator[tuple[slice, slice, Array, Array]]:
        """Each set of summing buses: nodes it hears, nodes it drives, and the (D, k) factors into it and out of it."""
        for skip in self.skips:
            x, y = (self._span(module) for module in (skip.onto, skip.other))
            yield y, x, skip.right, skip.left
            yield x, y, skip.left, skip.right

    def _span(self, module: int) -> slice:
        first = self.offsets[module]
        return slice(first, first + len(self.modules[module].own))


def conductances(network: LangevinNetwork, technology: Technology) -> Conductances:
    """What a network takes in a technology, whether it can be made or not."""
    modules = []
    for number, module in enumerate(network.modules):
        matrix = np.diag(2.0 * module.quadratic) + module.coupling + module.coupling.T
        i, j = np.nonzero(np.triu(matrix, 1))
        pairs, strength = np.stack([i, j], axis=1), matrix[i, j]
        own = _own(np.diag(matrix), pairs, strength, technology)
        modules.append(
            ModuleConductances(module.name or f"{number + 1}", pairs, strength, own, module.quartic)
        )
    return Conductances(tuple(modules), network.skips, technology, network.offsets, network.nodes)


def _own(diagonal: Array, pairs: Index, strength: Array, technology: Technology) -> Array:
    """(D,) what is left of the diagonal for each node by itself: couplings made in pairs stand on it too."""
    shares = np.where(strength < 0, -strength, technology.diagonal * strength)
    own, taken = diagonal.copy(), np.abs(diagonal)
    for ends in pairs.T:
        np.add.at(own, ends, -shares)
        np.add.at(taken, ends, np.abs(shares))
    # what only rounding leaves is nothing
    return np.where(np.abs(own) <= len(own) * np.finfo(np.float64).eps * taken, 0.0, own)


def realised(
    wanted: Conductances, scaling: NetworkScaling, *, clip: bool = False
) -> tuple[Conductances, str]:
    """The conductances as they can be made, and a remark on what that took; empty if nothing.

    With ``clip`` what is out of range becomes the nearest that is not: nothing, the smallest or the largest. A node's
    own conductance then makes up for the couplings as they are.

    Raises:
        ConductanceError: signs that the technology has no parts for, or, without ``clip``, conductances out of range.
    """
    _check_signs(wanted)
    found = wanted
    if clip:
        found = _clipped(wanted, scaling)
        _check_signs(found)
    outside = [
        (said, limits) for what, s, limits in _all(wanted, scaling) if (said := _outside(what, s, limits))
    ]
    if not outside:
        return wanted, ""
    ranges = dict.fromkeys(f"from {limits.low:g} to {limits.high:g} S, {limits.why}" for _, limits in outside)
    listed = "; ".join(said for said, _ in outside)
    said = f"{wanted.technology.name}: {listed}. What can be made is {' and '.join(ranges)}"
    if not clip:
        raise ConductanceError(f"{said}. {_advice(wanted, scaling)}")
    return found, f"clipped to what can be made: {said}"


def _all(wanted: Conductances, scaling: NetworkScaling) -> Iterator[tuple[str, Array, SiemensRange]]:
    """Siemens of all parts by kind, with the range that they have to be in."""
    g, technology = scaling.conductance, wanted.technology
    strength = np.concatenate([module.strength for module in wanted.modules])
    own = np.concatenate([module.own for module in wanted.modules])
    # a coupling of two rails is crossed resistors
    negative = technology.resistors if len(technology.rails) > 1 else technology.active
    yield "couplings", -g * strength[strength < 0], technology.resistors
    yield "own conductances", g * own[own > 0], technology.resistors
    if negative is not None:
        yield "negative couplings", g * strength[strength > 0], negative
    if technology.active is not None:
        yield "negative own conductances", -g * own[own < 0], technology.active
        factors = [(skip.left, skip.right) for skip in wanted.skips]
        entries = np.abs(np.concatenate([np.empty(0), *(f.ravel() for pair in factors for f in pair)]))
        entries = entries[entries > 0]
        yield "transconductors into buses", scaling.bus * entries, technology.active
        yield "transconductors out of buses", g * entries, technology.active


def _outside(what: str, siemens: Array, limits: SiemensRange) -> str:
    """How many are out of range, and how far; empty if none is."""
    small, large = siemens < limits.low, siemens > limits.high
    if not (small | large).any():
        return ""
    said = [
        f"{int(which.sum())} too {word}, down to {siemens.min():.3g} S ({limits.low / siemens.min():.3g} times)"
        if word == "small"
        else f"{int(which.sum())} too {word}, up to {siemens.max():.3g} S ({siemens.max() / limits.high:.3g} times)"
        for which, word in ((small, "small"), (large, "large"))
        if which.any()
    ]
    return f"{int((small | large).sum())} of {len(siemens)} {what} can't be made, {' and '.join(said)}"


def _advice(wanted: Conductances, scaling: NetworkScaling) -> str:
    """The scale at which most of them can be made, and what then is left to clip."""
    kinds = [(siemens / scaling.conductance, limits) for _, siemens, limits in _all(wanted, scaling)]
    unit = min(
        (limits.high / values.max() for values, limits in kinds if len(values)), default=scaling.conductance
    )
    left = sum(int((values * unit < limits.low).sum()) for values, limits in kinds)
    total = sum(len(values) for values, _ in kinds)
    tau = scaling.capacitance / unit
    return (
        f"Take a larger capacitance over a shorter time unit: with {unit:.2g} S a unit (--tau {tau:.2g} at "
        f"{scaling.capacitance:g} F, or --capacitance {unit * scaling.tau:.2g} at {scaling.tau:g} s) {left} of {total} "
        "would still be too small; --clip sets each to the nearest that can be made"
    )


def _check_signs(wanted: Conductances) -> None:
    """Resistors alone can't be negative."""
    if wanted.technology.active is not None:
        return
    said = []
    strength = np.concatenate([module.strength for module in wanted.modules])
    own = np.concatenate([module.own for module in wanted.modules])
    if (strength > 0).any():
        said.append(
            f"{int((strength > 0).sum())} of {len(strength)} couplings have M_ij above 0, up to {strength.max():.4g}"
        )
    if (own < 0).any():
        said.append(
            f"{int((own < 0).sum())} of {len(own)} nodes need a negative own conductance, down to {own.min():.4g} "
            "(their couplings take more than M_ii)"
        )
    if wanted.transconductors:
        ranks = ", ".join(str(skip.rank) for skip in wanted.skips)
        said.append(f"a skip of rank {ranks} needs {wanted.transconductors} transconductors")
    if said:
        raise ConductanceError(
            f"{wanted.technology.name}: resistors alone can't make this network: {'; '.join(said)}. Take the "
            "realization ideal, differential or ota"
        )


def _clipped(wanted: Conductances, scaling: NetworkScaling) -> Conductances:
    technology, g = wanted.technology, scaling.conductance
    resistors, active = technology.resistors, technology.active or technology.resistors
    negative = resistors if len(technology.rails) > 1 else active
    modules = []
    for module in wanted.modules:
        strength = np.where(
            module.strength < 0,
            _nearest(module.strength, g, resistors),
            _nearest(module.strength, g, negative),
        )
        diagonal = module.own - _own(np.zeros(len(module.own)), module.pairs, module.strength, technology)
        own = _own(diagonal, module.pairs, strength, technology)
        own = np.where(own > 0, _nearest(own, g, resistors), _nearest(own, g, active))
        kept = strength != 0
        modules.append(replace(module, pairs=module.pairs[kept], strength=strength[kept], own=own))
    # one entry is two transconductors, into a bus and out of one
    low, high = max(active.low / scaling.bus, active.low / g), min(active.high / scaling.bus, active.high / g)
    entries = SiemensRange(low, high, active.why)
    skips = tuple(
        replace(skip, left=_nearest(skip.left, 1.0, entries), right=_nearest(skip.right, 1.0, entries))
        for skip in wanted.skips
    )
    return replace(wanted, modules=tuple(modules), skips=skips)


def _nearest(values: Array, unit: float, limits: SiemensRange) -> Array:
    """Of the same sign: nothing below half the smallest, and else within the range."""
    size = np.abs(values)
    size = np.where(size * unit < limits.low / 2, 0.0, np.clip(size, limits.low / unit, limits.high / unit))
    return np.asarray(np.sign(values) * size)
