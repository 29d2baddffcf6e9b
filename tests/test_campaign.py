"""Campaigns on tiny cores: the samples are those of ais run, whatever executes them, and each is done once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from campaigns import GRID, Silent, assert_same_samples, campaign_file, run_campaign, two_weights
from processes import children
from small import small_core, small_run, small_weights
from typer.testing import CliRunner

import emulator.campaign.sweep
from emulator.campaign import engines, work
from emulator.campaign.engines import Engine, examine
from emulator.campaign.file import CampaignError, read_campaign
from emulator.campaign.journal import HEADER, Journal
from emulator.campaign.store import LAYOUT, Store, StoreError
from emulator.campaign.sweep import ItemLost, shortcomings
from emulator.campaign.tally import Pace, Tally
from emulator.campaign.work import COLUMNS, CPU, Circumstances, Outcome, WorkerRefused, items_of
from emulator.claimed import FolderError
from emulator.cli import app
from emulator.settings import RunSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.campaign.sweep, "_write_report", lambda *_: "")


@pytest.fixture(scope="module")
def plain(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 weights × 4 points × 2 seeds × 3 samples with one job; the output folder."""
    out = tmp_path_factory.mktemp("plain") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator.campaign.sweep, "_write_report", lambda *_: "")
        run_campaign(campaign_file(folder, seeds="[0, 5]"), out)
    return out


# --- what a campaign leaves


def test_every_item_is_a_row_in_order(plain: Path) -> None:
    with h5py.File(plain / "campaign.h5") as file:
        assert dict(file.attrs)["format"] == "ais-campaign"
        assert dict(file.attrs)["version"] == 1
        rows = list(
            zip(*(file[f"samples/{name}"][()].tolist() for name in ("point", "seed", "index")), strict=True)
        )
        assert rows == [(point, seed, sample) for point in range(8) for seed in (0, 5) for sample in range(3)]
        assert set(file["samples/verdict"].asstr()[()]) == {"COMPLETED"}
        assert all(len(file[name]) == 48 for name in LAYOUT)
        assert all(file[name].attrs["meaning"] for name in LAYOUT)
        assert (file[CPU][()] > 0).all()
    assert json.loads((plain / "campaign.json").read_text())["state"] == "finished"
    assert "[grid]" in (plain / "campaign.toml").read_text()
    assert not (plain / ".lock").exists()


