"""Campaign files: what they come to, and what is said of those that come to nothing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from campaigns import campaign_file, two_weights
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from typer.testing import CliRunner

from emulator.campaign.file import CampaignError, read_campaign
from emulator.campaign.names import NAMES, meaning_of, nearest, nested, value_of
from emulator.campaign.points import cell_identity
from emulator.cli import app
from emulator.settings import RunSettings, settings_for

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_weights(tmp_path_factory.mktemp("weights"))


def problems(folder: Path, more: str = "", **keys: Any) -> list[str]:
    with pytest.raises(CampaignError) as caught:
        read_campaign(campaign_file(folder, more, **keys))
    assert str(folder / "campaign.toml") in str(caught.value)
    return list(caught.value.problems)


# --- names


def test_every_setting_has_a_name_but_those_that_a_campaign_says_itself() -> None:
    def leaves(model: BaseModel) -> int:
        values = [getattr(model, name) for name in type(model).model_fields]
        return sum(leaves(value) if isinstance(value, BaseModel) else 1 for value in values)

    assert len(NAMES) == leaves(RunSettings.model_validate({})) - 4
    assert not NAMES.keys() & {"samples", "seed", "jobs", "keep_trajectories"}
    assert NAMES["bits"] == ("non_idealities", "bits")
    assert NAMES["adc_bits"] == ("adc", "bits")


@given(st.sampled_from(sorted(NAMES)))
def test_a_default_set_by_name_changes_nothing(name: str) -> None:
    plain = settings_for("cos", {})
    value = value_of(plain, name)
    assert settings_for("cos", nested({name: value})) == plain
    assert meaning_of(name)


def test_the_nearest_name_is_told() -> None:
    assert nearest("nosie", NAMES) == "; did you mean noise?"
    assert nearest("mismatch-coupling", NAMES) == "; did you mean mismatch_coupling?"
    assert nearest("weather", NAMES) == ""


# --- what a file comes to


def test_a_grid_is_a_product_with_the_weights(folder: Path) -> None:
    more = '[settings]\nrows = 60\n[grid]\nbits = ["none", 4]\ndetuning = ["0.1 %", 0.01]\n'
    campaign = read_campaign(campaign_file(folder, more, seeds="[3, 1]", title='"both"'))
    assert campaign.title == "both"
    assert campaign.axes == ("bits", "detuning")
    assert campaign.seeds == (3, 1)
    assert campaign.simulations == 2 * 4 * 2 * 3
    assert [point.number for point in campaign.points] == list(range(8))
    assert [dict(point.values) for point in campaign.points[:4]] == [
        {"bits": None, "detuning": 0.001}, {"bits": None, "detuning": 0.01},
        {"bits": 4, "detuning": 0.001}, {"bits": 4, "detuning": 0.01},
    ]  # fmt: skip
    assert all(point.settings.rows == 60 for point in campaign.points)
    assert [point.source for point in campaign.points] == [0] * 4 + [1] * 4
    assert campaign.describe(campaign.points[1]) == "a, bits=none, detuning=1%"


def test_a_list_has_a_point_each_and_defaults_for_what_it_leaves_out(folder: Path) -> None:
    more = '[[list]]\n[[list]]\ndetuning = "1%"\n[[list]]\nmismatch_coupling = 0.05\n'
    campaign = read_campaign(campaign_file(folder, more, weights='["a.h5"]'))
    assert campaign.axes == ("detuning", "mismatch_coupling")
    assert [tuple(point.values.values()) for point in campaign.points] == [(0, 0), (0.01, 0), (0, 0.05)]


def test_several_grids_are_put_together(folder: Path) -> None:
    more = "[[grid]]\nbits = [2, 3]\n[[grid]]\nnoise = [0.1, 0.2, 0.3]\n"
    campaign = read_campaign(campaign_file(folder, more, weights='["a.h5"]'))
    assert len(campaign.points) == 5
    assert campaign.points[4].values == {"bits": None, "noise": 0.3}


def test_without_a_grid_there_is_a_point_a_weights_file(folder: Path) -> None:
    campaign = read_campaign(campaign_file(folder, ""))
    assert (len(campaign.points), campaign.axes, campaign.title) == (2, (), "campaign")


def test_labels_are_the_files_names_or_their_own(folder: Path) -> None:
    campaign = read_campaign(campaign_file(folder, "", weights='["a.h5", {file="b.h5", label="small"}]'))
    assert [source.label for source in campaign.sources] == ["a", "small"]


def test_what_depends_on_level_and_readout_is_as_on_the_command_line(folder: Path) -> None:
    campaign = read_campaign(campaign_file(folder, '[grid]\nlevel = ["phase", "lc"]\n'))
    assert [point.settings.adc.bits for point in campaign.points[:2]] == [8, 4]
    assert campaign.points[1].settings.acceptance.worst_window_rms == 0.05


def test_a_cells_file_is_looked_for_beside_the_campaign(folder: Path) -> None:
    for name in ("cross_coupled.toml", "cross_coupled.cir"):
        shutil.copy(EXAMPLES / "cells" / name, folder / name)
    more = '[grid]\nlevel = ["phase", "cross_coupled.toml"]\n'
    campaign = read_campaign(campaign_file(folder, more))
    point = campaign.points[1]
    assert point.settings.level == str(folder / "cross_coupled.toml")
    assert campaign.describe(point) == "a, level=cross_coupled.toml"
    assert campaign.points[0].cell == ""
    # what it is counts, not where it lies
    here = cell_identity(RunSettings(level=str(EXAMPLES / "cells" / "cross_coupled.toml")))
    assert point.cell == here
    cell = folder / "cross_coupled.cir"
    cell.write_text(re.sub(r"(?m)^([Cc]\S+ \S+ \S+) \S+", r"\1 77f", cell.read_text(), count=1))
    assert read_campaign(campaign_file(folder, more)).points[1].cell != here
    cell.unlink()
    assert any("level=cross_coupled.toml: " in problem for problem in problems(folder, more))


# --- what is refused


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[grid]\nnosie = [0.1]\n", "grid.nosie: unknown setting; did you mean noise?"),
        ("[settings]\nbit = 4\n", "settings.bit: unknown setting; did you mean bits?"),
        ("[[list]]\nnosie = 0.1\n", "list[0].nosie: unknown setting; did you mean noise?"),
        ("[grid]\nbits = []\n", "grid.bits: empty; expected at least one value"),
        ("[grid]\n", "grid: empty; expected settings, each with a list of values"),
        ("[[grid]]\nbits = [4]\n[[grid]]\n", "grid[1]: empty; expected settings"),
        ("[grid]\nbits = 4\n", "grid.bits: received 4; expected a list of values"),
        ("[[list]]\nbits = [4]\n", "list[0].bits: is a list; expected one value, or a [grid]"),
        ("[grid]\nbits = [2.5]\n", "grid.bits: Input should be a valid integer, received 2.5 (resolution of"),
        ('[grid]\nbits = ["4"]\n', "grid.bits: Input should be a valid integer, received '4'"),
        ("[grid]\nbits = [true]\n", "grid.bits: Input should be a valid integer, received True"),
        ("[grid]\nbits = [99]\n", "grid.bits: Input should be less than or equal to 16, received 99"),
        ('[grid]\ndetuning = ["5 kHz"]\n', "received '5 kHz' (standard deviation of a cell's free-running frequency"),
        ('[grid]\nnoise = ["none"]\n', "grid.noise: Input should be a valid number, received 'none'"),
        ('[settings]\nquantizer = "sgined"\n', "settings.quantizer: Input should be 'signed'"),
        ('[grid]\nlevel = ["phas"]\n', "grid.level: received 'phas'; did you mean phase?; expected phase, lc, ring"),
        ("[grid]\ntime_limit_s = [1, 2]\n", "grid.time_limit_s: does not bear on the numbers"),
        ("[grid]\nsamples = [1, 2]\n", "grid.samples: unknown setting; samples stand at the top of the file"),
        ("[grid]\nseed = [1, 2]\n", "grid.seed: unknown setting; seeds stand at the top of the file"),
        ("[settings]\njobs = 2\n", "settings.jobs: unknown setting; it is an option of ais sweep"),
        ("[grid]\nmismatch_coupling = [5]\n", "which is 100%; for 5 per cent write 5%, received 5"),
        ('[grid]\nmismatch_coupling = ["200%"]\n', "Input should be less than or equal to 1, received 2.0"),
        ('[grid]\nquantizer = ["signed", "offset"]\n', "grid.quantizer: says how bits acts, which is off at every"),
        ('[settings]\nnoise_step = 0.1\n[grid]\nnoise = [0.0]\n', "settings.noise_step: says how noise acts, which"),
        ("[settings]\nbits = 3\n[grid]\nbits = [2]\n", "grid.bits: is in [settings] too; give it in one place"),
        ("[settings]\nadc_low = 2\n", "settings.adc_low = 2: high must be above low, received low=2.0, high=1.0"),
        ("[settings]\nadc_aperture_s = 1.0\n", "settings: a: the ADC's aperture of 1 s is longer than the run's"),
        ("[grid]\nbits = [4, 4]\n", "grid: the point a, bits=4 is the same as that of grid, a, bits=4"),
        ("[[list]]\n[[list]]\nnoise = 0.0\n", "the point a, noise=0 is the same as that of list[0], a"),
        (f"[grid]\nrows = {list(range(50, 450))}\ntau = {[k / 1e9 for k in range(1, 400)]}\n", "159,600 points"),
    ],
)  # fmt: skip
def test_bad_settings_are_told(folder: Path, more: str, said: str) -> None:
    assert any(problem.startswith(said) or said in problem for problem in problems(folder, more))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"sample": 4}, "sample: unknown key; did you mean samples?; known: title, weights, samples"),
        ({"bits": 4}, "bits: unknown key; bits is a setting: it goes into [settings] or [grid]"),
        ({"samples": '"4"'}, "samples: Input should be a valid integer, received '4'"),
        ({"samples": 0}, "samples: Input should be greater than or equal to 1, received 0"),
        ({"seeds": "[]"}, "seeds: List should have at least 1 item"),
        ({"seeds": "[-1]"}, "seeds[0]: Input should be greater than or equal to 0, received -1"),
        ({"seeds": "[1, 1]"}, "seeds: [1, 1] names one twice"),
        ({"weights": "[]"}, "weights: List should have at least 1 item"),
        ({"weights": '["no.h5"]'}, "weights[0] no.h5: no such file"),
        ({"weights": '["campaign.toml"]'}, "weights[0] campaign.toml: not a readable HDF5 file"),
        ({"weights": '["a.h5", "a.h5"]'}, "weights[1]: a second file is called 'a'; give it a label"),
        ({"weights": '["a.h5", {file="a.h5", label="x"}]'}, "the point x is the same as that of settings, a"),
        ({"weights": '[{file="a.h5", lable="x"}]'}, "weights[0].lable: unknown key; did you mean label?"),
        ({"weights": "[3]"}, "weights[0]: Input should be a valid dictionary"),
    ],
)
def test_bad_keys_are_told(folder: Path, keys: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems(folder, "", **keys))


def test_what_is_missing_is_told(folder: Path) -> None:
    path = folder / "campaign.toml"
    path.write_text("title = 'x'\n")
    with pytest.raises(CampaignError) as caught:
        read_campaign(path)
    assert caught.value.problems == (
        "weights: missing; expected a list of files", "samples: missing; expected a number",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"), [(b"a = \n", "is no TOML"), (b"\xff\xfe", "can't be read"), (None, "can't be read")]
)
def test_no_toml_is_told(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CampaignError, match=said):
        read_campaign(path)


def test_all_problems_are_told_at_once_and_each_once(folder: Path) -> None:
    found = problems(folder, "[settings]\nrow = 1\n[grid]\nbits = []\nnosie = [1]\n", weights='["no.h5"]')
    assert len(found) == 4
    found = problems(folder, "[grid]\nbits = [4, 99]\nnoise = [0.0, 0.1, 0.2]\n")
    assert len(found) == 1


def test_the_command_ends_with_the_problems_and_touches_nothing(folder: Path, tmp_path: Path) -> None:
    path = campaign_file(folder, "[grid]\nnosie = [1]\n")
    shown = CliRunner().invoke(app, ["sweep", str(path), "--out", str(tmp_path / "out")])
    assert shown.exit_code == 2
    assert "did you mean noise?" in shown.output
    assert isinstance(shown.exception, SystemExit)
    assert not (tmp_path / "out").exists()


def test_no_name_steers_a_terminal(folder: Path) -> None:
    path = folder / "campaign.toml"
    path.write_text('weights = ["a.h5"]\nsamples = 1\n[grid]\n"\\u001b[31m" = [1]\n')
    shown = CliRunner().invoke(app, ["sweep", str(path)])
    assert shown.exit_code == 2
    assert "\x1b[31m" not in shown.output


def test_a_chip_that_cannot_be_had_is_told_before_any_work(folder: Path) -> None:
    found = problems(folder, "[grid]\nbits = [4, 6]\ntemperature = [300.0]\n")
    assert len(found) == 4, "every weights file and kind of chip"
    assert found[0].startswith("grid: a, bits=4, temperature=300: --temperature acts on circuit elements")
