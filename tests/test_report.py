"""The report: whatever the results are, a whole page that says what happened and asks no server for any."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from small import small_core

from emulator import canvas, figures, images
from emulator.conclusion import about, conclude, figure, percent
from emulator.folder import OutputFolder
from emulator.report import MOST_ROWS, MOST_SHOWN, write_report
from emulator.results import ROWS, TRAJECTORIES, Results
from emulator.settings import RunSettings
from netlists.compile import compile_core
from netlists.core import AnalogCore
from netlists.scaling import Scaling
from netlists.weights import Weights

SETTINGS = RunSettings.model_validate({})
WINDOWS, RECORDED = SETTINGS.windows, SETTINGS.rows + 1
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}
NASTY = "<script>alert(1)</script>\"'\n.control\nshell rm -rf /\n.endc\x1b[31m\u202e\udc80{{ 7 * 7 }}&amp;"


def results_of(
    core: AnalogCore, samples: int, *, unfinished: Sequence[int] = (), departing: Sequence[int] = (),
    unlike: Sequence[int] = (), kept: int = 2, attributes: Mapping[str, Any] | None = None,
    reason: str = "the step shrank to nothing at 1e-06 s at r00c01. Loosen reltol.",
) -> Results:  # fmt: skip
    """Results as a run leaves them.

    Samples in ``unfinished`` have no simulation, those in ``departing`` a large defect, and those in
    ``unlike`` other codes than the reference.
    """
    generator = np.random.default_rng(1)
    nodes, pixels = core.nodes, len(core.visible)
    done = np.array([k not in unfinished for k in range(samples)])
    codes = generator.integers(0, 256, (samples, pixels))
    reference = np.clip(codes + generator.integers(-1, 2, codes.shape), 0, 255)
    reference[list(unlike)] = 255 - codes[list(unlike)]
    final = generator.normal(size=(samples, nodes))
    defect = 1e-5 * generator.uniform(0.1, 1.0, (samples, WINDOWS))
    defect[list(departing), 7] = 0.02
    time = np.tile(np.linspace(0.0, core.duration, RECORDED), (samples, 1))
    row_rms = 1e-4 * np.linspace(0.0, 1.0, RECORDED) * np.ones((samples, 1))
    rows: dict[str, Any] = {
        "samples/index": np.arange(samples),
        "samples/initial": generator.normal(size=(samples, nodes)),
        "samples/final": final,
        "samples/final_reference": final + 1e-4 * generator.normal(size=final.shape),
        "samples/analog": codes / 128 - 1,
        "samples/analog_reference": reference / 128 - 1,
        "samples/codes": codes,
        "samples/codes_reference": reference,
        "samples/verdict": np.where(done, "COMPLETED", "TIMESTEP_TOO_SMALL").astype(object),
        "samples/reason": np.where(done, "every vector reached the stop time", reason).astype(object),
        "samples/accepted": done & ~np.isin(np.arange(samples), [*departing, *unlike]),
        "crosscheck/defect_window_rms": defect,
        "crosscheck/row_time": time,
        "crosscheck/row_rms": row_rms,
        "crosscheck/codes_within_1lsb": np.mean(np.abs(codes - reference) <= 1, axis=1),
        "crosscheck/sensitivity": generator.uniform(1, 300, samples),
        **{f"timing/{name}": np.full(samples, 7) for name in ("steps", "rejected", "iterations")},
        **{f"timing/{part}_wall": np.full(samples, 1.5) for part in ("simulator", "reference")},
        "timing/simulator_cpu": np.full(samples, 1.4),
    }  # fmt: skip
    for name in ROWS:
        rows.setdefault(name, 1e-4 * generator.uniform(1, 2, samples))
        measured = name.startswith(("samples/final", "samples/analog", "crosscheck/", "timing/reference"))
        if measured:
            rows[name] = np.where(done.reshape(-1, *[1] * (rows[name].ndim - 1)), rows[name], np.nan)
    for name in ("samples/codes", "samples/codes_reference"):
        rows[name][~done] = -1
    chosen = [k for k in range(min(kept, samples)) if done[k]]
    course = generator.normal(size=(len(chosen), RECORDED, nodes)).cumsum(axis=1) * 0.1
    runs = (np.array(chosen), time[chosen], course, course + 1e-4)
    return Results(
        rows={name: rows[name] for name in ROWS},
        trajectories=dict(zip(TRAJECTORIES, runs, strict=True)) if chosen else {},
        attributes={
            "family": core.family_name, "level": "phase", "devices": "behavioural", "non_idealities": "{}",
            "weights_sha256": "0" * 64, "seed": np.int64(0), "emulator_version": "0.1.0",
            "settings": SETTINGS.model_dump_json(exclude={"samples"}), **(attributes or {}),
        },
    )  # fmt: skip


def weights_of(core: AnalogCore, provenance: Mapping[str, Any] | None = None, name: str = "w.h5") -> Weights:
    return Weights(Path(name), "0" * 64, core, provenance or {})


def report(
    folder: Path, results: Results, weights: Weights, run: Mapping[str, Any] | None = None
) -> tuple[str, bytes]:
    """Writes a report, holds it to what every report must be, and returns the page and the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    if run is not None:
        (folder / "run.json").write_text(json.dumps(run))
    circuit = compile_core(weights.core, Scaling.model_validate({}))
    write_report(OutputFolder(folder), results, weights, circuit)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir() if path.name != "run.json") == [
        "report.html",
        "samples.png",
    ]
    check_page(page)
    return page, (folder / "samples.png").read_bytes()


