"""The output folder: claimed by one run, filled sample by sample, resumable at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emulator.claimed import FolderError, Kind, Mode, describe, described, remove, taken
from emulator.results import Results, ResultsError, read_results, split, write_results
from emulator.verdict import Verdict
from netlists.dialects.ngspice import BENCH_FILE, CORE_FILE, DEVICES_LIBRARY, DEVICES_SOURCE, LIBRARY_FILE

FORMAT = "ais-run"
RUN, RESULTS, REPORT, PICTURE = "run.json", "results.h5", "report.html", "samples.png"
RECEIPT = "receipt.json"
NETLIST, RUNS, PARTS = "netlist", "runs", "partial"
LOG, DECK = "ngspice.log", "deck.cir"

OF_A_RUN = Kind("run", FORMAT, RUN, (
    RESULTS, REPORT, PICTURE, RECEIPT,
    f"{NETLIST}/{LIBRARY_FILE}", f"{NETLIST}/{CORE_FILE}", f"{NETLIST}/{BENCH_FILE}",
    # the last two are what the netlist's head tells a designer to make
    f"{NETLIST}/{DEVICES_SOURCE}", f"{NETLIST}/{DEVICES_LIBRARY}", f"{NETLIST}/testbench.raw",
    f"{RUNS}/sample-*/{LOG}", f"{RUNS}/sample-*/{DECK}", f"{PARTS}/sample-*.h5", RUN,
), (NETLIST, f"{RUNS}/sample-*", RUNS, PARTS))  # fmt: skip


class OutputFolder:
    """Paths and parts of one run's folder. Made by ``claim``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run, self.results, self.report = path / RUN, path / RESULTS, path / REPORT
        self.picture, self.receipt, self.netlist = path / PICTURE, path / RECEIPT, path / NETLIST

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
            with suppress(ResultsError):
                part = read_results(path)
                if part.samples == 1:
                    found.append(part)
        return found

    def completed(self) -> dict[int, Results]:
        """Finished samples whose simulation completed, by number."""
        return {
            int(part.rows["samples/index"][0]): part
            for part in self.parts()
            if part.verdicts[0] == Verdict.COMPLETED
        }

    def described(self) -> dict[str, Any]:
        """What ``run.json`` says; empty if it is not there."""
        return described(self.path, OF_A_RUN)

    def describe(self, **entries: Any) -> None:
        """Adds entries to ``run.json``."""
        describe(self.path, OF_A_RUN, **entries)

    def finish(self, results: Results) -> None:
        """Writes the results and only then lets go of the parts."""
        write_results(self.results, results)
        remove(self.path, (f"{PARTS}/sample-*.h5",), (PARTS,))


@contextmanager
def claim(path: Path, mode: Mode, identity: Mapping[str, Any]) -> Iterator[OutputFolder]:
    """Takes a folder for a run, for as long as the context lasts.

    Args:
        path: the folder; made if it does not exist.
        mode: ``new`` wants no earlier run there, ``overwrite`` removes it, ``resume`` continues it.
        identity: everything that bears on the numbers; a resumed run must have the same.

    Raises:
        FolderError: holds another run's results, is no folder of ours, is in use, or can't be written.
    """
    with taken(path, OF_A_RUN, mode, identity):
        folder = OutputFolder(path)
        if mode == "resume" and folder.results.exists():
            _unpack(folder)
        folder.describe(identity=dict(identity), state="running", finished=None)
        yield folder


def _unpack(folder: OutputFolder) -> None:
    """Makes parts of finished results again, so that a run can go on from them."""
    try:
        parts = split(read_results(folder.results))
    except ResultsError as error:
        raise FolderError(f"{error}. Remove it, or start anew with --overwrite") from error
    for part in parts:
        target = folder.part(int(part.rows["samples/index"][0]))
        if not target.exists():
            write_results(target, part)
