"""What the published extrapolation leaves out: each term against a count by hand, and all of them together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.energy.extrapolation import as_published
from emulator.energy.figure import PARTS, Kind
from emulator.energy.of_core import core_settings
from emulator.energy.settings import EnergySettings
from emulator.energy.terms import (
    digital_interface,
    distribution,
    initialisation,
    readout,
    reload_bandwidth,
    reloaded_bits,
    routing,
    schreier_joules,
    walden_joules,
    weight_reload,
    with_terms,
)
from emulator.energy.wires import mean_pitches
from netlists.floorplan import wire_farads
from netlists.synthetic import window_core


def asked(**given: Any) -> EnergySettings:
    return EnergySettings.model_validate(given)


# -- wires -------------------------------------------


@pytest.mark.parametrize(("side", "radius"), [(8, 1), (9, 2), (12, 3), (5, 4)])
def test_wires_of_windows_are_those_of_a_real_core(side: int, radius: int) -> None:
    core = window_core(side, side, radius=radius)
    degree = len(core.edges) / core.nodes
    assert mean_pitches(core.nodes, degree) == pytest.approx(core.wire_lengths.mean())


@pytest.mark.parametrize("side", [2, 5, 56])
def test_all_to_all_wires_have_two_thirds_of_the_side(side: int) -> None:
    """E|x − y| of two different cells of a row of n is (n + 1)/3; on n × n cells both ways make 2n/3."""
    assert mean_pitches(side**2, side**2 - 1) == pytest.approx(2 * side / 3)


def test_windows_far_from_any_edge_have_half_their_side() -> None:
    for width in (3, 5, 9):
        assert mean_pitches(10**8, width**2 - 1) == pytest.approx(width / 2, rel=1e-3)


@given(nodes=st.integers(2, 10_000), low=st.floats(0, 1), high=st.floats(0, 1))
@settings(deadline=None)
def test_a_node_of_more_couplings_has_more_wire(nodes: int, low: float, high: float) -> None:
    fewer, more = sorted((low * (nodes - 1), high * (nodes - 1)))
    assert fewer * mean_pitches(nodes, fewer) <= more * mean_pitches(nodes, more) * (1 + 1e-12)


@pytest.mark.parametrize("symmetric", [True, False])
def test_routing_is_c_v_squared_of_the_floorplans_capacitance(symmetric: bool) -> None:
    core = window_core(10, 10, symmetric=symmetric)
    _, edge_of = core.couplers
    farads = wire_farads(core, edge_of, 30.0, 0.25e-15).sum()
    share = routing(asked(**core_settings(core), pitch_um=30, wire_ff_per_um=0.25, swing_v=0.8, cycles=500))
    assert share.joules == pytest.approx(farads * 0.8**2 * 500)
    assert share.low == share.joules == share.high  # nothing is left to assume


def test_directed_couplers_have_twice_the_wires() -> None:
    assert routing(asked(symmetric=False)).joules == pytest.approx(2 * routing(asked()).joules)


# -- weights -----------------------------------------


def test_bandwidth_of_the_published_core_with_four_chunks() -> None:
    """4 chunks × 4 bits × 36 k couplers in 10 µs are 58 Gb/s."""
    core = window_core(56, 56, chunks=4)
    given = core_settings(core) | {"cell_weights": 0}
    assert reload_bandwidth(asked(**given)) == pytest.approx(4 * 4 * 35_970 / 10e-6)
    assert round(reload_bandwidth(asked(**given)) / 1e9) == 58
    assert reloaded_bits(asked(**core_settings(core))) == 4 * 4 * (35_970 + 2 * 3136)


def test_one_chunk_is_not_reloaded() -> None:
    assert weight_reload(asked(chunks=1)).high == 0
    assert "stay" in weight_reload(asked(chunks=1)).source
    assert weight_reload(asked(chunks=2)).low > 0


# -- converters --------------------------------------


def test_figures_of_merit_give_back_themselves() -> None:
    """A converter of 10 bits: P/(2^ENOB fs), and SNDR + 10 lg(fs/2P), of the power they stand for."""
    fs, sndr = 3e6, 10 * math.log10(1.5 * 4.0**10)
    power = walden_joules(10, 7.0) * fs
    assert power / (2**10 * fs) == pytest.approx(7e-15)
    power = schreier_joules(10, 171.0) * fs
    assert sndr + 10 * math.log10(fs / 2 / power) == pytest.approx(171)


def test_a_bit_doubles_walden_and_quadruples_schreier_and_the_higher_is_taken() -> None:
    assert walden_joules(9, 1) == pytest.approx(2 * walden_joules(8, 1))
    assert schreier_joules(9, 160) == pytest.approx(4 * schreier_joules(8, 160))
    few, many = (
        readout(asked(adc_bits=bits, visible=1, walden_fj=50, schreier_db=165)).joules for bits in (4, 16)
    )
    assert few == pytest.approx(walden_joules(4, 50))
    assert many == pytest.approx(schreier_joules(16, 165))
    assert readout(asked(visible=10, conversions=2)).joules == pytest.approx(
        20 * readout(asked(visible=1)).joules
    )


# -- the rest ----------------------------------------


def test_lines_start_and_link_by_hand() -> None:
    core = asked(
        nodes=100, mean_degree=8, cycles=200, visible=25, adc_bits=6, pitch_um=40, wire_ff_per_um=0.2, swing_v=1,
        line_ff_per_cell=2, driver_factor=1.5, start_cycles=20, link_pj_per_bit=3,
    )  # fmt: skip
    assert distribution(core).joules == pytest.approx(100 * (40 * 0.2 + 2) * 1e-15 * 3 * 200 * 1.5)
    assert initialisation(core).joules == pytest.approx(0.1 * as_published(core).joules)
    assert digital_interface(core).joules == pytest.approx(25 * 6 * 3e-12)


CORES = st.fixed_dictionaries(
    {
        "nodes": st.integers(100, 5000), "mean_degree": st.floats(0, 99), "bits": st.integers(1, 10),
        "cycles": st.floats(1, 1e5), "chunks": st.integers(1, 8), "adc_bits": st.integers(1, 16),
        "symmetric": st.booleans(),
    }
)  # fmt: skip


@given(core=CORES)
@settings(deadline=None)
def test_all_parts_are_inside_and_the_interval_holds_the_sum(core: dict[str, Any]) -> None:
    figure, core_figure = with_terms(asked(**core)), as_published(asked(**core))
    assert {share.part for share in figure.shares} == set(PARTS)
    assert not figure.outside
    assert figure.kind is Kind.EXTRAPOLATION
    assert figure.joules >= core_figure.joules
    low, high = figure.interval
    assert low <= figure.joules * (1 + 1e-12)
    assert figure.joules <= high * (1 + 1e-12)
    # the terms' ranges add to the extrapolation's own
    added = figure.shares[len(core_figure.shares) :]
    assert high - core_figure.interval[1] == pytest.approx(sum(share.high for share in added), rel=1e-6)


@given(core=CORES, name=st.sampled_from(sorted(asked().assumptions)))
@settings(deadline=None)
def test_every_assumption_bears_on_the_sum(core: dict[str, Any], name: str) -> None:
    """A wider range of any of them can't make the interval narrower, and one of its own value keeps the sum."""
    value = asked().assumptions[name][0].value
    narrow = with_terms(asked(**core | {name: value}))
    whole = with_terms(asked(**core))
    assert narrow.joules == pytest.approx(whole.joules, rel=1e-12)
    assert whole.interval[0] <= narrow.interval[0] * (1 + 1e-12)
    assert narrow.interval[1] <= whole.interval[1] * (1 + 1e-12)


def test_every_assumption_changes_the_sum_where_it_acts() -> None:
    base = {"chunks": 4, "adc_bits": 8}
    for name, (assumed, _) in asked().assumptions.items():
        more = base | ({"adc_bits": 14} if name == "schreier_db" else {})
        changed = {name: assumed.value * 1.1 + (0.5 if name == "schreier_db" else 0)}
        assert with_terms(asked(**more, **changed)).joules != with_terms(asked(**more)).joules, name


def test_a_small_core_by_hand() -> None:
    core = window_core(6, 7, chunks=3)
    given = core_settings(core)
    assert given["nodes"] == 42
    assert given["mean_degree"] == np.mean(core.degree)
    assert given["visible"] == 12
    assert given["cell_weights"] == 2
    assert asked(**given).couplers == len(core.edges) / 2
