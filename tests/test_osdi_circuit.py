"""Compiled circuits in ngspice: against behavioural ones and the reference, several in one process."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from device_models.printers.osdi import Jacobian
from emulator.compiled import BuildFailed, build
from emulator.ngspice import Deck, NgspiceUnavailable, Simulation, capabilities
from emulator.reference import trajectory
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.circuit import Circuit
from netlists.compile import Devices, compile_core
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions, write_deck, write_netlist
from netlists.scaling import Scaling

SCALING = Scaling.model_validate({})
OPTIONS = SolverOptions.model_validate({"reltol": 1e-7, "rows": 100})


@pytest.fixture(scope="module")
def simulator():  # type: ignore[no-untyped-def]
    """A worker whose ngspice takes compiled devices."""
    with Simulator() as worker:
        try:
            ability = worker.call(capabilities)
        except NgspiceUnavailable as error:
            pytest.skip(str(error))
        if not ability.osdi or ability.version < 44:
            pytest.skip(f"ngspice {ability.version} takes no compiled devices (OSDI 0.4 needs version 44)")
        try:
            build(compile_core(make_core(2, 2, 1), SCALING, "compiled").device_source or "")
        except BuildFailed as error:
            pytest.skip(str(error))
        yield worker


def make_core(rows: int, columns: int, chunks: int, seed: int = 0, *, symmetric: bool = True) -> AnalogCore:
    """Neighbours at most one row and column away, random weights of about a half, T = 4."""
    rng = np.random.default_rng(seed)
    nodes = rows * columns
    pairs = itertools.product(range(nodes), repeat=2)
    near = [
        (i, j) for i, j in pairs
        if i != j and abs(i // columns - j // columns) <= 1 and abs(i % columns - j % columns) <= 1
    ]  # fmt: skip
    edges = np.array(near, dtype=np.int64)
    dense = rng.normal(0, 0.5, (chunks, nodes, nodes))
    if symmetric:
        dense = np.triu(dense) + np.triu(dense).transpose(0, 2, 1)
    return AnalogCore(
        family_name="kurashil", shape=(rows, columns), edges=edges, visible=np.arange(0, nodes, 2),
        boundaries=np.linspace(0.0, 4.0, chunks + 1), coupling=dense[:, edges[:, 0], edges[:, 1]],
        parameters={
            "shil": rng.normal(0, 0.3, (chunks, nodes)), "bias": rng.normal(0, 0.3, (chunks, nodes)),
            "detuning": rng.normal(0, 0.2, nodes),
        },
        symmetric=symmetric, readout="cos", image_shape=None,
    )  # fmt: skip


def run(
    simulator: Simulator, core: AnalogCore, start: Array, devices: Devices = "compiled",
    jacobian: Jacobian = "own", options: SolverOptions = OPTIONS,
) -> Simulation:  # fmt: skip
    circuit = compile_core(core, SCALING, devices, jacobian)
    simulation = simulator.simulate(deck_of(circuit, options, start), limit_s=120)
    assert simulation.judgement.completed, simulation.judgement
    return simulation


def deck_of(circuit: Circuit, options: SolverOptions, start: Array) -> Deck:
    libraries = () if circuit.device_source is None else (build(circuit.device_source),)
    return Deck(
        write_deck(circuit, options, start), circuit.state_nodes, circuit.stop,
        circuit.inventory.devices, circuit.inventory.unknowns, libraries,
    )  # fmt: skip


@pytest.mark.parametrize(("chunks", "symmetric"), [(1, True), (3, True), (3, False)])
def test_compiled_behavioural_and_reference_agree(simulator: Simulator, chunks: int, symmetric: bool) -> None:
    core = make_core(4, 5, chunks, symmetric=symmetric)
    start = core.initial_states(1, 0)
    own, full = (run(simulator, core, start, jacobian=kind) for kind in ("own", "full"))
    behavioural = run(simulator, core, start, "behavioural")
    reference = trajectory(core, start, own.time / SCALING.tau)
    assert np.abs(own.values - reference).max() < 5e-4
    assert np.abs(full.values[-1] - own.values[-1]).max() < 1e-4
    assert np.abs(behavioural.values[-1] - own.values[-1]).max() < 5e-4


def test_a_boundary_is_a_time_point_and_the_rate_jumps_there(simulator: Simulator) -> None:
    core = make_core(3, 3, 2)
    # no coupling and no pulls: the phase runs at its detuning, then chunk 2 pulls it
    still = np.zeros_like(core.coupling)
    pull = np.stack([np.zeros(9), np.ones(9)])
    core = dataclasses.replace(
        core, coupling=still, parameters={"shil": pull * 0, "bias": pull, "detuning": np.full(9, 0.1)}
    )
    found = run(simulator, core, np.full(9, 0.5))
    at = np.abs(found.time - 2e-6).argmin()
    assert abs(found.time[at] - 2e-6) < 1e-14
    assert np.abs(found.values[: at + 1] - (0.5 + 0.1e6 * found.time[: at + 1])[:, None]).max() < 1e-6
    assert found.values[at + 1, 0] < found.values[at, 0]


def test_libraries_of_the_same_family_in_one_process(simulator: Simulator) -> None:
    """ngspice takes the first device type of a name; cells of one chunk and of two must not be mixed up."""
    for chunks in (1, 2, 1):
        core = make_core(3, 3, chunks)
        start = core.initial_states(5, 0)
        found = run(simulator, core, start).values[-1]
        assert np.abs(found - trajectory(core, start, np.array([core.duration]))[-1]).max() < 5e-4


def test_cores_one_after_the_other_in_one_process(simulator: Simulator) -> None:
    """The same library, other sizes and weights: nothing of one core may reach the next."""
    cores = [make_core(rows, 4, 2, seed) for seed, rows in enumerate([5, 3, 6, 3])]
    starts = [core.initial_states(2, k) for k, core in enumerate(cores)]
    process = simulator.call(worker_id)
    first = [run(simulator, core, start).values[-1] for core, start in zip(cores, starts, strict=True)]
    again = [run(simulator, core, start).values[-1] for core, start in zip(cores, starts, strict=True)]
    assert simulator.call(worker_id) == process
    for core, start, one, two in zip(cores, starts, first, again, strict=True):
        assert np.array_equal(one, two)
        assert np.abs(one - trajectory(core, start, np.array([core.duration]))[-1]).max() < 5e-4


def worker_id() -> int:
    import os

    return os.getpid()


def test_operating_point_before_a_transient_and_without_klu(simulator: Simulator) -> None:
    """Other solver paths: an operating point (evaluated cell by cell), then two threads."""
    core = make_core(3, 3, 1)
    start = core.initial_states(3, 0)
    circuit = compile_core(core, SCALING, "compiled", "full")
    deck = deck_of(circuit, OPTIONS, start)
    plain = simulator.simulate(deck, limit_s=60)
    klu = simulator.simulate(deck_of(circuit, OPTIONS.model_copy(update={"klu": True}), start), limit_s=60)
    assert np.abs(plain.values[-1] - klu.values[-1]).max() < 1e-6
    settled = simulator.simulate(dataclasses.replace(deck, text=deck.text.replace(" uic", "")), limit_s=60)
    assert settled.judgement.completed, settled.judgement


def test_several_threads_do_no_harm(simulator: Simulator) -> None:
    core = make_core(4, 4, 2)
    start = core.initial_states(4, 0)
    alone = run(simulator, core, start).values[-1]
    with Simulator() as other:
        other.call(set_threads, 3)
        assert np.abs(run(other, core, start).values[-1] - alone).max() < 1e-5


def set_threads(count: int) -> None:
    from emulator import ngspice

    ngspice._instance().ask(f"set num_threads={count}")


def test_a_missing_library_is_a_verdict(simulator: Simulator, tmp_path: object) -> None:
    core = make_core(2, 2, 1)
    deck = deck_of(compile_core(core, SCALING, "compiled"), OPTIONS, core.initial_states(0, 0))
    gone = deck.libraries[0].with_name("gone.osdi")
    with Simulator() as other:
        simulation = other.simulate(dataclasses.replace(deck, libraries=(gone,)), limit_s=60)
    assert simulation.verdict is Verdict.PARSE_ERROR
    assert "gone.osdi" in simulation.judgement.reason


def test_netlist_lists_neighbours_and_weights() -> None:
    core = make_core(2, 2, 2)
    circuit = compile_core(core, SCALING, "compiled")
    files = write_netlist(circuit, OPTIONS, np.zeros(4))
    assert ".model kurashil_3 kurashil_own_3_" in files.library
    line = next(line for line in files.core.splitlines() if line.startswith("Nr00c01 "))
    assert line.startswith("Nr00c01 r00c01 r00c00 r01c00 r01c01 kurashil_3 ")
    weights = core.coupling[1][core.edges[:, 0] == 1].tolist()
    assert f"k_2={':'.join(map(repr, weights))}" in files.core
    broken = compile_core(dataclasses.replace(core, coupling=core.coupling * np.nan), SCALING, "compiled")
    with pytest.raises(ValueError, match="not finite"):
        write_deck(broken, OPTIONS, np.zeros(4))
