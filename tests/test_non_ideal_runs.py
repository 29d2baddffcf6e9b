"""Runs of chips that are not ideal: the circuit follows the chip, and what the chip costs stands beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small import small_core, small_run, small_weights
from test_report import words
from typer.testing import CliRunner

import emulator.run
from emulator.cli import app
from emulator.departures import cost, departures
from emulator.folder import FolderError
from emulator.results import Results, read_results
from emulator.settings import RunSettings
from netlists.synthetic import window_core

EVERYTHING = {
    "bits": 4, "quantizer": "offset", "mismatch_coupling": "5%", "mismatch_shil": "5%", "detuning": "0.2%",
    "dead": "2%", "stuck": "2%", "chip": 3,
}  # fmt: skip
# in 200 cycles, 0.2 % are some 0.8 rad per model time unit: as much as the weights
OPTIONS = ["--cycles", "200"]
for _name, _value in EVERYTHING.items():
    OPTIONS += [f"--{_name.replace('_', '-')}", str(_value)]
TRAINED = [
    ("samples/final_trained", "samples/final_reference"),
    ("samples/analog_trained", "samples/analog_reference"),
    ("samples/codes_trained", "samples/codes_reference"),
    ("crosscheck/trained_pixel_rms", "crosscheck/pixel_rms"),
    ("crosscheck/trained_codes_within_1lsb", "crosscheck/codes_within_1lsb"),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    core = window_core(6, 6, chunks=2, duration=3.0, seed=2)
    return small_weights(tmp_path_factory.mktemp("weights") / "weights.h5", core)


@pytest.fixture(scope="module")
def chip(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run from the command line with everything on, and what it said."""
    out = tmp_path_factory.mktemp("chip") / "out"
    command = [
        "run",
        str(weights),
        "--out",
        str(out),
        "--samples",
        "4",
        "--rows",
        "50",
        "--jobs",
        "1",
        *OPTIONS,
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out, result.output


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)


@pytest.fixture(scope="module")
def ideal(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator.run, "_write_report", lambda *_: None)
        return small_run(weights, tmp_path_factory.mktemp("ideal") / "out", samples=4)


def worst(results: Results) -> float:
    return max(results.worst_window(row) for row in range(results.samples))


def test_the_circuit_follows_the_chip_as_it_follows_the_trained_model(
    chip: tuple[Path, str], ideal: Results
) -> None:
    found = read_results(chip[0] / "results.h5")
    assert found.rows["samples/accepted"].all()
    assert worst(found) < 3 * worst(ideal)
    assert worst(found) < 1e-3


def test_the_trained_figures_are_against_the_trained_model(chip: tuple[Path, str], ideal: Results) -> None:
    found = read_results(chip[0] / "results.h5")
    for name, other in TRAINED[:3]:
        np.testing.assert_array_equal(found.rows[name], ideal.rows[other])
    apart = found.rows["samples/analog"] - ideal.rows["samples/analog_reference"]
    lost = found.rows["crosscheck/trained_pixel_rms"]
    np.testing.assert_allclose(lost, np.sqrt(np.mean(apart**2, axis=1)), rtol=1e-12)
    assert (lost > 100 * found.rows["crosscheck/pixel_rms"]).all()
    codes = np.abs(found.rows["samples/codes"] - ideal.rows["samples/codes_reference"]) <= 1
    np.testing.assert_allclose(found.rows["crosscheck/trained_codes_within_1lsb"], codes.mean(axis=1))


def test_of_an_ideal_chip_the_trained_model_is_the_reference(ideal: Results) -> None:
    for name, other in TRAINED:
        np.testing.assert_array_equal(ideal.rows[name], ideal.rows[other])
    assert cost(ideal) is None


@pytest.mark.usefixtures("no_report")
def test_fewer_bits_cost_more(weights: Path, tmp_path: Path) -> None:
    lost = {}
    for bits in (2, 8, 14):
        found = small_run(weights, tmp_path / str(bits), samples=6, non_idealities={"bits": bits})
        assert worst(found) < 1e-3
        summary = cost(found)
        assert summary is not None
        lost[bits] = (np.median(summary.pixel_rms), np.median(summary.codes))
    assert lost[2][0] > 5 * lost[8][0] > 25 * lost[14][0]
    assert lost[2][1] < lost[8][1] <= lost[14][1]


