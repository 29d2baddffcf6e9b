"""Langevin networks and activations files for tests: small, random, and the real ones where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from netlists.core import Array
from netlists.network import LangevinNetwork, Module, Skip

UNET = Path(
    os.environ.get("AIS_TEST_UNET", Path(__file__).parents[2] / "shared" / "data" / "unet" / "activations.h5")
)


def real_activations() -> Path:
    """The trained U-Net's file; the test is skipped where it is absent."""
    if not UNET.is_file():
        pytest.skip(f"{UNET} is absent; AIS_TEST_UNET names another place")
    return UNET


def random_coupling(generator: np.random.Generator, nodes: int, strength: float = 0.3) -> Array:
    """(D, D), symmetric, positive semidefinite."""
    factor = generator.standard_normal((nodes, nodes)) * np.sqrt(strength / nodes)
    return np.asarray(factor @ factor.T)


def random_network(
    seed: int, sizes: tuple[int, ...] = (5, 4), rank: int = 2, *, quartic: float = 0.0, kt: float = 0.5,
    strength: float = 0.05,
) -> LangevinNetwork:  # fmt: skip
    """Modules in a row, each joined to the next; positive definite at the strengths given."""
    generator = np.random.default_rng(seed)
    modules = tuple(
        Module(
            f"m{number}",
            random_coupling(generator, nodes),
            generator.uniform(0.3, 0.6, nodes),
            quartic * generator.uniform(0.5, 1.5, nodes),
        )
        for number, nodes in enumerate(sizes)
    )
    skips = tuple(
        Skip(
            number,
            number + 1,
            strength * generator.standard_normal((sizes[number], rank)),
            generator.standard_normal((sizes[number + 1], rank)),
        )
        for number in range(len(sizes) - 1)
    )
    nodes = sum(sizes)
    return LangevinNetwork(
        modules, skips, generator.standard_normal(nodes), kt, np.arange(nodes - sizes[-1], nodes)
    )


def one_node(quadratic: float, quartic: float = 0.0, bias: float = 0.0, kt: float = 1.0) -> LangevinNetwork:
    """A network of a single node."""
    module = Module("node", np.zeros((1, 1)), np.array([quadratic]), np.array([quartic]))
    return LangevinNetwork((module,), (), np.array([bias]), kt, np.array([0]))


def activations_file(
    path: Path, *, channels: int = 12, train: int = 80, test: int = 20, seed: int = 0,
    **replaced: Array | None,
) -> Path:  # fmt: skip
    """Kernels and activations of a network that never was: few directions about a mean that dominates, as in real ones.

    ``replaced`` takes datasets by name with ``__`` for a slash; None leaves one out.
    """
    generator = np.random.default_rng(seed)
    mean = generator.normal(0, 0.5, (2, channels))
    directions = generator.normal(0, 0.04, (3, 2, channels))

    def inputs(samples: int) -> tuple[Array, Array]:
        found = mean + np.einsum("sk,kmc->smc", generator.standard_normal((samples, 3)), directions)
        return found[:, 0], found[:, 1]

    datasets: dict[str, Any] = {
        "kernels/encoder": generator.uniform(-0.08, 0.08, (channels, channels, 3, 3)),
        "kernels/decoder": generator.uniform(-0.05, 0.05, (channels, 2 * channels, 3, 3)),
    }
    for split, samples in (("train", train), ("test", test)):
        datasets[f"{split}/encoder"], datasets[f"{split}/decoder"] = inputs(samples)
    datasets |= {name.replace("__", "/"): values for name, values in replaced.items()}
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "unet-activations", "version": 1, "dataset": "none"})
        for name, values in datasets.items():
            if values is not None:
                file[name] = values
    return path
