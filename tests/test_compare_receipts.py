"""The receipts of two sides: what differs, what a side that is no circuit has, and that none stops a comparison."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_results import made_up
from small import small_run, small_weights
from test_cli import ais
from test_report import check_page, words

from emulator.compare_receipts import Receipts, as_json, receipts_of, receipts_view
from emulator.receipt.beside import rows_of_differences
from emulator.receipt.difference import as_rows, differences
from emulator.receipt.make import receipt_of
from emulator.results import write_results
from emulator.sides import Side, read_side

PIXELS = np.full((3, 9), 0.5)


def side(path: Path | None, origin: str = "circuit") -> Side:
    return Side("out/x", origin, PIXELS, results=path)


def results(path: Path, **numbers: Any) -> Path:
    write_results(path, made_up(**numbers))
    return path


def compared(folder: Path, one: dict[str, Any], other: dict[str, Any], *origins: str) -> Receipts:
    """The receipts of two made-up runs."""
    first, second = origins or ("circuit", "circuit")
    return receipts_of(
        side(results(folder / "a.h5", **one), first), side(results(folder / "b.h5", **other), second)
    )


# a setting of a made-up run, values it may have, and the fields of a receipt that it bears on
BEARING: dict[str, tuple[st.SearchStrategy[Any], set[str]]] = {
    "bits": (st.integers(2, 12), {"precision.weight_bits", "energy.basis.bits"}),
    "adc_bits": (st.integers(1, 16), {"readout.adc_bits"}),
    "cycles": (st.floats(20, 1e6), {"time.cycles_per_sample", "time.clock_Hz"}),
    "chunks": (st.integers(1, 16), {"substrate.time_chunks"}),
    "side": (st.integers(5, 12), {"substrate.nodes"}),
    "seed": (st.integers(0, 99), {"simulation.seed"}),
    "oscillators_j": (st.floats(1e-9, 1e-3), {"energy.circuit_simulation.energy_per_sample_J"}),
}


@pytest.mark.parametrize("name", BEARING)
@given(data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_two_runs_differ_in_differs_in_their_receipts(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    values, fields = BEARING[name]
    one, other = data.draw(st.lists(values, min_size=2, max_size=2, unique_by=lambda v: f"{v:.3g}"))
    common = {"level": "lc", "bits": 4}
    found = compared(tmp_path, {**common, name: one}, {**common, name: other})
    rows = {row["field"]: row["status"] for row in as_json(found)["comparison"]["fields"]}
    assert {rows[field] for field in fields} == {"different"}
    shown = {
        row.field for section in receipts_view(found).shown for _, some in section.groups for row in some
    }
    above = {"energy.circuit_simulation.energy_per_sample_J"}  # side by side with their sentences
    assert fields - above <= shown
    for row in (row for section in receipts_view(found).shown for _, some in section.groups for row in some):
        assert len({cell.said for cell in row.cells}) == 2, row.name


def test_the_rows_are_those_of_the_receipts_themselves(tmp_path: Path) -> None:
    found = compared(tmp_path, {"level": "lc"}, {"bits": 4})
    of_files = differences(receipt_of(tmp_path / "a.h5"), receipt_of(tmp_path / "b.h5"))
    assert as_json(found)["comparison"] == as_rows(of_files)


def test_what_only_one_has_comes_with_the_reason(tmp_path: Path) -> None:
    view = receipts_view(compared(tmp_path, {"level": "lc", "bits": 4}, {"bits": 4}))
    only = next(section for section in view.shown if section.title == "What only A has")
    clock = next(row for _, rows in only.groups for row in rows if row.field == "time.clock_Hz")
    assert (clock.group, clock.title) == ("Time", "clock")
    assert clock.cells[0].said == "125 MHz"
    assert clock.cells[1].said.startswith("the phase level has no carrier")
    assert not clock.cells[1].recorded


def test_energies_stand_side_by_side_with_tag_and_sentence(tmp_path: Path) -> None:
    found = compared(tmp_path, {"level": "lc", "bits": 4}, {"bits": 4})
    energies = {each.title: each for each in receipts_view(found).energies}
    assert energies["measured silicon"].nobody == "this program simulates circuits; it measures none"
    (first, a), (second, b) = energies["circuit simulation"].slots
    assert (first, a.kind, second, b.kind) == ("A", "circuit simulation", "B", "")
    assert "simulated per sample" in a.sentence
    assert "draws no current" in b.missing
    assert not energies["circuit simulation"].nobody
    told = as_json(found)
    assert told["first"]["energy"]["circuit_simulation"]["energy_per_sample_J"] == pytest.approx(5e-6)
    assert "not_recorded" in told["second"]["energy"]["circuit_simulation"]


def test_a_reference_has_what_it_shares_with_the_circuit_and_no_energy(tmp_path: Path) -> None:
    """Of the very same run nothing differs; of another, what both solve and read out does, and no more."""
    found = compared(tmp_path, {"level": "lc", "bits": 4}, {"level": "lc", "bits": 6}, "circuit", "reference")
    told = as_json(found)
    assert told["second"]["energy"] is None
    assert "reference, mathematics solved in software" in told["second"]["reason"]
    fields = {row["field"]: row["status"] for row in told["comparison"]["fields"]}
    assert fields["precision.weight_bits"] == "different"
    assert not [name for name in fields if name.startswith(("energy.", "fidelity.", "layout."))]
    assert (
        not {"simulation.devices", "substrate.substrate", "time.clock_Hz", "files.netlist_sha256"}
        & fields.keys()
    )
    assert {who for each in receipts_view(found).energies for who, _ in each.slots} == {"A"}
    same = receipts_of(side(tmp_path / "a.h5"), side(tmp_path / "a.h5", "reference"))
    assert not receipts_view(same).shown
    assert receipts_view(same).compared


def test_two_references_have_no_energies_at_all(tmp_path: Path) -> None:
    found = compared(tmp_path, {"level": "lc"}, {"level": "lc"}, "reference", "reference")
    assert receipts_view(found).energies == ()
    assert len(receipts_view(found).reasons) == 2


@pytest.mark.parametrize(
    ("origin", "path", "said"),
    [
        ("data", None, "holds images, and nobody here knows what made them"),
        ("trained", "a.h5", "what the trained model gives"),
        ("circuit", None, "come from no file"),
        ("circuit", "absent.h5", "could not be made of out/x (.*absent.h5: no such file)"),
        ("circuit", "torn.h5", "could not be made of out/x"),
    ],
)
def test_a_side_without_a_receipt_says_why(tmp_path: Path, origin: str, path: str | None, said: str) -> None:
    whole = results(tmp_path / "a.h5")
    (tmp_path / "torn.h5").write_bytes(whole.read_bytes()[:2000])
    found = receipts_of(side(whole), side(path and tmp_path / path, origin))
    assert re.search(said.replace("(.", r"\(.").replace("file)", r"file\)"), found.second.reason)
    assert found.found is None
    view = receipts_view(found)
    assert (view.shown, view.folded, view.compared) == ((), (), False)
    assert view.energies
    json.dumps(as_json(found), allow_nan=False)
    assert as_json(found)["comparison"] is None


def test_a_receipt_that_fails_stops_no_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyError("samples/final")

    weights = small_weights(tmp_path / "weights.h5")
    small_run(weights, tmp_path / "run", devices="behavioural")
    monkeypatch.setattr("emulator.compare_receipts.receipt_of", fails)
    done = ais("compare", tmp_path / "run", f"{tmp_path / 'run'}:trained", "--out", tmp_path / "out")
    assert done.exit_code == 0
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    check_page(page)
    assert "A has no receipt: it could not be made of" in words(page)


def test_the_page_and_its_json_have_them(tmp_path: Path) -> None:
    weights = small_weights(tmp_path / "weights.h5")
    for name, more in [("a", {}), ("b", {"reltol": 1e-4})]:
        small_run(weights, tmp_path / name, devices="behavioural", **more)
    done = ais("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert done.exit_code == 0
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    check_page(page)
    section = words(page[page.index('<section id="receipts"') : page.index('<section id="particulars"')])
    assert "settings: reltol" in section
    assert "What is the same" in section
    told = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))["receipts"]
    assert told["first"]["receipt"]
    assert told["comparison"]["counts"]["different"] > 0


def test_entries_and_sentences_are_told_apart(tmp_path: Path) -> None:
    """Of a field with entries, those that differ; of sentences, those that not both have."""
    one, other = (receipt_of(results(tmp_path / f"{level}.h5", level=level)) for level in ("phase", "lc"))
    rows = {
        row.name: [cell.said for cell in row.cells]
        for row in rows_of_differences(differences(one, other), one, other)
    }
    caveats = rows["layout.layout_caveats"]
    assert "wires have neither length nor capacitance" in caveats[0]
    assert "drawn by nobody" not in caveats[0] + caveats[1]
    bits = receipt_of(results(tmp_path / "bits.h5", bits=4))
    rows = {
        row.name: [cell.said for cell in row.cells]
        for row in rows_of_differences(differences(one, bits), one, bits)
    }
    assert rows["precision.non_idealities[bits]"] == ["–", "4 bits"]
    assert rows["simulation.settings[non_idealities.bits]"] == ["none", "4"]
    assert "simulation.settings[adc.bits]" not in rows


def test_a_reference_is_read_with_the_file_of_its_run(tmp_path: Path) -> None:
    small_run(small_weights(tmp_path / "weights.h5"), tmp_path / "run", devices="behavioural")
    found = read_side(f"{tmp_path / 'run'}:reference", None, 10, 0)
    assert found.results == tmp_path / "run" / "results.h5"
