"""What a run came to, on the terminal: the samples, what each step costs, and why some did not pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from device_models.families import family
from emulator.console import FAILED, MOST_ROWS, console, errors, plain, stop
from emulator.explanation import explain, first_to_break
from emulator.folder import REPORT
from emulator.results import Results
from emulator.verdict import Verdict
from netlists.printable import printable

MOST_REASONS = 10


def results_table(results: Results) -> Table:
    """The run at a glance; narrow enough for 80 columns."""
    unit = family(str(results.attributes["family"])).state.unit
    table = Table(
        title="Circuit against reference",
        caption=f"global: rms error ({unit}); defect: worst window's rms ({unit}); pixel: rms error after "
        "readout; codes: ADC codes within 1 LSB; sensit.: growth of a small "
        "perturbation of the start",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    for heading in (
        "#",
        "verdict",
        "steps",
        "iter.",
        "sec.",
        "global",
        "defect",
        "pixel",
        "codes",
        "sensit.",
        "",
    ):
        table.add_column(heading, justify="left" if heading == "verdict" else "right", no_wrap=True)
    rows = results.rows
    for k in range(min(results.samples, MOST_ROWS)):
        passed = bool(rows["samples/accepted"][k])
        codes = float(rows["crosscheck/codes_within_1lsb"][k])
        table.add_row(
            str(rows["samples/index"][k]), str(rows["samples/verdict"][k]),
            str(rows["timing/steps"][k]), str(rows["timing/iterations"][k]),
            f"{rows['timing/simulator_wall'][k]:.1f}",
            _figure(rows["crosscheck/global_rms"][k]),
            _figure(results.worst_window(k)),
            _figure(rows["crosscheck/pixel_rms"][k]),
            f"{100 * codes:.4g}%" if np.isfinite(codes) else "-",
            _figure(rows["crosscheck/sensitivity"][k]),
            Text("pass", "green") if passed else Text("FAIL", "bold red"),
        )  # fmt: skip
    return table


def show_steps(results: Results) -> None:
    """What each step from the ODE to the circuit costs, expected and measured."""
    steps = explain(results)
    if not steps:
        errors.print(
            "nothing to explain: at the phase level the circuit is the ODE, or no sample was completed"
        )
        return
    table = Table(
        title="What each step costs (medians)", box=box.SIMPLE_HEAD, show_edge=False,
        caption="expected: shift of an equilibrium, from the sizing alone; rad: what the end of a run moves by",
    )  # fmt: skip
    for heading in ("step", "gives up that", "expected", "rad", "pixel", "codes > 1 LSB", "most in"):
        table.add_column(heading, justify="left" if heading in ("step", "gives up that") else "right")
    for step in steps:
        table.add_row(
            step.name, step.assumption, _figure(step.predicted), _figure(step.end_rms), _figure(step.pixel_rms),
            f"{100 * step.codes:.3g}%", str(step.samples),
        )  # fmt: skip
    console.print(table)
    console.print(Text(first_to_break(steps)))


def _figure(value: float) -> str:
    return f"{value:.1e}" if np.isfinite(value) else "-"


def conclude(results: Results, out: Path) -> None:
    """Says where the report is, and ends the command with the reasons of samples that did not pass."""
    if results.samples > MOST_ROWS:
        console.print(f"the first {MOST_ROWS} of {results.samples} samples; the report shows all")
    console.print(Text(f"report: {printable(str(out / REPORT), longest=None)}"), soft_wrap=True)
    failed = np.flatnonzero(~results.rows["samples/accepted"].astype(bool))
    if not len(failed):
        return
    for k in failed[:MOST_REASONS]:
        sample, verdict = results.rows["samples/index"][k], results.verdicts[k]
        reason = str(results.rows["samples/reason"][k])
        if verdict == Verdict.COMPLETED and np.isfinite(results.rows["crosscheck/global_rms"][k]):
            knob = (
                "a smaller --reltol"
                if results.attributes.get("level") == "phase"
                else "more --cycles, or --explain"
            )
            reason = f"the simulation completed, but the circuit departs from the reference; try {knob}"
        errors.print(Text(plain(f"sample {sample}: {verdict}: {reason}")), soft_wrap=True)
    more = f" ({len(failed) - MOST_REASONS} more are in the report)" if len(failed) > MOST_REASONS else ""
    stop(FAILED, f"{len(failed)} of {results.samples} samples did not pass{more}")
