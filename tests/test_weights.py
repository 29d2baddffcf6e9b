"""Weights files: read exactly, or refused with a message that names file, dataset, received and expected."""

from __future__ import annotations

import math
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import neighbours, small_core, small_weights
from typer.testing import CliRunner

from emulator.cli import app
from netlists.core import AnalogCore, InitialDistribution
from netlists.files import write_text_whole, write_whole
from netlists.hdf5 import LARGEST_DATASET
from netlists.printable import printable
from netlists.weights import LARGEST_GRID, MOST_CHUNKS, WeightsError, read_weights, write_weights

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits16-kurashil.h5"
EVIL = "x\n.control\nshell touch pwned\n.endc\x1b[31m\x07[bold]<script>alert('1')</script>\u202e\"'"

REQUIRED = (
    "topology/shape", "topology/edges", "topology/visible", "schedule/boundaries", "weights/coupling",
    "readout/kind", "initial/kind", "initial/low", "initial/high",
)  # fmt: skip
OPTIONAL = ("weights/shil", "weights/bias", "weights/detuning", "readout/image_shape", "initial")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return small_weights(tmp_path / "weights.h5", provenance={"dataset": "none", "seed": 3})


def problems_of(path: Path) -> str:
    """The message of the refusal, which names the file and holds nothing unprintable."""
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(printable(str(path)))
    assert message.isprintable()
    assert caught.value.problems
    return message


def change(path: Path, dataset: str, edit: Callable[[Any], Any]) -> None:
    """Replaces a dataset by ``edit`` of its values."""
    with h5py.File(path, "r+") as file:
        values = file[dataset][()]
        del file[dataset]
        file[dataset] = edit(values)


def put(path: Path, name: str, value: Any) -> None:
    """Replaces a dataset, whatever was there."""
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        file[name] = value


def put_attribute(path: Path, name: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value


def assert_same_core(a: AnalogCore, b: AnalogCore) -> None:
    for field in fields(AnalogCore):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if field.name == "parameters":
            assert one.keys() == two.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], two[name])
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, two)
        else:
            assert one == two


# --- what is read


def test_the_example_is_read_as_it_is() -> None:
    weights = read_weights(EXAMPLE)
    core = weights.core
    assert (core.family_name, core.shape, core.nodes, len(core.visible)) == ("kurashil", (16, 16), 256, 64)
    assert core.coupling.shape == (4, len(core.edges))
    assert core.symmetric
    assert set(weights.check) == {"initial", "final_heun64"}
    assert weights.provenance["dataset"] == "scikit-learn digits 8x8"
    with h5py.File(EXAMPLE) as file:
        np.testing.assert_array_equal(core.coupling, file["weights/coupling"][()])
        np.testing.assert_array_equal(core.parameters["shil"], file["weights/shil"][()])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read_back_exactly(tmp_path: Path, data: st.DataObject) -> None:
    rows, columns, chunks = (data.draw(st.integers(1, n)) for n in (4, 4, 3))
    core = small_core(
        (rows, columns), chunks, symmetric=data.draw(st.booleans()), seed=data.draw(st.integers(0, 99))
    )
    number = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
    low, high = sorted([data.draw(number), data.draw(number)])
    order = data.draw(st.permutations(range(core.nodes)))
    core = replace(
        core,
        visible=np.array(order[: data.draw(st.integers(1, core.nodes))]),
        image_shape=None,
        readout=data.draw(st.sampled_from(["cos", "sin", "linear", "tanh"])),
        initial=InitialDistribution(low, high),
        parameters={**core.parameters, "bias": np.array(
            data.draw(st.lists(number, min_size=chunks * core.nodes, max_size=chunks * core.nodes))
        ).reshape(chunks, core.nodes)},
    )  # fmt: skip
    provenance = {
        "objective": data.draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
    }
    write_weights(tmp_path / "w.h5", core, provenance)
    weights = read_weights(tmp_path / "w.h5")
    assert_same_core(weights.core, core)
    assert weights.provenance == provenance
    assert len(weights.sha256) == 64


