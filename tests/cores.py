"""Small cores for the tests, and the way from a core to the phases that ngspice finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from device_models.printers.osdi import Jacobian
from emulator.compiled import build
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.circuit import Circuit
from netlists.compile import Devices, compile_core
from netlists.core import AnalogCore, Array, Index
from netlists.dialects.ngspice import SolverOptions, write_deck
from netlists.scaling import Scaling

# A second a model time unit and a farad a cell: times in the circuit are model times, currents are rates.
UNIT = Scaling(tau=1.0, capacitance=0.5)
DEFAULTS = SolverOptions()


def core(
    shape: tuple[int, int] = (1, 1), edges: ArrayLike = (), coupling: ArrayLike = 0.0, *,
    boundaries: ArrayLike = (0.0, 1.0), shil: ArrayLike = 0.0, bias: ArrayLike = 0.0,
    detuning: ArrayLike = 0.0, symmetric: bool = False, visible: ArrayLike | None = None,
) -> AnalogCore:  # fmt: skip
    """A KuraSHIL core. Weights are broadcast: (E,) or (N,) hold in every chunk, a number everywhere.

    ``coupling`` that is to differ from chunk to chunk is (T, E), or (T, 1) for all edges alike.
    """
    nodes = shape[0] * shape[1]
    pairs: Index = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    times = np.asarray(boundaries, dtype=np.float64)
    chunks = len(times) - 1

    def spread(values: ArrayLike, *full: int) -> Array:
        return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), full))

    return AnalogCore(
        family_name="kurashil",
        shape=shape,
        edges=pairs,
        visible=np.arange(nodes) if visible is None else np.asarray(visible, dtype=np.int64),
        boundaries=times,
        coupling=spread(coupling, chunks, len(pairs)),
        parameters={
            "shil": spread(shil, chunks, nodes),
            "bias": spread(bias, chunks, nodes),
            "detuning": spread(detuning, nodes),
        },
        symmetric=symmetric,
        readout="cos",
        image_shape=None,
    )


def both_ways(pairs: ArrayLike) -> Index:
    """(2Q, 2): every pair (i, j) followed, after all of them, by every (j, i)."""
    once: Index = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return np.concatenate([once, once[:, ::-1]])


def window_grid(rows: int, columns: int, radius: int) -> Index:
    """(E, 2) edges of a grid where each node hears all others of the square window around it, clipped."""
    offsets = [
        (r, c) for r in range(-radius, radius + 1) for c in range(-radius, radius + 1) if (r, c) != (0, 0)
    ]
    return np.array([
        (r * columns + c, (r + dr) * columns + c + dc)
        for r in range(rows) for c in range(columns) for dr, dc in offsets
        if 0 <= r + dr < rows and 0 <= c + dc < columns
    ], dtype=np.int64).reshape(-1, 2)  # fmt: skip


def all_to_all(nodes: int) -> Index:
    """(N(N-1), 2) edges between all nodes, both ways."""
    return both_ways(np.stack(np.triu_indices(nodes, 1), axis=1))


def symmetric_weights(edges: Index, generator: np.random.Generator, chunks: int = 1) -> Array:
    """(T, E) normal weights, the same for an edge and its reverse."""
    once = {tuple(sorted(edge)) for edge in edges.tolist()}
    row = {pair: k for k, pair in enumerate(sorted(once))}
    drawn = generator.standard_normal((chunks, len(row)))
    return drawn[:, [row[tuple(sorted(edge))] for edge in edges.tolist()]]


def deck_of(circuit: Circuit, options: SolverOptions, initial: Array) -> Deck:
    """The deck of a circuit, everything that can be checked asked for."""
    return Deck(
        text=write_deck(circuit, options, initial),
        vectors=circuit.state_nodes,
        stop=circuit.stop,
        devices=circuit.inventory.devices,
        unknowns=circuit.inventory.unknowns,
    )


@dataclass(frozen=True)
class Phases:
    """Model time (P,) and phases (P, N), at the points the solver chose; first the initial state."""

    time: Array
    phase: Array

    @property
    def final(self) -> Array:
        """(N,) phases at the end."""
        return self.phase[-1]


def run(
    simulator: Simulator, analog_core: AnalogCore, initial: ArrayLike, *, steps: int | None = None,
    options: SolverOptions = DEFAULTS, scaling: Scaling = UNIT, devices: Devices = "behavioural",
    jacobian: Jacobian = "own",
) -> Phases:  # fmt: skip
    """Compiles a core, runs it in ngspice and demands the verdict COMPLETED.

    With ``steps`` the solver takes that many equal steps (and a few short ones at the start and after each
    chunk boundary), so that its error is that of the trapezoidal rule and nothing else: Newton's tolerance is
    1e-12, for ngspice carries on with the last but one iteration, and the test of the local error is off.
    """
    start = np.broadcast_to(np.asarray(initial, dtype=np.float64), (analog_core.nodes,))
    circuit = compile_core(analog_core, scaling, devices, jacobian)
    if steps is not None:
        options = SolverOptions(reltol=1e-12, rows=steps)
    deck = deck_of(circuit, options, start)
    if steps is not None:
        deck = replace(deck, text=deck.text.replace("\n.options ", "\n.options trtol=1e12 "))
    if circuit.device_source is not None:
        deck = replace(deck, libraries=(build(circuit.device_source),))
    result = simulator.simulate(deck, limit_s=60)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    # ngspice's first point is the end of its first step, not the start
    time = np.concatenate([[0.0], result.time / scaling.tau])
    return Phases(time, np.concatenate([start[None], result.values]))
