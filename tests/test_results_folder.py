"""The output folder: nobody else's files touched, no two runs in one, and every interrupted run finished.

Interrupted runs are real ones: the command in a process of its own, with ngspice, killed in the middle.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from processes import children, gone, start, wait_until
from small import Quiet, assert_same_results, small_core, small_run, small_weights
from typer.testing import CliRunner

import emulator.run
from emulator.claimed import FolderError
from emulator.cli import app
from emulator.folder import claim
from emulator.results import (
    ROWS,
    Results,
    ResultsError,
    gather,
    read_results,
    split,
    write_results,
)

IDENTITY = {"seed": 0, "settings": json.dumps({"reltol": 1e-6, "adc": {"bits": 8}})}
ROWS_OF_A_SLOW_SAMPLE = 8_000  # about half a second of ngspice
# behavioural, as compiled devices would be through before a signal arrives
SLOW = {"samples": 3, "rows": ROWS_OF_A_SLOW_SAMPLE, "devices": "behavioural"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_weights(tmp_path_factory.mktemp("weights") / "weights.h5")


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process only; commands in processes of their own write theirs."""
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)


@pytest.fixture(scope="module")
def slow_results(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the interrupted runs must come to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator.run, "_write_report", lambda *_: None)
        return small_run(weights, tmp_path_factory.mktemp("slow") / "out", **SLOW)


def contents(path: Path) -> dict[str, bytes]:
    return {str(item.relative_to(path)): item.read_bytes() for item in path.rglob("*") if item.is_file()}


# --- claiming a folder, without a simulator


def test_a_new_folder_is_made_and_an_empty_one_taken(tmp_path: Path) -> None:
    for out in (tmp_path / "deep" / "new", tmp_path / "empty"):
        if out.name == "empty":
            out.mkdir()
        with claim(out, "new", IDENTITY) as folder:
            assert json.loads(folder.run.read_text())["identity"] == IDENTITY
            assert (out / ".lock").exists()
        assert not (out / ".lock").exists()


@pytest.mark.parametrize("mode", ["new", "overwrite", "resume"])
def test_a_folder_of_others_is_refused_and_left_alone(tmp_path: Path, mode: Any) -> None:
    for name, text in [
        ("thesis.tex", "x"),
        ("run.json", "{}"),
        ("run.json", '{"format": "other"}'),
        ("run.json", "["),
    ]:
        out = tmp_path / "theirs"
        out.mkdir()
        (out / name).write_text(text)
        (out / "runs").mkdir()
        (out / "runs" / "mine.txt").write_text("x")
        before = contents(out)
        with pytest.raises(FolderError, match=r"choose another --out"), claim(out, mode, IDENTITY):
            pass
        assert contents(out) == before
        shutil.rmtree(out)


@pytest.mark.parametrize("mode", ["new", "overwrite", "resume"])
def test_a_file_is_no_folder(tmp_path: Path, mode: Any) -> None:
    (tmp_path / "out").write_text("x")
    with (
        pytest.raises(FolderError, match="is a file; --out needs a folder"),
        claim(tmp_path / "out", mode, IDENTITY),
    ):
        pass
    with pytest.raises(FolderError, match="can't be"), claim(tmp_path / "out" / "deeper", mode, IDENTITY):
        pass


def test_a_folder_that_cannot_be_made_is_refused() -> None:
    with (
        pytest.raises(FolderError, match="can't be written"),
        claim(Path("/proc/nothing/out"), "new", IDENTITY),
    ):
        pass


def test_another_runs_results_are_refused_unless_asked(tmp_path: Path) -> None:
    with claim(tmp_path / "out", "new", IDENTITY):
        pass
    with (
        pytest.raises(
            FolderError, match=r"holds a run's results already; --overwrite replaces .* --resume finishes"
        ),
        claim(tmp_path / "out", "new", IDENTITY),
    ):
        pass
    with claim(tmp_path / "out", "resume", IDENTITY):
        pass
    with claim(tmp_path / "out", "overwrite", {"seed": 1}) as folder:
        assert json.loads(folder.run.read_text())["identity"] == {"seed": 1}


def test_resuming_with_other_settings_names_what_differs(tmp_path: Path) -> None:
    with claim(tmp_path / "out", "new", IDENTITY):
        pass
    other = {"seed": 3, "settings": json.dumps({"reltol": 1e-6, "adc": {"bits": 6}}), "level": "lc"}
    with pytest.raises(FolderError, match="can't resume a run with other settings") as caught:
        claim(tmp_path / "out", "resume", other).__enter__()
    message = str(caught.value)
    assert "seed was 0, now 3" in message
    assert "settings.adc.bits was 8, now 6" in message
    assert "level was None, now 'lc'" in message
    assert "reltol" not in message
    with claim(tmp_path / "out", "resume", IDENTITY):
        pass


