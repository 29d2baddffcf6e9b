"""The receipt: no field empty and none guessed, and what bears on an energy is on it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_results import made_up
from pydantic import ValidationError
from receipt_json import empty, facts
from small import Quiet, small_run, small_weights
from typer.testing import CliRunner

from emulator.cli import app
from emulator.energy.circuit import measured
from emulator.energy.extrapolation import as_published
from emulator.energy.figure import PARTS, EnergyFigure
from emulator.energy.settings import EnergySettings
from emulator.energy.words import in_joules
from emulator.folder import OutputFolder
from emulator.receipt.claim import Claim
from emulator.receipt.common import TRAINING
from emulator.receipt.difference import differences
from emulator.receipt.field import NotRecorded, Recorded, Text
from emulator.receipt.groups import Energy
from emulator.receipt.make import receipt_from, receipt_of
from emulator.receipt.model import (
    SCHEMA_FILE,
    GridReceipt,
    Receipt,
    ReceiptError,
    as_json,
    read_receipt,
    schema,
    schema_text,
    write_receipt,
)
from emulator.receipt.sources import Sources, find_sources
from emulator.receipt.stated import Stated
from emulator.results import read_results, split, write_results

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "examples" / "digits16-kurashil.h5"
CHIP = Stated(bits=4, f0=100e6, cycles=1000.0)
FIGURES = ("circuit_simulation", "extrapolation", "extrapolation_with_terms")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, of two samples."""
    out = tmp_path_factory.mktemp("digits") / "out"
    small_run(DIGITS, out, observer=Quiet(), rows=200)
    return out


@pytest.fixture
def run(digits: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(digits, tmp_path / "run"))


def receipt(stated: Stated | None = None, **numbers: Any) -> GridReceipt:
    """Of made-up results."""
    found = receipt_from(Sources(made_up(**numbers)), stated or Stated())
    assert isinstance(found, GridReceipt)
    return found


# -- the demo's ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stated", [Stated(), CHIP])
def test_no_field_of_the_demo_is_empty(digits: Path, stated: Stated) -> None:
    told = as_json(receipt_of(digits, stated=stated))
    nothing_outside = ".energy.extrapolation_with_terms.figure.outside"  # as all parts are inside
    assert [place for place in empty(told) if place != nothing_outside] == []
    found = dict(facts(told))
    assert len(found) > 60
    for place, fact in found.items():
        assert ("value" in fact) != ("not_recorded" in fact), place
        assert len(fact.get("not_recorded", "a reason")) > 5, place
    if stated == CHIP:
        whole = told["energy"]["extrapolation_with_terms"]["figure"]
        assert {share["part"] for share in whole["shares"]} == set(PARTS)


def test_the_demos_facts(digits: Path) -> None:
    told = {place: fact.get("value") for place, fact in facts(as_json(receipt_of(digits / "results.h5")))}
    assert told["substrate.nodes"] == 256
    assert told["substrate.hidden"] == 192
    assert told["substrate.coupling_degree"] == 5220 / 256
    assert told["substrate.symmetry"] == "symmetric"
    assert told["substrate.time_chunks"] == 4
    assert told["training.dataset"] == "scikit-learn digits 8x8"
    assert told["training.discriminator"] is None
    assert told["precision.weight_bits"] == "full precision"
    assert told["time.settling_time_s"] == pytest.approx(8e-6)
    assert told["time.clock_Hz"] is None
    assert told["simulation.kind"] == "circuit simulation"
    assert told["fidelity.verdicts"] == {"COMPLETED": 2}


def test_a_run_leaves_the_receipt_that_its_results_give(digits: Path) -> None:
    assert read_receipt(digits / "receipt.json") == receipt_of(digits)


