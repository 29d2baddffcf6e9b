"""Transients of networks in ngspice: as compiled cells, or element by element in a realization."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emulator.devices import Choice, DevicesAsked, choose, make_deck
from emulator.ngspice import Capabilities, Simulation
from emulator.simulator import Simulator
from emulator.thermo.circuit import TIME_LIMIT_S, completed, element_deck
from netlists.core import Array
from netlists.dialects.ngspice import SolverOptions
from netlists.network import LangevinNetwork
from netlists.network_circuit import NetworkCircuit
from netlists.network_core import network_core
from netlists.network_design import noise_sources, sampling, settling
from netlists.noise import Noise, NoiseGrid
from netlists.scaling import Scaling


@dataclass(frozen=True)
class Run:
    """States along a transient.

    Attributes:
        time: (P,) ascending model times, the first is 0.
        states: (P, N), model units.
        simulation: that it came from.
    """

    time: Array
    states: Array
    simulation: Simulation


@dataclass(frozen=True)
class Cells:
    """A network under one input as cells, compiled where this ngspice takes such.

    Attributes:
        choice: the devices.
        options: of the solver.
        scaling: seconds and farads; a unit of state is one volt here.
        duration: model time of a run.
    """

    choice: Choice
    options: SolverOptions
    scaling: Scaling
    duration: float


def cells(
    network: LangevinNetwork, bias: Array, duration: float, steps: int, ability: Capabilities, scaling: Scaling, *,
    matrix: Array | None = None, noise: NoiseGrid | None = None, devices: DevicesAsked = "auto", reltol: float = 1e-6,
) -> Cells:  # fmt: skip
    """A network under (N,) forces, to be run for ``duration`` in ``steps`` equal steps under noise, or more without.

    Under noise a whole number of steps has to lie between two grid points.

    ``matrix`` takes the place of M: that of the network as it can be made.

    Raises:
        DevicesError: compiled cells were asked for and can't be had.
    """
    choice = choose(
        network_core(network, bias, duration, matrix), scaling, steps, ability, devices, noise=noise
    )
    step = None if noise is None else scaling.seconds(duration / steps)
    options = SolverOptions(
        reltol=reltol, rows=steps, step=step, klu=ability.klu and choice.jacobian == "full"
    )
    return Cells(choice, options, scaling, duration)


def run_cells(simulator: Simulator, prepared: Cells, start: Array, noise: Noise | None = None) -> Run:
    """Runs cells from (N,) states, under a sample's noise if they were made with its grid.

    Raises:
        CircuitFailed: the simulation did not complete.
    """
    deck = make_deck(prepared.choice, prepared.options, start, noise)
    found = completed(simulator.simulate(deck, limit_s=TIME_LIMIT_S))
    return _run(found, found.values, start, prepared.scaling)


def run_elements(
    simulator: Simulator, ability: Capabilities, circuit: NetworkCircuit, bias: Array, duration: float,
    start: Array, *, points: int = 500, noise: Noise | None = None,
) -> Run:  # fmt: skip
    """Runs a network's own elements under (N,) forces from (N,) states, in ``points`` steps or more.

    Under noise steps are those of its grid, whose numbers come from outside: that costs the square of their number.

    Raises:
        BiasError: forces beyond the converters' full scale.
        CircuitFailed: the simulation did not complete.
    """
    if noise is None:
        deck = element_deck(circuit, bias, settling(circuit.scaling, duration, points=points), ability, start)
    else:
        analysis = sampling(circuit.scaling, duration, noise.grid.step)
        sources = tuple(noise_sources(circuit, noise, duration))
        deck = element_deck(circuit, bias, analysis, ability, start, sources)
    found = completed(simulator.simulate(deck, limit_s=TIME_LIMIT_S))
    return _run(found, circuit.states(found.values), start, circuit.scaling)


def _run(simulation: Simulation, states: Array, start: Array, scaling: Scaling) -> Run:
    """With the start before ngspice's first point, which lies after 0."""
    later = simulation.time > 0
    time = np.concatenate([[0.0], simulation.time[later] / scaling.tau])
    return Run(
        time, np.concatenate([start[None, :], states[later]]), replace(simulation, values=np.empty((0, 0)))
    )
