"""Langevin networks: modules of nodes in quadratic and quartic wells, joined by low-rank couplings.

    V = Σ_i (J2_i x_i² + J4_i x_i⁴ − b_i x_i) + Σ_modules xᵀ J x + Σ_skips xᵀ (L Rᵀ) y
    dx = (b − M x − 4 J4 x³) dt + √(2 kT) dW,   M the Hessian of the quadratic part

Sources: De, arXiv:2604.14332 (modules and skips); Whitelam, arXiv:2506.15121 (one module).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from netlists.core import Array, Index
from netlists.hdf5 import shape_text
from netlists.printable import printable

# J and Jᵀ may differ by the rounding of the product they were computed with, relative to the largest entry
SYMMETRY_TOLERANCE = 1e-12
MOST_NODES = 5000  # their matrix takes 200 MB


class NetworkError(ValueError):
    """A network that can't be: which module or skip, what was received and what was expected."""


@dataclass(frozen=True)
class Module:
    """One module of D nodes.

    Attributes:
        name: for people; never part of a netlist.
        coupling: (D, D), J of xᵀJx, symmetric; a diagonal is allowed.
        quadratic: (D,), J2.
        quartic: (D,), J4, at least 0.

    Raises:
        NetworkError: an array of another shape, complex, NaN or infinite, an asymmetric coupling, a negative J4.
    """

    name: str
    coupling: Array
    quadratic: Array
    quartic: Array

    def __post_init__(self) -> None:
        said = f"module {printable(self.name)!r}"
        shape = np.shape(self.coupling)
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise NetworkError(f"{said}: coupling has shape {shape_text(shape)}; expected a square, (D, D)")
        _check_numbers(f"{said}: coupling", self.coupling, shape)
        _check_numbers(f"{said}: quadratic", self.quadratic, shape[:1])
        _check_numbers(f"{said}: quartic", self.quartic, shape[:1])
        difference = np.abs(self.coupling - self.coupling.T)
        if difference.max() > SYMMETRY_TOLERANCE * np.abs(self.coupling).max():
            i, j = (int(k) for k in np.unravel_index(np.argmax(difference), shape))
            raise NetworkError(
                f"{said}: coupling is not symmetric, J[{i}, {j}] = {self.coupling[i, j]:.6g} and J[{j}, {i}] = "
                f"{self.coupling[j, i]:.6g}; expected J = Jᵀ, for instance (J + Jᵀ)/2, which has the same potential"
            )
        negative = np.flatnonzero(self.quartic < 0)
        if len(negative):
            raise NetworkError(
                f"{said}: quartic is negative at {len(negative)} nodes, the first node {negative[0]} with J4 = "
                f"{self.quartic[negative[0]]:.6g}; expected at least 0, or the potential has no bottom"
            )

    @property
    def nodes(self) -> int:
        """D."""
        return len(self.quadratic)


@dataclass(frozen=True)
class Skip:
    """Rank-k coupling xᵀ (left rightᵀ) y between two modules; kept as its factors.

    Attributes:
        onto: index of the module x.
        other: index of the module y.
        left: (D_onto, k).
        right: (D_other, k).
    """

    onto: int
    other: int
    left: Array
    right: Array

    @property
    def rank(self) -> int:
        """k."""
        return int(self.left.shape[1])


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of a system matrix, rates per model time unit.

    Attributes:
        eigenvalues: (N,), ascending.
    """

    eigenvalues: Array

    @property
    def smallest(self) -> float:
        """λ_min: the slowest rate, and the margin. Every node's stiffness may lose this much, and no more."""
        return float(self.eigenvalues[0])

    @property
    def largest(self) -> float:
        """λ_max, the fastest rate."""
        return float(self.eigenvalues[-1])

    @property
    def positive(self) -> bool:
        """Positive definite, beyond what rounding could have made of zero."""
        return self.smallest > self._rounding

    @property
    def _rounding(self) -> float:
        return len(self.eigenvalues) * float(np.finfo(np.float64).eps * np.abs(self.eigenvalues).max())

    @property
    def condition(self) -> float:
        """λ_max/λ_min; infinite unless positive definite."""
        return self.largest / self.smallest if self.positive else math.inf


