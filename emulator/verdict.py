"""Our verdict on a simulation. ngspice's exit code is none: it returns 0 for circuits it changed or skipped.

A run is COMPLETED if the deck was read as written (no line dropped, no element altered, devices and unknowns
counted), every requested vector is there, the last time is the stop time, and all values are finite.

Two things that ngspice says on the way to a good result are no faults. "singular matrix" and an expression
outside its domain are said of single Newton iterations: where gmin or source stepping, or a smaller step,
then converges, each point kept was solved with a matrix that could be factored. Only where all of that fails
and ngspice takes the end of a pseudo-transient for the operating point ("Transient op started") is a matrix
that was singular before still singular: a floating node then keeps whatever voltage it happened to have.

The wording is that of ngspice 39 and 46. What version 39 does not say, the netlist's text has to
(``judge_text``): it takes ``C1 b 0`` as no capacitance and ``R1 a b 0`` as 1 mOhm without a word.

What passes as COMPLETED all the same: a resistance that becomes zero only as an expression (46 says so, 39
does not); in both versions an unknown name in ``.options`` or among a subcircuit's parameters, 0/0 (which is
0), and a node that only independent current sources touch (it gets a voltage all the same); in version 42 a
subcircuit's call with too few or too many nodes. The counts of devices and unknowns, and the reference, are
there for such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    """A verdict with the place it points at, where known, and a sentence that says what to try.

    Attributes:
        verdict: what became of the run.
        reason: what happened and what to try, in full sentences.
        node: the node, branch or element at fault, in ngspice's lower case.
        time: seconds of simulated time.
        line: line of the netlist, the first is 1, as text.
    """

    verdict: Verdict
    reason: str
    node: str | None = None
    time: float | None = None
    line: str | None = None

    @property
    def completed(self) -> bool:
        """Whether the run can be used."""
        return self.verdict is Verdict.COMPLETED


COMPLETED = Judgement(Verdict.COMPLETED, "Every requested vector reached the stop time.")

# Beyond this a voltage is the trace of a division by zero (ngspice divides by 1e-32 instead), not a signal.
LARGEST_VALUE = 1e20

# What ngspice says of a deck that it did not read, or read as another, and what to do; the first that fits.
_DECK_FAULTS = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"could not find (?:include|library) file",
            "Put the file where the path says, or correct the path.",
        ),
        (r"unknown subckt", "Define that subcircuit, correct its name, or see that none contains itself."),
        (r"too (?:few|many) parameters for subcircuit", "Give the instance the nodes of the .subckt line."),
        (r"undefined parameter", "Define the parameter with .param, or correct its name."),
        (r"no such function", "Define the function with .func, or correct its name."),
        (r"no job \(tran", "Add an analysis, such as a .tran line."),
        (r"mismatch of \.subckt", "Close every .subckt with an .ends line."),
        (r"redefinition of \.subckt", "Give the two subcircuits different names."),
        (r"device already exists", "Give the two elements different names."),
        (
            r"could not find a valid modelname|model name is not found",
            "Define the model, or correct its name.",
        ),
        (r"unknown controlling source", "Name a voltage source that is in the circuit."),
        (r"on non-existent node", "Correct the node's name."),
        (r"resistance to low|is too small, set to", "Give the resistor a value that ngspice can hold."),
        (r"unrecognized parameter|unknown (?:parameter|option|control)", "Correct the parameter's name."),
        (r"setAnalysisParm|unsupported integration", "Give the option a value that this ngspice knows."),
        (r"no such command", "Leave out the command, or take an ngspice that has it."),
        (r"syntax error|mal formed", "Correct the expression."),
        (
            r"not a valid .* line, ignored|\bignored!?\s*$|existing one being used",
            "Correct the line it names.",
        ),
        (
            r"circuit not parsed|cannot recover|fatal error|ngSpice_Circ returned|no circuit loaded|"
            r"aren't any circuits loaded|there is no current circuit|unimplemented (?:control|dot) ",
            "Correct the line it names, and see that the netlist ends in .end.",
        ),
    )
)
# lines after the fault that say where it is
_PLACE = re.compile(r"or its substitute|check line|\bline no\.? \d", re.IGNORECASE)
# ngspice 46 gives its own count beside one that is off by a line and takes continued lines for one
_LINES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (r"internal line no\.? ([1-9]\d*)", r"\bline(?: no\.?)? ([1-9]\d*)")
)

_ABORTED = re.compile(r"simulation\(s\) aborted", re.IGNORECASE)
_ANALYSES = re.compile(r"doAnalyses:\s*(.*\S)", re.IGNORECASE)
_TIMESTEP = re.compile(r"doAnalyses:.*timestep too small;\s*(?:time = ([-+0-9.eE]+))?", re.IGNORECASE)
_TROUBLE = re.compile(r'trouble with (?:node "([^"]+)"|\S*-instance (\S+))', re.IGNORECASE)
_SINGULAR = re.compile(r"singular matrix:\s*check nodes?\s+(\S+)", re.IGNORECASE)
_DOMAIN = re.compile(r"(\S+) out of range for (\S+)", re.IGNORECASE)
_IN_ELEMENT = re.compile(r"^\s*in line (\S+)", re.IGNORECASE)
_POINT_FOUND = re.compile(r"stepping completed|op finished successfully|Initial Transient Solution", re.I)
_STAND_IN = re.compile(r"transient op started", re.IGNORECASE)


def judge_text(text: str) -> Judgement | None:
    """What can be said of a netlist before a simulator sees it; None if nothing.

    Only what some ngspice passes over in silence: no ``.end``, an R, C or L without a value, a V or I with
    fewer than two nodes, and a resistance written as zero. Included files are not looked into.
    """
    commands = False
    for number, line in _logical_lines(text):
        first = line.split(maxsplit=1)[0].lower()
        if first in (".control", ".endc"):
            commands = first == ".control"
        elif first == ".end":
            return None
        elif not commands and (fault := _element_fault(number, line)):
            return fault
    return Judgement(Verdict.PARSE_ERROR, "The netlist has no .end line. End it with one.")


# words that an element has at least: its name, its nodes, and a value unless that may be left out
_WORDS = {"r": 4, "c": 4, "l": 4, "v": 3, "i": 3}
_ZERO = re.compile(
    r"(?:r(?:esistance)?=)?[-+]?(?:0+\.?0*|\.0+)(?:e[-+]?\d+)?[a-z\u00b5\u03bc]*", re.IGNORECASE
)
_COMMENT = re.compile(r";.*|(?:^|\s)(?:\$\s|//).*")


def _element_fault(number: int, line: str) -> Judgement | None:
    expected = _WORDS.get(line[0].lower())
    if expected is None:
        return None
    words = re.sub(r"\s*=\s*", "=", line.replace(",", " ")).split()
    if len(words) < expected:
        what = f"Line {number} is incomplete: '{line}'. Add the nodes or the value that it lacks."
    elif line[0] in "rR" and _ZERO.fullmatch(words[3]):
        what = (
            f"Line {number} is a resistor of zero ohms, which ngspice replaces by another: '{line}'. "
            "Join its two nodes, or give it a small resistance."
        )
    else:
        return None
    return Judgement(Verdict.PARSE_ERROR, what, node=words[0].lower(), line=str(number))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line after the title that is no comment, continuations joined to it.

    Only to those that ``judge_text`` reads to the end: most of a large netlist is something else.
    """
    number, joined, passed_over = 0, "", False
    for count, written in enumerate(text.split("\n")[1:], start=2):
        if passed_over and written.startswith("+"):
            continue
        commented = ";" in written or "$" in written or "//" in written
        line = (_COMMENT.sub("", written) if commented else written).strip()
        if not line or line[0] == "*":
            continue
        if line[0] == "+":
            joined += f" {line[1:].strip()}"
            continue
        if joined:
            yield number, joined
        number, joined, passed_over = count, line, line[0].lower() not in _WORDS
    if joined:
        yield number, joined