def test_overwriting_removes_what_is_ours_alone(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small_run(weights, out, samples=3)
    theirs = [
        "notes.txt", "netlist/own.cir", "runs/thoughts.md", "runs/sample-00001/plot.png", "partial/x", "results.csv",
    ]  # fmt: skip
    for name in theirs:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("theirs")
    (out / ".results.h5.abc.part").write_text("what a killed write left")
    small_run(weights, out, "overwrite", samples=1, devices="behavioural")
    left = set(contents(out))
    assert left >= set(theirs)
    assert left - set(theirs) == {
        "run.json", "results.h5", "receipt.json", "netlist/cells.lib", "netlist/core.sub", "netlist/testbench.cir",
        "runs/sample-00000/ngspice.log",
    }  # fmt: skip
    assert read_results(out / "results.h5").samples == 1


def test_what_a_link_points_to_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("x")
    with claim(tmp_path / "out", "new", IDENTITY):
        pass
    (tmp_path / "out" / "runs").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "results.h5").symlink_to(tmp_path / "elsewhere" / "file")
    with claim(tmp_path / "out", "overwrite", IDENTITY):
        pass
    assert (tmp_path / "elsewhere" / "file").read_text() == "x"


def test_a_run_that_was_killed_before_it_began_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.json.abc123.part").write_text("{")
    with claim(tmp_path, "new", IDENTITY):
        pass


@pytest.mark.parametrize("mode", ["new", "overwrite", "resume"])
def test_two_at_once_are_refused(tmp_path: Path, mode: Any) -> None:
    out = tmp_path / "out"
    with claim(out, "new", IDENTITY):
        before = contents(out)
        with pytest.raises(FolderError, match="another run is writing there"), claim(out, mode, IDENTITY):
            pass
        assert contents(out) == before


def test_a_lock_that_was_taken_away_meanwhile_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finishing run removes its lock file between our opening and locking it."""
    flock = fcntl.flock

    def remove_then_lock(stream: Any, how: int) -> None:
        (tmp_path / "out" / ".lock").unlink()
        flock(stream, how)

    monkeypatch.setattr("emulator.claimed.fcntl.flock", remove_then_lock)
    with (
        pytest.raises(FolderError, match="another run is writing there"),
        claim(tmp_path / "out", "new", IDENTITY),
    ):
        pass


# --- results files


def a_result(sample: int, *, kept: bool = True, nodes: int = 4, visible: int = 2) -> Results:
    generator = np.random.default_rng(sample)
    sizes = {"N": nodes, "V": visible, "R": 6, "W": 5, "L": 0}
    rows: dict[str, Any] = {}
    for name, column in ROWS.items():
        shape = [1, *(sizes[letter] for letter in column.shape)]
        if column.kinds == "f":
            rows[name] = generator.standard_normal(shape)
        elif column.kinds == "iu":
            rows[name] = generator.integers(0, 9, shape)
    rows |= {"samples/index": np.array([sample]), "samples/accepted": np.array([True])}
    rows |= {"samples/verdict": np.array(["COMPLETED"]), "samples/reason": np.array(["fine: Σ\n"])}
    runs = {
        "trajectory/sample": np.array([sample]), "trajectory/time": generator.random((1, 6)),
        "trajectory/circuit": generator.random((1, 6, nodes)), "trajectory/reference": generator.random((1, 6, nodes)),
    } if kept else {}  # fmt: skip
    return Results(rows, runs, {"seed": 5, "weights": "a.h5"})


def test_results_are_read_as_written_gathered_and_split(tmp_path: Path) -> None:
    parts = [a_result(3), a_result(0, kept=False), a_result(11)]
    whole = gather(parts, {"seed": 5, "weights": "a.h5"})
    assert whole.rows["samples/index"].tolist() == [0, 3, 11]
    write_results(tmp_path / "results.h5", whole)
    read = read_results(tmp_path / "results.h5")
    assert_same_results(read, whole)
    for part, again in zip([parts[1], parts[0], parts[2]], split(read), strict=True):
        assert_same_results(again, part)
    assert_same_results(gather(split(read), {"seed": 5, "weights": "a.h5"}), whole)


def spoil(name: str, value: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]
        if value is not None:
            file[name] = value

    return edit


def huge(file: h5py.File) -> None:
    del file["samples/final"]
    file.create_dataset("samples/final", (1, 10**15), "f8", chunks=(1, 1000))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        *(
            (spoil(name, None), f"{name}: missing; expected one row a sample")
            for name, column in ROWS.items()
            if not column.optional
        ),
        (spoil("samples/index", 3), "samples/index: is int64 of shape ()"),
        (spoil("samples/index", [3, 4]), "has S ="),
        (spoil("samples/index", [3.0]), "samples/index: is float64 of shape (1,)"),
        (spoil("samples/final", np.zeros((1, 5))), "samples/final: has N = 5; other datasets have N = 4"),
        (spoil("samples/final", np.zeros((1, 4, 1))), "samples/final: is float64 of shape (1, 4, 1)"),
        (spoil("samples/codes", [["a", "b"]]), "samples/codes: is text of shape (1, 2)"),
        (spoil("samples/verdict", [1]), "samples/verdict: is int64"),
        (spoil("trajectory/circuit", None), "trajectory/circuit: missing"),
        (lambda file: file.attrs.__setitem__("version", 2), "not a ais-results file of version 1"),
        (lambda file: file.attrs.__setitem__("format", [1, 2]), "not a ais-results file of version 1"),
        (huge, "other datasets have N = 4"),
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, edit: Callable[[h5py.File], None], said: str) -> None:
    path = tmp_path / "results.h5"
    write_results(path, a_result(0))
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert shown.exit_code == 2
    assert isinstance(shown.exception, SystemExit)


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_no_results_at_all_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "results.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultsError, match="not a readable HDF5 file"):
        read_results(path)


# --- resuming, with ngspice


def test_more_samples_are_added_and_nothing_is_done_twice(weights: Path, tmp_path: Path) -> None:
    whole = small_run(weights, tmp_path / "whole", samples=3)
    small_run(weights, tmp_path / "out", samples=1)
    watch = Quiet()
    assert_same_results(small_run(weights, tmp_path / "out", "resume", watch, samples=3), whole)
    assert sorted(watch.done) == [1, 2]
    watch = Quiet()
    assert_same_results(small_run(weights, tmp_path / "out", "resume", watch, samples=3), whole)
    assert (watch.todo, watch.done) == (0, {})
    # fewer do not take any away
    assert small_run(weights, tmp_path / "out", "resume", samples=1).samples == 3


def test_a_damaged_part_is_done_again(weights: Path, tmp_path: Path) -> None:
    whole = small_run(weights, tmp_path / "out", samples=2)
    out = tmp_path / "out"
    for part in split(read_results(out / "results.h5")):
        write_results(out / "partial" / f"sample-{part.rows['samples/index'][0]:05d}.h5", part)
    (out / "results.h5").unlink()
    damaged = out / "partial" / "sample-00001.h5"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    watch = Quiet()
    assert_same_results(small_run(weights, out, "resume", watch, samples=2), whole)
    assert list(watch.done) == [1]


def test_damaged_results_stop_a_resume_with_advice(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small_run(weights, out, samples=1)
    (out / "results.h5").write_text("x")
    with pytest.raises(FolderError, match="Remove it, or start anew with --overwrite"):
        small_run(weights, out, "resume", samples=1)
    assert small_run(weights, out, "overwrite", samples=1).samples == 1


def test_other_weights_or_settings_are_not_resumed(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small_run(weights, out, samples=1)
    before = contents(out)
    other = small_weights(tmp_path / "other.h5", small_core(seed=9))
    with pytest.raises(FolderError, match="weights_sha256 was"):
        small_run(other, out, "resume", samples=2)
    for settings, said in [
        ({"reltol": 1e-5}, "settings.reltol was 1e-06, now 1e-05"),
        ({"seed": 4}, "seed was 0, now 4"),
        ({"adc": {"bits": 5}}, "settings.adc.bits was 8, now 5"),
        ({"scaling": {"tau": 2e-6}}, "settings.scaling.tau was 1e-06, now 2e-06"),
    ]:
        with pytest.raises(FolderError, match="can't resume a run with other settings") as caught:
            small_run(weights, out, "resume", samples=2, **settings)
        assert said in str(caught.value)
    assert contents(out) == before


# --- interrupted, in a process of its own


def command(weights: Path, out: Path, *more: str) -> list[str]:
    given = [
        "--samples",
        "3",
        "--rows",
        str(ROWS_OF_A_SLOW_SAMPLE),
        "--devices",
        "behavioural",
        "--out",
        str(out),
    ]
    return [sys.executable, "-c", "from emulator.cli import app; app()", "run", str(weights), *given, *more]


def parts(out: Path) -> list[Path]:
    return sorted((out / "partial").glob("sample-*.h5"))


def assert_unfinished(out: Path, finished: int) -> None:
    """The folder says so, and holds readable samples and no half-written file."""
    assert not (out / "results.h5").exists()
    for path in parts(out):
        assert read_results(path).verdicts == ["COMPLETED"]
    shown = CliRunner().invoke(app, ["inspect", str(out)])
    assert shown.exit_code == 0
    assert "unfinished run" in shown.output
    lines = [line for line in shown.output.splitlines() if "finished samples" in line]
    assert str(finished) in lines[0]
    assert "--resume" in shown.output


def test_killed_in_the_middle_and_resumed(weights: Path, tmp_path: Path, slow_results: Results) -> None:
    out = tmp_path / "out"
    process = start(command(weights, out, "--jobs", "1"))
    wait_until(lambda: len(parts(out)) >= 1, process)
    workers = children(process.pid)
    assert workers
    process.kill()
    process.communicate()
    assert gone(workers), "the simulators outlive the run"
    done = len(parts(out))
    assert 1 <= done < 3
    assert_unfinished(out, done)
    watch = Quiet()
    assert_same_results(small_run(weights, out, "resume", watch, **SLOW), slow_results)
    assert len(watch.done) == 3 - done
    assert not (out / "partial").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_in_the_middle_and_resumed(
    weights: Path, tmp_path: Path, slow_results: Results, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = start(command(weights, out, "--jobs", "2"))
    wait_until(lambda: len(parts(out)) >= 1, process)
    workers = children(process.pid)
    asked = time.monotonic()
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted. Finished samples are kept in" in said
    assert "--resume goes on" in said
    assert "Traceback" not in said
    assert time.monotonic() - asked < 10, "it waited for what was still running"
    assert gone(workers, 0.0), "the simulators outlive the run"
    done = len(parts(out))
    assert_unfinished(out, done)
    assert not list(out.rglob("*.part"))
    assert not (out / ".lock").exists()
    if number == signal.SIGINT:
        assert_same_results(small_run(weights, out, "resume", **SLOW), slow_results)


def test_interrupted_before_the_first_sample(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # so many steps that no sample ends before the signal comes, however busy the machine is
    process = start(command(weights, out, "--jobs", "2", "--rows", "2000000"))
    wait_until(lambda: (out / "runs").exists(), process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in said
    assert_unfinished(out, 0)


def test_a_killed_worker_costs_its_sample_alone(weights: Path, tmp_path: Path, slow_results: Results) -> None:
    """That sample is CRASHED and the command fails; a resume does just that one again."""
    out = tmp_path / "out"
    process = start(command(weights, out, "--jobs", "1"))
    wait_until(lambda: (out / "runs" / "sample-00001" / "ngspice.log").exists(), process)
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "sample 1: CRASHED" in said
    assert "SIGKILL" in said
    assert "1 of 3 samples did not pass" in said
    results = read_results(out / "results.h5")
    assert results.verdicts == ["COMPLETED", "CRASHED", "COMPLETED"]
    assert results.rows["samples/accepted"].tolist() == [True, False, True]
    assert (results.rows["samples/codes"][1] == -1).all()
    watch = Quiet()
    assert_same_results(small_run(weights, out, "resume", watch, **SLOW), slow_results)
    assert watch.done == {1: "COMPLETED"}


def test_the_second_of_two_runs_at_once_is_refused(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(command(weights, out, "--jobs", "1"))
    wait_until(lambda: (out / "runs").exists(), first)
    for more in ([], ["--overwrite"], ["--resume"]):
        second = CliRunner().invoke(app, command(weights, out, *more)[3:])
        assert second.exit_code == 2, second.output
        assert "another run is writing there" in second.output
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert first.returncode == 1


# --- a full disk


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for the netlist and the first samples."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_ends_the_run_and_harms_nothing(
    weights: Path, tmp_path: Path, tiny_disk: Path, slow_results: Results
) -> None:
    process = start(command(weights, tiny_disk / "out", "--jobs", "1"))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "No space left on device" in said
    assert "--resume goes on" in said
    assert "Traceback" not in said
    done = len(parts(tiny_disk / "out"))
    assert 1 <= done < 3
    assert_unfinished(tiny_disk / "out", done)
    assert not list(tiny_disk.rglob("*.part"))
    shutil.copytree(tiny_disk / "out", tmp_path / "larger")
    assert_same_results(small_run(weights, tmp_path / "larger", "resume", **SLOW), slow_results)


def test_results_that_do_not_fit_are_not_written_by_half(
    weights: Path, tmp_path: Path, slow_results: Results
) -> None:
    """Files may not grow beyond what a part needs: gathering them must fail, and leave the parts."""
    out = tmp_path / "out"
    limit = 3_000_000
    process = start(
        command(weights, out, "--jobs", "1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "--resume goes on" in said
    assert len(parts(out)) == 3
    assert_unfinished(out, 3)
    assert not list(out.rglob("*.part"))
    watch = Quiet()
    assert_same_results(small_run(weights, out, "resume", watch, **SLOW), slow_results)
    assert watch.done == {}
