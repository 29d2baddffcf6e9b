"""Levels lc and ring through the main job, and ring arrays against the phase model of the measured couplers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cores import both_ways, core
from small import Quiet, assert_same_results, neighbours, small_run, small_weights
from typer.testing import CliRunner

import emulator.run
from emulator.cells import LC_LEVELLING
from emulator.characterize import cached
from emulator.cli import app
from emulator.levels import oscillator_array, realise
from emulator.ngspice import Capabilities, capabilities
from emulator.phase_models import actions, gamma_rate, phase_trajectory
from emulator.realisation import Observed, Realisation
from emulator.reference import trajectory
from emulator.results import Results
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from emulator.verdict import Verdict
from emulator.waveform_level import CellLevel
from netlists.core import AnalogCore, Array
from netlists.sizing import SizingError, coupling_functions
from netlists.synthetic import window_core
from netlists.weights import Weights

CELLS = Path(__file__).parents[1] / "examples" / "cells"
POINTS = 100  # a cycle of the ring: its default takes twice as long, and only its frequency differs


def designed(rows: int, columns: int, duration: float = 10.0, chunks: int = 1, seed: int = 3) -> AnalogCore:
    """Couplings to four neighbours, reference and injection."""
    found = window_core(rows, columns, radius=1, duration=duration, chunks=chunks, strength=0.3, seed=seed)
    near = {tuple(edge) for edge in neighbours(rows, columns).tolist()}
    kept = np.array([tuple(edge) in near for edge in found.edges.tolist()])
    return replace(found, edges=found.edges[kept], coupling=found.coupling[:, kept])


def asked(level: str, rows: int = 50, **oscillator: Any) -> RunSettings:
    return RunSettings.model_validate({"level": level, "rows": rows, "oscillator": oscillator})


def on_circle(difference: Array) -> Array:
    return np.asarray(np.angle(np.exp(1j * difference)))


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def made(simulator: Simulator, trained: AnalogCore, settings: RunSettings, folder: Path) -> Realisation:
    weights = Weights(small_weights(folder / "w.h5", trained), "", trained, {})
    return realise(weights, settings, simulator.call(capabilities), simulator, lambda _: None)


def observed(simulator: Simulator, level: Realisation, start: Array) -> Observed:
    result = simulator.simulate(level.deck(start), limit_s=300)
    assert result.verdict is Verdict.COMPLETED, result.judgement.reason
    return level.observe(result, start)


def ring(simulator: Simulator, trained: AnalogCore, folder: Path, **oscillator: Any) -> CellLevel:
    found = made(simulator, trained, asked("ring", points_per_cycle=POINTS, **oscillator), folder)
    assert isinstance(found, CellLevel)
    return found


def modelled(level: CellLevel, start: Array, times: Array, coupler: str = "inverter") -> Array:
    """(R, N) phases of the model with measured Γ, as built, with pulling."""
    sizing = level.array.sizing
    parts = actions(level.known, level.array.cell.coupler(coupler), sizing)
    return phase_trajectory(
        sizing.as_built, start, times, lambda chunk: gamma_rate(sizing.as_built, sizing, parts, chunk)
    )


# --- the ring against its measured Γ


@pytest.mark.parametrize("weight", [0.01, -0.01])
def test_two_rings_follow_the_measured_coupling_function(
    simulator: Simulator, tmp_path: Path, weight: float
) -> None:
    """300 cycles at K = 1 % of f₀: the phase difference within 0.05 rad."""
    trained = core((1, 2), both_ways([(0, 1)]), weight, boundaries=(0.0, 300.0), symmetric=True)
    level = ring(simulator, trained, tmp_path, cycles=300)
    start = np.array([0.0, 2.6 if weight > 0 else 0.5])
    found = observed(simulator, level, start).trajectory
    model = modelled(level, start, found.time[1:])
    difference = np.diff(found.state[1:] - model, axis=1)
    assert np.abs(np.diff(found.state, axis=1)[-1] - np.diff(start)) > 2.0, "something happened"
    assert np.abs(on_circle(difference)).max() < 0.05


@pytest.mark.parametrize(("coupler", "code"), [("inverter", 7), ("inverter", 1), ("gate", 1)])
def test_rings_run_where_the_load_of_their_couplers_lets_them(
    simulator: Simulator, tmp_path: Path, coupler: str, code: int
) -> None:
    """Legs that are off load too: seen at code 1 of 7, where they are most of what hangs on a cell."""
    trained = core((1, 2), both_ways([(0, 1)]), 0.2, boundaries=(0.0, 10.0), symmetric=True)
    level = ring(simulator, trained, tmp_path, cycles=100, coupler=coupler, full_scale=0.2 * 7 / code)
    start = np.array([0.1, -0.1])
    found = observed(simulator, level, start).trajectory
    drift = on_circle(found.state[1:] - modelled(level, start, found.time[1:], coupler)).mean(axis=1)
    assert np.abs(drift).max() < 0.025
    if (coupler, code) == ("inverter", 1):
        loads = (
            sum(sum(f.idle) for f in coupling_functions(level.known, level.array.cell.coupler(coupler))) / 2
        )
        unused = level.array.sizing.links.unused.mean() * level.tau * trained.duration
        assert abs(loads) * unused > 0.1, "there was a load to be seen"


def test_a_designed_ring_array_follows_the_measured_model(simulator: Simulator, tmp_path: Path) -> None:
    """The example of the issue at fewer cycles, which makes everything stronger; its 200 give 0.06 rad."""
    trained = designed(4, 4)
    level = ring(simulator, trained, tmp_path, cycles=60)
    start = trained.initial_states(0, 0)
    seen = observed(simulator, level, start)
    times = seen.trajectory.time[1:]
    model = modelled(level, start, times)
    moved = 1e-6 * np.random.default_rng(0).standard_normal(trained.nodes)
    growth = rms(modelled(level, start + moved, times)[-1] - model[-1]) / rms(moved)
    assert growth < 5, "not a sensitive sample"
    assert rms(on_circle(seen.trajectory.state[1:] - model)) < 0.15
    assert rms(on_circle(model[-1] - start)) > 0.5
    assert seen.amplitude is not None
    np.testing.assert_allclose(seen.amplitude, 1.0, atol=0.15)
    # supplies: cells as they ran by themselves, couplers far less
    alone = trained.nodes * level.known.power_w * 60 / level.known.f0_hz
    assert seen.oscillators_j == pytest.approx(alone, rel=0.03)
    assert 0.001 * alone < seen.couplers_j < 0.2 * alone


def test_couplers_are_asked_for_by_names_that_are_listed(simulator: Simulator) -> None:
    with pytest.raises(SizingError, match=r"no coupler 'none'.*inverter, gate, gm"):
        oscillator_array(
            designed(2, 2), asked("ring", coupler="none", points_per_cycle=POINTS), simulator, print
        )


def test_injection_too_weak_is_remarked(simulator: Simulator) -> None:
    trained = designed(3, 3)
    parameters = {**trained.parameters, "bias": np.zeros((1, 9)), "shil": np.full((1, 9), 0.01)}
    settings = asked("ring", points_per_cycle=POINTS)
    *_, remarks = oscillator_array(replace(trained, parameters=parameters), settings, simulator, print)
    assert any("injection is too weak to hold" in remark for remark in remarks)
    strong = {**parameters, "shil": np.full((1, 9), 1.0)}
    *_, remarks = oscillator_array(replace(trained, parameters=strong), settings, simulator, print)
    assert remarks == ()


# --- LC through the main job


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_weights(tmp_path_factory.mktemp("weights") / "w.h5", designed(3, 3, 4.0, 2))


def lc_run(weights: Path, out: Path, **settings: Any) -> Results:
    return small_run(weights, out, level="lc", **({"oscillator": {"cycles": 100}} | settings))


@pytest.fixture(scope="module")
def plain(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three samples one after the other, with the report."""
    out = tmp_path_factory.mktemp("plain") / "out"
    found = lc_run(weights, out, samples=3, keep_trajectories=1)
    assert (out / "report.html").is_file()
    return found


