"""``ais thermo``: files written, figures counted from arrays, refusals that help."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from substrates import activations_file, random_network, real_activations
from typer.testing import CliRunner

from emulator.cli import app
from emulator.thermo import audit as audit_module
from emulator.thermo import audit_files, audit_transients, published
from emulator.thermo.audit_transients import Effort
from emulator.thermo.equilibrium import equilibrium
from emulator.thermo.findings import findings
from netlists.core import Array
from netlists.network import LangevinNetwork
from netlists.network_file import Substrate, read_network, write_network

EVIL = "x\x1b[31m[bold]"


def ais(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def said(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transients of few runs, where they are not what is looked at."""
    few = {"isotropic": Effort(3, 30.0, 400), "johnson": Effort(2, 10.0, 100)}
    monkeypatch.setattr(audit_transients, "COMPILED", few)
    monkeypatch.setattr(audit_transients, "BY_ELEMENTS", few)


@pytest.fixture(scope="module")
def activations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return activations_file(tmp_path_factory.mktemp("thermo") / "activations.h5")


@pytest.fixture(scope="module")
def substrate(activations: Path) -> Path:
    out = activations.parent / "substrate.h5"
    result = ais("thermo", "build", activations, "--dim", 12, "--rank", 6, "--out", out)
    assert result.exit_code == 0, result.output
    return out


def test_build_counts_what_it_built(activations: Path, substrate: Path) -> None:
    result = ais(
        "thermo", "build", activations, "--dim", 12, "--rank", 3, "--out", substrate.parent / "other.h5"
    )
    assert result.exit_code == 0, result.output
    for words in ("12 + 12 nodes, kT = 1", "rank 3: 144 transconductors (4Dk), dense 288 (2D²)", "rank 6: below it",
                  "480 parameters"):  # fmt: skip
        assert words in said(result)
    found = read_network(substrate)
    network, interface = found.substrate.network, found.substrate.interface
    assert network.sizes == (12, 12)
    assert network.skips[0].rank == 6
    assert network.spectrum.positive
    assert interface is not None
    assert interface.parameters == 40 * 12
    assert found.provenance["source"] == "activations.h5"
    assert found.provenance["source_dataset"] == found.provenance["dataset"] == "none"
    assert "mean squared error" in str(found.provenance["objective"])
    np.testing.assert_array_equal(network.visible, np.arange(12, 24))


def test_build_refuses_and_mends(activations: Path, tmp_path: Path) -> None:
    out = tmp_path / "substrate.h5"
    words = ("thermo", "build", activations, "--dim", 12, "--rank", 1, "--quadratic", 0.1, "--out", out)
    result = ais(*words)
    assert result.exit_code == 2
    for part in (
        "rank 1, M is not positive definite",
        "smallest eigenvalue is -",
        "smallest rank that works is",
        "--shift",
    ):
        assert part in said(result)
    assert not out.exists()
    result = ais(*words, "--shift")
    assert result.exit_code == 0, result.output
    assert "added to the diagonal" in said(result)
    assert read_network(out).substrate.network.spectrum.condition == pytest.approx(100)


