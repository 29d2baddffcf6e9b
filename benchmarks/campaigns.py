"""What a campaign adds to ngspice and reference, and how it goes with two jobs."""

from __future__ import annotations

import tempfile
import time as clock
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from benchmarks.harness import Measure
from emulator.campaign.file import Campaign
from emulator.campaign.sweep import STORE, sweep
from emulator.campaign.tally import Pace, Tally
from emulator.campaign.work import Circumstances, Item, Outcome
from netlists.synthetic import window_core
from netlists.weights import write_weights

STRENGTH = 0.2  # as of core56
SAMPLES = {"core56": 16, "digits16": 64}
SKIPPED = 4  # first samples of a campaign, in whose time simulators start and the plan is made


class Watch:
    """Notes when samples are finished, and what this process has used until then."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def warn(self, text: str) -> None:
        print(text)

    def status(self, text: str) -> None:
        """Nobody listens."""

    def planned(self, campaign: Campaign, tallies: Sequence[Tally], ours: Circumstances, where: str) -> None:
        """Nobody listens."""

    def going_on(self, pace: Pace) -> None:
        """Nobody listens."""

    def finished(self, item: Item, outcome: Outcome) -> None:  # noqa: ARG002
        self.wall.append(clock.perf_counter())
        self.cpu.append(clock.process_time())


def campaign(rounds: int) -> list[Measure]:
    """CPU a sample that is neither ngspice's nor the reference's, and the throughput of two jobs over one."""
    measures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, path in {"core56": _core56(folder), "digits16": digits16()}.items():
            overheads, references, gains = [], [], []
            reltol = 1e-4 if what == "core56" else 1e-6
            text = f'weights = ["{path}"]\nsamples = {SAMPLES[what]}\n[settings]\nreltol = {reltol}\n'
            (folder / f"{what}.toml").write_text(text)
            for turn in range(rounds):
                pace = {}
                for jobs in (1, 2):
                    watch, out = Watch(), folder / f"{what}-{turn}-{jobs}"
                    sweep(folder / f"{what}.toml", out, "new", watch, jobs=jobs)
                    pace[jobs] = (len(watch.wall) - SKIPPED - 1) / (watch.wall[-1] - watch.wall[SKIPPED])
                    if jobs == 1:
                        overhead, reference = _shares(out / STORE, watch)
                        overheads.append(overhead)
                        references.append(reference)
                gains.append(pace[2] / pace[1])
            counts = f"{SAMPLES[what]} samples, reltol {reltol:g}"
            measures += [
                Measure("campaign", f"CPU beside ngspice and reference / ngspice, {what}", "ratio", tuple(overheads),
                        must=0.1, notes=counts),
                Measure("campaign", f"reference / ngspice, {what}", "ratio", tuple(references), notes=counts),
                Measure("campaign", f"samples per second, 2 jobs / 1 job, {what}", "ratio", tuple(gains),
                        better="higher", must=1.8, notes=f"{counts}; from sample {SKIPPED} on"),
            ]  # fmt: skip
    return measures


def _shares(store: Path, watch: Watch) -> tuple[float, float]:
    """All but ngspice and reference, and the reference, over ngspice; the coordinator's share is in the first."""
    with h5py.File(store) as file:
        whole, ngspice, reference = (
            float(np.sum(file[name][SKIPPED:]))
            for name in ("timing/cpu", "timing/simulator_cpu", "timing/reference_wall")
        )
    coordinator = watch.cpu[-1] - watch.cpu[SKIPPED - 1]
    return (whole - ngspice - reference + coordinator) / ngspice, reference / ngspice


def _core56(folder: Path) -> Path:
    path = folder / "core56.h5"
    write_weights(path, window_core(56, 56, strength=STRENGTH))
    return path


def digits16() -> Path:
    return Path(__file__).parents[1] / "examples" / "digits16-kurashil.h5"
