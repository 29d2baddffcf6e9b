"""Designs as ngspice, Xyce and Spectre text: read back they are the same circuit, and simulators agree on them."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import sympy as sp
from cores import core, symmetric_weights, window_grid
from designs import CELL, INVERTER, SHIL, array, every_element, ladder, network
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netlist_text import (
    Evaluator,
    Netlist,
    Primitive,
    asked_currents,
    asked_nodes,
    flat,
    flat_design,
    outer_path,
    read_spectre,
    read_spice,
)
from test_printer import EXPRESSIONS, POINTS, exact, x, y, z

from device_models.conductances import TECHNOLOGIES
from device_models.elements import (
    GROUND,
    TIME,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    Inductor,
    MosModel,
    PiecewiseLinear,
    RawBlock,
    Resistor,
    Sine,
    Source,
    Transconductance,
)
from device_models.families import FAMILIES, REALISATIONS, family
from device_models.model import coupling_form
from device_models.printers.spectre import SpectreExpressionPrinter
from device_models.printers.xyce import XyceExpressionPrinter
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.circuit import GlobalParameter
from netlists.compile import compile_core
from netlists.design import Design, Frequency, OperatingPoint, Transient, checked, node_exists
from netlists.dialects.ngspice import SolverOptions, write_deck
from netlists.dialects.write import DIALECTS, write_design_deck, write_design_files
from netlists.phase_design import phase_design
from netlists.scaling import Scaling

NAMES = sorted(DIALECTS)
DESIGNS = {
    "array": array(),
    "ladder": ladder(),
    "every element": every_element(),
    "larger": array(3, 4, raw=False),
    **{f"network, {name}": network(name) for name in TECHNOLOGIES},
    "network at rest": network("ota", rest=True),
    "network with converters": network("differential", bits=5),
}


def read(design: Design, dialect: str) -> Netlist:
    files = write_design_files(design, dialect)
    if dialect == "spectre":
        return read_spectre(files, "testbench.scs")
    return read_spice(files, "testbench.cir")


def same(found: Mapping[str, Primitive], wanted: Mapping[str, Primitive], floor: float = 1e-300) -> None:
    """Elements, nodes, models and numbers; numbers to rounding, as expressions are evaluated in another order.

    ``floor`` is for differences of like numbers.
    """
    assert set(found) == set(wanted)
    for path, (kind, nodes, words, numbers) in wanted.items():
        assert found[path][:3] == (kind, nodes, words), path
        assert found[path][3] == pytest.approx(numbers, rel=1e-10 if kind == "B" else 1e-14, abs=floor), path


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_reads_back_as_the_same_circuit(name: str, dialect: str) -> None:
    design = DESIGNS[name]
    netlist = read(design, dialect)
    same(flat(netlist), flat_design(design))
    assert netlist.parameters == {p.name: p.value for p in design.parameters}
    for model in design.models:
        found = netlist.models[model.name]
        assert found.pop("type") == model.polarity[0]
        assert {key: float(value) for key, value in found.items()} == model.parameters
    assert netlist.initial == {outer_path(node): value for node, value in design.initial.items()}
    if isinstance(design.analysis, Transient):
        assert (netlist.stop, netlist.step) == (design.analysis.stop, design.analysis.step)
    assert netlist.at_rest == isinstance(design.analysis, OperatingPoint)
    assert float(netlist.tolerances["reltol"]) == design.analysis.reltol
    if design.saved:
        assert netlist.saved == asked_nodes(design) | asked_currents(design)
    assert set(netlist.measured) >= {m.name for m in design.measurements}


def test_the_graph_of_an_array_is_its_grid() -> None:
    """Hierarchy, nodes with row and column: read from text, the couplers make the chain they were given as."""
    for dialect in NAMES:
        graph = nx.Graph()
        for path, (kind, nodes, words, _) in flat(read(array(2, 3), dialect)).items():
            if kind == "G":
                graph.add_edge(words[0], nodes[1], path=path)
        chain = ["r00c00", "r00c01", "r00c02", "xcore.r01c00", "xcore.r01c01", "xcore.r01c02"]
        assert nx.utils.graphs_equal(nx.Graph(graph.edges), nx.path_graph(chain)), dialect


def test_all_parts_of_a_hierarchy_stand_in_their_files() -> None:
    files = write_design_files(array(), "ngspice")
    assert list(files) == ["cells.lib", "testbench.cir", "core.sub"]
    assert re.findall(r"^\.subckt (\w+)", files["core.sub"], flags=re.MULTILINE) == [
        "row00",
        "row01",
        "ais_core",
    ]
    assert re.findall(r"^\.subckt (\w+)", files["cells.lib"], flags=re.MULTILINE) == [
        "inverter", "ring_cell", "gm_coupler", "shil_driver",
    ]  # fmt: skip
    assert files["cells.lib"].index(".param g=1e-07") < files["cells.lib"].index(".subckt")
    assert set(write_design_files(array(), "spectre")) == {"cells.scs", "core.scs", "testbench.scs"}
    assert ".spiceinit" not in files
    behaving = write_design_files(replace(array(), behaviour="hsa"), "ngspice")
    assert behaving[".spiceinit"] == "set ngbehavior=hsa\n"


# --- random designs --------------------------------------------------------------------------------------

# with an element's letter in front, some are words of Spectre's own: ic, if, real
WORDS = ("gnd", "c", "f", "nline", "eal", "odel", "arch", "ocal", "lobal", "ary", "eturn")
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True).filter(lambda n: n.lower() not in WORDS)
# of a size that products of a few neither overflow nor cancel to nothing
numbers = st.floats(-2, 2, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-3)
anything = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
P, Q, RA, RB = sp.symbols("pa pb ra rb", real=True)  # pa and pb: global, and the leaf's own
a, b = sp.symbols("a b", real=True)


@st.composite
def values(draw: st.DrawFn, p: sp.Symbol = P, q: sp.Symbol = Q) -> float | sp.Expr:
    number = draw(numbers)
    form = draw(st.integers(0, 5))
    return [number, p, -p * q, p**3 - sp.Float(number), sp.Rational(1, 3) - q / (p**2 + 1), -(q - p)][form]


@st.composite
def elements(draw: st.DrawFn, nodes: list[str], name: str) -> Element:
    def pair() -> tuple[str, str]:
        return draw(st.sampled_from(nodes)), draw(st.sampled_from([*nodes, GROUND]))

    currents = st.sampled_from([
        P * a**3 - Q * b, -(a**2) * b, sp.sin(a - b) * P, sp.tanh(-P * a) - b**5, -sp.Abs(a) * sp.cos(b),
        sp.Piecewise((P * a, sp.Float(1e-6) >= TIME), (-Q * b, True)) - a * (b - P),
    ])  # fmt: skip
    make = [
        lambda: Resistor(name, pair(), draw(values())),
        lambda: Capacitor(name, pair(), draw(anything), draw(st.none() | values())),
        lambda: Inductor(name, pair(), draw(values()), draw(st.none() | numbers)),
        lambda: Transconductance(name, pair(), pair(), draw(values())),
        lambda: Behavioural(name, pair(), draw(currents), {a: pair(), b: pair()}),
        lambda: Source(name, draw(st.sampled_from(["voltage", "current"])), pair(), Dc(draw(values()))),
        lambda: Source(name, "voltage", pair(), Sine(*(draw(values()) for _ in range(3)), draw(numbers))),
        lambda: Source(
            name, "current", pair(), PiecewiseLinear(((0.0, draw(values())), (draw(st.floats(1e-9, 1)), 1.0)))
        ),
    ]  # fmt: skip
    return draw(st.sampled_from(make))()


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """Three floors of blocks with names of any case, parameters that shadow each other, hidden and shared nodes."""

    def distinct(count: int, most: int) -> list[str]:
        return draw(st.lists(names, min_size=count, max_size=most, unique_by=str.lower))

    leaf_nodes, inner_names = distinct(3, 6), distinct(2, 8)
    leaf = Block(
        "Leaf", tuple(leaf_nodes[:2]), tuple(draw(elements(leaf_nodes, name)) for name in inner_names), "leaf",
        {"pa": draw(numbers), "pb": draw(numbers)},
    )  # fmt: skip
    row_nodes, calls = distinct(2, 5), distinct(1, 4)

    def call(name: str, nodes: list[str], block: str, p: sp.Symbol, q: sp.Symbol) -> Call:
        own = ["pa", "pb"] if block == "Leaf" else ["ra", "rb"]
        given = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(own, values(p, q))))
        return Call(name, tuple(draw(st.sampled_from([*nodes, GROUND])) for _ in range(2)), block, given)

    row = Block(
        "row", tuple(row_nodes[:2]), tuple(call(name, row_nodes, "Leaf", RA, RB) for name in calls), "row",
        {"rb": draw(numbers), "ra": draw(st.just(-RB / 3) | numbers)},
    )  # fmt: skip
    outer = distinct(2, 4)
    return Design(
        title=draw(st.text(max_size=30)), notes=(draw(st.text(max_size=30)),), blocks=(leaf, row), core=("row",),
        parameters=(GlobalParameter("pa", draw(numbers), draw(st.text(max_size=30))), GlobalParameter("pb", 0.5, "")),
        bench=tuple(call(name, outer, "row", P, Q) for name in distinct(1, 3)),
        analysis=Transient(1e-6, 1e-9),
    )  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(designs())
def test_any_design_reads_back_as_the_same_circuit(design: Design) -> None:
    wanted = flat_design(design)
    for dialect in NAMES:
        same(flat(read(design, dialect)), wanted, floor=1e-9)


@pytest.mark.parametrize(
    "element",
    [
        Source("C", "current", ("x", GROUND), Dc(1.0)),
        Source("nclude", "current", ("x", GROUND), Dc(1.0)),
        Resistor("EAL", ("x", GROUND), 1.0),
    ],
)
def test_a_name_that_spectre_reads_as_a_statement_is_refused(element: Element) -> None:
    design = Design("words", (), (Resistor("a", ("x", GROUND), 1.0), element), Transient(1.0, 0.1))
    with pytest.raises(ValueError, match="as a statement of its own: give the element another name"):
        write_design_files(design, "spectre")
    write_design_files(design, "xyce")


@given(anything)
def test_numbers_read_back_as_the_same_double(value: float) -> None:
    bench = (Resistor("a", ("x", GROUND), value), Source("b", "voltage", ("x", GROUND), Dc(value)))
    design = Design("numbers", (), bench, Transient(1.0, 0.1), initial={"x": value})
    for dialect in NAMES:
        netlist = read(design, dialect)
        found = flat(netlist)
        assert {found["ra"][3], found["vb"][3], (netlist.initial["x"],)} == {(value,)}


# --- expressions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("printer", [XyceExpressionPrinter, SpectreExpressionPrinter])
def test_every_expression_means_the_same_at_negative_arguments(printer: type[XyceExpressionPrinter]) -> None:
    arguments = np.array(POINTS)
    symbols = {x: "x", y: "y", z: "z"}
    for expression in EXPRESSIONS:
        text = printer(symbols).doprint(expression)
        found = [Evaluator(text, dict(zip("xyz", row, strict=True))).value() for row in POINTS]
        np.testing.assert_allclose(found, exact(expression, arguments), rtol=1e-11, atol=1e-15, err_msg=text)


def test_the_evaluator_refuses_what_simulators_read_in_different_ways() -> None:
    for text in ("x^3", "x**3", "2*x**2", "-{x}", "1 - {x}", "--1"):
        with pytest.raises(ValueError, match=r"power|minus|two signs"):
            Evaluator(text, {"x": -0.5}).value()
    assert Evaluator("1 - ({x})*{x}", {"x": -0.5}).value() == 0.75


# --- what can't be said ----------------------------------------------------------------------------------

R1 = Resistor("1st", ("a", GROUND), 1.0)


def bench_of(*elements: Element, **more: object) -> Design:
    return Design("t", (INVERTER, CELL), elements, Transient(1e-6, 1e-9), models=array().models, **more)


R = Resistor("r", ("a", GROUND), 1.0)


@pytest.mark.parametrize(
    ("design", "sentence"),
    [
        (bench_of(R1), r"the test bench: '1st' can't be a name"),
        (bench_of(Resistor("r", ("a.b", GROUND), 1.0)), r"Rr: 'a\.b' can't be a name"),
        (bench_of(Resistor("r\n.control", ("a", GROUND), 1.0)), "can't be a name"),
        (bench_of(Resistor("r", ("gnd", GROUND), 1.0)), "call ground '0'"),
        (bench_of(R, R), "two elements called rr: rename one"),
        (bench_of(R, Resistor("q", ("A", "a"), 1.0)), "differ in case alone, a"),
        (bench_of(Resistor("r", ("a", GROUND), P)), "Rr, value: unknown parameter pa; declare it"),
        (bench_of(Resistor("r", ("a", GROUND), math.nan)), "Rr, value: nan is not a finite number"),
        (bench_of(Call("x", ("a",), "inverter")), "1 nodes for the 3 ports of inverter"),
        (bench_of(Call("x", ("a", "b", "c"), "buffer")), "no block 'buffer' before it"),
        (bench_of(Call("x", ("a", "b", "c"), "inverter", {"w": 1.0})), "has no parameter w"),
        (bench_of(R, initial={"core.x": 1.0}), "'core.x', which is no node"),
        (bench_of(R, saved=("b",)), "'b', which is no node"),
        (bench_of(R, currents=("dd",)), "no voltage source of the test bench"),
        (bench_of(R, measurements=(Frequency("f", "a", 0.5, 3, 3),)), "make no period"),
        (bench_of(R, options=(".option scale=1\n.control",)), "not an option line"),
        (bench_of(R, includes=(Path('a".lib'),)), "can't name it"),
        (bench_of(R, behaviour="x\nshell"), "not a name of ngspice's behaviour"),
        (bench_of(R, parameters=(GlobalParameter("time", 1.0, ""),)), "can't be called 'time'"),
        (bench_of(R, core=("nothing",)), "no block is called nothing"),
        (replace(bench_of(R), analysis=Transient(0.0, 1.0)), "stop has to be a positive number"),
        (replace(bench_of(R), blocks=(CELL, INVERTER)), "no block 'inverter' before it"),
        (replace(bench_of(R), models=()), "no model card 'ais_pmos'"),
        (bench_of(R, Behavioural("s", ("a", GROUND), P, {}, sensed={P: "r"})), "the current of .r., which"),
        (
            bench_of(Source("v", "voltage", ("a", GROUND), PiecewiseLinear(((0.0, 1.0), (0.0, 2.0))))),
            "Vv: the times of a piecewise linear source have to increase",
        ),
        (
            replace(bench_of(R), blocks=(replace(SHIL, text=SHIL.text.replace("Rout", ".include x\nRout")),)),
            r"block shil_driver: \.include is not allowed",
        ),
        (replace(bench_of(R), blocks=(replace(SHIL, text="R1 a b 1"),)), "has to run from .subckt shil_driver"),
    ],
)  # fmt: skip
def test_what_no_dialect_can_say_is_refused_by_name(design: Design, sentence: str) -> None:
    for dialect in NAMES:
        with pytest.raises(ValueError, match=sentence):
            write_design_files(design, dialect)


def test_fixed_steps_are_asked_for_in_every_dialect() -> None:
    run = Transient(1e-6, 1e-9, fixed=True)
    for dialect, words in [
        ("ngspice", "trtol=1e12"),
        ("xyce", "erroption=1 delmax=1e-09"),
        ("spectre", "lteratio=1e12"),
    ]:
        assert words in write_design_deck(replace(bench_of(R), analysis=run), dialect)
        assert words not in write_design_deck(bench_of(R), dialect)


def test_what_one_dialect_lacks_is_refused_there_alone() -> None:
    design = replace(bench_of(R), models=(*array().models, MosModel("odd", "nmos", {"delvto": 0.1})))
    with pytest.raises(ValueError, match="mos1 has no parameter 'delvto' of model odd: leave it out"):
        write_design_files(design, "spectre")
    assert "delvto=0.1" in write_design_files(design, "ngspice")["cells.lib"]
    optioned = bench_of(R, options=(".option scale=1e-6", ".option wnflag=1"))
    with pytest.raises(ValueError, match=r"Xyce has no equal of '\.option wnflag=1'"):
        write_design_files(optioned, "xyce")
    assert (
        ".options parser scale=1e-6"
        in write_design_files(bench_of(R, options=(".option scale=1e-6",)), "xyce")["cells.lib"]
    )
    assert ".option wnflag=1" in write_design_files(optioned, "spectre")["cells.scs"]


def test_paths_lead_through_calls_to_inner_nodes() -> None:
    design = checked(array())
    for path in ("r00c00", "core.r01c02", "core.row01.r01c02.n3", "core.shil.anything"):
        assert node_exists(design, path), path
    # a port goes by its outer name
    for path in ("core.r00c00", "core.row01.r01c02.n1", "core.row09.r01c02.n3", "r01c02", "0"):
        assert not node_exists(design, path), path


# --- simulators ------------------------------------------------------------------------------------------


def run_ngspice(
    simulator: Simulator, design: Design, vectors: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    deck = Deck(write_design_deck(design, "ngspice"), vectors, design.analysis.stop)
    result = simulator.simulate(deck, limit_s=60)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    return result.time, result.values


def test_ngspice_runs_an_array(any_simulator: Simulator) -> None:
    vectors = ("r00c00", "xcore.r01c02", "vdd#branch")
    _, values = run_ngspice(any_simulator, array(), vectors)
    assert np.ptp(values[:, 0]) > 0.9  # rings oscillate
    assert np.ptp(values[:, 1]) > 0.9
    assert values[:, 2].mean() < 0


def test_ngspice_computes_the_measurements(tmp_path: Path) -> None:
    program = shutil.which("ngspice")
    if program is None:
        pytest.skip("the ngspice program is not installed (the library is)")
    design = array()
    for name, text in write_design_files(design, "ngspice").items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "-b", "testbench.cir"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    found = dict(re.findall(r"^(f_first|i_supply)\s*=\s*(\S+)", done.stdout, flags=re.MULTILINE))
    subprocess.run(
        [program, "-b", "-r", "out.raw", "testbench.cir"], cwd=tmp_path, check=True, capture_output=True
    )
    names, values = raw_file(tmp_path / "out.raw")
    time, volts = values[:, names.index("time")], values[:, names.index("v(r00c00)")]
    up = np.flatnonzero((volts[:-1] < 0.5) & (volts[1:] >= 0.5))
    crossings = time[up] + (0.5 - volts[up]) / (volts[up + 1] - volts[up]) * (time[up + 1] - time[up])
    assert float(found["f_first"]) == pytest.approx(2 / (crossings[3] - crossings[1]), rel=1e-4)
    late = time >= 1e-8
    mean = np.trapezoid(values[late, names.index("i(vdd)")], time[late]) / 3e-8
    assert float(found["i_supply"]) == pytest.approx(mean, rel=1e-2)


def raw_file(path: Path) -> tuple[list[str], np.ndarray]:
    header, _, body = path.read_bytes().partition(b"Binary:\n")
    text = header.decode()
    names = [line.split()[1] for line in text.partition("Variables:\n")[2].splitlines()]
    points = int(re.search(r"No\. Points: *(\d+)", text).group(1))
    return names, np.frombuffer(body, dtype="<f8", count=points * len(names)).reshape(points, len(names))


def test_ngspice_sees_the_values_that_the_text_says(any_simulator: Simulator) -> None:
    """Parameters handed down two floors, defaults that refer to others, a sine's phase: as SymPy computes them."""
    p, q, s = sp.symbols("p q s", real=True)
    leaf = Block(
        "leaf", ("a",),
        (
            Source("i", "current", (GROUND, "a"), Sine(p / 3, q, 1e6, p)),
            Resistor("r", ("a", GROUND), 1 + (p - q) ** 2),
        ),
        "leaf", {"p": -1.0, "q": p * 2},
    )  # fmt: skip
    row = Block("row", ("a", "b"), (Call("a", ("a",), "leaf", {"p": -s}), Call("b", ("b",), "leaf", {"q": s**3})),
                "row", {"s": -0.7})  # fmt: skip
    design = Design(
        "values", (leaf, row), (Call("r", ("a", "b"), "row"), Call("s", ("c", "d"), "row", {"s": 1.3})),
        Transient(1e-6, 1e-8),
    )  # fmt: skip
    time, values = run_ngspice(any_simulator, design, ("a", "b", "c", "d"))
    for column, (low, high) in enumerate([(0.7, 1.4), (-1.0, (-0.7) ** 3), (-1.3, -2.6), (-1.0, 1.3**3)]):
        wave = (low / 3 + high * np.sin(2 * np.pi * 1e6 * time + low)) * (1 + (low - high) ** 2)
        np.testing.assert_allclose(values[:, column], wave, rtol=1e-9, atol=1e-9)


