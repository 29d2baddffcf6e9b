"""What each step from the trained ODE to the circuit costs, from a run's results, in numbers and one sentence."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from emulator.conclusion import completed_rows, figure, percent
from emulator.results import Results


@dataclass(frozen=True)
class Step:
    """One rung in the medians over completed samples.

    Attributes:
        name, assumption: see ``ladder.Rung``.
        predicted: rad, from the sizing alone; NaN without an estimate.
        end_rms: rad that the end of the run moves by.
        pixel_rms: that of the analog pixels.
        codes: share of codes that move by more than 1 LSB.
        samples: number of samples that this step costs the most codes, or rad where the codes are equal.
    """

    name: str
    assumption: str
    predicted: float
    end_rms: float
    pixel_rms: float
    codes: float
    samples: int


def explain(results: Results) -> list[Step]:
    """The ladder of a run; empty at the phase level and where no sample was completed."""
    try:
        said = json.loads(str(results.attributes.get("ladder", "[]")))
    except ValueError:
        return []
    completed = completed_rows(results)
    rows = {name: results.rows[f"ladder/{name}"][completed] for name in ("end_rms", "pixel_rms", "codes")}
    if not said or not len(rows["codes"]) or rows["codes"].shape[1] != len(said):
        return []
    # codes first, and of equal codes the larger shift
    worst = np.argmax(rows["codes"] + 1e-6 * rows["end_rms"], axis=1)
    middle = {name: np.median(values, axis=0) for name, values in rows.items()}
    return [
        Step(
            str(rung["name"]), str(rung["assumption"]), float(rung["predicted"]),
            float(middle["end_rms"][k]), float(middle["pixel_rms"][k]), float(middle["codes"][k]),
            int(np.sum(worst == k)),
        )
        for k, rung in enumerate(said)
    ]  # fmt: skip


def first_to_break(steps: list[Step]) -> str:
    """Which assumption of the trained model breaks first, in a sentence; empty without a ladder."""
    if not steps:
        return ""
    worst = max(steps, key=lambda step: (step.samples, step.codes, step.end_rms))
    total = sum(step.samples for step in steps)
    expected = (
        "" if math.isnan(worst.predicted) else f" (expected of an equilibrium: {figure(worst.predicted)} rad)"
    )
    return (
        f"The assumption that breaks first is “{worst.assumption}”: the step “{worst.name}” costs "
        f"the most in {worst.samples} of {total} sample{'s' if total != 1 else ''}, {figure(worst.end_rms)} rad rms"
        f"{expected} and {percent(worst.codes)} of the codes, in the median."
    )
