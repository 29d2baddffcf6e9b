"""Corner, temperature and detuning of a cell of one's own, as its TOML describes them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns import campaign_file
from hypothesis import given
from hypothesis import strategies as st
from own_cells import TANK_TOML, TC_CAPACITOR, TC_RESISTOR, ring, tank
from small import small_core, small_run, small_weights
from test_compile_levels import shell, written
from test_elements import assert_drifts
from typer.testing import CliRunner

import emulator.run
from device_models.corners import CornerName
from device_models.oscillator_cell import OscillatorCell
from device_models.ring_oscillator import ring_cell
from emulator.campaign.file import CampaignError, read_campaign
from emulator.characterize import cache_file, cached, identity
from emulator.chip import build
from emulator.claimed import Mode
from emulator.cli import app
from emulator.folder import FolderError
from emulator.free_cells import free_cells
from emulator.limit_cycle import FreeRun, free_run
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from emulator.tuning import measured_tuning
from netlists.as_built import NonIdealityError
from netlists.cell_file import CellFileError, read_cell
from netlists.characterization import Tuning
from netlists.core import AnalogCore
from netlists.sizing import SizingError
from netlists.spice_text import assignments, spice_number
from netlists.tuning import extrapolated, tuned_values, with_default

pytestmark = [  # estimates of the ladder, for cells without couplers
    pytest.mark.filterwarnings("ignore:Mean of empty slice"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide"),
]
EXAMPLE = Path(__file__).parents[1] / "examples" / "cells" / "cross_coupled.toml"
ROOM = 300.15  # kelvin: ngspice's own, and what its cards are for


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for the characterisations of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def free(simulator: Simulator, cell: OscillatorCell) -> FreeRun:
    return free_run(simulator, cell, cell.points_per_cycle)


def still(shape: tuple[int, int] = (2, 2)) -> AnalogCore:
    """Weak couplings, no detuning."""
    core = small_core(shape, 1, strength=0.2)
    return replace(core, parameters={**core.parameters, "detuning": np.zeros(core.nodes)})


# --- physics


@pytest.mark.parametrize(
    ("corner", "kelvin"), [("typical", None), ("slow", None), ("fast", None), ("typical", 400.0)]
)
def test_the_ring_as_a_file_is_the_built_in_ring(
    simulator: Simulator, tmp_path: Path, corner: CornerName, kelvin: float | None
) -> None:
    """The same cards, written by hand, at the same corner or temperature: the same oscillator."""
    own = free(simulator, read_cell(ring(tmp_path), corner=corner, kelvin=kelvin))
    ours = free(simulator, ring_cell(corner=corner, kelvin=kelvin))
    # frequencies are sought to 1e-8
    assert own.steps.frequency == pytest.approx(ours.steps.frequency, rel=2e-8)
    assert own.power == pytest.approx(ours.power, rel=1e-6)
    np.testing.assert_allclose(own.output[:4], ours.output[:4], rtol=1e-6)


def test_elements_follow_their_temperature_coefficients(simulator: Simulator, tmp_path: Path) -> None:
    path = tank(tmp_path)
    cold, room, hot = (free(simulator, read_cell(path, kelvin=kelvin)) for kelvin in (250.15, ROOM, 400.15))
    for found, more in ((cold, -50.0), (room, 0.0), (hot, 100.0)):
        assert found.power == pytest.approx(1e-4 / (1 + TC_RESISTOR * more), rel=1e-9)
        # a little beside the tank's own frequency, by its limiter: ε²/16 with ε = 0.1
        expected = 1 / math.sqrt(1 + TC_CAPACITOR * more)
        assert found.steps.frequency / room.steps.frequency == pytest.approx(expected, rel=1e-4)
    # nothing is left behind, and its own temperature is the simulator's
    assert free(simulator, read_cell(path)).steps.frequency == room.steps.frequency


def test_the_typical_corner_is_the_text_itself(simulator: Simulator, tmp_path: Path) -> None:
    path = tank(tmp_path)
    plain = tank(tmp_path, TANK_TOML.partition("[corners")[0] + '[detuning]\nparameter = "cload"\n')
    without = read_cell(plain)
    tank(tmp_path)
    assert repr(read_cell(path, corner="typical")) == repr(without)
    slow = read_cell(path, corner="slow")
    ratio = free(simulator, slow).steps.frequency / free(simulator, without).steps.frequency
    assert ratio == pytest.approx(1 / math.sqrt(1.1), rel=1e-4)


def test_the_example_at_its_corners(simulator: Simulator) -> None:
    """Its transistors set power and amplitude; its frequency is its tanks', and hardly moves."""
    slow, typical, fast = (
        free(simulator, read_cell(EXAMPLE, corner=corner)) for corner in ("slow", "typical", "fast")
    )
    assert slow.power < 0.98 * typical.power < 0.96 * fast.power
    assert abs(slow.output[1]) < 0.99 * abs(typical.output[1]) < 0.98 * abs(fast.output[1])
    assert slow.steps.frequency == pytest.approx(fast.steps.frequency, rel=5e-3)


