"""The report of a network's run: what it says of noise, faults and wiring, and what it must not let through."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import random_network
from test_thermo_runs import substrate

from emulator.receipt.model import read_receipt
from emulator.simulator import Simulator
from emulator.thermo.circuit import NetworkSettings
from emulator.thermo.network_plan import NetworkRunSettings, Plan, plan_network
from emulator.thermo.network_report import _propagated, network_report
from emulator.thermo.network_results import NetworkResults
from emulator.thermo.network_run import run_network
from emulator.thermo.ornstein_uhlenbeck import ornstein_uhlenbeck
from netlists.network_file import Substrate, write_network
from netlists.scaling import NetworkScaling


def words(page: str) -> str:
    """What one reads."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def run(folder: Path, name: str = "substrate.h5", **asked: object) -> tuple[Plan, NetworkResults, str]:
    write_network(folder / name, substrate())
    plan = plan_network(folder / name, NetworkRunSettings.model_validate(asked))
    results = run_network(plan, folder / "out", "new", lambda _: None)
    return plan, results, (folder / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [("on", "each node has its own, of one strength: the Boltzmann answer"),
     ("johnson", "every resistor and amplifier has its own: kT·I among resistors, and not the Boltzmann answer")],
)  # fmt: skip
def test_noises_are_told_apart(tmp_path: Path, compiling: Simulator, noise: str, sentence: str) -> None:
    made = NetworkSettings(
        realization="differential", scaling=NetworkScaling(tau=1e-8, capacitance=1e-11), clip=True
    )
    _, _, page = run(tmp_path, samples=2, settle=1, noise=noise, averaging=60.0, circuit=made)
    said = words(page)
    assert sentence in said
    assert "Variance, node by node" in said
    assert "realization differential" in said
    assert "1 5 and 5 2 40 50 2.5 buses" in said
    assert "Receipt What one sample costs" in said
    assert "circuit simulation circuit simulation" in said  # the kind of number, and its tag


def test_faults_stand_first(tmp_path: Path) -> None:
    plan, results, page = run(tmp_path, samples=3, settle=0)
    assert "PASS" in words(page)
    accepted, reason = np.array([True, False, True]), np.array(["", "off <b>by</b> 1", ""], dtype=object)
    rows = {**results.rows, "verdict/accepted": accepted, "verdict/reason": reason}
    receipt = read_receipt(tmp_path / "out" / "receipt.json")
    page = network_report(plan, replace(results, rows=rows), {}, receipt)
    assert "SOME FAIL 2 of 3 inputs are what linear algebra says" in words(page)
    assert "off &lt;b&gt;by&lt;/b&gt; 1" in page


def test_what_an_input_costs_is_on_the_page(tmp_path: Path) -> None:
    _, _, page = run(tmp_path, samples=2, settle=2)
    claim = read_receipt(tmp_path / "out" / "receipt.json").energy.circuit_simulation
    assert claim.sentence in html.unescape(words(page))


def test_names_from_files_are_escaped(tmp_path: Path) -> None:
    _, _, page = run(tmp_path, "<img src=x>.h5", samples=1, settle=0)
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;.h5" in page


def test_quartic_networks_have_a_report(tmp_path: Path, compiling: Simulator) -> None:
    network = replace(random_network((4,), quartic=0.3, seed=1), kt=0.05)
    write_network(tmp_path / "q.h5", Substrate(network))
    plan = plan_network(tmp_path / "q.h5", NetworkRunSettings(noise="on", averaging=30.0))
    run_network(plan, tmp_path / "out", "new", lambda _: None)
    said = words((tmp_path / "out" / "report.html").read_text())
    assert "no closed form with quartic wells" in said
    assert (
        "conductances as they are made: operating points, settling and paths under isotropic noise." in said
    )
    assert "a stiff solver of the same equation" in said
    assert "M⁻¹" not in html.unescape(said)


def test_the_reference_on_the_way_is_exact_propagation() -> None:
    network = random_network((4, 3), rank=2)
    rest = np.linalg.solve(network.matrix, network.bias)
    times = np.array([0.0, 0.3, 5.0])
    process = ornstein_uhlenbeck(network)
    wanted = [process.mean(np.zeros(7), time) for time in times.tolist()]
    np.testing.assert_allclose(_propagated(network.matrix, rest, times), wanted, atol=1e-12)