def test_ngspice_takes_a_callers_name_for_the_blocks_own(any_simulator: Simulator) -> None:
    """The trap that a name which means two things is refused for. Should ngspice ever change it, this says so."""
    lines = [
        "* a parameter of the caller, and one of the block, by the same name",
        ".subckt leaf a p=-1.0 q=0.0", "I1 0 a DC {q}", "R1 a 0 1.0", ".ends",
        ".subckt row a p=0.5", "Xa a leaf q={p}", ".ends",
        "Xr a row", ".tran 1u 1u uic", ".end", "",
    ]  # fmt: skip
    result = any_simulator.simulate(Deck("\n".join(lines), ("a",), 1e-6))
    assert result.verdict is Verdict.COMPLETED
    assert result.values[-1, 0] == -1.0
    leaf = Block("leaf", ("a",), (Resistor("r", ("a", GROUND), P * Q),), "leaf", {"pa": 1.0, "pb": 2.0})
    refused, passed_on = {"pb": P}, {"pa": P, "pb": 2 * P}
    for handed in (refused, passed_on):
        row = Block("row", ("a",), (Call("x", ("a",), "leaf", handed),), "row", {"pa": 0.5})
        design = Design("t", (leaf, row), (Call("r", ("a",), "row"),), Transient(1.0, 0.1))
        for dialect in NAMES:
            if dialect == "ngspice" and handed is refused:
                with pytest.raises(ValueError, match=r"block row, Xx: .*pa .*leaf's own.*: rename"):
                    write_design_files(design, dialect)
            else:
                same(flat(read(design, dialect)), flat_design(design))


