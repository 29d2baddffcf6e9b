"""Waveforms taken from ngspice while it runs: the same as from memory, and no way to hang on it."""

from __future__ import annotations

import os
import re
import threading
import time as clock
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bad_decks import BAD, FINE
from waveform_sinks import Count, Failing, Keep

from emulator import streaming
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.streaming import RawReduction, Stream, vector_name
from emulator.verdict import Verdict

# a node that is a number, capital letters, branches of a source and an inductor, and a node asked for twice
RLC = "* RLC\nV1 a 0 sin(0 1 200k)\nR1 a 2 100\nC1 2 0 1n\nL1 2 Q 1u\nR2 q 0 1k\n"
VECTORS = ("q", "V1#branch", "2", "l1#branch", "Q")
LONG = Deck(f"{RLC}.save v(q)\n.tran 1u 4m 0 20n uic\n.end", ("q",), 4e-3)
ENDLESS = replace(LONG, text=LONG.text.replace("4m", "400"), stop=400.0)


def rlc(save: str = "", extra: str = "") -> Deck:
    """A deck with all of that, saving everything unless told otherwise."""
    return Deck(f"{RLC}{extra}{save}.tran 1u 100u 0 50n uic\n.end", VECTORS, 1e-4)


# -- the same as from memory


@pytest.mark.parametrize("save", ["", ".save l1#branch v(2) V1#branch V(q)\n"])
def test_same_as_from_memory(any_simulator: Simulator, save: str) -> None:
    deck = rlc(save)
    memory = any_simulator.simulate(deck)
    streamed = any_simulator.simulate(replace(deck, sink=Keep()))
    names, time, values, _ = streamed.reduced
    assert streamed.verdict is Verdict.COMPLETED
    assert memory.reduced is None
    assert names == VECTORS
    assert len(time) > 2000
    np.testing.assert_array_equal(time, memory.time)
    np.testing.assert_array_equal(values, memory.values)
    np.testing.assert_array_equal(streamed.time, time[[0, -1]])
    np.testing.assert_array_equal(streamed.values, values[[0, -1]])
    assert streamed.statistics.steps == memory.statistics.steps
    assert streamed.statistics.iterations == memory.statistics.iterations
    assert streamed.version == memory.version


def test_many_blocks_and_progress(any_simulator: Simulator, tmp_path: Path) -> None:
    fractions: list[float] = []
    deck = replace(LONG, sink=Count())
    result = any_simulator.simulate(deck, folder=tmp_path / "a Folder", on_progress=fractions.append)
    points, blocks, largest = result.reduced
    assert result.verdict is Verdict.COMPLETED
    assert points == pytest.approx(2e5, rel=0.01)
    assert blocks == -(-points * 16 // streaming.BLOCK_BYTES)
    assert largest <= streaming.BLOCK_BYTES
    assert fractions == sorted(fractions)
    assert len(fractions) >= 1
    assert sorted(path.name for path in (tmp_path / "a Folder").iterdir()) == ["ngspice.log"]


def test_slow_sink_holds_the_simulator_back_and_loses_nothing(any_simulator: Simulator) -> None:
    result = any_simulator.simulate(replace(LONG, sink=Count(0.1)))
    assert result.reduced[0] == any_simulator.simulate(LONG).time.size


def test_runs_with_and_without_in_turn(any_simulator: Simulator) -> None:
    pid = any_simulator.call(os.getpid)
    files = any_simulator.call(os.listdir, "/proc/self/fd")
    for sink in (Keep(), None, Keep(), None):
        result = any_simulator.simulate(replace(rlc(), sink=sink))
        assert result.verdict is Verdict.COMPLETED
        assert (result.reduced is None) == (sink is None)
    assert any_simulator.call(os.getpid) == pid
    assert len(any_simulator.call(os.listdir, "/proc/self/fd")) == len(files)
    assert any_simulator.call(threading.active_count) == 2  # its own, and that which watches the parent


# -- bad decks: the verdicts that they get without a sink


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if bad.deck.stop is not None])
def test_bad_deck(any_simulator: Simulator, name: str) -> None:
    bad = BAD[name]
    result = any_simulator.simulate(replace(bad.deck, sink=Keep()), limit_s=60)
    judgement = result.judgement
    assert judgement.verdict is bad.verdict, (judgement, result.log)
    assert judgement.node == bad.node
    assert judgement.line == (bad.line if int(result.version) >= bad.line_since else None)
    if "operating point instead" not in name:  # of that the file itself tells more
        assert re.search(bad.says, judgement.reason), judgement.reason
        assert bad.time is None or judgement.time == pytest.approx(bad.time, rel=0.05)