@pytest.mark.parametrize("dataset", OPTIONAL)
def test_optional_datasets_may_be_absent(weights: Path, dataset: str) -> None:
    with h5py.File(weights, "r+") as file:
        del file[dataset]
    core = read_weights(weights).core
    name = dataset.rpartition("/")[2]
    if dataset.startswith("weights"):
        assert not core.parameters[name].any()
        assert core.parameters[name].shape == small_core().parameters[name].shape
    elif name == "image_shape":
        assert core.image_shape is None
    else:
        assert core.initial == InitialDistribution(-math.pi, math.pi)


@pytest.mark.parametrize("flag", [True, 1, np.int8(1), np.bool_(True)])
def test_a_flag_may_be_a_truth_value_or_one_or_zero(weights: Path, flag: Any) -> None:
    put_attribute(weights, "symmetric", flag)
    assert read_weights(weights).core.symmetric is True
    put_attribute(weights, "symmetric", type(flag)(0))
    assert read_weights(weights).core.symmetric is False


def test_text_may_have_a_fixed_length(weights: Path) -> None:
    put_attribute(weights, "family", np.bytes_(b"kurashil"))
    put(weights, "readout/kind", np.bytes_(b"sin"))
    assert read_weights(weights).core.readout == "sin"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i2", "u8", np.longdouble])
def test_any_real_type_will_do_for_weights(weights: Path, dtype: Any) -> None:
    change(weights, "weights/detuning", lambda values: np.rint(4 * np.abs(values)).astype(dtype))
    expected = np.rint(4 * np.abs(small_core().parameters["detuning"]))
    np.testing.assert_array_equal(read_weights(weights).core.parameters["detuning"], expected)


def test_a_core_without_couplings_is_a_core(tmp_path: Path) -> None:
    core = replace(small_core(), edges=np.empty((0, 2), dtype=np.int64), coupling=np.empty((2, 0)))
    assert_same_core(read_weights(small_weights(tmp_path / "w.h5", core)).core, core)


# --- what is no weights file


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.parent, "no such file"),
        (lambda path: path.mkdir(), "is a folder; expected an HDF5 weights file"),
        (lambda path: os.mkfifo(path), "is no regular file"),
        (lambda path: path.write_bytes(b""), "not a readable HDF5 file"),
        (lambda path: path.write_text("* a netlist\n.control\n"), "not a readable HDF5 file"),
        (lambda path: path.write_bytes(EXAMPLE.read_bytes()[:200_000]), "not a readable HDF5 file"),
        (lambda path: path.write_bytes(EXAMPLE.read_bytes()[:-1]), "not a readable HDF5 file"),
        (lambda path: path.write_bytes(EXAMPLE.read_bytes()[:8]), "not a readable HDF5 file"),
        (lambda path: path.symlink_to(path.parent / "nowhere"), "no such file"),
        (lambda path: path.symlink_to(path), "no such file"),
    ],
    ids=["absent", "folder", "fifo", "empty", "text", "half", "byte-short", "signature", "dangling", "loop"],
)
def test_no_hdf5(tmp_path: Path, make: Callable[[Path], Any], said: str) -> None:
    path = tmp_path / "weights.h5"
    make(path)
    assert said in problems_of(path)


def test_a_name_too_long_for_any_file(tmp_path: Path) -> None:
    assert "can't be read" in problems_of(tmp_path / ("w" * 5000))


