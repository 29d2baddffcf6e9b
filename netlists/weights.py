"""The weights file: trained couplings in HDF5, checked before anything else happens.

Format ``ais-weights`` version 1; the README lists its datasets. Nothing that a file says in words (names,
attributes) ever reaches a netlist: those are made of numbers and of names this package generates.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import h5py
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from device_models.families import FAMILIES
from device_models.model import Parameter
from device_models.readout import READOUTS
from netlists import hdf5
from netlists.core import AnalogCore, Array, Index, InitialDistribution
from netlists.hdf5 import Hdf5Error, Reader, Scalar
from netlists.printable import printable

FORMAT = "ais-weights"
VERSION = 1
INITIAL_KINDS = ("uniform",)
MODULES = "modules"  # the group that a network of modules has, and a grid has not

Length = TypeVar("Length", int, int | None)

# Far above what a circuit simulator can take, and far below what would exhaust memory before it said so
LARGEST_GRID = 1_000_000
MOST_CHUNKS = 256
# A simulator merges breakpoints that lie close together compared with the run
SHORTEST_CHUNK = 1e-4


class WeightsError(ValueError):
    """A weights file that can't be used: every problem found, with dataset, received and expected."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = tuple(printable(problem, longest=None) for problem in problems)
        super().__init__(f"{printable(str(path))}: " + "; ".join(self.problems))


class WeightsAttributes(BaseModel):
    """Root attributes that have a meaning; the others are provenance."""

    model_config = ConfigDict(frozen=True)

    format: Literal["ais-weights"]
    version: Annotated[int, Strict(), Field(ge=VERSION, le=VERSION)]
    family: str
    symmetric: Annotated[bool, Strict()]


@dataclass(frozen=True)
class Weights:
    """A weights file, read and found sound.

    Attributes:
        path: where it was read from.
        sha256: of the file's bytes.
        core: the analog core it describes.
        provenance: root attributes without a meaning of their own (dataset, objective, ...), as text or
            number; the file's words as they are, to be escaped where they are shown.
        check: arrays (S, N) of the trainer's own endpoints, by name; empty if the file has none.
    """

    path: Path
    sha256: str
    core: AnalogCore
    provenance: Mapping[str, Scalar] = field(default_factory=dict)
    check: Mapping[str, Array] = field(default_factory=dict)


def read_weights(path: str | Path) -> Weights:
    """Reads and checks a weights file.

    Raises:
        WeightsError: with every problem found: the dataset, what was received and what was expected.
    """
    path = Path(path)
    with opened_weights(path) as file:
        return _read(path, file)