def judge_reading(log: Sequence[str]) -> Judgement | None:
    """What the log says of the deck itself; None if it was read as written."""
    for number, line in enumerate(log):
        advice = next((said for pattern, said in _DECK_FAULTS if pattern.search(line)), None)
        if advice is None or not _telling(line):
            continue
        # ngspice names the line first and the reason after it, or the other way round: quote both
        before = [text for text in log[max(0, number - 4) : number + 1] if _telling(text)]
        after = [text for text in _after(log[number + 1 : number + 5]) if _telling(text)]
        places = (
            m.group(1)
            for text in (*reversed(before), *after)
            for pattern in _LINES
            if (m := pattern.search(text))
        )
        quoted = " | ".join(dict.fromkeys(text.strip() for text in (*before, *after))).rstrip(".!:")
        return Judgement(
            Verdict.PARSE_ERROR,
            f"ngspice does not read the netlist as it is written: {quoted}. {advice}",
            line=next(places, None),
        )
    return None


def _after(lines: Sequence[str]) -> list[str]:
    """Of the lines after a fault those that say where it is."""
    quotes = [False, *(line.rstrip().endswith("substitute:") for line in lines)]
    return [line for line, quoted in zip(lines, quotes, strict=False) if quoted or _PLACE.search(line)]


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
                f"The simulator counts other devices than were compiled ({said}): it read another circuit. "
                "Look for dropped or merged lines in its log.",
            )
    if unknowns is not None and counted_unknowns is not None and unknowns != counted_unknowns:
        return Judgement(
            Verdict.DEVICE_COUNT,
            f"The simulator solves for {counted_unknowns} unknowns instead of {unknowns}: nodes are joined "
            "or split. Look for misspelt node names.",
        )
    return None