def test_no_format(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(3)
    assert "attribute format: is absent; expected 'ais-weights'" in problems_of(path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("format", "ais-results", "attribute format: is 'ais-results'; expected 'ais-weights'"),
        ("format", np.array(["ais-weights", "b"], dtype=object), "attribute format: is"),
        ("format", h5py.Empty("f4"), "attribute format: is 'nothing (an HDF5 null)'"),
        ("format", 7, "attribute format: is 7"),
        ("version", 2, "attribute version: is 2; expected 1"),
        ("version", 0, "attribute version: is 0; expected 1"),
        ("version", "1", "attribute version: is '1'; expected 1"),
        ("version", 1.0, "attribute version: is 1.0; expected 1"),
        ("version", True, "attribute version: is True; expected 1"),
        ("version", [1, 1], "attribute version: is '[1 1]'; expected 1"),
        ("version", h5py.Empty("i4"), "attribute version: is 'nothing (an HDF5 null)'; expected 1"),
        ("family", "kuramoto2", "attribute family: is 'kuramoto2'; known: kuramoto, kurashil, langevin"),
        ("family", 3, "attribute family: is 3; expected text"),
        (
            "family",
            h5py.Empty("S8"),
            "attribute family: is 'nothing (an HDF5 null)'; known: kuramoto, kurashil, langevin",
        ),
        (
            "family",
            ["kurashil"],
            "attribute family: is \"['kurashil']\"; known: kuramoto, kurashil, langevin",
        ),
        ("family", b"\xff\xfe", "attribute family: is"),
        ("family", EVIL, "attribute family: is"),
        ("symmetric", "yes", "attribute symmetric: is 'yes'; expected true or false"),
        ("symmetric", 2, "attribute symmetric: is 2; expected true or false"),
        ("symmetric", 1.0, "attribute symmetric: is 1.0; expected true or false"),
        ("symmetric", [True, False], "attribute symmetric: is '[ True False]'; expected true or false"),
        (
            "symmetric",
            h5py.Empty("b"),
            "attribute symmetric: is 'nothing (an HDF5 null)'; expected true or false",
        ),
    ],
)
def test_wrong_attributes(weights: Path, name: str, value: Any, said: str) -> None:
    put_attribute(weights, name, value)
    assert said in problems_of(weights)


@pytest.mark.parametrize("name", ["version", "family", "symmetric"])
def test_missing_attributes(weights: Path, name: str) -> None:
    with h5py.File(weights, "r+") as file:
        del file.attrs[name]
    assert f"attribute {name}: is absent; expected" in problems_of(weights)


def test_a_reference_as_attribute(weights: Path) -> None:
    with h5py.File(weights, "r+") as file:
        file.attrs["family"] = file["weights"].ref
        file.attrs["origin"] = file["weights"].ref
    assert "a reference to another object" in problems_of(weights)


def test_provenance_of_any_type_is_kept_as_text_or_number(weights: Path) -> None:
    for name, value in [
        ("a", np.arange(3)),
        ("b", h5py.Empty("f4")),
        ("c", 1.5),
        ("d", b"\xff"),
        ("e", EVIL),
    ]:
        put_attribute(weights, name, value)
    provenance = read_weights(weights).provenance
    assert provenance["a"] == "[0 1 2]"
    assert provenance["c"] == 1.5
    assert provenance["e"] == EVIL


# --- what is wrong in it


@pytest.mark.parametrize("dataset", REQUIRED)
def test_each_missing_dataset_is_named(weights: Path, dataset: str) -> None:
    with h5py.File(weights, "r+") as file:
        del file[dataset]
    message = problems_of(weights)
    assert f"{dataset}: missing; expected" in message


def test_all_problems_are_told_at_once(weights: Path) -> None:
    with h5py.File(weights, "r+") as file:
        for dataset in ("topology/visible", "weights/coupling", "readout/kind"):
            del file[dataset]
    message = problems_of(weights)
    assert message.count("missing; expected") == 3


# dataset, its shape in the small file (4 x 4 nodes, 48 edges, 2 chunks) as the message says it
SHAPES = {
    "topology/shape": "(2,)",
    "topology/edges": "(any, 2)",
    "topology/visible": "(any,)",
    "schedule/boundaries": "(any,)",
    "weights/coupling": "(2, 48)",
    "weights/shil": "(2, 16)",
    "weights/bias": "(2, 16)",
    "weights/detuning": "(16,)",
    "readout/image_shape": "(2,)",
    "initial/low": "()",
    "initial/high": "()",
}