@dataclass
class Page(HTMLParser):
    """What a page holds, as a browser reads it."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def parsed(page: str) -> Page:
    reader = Page()
    reader.feed(page)
    reader.close()
    return reader


def check_page(page: str) -> None:
    """A well-formed page that runs nothing, fetches nothing and can be read aloud."""
    reader = parsed(page)
    assert page.startswith("<!doctype html>")
    assert not reader.open
    names = [tag for tag, _ in reader.tags]
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(names)
    assert names.count("h1") == 1
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
        assert "url(" not in (attributes.get("style") or "")
        if tag == "img":
            assert attributes["alt"]
    assert "url(" not in page.split("</style>")[0]
    assert "@import" not in page.split("</style>")[0]
    identifiers = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    links = {attributes["href"][1:] for tag, attributes in reader.tags if tag == "a"}
    assert links <= set(identifiers)
    assert "default-src 'none'" in page


def words(page: str) -> str:
    """The page's text, with single spaces."""
    return " ".join(" ".join(parsed(page).text).split())


def pictures(page: str) -> list[tuple[str, bytes]]:
    """(kind, data) of every picture in the page."""
    found = re.findall(r'src="data:image/([a-z+]+);base64,([^"]*)"', page)
    return [(kind, base64.b64decode(data)) for kind, data in found]


def test_all_pass(tmp_path: Path) -> None:
    core = small_core()
    page, picture = report(tmp_path, results_of(core, 8), weights_of(core))
    assert "8 of 8 samples pass: the circuit follows the trained ODE to" in words(page)
    assert "100 % of the 8-bit codes are within 1 LSB" in words(page).replace("\N{NO-BREAK SPACE}", " ")
    assert "FAIL" not in words(page)
    assert "no transistor, no noise, no mismatch" in words(page)
    assert page.count("<img") == 3 * 8 + 8
    for kind, data in [*pictures(page), ("png", picture)]:
        assert not re.search(rb"Matplotlib|<metadata|<script|DOCTYPE|dc:date|Software", data)
        if kind == "svg+xml":
            references = re.findall(rb'(?:xlink:)?href="([^"]*)"|url\(([^)]*)\)', data)
            assert all((a or b).startswith((b"#", b"data:image/png")) for a, b in references)


