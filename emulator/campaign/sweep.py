"""A campaign, from top to bottom: file → points → items → executor → journal → campaign.h5 → report."""

from __future__ import annotations

import datetime
import itertools
import platform
import sys
import time as clock
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emulator.campaign.engines import Engine, cluster, examine, local
from emulator.campaign.file import Campaign, CampaignError, read_campaign
from emulator.campaign.journal import Journal, JournalError
from emulator.campaign.points import Point
from emulator.campaign.store import write_campaign
from emulator.campaign.tally import Pace, Tally
from emulator.campaign.work import (
    Circumstances,
    FileChanged,
    Item,
    Outcome,
    WeightsWanted,
    WorkerRefused,
    items_of,
)
from emulator.cell_runs import BenchFailed
from emulator.claimed import FolderError, Kind, Mode, describe, described, taken
from emulator.doctor import warnings
from emulator.ngspice import Capabilities
from emulator.settings import processors
from emulator.verdict import Verdict
from netlists.files import write_text_whole

RECORD, JOURNAL, STORE, REPORT, COPY, FIGURES = (
    "campaign.json", "campaign.journal", "campaign.h5", "report.html", "campaign.toml", "figures",
)  # fmt: skip
OF_A_CAMPAIGN = Kind(
    "campaign", "ais-campaign-folder", RECORD,
    (STORE, REPORT, COPY, f"{FIGURES}/*.png", f"{FIGURES}/*.svg", JOURNAL, RECORD), (FIGURES,),
)  # fmt: skip

_WAIT_S = 0.5
SILENCE_S = (
    10.0  # without anything coming back, after which an executor is asked whether it is at work at all
)
_STORE_EVERY_S = 600.0  # what a kill -9 leaves to look at; nothing is lost but the look
TRIES = 3  # of an item that its executor lost
# what another run of the same ngspice may not come to
CIRCUMSTANTIAL = frozenset({Verdict.TIME_LIMIT, Verdict.CRASHED})


class ItemLost(RuntimeError):
    """An item that the executor lost or that failed again and again; the message says which, and how."""


class Forgotten(RuntimeError):
    """An executor that has workers, and none at work, still owes an item."""


class Observer(Protocol):
    """What a campaign tells while it goes on; called from one thread."""

    def warn(self, text: str) -> None:
        """What a user should know."""

    def planned(self, campaign: Campaign, tallies: list[Tally], ours: Circumstances, where: str) -> None:
        """Before the first item; the tallies are kept up to date, and those of finished items are in them."""

    def going_on(self, pace: Pace) -> None:
        """A few times a second."""

    def finished(self, item: Item, outcome: Outcome) -> None:
        """An item is finished and on disk."""

    def status(self, text: str) -> None:
        """What is being done after the last item."""


@dataclass(frozen=True)
class Swept:
    """What a campaign came to.

    Attributes:
        samples, failed: how many there are, and were not simulated to the end.
        found: where quality falls, in a sentence or two.
        report: the page's file.
    """

    samples: int
    failed: int
    found: str
    report: Path


def sweep(
    path: Path,
    out: Path,
    mode: Mode,
    observer: Observer,
    *,
    jobs: int | None = None,
    address: str | None = None,
) -> Swept:
    """Runs a campaign and leaves its samples, report and figures in ``out``.

    Finished samples are on disk at any time; an interrupted campaign is continued by mode ``resume``, also after
    more points, seeds or samples were added to its file.

    Args:
        path: the campaign file.
        out: the output folder.
        mode: what to do with what is there.
        observer: is told what goes on.
        jobs: simulators side by side; None for one a processor.
        address: of a Dask scheduler, whose workers are taken instead.

    Raises:
        CampaignError, FolderError, NgspiceUnavailable, ClusterError: unusable, before any work (a point that turns
            out unusable only at its level is met early: the first sample of every point comes first).
        ItemLost, BenchFailed, OSError: finished samples stay.
    """
    campaign = read_campaign(path)
    ours = examine()
    with (
        _engine(jobs, address, ours, observer) as engine,
        taken(out, OF_A_CAMPAIGN, mode, {}),
        _journal(out, observer) as journal,
    ):
        describe(out, OF_A_CAMPAIGN, **_described(out))
        write_text_whole(out / COPY, campaign.text)
        work = _Work(campaign, ours, journal, out / STORE)
        observer.planned(campaign, work.tallies, ours, engine.where)
        for warning in shortcomings(ours):
            observer.warn(warning)
        if work.unused:
            observer.warn(f"{work.unused} finished samples here are of other settings or versions: not used")
        try:
            _simulate_all(work, engine, observer)
        except BaseException:
            with suppress(OSError):  # what is finished is in the journal anyhow
                journal.catch_up()
                if len(journal):
                    work.store()
            raise
        observer.status(f"writing {STORE}")
        work.store()
        describe(out, OF_A_CAMPAIGN, state="finished", finished=_now())
        observer.status("drawing the report")
        found = _write_report(campaign, out)
    failed = sum(tally.failed for tally in work.tallies)
    return Swept(campaign.simulations, failed, found, out / REPORT)


