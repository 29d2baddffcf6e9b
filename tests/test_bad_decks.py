"""Bad decks in real ngspice, and what has to be said of each. ngspice's own exit codes play no part.

All of it holds on ngspice 39 and 46 (``AIS_TEST_SECOND_NGSPICE`` names the library of the other one). After
each bad deck a good one has to run: several of these leave ngspice with a broken heap, and its next command
kills the process.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.verdict import Verdict

STOP = 1e-5
TRAN = ".save v(b)\n.tran 1u 10u uic\n.end\n"
FROM_OP = ".save v(b)\n.tran 1u 10u\n.end\n"
RC = "V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n"
DEVICES = {"voltage": 1, "resistor": 1, "capacitor": 1}


def deck(body: str, *vectors: str, stop: float | None = STOP) -> Deck:
    """A deck of one text, with the nodes it has to bring (b, if none is named)."""
    return Deck(body, vectors or ("b",), stop)


GOOD = Deck(f"* RC\n{RC}{TRAN}", ("b",), STOP, DEVICES, unknowns=3)


@dataclass(frozen=True)
class Bad:
    """A deck and its due.

    Attributes:
        deck: what is run.
        verdict: what it has to get.
        says: pattern of the reason: the culprit, and what to try.
        node, time, line: the place named; ``time`` to 5 %, since the versions differ.
        line_since: the first ngspice that knows the line.
        unsaid_by: an ngspice that takes the deck without a word.
    """

    deck: Deck
    verdict: Verdict
    says: str
    node: str | None = None
    time: float | None = None
    line: str | None = None
    line_since: int = 39
    unsaid_by: int | None = None


def unread(body: str, says: str, node: str | None = None, line: str | None = None, since: int = 39) -> Bad:
    """A deck that is not read as it is written."""
    return Bad(deck(f"* title\n{body}"), Verdict.PARSE_ERROR, says, node, None, line, since)


def singular(body: str, node: str) -> Bad:
    """A deck whose matrix is singular from the start."""
    return Bad(deck(f"* title\n{body}"), Verdict.SINGULAR_MATRIX, f"singular at {node}.*Give", node, time=0.0)


BAD: Mapping[str, Bad] = {
    # lines that ngspice drops, fills up or does not understand
    "resistor without a value": unread(f"V1 a 0 1\n\nR1 a b\nC1 b 0 1n\n{TRAN}", "R1 a b.*Add", "r1", "4"),
    "capacitor without a value": unread(f"V1 a 0 1\nR1 a b 1k\nC1 b 0\n{TRAN}", "C1 b 0.*Add", "c1", "4"),
    "inductor without a value": unread(f"V1 a 0 1\nL1 a b\nC1 b 0 1n\n{TRAN}", "L1 a b.*Add", "l1", "3"),
    "source with one node": unread(f"V1 a\nR1 a b 1k\nC1 b 0 1n\n{TRAN}", "V1 a.*Add", "v1", "2"),
    "incomplete over two lines": unread(
        f"V1 a 0 1\nR1 a\n* c\n+ b ; 1k\nC1 b 0 1n\n{TRAN}", "R1 a b", "r1", "3"
    ),
    "zero resistance": unread(f"V1 a 0 1\nR1 a b 0.0\nC1 b 0 1n\n{TRAN}", "zero ohms.*small", "r1", "3"),
    "controlled source too short": unread(f"{RC}G1 b 0 a\n{TRAN}", "g1 b 0 a.*Correct", line="5", since=44),
    "no element at all": unread(f"{RC}hello world\n{TRAN}", "hello world.*Correct", line="5", since=44),
    "unknown device": unread(f"{RC}Y1 a b 1\n{TRAN}", "y1 a b 1.*model", line="5"),
    "unknown command": unread(f"{RC}.frobnicate 3\n{TRAN}", "frobnicate 3", line="5"),
    "unknown parameter of an element": unread(f"{RC}R2 b 0 1k foo=2 bar\n{TRAN}", r"\(foo\)", line="5"),
    "unknown parameter of a model": unread(f"{RC}.model d d foo=3\nD1 b 0 d\n{TRAN}", r"\(foo\)", line="5"),
    "value that is no number": unread(f"V1 a 0 nan\nR1 a b 1k\nC1 b 0 1n\n{TRAN}", "v1 a 0 nan", line="2"),
    "infinite value": unread(f"V1 a 0 inf\nR1 a b 1k\nC1 b 0 1n\n{TRAN}", "v1 a 0 inf", line="2"),
    "duplicate device": unread(f"{RC}\nR1 a b 2k\n{TRAN}", "r1 a b 2k.*different names", line="6"),
    # expressions
    "bad expression": unread(f"{RC}\n\nB1 b 0 I=sin(v(a)\n{TRAN}", "Correct the expression", line="7"),
    "unknown function": unread(f"{RC}B1 b 0 I=frob(v(a))\n{TRAN}", "frob.*Define the function", line="5"),
    "undefined parameter": unread(
        f"V1 a 0\n+ 1\n\nR1 a b {{nosuch}}\nC1 b 0 1n\n{TRAN}", r"\[nosuch\].*\.param", line="5"
    ),
    "unknown controlling source": unread(f"{RC}B1 b 0 I=i(vnone)\n{TRAN}", "b1.*vnone.*Name"),
    # things defined elsewhere
    "unknown subcircuit": unread(f"{RC}X1 a b nosuch\n{TRAN}", "nosuch.*Define", line="5", since=44),
    "recursion": unread(
        f".subckt s a b\nX1 a b s\n.ends\n{RC}X1 a 0 s\n{TRAN}", r"x1\.x1\.x1.*itself", line="3", since=44
    ),
    "too few ports": replace(
        unread(f".subckt s a b c\nR1 a b 1\nR2 b c 1\n.ends\n{RC}X1 a b s\n{TRAN}", '"s".*xx1.*nodes'),
        unsaid_by=42,
    ),
    "too many ports": replace(
        unread(f".subckt s a b\nR1 a b 1\n.ends\n{RC}X1 a b 0 s\n{TRAN}", '"s".*xx1.*nodes'), unsaid_by=42
    ),
    "subcircuit without end": unread(f".subckt s a b\nR1 a b 1\n{RC}{TRAN}", "subckt s a b.*Close"),
    "subcircuit twice": unread(
        f".subckt s a b\nR1 a b 1\n.ends\n.subckt s a b\nR1 a b 2\n.ends\n{RC}X1 a b s\n{TRAN}",
        "redefinition.*s",
    ),
    "unknown model": unread(f"{RC}D1 b 0 nomod\n{TRAN}", "d1 b 0 nomod.*Define the model", line="5"),
    "missing include": unread(f".include nosuch.lib\n{RC}{TRAN}", "nosuch.lib.*Put the file"),
    "missing library": unread(f".lib nosuch.lib tt\n{RC}{TRAN}", "nosuch.lib.*Put the file"),
    # commands
    "no analysis": unread(f"{RC}.save v(b)\n.end\n", "tran.*Add an analysis"),
    "transient without a stop": unread(f"{RC}.save v(b)\n.tran 1u\n.end\n", "TSTOP.*Correct", line="6"),
    "transient without a step": unread(f"{RC}.save v(b)\n.tran 0 10u\n.end\n", "TSTEP.*Correct", line="6"),
    "unknown method": unread(f"{RC}.options method=foo\n{TRAN}", "integration method.*Give the option"),
    "unknown command of a script": unread(
        f"{RC}.control\nfrobnicate\n.endc\n{TRAN}", "frobnicate.*Leave out"
    ),
    "script that quits": unread(f"{RC}.control\nquit\n.endc\n{TRAN}", "quit"),
    "start value of no node": unread(f"{RC}.ic v(zz)=1\n{TRAN}", r"zz.*\.ic v\(zz\)=1.*Correct"),
    "no end": unread(f"{RC}.save v(b)\n.tran 1u 10u uic\n", r"no \.end.*End it"),
    "title and end": unread(".end\n", "tran.*Add an analysis"),
    "nothing": Bad(deck(""), Verdict.PARSE_ERROR, r"no \.end.*End it"),
    # circuits without a solution
    "floating node": singular(f"V1 a 0 1\nR1 a b 1k\nC1 b c 1n\nC2 c d 1n\n{FROM_OP}", "d"),
    "island": singular(f"{RC}R3 x y 1k\nI2 x y 1m\n{FROM_OP}", "x"),
    "no ground": singular(f"V1 a b 1\nR1 a b 1k\n{TRAN}", "b"),
    "misspelt node in an expression": singular(f"{RC}B1 b 0 I=1m*v(bb)\n{TRAN}", "bb"),
    "loop of voltage sources": singular(f"V1 b 0 1\nV2 b 0 2\nR1 b 0 1k\n{FROM_OP}", "v1#branch"),
    "loop of voltage sources, no OP": singular(f"V1 b 0 1\nV2 b 0 2\nR1 b 0 1k\n{TRAN}", "v1#branch"),
    "loop with an inductor": singular(f"V1 b 0 1\nL1 b 0 1n\nR1 b 0 1k\n{FROM_OP}", "l1#branch"),
    "singular operating point": Bad(
        deck("* title\nV1 b 0 1\nV2 b 0 2\n.save v(b)\n.op\n.end", stop=None),
        Verdict.SINGULAR_MATRIX,
        "Give",
        "v1#branch",
        0.0,
    ),
    "no operating point": Bad(
        deck("* title\nB1 b 0 V=v(b)>0.5 ? 0 : 1\nR1 b 0 1k\n.save v(b)\n.op\n.end", stop=None),
        Verdict.TIMESTEP_TOO_SMALL,
        "operating point.*Smooth",
        "b",
        0.0,
    ),
    "no operating point to start from": Bad(
        deck(f"* title\nB1 b 0 V=v(b)>0.5 ? 0 : 1\nR1 b 0 1k\n{FROM_OP}"),
        Verdict.TIMESTEP_TOO_SMALL,
        "operating point.*Smooth",
        "b",
        0.0,
    ),
    "finite-time blow-up": Bad(
        deck(f"* title\nC1 b 0 1n\nB1 0 b I=1e-3*v(b)*v(b)\n.ic v(b)=1\n{TRAN}"),
        Verdict.TIMESTEP_TOO_SMALL,
        "9.[0-9]*e-07 s at b.*Look at that node",
        "b",
        9.3e-7,
    ),
    # values that are none
    "division by zero": Bad(
        deck(f"* title\n{RC}B1 b 0 I=1/(v(a)-1)\n{TRAN}"),
        Verdict.NON_FINITE,
        "b is not finite.*division",
        "b",
    ),
    "infinite voltage": Bad(
        deck(f"* title\nV1 a 0 pwl(0 0 5u 1e200)\nE1 b 0 a 0 1e200\nR1 b 0 1k\n{TRAN}"),
        Verdict.NON_FINITE,
        "b is not finite",
        "b",
    ),
    "square root of a negative": Bad(
        deck(f"* title\n{RC}B1 b 0 I=sqrt(-1-v(a))\n{TRAN}"), Verdict.NON_FINITE, "b1.*sqrt.*Bound", "b1", 0.0
    ),
    "square root that becomes negative": Bad(
        deck(
            "* title\nV1 a 0 sin(1 1 100k)\nR1 a b 1k\nC1 b 0 1p\nB1 c 0 V=sqrt(v(b)-1e-9)\nR2 c 0 1k\n"
            f".ic v(b)=1\n{TRAN}"
        ),
        Verdict.NON_FINITE,
        "b1.*sqrt.*Bound",
        "b1",
        7.3e-6,
    ),
    "product beyond all numbers": Bad(
        deck(f"* title\n{RC}B1 b 0 V=1e300*v(a)*1e300\n{TRAN}"),
        Verdict.NON_FINITE,
        r"b1.*\*.*Bound",
        "b1",
        0.0,
    ),
    # less, or something else, than was asked for
    "saved node that is none": Bad(
        deck(f"* title\n{RC}.save v(b) v(nosuch)\n.tran 1u 10u uic\n.end", "b", "nosuch"),
        Verdict.MISSING_VECTOR,
        "vector for nosuch.*Compare",
        "nosuch",
    ),
    "node that is not saved": Bad(deck(f"* title\n{RC}{TRAN}", "a"), Verdict.MISSING_VECTOR, "for a:", "a"),
    "operating point without a node": Bad(
        deck("* title\nV1 b 0 1\nR1 b 0 1k\n.op\n.end", "b", "c", stop=None),
        Verdict.MISSING_VECTOR,
        "for c:",
        "c",
    ),
    "early end": Bad(
        deck(f"* title\n{RC}.save v(b)\n.tran 1u 5u uic\n.end"),
        Verdict.TRUNCATED,
        "5e-06 s instead of 1e-05 s",
        time=5e-6,
    ),
    "operating point instead of a transient": Bad(
        deck(f"* title\n{RC}.save v(b)\n.op\n.end"), Verdict.TRUNCATED, "0 s instead of 1e-05 s", time=0.0
    ),
    "other devices": Bad(
        Deck(GOOD.text, ("b",), STOP, {**DEVICES, "resistor": 2, "behavioural": 1}),
        Verdict.DEVICE_COUNT,
        "behavioural: 0 instead of 1, resistor: 1 instead of 2.*log",
    ),
    "more devices": Bad(
        Deck(GOOD.text, ("b",), STOP, {"voltage": 1}), Verdict.DEVICE_COUNT, "capacitor: 1 instead"
    ),
    "other unknowns": Bad(
        Deck(GOOD.text, ("b",), STOP, DEVICES, unknowns=4),
        Verdict.DEVICE_COUNT,
        "3 unknowns instead of 4.*misspelt",
    ),
}

FINE: Mapping[str, Deck] = {
    "node called error": deck(
        f"* t\nV1 error 0 1\nR1 error b 1k\nC1 b 0 1n\n.save v(error)\n{TRAN}", "b", "error"
    ),
    "element called failed": deck(f"* t\nV1 a 0 1\nRfailed a b 1k\nCerror b 0 1n\n{FROM_OP}"),
    "nodes called after faults": deck(
        "* t\nV1 timestep 0 1\nR1 timestep singular_matrix 1k\nR2 singular_matrix b 1k\nC1 b 0 1n\n"
        f".save v(timestep) v(singular_matrix)\n{FROM_OP}",
        "b",
        "timestep",
        "singular_matrix",
    ),
    "alarming title": deck(
        "unknown subckt, singular matrix: check node b, doAnalyses: timestep too small; "
        f"simulation(s) aborted, transient op started, ignored!\n{RC}{FROM_OP}"
    ),
    "title with other letters": deck(f"* phase φ of τ\n{RC}{TRAN}"),
    "empty title": deck(f"\n{RC}{TRAN}"),
    "comment on the end": deck(f"* t\n{RC}{TRAN.rstrip()} ; of it all\nR1 a b\n"),
    "lines after the end": deck(f"* t\n{RC}{TRAN}\n\n* tail\nR1 a b\n"),
    "lines of Windows": deck(f"* t\n{RC}{TRAN}".replace("\n", "\r\n")),
    "comments and continuations": deck(
        f"* t\nV1 a 0\n+ 1\nR1 a\n* note\n\n+ b 1k ; R1 a b 0\nC1 b 0 1n $ 0\n{TRAN}"
    ),
    "spaces around the value": deck(f"* t\nV1 a,0 1\nR1 a b r = 1k\nC1 b 0 c= 1n\n{TRAN}"),
    "script with words like elements": deck(f"* t\n{RC}.control\nrun\nlinearize\nreset\n.endc\n{TRAN}"),
    "nodes in upper case": deck(f"* T\nV1 A 0 1\nR1 A B 1k\nC1 B 0 1n\n{TRAN}", "B"),
    "nodes that are numbers": deck(
        "* t\nV1 1 0 1\nR1 1 2 1k\nC1 2 0 1n\n.save v(2)\n.tran 1u 10u uic\n.end", "2"
    ),
    "source without a value": deck(f"* t\nV1 a 0 1\nR1 a c 1k\nVammeter c b\nC1 b 0 1n\n{TRAN}", "b"),
    "vertical steps": deck(f"* t\nV1 a 0 pwl(0 0 5u 1 5u 2)\nR1 a b 1k\nC1 b 0 1n\n{TRAN}"),
    "singular until gmin stepping": deck(f"* t\nI1 0 b 1m\nB1 b 0 I=1m*v(b)*v(b)*v(b)\nC1 b 0 1n\n{FROM_OP}"),
    "operating point by source stepping": deck(
        f"* t\nV1 a 0 50\nR1 a b 1m\nB1 b 0 I=1e-14*exp(v(b)/0.02)\nC1 b 0 1n\n{FROM_OP}"
    ),
    "operating point alone": deck(
        "* t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end", "b", "v1#branch", stop=None
    ),
    "later stop than asked for": deck(f"* t\n{RC}.save v(b)\n.tran 1u 20u uic\n.end"),
    "empty list of vectors": Deck(GOOD.text, (), STOP),
}


def check_completes(simulator: Simulator, good: Deck = GOOD) -> None:
    """A good deck runs to its end on this simulator."""
    result = simulator.simulate(good, limit_s=60)
    assert result.verdict is Verdict.COMPLETED, (result.judgement, result.log)
    assert result.values.shape[1] == len(good.vectors)
    assert np.isfinite(result.values).all()
    if good.stop is not None:
        assert result.time[-1] >= good.stop * (1 - 1e-9)
        assert result.values.shape == (len(result.time), len(good.vectors))


@pytest.mark.parametrize("name", BAD)
def test_bad_deck(any_simulator: Simulator, name: str) -> None:
    bad = BAD[name]
    result = any_simulator.simulate(bad.deck, limit_s=60)
    judgement = result.judgement
    if result.version == str(bad.unsaid_by):
        assert judgement.completed
        return
    assert judgement.verdict is bad.verdict, (judgement, result.log)
    assert re.search(bad.says, judgement.reason), judgement.reason
    assert judgement.reason.endswith(".")
    assert judgement.node == bad.node
    if bad.time is not None:
        assert judgement.time == pytest.approx(bad.time, rel=0.05)
    assert judgement.line == (bad.line if int(result.version) >= bad.line_since else None)
    assert result.values.shape[1] == len(bad.deck.vectors)
    check_completes(any_simulator)


@pytest.mark.parametrize("name", FINE)
def test_good_deck_that_looks_bad(any_simulator: Simulator, name: str) -> None:
    check_completes(any_simulator, FINE[name])


def test_partial_results_of_a_blow_up(any_simulator: Simulator) -> None:
    result = any_simulator.simulate(BAD["finite-time blow-up"].deck)
    assert len(result.time) > 50
    assert result.values.shape == (len(result.time), 1)
    early = result.time < 3e-7
    # dv/dt = (g/C) v², so 1/v = 1 - t/1µs
    np.testing.assert_allclose(result.values[early, 0], 1 / (1 - result.time[early] / 1e-6), rtol=0.01)
    assert result.statistics.rejected > 0


def test_missing_vectors_are_nan(any_simulator: Simulator) -> None:
    result = any_simulator.simulate(BAD["saved node that is none"].deck)
    assert np.isfinite(result.values[:, 0]).all()
    assert np.isnan(result.values[:, 1]).all()


# some minutes of steps, hardly any of them kept
ENDLESS = deck(f"* endless\n{RC}.save v(b)\n.tran 1u 50 49.999 1u uic\n.end", stop=50.0)


def test_time_limit(any_simulator: Simulator, tmp_path: Path) -> None:
    result = any_simulator.simulate(ENDLESS, folder=tmp_path, limit_s=1.0)
    judgement = result.judgement
    assert judgement.verdict is Verdict.TIME_LIMIT
    assert re.search(r"after 1 s of wall time at \d\.\d% .*Raise --time-limit.*\.$", judgement.reason)
    assert judgement.time is not None
    assert 0 <= judgement.time < 10
    assert 1.0 <= result.statistics.wall_s < 5
    assert any("endless" in line for line in result.log)
    check_completes(any_simulator)


def test_killed_worker(any_simulator: Simulator, tmp_path: Path) -> None:
    def kill(_fraction: float) -> None:
        assert any_simulator.pid is not None
        os.kill(any_simulator.pid, signal.SIGKILL)

    result = any_simulator.simulate(ENDLESS, folder=tmp_path, limit_s=60, on_progress=kill)
    assert result.verdict is Verdict.CRASHED
    assert re.search(r"died \(signal SIGKILL\).*memory.*\.$", result.judgement.reason)
    assert any("endless" in line for line in result.log)
    check_completes(any_simulator)
