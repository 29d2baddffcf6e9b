"""``ais compile`` at every level and in every dialect: what it writes reads back, runs from the shell, and is whole."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from netlist_text import Netlist, flat, read_spectre, read_spice
from small import family_core, small_core, small_weights
from test_array_design import guessed
from typer.testing import CliRunner

import emulator.levels
from device_models.oscillator_cell import OscillatorCell
from emulator.cells import find_cell
from emulator.cli import app
from emulator.netlist_files import NETLIST_FILES
from netlists.characterization import Characterization
from netlists.core import AnalogCore
from netlists.floorplan import read_memory_image

CELL = Path(__file__).parent.parent / "examples" / "cells" / "cross_coupled.toml"
BESIDE = {"placement.csv", "coupler_codes.csv", "floorplan.png"}
FILES = {
    "ngspice": {"cells.lib", "core.sub", "testbench.cir"},
    "xyce": {"cells.lib", "core.sub", "testbench.cir"},
    "spectre": {"cells.scs", "core.scs", "testbench.scs"},
}
RING = ("--level", "ring", "--cycles", 20, "--points-per-cycle", 100)
LC = ("--level", "lc", "--cycles", 20)


def without_detuning(chunks: int = 2) -> AnalogCore:
    """2 x 2 cells; all weights far below 1."""
    core = small_core((2, 2), chunks, strength=0.2)
    return replace(core, parameters=core.parameters | {"detuning": np.zeros(4)})


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for the characterisations of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_weights(tmp_path_factory.mktemp("weights") / "weights.h5", without_detuning())


def compiled(weights: Path, out: Path, *options: object) -> Result:
    words = ("compile", weights, "--out", out, *options)
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def written(weights: Path, out: Path, *options: object) -> tuple[dict[str, str], str]:
    """The texts by file name, and what was said."""
    result = compiled(weights, out, *options)
    assert result.exit_code == 0, result.output
    files = {path.name: path.read_text() for path in out.iterdir() if path.suffix != ".png"}
    return files, " ".join(result.output.replace("│", " ").split())


def read(files: dict[str, str], dialect: str) -> Netlist:
    if dialect == "spectre":
        return read_spectre(files, "testbench.scs")
    return read_spice({name: in_one_style(text) for name, text in files.items()}, "testbench.cir")


def in_one_style(text: str) -> str:
    """The writer of the levels phase and lc, for ngspice, leaves out quotes and puts blanks about ``=``."""
    text = re.sub(r"^\.include (\w\S*)$", r'.include "\1"', text, flags=re.MULTILINE)
    return re.sub(r"^(\.param \w+) = ", r"\1=", text, flags=re.MULTILINE)


def shape(netlist: Netlist) -> dict[str, tuple[object, ...]]:
    """Kind and nodes of each element."""
    return {path: primitive[:2] for path, primitive in flat(netlist).items()}


@pytest.mark.parametrize("level", [("--level", "phase"), LC, RING], ids=["phase", "lc", "ring"])
def test_every_dialect_says_the_same_circuit(
    weights: Path, tmp_path: Path, level: tuple[object, ...]
) -> None:
    beside = set() if "phase" in level else BESIDE | ({"weights.mem"} if "ring" in level else set())
    found = []
    for dialect, names in FILES.items():
        files, _ = written(weights, tmp_path, *level, "--dialect", dialect)  # all into one folder
        assert {path.name for path in tmp_path.iterdir()} == names | beside
        found.append(shape(read(files, dialect)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 12


def shell(folder: Path) -> dict[str, float]:
    """What ``ngspice -b`` measures."""
    program = shutil.which("ngspice")
    if program is None:
        pytest.skip("the ngspice program is not installed (the library is)")
    done = subprocess.run(
        [program, "-b", "testbench.cir"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert "aborted" not in done.stdout + done.stderr, done.stdout[-2000:] + done.stderr[-2000:]
    return {k: float(v) for k, v in re.findall(r"^(\w+)\s*=\s*(\S+)", done.stdout, flags=re.MULTILINE)}


def test_the_lc_netlist_runs_from_the_shell(weights: Path, tmp_path: Path) -> None:
    files, said = written(weights, tmp_path, *LC)
    assert shell(tmp_path)["f_first"] == pytest.approx(100e6, rel=0.02)
    for text in ("none: continuous transconductances", "tau = 1e-07 s, 20 cycles", "100 MHz"):
        assert text in said
    assert "tau = 1e-07 s per model time unit" in files["testbench.cir"]
    rows = list(csv.DictReader(files["coupler_codes.csv"].splitlines()))
    assert len(rows) == 4 * 2
    assert {row["unit"] for row in rows} == {"S"}
    signs = {np.sign(float(row["weight"]) * float(row["strength"])) for row in rows}
    assert signs == {1.0}


def test_compiled_lc_devices_come_as_source(weights: Path, tmp_path: Path) -> None:
    files, _ = written(weights, tmp_path, *LC, "--devices", "compiled")
    assert "devices.c" in files
    head = files["testbench.cir"]
    assert "First build the compiled devices" in head
    assert "Run it" not in head


def test_the_ring_netlist_runs_from_the_shell(weights: Path, tmp_path: Path) -> None:
    files, said = written(weights, tmp_path, *RING)
    measured = shell(tmp_path)
    carrier = float(re.search(r"carrier (\S+) MHz", said).group(1)) * 1e6
    assert measured["f_first"] == pytest.approx(carrier, rel=0.02)
    assert measured["i_vdd"] < measured["i_vdd_couplers"] < 0
    lsb = float(re.search(r"3 bits and a sign; 1 LSB = (\S+) per model time unit", said).group(1))
    codes = list(csv.DictReader(files["coupler_codes.csv"].splitlines()))
    signed = [int(row["code"]) * (-1 if row["sign"] == "-" else 1) for row in codes]
    assert read_memory_image(files["weights.mem"], bits=4) == signed
    assert max(map(abs, signed)) == 7
    for row, code in zip(codes, signed, strict=True):
        assert code * lsb == pytest.approx(float(row["weight"]), abs=0.51 * lsb)
    assert "clipped no weights" in said
    assert re.search(r"unit strengths straight \S+, crossed \S+ \(W/L of the unit leg\)", said)


def test_the_head_of_the_ring_bench_says_what_to_know(weights: Path, tmp_path: Path) -> None:
    for dialect in FILES:
        files, _ = written(weights, tmp_path, *RING, "--dialect", dialect)
        bench = next(text for name, text in files.items() if name.startswith("testbench"))
        head = bench.partition("include")[0]
        for text in ("VDD 1 V", "20 cycles", "tau =", "1 LSB =", "Run it", "rNNcNN_port", "MHz"):
            assert text in head


def test_wires_load_and_are_as_long_as_the_pitch_says(weights: Path, tmp_path: Path) -> None:
    files, _ = written(weights, tmp_path, *RING, "--pitch-um", 50, "--wire-ff-per-um", 0.2)
    assert len(re.findall(r"^Cw_r\d\dc\d\d ", files["core.sub"], flags=re.MULTILINE)) == 4
    lengths = {row["length_um"] for row in csv.DictReader(files["coupler_codes.csv"].splitlines())}
    assert lengths == {"50.0"}


def test_couplers_without_codes_have_strengths(weights: Path, tmp_path: Path) -> None:
    files, said = written(weights, tmp_path, *RING, "--coupler", "gm")
    assert "weights.mem" not in files
    assert "none: continuous strengths" in said
    rows = list(csv.DictReader(files["coupler_codes.csv"].splitlines()))
    assert len(rows) == 8 * 2
    assert len({np.sign(float(row["weight"]) * float(row["strength"])) for row in rows}) == 1


def test_a_cell_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(_simulator: object, cell: OscillatorCell, *_: object) -> Characterization:
        return guessed(cell, cell.couplers[0])

    monkeypatch.setattr(emulator.levels, "cached", made_up)
    weights = small_weights(tmp_path / "w.h5", without_detuning(chunks=1))
    files, said = written(weights, tmp_path / "out", "--level", CELL, "--cycles", 20)
    assert len(re.findall(r"^Xk_.* resistive ", files["core.sub"], flags=re.MULTILINE)) == 4
    assert ".model pair_nmos nmos level=1" in files["cells.lib"]
    assert find_cell(str(CELL)).title in said


def test_files_of_earlier_calls_vanish_and_those_of_others_stay(weights: Path, tmp_path: Path) -> None:
    for name in NETLIST_FILES | {"notes.txt"}:
        (tmp_path / name).write_text("set ngbehavior=hsa\n")
    written(weights, tmp_path, "--dialect", "verilog-a")
    assert {path.name for path in tmp_path.iterdir()} == {"cells.va", "notes.txt"}
    (tmp_path / ".spiceinit").write_text("set ngbehavior=hsa\nset num_threads=4\n")
    written(weights, tmp_path)
    assert (tmp_path / ".spiceinit").exists(), "it is the user's own"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((*RING, "--coupler", "wire"), "no coupler 'wire'. Its couplers, for --coupler: inverter, gate, gm"),
        ((*LC, "--coupler", "wire"), "no coupler 'wire'. Its couplers, for --coupler: gm"),
        (
            ("--level", "rign"),
            "there is no level 'rign': take --level phase, lc, ring, van-der-pol, differential-pair, or",
        ),
        ((*RING, "--dialect", "verilog-a"), "Take --dialect ngspice, xyce or spectre, or --level phase"),
        ((*LC, "--dialect", "verilog-a"), "Take --dialect ngspice, xyce or spectre, or --level phase"),
        ((*RING, "--devices", "compiled"), "--level ring has none. Take --devices behavioural"),
        (
            ("--devices", "compiled", "--dialect", "xyce"),
            "--dialect xyce has none. Take --devices behavioural",
        ),
        ((*RING, "--full-scale", 0.1), "weights are beyond the couplers' full scale of 0.1, by up to"),
        ((*LC, "--full-scale", 0.1), "weights are beyond the couplers' full scale of 0.1, by up to"),
        (("--cycles", 3), "'--cycles'"),
        (("--pitch-um", 0), "--pitch-um: Input should be greater than 0"),
    ],
)
def test_what_can_not_be_compiled_is_said(
    weights: Path, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    result = compiled(weights, tmp_path / "out", *options)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("level", [RING, LC], ids=["ring", "lc"])
def test_weights_beyond_full_scale(weights: Path, tmp_path: Path, level: tuple[object, ...]) -> None:
    refused = " ".join(compiled(weights, tmp_path, *level, "--full-scale", 0.1).output.split())
    count, enough = re.search(r"(\d+) of 16 weights .* Take --full-scale (\S+), or --clip", refused).groups()
    _, said = written(weights, tmp_path, *level, "--full-scale", 0.1, "--clip")
    assert f"{count} weights were beyond the couplers' full scale and are clipped" in said
    _, said = written(weights, tmp_path, *level, "--full-scale", enough)
    assert "clipped no weights" in said


def test_a_family_that_no_oscillator_realises(tmp_path: Path) -> None:
    path = small_weights(tmp_path / "w.h5", family_core("langevin", symmetric=True))
    for level in (RING, LC):
        result = compiled(path, tmp_path / "out", *level)
        assert result.exit_code == 2
        assert "Take --level phase." in " ".join(result.output.split())
