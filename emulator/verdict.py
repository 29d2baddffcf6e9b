"""Our verdict on a simulation. ngspice's exit code is none: it returns 0 for circuits it changed or skipped.

A run is COMPLETED if the deck was read as written (no line dropped, no element altered, devices and unknowns
counted), every requested vector is there, the last time is the stop time, and all values are finite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Verdict(StrEnum):
    """What became of a simulation."""

    COMPLETED = "COMPLETED"
    TIMESTEP_TOO_SMALL = "TIMESTEP_TOO_SMALL"
    SINGULAR_MATRIX = "SINGULAR_MATRIX"
    PARSE_ERROR = "PARSE_ERROR"
    MISSING_VECTOR = "MISSING_VECTOR"
    TRUNCATED = "TRUNCATED"
    NON_FINITE = "NON_FINITE"
    DEVICE_COUNT = "DEVICE_COUNT"
    TIME_LIMIT = "TIME_LIMIT"
    CRASHED = "CRASHED"


@dataclass(frozen=True)
class Judgement:
    """A verdict with the place it points at, where known, and a sentence that says what to try."""

    verdict: Verdict
    reason: str
    node: str | None = None
    time: float | None = None
    line: str | None = None

    @property
    def completed(self) -> bool:
        """Whether the run can be used."""
        return self.verdict is Verdict.COMPLETED


COMPLETED = Judgement(Verdict.COMPLETED, "every requested vector reached the stop time")

# Beyond this a voltage is the trace of a division by zero (ngspice divides by 1e-32 instead), not a signal.
LARGEST_VALUE = 1e20

_NOT_READ = re.compile(
    r"circuit not parsed|aren't any circuits loaded|no job \(tran|could not find include|unknown subckt|"
    r"undefined parameter|too few parameters for subcircuit|cannot recover",
    re.IGNORECASE,
)
_READ_OTHERWISE = re.compile(
    r"not a valid .* line, ignored|\bignored!?\s*$|resistance to low|is too small, set to|existing one being used|"
    r"unrecognized parameter|unknown (?:parameter|option|control)|non-existent node|syntax error|"
    r"unimplemented (?:control|dot) card|redefinition of \.subckt",
    re.IGNORECASE,
)
_LINE = re.compile(r"line(?: no\.)? (\d+)", re.IGNORECASE)
_TIMESTEP = re.compile(
    r"timestep too small;\s*(?:time = ([-+0-9.eE]+)|initial timepoint)[^:]*:?\s*(.*)", re.IGNORECASE
)
_TROUBLE = re.compile(
    r'trouble with (?:node "([^"]+)"|(\S+?)[ :-]*(?:instance|device)? ?(\S*))', re.IGNORECASE
)
_SINGULAR = re.compile(r"singular matrix:\s*check nodes?\s+(\S+)", re.IGNORECASE)
_DOMAIN = re.compile(r"out of range for (\w+)", re.IGNORECASE)


def judge_reading(log: Sequence[str]) -> Judgement | None:
    """What the log says of the deck itself; None if it was read as written."""
    for number, line in enumerate(log):
        failed, altered = _NOT_READ.search(line), _READ_OTHERWISE.search(line)
        if not failed and not altered:
            continue
        # ngspice names the line first and the reason after it, or the other way round: quote both
        said = " | ".join(text.strip() for text in log[max(0, number - 4) : number + 1] if _telling(text))
        place = next((m.group(1) for text in log[: number + 1] if (m := _LINE.search(text))), None)
        what = (
            "ngspice did not read the netlist" if failed else "ngspice read another circuit than was written"
        )
        return Judgement(Verdict.PARSE_ERROR, f"{what}: {said}. Correct the line it names.", line=place)
    return None


def judge_inventory(
    expected: Mapping[str, int] | None,
    counted: Mapping[str, int],
    unknowns: int | None,
    counted_unknowns: int | None,
) -> Judgement | None:
    """Whether the simulator holds the devices and unknowns that were compiled; None if so or not asked."""
    if expected is not None:
        kinds = sorted(set(expected) | set(counted))
        wrong = [k for k in kinds if expected.get(k, 0) != counted.get(k, 0)]
        if wrong:
            said = ", ".join(f"{k}: {counted.get(k, 0)} instead of {expected.get(k, 0)}" for k in wrong)
            return Judgement(
                Verdict.DEVICE_COUNT,
                f"the simulator counts other devices than were compiled ({said}): it read another circuit. "
                "Look for dropped or merged lines in its log.",
            )
    if unknowns is not None and counted_unknowns is not None and unknowns != counted_unknowns:
        return Judgement(
            Verdict.DEVICE_COUNT,
            f"the simulator solves for {counted_unknowns} unknowns instead of {unknowns}: nodes are joined or "
            "split. Look for misspelt node names.",
        )
    return None


def judge_run(
    log: Sequence[str], time: npt.NDArray[np.float64], values: Mapping[str, npt.NDArray[np.float64]],
    requested: Sequence[str], stop: float | None,
) -> Judgement:  # fmt: skip
    """The verdict on a run whose deck was read as written.

    Args:
        log: the simulator's lines, prefixes removed.
        time: (P,) seconds.
        values: (P,) for each vector found.
        requested: vectors that have to be there.
        stop: time that has to be reached, in seconds; None for an operating point.
    """
    last = float(time[-1]) if len(time) else None
    singular = next((m.group(1) for line in log if (m := _SINGULAR.search(line))), None)
    if singular is not None:
        return Judgement(
            Verdict.SINGULAR_MATRIX,
            f"the matrix is singular at {singular}: a node without a path to ground, or a loop of voltage sources "
            "or inductors. Give the node a path, or the loop a resistance.",
            node=singular,
            time=last,
        )
    domain = next((m.group(1) for line in log if (m := _DOMAIN.search(line))), None)
    if domain is not None:
        return Judgement(
            Verdict.NON_FINITE,
            f"an expression left the domain of {domain}(). Bound its argument.",
            time=last,
        )
    for line in log:
        if match := _TIMESTEP.search(line):
            trouble = _TROUBLE.search(line)
            node = next((group for group in trouble.groups() if group), None) if trouble else None
            at = float(match.group(1)) if match.group(1) else 0.0
            where = f" at {node}" if node else ""
            return Judgement(
                Verdict.TIMESTEP_TOO_SMALL,
                f"the step shrank to nothing at {at:g} s{where}: a discontinuity, a runaway, or a tolerance below "
                "rounding. Look at that node, smooth the element, or loosen reltol.",
                node=node,
                time=at,
            )
    missing = [name for name in requested if name not in values]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        return Judgement(
            Verdict.MISSING_VECTOR,
            f"no vector for {shown}: the node is not in the circuit, or was renamed. Compare with `display`.",
            node=missing[0],
        )
    for name in requested:
        bad = ~np.isfinite(values[name]) | (np.abs(values[name]) > LARGEST_VALUE)
        if bad.any():
            at = float(time[np.argmax(bad)]) if len(time) else None
            return Judgement(
                Verdict.NON_FINITE,
                f"{name} is not finite or beyond {LARGEST_VALUE:g} from {at} s on: a division by zero or an "
                "unstable circuit. Look at the sources that drive it.",
                node=name,
                time=at,
            )
    if stop is not None and (last is None or last < stop * (1 - 1e-9)):
        return Judgement(
            Verdict.TRUNCATED,
            f"the run ends at {last if last is not None else 0:g} s instead of {stop:g} s, and the log does not "
            "say why. Look at the log's end.",
            time=last,
        )
    return COMPLETED


def _telling(line: str) -> bool:
    """Whether a log line says something about a fault (and is no banner or progress line)."""
    text = line.strip()
    return bool(text) and not text.startswith(
        ("Note:", "Circuit:", "Doing analysis", "Reference value", "Using ")
    )