def test_bad_input_is_told(activations: Path, substrate: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    for words, message in [
        (
            ("build", tmp_path / "none.h5", "--out", out),
            "none.h5: not usable as a file of activations no such file",
        ),
        (("build", substrate, "--out", out), "attributes format, version: are 'ais-weights', 1; expected"),
        (("build", activations, "--dim", 99, "--out", out), "dim is 99; expected at most 12"),
        (("build", activations, "--dim", 12, "--rank", 13, "--out", out), "rank is 13; expected 1 to 12"),
        (("audit", substrate, "--tau", "nan", "--out", out), "--tau: Input should be less than"),
        (
            ("audit", substrate, "--capacitance", -1, "--out", out),
            "--capacitance: Input should be greater than",
        ),
        (("build", activations, "--dim", 12, "--kt", 0, "--out", out), "kt is 0; expected above 0"),
        (
            ("audit", activations, "--out", out),
            "attribute format: is 'unet-activations'; expected 'ais-weights'",
        ),
        (
            ("audit", substrate, "--split", EVIL, "--out", out),
            r"no inputs 'x\x1b[31m[bold]'; the file holds: test, train",
        ),
    ]:
        result = ais("thermo", *words)
        assert result.exit_code == 2
        assert message in said(result)
        assert "\x1b[31m[bold]" not in result.output
    assert not out.exists()
    network = tmp_path / "network.h5"
    write_network(network, Substrate(random_network(0)))
    result = ais("thermo", "audit", network, "--out", out)
    assert "no interface; expected an encoder and a decoder module" in said(result)
    given = read_network(substrate).substrate
    wells = replace(given.network.modules[0], quartic=np.full(12, 0.1))
    quartic = replace(given, network=replace(given.network, modules=(wells, given.network.modules[1])))
    write_network(network, quartic)
    result = ais("thermo", "audit", network, "--out", out)
    assert result.exit_code == 2
    assert "12 of 24 nodes have quartic wells; expected none" in said(result)
    (tmp_path / "file").write_text("")
    result = ais("thermo", "audit", substrate, "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert "can't write to" in said(result)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("realization", ["exact", "ideal"])
def test_audit_writes_table_figure_and_numbers(substrate: Path, tmp_path: Path, realization: str) -> None:
    result = ais("thermo", "audit", substrate, "--out", tmp_path, "--realization", realization)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "audit.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    found = json.loads((tmp_path / "audit.json").read_text())
    assert found["interface_parameters"] == 480
    error = found["operating_point_relative_error"]
    if realization == "exact":
        assert error is None  # no circuit was asked
        assert found["transients"] is None
    else:
        over_time = found["transients"]
        assert over_time["settling"]["slowest_error"] < 0.02
        assert over_time["settling"]["time_error"] < 0.02
        assert over_time["noise"].keys() == {"isotropic", "johnson"}
        assert "Readouts of" in (tmp_path / "audit.md").read_text()
        assert 0 < error < 1e-6
        assert "operating points in ngspice" in said(result)
    assert {"constant", "no_skip", "interface_only", "oracle_exact"} <= found["baselines"].keys()
    assert found["baselines"]["oracle_exact"] == pytest.approx(1, abs=1e-9)
    assert found["wiring"] == {"bus": 4 * 12 * 6, "dense": 2 * 12**2, "break_even": 6.0}
    assert found["published"]["source"].startswith("De, arXiv:2604.14332")
    table = (tmp_path / "audit.md").read_text()
    for name, score in found["regimes"].items():
        label, words = audit_files.REGIMES[name]
        figure = published.COSINES.get(name)
        theirs = "" if figure is None else f"{figure:.4f}"
        assert f"| {label}: {words} | {score:.4f} | {found['centred_r2'][name]:.4f} | {theirs} |" in table
        assert f"{score:.4f}" in result.output
    for sentence in found["findings"]:
        assert f"- {sentence}" in table
        assert sentence in said(result)
    # published figures stand nowhere but in their own column
    ours = {**found, "published": None}
    assert "0.9906" not in json.dumps(ours)


@pytest.mark.usefixtures("short_runs")
def test_what_a_technology_cannot_make_is_refused_or_clipped(substrate: Path, tmp_path: Path) -> None:
    result = ais("thermo", "audit", substrate, "--out", tmp_path / "a", "--realization", "passive")
    assert result.exit_code == 2
    assert "resistors alone can't make this network" in said(result)
    words = ("thermo", "audit", substrate, "--realization", "differential", "--capacitance", 1e-10)
    result = ais(*words, "--out", tmp_path / "b")
    assert result.exit_code == 2
    assert "can't be made" in said(result)
    assert not (tmp_path / "b").exists()
    result = ais(*words, "--out", tmp_path / "c", "--clip")
    assert result.exit_code == 0, result.output
    assert "warning: clipped to what can be made" in said(result)
    found = json.loads((tmp_path / "c" / "audit.json").read_text())
    assert found["solver"].endswith("realization differential, 0.0001 S a unit, clipped")
    assert found["operating_point_relative_error"] > 1e-6


def test_findings_follow_from_the_figures(substrate: Path) -> None:
    found = audit_module.audit(read_network(substrate))
    scores = found.evaluation
    full = scores.regimes["full"]

    def with_scores(**cosines: float) -> list[str]:
        base = {name: replace(scores.baselines[name], cosine=cosine) for name, cosine in cosines.items()}
        return findings(replace(found, evaluation=replace(scores, baselines={**scores.baselines, **base})))

    low, high = full.cosine - 0.1, full.cosine + 0.001
    assert with_scores(constant=low, no_skip=low, interface_only=low)[0].endswith(
        "scores above every baseline."
    )
    assert (
        "a constant scores above the full pipeline"
        in with_scores(constant=high, no_skip=low, interface_only=low)[0]
    )
    both = with_scores(constant=high, no_skip=high, interface_only=low)[0]
    assert "a constant and the substrate without its skip score above" in both
    raised = "raises" if scores.baselines["no_skip"].r2 > full.r2 else "lowers"
    assert f"Taking the skip out {raised} the centred R²" in findings(found)[1]
    quiet = replace(found, averaging=[replace(row, samples=1.0) for row in found.averaging])
    assert len(findings(quiet)) == len(findings(found)) - 1


def test_another_solver_is_named_and_its_error_told(substrate: Path, tmp_path: Path) -> None:
    def off(network: LangevinNetwork, biases: Array) -> Array:
        return equilibrium(network, biases) * (1 + 1e-7)

    found = audit_module.audit(read_network(substrate), off, "an operating point")
    assert audit_files.as_json(found)["operating_point_relative_error"] == pytest.approx(1e-7, rel=1e-6)
    assert "equilibria by an operating point" in audit_files.as_markdown(found)


def test_the_audit_of_the_trained_network(tmp_path: Path) -> None:
    out = tmp_path / "substrate.h5"
    assert ais("thermo", "build", real_activations(), "--dim", 64, "--rank", 16, "--out", out).exit_code == 0
    assert ais("thermo", "audit", out, "--out", tmp_path).exit_code == 0
    found = json.loads((tmp_path / "audit.json").read_text())
    assert found["interface_parameters"] == 2560
    assert found["operating_point_relative_error"] < 1e-6
    assert (
        "a constant, the substrate without its skip and the digital interface alone score above"
        in found["findings"][0]
    )
    assert found["wiring"] == {"bus": 4096, "dense": 8192, "break_even": 32.0}
    assert [row["rank"] for row in found["over_ranks"] if row["shift"] is None] == [1]
    assert found["baselines"]["constant"] > found["regimes"]["full"]
    # thermal noise at the published temperature drowns what tells inputs apart
    assert found["averaging"][0]["samples"] > 100
    settling = found["transients"]["settling"]
    assert settling["slowest_error"] < 0.02
    assert settling["slowest_predicted"][0] == pytest.approx(1 / found["spectrum"]["smallest"])
    assert settling["time_error"] < 0.02
    isotropic, johnson = (found["transients"]["noise"][kind] for kind in ("isotropic", "johnson"))
    for row in (*isotropic["lengths"], *johnson["lengths"]):
        assert row["variance"] == pytest.approx(row["expected"], rel=0.01, abs=4 * row["error"])
    # the negative control
    first = johnson["lengths"][0]
    assert abs(first["variance"] - johnson["boltzmann"]) > 10 * first["error"]
    needed = isotropic["time_needed"]
    assert needed["measured"] == pytest.approx(found["averaging"][0]["time"], abs=4 * needed["error"])


@pytest.mark.parametrize("command", [["thermo"], ["thermo", "build"], ["thermo", "audit"]])
def test_help(command: list[str]) -> None:
    result = ais(*command, "--help")
    assert result.exit_code == 0
    words = {"thermo": "build", "build": "Example: ais thermo build", "audit": "column of their own"}
    assert words[command[-1]] in said(result)
