"""The analog core: a grid of nodes, the couplings between them, and the schedule of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from device_models.families import family
from device_models.model import CellModel, coupling_form

if TYPE_CHECKING:
    import networkx as nx

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InitialDistribution:
    """Where the states start: uniform on [low, high), independent per node, in the state's unit."""

    low: float
    high: float
    kind: str = "uniform"


@dataclass(frozen=True)
class AnalogCore:
    """Trained weights as a core of cells, in model units. T chunks, E directed edges, N nodes, V pixels.

    Attributes:
        family_name: family of the cells.
        shape: rows and columns; N is their product, node r·columns + c stands at (r, c).
        edges: (E, 2), i receives from j.
        visible: (V,), node of each pixel, row-major in the image.
        boundaries: (T+1,), model times at which the weights change; the first is 0.
        coupling: (T, E), K_ij of each chunk, per model time unit.
        parameters: cell parameters by name, (T, N), (N,) or () as the family's scope says.
        symmetric: couplings are passive, K_ij = K_ji, and one element serves both directions.
        readout: kind of ``device_models.readout``.
        image_shape: rows and columns of the image, or None.
        initial: distribution of the initial states.
    """

    family_name: str
    shape: tuple[int, int]
    edges: Index
    visible: Index
    boundaries: Array
    coupling: Array
    parameters: Mapping[str, Array]
    symmetric: bool
    readout: str
    image_shape: tuple[int, int] | None
    initial: InitialDistribution = field(default=InitialDistribution(-np.pi, np.pi))

    @property
    def family(self) -> CellModel:
        """The mathematics of the cells."""
        return family(self.family_name)

    @property
    def nodes(self) -> int:
        """N."""
        return self.shape[0] * self.shape[1]

    @property
    def chunks(self) -> int:
        """T."""
        return len(self.boundaries) - 1

    @property
    def duration(self) -> float:
        """Model time from start to readout."""
        return float(self.boundaries[-1])

    @cached_property
    def hidden(self) -> Index:
        """Nodes that no pixel shows, ascending."""
        return np.setdiff1d(np.arange(self.nodes), self.visible)

    @cached_property
    def node_names(self) -> tuple[str, ...]:
        """Name of each node by row and column, such as ``r03c07``."""
        rows, columns = self.shape
        wide_r, wide_c = max(2, len(str(rows - 1))), max(2, len(str(columns - 1)))
        return tuple(f"r{r:0{wide_r}d}c{c:0{wide_c}d}" for r in range(rows) for c in range(columns))

    @cached_property
    def couplers(self) -> tuple[Index, Index]:
        """Physical couplers: (Q, 2) node pairs and for each the (Q,) edge that holds its weights.

        Symmetric cores have an element a pair, named once; asymmetric ones, and families whose cells sum their
        inputs themselves, a directed coupler an edge.
        """
        if coupling_form(self.family, symmetric=self.symmetric) in ("directed", "summing"):
            return self.edges, np.arange(len(self.edges))
        once = np.flatnonzero(self.edges[:, 0] < self.edges[:, 1])
        return self.edges[once], once

    @cached_property
    def coupler_of(self) -> Index:
        """(E,) number of the physical coupler that each edge is a direction of."""
        pairs, _ = self.couplers
        if len(pairs) == len(self.edges):
            return np.arange(len(self.edges))
        names = [pair @ [self.nodes, 1] for pair in (pairs, np.sort(self.edges, axis=1))]
        order = np.argsort(names[0])
        return order[np.searchsorted(names[0], names[1], sorter=order)]

    @cached_property
    def degree(self) -> Index:
        """(N,) number of neighbours each node receives from."""
        return np.bincount(self.edges[:, 0], minlength=self.nodes)

    @cached_property
    def wire_lengths(self) -> Array:
        """(Q,) Manhattan length of each coupler's wire, in cell pitches."""
        pairs, _ = self.couplers
        columns = self.shape[1]
        return np.abs(np.diff(pairs // columns, axis=1)[:, 0]) + np.abs(
            np.diff(pairs % columns, axis=1)[:, 0]
        ).astype(np.float64)

    def graph(self) -> nx.DiGraph:
        """The couplings as a networkx graph, j → i, with ``weights`` a list of one K a chunk.

        Nodes carry ``row``, ``column`` and ``visible``.
        """
        import networkx as nx  # a tenth of a second, which every command would wait for

        graph = nx.DiGraph(family=self.family_name)
        shown = set(self.visible.tolist())
        columns = self.shape[1]
        for node in range(self.nodes):
            graph.add_node(node, row=node // columns, column=node % columns, visible=node in shown)
        for edge, (receiver, sender) in enumerate(self.edges.tolist()):
            graph.add_edge(sender, receiver, weights=self.coupling[:, edge].tolist())
        return graph

    def initial_states(self, seed: int, sample: int) -> Array:
        """(N,) initial state of one sample; a function of seed and sample number alone."""
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(sample,))))
        return generator.uniform(self.initial.low, self.initial.high, self.nodes)
