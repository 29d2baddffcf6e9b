"""Figures of energy from results: means, intervals, boundaries, and cores of another size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.stats import t as students
from small import small_run, small_weights
from test_levels import designed

import emulator.run
from emulator.energy.circuit import NotThere, measured, metering, scaled_to
from emulator.energy.estimate import over_samples
from emulator.energy.figure import EnergyFigure, Kind
from emulator.energy.metering import ATTRIBUTE, Metering
from emulator.results import Results, read_results


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)


RING = Metering(
    meaning="supplied",
    cell="ring",
    coupler="inverters",
    oscillators=16,
    couplings=96,
    seconds=2e-6,
    cycles=200,
)
NAN = float("nan")


def results(
    oscillators: Sequence[float], couplers: Sequence[float], told: Metering | None = RING, level: str = "ring"
) -> Results:
    """Rows of nothing but energies."""
    attributes: dict[str, Any] = {"level": level}
    if told is not None:
        attributes[ATTRIBUTE] = told.model_dump_json()
    rows = {
        "energy/oscillators": np.array(oscillators),
        "energy/couplers": np.array(couplers),
        "energy/injection": np.full(len(oscillators), NAN),
    }
    return Results(rows, {}, attributes)


def figure(found: EnergyFigure | NotThere) -> EnergyFigure:
    assert isinstance(found, EnergyFigure), found
    return found


def test_a_figure_is_the_mean_with_students_interval() -> None:
    taken = [1.0e-9, 1.2e-9, 1.1e-9, NAN]
    found = figure(measured(results(taken, [2e-9, 2e-9, 2e-9, NAN])))
    share = found.shares[0]
    low, high = students.interval(0.95, 2, np.mean(taken[:3]), np.std(taken[:3], ddof=1) / np.sqrt(3))
    assert (share.joules, share.low, share.high) == pytest.approx((1.1e-9, low, high))
    assert found.joules == pytest.approx(3.1e-9)
    assert found.kind is Kind.CIRCUIT
    assert "mean of 3 samples" in share.source
    assert (found.shares[1].low, found.shares[1].high) == pytest.approx((2e-9, 2e-9))


def test_one_sample_has_no_interval_and_says_so() -> None:
    share = figure(measured(results([1e-9], [2e-9]))).shares[0]
    assert share.low == share.joules == share.high
    assert "one sample, so without an interval" in share.source


def test_the_interval_does_not_go_below_nothing() -> None:
    found = over_samples(np.array([1.0, 100.0]))
    assert found is not None
    assert found.low == 0


def test_couplers_without_a_supply_are_outside_with_the_reason() -> None:
    found = figure(measured(results([1e-9], [NAN])))
    assert [share.part for share in found.shares] == ["oscillators"]
    assert "no supply of their own" in found.outside["couplers"]
    assert "supply" in found.outside["readout_and_adc"]


def test_a_supply_that_is_charged_is_no_share() -> None:
    found = figure(measured(results([1e-9, 1e-9], [-1e-12, 0.5e-12])))
    assert [share.part for share in found.shares] == ["oscillators"]
    assert "more than they take" in found.outside["couplers"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (results([NAN], [NAN], None, "phase"), "at the phase level a cell is an equation"),
        (results([1e-9], [NAN], None), "run again"),
        (results([NAN, NAN], [NAN, NAN]), "no sample has an energy"),
        (Results({}, {}, {ATTRIBUTE: "{}"}), "'energy' of these results can't be read: Field required"),
    ],
)
def test_where_there_is_no_figure_the_reason_is_told(given: Results, said: str) -> None:
    for found in (measured(given), scaled_to(given, 100, 100)):
        assert isinstance(found, NotThere)
        assert said in found.reason


def test_a_core_of_another_size_takes_as_much_an_oscillator_and_cycle_and_as_much_a_coupling() -> None:
    run = results([16e-9, 18e-9], [96e-9, 96e-9])
    found = figure(scaled_to(run, 3136, 75_264, 1000))
    own = figure(measured(run))
    assert found.shares[0].joules == pytest.approx(17e-9 / 16 * 3136 * 5)
    assert found.shares[1].joules == pytest.approx(1e-9 * 75_264)
    assert found.kind is Kind.EXTRAPOLATION
    # the interval goes along
    assert np.ptp(found.interval) / found.shares[0].joules == pytest.approx(
        np.ptp(own.interval) / own.shares[0].joules
    )
    assert "scaled from 16 oscillators, 96 couplings and 200 cycles to 3136, 75264 and 1000" in found.name
    same = figure(scaled_to(run, 16, 96))
    assert same.joules == pytest.approx(own.joules)


def test_what_a_coupling_takes_is_not_known_from_a_run_without_any() -> None:
    found = scaled_to(results([1e-9], [NAN], RING.model_copy(update={"couplings": 0})), 100, 100)
    assert isinstance(found, NotThere)
    assert "no couplings" in found.reason


@pytest.mark.parametrize(("level", "points", "fewer"), [("lc", 64, 100), ("ring", 100, 20)])
def test_runs_of_twice_the_cycles_take_what_scaling_says(
    tmp_path: Path, level: str, points: int, fewer: int
) -> None:
    """Oscillators twice as much, couplers the same: they are sized for the same phases in twice the time."""
    path = small_weights(tmp_path / "w.h5", designed(2, 2))
    short, long = (
        small_run(
            path, tmp_path / f"{cycles}", samples=1, level=level,
            oscillator={"cycles": cycles, "points_per_cycle": points},
        )
        for cycles in (fewer, 2 * fewer)
    )  # fmt: skip
    told = metering(short)
    assert isinstance(told, Metering)
    scaled = figure(scaled_to(short, 4, told.couplings, 2 * told.cycles))
    for one, other in zip(scaled.shares, figure(measured(long)).shares, strict=True):
        assert one.joules == pytest.approx(other.joules, rel=0.02), one.part


@pytest.mark.parametrize(("level", "meaning"), [("lc", "delivered"), ("ring", "supplied")])
def test_a_run_keeps_what_its_energies_mean(tmp_path: Path, level: str, meaning: str) -> None:
    trained = designed(2, 2)
    small_run(
        small_weights(tmp_path / "w.h5", trained), tmp_path / "out", samples=1, level=level,
        oscillator={"cycles": 20, "points_per_cycle": 64 if level == "lc" else 100},
    )  # fmt: skip
    kept = read_results(tmp_path / "out" / "results.h5")
    told = Metering.model_validate_json(kept.attributes[ATTRIBUTE])
    assert (told.meaning, told.oscillators, told.couplings) == (meaning, 4, len(trained.edges))
    assert told.cycles == pytest.approx(20, rel=0.01)  # the carrier is that of loaded rings
    found = figure(measured(kept))
    inside = [share.part for share in found.shares]
    assert inside[:2] == ["oscillators", "couplers"]
    assert ("shil_and_reference_distribution" in inside) == (level == "lc")
    assert ("lower bound" in found.shares[0].source) == (level == "lc")
    assert ("tanks of 1e-12 F and Q 2 at 1 V" in found.shares[0].source) == (level == "lc")
    assert ("--wire-ff-per-um" in found.outside["routing_capacitance"]) == (level == "ring")
    old = tmp_path / "old.h5"
    old.write_bytes((tmp_path / "out" / "results.h5").read_bytes())
    with h5py.File(old, "a") as file:
        del file["energy/injection"]
    assert np.isnan(read_results(old).rows["energy/injection"]).tolist() == [True]
