"""From a core to a netlist: every weight at its place, counts as ngspice counts, the same bytes each time."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time as clock
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cores import UNIT, both_ways, core, deck_of, run, symmetric_weights, window_grid

from device_models.elements import checked_name
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.circuit import (
    Circuit,
    GlobalParameter,
    Instance,
    Inventory,
    Subcircuit,
    VoltageSteps,
)
from netlists.compile import compile_core, summarise
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import (
    BENCH_FILE,
    CORE_FILE,
    LIBRARY_FILE,
    SolverOptions,
    write_deck,
    write_netlist,
)
from netlists.scaling import Scaling
from netlists.weights import read_weights

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits16-kurashil.h5"


def random_core(
    shape: tuple[int, int], chunks: int, *, symmetric: bool, seed: int = 0, radius: int = 1, hidden: int = 0
) -> AnalogCore:
    """A core of normal weights on a window grid; ``hidden`` nodes not shown, the others in mixed order."""
    generator = np.random.default_rng(seed)
    nodes = shape[0] * shape[1]
    edges = generator.permutation(window_grid(*shape, radius))
    return core(
        shape,
        edges,
        symmetric_weights(edges, generator, chunks)
        if symmetric
        else generator.normal(size=(chunks, len(edges))),
        boundaries=np.concatenate([[0.0], np.cumsum(generator.uniform(0.2, 0.5, chunks))]),
        shil=generator.normal(size=(chunks, nodes)),
        bias=generator.normal(size=(chunks, nodes)),
        detuning=generator.normal(size=nodes),
        symmetric=symmetric,
        visible=generator.permutation(nodes)[: nodes - hidden],
    )


CORES = {
    "one cell": core(detuning=0.1),
    "one cell in chunks": core(bias=[[0.5], [-0.5]], boundaries=(0.0, 0.5, 1.0)),
    "a pair": core((1, 2), both_ways([(0, 1)]), 0.3, symmetric=True),
    "a grid without couplers": core((3, 4), shil=1.0),
    "symmetric": random_core((4, 5), 1, symmetric=True, hidden=7),
    "symmetric in chunks": random_core((4, 5), 4, symmetric=True, hidden=15),
    "directed": random_core((5, 3), 1, symmetric=False, hidden=4),
    "directed in chunks": random_core((5, 3), 3, symmetric=False, radius=2, hidden=14),
    "one way": core((2, 2), [(1, 0), (2, 0), (3, 2)], -0.4),
}


@pytest.fixture(scope="module")
def large() -> AnalogCore:
    """The published core: 56 x 56, 5 x 5 windows, four chunks, a quarter of the nodes visible."""
    generator = np.random.default_rng(0)
    edges = window_grid(56, 56, 2)
    return core(
        (56, 56), edges, symmetric_weights(edges, generator, 4), boundaries=np.arange(5.0),
        shil=generator.normal(size=(4, 3136)), bias=generator.normal(size=(4, 3136)), symmetric=True,
        visible=[2 * row * 56 + 2 * column for row in range(28) for column in range(28)],
    )  # fmt: skip


# --- reading a netlist back ------------------------------------------------------------------------------


def logical_lines(text: str) -> list[str]:
    """Lines with their continuations joined, comments dropped."""
    joined = re.sub(r"\n\+", " ", text)
    return [line for line in joined.splitlines() if line and not line.startswith("*")]


def read_back(
    core_text: str, shape: tuple[int, int]
) -> tuple[dict[str, Array], dict[tuple[int, int], Array]]:
    """Cell parameters by name, (N,), and couplers by node pair, (T,), from the core subcircuit's text."""

    def node(name: str) -> int:
        row, column = re.fullmatch(r"r(\d+)c(\d+)", name).groups()
        return int(row) * shape[1] + int(column)

    cells: dict[str, Array] = {}
    couplers: dict[tuple[int, int], Array] = {}
    for line in logical_lines(core_text):
        if not line.startswith("X"):
            continue
        words = line.split()
        values = {key: float(value) for key, value in (word.split("=") for word in words if "=" in word)}
        nodes = [word for word in words[1:-1] if "=" not in word and not word.startswith("kurashil")]
        if words[0].startswith("Xk_"):
            i, j = map(node, nodes)
            assert words[0] == f"Xk_{nodes[0]}_{nodes[1]}"
            assert (i, j) not in couplers
            couplers[i, j] = np.array([values.pop(f"k_{k + 1}") for k in range(len(values))])
            assert not values
        else:
            (name,) = nodes
            assert words[0] == f"X{name}"
            for key, value in values.items():
                cells.setdefault(key, np.full(shape[0] * shape[1], np.nan))[node(name)] = value
    return cells, couplers


