"""``ais energy``: JSON on stdout, tables, files, and refusals that help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from made_up_results import made_up
from substrates import random_network
from typer.testing import CliRunner

from emulator.cli import app
from emulator.energy.options import hertz
from emulator.results import Results, write_results
from netlists.network_file import Substrate, write_network
from netlists.synthetic import window_core
from netlists.weights import write_weights


def ais(*words: object) -> Result:
    result = CliRunner().invoke(app, ["energy", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def found(*words: object) -> Any:
    result = ais("--json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def said(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


def test_json_is_all_there_is_on_stdout() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from emulator.cli import app; app()", "energy", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    plain = json.loads(done.stdout)
    assert done.stdout.startswith("{")
    assert done.stdout.rstrip().endswith("}")
    assert plain["extrapolation"]["kind"] == "extrapolation"
    energy, (low, high) = plain["extrapolation"]["energy_per_sample_J"], plain["extrapolation"]["interval_J"]
    assert low < energy < high
    assert energy == pytest.approx(23e-6, rel=0.03)
    # NaN and Infinity are no JSON
    assert "NaN" not in done.stdout
    assert "Infinity" not in done.stdout


def test_json_holds_what_the_figures_rest_on() -> None:
    plain = found("--chunks", 4)
    for each in plain["published"]:
        assert abs(each["reproduced_J"] / each["printed_J"] - 1) == pytest.approx(abs(each["error"]))
        assert abs(each["error"]) < 0.03
    corners = plain["feasible"]["vertices"]
    assert len(corners) == 4
    core = plain["settings"]
    scale = core["nodes"] * 2.0 ** (core["bits"] - 4) * core["seconds"]
    energies = [scale * (a + core["mean_degree"] * b) for a, b in corners]
    assert plain["extrapolation"]["interval_J"] == pytest.approx([min(energies), max(energies)])
    parts = [share["energy_per_sample_J"] for share in plain["extrapolation"]["shares"] + plain["terms"]]
    assert plain["total"]["energy_per_sample_J"] == pytest.approx(sum(parts))
    assert all(number["source"] for number in plain["assumptions"].values())
    assert plain["weight_reload_bit_per_s"] == pytest.approx(4 * 4 * (3136 * 12 + 2 * 3136) / 10e-6)
    assert plain["reference_solver"]["energy_per_sample_J"] is None
    assert plain["reference_solver"]["reason"].startswith(("not measurable here: ", "not measured: "))


def test_options_reach_the_figure() -> None:
    base = found()
    assert found("--nodes", 6272)["extrapolation"]["energy_per_sample_J"] == pytest.approx(
        2 * base["extrapolation"]["energy_per_sample_J"]
    )
    assert found("--degree", 3135)["published"] == base["published"]
    assert found("--degree", 3135)["extrapolation"]["energy_per_sample_J"] == pytest.approx(2.5e-3, rel=0.03)
    assert found("--bits", 8)["extrapolation"]["energy_per_sample_J"] == pytest.approx(0.36e-3, rel=0.03)
    assert found("--f0", "200 MHz")["settings"]["seconds"] == pytest.approx(5e-6)
    given = found("--pitch-um", "20:30:40", "--walden-fj", "5")["assumptions"]
    assert {**given["pitch_um"], "meaning": ""} == {
        "value": 30, "low": 20, "high": 40, "source": "given", "unit": "µm", "meaning": "",
    }  # fmt: skip
    assert (given["walden_fj"]["low"], given["walden_fj"]["high"]) == (5, 5)


def test_a_weights_file_fills_in_the_core(tmp_path: Path) -> None:
    core = window_core(6, 8, chunks=3)
    write_weights(tmp_path / "w.h5", core, {"bits": 5})
    settings = found("--weights", tmp_path / "w.h5")["settings"]
    assert (settings["nodes"], settings["chunks"], settings["visible"], settings["bits"]) == (48, 3, 12, 5)
    assert settings["mean_degree"] == pytest.approx(len(core.edges) / 48)
    assert settings["wire_pitches"] == pytest.approx(core.wire_lengths.mean())
    settings = found("--weights", tmp_path / "w.h5", "--bits", 6, "--degree", 30)["settings"]
    assert (settings["nodes"], settings["bits"], settings["mean_degree"]) == (48, 6, 30)
    assert settings["wire_pitches"] is None  # the file's wires are those of its degree


def test_a_core_without_oscillators_is_warned_of(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.h5", window_core(4, 4, family_name="polynomial_ising"))
    result = ais("--weights", tmp_path / "w.h5", "--json")
    assert "the powers are of oscillators, which polynomial_ising has none of" in result.stderr
    assert json.loads(result.stdout)["settings"]["nodes"] == 16


def test_tables_say_what_it_rests_on() -> None:
    words = said(ais("--chunks", 4))
    for expected in (
        "extrapolation as published 22.7 µJ 22.5 µJ to 22.8 µJ", "sparse, 4 bits 23 µJ", "measured silicon",
        "7–79 mJ", "rests on three printed figures", "70.2 Gb/s", "Weight reload may be up to 28.8 µJ",
    ):  # fmt: skip
        assert expected in words


def test_files_are_written(tmp_path: Path) -> None:
    result = ais("--out", tmp_path / "energy")
    assert result.exit_code == 0, result.output
    written = {path.name for path in (tmp_path / "energy").iterdir()}
    assert written == {
        "energy.html", "energy.json", "energy-curves.svg", "energy-parts.svg", "energy-allowed.svg"
    }  # fmt: skip
    assert json.loads((tmp_path / "energy" / "energy.json").read_text(encoding="utf-8")) == found()
    page = (tmp_path / "energy" / "energy.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/svg+xml;base64,') == 3
    assert "22.7 µJ a sample as published" in page
    assert "<script" not in page


def test_figures_are_drawn_for_any_core(tmp_path: Path) -> None:
    """One node without couplings, one bit; all-to-all, many bits."""
    for number, words in enumerate(
        (("--nodes", 1, "--degree", 0, "--bits", 1), ("--nodes", 40, "--degree", 39, "--bits", 16))
    ):
        assert ais(*words, "--visible", 0, "--out", tmp_path / str(number)).exit_code == 0
        # the legend has no line for what is not drawn
        assert "published extrapolations" not in (tmp_path / str(number) / "energy-curves.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--nodes", 0), "--nodes: Input should be greater than or equal to 1, received 0"),
        (("--degree", 4000), "--degree is 4000; expected at most 3135 in a core of 3136 nodes"),
        (("--bits", 99), "--bits: Input should be less than or equal to 16"),
        (("--f0", "fast"), "--f0 fast: expected a frequency, such as 100MHz or 1e8"),
        (("--f0", "0Hz"), "--f0: Input should be greater than 0"),
        (("--pitch-um", "wide"), "--pitch-um: expected a number, or low:value:high, not 'wide'"),
        (("--pitch-um", "3:2:1"), "--pitch-um: 2 does not lie between 3 and 1"),
        (("--pitch-um", "-3"), "value: --pitch-um: Input should be greater than or equal to 0, received '-3' ╰"),
        (("--weights", "absent.h5"), "absent.h5: not usable as a weights file no such file"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_its_option(words: tuple[object, ...], message: str) -> None:
    result = ais(*words)
    assert result.exit_code == 2
    assert message in said(result)
    assert not result.stdout


def test_a_run_stands_beside_the_extrapolation(tmp_path: Path) -> None:
    """36 cells of 10 couplings that take 3 and 2 uJ in 1000 cycles, in a core of four times as many."""
    write_results(tmp_path / "results.h5", made_up(level="lc"))
    words = ("--results", tmp_path, "--nodes", 144, "--degree", 5, "--cycles", 500)
    plain = found(*words)
    run, scaled = plain["circuit"]["run"], plain["circuit"]["scaled"]
    assert (run["kind"], scaled["kind"]) == ("circuit simulation", "extrapolation")
    assert run["energy_per_sample_J"] == pytest.approx(5e-6)
    # half the cycles of the oscillators; a coupling takes the same however many there are
    assert scaled["energy_per_sample_J"] == pytest.approx(4 * 0.5 * 3e-6 + 144 * 5 / 360 * 2e-6)
    assert "was simulated as a circuit" in " ".join(plain["remarks"])
    shown = said(ais(*words, "--out", tmp_path / "page"))
    assert "From the circuit" in shown
    assert "circuit simulation" in shown
    assert "From the circuit" in (tmp_path / "page" / "energy.html").read_text()


@pytest.mark.parametrize(
    ("results", "message"),
    [(made_up(level="phase"), "a cell is an equation and draws no current"), (None, "no such file")],
)
def test_a_run_without_energies_is_refused(tmp_path: Path, results: Results | None, message: str) -> None:
    if results is not None:
        write_results(tmp_path / "results.h5", results)
    result = ais("--results", tmp_path / "results.h5")
    assert result.exit_code == 2
    assert message in said(result)


def test_a_network_of_modules_is_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "n.h5", Substrate(random_network(seed=0)))
    result = ais("--weights", tmp_path / "n.h5")
    assert result.exit_code == 2
    assert "holds a network of modules" in said(result)


@pytest.mark.parametrize(
    ("text", "value"),
    [("100MHz", 1e8), ("100 MHz", 1e8), ("1e8", 1e8), ("0.1G", 1e8), ("2.5e3 kHz", 2.5e6), ("50Hz", 50)],
)
def test_frequencies(text: str, value: float) -> None:
    assert hertz(text) == pytest.approx(value)
