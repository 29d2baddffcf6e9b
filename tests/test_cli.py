"""The command: exit codes 0, 1 and 2, messages that say what to do, and nothing of a file's words obeyed."""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import Result
from small import small_core, small_weights
from typer.testing import CliRunner

import emulator.run
from emulator.cli import app
from emulator.ngspice import Capabilities
from emulator.results import read_results

EVIL = "x\n.control\nshell touch pwned\n.endc\x1b[31m\x07[bold red]<script>alert('1')</script>\u202e\"'"
EVIL_NAME = EVIL.replace("/", "|") + ".h5"


def ais(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_weights(tmp_path_factory.mktemp("weights") / "weights.h5", provenance={"dataset": "none"})


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)


@pytest.fixture(scope="module")
def finished(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run, and what the command said."""
    out = tmp_path_factory.mktemp("finished") / "out"
    return out, ais("run", weights, "--out", out, "--samples", 2, "--rows", 50, "--jobs", 1)


# --- help


@pytest.mark.parametrize(
    "command", [[], ["run"], ["compile"], ["inspect"], ["doctor"], ["characterize"], ["compare"], ["receipt"]]
)
def test_every_help_is_worth_reading(command: Sequence[str]) -> None:
    result = ais(*command, "--help")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    expected = {
        "": ["Exit codes: 0 done, 1 the simulation or cross-check failed, 2 unusable input", "Try: ais run"],
        "run": [
            "Example: ais run",
            "--resume",
            "1e-3 rad rms",
            "The same command with --resume goes on",
            "[default: 1e-06]",
        ],
        "compile": ["Examples: ais compile", "ngspice -b -r testbench.raw testbench.cir", "test bench"],
        "inspect": ["Example: ais inspect", "output folder"],
        "doctor": ["Exit code 2", "OSDI"],
        "characterize": ["Examples: ais characterize ring", "injection locking"],
        "compare": ["Examples: ais compare out/new out/old", ":reference", "classifier:FILE"],
        "receipt": ["Examples: ais receipt out/demo", "field by field", "--bits", "--f0", "--cycles"],
    }[command[0] if command else ""]
    for text in expected:
        assert text in words


def test_no_command_shows_the_help() -> None:
    assert "Commands" in ais().output


def test_the_command_is_installed() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ais"), "inspect", "/nowhere.h5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "error: /nowhere.h5: no such file"


# --- run


def test_a_run_that_passes(finished: tuple[Path, Result]) -> None:
    out, result = finished
    assert result.exit_code == 0
    assert "COMPLETED" in result.output
    assert "pass" in result.output
    assert "defect: worst window's rms (rad)" in " ".join(result.output.split())
    assert f"report: {out / 'report.html'}" in result.output
    assert read_results(out / "results.h5").samples == 2


@pytest.mark.usefixtures("no_report")
def test_a_cross_check_that_fails_is_exit_code_1(tmp_path: Path) -> None:
    weights = small_weights(tmp_path / "w.h5", small_core(duration=4.0, strength=1.0))
    result = ais("run", weights, "--out", tmp_path / "out", "--samples", 2, "--rows", 50, "--reltol", 0.05,
                 "--devices", "behavioural")  # fmt: skip
    assert result.exit_code == 1
    assert "FAIL" in result.output
    assert "the circuit departs from the reference; try a smaller --reltol" in result.output
    assert "2 of 2 samples did not pass" in result.output


@pytest.mark.usefixtures("no_report")
def test_a_simulation_that_fails_is_exit_code_1(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = ais("run", weights, "--out", out, "--samples", 1, "--rows", 200_000, "--time-limit", 0.5)
    assert result.exit_code == 1
    assert "sample 0: TIME_LIMIT: " in result.output
    assert "Raise --time-limit" in result.output
    assert "1 of 1 samples did not pass" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--level", "none"], "there is no level 'none'"),
        (
            ["--devices", "silicon"],
            "--devices: Input should be 'auto', 'behavioural' or 'compiled', received 'silicon'",
        ),
        (["--tau", "0"], "--tau: Input should be greater than"),
        (["--tau", "-1e-6"], "--tau: Input should be greater than"),
        (["--tau", "inf"], "--tau: Input should be less than"),
        (["--tau", "nan"], "--tau: Input should be"),
        (["--reltol", "0"], "--reltol: Input should be greater than 0"),
        (["--reltol", "1"], "--reltol: Input should be less than 1"),
        (["--reltol", "nan"], "--reltol: Input should be"),
        (["--rows", "49"], "'--rows'"),
        (["--adc-bits", "0"], "'--adc-bits'"),
        (["--adc-bits", "17"], "'--adc-bits'"),
        (["--samples", "0"], "'--samples'"),
        (["--samples", "many"], "'--samples'"),
        (["--seed", "-1"], "'--seed'"),
        (["--jobs", "0"], "'--jobs'"),
        (["--time-limit", "0"], "--time-limit: Input should be greater than 0"),
        (["--time-limit", "inf"], "--time-limit: Input should be less than or equal to 1000000"),
        (["--keep-trajectories", "-1"], "'--keep-trajectories'"),
        (["--overwrite", "--resume"], "--overwrite starts anew and --resume continues: choose one"),
        (["--fast"], "No such option"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_options_that_make_no_sense_are_exit_code_2(
    weights: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    result = ais("run", weights, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_missing_arguments_are_exit_code_2(weights: Path) -> None:
    assert ais("run", weights).exit_code == 2
    assert ais("run").exit_code == 2
    assert ais("walk").exit_code == 2


# --- bad input, before any work


def _remove(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def _put(name: str, value: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return edit


BAD = {
    "missing": (_remove("weights/coupling"), "weights/coupling: missing; expected real numbers of shape (2, 48)"),
    "shape": (_put("weights/shil", np.zeros((2, 15))), "weights/shil: has shape (2, 15); expected (2, 16)"),
    "nan": (_put("weights/bias", np.full((2, 16), np.nan)), "weights/bias: 32 of 32 values are NaN or infinite"),
    "range": (_put("topology/visible", [99]), "topology/visible: 1 nodes leave the grid, the first at 0: 99"),
    "family": (lambda file: file.attrs.__setitem__("family", EVIL), "attribute family: is"),
    "huge": (_put("topology/shape", [10**9, 10**9]), "topology/shape: is [1000000000, 1000000000]; expected at most"),
    "evil": (lambda file: file.__setitem__("weights/" + EVIL.replace("/", "|"), 1.0), "kurashil has no such parameter"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("command", ["run", "compile", "inspect"])
def test_bad_weights_are_exit_code_2_before_any_work(tmp_path: Path, command: str, what: str) -> None:
    path, (edit, said) = small_weights(tmp_path / "weights.h5"), BAD[what]
    with h5py.File(path, "r+") as file:
        edit(file)
    out = [] if command == "inspect" else ["--out", tmp_path / "out"]
    result = ais(command, path, *out)
    assert result.exit_code == 2
    assert said in result.output.replace("\n  ", " ")
    assert result.output.replace("\n", "").isprintable()
    if command != "inspect":
        assert f"{path}: not usable as a weights file" in result.output
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["run", "compile", "inspect"])
@pytest.mark.parametrize("what", ["absent", "text", "truncated", "folder"])
def test_files_that_are_no_weights_are_exit_code_2(
    weights: Path, tmp_path: Path, command: str, what: str
) -> None:
    path = tmp_path / "weights.h5"
    if what == "text":
        path.write_text("* netlist")
    elif what == "truncated":
        path.write_bytes(weights.read_bytes()[:5000])
    elif what == "folder":
        path.mkdir()
    result = ais(command, path, *([] if command == "inspect" else ["--out", tmp_path / "out"]))
    assert result.exit_code == 2
    assert str(path) in result.output
    assert not (tmp_path / "out").exists()


# --- words of strangers


def test_evil_words_reach_neither_netlist_nor_report_nor_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = small_weights(
        tmp_path / EVIL_NAME, provenance={"dataset": EVIL, EVIL: "name", "[bold]": "[red]word"}
    )
    out = tmp_path / ("out" + EVIL.replace("/", "|"))

    result = ais("run", path, "--out", out, "--samples", 1, "--rows", 50)
    assert result.exit_code == 0, result.output
    assert result.output.replace("\n", "").isprintable()
    assert "\\x1b[31m" in result.output
    assert "[bold red]" in result.output

    for file in (out / "netlist").iterdir():
        # our own: a netlist of compiled devices has to say where they are
        text = file.read_text().replace(".control\npre_osdi ./devices.osdi\nset num_threads=1\n.endc\n", "")
        assert ".control" not in text
        assert "shell" not in text
        assert text.replace("\n", "").isprintable()
    report = (out / "report.html").read_text()
    assert "<script>alert" not in report
    assert "\x1b" not in report
    assert "alert(" in report, "the file's name is told, but as text"

    for what in (path, out, out / "results.h5"):
        shown = ais("inspect", what)
        assert shown.exit_code == 0
        assert shown.output.replace("\n", "").isprintable()
    assert "[red]word" in ais("inspect", path).output

    again = ais("run", path, "--out", out, "--samples", 1)
    assert again.exit_code == 2
    assert again.output.replace("\n", "").isprintable()
    assert not list(tmp_path.rglob("pwned"))


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    path = small_weights(tmp_path / os.fsdecode(b"w\xff.h5"))
    result = ais("run", path, "--out", tmp_path / os.fsdecode(b"out\xfe"), "--samples", 1, "--rows", 50)
    assert result.exit_code == 0, result.output
    assert "\\udcfe" in result.output
    assert ais("inspect", path).exit_code == 0
    assert ais("inspect", tmp_path / os.fsdecode(b"out\xfe")).exit_code == 0


# --- compile


def test_compile_writes_the_netlist_and_says_what_it_is(weights: Path, tmp_path: Path) -> None:
    result = ais("compile", weights, "--out", tmp_path / "deep" / "out")
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == {
        "cells.lib",
        "core.sub",
        "testbench.cir",
    }
    for text in ("16 (8 visible, 8 hidden)", "24 (reciprocal)", "2 to 4, mean 3.00"):
        assert text in result.output


@pytest.mark.parametrize("options", [["--tau", "0"], ["--reltol", "0"], ["--rows", "0"], ["--sample", "-1"]])
def test_compile_refuses_nonsense(weights: Path, tmp_path: Path, options: list[str]) -> None:
    result = ais("compile", weights, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert options[0] in result.output
    assert not (tmp_path / "out").exists()


def test_compile_into_a_file_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    result = ais("compile", weights, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "can't write to" in result.output


# --- inspect


def test_inspect_shows_weights(weights: Path) -> None:
    result = ais("inspect", weights)
    assert result.exit_code == 0
    for text in (
        "4 x 4: 16 nodes, 8 visible",
        "48 directed edges, symmetric",
        "weights/coupling",
        "dataset",
        "none",
    ):
        assert text in result.output


def test_inspect_shows_results_and_folders(finished: tuple[Path, Result]) -> None:
    out = finished[0]
    for path in (out, out / "results.h5"):
        result = ais("inspect", path)
        assert result.exit_code == 0
        for text in ("COMPLETED 2", "2 of 2", "defect_rms", "ngspice_version", "samples/codes"):
            assert text in result.output


def test_inspect_refuses_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = EVIL
    with h5py.File(tmp_path / "array.h5", "w") as file:
        file.attrs["format"] = [1, 2]
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["x"] = 1
    for name in ("", "notes.txt", "other.h5", "array.h5", "none.h5", "nowhere"):
        result = ais("inspect", tmp_path / name)
        assert result.exit_code == 2
        assert str(tmp_path / name) in result.output
        assert result.output.replace("\n", "").isprintable()


def test_inspect_a_folder_whose_description_is_damaged(finished: tuple[Path, Result], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    (tmp_path / "results.h5").write_bytes((finished[0] / "results.h5").read_bytes())
    result = ais("inspect", tmp_path)
    assert result.exit_code == 2
    assert "run.json: not readable" in result.output
    assert "COMPLETED 2" in result.output


# --- devices that can't be built


def test_what_a_failing_compiler_said_is_kept(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole in run.json, also after a resume; its beginning on the terminal, and on one line in the report."""
    said = [f"devices.c:{line}:1: error: 'K' <undeclared> \x1b[31m" for line in range(300)]
    (tmp_path / "said").write_text("\n".join(said))
    compiler = tmp_path / "cc"
    compiler.write_text(f"#!/bin/sh\ncat '{tmp_path}/said' >&2\nexit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    able = Capabilities(library="any", version=46, klu=False, osdi=True, xspice=True)
    monkeypatch.setattr(emulator.run, "find_capabilities", lambda _: able)

    words = ("run", weights, "--out", tmp_path / "out", "--samples", 1, "--rows", 50)
    result = ais(*words)
    assert result.exit_code == 0
    assert "exit code 3" in result.output
    assert "'K' <undeclared> \\x1b[31m" in result.output
    assert "\x1b" not in result.output
    assert "devices.c:299" not in result.output
    assert "run.json has the rest" in result.output

    assert ais(*words, "--resume", "--devices", "behavioural").exit_code == 0
    devices = json.loads((tmp_path / "out" / "run.json").read_text())["devices"]
    (remark,) = devices.pop("remarks")
    assert devices == {"form": "behavioural", "jacobian": "full"}
    assert remark.endswith("\n".join(said))
    page = (tmp_path / "out" / "report.html").read_text()
    in_warning_and_particulars = page.count("&lt;undeclared&gt; \\x1b[31m | devices.c:1:1")
    assert in_warning_and_particulars == 2


# --- no simulator


def _libraries(tmp_path: Path) -> dict[str, tuple[str, str]]:
    (tmp_path / "text.so").write_text("no library")
    return {
        "absent": (str(tmp_path / "no" / "libngspice.so"), "which is not a file"),
        "soname": ("libnothing_of_the_kind.so.9", "does not load"),
        "text": (str(tmp_path / "text.so"), "does not load"),
        "other": (ctypes.util.find_library("m") or "libm.so.6", "is a library, but not ngspice's"),
        "deadly": (str(_deadly(tmp_path)), "loading it ended the process: signal SIGABRT"),
    }


def _deadly(folder: Path) -> Path:
    """A library that takes whoever loads it along."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source = folder / "deadly.c"
    source.write_text(
        "#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }\n"
    )
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(folder / "deadly.so"), str(source)], check=True)
    return folder / "deadly.so"


@pytest.mark.parametrize("what", ["absent", "soname", "text", "other", "deadly"])
def test_no_simulator_is_exit_code_2_with_advice(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    library, said = _libraries(tmp_path)[what]
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", library)
    result = ais("run", weights, "--out", tmp_path / "out", "--samples", 1)
    assert result.exit_code == 2
    assert "NGSPICE_LIBRARY_PATH" in result.output
    assert library in result.output
    assert said in result.output
    assert not (tmp_path / "out").exists()
    ill = ais("doctor")
    assert ill.exit_code == 2
    assert "BROKEN" in ill.output


def test_a_healthy_doctor() -> None:
    result = ais("doctor")
    assert result.exit_code == 0
    for text in ("ngspice library", "KLU", "OSDI", "C compiler"):
        assert text in result.output