def test_the_report_shows_it(digits: Path) -> None:
    page = (digits / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="receipt"') : page.index('<section id="again"')]
    for words in ("not recorded", "measured silicon", "training-energy boundary", "layout caveats"):
        assert words in section


def test_the_results_alone_say_all_but_what_only_the_folder_knows(digits: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(digits / "results.h5", tmp_path / "results.h5"))
    apart = [
        each
        for each in differences(receipt_of(digits), receipt_of(alone))
        if each.status not in ("same", "in neither")
    ]
    assert {each.field for each in apart} == {"files.finished", "fidelity.samples_asked"}
    assert {each.status for each in apart} == {"only in A"}


# -- the file and its schema -----------------------------------------------------------------------------------


def test_the_schema_that_ships_is_that_of_the_model() -> None:
    path = ROOT / "emulator" / "receipt" / SCHEMA_FILE
    assert path.read_text(encoding="utf-8") == schema_text(), (
        "python -m emulator.receipt prints the schema anew"
    )
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("stated", [Stated(), CHIP])
@pytest.mark.parametrize("level", ["phase", "lc"])
def test_receipts_validate(stated: Stated, level: str) -> None:
    made = receipt(stated if level == "phase" else None, level=level)
    jsonschema.Draft202012Validator(schema()).validate(as_json(made))


@pytest.mark.parametrize(
    ("group", "field", "value"),
    [
        ("substrate", "nodes", {"value": -1, "origin": "run"}),
        ("substrate", "nodes", {"value": 3, "origin": "somebody"}),
        ("substrate", "nodes", {}),
        ("substrate", "family", {"value": "", "origin": "run"}),
        ("substrate", "family", {"not_recorded": ""}),
        ("substrate", "symmetry", {"value": "lopsided", "origin": "run"}),
        ("substrate", "colour", {"value": "red", "origin": "run"}),
        ("energy", "extrapolation", None),
    ],
)
def test_what_is_no_receipt_validates_neither_by_schema_nor_by_model(
    tmp_path: Path, group: str, field: str, value: Any
) -> None:
    told = as_json(receipt())
    told[group][field] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(told)
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(told))
    with pytest.raises(ReceiptError, match=field):
        read_receipt(path)


def test_a_receipt_survives_its_file(tmp_path: Path) -> None:
    made = receipt(CHIP)
    write_receipt(tmp_path / "receipt.json", made)
    assert read_receipt(tmp_path / "receipt.json") == made


def test_a_total_that_is_not_the_sum_of_the_shares_is_refused(tmp_path: Path) -> None:
    told = as_json(receipt(CHIP))
    told["energy"]["extrapolation"]["energy_per_sample_J"] /= 1000  # the classic: mJ for µJ
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(told))
    with pytest.raises(ReceiptError, match="is said, and the shares come to"):
        read_receipt(path)


@pytest.mark.parametrize("value", ["", float("nan"), {}, ()])
def test_a_recorded_nothing_cannot_be_made(value: Any) -> None:
    with pytest.raises(ValidationError):
        Recorded[Any](value=value, origin="run")


# -- energies --------------------------------------------------------------------------------------------------