def test_gnucap_agrees_with_ngspice_on_a_linear_netlist(simulator: Simulator, tmp_path: Path) -> None:
    """A simulator that shares no code with ngspice reads the same elements and subcircuits."""
    gnucap = shutil.which("gnucap")
    if gnucap is None:
        pytest.skip("gnucap is not installed (a package of that name)")
    design, step = ladder(), 1e-9
    design = replace(design, analysis=replace(design.analysis, step=step))
    # the circuit is the writer's, the run is gnucap's: it has other options, and prints instead of saving
    ours_alone = re.compile(r"\.(options|save|tran|end\b(?!s))")
    circuit = [
        line for line in write_design_deck(design, "ngspice").splitlines() if not ours_alone.match(line)
    ]
    run = [
        f".print tran {' '.join(f'v({node})' for node in design.saved)}",
        ".options method=trap reltol=1e-6",
        f".tran {step} {design.analysis.stop} 0 uic > out.txt",
        ".end",
        "",
    ]
    (tmp_path / "deck.cir").write_text("\n".join([*circuit, *run]))
    done = subprocess.run(
        [gnucap, "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (tmp_path / "out.txt").exists(), done.stdout + done.stderr
    theirs = np.loadtxt(tmp_path / "out.txt", comments="#")
    assert len(theirs) == 4001
    time, ours = run_ngspice(simulator, design, design.saved)
    for column, node in enumerate(design.saved, start=1):
        wave = np.interp(theirs[1:, 0], time, ours[:, column - 1])
        assert np.abs(wave).max() > 0.01
        assert np.abs(theirs[1:, column] - wave).max() < 1e-3 * np.abs(wave).max(), node


def test_a_raw_block_keeps_its_authors_text() -> None:
    for dialect in NAMES:
        assert SHIL.text in "\n".join(write_design_files(array(), dialect).values())


def test_no_text_ends_a_comment() -> None:
    evil = "x\n.control\nshell id\n.endc\n\\"
    raw = RawBlock("empty", (), ".subckt empty\n.ends")
    design = replace(
        bench_of(R), title=evil, notes=(evil,), parameters=(GlobalParameter("pa", 1.0, evil),),
        blocks=(raw, replace(INVERTER, title=evil, notes=(evil,)), CELL),
    )  # fmt: skip
    for dialect in NAMES:
        for text in write_design_files(design, dialect).values():
            assert not re.search(r"^\s*(\.control|shell)", text, flags=re.MULTILINE)
            assert not re.search(r"^(//|\*).*\\$", text, flags=re.MULTILINE)


# --- the phase level -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("name", [*sorted(FAMILIES), *sorted(REALISATIONS)])
def test_phase_level_cores_read_back_in_every_dialect(name: str, dialect: str) -> None:
    for symmetric in (True, False):
        design = phase_level(name, chunks=3, symmetric=symmetric)
        netlist = read(design, dialect)
        same(flat(netlist), flat_design(design))
        assert netlist.initial == {outer_path(node): value for node, value in design.initial.items()}
        pairwise = coupling_form(family(name), symmetric=symmetric) in ("reciprocal", "mutual")
        assert len(netlist.parts["ais_core"].lines) == 6 + (11 if pairwise else 22)


def phase_level(name: str, chunks: int, *, symmetric: bool) -> Design:
    """A 2 x 3 core of a family, four nodes visible, with random weights of both signs."""
    generator = np.random.default_rng(len(name))
    edges = window_grid(2, 3, 1)
    model = family(name)
    shapes = {"core": (), "node": (6,), "node-and-chunk": (chunks, 6)}
    numbers = [*model.given, *([model.carrier.frequency] if model.carrier else ())]
    parameters = {p.name: generator.uniform(-1, 1, shapes[p.scope]) for p in numbers}
    analog_core = replace(
        core((2, 3), edges, symmetric_weights(edges, generator, chunks), boundaries=np.arange(chunks + 1.0),
             symmetric=symmetric, visible=[4, 0, 1, 5]),
        family_name=name, parameters=parameters,
    )  # fmt: skip
    circuit = compile_core(analog_core, Scaling())
    return phase_design(analog_core, circuit, SolverOptions(), generator.uniform(-3, 3, 6))


def test_a_phase_level_design_runs_as_its_circuit_does(simulator: Simulator) -> None:
    analog_core = core(
        (2, 2), window_grid(2, 2, 1), 0.7, boundaries=(0.0, 0.5, 1.0), shil=0.4, bias=-0.3, visible=[3, 0]
    )
    initial = np.array([-2.0, 0.5, 1.1, 3.0])
    circuit, options = compile_core(analog_core, Scaling()), SolverOptions(reltol=1e-8)
    design = phase_design(analog_core, circuit, options, initial)
    ends = []
    for text in (write_deck(circuit, options, initial), write_design_deck(design, "ngspice")):
        result = simulator.simulate(
            Deck(
                text, circuit.state_nodes, circuit.stop, circuit.inventory.devices, circuit.inventory.unknowns
            )
        )
        assert result.verdict is Verdict.COMPLETED, result.judgement.reason
        ends.append(result.values[-1])
    assert np.ptp(ends[0]) > 0.1
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-12)


def test_compiled_devices_are_no_design() -> None:
    analog_core = core((1, 2))
    circuit = compile_core(analog_core, Scaling(), "compiled")
    with pytest.raises(ValueError, match="take behavioural ones"):
        phase_design(analog_core, circuit, SolverOptions(), np.zeros(2))
