"""Tiny weights files: runs of them take a fraction of a second."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device_models.families import FAMILIES
from emulator.claimed import Mode
from emulator.ngspice import Capabilities
from emulator.realisation import Realisation
from emulator.reference import ReferenceFailed
from emulator.results import Columns, Results
from emulator.run import run
from emulator.settings import RunSettings
from netlists.core import AnalogCore, Array, Index, InitialDistribution
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


# Parameters that make a family neither stiff nor dull; all others are normal
USUAL = {"alpha": 0.6, "beta": 0.5, "gain": 1.3, "quadratic": 0.8, "quartic": 0.2}


def family_core(family: str, *, symmetric: bool, seed: int = 0) -> AnalogCore:
    """A small core of any family, with parameters of its own at every node."""
    core = small_core(symmetric=symmetric, seed=seed)
    model, generator = FAMILIES[family], np.random.default_rng(seed)
    shapes = {"core": (), "node": (core.nodes,), "node-and-chunk": (core.chunks, core.nodes)}
    parameters = {
        parameter.name: np.asarray(
            USUAL[parameter.name] * generator.uniform(0.8, 1.2, shapes[parameter.scope])
            if parameter.name in USUAL
            else 0.5 * generator.standard_normal(shapes[parameter.scope])
        )
        for parameter in model.parameters
    }
    low, high = (-np.pi, np.pi) if model.state.periodic else (-1.0, 1.0)
    return replace(
        core, family_name=family, parameters=parameters, readout=model.default_readout,
        initial=InitialDistribution(low, high),
    )  # fmt: skip


def small_weights(
    path: Path, core: AnalogCore | None = None, provenance: Mapping[str, str | int] | None = None
) -> Path:
    """Writes a small core as a weights file; returns ``path``."""
    write_weights(path, small_core() if core is None else core, provenance)
    return path


class Quiet:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.asked, self.todo, self.ngspice, self.devices = -1, -1, -1, ""
        self.done: dict[int, str] = {}
        self.reached: dict[int, float] = {}

    def status(self, text: str) -> None:
        """Nobody listens."""

    def planned(self, samples: int, todo: int, ability: Capabilities, realisation: Realisation) -> None:
        self.asked, self.todo, self.ngspice, self.devices = (
            samples,
            todo,
            ability.version,
            realisation.devices,
        )

    def progress(self, sample: int, fraction: float) -> None:
        self.reached[sample] = fraction

    def finished(self, sample: int, row: Columns) -> None:
        self.done[sample] = str(row["samples/verdict"][0])


def small_run(
    weights: Path, out: Path, mode: Mode = "new", observer: Quiet | None = None, **settings: Any
) -> Results:
    """A run of few rows, one after the other unless told otherwise; ``settings`` are those of RunSettings."""
    given = {"samples": 2, "jobs": 1, "rows": 50, **settings}
    return run(weights, RunSettings.model_validate(given), out, mode, observer or Quiet())


def assert_same_results(a: Results, b: Results) -> None:
    """To the bit, in everything but the time it took."""
    for one, two in [(a.rows, b.rows), (a.trajectories, b.trajectories)]:
        assert one.keys() == two.keys()
        for name in one:
            if name not in ("timing/simulator_cpu", "timing/simulator_wall", "timing/reference_wall"):
                np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    # a results file also has its own format's attributes
    own = {"format", "version"}
    assert {k: v for k, v in a.attributes.items() if k not in own} == {
        k: v for k, v in b.attributes.items() if k not in own
    }


# Stand-ins for the cross-check, which runs in the worker process: these can be imported there


def failing_crosscheck(*_: object) -> None:
    """A reference that gives up."""
    raise ReferenceFailed("the reference solver DOP853 stopped: for a test")


def dying_crosscheck(*_: object) -> None:
    """A worker that is killed while it compares."""
    os.kill(os.getpid(), signal.SIGKILL)


def hanging_crosscheck(*_: object) -> None:
    """A reference without an end."""
    time.sleep(1000)
