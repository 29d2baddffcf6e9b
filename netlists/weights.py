"""The weights file: trained couplings in HDF5, checked before anything else happens.

Format ``ais-weights`` version 1; the README lists its datasets. Nothing that a file says in words (names,
attributes) ever reaches a netlist: those are made of numbers and of names this package generates.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import h5py
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from device_models.families import FAMILIES
from device_models.model import Parameter
from device_models.readout import READOUTS
from netlists.core import AnalogCore, Array, InitialDistribution
from netlists.files import write_whole

FORMAT = "ais-weights"
VERSION = 1
INITIAL_KINDS = ("uniform",)
Scalar = str | int | float | bool
Length = TypeVar("Length", int, int | None)


class WeightsError(ValueError):
    """A weights file that can't be used: every problem found, with dataset, received and expected."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(f"{path}: " + "; ".join(problems))


class WeightsAttributes(BaseModel):
    """Root attributes that have a meaning; the others are provenance."""

    model_config = ConfigDict(frozen=True)

    format: Literal["ais-weights"]
    version: Literal[1]
    family: str
    symmetric: bool


@dataclass(frozen=True)
class Weights:
    """A weights file, read and found sound.

    Attributes:
        path: where it was read from.
        sha256: of the file's bytes.
        core: the analog core it describes.
        provenance: root attributes without a meaning of their own (dataset, objective, ...), as text or number.
        check: arrays (S, N) of the trainer's own endpoints, by name; empty if the file has none.
    """

    path: Path
    sha256: str
    core: AnalogCore
    provenance: Mapping[str, Scalar] = field(default_factory=dict)
    check: Mapping[str, Array] = field(default_factory=dict)


