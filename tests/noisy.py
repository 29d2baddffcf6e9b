"""Noise through the whole chain: from a core and a grid to the circuit's trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from device_models.families import family
from emulator.devices import choose, make_deck
from emulator.ngspice import Simulation, capabilities
from emulator.simulator import Simulator
from emulator.trajectory import Trajectory, from_simulation
from netlists.compile import Devices
from netlists.core import AnalogCore, Array, InitialDistribution
from netlists.dialects.ngspice import SolverOptions
from netlists.noise import Noise
from netlists.scaling import Scaling

SCALING = Scaling.model_validate({})


@dataclass(frozen=True)
class NoisyRun:
    """What ngspice made of a core under a sample's noise."""

    trajectory: Trajectory
    simulation: Simulation
    noise: Noise

    @property
    def at_grid(self) -> Array:
        """(K+1, N) states at the grid points, on which the solver has to have landed."""
        times = self.noise.grid.times(self.trajectory.time[-1])
        index = self.trajectory.nearest(times)
        assert np.abs(self.trajectory.time[index] - times).max() < 1e-6 * self.noise.grid.step
        return self.trajectory.state[index]


def noisy_run(
    simulator: Simulator, core: AnalogCore, noise: Noise, devices: Devices = "compiled", *, step: float | None = None,
    reltol: float = 1e-6,
) -> NoisyRun:  # fmt: skip
    """Runs the core from its first start in steps as long as the grid's, unless told otherwise."""
    step = step or noise.grid.step
    steps = math.ceil(core.duration / step)
    ability = simulator.call(capabilities)
    choice = choose(core, SCALING, steps, ability, devices, noise=noise.grid)
    options = SolverOptions(reltol=reltol, step=SCALING.seconds(step))
    start = core.initial_states(0, 0)
    simulation = simulator.simulate(make_deck(choice, options, start, noise), limit_s=300)
    assert simulation.judgement.completed, simulation.judgement.reason
    return NoisyRun(from_simulation(simulation, start, SCALING, core.duration), simulation, noise)


def uncoupled(family_name: str, nodes: int, duration: float, **parameters: float) -> AnalogCore:
    """Independent copies of a cell, all of which start at 0; parameters that are not given are 0."""
    model = family(family_name)
    shapes = {"core": (), "node": (nodes,), "node-and-chunk": (1, nodes)}
    return AnalogCore(
        family_name=family_name,
        shape=(1, nodes),
        edges=np.zeros((0, 2), dtype=np.int64),
        visible=np.arange(nodes),
        boundaries=np.array([0.0, duration]),
        coupling=np.zeros((1, 0)),
        parameters={
            p.name: np.full(shapes[p.scope], float(parameters.get(p.name, 0.0))) for p in model.parameters
        },
        symmetric=True,
        readout=model.default_readout,
        image_shape=None,
        initial=InitialDistribution(-1e-12, 1e-12),
    )
