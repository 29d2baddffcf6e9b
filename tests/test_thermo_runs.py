"""``ais run`` and ``ais compile`` of networks of modules, from the file to results and netlists."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from netlist_text import flat, read_spectre, read_spice
from networks import random_network, resistive_network
from small import small_core
from typer.testing import CliRunner

from emulator.claimed import FolderError
from emulator.cli import app
from emulator.doctor import find_capabilities
from emulator.ngspice import Deck
from emulator.results import ResultsError
from emulator.simulator import Simulator
from emulator.thermo.circuit import NetworkSettings
from emulator.thermo.equilibrium import equilibrium, equilibrium_near
from emulator.thermo.netlist import circuit_facts, network_netlist
from emulator.thermo.network_plan import NetworkRunSettings, plan_network
from emulator.thermo.network_results import ROWS, read_network_results
from emulator.thermo.network_run import RESULTS, run_network
from netlists.interface import Interface, TwoLayers
from netlists.network import NetworkError
from netlists.network_file import Substrate, write_network
from netlists.weights import write_weights

RUNNER = CliRunner(env={"COLUMNS": "200"})
FITTING = ["--tau", "1e-8", "--capacitance", "1e-11"]


def substrate(rank: int = 2) -> Substrate:
    """Two modules of five nodes, an interface and eight inputs."""
    generator = np.random.default_rng(4)
    network = random_network((5, 5), rank=rank, seed=4)
    network = replace(network, visible=np.arange(5, 10), kt=0.01)
    interface = Interface(
        TwoLayers(generator.normal(size=(2, 5)), generator.normal(size=(5, 2)), "linear"),
        TwoLayers(generator.normal(size=(3, 5)), generator.normal(size=(5, 3)), "silu"),
    )
    names = [module.name for module in network.modules]
    return Substrate(network, interface, {"test": {name: generator.normal(size=(8, 5)) for name in names}})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "substrate.h5"
    write_network(path, substrate())
    return path


def invoke(*words: object) -> tuple[int, str]:
    result = RUNNER.invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, re.sub(r"[│╭╮╰╯─\s]+", " ", result.output)


def test_a_run_is_what_linear_algebra_says(file: Path, tmp_path: Path) -> None:
    code, said = invoke("run", file, "--out", tmp_path / "out", "--samples", 6, "--settle", 2)
    assert code == 0, said
    found = read_network_results(tmp_path / "out" / RESULTS)
    wanted = equilibrium(substrate().network, substrate().biases("test"))[:6]
    np.testing.assert_allclose(found.rows["rest/circuit"], wanted, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.rows["rest/network"], wanted, rtol=1e-12)
    np.testing.assert_allclose(found.rows["readout/analog"], wanted[:, 5:], rtol=1e-8, atol=1e-12)
    assert found.rows["verdict/accepted"].all()
    assert (found.rows["readout/codes_within_1lsb"] == 1).all()
    assert np.abs(found.rows["readout/codes"] - 127.5).max() < 127  # the converter's range is the inputs'
    settled = found.rows["settling/rate_error"]
    assert (settled[:2] < 0.02).all()
    assert np.isnan(settled[2:]).all()
    np.testing.assert_allclose(found.rows["settling/visible"][0, -1], wanted[0, 5:], rtol=0.01, atol=1e-3)
    assert np.isnan(found.rows["equilibrium/mean"]).all()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["state"], record["identity"]["noise"]) == ("finished", "off")
    assert sorted(path.name for path in (tmp_path / "out" / "netlist").iterdir()) == [
        "cells.lib",
        "core.sub",
        "testbench.cir",
    ]
    assert not (tmp_path / "out" / "partial").exists()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "6 / 6" in page
    assert "Settling" in page
    assert "no noise: inputs are at rest" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_run_under_noise_averages_it(file: Path, tmp_path: Path, compiling: Simulator) -> None:
    settings = NetworkRunSettings(samples=2, settle=0, noise="on", averaging=600.0)
    found = run_network(plan_network(file, settings), tmp_path / "out", "new", lambda _: None)
    assert found.rows["verdict/accepted"].all(), found.rows["verdict/reason"]
    rest, mean = found.rows["rest/circuit"], found.rows["equilibrium/mean"]
    # kT = 0.01: a node fluctuates by about 0.1, its average over 600 time constants by a tenth of that or less
    assert 0 < np.abs(mean - rest).max() < 0.03
    np.testing.assert_array_equal(found.rows["readout/analog"], mean[:, 5:])
    assert (found.rows["equilibrium/covariance_bound"] < 0.15).all()
    shares = found.rows["averaging/variance"] / found.rows["averaging/expected"]
    np.testing.assert_allclose(shares[:, :3], 1, atol=0.35)
    assert (np.diff(found.rows["averaging/expected"]) < 0).all()
    johnson = settings_of(settings, noise="johnson", averaging=60.0)
    other = run_network(plan_network(file, johnson), tmp_path / "other", "new", lambda _: None)
    assert other.attributes["noise"] == "johnson"
    expected = other.rows["equilibrium/variance_expected"][0] / found.rows["equilibrium/variance_expected"][0]
    assert np.abs(np.log(expected)).max() > 0.1


def settings_of(settings: NetworkRunSettings, **more: object) -> NetworkRunSettings:
    return NetworkRunSettings.model_validate({**settings.model_dump(), **more})


@pytest.mark.parametrize("name", ["differential", "ota"])
def test_realizations_run_with_what_they_make(file: Path, tmp_path: Path, name: str) -> None:
    code, said = invoke(
        "run", file, "--out", tmp_path / "out", "--realization", name, *FITTING, "--clip", "--samples", 2,
        "--volts", "1e-3", "--settle", 1, "--ota-bandwidth", "1e10",
    )  # fmt: skip
    assert code == 0, said
    found = read_network_results(tmp_path / "out" / RESULTS)
    assert found.attributes["realization"] == name
    limit = 1e-6 if name == "differential" else 1e-2
    assert (found.rows["rest/error"] < limit).all()
    # about its own rest, which the amplifiers' saturation shifts
    assert found.rows["settling/rate_error"][0] < 0.02


def test_quartic_networks_run_too(tmp_path: Path, compiling: Simulator) -> None:
    """Not linear: a solver to settle by, no covariance in closed form; Newton's equilibrium."""
    network = replace(random_network((4,), quartic=0.3, seed=1), kt=0.05)
    write_network(tmp_path / "q.h5", Substrate(network))
    settings = NetworkRunSettings(noise="on", averaging=30.0)
    found = run_network(plan_network(tmp_path / "q.h5", settings), tmp_path / "out", "new", lambda _: None)
    assert found.inputs == 1
    assert found.rows["verdict/accepted"].all()
    np.testing.assert_allclose(
        found.rows["rest/circuit"], equilibrium(network, network.bias[None]), rtol=1e-6
    )
    assert 0 < found.rows["settling/path_error"][0] < 1e-3
    assert np.isnan(found.rows["equilibrium/variance_expected"]).all()
    assert (found.rows["equilibrium/variance"] > 0).all()


