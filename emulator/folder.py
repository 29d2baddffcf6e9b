"""The output folder: claimed by one run, filled sample by sample, resumable at any time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from emulator.results import Results, ResultsError, read_results, split, write_results
from emulator.verdict import Verdict
from netlists.dialects.ngspice import BENCH_FILE, CORE_FILE, DEVICES_LIBRARY, DEVICES_SOURCE, LIBRARY_FILE
from netlists.files import write_text_whole
from netlists.printable import printable

Mode = Literal["new", "overwrite", "resume"]

FORMAT = "ais-run"
RUN, RESULTS, REPORT, PICTURE = "run.json", "results.h5", "report.html", "samples.png"
NETLIST, RUNS, PARTS, LOCK = "netlist", "runs", "partial", ".lock"
LOG, DECK = "ngspice.log", "deck.cir"

# All that a run ever writes, and so all that --overwrite may remove. What says that the folder is ours comes
# last: an interrupted --overwrite can be asked for again.
OURS = (
    RESULTS, REPORT, PICTURE,
    f"{NETLIST}/{LIBRARY_FILE}", f"{NETLIST}/{CORE_FILE}", f"{NETLIST}/{BENCH_FILE}",
    # the last two are what the netlist's head tells a designer to make
    f"{NETLIST}/{DEVICES_SOURCE}", f"{NETLIST}/{DEVICES_LIBRARY}", f"{NETLIST}/testbench.raw",
    f"{RUNS}/sample-*/{LOG}", f"{RUNS}/sample-*/{DECK}", f"{PARTS}/sample-*.h5", RUN,
)  # fmt: skip
OUR_FOLDERS = (NETLIST, f"{RUNS}/sample-*", RUNS, PARTS)


class FolderError(ValueError):
    """An output folder that can't be used as asked; the message says what would help."""