@pytest.mark.parametrize("own", [True, False])
def test_what_a_capacitor_does_to_the_frequency(simulator: Simulator, tmp_path: Path, own: bool) -> None:
    """A power of −1/2, of a tank; of the ring, a little less than −1. And what it says of a cell, that cell does."""
    cell = read_cell(tank(tmp_path)) if own else ring_cell()
    points = 64 if own else 100
    by_itself = free_run(simulator, cell, points)
    found = measured_tuning(simulator, cell, by_itself)
    if own:
        assert found.sensitivity == pytest.approx(-0.5, abs=2e-3)
        assert found.curvature == pytest.approx(0.0, abs=2e-3)
    else:
        assert -1 < found.sensitivity < -0.8
    asked = 0.03
    value = float(tuned_values(found, np.array([asked]))[0])
    seen = free_run(simulator, with_default(cell, value), points).steps.frequency
    assert seen / by_itself.steps.frequency - 1 == pytest.approx(asked, rel=1e-3)


@pytest.mark.parametrize("detuning", [0.002, 0.03])
def test_cells_run_at_the_frequencies_that_were_drawn(
    simulator: Simulator, tmp_path: Path, detuning: float
) -> None:
    """In an array at a corner and hot: were it anywhere else than its characterisation, all cells would drift.

    By 0.2 % of the detuning they do, as the array's steps are those of the cell as designed: (ωh)²/6.
    """
    elements = {"corner": "slow", "temperature": 400.15, "detuning": detuning, "chip": 5}
    run = free_cells(simulator, 2, str(tank(tmp_path)), 100, elements)
    assert_drifts(run.trajectory.time, run.trajectory.state, run.built.detuning)
    # the same die as of any other level
    ours = build(
        run.built.core, RunSettings.model_validate({"non_idealities": {"detuning": detuning, "chip": 5}})
    )
    assert ours.die is not None
    assert run.built.die is not None
    np.testing.assert_array_equal(run.built.die.detuning, ours.die.detuning)


def test_a_cell_that_dies_when_tuned_is_still_characterised(simulator: Simulator, tmp_path: Path) -> None:
    """Its conductance is just enough, and so is its characterisation for cells that are all alike."""
    toml = TANK_TOML.replace('"cload"', '"loss"')
    path = tank(tmp_path, toml)
    spice = path.with_suffix(".cir")
    text = spice.read_text().replace("cload=1p", "cload=1p loss=2")
    spice.write_text(text.replace("-gain*v(out)*(1-", "-gain*v(out)*(13.5*(1-{loss}*0.46)-"))
    level = str(path)
    assert (
        free_cells(simulator, 1, level, 20, {}, oscillator={"points_per_cycle": 32}).trajectory.time[-1] > 0
    )
    with pytest.raises(
        SizingError,
        match=r"tank_cell: no cell can be detuned: with loss = 2\.21, to see .* does not oscillate",
    ):
        free_cells(simulator, 1, level, 20, {"detuning": 0.01}, oscillator={"points_per_cycle": 32})


@pytest.mark.parametrize(("a", "b"), [(-0.5, 0.0), (-0.95, 0.05), (0.3, -0.2)])
def test_a_cell_is_tuned_to_what_was_asked(a: float, b: float) -> None:
    tuning = Tuning("c", 2e-12, a, b, reach=0.1)
    asked = np.array([0.0, 0.02, -0.03, 1e-7])
    values = tuned_values(tuning, asked)
    change = np.log(values / 2e-12)
    np.testing.assert_allclose(a * change + b * change**2 / 2, np.log1p(asked), rtol=1e-9, atol=1e-15)
    assert values[0] == 2e-12
    assert extrapolated(tuning, values[[0, 3]]) is None


