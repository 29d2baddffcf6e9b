"""The receipts of a campaign: those of the runs that its points are, and what varies along each axis."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import jsonschema
import pytest
from campaigns import campaign_file, run_campaign, two_weights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import small_run
from test_campaign_report import stored
from test_cli import ais
from test_report import check_page, words

from emulator.campaign.along import MOST_VALUES, CampaignReceipts, receipts_of_campaign
from emulator.campaign.file import CampaignError, read_campaign
from emulator.campaign.names import NAMES
from emulator.campaign.receipts import receipt_of_campaign
from emulator.campaign.report import write_campaign_report
from emulator.campaign.store import Store
from emulator.receipt.beside import Row
from emulator.receipt.claim import Claim
from emulator.receipt.difference import differences
from emulator.receipt.field import NotRecorded
from emulator.receipt.make import receipt_of
from emulator.receipt.model import GridReceipt, as_json, schema
from emulator.receipt.stated import Stated

LC = '[settings]\nlevel = "lc"\nrows = 50\n\n[grid]\ncycles = [60, 90]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of eight pixels and of four, and campaigns of them: ``phase`` of two seeds, and ``lc``."""
    found = two_weights(tmp_path_factory.mktemp("receipts"))
    run_campaign(campaign_file(found, seeds="[3, 4]"), found / "phase")
    run_campaign(campaign_file(found, LC, weights='["b.h5"]', samples=2), found / "lc")
    return found


@pytest.fixture
def campaign(folder: Path, tmp_path: Path) -> Path:
    """A copy of ``phase`` that a test may spoil."""
    return Path(shutil.copytree(folder / "phase", tmp_path / "phase"))


def made(path: Path, number: int = 0, stated: Stated | None = None) -> GridReceipt:
    found, _ = receipt_of_campaign(path / "campaign.h5", number, None, stated or Stated())
    assert isinstance(found, GridReceipt)
    return found


def along(path: Path) -> CampaignReceipts:
    with Store(path) as store:
        found = receipts_of_campaign(store, path.parent)
    assert found is not None
    return found


def rows(found: CampaignReceipts, axis: str) -> dict[str, Row]:
    """By name, those that vary along an axis."""
    fields = next(each for each in found.along if each.axis == axis).fields
    return {row.name: row for _, some in fields.groups for row in some}


# -- of one point ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_the_receipt_of_a_point_is_that_of_the_run_with_its_settings(
    folder: Path, tmp_path: Path, number: int
) -> None:
    """Energies, netlist, couplings, fidelity, to the bit: nothing that a run knows is lost on the way."""
    with Store(folder / "lc" / "campaign.h5") as store:
        settings = dict(store.points[number].settings)
    small_run(folder / "b.h5", tmp_path / "run", **{**settings, "samples": 2})
    run, point = receipt_of(tmp_path / "run"), made(folder / "lc", number)
    apart = {each.field for each in differences(run, point) if each.status not in ("same", "in neither")}
    assert apart == {"files.finished"}
    assert isinstance(point.energy.circuit_simulation, Claim)


def test_samples_of_several_seeds_are_one_receipt(folder: Path) -> None:
    found = made(folder / "phase", 5)
    assert isinstance(found.simulation.seed, NotRecorded)
    assert found.simulation.seed.not_recorded == "the samples are of several seeds: 3, 4"
    assert getattr(found.fidelity.samples, "value", None) == 6
    assert getattr(found.fidelity.samples_asked, "value", None) == 6


def test_a_campaign_of_an_earlier_version_says_what_it_does_not_know(campaign: Path, folder: Path) -> None:
    """And more, where the weights file is found."""
    with h5py.File(campaign / "campaign.h5", "a") as file:
        for name in ("points/told", "weights/told", "energy/injection"):
            del file[name]
        del file.attrs["stated"]
    before = made(campaign)
    assert isinstance(before.substrate.nodes, NotRecorded)
    assert "a.h5 is not at hand" in before.substrate.nodes.not_recorded
    assert isinstance(before.files.netlist_sha256, NotRecorded)
    assert getattr(before.readout.adc_bits, "value", None) == 8
    shutil.copy(folder / "a.h5", campaign)
    after, whole = made(campaign), made(folder / "phase")
    assert after.substrate == whole.substrate
    assert after.training == whole.training
    assert after.readout == whole.readout
    assert along(campaign / "campaign.h5").along