def judge_run(
    log: Sequence[str], time: npt.NDArray[np.float64], values: Mapping[str, npt.NDArray[np.float64]],
    requested: Sequence[str], stop: float | None, points: int = 1,
) -> Judgement:  # fmt: skip
    """The verdict on a run whose deck was read as written.

    Args:
        log: the simulator's lines, prefixes removed.
        time: (P,) seconds.
        values: (P,) for each vector found; (``points``,) if there is no stop time.
        requested: vectors that have to be there.
        stop: time that has to be reached, in seconds; None for operating points.
        points: how many of these.
    """
    lines = [line for line in log if _telling(line)]
    last = float(time[-1]) if len(time) else None
    short = stop is not None and (last is None or last < stop * (1 - 1e-9))
    broken_off = short or any(_ABORTED.search(line) for line in lines)
    judgement = _floating(lines) or (_cause(lines, last) if broken_off else None)
    judgement = judgement or _missing(values, requested) or _not_finite(time, values, requested)
    rows = points if stop is None else len(time)
    ragged = any(len(values[name]) != rows for name in requested if name in values)
    if judgement is None and (short or ragged):
        judgement = _truncated(lines, last, stop)
    return judgement or COMPLETED


def _floating(lines: Sequence[str]) -> Judgement | None:
    """A matrix that stayed singular, so that ngspice made up an operating point."""
    if any(_STAND_IN.search(line) for line in lines):
        return next((_singular(m.group(1), 0.0) for line in lines if (m := _SINGULAR.search(line))), None)
    return None


def _cause(lines: Sequence[str], last: float | None) -> Judgement | None:
    """Why a run broke off, as far as the log says: what it says last, and more of it than the step's size."""
    found = max((k for k, line in enumerate(lines) if _POINT_FOUND.search(line)), default=-1)
    since = lines[found + 1 :]  # what an operating point got over is no cause of what came later
    for k in reversed(range(len(since))):
        if match := _SINGULAR.search(since[k]):
            return _singular(match.group(1), last)
        if match := _DOMAIN.search(since[k]):
            return _outside_domain(match, since[k + 1 : k + 2], last)
    return next((_step_too_small(m, line) for line in since if (m := _TIMESTEP.search(line))), None)