DRAWN: dict[str, tuple[st.SearchStrategy[Any], tuple[str, ...]]] = {
    # what changes, and which figures it bears on
    "side": (st.integers(5, 40), ("extrapolation", "extrapolation_with_terms")),
    "degree": (st.floats(1, 24), ("extrapolation", "extrapolation_with_terms")),
    "stated.bits": (st.integers(1, 12), ("extrapolation", "extrapolation_with_terms")),
    "stated.f0": (st.floats(1e6, 1e10), ("extrapolation", "extrapolation_with_terms")),
    "stated.cycles": (st.floats(10, 1e5), ("extrapolation", "extrapolation_with_terms")),
    "bits": (st.integers(2, 12), ("extrapolation", "extrapolation_with_terms")),
    "chunks": (st.integers(1, 16), ("extrapolation_with_terms",)),
    "visible": (st.integers(1, 25), ("extrapolation_with_terms",)),
    "adc_bits": (st.integers(1, 16), ("extrapolation_with_terms",)),
    "symmetric": (st.booleans(), ("extrapolation_with_terms",)),
    "mean_wire": (st.floats(0.1, 30), ("extrapolation_with_terms",)),
    "oscillators_j": (st.floats(1e-9, 1e-3), ("circuit_simulation",)),
    "couplers_j": (st.floats(1e-9, 1e-3), ("circuit_simulation",)),
    "tau": (st.floats(1e-9, 1e-3), ("extrapolation", "extrapolation_with_terms")),
    # at a fixed time unit another frequency, of which only wires and lines that are charged every cycle take more
    "cycles": (st.floats(20, 1e6), ("extrapolation_with_terms",)),
    "level": (st.sampled_from(["phase", "lc", "ring"]), ()),
    "seed": (st.integers(0, 99), ()),
    "pixel_rms": (st.floats(1e-6, 1), ()),
    "family": (st.sampled_from(["kurashil", "kuramoto", "polynomial_ising"]), ()),
}
OF_CARRIER = ("oscillators_j", "couplers_j", "tau", "cycles")


def of(name: str, value: Any) -> GridReceipt:
    """The receipt where one number is this."""
    if name in OF_CARRIER:
        return receipt(**{"level": "lc", "bits": 4, name: value})
    stated = CHIP.model_dump()
    if name == "level":
        return receipt(level=value)
    if name.startswith("stated."):
        return receipt(Stated.model_validate(stated | {name.removeprefix("stated."): value}))
    numbers = {name: value}
    return receipt(Stated.model_validate(stated | ({"bits": None} if name == "bits" else {})), **numbers)


@pytest.mark.parametrize("name", DRAWN)
@given(data=st.data())
@settings(max_examples=20)
def test_whatever_bears_on_an_energy_changes_the_receipt(name: str, data: st.DataObject) -> None:
    """And the figures that it bears on; the others stay what they are, where they are there at all."""
    drawn, bears = DRAWN[name]
    values = data.draw(
        st.lists(drawn, min_size=2, max_size=2, unique_by=lambda v: f"{v:.3g}" if isinstance(v, float) else v)
    )
    one, other = (of(name, value) for value in values)
    assert one != other
    assert any(each.status not in ("same", "in neither") for each in differences(one, other))
    if name in ("level", "family"):
        return
    for figure in FIGURES:
        first, second = getattr(one.energy, figure), getattr(other.energy, figure)
        assert type(first) is type(second)
        if isinstance(first, Claim):
            same = first.energy_per_sample_J == pytest.approx(second.energy_per_sample_J, rel=1e-9)
            assert same != (figure in bears), figure
        else:
            assert figure not in bears


def test_the_extrapolation_is_that_of_the_facts() -> None:
    made = receipt(CHIP)
    asked = EnergySettings.model_validate({
        "nodes": 36, "mean_degree": 10.0, "bits": 4, "f0_hz": 100e6, "cycles": 1000.0
    })  # fmt: skip
    assert isinstance(made.energy.extrapolation, Claim)
    assert made.energy.extrapolation.energy_per_sample_J == as_published(asked).joules


def test_the_simulated_energy_is_that_of_the_results() -> None:
    found = measured(made_up(level="lc"))
    assert isinstance(found, EnergyFigure)
    claim = receipt(level="lc").energy.circuit_simulation
    assert isinstance(claim, Claim)
    assert claim.figure == found
    assert claim.kind == "circuit simulation"


def test_a_carrier_has_the_frequency_of_its_cycles() -> None:
    clock = receipt(level="lc", cycles=1000.0, tau=1.25e-6).time.clock_Hz
    assert isinstance(clock, Recorded)
    assert clock.value == pytest.approx(100e6)
    assert clock.origin == "computed"


