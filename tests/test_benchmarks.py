"""The benchmark suite's own arithmetic, and that every benchmark can be listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.cases import BENCHMARKS
from benchmarks.harness import Measure, load, save, worsened

RATIO = Measure("core", "a / b", "ratio", (3.0, 3.1, 2.9), must=6, aim=2)


def test_median_spread_and_what_is_reached() -> None:
    assert RATIO.median == 3.0
    assert RATIO.spread == pytest.approx(0.1)
    assert RATIO.reached == "must"
    assert replace(RATIO, values=(1.9,)).reached == "aim"
    assert replace(RATIO, values=(6.1,)).reached == "missed"
    assert replace(RATIO, better="higher", must=2, aim=4).reached == "must"
    assert replace(RATIO, must=None, aim=None).reached == ""


def test_only_what_is_beyond_the_noise_is_worse() -> None:
    assert worsened([RATIO], [RATIO]) == []
    slower = replace(RATIO, values=(3.4, 3.5, 3.6))
    (said,) = worsened([slower], [RATIO])
    assert "core: a / b was 3 ± 0.1, is 3.5 ± 0.1" in said
    assert worsened([RATIO], [slower]) == []
    assert worsened([replace(RATIO, values=(3.05, 3.15, 3.2))], [RATIO]) == []
    # higher is better the other way round, and seconds of another machine say nothing
    assert len(worsened([replace(RATIO, better="higher")], [replace(slower, better="higher")])) == 1
    assert worsened([replace(slower, unit="s")], [replace(RATIO, unit="s")]) == []


def test_results_survive_the_file(tmp_path: Path) -> None:
    save([RATIO], {"processor": "test"}, tmp_path)
    assert load(tmp_path / "benchmarks.json") == [RATIO]
    assert "core,a / b,ratio,3,0.1,6,2,must," in (tmp_path / "benchmarks.csv").read_text()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"other\.json: no measures"):
        load(tmp_path / "other.json")


def test_list_and_unknown_names() -> None:
    listed = CliRunner().invoke(app, ["list"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in BENCHMARKS)
    unknown = CliRunner().invoke(app, ["run", "nothing"])
    assert unknown.exit_code == 2


def test_a_benchmark_runs_and_writes_what_it_measured(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["run", "compile56", "--rounds", "1", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    measures = {m.name: m for m in load(tmp_path / "benchmarks.json")}
    assert measures["weights to netlist text, compiled"].median > 0