@pytest.mark.usefixtures("no_report")
def test_lc_runs_come_near_the_trained_equation_and_nearer_with_more_cycles(
    plain: Results, weights: Path, tmp_path: Path
) -> None:
    assert plain.verdicts == ["COMPLETED"] * 3
    assert plain.rows["crosscheck/global_rms"].max() < 0.006
    more = lc_run(weights, tmp_path / "more", samples=3, oscillator={"cycles": 400})
    gain = plain.rows["crosscheck/global_rms"] / more.rows["crosscheck/global_rms"]
    assert np.exp(np.log(gain).mean()) > 2.5  # 4, but for the solver's own error
    # what tanks lose goes with the time; they have no supply
    ratio = more.rows["energy/oscillators"] / plain.rows["energy/oscillators"]
    np.testing.assert_allclose(ratio, 4, rtol=0.02)
    # a coupling turns phases by as much, however many cycles that takes
    ratio = more.rows["energy/couplers"] / plain.rows["energy/couplers"]
    np.testing.assert_allclose(ratio, 1, rtol=0.1)
    assert plain.attributes["level"] == "lc"


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("limiter", ["tanh", "cubic"])
def test_other_limiters_can_be_chosen_and_cost_more(
    plain: Results, weights: Path, tmp_path: Path, limiter: str
) -> None:
    other = lc_run(weights, tmp_path / "other", samples=3, oscillator={"cycles": 100, "limiter": limiter})
    assert other.verdicts == ["COMPLETED"] * 3
    said = [json.loads(str(run.attributes["settings"]))["oscillator"] for run in (plain, other)]
    assert [oscillator["limiter"] for oscillator in said] == ["levelled", limiter]
    assert said[0]["levelling"] == LC_LEVELLING
    ratio = other.rows["crosscheck/global_rms"] / plain.rows["crosscheck/global_rms"]
    assert ratio.min() > 1.5


