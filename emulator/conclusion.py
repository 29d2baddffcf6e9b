"""What a run's numbers say, in words: does the model survive the circuit, and what breaks it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emulator.results import Results
from emulator.settings import RunSettings
from emulator.verdict import Verdict
from netlists.core import Array
from netlists.printable import printable

MOST_CAUSES = 12


@dataclass(frozen=True)
class Cause:
    """Why some samples did not pass: which, what was found, and what to try or where to look."""

    samples: tuple[int, ...]
    title: str
    finding: str
    advice: str
    label: str = "What to try"


@dataclass(frozen=True)
class Conclusion:
    """The run in numbers and one sentence.

    Attributes:
        sentence: the verdict on the run.
        samples, passed, completed: how many there are, pass, and were simulated to the end.
        worst_window: (S,) largest rms defect of a window of each sample, NaN if not simulated to the end.
        equal, within: share of the codes of completed samples that equal the reference’s, and that are
            within 1 LSB of them; NaN without a completed sample.
        causes: of what did not pass.
        left_out: causes beyond those listed.
    """

    sentence: str
    samples: int
    passed: int
    completed: int
    worst_window: Array
    equal: float
    within: float
    causes: tuple[Cause, ...]
    left_out: int


MOST_ON_RAILS = 0.5


def saturation(results: Results, readout: str) -> list[str]:
    """A warning if a linear readout drives the converter to its rails; there, all circuits look alike.

    The bounded readouts reach full scale by nature: a pixel that is black or white is one.
    """
    share = results.rows["crosscheck/codes_on_rails"][completed_rows(results)]
    if readout != "linear" or not len(share) or float(np.median(share)) <= MOST_ON_RAILS:
        return []
    return [
        f"{percent(float(np.median(share)))} of the codes are at an end of the converter's scale: the states go beyond "
        "it, and agreement of the codes says little. Scale the weights, or read out by tanh."
    ]


def conclude(results: Results, settings: RunSettings, unit: str) -> Conclusion:
    """Draws the conclusion of a run whose states have this unit."""
    unit = f" {unit}" if unit else ""
    rows = results.rows
    completed = completed_rows(results)
    passed = rows["samples/accepted"].astype(bool)
    worst = np.array([results.worst_window(row) for row in range(results.samples)])
    apart = np.abs(rows["samples/codes"] - rows["samples/codes_reference"])[completed]
    equal, within = (float(np.mean(apart <= lsb)) if apart.size else math.nan for lsb in (0, 1))
    causes = _causes(results, settings, worst, unit)
    return Conclusion(
        sentence=_sentence(results, settings, worst, within, unit),
        samples=results.samples,
        passed=int(passed.sum()),
        completed=int(completed.sum()),
        worst_window=worst,
        equal=equal,
        within=within,
        causes=tuple(causes[:MOST_CAUSES]),
        left_out=max(0, len(causes) - MOST_CAUSES),
    )


def completed_rows(results: Results) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(S,) whether each sample was simulated to the end and compared."""
    there = np.array([verdict == Verdict.COMPLETED for verdict in results.verdicts], dtype=np.bool_)
    return there & np.isfinite(results.rows["crosscheck/global_rms"])


def _sentence(results: Results, settings: RunSettings, worst: Array, within: float, unit: str) -> str:
    passed = results.rows["samples/accepted"].astype(bool)
    completed = completed_rows(results)
    total, good, done = results.samples, int(passed.sum()), int(completed.sum())
    codes = f"{percent(within)} of the {settings.adc.bits}-bit codes are within 1 LSB of the reference’s"
    if good == total:
        return (
            f"{good} of {total} sample{_s(total)} pass{'es' if total == 1 else ''}: the circuit follows the "
            f"{ode(settings)} to {figure(np.nanmax(worst))}{unit} rms in every window, and {codes}."
        )
    if not done:
        return f"No sample passes: none of the {total} was simulated to the end." if total > 1 else (
            "The sample does not pass: it was not simulated to the end."
        )  # fmt: skip
    limit = settings.acceptance
    departs = int((completed & ~passed & (worst > limit.worst_window_rms)).sum())
    shares = [
        (total - done, "not simulated to the end"),
        (departs, f"departing from the {ode(settings)}"),
        (done - int((passed & completed).sum()) - departs, "true to the ODE but with other codes"),
    ]
    why = ", ".join(f"{count} {what}" for count, what in shares if count)
    among = f"Of the {done} simulated to the end, the" if done < total else "The"
    return (
        f"{good or 'None'} of {total} samples pass{'es' if good == 1 else ''} ({why}). {among} worst window "
        f"is off by {figure(np.nanmax(worst))}{unit} rms (accepted: {limit.worst_window_rms:g}), and {codes}."
    )


