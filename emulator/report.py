"""The report: one HTML file that needs nothing else, and the contact sheet beside it.

The template escapes everything it is given, and nothing is marked as safe: what a weights file says in words
is shown as text. Pictures go in as data, so that the page asks no server for anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator import core_figures, figures, images, particulars
from emulator.conclusion import Conclusion, about, completed_rows, conclude, figure, ode, percent, saturation
from emulator.crosscheck import difference
from emulator.departures import Cost, cost
from emulator.doctor import warnings as shortcomings
from emulator.explanation import explain, first_to_break
from emulator.folder import OutputFolder
from emulator.ngspice import Capabilities
from emulator.page import Tile, as_data, page_environment
from emulator.realisation import Realisation
from emulator.receipt.make import receipt_from
from emulator.receipt.page import receipt_view
from emulator.receipt.sources import Sources
from emulator.recorded_settings import recorded_settings
from emulator.results import Results
from emulator.settings import RunSettings
from emulator.si import si
from netlists.core import AnalogCore, Array, Index
from netlists.files import write_bytes_whole, write_text_whole
from netlists.printable import printable
from netlists.weights import Weights

MOST_SHOWN, MOST_PIXELS = 32, 200_000  # samples shown as images, and pixels of each of their three images
TILE = 104  # CSS pixels, longer side of an image
MOST_ROWS = 200  # rows of the table of samples


@dataclass(frozen=True)
class Shown:
    """A sample as images. ``tiles`` is empty if it has no codes."""

    number: int
    passed: bool
    tiles: tuple[Tile, ...]
    remark: str


def write_report(folder: OutputFolder, results: Results, weights: Weights, circuit: Realisation) -> None:
    """Writes ``report.html`` and ``samples.png``, each whole or not at all.

    Args:
        folder: where they go, and where ``run.json`` says how the run was made.
        results: all samples of the run.
        weights: what was run.
        circuit: the circuit it was compiled to.

    Raises:
        OSError: a file could not be written.
    """
    run = _read_run(folder.run)
    recorded = recorded_settings(results, run)
    settings = recorded or RunSettings.model_validate({})
    shown = _samples_to_show(results)
    span = max(2, int(_differences(results).max(initial=0)))
    sheet = _contact_sheet(results, weights.core, settings, shown, span)
    write_bytes_whole(folder.picture, sheet)

    conclusion = conclude(results, settings, weights.core.family.state.unit)
    good, total = conclusion.passed, conclusion.samples
    lost = cost(results)
    steps = explain(results)
    page = page_environment(numbers=_number_list).get_template("report.html.j2").render(
        title=printable(weights.path.name),
        conclusion=conclusion,
        status="pass" if good == total else "mixed" if good else "fail",
        warnings=_warnings(run, settings, results, recorded is not None, weights.core.readout),
        tiles=_key_figures(conclusion, results, settings, weights.core),
        **_images(results, weights.core, settings, shown, span, lost is None),
        **_figures(results, weights.core, circuit, settings),
        table=_table(results, conclusion, settings),
        cost=lost,
        costs=_costs(results, lost),
        ode=ode(settings),
        steps=steps,
        breaks=first_to_break(steps),
        effort=_effort(results),
        pace=_pace(results, circuit),
        **particulars.of_circuit(weights, circuit),
        **particulars.of_run(run, results, settings, weights),
        core=weights.core,
        settings=settings,
        unit=weights.core.family.state.unit,
        results=results,
        receipt=receipt_view(receipt_from(Sources(results, run))),
    )  # fmt: skip
    write_text_whole(folder.report, page)


# -- what the run was ----------------------------------------------------------------------------------------


def _read_run(path: Path) -> Mapping[str, Any]:
    """What ``run.json`` says; empty if it is not there or says nothing."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _warnings(
    run: Mapping[str, Any], settings: RunSettings, results: Results, recorded: bool, readout: str
) -> list[str]:
    found: list[str] = []
    with suppress(KeyError, TypeError):  # not recorded, or by another version
        found += shortcomings(Capabilities(**run["ngspice"]))
    with suppress(KeyError, TypeError):
        found += [" | ".join(str(remark).splitlines()) for remark in run["devices"]["remarks"]]
    if not recorded:
        found.append(
            "The run's settings are not recorded: limits, converter and units are assumed to be the defaults."
        )
    if results.samples < settings.samples:
        found.append(f"{results.samples} of {settings.samples} samples are here; --resume adds the others.")
    found += saturation(results, readout)
    return [printable(text, particulars.MOST_WORDS) for text in found]


