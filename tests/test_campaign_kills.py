"""Campaigns that are interrupted: real commands in processes of their own, stopped in the middle."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaigns import Silent, assert_same_samples, campaign_file, run_campaign, two_weights
from processes import children, gone, start, wait_until

import emulator.campaign.sweep
from emulator.campaign.journal import Journal
from emulator.campaign.store import Store

# behavioural devices and many rows: about half a second a sample, so that a signal meets one in flight
SLOW = '[settings]\nrows = 4000\ndevices = "behavioural"\n[grid]\nreltol = [1e-6, 1e-5]\n'
ALL = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = two_weights(tmp_path_factory.mktemp("weights"))
    campaign_file(found, SLOW, weights='["a.h5"]', samples=4)
    return found


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process only; commands in processes of their own write theirs."""
    monkeypatch.setattr(emulator.campaign.sweep, "_write_report", lambda *_: "")


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the interrupted campaigns must come to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator.campaign.sweep, "_write_report", lambda *_: "")
        run_campaign(folder / "campaign.toml", out, jobs=2)
    return out / "campaign.h5"


def started(folder: Path, out: Path, *more: str, jobs: int = 2, **how: Any) -> subprocess.Popen[str]:
    words = ["sweep", str(folder / "campaign.toml"), "--out", str(out), "--jobs", str(jobs), *more]
    return start([sys.executable, "-c", "from emulator.cli import app; app()", *words], **how)


def copied(out: Path) -> list[bytes]:
    """Whole records of a journal that may be written just now, from a copy: opening one mends it."""
    journal = out / "campaign.journal"
    if not journal.exists():
        return []
    copy = out.parent / "copy.journal"
    shutil.copyfile(journal, copy)
    with Journal(copy) as read:
        return list(read._places)


def test_killed_in_the_middle_and_resumed(folder: Path, tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "out"
    process = started(folder, out)
    wait_until(lambda: len(copied(out)) >= 3, process)
    ours = children(process.pid)
    assert ours
    process.kill()
    process.communicate()
    assert gone(ours), "the simulators outlive the campaign"
    known = len(copied(out))
    assert 3 <= known < ALL
    watch = Silent()
    run_campaign(folder / "campaign.toml", out, "resume", watch)
    assert (watch.known, len(watch.done)) == (known, ALL - known)
    assert_same_samples(out / "campaign.h5", undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle_and_resumed(
    folder: Path, tmp_path: Path, undisturbed: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = started(folder, out)
    wait_until(lambda: len(copied(out)) >= 3, process)
    ours = children(process.pid)
    asked = time.monotonic()
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted. Finished samples are kept in" in said
    assert "--resume goes on" in said
    assert "Traceback" not in said
    assert time.monotonic() - asked < 10, "it waited for what was still running"
    assert gone(ours, 0.0), "the simulators outlive the campaign"
    assert not (out / ".lock").exists()
    known = len(copied(out))
    assert 3 <= known < ALL
    with Store(out / "campaign.h5") as store:  # what was finished can be looked at
        assert store.samples == known
    watch = Silent()
    run_campaign(folder / "campaign.toml", out, "resume", watch)
    assert (watch.known, len(watch.done)) == (known, ALL - known)
    assert_same_samples(out / "campaign.h5", undisturbed)


def test_interrupted_between_a_record_and_its_note(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is on disk, but the process does not know it yet: it is in ``campaign.h5`` nevertheless."""

    def interrupted(*_: int) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    out = tmp_path / "out"
    monkeypatch.setattr("emulator.campaign.journal._Place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_campaign(folder / "campaign.toml", out)
    assert len(copied(out)) == 1
    with Store(out / "campaign.h5") as store:
        assert store.samples == 1


def test_interrupted_before_the_first_sample(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(folder, out)
    wait_until((out / "campaign.journal").exists, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in said
    assert "Traceback" not in said


def test_killed_again_and_again_it_gets_to_its_end(folder: Path, tmp_path: Path, undisturbed: Path) -> None:
    """Killed at any time, most of all while it writes."""
    out, kills, known = tmp_path / "out", 0, 0
    while known < ALL:
        process = started(folder, out, *(["--resume"] if kills else []))
        wait_until(lambda known=known: len(copied(out)) > known, process)  # type: ignore[misc]
        process.kill()
        process.communicate()
        kills += 1
        assert len(copied(out)) > known, "every start brings something"
        known = len(copied(out))
    watch = Silent()
    run_campaign(folder / "campaign.toml", out, "resume", watch)
    assert (watch.known, watch.done, watch.warnings) == (ALL, [], [])
    assert_same_samples(out / "campaign.h5", undisturbed)


def test_the_second_of_two_at_once_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = started(folder, out, jobs=1)
    wait_until((out / "campaign.journal").exists, first)
    second = started(folder, out, "--resume")
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another run is writing there" in said
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert first.returncode == 1


# --- a full disk


def test_a_journal_that_cannot_grow_ends_the_campaign_and_harms_nothing(
    folder: Path, tmp_path: Path, undisturbed: Path
) -> None:
    """Files may grow no further than a few samples need; ``campaign.h5`` does not fit at all."""
    out, limit = tmp_path / "out", 4_000
    process = started(
        folder, out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "File too large" in said
    assert "--resume goes on" in said
    assert "Traceback" not in said
    known = len(copied(out))
    assert 1 <= known < ALL
    assert not (out / "campaign.h5").exists()
    assert not list(out.glob("*.part"))
    watch = Silent()
    run_campaign(folder / "campaign.toml", out, "resume", watch)
    assert (watch.known, len(watch.done)) == (known, ALL - known)
    assert_same_samples(out / "campaign.h5", undisturbed)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few samples."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_ends_the_campaign_and_harms_nothing(
    folder: Path, tmp_path: Path, tiny_disk: Path, undisturbed: Path
) -> None:
    process = started(folder, tiny_disk / "out")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "No space left on device" in said
    assert "--resume goes on" in said
    assert "Traceback" not in said
    shutil.copytree(tiny_disk / "out", tmp_path / "larger")
    watch = Silent()
    run_campaign(folder / "campaign.toml", tmp_path / "larger", "resume", watch)
    assert 1 <= watch.known < ALL
    assert watch.warnings == []
    assert_same_samples(tmp_path / "larger" / "campaign.h5", undisturbed)


def test_a_clock_that_jumps_does_not_matter(
    folder: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock runs backwards, in this process; those of the simulators have no use for it either."""
    jumps = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    out = tmp_path / "out"
    assert run_campaign(folder / "campaign.toml", out, jobs=2).failed == 0
    assert_same_samples(out / "campaign.h5", undisturbed)