def _write_report(campaign: Campaign, out: Path) -> str:
    from emulator.campaign.report import write_campaign_report  # with matplotlib, half a second

    return write_campaign_report(campaign, out / STORE, out / REPORT, out / FIGURES)


def shortcomings(ours: Circumstances) -> list[str]:
    """What a user should be told of the ngspice found, and of a compiler that is not."""
    found = warnings(Capabilities("", ours.ngspice, ours.klu, ours.osdi, xspice=False))
    if ours.osdi and not ours.compiler:
        found.append("no C compiler: behavioural devices, many times slower than compiled ones")
    return found


def _journal(out: Path, observer: Observer) -> Journal:
    try:
        journal = Journal(out / JOURNAL)
    except JournalError as error:
        raise FolderError(f"{error}; start anew with --overwrite") from error
    if journal.damaged:
        observer.warn(
            f"{JOURNAL}: {journal.damaged} bytes belong to no whole sample and are left out; {len(journal)} whole "
            "samples were found"
        )
    return journal


def _engine(
    jobs: int | None, address: str | None, ours: Circumstances, observer: Observer
) -> AbstractContextManager[Engine]:
    return local(jobs or processors()) if address is None else cluster(address, ours, observer.warn)


def _described(out: Path) -> dict[str, Any]:
    """How the campaign was started, and resumed since."""
    before = described(out, OF_A_CAMPAIGN)
    resumed = list(before.get("resumed", []))
    if "started" in before:
        resumed.append({"command": sys.argv, "at": _now()})
    return {
        "state": "running", "finished": None, "command": before.get("command", sys.argv),
        "started": before.get("started", _now()), "resumed": resumed,
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }  # fmt: skip


class _Work:
    """A campaign's items: which there are, which are finished, and what is to be done."""

    def __init__(self, campaign: Campaign, ours: Circumstances, journal: Journal, store: Path) -> None:
        self.campaign, self._ours, self._journal, self._store = campaign, ours, journal, store
        each = len(campaign.seeds) * campaign.samples
        self.tallies = [Tally(point.source, each) for point in campaign.points]
        self.store_s = 0.0  # what writing the store took the last time
        self._again: set[bytes] = set()
        known = 0
        for item in self._all():
            if item.key in journal:
                known += 1
                outcome = Outcome(journal.read(item.key))
                if outcome.verdict in CIRCUMSTANTIAL:
                    self._again.add(item.key)
                else:
                    self.tallies[item.point].add(outcome)
        self.unused = len(journal) - known

    def left(self) -> Iterator[Item]:
        """Items to do: first one of each point, so that what is wrong with one shows early, and what it costs."""
        firsts = {next(self._of(point)).key for point in self.campaign.points}
        for first in (True, False):
            for item in self._all():
                if (item.key in firsts) == first and (
                    item.key not in self._journal or item.key in self._again
                ):
                    yield item

    def weights(self, item: Item) -> Path:
        """The file of an item's weights."""
        return self.campaign.sources[self.campaign.points[item.point].source].weights.path

    def describe(self, item: Item) -> str:
        """An item's point in words."""
        return self.campaign.describe(self.campaign.points[item.point])

    def finish(self, item: Item, outcome: Outcome) -> None:
        """Records what an item came to; it is on disk when this returns."""
        self._journal.append(item.key, outcome.columns)
        self.tallies[item.point].add(outcome)

    def store(self) -> None:
        """Writes all that is finished as ``campaign.h5``."""
        began = clock.monotonic()
        finished = [item for item in self._all() if item.key in self._journal]
        write_campaign(self._store, self.campaign, self._ours, self._journal, finished)
        self.store_s = clock.monotonic() - began

    def _all(self) -> Iterator[Item]:
        return itertools.chain.from_iterable(map(self._of, self.campaign.points))

    def _of(self, point: Point) -> Iterator[Item]:
        sha256 = self.campaign.sources[point.source].weights.sha256
        for seed in self.campaign.seeds:
            settings = point.settings.model_copy(update={"seed": seed})
            yield from items_of(point.number, sha256, settings, self.campaign.samples, self._ours, point.cell)


