"""The weights as a chip holds them: physical couplers, chunk by chunk the same element, nothing else touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import family_core, small_core

from netlists.as_built import AsBuilt, NonIdealityError, as_built
from netlists.as_built_facts import facts
from netlists.core import AnalogCore, Array
from netlists.non_idealities import NonIdealities, Quantizer
from netlists.sizing import SizingError
from netlists.synthetic import window_core

QUANTIZERS: list[Quantizer] = ["signed", "offset", "sign-magnitude"]
EVERYTHING = {
    "bits": 4, "mismatch_coupling": 0.05, "mismatch_shil": 0.05, "detuning": 0.002, "dead": 0.1, "stuck": 0.1,
}  # fmt: skip


def built(core: AnalogCore, /, cycles: float = 100.0, **asked: Any) -> AsBuilt:
    how = {k: asked.pop(k) for k in ("full_scale", "clip", "coded", "directed") if k in asked}
    return as_built(core, NonIdealities(**asked), cycles=cycles, **how)


def backwards(core: AnalogCore) -> Array:
    """(T, E) weight of the opposite edge of each."""
    number = {tuple(edge): k for k, edge in enumerate(core.edges.tolist())}
    return core.coupling[:, [number[j, i] for i, j in core.edges.tolist()]]


def factor(core: AnalogCore, found: AsBuilt) -> Array:
    """(T, E) couplings over the trained ones."""
    return found.core.coupling / core.coupling


def test_without_any_it_is_the_trained_core() -> None:
    core = small_core()
    for asked in (
        {},
        {"noise": 0.1, "corner": "slow", "temperature": 300},
        {"quantizer": "offset", "chip": 7},
    ):
        assert built(core, **asked).core is core


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["kurashil", "kuramoto", "polynomial_ising", "tanh_feature_ising", "langevin"]),
    st.sampled_from(QUANTIZERS), st.integers(2, 10), st.integers(0, 100),
)  # fmt: skip
def test_symmetric_cores_stay_symmetric(family: str, quantizer: Quantizer, bits: int, chip: int) -> None:
    core = family_core(family, symmetric=True)
    found = built(
        core, bits=bits, quantizer=quantizer, mismatch_coupling=0.2, dead=0.2, stuck=0.2, chip=chip
    ).core
    assert found.symmetric
    np.testing.assert_array_equal(found.coupling, backwards(found))
    assert (found.coupling != core.coupling).mean() > 0.9


def test_elements_of_one_direction_bear_mismatch_of_their_own() -> None:
    # a tanh of the sum needs adders: its couplers are directed whatever the weights
    for core, directed in (
        (family_core("tanh_ising", symmetric=True), False),
        (small_core(symmetric=True), True),
    ):
        found = built(core, mismatch_coupling=0.1, directed=directed).core
        assert not found.symmetric
        assert len(np.unique((found.coupling / core.coupling)[0])) == len(core.edges)
        # what is no matter of the element leaves them alike
        assert built(core, bits=4, directed=directed).core.symmetric


def test_the_element_is_the_same_in_all_chunks() -> None:
    core = small_core(chunks=3, symmetric=False)
    ratio = factor(core, built(core, mismatch_coupling=0.1))
    np.testing.assert_allclose(ratio, ratio[[0, 0, 0]])
    assert ratio[0].std() == pytest.approx(0.1, rel=0.5)
    injection = built(core, mismatch_shil=0.1).core.parameters["shil"] / core.parameters["shil"]
    np.testing.assert_allclose(injection, injection[[0, 0, 0]])
    assert len(np.unique(injection[0])) == core.nodes


def test_draws_depend_on_nothing_but_chip_and_place() -> None:
    """Other weights, chunks, boundaries and non-idealities: the same die."""
    core = small_core(chunks=3)
    other = small_core(chunks=1, duration=5.0, seed=9, strength=2.0)
    for name in ("coupling", "shil", "detuning", "dead", "stuck"):
        a, b = built(core, **EVERYTHING).die, built(other, **EVERYTHING | {"bits": None}).die
        assert a is not None
        assert b is not None
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("quantizer", QUANTIZERS)
@pytest.mark.parametrize("bits", [2, 3, 6])
def test_codes_by_chunk_and_kind(quantizer: Quantizer, bits: int) -> None:
    core = window_core(6, 6, chunks=3)
    core = replace(core, coupling=core.coupling * np.array([1.0, 0.1, 3.0])[:, None])
    found = built(core, bits=bits, quantizer=quantizer)
    held = found.quantised["coupling"]
    np.testing.assert_array_equal(held.full_scale, np.abs(core.coupling).max(axis=1))
    assert held.codes.min() == held.code.lowest
    assert held.codes.max() == held.code.highest
    np.testing.assert_array_equal(held.weights, found.core.coupling)
    beyond = (np.abs(found.core.coupling - core.coupling) > 0.5 * (1 + 1e-9) * held.lsb[:, None]).sum()
    assert beyond == held.clipped
    # nothing of the injection or of this bias is negative, so neither spends a code on a sign
    for name in ("shil", "bias"):
        assert found.quantised[name].code.kind == "unsigned"
        assert found.core.parameters[name].max() == core.parameters[name].max()
        assert len(np.unique(found.core.parameters[name][0])) <= 2**bits
    signed = replace(core, parameters=core.parameters | {"bias": core.parameters["bias"] - 0.2})
    assert built(signed, bits=bits, quantizer=quantizer).quantised["bias"].code.kind == quantizer


def test_a_common_full_scale() -> None:
    core = small_core(chunks=2)
    limit = 2 * np.abs(core.coupling).max()
    held = built(core, bits=4, full_scale=limit).quantised["coupling"]
    np.testing.assert_allclose(held.full_scale, limit)
    assert np.ptp(held.lsb) == 0
    with pytest.raises(SizingError, match="beyond the couplers' full scale"):
        built(core, bits=4, full_scale=0.1)
    clipped = built(core, bits=8, quantizer="offset", full_scale=0.1, clip=True)
    assert np.abs(clipped.core.coupling).max() == pytest.approx(0.1)
    assert clipped.clipped == (np.abs(core.coupling) > 0.1).sum()


def test_what_is_no_programmed_weight_is_not_coded() -> None:
    core = family_core("langevin", symmetric=True)
    found = built(core, bits=2)
    assert set(found.quantised) == {"coupling", "bias"}
    for name in ("quadratic", "quartic"):
        np.testing.assert_array_equal(found.core.parameters[name], core.parameters[name])
    trained = small_core()
    detuning = trained.parameters["detuning"]
    np.testing.assert_array_equal(built(trained, bits=2).core.parameters["detuning"], detuning)


def test_couplers_with_codes_of_their_own_are_left_to_them() -> None:
    core = small_core()
    found = built(core, bits=4, coded=True, stuck=0.1)
    assert "coupling" not in found.quantised
    assert found.full_scale == np.abs(core.coupling).max()
    stuck = np.isin(found.coupler_of, found.die.stuck)
    np.testing.assert_array_equal(np.abs(found.core.coupling[:, stuck]), found.full_scale)
    np.testing.assert_array_equal(found.core.coupling[:, ~stuck], core.coupling[:, ~stuck])


def test_detuning_is_cycles_of_slip() -> None:
    """A cell that is one per cent fast gains a hundredth of a turn a cycle."""
    core = small_core(duration=4.0)
    found = built(core, cycles=300, detuning=0.01)
    drawn = found.die.detuning
    added = found.core.parameters["detuning"] - core.parameters["detuning"]
    np.testing.assert_allclose(added * core.duration, 2 * np.pi * 300 * drawn)
    np.testing.assert_allclose(found.detuning, added, atol=1e-12)


def test_dead_couplers_are_exactly_zero_and_counted() -> None:
    core = small_core((6, 6), chunks=3)
    found = built(core, dead=0.25, mismatch_coupling=0.1, bits=4, quantizer="offset")
    pairs = len(core.couplers[0])
    zero = (found.core.coupling == 0).all(axis=0)
    assert len(found.die.dead) == round(0.25 * pairs)
    assert zero.sum() == 2 * len(found.die.dead)
    np.testing.assert_array_equal(zero, np.isin(found.coupler_of, found.die.dead))
    assert not np.signbit(found.core.coupling[found.core.coupling == 0]).any()


@pytest.mark.parametrize("bits", [None, 3])
@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_stuck_couplers_stand_at_an_end(bits: int | None, quantizer: Quantizer) -> None:
    core = small_core((6, 6), chunks=3, seed=4)
    found = built(core, stuck=0.3, bits=bits, quantizer=quantizer)
    scale = np.abs(core.coupling).max(axis=1)
    top = 0.75 if (bits, quantizer) == (3, "signed") else 1.0
    for number, sign in zip(found.die.stuck, found.die.stuck_sign, strict=True):
        here = found.core.coupling[:, found.coupler_of == number]
        assert here.shape == (3, 2)
        expected = scale * (top if sign > 0 else -1.0)
        np.testing.assert_allclose(here, np.stack([expected, expected], axis=1))
    assert len(set(found.die.stuck_sign)) == 2


def test_numbers_of_couplers_are_those_of_the_elements() -> None:
    for core in (small_core(symmetric=True), small_core(symmetric=False)):
        pairs, edge_of = core.couplers
        np.testing.assert_array_equal(core.coupler_of[edge_of], np.arange(len(pairs)))
        ends = np.sort(core.edges, axis=1)
        np.testing.assert_array_equal(np.sort(pairs[core.coupler_of], axis=1), ends)


@pytest.mark.parametrize(
    ("family", "asked", "said"),
    [
        ("kuramoto", {"mismatch_shil": 0.1}, "--mismatch-shil: kuramoto has no sub-harmonic injection"),
        ("langevin", {"detuning": 0.1}, "--detuning: the state of langevin is no phase"),
        ("kurashil", {"dead": 0.6, "stuck": 0.5}, "--dead 60% and --stuck 50% are more than all couplers"),
    ],
)
def test_what_has_nothing_to_act_on_is_refused(family: str, asked: dict[str, float], said: str) -> None:
    with pytest.raises(NonIdealityError, match=said):
        built(family_core(family, symmetric=True), **asked)


def test_a_core_without_couplers_or_weights() -> None:
    core = replace(small_core(), edges=np.empty((0, 2), np.int64), coupling=np.empty((2, 0)))
    found = built(core, **EVERYTHING)
    assert found.core.coupling.shape == (2, 0)
    assert ("mismatch of couplers", "there are no couplers") in facts(found)
    nothing = replace(small_core(), coupling=np.zeros((2, 48)))
    for quantizer in QUANTIZERS:
        assert not built(nothing, bits=3, quantizer=quantizer).core.coupling.any()


def test_facts_say_all_that_was_done() -> None:
    core = small_core((6, 6))
    found = dict(facts(built(core, **EVERYTHING, chip=5)))
    assert list(found) == [
        "codes of coupling", "codes of shil", "codes of bias", "dead couplers", "stuck couplers",
        "mismatch of couplers", "mismatch of injection", "detuning", "drawn for",
    ]  # fmt: skip
    assert found["codes of coupling"].startswith("4 bits, signed: codes -8 to 7, 16 levels from -1 to 0.875")
    assert found["dead couplers"].startswith("6 of 60: r0")
    assert " at +" in found["stuck couplers"]
    assert "over 60 couplers" in found["mismatch of couplers"]
    assert found["drawn for"] == "chip 5"
    assert all(text.isascii() for pair in found.items() for text in pair)
    assert dict(facts(built(core, dead=0.001)))["dead couplers"] == "0 of 60"
    assert facts(built(core)) == ()