def test_a_campaign_states_a_chip_where_a_point_does_not_know_it(folder: Path, tmp_path: Path) -> None:
    """The extrapolation doubles with each bit; bits that a point has are its own."""
    two_weights(tmp_path)
    more = '[stated]\nbits = 7\nf0 = "100MHz"\ncycles = 500\n\n[grid]\nbits = ["none", 3, 5]\n'
    path = campaign_file(tmp_path, more, weights='["a.h5"]', samples=1)
    store = stored(read_campaign(path), tmp_path / "out", lambda _: 0.0)
    found = [made(store.parent, number) for number in range(3)]
    joules = []
    for receipt in found:
        assert isinstance(receipt.energy.extrapolation, Claim)
        joules.append(receipt.energy.extrapolation.energy_per_sample_J)
    assert joules[0] == pytest.approx(16 * joules[1])
    assert joules[2] == pytest.approx(4 * joules[1])
    origins = [as_json(each)["energy"]["basis"]["bits"]["origin"] for each in found]
    assert origins == ["stated by the user", "run", "run"]
    energy = rows(along(store), "bits")["energy.extrapolation.energy_per_sample_J"]
    assert len({cell.said for cell in energy.cells}) == 3
    other = made(store.parent, 0, Stated(bits=3))  # the user's word goes first, the campaign's for the rest
    assert isinstance(other.energy.extrapolation, Claim)
    assert other.energy.extrapolation.energy_per_sample_J == pytest.approx(joules[1])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bit = 4", "stated.bit: unknown; did you mean bits?; expected bits, f0, cycles"),
        (
            'f0 = "fast"',
            "stated.f0: Value error, expected a frequency, such as 100MHz or 1e8, received 'fast'",
        ),
        ("cycles = -1", "stated.cycles: Input should be greater than 0, received -1"),
    ],
)
def test_what_can_not_be_stated_is_refused(folder: Path, tmp_path: Path, line: str, said: str) -> None:
    two_weights(tmp_path)
    with pytest.raises(CampaignError, match=re.escape(said)):
        read_campaign(campaign_file(tmp_path, f"[stated]\n{line}\n"))


# -- along the axes --------------------------------------------------------------------------------------------

# an axis, values it may have, and the fields that it bears on; of carriers where there is one
BEARING: dict[str, tuple[st.SearchStrategy[Any], str, set[str]]] = {
    "bits": (st.integers(2, 12), "phase", {"precision.weight_bits", "energy.basis.bits"}),
    "adc_bits": (st.integers(2, 14), "phase", {"readout.adc_bits", "energy.basis.adc_bits"}),
    "cycles": (st.integers(20, 10_000), "lc", {"time.cycles_per_sample", "energy.basis.cycles"}),
}


@pytest.mark.parametrize("axis", BEARING)
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_axis_bears_on_varies_along_it(
    tmp_path_factory: pytest.TempPathFactory, axis: str, data: st.DataObject
) -> None:
    """With its values setting by setting; what it does not bear on stays out, and so does the axis itself."""
    drawn, level, fields = BEARING[axis]
    values = data.draw(st.lists(drawn, min_size=2, max_size=4, unique=True))
    here = two_weights(tmp_path_factory.mktemp("axis"))
    more = f'[settings]\nlevel = "{level}"\nrows = 50\n\n[grid]\n{axis} = {values}\nreltol = [1e-6, 1e-4]\n'
    path = campaign_file(here, more, weights='["a.h5"]', samples=1)
    found = along(stored(read_campaign(path), here / "out", lambda _: 0.0))
    told = next(each for each in found.along if each.axis == axis)
    assert told.fields.heads == tuple(str(value) for value in sorted(values))
    varying = rows(found, axis)
    assert f"simulation.settings[{'.'.join(NAMES[axis])}]" not in varying  # it heads the columns
    assert fields <= {row.field for row in varying.values()}
    for field in fields:
        assert [cell.said.replace(",", "") for cell in varying[field].cells] == [
            str(v) for v in sorted(values)
        ]
    assert not fields & {row.field for row in rows(found, "reltol").values()}


def test_along_the_weights_the_substrate_varies(folder: Path) -> None:
    found = along(folder / "phase" / "campaign.h5")
    assert [each.axis for each in found.along] == ["weights", "reltol", "adc_bits"]
    assert [cell.said for cell in rows(found, "weights")["substrate.nodes"].cells] == ["16", "8"]
    assert found.along[0].held == "reltol 1e-06, adc_bits 8"
    assert "simulation.solver_options[reltol]" in rows(found, "reltol")
    converter = rows(found, "adc_bits")
    assert [cell.said for cell in converter["readout.adc_bits"].cells] == ["4", "8"]
    assert "files.netlist_sha256" not in converter  # the converter is none of the netlist's business
    assert "files.netlist_sha256" in rows(found, "reltol")


