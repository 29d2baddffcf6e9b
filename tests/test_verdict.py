"""The verdict alone, on logs written by hand in the words of ngspice 39 and 46."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.verdict import (
    COMPLETED,
    LARGEST_VALUE,
    Judgement,
    Verdict,
    judge_inventory,
    judge_reading,
    judge_run,
    judge_text,
)

BANNER = (
    "Note: No compatibility mode selected!",
    "Circuit: * a circuit",
    "Doing analysis at TEMP = 27.000000 and TNOM = 27.000000",
)
BANNER_46 = (
    *BANNER,
    "Using SPARSE 1.3 as Direct Linear Solver",
    "Operating point simulation skipped by 'uic',",
    "now using transient initial conditions.",
)
BANNER_39 = (*BANNER, "Using transient initial conditions")
ROWS_46 = ("No. of Data Rows : 61",)
TABLE = (
    "Initial Transient Solution",
    "--------------------------",
    "Node                                   Voltage",
    "----                                   -------",
    "ignored                                      1",
    "b                                            1",
)
ABORTED = "run simulation(s) aborted"
STOP = 1e-5
TIME = np.linspace(0.0, STOP, 61)


def judge(log: Sequence[str], until: float = STOP, **values: float) -> Judgement:
    """Judges a run to ``until`` with constant values (b is 1, if none is given)."""
    time = TIME[: int(np.searchsorted(TIME, until * (1 + 1e-12)))]
    columns = {name: np.full(len(time), value) for name, value in (values or {"b": 1.0}).items()}
    return judge_run(log, time, columns, list(columns), STOP)


def check_sentence(judgement: Judgement) -> None:
    """The reason is made of whole sentences: what happened, and unless all went well what to try."""
    assert re.match(r"[A-Za-z\d]", judgement.reason)
    assert judgement.reason.endswith(".")
    assert ".." not in judgement.reason.replace("...", "")
    assert "None" not in judgement.reason
    if not judgement.completed:
        assert len(re.findall(r"[.!?)](?: |$)", judgement.reason)) >= 2, judgement.reason


READING = {
    # the captured lines, a word that the reason has to quote, and the line it has to name
    "dropped, 46": (["Warning: 'r1 a b' is not a valid resistor instance line, ignored!"], "r1 a b", None),
    "dropped, 39": (["Warning: r1: resistance to low, set to 1 mOhm"], "r1", None),
    "replaced, 46": (["Warning: Value of resistor r1 is too small, set to 1.000000e-12"], "r1", None),
    "device": (
        [
            "Error on line 5 or its substitute:",
            "y1 a b 1",
            "model name is not found",
            "Error: circuit not parsed.",
        ],
        "y1 a b 1",
        "5",
    ),
    "subcircuit, 46": (
        ["Error: unknown subckt: x1 a b nosuch", "in line no. 4 from file circbyline"],
        "x1 a b nosuch",
        "4",
    ),
    "subcircuit, 39": (
        ["Error: unknown subckt: x1 a b nosuch", "Error: there aren't any circuits loaded."],
        "x1 a b nosuch",
        None,
    ),
    "model": (
        [
            "warning, can't find model 'nomod' from line",
            "d1 b 0 nomod",
            "Error on line 4 or its substitute:",
            "d1 b 0 nomod",
            "could not find a valid modelname",
            "Error: circuit not parsed.",
        ],
        "nomod",
        "4",
    ),
    "expression, 46": (
        [
            "YYparse error, syntax error, in expression: parsing stopped at line 4",
            "in ",
            "from file    circbyline",
            "Error: ngspice.dll cannot recover and awaits to be reset or detached",
        ],
        "line 4",
        "4",
    ),
    "expression, 39": (
        [
            "PTerror: syntax error, parsing stopped at",
            "Error on line 4 or its substitute:",
            "b1 b 0 i= sin ( v(a)",
            "parameter value out of range or the wrong type",
            "Error: circuit not parsed.",
        ],
        "b1 b 0",
        "4",
    ),
    "function, 46": (["Error: no such function 'frob' at line 4", "from file", "circbyline"], "frob", "4"),
    "function, 39": (
        ["Error: no such function 'frob'", "Error on line 4 or its substitute:", "b1 b 0 i= frob ( v(a) )"],
        "b1 b 0",
        "4",
    ),
    # 46 counts its own way first, and only the second number is a line of the netlist
    "parameter, 46": (
        [
            "Error in netlist line no. 8, new internal line no. 7:",
            "Undefined parameter [nosuch]",
            "Error in netlist line no. 8, new internal line no. 7:",
            "Cannot compute substitute",
        ],
        "nosuch",
        "7",
    ),
    "parameter, 39": (["Netlist line no. 3:", "Undefined parameter [nosuch]"], "nosuch", "3"),
    # a line of a subcircuit has no number
    "parameter of a subcircuit, 39": (
        ["Netlist line no. 0:", "Undefined parameter [nosuch]"],
        "nosuch",
        None,
    ),
    "ports": (['Too few parameters for subcircuit type "s" (instance: xx1)'], "xx1", None),
    "include": (["Error: Could not find include file nosuch.lib"], "nosuch.lib", None),
    "duplicate, 46": (
        ["Error on line 4 or its substitute:", "r1 a b 2k", "device already exists, bail out"],
        "r1 a b 2k",
        "4",
    ),
    "duplicate, 39": (
        ["Error on line 4 or its substitute:", "r1 a b 2k", "device already exists, existing one being used"],
        "r1 a b 2k",
        "4",
    ),
    "start value": (
        ["Warning : IC on non-existent node - zz, ignored", "Please check line .ic v(zz)=1"],
        ".ic v(zz)=1",
        None,
    ),
    "analysis": (
        ["Warning: No job (tran, ac, op etc.) defined:", "run simulation not started"],
        "tran",
        None,
    ),
    "stop": (
        [
            "Error on line 6 or its substitute:",
            ".tran 1u",
            "TSTOP is invalid, must be greater than zero.",
            "There is no current circuit",
        ],
        ".tran 1u",
        "6",
    ),
    "no circuit": (["Error: there aren't any circuits loaded."], ".end", None),
    "PySpice": (["PySpice: ngSpice_Circ returned 1"], "ngSpice_Circ", None),
}


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("banner", [(), BANNER_39, BANNER_46], ids=["bare", "39", "46"])
def test_deck_not_read(name: str, banner: Sequence[str]) -> None:
    log, quoted, line = READING[name]
    judgement = judge_reading([*banner, *log, *TABLE])
    assert judgement is not None
    assert judgement.verdict is Verdict.PARSE_ERROR
    assert quoted in judgement.reason
    assert judgement.line == line
    check_sentence(judgement)


def test_line_of_the_fault_and_not_of_an_earlier_warning() -> None:
    log = ["Note on line 2: nothing", "Error on line 9 or its substitute:", "device already exists"]
    judgement = judge_reading(log)
    assert judgement is not None
    assert judgement.line == "9"


BENIGN = [
    *BANNER_39,
    *BANNER_46,
    *TABLE,
    *ROWS_46,
    "Note: can't find init file.",
    "Note: v1: has no value, DC 0 assumed",
    "Warning : voltage source v1 has non-increasing PWL time points.",
    "Warning: singular matrix:  check node b",
    "Note: Starting dynamic gmin stepping",
    "Trying gmin =   1.0000E-03 Warning: Further gmin increment",
    "Trying gmin =   1.0000E-12 Note: One successful gmin step",
    "Warning: Dynamic gmin stepping failed",
    "Warning: True gmin stepping failed",
    "Supplies reduced to   0.0000% Note: One successful source step",
    "Note: Source stepping completed",
    "Circuit: unknown subckt, transient op started, singular matrix: check node b, ignored!",
]


@pytest.mark.parametrize("line", BENIGN)
def test_benign_line(line: str) -> None:
    assert judge_reading([line]) is None
    assert judge([line]) == COMPLETED


def test_completed() -> None:
    assert judge([*BANNER_46, *TABLE, *ROWS_46]).completed
    check_sentence(COMPLETED)
    point = judge_run([], np.empty(0), {"b": np.ones(1)}, ["b"], None)
    assert point.completed


# -- how a run broke off


@pytest.mark.parametrize("banner", [BANNER_39, BANNER_46], ids=["39", "46"])
def test_step_too_small(banner: Sequence[str]) -> None:
    cause = (
        'doAnalyses: TRAN:  Timestep too small; time = 9.26894e-07, timestep = 1e-19: trouble with node "b"'
    )
    judgement = judge([*banner, cause, ABORTED], until=9e-7, b=7e10)
    assert judgement.verdict is Verdict.TIMESTEP_TOO_SMALL
    assert (judgement.node, judgement.time) == ("b", 9.26894e-07)
    check_sentence(judgement)


def test_step_too_small_at_an_element() -> None:
    cause = (
        "doAnalyses: TRAN:  Timestep too small; time = 1e-06, timestep = 1e-19: trouble with dmod-instance d1"
    )
    judgement = judge([*BANNER_46, cause, ABORTED], until=9e-7)
    assert judgement.verdict is Verdict.TIMESTEP_TOO_SMALL
    assert judgement.node == "d1"
    assert "d1" in judgement.reason


@pytest.mark.parametrize(
    "cause",
    [
        'doAnalyses: TRAN:  Timestep too small; initial timepoint: trouble with node "b"',
        'doAnalyses: OP:  Timestep too small; trouble with node "b"',
    ],
)
def test_no_operating_point(cause: str) -> None:
    log = [
        *BANNER_46,
        "Note: Transient op started",
        "Error: Transient op failed, timestep too small",
        cause,
        ABORTED,
    ]
    judgement = judge(log, until=-1)
    assert judgement.verdict is Verdict.TIMESTEP_TOO_SMALL
    assert (judgement.node, judgement.time) == ("b", 0.0)
    assert "operating point" in judgement.reason
    check_sentence(judgement)


OVER_AT_ONCE = "doAnalyses: TRAN:  Timestep too small; time = 2e-18, timestep = 2.5e-19: cause unrecorded."


def test_singular_from_the_first_step() -> None:
    log = [*BANNER_46, *["Warning: singular matrix:  check node v1#branch"] * 6, OVER_AT_ONCE, ABORTED]
    judgement = judge(log, until=-1)
    assert judgement.verdict is Verdict.SINGULAR_MATRIX
    assert (judgement.node, judgement.time) == ("v1#branch", 0.0)
    check_sentence(judgement)


@pytest.mark.parametrize("log", [(OVER_AT_ONCE,), (ABORTED, OVER_AT_ONCE)])
def test_cause_is_looked_for_wherever_a_run_ends_early(log: Sequence[str]) -> None:
    assert judge([*BANNER, *log], until=5e-6).verdict is Verdict.TIMESTEP_TOO_SMALL


FLOATING_46 = (
    *BANNER,
    *["Warning: singular matrix:  check node d"] * 6,
    "Note: Transient op started",
    "Note: Transient op finished successfully",
    *TABLE,
)
FLOATING_39 = (
    *BANNER,
    "Warning: singular matrix:  check node d",
    "Supplies reduced to   0.0000% ",
    "Note: Transient op started",
    "Note: Transient op finished successfully",
    *TABLE,
)


@pytest.mark.parametrize("log", [FLOATING_39, FLOATING_46], ids=["39", "46"])
def test_operating_point_made_up_for_a_floating_node(log: Sequence[str]) -> None:
    judgement = judge(log)  # and the run went on to its end
    assert judgement.verdict is Verdict.SINGULAR_MATRIX
    assert judgement.node == "d"
    check_sentence(judgement)


RECOVERED = (
    "Warning: singular matrix:  check node b",
    "Note: Starting dynamic gmin stepping",
    "Note: Dynamic gmin stepping completed",
    *TABLE,
)


def test_singular_iterations_that_gmin_stepping_got_over() -> None:
    assert judge([*BANNER, *RECOVERED]).completed


def test_hard_operating_point_without_a_singular_matrix() -> None:
    log = ["Warning: source stepping failed", "Note: Transient op started",
           "Note: Transient op finished successfully", *TABLE]  # fmt: skip
    assert judge([*BANNER, *log]).completed


def test_recovered_start_is_no_cause_of_a_later_end() -> None:
    cause = 'doAnalyses: TRAN:  Timestep too small; time = 5e-06, timestep = 1e-19: trouble with node "c"'
    judgement = judge([*BANNER, *RECOVERED, cause, ABORTED], until=5e-6)
    assert judgement.verdict is Verdict.TIMESTEP_TOO_SMALL
    assert judgement.node == "c"


DOMAIN = ("Error: -0.5 out of range for sqrt", "in line b1")


@pytest.mark.parametrize(
    "log",
    [
        (*DOMAIN * 20, OVER_AT_ONCE, ABORTED),
        (
            "Supplies reduced to   0.0000% Error: -0.5 out of range for sqrt",
            "in line b1",
            OVER_AT_ONCE,
            ABORTED,
        ),
    ],
    ids=["46", "39"],
)
def test_outside_the_domain(log: Sequence[str]) -> None:
    judgement = judge([*BANNER, *log], until=5e-6)
    assert judgement.verdict is Verdict.NON_FINITE
    assert judgement.node == "b1"
    assert judgement.time == pytest.approx(5e-6)
    assert "sqrt" in judgement.reason
    assert "-0.5" in judgement.reason
    check_sentence(judgement)


def test_last_of_two_faults_is_the_cause() -> None:
    singular = "Warning: singular matrix:  check node b"
    assert judge([singular, *DOMAIN, ABORTED], until=0).verdict is Verdict.NON_FINITE
    assert judge([*DOMAIN, singular, ABORTED], until=0).verdict is Verdict.SINGULAR_MATRIX


def test_single_iterations_outside_the_domain_are_no_fault() -> None:
    assert judge([*BANNER, *DOMAIN * 3]).completed


# -- what it left


def test_early_end() -> None:
    judgement = judge(BANNER_46, until=5e-6)
    assert judgement.verdict is Verdict.TRUNCATED
    assert judgement.time == pytest.approx(5e-6)
    assert "5e-06 s instead of 1e-05 s" in judgement.reason
    check_sentence(judgement)


def test_early_end_quotes_ngspice() -> None:
    log = ["Panic: breakpoint in the past - HELP!", "doAnalyses: impossible error - can't occur", ABORTED]
    judgement = judge(log, until=5e-6)
    assert judgement.verdict is Verdict.TRUNCATED
    assert "impossible error" in judgement.reason
    check_sentence(judgement)


@pytest.mark.parametrize("stop", [STOP, None])
def test_vector_without_a_point(stop: float | None) -> None:
    judgement = judge_run([], np.empty(0), {"b": np.empty(0)}, ["b"], stop)
    assert judgement.verdict is Verdict.TRUNCATED
    check_sentence(judgement)


def test_vector_shorter_than_the_time() -> None:
    judgement = judge_run([], TIME, {"b": np.ones(7)}, ["b"], STOP)
    assert judgement.verdict is Verdict.TRUNCATED


def test_missing_vectors() -> None:
    requested = [f"n{k}" for k in range(9)]
    judgement = judge_run([], TIME, {"n0": np.zeros(61)}, requested, STOP)
    assert judgement.verdict is Verdict.MISSING_VECTOR
    assert judgement.node == "n1"
    assert "n1, n2, n3, n4, n5 and 3 more" in judgement.reason
    check_sentence(judgement)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2 * LARGEST_VALUE])
@pytest.mark.parametrize("row", [0, 30, 60])
def test_not_finite(value: float, row: int) -> None:
    column = np.ones(61)
    column[row] = value
    judgement = judge_run([], TIME, {"a": np.ones(61), "b": column}, ["a", "b"], STOP)
    assert judgement.verdict is Verdict.NON_FINITE
    assert (judgement.node, judgement.time) == ("b", TIME[row])
    check_sentence(judgement)


def test_vectors_that_nobody_asked_for_may_be_anything() -> None:
    assert judge_run([], TIME, {"a": np.full(61, np.nan), "b": np.ones(61)}, ["b"], STOP).completed


# -- devices and unknowns


def test_inventory_as_compiled() -> None:
    assert judge_inventory({"resistor": 2}, {"resistor": 2}, 5, 5) is None
    assert judge_inventory(None, {"resistor": 2}, None, 5) is None
    assert judge_inventory({"resistor": 0}, {}, 5, None) is None


@pytest.mark.parametrize(
    ("expected", "counted", "named"),
    [
        ({"resistor": 2}, {"resistor": 1}, "resistor: 1 instead of 2"),
        ({"resistor": 2}, {}, "resistor: 0 instead of 2"),
        ({}, {"diode": 1}, "diode: 1 instead of 0"),
    ],
)
def test_other_devices(expected: Mapping[str, int], counted: Mapping[str, int], named: str) -> None:
    judgement = judge_inventory(expected, counted, None, None)
    assert judgement is not None
    assert judgement.verdict is Verdict.DEVICE_COUNT
    assert named in judgement.reason
    check_sentence(judgement)


def test_other_unknowns() -> None:
    judgement = judge_inventory({}, {}, 4, 5)
    assert judgement is not None
    assert judgement.verdict is Verdict.DEVICE_COUNT
    assert "5 unknowns instead of 4" in judgement.reason
    check_sentence(judgement)


# -- the text itself

INCOMPLETE = [
    "R1 a b",
    "C1 a 0",
    "L1 a b",
    "V1 a",
    "I1 a",
    "r1 a\n+ b",
    "R1 a b ; 1k",
    "R1 a b $ 1k",
    "R1 a,b",
]
ZERO = ["0", "0.0", ".0", "0k", "-0", "+0e3", "0ohm", "0\u00b5", "0\u03bc", "r=0", "R = 0", "resistance=0"]
FINE = [
    "R1 a b 1m", "R1 a b 0.001", "R1 a b 1e-3", "R1 a b {r0}", "R1 a b 10", "R1 a b rmod", "R1 a b r=1k tc=0",
    "C1 a b 0", "V1 a b", "I1 a b", "V1 a b 0", "B1 a 0 V=0", "X1 s", "E1 a 0", ".param r = 0", "* R1 a b",
    ".control\nR1\nlet r = 0\n.endc", "R1 a\n+ b\n* R2\n\n+ 1k",
]  # fmt: skip


@pytest.mark.parametrize("line", [*INCOMPLETE, *(f"R1 a b {value}" for value in ZERO)])
def test_text_that_some_ngspice_reads_otherwise(line: str) -> None:
    judgement = judge_text(f"R9 in the title\n* c\n{line}\n.end")
    assert judgement is not None
    assert judgement.verdict is Verdict.PARSE_ERROR
    assert judgement.line == "3"
    assert judgement.node == line[:2].lower()
    check_sentence(judgement)


@pytest.mark.parametrize("line", FINE)
def test_text_without_fault(line: str) -> None:
    assert judge_text(f"R9 in the title\n{line}\n .END \nR1 a b 0\n") is None


@pytest.mark.parametrize(
    "text", ["", "* t", ".end", "* t\nR1 a b 1k", "* t\n* .end", "* t\nR1 a b 1k ; .end"]
)
def test_text_without_end(text: str) -> None:
    judgement = judge_text(text)
    assert judgement is not None
    assert ".end" in judgement.reason
    check_sentence(judgement)


# -- nothing that is not good may pass

numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-10, 10)
words = st.sampled_from([*BENIGN, *RECOVERED, *DOMAIN, *FLOATING_39, OVER_AT_ONCE, ABORTED])


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[str], np.ndarray, dict[str, np.ndarray], list[str], float | None]:
    """A log, times and vectors of any kind, good ones among them."""
    stop = draw(st.none() | st.sampled_from([1.0, STOP]))
    points = draw(st.integers(0, 6))
    reach = stop if stop is not None else 1.0
    times = draw(st.lists(numbers, min_size=points, max_size=points))
    time = np.linspace(0, reach * draw(st.sampled_from([0.5, 1.0, 1.0, 2.0])), points)
    if draw(st.booleans()):
        time = np.array(times)
    lengths = st.just(points if stop is not None else 1) | st.integers(0, 7)
    columns = lengths.flatmap(lambda n: st.lists(st.just(1.0) | numbers, min_size=n, max_size=n))
    names = st.sampled_from(["a", "b", "c"])
    values = {name: np.array(column) for name, column in draw(st.dictionaries(names, columns)).items()}
    return draw(st.lists(words, max_size=8)), time, values, draw(st.lists(names, unique=True)), stop


@given(runs())
def test_completed_means_complete(
    run: tuple[list[str], np.ndarray, dict[str, np.ndarray], list[str], float | None],
) -> None:
    log, time, values, requested, stop = run
    judgement = judge_run(log, time, values, requested, stop)
    check_sentence(judgement)
    if not judgement.completed:
        return
    assert set(requested) <= set(values)
    for name in requested:
        assert np.isfinite(values[name]).all()
        assert len(values[name]) == (len(time) if stop is not None else 1)
    if stop is not None:
        assert np.isfinite(time).all()
        assert time[-1] >= stop * (1 - 1e-9)


@given(st.integers(1, 50), st.floats(1e-12, 1e3), st.lists(st.sampled_from([*BENIGN, *DOMAIN]), max_size=8))
def test_complete_means_completed(points: int, stop: float, log: list[str]) -> None:
    time = np.linspace(stop / points, stop, points)
    assert judge_run(log, time, {"b": np.sin(time)}, ["b"], stop).completed


@given(st.lists(st.text(max_size=60)))
def test_any_log_can_be_judged(log: list[str]) -> None:
    judgement = judge_reading(log)
    assert judgement is None or judgement.verdict is Verdict.PARSE_ERROR
    check_sentence(judge_run(log, TIME, {"b": np.ones(61)}, ["b"], STOP))


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    judgement = judge_text(text)
    assert judgement is None or judgement.verdict is Verdict.PARSE_ERROR
