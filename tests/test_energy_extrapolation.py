"""The published extrapolation: all powers that its rounding allows, found in three ways, and what follows from them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from emulator.energy.extrapolation import as_published, fit, reproduced, strips
from emulator.energy.feasible import InfeasibleError, Polygon, Strip, feasible_set
from emulator.energy.figure import EnergyFigure, Kind
from emulator.energy.published import SILICON, ais_figures
from emulator.energy.readings import readings
from emulator.energy.settings import EnergySettings
from netlists.core import Array


def asked(**given: Any) -> EnergySettings:
    return EnergySettings.model_validate(given)


def sides(found: list[Strip]) -> tuple[Array, Array]:
    """normals · x <= offsets, the quadrant included."""
    rows = [(-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)]
    for strip in found:
        rows += [(strip.first, strip.second, strip.high), (-strip.first, -strip.second, -strip.low)]
    table = np.array(rows)
    return table[:, :2], table[:, 2]


def crossings(found: list[Strip]) -> Array:
    """Corners by brute force: all crossings of two sides that violate no other."""
    normals, offsets = sides(found)
    corners = []
    for pair in combinations(range(len(normals)), 2):
        chosen = list(pair)
        if abs(np.linalg.det(normals[chosen])) > 1e-9:
            point = np.linalg.solve(normals[chosen], offsets[chosen])
            if (normals @ point <= offsets + 1e-7 * (1 + np.abs(offsets))).all():
                corners.append(point)
    return np.array(corners)


def same_points(first: Array, second: Array) -> bool:
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    return bool((apart.min(axis=0) < 1e-6).all() and (apart.min(axis=1) < 1e-6).all())


def test_corners_are_the_crossings_that_violate_no_side() -> None:
    found = strips(ais_figures())
    assert same_points(fit().polygon.vertices, crossings(found))
    assert len(fit().polygon.vertices) == 4


def test_corners_reach_as_far_as_a_linear_programme_in_every_direction() -> None:
    normals, offsets = sides(strips(ais_figures()))
    seen = set()
    for angle in np.linspace(0, 2 * np.pi, 720, endpoint=False):
        # a in units of ten b, so that directions are spread over the polygon's sides
        direction = np.array([np.cos(angle) / 10, np.sin(angle)])
        best = linprog(-direction, A_ub=normals, b_ub=offsets, bounds=[(None, None)] * 2)
        low, high = fit().polygon.bounds(*direction)
        assert high == pytest.approx(-best.fun, rel=1e-9)
        assert low <= high
        seen.add(int(np.argmax(fit().polygon.vertices @ direction)))
    assert seen == set(range(4)), "a corner that is none"


def test_the_polygon_is_that_of_a_search_over_a_grid() -> None:
    a, b = np.meshgrid(np.linspace(80, 150, 701), np.linspace(24, 27, 601))
    good = np.ones(a.shape, dtype=bool)
    for figure in ais_figures():
        seconds = figure.cycles / figure.f0_hz
        energy = figure.nodes * (a + figure.degree * b) * 1e-6 * 2.0 ** (figure.bits - 4) * seconds
        good &= np.abs(energy - figure.joules) <= figure.half
    corners = fit().polygon.vertices
    assert corners[:, 0].min() == pytest.approx(a[good].min(), abs=0.5)
    assert corners[:, 0].max() == pytest.approx(a[good].max(), abs=0.5)
    assert corners[:, 1].min() == pytest.approx(b[good].min(), abs=0.02)
    assert corners[:, 1].max() == pytest.approx(b[good].max(), abs=0.02)


def test_the_centroid_is_that_of_the_grid() -> None:
    """A triangle's is the mean of its corners; a square's its middle."""
    triangle = Polygon(np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 6.0]]))
    assert triangle.centroid == pytest.approx([1.0, 2.0])
    square = feasible_set([Strip(1, 0, 2, 4), Strip(0, 1, 1, 3)])
    assert square.centroid == pytest.approx([3.0, 2.0])
    assert square.vertices.tolist() == pytest.approx(np.array([[2, 1], [4, 1], [4, 3], [2, 3]]))


def test_sets_that_are_none_are_refused() -> None:
    with pytest.raises(InfeasibleError, match="no pair"):
        feasible_set([Strip(1, 1, 1, 2), Strip(1, 1, 3, 4)])
    with pytest.raises(InfeasibleError, match="no pair"):
        feasible_set([Strip(1, 1, -2, -1)])
    with pytest.raises(InfeasibleError, match="any freedom"):
        feasible_set([Strip(1, 1, 1, 1), Strip(1, -1, 0, 0.5)])
    with pytest.raises(InfeasibleError, match="without an end"):
        feasible_set([Strip(1, 0, 1, 2)])


def test_the_published_figures_come_out_within_3_percent_and_to_their_rounding() -> None:
    found = reproduced()
    assert [each.published.text for each in found] == ["23 µJ", "2.5 mJ", "0.36 mJ"]
    for each in found:
        assert abs(each.error) < 0.03
        assert abs(each.joules - each.published.joules) <= each.published.half
        assert each.published.kind is Kind.EXTRAPOLATION


def test_what_is_taken_is_feasible_and_gives_the_chip() -> None:
    found = fit()
    a, b = found.oscillator_uw, found.coupling_uw
    for polygon in (found.polygon, found.narrowed):
        for angle in np.linspace(0, 2 * np.pi, 60):
            low, high = polygon.bounds(np.cos(angle), np.sin(angle))
            assert low < a * np.cos(angle) + b * np.sin(angle) < high
    assert abs((a + SILICON.degree * b) * 1e-6 - SILICON.watts) < SILICON.half


def test_the_three_figures_alone_leave_room_for_the_chip() -> None:
    """The measured node is no corner case: its strip crosses the polygon of the three."""
    low, high = fit().polygon.bounds(1, SILICON.degree)
    assert low < SILICON.watts * 1e6 < high


def test_readings() -> None:
    printed, clipped, couplings_alone = readings()
    assert printed.polygon is not None
    assert clipped.polygon is not None
    assert printed.polygon.vertices == pytest.approx(fit().polygon.vertices)
    # the same power of a node of less couplings: more for the oscillator
    assert clipped.polygon.bounds(1, 0)[0] > printed.polygon.bounds(1, 0)[0]
    assert couplings_alone.polygon is None


# -- what follows for any core -----------------------

CORES = st.fixed_dictionaries({
    "nodes": st.integers(2, 10_000),
    "bits": st.integers(1, 12),
    "f0_hz": st.floats(1e5, 1e10),
    "cycles": st.floats(1, 1e6),
    "chunks": st.integers(1, 8),
}).flatmap(
    lambda core: st.floats(0, core["nodes"] - 1).map(lambda degree: {**core, "mean_degree": degree})
)  # fmt: skip


@given(core=CORES, times=st.integers(2, 5))
@settings(deadline=None)
def test_energy_is_proportional_to_nodes_and_seconds_and_doubles_with_each_bit(
    core: dict[str, Any], times: int
) -> None:
    joules = as_published(asked(**core)).joules
    for name, factor in (("nodes", times), ("cycles", times), ("f0_hz", 1 / times)):
        scaled = as_published(asked(**core | {name: core[name] * times})).joules
        assert scaled == pytest.approx(factor * joules, rel=1e-12), name
    assert as_published(asked(**core | {"bits": core["bits"] + 1})).joules == pytest.approx(2 * joules)


@given(core=CORES, share=st.floats(0, 1))
@settings(deadline=None)
def test_more_couplings_take_more(core: dict[str, Any], share: float) -> None:
    fewer = as_published(asked(**core | {"mean_degree": share * core["mean_degree"]}))
    assert fewer.joules <= as_published(asked(**core)).joules


@given(core=CORES)
@settings(deadline=None)
def test_the_interval_holds_the_figure_and_is_that_of_all_feasible_pairs(core: dict[str, Any]) -> None:
    figure = as_published(asked(**core))
    low, high = figure.interval
    assert low <= figure.joules <= high
    unit = 1e-6 * core["nodes"] * 2.0 ** (core["bits"] - 4) * core["cycles"] / core["f0_hz"]
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=50)
    energies = unit * (weights @ fit().polygon.vertices) @ [1.0, core["mean_degree"]]
    assert low * (1 - 1e-12) <= energies.min()
    assert energies.max() <= high * (1 + 1e-12)
    # a and b can't both be at their ends
    assert sum(share.low for share in figure.shares) <= low * (1 + 1e-12)
    assert figure.kind is Kind.EXTRAPOLATION


def test_a_joint_interval_has_to_hold_the_sum() -> None:
    figure = as_published(asked())
    plain = figure.model_dump()
    apart = EnergyFigure.model_validate(plain | {"joint": None})
    assert apart.interval[0] < figure.interval[0] < figure.interval[1] < apart.interval[1]
    with pytest.raises(ValueError, match="does not lie between 1 and 2 J"):
        EnergyFigure.model_validate(plain | {"joint": (1.0, 2.0)})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"nodes": 0}, "greater than or equal to 1"),
        ({"mean_degree": 24, "nodes": 20}, "mean_degree is 24; expected at most 19 in a core of 20 nodes"),
        ({"visible": 4000}, "visible is 4000; expected at most the 3136 nodes"),
        ({"cycles": float("nan")}, "finite number"),
        ({"cycles": 0}, "greater than 0"),
        ({"pitch_um": "20:10:30"}, "10 does not lie between 20 and 30"),
        ({"pitch_um": "wide"}, "expected a number, or low:value:high, not 'wide'"),
        ({"pitch_um": -1}, "greater than or equal to 0"),
        ({"swing": 1}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asked(**given)