@pytest.mark.usefixtures("no_report")
def test_without_its_couplings_a_chip_is_free_cells(tmp_path: Path) -> None:
    """All couplers dead: the run of a core that has none, whatever the weights were."""
    core = small_core()
    dead = small_run(small_weights(tmp_path / "a.h5", core), tmp_path / "a", non_idealities={"dead": 1.0})
    none = replace(core, coupling=np.zeros_like(core.coupling))
    free = small_run(small_weights(tmp_path / "b.h5", none), tmp_path / "b")
    np.testing.assert_allclose(
        dead.rows["samples/final_reference"], free.rows["samples/final_reference"], atol=1e-9
    )
    np.testing.assert_allclose(dead.rows["samples/final"], free.rows["samples/final"], atol=1e-5)


@pytest.mark.usefixtures("no_report")
def test_at_the_level_lc_the_elements_are_those_of_the_chip(tmp_path: Path) -> None:
    core = window_core(2, 2, radius=1, duration=4.0, strength=0.3, seed=1)
    path = small_weights(tmp_path / "w.h5", core)
    asked = {"bits": 3, "mismatch_coupling": 0.1, "mismatch_shil": 0.1, "detuning": 1e-3, "chip": 1}
    how = {"samples": 2, "level": "lc", "oscillator": {"cycles": 200}}
    ideal = small_run(path, tmp_path / "ideal", **how)
    found = small_run(path, tmp_path / "chip", **how, non_idealities=asked)
    assert worst(found) < 0.05
    assert worst(found) < 2 * worst(ideal)
    end, other = found.rows["crosscheck/end_rms"], found.rows["crosscheck/trained_pixel_rms"]
    assert (end < 0.1).all()
    assert (other > 2 * found.rows["crosscheck/pixel_rms"]).all()
    assert found.rows["ladder/end_rms"].shape[1] == 2


# --- what is said of it


def test_results_list_every_non_ideality_with_its_unit(chip: tuple[Path, str]) -> None:
    attributes = read_results(chip[0] / "results.h5").attributes
    assert json.loads(str(attributes["non_idealities"])) == {
        "bits": {"value": 4, "unit": "bits"},
        "quantizer": {"value": "offset", "unit": ""},
        "mismatch_coupling": {"value": 5.0, "unit": "% of the strength"},
        "mismatch_shil": {"value": 5.0, "unit": "% of the injection"},
        "detuning": {"value": 0.2, "unit": "% of the carrier"},
        "dead": {"value": 2.0, "unit": "% of the couplers"},
        "stuck": {"value": 2.0, "unit": "% of the couplers"},
        "chip": {"value": 3, "unit": ""},
    }
    assert json.loads(str(attributes["as_built"]))["drawn for"] == "chip 3"
    run = json.loads((chip[0] / "run.json").read_text())
    assert run["settings"]["non_idealities"]["mismatch_coupling"] == 0.05
    assert run["as_built"]["dead couplers"].startswith("5 of 270: ")


def test_all_settings_in_force_have_a_unit_or_are_names() -> None:
    given = {"noise": 0.1, "noise_step": 0.01, "temperature": 300, "corner": "slow", "dead": 0.07}
    listed = departures(RunSettings.model_validate({"non_idealities": given}))
    assert {name: entry["value"] for name, entry in listed.items()} == given | {"dead": 7.0, "chip": 0}
    assert listed["noise"]["unit"] == "state unit per root model time unit"
    assert listed["temperature"]["unit"] == "K"
    quiet = {"noise_step": 0.01, "quantizer": "offset", "chip": 3}
    assert departures(RunSettings.model_validate({"non_idealities": quiet})) == {}


def test_terminal_report_and_inspection_show_what_it_costs(chip: tuple[Path, str]) -> None:
    out, said = chip
    summary = cost(read_results(out / "results.h5"))
    assert summary is not None
    sentence = summary.sentence.replace("\N{NO-BREAK SPACE}", " ")
    assert sentence.startswith("What the non-idealities cost, sample by sample: pixels 0.")
    assert sentence in " ".join(said.split()).replace("\N{NO-BREAK SPACE}", " ")
    page = (out / "report.html").read_text(encoding="utf-8")
    text = words(page).replace("\N{NO-BREAK SPACE}", " ")
    for expected in (
        sentence, "the circuit follows the ODE of the chip as built to",
        "mismatch_coupling 5 % of the strength standard", "codes of shil 4 bits, unsigned: codes 0 to 15",
        "detuning 0.2 % of the carrier", "stuck couplers 5 of 270:",
        "no transistor, no noise.", "codes within 1 LSB the trained model",
    ):  # fmt: skip
        assert expected in text
    assert "trained ODE" not in text
    # circuit, reference, difference and the trained model's
    assert page.count('alt="sample ') == 4 * 4
    seen = CliRunner().invoke(app, ["inspect", str(out)]).output
    for expected in ("non-idealities in force", "5 % of the strength", "weights as built", "chip 3"):
        assert expected in " ".join(seen.split())