def netlist_matches(analog_core: AnalogCore) -> None:
    """Every number of a core stands in its netlist, to the bit, and no other does."""
    circuit = compile_core(analog_core, Scaling())
    text = write_netlist(circuit, SolverOptions(), np.zeros(analog_core.nodes)).core
    cells, couplers = read_back(text, analog_core.shape)
    expected = {"detuning": analog_core.parameters["detuning"]}
    for k in range(analog_core.chunks):
        expected |= {f"{name}_{k + 1}": analog_core.parameters[name][k] for name in ("shil", "bias")}
    assert set(cells) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(cells[name], values, err_msg=name)
    if analog_core.symmetric:
        assert all(i < j for i, j in couplers)
        assert 2 * len(couplers) == len(analog_core.edges)
        couplers |= {(j, i): weights for (i, j), weights in couplers.items()}
    assert len(couplers) == len(analog_core.edges)
    for (i, j), weights in zip(analog_core.edges.tolist(), analog_core.coupling.T, strict=True):
        np.testing.assert_array_equal(couplers[i, j], weights)


@pytest.mark.parametrize("name", CORES)
def test_every_weight_stands_in_the_netlist_to_the_bit(name: str) -> None:
    netlist_matches(CORES[name])


def test_every_weight_of_the_example_stands_in_its_netlist() -> None:
    netlist_matches(read_weights(EXAMPLE).core)


def test_extreme_weights_are_written_as_they_are() -> None:
    awkward = [5e-324, -1e-17, 1 / 3, -0.1, 1e22, -1.7976931348623157e308, 2.0**-1074 * 3, -0.0]
    netlist_matches(core((1, 2), both_ways([(0, 1)]), np.array(awkward)[:, None], boundaries=np.arange(9.0)))
    netlist_matches(core((1, 8), detuning=awkward, bias=awkward, shil=awkward))


# --- counts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORES)
def test_inventory_is_what_ngspice_counts(any_simulator: Simulator, name: str) -> None:
    """The verdict compares devices and unknowns: COMPLETED says they agree."""
    analog_core = CORES[name]
    circuit = compile_core(analog_core, UNIT)
    pairs = len(analog_core.edges) // (2 if analog_core.symmetric else 1)
    chunked = analog_core.chunks > 1
    assert circuit.inventory == Inventory(
        {"behavioural": analog_core.nodes + pairs, "capacitor": analog_core.nodes, "voltage": int(chunked)},
        analog_core.nodes + 2 * chunked,
    )
    deck = deck_of(circuit, SolverOptions(), np.linspace(-1, 1, analog_core.nodes))
    result = any_simulator.simulate(deck)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    assert result.values.shape == (len(result.time), analog_core.nodes)