@pytest.mark.parametrize("dataset", SHAPES)
def test_wrong_shapes(weights: Path, dataset: str) -> None:
    change(weights, dataset, lambda values: np.stack([values, values, values]))
    with h5py.File(weights) as file:
        received = file[dataset].shape
    assert f"{dataset}: has shape {received}; expected {SHAPES[dataset]}" in problems_of(weights)


@pytest.mark.parametrize("dataset", ["weights/coupling", "weights/shil", "weights/bias", "weights/detuning"])
def test_one_too_few(weights: Path, dataset: str) -> None:
    change(weights, dataset, lambda values: values[..., :-1])
    assert f"{dataset}: has shape" in problems_of(weights)


@pytest.mark.parametrize("dataset", SHAPES)
@pytest.mark.parametrize(
    "kind", ["text", "complex", "bool", "null", "compound", "reference", "group", "type", "time"]
)
def test_wrong_dtypes(weights: Path, dataset: str, kind: str) -> None:
    with h5py.File(weights, "r+") as file:
        shape = file[dataset].shape
        del file[dataset]
        if kind == "group":
            file.create_group(dataset)
        elif kind == "type":
            file[dataset] = np.dtype("f8")
        elif kind == "time":
            space, name = h5py.h5s.create_simple(shape or (1,)), dataset.encode()
            h5py.h5d.create(file.id, name, h5py.h5t.UNIX_D32LE, space)
        else:
            dtype = {
                "text": h5py.string_dtype(), "complex": "c16", "bool": "?", "null": "f8",
                "compound": [("a", "f8"), ("b", "i4")], "reference": h5py.ref_dtype,
            }[kind]  # fmt: skip
            if kind == "null":
                file[dataset] = h5py.Empty(dtype)
            else:
                file.create_dataset(dataset, shape=shape, dtype=dtype)
    message = problems_of(weights)
    assert f"{dataset}: " in message
    assert "expected" in message


@pytest.mark.parametrize(
    "dataset", ["topology/shape", "topology/edges", "topology/visible", "readout/image_shape"]
)
def test_indices_must_be_integers(weights: Path, dataset: str) -> None:
    change(weights, dataset, lambda values: values.astype(np.float64))
    assert f"{dataset}: has dtype float64; expected integer numbers" in problems_of(weights)


