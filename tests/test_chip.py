"""The chip of a level: its couplers bear what the level's elements can show, and netlists hold it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import small_core, small_weights
from test_array_design import guessed
from typer.testing import CliRunner

import emulator.levels
from device_models.oscillator_cell import OscillatorCell
from emulator.chip import build, settings_as_built
from emulator.cli import app
from emulator.levels import oscillator_array
from emulator.settings import RunSettings
from netlists.as_built import NonIdealityError
from netlists.core import AnalogCore
from netlists.oscillator_array import OscillatorArray
from netlists.sizing import SizingError

CELL = str(Path(__file__).parent.parent / "examples" / "cells" / "cross_coupled.toml")


@pytest.fixture
def core() -> AnalogCore:
    trained = small_core((3, 4), chunks=1, strength=0.2)
    return replace(trained, parameters=trained.parameters | {"detuning": np.zeros(12)})


@pytest.fixture(autouse=True)
def _no_characterisation(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(_simulator: object, cell: OscillatorCell, *_: object) -> object:
        found = [guessed(cell, coupler) for coupler in cell.couplers]
        return replace(found[0], coupling={k: v for each in found for k, v in each.coupling.items()})

    monkeypatch.setattr(emulator.levels, "cached", made_up)


def asked(level: str, oscillator: dict[str, Any] | None = None, **non_idealities: Any) -> RunSettings:
    told = {"cycles": 20, **(oscillator or {})}
    return RunSettings.model_validate({"level": level, "oscillator": told, "non_idealities": non_idealities})


def array(core: AnalogCore, settings: RunSettings) -> OscillatorArray:
    built = build(core, settings)
    told = settings_as_built(settings, built)
    return oscillator_array(built.core, told, None, lambda _: None)[0]  # type: ignore[arg-type]


def by_edge(found: OscillatorArray) -> np.ndarray[Any, Any]:
    """(E,) strength of each edge's couplers, of either wiring."""
    links = found.sizing.links
    return np.bincount(links.edge, links.strength.sum(axis=0))


def test_transconductors_miss_their_strength_each_by_itself(core: AnalogCore) -> None:
    """Of a ring's, two serve a pair of cells, also where the weights are symmetric."""
    gm = {"coupler": "gm"}
    settings = asked("ring", gm, mismatch_coupling=0.1, chip=2)
    ratio = by_edge(array(core, settings)) / by_edge(array(core, asked("ring", gm)))
    die = build(core, settings).die
    assert die is not None
    np.testing.assert_allclose(ratio, die.coupling)
    assert len(np.unique(ratio)) == len(core.edges)


def test_a_passive_coupler_misses_its_strength_both_ways(core: AnalogCore) -> None:
    settings = asked(CELL, mismatch_coupling=0.1)
    built = build(core, settings)
    assert built.core.symmetric
    assert built.die is not None
    assert len(built.die.coupling) == len(core.edges) // 2
    found = array(core, settings)
    assert len(found.sizing.links.edge) == len(core.edges) // 2


def test_injection_misses_its_strength(core: AnalogCore) -> None:
    settings = asked("ring", mismatch_shil=0.1)
    ratio = array(core, settings).sizing.injection / array(core, asked("ring")).sizing.injection
    die = build(core, settings).die
    assert die is not None
    np.testing.assert_allclose(ratio[0], die.shil)


def test_legs_code_the_couplings_and_nothing_codes_them_again(core: AnalogCore) -> None:
    settings = asked("ring", bits=4, quantizer="sign-magnitude")
    built = build(core, settings)
    np.testing.assert_array_equal(built.core.coupling, core.coupling)
    assert set(built.quantised) == {"shil", "bias"}
    ideal, found = array(core, asked("ring")), array(core, settings)
    np.testing.assert_array_equal(found.sizing.links.codes, ideal.sizing.links.codes)
    assert found.sizing.lsb == ideal.sizing.lsb


def test_a_broken_coupler_does_not_change_the_others_codes(core: AnalogCore) -> None:
    """Even where it held the largest weight, which full scale was made for."""
    ideal = array(core, asked("ring"))
    for chip in range(40):
        settings = asked("ring", dead=0.2, stuck=0.1, chip=chip)
        built = build(core, settings)
        assert built.die is not None
        if np.argmax(np.abs(core.coupling[0])) in built.die.dead:
            break
    found = array(core, settings)
    assert found.sizing.lsb == ideal.sizing.lsb
    codes = found.sizing.as_built.coupling[0] / found.sizing.lsb
    works = np.ones(len(core.edges), bool)
    works[built.die.dead] = works[built.die.stuck] = False
    np.testing.assert_array_equal(codes[works], (ideal.sizing.as_built.coupling[0] / ideal.sizing.lsb)[works])
    assert not codes[built.die.dead].any()
    np.testing.assert_allclose(codes[built.die.stuck], 7 * built.die.stuck_sign)