@pytest.mark.parametrize("name", [name for name, deck in FINE.items() if deck.stop is not None])
def test_good_deck_that_looks_bad(any_simulator: Simulator, name: str) -> None:
    result = any_simulator.simulate(replace(FINE[name], sink=Keep()), limit_s=60)
    assert result.verdict is Verdict.COMPLETED


def test_what_there_is_of_a_run_broken_off(any_simulator: Simulator) -> None:
    runaway = BAD["finite-time blow-up"].deck
    memory = any_simulator.simulate(runaway)
    streamed = any_simulator.simulate(replace(runaway, sink=Keep()))
    assert streamed.judgement == memory.judgement
    assert not streamed.judgement.completed
    np.testing.assert_array_equal(streamed.reduced[1], memory.time)
    np.testing.assert_array_equal(streamed.reduced[2], memory.values)
    assert streamed.time[-1] == memory.time[-1]


def test_missing_vector_is_not_begun(any_simulator: Simulator) -> None:
    deck = replace(rlc(), vectors=("q", "nowhere"))
    result = any_simulator.simulate(replace(deck, sink=Failing("begin")))
    assert result.verdict is Verdict.MISSING_VECTOR
    assert result.judgement == any_simulator.simulate(deck).judgement
    assert result.reduced is None


def test_values_beyond_all_bounds_do_not_come_to_the_sink(any_simulator: Simulator) -> None:
    text = "* beyond\nV1 a 0 1\nB1 b 0 V=time>50u ? 1e25 : v(a)\nR1 b 0 1\n.tran 1u 100u 0 1u uic\n.end"
    memory = any_simulator.simulate(Deck(text, ("a", "b"), 1e-4))
    streamed = any_simulator.simulate(Deck(text, ("a", "b"), 1e-4, sink=Keep()))
    assert streamed.verdict is memory.verdict is Verdict.NON_FINITE
    assert streamed.judgement == memory.judgement
    assert streamed.judgement.time == pytest.approx(5e-5, rel=0.05)
    assert len(streamed.time) == 3
    assert np.abs(streamed.reduced[2]).max(initial=0.0) <= 1


@pytest.mark.parametrize(
    ("extra", "says"), [(".op\n", "only analysis"), (".control\nset filetype=ascii\n.endc\n", "as text")]
)
def test_deck_whose_file_is_another(any_simulator: Simulator, extra: str, says: str) -> None:
    result = any_simulator.simulate(replace(rlc(extra=extra), sink=Keep()))
    assert result.verdict is Verdict.TRUNCATED
    assert says in result.judgement.reason
    assert any_simulator.simulate(replace(rlc(), sink=Keep())).verdict is Verdict.COMPLETED


def test_sink_without_a_transient() -> None:
    with pytest.raises(ValueError, match="transient"):
        Deck("* op\nV1 a 0 1\n.op\n.end", ("a",), None, sink=Keep())


# -- sinks that fail


@pytest.mark.parametrize("where", ["begin", "take", "result"])
def test_error_of_a_sink_is_the_callers_and_the_run_ends(any_simulator: Simulator, where: str) -> None:
    pid = any_simulator.call(os.getpid)
    with pytest.raises(ZeroDivisionError, match=f"fails in {where}") as caught:
        any_simulator.simulate(replace(LONG, sink=Failing(where)), limit_s=60)
    assert any("in the sink that takes the waveforms, a Failing" in note for note in caught.value.__notes__)
    assert any_simulator.simulate(rlc()).verdict is Verdict.COMPLETED
    assert any_simulator.call(os.getpid) == pid


def test_error_of_a_sink_does_not_hide_the_deck_s(any_simulator: Simulator) -> None:
    short = replace(LONG, stop=8e-3, sink=Failing("take"))
    result = any_simulator.simulate(short)
    assert result.verdict is Verdict.TRUNCATED
    assert result.reduced is None


def test_sink_that_can_not_travel(simulator: Simulator) -> None:
    sink = Keep()
    sink.time = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="pickle"):
        simulator.simulate(replace(rlc(), sink=sink))
    assert simulator.simulate(rlc()).verdict is Verdict.COMPLETED


def test_sink_that_hangs_meets_the_time_limit(any_simulator: Simulator, tmp_path: Path) -> None:
    any_simulator.simulate(replace(rlc(), sink=Keep()))  # loads ngspice and the sinks
    result = any_simulator.simulate(replace(LONG, sink=Failing("take", "hang")), folder=tmp_path, limit_s=1.5)
    assert result.verdict is Verdict.TIME_LIMIT
    assert [path.name for path in tmp_path.iterdir()] == ["ngspice.log"]
    assert any_simulator.simulate(rlc()).verdict is Verdict.COMPLETED


