"""The output folder: claimed by one run, filled sample by sample, resumable at any time."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from emulator.results import Results, ResultsError, read_results, split, write_results
from emulator.verdict import Verdict
from netlists.files import write_text_whole

Mode = Literal["new", "overwrite", "resume"]

RUN, RESULTS, REPORT, PICTURE = "run.json", "results.h5", "report.html", "samples.png"
NETLIST, RUNS, PARTS, LOCK = "netlist", "runs", "partial", ".lock"
OURS = (RUN, RESULTS, REPORT, PICTURE, NETLIST, RUNS, PARTS, LOCK)


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
        for path in sorted((self.path / PARTS).glob("sample-*.h5")):
            try:
                found.append(read_results(path))
            except ResultsError:
                path.unlink()
        return found

    def completed(self) -> dict[int, Results]:
        """Finished samples whose simulation completed, by number."""
        return {
            int(part.rows["samples/index"][0]): part
            for part in self.parts()
            if part.verdicts[0] == Verdict.COMPLETED
        }

    def describe(self, **entries: Any) -> None:
        """Adds entries to ``run.json``."""
        known = json.loads(self.run.read_text(encoding="utf-8")) if self.run.exists() else {}
        write_text_whole(self.run, json.dumps(known | entries, indent=2, default=str) + "\n")

    def finish(self, results: Results) -> None:
        """Writes the results and only then lets go of the parts."""
        write_results(self.results, results)
        shutil.rmtree(self.path / PARTS, ignore_errors=True)


@contextmanager
def claim(path: Path, mode: Mode, identity: Mapping[str, Any]) -> Iterator[OutputFolder]:
    """Takes a folder for a run, for as long as the context lasts.

    Args:
        path: the folder; made if it does not exist.
        mode: ``new`` wants no earlier run there, ``overwrite`` removes it, ``resume`` continues it.
        identity: everything that bears on the numbers; a resumed run must have the same.

    Raises:
        FolderError: holds another run's results, is no folder of ours, or is in use.
    """
    _check(path, mode, identity)
    path.mkdir(parents=True, exist_ok=True)
    with (path / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderError(
                f"{path}: another run is writing there; wait for it or choose another --out"
            ) from None
        folder = OutputFolder(path)
        if mode == "overwrite":
            _remove(path)
        elif mode == "resume" and folder.results.exists():
            for part in split(read_results(folder.results)):
                target = folder.part(int(part.rows["samples/index"][0]))
                if not target.exists():
                    write_results(target, part)
        folder.describe(identity=dict(identity), state="running")
        yield folder
    (path / LOCK).unlink(missing_ok=True)


def _check(path: Path, mode: Mode, identity: Mapping[str, Any]) -> None:
    if path.exists() and not path.is_dir():
        raise FolderError(f"{path}: is a file; --out needs a folder")
    if not path.exists() or not any(item.name != LOCK for item in path.iterdir()):
        return
    if not (path / RUN).is_file():
        raise FolderError(f"{path}: holds files, but no run of ours; choose another --out")
    if mode == "new":
        raise FolderError(
            f"{path}: holds another run's results; --overwrite replaces them, --resume finishes them, "
            "or choose another --out"
        )
    if mode == "resume":
        try:
            before = json.loads((path / RUN).read_text(encoding="utf-8")).get("identity", {})
        except (ValueError, AttributeError) as error:
            raise FolderError(f"{path / RUN}: not readable ({error}); --overwrite starts anew") from error
        now = json.loads(json.dumps(dict(identity), default=str))
        changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if changed:
            said = "; ".join(f"{key} was {before.get(key)!r}, now {now.get(key)!r}" for key in changed)
            raise FolderError(f"{path}: can't resume a run with other settings: {said}")


def _remove(path: Path) -> None:
    for name in OURS:
        item = path / name
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        elif name != LOCK:
            item.unlink(missing_ok=True)