def test_what_is_stated_says_so_and_stays_out_of_the_run() -> None:
    made = receipt(CHIP)
    for name in ("bits", "clock_Hz", "cycles"):
        fact = getattr(made.energy.basis, name)
        assert fact.origin == "stated by the user"
        assert fact.note.startswith("not of the run")
    assert isinstance(made.time.clock_Hz, NotRecorded)
    assert isinstance(made.precision.weight_bits, Recorded)
    assert made.precision.weight_bits.value == "full precision"


def test_without_what_it_needs_there_is_no_extrapolation() -> None:
    energy = receipt().energy
    assert isinstance(energy.extrapolation, NotRecorded)
    for option in ("--bits", "--f0", "--cycles"):
        assert option in energy.extrapolation.not_recorded


@pytest.mark.parametrize(
    ("stated", "numbers", "said"),
    [
        ({"bits": 8}, {"bits": 4}, "--bits 8: the run says 4; leave the option out"),
        ({"f0": 1e6}, {"level": "lc"}, "--f0 1e"),
        ({"cycles": 10.0}, {"level": "lc"}, "--cycles 10: the run says 1000"),
    ],
)
def test_what_is_stated_may_not_contradict_the_run(
    stated: dict[str, Any], numbers: dict[str, Any], said: str
) -> None:
    with pytest.raises(ReceiptError, match=re.escape(said)):
        receipt(Stated.model_validate(stated), **numbers)


def test_bits_that_weights_were_trained_for_are_taken_from_their_file() -> None:
    fact = receipt(attributes={"provenance": '{"bits": 5}'}).energy.basis.bits
    assert isinstance(fact, Recorded)
    assert (fact.value, fact.origin) == (5, "weights file")
    assert isinstance(receipt(attributes={"provenance": '{"bits": 32}'}).energy.basis.bits, NotRecorded)


@pytest.mark.parametrize(
    ("stated", "numbers"), [(CHIP, {"degree": 100.0}), (Stated(bits=4, f0=1e-300, cycles=1e300), {})]
)
def test_facts_that_do_not_fit_one_another_make_no_figure(stated: Stated, numbers: dict[str, Any]) -> None:
    for slot in (
        receipt(stated, **numbers).energy.extrapolation,
        receipt(stated, **numbers).energy.extrapolation_with_terms,
    ):
        assert isinstance(slot, NotRecorded)
        assert "do not fit one another" in slot.not_recorded


def test_cells_that_are_no_oscillators_have_no_extrapolation() -> None:
    found = receipt(CHIP, family="polynomial_ising").energy.extrapolation
    assert isinstance(found, NotRecorded)
    assert "phase oscillators" in found.not_recorded


@pytest.mark.parametrize("figure", ["extrapolation", "extrapolation_with_terms"])
def test_the_sentence_has_all_that_it_rests_on(figure: str) -> None:
    claim = getattr(receipt(CHIP).energy, figure)
    for words in (
        "physical model",
        "routing budget",
        "precision",
        "workload",
        "fidelity target",
        "per sample",
    ):
        assert words in claim.sentence
    assert "estimated" in claim.sentence
    assert "simulated per sample" not in claim.sentence
    budget = "inside:" if figure.endswith("terms") else "none: the paper says"
    assert budget in claim.under.routing_budget
    assert "full precision" in claim.under.fidelity_target  # of the samples, which the chip's bits are not


# -- what is missing -------------------------------------------------------------------------------------------


def forget(run: Path, *names: str) -> None:
    """Results as earlier versions left them."""
    with h5py.File(run / "results.h5", "a") as file:
        for name in names:
            del file.attrs[name]


