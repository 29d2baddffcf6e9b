"""Measures, their statistics, and the comparison with a baseline."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from netlists.files import write_text_whole

ROUNDS = 5


@dataclass(frozen=True)
class Measure:
    """One figure of a benchmark: a value a round, all kept.

    Attributes:
        benchmark, name: what was measured.
        unit: its unit; ``ratio`` for two things run in turn, ``s`` first for seconds of any kind.
        values: one a round, warm-up not among them.
        better: which way is better.
        must, aim: what it must and should reach, None where nothing is asked.
        notes: what else a reader needs: solver options, time points, iterations.
    """

    benchmark: str
    name: str
    unit: str
    values: tuple[float, ...]
    better: str = "lower"
    must: float | None = None
    aim: float | None = None
    notes: str = ""

    @property
    def median(self) -> float:
        """Middle of the rounds."""
        return median(self.values)

    @property
    def spread(self) -> float:
        """Half the distance between the extremes."""
        return (max(self.values) - min(self.values)) / 2

    @property
    def reached(self) -> str:
        """``aim``, ``must``, ``missed``, or nothing where nothing is asked."""

        def meets(bound: float | None) -> bool:
            return bound is not None and (
                self.median <= bound if self.better == "lower" else self.median >= bound
            )

        if self.must is None and self.aim is None:
            return ""
        return "aim" if meets(self.aim) else "must" if meets(self.must) else "missed"


@dataclass(frozen=True)
class Benchmark:
    """A named piece of work; ``run`` takes the number of rounds and returns its measures."""

    name: str
    title: str
    run: Callable[[int], list[Measure]]
    slow: bool = field(default=False)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "PySpice", "ais-emulator")},
        **{name: version(name) for name in ("InSpice", "spicelib") if find_spec(name) is not None},
    }


def save(measures: Iterable[Measure], circumstances: Mapping[str, str], out: Path) -> None:
    """Writes ``benchmarks.json`` and ``benchmarks.csv``."""
    rows = [asdict(m) | {"median": m.median, "spread": m.spread, "reached": m.reached} for m in measures]
    document = {"machine": dict(circumstances), "measures": rows}
    write_text_whole(out / "benchmarks.json", json.dumps(document, indent=2) + "\n")
    headings = ["benchmark", "measure", "unit", "median", "spread", "must", "aim", "reached", "notes"]
    lines: list[list[object]] = [list(headings)]
    lines += [
        [m.benchmark, m.name, m.unit, f"{m.median:.6g}", f"{m.spread:.3g}", m.must, m.aim, m.reached, m.notes]
        for m in measures
    ]
    text = _Lines()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text_whole(out / "benchmarks.csv", "".join(text.parts))


class _Lines:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> None:
        self.parts.append(text)


def load(path: Path) -> list[Measure]:
    """Measures of an earlier ``benchmarks.json``.

    Raises:
        ValueError: the file holds none.
    """
    names = Measure.__dataclass_fields__
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["measures"]
        kept: list[dict[str, Any]] = [{k: v for k, v in row.items() if k in names} for row in rows]
        return [Measure(**row | {"values": tuple(row["values"])}) for row in kept]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no measures of a benchmark run ({error})") from error


def load_circumstances(path: Path) -> dict[str, str]:
    """What an earlier ``benchmarks.json`` was measured on.

    Raises:
        ValueError: the file does not say.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["machine"]
        return {name: str(value) for name, value in found.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: does not say what it was measured on ({error})") from error


def earlier(out: Path, circumstances: Mapping[str, str]) -> list[Measure]:
    """Measures in a folder's ``benchmarks.json``; none if there is no such file, or it was another machine's."""
    path = out / "benchmarks.json"
    if not path.is_file() or load_circumstances(path) != dict(circumstances):
        return []
    return load(path)


def in_order(measures: Iterable[Measure], names: Iterable[str]) -> list[Measure]:
    """Measures in the order of their benchmarks, those of one in the order they have."""
    order = {name: k for k, name in enumerate(names)}
    return sorted(measures, key=lambda m: order.get(m.benchmark, len(order)))


def worsened(now: Iterable[Measure], before: Iterable[Measure]) -> list[str]:
    """What got worse beyond the noise, a sentence each.

    Worse means that the medians differ by more than both spreads together and by more than 5 %. Seconds of one
    machine say nothing about another's, so only figures that carry over are compared: ratios, counts, errors.
    """
    known = {(m.benchmark, m.name): m for m in before}
    said = []
    for measure in now:
        old = known.get((measure.benchmark, measure.name))
        if old is None or measure.unit.split()[0] == "s":  # s, s CPU, s wall
            continue
        change = measure.median - old.median if measure.better == "lower" else old.median - measure.median
        if change > measure.spread + old.spread and change > 0.05 * abs(old.median):
            said.append(
                f"{measure.benchmark}: {measure.name} was {old.median:.4g} ± {old.spread:.2g}, "
                f"is {measure.median:.4g} ± {measure.spread:.2g} {measure.unit}"
            )
    return said
