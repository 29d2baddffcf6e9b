"""Random cores of any size: the same shape as trained ones, for benchmarks, tests and first experiments."""

from __future__ import annotations

import numpy as np

from device_models.families import family
from netlists.core import AnalogCore, Index, InitialDistribution
from netlists.network import LangevinNetwork, Module, Skip


def window_edges(rows: int, columns: int, radius: int = 2) -> Index:
    """(E, 2) edges (i, j) of a grid whose nodes couple to all others in a square window, clipped at the edge.

    Radius 2 gives 24 neighbours inside the grid. Sorted by receiver, then by sender.
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    blocks = []
    for dr in range(-radius, radius + 1):
        for dc in range(-radius, radius + 1):
            r, c = row + dr, column + dc
            inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns) & ((dr, dc) != (0, 0))
            receivers = np.flatnonzero(inside)
            blocks.append(np.stack([receivers, r[inside] * columns + c[inside]], axis=1))
    edges = np.concatenate(blocks)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]


def window_core(
    rows: int, columns: int, *, family_name: str = "kurashil", radius: int = 2, chunks: int = 1,
    duration: float = 10.0, strength: float = 0.37, symmetric: bool = True, seed: int = 0,
) -> AnalogCore:  # fmt: skip
    """A core with normal couplings of the given rms, and chunked parameters uniform on [0, 0.5).

    Both are about as large as in the trained digits core (rms of K 0.37, mean of S 0.27). Visible is one node in
    each 2 × 2 cell, as there.
    """
    model, generator = family(family_name), np.random.default_rng(seed)
    nodes, edges = rows * columns, window_edges(rows, columns, radius)
    coupling = generator.normal(0.0, strength, (chunks, len(edges)))
    if symmetric:
        low, high = np.sort(edges, axis=1).T
        _, pair = np.unique(low * nodes + high, return_inverse=True)
        coupling = generator.normal(0.0, strength, (chunks, pair.max(initial=-1) + 1))[:, pair]
    shapes = {"core": (), "node": (nodes,), "node-and-chunk": (chunks, nodes)}
    # a langevin node needs a well to stay in
    wells = {"quadratic": 1.0, "quartic": 0.1}
    parameters = {
        p.name: np.full(shapes[p.scope], wells.get(p.name, p.default)) if p.scope != "node-and-chunk" else
        generator.uniform(0.0, 0.5, shapes[p.scope])
        for p in model.parameters
    }  # fmt: skip
    grid = np.arange(nodes).reshape(rows, columns)
    visible = grid[::2, ::2]
    return AnalogCore(
        family_name=family_name,
        shape=(rows, columns),
        edges=edges,
        visible=visible.ravel(),
        boundaries=np.linspace(0.0, duration, chunks + 1),
        coupling=coupling,
        parameters=parameters,
        symmetric=symmetric,
        readout=model.default_readout,
        image_shape=(visible.shape[0], visible.shape[1]),
        initial=InitialDistribution(-np.pi, np.pi)
        if model.state.periodic
        else InitialDistribution(-1.0, 1.0),
    )


def random_network(
    sizes: tuple[int, ...] = (16,), *, rank: int = 0, quartic: float = 0.0, kt: float = 1.0, seed: int = 0,
    strength: float = 0.5,
) -> LangevinNetwork:  # fmt: skip
    """Langevin modules with Gram couplings of both signs, positive definite; with a rank, a skip from each to the next.

    Args:
        sizes: nodes of the modules.
        rank: of the skips; 0 for none.
        quartic: of every node.
        kt, seed, strength: temperature, of the random numbers, of the modules' couplings.
    """
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