def test_newton_is_exact_where_there_is_no_quartic_and_near_where_there_is() -> None:
    network = random_network((6,), seed=2)
    wanted = np.linalg.solve(network.matrix, network.bias)
    far = np.random.default_rng(0).normal(size=6)
    np.testing.assert_allclose(
        equilibrium_near(network.matrix, network.quartic, network.bias, far), wanted, rtol=1e-10
    )
    quartic = replace(network, modules=(replace(network.modules[0], quartic=np.full(6, 0.2)),))
    wanted = equilibrium(quartic, quartic.bias[None])[0]
    near = equilibrium_near(quartic.matrix, quartic.quartic, quartic.bias, wanted + 1e-5)
    np.testing.assert_allclose(near, wanted, rtol=1e-12)


def test_finished_inputs_survive_and_are_resumed_to_the_same_bits(file: Path, tmp_path: Path) -> None:
    settings = NetworkRunSettings(samples=4, settle=4)
    plan = plan_network(file, settings)
    whole = run_network(plan, tmp_path / "whole", "new", lambda _: None)

    def interrupt(text: str) -> None:
        if text.startswith("input 1"):
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_network(plan, out, "new", interrupt)
    parts = sorted(path.name for path in (out / "partial").iterdir())
    assert parts == ["input-00000.h5", "input-00001.h5"]
    (out / "partial" / parts[1]).write_bytes(b"damaged")
    before = (out / "partial" / parts[0]).read_bytes()
    said: list[str] = []
    resumed = run_network(plan, out, "resume", said.append)
    assert said[0].startswith("3 of 4 inputs")
    assert before
    for name in ROWS:
        if not name.startswith("timing"):
            np.testing.assert_array_equal(resumed.rows[name], whole.rows[name], err_msg=name)
    again = run_network(plan, out, "resume", said.append)
    assert said[-1].startswith("0 of 4 inputs")
    np.testing.assert_array_equal(again.rows["timing/simulator_cpu"], resumed.rows["timing/simulator_cpu"])
    with pytest.raises(FolderError, match="holds a run's results already"):
        run_network(plan, out, "new", said.append)
    with pytest.raises(FolderError, match=r"settings\.settle was 4, now 1"):
        run_network(plan_network(file, settings_of(settings, settle=1)), out, "resume", said.append)
    (out / RESULTS).write_bytes(b"damaged")
    with pytest.raises(FolderError, match="Remove it, or start anew with --overwrite"):
        run_network(plan, out, "resume", said.append)
    assert run_network(plan, out, "overwrite", said.append).inputs == 4


