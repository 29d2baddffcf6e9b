"""The benchmark suite's own arithmetic, and that every benchmark can be listed."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.cases import BENCHMARKS
from benchmarks.harness import Measure, earlier, in_order, load, load_circumstances, save, worsened
from benchmarks.peers import TINY, TINY_DECK, WAYS, in_process
from benchmarks.table import BEGIN, END, figure, markdown, replaced

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
    for unit in ("s", "s CPU", "s wall"):
        assert worsened([replace(slower, unit=unit)], [replace(RATIO, unit=unit)]) == []


def test_results_survive_the_file(tmp_path: Path) -> None:
    save([RATIO], {"processor": "test"}, tmp_path)
    assert load(tmp_path / "benchmarks.json") == [RATIO]
    assert load_circumstances(tmp_path / "benchmarks.json") == {"processor": "test"}
    assert "core,a / b,ratio,3,0.1,6,2,must," in (tmp_path / "benchmarks.csv").read_text()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"other\.json: no measures"):
        load(tmp_path / "other.json")
    with pytest.raises(ValueError, match=r"other\.json: does not say"):
        load_circumstances(tmp_path / "other.json")


def test_benchmarks_that_are_not_run_again_stay(tmp_path: Path) -> None:
    save([RATIO], {"processor": "test"}, tmp_path)
    assert earlier(tmp_path, {"processor": "test"}) == [RATIO]
    assert earlier(tmp_path, {"processor": "another"}) == []
    assert earlier(tmp_path / "nowhere", {"processor": "test"}) == []
    first, second = replace(RATIO, benchmark="a"), replace(RATIO, benchmark="b", name="c / d")
    assert in_order([RATIO, second, first], ["a", "b"]) == [first, second, RATIO]


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


def test_figures_show_what_their_spread_leaves() -> None:
    assert figure(RATIO) == "3 ± 0.1"
    assert figure(replace(RATIO, unit="s CPU", values=(0.2613, 0.2601, 0.2620))) == "0.261 ± 0.001 s CPU"
    assert figure(replace(RATIO, unit="rad rms", values=(4.512e-5,))) == "4.51 · 10⁻⁵ rad rms"
    assert figure(replace(RATIO, unit="rows", values=(50176.0,))) == "50176 rows"


def test_table_goes_between_its_markers_and_nowhere_else() -> None:
    where = {
        "processor": "P",
        "cores": "2",
        "ngspice": "46",
        "klu": "True",
        "python": "3",
        "scipy": "1",
        "A": "7",
    }
    peers = [
        replace(RATIO, benchmark="peers", name=f"{way}: tiny, whole", must=None, aim=None) for way in "AB"
    ]
    text = markdown([RATIO, replace(RATIO, values=(7.0,)), *peers], where)
    assert "Measured on P (2 cores), ngspice 46 with KLU" in text
    assert "| `core` | a / b | 3 ± 0.1 | ≤ 6, aim ≤ 2 |" in text
    assert "| `core` | a / b | 7 | ≤ 6, aim ≤ 2: missed |" in text
    assert "| | tiny, whole |" in text
    assert "| B | 3 ± 0.1 |" in text
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replaced(document, text)
    assert once == f"before\n{BEGIN}\n{text}\n{END}\nafter\n"
    assert replaced(once, text) == once
    for broken in ("before", f"{END}{BEGIN}", document + document):
        with pytest.raises(ValueError, match="no place for the table"):
            replaced(broken, text)


def test_readme_shows_the_results_that_are_kept(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    copy = tmp_path / "README.md"
    copy.write_bytes((root / "README.md").read_bytes())
    source = str(root / "docs" / "benchmarks.json")
    done = CliRunner().invoke(app, ["table", "--from", source, "--readme", str(copy)])
    assert done.exit_code == 0, done.output
    assert copy.read_bytes() == (root / "README.md").read_bytes()
    copy.write_text("no markers")
    refused = CliRunner().invoke(app, ["table", "--from", source, "--readme", str(copy)])
    assert refused.exit_code == 2


@pytest.mark.parametrize("name", WAYS)
def test_peers_bring_the_same_from_a_process_of_their_own(name: str, tmp_path: Path) -> None:
    if find_spec(WAYS[name][0]) is None or (name == "spicelib" and shutil.which("ngspice") is None):
        pytest.skip(f"{name} is not installed")
    deck = tmp_path / "tiny.cir"
    deck.write_text(TINY)
    wall, analysis, last = in_process(name, tmp_path, {TINY_DECK: deck})[TINY_DECK]
    assert 0 < analysis < wall
    assert last == pytest.approx({"a": math.exp(-1)}, rel=1e-4)  # one time constant after one volt


def test_a_peer_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no-such-peer"):
        in_process("no-such-peer", tmp_path, {})