def test_some_fail_each_for_its_reason(tmp_path: Path) -> None:
    core = small_core()
    results = results_of(core, 8, unfinished=(1, 2), departing=(4,), unlike=(6,))
    text = words(report(tmp_path, results, weights_of(core))[0]).replace("\N{NO-BREAK SPACE}", " ")
    assert "4 of 8 samples pass (2 not simulated to the end, 1 departing from the trained ODE, " in text
    assert "1 true to the ODE but with other codes" in text
    assert (
        "Of the 6 simulated to the end, the worst window is off by 2.0e-2 rad rms (accepted: 0.001)" in text
    )
    assert "Samples 1, 2: not simulated to the end: TIMESTEP_TOO_SMALL" in text
    assert "runs/sample-00001/ngspice.log" in text
    assert "Sample 4: the circuit departs from the trained ODE" in text
    assert "in window 8 of 50" in text
    assert "--reltol 1e-07" in text
    assert "Sample 6: true to the ODE in every window, but the codes differ" in text


def test_all_failed(tmp_path: Path) -> None:
    core = small_core()
    results = results_of(core, 3, unfinished=range(3))
    page, picture = report(tmp_path, results, weights_of(core))
    assert "not simulated to the end" in words(page)
    assert "there is nothing to compare" in words(page)
    assert "nan" not in words(page).lower().split()
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("samples", [100, 250])
def test_many_samples_stay_bounded(tmp_path: Path, samples: int) -> None:
    core = small_core()
    page, _ = report(tmp_path, results_of(core, samples, unfinished=(3, samples - 1)), weights_of(core))
    assert len(page) < 2_000_000
    assert f"Shown are the first {MOST_SHOWN} of {samples} samples" in words(page)
    rows = page.split('id="table"')[1].split("</section>")[0].count("<tr") - 1
    assert rows == min(samples, MOST_ROWS)
    assert f'<th scope="row" class="left">{samples - 1}</th>' in page


@pytest.mark.parametrize(
    "core",
    [
        replace(small_core(), image_shape=None),
        replace(small_core(), image_shape=(8, 1)),
        replace(small_core(), visible=np.arange(16), image_shape=(2, 8)),
        replace(small_core(), visible=np.array([5]), image_shape=(1, 1)),
        small_core(chunks=1),
        small_core(chunks=13),
        small_core((1, 2)),
        small_core((1, 40)),
        small_core((24, 24)),
        small_core(symmetric=False),
        small_core(strength=0.0),
    ],
    ids=["strip", "tall", "all visible", "one pixel", "1 chunk", "13 chunks", "2 nodes", "long", "large",
         "directed", "all zero"],
)  # fmt: skip
def test_any_core(tmp_path: Path, core: AnalogCore) -> None:
    page, picture = report(tmp_path, results_of(core, 3, unfinished=(1,)), weights_of(core))
    assert "2 of 3 samples pass" in words(page)
    assert picture.startswith(b"\x89PNG")


def test_a_core_without_couplings(tmp_path: Path) -> None:
    core = small_core()
    alone = replace(core, edges=core.edges[:0], coupling=core.coupling[:, :0])
    page, _ = report(tmp_path, results_of(alone, 2), weights_of(alone))
    assert "0 reciprocal" in words(page)


def test_no_kept_run_and_no_exact_zero(tmp_path: Path) -> None:
    core = small_core()
    results = results_of(core, 2, kept=0)
    same = {
        **results.rows,
        "samples/final": results.rows["samples/final_reference"],
        "crosscheck/row_rms": np.zeros((2, RECORDED)),
        "crosscheck/defect_window_rms": np.zeros((2, WINDOWS)),
    }
    page, _ = report(tmp_path, replace(results, rows=same), weights_of(core))
    assert 'id="phases"' not in page
    assert "2 of 2 samples pass" in words(page)