def test_a_parameter_that_hardly_acts_is_no_means_of_tuning() -> None:
    weak = Tuning("rbias", 1e4, -0.004, 0.0, reach=0.1)
    with pytest.raises(
        SizingError, match=r"rbias moves the frequency by -0\.004 % a per cent, too little for .*1\.00%"
    ):
        tuned_values(weak, np.array([0.01]))
    with pytest.raises(SizingError, match="too little"):
        tuned_values(replace(weak, sensitivity=0.0), np.array([0.0, 0.01]))
    with pytest.raises(SizingError, match="too little"):  # past the top of a parabola
        tuned_values(replace(weak, sensitivity=0.3, curvature=-9.0), np.array([0.05]))
    said = extrapolated(weak, tuned_values(weak, np.array([0.001, 0.0, 0.0001])))
    assert said is not None
    assert "1 of 3 cells have a rbias further" in said
    assert "(-22% at most)" in said


# --- by the commands, and what they keep


def test_a_run_says_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.run, "_write_report", lambda *_: None)
    weights = small_weights(tmp_path / "w.h5", still())
    path = tank(tmp_path)
    asked: dict[str, Any] = {"corner": "slow", "temperature": 350.0, "detuning": 0.001, "chip": 2}

    def made(mode: Mode = "new", **non_idealities: Any) -> None:
        small_run(
            weights, tmp_path / "out", mode, level=str(path), samples=1,
            oscillator={"cycles": 40, "points_per_cycle": 32},
            non_idealities=non_idealities,
        )  # fmt: skip

    made(**asked)
    folder = tmp_path / "out"
    record = json.loads((folder / "run.json").read_text())
    forces = json.loads(record["identity"]["non_idealities"])
    assert {name: each["value"] for name, each in forces.items()} == asked | {"detuning": 0.1}
    netlist = "".join(p.read_text() for p in (folder / "netlist").iterdir())
    assert ".options temp=76.85" in netlist
    assert ".param gain=1m spread=1.1" in netlist
    assert "Tank, slow corner, 350 K" in netlist
    values = [float(v) for v in re.findall(r"Xr0\dc0\d .*\btank_cell .*cload=(\S+)", netlist)]
    assert len(set(values)) == 4
    np.testing.assert_allclose(values, 1e-12, rtol=0.02)
    receipt = json.loads((folder / "receipt.json").read_text())
    said = json.dumps(receipt, ensure_ascii=False)
    assert "none: no noise drives the cells" in said  # the elements are warm, and make no noise that is known
    assert "350 K" in said
    assert "Tank, slow corner, 350 K" in said
    # what it was made of is not changed behind its back
    with pytest.raises(FolderError, match=r"non_idealities\.temperature\.value was 350\.0, now 351\.0"):
        made("resume", **asked | {"temperature": 351.0})
    tank(tmp_path, TANK_TOML.replace("spread = 1.1", "spread = 1.2"))
    with pytest.raises(FolderError, match="netlist_sha256"):
        made("resume", **asked)


def test_a_written_netlist_runs_where_it_was_made_for(simulator: Simulator, tmp_path: Path) -> None:
    """The test bench by itself, in a shell: its frequency is that of the corner and the temperature."""
    weights = small_weights(tmp_path / "w.h5", replace(still((1, 2)), coupling=np.zeros((1, 2))))
    path = tank(tmp_path)
    options = (
        "--level",
        path,
        "--cycles",
        30,
        "--points-per-cycle",
        32,
        "--corner",
        "slow",
        "--temperature",
        400.15,
    )
    written(weights, tmp_path / "out", *options)
    expected = cached(simulator, read_cell(path, corner="slow", kelvin=400.15), 32).f0_hz
    assert expected < 0.92 * free(simulator, read_cell(path)).steps.frequency
    assert shell(tmp_path / "out")["f_first"] == pytest.approx(expected, rel=2e-3)
    files, _ = written(weights, tmp_path / "xyce", *options, "--dialect", "xyce")
    assert ".options device temp=127" in "".join(files.values())


def test_a_cell_is_characterised_at_its_corner_and_temperature(tmp_path: Path) -> None:
    command = [
        "characterize",
        str(tank(tmp_path)),
        "--out",
        str(tmp_path / "out"),
        "--points-per-cycle",
        "32",
    ]
    found = CliRunner().invoke(app, [*command, "--corner", "slow", "--temperature", "400.15"])
    assert found.exit_code == 0, found.output
    assert "tuning by cload" in found.output
    said = json.loads((tmp_path / "out" / "characterization.json").read_text())
    assert said["settings"]["title"] == "Tank, slow corner, 400.15 K"
    assert said["power_w"] == pytest.approx(1e-4 / 1.2, rel=1e-9)
    assert said["tuning"]["parameter"] == "cload"
    assert said["tuning"]["sensitivity"] == pytest.approx(-0.5, abs=0.005)
    refused = CliRunner().invoke(app, [*command, "--corner", "fast"])
    assert refused.exit_code == 2
    assert "corner fast: the cell has none, only typical, slow" in " ".join(refused.output.split())


