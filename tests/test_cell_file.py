"""Cells of one's own: the worked example, and every way to get it wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small import Quiet

from emulator.characterize import identity
from emulator.coupling_function import coupling_function
from emulator.limit_cycle import free_run
from emulator.run import run
from emulator.sensitivity import sensitivity
from emulator.settings import OscillatorSettings, RunSettings
from emulator.simulator import Simulator
from netlists.cell_bench import signals
from netlists.cell_file import CellFileError, read_cell
from netlists.synthetic import window_core
from netlists.weights import write_weights

EXAMPLE = Path(__file__).parents[1] / "examples" / "cells" / "cross_coupled.toml"
SKY130 = Path(os.environ.get("AIS_TEST_SKY130", Path(__file__).parents[2] / "shared" / "data" / "sky130"))


def test_the_example(simulator: Simulator) -> None:
    cell = read_cell(EXAMPLE)
    assert set(signals(cell)) == {
        "v(p)", "v(n)", "v(tail)", "v(p_coil)", "v(n_coil)", "i(p)", "i(n)",
    }  # fmt: skip
    free = free_run(simulator, cell, cell.points_per_cycle)
    tank = 1 / (2 * np.pi * np.sqrt(10e-9 * 2.4e-12))
    assert free.steps.frequency == pytest.approx(tank, rel=0.05)
    assert 0.1e-3 < free.power < 5e-3
    ppv = {port: sensitivity(simulator, cell, free, port) for port in cell.injections}
    # both sides of the pair are the same, half a turn apart
    p, n = (ppv[port].harmonics for port in ("p", "n"))
    assert abs(p[1] + n[1]) < 0.02 * abs(p[1])
    resistors = cell.coupler("resistive")
    straight, crossed = (
        coupling_function(simulator, cell, free, ppv, resistors, crossed=crossed) for crossed in (False, True)
    )
    assert straight.gain > 0
    assert crossed.gain == pytest.approx(-straight.gain, rel=0.01)
    assert abs(straight.predicted[1] - straight.harmonics[1]) < 0.03 * straight.gain
    # passive: what j does to i at Δφ, i does to j at −Δφ
    mirrored = np.interp(2 * np.pi - straight.phase[::-1], straight.phase, straight.sender_rate)[::-1]
    np.testing.assert_allclose(straight.rate, mirrored, atol=0.05 * straight.gain)


def test_identity_is_of_what_is_in_the_files(tmp_path: Path) -> None:
    for name in ("cross_coupled.toml", "cross_coupled.cir"):
        (tmp_path / name).write_text((EXAMPLE.parent / name).read_text())
    first, elsewhere = identity(read_cell(EXAMPLE)), identity(read_cell(tmp_path / "cross_coupled.toml"))
    assert first == elsewhere
    spice = tmp_path / "cross_coupled.cir"
    spice.write_text(spice.read_text().replace("Rtail tail 0 400", "Rtail tail 0 401"))
    assert identity(read_cell(tmp_path / "cross_coupled.toml")) != first


Edit = Callable[[str], str]


def replaced(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def kept(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("toml", "spice", "said"),
    [
        (replaced('"tail", "vdd"]', '"vdd"]'), kept, "has a port tail, which is not listed"),
        (replaced('"tail", "vdd"]', '"tail", "vdd", "bulk"]'), kept, "has no port bulk"),
        (replaced('"tail", "vdd"]', '"tail", "vdd", "p"]'), kept, "p is named twice"),
        (replaced('output = "p"', 'output = "vdd"'), kept, "output: vdd is a supply"),
        (replaced('shil = "tail"', 'shil = "nowhere"'), kept, "shil: nowhere is no port"),
        (replaced('subcircuit = "cross', 'subcircuit = "other'), kept, "has no other_coupled, only tank"),
        (replaced("tail = 0.4", "nothing = 0.4"), kept, "start: cross_coupled has no node nothing"),
        (replaced('"sender:n", "receiver:p"', '"sender:x", "receiver:p"'), kept, "no port for signals x"),
        (replaced('"sender:p", "sender:n", "receiver:p"', '"sender:p", "receiver:p"'), kept, "has 3 wires"),
        (replaced('"sender:p"', '"p"'), kept, "'p' is no wire"),
        (replaced('strength = "strength"', 'strength = "size"'), kept, "has no parameter size"),
        (replaced("[supplies]", 'colour = "red"\n[supplies]'), kept, "colour: Extra inputs"),
        (replaced("period_guess = 1e-9", "period_guess = -1"), kept, "period_guess: Input should be greater"),
        (replaced('"cross_coupled.cir"', '"none.cir"'), kept, "there is no file"),
        (replaced("[supplies]", 'options = [".option a=1\\n.control"]\n[supplies]'), kept, "is not taken"),
        (replaced("[supplies]", 'includes = ["m.lib"]\n[supplies]'), kept, "--trust-includes"),
        (kept, replaced("Ln n n_coil", "Lp n n_coil"), "lp is there 2 times in cross_coupled"),
        (kept, replaced("p n tail vdd cload", "p n p vdd cload"), "port p of cross_coupled is named twice"),
        (kept, replaced("Xp vdd p tank", "Xp vdd p trap"), "calls trap, which is not there"),
        (kept, replaced("Xp vdd p tank", "Xp vdd p n tank"), "has 3 nodes; tank has 2 ports"),
        (kept, replaced(".ends tank", ""), "inside tank"),
        (kept, replaced(".model", ".include models.lib\n.model"), "under `includes`"),
        (kept, replaced(".model", ".control\nshell touch pwned\n.endc\n.model"), "commands are not taken"),
        (kept, replaced(".model", "  .CONTROL\n.model"), "commands are not taken"),
        (kept, replaced(".model", "*# shell touch pwned\n.model"), "commands are not taken"),
        (kept, replaced("Rtail tail", "Aproc [tail] [tail] run\nRtail tail"), "kind 'A'"),
        (kept, replaced(".model", "Rout a 0 1k\n.model"), "outside of all subcircuits"),
        (kept, replaced("Lp p p_coil 10n", "Lp p p_coil 10n ic=1m"), "leave out ic= of lp"),
        (kept, lambda text: text + "\x1b[31m", "control characters"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, toml: Edit, spice: Edit, said: str) -> None:
    path = tmp_path / "cell.toml"
    path.write_text(toml(EXAMPLE.read_text()))
    (tmp_path / "cross_coupled.cir").write_text(spice(EXAMPLE.with_suffix(".cir").read_text()))
    with pytest.raises(CellFileError) as raised:
        read_cell(path)
    assert said in str(raised.value)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("inside", [".control\nquit\n.endc", "  *#shell ls", ".include deeper.lib"])
def test_trusted_includes_are_searched_for_commands(tmp_path: Path, inside: str) -> None:
    path = tmp_path / "cell.toml"
    path.write_text(EXAMPLE.read_text().replace("[supplies]", 'includes = ["models.lib"]\n[supplies]', 1))
    (tmp_path / "cross_coupled.cir").write_text(EXAMPLE.with_suffix(".cir").read_text())
    models = tmp_path / "models.lib"
    models.write_text(".param nothing=1\n")
    assert read_cell(path, trust_includes=True).includes == (models.resolve(),)
    models.write_text(f"* models\n{inside}\n")
    (tmp_path / "deeper.lib").write_text(".control\nquit\n.endc\n")
    with pytest.raises(CellFileError, match="commands are not taken"):
        read_cell(path, trust_includes=True)


def test_a_ring_of_sky130(simulator: Simulator, tmp_path: Path) -> None:
    if not SKY130.is_dir():
        pytest.skip("the SKY130 models are not there (AIS_TEST_SKY130 names their folder)")
    inverters = "\n".join(f"X{k} n{k} n{k % 5 + 1} vdd inv" for k in range(1, 6))
    (tmp_path / "ring.cir").write_text(
        "* ring\n.subckt inv a y vdd\n"
        "X1 y a 0 0 sky130_fd_pr__nfet_01v8 l=0.15 w=1\nX2 y a vdd vdd sky130_fd_pr__pfet_01v8 l=0.15 w=2\n"
        f".ends inv\n.subckt sky_ring n1 vdd\n{inverters}\n.ends sky_ring\n"
    )
    files = [
        f'"{SKY130 / f"{kind}_01v8" / f"sky130_fd_pr__{kind}_01v8__{corner}.corner.spice"}"'
        for kind in ("nfet", "pfet")
        for corner in ("mismatch", "tt")
    ]
    files.append(f'"{SKY130 / "parameters" / "lod.spice"}"')
    (tmp_path / "ring.toml").write_text(
        f"""