@pytest.mark.parametrize(
    "dataset", [name for name in SHAPES if name.split("/")[0] in ("schedule", "weights", "initial")]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(weights: Path, dataset: str, bad: float) -> None:
    def spoil(values: Any) -> Any:
        values = np.array(values)
        values[(-1,) * values.ndim] = bad
        return values

    change(weights, dataset, spoil)
    with h5py.File(weights) as file:
        shape = file[dataset].shape
    last = tuple(n - 1 for n in shape)
    message = problems_of(weights)
    assert f"{dataset}: 1 of {int(np.prod(shape))} values are NaN or infinite, the first at {last}" in message


def test_long_doubles_beyond_the_range_are_infinite(weights: Path) -> None:
    put(weights, "weights/detuning", np.full(16, np.longdouble("1e4000")))
    assert "weights/detuning: 16 of 16 values are NaN or infinite" in problems_of(weights)


@pytest.mark.parametrize(
    ("dataset", "edit", "said"),
    [
        ("topology/shape", [0, 4], "is [0, 4]; expected rows and columns of at least 1"),
        ("topology/shape", [4, -4], "is [4, -4]; expected rows and columns of at least 1"),
        ("topology/shape", [4, 5], "weights/shil: has shape (2, 16); expected (2, 20)"),
        (
            "topology/edges",
            lambda v: np.vstack([v[:-1], [[0, 16]]]),
            "1 edges leave the grid, the first at row 47: [0, 16]; expected nodes 0 to 15",
        ),
        (
            "topology/edges",
            lambda v: np.vstack([v[:-1], [[-1, 3]]]),
            "1 edges leave the grid, the first at row 47: [-1, 3]; expected nodes 0 to 15",
        ),
        (
            "topology/edges",
            lambda v: np.vstack([[[5, 5]], v[1:]]),
            "1 self-edges, the first at row 0; expected none",
        ),
        (
            "topology/edges",
            lambda v: np.vstack([v[:-1], v[:1]]),
            "1 duplicate edges, for instance [0, 1]; expected each once",
        ),
        ("topology/edges", lambda v: v.astype(np.uint64) + np.uint64(2**63), "expected numbers below 2^63"),
        ("topology/visible", [], "has dtype float64"),
        ("topology/visible", lambda v: v[:0], "is empty; expected at least one node"),
        (
            "topology/visible",
            lambda v: [*v[:-1], 16],
            "1 nodes leave the grid, the first at 7: 16; expected 0 to 15",
        ),
        (
            "topology/visible",
            lambda v: [*v[:-1], -1],
            "1 nodes leave the grid, the first at 7: -1; expected 0 to 15",
        ),
        (
            "topology/visible",
            lambda v: [*v[:-1], v[0]],
            "1 nodes are repeated; expected each pixel a node of its own",
        ),
        ("schedule/boundaries", [0.0, 2.0, 1.0], "is [0. 2. 1.]; expected 0 and then increasing"),
        ("schedule/boundaries", [0.0, 1.0, 1.0], "expected 0 and then increasing chunk edges"),
        ("schedule/boundaries", [0.5, 1.0, 2.0], "is [0.5 1.  2. ]; expected 0 and then increasing"),
        ("schedule/boundaries", [-1.0, 1.0, 2.0], "expected 0 and then increasing chunk edges"),
        ("schedule/boundaries", [0.0], "is [0.]; expected 0 and then increasing chunk edges"),
        ("schedule/boundaries", lambda v: v[:0], "is []; expected 0 and then increasing chunk edges"),
        (
            "schedule/boundaries",
            [0.0, 1.0, 1.0 + 1e-9],
            "has a chunk of 1e-09; expected at least 0.0001 of the whole run's 1 model time units",
        ),
        ("schedule/boundaries", np.arange(MOST_CHUNKS + 2.0), f"chunks; expected at most {MOST_CHUNKS}"),
        ("readout/kind", "cosine", "is 'cosine'; expected one of cos, sin, linear, tanh"),
        ("readout/kind", "", "is ''; expected one of cos, sin, linear, tanh"),
        ("readout/kind", EVIL, "expected one of cos, sin, linear, tanh"),
        ("readout/kind", b"\xff\xfe", "expected one of cos, sin, linear, tanh"),
        ("readout/kind", 3, "is int64 of shape (); expected one of cos, sin, linear, tanh"),
        ("readout/kind", ["cos"], "is text of shape (1,); expected one of cos, sin, linear, tanh"),
        ("readout/kind", h5py.Empty("S3"), "of shape (null); expected one of cos, sin, linear, tanh"),
        ("readout/image_shape", [4, 3], "is [4, 3]; expected rows and columns whose product is the 8"),
        ("readout/image_shape", [-4, -2], "is [-4, -2]; expected rows and columns"),
        ("initial/kind", "normal", "is 'normal'; expected one of uniform"),
        ("initial/high", -9.0, "is -9; expected at least initial/low, -3.14159"),
        ("initial/high", np.finfo(np.float64).max, ""),
    ],
)
def test_wrong_values(weights: Path, dataset: str, edit: Any, said: str) -> None:
    """``edit`` is the new value, or a function of the old one."""
    if not said:  # two finite ends whose distance is not
        put(weights, "initial/low", -np.finfo(np.float64).max)
        said = "is too far from initial/low"
    if callable(edit):
        change(weights, dataset, edit)
    else:
        put(weights, dataset, edit)
    message = problems_of(weights)
    assert f"{dataset}: " in message or dataset == "topology/shape"
    assert said in message


def test_an_unknown_parameter_is_no_silent_nothing(weights: Path) -> None:
    put(weights, "weights/schil", np.zeros((2, 16)))
    said = "weights/schil: kurashil has no such parameter; known: bias, coupling, detuning, shil"
    assert said in problems_of(weights)


def test_asymmetric_weights_under_a_symmetric_flag(weights: Path) -> None:
    def spoil(values: Any) -> Any:
        values[1, 3] += 0.25
        return values

    change(weights, "weights/coupling", spoil)
    first = neighbours(4, 4)[3].tolist()
    said = f"symmetric is true, but K_ij differs from K_ji on 2 edges, by up to 0.25; the first is {first}"
    assert said in problems_of(weights)
    put_attribute(weights, "symmetric", False)
    assert not read_weights(weights).core.symmetric


def test_missing_reverse_edges_under_a_symmetric_flag(weights: Path) -> None:
    change(weights, "topology/edges", lambda edges: edges[:-1])
    change(weights, "weights/coupling", lambda values: values[:, :-1])
    last = neighbours(4, 4)[23].tolist()
    said = f"symmetric is true, but 1 edges have no reverse, the first at row 23: {last}"
    assert said in problems_of(weights)


@pytest.mark.parametrize("seed", range(5))
def test_symmetry_is_found_in_any_order_of_the_edges(tmp_path: Path, seed: int) -> None:
    core = small_core()
    order = np.random.default_rng(seed).permutation(len(core.edges))
    shuffled = replace(core, edges=core.edges[order], coupling=core.coupling[:, order])
    assert read_weights(small_weights(tmp_path / "w.h5", shuffled)).core.symmetric


def test_the_trainers_endpoints_must_fit(weights: Path) -> None:
    put(weights, "check/initial", np.zeros((3, 16)))
    put(weights, "check/final_heun", np.zeros((2, 16)))
    assert "check: sample counts differ: final_heun 2, initial 3" in problems_of(weights)
    put(weights, "check/final_heun", np.zeros((3, 15)))
    assert "check/final_heun: has shape (3, 15); expected (any, 16)" in problems_of(weights)
    put(weights, "check/final_heun", np.ones((3, 16)))
    assert read_weights(weights).check["final_heun"].sum() == 48


# --- what would escape the file, or exhaust memory


def test_links_out_of_the_file_are_not_followed(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    shutil.copy(weights, other)
    with h5py.File(weights, "r+") as file:
        del file["weights/coupling"], file["topology"], file["weights/bias"]
        file["weights/coupling"] = h5py.ExternalLink("other.h5", "/weights/coupling")
        file["topology"] = h5py.ExternalLink("other.h5", "/topology")
        (tmp_path / "raw").write_bytes(bytes(2 * 16 * 8))
        file.create_dataset("weights/bias", (2, 16), "f8", external=[(str(tmp_path / "raw"), 0, 256)])
        layout = h5py.VirtualLayout((2, 16), "f8")
        layout[:] = h5py.VirtualSource(str(other), "weights/shil", (2, 16))
        del file["weights/shil"]
        file.create_virtual_dataset("weights/shil", layout)
    message = problems_of(weights)
    for dataset in ("weights/coupling", "topology/edges", "weights/bias", "weights/shil"):
        assert f"{dataset}: is stored in another file" in message


def test_links_that_lead_nowhere(weights: Path) -> None:
    with h5py.File(weights, "r+") as file:
        for dataset, link in [
            ("weights/coupling", h5py.SoftLink("/weights/coupling")),
            ("topology/edges", h5py.SoftLink("/nowhere")),
            ("topology/visible", h5py.ExternalLink("nowhere.h5", "/x")),
            ("initial", h5py.SoftLink("/initial")),
        ]:
            del file[dataset]
            file[dataset] = link
    message = problems_of(weights)
    assert "weights/coupling: damaged" in message
    assert "topology/edges: missing" in message
    assert "topology/visible: missing" in message


@pytest.mark.parametrize(
    ("dataset", "shape"),
    [
        ("topology/edges", (10**12, 2)),
        ("topology/visible", (10**15,)),
        ("schedule/boundaries", (10**12,)),
        ("weights/coupling", (10**9, 10**9)),
        ("weights/detuning", (10**18,)),
        ("check/initial", (10**12, 16)),
        ("topology/edges", (LARGEST_DATASET, 2)),
    ],
)
def test_shapes_that_no_memory_holds(weights: Path, dataset: str, shape: tuple[int, ...]) -> None:
    with h5py.File(weights, "r+") as file:
        if dataset in file:
            del file[dataset]
        dtype = "i8" if dataset.startswith("topology") else "f8"
        file.create_dataset(dataset, shape, dtype, chunks=tuple(min(n, 1000) for n in shape))
    with limited_memory():
        message = problems_of(weights)
    assert f"{dataset}: has shape {shape}" in message


@pytest.mark.parametrize("shape", [[10**9, 10**9], [2**62, 2**62], [1, LARGEST_GRID + 1]])
def test_a_grid_that_no_memory_holds(weights: Path, shape: list[int]) -> None:
    put(weights, "topology/shape", np.array(shape))
    with limited_memory():
        message = problems_of(weights)
    assert f"topology/shape: is {shape}; expected at most {LARGEST_GRID} nodes" in message


@contextmanager
def limited_memory() -> Iterator[None]:
    """Two gigabytes more than now: what exhausts memory fails here instead of taking the machine along."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**31, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_damage_inside_a_dataset_is_found_by_its_checksum(weights: Path) -> None:
    with h5py.File(weights, "r+") as file:
        values = file["weights/coupling"][()]
        del file["weights/coupling"]
        stored = file.create_dataset("weights/coupling", data=values, chunks=values.shape, fletcher32=True)
        offset = stored.id.get_chunk_info(0).byte_offset
    content = bytearray(weights.read_bytes())
    content[offset + 5] ^= 1
    weights.write_bytes(content)
    assert "weights/coupling: damaged" in problems_of(weights)


# --- words of strangers


def test_names_with_control_characters_are_shown_as_escapes(weights: Path) -> None:
    with h5py.File(weights, "r+") as file:
        file["weights/" + EVIL.replace("/", "|")] = 1.0
        file["check/final_\x1b[2J\n"] = 1.0
        file["weights"][b"\xff\x1b"] = h5py.SoftLink("/weights/bias")
    message = problems_of(weights)
    assert "\\x1b[31m" in message
    assert "check/final_\\x1b[2J\\n: " in message


def test_a_file_name_with_control_characters_is_shown_as_escapes(tmp_path: Path) -> None:
    path = tmp_path / (EVIL.replace("/", "|") + os.fsdecode(b"\xff"))
    path.write_text("no HDF5")
    assert "\\x1b[31m" in problems_of(path)
    path.unlink()
    small_weights(path)
    assert_same_core(read_weights(path).core, small_core())


@given(st.text(st.characters(codec=None, categories=None)))
def test_printable_is_printable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")  # no lone surrogates
    if text.isprintable() and len(text) < 300:
        assert shown == text


def test_long_text_is_cut() -> None:
    assert printable("a" * 10_000) == "a" * 300 + "… (10000 characters)"
    assert printable("a" * 10_000, longest=None) == "a" * 10_000


# --- any one thing broken


NAMES = (
    *SHAPES,
    "readout/kind",
    "initial/kind",
    "topology",
    "weights",
    "readout",
    "initial",
    "schedule",
    "check",
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(),
    # HDF5's own strings hold no NUL, so nobody can write one
    st.binary(max_size=8).filter(lambda b: 0 not in b), TEXTS.filter(lambda t: "\0" not in t),
    st.sampled_from([h5py.Empty("f4"), h5py.Empty("S3"), "cos", "uniform", "kurashil", EVIL]),
)  # fmt: skip
DTYPES = st.sampled_from(["i1", "u8", ">i4", "f2", "f4", "f8", "c8", "?", "S3", "V5", "g"])
ODD_SHAPES = st.one_of(
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.sampled_from([(2,), (48, 2), (8,), (3,), (2, 48), (2, 16), (16,), (10**9, 10**9), (10**14,)]),
)


@st.composite
def corruptions(draw: st.DrawFn) -> Callable[[h5py.File], None]:
    """Something that happens to one dataset, group or attribute."""
    name = draw(st.sampled_from(NAMES))
    kind = draw(
        st.sampled_from(["remove", "scalar", "array", "values", "link", "group", "attribute", "extra"])
    )
    scalar, dtype, shape = draw(SCALARS), draw(DTYPES), draw(ODD_SHAPES)
    soft = draw(st.sampled_from(["/nowhere", "/" + name, "/weights/bias", "/"]))
    link = draw(st.sampled_from([h5py.SoftLink(soft), h5py.ExternalLink("no.h5", "/x")]))
    extra = draw(st.sampled_from(["final_", "initial", "y", EVIL.replace("/", "")]))
    attribute = draw(st.sampled_from(["format", "version", "family", "symmetric", "x"]))
    seed = draw(st.integers(0, 2**32))

    def corrupt(file: h5py.File) -> None:
        if kind == "attribute":
            file.attrs[attribute] = scalar
            return
        if kind == "values" and isinstance(file.get(name), h5py.Dataset) and file[name].dtype.kind in "iuf":
            generator = np.random.default_rng(seed)
            values = np.array(file[name][()])
            spoiled = generator.integers(-3, 40, values.shape) * generator.choice([1, 1, 1e9, 1e300])
            mask = generator.random(values.shape) < generator.choice([0.05, 1.0])
            with np.errstate(invalid="ignore"):
                file[name][()] = np.where(mask, spoiled, values).astype(values.dtype)
            return
        if kind == "extra":
            file[f"{name.split('/')[0]}/{extra}2"] = scalar
            return
        if name in file:
            del file[name]
        if kind == "scalar":
            file[name] = scalar
        elif kind == "array":
            chunks = (
                {"chunks": tuple(min(n, 100) for n in shape)} if np.prod(shape, dtype=float) > 1e6 else {}
            )
            file.create_dataset(name, shape, dtype, **chunks)
        elif kind == "link":
            file[name] = link
        elif kind == "group":
            file.create_group(f"{name}/inner")

    return corrupt


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(corrupt=corruptions())
def test_one_thing_broken_is_refused_or_harmless_and_never_a_traceback(
    tmp_path: Path, corrupt: Callable[[h5py.File], None]
) -> None:
    path = small_weights(tmp_path / "broken.h5")
    with h5py.File(path, "r+") as file:
        corrupt(file)
    refused = None
    try:
        weights = read_weights(path)
    except WeightsError as error:
        refused = error
    if refused is None:
        assert np.isfinite(weights.core.coupling).all()
        assert weights.core.edges.max(initial=0) < weights.core.nodes
    else:
        assert refused.problems
        assert str(refused).isprintable()
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert shown.exit_code == (0 if refused is None else 2)
    assert shown.exception is None or isinstance(shown.exception, SystemExit)
    assert shown.output.replace("\n", "").isprintable()


# --- files are written whole or not at all


def test_a_failed_write_leaves_nothing_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text_whole(tmp_path / "deep" / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "file").stat().st_mode & 0o777 == 0o640


def test_text_that_no_encoding_has_is_written_as_escapes(tmp_path: Path) -> None:
    write_text_whole(tmp_path / "file", "a\udcffb")
    assert (tmp_path / "file").read_text() == "a\\udcffb"
