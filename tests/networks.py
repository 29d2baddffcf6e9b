"""Langevin networks for the tests."""

from __future__ import annotations

import numpy as np

from netlists.network import LangevinNetwork, Module, Skip


def random_network(
    sizes: tuple[int, ...] = (16,), *, rank: int = 0, quartic: float = 0.0, kt: float = 1.0, seed: int = 0,
    strength: float = 0.5,
) -> LangevinNetwork:  # fmt: skip
    """Modules with Gram couplings of both signs, positive definite; with a rank, a skip from each to the next."""
    generator = np.random.default_rng(seed)
    modules = []
    for number, size in enumerate(sizes):
        weights = generator.normal(0.0, strength, (size, size))
        coupling = weights.T @ weights / size
        modules.append(Module(f"module {number}", coupling, np.full(size, 0.3), np.full(size, quartic)))
    skips = []
    for onto in range(len(sizes) - 1 if rank else 0):
        left, right = (generator.normal(0.0, 1.0, (sizes[onto + k], rank)) for k in (0, 1))
        # weak enough that what it can take from either module's smallest eigenvalue leaves some of it
        scale = np.sqrt(0.2 / len(sizes) / np.linalg.norm(left @ right.T, 2))
        skips.append(Skip(onto, onto + 1, scale * left, scale * right))
    nodes = sum(sizes)
    return LangevinNetwork(tuple(modules), tuple(skips), generator.normal(size=nodes), kt, np.arange(nodes))


def resistive_network(size: int = 8, *, kt: float = 1.0, seed: int = 0) -> LangevinNetwork:
    """All M_ij at most 0 and rows that sum to more than 0: resistors can make it."""
    generator = np.random.default_rng(seed)
    weights = np.triu(generator.uniform(0.1, 0.5, (size, size)), 1)
    coupling = -(weights + weights.T) / 2
    own = (generator.uniform(0.1, 0.5, size) - 2 * coupling.sum(axis=1)) / 2
    module = Module("resistors", coupling, own, np.zeros(size))
    return LangevinNetwork((module,), (), generator.normal(size=size), kt, np.arange(size))