def test_of_earlier_results_the_weights_file_says_the_rest(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    forget(run, "core", "provenance", "tau")
    (run / "run.json").unlink()
    made = receipt_of(run / "results.h5", weights=DIGITS)
    assert isinstance(made, GridReceipt)
    degree = made.substrate.coupling_degree
    assert isinstance(degree, Recorded)
    assert (degree.value, degree.origin) == (5220 / 256, "weights file")
    assert isinstance(made.training.dataset, Text)
    shutil.copy(DIGITS, run / DIGITS.name)  # and is found where it lies beside the results
    assert receipt_of(run / "results.h5") == made


def test_a_weights_file_that_was_tampered_with_is_not_believed(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    forget(run, "core", "provenance")
    (run / "run.json").unlink()
    path = Path(shutil.copy(DIGITS, run / DIGITS.name))
    with h5py.File(path, "a") as file:
        file.attrs["dataset"] = "ImageNet"
    made = receipt_of(run / "results.h5")
    assert isinstance(made, GridReceipt)
    for fact in (made.training.dataset, made.substrate.coupling_degree):
        assert isinstance(fact, NotRecorded)
        assert "has the SHA-256" in fact.not_recorded
    with pytest.raises(ReceiptError, match=r"not with these weights: .* has the SHA-256"):
        receipt_of(run / "results.h5", weights=path)


def test_results_beside_anothers_run_json_do_not_believe_it(run: Path) -> None:
    told = json.loads((run / "run.json").read_text())
    told["identity"]["weights_sha256"] = "f" * 64
    (run / "run.json").write_text(json.dumps(told))
    made = receipt_of(run)
    assert isinstance(made.files.finished, NotRecorded)


def test_an_unfinished_run_has_a_receipt_of_what_is_there(run: Path) -> None:
    folder = OutputFolder(run)
    first, _ = split(read_results(folder.results))
    write_results(folder.part(0), first)
    folder.results.unlink()
    folder.describe(state="running", finished=None)
    made = receipt_of(run)
    assert isinstance(made, GridReceipt)
    assert (made.fidelity.samples.value, made.fidelity.samples_asked.value) == (1, 2)  # type: ignore[union-attr]
    assert made.files.finished == NotRecorded(not_recorded="the run is not finished")
    assert made.substrate.nodes == receipt_of(run).substrate.nodes
    folder.part(0).unlink()
    with pytest.raises(ReceiptError, match=r"without a finished sample; finish it with ais run … --resume"):
        receipt_of(run)


@pytest.mark.parametrize(
    "name", ["settings", "family", "seed", "level", "non_idealities", "core", "readout", "tau"]
)
@pytest.mark.parametrize("value", [None, "\x1b[31mnonsense", "[]", "{}"])
def test_damaged_attributes_are_not_recorded_and_nothing_is_obeyed(name: str, value: str | None) -> None:
    made = as_json(receipt(attributes={name: value}))
    jsonschema.Draft202012Validator(schema()).validate(made)
    assert "\x1b" not in json.dumps(made, ensure_ascii=False)


# -- comparison ------------------------------------------------------------------------------------------------


def test_a_receipt_and_itself_are_the_same() -> None:
    made = receipt(CHIP)
    assert {each.status for each in differences(made, made)} <= {"same", "in neither"}


@given(st.sampled_from(sorted(DRAWN)), st.sampled_from(sorted(DRAWN)), st.data())
@settings(max_examples=60)
def test_comparison_is_symmetric(first: str, second: str, data: st.DataObject) -> None:
    one, other = (of(name, data.draw(DRAWN[name][0])) for name in (first, second))
    mirror = {"only in A": "only in B", "only in B": "only in A"}
    there, back = (
        {each.field: each for each in found} for found in (differences(one, other), differences(other, one))
    )
    assert there.keys() == back.keys()
    for name, each in there.items():
        assert mirror.get(each.status, each.status) == back[name].status
        assert (each.first, each.second) == (back[name].second, back[name].first)


def test_comparison_names_the_field() -> None:
    found = {each.field: each for each in differences(receipt(CHIP), receipt(CHIP, visible=4))}
    assert found["substrate.visible"].status == "different"
    assert (found["substrate.visible"].first["value"], found["substrate.visible"].second["value"]) == (9, 4)
    stated = {each.field: each for each in differences(receipt(), receipt(CHIP))}
    assert stated["energy.basis.bits"].status == "only in B"
    assert stated["time.clock_Hz"].status == "in neither"


# -- the command -----------------------------------------------------------------------------------------------


def ais(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["receipt", *(str(word) for word in words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


def test_the_command_prints_and_writes_one(digits: Path, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    code, said = ais(digits, "--bits", 4, "--f0", "100MHz", "--cycles", 1000, "--out", path)
    assert code == 0
    for words in (
        "16 x 16 grid",
        "not recorded",
        "stated by the user",
        "outside",
        "Under this physical model",
    ):
        assert words in said
    assert isinstance(read_receipt(path).energy.extrapolation, Claim)
    code, said = ais(digits, "--json")
    assert code == 0
    assert json.loads(said)["format"] == "ais-receipt"


def test_the_command_compares_two(digits: Path, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    ais(digits, "--bits", 4, "--out", path)
    code, said = ais(digits, path)
    assert code == 0
    assert "energy.basis.bits" in said
    code, said = ais(digits, path, "--json")
    told = json.loads(said)
    assert told["counts"]["different"] == 0
    # the bits, and that the others are still lacking
    assert [each["field"] for each in told["fields"] if each["status"] == "only in B"] == [
        "energy.basis.bits"
    ]
    code, said = ais(digits, digits)
    assert code == 0
    assert "different" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no such file"),
        (["text.json"], "text.json: is no receipt"),
        (["other.json"], "other.json: format is 'ais-run'; expected 'ais-receipt'"),
        (
            ["later.json"],
            "is a receipt of version 2; this program reads version 1. Make it anew from the results",
        ),
        (["text.h5"], "not a readable HDF5 file"),
        (
            ["weights.h5"],
            "attribute format is 'ais-weights'; expected 'ais-results' or 'ais-network-results'",
        ),
        (["."], "a folder without a run"),
        (["receipt.json", "--bits", "4"], "a receipt that is made can't be added to"),
        (["receipt.json", "receipt.json", "--bits", "4"], "of two receipts nothing can be stated"),
        (["receipt.json", "receipt.json", "--out", "x"], "--out writes one receipt"),
        (["receipt.json", "--bits", "0"], "--bits: Input should be greater than or equal to 1, received 0"),
        (["receipt.json", "--f0", "fast"], "--f0 fast: expected a frequency"),
    ],
)
def test_bad_input_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.json").write_text("nothing")
    Path("text.h5").write_text("nothing")
    Path("other.json").write_text('{"format": "ais-run"}')
    Path("later.json").write_text('{"format": "ais-receipt", "version": 2}')
    small_weights(Path("weights.h5"))
    write_receipt(Path("receipt.json"), receipt())
    code, told = ais(*words)
    assert code == 2
    assert said in told.replace("│ ", "").replace(" │", "")


def test_sources_keep_what_a_folder_says(digits: Path) -> None:
    found = find_sources(digits)
    assert found.run["state"] == "finished"
    made: Receipt = receipt_from(found)
    assert made == receipt_of(digits)


# -- the documentation -----------------------------------------------------------------------------------------


def test_the_documentation_says_what_the_program_says(digits: Path) -> None:
    page = (ROOT / "docs" / "reading-a-receipt.md").read_text(encoding="utf-8")
    energy = receipt_of(digits, stated=CHIP).energy
    assert isinstance(energy, Energy)
    for claim in (energy.extrapolation, energy.extrapolation_with_terms):
        assert isinstance(claim, Claim)
        between = f"({in_joules(claim.low_J)} to {in_joules(claim.high_J)})"
        assert f"{in_joules(claim.energy_per_sample_J)} {between}" in page
        for share in claim.figure.shares:
            assert in_joules(share.joules) in page
    for attributes in TRAINING.values():
        assert all(f"`{name}`" in page for name in attributes)
    for field in GridReceipt.model_fields.values():
        assert field.title is None or field.title.split(" and ")[0] in page
