"""Tiny weights files: runs of them take a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netlists.core import AnalogCore, Array, Index
from netlists.weights import write_weights


def neighbours(rows: int, columns: int) -> Index:
    """(E, 2) edges between horizontal and vertical neighbours, both ways."""
    node = np.arange(rows * columns).reshape(rows, columns)
    pairs = [(node[:, :-1], node[:, 1:]), (node[:-1], node[1:])]
    once = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs])
    return np.concatenate([once, once[:, ::-1]])


def small_core(
    shape: tuple[int, int] = (4, 4), chunks: int = 2, duration: float = 2.0, *, seed: int = 0,
    symmetric: bool = True, strength: float = 0.5,
) -> AnalogCore:  # fmt: skip
    """A KuraSHIL core of random weights on a grid of nearest neighbours; every other node is visible."""
    generator = np.random.default_rng(seed)
    nodes, edges = shape[0] * shape[1], neighbours(*shape)
    half = strength * generator.standard_normal((chunks, len(edges) // 2))
    back = half if symmetric else strength * generator.standard_normal(half.shape)

    def spread(*full: int) -> Array:
        return strength * generator.standard_normal(full)

    return AnalogCore(
        family_name="kurashil",
        shape=shape,
        edges=edges,
        visible=np.arange(0, nodes, 2),
        boundaries=np.linspace(0.0, duration, chunks + 1),
        coupling=np.concatenate([half, back], axis=1),
        parameters={"shil": spread(chunks, nodes), "bias": spread(chunks, nodes), "detuning": spread(nodes)},
        symmetric=symmetric,
        readout="cos",
        image_shape=(shape[0], shape[1] // 2),
    )


def small_weights(
    path: Path, core: AnalogCore | None = None, provenance: Mapping[str, str | int] | None = None
) -> Path:
    """Writes a small core as a weights file; returns ``path``."""
    write_weights(path, small_core() if core is None else core, provenance)
    return path