name = "sky_ring"
spice = "ring.cir"
subcircuit = "sky_ring"
ports = ["n1", "vdd"]
output = "n1"
injections = ["n1"]
shil = "n1"
period_guess = 200e-12
points_per_cycle = 100
options = [".option scale=1e-6", ".param mc_mm_switch=0"]
behaviour = "hsa"
includes = [{", ".join(files)}]
[supplies]
vdd = 1.8
[start]
n2 = 1.8
n4 = 1.8
"""
    )
    path = tmp_path / "ring.toml"
    path.write_text(
        path.read_text() + f"[corners.slow]\nincludes = [{', '.join(files).replace('__tt.', '__ss.')}]\n"
    )
    cell = read_cell(path, trust_includes=True)
    slow = read_cell(path, corner="slow", trust_includes=True)
    free = free_run(simulator, cell, cell.points_per_cycle)
    assert free_run(simulator, slow, 60).steps.frequency < 0.8 * free.steps.frequency
    assert 1 / free.steps.frequency == pytest.approx(202e-12, rel=0.05)
    assert free.power > 1e-5

    # an array of four, with ideal couplers: it runs, and draws four cells' power
    write_weights(tmp_path / "four.h5", window_core(2, 2, radius=1, duration=2.0, strength=0.3))
    settings = RunSettings(
        level=str(tmp_path / "ring.toml"), samples=1, jobs=1, rows=50,
        oscillator=OscillatorSettings(cycles=60, trust_includes=True),
    )  # fmt: skip
    results = run(tmp_path / "four.h5", settings, tmp_path / "out", "new", Quiet())
    assert results.verdicts == ["COMPLETED"]
    joules = 4 * free.power * 60 / free.steps.frequency
    assert results.rows["energy/oscillators"][0] == pytest.approx(joules, rel=0.1)