# -- numbers -------------------------------------------------------------------------------------------------


def _differences(results: Results) -> Index:
    """(D, V) |circuit − reference| in LSB of the completed samples."""
    rows, completed = results.rows, completed_rows(results)
    apart: Index = np.abs(rows["samples/codes"] - rows["samples/codes_reference"])[completed]
    return apart


def _key_figures(
    conclusion: Conclusion, results: Results, settings: RunSettings, core: AnalogCore
) -> list[tuple[str, str, str]]:
    """(value, what it is, remark) of the figures at the head of the page."""
    rows, unit = results.rows, core.family.state.unit
    samples = f"{conclusion.completed} simulated to the end"
    found = [(f"{conclusion.passed} / {conclusion.samples}", "samples pass", samples)]
    if not conclusion.completed:
        return found
    worst = float(np.nanmax(conclusion.worst_window))
    limit = settings.acceptance.worst_window_rms
    ratio = max(worst / limit, limit / max(worst, 1e-300))
    margin = f"{about(ratio)} times {'below' if worst <= limit else 'above'}"
    growth = rows["crosscheck/sensitivity"]
    seconds = rows["timing/simulator_cpu"]
    return [
        *found,
        (figure(worst), f"{unit} rms, worst window", f"{margin} the accepted {limit:g}"),
        (percent(conclusion.within), "codes within 1 LSB", f"{percent(conclusion.equal)} are equal"),
        (
            figure(float(np.nanmax(rows["crosscheck/global_rms"]))), f"{unit} rms, whole run",
            "of the worst sample",
        ),
        (f"{about(np.nanmedian(growth))} ×", "sensitivity, median", f"up to {about(np.nanmax(growth))} ×"),
        (f"{np.median(seconds):.3g} s", "processor time a sample", f"{seconds.sum():.3g} s in all"),
    ]  # fmt: skip


def _table(results: Results, conclusion: Conclusion, settings: RunSettings) -> list[dict[str, Any]]:
    """A row a sample; of a long run those that did not pass, and others up to ``MOST_ROWS``."""
    rows, limit = results.rows, settings.acceptance
    passed = rows["samples/accepted"].astype(bool)
    chosen = np.sort(np.argsort(passed, kind="stable")[:MOST_ROWS])
    return [
        {
            "number": int(rows["samples/index"][k]),
            "verdict": results.verdicts[k],
            "passed": bool(passed[k]),
            "worst": float(conclusion.worst_window[k]),
            "worst_bad": bool(conclusion.worst_window[k] > limit.worst_window_rms),
            "codes_bad": bool(rows["crosscheck/codes_within_1lsb"][k] < limit.codes_within_1lsb),
            **{name.split("/")[1]: rows[name][k].item() for name in rows
               if name.startswith(("crosscheck/", "timing/")) and rows[name].ndim == 1},
        }
        for k in chosen
    ]  # fmt: skip


def _costs(results: Results, lost: Cost | None) -> list[tuple[str, str, list[str]]]:
    """(what, against what, smallest, median and largest) of what the chip costs, beside what the circuit does."""
    if lost is None:
        return []
    rows, completed = results.rows, completed_rows(results)
    chip, trained = "its reference, the chip as built", "the trained model"
    lines = [
        ("pixels apart, rms", chip, rows["crosscheck/pixel_rms"][completed], figure),
        ("pixels apart, rms", trained, lost.pixel_rms, figure),
        ("codes within 1 LSB", chip, rows["crosscheck/codes_within_1lsb"][completed], percent),
        ("codes within 1 LSB", trained, lost.codes, percent),
    ]
    return [
        (what, against, [said(float(cell(values))) for cell in (np.min, np.median, np.max)])
        for what, against, values, said in lines
    ]


