"""The main job on tiny cores, and once on the real example: reproducible, recorded, accepted."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
from small import Quiet, assert_same_results, family_core, small_core, small_run, small_weights

import emulator.run
import emulator.sample
from device_models.adc import AdcSettings, digitise
from device_models.families import FAMILIES
from device_models.readout import read_out
from emulator.claimed import FolderError
from emulator.conclusion import saturation
from emulator.results import Results, read_results
from emulator.settings import RunSettings
from emulator.verdict import Verdict
from netlists.weights import sha256_of

SECOND_LIBRARY = "AIS_TEST_SECOND_NGSPICE"
EXAMPLE = Path(__file__).parent.parent / "examples" / "digits16-kurashil.h5"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_weights(tmp_path_factory.mktemp("weights") / "weights.h5", provenance={"dataset": "none"})


@pytest.fixture(scope="module")
def plain(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """Four samples, one after the other, with everything a run leaves."""
    out = tmp_path_factory.mktemp("plain") / "out"
    return out, small_run(weights, out, samples=4, keep_trajectories=2)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)


# --- what a run leaves


def test_everything_is_on_disk(plain: tuple[Path, Results]) -> None:
    out, results = plain
    assert_same_results(read_results(out / "results.h5"), results)
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    logs = {f"runs/sample-{k:05d}/ngspice.log" for k in range(4)}
    source = ("devices.c",) if results.attributes["devices"] == "compiled" else ()
    netlist = {f"netlist/{name}" for name in ("cells.lib", "core.sub", "testbench.cir", *source)}
    assert names == {"run.json", "results.h5", "report.html", "samples.png", "receipt.json", *logs, *netlist}
    described = json.loads((out / "run.json").read_text())
    assert described["state"] == "finished"
    assert described["settings"]["samples"] == 4
    assert described["weights"]["provenance"] == {"dataset": "none"}
    assert described["devices"]["form"] == results.attributes["devices"]
    assert described["devices"]["jacobian"] == results.attributes["jacobian"]


def test_the_columns_agree_with_one_another(plain: tuple[Path, Results], weights: Path) -> None:
    results, core = plain[1], small_core()
    rows = results.rows
    assert rows["samples/index"].tolist() == [0, 1, 2, 3]
    assert results.verdicts == ["COMPLETED"] * 4
    assert rows["samples/accepted"].all()
    adc = AdcSettings(bits=8)
    for k in range(4):
        np.testing.assert_array_equal(rows["samples/initial"][k], core.initial_states(0, k))
        for end in ("", "_reference"):
            analog = read_out("cos", rows[f"samples/final{end}"][k][core.visible])
            np.testing.assert_array_equal(rows[f"samples/analog{end}"][k], analog)
            np.testing.assert_array_equal(rows[f"samples/codes{end}"][k], digitise(analog, adc))
        within = np.abs(rows["samples/codes"][k] - rows["samples/codes_reference"][k]) <= 1
        assert rows["crosscheck/codes_within_1lsb"][k] == within.mean()
        error = rows["samples/analog"][k] - rows["samples/analog_reference"][k]
        np.testing.assert_allclose(rows["crosscheck/pixel_rms"][k], np.sqrt(np.mean(error**2)))
        np.testing.assert_allclose(rows["crosscheck/end_rms"][k], rows["crosscheck/row_rms"][k, -1])
        assert rows["crosscheck/row_time"][k, -1] == core.duration
    runs = results.trajectories
    assert runs["trajectory/sample"].tolist() == [0, 1]
    np.testing.assert_array_equal(runs["trajectory/circuit"][:, 0], rows["samples/initial"][:2])
    np.testing.assert_array_equal(runs["trajectory/circuit"][:, -1], rows["samples/final"][:2])
    np.testing.assert_array_equal(runs["trajectory/reference"][:, -1], rows["samples/final_reference"][:2])


def test_the_attributes_say_how_it_was_obtained(plain: tuple[Path, Results], weights: Path) -> None:
    attributes = plain[1].attributes
    assert (
        attributes["weights_sha256"] == sha256_of(weights) == hashlib.sha256(weights.read_bytes()).hexdigest()
    )
    assert attributes["weights"] == "weights.h5"
    assert attributes["seed"] == 0
    assert json.loads(attributes["ngspice_options"])["reltol"] == 1e-6
    assert json.loads(attributes["settings"])["rows"] == 50
    assert attributes["non_idealities"] == "{}"
    assert int(attributes["ngspice_version"]) >= 39


@pytest.mark.usefixtures("no_report")
def test_non_idealities_are_listed(weights: Path, tmp_path: Path) -> None:
    adc = {"bits": 6, "offset_lsb": 0.5, "input_noise_rms": 0.01}
    results = small_run(weights, tmp_path / "out", samples=1, adc=adc)
    assert json.loads(results.attributes["non_idealities"]) == {
        "adc_offset_lsb": {"value": 0.5, "unit": "LSB"},
        "adc_input_noise_rms": {"value": 0.01, "unit": "units of the input, rms"},
    }
    # the reference goes through the same converter, noise and all, so the codes still agree
    assert results.rows["crosscheck/codes_within_1lsb"][0] == 1


# --- reproducible


def test_initial_states_depend_on_seed_and_sample_alone() -> None:
    core = small_core()
    drawn = {(seed, k): core.initial_states(seed, k) for seed in range(3) for k in range(3)}
    for key, states in drawn.items():
        np.testing.assert_array_equal(states, small_core(seed=5).initial_states(*key))
        assert ((states >= core.initial.low) & (states < core.initial.high)).all()
        assert sum(np.array_equal(states, other) for other in drawn.values()) == 1


@pytest.mark.usefixtures("no_report")
def test_jobs_and_order_do_not_change_a_bit(
    plain: tuple[Path, Results], weights: Path, tmp_path: Path
) -> None:
    watch = Quiet()
    results = small_run(weights, tmp_path / "out", observer=watch, samples=4, jobs=3, keep_trajectories=2)
    assert sorted(watch.done) == [0, 1, 2, 3]
    assert_same_results(results, plain[1])


@pytest.mark.usefixtures("no_report")
def test_a_sample_does_not_depend_on_those_before_it(
    plain: tuple[Path, Results], weights: Path, tmp_path: Path
) -> None:
    """Sample 3 alone, in a fresh ngspice, is sample 3 after three others in a used one."""
    out = tmp_path / "out"
    first = small_run(weights, out, samples=1, keep_trajectories=2)
    assert first.samples == 1
    watch = Quiet()
    results = small_run(weights, out, "resume", watch, samples=4, jobs=3, keep_trajectories=2)
    assert watch.todo == 3
    assert sorted(watch.done) == [1, 2, 3]
    assert_same_results(results, plain[1])


@pytest.mark.usefixtures("no_report")
def test_another_seed_is_another_run(plain: tuple[Path, Results], weights: Path, tmp_path: Path) -> None:
    results = small_run(weights, tmp_path / "out", samples=1, seed=1)
    assert not np.array_equal(results.rows["samples/initial"][0], plain[1].rows["samples/initial"][0])


@pytest.mark.usefixtures("no_report")
def test_another_ngspice_gives_the_same_samples_but_is_not_mixed_with_the_first(
    plain: tuple[Path, Results], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = os.environ.get(SECOND_LIBRARY)
    if not library:
        pytest.skip(f"{SECOND_LIBRARY} names no second ngspice library")
    small_run(weights, tmp_path / "out", samples=1)
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", library)
    with pytest.raises(FolderError, match="ngspice_version was"):
        small_run(weights, tmp_path / "out", "resume", samples=2)
    results = small_run(weights, tmp_path / "out", "overwrite", samples=4)
    assert results.rows["samples/accepted"].all()
    np.testing.assert_allclose(results.rows["samples/final"], plain[1].rows["samples/final"], atol=1e-3)
    assert np.abs(results.rows["samples/codes"] - plain[1].rows["samples/codes"]).max() <= 1


def test_jobs_are_no_more_than_the_processors_we_may_use() -> None:
    assert 1 <= RunSettings.model_validate({}).jobs == len(os.sched_getaffinity(0))


# --- every family


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_runs_and_is_accepted(tmp_path: Path, family: str) -> None:
    weights = small_weights(tmp_path / "w.h5", family_core(family, symmetric=False))
    results = small_run(weights, tmp_path / "out", samples=2)
    assert results.verdicts == ["COMPLETED"] * 2
    assert results.rows["samples/accepted"].all()
    assert results.rows["samples/codes"].std() > 5, "something was to be seen"
    assert results.attributes["family"] == family


@pytest.mark.usefixtures("no_report")
def test_as_many_rows_as_time_points_are_no_obstacle(weights: Path, tmp_path: Path) -> None:
    """Some time points are then the nearest to two rows."""
    results = small_run(weights, tmp_path / "out", samples=1, rows=4000, reltol=1e-5, devices="behavioural")
    assert (np.diff(results.rows["crosscheck/row_time"][0]) == 0).any()
    assert results.rows["samples/accepted"].all()


# --- what fails is recorded


@pytest.mark.usefixtures("no_report")
def test_a_circuit_that_departs_is_not_accepted(tmp_path: Path) -> None:
    weights = small_weights(tmp_path / "w.h5", small_core(duration=4.0, strength=1.0))
    results = small_run(weights, tmp_path / "out", samples=1, reltol=0.05, devices="behavioural")
    assert results.verdicts == ["COMPLETED"]
    assert not results.rows["samples/accepted"][0]
    assert results.worst_window(0) > 1e-3


def test_a_reference_that_gives_up_is_recorded_and_the_others_go_on(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator.sample, "crosscheck", small.failing_crosscheck)
    results = small_run(weights, tmp_path / "out")
    assert results.samples == 2
    assert results.verdicts == ["COMPLETED"] * 2
    assert not results.rows["samples/accepted"].any()
    assert (
        "could not be cross-checked: the reference solver DOP853 stopped" in results.rows["samples/reason"][0]
    )
    assert (results.rows["samples/codes"] >= 0).all()
    assert (results.rows["samples/codes_reference"] == -1).all()
    assert np.isnan(results.rows["crosscheck/global_rms"]).all()


@pytest.mark.parametrize(
    ("instead", "limit", "verdict", "said"),
    [
        (small.dying_crosscheck, 60.0, Verdict.CRASHED, "the reference's process died (signal SIGKILL"),
        (small.hanging_crosscheck, 2.0, Verdict.TIME_LIMIT, "the reference took more than 2 s of wall time"),
    ],
)
def test_a_reference_without_an_answer_is_recorded_and_tried_again(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: tuple[Path, Results],
    instead: object, limit: float, verdict: Verdict, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)
    with monkeypatch.context() as patch:
        patch.setattr(emulator.sample, "crosscheck", instead)
        results = small_run(weights, tmp_path / "out", samples=1, time_limit_s=limit)
    assert results.verdicts == [verdict]
    assert said in results.rows["samples/reason"][0]
    again = small_run(weights, tmp_path / "out", "resume", samples=4, keep_trajectories=2)
    assert_same_results(again, plain[1])


def test_a_simulation_over_its_time_limit_is_recorded_with_its_deck(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = small_run(weights, out, samples=1, rows=200_000, time_limit_s=0.5)
    assert results.verdicts == [Verdict.TIME_LIMIT]
    assert not results.rows["samples/accepted"][0]
    assert (results.rows["samples/codes"] == -1).all()
    assert (out / "runs" / "sample-00000" / "deck.cir").read_text().startswith("*")
    assert "TIME_LIMIT" in (out / "report.html").read_text()


@pytest.mark.usefixtures("no_report")
def test_weights_beyond_any_solver_are_not_accepted(tmp_path: Path) -> None:
    core = small_core((2, 2), 1, 1.0)
    core.parameters["bias"][:] = 1e300
    results = small_run(small_weights(tmp_path / "w.h5", core), tmp_path / "out", samples=1)
    assert not results.rows["samples/accepted"][0]
    assert "is beyond DOP853" in results.rows["samples/reason"][0]


def test_an_impossible_converter_is_refused_before_any_work(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="aperture"):
        small_run(weights, tmp_path / "out", adc={"aperture_s": 1.0})
    with pytest.raises(ValueError, match="mismatch left no code a width"):
        small_run(weights, tmp_path / "out", adc={"bits": 2, "dnl_sigma_lsb": 1.0, "mismatch_seed": 20})
    assert not (tmp_path / "out").exists()


# --- the real thing


def test_the_example_is_accepted(tmp_path: Path) -> None:
    """The demo's promise: every window within 1e-3 rad rms, 99 % of the codes within 1 LSB."""
    results = small_run(EXAMPLE, tmp_path / "out", samples=2, rows=200, jobs=2)
    assert results.verdicts == ["COMPLETED"] * 2
    assert results.rows["samples/accepted"].all()
    for k in range(2):
        assert results.worst_window(k) < 1e-4  # 3.3e-5 and 2.8e-5
        assert results.rows["crosscheck/codes_within_1lsb"][k] == 1
        assert results.rows["crosscheck/pixel_rms"][k] < 2e-3  # 1.8e-4 and 3.2e-4


@pytest.mark.usefixtures("no_report")
def test_codes_on_the_rails_are_counted_and_told(tmp_path: Path) -> None:
    """States far beyond the converter's scale: all codes are 0 or 255, and agree whatever the circuit does."""
    core = replace(family_core("polynomial_ising", symmetric=True), readout="linear")
    loud = replace(core, parameters={**core.parameters, "alpha": np.full_like(core.parameters["alpha"], 9.0)})
    results = small_run(small_weights(tmp_path / "loud.h5", loud), tmp_path / "out", samples=1)
    assert results.rows["crosscheck/codes_on_rails"][0] > 0.9
    assert "at an end of the converter's scale" in saturation(results, "linear")[0]
    assert saturation(results, "tanh") == []
