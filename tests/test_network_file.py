"""Networks in weights files: what is written is read, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from substrates import random_network

from emulator.inspection import inspect_file
from netlists.interface import Interface, TwoLayers
from netlists.network import NetworkError, one_module
from netlists.network_file import Substrate, holds_modules, network_of_core, read_network, write_network
from netlists.synthetic import window_core
from netlists.weights import WeightsError, read_weights, write_weights


def substrate(seed: int = 0) -> Substrate:
    """Two modules of 5 and 4 nodes, an interface, two splits."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape)

    interface = Interface(
        TwoLayers(normal(2, 5), normal(5, 2), "linear"), TwoLayers(normal(3, 5), normal(4, 3), "silu")
    )
    inputs = {s: {"m0": normal(n, 5), "m1": normal(n, 4)} for s, n in (("train", 7), ("test", 3))}
    return Substrate(random_network(seed, quartic=0.2), interface, inputs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_network(tmp_path / "substrate.h5", substrate(), {"dataset": "none"})
    return tmp_path / "substrate.h5"


def test_a_substrate_comes_back(path: Path) -> None:
    assert holds_modules(path)
    found, written = read_network(path), substrate()
    assert found.provenance == {"dataset": "none"}
    network, expected = found.substrate.network, written.network
    assert found.substrate.module_names == ("m0", "m1")
    assert network.kt == expected.kt
    for name in ("matrix", "quartic", "bias", "visible"):
        np.testing.assert_array_equal(getattr(network, name), getattr(expected, name))
    np.testing.assert_array_equal(network.skips[0].left, expected.skips[0].left)  # factors stay factors
    np.testing.assert_array_equal(found.substrate.biases("test"), written.biases("test"))
    assert found.substrate.inputs.keys() == {"train", "test"}


def test_forces_are_those_of_the_interface(path: Path) -> None:
    found = read_network(path).substrate
    x, interface = found.inputs["test"]["m0"], found.interface
    assert interface is not None
    encoder = np.array([interface.encoder.second @ (interface.encoder.first @ row) for row in x])
    hidden = np.array([interface.transfer.first @ row for row in encoder])
    decoder = (hidden / (1 + np.exp(-hidden))) @ interface.transfer.second.T
    np.testing.assert_allclose(found.biases("test"), np.concatenate([encoder, decoder], axis=1), rtol=1e-12)


def test_order_of_modules_is_kept(tmp_path: Path) -> None:
    network = random_network(3, (2, 3, 4), 1)
    names = ("z", "a", "m")
    modules = tuple(replace(m, name=n) for m, n in zip(network.modules, names, strict=True))
    write_network(tmp_path / "n.h5", Substrate(replace(network, modules=modules)))
    found = read_network(tmp_path / "n.h5").substrate
    assert found.module_names == names
    np.testing.assert_array_equal(found.network.matrix, network.matrix)


def test_a_sampler_of_visible_and_hidden_nodes(tmp_path: Path) -> None:
    """Whitelam's networks: one module, a subset read out, no interface."""
    coupling = np.array([[0.0, 0.2, -0.1], [0.2, 0.0, 0.3], [-0.1, 0.3, 0.0]])
    network = one_module(
        coupling, np.full(3, -0.5), np.full(3, 0.25), np.array([0.1, 0.0, -0.2]), 0.8, [2, 0]
    )
    write_network(tmp_path / "sampler.h5", Substrate(network))
    found = read_network(tmp_path / "sampler.h5").substrate
    np.testing.assert_array_equal(found.network.matrix, 2 * coupling - np.eye(3))
    np.testing.assert_array_equal(found.network.visible, [2, 0])
    assert (found.network.kt, found.interface, dict(found.inputs)) == (0.8, None, {})


def test_more_than_ten_skips_keep_their_order(tmp_path: Path) -> None:
    network = random_network(3, (1,) * 13, 1)
    write_network(tmp_path / "n.h5", Substrate(network))
    np.testing.assert_array_equal(read_network(tmp_path / "n.h5").substrate.network.matrix, network.matrix)


def test_a_grid_is_a_network_of_one_module(tmp_path: Path) -> None:
    core = window_core(3, 4, family_name="langevin", radius=1)
    write_weights(tmp_path / "grid.h5", core, {"kt": 0.25})
    assert not holds_modules(tmp_path / "grid.h5")
    found = read_network(tmp_path / "grid.h5").substrate.network
    assert found.kt == 0.25
    np.testing.assert_array_equal(found.visible, core.visible)
    from emulator.reference import langevin_rate  # the family's equation, written without a matrix

    x = np.random.default_rng(0).standard_normal((core.nodes, 3))
    force = found.bias[:, None] - found.matrix @ x - 4 * found.quartic[:, None] * x**3
    np.testing.assert_allclose(force, langevin_rate(core, 0)(x), rtol=1e-12, atol=1e-12)


def test_grids_without_a_potential_are_refused(tmp_path: Path) -> None:
    core = window_core(3, 4, family_name="langevin", radius=1)
    with pytest.raises(NetworkError, match="family is kurashil; expected langevin"):
        network_of_core(replace(core, family_name="kurashil"), 1.0)
    with pytest.raises(NetworkError, match="has 2 chunks of weights; expected one"):
        network_of_core(replace(core, boundaries=np.array([0.0, 1.0, 2.0])), 1.0)
    asymmetric = replace(core, coupling=core.coupling + np.arange(core.coupling.size), symmetric=False)
    with pytest.raises(NetworkError, match="coupling is not symmetric"):
        network_of_core(asymmetric, 1.0)
    write_weights(tmp_path / "grid.h5", core, {"kt": "warm"})
    with pytest.raises(WeightsError, match="attribute kt: is 'warm'; expected the temperature"):
        read_network(tmp_path / "grid.h5")


def test_readers_of_grids_say_what_it_is_instead(path: Path) -> None:
    with pytest.raises(
        WeightsError, match="holds modules: a network for a thermodynamic substrate; expected a grid"
    ):
        read_weights(path)


def changed(name: str, values: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        if values is not None:
            file[name] = values

    return change


def attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value

    return change


BAD: list[tuple[Callable[[h5py.File], None], str]] = [
    (changed("modules/m0/coupling", np.ones((5, 4))), r"modules/m0: .* coupling has shape \(5, 4\); expected a square"),
    (changed("modules/m0/coupling", np.ones((5, 5)) * 1j), r"modules/m0/coupling: has dtype complex128; expected real"),
    (changed("modules/m0/coupling", np.full((5, 5), np.nan)), r"modules/m0/coupling: 25 of 25 values are NaN"),
    (changed("modules/m0/coupling", None), r"modules/m0/coupling: missing; expected real numbers"),
    (
        changed("modules/m0/coupling", np.triu(np.ones((5, 5)))),
        r"modules/m0: module 'm0': coupling is not symmetric, J\[0, 1\] = 1 and J\[1, 0\] = 0",
    ),
    (changed("modules/m1/quadratic", np.ones(5)), r"modules/m1/quadratic: has shape \(5,\); expected \(4,\)"),
    (changed("modules/m1/quartic", -np.ones(4)), r"modules/m1: module 'm1': quartic is negative at 4 nodes"),
    (changed("modules/m2/coupling", np.ones((2, 2))), "modules: holds m2; expected what topology/modules lists"),
    (changed("topology/modules", ["m0", "m0"]), "topology/modules: is .* expected different texts"),
    (changed("topology/modules", [1, 2]), r"topology/modules: is int64 of shape \(2,\); expected different texts"),
    (changed("topology/modules", "m0"), r"topology/modules: is text of shape \(\); expected different texts"),
    (changed("topology/visible", [3, 9]), "visible has nodes 3 to 9, 2 different among 2; expected .* from 0 to 8"),
    (changed("weights/bias", np.zeros(8)), r"weights/bias: has shape \(8,\); expected \(9,\)"),
    (changed("skips/0/left", np.ones((4, 2))), r"skips/0/left: has shape \(4, 2\); expected \(5, any\)"),
    (changed("skips/0/right", np.ones((4, 3))), "skip 0: left has rank 2 and right 3; expected the same"),
    (changed("skips/0/modules", ["m0", "m7"]), "skips/0/modules: is .* expected two of topology/modules"),
    (changed("skips/2/left", np.ones((5, 2))), "skips: holds 0, 2; expected 0, 1, ... without a gap"),
    (changed("interface/encoder/first", np.ones((2, 4))), r"encoder/first: has shape \(2, 4\); expected \(any, 5"),
    (
        changed("interface/encoder/second", np.ones((5, 3))),
        r"interface: encoder/second has shape \(5, 3\); expected \(any, 2\) to follow encoder/first",
    ),
    (changed("interface/transfer/second", None), "interface/transfer/second: missing"),
    (changed("inputs/test/m1", np.ones((3, 5))), r"inputs/test/m1: has shape \(3, 5\); expected \(any, 4\)"),
    (changed("inputs/test/m1", None), "inputs/test/m1: missing"),
    (attribute("kt", None), "attribute kt: is 'absent'; expected the temperature"),
    (attribute("kt", "hot"), "attribute kt: is 'hot'; expected the temperature"),
    (attribute("kt", -2.0), "temperature kT is -2.0; expected at least 0"),
    (attribute("family", "kurashil"), "modules: with family 'kurashil', symmetric True; expected family 'langevin'"),
    (attribute("symmetric", False), "modules: with family 'langevin', symmetric False; expected"),
    (attribute("version", 2), "attribute version: is 2; expected 1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_is_wrong_is_named(path: Path, change: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(WeightsError, match=message) as caught:
        read_network(path)
    assert str(path) in str(caught.value)


def test_every_problem_is_named_at_once(path: Path) -> None:
    with h5py.File(path, "a") as file:
        for name in ("modules/m0/quadratic", "skips/0/left", "interface/encoder/first"):
            changed(name, None)(file)
    with pytest.raises(WeightsError) as caught:
        read_network(path)
    assert len(caught.value.problems) == 3


def test_a_huge_network_is_refused_before_its_matrix_is_made() -> None:
    core = window_core(3, 4, family_name="langevin", radius=1)
    with pytest.raises(
        NetworkError, match="1000000 nodes; expected at most 5000, whose system matrix is dense"
    ):
        network_of_core(replace(core, shape=(1000, 1000)), 1.0)


def test_names_that_a_file_cannot_hold(tmp_path: Path) -> None:
    network = random_network(0)
    first, second = network.modules
    for names in (("a/b", "c"), ("a", "a"), ("", "b")):
        modules = (replace(first, name=names[0]), replace(second, name=names[1]))
        with pytest.raises(NetworkError, match="expected different ones without a slash"):
            write_network(tmp_path / "n.h5", Substrate(replace(network, modules=modules)))
    assert not list(tmp_path.iterdir())


def test_asking_for_what_is_not_there(path: Path) -> None:
    found = read_network(path).substrate
    with pytest.raises(NetworkError, match="no inputs 'validation'; the file holds: test, train"):
        found.biases("validation")
    with pytest.raises(NetworkError, match="no digital interface"):
        replace(found, interface=None).biases("test")


@pytest.mark.parametrize(("quadratic", "ratio"), [(1.0, True), (-0.5, False)])
def test_a_ratio_of_eigenvalues_is_only_where_all_are_above_zero(
    tmp_path: Path, quadratic: float, ratio: bool
) -> None:
    network = one_module(np.zeros((3, 3)), np.full(3, quadratic), np.full(3, 0.3), np.zeros(3), 1.0, range(3))
    write_network(tmp_path / "wells.h5", Substrate(network))
    said = dict(dict(inspect_file(tmp_path / "wells.h5").sections)["network"])["eigenvalues of M"]
    assert said == f"{2 * quadratic:g} to {2 * quadratic:g}" + ", ratio 1" * ratio


def test_inspection_shows_the_network(path: Path) -> None:
    found = inspect_file(path)
    assert not found.defects
    about = dict(found.sections[0][1])
    assert about["modules"] == "m0: 5 nodes, m1: 4 nodes"
    assert about["digital interface"] == f"{2 * 5 * 2 + 3 * 5 + 4 * 3} parameters"
    assert about["skip 0"].startswith("m0 and m1, rank 2: 36 transconductors, dense 40")
    with h5py.File(path, "a") as file:
        del file["modules/m0/quadratic"]
    assert any("modules/m0/quadratic: missing" in defect for defect in inspect_file(path).defects)
