"""Campaigns on a Dask cluster: a real one of several processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaigns import Silent, assert_same_samples, campaign_file, run_campaign, two_weights
from typer.testing import CliRunner

import emulator.campaign.sweep
from emulator.campaign import engines
from emulator.campaign.engines import ClusterError, ClusterLost
from emulator.campaign.sweep import ItemLost
from emulator.campaign.work import Item, Outcome
from emulator.cli import app

distributed = pytest.importorskip("distributed", reason="Dask is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = two_weights(tmp_path_factory.mktemp("weights"))
    campaign_file(found, samples=4)
    return found


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.campaign.sweep, "_write_report", lambda *_: "")


@pytest.fixture(scope="module")
def plain(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same campaign by one job here."""
    out = tmp_path_factory.mktemp("plain") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator.campaign.sweep, "_write_report", lambda *_: "")
        run_campaign(folder / "campaign.toml", out)
    return out / "campaign.h5"


@pytest.fixture(scope="module")
def _shared_cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as started:
        yield started


@pytest.fixture
def cluster(_shared_cluster: Any) -> Any:
    """Three workers, a process each, that are started again when they die; an odd one of an earlier test is gone."""
    with distributed.Client(_shared_cluster.scheduler_address, set_as_default=False) as client:
        deadline = time.monotonic() + 60
        while len(client.nthreads()) != 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(client.nthreads()) == 3
    return _shared_cluster


@pytest.fixture
def odd_worker(tmp_path: Path) -> Iterator[Any]:
    """Starts a worker that has another version of the package; ended with the test."""
    older = tmp_path / "older" / "ais_emulator-0.0.7.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: ais-emulator\nVersion: 0.0.7\n")
    path = os.pathsep.join([str(older.parent), *(entry or str(Path.cwd()) for entry in sys.path)])
    begun: list[subprocess.Popen[bytes]] = []

    def begin(address: str) -> None:
        words = [
            sys.executable,
            "-m",
            "dask",
            "worker",
            address,
            "--no-nanny",
            "--no-dashboard",
            "--nthreads",
            "4",
        ]
        begun.append(subprocess.Popen(
            words, env=os.environ | {"PYTHONPATH": path}, cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ))  # fmt: skip

    yield begin
    for process in begun:
        process.kill()
        process.wait()


class Watch(Silent):
    """Does something once a number of samples are finished."""

    def __init__(self, at: int, act: Any) -> None:
        super().__init__()
        self._at, self._act = at, act

    def finished(self, item: Item, outcome: Outcome) -> None:
        super().finished(item, outcome)
        if len(self.done) == self._at:
            self._act()


def test_a_worker_that_is_killed_costs_nothing(
    cluster: Any, folder: Path, plain: Path, tmp_path: Path
) -> None:
    def kill_one() -> None:
        os.kill(cluster.workers[1].process.process.pid, signal.SIGKILL)

    watch = Watch(5, kill_one)
    swept = run_campaign(
        folder / "campaign.toml", tmp_path / "out", observer=watch, address=cluster.scheduler_address
    )
    assert (swept.samples, swept.failed) == (32, 0)
    assert len(set(watch.done)) == len(watch.done) == 32
    assert "the cluster at tcp://" in watch.where
    assert_same_samples(tmp_path / "out" / "campaign.h5", plain)


def test_workers_that_die_all_at_once_are_waited_for(
    cluster: Any, folder: Path, plain: Path, tmp_path: Path
) -> None:
    """With them went what was shared: the weights."""

    def kill_all() -> None:
        for worker in cluster.workers.values():
            os.kill(worker.process.process.pid, signal.SIGKILL)

    watch = Watch(5, kill_all)
    run_campaign(
        folder / "campaign.toml", tmp_path / "out", observer=watch, address=cluster.scheduler_address
    )
    assert len(watch.done) == 32
    assert_same_samples(tmp_path / "out" / "campaign.h5", plain)