@dataclass(frozen=True)
class LangevinNetwork:
    """Modules in a row, the skips between them, a force and a temperature. N nodes in all.

    A network may have an indefinite M, so that one can look at it; ``require_confining`` refuses what has no
    equilibrium.

    Attributes:
        modules: in the order of their nodes.
        skips: low-rank couplings between them.
        bias: (N,), b of one input, or zeros.
        kt: temperature in units of the potential.
        visible: (V,), nodes read out.

    Raises:
        NetworkError: factors that don't fit their modules, a rank above the dimension, a bias of another length, a
            temperature that is none, visible nodes that aren't there.
    """

    modules: tuple[Module, ...]
    skips: tuple[Skip, ...]
    bias: Array
    kt: float
    visible: Index

    def __post_init__(self) -> None:
        if not self.modules:
            raise NetworkError("a network of no modules; expected at least one")
        check_size(self.nodes)
        for number, skip in enumerate(self.skips):
            _check_skip(f"skip {number}", skip, self.modules)
        _check_numbers("bias", self.bias, (self.nodes,))
        if not (math.isfinite(self.kt) and self.kt >= 0):
            raise NetworkError(f"temperature kT is {self.kt}; expected at least 0, in units of the potential")
        visible = np.asarray(self.visible)
        if visible.ndim != 1 or visible.dtype.kind not in "iu" or len(visible) == 0:
            raise NetworkError(
                f"visible has dtype {visible.dtype} and shape {shape_text(visible.shape)}; expected at least one node"
            )
        if visible.min() < 0 or visible.max() >= self.nodes or len(np.unique(visible)) < len(visible):
            raise NetworkError(
                f"visible has nodes {visible.min()} to {visible.max()}, {len(np.unique(visible))} different among "
                f"{len(visible)}; expected different nodes from 0 to {self.nodes - 1}"
            )

    @property
    def nodes(self) -> int:
        """N."""
        return sum(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """D of each module."""
        return tuple(module.nodes for module in self.modules)

    @property
    def offsets(self) -> tuple[int, ...]:
        """First node of each module."""
        return tuple(int(k) for k in np.cumsum((0, *self.sizes[:-1])))

    def span(self, module: int) -> slice:
        """A module's nodes."""
        return slice(self.offsets[module], self.offsets[module] + self.sizes[module])

    @cached_property
    def quadratic(self) -> Array:
        """(N,) J2."""
        return np.concatenate([module.quadratic for module in self.modules])

    @cached_property
    def quartic(self) -> Array:
        """(N,) J4."""
        return np.concatenate([module.quartic for module in self.modules])

    @cached_property
    def matrix(self) -> Array:
        """(N, N) M = [[2 diag(J2) + J + Jᵀ, L Rᵀ], [R Lᵀ, …]], the Hessian of the quadratic part."""
        matrix = np.diag(2.0 * self.quadratic)
        for number, module in enumerate(self.modules):
            nodes = self.span(number)
            matrix[nodes, nodes] += module.coupling + module.coupling.T
        for skip in self.skips:
            onto, other = self.span(skip.onto), self.span(skip.other)
            block = skip.left @ skip.right.T
            matrix[onto, other] += block
            matrix[other, onto] += block.T
        return matrix

    @cached_property
    def spectrum(self) -> Spectrum:
        """Eigenvalues of M."""
        return spectrum(self.matrix)


def spectrum(matrix: Array) -> Spectrum:
    """Eigenvalues of a symmetric (N, N) matrix."""
    return Spectrum(np.asarray(np.linalg.eigvalsh(matrix), dtype=np.float64))


def require_confining(network: LangevinNetwork) -> None:
    """Refuses a potential without a bottom, which has no equilibrium.

    A quartic well holds its own node whatever the couplings, so what must be positive definite is M on the nodes
    that have none.

    Raises:
        NetworkError: with the eigenvalue.
    """
    free = np.flatnonzero(network.quartic == 0)
    if not len(free):
        return
    found = spectrum(network.matrix[np.ix_(free, free)])
    if not found.positive:
        where = "M" if len(free) == network.nodes else f"M on the {len(free)} nodes without a quartic well"
        raise NetworkError(
            f"{where} is not positive definite: its smallest eigenvalue is {found.smallest:.4g}, its largest "
            f"{found.largest:.4g}; expected all above 0, or the potential has no bottom"
        )


def one_module(
    coupling: Array, quadratic: Array, quartic: Array, bias: Array, kt: float, visible: Sequence[int] | Index
) -> LangevinNetwork:
    """A network of a single module: Gaussian samplers, Whitelam's visible and hidden nodes."""
    module = Module("nodes", coupling, quadratic, quartic)
    return LangevinNetwork((module,), (), bias, kt, np.asarray(visible, dtype=np.int64))


def check_size(nodes: int) -> None:
    """NetworkError if a dense matrix of so many nodes is out of reach."""
    if nodes > MOST_NODES:
        raise NetworkError(f"{nodes} nodes; expected at most {MOST_NODES}, whose system matrix is dense")


def _check_skip(said: str, skip: Skip, modules: tuple[Module, ...]) -> None:
    for end, number in (("onto", skip.onto), ("other", skip.other)):
        if not 0 <= number < len(modules):
            raise NetworkError(f"{said}: {end} is module {number}; expected 0 to {len(modules) - 1}")
    if skip.onto == skip.other:
        raise NetworkError(f"{said}: joins module {skip.onto} to itself; expected two modules")
    for side, factor, module in (
        ("left", skip.left, modules[skip.onto]),
        ("right", skip.right, modules[skip.other]),
    ):
        shape = np.shape(factor)
        expected = f"({module.nodes}, k), a row for each node of module {printable(module.name)!r}"
        if len(shape) != 2 or shape[0] != module.nodes or shape[1] == 0:
            raise NetworkError(f"{said}: {side} has shape {shape_text(shape)}; expected {expected}")
        _check_numbers(f"{said}: {side}", factor, shape)
    if skip.left.shape[1] != skip.right.shape[1]:
        raise NetworkError(
            f"{said}: left has rank {skip.left.shape[1]} and right {skip.right.shape[1]}; expected the same"
        )
    smaller = min(len(skip.left), len(skip.right))
    if skip.rank > smaller:
        raise NetworkError(f"{said}: has rank {skip.rank}; expected at most {smaller}, the smaller dimension")


def _check_numbers(said: str, values: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise NetworkError(f"{said} has dtype {values.dtype}; expected real numbers")
    if values.shape != shape:
        raise NetworkError(f"{said} has shape {shape_text(values.shape)}; expected {shape_text(shape)}")
    bad = ~np.isfinite(values)
    if bad.any():
        first = tuple(int(k) for k in np.argwhere(bad)[0])
        raise NetworkError(
            f"{said}: {int(bad.sum())} of {bad.size} values are NaN or infinite, the first at {first}"
        )