@contextmanager
def opened_weights(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading; whatever keeps it from being read is a WeightsError."""
    try:
        if not path.exists():
            raise WeightsError(path, ["no such file"])
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            raise WeightsError(path, [f"is {kind}; expected an HDF5 weights file"])
        with hdf5.opened(path) as file:
            yield file
    except OSError as error:  # no permission to look, or a disk that fails
        raise WeightsError(path, [f"can't be read ({error})"]) from error
    except Hdf5Error as error:
        raise WeightsError(path, [str(error)]) from error


def _read(path: Path, file: h5py.File) -> Weights:
    attributes, provenance = read_attributes(path, file)
    if Reader(file).has(MODULES):
        said = f"holds {MODULES}: a network for a thermodynamic substrate; expected a grid of nodes"
        raise WeightsError(path, [said])
    model = FAMILIES[attributes.family]
    reader = Reader(file)
    shape = _grid_shape(reader)
    boundaries = _boundaries(reader)
    edges = _edges(reader, shape)
    visible = _visible(reader, shape)
    nodes = None if shape is None else shape[0] * shape[1]
    chunks = None if boundaries is None else len(boundaries) - 1
    coupling = reader.array("weights/coupling", (chunks, None if edges is None else len(edges)), "real")
    if attributes.symmetric and coupling is not None and edges is not None and shape is not None:
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
    for name in reader.names("weights"):
        if name not in known:
            said = f"{model.family} has no such parameter; known: {', '.join(sorted(known))}"
            reader.complain(f"weights/{printable(name)}", said)
    readout = reader.text("readout/kind", tuple(READOUTS))
    image_shape = _image_shape(reader, visible)
    initial = _initial(reader)
    check = _check(reader, nodes)
    # nothing is None without a problem: the others are for the type checker
    if (
        reader.problems or shape is None or edges is None or visible is None or boundaries is None
        or coupling is None or readout is None or initial is None
    ):  # fmt: skip
        raise WeightsError(path, reader.problems)
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


def read_attributes(path: Path, file: h5py.File) -> tuple[WeightsAttributes, dict[str, Scalar]]:
    """The root attributes with a meaning, checked, and the others.

    Raises:
        WeightsError: with every problem found.
    """
    raw = hdf5.attributes(file)
    if raw.get("format") != FORMAT:
        received = _quoted(raw["format"]) if "format" in raw else "absent"
        raise WeightsError(path, [f"attribute format: is {received}; expected {FORMAT!r}"])
    # languages without a boolean type write 0 and 1
    flag = raw.get("symmetric")
    given = raw | ({"symmetric": bool(flag)} if type(flag) is int and flag in (0, 1) else {})
    try:
        attributes = WeightsAttributes.model_validate(given)
    except ValidationError as error:
        expected = {"version": str(VERSION), "symmetric": "true or false"}
        problems = []
        for name in dict.fromkeys(str(item["loc"][0]) for item in error.errors()):
            received = _quoted(raw[name]) if name in raw else "absent"
            problems.append(f"attribute {name}: is {received}; expected {expected.get(name, 'text')}")
        raise WeightsError(path, problems) from None
    if attributes.family not in FAMILIES:
        message = f"attribute family: is {_quoted(attributes.family)}; known: {', '.join(sorted(FAMILIES))}"
        raise WeightsError(path, [message])
    return attributes, {k: v for k, v in raw.items() if k not in WeightsAttributes.model_fields}


def _quoted(value: Scalar) -> str:
    return printable(repr(value))


def _grid_shape(reader: Reader) -> tuple[int, int] | None:
    shape = reader.array("topology/shape", (2,), "integer")
    if shape is None:
        return None
    if (shape < 1).any():
        reader.complain("topology/shape", f"is {shape.tolist()}; expected rows and columns of at least 1")
        return None
    rows, columns = int(shape[0]), int(shape[1])
    if rows * columns > LARGEST_GRID:
        reader.complain(
            "topology/shape", f"is {shape.tolist()}; expected at most {LARGEST_GRID} nodes, rows × columns"
        )
        return None
    return rows, columns


def _boundaries(reader: Reader) -> Array | None:
    boundaries = reader.array("schedule/boundaries", (None,), "real")
    if boundaries is None:
        return None
    if len(boundaries) < 2 or boundaries[0] != 0 or (np.diff(boundaries) <= 0).any():
        shown = np.array2string(boundaries, threshold=8)
        reader.complain("schedule/boundaries", f"is {shown}; expected 0 and then increasing chunk edges")
        return None
    if len(boundaries) - 1 > MOST_CHUNKS:
        reader.complain(
            "schedule/boundaries", f"has {len(boundaries) - 1} chunks; expected at most {MOST_CHUNKS}"
        )
        return None
    shortest = float(np.diff(boundaries).min())
    if shortest < SHORTEST_CHUNK * boundaries[-1]:
        reader.complain(
            "schedule/boundaries",
            f"has a chunk of {shortest:g}; expected at least {SHORTEST_CHUNK:g} of the whole run's "
            f"{boundaries[-1]:g} model time units",
        )
        return None
    return boundaries


def _edges(reader: Reader, shape: tuple[int, int] | None) -> Index | None:
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
            "topology/edges",
            f"{int(own.sum())} self-edges, the first at row {int(np.argmax(own))}; expected none",
        )
    keys = edges[:, 0] * nodes + edges[:, 1]
    unique, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if len(unique) < len(keys):
        row = int(first[np.argmax(counts > 1)])
        reader.complain(
            "topology/edges",
            f"{len(keys) - len(unique)} duplicate edges, for instance {edges[row].tolist()}; "
            "expected each once",
        )
    return edges


def _visible(reader: Reader, shape: tuple[int, int] | None) -> Index | None:
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


def _check_symmetry(reader: Reader, edges: Index, coupling: Array) -> None:
    nodes = int(edges.max(initial=-1)) + 1
    keys, wanted = edges[:, 0] * nodes + edges[:, 1], edges[:, 1] * nodes + edges[:, 0]
    order = np.argsort(keys, kind="stable")
    back = order[np.searchsorted(keys, wanted, sorter=order).clip(max=max(len(keys) - 1, 0))]
    back = np.where(keys[back] == wanted, back, -1)
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
            f"symmetric is true, but K_ij differs from K_ji on {int(unequal.sum())} edges, by up to "
            f"{worst:.3g}; the first is {edges[row].tolist()}. Average them, or say symmetric = false",
        )


def _image_shape(reader: Reader, visible: Index | None) -> tuple[int, int] | None:
    shape = reader.array("readout/image_shape", (2,), "integer", optional=True)
    if shape is None:
        return None
    if (shape < 1).any() or (visible is not None and int(np.prod(shape)) != len(visible)):
        pixels = "" if visible is None else f" whose product is the {len(visible)} visible nodes"
        reader.complain("readout/image_shape", f"is {shape.tolist()}; expected rows and columns{pixels}")
        return None
    return int(shape[0]), int(shape[1])


def _initial(reader: Reader) -> InitialDistribution | None:
    if not reader.has("initial"):
        return InitialDistribution(-math.pi, math.pi)
    kind = reader.text("initial/kind", INITIAL_KINDS)
    low, high = reader.array("initial/low", (), "real"), reader.array("initial/high", (), "real")
    if kind is None or low is None or high is None:
        return None
    if not low <= high:
        reader.complain("initial/high", f"is {float(high):g}; expected at least initial/low, {float(low):g}")
        return None
    if not math.isfinite(float(high) - float(low)):
        reader.complain("initial/high", "is too far from initial/low for their difference to be finite")
        return None
    return InitialDistribution(float(low), float(high), kind)


def _check(reader: Reader, nodes: int | None) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name in reader.names("check"):
        if name == "initial" or name.startswith("final_"):
            values = reader.array(f"check/{name}", (None, nodes), "real")
            if values is not None:
                found[name] = values
    if len({len(values) for values in found.values()}) > 1:
        counts = ", ".join(f"{printable(name)} {len(values)}" for name, values in found.items())
        reader.complain("check", f"sample counts differ: {counts}; expected as many of each")
    return found


def write_weights(path: str | Path, core: AnalogCore, provenance: Mapping[str, Scalar] | None = None) -> None:
    """Writes a core as a weights file, whole or not at all."""

    def fill(file: h5py.File) -> None:
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

    hdf5.write_file(Path(path), fill)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