@pytest.mark.parametrize("kind", ["behavioural", "capacitor", "voltage"])
def test_a_count_that_is_off_by_one_is_noticed(simulator: Simulator, kind: str) -> None:
    circuit = compile_core(CORES["symmetric in chunks"], UNIT)
    deck = deck_of(circuit, SolverOptions(), np.zeros(20))
    counts = dict(circuit.inventory.devices)
    counts[kind] += 1
    assert simulator.simulate(replace(deck, devices=counts)).verdict is Verdict.DEVICE_COUNT
    assert simulator.simulate(replace(deck, unknowns=deck.unknowns + 1)).verdict is Verdict.DEVICE_COUNT


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_afterwards_as_before(collecting: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        compile_core(core((2, 2)), UNIT)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()


def test_symmetric_cores_have_a_coupler_a_pair_and_others_one_an_edge() -> None:
    edges = window_grid(4, 4, 1)
    passive = core((4, 4), edges, 0.2, symmetric=True)
    active = core((4, 4), edges, 0.2, symmetric=False)
    assert len(edges) == 84
    assert len(passive.couplers[0]) == 42
    assert len(active.couplers[0]) == 84
    for analog_core, kind in ((passive, "kurashil_coupler"), (active, "kurashil_coupler_directed")):
        instances = [i for i in compile_core(analog_core, UNIT).core.instances if "coupler" in i.subcircuit]
        assert {instance.subcircuit for instance in instances} == {kind}
        assert len(instances) == len(analog_core.couplers[0])


def test_window_grid_has_the_known_counts_degrees_and_lengths(large: AnalogCore) -> None:
    """56 x 56, each node with all others of its 5 x 5 window: 35,970 couplers, 24 neighbours inside."""
    pairs, _ = large.couplers
    assert len(pairs) == 35_970
    assert large.degree.mean() == pytest.approx(2 * 35_970 / 3136, abs=1e-12)
    assert round(large.degree.mean(), 2) == 22.94
    grid = large.degree.reshape(56, 56)
    assert np.all(grid[2:-2, 2:-2] == 24)
    assert grid[0, 0] == grid[0, 55] == grid[55, 0] == grid[55, 55] == 8
    assert grid[0, 1] == 11
    assert np.all(grid[0, 2:-2] == 14)
    # couplers of each span (rows, columns), by hand: as many as there are places for it
    spans = {
        (r, c): (56 - r) * (56 - c) * (2 if r and c else 1) for r in range(3) for c in range(3) if r or c
    }
    counts = np.bincount(large.wire_lengths.astype(int), minlength=5)
    assert counts.tolist() == [
        sum(n for (r, c), n in spans.items() if r + c == length) for length in range(5)
    ]
    assert np.array_equal(large.wire_lengths, large.wire_lengths.astype(int))
    assert len(large.visible) == 784
    assert len(large.hidden) == 3136 - 784
    assert not set(large.hidden) & set(large.visible)
    summary = summarise(large, compile_core(large, Scaling()).inventory)
    assert (summary.nodes, summary.visible, summary.couplers, summary.chunks) == (3136, 784, 35_970, 4)
    assert (summary.degree_min, summary.degree_max, summary.longest_wire) == (8, 24, 4.0)
    assert summary.elements == 3136 + 3136 + 35_970 + 1


def test_summary_of_a_core_without_couplers() -> None:
    summary = summarise(CORES["one cell"], compile_core(CORES["one cell"], Scaling()).inventory)
    assert (summary.couplers, summary.degree_max, summary.longest_wire, summary.elements) == (0, 0, 0.0, 2)


def test_graph_points_from_sender_to_receiver() -> None:
    analog_core = CORES["directed in chunks"]
    graph = analog_core.graph()
    assert graph.number_of_nodes() == 15
    assert graph.number_of_edges() == len(analog_core.edges)
    receiver, sender = analog_core.edges[3].tolist()
    assert graph.edges[sender, receiver]["weights"] == analog_core.coupling[:, 3].tolist()
    assert graph.nodes[7] == {"row": 2, "column": 1, "visible": 7 in analog_core.visible}


def test_degree_counts_the_neighbours_a_node_listens_to() -> None:
    analog_core = CORES["one way"]
    assert analog_core.degree.tolist() == [0, 1, 1, 1]
    assert [analog_core.graph().in_degree(node) for node in range(4)] == [0, 1, 1, 1]


# --- names, order and text -------------------------------------------------------------------------------


def test_names_carry_row_and_column() -> None:
    assert core((1, 1)).node_names == ("r00c00",)
    assert core((8, 8)).node_names[3 * 8 + 7] == "r03c07"
    assert core((100, 2)).node_names[99 * 2 + 1] == "r99c01"
    tall = core((101, 3)).node_names
    assert tall[3 * 3 + 2] == "r003c02"
    assert tall[-1] == "r100c02"
    assert core((2, 1001)).node_names[-1] == "r01c1000"
    assert len(set(core((101, 101)).node_names)) == 101 * 101


def test_ports_are_the_visible_nodes_in_the_order_of_the_image() -> None:
    analog_core = core((2, 3), visible=[4, 0, 5])
    circuit = compile_core(analog_core, Scaling())
    assert circuit.core.ports == ("r01c01", "r00c00", "r01c02")
    assert circuit.bench == (Instance("Xcore", circuit.core.ports, "ais_core", {}),)
    assert circuit.state_nodes == (
        "r00c00",
        "xcore.r00c01",
        "xcore.r00c02",
        "xcore.r01c00",
        "r01c01",
        "r01c02",
    )


def test_order_of_the_pixels_and_hiding_of_nodes_do_not_change_the_run(simulator: Simulator) -> None:
    analog_core = random_core((3, 3), 2, symmetric=False)
    start = np.linspace(-3, 3, 9)
    shown = run(simulator, replace(analog_core, visible=np.arange(9)), start, steps=300)
    for visible in ([4], [8, 0, 3], [7, 6, 5, 4, 3, 2, 1, 0]):
        mixed = run(simulator, replace(analog_core, visible=np.array(visible)), start, steps=300)
        assert np.abs(mixed.final - shown.final).max() < 1e-11


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_clock_has_a_corner_at_every_boundary(chunks: int) -> None:
    analog_core = random_core((2, 2), chunks, symmetric=False)
    scaling = Scaling(tau=3e-7)
    circuit = compile_core(analog_core, scaling)
    seconds = [float(t) * 3e-7 for t in analog_core.boundaries]
    assert circuit.stop == seconds[-1]
    if chunks == 1:
        assert circuit.clock is None
    else:
        steps = tuple((t, float(k)) for k, t in enumerate(seconds))
        assert circuit.clock == VoltageSteps("Vchunk", ("chunk", "0"), steps)
    named = {parameter.name: parameter.value for parameter in circuit.globals}
    switches = [named[f"ais_switch_{k}"] for k in range(1, chunks)]
    # later than the boundary, and by less than anything the solver resolves
    assert all(b < s < b * (1 + 1e-8) for b, s in zip(seconds[1:-1], switches, strict=True))
    assert f"ais_switch_{chunks}" not in named


def test_globals_carry_the_scaling_in_si_units() -> None:
    circuit = compile_core(core(boundaries=(0.0, 8.0)), Scaling(tau=2e-6, capacitance=3e-13))
    assert {p.name: p.value for p in circuit.globals} == {
        "ais_tau": 2e-6,
        "ais_c": 3e-13,
        "ais_g": 3e-13 / 2e-6,
    }
    assert circuit.stop == 8.0 * 2e-6


def test_initial_states_stand_in_the_bench_to_the_bit() -> None:
    analog_core = CORES["symmetric"]
    initial = analog_core.initial_states(seed=3, sample=5)
    circuit = compile_core(analog_core, Scaling())
    bench = write_netlist(circuit, SolverOptions(), initial).bench
    lines = re.findall(r"^\.ic (.*)$", bench, flags=re.MULTILINE)
    written = dict(
        re.fullmatch(r"v\((\S+)\)=(\S+)", word).groups() for line in lines for word in line.split()
    )
    assert list(written) == list(circuit.state_nodes)
    assert [float(value) for value in written.values()] == initial.tolist()


def test_the_deck_is_the_three_files_in_one() -> None:
    circuit = compile_core(CORES["symmetric in chunks"], Scaling())
    initial = np.zeros(20)
    files = write_netlist(circuit, SolverOptions(), initial)
    deck = write_deck(circuit, SolverOptions(), initial)
    assert list(files.by_name()) == [LIBRARY_FILE, CORE_FILE, BENCH_FILE]
    assert f".include {LIBRARY_FILE}\n.include {CORE_FILE}\n" in files.bench
    included = files.bench.replace(f".include {LIBRARY_FILE}", files.library)
    how_to_run = f"* Run it: ngspice -b -r testbench.raw {BENCH_FILE}\n"
    assert included.replace(f".include {CORE_FILE}", files.core).replace(how_to_run, "") == deck
    assert ".include" not in deck
    assert deck.endswith("\n.end\n")


@pytest.mark.parametrize(
    "initial", [np.zeros(3), np.zeros((4, 1)), np.array([0.0, np.nan, 0.0, 0.0]), np.full(4, np.inf)]
)
def test_an_initial_state_that_does_not_fit_is_refused(initial: Array) -> None:
    circuit = compile_core(core((2, 2)), Scaling())
    with pytest.raises(ValueError, match=r"initial state has shape .*expected \(4,\), finite"):
        write_deck(circuit, SolverOptions(), initial)


@pytest.mark.parametrize(
    "name",
    ["", "1a", "a b", "a\nb", ".control", "a;b", "a$b", "a=b", "{a}", "a\n.control", "é", "a\n", "0x", "a*"],
)
def test_no_other_text_can_become_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a netlist name"):
        checked_name(name)


@pytest.mark.parametrize("place", ["instance", "node", "subcircuit", "parameter", "port", "global", "state"])
def test_writer_checks_names_wherever_they_come_from(place: str) -> None:
    evil = "x\n.control\nshell id\n.endc"
    instance = Instance(
        evil if place == "instance" else "X1",
        (evil if place == "node" else "a",),
        evil if place == "subcircuit" else "cell",
        {evil if place == "parameter" else "k": 1.0},
    )
    circuit = Circuit(
        "title", (GlobalParameter(evil if place == "global" else "ais_g", 1.0, "conductance"),), Scaling(), (),
        Subcircuit("ais_core", (evil if place == "port" else "a",), (instance,), "core"), (), None,
        (evil if place == "state" else "a",), 1.0, Inventory({}, 1),
    )  # fmt: skip
    with pytest.raises(ValueError, match="not a netlist name"):
        write_deck(circuit, SolverOptions(), np.zeros(1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"reltol": 0.0}, {"reltol": 1.0}, {"reltol": float("nan")}, {"rows": 0}, {"method": "euler"},
        {"method": "trap\n.control"},
    ],
)  # fmt: skip
def test_solver_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SolverOptions(**wrong)


