"""Which devices a run takes, and the bound on couplings for the own-state Jacobian."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cores import UNIT, deck_of, run
from cores import core as plain_core

from emulator.compiled import build
from emulator.devices import (
    MOST_NODES_BEFORE,
    DevicesError,
    choose,
    make_deck,
    most_neighbours,
    takes_compiled,
)
from emulator.doctor import devices_taken
from emulator.ngspice import Capabilities, capabilities
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from netlists.compile import compile_core
from netlists.core import AnalogCore
from netlists.dialects.ngspice import SolverOptions
from netlists.stiffness import LARGEST_RATIO, relaxation_ratio
from netlists.synthetic import window_core

OLD = Capabilities(library="old", version=39, klu=False, osdi=False, xspice=True)
OSDI_03 = Capabilities(library="middling", version=42, klu=True, osdi=True, xspice=True)
FIRST = Capabilities(library="first", version=44, klu=True, osdi=True, xspice=True)
NEW = Capabilities(library="new", version=46, klu=True, osdi=True, xspice=True)


def core_of(strength: float) -> AnalogCore:
    """A core whose own Jacobian has a ratio proportional to the strength."""
    return window_core(5, 5, radius=1, duration=4.0, strength=strength, seed=2)


def star(neighbours: int) -> AnalogCore:
    """Node 0 hears all others, which hear nothing."""
    return plain_core(
        (1, neighbours + 1), [(0, j) for j in range(1, neighbours + 1)], 0.5 / neighbours, shil=0.1
    )


def at_ratio(ratio: float, rows: int) -> AnalogCore:
    """A core at exactly this relaxation ratio."""
    return core_of(ratio / relaxation_ratio(core_of(1.0), rows))


def test_ratio_is_half_the_step_times_the_strongest_node() -> None:
    core = core_of(1.0)
    strongest = np.bincount(core.edges[:, 0], np.abs(core.coupling[0])).max()
    assert relaxation_ratio(core, 100) == pytest.approx(0.5 * (4.0 / 100) * strongest, rel=1e-2)
    assert relaxation_ratio(core, 200) == pytest.approx(relaxation_ratio(core, 100) / 2)
    assert relaxation_ratio(at_ratio(0.3, 100), 100) == pytest.approx(0.3)


def test_auto_takes_what_ngspice_can_do(compiling: Simulator) -> None:
    core = core_of(0.3)
    assert choose(core, UNIT, 200, NEW).devices == "compiled"
    assert choose(core, UNIT, 200, OLD).devices == "behavioural"
    assert choose(core, UNIT, 200, NEW, "behavioural").devices == "behavioural"
    with pytest.raises(DevicesError, match="ngspice 39 takes no compiled devices"):
        choose(core, UNIT, 200, OLD, "compiled")


def test_an_ngspice_of_an_older_osdi_is_named() -> None:
    choice = choose(core_of(0.3), UNIT, 200, OSDI_03)
    assert choice.devices == "behavioural"
    assert "ngspice 42 takes no compiled devices" in choice.remarks[0]
    assert not choose(core_of(0.3), UNIT, 200, OLD).remarks, (
        "that it has no OSDI at all is warned of elsewhere"
    )


def test_ngspice_44_takes_small_cells_only(compiling: Simulator) -> None:
    small, large = star(MOST_NODES_BEFORE - 1), star(MOST_NODES_BEFORE)
    assert choose(small, UNIT, 200, FIRST).devices == "compiled"
    choice = choose(large, UNIT, 200, FIRST)
    assert choice.devices == "behavioural"
    assert "at most 17 neighbours, and this core has nodes with 18" in choice.remarks[0]
    with pytest.raises(DevicesError, match=r"at most 17 neighbours.*version 45"):
        choose(large, UNIT, 200, FIRST, "compiled")
    assert choose(large, UNIT, 200, NEW).devices == "compiled"


def test_the_largest_compiled_cell_is_that_of_this_ngspice(any_simulator: Simulator) -> None:
    ability = any_simulator.call(capabilities)
    if not takes_compiled(ability):
        pytest.skip(f"ngspice {ability.version} takes no compiled devices")
    most = most_neighbours(ability)
    expected = (
        {300: Verdict.COMPLETED} if most is None else {most: Verdict.COMPLETED, most + 1: Verdict.PARSE_ERROR}
    )
    for neighbours, verdict in expected.items():
        core = star(neighbours)
        circuit = compile_core(core, UNIT, "compiled", "own")
        deck = deck_of(circuit, SolverOptions(rows=50), core.initial_states(0, 0))
        library = build(circuit.device_source or "")
        assert any_simulator.simulate(replace(deck, libraries=(library,)), limit_s=120).verdict is verdict


def test_the_doctor_knows_the_bound() -> None:
    assert devices_taken(NEW, compiler_works=True).state == "ok"
    assert "compiled up to 17 neighbours" in devices_taken(FIRST, compiler_works=True).found
    assert {
        devices_taken(OSDI_03, compiler_works=True).found,
        devices_taken(FIRST, compiler_works=False).found,
    } == {"behavioural"}


@pytest.mark.parametrize("broken", ["/bin/false", "no-such-compiler"])
def test_a_compiler_that_fails_leaves_behavioural_devices(
    broken: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("CC", broken)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice = choose(core_of(0.3), UNIT, 200, NEW)
    assert choice.devices == "behavioural"
    assert broken in choice.remarks[0]
    with pytest.raises(DevicesError, match=broken):
        choose(core_of(0.3), UNIT, 200, NEW, "compiled")


def test_own_jacobian_up_to_the_bound_and_full_beyond(compiling: Simulator) -> None:
    below, above = at_ratio(LARGEST_RATIO * 0.99, 100), at_ratio(LARGEST_RATIO * 1.01, 100)
    assert choose(below, UNIT, 100, NEW).jacobian == "own"
    choice = choose(above, UNIT, 100, NEW)
    assert choice.jacobian == "full"
    assert "--rows 102" in choice.remarks[0]
    assert choose(above, UNIT, 102, NEW, jacobian="own").jacobian == "own"
    with pytest.raises(DevicesError, match=r"--jacobian full, or --rows 102"):
        choose(above, UNIT, 100, NEW, jacobian="own")


def test_own_jacobian_is_as_good_at_the_bound_and_costs_beyond_it(compiling: Simulator) -> None:
    """At the edge both agree; at six times the bound the own-state Jacobian needs far more iterations."""
    ability = compiling.call(capabilities)
    iterations = {}
    for ratio in (LARGEST_RATIO, 6 * LARGEST_RATIO):
        core = at_ratio(ratio, 100)
        start = 0.1 * core.initial_states(0, 0)
        finals = {}
        for jacobian in ("own", "full"):
            finals[jacobian] = run(
                compiling, core, start, options=SolverOptions(reltol=1e-6, rows=100), devices="compiled",
                jacobian=jacobian,
            ).final  # fmt: skip
            circuit = choose(core, UNIT, 10_000, ability, "compiled", jacobian)
            result = compiling.simulate(make_deck(circuit, SolverOptions(reltol=1e-3, rows=100), start))
            assert result.verdict is Verdict.COMPLETED
            iterations[ratio, jacobian] = result.statistics.iterations
        if ratio == LARGEST_RATIO:
            np.testing.assert_allclose(finals["own"], finals["full"], atol=1e-4)
    cost = {r: iterations[r, "own"] / iterations[r, "full"] for r in (LARGEST_RATIO, 6 * LARGEST_RATIO)}
    assert cost[LARGEST_RATIO] < 1.6
    assert cost[6 * LARGEST_RATIO] > 1.5 * cost[LARGEST_RATIO]
