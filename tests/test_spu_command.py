"""``ais thermo spu``: a Gaussian sampler of coupled resonators from its file to its covariance."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import random_network, resistive_network
from typer.testing import CliRunner

from emulator.cli import app
from netlists.network import LangevinNetwork
from netlists.network_file import Substrate, write_network

RUNNER = CliRunner(env={"COLUMNS": "160"})


def spu(folder: Path, network: LangevinNetwork, *words: object) -> tuple[int, str]:
    write_network(folder / "gaussian.h5", Substrate(network))
    asked = ["thermo", "spu", folder / "gaussian.h5", "--out", folder / "out", *words]
    result = RUNNER.invoke(app, [str(word) for word in asked])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def gaussian(size: int = 3) -> LangevinNetwork:
    return replace(resistive_network(size, kt=0.6, seed=2), bias=np.zeros(size))


def test_its_voltages_have_the_networks_covariance(tmp_path: Path) -> None:
    network = gaussian()
    code, said = spu(tmp_path, network, "--damping", 1.5, "--resonance", 1.5, "--runs", 8)
    assert code == 0, said
    assert "3 cells" in said
    found = json.loads((tmp_path / "out" / "spu.json").read_text())
    covariance = found["covariance"]
    np.testing.assert_allclose(covariance["boltzmann"], 0.6 * np.linalg.inv(network.matrix), rtol=1e-12)
    lost = np.subtract(covariance["boltzmann"], covariance["expected"])  # by the noise's grid
    assert np.linalg.norm(lost) < 0.1 * np.linalg.norm(covariance["boltzmann"])
    assert covariance["error"] < 2 * covariance["standard_error"] < 0.5
    # resistors at the same temperature would give kT·I
    assert covariance["off_resistors"] > 4 * covariance["standard_error"]
    assert found["elements"]["inductor"] == 3
    assert found["elements"]["capacitor"] == 3 + 3
    assert sorted(path.name for path in (tmp_path / "out" / "netlist").iterdir()) == [
        "cells.lib", "core.sub", "testbench.cir",
    ]  # fmt: skip


def test_its_mean_is_said_to_be_missing(tmp_path: Path) -> None:
    code, said = spu(tmp_path, resistive_network(2, seed=2), "--runs", 1, "--damping", 1.5)
    assert code in (0, 1)
    assert "the mean M⁻¹b is left to be added" in said


@pytest.mark.parametrize(
    ("network", "words", "sentence"),
    [
        (random_network((8,), strength=2.0), [], "couplings have M_ij above 0"),
        (
            replace(gaussian(), kt=0.0),
            [],
            "temperature kT is 0; expected above 0, as it is noise that samples",
        ),
        (gaussian(), ["--damping", 0], "--damping: Input should be greater than 0"),
    ],
)
def test_what_it_can_not_be_is_refused(
    tmp_path: Path, network: LangevinNetwork, words: list[object], sentence: str
) -> None:
    code, said = spu(tmp_path, network, *words)
    assert code == 2
    assert sentence in said
    assert not (tmp_path / "out").exists()