def _simulate_all(work: _Work, engine: Engine, observer: Observer) -> None:
    """Keeps the executor busy until nothing is left; one writer, this thread, records what comes back."""
    dispatch, pace, stored = _Dispatch(work, engine), Pace(work.tallies), clock.monotonic()
    remarked: set[str] = set()
    while dispatch.busy():
        for item, outcome in dispatch.arrived():
            work.finish(item, outcome)
            observer.finished(item, outcome)
            for remark in set(outcome.remarks) - remarked:
                observer.warn(f"{work.describe(item)}: {remark}")
                remarked.add(remark)
        observer.going_on(pace)
        if clock.monotonic() - stored > max(_STORE_EVERY_S, 20 * work.store_s):
            work.store()
            stored = clock.monotonic()


class _Dispatch:
    """Hands items to an executor, a few more than it can execute at once, and takes back what they come to."""

    def __init__(self, work: _Work, engine: Engine) -> None:
        self._work, self._engine, self._left = work, engine, work.left()
        self._flying: dict[Future[Outcome], Item] = {}
        self._again: list[Item] = []
        self._wanted: set[bytes] = set()  # items whose weights were not there
        self._lost: Counter[bytes] = Counter()
        self._heard = clock.monotonic()

    def busy(self) -> bool:
        """Hands out what there is room for; False once nothing is left and nothing is out."""
        while len(self._flying) < 2 * max(1, self._engine.slots()):
            item = self._again.pop() if self._again else next(self._left, None)
            if item is None:
                break
            wanted = item.key in self._wanted
            try:
                future = self._engine.submit(item, self._work.weights(item), wanted=wanted)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                raise ItemLost(f"{self._engine.where} takes no more samples ({said})") from error
            self._flying[future] = item
        return bool(self._flying)

    def arrived(self) -> Iterator[tuple[Item, Outcome]]:
        """What is finished, after a moment at the latest.

        Raises:
            CampaignError: an item's point can't be realised.
            BenchFailed, FileChanged: the same, for what is not in the campaign's file.
            ItemLost: an item was lost, not for the first time.
        """
        # not in one go: Python notices a Ctrl-C that comes just before a wait begins only when the wait ends
        done = wait(self._flying, _WAIT_S, FIRST_COMPLETED).done
        if done:
            self._heard = clock.monotonic()
        elif clock.monotonic() - self._heard > SILENCE_S:
            self._ask()
        for future in [each for each in self._flying if each in done]:  # in their order, not that of a set
            item = self._flying.pop(future)
            try:
                outcome = future.result()
            except WeightsWanted:
                self._wanted.add(item.key)
                self._again.append(item)
            except ValueError as error:
                raise CampaignError(
                    self._work.campaign.path, [f"{self._work.describe(item)}: {error}"]
                ) from error
            except (BenchFailed, FileChanged):
                raise
            except (
                Exception
            ) as error:  # whatever an executor has: a broken pool, a killed worker, a lost connection
                self._lose(item, error)
            else:
                yield item, outcome

    def _ask(self) -> None:
        """Takes back what is out, if nobody is at work on it: a scheduler whose workers all died can forget items."""
        self._heard = clock.monotonic()
        if self._engine.idle():
            flying, self._flying = self._flying, {}
            for future, item in flying.items():
                future.cancel()
                self._lose(item, Forgotten("its executor has idle workers and gave no answer"))

    def _lose(self, item: Item, error: Exception) -> None:
        self._lost[item.key] += 1
        if self._lost[item.key] >= TRIES:
            said = f"{type(error).__name__}: {error}".strip(": ")
            raise ItemLost(
                f"sample {item.sample} of {self._work.describe(item)} was lost {TRIES} times ({said})"
            ) from error
        if isinstance(error, WorkerRefused):
            self._engine.refuse()
        self._again.append(item)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