def _effort(results: Results) -> list[tuple[str, str, str, str, str]]:
    """(quantity, total, smallest, median, largest) of what the run cost."""
    rows = results.rows
    with np.errstate(divide="ignore", invalid="ignore"):
        each = rows["timing/iterations"] / rows["timing/steps"]
        pace = 1e3 * rows["timing/simulator_cpu"] / rows["timing/iterations"]
    lines: list[tuple[str, Array, str, bool]] = [
        ("ngspice, processor seconds", rows["timing/simulator_cpu"], ".3g", True),
        ("ngspice, wall seconds", rows["timing/simulator_wall"], ".3g", True),
        ("reference, wall seconds", rows["timing/reference_wall"], ".3g", True),
        ("time points accepted", rows["timing/steps"], ",.0f", True),
        ("time points rejected", rows["timing/rejected"], ",.0f", True),
        ("Newton iterations", rows["timing/iterations"], ",.0f", True),
        ("iterations per accepted point", each, ".2f", False),
        ("processor milliseconds per iteration", pace, ".3g", False),
    ]
    found = []
    for name, values, form, summable in lines:
        finite = values[np.isfinite(values)]
        cells = (np.sum, np.min, np.median, np.max) if len(finite) else ()
        said = [format(float(cell(finite)), form) for cell in cells] or ["–"] * 4
        found.append((name, said[0] if summable else "", *said[1:]))
    return found  # type: ignore[return-value]


def _pace(results: Results, circuit: Realisation) -> str:
    """How much slower than the circuit its simulation is."""
    seconds = results.rows["timing/simulator_wall"][completed_rows(results)]
    if not len(seconds) or not circuit.stop > 0:
        return ""
    middle = float(np.median(seconds))
    return (
        f"A sample is {si(circuit.stop, 's', 4)} of circuit time. ngspice took {middle:.3g} s (median), "
        f"{figure(middle / circuit.stop)} times as long."
    )


def _number_list(numbers: Sequence[int], most: int = 12) -> str:
    said = ", ".join(str(number) for number in numbers[:most])
    return said if len(numbers) <= most else f"{said} and {len(numbers) - most} more"


# -- pictures ------------------------------------------------------------------------------------------------