def test_options_reach_the_bench() -> None:
    circuit = compile_core(core(boundaries=(0.0, 5.0)), Scaling())
    bench = write_deck(circuit, SolverOptions(reltol=1e-5, rows=50, method="gear", klu=True), np.zeros(1))
    (words,) = re.findall(r"^\.options (.*)$", bench, flags=re.MULTILINE)
    options = dict(word.partition("=")[::2] for word in words.split())
    assert options.pop("method") == "gear"
    assert options.pop("klu") == ""
    tolerances = {"reltol": 1e-5, "vntol": 1e-7, "abstol": 1e-14, "chgtol": 1e-17}
    assert {name: float(value) for name, value in options.items()} == pytest.approx(
        tolerances, rel=1e-12, abs=0
    )
    (words,) = re.findall(r"^\.tran (.*)$", bench, flags=re.MULTILINE)
    step, stop, start, limit, last = words.split()
    assert float(step) == pytest.approx(1e-7, rel=1e-12)
    assert (float(stop), start, limit, last) == (circuit.stop, "0", step, "uic")
    assert "klu" not in write_deck(circuit, SolverOptions(), np.zeros(1))


def test_same_core_same_bytes() -> None:
    """Also in other processes, where Python hashes strings differently."""

    program = f"""
import hashlib
from netlists.compile import compile_core
from netlists.dialects.ngspice import SolverOptions, write_deck
from netlists.scaling import Scaling
from netlists.weights import read_weights
core = read_weights({str(EXAMPLE)!r}).core
text = write_deck(compile_core(core, Scaling()), SolverOptions(), core.initial_states(0, 0))
print(hashlib.sha256(text.encode()).hexdigest())
"""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    elsewhere = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]  # fmt: skip
    analog_core = read_weights(EXAMPLE).core
    decks = [
        write_deck(compile_core(analog_core, Scaling()), SolverOptions(), analog_core.initial_states(0, 0))
        for _ in range(2)
    ]
    here = {hashlib.sha256(deck.encode()).hexdigest() for deck in decks}
    assert len(here) == 1
    assert here == set(elsewhere)