def test_words_of_strangers_stay_words(tmp_path: Path) -> None:
    core = small_core()
    provenance = {NASTY: NASTY, "dataset": "<img src=x onerror=alert(1)>", "long": "x" * 100_000}
    attributes = {
        "weights": NASTY,
        "ngspice_options": '{"<b>": "</td><script>"}',
        "non_idealities": NASTY,
        NASTY: 1,
    }
    run = {
        "command": ["/usr/bin/ais", "run", NASTY, "--out", "a b"],
        "machine": {"system": NASTY, "<i>": [1, {"x": "</style>"}]},
        "ngspice": {"library": NASTY, "version": 46, "klu": True, "osdi": True, "xspice": True},
        "devices": {"form": NASTY, "remarks": [NASTY, "x" * 100_000]},
    }
    results = results_of(core, 2, unfinished=(1,), reason=NASTY, attributes=attributes)
    page, _ = report(tmp_path, results, weights_of(core, provenance, f"{NASTY}.h5".replace("/", "_")), run)
    assert "<script" not in page
    assert "onerror=alert" in words(page)
    assert "{{ 7 * 7 }}" in words(page)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "x" * 3000 not in page
    assert len(page) < 1_000_000


def test_command_can_be_pasted(tmp_path: Path) -> None:
    core = small_core()
    run = {"command": ["/opt/v/bin/ais", "run", "a b.h5", "--out", "it's $HOME"], "settings": {"samples": 1}}
    page, _ = report(tmp_path, results_of(core, 1), weights_of(core), run)
    assert "1 of 1 sample passes" in words(page)
    assert """ais run 'a b.h5' --out 'it'"'"'s $HOME'""" in words(page)


@pytest.mark.parametrize(
    "run", ["{", '{"settings": 3, "ngspice": {"klu": 1}, "devices": "all", "command": "ais"}']
)
def test_a_poor_run_file_is_no_hindrance(tmp_path: Path, run: str) -> None:
    core = small_core()
    (tmp_path / "run.json").write_text(run)
    results = results_of(core, 1, attributes={"settings": "not JSON"})
    page, _ = report(tmp_path, results, weights_of(core))
    assert "settings are not recorded" in words(page)


def test_warns_of_missing_klu_and_missing_samples(tmp_path: Path) -> None:
    core = small_core()
    run = {
        "settings": {"samples": 5},
        "ngspice": {"library": "l", "version": 39, "klu": False, "osdi": True, "xspice": True},
    }
    text = words(report(tmp_path, results_of(core, 2), weights_of(core), run)[0])
    assert "ngspice 39 has no KLU" in text
    assert "2 of 5 samples are here" in text