class _Reader:
    """Reads datasets and collects what is wrong with them, so that a user sees every problem at once."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self.problems: list[str] = []

    def complain(self, dataset: str, message: str) -> None:
        self.problems.append(f"{dataset}: {message}")

    def array(
        self,
        dataset: str,
        shape: tuple[int | None, ...],
        kind: Literal["integer", "real"],
        *,
        optional: bool = False,
    ) -> npt.NDArray[Any] | None:
        """The dataset as int64 or float64, or None with a complaint; ``None`` in the shape is any length."""
        item = self.file.get(dataset)
        if item is None:
            if not optional:
                self.complain(dataset, f"missing; expected {kind} numbers of shape {_shape_text(shape)}")
            return None
        if not isinstance(item, h5py.Dataset):
            self.complain(dataset, f"is a group; expected a dataset of shape {_shape_text(shape)}")
            return None
        allowed = "iu" if kind == "integer" else "iuf"
        if item.dtype.kind not in allowed:
            self.complain(dataset, f"has dtype {item.dtype}; expected {kind} numbers")
            return None
        if item.shape is None or len(item.shape) != len(shape) or any(
            want is not None and want != got for want, got in zip(shape, item.shape, strict=True)
        ):  # fmt: skip
            self.complain(dataset, f"has shape {_shape_text(item.shape)}; expected {_shape_text(shape)}")
            return None
        if kind == "integer":
            return np.asarray(item[()], dtype=np.int64)
        values = np.asarray(item[()], dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            first = tuple(int(k) for k in np.argwhere(bad)[0])
            self.complain(
                dataset, f"{int(bad.sum())} of {bad.size} values are NaN or infinite, the first at {first}"
            )
            return None
        return values

    def text(self, dataset: str, known: tuple[str, ...]) -> str | None:
        """A scalar string out of ``known``, or None with a complaint."""
        item = self.file.get(dataset)
        if not isinstance(item, h5py.Dataset):
            self.complain(dataset, f"missing; expected one of {', '.join(known)}")
            return None
        value = item[()] if item.shape == () else None
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        if value not in known:
            received = (
                repr(value) if isinstance(value, str) else f"{item.dtype} of shape {_shape_text(item.shape)}"
            )
            self.complain(dataset, f"is {received}; known: {', '.join(known)}")
            return None
        return str(value)


def read_weights(path: str | Path) -> Weights:
    """Reads and checks a weights file.

    Raises:
        WeightsError: with every problem found: the dataset, what was received and what was expected.
    """
    path = Path(path)
    if not path.exists():
        raise WeightsError(path, ["no such file"])
    if not path.is_file():
        raise WeightsError(path, ["is not a file; expected an HDF5 weights file"])
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except OSError as error:
        raise WeightsError(path, [f"not a readable HDF5 file ({error})"]) from error


def _read(path: Path, file: h5py.File) -> Weights:
    attributes, provenance = _attributes(path, file)
    model = FAMILIES[attributes.family]
    reader = _Reader(file)
    shape = _grid_shape(reader)
    boundaries = _boundaries(reader)
    edges = _edges(reader, shape)
    visible = _visible(reader, shape)
    nodes = None if shape is None else shape[0] * shape[1]
    chunks = None if boundaries is None else len(boundaries) - 1
    coupling = reader.array("weights/coupling", (chunks, None if edges is None else len(edges)), "real")
    if coupling is not None and edges is not None and attributes.symmetric:
        _check_symmetry(reader, edges, coupling)
    parameters: dict[str, Array] = {}
    for parameter in model.parameters:
        expected = _parameter_shape(parameter, chunks, nodes)
        dataset = f"weights/{parameter.name}"
        values = reader.array(dataset, expected, "real", optional=True)
        if values is not None and ((values < parameter.low) | (values > parameter.high)).any():
            reader.complain(dataset, f"outside [{parameter.low:g}, {parameter.high:g}] {parameter.unit}")
        if values is not None:
            parameters[parameter.name] = values
    known = {"coupling", *(parameter.name for parameter in model.parameters)}
    group = file.get("weights")
    for name in sorted(group) if isinstance(group, h5py.Group) else ():
        if name not in known:
            reader.complain(
                f"weights/{name}", f"{model.family} has no such parameter; known: {', '.join(sorted(known))}"
            )
    readout = reader.text("readout/kind", tuple(READOUTS))
    image_shape = _image_shape(reader, visible)
    initial = _initial(reader)
    check = _check(reader, nodes)
    if reader.problems:
        raise WeightsError(path, reader.problems)
    assert shape is not None and edges is not None and visible is not None and boundaries is not None
    assert coupling is not None and readout is not None and initial is not None
    for parameter in model.parameters:
        full = _parameter_shape(parameter, len(boundaries) - 1, shape[0] * shape[1])
        parameters.setdefault(parameter.name, np.full(full, parameter.default))
    core = AnalogCore(
        family_name=model.family,
        shape=shape,
        edges=edges,
        visible=visible,
        boundaries=boundaries,
        coupling=coupling,
        parameters=parameters,
        symmetric=attributes.symmetric,
        readout=readout,
        image_shape=image_shape,
        initial=initial,
    )
    return Weights(path, sha256_of(path), core, provenance, check)


def _parameter_shape(parameter: Parameter, chunks: Length, nodes: Length) -> tuple[Length, ...]:
    return {"core": (), "node": (nodes,), "node-and-chunk": (chunks, nodes)}[parameter.scope]


def _attributes(path: Path, file: h5py.File) -> tuple[WeightsAttributes, dict[str, Scalar]]:
    raw = {str(name): _scalar(value) for name, value in file.attrs.items()}
    if raw.get("format") != FORMAT:
        received = repr(raw["format"]) if "format" in raw else "absent"
        raise WeightsError(path, [f"attribute format: is {received}; expected {FORMAT!r}"])
    problems = []
    try:
        attributes = WeightsAttributes.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0])
            received = "absent" if item["type"] == "missing" else f"{raw.get(name)!r}"
            expected = str(VERSION) if name == "version" else {"symmetric": "true or false"}.get(name, "text")
            problems.append(f"attribute {name}: is {received}; expected {expected}")
        raise WeightsError(path, problems) from None
    if attributes.family not in FAMILIES:
        message = f"attribute family: is {attributes.family!r}; known: {', '.join(sorted(FAMILIES))}"
        raise WeightsError(path, [message])
    return attributes, {k: v for k, v in raw.items() if k not in WeightsAttributes.model_fields}


def _scalar(value: Any) -> Scalar:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float | bool) else str(value)


def _grid_shape(reader: _Reader) -> tuple[int, int] | None:
    shape = reader.array("topology/shape", (2,), "integer")
    if shape is None:
        return None
    if (shape < 1).any():
        reader.complain("topology/shape", f"is {shape.tolist()}; expected rows and columns of at least 1")
        return None
    return int(shape[0]), int(shape[1])


def _boundaries(reader: _Reader) -> Array | None:
    boundaries = reader.array("schedule/boundaries", (None,), "real")
    if boundaries is None:
        return None
    if len(boundaries) < 2 or boundaries[0] != 0 or (np.diff(boundaries) <= 0).any():
        shown = np.array2string(boundaries, threshold=8)
        reader.complain("schedule/boundaries", f"is {shown}; expected 0 and then increasing chunk edges")
        return None
    return boundaries


def _edges(reader: _Reader, shape: tuple[int, int] | None) -> npt.NDArray[np.int64] | None:
    edges = reader.array("topology/edges", (None, 2), "integer")
    if edges is None or shape is None:
        return edges
    nodes = shape[0] * shape[1]
    outside = ((edges < 0) | (edges >= nodes)).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        reader.complain(
            "topology/edges",
            f"{int(outside.sum())} edges leave the grid, the first at row {row}: {edges[row].tolist()}; "
            f"expected nodes 0 to {nodes - 1}",
        )
        return None
    own = edges[:, 0] == edges[:, 1]
    if own.any():
        reader.complain(
            "topology/edges", f"{int(own.sum())} self-edges, the first at row {int(np.argmax(own))}"
        )
    keys = edges[:, 0] * nodes + edges[:, 1]
    unique, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if len(unique) < len(keys):
        row = int(first[np.argmax(counts > 1)])
        reader.complain(
            "topology/edges",
            f"{len(keys) - len(unique)} duplicate edges, for instance {edges[row].tolist()}; expected each once",
        )
    return edges


def _visible(reader: _Reader, shape: tuple[int, int] | None) -> npt.NDArray[np.int64] | None:
    visible = reader.array("topology/visible", (None,), "integer")
    if visible is None or shape is None:
        return visible
    nodes = shape[0] * shape[1]
    if len(visible) == 0:
        reader.complain("topology/visible", "is empty; expected at least one node")
    outside = (visible < 0) | (visible >= nodes)
    if outside.any():
        position = int(np.argmax(outside))
        reader.complain(
            "topology/visible",
            f"{int(outside.sum())} nodes leave the grid, the first at {position}: {int(visible[position])}; "
            f"expected 0 to {nodes - 1}",
        )
    repeated = len(visible) - len(np.unique(visible))
    if repeated:
        reader.complain(
            "topology/visible", f"{repeated} nodes are repeated; expected each pixel a node of its own"
        )
    return visible


def _check_symmetry(reader: _Reader, edges: npt.NDArray[np.int64], coupling: Array) -> None:
    forward = {(i, j): row for row, (i, j) in enumerate(edges.tolist())}
    back = np.array([forward.get((j, i), -1) for i, j in edges.tolist()])
    lonely = back < 0
    if lonely.any():
        row = int(np.argmax(lonely))
        reader.complain(
            "topology/edges",
            f"symmetric is true, but {int(lonely.sum())} edges have no reverse, the first at row {row}: "
            f"{edges[row].tolist()}",
        )
        return
    unequal = (coupling != coupling[:, back]).any(axis=0)
    if unequal.any():
        row = int(np.argmax(unequal))
        worst = float(np.abs(coupling - coupling[:, back]).max())
        reader.complain(
            "weights/coupling",
            f"symmetric is true, but K_ij differs from K_ji on {int(unequal.sum())} edges, by up to {worst:.3g}; "
            f"the first is {edges[row].tolist()}. Average them, or say symmetric = false",
        )


def _image_shape(reader: _Reader, visible: npt.NDArray[np.int64] | None) -> tuple[int, int] | None:
    shape = reader.array("readout/image_shape", (2,), "integer", optional=True)
    if shape is None:
        return None
    if (shape < 1).any() or (visible is not None and int(np.prod(shape)) != len(visible)):
        pixels = "" if visible is None else f" whose product is the {len(visible)} visible nodes"
        reader.complain("readout/image_shape", f"is {shape.tolist()}; expected rows and columns{pixels}")
        return None
    return int(shape[0]), int(shape[1])


def _initial(reader: _Reader) -> InitialDistribution | None:
    if "initial" not in reader.file:
        return InitialDistribution(-math.pi, math.pi)
    kind = reader.text("initial/kind", INITIAL_KINDS)
    low, high = reader.array("initial/low", (), "real"), reader.array("initial/high", (), "real")
    if kind is None or low is None or high is None:
        return None
    if not low <= high:
        reader.complain("initial/high", f"is {float(high):g}; expected at least initial/low, {float(low):g}")
        return None
    return InitialDistribution(float(low), float(high), kind)


def _check(reader: _Reader, nodes: int | None) -> dict[str, Array]:
    group = reader.file.get("check")
    if not isinstance(group, h5py.Group):
        return {}
    found: dict[str, Array] = {}
    for name in sorted(group):
        if name == "initial" or name.startswith("final_"):
            values = reader.array(f"check/{name}", (None, nodes), "real")
            if values is not None:
                found[name] = values
    if found and len({len(values) for values in found.values()}) > 1:
        reader.complain("check", f"sample counts differ: { {name: len(v) for name, v in found.items()} }")
    return found


def write_weights(path: str | Path, core: AnalogCore, provenance: Mapping[str, Scalar] | None = None) -> None:
    """Writes a core as a weights file, whole or not at all."""

    def fill(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs.update({"format": FORMAT, "version": VERSION})
            file.attrs.update({"family": core.family_name, "symmetric": core.symmetric})
            for name, value in (provenance or {}).items():
                with suppress(TypeError):
                    file.attrs[name] = value
            file["topology/shape"] = np.array(core.shape, dtype=np.int64)
            file["topology/edges"] = core.edges.astype(np.int32)
            file["topology/visible"] = core.visible.astype(np.int32)
            file["schedule/boundaries"] = core.boundaries
            file["weights/coupling"] = core.coupling
            for name, values in core.parameters.items():
                file[f"weights/{name}"] = values
            file["readout/kind"] = core.readout
            if core.image_shape is not None:
                file["readout/image_shape"] = np.array(core.image_shape, dtype=np.int64)
            file["initial/kind"] = core.initial.kind
            file["initial/low"], file["initial/high"] = core.initial.low, core.initial.high

    write_whole(Path(path), fill)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _shape_text(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "(null)"
    return (
        "("
        + ", ".join("any" if n is None else str(n) for n in shape)
        + ("," if len(shape) == 1 else "")
        + ")"
    )