def test_energies_vary_with_the_cycles_and_come_first(folder: Path) -> None:
    found = along(folder / "lc" / "campaign.h5")
    (cycles,) = found.along
    assert cycles.fields.groups[0][0] == "Energy"
    energy = rows(found, "cycles")["energy.circuit_simulation.energy_per_sample_J"]
    assert all(re.fullmatch(r"[\d.]+ [pn]J", cell.said) for cell in energy.cells)
    assert len({cell.said for cell in energy.cells}) == 2


def test_a_long_axis_is_thinned_and_says_so(tmp_path: Path) -> None:
    two_weights(tmp_path)
    seeds = list(range(40))
    path = campaign_file(
        tmp_path, f"[grid]\nadc_dnl_sigma_lsb = [0.1]\nadc_mismatch_seed = {seeds}\n", samples=1
    )
    (_, axis) = along(stored(read_campaign(path), tmp_path / "out", lambda _: 0.0)).along
    assert axis.fields.heads[0] == "0"
    assert axis.fields.heads[-1] == "39"
    assert (len(axis.fields.heads), axis.left_out) == (MOST_VALUES, 40 - MOST_VALUES)


def test_where_no_two_points_are_alike_in_all_else_it_is_said(tmp_path: Path) -> None:
    two_weights(tmp_path)
    points = "\n".join(
        f"[[list]]\nadc_bits = {bits}\nreltol = {tol}\n" for bits, tol in [(8, 1e-6), (4, 1e-4)]
    )
    path = campaign_file(tmp_path, points, weights='["a.h5"]', samples=1)
    found = along(stored(read_campaign(path), tmp_path / "out", lambda _: 0.0))
    assert found.along == ()
    assert found.nowhere == ("adc_bits", "reltol")


# -- the report and the command --------------------------------------------------------------------------------


def section(path: Path) -> str:
    page = path.read_text(encoding="utf-8")
    check_page(page)
    return words(page[page.index('<section id="receipt"') : page.index('<section id="again"')])


def test_the_report_has_them(folder: Path) -> None:
    told = section(folder / "lc" / "report.html")
    assert "Here is that of the first, b, cycles 60" in told
    assert "Along cycles" in told
    assert "were simulated per sample" in told
    assert "training-energy boundary" in told


def test_receipts_that_fail_stop_no_report(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("<b>no</b>")

    monkeypatch.setattr("emulator.campaign.report.receipts_of_campaign", fails)
    path = campaign_file(two_weights(tmp_path), samples=1)
    store = stored(read_campaign(path), tmp_path / "out", lambda _: 0.0)
    write_campaign_report(read_campaign(path), store, tmp_path / "page.html", tmp_path)
    assert "None could be made: <b>no</b>" in section(tmp_path / "page.html")


def test_the_command_takes_a_point(folder: Path, tmp_path: Path) -> None:
    done = ais("receipt", folder / "phase")
    assert done.exit_code == 0
    assert "point 0 of 8: a, reltol 1e-06, adc_bits 8" in done.stdout
    done = ais("receipt", f"{folder / 'phase'}:7", "--json", "--out", tmp_path / "point.json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema()).validate(told)
    assert told["readout"]["adc_bits"]["value"] == 4
    assert json.loads((tmp_path / "point.json").read_text()) == told
    done = ais("receipt", f"{folder / 'phase'}:6", tmp_path / "point.json", "--json")
    fields = {each["field"]: each["status"] for each in json.loads(done.stdout)["fields"]}
    assert fields["readout.adc_bits"] == "different"
    assert fields["substrate.nodes"] == "same"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("phase:8", "has no point 8; expected 0 to 7"),
        ("phase/report.html", "expected results of a run, or a receipt's JSON"),
        ("none:1", "no such file"),
        ("begun", "a campaign without a finished sample; finish it with ais sweep … --resume"),
        ("torn", "campaign.h5"),
    ],
)
def test_bad_input_is_told(folder: Path, tmp_path: Path, name: str, said: str) -> None:
    here = Path(shutil.copytree(folder / "phase", tmp_path / "phase")).parent
    shutil.copytree(here / "phase", here / "begun")
    (here / "begun" / "campaign.h5").unlink()
    shutil.copytree(here / "phase", here / "torn")
    (here / "torn" / "campaign.h5").write_bytes((here / "phase" / "campaign.h5").read_bytes()[:4000])
    done = ais("receipt", here / name)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