def test_what_is_begun_here_can_be_finished_there(
    cluster: Any, folder: Path, plain: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_campaign(
        campaign_file(tmp_path, samples=1, weights=f'["{folder}/a.h5", "{folder}/b.h5"]'), out, jobs=1
    )
    watch = Silent()
    run_campaign(folder / "campaign.toml", out, "resume", watch, address=cluster.scheduler_address)
    assert (watch.known, len(watch.done)) == (8, 24)
    assert_same_samples(out / "campaign.h5", plain)


def test_a_worker_of_another_version_is_refused(
    cluster: Any, odd_worker: Any, folder: Path, plain: Path, tmp_path: Path
) -> None:
    odd_worker(cluster.scheduler_address)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(4, timeout=60)
        watch = Silent()
        run_campaign(
            folder / "campaign.toml", tmp_path / "out", observer=watch, address=cluster.scheduler_address
        )
    assert len(watch.warnings) == 1
    assert (
        "is refused, its results would not be comparable: emulator 0.0.7 instead of 0.1.0"
        in watch.warnings[0]
    )
    assert_same_samples(tmp_path / "out" / "campaign.h5", plain)


def test_one_that_comes_later_is_refused_too(
    cluster: Any, odd_worker: Any, folder: Path, plain: Path, tmp_path: Path
) -> None:
    def join() -> None:
        odd_worker(cluster.scheduler_address)
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            client.wait_for_workers(4, timeout=60)

    watch = Watch(2, join)
    run_campaign(
        folder / "campaign.toml", tmp_path / "out", observer=watch, address=cluster.scheduler_address
    )
    assert len(watch.warnings) == 1
    assert "emulator 0.0.7 instead of 0.1.0" in watch.warnings[0]
    assert_same_samples(tmp_path / "out" / "campaign.h5", plain)


def test_a_cluster_of_such_alone_is_refused(odd_worker: Any, folder: Path, tmp_path: Path) -> None:
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty:
        odd_worker(empty.scheduler_address)
        shown = CliRunner().invoke(
            app,
            [
                "sweep",
                str(folder / "campaign.toml"),
                "--out",
                str(tmp_path / "out"),
                "--cluster",
                empty.scheduler_address,
            ],
        )
    assert shown.exit_code == 2
    assert "is refused" in shown.output
    assert "no worker of the cluster can be used" in shown.output
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "WORKERS_S", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        pytest.raises(ClusterError, match=r"has no workers, and none came within 0\.5 s"),
    ):
        run_campaign(folder / "campaign.toml", tmp_path / "out", address=empty.scheduler_address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1", ""])
def test_nobody_there_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(engines, "CONNECT_S", 1.0)
    words = ["sweep", str(folder / "campaign.toml"), "--out", str(tmp_path / "out"), "--cluster", address]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 2
    assert f"no Dask scheduler answers at {address!r} within 1 s" in shown.output
    assert "tcp://host:8786" in shown.output
    assert not (tmp_path / "out").exists()


def test_without_dask_it_is_told_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'ais-emulator\[dask\]'"):
        run_campaign(folder / "campaign.toml", tmp_path / "out", address="tcp://127.0.0.1:1")


def test_a_scheduler_that_dies_ends_the_campaign_and_loses_nothing(
    folder: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster in a process of its own, killed with its workers."""
    code = (
        "from distributed import LocalCluster\nimport time\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c:\n"
        "        print(c.scheduler_address, flush=True)\n"
        "        time.sleep(600)\n"
    )
    script = tmp_path / "cluster.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        watch = Watch(5, process.kill)
        with pytest.raises((ClusterLost, ItemLost), match=r"no longer answers|takes no more samples"):
            run_campaign(folder / "campaign.toml", tmp_path / "out", observer=watch, address=address)
    finally:
        process.kill()
        process.wait()
    done = len(watch.done)
    assert 5 <= done < 32
    watch = Silent()
    run_campaign(folder / "campaign.toml", tmp_path / "out", "resume", watch, jobs=2)
    assert (watch.known, len(watch.done)) == (done, 32 - done)
    assert_same_samples(tmp_path / "out" / "campaign.h5", plain)