def test_initial_states_depend_on_seed_and_sample_alone() -> None:
    analog_core = core((4, 4))
    drawn = analog_core.initial_states(seed=7, sample=3)
    analog_core.initial_states(seed=7, sample=2)
    np.testing.assert_array_equal(drawn, analog_core.initial_states(seed=7, sample=3))
    others = [(7, 2), (7, 4), (6, 3), (3, 7)]
    assert all(not np.isin(drawn, analog_core.initial_states(*other)).any() for other in others)
    many = np.concatenate([analog_core.initial_states(0, sample) for sample in range(2000)])
    assert many.min() >= -np.pi
    assert many.max() < np.pi
    assert abs(many.mean()) < 4 * np.pi / np.sqrt(3 * many.size)


# --- time, and the program -------------------------------------------------------------------------------


def best_of_three(task: Callable[[], object]) -> float:
    """Seconds of processor time, the least of three: other work on the machine only ever adds."""
    times = []
    for _ in range(3):
        started = clock.process_time()
        task()
        times.append(clock.process_time() - started)
    return min(times)


def test_example_compiles_in_a_blink() -> None:
    def task() -> None:
        analog_core = read_weights(EXAMPLE).core
        write_netlist(compile_core(analog_core, Scaling()), SolverOptions(), np.zeros(256))

    assert best_of_three(task) < 0.3