# --- resumed, and older files


@pytest.mark.usefixtures("no_report")
def test_a_chip_is_resumed_as_the_same_chip_alone(weights: Path, tmp_path: Path) -> None:
    asked = {"bits": 4, "mismatch_coupling": 0.05, "chip": 1}
    first = small_run(weights, tmp_path / "out", samples=1, non_idealities=asked)
    with pytest.raises(FolderError, match=r"non_idealities\.chip\.value was 1, now 2"):
        small_run(weights, tmp_path / "out", "resume", non_idealities=asked | {"chip": 2})
    with pytest.raises(FolderError, match=r"non_idealities\.mismatch_coupling\.value was 5\.0, now 6\.0"):
        small_run(weights, tmp_path / "out", "resume", non_idealities=asked | {"mismatch_coupling": 0.06})
    both = small_run(weights, tmp_path / "out", "resume", non_idealities=asked)
    assert both.samples == 2
    np.testing.assert_array_equal(both.rows["samples/final"][:1], first.rows["samples/final"])


def test_results_of_earlier_versions_are_read(chip: tuple[Path, str], tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    path.write_bytes((chip[0] / "results.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        for name, _ in TRAINED:
            del file[name]
        file.attrs["non_idealities"] = '{"adc_offset_lsb": 0.5}'
        del file.attrs["as_built"]
    found = read_results(path)
    for name, other in TRAINED:
        np.testing.assert_array_equal(found.rows[name], found.rows[other])
    seen = CliRunner().invoke(app, ["inspect", str(path)])
    assert seen.exit_code == 0
    assert "adc_offset_lsb" in seen.output


# --- refused, before any work


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bits", "1"], "'--bits'"),
        (["--bits", "17"], "'--bits'"),
        (["--quantizer", "gray"], "'--quantizer'"),
        (["--quantizer", "offset"], "--quantizer says how --bits acts: give --bits too, or leave it out"),
        (["--noise-step", "0.1"], "--noise-step says how --noise acts: give --noise too"),
        (["--noise", "-1"], "--noise: Input should be greater than or equal to 0, received -1.0"),
        (["--mismatch-coupling", "five"], "--mismatch-coupling: Input should be a valid number"),
        (["--mismatch-coupling", "five%"], "received 'five%'"),
        (["--mismatch-coupling", "5"], "for 5 per cent write 5%, received '5'"),
        (["--mismatch-coupling", "101%"], "--mismatch-coupling: Input should be less than or equal to 1"),
        (["--mismatch-shil", "nan"], "--mismatch-shil: Input should be"),
        (["--detuning", "-1%"], "--detuning: Input should be greater than or equal to 0"),
        (["--dead", "60%", "--stuck", "0.5"], "--dead 60% and --stuck 50% are more than all couplers"),
        (["--temperature", "300"], "--temperature acts on circuit elements, and the phase level has none"),
        (["--corner", "slow"], "--corner acts on circuit elements, and the phase level has none"),
        (
            ["--level", "van-der-pol", "--corner", "slow"],
            "--corner: what is in a cell of --level van-der-pol is",
        ),
        (["--level", "van-der-pol", "--detuning", "1%"], "no element gives a cell of --level van-der-pol a"),
        (["--level", "ring", "--bits", "4"], "Take --bits 4 --quantizer sign-magnitude"),
        (
            ["--level", "ring", "--mismatch-coupling", "100%"],
            "transistors of a coupler would have no width left",
        ),
        (
            ["--level", "lc", "--noise", "0.1", "--noise-step", "0.1"],
            "at --level lc the grid of the noise is that of",
        ),
        (["--level", "lc", "--bits", "4", "--full-scale", "0.1"], "beyond the couplers' full scale of 0.1"),
        (["--bits", "4", "--full-scale", "0.1"], "beyond the couplers' full scale of 0.1"),
        (["--chip", "-1"], "'--chip'"),
        (["--adc-bits", "17"], "'--adc-bits'"),
    ],
)
def test_options_that_make_no_sense_are_exit_code_2(
    weights: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    result = CliRunner().invoke(app, ["run", str(weights), "--out", str(tmp_path / "out"), *options])
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in result.output


def test_settings_take_shares_as_numbers_and_in_per_cent() -> None:
    def of(value: Any) -> float:
        settings = RunSettings.model_validate({"non_idealities": {"detuning": value}})
        return settings.non_idealities.detuning

    assert of("0.2%") == of("0.2 %") == of(0.002) == of("0.002") == 0.002
