"""What a run keeps of its waveforms: out of blocks of any size, and out of ngspice."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.demodulate import IqDemodulator, SamplingFlipFlops, ZeroCrossings, iq
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from emulator.sinks import Excerpt, Means, Reading, Waveforms, WaveformSink
from emulator.verdict import Verdict
from netlists.core import Array

F0 = 1e6
CENTERS = np.arange(1, 9) / F0
INTERVALS = np.array([[0.0, 5e-6], [2.5e-6, 7.25e-6], [5e-6, 1e-5], [9e-6, 2e-5]])
NAMES = ("a", "B", "vdd", "v1#branch", "c")


def sink() -> WaveformSink:
    """One that makes use of everything."""
    return WaveformSink(
        {
            "iq": Reading(("a", "b"), IqDemodulator(F0, CENTERS)),
            "crossings": Reading(("v(C)", "a"), ZeroCrossings(F0, CENTERS)),
            "chip": Reading(("a", "B", "c"), SamplingFlipFlops(F0, CENTERS, 8)),
        },
        Means((("vdd", "V1#branch"), ("i(v1)",), ("a", "a")), INTERVALS, ("a", "c", "vdd")),
        [Excerpt(("c", "a"), 2e-6, 3e-6), Excerpt(("b",), 0.0, 1.0), Excerpt(("b",), 1.0, 2.0)],
    )


def waves(points: int = 641) -> tuple[Array, Array]:
    """Ten cycles of NAMES."""
    time = np.linspace(0, 1e-5, points)
    angle = 2 * np.pi * F0 * time
    current = 1e-3 * (1 + np.cos(2 * angle))
    columns = [np.cos(angle), np.cos(angle + 2), np.full_like(time, 1.2), current, np.cos(angle - 1)]
    return time, np.column_stack(columns)


def reduced(used: WaveformSink, time: Array, values: Array, sizes: list[int]) -> Waveforms:
    """What it makes of the blocks."""
    used.begin(NAMES)
    start, turn = 0, 0
    while start < len(time):
        end = start + sizes[turn % len(sizes)]
        used.take(time[start:end].copy(), values[start:end].copy())
        start, turn = end, turn + 1
    return used.result()


def test_everything_at_once() -> None:
    time, values = waves()
    found = pickle.loads(pickle.dumps(reduced(pickle.loads(pickle.dumps(sink())), time, values, [10**6])))
    assert list(found.demodulated) == ["iq", "crossings", "chip"]
    direct = iq(time, values[:, :2], F0, CENTERS)
    np.testing.assert_array_equal(found.demodulated["iq"].phase, direct.phase)
    assert np.isnan(found.demodulated["crossings"].phase[0]).all()  # its window begins before the waveforms
    np.testing.assert_allclose(found.demodulated["crossings"].phase[1:], [[-1.0, 0.0]] * 7, atol=1e-4)
    np.testing.assert_allclose(found.demodulated["chip"].phase, [[0, 2, -1]] * 8, atol=np.pi / 8 + 1e-9)
    for interval in (0, 2):
        # the last is of all squares together
        np.testing.assert_allclose(found.means[interval], [1.2e-3, 1e-3, 0.5, 1 + 1.44], rtol=1e-12)
    assert np.isnan(found.means[3]).all()  # the run ends before
    # 4.75 cycles: the current's and the square's second harmonic are left with half a cycle over
    np.testing.assert_allclose(found.means[1, 1], 1e-3, rtol=2e-3)
    few, all_of_it, none = found.kept
    inside = (time >= 2e-6) & (time <= 3e-6)
    np.testing.assert_array_equal(few.time, time[inside])
    np.testing.assert_array_equal(few.values, values[inside][:, [4, 0]])
    np.testing.assert_array_equal(all_of_it.values, values[:, 1:2])
    assert (few.vectors, none.time.shape, none.values.shape) == (("c", "a"), (0,), (0, 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=40))
def test_blocks_do_not_matter(sizes: list[int]) -> None:
    time, values = waves(501)
    one, two = reduced(sink(), time, values, [10**6]), reduced(sink(), time, values, sizes)
    for name, demodulated in one.demodulated.items():
        np.testing.assert_allclose(two.demodulated[name].phase, demodulated.phase, rtol=0, atol=1e-12)
    np.testing.assert_allclose(two.means[:, :3], one.means[:, :3], rtol=0, atol=1e-15)
    np.testing.assert_allclose(two.means[:, 3], one.means[:, 3], rtol=1e-14)
    for before, after in zip(one.kept, two.kept, strict=True):
        np.testing.assert_array_equal(after.time, before.time)
        np.testing.assert_array_equal(after.values, before.values)


def test_nothing_asked_and_nothing_come() -> None:
    empty = WaveformSink()
    empty.begin(NAMES)
    empty.take(*waves())
    assert (empty.result().demodulated, empty.result().means.size, empty.result().kept) == ({}, 0, ())
    unused = sink()
    unused.begin(NAMES)
    found = unused.result()
    assert found.demodulated["iq"].time.shape == (0,)
    assert np.isnan(found.means).all()
    assert found.kept[0].values.shape == (0, 2)


def test_vector_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="nowhere can't be taken"):
        WaveformSink(excerpts=[Excerpt(("a", "nowhere"), 0, 1)]).begin(NAMES)
    with pytest.raises(ValueError, match="end after its begin"):
        WaveformSink(means=Means((("a",),), np.array([[1.0, 1.0]]))).begin(NAMES)


def test_tanks_and_their_supply_in_ngspice(any_simulator: Simulator) -> None:
    cycles, points, phases = 60, 64, (0.3, -2.0)
    step = 1 / F0 / points
    # a tank of the frequency that the trapezoidal rule turns into F0
    inductance = 1e9 * (step / 2 / math.tan(math.pi / points)) ** 2
    text = [
        "* tanks and a supply",
        *(f"C{k} n{k} 0 1n\nL{k} n{k} 0 {inductance!r} ic={1e-9 * 2 * math.pi * F0 * math.sin(p)!r}"
          for k, p in enumerate(phases)),
        *(f".ic v(n{k})={math.cos(p)!r}" for k, p in enumerate(phases)),
        "Vdd vdd 0 2\nR1 vdd 0 1k\nB1 vdd 0 I=1m*v(n0)",
        ".options method=trap reltol=1e-9 trtol=1e12",
        ".save v(n0) v(n1) v(vdd) vdd#branch",
        f".tran {step!r} {cycles / F0!r} 0 {step!r} uic\n.end",
    ]  # fmt: skip
    centers = np.arange(5, cycles - 4) / F0
    used = WaveformSink(
        {
            "iq": Reading(("n1", "n0"), IqDemodulator(F0, centers)),
            "crossings": Reading(("n0", "n1"), ZeroCrossings(F0, centers)),
            "chip": Reading(("n0", "n1"), SamplingFlipFlops(F0, centers, 16, both_edges=True)),
        },
        Means((("vdd", "vdd#branch"),), np.array([[5 / F0, 25 / F0], [25 / F0, cycles / F0]])),
        [Excerpt(("n0",), 10 / F0, 11 / F0)],
    )
    deck = Deck("\n".join(text), ("n0", "n1", "vdd", "vdd#branch"), cycles / F0, sink=used)
    result = any_simulator.simulate(deck)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    found: Waveforms = result.reduced
    turned = found.demodulated["iq"].phase[0, ::-1]
    np.testing.assert_allclose(turned, phases, atol=0.05)
    for phase in (found.demodulated["iq"].phase[:, ::-1], found.demodulated["crossings"].phase):
        np.testing.assert_allclose(phase, np.broadcast_to(turned, phase.shape), atol=2e-3)
    chip = found.demodulated["chip"].phase
    np.testing.assert_allclose(chip, np.broadcast_to(turned, chip.shape), atol=np.pi / 32 + 0.01)
    np.testing.assert_allclose(found.means, -2 * 2e-3, rtol=1e-4)  # out of the source's plus
    assert len(found.kept[0].time) == pytest.approx(points + 1, abs=1)
    assert used.result().demodulated["iq"].time.shape == (0,)  # it worked in the worker
