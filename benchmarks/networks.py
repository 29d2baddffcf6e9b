"""Langevin networks: operating points, and transients under noise."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Measure
from emulator.doctor import find_capabilities
from emulator.simulator import Simulator
from emulator.thermo.circuit import NetworkSettings, circuit_of, operating_points
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.sampling import injection, sample_equilibrium
from netlists.scaling import NetworkScaling
from netlists.synthetic import random_network

POINTS = 2000
RANK = 16


def networks(rounds: int) -> list[Measure]:
    """CPU of an operating point of 128 + 128 nodes with its error, and of 2,000 grid points of 64 + 64 under noise."""
    large, small = random_network((128, 128), rank=RANK, seed=2), random_network((64, 64), rank=RANK, seed=5)
    circuit, _ = circuit_of(large, NetworkSettings())
    wanted, at_rest = equilibrium(large, large.bias[None]), equilibrium(small, small.bias[None])[0]
    drive = injection(small, "isotropic", 11)
    points, errors, noisy = [], [], []
    with Simulator() as simulator:
        ability = find_capabilities(simulator)
        for turn in range(rounds):
            found, cpu_s = operating_points(simulator, ability, circuit, large.bias[None])
            points.append(cpu_s)
            errors.append(float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted)))
            run = sample_equilibrium(
                simulator, ability, small, small.bias, drive, NetworkScaling(tau=1e-6), at_rest, POINTS, turn
            )
            noisy.append(run.cpu_s)
    kept = (
        f"{POINTS} grid points and those of settling, {run.points} solver points, {run.iterations} iterations"
    )
    return [
        Measure(
            "networks", "operating point of 128 + 128 nodes, ideal, rank 16", "s CPU", tuple(points), must=2
        ),
        Measure("networks", "the same against linear algebra", "relative", tuple(errors), must=1e-6),
        Measure("networks", "64 + 64 nodes under noise", "s CPU", tuple(noisy), must=5, notes=kept),
    ]