def ode(settings: RunSettings) -> str:
    """What the reference solves."""
    return "ODE of the chip as built" if settings.non_idealities.in_force else "trained ODE"


def _causes(results: Results, settings: RunSettings, worst: Array, unit: str) -> list[Cause]:
    rows, limit = results.rows, settings.acceptance
    numbers = rows["samples/index"]
    completed = completed_rows(results)
    left = ~rows["samples/accepted"].astype(bool)
    found: list[Cause] = []

    broken = left & ~completed
    reasons = list(zip(results.verdicts, (str(reason) for reason in rows["samples/reason"]), strict=True))
    for verdict, reason in dict.fromkeys(reasons[row] for row in np.flatnonzero(broken)):
        same = [row for row in np.flatnonzero(broken) if reasons[row] == (verdict, reason)]
        first = f"runs/sample-{numbers[same[0]]:05d}"
        found.append(Cause(
            _numbers(numbers[same]), f"not simulated to the end: {verdict}", _sentence_case(reason),
            f"The simulator’s log is {first}/ngspice.log, and the netlist it read {first}/deck.cir.",
            label="Where to look",
        ))  # fmt: skip

    departs = left & completed & (worst > limit.worst_window_rms)
    if departs.any():
        row = int(np.nanargmax(np.where(departs, worst, np.nan)))
        window = int(np.nanargmax(rows["crosscheck/defect_window_rms"][row]))
        found.append(Cause(
            _numbers(numbers[departs]), f"the circuit departs from the {ode(settings)}",
            f"The worst is sample {numbers[row]}: in window {window + 1} of {settings.windows} the circuit "
            f"ends {figure(worst[row])}{unit} rms away from where the ODE takes its own state; accepted is "
            f"{limit.worst_window_rms:g}.",
            _of_defect(settings),
        ))  # fmt: skip

    other = left & completed & ~departs
    unlike = other & (rows["crosscheck/codes_within_1lsb"] < limit.codes_within_1lsb)
    if unlike.any():
        share = rows["crosscheck/codes_within_1lsb"][unlike].min()
        growth = rows["crosscheck/sensitivity"][unlike].max()
        found.append(Cause(
            _numbers(numbers[unlike]), "true to the ODE in every window, but the codes differ",
            f"As few as {percent(float(share))} of a sample’s codes are within 1 LSB of the reference’s "
            f"(accepted: {percent(limit.codes_within_1lsb)}); a small perturbation of the start grows up to "
            f"{about(growth)}-fold until the readout.",
            "The model amplifies small differences, and a chip has larger ones than a simulator. "
            f"{_knob(settings)} makes the figure better, not the model: train with noise on the states, shorten the "
            "run, or read out fewer bits.",
        ))  # fmt: skip
    earlier = other & ~unlike
    if earlier.any():
        found.append(Cause(
            _numbers(numbers[earlier]), "not accepted when they were simulated",
            "They meet the limits of acceptance that hold now, but did not meet those that held then.",
            "Run again with --overwrite for one verdict on all.",
        ))  # fmt: skip
    return found


def _knob(settings: RunSettings) -> str:
    return "A smaller --reltol" if settings.level == "phase" else "A larger --cycles"


def _of_defect(settings: RunSettings) -> str:
    if settings.level != "phase":
        return (
            f"Run again with --cycles {3 * settings.oscillator.cycles:g}: couplings weaker against the carrier "
            "disturb it less. The table of steps says what the defect is made of. Sensitivity is no cause of a defect."
        )
    return (
        f"Run again with --reltol {settings.reltol / 10:g}. If the defect shrinks, it was the "
        "simulator’s tolerance; if it stays, it is in the netlist. Sensitivity is no cause of a defect."
    )


def _numbers(values: Sequence[int] | Array) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def figure(value: float) -> str:
    """Two figures of a value, such as 3.5e-5; a dash for what is not finite."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """A share with two decimals at most, rounded down so that 100 % means all; a dash if not finite."""
    return f"{math.floor(share * 1e4 + 1e-9) / 100:g}\N{NO-BREAK SPACE}%" if math.isfinite(share) else "–"


def about(value: float) -> str:
    """Two figures of a ratio, such as 8.2, 270 or 12,000; from a million on as ``figure``."""
    if not math.isfinite(value) or abs(value) >= 1e6:
        return figure(value)
    return f"{float(f'{value:.2g}'):,g}"


def _sentence_case(text: str) -> str:
    return printable(text[:1].upper() + text[1:], 2000)
