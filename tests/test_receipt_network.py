"""Receipts of Langevin networks, made of real runs."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import jsonschema
import numpy as np
import pytest
from networks import random_network
from receipt_json import empty, facts

from emulator.energy.figure import Kind
from emulator.receipt.claim import Claim
from emulator.receipt.difference import differences
from emulator.receipt.field import NotRecorded, Recorded
from emulator.receipt.make import receipt_of
from emulator.receipt.model import NetworkReceipt, ReceiptError, as_json, read_receipt, schema
from emulator.receipt.stated import Stated
from emulator.simulator import Simulator
from emulator.thermo.network_plan import NetworkRunSettings, plan_network
from emulator.thermo.network_results import read_network_results, split, write_network_results
from emulator.thermo.network_run import PART, run_network
from netlists.network import one_module
from netlists.network_file import Substrate, write_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = replace(random_network((5, 4), rank=2, seed=4), visible=np.arange(5, 9), kt=0.01)
    path = tmp_path_factory.mktemp("networks") / "substrate.h5"
    write_network(path, Substrate(network), provenance={"dataset": "made up", "solver": "none"})
    return path


def run(weights: Path, out: Path, **settings: object) -> Path:
    run_network(
        plan_network(weights, NetworkRunSettings.model_validate(settings)), out, "new", lambda _: None
    )
    return out


@pytest.fixture(scope="module")
def finished(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(weights, tmp_path_factory.mktemp("run") / "out")


def made(path: Path) -> NetworkReceipt:
    found = receipt_of(path)
    assert isinstance(found, NetworkReceipt)
    return found


def test_no_field_is_empty_and_it_validates(finished: Path) -> None:
    told = as_json(made(finished))
    assert list(empty(told)) == []
    assert len(dict(facts(told))) > 45
    jsonschema.Draft202012Validator(schema()).validate(told)
    assert read_receipt(finished / "receipt.json") == made(finished)


def test_the_facts(finished: Path) -> None:
    told = {place: fact.get("value") for place, fact in facts(as_json(made(finished / "results.h5")))}
    files = sorted((finished / "netlist").iterdir())
    assert (
        told["files.netlist_sha256"]
        == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    )
    assert 0 < told["fidelity.rate_error"] < 0.02
    assert told["substrate.modules"] == {"0 module 0": "5", "1 module 1": "4"}
    assert told["substrate.nodes"] == 9
    assert told["substrate.hidden"] == 5
    assert told["substrate.skip_ranks"] == "2 (0 module 0 and 1 module 1)"
    assert told["substrate.coupling_degree"] == pytest.approx((20 + 12) / 9)
    assert told["substrate.temperature_kt"] == 0.01
    assert told["substrate.interface_parameters"] is None
    assert told["substrate.realization"] == "ideal"
    assert told["training.dataset"] == "made up"
    assert told["training.ode_solver"] == "none"
    assert told["fidelity.inputs"] == told["fidelity.accepted"] == 1
    assert told["time.averaging_s"] is None


def test_the_energy_is_what_was_simulated(finished: Path) -> None:
    energy = made(finished).energy
    assert isinstance(energy.circuit_simulation, Claim)
    assert energy.circuit_simulation.energy_per_sample_J > 0
    assert energy.circuit_simulation.kind is Kind.CIRCUIT
    assert "digital_interface" in energy.circuit_simulation.figure.outside
    # with the converters, which are a model
    assert isinstance(energy.extrapolation, Claim)
    assert energy.extrapolation.kind is Kind.EXTRAPOLATION
    converters = {share.part: share for share in energy.extrapolation.figure.shares}["digital_interface"]
    assert energy.extrapolation.energy_per_sample_J == pytest.approx(
        energy.circuit_simulation.energy_per_sample_J + converters.joules
    )
    with pytest.raises(ReceiptError, match="a Langevin network has none"):
        receipt_of(finished, stated=Stated(bits=4))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"circuit": {"realization": "differential", "clip": True}}, "precision.conductances"),
        ({"circuit": {"bias_bits": 6}}, "precision.bias_bits"),
        ({"circuit": {"scaling": {"tau": 2e-6}}}, "energy.circuit_simulation.energy_per_sample_J"),
        ({"circuit": {"scaling": {"volts": 0.02}}}, "energy.circuit_simulation.energy_per_sample_J"),
        ({"adc_bits": 5}, "readout.adc_bits"),
    ],
)
def test_what_was_changed_is_on_it(
    weights: Path, finished: Path, tmp_path: Path, settings: dict[str, object], field: str
) -> None:
    other = run(weights, tmp_path / "other", **settings)
    found = {each.field: each.status for each in differences(made(finished), made(other))}
    assert found[field] == "different"


def test_of_earlier_results_the_weights_file_says_the_rest(
    weights: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(shutil.copy(finished / "results.h5", tmp_path / "results.h5"))
    with h5py.File(path, "a") as file:
        for name in ("network", "provenance"):
            del file.attrs[name]
    assert isinstance(made(path).substrate.topology, NotRecorded)
    found = receipt_of(path, weights=weights)
    assert isinstance(found, NetworkReceipt)
    assert isinstance(found.substrate.topology, Recorded)
    assert found.substrate.topology.origin == "weights file"


def test_an_unfinished_run_has_one_too(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    for part in split(read_network_results(folder / "results.h5")):
        (folder / "partial").mkdir()
        write_network_results(folder / PART.format(0), part)
    (folder / "results.h5").unlink()
    record = json.loads((folder / "run.json").read_text()) | {"state": "running", "finished": None}
    (folder / "run.json").write_text(json.dumps(record))
    told = made(folder)
    assert told.files.finished == NotRecorded(not_recorded="the run is not finished")
    assert told.substrate == made(finished).substrate


def test_wells_with_two_bottoms_have_one(tmp_path: Path, compiling: Simulator) -> None:
    """M has eigenvalues below 0, and the average lasts as many times the slowest rate's, wells included."""
    well = one_module(
        np.array([[0.0, 0.1], [0.1, 0.0]]),
        np.full(2, -0.4),
        np.full(2, 0.3),
        np.array([0.2, -0.1]),
        0.1,
        range(2),
    )
    write_network(tmp_path / "wells.h5", Substrate(well))
    found = made(run(tmp_path / "wells.h5", tmp_path / "out", noise="on", averaging=20.0))
    assert isinstance(found.time.averaging_s, Recorded)
    # the wells are alike, and add the same to each of |M|'s: 12 J4⟨x²⟩ of a pure well at kT
    added = 12 * math.gamma(0.75) / math.gamma(0.25) * math.sqrt(0.1 * 0.3)
    assert found.time.averaging_s.value == pytest.approx(20 * 1e-6 / (0.6 + added))
    assert (tmp_path / "out" / "report.html").exists()
    assert np.linalg.eigvalsh(well.matrix).tolist() == pytest.approx([-1.0, -0.6])