def test_settings_and_non_idealities_are_there(tmp_path: Path) -> None:
    core = small_core()
    settings = RunSettings.model_validate(
        {"adc": {"bits": 4, "offset_lsb": 0.5}, "reltol": 1e-5, "seed": 12345}
    )
    results = results_of(core, 1, attributes={"non_idealities": '{"adc_offset_lsb": 0.5}'})
    codes = {name: results.rows[name] // 16 for name in ("samples/codes", "samples/codes_reference")}
    run = {"settings": settings.model_dump(mode="json")}
    text = words(report(tmp_path, replace(results, rows={**results.rows, **codes}), weights_of(core), run)[0])
    assert "Non-idealities in force adc_offset_lsb 0.5" in text
    assert "seed 12345" in text
    for name in ("reltol 1e-05", "adc.bits 4", "acceptance.worst_window_rms 0.001", "scaling.tau 1e-06"):
        assert name in text


def test_same_results_same_bytes(tmp_path: Path) -> None:
    core = small_core()
    results = results_of(core, 3, unfinished=(1,))

    def one(k: int) -> tuple[str, bytes]:
        return report(tmp_path / str(k), results, weights_of(core))

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(one, range(2))
    assert first == second


def test_settings_of_matplotlib_stay_as_they_were(tmp_path: Path) -> None:
    core = small_core()
    with mpl.rc_context({"font.size": 31, "svg.hashsalt": "mine"}):
        before = dict(mpl.rcParams)
        page, _ = report(tmp_path / "a", results_of(core, 1), weights_of(core))
        assert dict(mpl.rcParams) == before
    assert report(tmp_path / "b", results_of(core, 1), weights_of(core))[0] == page


def test_a_failing_write_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = small_core()
    page, _ = report(tmp_path, results_of(core, 1), weights_of(core))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    circuit = compile_core(core, Scaling.model_validate({}))
    with pytest.raises(OSError, match="No space"):
        write_report(OutputFolder(tmp_path), results_of(core, 2), weights_of(core), circuit)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "samples.png"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


def test_contact_sheet_shows_the_codes() -> None:
    codes = np.array([[[0, 255], [128, 64]]])
    sheet = images.contact_sheet(codes, codes[:, ::-1], [0], [True], 255, 255)
    pixels = np.round(255 * matplotlib.image.imread(io.BytesIO(sheet), format="png")[..., :3]).astype(int)
    left, top, side = 104, 42, images.TILE // 2
    for row in range(2):
        for column in range(2):
            there = pixels[top + row * side + side // 2, left + column * side + side // 2]
            assert there.tolist() == [codes[0, row, column]] * 3


def test_grey_and_difference_scales() -> None:
    assert images.grey(np.array([0, 15, -1]), 15).tolist() == [[0] * 3, [255] * 3, list(images.NO_CODE)]
    below, none, above = images.diverging(np.array([-4, 0, 4]), 4).astype(int)
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert none.min() > 240
    assert images.ticks_of(2) == [-2, -1, 0, 1, 2]
    assert images.ticks_of(255)[-1] == 255
    assert len(images.ticks_of(255)) == 11


def test_tile_is_one_to_one() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    read = matplotlib.image.imread(io.BytesIO(images.tile(pixels)), format="png")[..., :3]
    assert np.array_equal(np.round(255 * read).astype(np.uint8), pixels)


def test_svg_carries_every_line() -> None:
    core = small_core()
    results = results_of(core, 3)
    rows = results.rows
    drawn = figures.errors(
        core, 1e-6, [0, 1, 2], rows["crosscheck/row_time"], rows["crosscheck/row_rms"],
        rows["crosscheck/defect_window_rms"], 1e-3,
    )  # fmt: skip
    assert drawn.startswith(b"<svg")
    assert drawn.rstrip().endswith(b"</svg>")
    for colour in (*canvas.LINES[:3], canvas.RED):
        assert colour.encode() in drawn


def test_numbers_in_words() -> None:
    assert [figure(v) for v in (3.47e-5, 0.0, 12.0, float("nan"))] == ["3.5e-5", "0", "1.2e1", "–"]
    assert [percent(v) for v in (1.0, 0.99999, 0.98046)] == ["100\xa0%", "99.99\xa0%", "98.04\xa0%"]
    assert [about(v) for v in (8.24, 274.9, 12345, 3.2e8)] == ["8.2", "270", "12,000", "3.2e8"]


def test_conclusion_counts() -> None:
    core = small_core()
    found = conclude(results_of(core, 6, unfinished=(0,), departing=(1,), unlike=(2,)), SETTINGS, "rad")
    assert (found.samples, found.passed, found.completed) == (6, 3, 5)
    assert [cause.samples for cause in found.causes] == [(0,), (1,), (2,)]
    assert np.isnan(found.worst_window[0])
    assert found.worst_window[1] == 0.02


def test_many_reasons_are_cut_short() -> None:
    core = small_core()
    results = results_of(core, 30, unfinished=range(30))
    reasons = np.array([f"reason {k}" for k in range(30)], dtype=object)
    found = conclude(replace(results, rows={**results.rows, "samples/reason": reasons}), SETTINGS, "rad")
    assert len(found.causes) == 12
    assert found.left_out == 18


def test_stricter_limits_than_a_sample_was_accepted_under() -> None:
    core = small_core()
    results = results_of(core, 2)
    rows = {**results.rows, "samples/accepted": np.array([True, False])}
    found = conclude(replace(results, rows=rows), SETTINGS, "rad")
    assert [cause.samples for cause in found.causes] == [(1,)]
    assert "not accepted when" in found.causes[0].title