@pytest.mark.usefixtures("no_report")
def test_jobs_and_resume_do_not_change_a_bit(plain: Results, weights: Path, tmp_path: Path) -> None:
    assert_same_results(lc_run(weights, tmp_path / "jobs", samples=3, jobs=3, keep_trajectories=1), plain)
    first = lc_run(weights, tmp_path / "resumed", samples=1, keep_trajectories=1)
    assert first.samples == 1
    resumed = lc_run(weights, tmp_path / "resumed", mode="resume", samples=3, keep_trajectories=1)
    assert_same_results(resumed, plain)


@pytest.mark.parametrize(("level", "offset"), [("lc", 0.02), ("ring", 0.05)])
def test_demodulators_agree(simulator: Simulator, tmp_path: Path, level: str, offset: float) -> None:
    """On the middle of their windows; 64 flip-flops tell a phase to 2π/64, and their errors have no bias."""
    trained = designed(2, 2, 4.0)
    start = trained.initial_states(0, 1)
    phase = {}
    points = {"points_per_cycle": POINTS} if level == "ring" else {}
    for kind in ("iq", "crossings", "flipflops"):
        settings = asked(level, cycles=100, demodulation=kind, **points)
        found = observed(simulator, made(simulator, trained, settings, tmp_path), start).trajectory
        np.testing.assert_array_equal(found.state[0], start)
        phase[kind] = found.state[1:]
    # windows of three cycles average over a phase's bend: the first rows move fastest
    np.testing.assert_allclose(on_circle(phase["crossings"] - phase["iq"])[2:], 0.0, atol=offset)
    step = 2 * np.pi / 64
    difference = on_circle(phase["flipflops"] - phase["iq"])[2:]
    assert np.abs(difference).max() < step + offset
    assert abs(difference.mean()) < step / 2


# --- cells of one's own, and bad input


class Told(Quiet):
    """Remembers remarks too."""

    remarks: tuple[str, ...] = ()

    def planned(self, samples: int, todo: int, ability: Capabilities, realisation: Realisation) -> None:
        self.remarks = realisation.remarks
        super().planned(samples, todo, ability, realisation)


EXAMPLE = str(CELLS / "cross_coupled.toml")


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(("coupler", "chunks"), [("resistive", 1), ("gm", 2)])
def test_a_cell_of_ones_own_runs(tmp_path: Path, coupler: str, chunks: int) -> None:
    trained = window_core(2, 2, radius=1, duration=4.0, strength=0.3, seed=1, chunks=chunks)
    results = small_run(
        small_weights(tmp_path / "w.h5", trained), tmp_path / "out", samples=1, level=EXAMPLE,
        oscillator={"cycles": 200, "coupler": coupler},
    )  # fmt: skip
    assert results.verdicts == ["COMPLETED"]
    assert results.rows["crosscheck/global_rms"][0] < 0.12
    assert results.rows["energy/oscillators"][0] > 0


@pytest.mark.parametrize(
    ("level", "more", "said"),
    [
        ("ring", ["--coupler", "none"], "no coupler 'none'. Its couplers, for --coupler: inverter, gate, gm"),
        (
            "phases",
            [],
            "no level 'phases': take --level phase, lc, ring, van-der-pol, differential-pair, or the path",
        ),
        (EXAMPLE, ["--coupler", "resistive"], "weights change in time, and the coupler 'resistive' can't"),
        ("ring", ["--coupler", "gate", "--full-scale", "0.1"], "beyond the couplers' full scale of 0.1"),
    ],
)
def test_what_cannot_be_run_ends_with_a_sentence(
    weights: Path, tmp_path: Path, level: str, more: list[str], said: str
) -> None:
    points = ["--points-per-cycle", str(POINTS)] if level == "ring" else []
    command = ["run", str(weights), "--level", level, "--out", str(tmp_path / "out"), *points, *more]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_model_files_are_not_read_unless_trusted(weights: Path, tmp_path: Path) -> None:
    for name in ("cross_coupled.toml", "cross_coupled.cir"):
        (tmp_path / name).write_text((CELLS / name).read_text())
    toml = tmp_path / "cross_coupled.toml"
    toml.write_text('includes = ["models.lib"]\n' + toml.read_text())
    (tmp_path / "models.lib").write_text(".model other nmos level=1\n")
    command = ["run", str(weights), "--level", str(toml), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--trust-includes" in result.output


def test_the_reference_of_a_run_is_the_trained_equation(simulator: Simulator, tmp_path: Path) -> None:
    """Phases of uncoupled rings under reference and injection: no coupler's Γ is in between."""
    trained = core((1, 4), boundaries=(0.0, 10.0), shil=0.2, bias=[0.2, 0.1, -0.1, 0.0])
    level = ring(simulator, trained, tmp_path, cycles=200)
    start = np.array([0.3, 1.2, -0.8, 2.5])
    found = observed(simulator, level, start).trajectory
    reference = trajectory(trained, start, found.time[1:])
    assert rms(reference[-1] - start) > 0.5
    assert np.abs(on_circle(found.state[1:] - reference)).max() < 0.04
    assert cached(simulator, level.array.cell, POINTS).f0_hz == level.known.f0_hz
