"""What is drawn once a chip: reproducible, each kind by itself, of the statistics asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_core

from netlists.die import Die, draw
from netlists.non_idealities import NonIdealities

ALL = {"mismatch_coupling": 0.05, "mismatch_shil": 0.04, "detuning": 0.002, "dead": 0.1, "stuck": 0.2}


def die(couplers: int = 1000, nodes: int = 500, **asked: Any) -> Die:
    return draw(NonIdealities(**asked), couplers, nodes)


def same(a: Die, b: Die, *names: str) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


NAMES = {
    "mismatch_coupling": ["coupling"], "mismatch_shil": ["shil"], "detuning": ["detuning"], "dead": ["dead"],
    "stuck": ["stuck", "stuck_sign"],
}  # fmt: skip


@pytest.mark.parametrize("kind", ALL)
def test_a_kind_is_drawn_alike_alone_and_with_all_others(kind: str) -> None:
    alone, among = die(chip=7, **{kind: ALL[kind]}), die(chip=7, **ALL)
    same(alone, among, *NAMES[kind])
    for name in {n for names in NAMES.values() for n in names} - set(NAMES[kind]):
        value = getattr(alone, name)
        nothing = 1.0 if name in ("coupling", "shil") else 0.0
        assert (value == nothing).all() or not len(value)


def test_a_chip_is_its_number_alone() -> None:
    same(die(chip=3, **ALL), die(chip=3, **ALL), *(n for names in NAMES.values() for n in names))
    for name in ("coupling", "shil", "detuning"):
        a, b = getattr(die(chip=3, **ALL), name), getattr(die(chip=4, **ALL), name)
        assert abs(np.corrcoef(a, b)[0, 1]) < 3 / np.sqrt(len(a))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 2**63 - 1))
def test_an_element_is_drawn_alike_however_many_follow(count: int, more: int, chip: int) -> None:
    few, many = die(count, count, chip=chip, **ALL), die(count + more, count + more, chip=chip, **ALL)
    for name in ("coupling", "shil", "detuning"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:count])


@given(st.integers(0, 300), st.floats(0, 1), st.floats(0, 1), st.integers(0, 1000))
def test_broken_couplers_are_as_many_as_asked_and_none_is_broken_twice(
    count: int, dead: float, share: float, chip: int
) -> None:
    stuck = share * (1 - dead)
    found = die(count, 1, dead=dead, stuck=stuck, chip=chip)
    assert len(found.dead) == round(dead * count)
    assert abs(len(found.stuck) - stuck * count) <= 1
    both = np.concatenate([found.dead, found.stuck])
    assert len(np.unique(both)) == len(both)
    assert ((both >= 0) & (both < count)).all()
    assert len(found.stuck_sign) == len(found.stuck)
    assert (np.abs(found.stuck_sign) == 1).all()


@given(st.floats(0, 0.5), st.floats(0, 1), st.sampled_from(["dead", "stuck"]))
def test_more_broken_couplers_hold_the_fewer(share: float, part: float, kind: str) -> None:
    many, few = die(**{kind: share}), die(**{kind: share * part})
    assert set(getattr(few, kind)) <= set(getattr(many, kind))


def test_more_mismatch_is_the_same_chip() -> None:
    small, large = die(mismatch_coupling=0.01, detuning=0.001), die(mismatch_coupling=0.1, detuning=0.01)
    np.testing.assert_allclose(10 * (small.coupling - 1), large.coupling - 1, atol=1e-12)
    np.testing.assert_allclose(10 * small.detuning, large.detuning)


@pytest.mark.parametrize(("name", "option"), [
    ("coupling", "mismatch_coupling"), ("shil", "mismatch_shil"), ("detuning", "detuning"),
])  # fmt: skip
def test_mean_and_standard_deviation_within_three_standard_errors(name: str, option: str) -> None:
    sigma, count = ALL[option], 20_000
    off = getattr(die(count, count, **ALL), name) - (name != "detuning")
    assert abs(off.mean()) < 3 * sigma / np.sqrt(count)
    assert abs(off.std() - sigma) < 3 * sigma / np.sqrt(2 * count)
    # normal: of four standard deviations 6 in 100,000 are further off
    assert 0.9 < (np.abs(off) < sigma).mean() / 0.6827 < 1.1
    assert np.abs(off).max() < 6 * sigma


def test_kinds_and_initial_states_of_the_same_seed_have_nothing_in_common() -> None:
    count = 2500
    found, start = die(count, count, **ALL), small_core((50, 50)).initial_states(0, 0)
    drawn = np.stack([found.coupling, found.shil, found.detuning, start])
    apart = np.corrcoef(drawn)[np.triu_indices(4, 1)]
    assert np.abs(apart).max() < 3.5 / np.sqrt(count)
    ranks = np.corrcoef(np.argsort(np.argsort(drawn, axis=1), axis=1))[np.triu_indices(4, 1)]
    assert np.abs(ranks).max() < 3.5 / np.sqrt(count)


def test_signs_of_stuck_couplers_are_even() -> None:
    signs = die(10_000, 1, stuck=1.0).stuck_sign
    assert abs(signs.sum()) < 3 * np.sqrt(len(signs))


def test_no_element_turns_its_sign() -> None:
    assert die(mismatch_coupling=1.0).coupling.min() == 0.0