def test_endless_run_meets_the_time_limit(any_simulator: Simulator, tmp_path: Path) -> None:
    any_simulator.simulate(replace(rlc(), sink=Keep()))  # loads ngspice and the sinks
    started = clock.monotonic()
    result = any_simulator.simulate(replace(ENDLESS, sink=Count()), folder=tmp_path, limit_s=1.0)
    assert result.verdict is Verdict.TIME_LIMIT
    assert clock.monotonic() - started < 10
    assert [path.name for path in tmp_path.iterdir()] == ["ngspice.log"]


def test_worker_that_dies_in_the_sink(any_simulator: Simulator) -> None:
    result = any_simulator.simulate(replace(LONG, sink=Failing("take", "kill")))
    assert result.verdict is Verdict.CRASHED
    assert any_simulator.simulate(rlc()).verdict is Verdict.COMPLETED


# -- the pipe, without a simulator


def raw(time: np.ndarray, columns: dict[str, np.ndarray], count: str | None = None) -> bytes:
    """A raw file as ngspice writes it into a pipe."""
    names = "".join(f"\t{k}\t{name}\tvoltage\n" for k, name in enumerate(["time", *columns]))
    head = (
        f"Title: * t\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: {1 + len(columns)}\n"
        f"No. Points: 0       \nVariables:\n{names}Binary:\n"
    )
    rows = np.column_stack([time, *columns.values()])
    return head.encode() + rows.tobytes() + (str(len(time)) if count is None else count).encode()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(1, 5), st.lists(st.integers(1, 700), max_size=40), st.integers(1, 400))
def test_any_cut_of_the_file(points: int, nodes: int, cuts: list[int], block: int) -> None:
    time = np.arange(points) * 1.0
    columns = {f"v(n{k})": np.sin(time + k) for k in range(nodes)}
    data = memoryview(raw(time, columns))
    wanted = [f"N{k}" for k in range(nodes)][::-1]
    original, streaming.BLOCK_BYTES = streaming.BLOCK_BYTES, block
    try:
        reduction = RawReduction(wanted, Keep())
        for cut in cuts:
            reduction.feed(data[:cut])
            data = data[cut:]
        reduction.feed(data)
        reduction.close()
    finally:
        streaming.BLOCK_BYTES = original
    names, got_time, got, _ = reduction.result
    assert (reduction.fault, reduction.error, names) == (None, None, tuple(wanted))
    np.testing.assert_array_equal(got_time, time)
    np.testing.assert_array_equal(got, np.column_stack(list(columns.values()))[:, ::-1])
    np.testing.assert_array_equal(reduction.time, time[[0, -1]] if points > 1 else time)


@pytest.mark.parametrize("count", ["", "3", "5", "4x", "xxxxxxxx4"])
def test_file_that_was_cut_or_is_longer(count: str) -> None:
    reduction = RawReduction(["a"], Keep())
    reduction.feed(memoryview(raw(np.arange(4.0), {"v(a)": np.ones(4)}, count)))
    reduction.close()
    assert reduction.fault is not None
    assert "after 4 points" in reduction.fault


def test_writer_that_never_comes() -> None:
    reduction = RawReduction(["a"], Keep())
    started = clock.monotonic()
    with Stream(reduction) as stream:
        assert stream.path.startswith("/dev/fd/")
    assert clock.monotonic() - started < 1
    assert reduction.time.shape == (0,)
    assert reduction.result is None


def test_writer_that_never_closes() -> None:
    reduction = RawReduction(["a"], Keep())
    data = raw(np.arange(1000.0), {"v(a)": np.ones(1000)})
    started = clock.monotonic()
    with Stream(reduction) as stream:
        descriptor = os.open(stream.path, os.O_WRONLY)
        os.write(descriptor, data)
    assert clock.monotonic() - started < 1
    os.close(descriptor)
    assert len(reduction.result[1]) == 1000


def test_writer_of_something_else_is_drained() -> None:
    reduction = RawReduction(["a"], Keep())
    with Stream(reduction) as stream, Path(stream.path).open("wb") as file:
        file.write(b"\nVariables:\n\tBinary:\nno raw file\nBinary:\n" + bytes(10**7))
    assert reduction.fault is not None
    assert reduction.result is None


@pytest.mark.parametrize(
    ("written", "name"),
    [("v(A)", "a"), ("V(2)", "2"), ("i(v1)", "v1#branch"), ("V1#branch", "v1#branch"), ("xc.r0", "xc.r0"),
     ("i(@r1[i])", "@r1[i]"), ("v(x1.q)", "x1.q"), ("i(v.x1.v2)", "v.x1.v2#branch"), ("v(n0#il)", "n0#il")],
)  # fmt: skip
def test_vector_names(written: str, name: str) -> None:
    assert vector_name(written) == name