def _singular(node: str, time: float | None) -> Judgement:
    return Judgement(
        Verdict.SINGULAR_MATRIX,
        f"The matrix is singular at {node}: a node without a path to ground, or a loop of voltage sources or "
        "inductors. Give the node a path, or the loop a resistance.",
        node=node.lower(),
        time=time or 0.0,
    )


def _outside_domain(match: re.Match[str], after: Sequence[str], last: float | None) -> Judgement:
    element = next((m.group(1) for line in after if (m := _IN_ELEMENT.search(line))), None)
    where = f" of {element}" if element else ""
    return Judgement(
        Verdict.NON_FINITE,
        f"The expression{where} left the domain of {match.group(2)} ({match.group(1)} is outside) at "
        f"{last or 0:g} s. Bound its argument.",
        node=element,
        time=last or 0.0,
    )


def _step_too_small(match: re.Match[str], line: str) -> Judgement:
    trouble = _TROUBLE.search(line)
    node = next((group for group in trouble.groups() if group), None) if trouble else None
    where = f" at {node}" if node else ""
    if match.group(1):
        what = (
            f"The step shrank to nothing at {match.group(1)} s{where}: a discontinuity, a runaway, or a "
            "tolerance below rounding. Look at that node, smooth the element, or loosen reltol."
        )
    else:
        what = (
            f"No operating point was found{where}: an element's characteristic jumps, or there is none. "
            "Smooth the element, give start values with .ic, or start with uic."
        )
    time = float(match.group(1)) if match.group(1) else 0.0
    return Judgement(Verdict.TIMESTEP_TOO_SMALL, what, node=node, time=time)


def _missing(values: Mapping[str, npt.NDArray[np.float64]], requested: Sequence[str]) -> Judgement | None:
    missing = [name for name in requested if name not in values]
    if not missing:
        return None
    shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return Judgement(
        Verdict.MISSING_VECTOR,
        f"There is no vector for {shown}: the node is not in the circuit, is not saved, or has another name. "
        "Compare with the nodes in the netlist and with its .save line.",
        node=missing[0],
    )


def _not_finite(
    time: npt.NDArray[np.float64],
    values: Mapping[str, npt.NDArray[np.float64]],
    requested: Sequence[str],
) -> Judgement | None:
    for name, column in (("time", time), *((name, values[name]) for name in requested)):
        if np.dot(column, column) <= LARGEST_VALUE**2:  # none is; a third of the time of looking at each
            continue
        bad = ~np.isfinite(column) | (np.abs(column) > LARGEST_VALUE)
        if bad.any():
            row = int(np.argmax(bad))
            at = float(time[row]) if row < len(time) else 0.0
            return Judgement(
                Verdict.NON_FINITE,
                f"{name} is not finite or beyond {LARGEST_VALUE:g} from {at:g} s on: a division by zero or "
                "an unstable circuit. Look at the sources that drive it.",
                node=name,
                time=at,
            )
    return None


def _truncated(lines: Sequence[str], last: float | None, stop: float | None) -> Judgement:
    said = next((m.group(1) for line in lines if (m := _ANALYSES.search(line))), None)
    until = f" instead of {stop:g} s" if stop is not None else ""
    return Judgement(
        Verdict.TRUNCATED,
        f"The run ends at {last or 0:g} s{until}, "
        + (f"and ngspice says: {said.rstrip('.')}. " if said else "without a word why. ")
        + "Look at the stop time of the .tran line and at the end of the log.",
        time=last or 0.0,
    )


def _telling(line: str) -> bool:
    """Whether a log line can say something about a fault (and is no banner, title or table of voltages)."""
    text = line.strip()
    return bool(text) and not text.startswith(_BANNERS)


_BANNERS = ("Circuit:", "Doing analysis", "Note: No compatibility", "Reference value", "Using ")