def _samples_to_show(results: Results) -> list[int]:
    """Rows shown as images: the first ones, as many as there is room for."""
    pixels = max(1, results.rows["samples/codes"].shape[1])
    return list(range(min(results.samples, MOST_SHOWN, max(1, MOST_PIXELS // pixels))))


def _contact_sheet(
    results: Results, core: AnalogCore, settings: RunSettings, shown: list[int], span: int
) -> bytes:
    rows = results.rows
    return images.contact_sheet(
        images.as_images(rows["samples/codes"][shown], core.image_shape),
        images.as_images(rows["samples/codes_reference"][shown], core.image_shape),
        rows["samples/index"][shown].tolist(),
        rows["samples/accepted"][shown].astype(bool).tolist(),
        2**settings.adc.bits - 1,
        span,
    )


def _images(
    results: Results, core: AnalogCore, settings: RunSettings, shown: list[int], span: int, ideal: bool
) -> dict[str, Any]:
    """The samples' images, one to one (the browser magnifies them), and the scales they are drawn on."""
    rows, top = results.rows, 2**settings.adc.bits - 1
    circuit = images.as_images(rows["samples/codes"], core.image_shape)
    reference = images.as_images(rows["samples/codes_reference"], core.image_shape)
    # of an ideal chip the trained model is the reference
    trained = None if ideal else images.as_images(rows["samples/codes_trained"], core.image_shape)
    samples = [
        Shown(int(rows["samples/index"][k]), bool(rows["samples/accepted"][k]),
              *_tiles(int(rows["samples/index"][k]), circuit[k], reference[k],
                      None if trained is None else trained[k], top, span))
        for k in shown
    ]  # fmt: skip
    size = circuit.shape[1:]
    strip = images.is_strip((size[0], size[1]))
    per_band = 1 if strip else images.PER_BAND
    return {
        "bands": [samples[k : k + per_band] for k in range(0, len(samples), per_band)],
        "tile_size": [max(8, round(TILE * side / max(size))) for side in size],
        "pictures": ["circuit", "reference", "difference", *([] if ideal else ["trained model"])],
        "strip": strip, "top": top, "span": span, "colours": images.swatches(span), "shown": len(samples),
    }  # fmt: skip


def _tiles(
    number: int, circuit: Index, reference: Index, trained: Index | None, top: int, span: int
) -> tuple[tuple[Tile, ...], str]:
    """Images of circuit, reference, difference and trained model, and a remark on the codes; none without codes."""
    if (circuit < 0).any() or (reference < 0).any():
        return (), "no codes"
    apart = np.abs(circuit - reference)
    count, most = int(np.count_nonzero(apart)), int(apart.max(initial=0))
    remark = f"{count} off, by {'up to ' if most > 1 else ''}{most}" if count else "all equal"
    pictures = [
        ("circuit", images.grey(circuit, top)),
        ("reference", images.grey(reference, top)),
        (f"difference: {remark}", images.difference_pixels(circuit, reference, span)),
    ]
    if trained is not None:
        pictures.append(("trained model", images.grey(trained, top)))
    tiles = (
        Tile(as_data("png", images.tile(pixels)), f"sample {number}, {name}") for name, pixels in pictures
    )
    return tuple(tiles), remark


def _figures(
    results: Results, core: AnalogCore, circuit: Realisation, settings: RunSettings
) -> dict[str, Any]:
    """The figures as data, with what their texts need; those of no completed sample are left out."""
    rows, period = results.rows, core.family.state.periodic
    completed = completed_rows(results)
    numbers = rows["samples/index"].tolist()
    pace = circuit.stop / core.duration
    drawn = {
        "seconds": figures.seconds(numbers, rows["timing/simulator_wall"], rows["timing/reference_wall"]),
        "points": figures.points(numbers, rows["timing/steps"], rows["timing/rejected"]),
        "weights": core_figures.weights(core),
    }
    if completed.any():
        ends = difference(rows["samples/final"], rows["samples/final_reference"], period)[completed]
        drawn["codes"] = figures.code_differences(_differences(results))
        drawn["nodes"] = figures.node_errors(core, ends)
        drawn["errors"] = figures.errors(
            core, pace, rows["samples/index"][completed].tolist(), rows["crosscheck/row_time"][completed],
            rows["crosscheck/row_rms"][completed], rows["crosscheck/defect_window_rms"][completed],
            settings.acceptance.worst_window_rms,
        )  # fmt: skip
    kept = results.trajectories
    facts: dict[str, Any] = {
        "growth": rows["crosscheck/sensitivity"][completed],
        "as_band": int(completed.sum()) > figures.MOST_LINES,
        "wired": core.nodes <= core_figures.MOST_WIRED_NODES,
        "rings": len(core.visible) < core.nodes <= figures.MOST_RINGS,
        "kept": len(kept.get("trajectory/sample", ())),
    }
    if facts["kept"]:
        error = difference(kept["trajectory/circuit"], kept["trajectory/reference"], period)
        worst = int(np.argmax(np.mean(error**2, axis=(1, 2))))
        facts["phase_sample"] = int(kept["trajectory/sample"][worst])
        drawn["phases"] = figures.phases(
            core, pace, kept["trajectory/time"][worst], kept["trajectory/circuit"][worst],
            kept["trajectory/reference"][worst], error[worst],
        )  # fmt: skip
    drawings = {name: as_data("svg+xml", data) for name, data in drawn.items()}
    return facts | {"drawings": drawings | {"floorplan": as_data("png", core_figures.floorplan(core))}}