def test_the_samples_are_those_of_ais_run(
    plain: Path, folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("emulator.run._write_report", lambda *_: None)
    settings: dict[str, Any] = {
        "rows": 50,
        "reltol": 1e-4,
        "adc": {"bits": 4, "low": -1.0, "high": 1.0},
        "seed": 5,
    }
    results = small_run(folder / "b.h5", tmp_path / "run", samples=3, **settings)
    with Store(plain / "campaign.h5") as store:
        point = store.points[7]
        assert (point.label, point.values) == ("b", {"reltol": 1e-4, "adc_bits": 4})
        rows = store.rows(point)
    of_seed = rows["samples/seed"] == 5
    for name in COLUMNS:
        if (name in results.rows and not name.startswith("timing/")) or name in (
            "timing/steps",
            "timing/iterations",
        ):
            np.testing.assert_array_equal(rows[name][of_seed], results.rows[name], err_msg=name)
    worst = [results.worst_window(k) for k in range(3)]
    np.testing.assert_array_equal(rows["crosscheck/worst_window"][of_seed], worst)


def test_points_of_fewer_pixels_are_padded_and_read_without(plain: Path) -> None:
    with h5py.File(plain / "campaign.h5") as file:
        assert file["samples/codes"].shape == (48, 8)
        assert (file["samples/codes"][24:, 4:] == -1).all()
        assert np.isnan(file["samples/analog"][24:, 4:]).all()
    with Store(plain / "campaign.h5") as store:
        assert [point.pixels for point in store.points] == [8] * 4 + [4] * 4
        for point in store.points:
            rows = store.rows(point)
            assert rows["samples/codes"].shape == (6, point.pixels)
            assert (rows["samples/codes"] >= 0).all()
            assert np.isfinite(rows["samples/analog"]).all()
            assert point.settings["reltol"] == point.values["reltol"]


# --- the same to the bit


@pytest.mark.parametrize("jobs", [2, 3])
def test_jobs_do_not_change_a_bit(plain: Path, folder: Path, tmp_path: Path, jobs: int) -> None:
    run_campaign(campaign_file(folder, seeds="[0, 5]"), tmp_path / "out", jobs=jobs)
    assert_same_samples(plain / "campaign.h5", tmp_path / "out" / "campaign.h5")


def test_another_executor_does_not_change_a_bit(
    plain: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard library's processes, each with a simulator of its own."""

    @contextmanager
    def processes(jobs: int) -> Iterator[Engine]:
        with ProcessPoolExecutor(jobs) as pool:
            yield Engine(pool, lambda: jobs, "processes", here=False)

    monkeypatch.setattr(emulator.campaign.sweep, "local", processes)
    run_campaign(campaign_file(folder, seeds="[0, 5]"), tmp_path / "out", jobs=2)
    assert_same_samples(plain / "campaign.h5", tmp_path / "out" / "campaign.h5")


def test_nothing_is_done_twice_and_more_can_be_added(plain: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_campaign(campaign_file(folder, "[grid]\nreltol = [1e-6]\nadc_bits = [4, 8]\n", samples=2), out)
    watch = Silent()
    run_campaign(
        campaign_file(folder, "[grid]\nreltol = [1e-6]\nadc_bits = [4, 8]\n", samples=2), out, "resume", watch
    )
    assert (watch.known, watch.done) == (8, [])
    watch = Silent()  # more values, another seed, another sample
    run_campaign(campaign_file(folder, seeds="[0, 5]"), out, "resume", watch)
    assert (watch.known, len(watch.done), len(set(watch.done))) == (8, 40, 40)
    assert watch.warnings == []
    assert_same_samples(plain / "campaign.h5", out / "campaign.h5")
    watch = Silent()  # less: what was done stays in the journal, and is said to be unused
    run_campaign(campaign_file(folder, "[grid]\nadc_bits = [8]\n", samples=1), out, "resume", watch)
    assert (watch.known, watch.done) == (2, [])
    assert watch.warnings == ["46 finished samples here are of other settings or versions: not used"]


def test_the_first_sample_of_every_point_comes_first(folder: Path, tmp_path: Path) -> None:
    watch = Silent()
    run_campaign(campaign_file(folder, seeds="[5, 0]", samples=2), tmp_path / "out", observer=watch)
    assert watch.done[:8] == [(point, 5, 0) for point in range(8)]
    assert watch.done[8:] == [
        (point, seed, sample) for point in range(8) for seed, sample in [(5, 1), (0, 0), (0, 1)]
    ]  # fmt: skip


def test_waveform_levels_are_those_of_ais_run_too(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The cell is characterised in the process that simulates."""
    monkeypatch.setattr("emulator.run._write_report", lambda *_: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    more = '[settings]\nlevel = "lc"\ncycles = 40\nrows = 50\n'
    run_campaign(campaign_file(folder, more, samples=1, weights='["b.h5"]'), tmp_path / "out")
    results = small_run(folder / "b.h5", tmp_path / "run", samples=1, level="lc", oscillator={"cycles": 40},
                        adc={"bits": 4, "low": -1.0, "high": 1.0})  # fmt: skip
    with Store(tmp_path / "out" / "campaign.h5") as store:
        rows = store.rows(store.points[0])
    assert rows["samples/verdict"][0] == "COMPLETED"
    for name in ("samples/analog", "samples/codes", "crosscheck/pixel_rms", "timing/iterations"):
        np.testing.assert_array_equal(rows[name], results.rows[name])


def test_remarks_on_how_a_point_was_realised_are_told_once(folder: Path, tmp_path: Path) -> None:
    clipped = "[settings]\nlevel = 'lc'\ncycles = 40\nrows = 50\nfull_scale = 0.3\nclip = true\n"
    more = clipped + "[grid]\nadc_bits = [4, 8]\n"
    watch = Silent()
    run_campaign(campaign_file(folder, more, samples=1, weights='["b.h5"]'), tmp_path / "out", observer=watch)
    (told,) = [text for text in watch.warnings if "are clipped" in text]
    assert told.startswith("b, adc_bits=4: ")


def test_a_machine_that_lacks_something_is_told() -> None:
    whole = Circumstances("1", 46, True, True, True)
    assert shortcomings(whole) == []
    assert "no KLU" in shortcomings(replace(whole, klu=False))[0]
    assert "no OSDI" in shortcomings(replace(whole, osdi=False, compiler=False))[0]
    assert "no C compiler" in shortcomings(replace(whole, compiler=False))[0]


# --- keys


def test_a_key_says_all_that_bears_on_the_numbers() -> None:
    settings, here = RunSettings.model_validate({}), Circumstances("1", 46, True, True, True)

    def keys(
        sha: str = "a", samples: int = 3, circumstances: Circumstances = here, **changed: Any
    ) -> list[bytes]:
        return [
            item.key for item in items_of(0, sha, settings.model_copy(update=changed), samples, circumstances)
        ]

    same = [*keys(), *keys(samples=5)[:3], *keys(jobs=7, time_limit_s=1.0, samples=3)]
    assert len(set(same)) == 3
    others = [
        keys(sha="b"), keys(seed=1), keys(reltol=1e-5), keys(circumstances=Circumstances("2", 46, True, True, True)),
        keys(circumstances=Circumstances("1", 39, True, True, True)),
        keys(circumstances=Circumstances("1", 46, True, True, False)),
    ]  # fmt: skip
    assert len({key for some in [keys(), *others] for key in some}) == 21


# --- what fails


def test_a_failed_simulation_is_a_row_and_not_done_again(tmp_path: Path) -> None:
    """Rates that no step resolves: ngspice gives up, always."""
    core, out = small_core((2, 2), 1, 1.0), tmp_path / "out"
    core.parameters["detuning"][:] = 1e308
    small_weights(tmp_path / "wild.h5", core)
    path = campaign_file(tmp_path, "", weights='["wild.h5"]', samples=1)
    watch = Silent()
    swept = run_campaign(path, out, observer=watch)
    assert (swept.samples, swept.failed) == (1, 1)
    with Store(out / "campaign.h5") as store:
        rows = store.rows(store.points[0])
    assert rows["samples/verdict"][0] == "TIMESTEP_TOO_SMALL"
    assert rows["samples/reason"][0]
    assert (rows["samples/codes"] == -1).all()
    watch = Silent()
    assert run_campaign(path, out, "resume", watch).failed == 1
    assert watch.done == []


def test_a_sample_over_its_time_limit_is_recorded_and_tried_again(folder: Path, tmp_path: Path) -> None:
    out, slow = tmp_path / "out", "[settings]\nrows = 400000\ntime_limit_s = {}\n"
    path = campaign_file(folder, slow.format(0.5), weights='["b.h5"]', samples=1)
    assert run_campaign(path, out).failed == 1
    with Store(out / "campaign.h5") as store:
        rows = store.rows(store.points[0])
    assert rows["samples/verdict"][0] == "TIME_LIMIT"
    assert "Raise time_limit_s" in rows["samples/reason"][0]
    assert np.isnan(rows["samples/analog"]).all()
    # the limit does not bear on the numbers: it is the same item
    watch = Silent()
    path = campaign_file(folder, slow.format(100), weights='["b.h5"]', samples=1)
    assert run_campaign(path, out, "resume", watch).failed == 0
    assert watch.done == [(0, 0, 0)]


def test_a_point_that_cannot_be_realised_ends_the_campaign_early_and_says_which(
    folder: Path, tmp_path: Path
) -> None:
    more = '[settings]\nrows = 50\n[grid]\ndevices = ["behavioural"]\njacobian = ["auto", "own"]\n'
    watch = Silent()
    with pytest.raises(
        CampaignError, match=r"a, devices=behavioural, jacobian=own: --jacobian own needs compiled"
    ):
        run_campaign(campaign_file(folder, more, samples=50), tmp_path / "out", observer=watch)
    assert len(watch.done) <= 1


def test_weights_that_change_meanwhile_are_noticed(folder: Path, tmp_path: Path) -> None:
    item, *_ = items_of(0, "0" * 64, RunSettings.model_validate({"rows": 50}), 1, examine())
    with engines.local(1) as engine, pytest.raises(work.FileChanged, match="is another file than when"):
        engine.executor.submit(work.execute, item, folder / "a.h5", *engine.more).result()


@pytest.mark.parametrize("given", ["file", "content", None])
def test_a_worker_in_other_circumstances_refuses(folder: Path, given: str | None) -> None:
    path = folder / "a.h5"
    weights = {"file": path, "content": path.read_bytes(), None: None}[given]
    theirs = Circumstances("0.0.7", 39, True, False, True)
    item, *_ = items_of(0, "0" * 64, RunSettings.model_validate({}), 1, theirs)
    with (
        engines.local(1) as engine,
        pytest.raises(WorkerRefused, match=r"emulator 0\.1\.0 instead of 0\.0\.7"),
    ):
        engine.executor.submit(work.execute, item, weights, *engine.more).result()


def test_a_worker_without_the_weights_asks_for_them(folder: Path) -> None:
    item, *_ = items_of(0, "0" * 64, RunSettings.model_validate({}), 1, examine())
    with engines.local(1) as engine, pytest.raises(work.WeightsWanted):
        engine.executor.submit(work.execute, item, None, *engine.more).result()


class Silenced(Executor):
    """Never answers what it is given first."""

    def __init__(self, inner: Executor) -> None:
        self._inner, self._first = inner, True
        self._given: list[Future[Any]] = []

    def submit(self, function: Any, item: Any, /, *args: Any, **how: Any) -> Future[Any]:
        if self._first:
            self._first = False
            return Future[Any]()
        self._given.append(self._inner.submit(function, item, *args, **how))
        return self._given[-1]

    def at_work(self) -> bool:
        """On anything but what it was given first."""
        return not all(future.done() for future in self._given)


@pytest.mark.parametrize("idle", [True, False])
def test_what_an_executor_forgets_is_given_to_it_again(
    plain: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: bool
) -> None:
    """But not while somebody is at work."""
    asked = []

    @contextmanager
    def silenced(jobs: int) -> Iterator[Engine]:
        with engines.local(jobs) as engine:
            executor = Silenced(engine.executor)

            def answer() -> bool:
                if executor.at_work():  # a busy machine takes its time
                    return False
                asked.append(len(asked))
                return idle or len(asked) > 2

            yield Engine(executor, lambda: jobs, "void", here=True, more=engine.more, idle=answer)

    monkeypatch.setattr(emulator.campaign.sweep, "local", silenced)
    monkeypatch.setattr(emulator.campaign.sweep, "SILENCE_S", 0.6)
    run_campaign(campaign_file(folder, seeds="[0, 5]"), tmp_path / "out")
    assert_same_samples(plain / "campaign.h5", tmp_path / "out" / "campaign.h5")
    assert len(asked) >= (1 if idle else 3)


class Forgetful(Executor):
    """Loses what it is given: some items once, one always."""

    def __init__(self, inner: Executor, always: bool) -> None:
        self._inner, self._always, self._seen = inner, always, set[bytes]()

    def submit(self, function: Any, item: Any, /, *args: Any, **how: Any) -> Future[Any]:
        lost = Future[Any]()
        if item.key in self._seen and not self._always:
            return self._inner.submit(function, item, *args, **how)
        self._seen.add(item.key)
        if item.sample % 2 == 0:
            lost.set_exception(ConnectionError("gone"))
        else:
            lost.cancel()
            lost.set_running_or_notify_cancel()
        return lost


@pytest.mark.parametrize("always", [False, True])
def test_what_an_executor_loses_is_given_to_it_again(
    plain: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, always: bool
) -> None:
    @contextmanager
    def forgetful(jobs: int) -> Iterator[Engine]:
        with engines.local(jobs) as engine:
            yield Engine(
                Forgetful(engine.executor, always), lambda: jobs, "sieve", here=True, more=engine.more
            )

    monkeypatch.setattr(emulator.campaign.sweep, "local", forgetful)
    path = campaign_file(folder, seeds="[0, 5]")
    if always:
        with pytest.raises(
            ItemLost, match=r"sample 0 of a, reltol=1e-06, adc_bits=8 was lost 3 times \(Connection"
        ):
            run_campaign(path, tmp_path / "out")
    else:
        run_campaign(path, tmp_path / "out")
        assert_same_samples(plain / "campaign.h5", tmp_path / "out" / "campaign.h5")


def test_a_simulator_that_is_killed_costs_nothing(plain: Path, folder: Path, tmp_path: Path) -> None:
    """The item is done again in a new process, to the same bits."""

    class Killing(Silent):
        def finished(self, item: Any, outcome: Outcome) -> None:
            super().finished(item, outcome)
            # a third time could meet an item that both others met, which would then be given up
            if len(self.done) in (5, 20):
                for child in children(os.getpid()):
                    os.kill(child, signal.SIGKILL)

    watch = Killing()
    assert (
        run_campaign(campaign_file(folder, seeds="[0, 5]"), tmp_path / "out", observer=watch, jobs=2).failed
        == 0
    )
    assert len(watch.done) == 48
    assert_same_samples(plain / "campaign.h5", tmp_path / "out" / "campaign.h5")


# --- the folder and the files in it


def test_folders_of_others_are_left_alone(
    plain: Path, folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("emulator.run._write_report", lambda *_: None)
    path = campaign_file(folder, samples=1)
    small_run(folder / "a.h5", tmp_path / "run", samples=1)
    for mode in ("new", "overwrite", "resume"):
        with pytest.raises(FolderError, match="no campaign of ours; choose another --out"):
            run_campaign(path, tmp_path / "run", mode)  # type: ignore[arg-type]
    with pytest.raises(FolderError, match="no run of ours"):
        small_run(folder / "a.h5", plain, "overwrite")
    with pytest.raises(
        FolderError, match="holds a campaign's results already; --overwrite replaces them, --resume"
    ):
        run_campaign(path, plain)


def test_overwriting_removes_what_is_ours_alone(folder: Path, tmp_path: Path) -> None:
    out, path = tmp_path / "out", campaign_file(folder, "", samples=1, weights='["b.h5"]')
    run_campaign(path, out)
    (out / "notes.txt").write_text("theirs")
    watch = Silent()
    run_campaign(path, out, "overwrite", watch)
    assert len(watch.done) == 1
    assert (out / "notes.txt").read_text() == "theirs"


def test_a_damaged_journal_is_recovered_and_told(plain: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = campaign_file(folder, seeds="[0, 5]")
    out.mkdir()
    for name in ("campaign.json", "campaign.journal"):
        (out / name).write_bytes((plain / name).read_bytes())
    journal = out / "campaign.journal"
    journal.write_bytes(journal.read_bytes()[:-100])
    (out / "campaign.h5").write_bytes((plain / "campaign.h5").read_bytes()[:5000])
    watch = Silent()
    run_campaign(path, out, "resume", watch)
    assert (watch.known, len(watch.done)) == (47, 1)
    assert (
        "bytes belong to no whole sample and are left out; 47 whole samples were found" in watch.warnings[0]
    )
    assert_same_samples(plain / "campaign.h5", out / "campaign.h5")


def test_another_file_in_the_journals_place_is_refused(folder: Path, tmp_path: Path) -> None:
    out, path = tmp_path / "out", campaign_file(folder, "", samples=1, weights='["b.h5"]')
    run_campaign(path, out)
    (out / "campaign.journal").write_bytes(b"x" * 1000)
    with pytest.raises(FolderError, match="is no journal of a campaign; start anew with --overwrite"):
        run_campaign(path, out, "resume")
    run_campaign(path, out, "overwrite")
    assert (out / "campaign.journal").read_bytes().startswith(HEADER)


def test_the_journal_holds_what_the_store_holds(plain: Path, folder: Path) -> None:
    campaign = read_campaign(campaign_file(folder, seeds="[0, 5]"))
    point = campaign.points[3]
    settings = point.settings.model_copy(update={"seed": 5})
    items = list(items_of(3, campaign.sources[0].weights.sha256, settings, 3, examine()))
    with Journal(plain / "campaign.journal") as journal, Store(plain / "campaign.h5") as store:
        rows = store.rows(store.points[3])
        for item in items:
            recorded = journal.read(item.key)
            for name in COLUMNS:
                np.testing.assert_array_equal(recorded[name], rows[name][3 + item.sample], err_msg=name)


@pytest.mark.parametrize("spoil", ["cut", "format", "column", "rows", "shape", "text"])
def test_damaged_stores_are_refused(plain: Path, tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "campaign.h5"
    path.write_bytes((plain / "campaign.h5").read_bytes())
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:4000])
    elif spoil == "text":
        path.write_text("no campaign")
    else:
        with h5py.File(path, "r+") as file:
            if spoil == "format":
                file.attrs["format"] = "ais-results"
            else:
                values = {"column": None, "rows": np.zeros(3), "shape": np.zeros((48, 2))}[spoil]
                del file["crosscheck/pixel_rms"]
                if values is not None:
                    file["crosscheck/pixel_rms"] = values
    with pytest.raises(StoreError, match=str(path)):
        Store(path)


# --- how far it is


def test_the_time_left_is_the_work_left_over_the_pace() -> None:
    now = 100.0
    tallies = [Tally(0, 10), Tally(0, 10), Tally(1, 10)]
    pace = Pace(tallies, now=lambda: now)
    columns = {name: np.asarray(np.nan) for name in COLUMNS} | {"samples/verdict": np.asarray("COMPLETED")}
    cheap, dear = ({**columns, CPU: np.asarray(cpu)} for cpu in (1.0, 4.0))
    now = 120.0
    assert pace.left_s() is None  # nothing is known
    for _ in range(5):
        tallies[0].add(Outcome(cheap))
    # 5 s of work in 20 s; left are 5 and, as nothing else is known of the other points, 10 and 10 of 1 s each
    assert pace.left_s() == pytest.approx(25 * 20 / 5)
    tallies[2].add(Outcome(dear))
    # 9 s of work in 20 s; the second point has the first one's weights, the third costs 4 s an item
    assert pace.left_s() == pytest.approx((5 + 10 + 9 * 4) * 20 / 9)


def test_what_was_finished_before_says_what_it_costs_but_not_how_fast_it_goes() -> None:
    tally = Tally(0, 10)
    columns = {name: np.asarray(np.nan) for name in COLUMNS}
    done = Outcome({**columns, CPU: np.asarray(2.0), "samples/verdict": np.asarray("COMPLETED")})
    for _ in range(4):
        tally.add(done)
    now = 0.0
    pace = Pace([tally], now=lambda: now)
    now = 8.0
    assert pace.left_s() is None
    tally.add(done)
    assert pace.left_s() == pytest.approx(5 * 2 * 8 / 2)


# --- the command


def test_the_command_says_what_there_is_to_do_and_where_the_report_is(folder: Path, tmp_path: Path) -> None:
    path = campaign_file(folder, GRID, title='"tiny"', samples=1, weights='["b.h5"]')
    out = tmp_path / "out"
    shown = CliRunner().invoke(app, ["sweep", str(path), "--out", str(out), "--jobs", "1"])
    assert shown.exit_code == 0, shown.output
    assert "tiny: 4 points × 1 samples = 4 simulations; ngspice" in shown.output
    assert "1 job here" in shown.output
    assert f"report: {out / 'report.html'}" in shown.output.replace("\n", "")
    shown = CliRunner().invoke(app, ["sweep", str(path), "--out", str(out)])
    assert shown.exit_code == 2
    assert "--resume finishes them" in shown.output


def test_contradictory_options_are_refused(folder: Path) -> None:
    path = str(campaign_file(folder))
    for words, said in [
        (["--overwrite", "--resume"], "choose one"),
        (["--jobs", "2", "--cluster", "x"], "choose one"),
    ]:
        shown = CliRunner().invoke(app, ["sweep", path, *words])
        assert shown.exit_code == 2
        assert said in shown.output
