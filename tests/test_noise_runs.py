"""Runs under noise: the same bits whoever computes them, refused where they are not, and said in the results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small import Quiet, assert_same_results, small_core, small_run, small_weights

from emulator.folder import FolderError
from emulator.netlist_files import NetlistError, Request, make_netlist
from emulator.results import Results
from emulator.settings import RunSettings
from netlists.noise import NoiseError

NOISE = {"noise": 0.2}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_weights(tmp_path_factory.mktemp("weights") / "weights.h5")


@pytest.fixture(scope="module")
def plain(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """Four samples under noise, one after the other."""
    out = tmp_path_factory.mktemp("plain") / "out"
    return out, small_run(weights, out, samples=4, non_idealities=NOISE)


def test_all_samples_pass(plain: tuple[Path, Results]) -> None:
    rows = plain[1].rows
    assert plain[1].verdicts == ["COMPLETED"] * 4
    assert rows["samples/accepted"].all()
    assert rows["crosscheck/defect_window_rms"].max() < 5e-4
    # rows are grid points, and so are time points of the solver
    times = np.linspace(0, 2.0, 51)
    np.testing.assert_allclose(rows["crosscheck/row_time"], np.broadcast_to(times, (4, 51)), atol=1e-9)


def test_noise_moves_every_sample_its_own_way(
    plain: tuple[Path, Results], weights: Path, tmp_path: Path
) -> None:
    still = small_run(weights, tmp_path / "still", samples=4).rows
    noisy = plain[1].rows
    np.testing.assert_array_equal(noisy["samples/initial"], still["samples/initial"])
    moved = noisy["samples/final"] - still["samples/final"]
    assert (np.sqrt(np.mean(moved**2, axis=1)) > 0.05).all()
    assert np.abs(np.corrcoef(moved) - np.eye(4)).max() < 0.9


def test_jobs_and_resume_do_not_change_a_bit(
    plain: tuple[Path, Results], weights: Path, tmp_path: Path
) -> None:
    assert_same_results(
        small_run(weights, tmp_path / "jobs", samples=4, jobs=2, non_idealities=NOISE), plain[1]
    )
    out = tmp_path / "resumed"
    small_run(weights, out, samples=1, non_idealities=NOISE)
    assert_same_results(small_run(weights, out, "resume", samples=4, non_idealities=NOISE), plain[1])


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"non_idealities": {"noise": 0.21}}, "settings.non_idealities.noise was 0.2, now 0.21"),
        ({"non_idealities": {**NOISE, "noise_step": 0.01}}, "settings.non_idealities.noise_step was None, now 0.01"),
        ({"non_idealities": {}}, "settings.non_idealities.noise was 0.2, now 0.0"),
        ({"non_idealities": NOISE, "seed": 1}, "seed was 0, now 1"),
    ],
)  # fmt: skip
def test_other_noise_is_not_resumed(
    plain: tuple[Path, Results], weights: Path, others: dict[str, object], said: str
) -> None:
    with pytest.raises(FolderError, match="can't resume a run with other settings") as caught:
        small_run(weights, plain[0], "resume", samples=5, **others)
    assert said in str(caught.value)


def test_both_forms_see_the_same_noise(plain: tuple[Path, Results], weights: Path, tmp_path: Path) -> None:
    behavioural = small_run(weights, tmp_path / "out", samples=4, devices="behavioural", non_idealities=NOISE)
    if plain[1].attributes["devices"] != "compiled":
        pytest.skip("this ngspice takes no compiled devices")
    assert behavioural.rows["samples/accepted"].all()
    np.testing.assert_allclose(behavioural.rows["samples/final"], plain[1].rows["samples/final"], atol=2e-3)


def test_results_say_the_noise_with_its_unit(plain: tuple[Path, Results]) -> None:
    said = json.loads(str(plain[1].attributes["non_idealities"]))
    assert said["noise"] == {"value": 0.2, "unit": "rad per root of model time unit"}
    assert said["noise_step"]["unit"] == "model time units"
    per_row = 2.0 / 50 / said["noise_step"]["value"]
    assert per_row == pytest.approx(round(per_row))


def test_a_coarse_grid_is_remarked(weights: Path, tmp_path: Path) -> None:
    watch = Quiet()
    given = {"noise": 0.2, "noise_step": 0.1}
    small_run(weights, tmp_path / "out", observer=watch, samples=1, non_idealities=given)
    described = json.loads((tmp_path / "out" / "run.json").read_text())
    (remark,) = [r for r in described["devices"]["remarks"] if "noise" in r]
    assert "noise on a grid of 0.1 model time units is slow for the fastest nodes of this core" in remark


# --- what can't be done


def test_at_the_waveform_levels_the_grid_is_the_carriers(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(
        NoiseError, match="noise_step: at --level lc the grid of the noise is that of the carrier's"
    ):
        small_run(weights, tmp_path / "out", level="lc", non_idealities={"noise": 0.1, "noise_step": 0.1})
    assert not (tmp_path / "out").exists()


def test_a_run_of_tanks_says_all_that_its_phases_see(weights: Path, tmp_path: Path) -> None:
    given = {"noise": 0.05, "temperature": 300.0, "corner": "slow"}
    results = small_run(
        weights, tmp_path / "out", level="lc", samples=1, oscillator={"cycles": 60}, non_idealities=given
    )
    said = json.loads(str(results.attributes["non_idealities"]))
    assert {name: said[name]["value"] for name in given} == given
    assert 0.05 < said["phase_noise"]["value"] < 0.0501
    # 16 grid points a cycle
    assert said["noise_step"]["value"] == pytest.approx(small_core().duration / 60 / 16)
    assert str(results.rows["samples/verdict"][0]) == "COMPLETED"


def test_noise_that_cannot_be_made_stops_before_any_work(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(NoiseError, match="noise_step: 5 is longer than the run"):
        small_run(weights, tmp_path / "out", non_idealities={"noise": 0.2, "noise_step": 5})
    assert not (tmp_path / "out").exists()


# --- netlists as files


def request(dialect: str, devices: str, level: str = "phase") -> Request:
    settings = RunSettings.model_validate({"non_idealities": NOISE, "level": level, "rows": 50})
    return Request(small_core(), settings, dialect, devices, sample=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("devices", ["behavioural", "compiled"])
def test_a_netlist_holds_the_samples_noise(devices: str) -> None:
    output = make_netlist(request("ngspice", devices), lambda _: None)
    bench = str(output.files["testbench.cir"])
    assert "seed 0, sample 3" in bench
    assert ("Inoise_" in bench) == (devices == "behavioural")


@pytest.mark.parametrize(
    ("dialect", "level"), [("xyce", "phase"), ("spectre", "phase"), ("verilog-a", "phase"), ("xyce", "lc")]
)
def test_noise_is_written_for_ngspice_alone(dialect: str, level: str) -> None:
    with pytest.raises(NetlistError, match="noise is written for ngspice alone, not for --dialect"):
        make_netlist(request(dialect, "behavioural", level), lambda _: None)


def test_a_netlist_of_tanks_holds_their_noise_without_breakpoints() -> None:
    given = {"non_idealities": {"temperature": 300}, "level": "lc", "oscillator": {"cycles": 30}}
    asked = Request(small_core(), RunSettings.model_validate(given), "ngspice", "behavioural", sample=3)
    bench = str(make_netlist(asked, lambda _: None).files["testbench.cir"])
    assert bench.count("I=pwl(time,") == small_core().nodes
    assert "thermal noise included" in bench
    assert "Inoise_" not in bench
