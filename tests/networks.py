"""Langevin networks for the tests."""

from __future__ import annotations

import numpy as np

from netlists.network import LangevinNetwork, Module
from netlists.synthetic import random_network as random_network


def resistive_network(size: int = 8, *, kt: float = 1.0, seed: int = 0) -> LangevinNetwork:
    """All M_ij at most 0 and rows that sum to more than 0: resistors can make it."""
    generator = np.random.default_rng(seed)
    weights = np.triu(generator.uniform(0.1, 0.5, (size, size)), 1)
    coupling = -(weights + weights.T) / 2
    own = (generator.uniform(0.1, 0.5, size) - 2 * coupling.sum(axis=1)) / 2
    module = Module("resistors", coupling, own, np.zeros(size))
    return LangevinNetwork((module,), (), generator.normal(size=size), kt, np.arange(size))
