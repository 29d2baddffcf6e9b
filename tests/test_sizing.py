"""Sizes of arrays: weights from hand-made and measured coupling functions, and all that a cell can't give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cores import both_ways, core, symmetric_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from small import small_core

from device_models.lc_cell import lc_cell
from device_models.oscillator_cell import CouplerType, OscillatorCell
from device_models.ring_oscillator import ring_cell
from emulator.characterize import cached
from emulator.phase_models import actions, gamma_rate
from emulator.simulator import Simulator
from netlists.characterization import Characterization, CouplingFunction, LimitCycle, ShilLock
from netlists.core import AnalogCore, Array
from netlists.oscillator_array import build_array
from netlists.sizing import CROSSED, Sizing, SizingError, size, weak_injection

F0 = 1e8
RING, LC = ring_cell(), lc_cell()
INVERTER, GATE, GM = RING.coupler("inverter"), RING.coupler("gate"), LC.coupler("gm")
COUPLERS = [(RING, INVERTER), (RING, GATE), (LC, GM)]
NAMES = ["inverter", "gate", "gm"]
PHASE = (np.arange(24) + 0.5) * (2 * np.pi / 24)
SIGNS = {"inverter": -1.0, "gate": 1.0, "gm": 1.0}  # of what the straight wiring gives


def function(
    coupler: CouplerType, gain: float, crossed: bool, pulling: float = 0.0, back: float = 0.0
) -> CouplingFunction:
    """A sine, with a share of the gain as pulling of the receiver, and of the sender."""
    mutual = gain * np.sin(PHASE) if coupler.mutual else np.zeros(24)
    size_ = abs(gain)
    found = np.array([pulling * size_, 1j * gain, 0.0])
    return CouplingFunction(
        coupler.name, crossed, 1e-4, PHASE, pulling * size_ - gain * np.sin(PHASE), found, found,
        back * size_ + mutual, pulling * size_, 0.0,
        idle=(pulling * size_ / 3, back * size_ / 2) if coupler.bits else (0.0, 0.0),
    )  # fmt: skip


def known_of(
    cell: OscillatorCell, coupler: CouplerType, pulling: float = 0.0, back: float = 0.0
) -> Characterization:
    """A cell whose couplers act as ``function`` says, crossed a little stronger."""
    gain = SIGNS[coupler.name] * 3e9
    coupling = {coupler.name: function(coupler, gain, False, pulling, back)}
    if coupler.crossed is not None:
        coupling[coupler.name + CROSSED] = function(coupler, -1.2 * gain, True, pulling, back)
    lock = ShilLock(
        cell.shil, "current", 0.0, 2e12, 1e-6, np.zeros(2), np.zeros(2), np.zeros(1), np.zeros(1, bool)
    )
    cycle = LimitCycle(PHASE, ("v(n1)",), np.zeros((24, 1)))
    return Characterization(
        cell.name, "", 100, F0, 0.5, 0.5, np.zeros(3, complex), 1e-5, cycle, {}, coupling, lock, 0.0, 5e12, {},
    )  # fmt: skip


def still_core(seed: int = 0, chunks: int = 2, symmetric: bool = True) -> AnalogCore:
    """Random weights of both signs, some of which change between chunks; no detuning."""
    found = small_core((3, 3), chunks, 2.0, seed=seed, symmetric=symmetric)
    return replace(found, parameters={**found.parameters, "detuning": np.zeros(found.nodes)})


def given_weights(sizing: Sizing, known: Characterization, coupler: CouplerType, core: AnalogCore) -> Array:
    """(T, E) weights that the links give, by the gains alone."""
    links, found = sizing.links, np.zeros_like(core.coupling)
    edge_of = {tuple(edge): k for k, edge in enumerate(core.edges.tolist())}
    for q, (i, j) in enumerate(zip(links.receiver.tolist(), links.sender.tolist(), strict=True)):
        gain = known.coupling[coupler.name + CROSSED * bool(links.crossed[q])].gain
        for edge in {(i, j), (j, i)} if coupler.mutual else {(i, j)}:
            found[:, edge_of[edge]] += links.strength[:, q] * gain * sizing.tau
    return found


@pytest.mark.parametrize(("cell", "coupler"), COUPLERS, ids=NAMES)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), chunks=st.integers(1, 3), margin=st.floats(1.0, 3.0))
def test_links_give_the_weights_within_half_a_code(
    cell: OscillatorCell, coupler: CouplerType, seed: int, chunks: int, margin: float
) -> None:
    trained = still_core(seed, chunks)
    known = known_of(cell, coupler)
    full_scale = margin * float(np.abs(trained.coupling).max())
    sizing = size(trained, cell, known, cycles=300, coupler=coupler, full_scale=full_scale)
    np.testing.assert_allclose(
        given_weights(sizing, known, coupler, trained), sizing.as_built.coupling, atol=1e-9
    )
    assert np.abs(sizing.as_built.coupling - trained.coupling).max() <= sizing.lsb / 2 + 1e-12
    links = sizing.links
    if coupler.bits:
        assert sizing.lsb == pytest.approx(full_scale / 7)
        assert links.codes is not None
        assert links.codes.min() >= 0
        assert links.codes.max() <= 7
        full = np.where(links.crossed, links.full[1], links.full[0])
        np.testing.assert_allclose(links.strength, full * links.codes / 7, rtol=1e-9)
        np.testing.assert_allclose(links.unused, full * (1 - links.codes / 7), atol=1e-12 * full.max())
    else:
        assert links.codes is None
        assert not links.unused.any()


def test_a_weight_that_changes_sign_has_a_link_for_each_sign_and_one_that_is_zero_a_link_that_loads() -> None:
    edges = both_ways([(0, 1), (1, 2)])
    trained = core((1, 3), edges, [[0.7, 0.0, 0.7, 0.0], [-0.3, 0.0, -0.3, 0.0]], boundaries=(0, 1, 2))
    links = size(trained, RING, known_of(RING, INVERTER), cycles=100, coupler=INVERTER).links
    pairs = list(
        zip(links.receiver.tolist(), links.sender.tolist(), links.crossed.astype(bool).tolist(), strict=True)
    )
    assert sorted(pairs) == [
        (0, 1, False), (0, 1, True), (1, 0, False), (1, 0, True), (1, 2, False), (2, 1, False),
    ]  # fmt: skip
    assert links.codes is not None
    codes = dict(zip(pairs, links.codes.T.tolist(), strict=True))
    assert codes[0, 1, True] == [7, 0]  # the inverter inverts: positive weights are wired crossed
    assert codes[0, 1, False] == [0, 3]
    assert codes[1, 2, False] == [0, 0]


def test_a_mutual_coupler_is_there_once_a_pair() -> None:
    trained = still_core()
    sizing = size(trained, RING, known_of(RING, GATE), cycles=100, coupler=GATE, full_scale=10.0)
    assert (sizing.links.receiver < sizing.links.sender).all()
    pairs = set(zip(sizing.links.receiver.tolist(), sizing.links.sender.tolist(), strict=True))
    assert len(pairs) == len(trained.edges) // 2


@settings(deadline=None, max_examples=20)
@given(cycles=st.floats(20, 5000), factor=st.floats(1.1, 50))
def test_everything_scales_with_one_over_the_cycles(cycles: float, factor: float) -> None:
    trained, known = still_core(), known_of(RING, INVERTER, 0.2, -0.03)
    one, two = (size(trained, RING, known, cycles=n, coupler=INVERTER) for n in (cycles, factor * cycles))
    assert one.tau == pytest.approx(cycles / F0 / trained.duration)
    assert two.tau == pytest.approx(factor * one.tau)
    for name in ("strength", "unused"):
        np.testing.assert_allclose(getattr(one.links, name), factor * getattr(two.links, name), rtol=1e-9)
    for name in ("injection", "reference", "pulling"):
        np.testing.assert_allclose(getattr(one, name), factor * getattr(two, name), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(one.as_built.coupling, two.as_built.coupling)
    np.testing.assert_allclose(one.injection * 2e12 * one.tau, trained.parameters["shil"])
    np.testing.assert_allclose(one.reference * 5e12 * one.tau, trained.parameters["bias"])


# --- the phase model of what was sized


def ode(trained: AnalogCore, chunk: int, phase: Array) -> Array:
    """(N,) rates of the trained equation, pair by pair."""
    shil, bias = trained.parameters["shil"][chunk], trained.parameters["bias"][chunk]
    rate = -shil * np.sin(2 * phase) - bias * np.sin(phase)
    for (i, j), weight in zip(trained.edges.tolist(), trained.coupling[chunk], strict=True):
        rate[i] -= weight * np.sin(phase[i] - phase[j])
    return np.asarray(rate)


@pytest.mark.parametrize(("cell", "coupler"), COUPLERS, ids=NAMES)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), chunk=st.integers(0, 1))
def test_ideal_couplers_give_the_trained_equation(
    cell: OscillatorCell, coupler: CouplerType, seed: int, chunk: int
) -> None:
    trained, known = still_core(seed), known_of(cell, coupler)
    sizing = size(trained, cell, known, cycles=200, coupler=coupler)
    phase = np.random.default_rng(seed).uniform(-np.pi, np.pi, trained.nodes)
    rate = gamma_rate(sizing.as_built, sizing, actions(known, coupler, sizing), chunk)
    np.testing.assert_allclose(rate(phase[:, None])[:, 0], ode(sizing.as_built, chunk, phase), atol=1e-9)
    assert sizing.carrier_hz == pytest.approx(F0, rel=1e-12)


@pytest.mark.parametrize(("cell", "coupler"), COUPLERS, ids=NAMES)
def test_pulling_is_what_is_left_of_the_model_without_phases(
    cell: OscillatorCell, coupler: CouplerType
) -> None:
    """Against the reference, which runs with the cells on average; with the load of legs that are off."""
    trained, known = still_core(3), known_of(cell, coupler, pulling=0.3, back=-0.1)
    sizing = size(trained, cell, known, cycles=200, coupler=coupler, full_scale=5.0)
    assert sizing.pulling.mean() == pytest.approx(0.0, abs=1e-9 * np.abs(sizing.pulling).max())
    assert np.ptp(sizing.pulling) > 0
    assert abs(sizing.carrier_hz - F0) > 1.0
    for chunk in range(trained.chunks):
        rate = gamma_rate(sizing.as_built, sizing, actions(known, coupler, sizing), chunk)
        phase = np.random.default_rng(0).uniform(-np.pi, np.pi, trained.nodes)
        beyond = rate(phase[:, None])[:, 0] - ode(sizing.as_built, chunk, phase)
        np.testing.assert_allclose(beyond, sizing.pulling[chunk] * sizing.tau, atol=1e-9)


def test_legs_that_are_off_pull_by_their_load() -> None:
    """One pair at code 1 of 7: a seventh of the pulling of all legs, and six sevenths of that of none."""
    trained = core((1, 2), [(0, 1)], 0.1, visible=[0])
    known = known_of(RING, INVERTER, pulling=0.3, back=-0.1)
    sizing = size(trained, RING, known, cycles=100, coupler=INVERTER, full_scale=0.7)
    (full,) = {sizing.links.full[1]}
    gain = abs(known.coupling["inverter:crossed"].gain)
    receiver = full * gain * (0.3 / 7 + 0.1 * 6 / 7)
    sender = full * gain * (-0.1 / 7 - 0.05 * 6 / 7)
    np.testing.assert_allclose(sizing.pulling[0], np.array([1, -1]) * (receiver - sender) / 2)
    assert 2 * np.pi * (sizing.carrier_hz - F0) == pytest.approx((receiver + sender) / 2, rel=1e-6)


@pytest.mark.parametrize("name", ["inverter", "gate", "gm"])
def test_measured_couplers_give_the_weights_and_act_on_both_cells(simulator: Simulator, name: str) -> None:
    known, coupler = cached(simulator, RING, 100), RING.coupler(name)
    trained = still_core(1)
    sizing = size(trained, RING, known, cycles=200, coupler=coupler)
    np.testing.assert_allclose(
        given_weights(sizing, known, coupler, trained), sizing.as_built.coupling, atol=1e-9
    )
    # the model's own first harmonic between two cells, in the direction of the receiver
    parts = actions(known, coupler, sizing)
    wired = known.coupling[name]
    assert parts[0].harmonics[1].imag == pytest.approx(wired.gain)
    if coupler.mutual:  # passive: what one does to the other comes back
        assert parts[1].harmonics[1].imag == pytest.approx(wired.gain, rel=0.1)
    else:
        assert abs(parts[1].harmonics[1]) < 0.05 * abs(wired.gain)
    if coupler.bits:
        # gates load whether or not they conduct: slower, but by less than a leg that is on moves
        assert -0.1 * abs(wired.gain) < sum(wired.idle) < 0
    else:
        assert wired.idle == (0.0, 0.0)


# --- what a cell can't give


def sized(trained: AnalogCore, name: str = "inverter", **more: object) -> Sizing:
    cell, coupler = COUPLERS[NAMES.index(name)]
    known = more.pop("known", known_of(cell, coupler))
    return size(trained, cell, known, cycles=100, coupler=coupler, **more)  # type: ignore[arg-type]


def without(part: str) -> Characterization:
    known = known_of(RING, INVERTER)
    if part == "shil":
        return replace(known, shil=None)
    if part == "bias":
        return replace(known, reference_gain=0.0)
    if part == "crossed":
        return replace(known, coupling={"inverter": known.coupling["inverter"]})
    if part == "action":
        return replace(known, coupling={**known.coupling, "inverter": function(INVERTER, 1e-9, False)})
    return replace(known, coupling={**known.coupling, "inverter:crossed": function(INVERTER, -3e9, True)})


PAIR = both_ways([(0, 1)])
ONE_WIRING = replace(INVERTER, crossed=None)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: sized(replace(still_core(), family_name="langevin")), "not langevin. Take --level phase"),
        (lambda: sized(still_core(symmetric=False), "gate"), "directed, and the coupler 'gate'.*another --coupler"),
        (lambda: size(core((1, 2), PAIR, 0.1, detuning=0.1), replace(RING, tuning=""), known_of(RING, INVERTER),
                      cycles=99, coupler=INVERTER), "no parameter for tuning.*--level lc or phase"),
        (lambda: sized(still_core(), full_scale=0.5), r"\d+ of 48 weights are beyond.*--full-scale 1\.\d+, or --clip"),
        (lambda: sized(still_core(), bits=4), "has 3 legs, not 4"),
        (lambda: sized(still_core(), known=without("crossed")), "no coupling function of 'inverter:crossed'"),
        (lambda: sized(still_core(), known=without("action")), "does not act on 'ring': look at its wiring"),
        (lambda: sized(still_core(), known=without("sign")), "act with the same sign"),
        (
            lambda: sized(still_core(), known=without("shil")),
            "hold shil, and 'ring' does not.*Make the cell asymmetric",
        ),
        (lambda: sized(still_core(), known=without("bias")), "hold bias, and 'ring' does not"),
        (
            lambda: size(core((1, 2), PAIR, 0.1), RING, known_of(RING, ONE_WIRING), cycles=99, coupler=ONE_WIRING),
            "2 weights have a sign that the coupler 'inverter' can't give",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_sized_says_so(attempt: Callable[[], Sizing], said: str) -> None:
    with pytest.raises(SizingError, match=said):
        attempt()


@pytest.mark.parametrize("name", ["inverter", "gm"])
def test_couplers_that_cannot_change_refuse_weights_that_do(name: str) -> None:
    cell, coupler = COUPLERS[NAMES.index(name)]
    known = known_of(cell, coupler)
    fixed = replace(coupler, in_chunks=None)
    for rows, fits in ([[0.1], [0.1]], True), ([[0.1], [0.2]], False):
        trained = core((1, 2), PAIR, rows, boundaries=(0.0, 1.0, 2.0))
        sizing = size(trained, cell, known, cycles=100, coupler=fixed)
        if fits:
            array = build_array(trained, cell, known, sizing, fixed, (1e-7,), 1e-6)
            calls = [call for call in array.blocks[-1].elements if call.name.startswith("k_")]  # type: ignore[union-attr]
            assert not any(key.endswith("_2") for call in calls for key in call.parameters)  # type: ignore[union-attr]
        else:
            with pytest.raises(SizingError, match=r"weights change in time, and the coupler .* can't"):
                build_array(trained, cell, known, sizing, fixed, (1e-7,), 1e-6)


def test_clipped_weights_are_counted() -> None:
    trained = still_core()
    sizing = sized(trained, full_scale=0.5, clip=True)
    assert sizing.clipped == (np.abs(trained.coupling) > 0.5).sum() > 0
    assert np.abs(sizing.as_built.coupling).max() == pytest.approx(0.5)


def test_an_injection_too_weak_names_the_nodes() -> None:
    trained = core((1, 3), shil=[0.3, 0.1, 0.02], bias=[0.0, 0.0, 0.01], boundaries=(0.0, 5.0))
    assert weak_injection(trained, np.array([0.2, -0.05, 0.02])) is None
    said = weak_injection(trained, np.array([0.2, -0.4, 0.1]))
    assert said is not None
    assert "too weak to hold 2 of 3 nodes" in said
    assert "r00c01 most, 0.4 rad per model time unit against 0.1 in chunk 1" in said
    # nothing that could be noticed, or nothing that was to hold
    assert weak_injection(replace(trained, boundaries=np.array([0.0, 0.2])), np.full(3, 0.1)) is None
    assert weak_injection(core((1, 3), boundaries=(0.0, 5.0)), np.ones(3)) is None


def test_symmetric_weights_of_a_core_are_what_mutual_couplers_take() -> None:
    """A chunked core through the crossed and the straight wiring of one pair."""
    edges = both_ways([(0, 1), (0, 2), (1, 2)])
    weights = symmetric_weights(edges, np.random.default_rng(1), 3)
    trained = core((1, 3), edges, weights, boundaries=(0, 1, 2, 3), symmetric=True)
    known = known_of(RING, GATE)
    sizing = size(trained, RING, known, cycles=100, coupler=GATE)
    given = given_weights(sizing, known, GATE, trained)
    np.testing.assert_allclose(given, given[:, [3, 4, 5, 0, 1, 2]])
    assert np.abs(given - weights).max() <= sizing.lsb / 2 + 1e-12