def test_no_characterisation_serves_another_cell(simulator: Simulator, tmp_path: Path) -> None:
    path = ring(tmp_path)
    cells = [read_cell(path, corner=corner) for corner in ("typical", "slow", "fast")]
    cells += [read_cell(path, kelvin=kelvin) for kelvin in (ROOM, 350.0)]
    cells += [read_cell(path, corner="slow", kelvin=350.0), replace(cells[0], tuning="")]
    path.write_text(path.read_text().replace("spread = 1.1", "spread = 1.11"))
    cells.append(read_cell(path, corner="slow"))
    files = [cache_file(simulator, cell) for cell in cells]
    assert len(set(files)) == len(files)
    # the same cell, whatever else its file says
    assert cache_file(simulator, read_cell(path)) == files[0]
    assert cache_file(simulator, read_cell(path, corner="fast")) == files[2]


def test_corners_as_the_axis_of_a_campaign(tmp_path: Path) -> None:
    small_weights(tmp_path / "a.h5", still())
    path = tank(tmp_path)
    grid = f'[settings]\nlevel = "{path.name}"\ncycles = 40.0\n[grid]\n'
    more = grid + 'corner = ["typical", "slow"]\ntemperature = ["none", 350.0]\n'
    points = read_campaign(campaign_file(tmp_path, more, weights='["a.h5"]')).points
    assert len({point.cell for point in points}) == 4
    with pytest.raises(CampaignError, match=r"corner=fast: .*the cell has none, only typical, slow"):
        read_campaign(campaign_file(tmp_path, grid + 'corner = ["slow", "fast"]\n', weights='["a.h5"]'))