def test_an_element_may_miss_full_scale_but_a_weight_may_not(core: AnalogCore) -> None:
    largest = float(np.abs(core.coupling).max())
    told = {"coupler": "gm", "full_scale": 1.001 * largest}
    found = array(core, asked("ring", told, bits=8, mismatch_coupling=0.5))
    assert np.abs(found.sizing.as_built.coupling).max() > 1.1 * largest
    with pytest.raises(SizingError, match="beyond the couplers' full scale"):
        build(core, asked("ring", told | {"full_scale": 0.5 * largest}, mismatch_coupling=0.5))
    clipped = build(core, asked("lc", {"full_scale": 0.5 * largest, "clip": True}, bits=8))
    assert clipped.clipped == (np.abs(core.coupling) > 0.5 * largest).sum()
    assert np.abs(clipped.core.coupling).max() <= 0.5 * largest * (1 + 1e-12)


def test_without_non_idealities_nothing_is_touched(core: AnalogCore) -> None:
    for level in ("phase", "lc", "ring"):
        settings = asked(level, {"full_scale": 0.01, "clip": True})
        built = build(core, settings)
        assert built.core is core
        assert settings_as_built(settings, built) is settings


@pytest.mark.parametrize(
    ("level", "oscillator", "non_idealities", "said"),
    [
        ("ring", {}, {"bits": 5, "quantizer": "sign-magnitude"}, "codes its weights itself, with 3 legs and a sign"),
        ("van-der-pol", {}, {"detuning": 0.01}, "a frequency of its own. Take --level ring, lc or phase."),
        ("van-der-pol", {}, {"corner": "slow"}, "what is in a cell of --level van-der-pol is fixed. Take --level lc"),
        ("van-der-pol", {}, {"temperature": 300}, "what is in a cell of --level van-der-pol is fixed"),
    ],
)  # fmt: skip
def test_what_elements_can_not_show_is_refused(
    core: AnalogCore, level: str, oscillator: dict[str, Any], non_idealities: dict[str, Any], said: str
) -> None:
    with pytest.raises(NonIdealityError, match=re.escape(said)):
        build(core, asked(level, oscillator, **non_idealities))


# --- netlists

CHIP = ("--bits", "3", "--mismatch-coupling", "5%", "--detuning", "0.5%", "--dead", "20%", "--chip", "4")


def compiled(folder: Path, core: AnalogCore, *options: str) -> tuple[dict[str, str], str]:
    weights = small_weights(folder / "w.h5", core)
    result = CliRunner().invoke(app, ["compile", str(weights), "--out", str(folder / "out"), *options])
    assert result.exit_code == 0, result.output
    files = {p.name: p.read_text() for p in (folder / "out").iterdir() if p.suffix != ".png"}
    return files, " ".join(result.output.replace("│", " ").split())


def test_the_netlist_holds_the_weights_as_built(tmp_path: Path, core: AnalogCore) -> None:
    files, said = compiled(tmp_path, core, *CHIP, "--cycles", "20")
    wanted = {"bits": 3, "mismatch_coupling": 0.05, "detuning": 0.005, "dead": 0.2, "chip": 4}
    built = build(core, asked("phase", **wanted))
    pairs, edge_of = core.couplers
    found = {}
    for a, b, value in re.findall(r"^Xk_(\w+)_(\w+) .* k_1=\{?([^\s}]+)", files["core.sub"], re.MULTILINE):
        found[a, b] = float(value)
    names = core.node_names
    expected = {
        (names[i], names[j]): built.core.coupling[0, edge]
        for (i, j), edge in zip(pairs.tolist(), edge_of.tolist(), strict=True)
    }
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[key] for key in expected], list(expected.values()), rtol=1e-10)
    assert sum(value == 0 for value in found.values()) >= round(0.2 * len(pairs))
    head = files["testbench.cir"].partition(".include")[0]
    for text in ("As built, codes of coupling: 3 bits, signed", "As built, dead couplers: 3 of 17", "chip 4"):
        assert text in " ".join(head.replace("\n* ", " ").split())
    assert "dead couplers 3 of 17" in said
    assert "3 bits, signed: codes -4 to 3, levels -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75" in said


@pytest.mark.parametrize("dialect", ["ngspice", "xyce", "spectre"])
def test_the_lc_netlist_says_what_was_built(tmp_path: Path, core: AnalogCore, dialect: str) -> None:
    files, said = compiled(tmp_path, core, *CHIP, "--level", "lc", "--cycles", "20", "--dialect", dialect)
    bench = next(text for name, text in files.items() if name.startswith("testbench"))
    assert "codes of coupling" in bench
    assert "none: continuous" not in said
    strengths = [line.split(",")[4] for line in files["coupler_codes.csv"].splitlines()[1:]]
    assert sum(float(text) == 0 for text in strengths) >= 2


def test_modules_hold_no_weights(tmp_path: Path, core: AnalogCore) -> None:
    weights = small_weights(tmp_path / "w.h5", core)
    command = [
        "compile",
        str(weights),
        "--out",
        str(tmp_path / "out"),
        "--dialect",
        "verilog-a",
        "--dead",
        "1%",
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "holds modules, and no weights that a chip could miss" in " ".join(result.output.split())