def test_published_size_compiles_in_a_second_and_a_half(large: AnalogCore) -> None:
    def task() -> None:
        fresh = replace(large)  # without what the core has worked out already
        write_netlist(compile_core(fresh, Scaling()), SolverOptions(), np.zeros(3136))

    assert best_of_three(task) < 1.5


def raw_file(path: Path) -> tuple[list[str], Array]:
    """Vector names and (P, M) values of a binary raw file."""
    header, _, body = path.read_bytes().partition(b"Binary:\n")
    text = header.decode()
    names = [line.split()[1] for line in text.partition("Variables:\n")[2].splitlines()]
    points = int(re.search(r"No\. Points: *(\d+)", text).group(1))
    return names, np.frombuffer(body, dtype="<f8", count=points * len(names)).reshape(points, len(names))


@pytest.mark.parametrize("name", ["symmetric", "directed in chunks", "one way"])
def test_files_run_under_the_ngspice_program_as_the_deck_does_in_the_library(
    simulator: Simulator, tmp_path: Path, name: str
) -> None:
    program = shutil.which("ngspice")
    if program is None:
        pytest.skip("the ngspice program is not installed (the library is)")
    analog_core = CORES[name]
    circuit = compile_core(analog_core, Scaling())
    options = SolverOptions(reltol=1e-9)
    initial = analog_core.initial_states(seed=1, sample=0)
    for file, text in write_netlist(circuit, options, initial).by_name().items():
        (tmp_path / file).write_text(text)
    subprocess.run(
        [program, "-b", "-r", "out.raw", BENCH_FILE],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=60,
    )
    names, values = raw_file(tmp_path / "out.raw")
    wanted = [f"v({node})" for node in circuit.state_nodes]
    assert set(names) == {"time", *wanted}
    assert values[-1, names.index("time")] == pytest.approx(circuit.stop, rel=1e-12)

    result = simulator.simulate(deck_of(circuit, options, initial))
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    final = values[-1, [names.index(vector) for vector in wanted]]
    # equal to the bit, unless the library is of another version than the program
    assert np.abs(final - result.values[-1]).max() < 1e-8