# --- what is refused


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[corners.slow]", "[corners.ss]", "corners.ss"),
        ("spread = 1.1", "", "corners.slow: says nothing"),
        ("spread = 1.1", "spraed = 1.1", "corners.slow.spraed: no .param line outside of the subcircuits sets it"),
        ("spread = 1.1", "spread = 1.1\ncload = 2", "corners.slow.cload: no .param line"),
        ("spread = 1.1", 'spread = "1.1x"', 'received \'1.1x\'; expected a number, such as 80e-6 or "80u"'),
        ("spread = 1.1", "spread = '1\\n.control'", "expected a number"),
        ("spread = 1.1", "spread = nan", "corners.slow.spread"),
        ("spread = 1.1", "spread = true", "corners.slow.spread"),
        ("spread = 1.1", 'includes = ["slow.lib"]', "--trust-includes"),
        ('"cload"', '"cpar"', "detuning: the .subckt line of tank_cell has no parameter cpar, only cload"),
        ('"cload"', '"1c"', "detuning.parameter"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TANK_TOML
    with pytest.raises(CellFileError, match=re.escape(said)):
        read_cell(tank(tmp_path, TANK_TOML.replace(old, new)), corner="slow")


def test_a_tuned_parameter_is_a_number(tmp_path: Path) -> None:
    path = tank(tmp_path)
    spice = path.with_suffix(".cir")
    for default in ("{spread*1p}", "0"):
        tank(tmp_path)
        spice.write_text(spice.read_text().replace("cload=1p", f"cload={default}"))
        with pytest.raises(CellFileError, match="is no number other than 0"):
            read_cell(path)


def test_a_corner_may_have_model_files_of_its_own(tmp_path: Path) -> None:
    path = tank(tmp_path, TANK_TOML.replace("spread = 1.1", 'includes = ["slow.lib"]'))
    (tmp_path / "slow.lib").write_text("* slow\n.param nothing=1\n")
    assert read_cell(path).includes == ()  # typical needs no trust
    found = read_cell(path, corner="slow", trust_includes=True)
    assert found.includes == ((tmp_path / "slow.lib").resolve(),)
    # a file counts by what is in it, and in what it includes in turn
    (tmp_path / "slow.lib").write_text('* slow\n.include "cards.lib"\n')
    (tmp_path / "cards.lib").write_text("* cards\n.param nothing=1\n")
    one = identity(read_cell(path, corner="slow", trust_includes=True))
    (tmp_path / "cards.lib").write_text("* cards\n.param nothing=2\n")
    assert identity(read_cell(path, corner="slow", trust_includes=True)) != one
    (tmp_path / "slow.lib").write_text("* slow\n.control\nquit\n.endc\n")
    with pytest.raises(CellFileError, match="commands are not taken"):
        read_cell(path, corner="slow", trust_includes=True)


@pytest.mark.parametrize("line", [".temp 85", ".option temp=85", ".options reltol=1e-3 TEMP = 85"])
def test_a_temperature_is_said_once(tmp_path: Path, line: str) -> None:
    path = tank(tmp_path, TANK_TOML.replace("[supplies]", f'options = ["{line}"]\n[supplies]'))
    assert read_cell(path).options[0] == line
    with pytest.raises(CellFileError, match="sets the temperature, and --temperature 350 does"):
        read_cell(path, kelvin=350.0)
    path = tank(tmp_path, TANK_TOML.replace("[supplies]", 'includes = ["m.lib"]\n[supplies]'))
    (tmp_path / "m.lib").write_text(f"* models\n{line}\n.option tnom=25\n")
    assert read_cell(path, trust_includes=True)
    with pytest.raises(CellFileError, match=r"m\.lib, line 2 sets the temperature"):
        read_cell(path, kelvin=350.0, trust_includes=True)


@pytest.mark.parametrize("option", ["+ temp=85", ".options reltol=1e-3,temp=85"])
def test_a_temperature_is_found_on_a_line_that_goes_on(tmp_path: Path, option: str) -> None:
    path = tank(tmp_path, TANK_TOML.replace("[supplies]", 'includes = ["m.lib"]\n[supplies]'))
    (tmp_path / "m.lib").write_text(f"* models\n.options gmin=1e-12\n* one more\n{option}\n")
    with pytest.raises(CellFileError, match=r"m\.lib, line \d sets the temperature"):
        read_cell(path, kelvin=350.0, trust_includes=True)


def test_what_the_file_does_not_describe_is_refused_before_any_work(tmp_path: Path) -> None:
    bare = tank(tmp_path, TANK_TOML.partition("[corners")[0])
    core = still()

    def asked(**non_idealities: object) -> RunSettings:
        return RunSettings.model_validate({"level": str(bare), "non_idealities": non_idealities})

    with pytest.raises(
        CellFileError, match=r"tank\.toml: .*\n.*corner slow: the cell has none, only typical"
    ):
        build(core, asked(corner="slow"))
    with pytest.raises(NonIdealityError, match=r"or name one in the TOML: \[detuning\] parameter"):
        build(core, asked(detuning=0.01))
    assert build(core, asked(temperature=350.0)).core is core


# --- lines of SPICE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.4p", 2.4e-12), ("2.4pF", 2.4e-12), ("1meg", 1e6), ("1MEGohm", 1e6), ("1m", 1e-3), ("-.5", -0.5),
        ("3e-3k", 3.0), ("5V", 5.0), ("1f", 1e-15), ("0", 0.0), ("80x", None), ("1e", None), ("10mil", None),
        ("{a}", None), ("1 p", None), ("1e400", None), ("inf", None), ("", None), ("1\n.control", None),
    ],
)  # fmt: skip
def test_numbers_of_spice(text: str, value: float | None) -> None:
    assert spice_number(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_numbers_of_python_are_numbers_of_spice(value: float) -> None:
    assert spice_number(repr(value)) == value
    assert spice_number(f"{value!r}u") == pytest.approx(value * 1e-6, rel=1e-15)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            ".param a=1 b = {c + 2*(d==3)} c='x=3' d=2.5u",
            [("a", "1"), ("b", "{c + 2*(d==3)}"), ("c", "'x=3'"), ("d", "2.5u")],
        ),
        (".PARAM f(x)={x} g=3", [("g", "3")]),
        (".param a = b * 2 z=1", [("a", "b * 2"), ("z", "1")]),
        (".param a=1, b={max(a,2)}", [("a", "1"), ("b", "{max(a,2)}")]),
        (".param", []), (".model m nmos kp=3", []), ("", []),
    ],
)  # fmt: skip
def test_what_a_line_sets(line: str, found: list[tuple[str, str]]) -> None:
    assert [(each.name, line[each.start : each.stop]) for each in assignments(line)] == found