def test_inspect_shows_runs_finished_or_not(file: Path, tmp_path: Path) -> None:
    plan = plan_network(file, NetworkRunSettings(samples=3, settle=1))

    def interrupt(text: str) -> None:
        if text.startswith("input 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_network(plan, tmp_path / "out", "new", interrupt)
    code, said = invoke("inspect", tmp_path / "out")
    assert code == 0
    assert "finished inputs 2" in said
    run_network(plan, tmp_path / "out", "resume", lambda _: None)
    code, said = invoke("inspect", tmp_path / "out")
    assert code == 0
    assert "as linear algebra says 3 of 3" in said
    assert "rates of the modes, against the spectrum median 0." in said


def test_results_of_another_kind_are_told_apart(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="not a ais-network-results file of version 1"):
        read_network_results(file)


# --- netlists ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["ngspice", "xyce", "spectre"])
def test_compile_writes_a_netlist_of_every_dialect(file: Path, tmp_path: Path, dialect: str) -> None:
    code, said = invoke(
        "compile", file, "--out", tmp_path, "--dialect", dialect, "--realization", "differential", *FITTING, "--clip",
        "--sample", 3, "--bias-bits", 7,
    )  # fmt: skip
    assert code == 0, said
    wiring = "rank 2: 40 transconductors (4Dk) through 4 summing buses, where products would take 50 (2D²)"
    assert f"{wiring}; as many at rank 2.5" in said
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    read = (
        read_spectre(texts, "testbench.scs") if dialect == "spectre" else read_spice(texts, "testbench.cir")
    )
    kinds = [kind for kind, *_ in flat(read).values()]
    counted = dict(re.findall(r"(\d[\d,]*) (\w+)", said.partition("elements")[2].partition(")")[0]))
    numbers = {word: int(number.replace(",", "")) for number, word in counted.items()}
    assert (kinds.count("R"), kinds.count("G"), kinds.count("I")) == (
        numbers["resistor"],
        numbers["vccs"],
        70,
    )
    assert "forces converters of 7 bits and a sign, one a node:" in said
    bench = texts["testbench.scs" if dialect == "spectre" else "testbench.cir"]
    assert "elements: " in bench
    assert "through 4 summing buses" in bench
    assert set(read.parameters) >= {"ais_g", "ais_c", "ais_v", "ais_bus", "ais_lsb"}


def test_the_netlist_runs_as_it_is_and_comes_to_rest(file: Path, simulator: Simulator) -> None:
    given = substrate()
    plan = plan_network(file, NetworkRunSettings())
    made = network_netlist(given, plan.settings.circuit, "ngspice", "test", 5)
    text = made.files["testbench.cir"]
    for name in ("cells.lib", "core.sub"):
        text = text.replace(f'.include "{name}"\n', made.files[name])
    stop = float(re.search(r"^\.tran \S+ (\S+)", text, re.MULTILINE).group(1))
    found = simulator.simulate(Deck(text, plan.circuit.wires, stop), limit_s=60)
    assert found.judgement.completed, found.judgement.reason
    assert find_capabilities(simulator).version
    wanted = equilibrium(given.network, given.biases("test")[5:6])[0]
    np.testing.assert_allclose(plan.circuit.states(found.values[-1]), wanted, rtol=1e-3, atol=1e-3)


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--level", "lc"], "--level: the file holds a network of modules, to which this means nothing"),
        (["--jobs", "2", "--detuning", "1%"], "--detuning, --jobs: the file holds a network of modules"),
        (["--inputs", "train"], "no inputs 'train'; the file holds: test"),
        (["--samples", "9"], "9 inputs 'test' are asked for; the file holds 8"),
        (["--realization", "passive"], "resistors alone can't make this network"),
        (["--realization", "differential"], "couplings can't be made"),
        (["--noise", "0.3"], "--noise: Input should be 'off', 'on' or 'johnson', received '0.3'"),
        (["--noise", "on", "--noise-step", "5"], "time constants of the fastest pole"),
        (["--ota-gain", "0.5"], "--ota-gain: Input should be greater than 1"),
        (["--volts", "0"], "--volts: Input should be greater than"),
        (["--overwrite", "--resume"], "choose one"),
    ],
)
def test_unusable_input_is_said_before_any_work(
    file: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    code, said = invoke("run", file, "--out", tmp_path / "out", *words)
    assert code == 2
    assert sentence in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--dialect", "verilog-a"], "a network of modules is made of circuit elements"),
        (["--sample", "8"], "--sample 8: there are 8 inputs 'test', counted from 0"),
        (["--devices", "compiled"], "--devices: the file holds a network of modules"),
    ],
)
def test_netlists_that_can_not_be_are_refused(
    file: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    code, said = invoke("compile", file, "--out", tmp_path / "out", *words)
    assert code == 2
    assert sentence in said
    assert not (tmp_path / "out").exists()


def test_options_of_networks_mean_nothing_to_cores(tmp_path: Path) -> None:
    write_weights(tmp_path / "core.h5", small_core())
    for words, sentence in (
        (["--realization", "ota", "--volts", "1"], "--realization, --volts: the file holds a core on a grid"),
        (["--noise", "on"], "--noise on: expected off or a number"),
    ):
        code, said = invoke("run", tmp_path / "core.h5", "--out", tmp_path / "out", *words)
        assert code == 2
        assert sentence in said


def test_networks_without_a_bottom_or_without_inputs(tmp_path: Path) -> None:
    network = resistive_network(3)
    broken = replace(network, modules=(replace(network.modules[0], quadratic=np.full(3, -1.0)),))
    write_network(tmp_path / "broken.h5", Substrate(broken))
    with pytest.raises(NetworkError, match="not positive definite: its smallest eigenvalue is"):
        plan_network(tmp_path / "broken.h5", NetworkRunSettings())
    code, said = invoke("run", tmp_path / "broken.h5", "--out", tmp_path / "out")
    assert code == 2
    assert "broken.h5: M is not positive definite" in said
    write_network(tmp_path / "plain.h5", Substrate(network))
    assert plan_network(tmp_path / "plain.h5", NetworkRunSettings()).name == "bias"
    with pytest.raises(NetworkError, match="no digital interface"):
        plan_network(tmp_path / "plain.h5", NetworkRunSettings(split="test"))


def test_converters_are_the_same_whatever_inputs_are_run(file: Path) -> None:
    """And those of the netlist beside the results."""
    made = NetworkSettings(bias_bits=6)
    all_of_them, two = (
        plan_network(file, NetworkRunSettings(samples=samples, circuit=made)) for samples in (None, 2)
    )
    assert np.abs(two.biases).max() < 0.5 * np.abs(all_of_them.biases).max()
    assert two.circuit.converter == all_of_them.circuit.converter
    np.testing.assert_array_equal(two.forces, all_of_them.forces[:2])
    netlist = network_netlist(two.file.substrate, made, "ngspice", two.name, 0)
    assert dict(netlist.facts)["forces"] == dict(circuit_facts(two.circuit, 1.0))["forces"]
