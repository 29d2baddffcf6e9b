"""Small campaigns for the tests: a few points of tiny weights, a tenth of a second a sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from small import small_core, small_weights

from emulator.campaign.file import Campaign
from emulator.campaign.sweep import Swept, sweep
from emulator.campaign.tally import Pace, Tally
from emulator.campaign.work import Circumstances, Item, Outcome
from emulator.claimed import Mode

# what no two runs have in common
TIMES = ("timing/cpu", "timing/simulator_cpu", "timing/simulator_wall", "timing/reference_wall")

GRID = """
[grid]
reltol = [1e-6, 1e-4]
adc_bits = [8, 4]
"""


def two_weights(folder: Path) -> Path:
    """Two weights files, of eight and of four pixels."""
    small_weights(folder / "a.h5")
    small_weights(folder / "b.h5", small_core((2, 4), 1, 1.0, seed=1))
    return folder


def campaign_file(folder: Path, more: str = GRID, **keys: Any) -> Path:
    """A campaign file beside the weights; ``keys`` are written as they are, ``rows`` and such with ``more``."""
    given = {"weights": '["a.h5", "b.h5"]', "samples": 3, **keys}
    path = folder / "campaign.toml"
    lines = [f"{key} = {value}" for key, value in given.items()]
    common = "" if "[settings]" in more else "[settings]\nrows = 50\n"
    path.write_text("\n".join([*lines, common, more]), encoding="utf-8")
    return path


class Silent:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.done: list[tuple[int, int, int]] = []
        self.known = 0
        self.where = ""
        self.tallies: Sequence[Tally] = ()

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def planned(self, campaign: Campaign, tallies: Sequence[Tally], ours: Circumstances, where: str) -> None:
        self.where, self.tallies = where, tallies
        self.known = sum(tally.done for tally in tallies)

    def going_on(self, pace: Pace) -> None:
        """Nobody listens."""

    def finished(self, item: Item, outcome: Outcome) -> None:
        self.done.append((item.point, item.settings.seed, item.sample))

    def status(self, text: str) -> None:
        """Nobody listens."""


def run_campaign(
    path: Path, out: Path, mode: Mode = "new", observer: Silent | None = None, **how: Any
) -> Swept:
    """Sweeps with one job unless told otherwise."""
    given = {} if "address" in how else {"jobs": 1}
    return sweep(path, out, mode, observer or Silent(), **{**given, **how})


def contents(path: Path) -> dict[str, Any]:
    """Every dataset and attribute of a file but the seconds."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        found.update({f"@{name}": value for name, value in file.attrs.items()})

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and name not in TIMES:
                found[name] = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]

        file.visititems(visit)
    return found


def assert_same_samples(a: Path, b: Path) -> None:
    """Two ``campaign.h5``: to the bit, but for the seconds."""
    one, two = contents(a), contents(b)
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