class OutputFolder:
    """Paths and parts of one run's folder. Made by ``claim``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run, self.results, self.report = path / RUN, path / RESULTS, path / REPORT
        self.picture, self.netlist = path / PICTURE, path / NETLIST

    def run_folder(self, sample: int) -> Path:
        """Where the simulator works on one sample and leaves its log."""
        return self.path / RUNS / f"sample-{sample:05d}"

    def part(self, sample: int) -> Path:
        """File of one finished sample while the run is in progress."""
        return self.path / PARTS / f"sample-{sample:05d}.h5"

    def parts(self) -> list[Results]:
        """The readable finished samples; a damaged part counts as not finished."""
        found = []
        for path in self.part_files():
            with suppress(ResultsError):
                part = read_results(path)
                if part.samples == 1:
                    found.append(part)
        return found

    def part_files(self) -> list[Path]:
        """Files of the finished samples, readable or not."""
        return sorted((self.path / PARTS).glob("sample-*.h5"))

    def completed(self) -> dict[int, Results]:
        """Finished samples whose simulation completed, by number."""
        return {
            int(part.rows["samples/index"][0]): part
            for part in self.parts()
            if part.verdicts[0] == Verdict.COMPLETED
        }

    def described(self) -> dict[str, Any]:
        """What ``run.json`` says; empty if it is not there."""
        return dict(json.loads(self.run.read_text(encoding="utf-8"))) if self.run.exists() else {}

    def describe(self, **entries: Any) -> None:
        """Adds entries to ``run.json``."""
        text = json.dumps({"format": FORMAT} | self.described() | entries, indent=2, default=str)
        write_text_whole(self.run, text + "\n")

    def finish(self, results: Results) -> None:
        """Writes the results and only then lets go of the parts."""
        write_results(self.results, results)
        self.drop_parts()

    def drop_parts(self) -> None:
        """Lets go of the parts, once all that they hold is elsewhere."""
        _remove(self.path, (f"{PARTS}/sample-*.h5",), (PARTS,))


def _unpack(folder: OutputFolder) -> None:
    """Makes parts of finished results again."""
    for part in split(read_results(folder.results)):
        target = folder.part(int(part.rows["samples/index"][0]))
        if not target.exists():
            write_results(target, part)


@contextmanager
def claim(
    path: Path, mode: Mode, identity: Mapping[str, Any], unpack: Callable[[OutputFolder], None] = _unpack
) -> Iterator[OutputFolder]:
    """Takes a folder for a run, for as long as the context lasts.

    Args:
        path: the folder; made if it does not exist.
        mode: ``new`` wants no earlier run there, ``overwrite`` removes it, ``resume`` continues it.
        identity: everything that bears on the numbers; a resumed run must have the same.
        unpack: makes parts of finished results again, so that a run can go on from them.

    Raises:
        FolderError: holds another run's results, is no folder of ours, is in use, or can't be written.
    """
    shown = printable(str(path))
    _check_ours(path, shown)
    with _locked(path, shown):
        _check_mode(path, shown, mode, identity)
        folder = OutputFolder(path)
        if mode == "overwrite":
            _remove(path, OURS, OUR_FOLDERS)
        elif mode == "resume" and folder.results.exists():
            try:
                unpack(folder)
            except ResultsError as error:
                raise FolderError(f"{error}. Remove it, or start anew with --overwrite") from error
        folder.describe(identity=dict(identity), state="running", finished=None)
        yield folder


@contextmanager
def _locked(path: Path, shown: str) -> Iterator[None]:
    """Holds the folder's lock: no two runs write into it.

    A killed run leaves the lock file, but not the lock on it: that is the system's and ends with the process.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / LOCK).open("w")
    except OSError as error:
        raise FolderError(f"{shown}: can't be written ({printable(str(error))})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever held it may have removed it just now, and another run may have made a new one
            ours = os.path.samestat((path / LOCK).stat(), os.fstat(lock.fileno()))
        except (BlockingIOError, FileNotFoundError):
            ours = False
        except OSError as error:  # a network file system without locks
            raise FolderError(f"{shown}: can't be locked ({printable(str(error))})") from error
        if not ours:
            raise FolderError(f"{shown}: another run is writing there; wait for it or choose another --out")
        try:
            yield
        finally:
            (path / LOCK).unlink(missing_ok=True)


def _check_ours(path: Path, shown: str) -> None:
    """A folder of ours holds a ``run.json`` that says so; nothing is touched in any other."""
    if path.exists() and not path.is_dir():
        raise FolderError(f"{shown}: is a file; --out needs a folder")
    try:
        # a run that was killed before it said what it is leaves no more than these
        if not path.exists() or not any(
            item.name != LOCK and not item.match(f".{RUN}.*.part") for item in path.iterdir()
        ):
            return
        known = json.loads((path / RUN).read_text(encoding="utf-8")) if (path / RUN).is_file() else None
    except OSError as error:
        raise FolderError(f"{shown}: can't be read ({printable(str(error))})") from error
    except ValueError as error:
        raise FolderError(f"{shown}: {RUN} is not readable ({error}); choose another --out") from error
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        raise FolderError(f"{shown}: holds files, but no run of ours; choose another --out")


def _check_mode(path: Path, shown: str, mode: Mode, identity: Mapping[str, Any]) -> None:
    if not (path / RUN).is_file():
        return
    if mode == "new":
        raise FolderError(
            f"{shown}: holds another run's results; --overwrite replaces them, --resume finishes them, "
            "or choose another --out"
        )
    if mode == "resume":
        before = json.loads((path / RUN).read_text(encoding="utf-8")).get("identity", {})
        now = json.loads(json.dumps(dict(identity), default=str))
        if before != now:
            said = "; ".join(_changes(before, now))
            raise FolderError(f"{shown}: can't resume a run with other settings: {printable(said, None)}")


def _changes(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """What differs, down to the single setting."""
    before, now = _unpacked(before), _unpacked(now)
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _changes(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif before != now:
        yield f"{name} was {before!r}, now {now!r}"


def _unpacked(value: Any) -> Any:
    """Groups of settings are kept as JSON text, for they are attributes of the results too."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _remove(path: Path, files: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Removes files by pattern, what an interrupted write left of them, and folders that are empty then."""
    for pattern in files:
        folder, _, name = pattern.rpartition("/")
        for each in (pattern, f"{folder}/.{name}.*.part".lstrip("/")):
            for item in path.glob(each):
                item.unlink()
    for pattern in folders:
        for item in path.glob(pattern):
            with suppress(OSError):  # not empty: what is in there is not ours
                item.rmdir()
