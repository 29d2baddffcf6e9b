"""The results file: HDF5, one row a sample, written whole or not at all.

A part (one finished sample of a run in progress) is a results file of one row, so whatever reads results
reads parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from netlists import hdf5
from netlists.printable import printable

FORMAT = "ais-results"
VERSION = 1

# A results file can be large, but a declared shape must not exhaust memory before anyone looks
LARGEST_DATASET = 300_000_000


@dataclass(frozen=True)
class Column:
    """What a dataset holds: a row a sample (or a kept run), each of ``shape``.

    ``shape`` is in letters: N nodes, V visible nodes, R + 1 rows, W windows, L rungs. ``kinds`` are numpy's.
    ``before`` is the dataset that says the same in files of versions that did not have this one; where nothing did,
    ``optional`` makes it NaN.
    """

    meaning: str
    shape: str = ""
    kinds: str = "f"
    before: str = ""
    optional: bool = False


ROWS: Mapping[str, Column] = {
    "samples/index": Column("sample number", kinds="iu"),
    "samples/initial": Column("initial state", "N"),
    "samples/final": Column("final state of the circuit", "N"),
    "samples/final_reference": Column("final state of the reference", "N"),
    "samples/analog": Column("circuit after readout, at the converter's input", "V"),
    "samples/analog_reference": Column("the same for the reference", "V"),
    "samples/codes": Column("ADC codes of the circuit, -1 where there is none", "V", "iu"),
    "samples/codes_reference": Column("ADC codes of the reference", "V", "iu"),
    "samples/final_trained": Column(
        "final state of the trained model: the reference without non-idealities of the chip",
        "N",
        before="samples/final_reference",
    ),
    "samples/analog_trained": Column(
        "the trained model at the converter's input", "V", before="samples/analog_reference"
    ),
    "samples/codes_trained": Column(
        "ADC codes of the trained model", "V", "iu", before="samples/codes_reference"
    ),
    "samples/amplitude": Column(
        "amplitude at the end, relative to the free-running cell; NaN at phase level", "N"
    ),
    "samples/verdict": Column("verdict on the simulation", kinds="OU"),
    "samples/reason": Column("what happened, in a sentence", kinds="OU"),
    "samples/accepted": Column("whether simulation and cross-check pass", kinds="b"),
    "crosscheck/global_rms": Column("rms error over rows and nodes, state units"),
    "crosscheck/global_max": Column("largest error over rows and nodes"),
    "crosscheck/end_rms": Column("rms error over nodes at the end"),
    "crosscheck/defect_rms": Column("rms defect over windows and nodes"),
    "crosscheck/defect_max": Column("largest defect over windows and nodes"),
    "crosscheck/defect_window_rms": Column("rms defect of each window", "W"),
    "crosscheck/pixel_rms": Column("rms difference of the analog pixels"),
    "crosscheck/codes_on_rails": Column("share of the circuit's codes at either end of the scale"),
    "crosscheck/codes_within_1lsb": Column("share of the codes within 1 LSB of the reference's"),
    "crosscheck/trained_pixel_rms": Column(
        "rms difference of the circuit's analog pixels from the trained model's",
        before="crosscheck/pixel_rms",
    ),
    "crosscheck/trained_codes_within_1lsb": Column(
        "share of the circuit's codes within 1 LSB of the trained model's",
        before="crosscheck/codes_within_1lsb",
    ),
    "crosscheck/sensitivity": Column("growth of a small perturbation of the start until the end"),
    "crosscheck/row_time": Column("model time of each row", "R"),
    "crosscheck/row_rms": Column("rms error over nodes at each row", "R"),
    "ladder/end_rms": Column("rad rms at the end, of each model against the one above it", "L"),
    "ladder/pixel_rms": Column("rms difference of the analog pixels, the same", "L"),
    "ladder/codes": Column("share of the codes that move by more than 1 LSB, the same", "L"),
    "energy/oscillators": Column(
        "joules over the run: from the oscillators' supplies, or of tanks, which have none, what their active "
        "conductances deliver (the attribute energy says which); NaN if not modelled"
    ),
    "energy/couplers": Column("the same for the couplers; NaN if they have no supply"),
    "energy/injection": Column("the same for the drivers of SHIL and reference", optional=True),
    "timing/simulator_cpu": Column("processor seconds of the simulator"),
    "timing/simulator_wall": Column("wall seconds of the simulator"),
    "timing/reference_wall": Column("wall seconds of the reference"),
    "timing/steps": Column("accepted time points", kinds="iu"),
    "timing/rejected": Column("rejected time points", kinds="iu"),
    "timing/iterations": Column("Newton iterations", kinds="iu"),
}
TRAJECTORIES: Mapping[str, Column] = {
    "trajectory/sample": Column("sample number of each kept run", kinds="iu"),
    "trajectory/time": Column("model time", "R"),
    "trajectory/circuit": Column("state of the circuit", "RN"),
    "trajectory/reference": Column("state of the reference", "RN"),
}

LAYOUT = {**ROWS, **TRAJECTORIES}

Columns = Mapping[str, npt.NDArray[Any]]


class ResultsError(ValueError):
    """A file that holds no readable results."""


@dataclass(frozen=True)
class Results:
    """Results in memory.

    Attributes:
        rows: dataset name to array, one row a sample (``ROWS``).
        trajectories: dataset name to array, one row a kept run (``TRAJECTORIES``); may be empty.
        attributes: hashes, versions, options, settings.
    """

    rows: Columns
    trajectories: Columns
    attributes: Mapping[str, Any]

    @property
    def samples(self) -> int:
        """Number of rows."""
        return len(self.rows["samples/index"])

    @property
    def verdicts(self) -> list[str]:
        """Verdict of each sample."""
        return [str(v) for v in self.rows["samples/verdict"]]

    def worst_window(self, row: int) -> float:
        """The largest rms defect of a sample's windows; NaN without a completed simulation."""
        windows = self.rows["crosscheck/defect_window_rms"][row]
        return float(np.nanmax(windows)) if np.isfinite(windows).any() else float("nan")


def write_results(path: Path, results: Results, *, explained: bool = True) -> None:
    """Writes results; on any error ``path`` stays as it was.

    ``explained``: each dataset says what it holds, which takes a third of the time.
    """

    def fill(file: h5py.File) -> None:
        file.attrs.update({"format": FORMAT, "version": VERSION, **results.attributes})
        for name, column in {**results.rows, **results.trajectories}.items():
            text = column.dtype.kind in "OU"
            # big arrays shrink by half, and nobody waits for the rest
            compression = {"compression": "gzip", "shuffle": True} if column.size > 4096 else {}
            data = column.astype(object) if text else column
            dataset = file.create_dataset(
                name, data=data, dtype=h5py.string_dtype() if text else None, **compression
            )
            if explained and name in LAYOUT:
                dataset.attrs["meaning"] = LAYOUT[name].meaning

    hdf5.write_file(path, fill)


def read_results(path: Path) -> Results:
    """Reads a results file or part.

    Raises:
        ResultsError: not HDF5, another format or version, or datasets that don't fit together.
    """
    shown = printable(str(path))
    try:
        with hdf5.opened(path) as file:
            attributes = hdf5.attributes(file)
            if attributes.get("format") != FORMAT or attributes.get("version") != VERSION:
                raise ResultsError(f"{shown}: not a {FORMAT} file of version {VERSION}")
            reader = hdf5.Reader(file)
            rows = _columns(reader, ROWS)
            kept = _columns(reader, TRAJECTORIES) if reader.has("trajectory") else {}
    except hdf5.Hdf5Error as error:
        raise ResultsError(f"{shown}: {error}") from error
    if reader.problems:
        raise ResultsError(f"{shown}: {'; '.join(reader.problems)}")
    return Results(rows, kept, attributes)


def _columns(reader: hdf5.Reader, layout: Mapping[str, Column]) -> dict[str, npt.NDArray[Any]]:
    """Columns of one length whose rows agree on N, V, R and W; what does not fit is complained of."""
    found: dict[str, npt.NDArray[Any]] = {}
    sizes: dict[str, int] = {}
    later = [name for name, column in layout.items() if column.before]
    earlier = not any(reader.has(name) for name in later)  # a file that lacks some of them is damaged
    for name, column in layout.items():
        wanted = f"one row a sample of shape ({', '.join(column.shape)})"
        if column.optional and not reader.has(name):
            continue
        if column.before and earlier:
            if column.before in found:
                found[name] = found[column.before]
            continue
        item = reader.dataset(name, wanted)
        if item is None:
            continue
        if (
            item.shape is None
            or len(item.shape) != 1 + len(column.shape)
            or item.dtype.kind not in column.kinds
        ):
            received = f"{hdf5.kind_text(item)} of shape {hdf5.shape_text(item.shape)}"
            reader.complain(name, f"is {received}; expected {wanted}")
            continue
        for letter, size in zip("S" + column.shape, item.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                reader.complain(
                    name, f"has {letter} = {size}; other datasets have {letter} = {sizes[letter]}"
                )
        values = reader.values(name, item, LARGEST_DATASET)
        if values is not None:
            found[name] = values
    absent = {name for name, column in layout.items() if column.optional} - found.keys()
    return found | {name: np.full(sizes.get("S", 0), np.nan) for name in absent}


def gather(parts: Sequence[Results], attributes: Mapping[str, Any]) -> Results:
    """One results from many, rows ascending by sample number."""
    ordered = sorted(parts, key=lambda part: int(part.rows["samples/index"][0]))
    with_runs = [part for part in ordered if part.trajectories]
    return Results(
        rows={name: np.concatenate([part.rows[name] for part in ordered]) for name in ROWS},
        trajectories={
            name: np.concatenate([part.trajectories[name] for part in with_runs]) for name in TRAJECTORIES
        } if with_runs else {},
        attributes=attributes,
    )  # fmt: skip


def split(results: Results) -> list[Results]:
    """The parts that ``gather`` would make these results of."""
    kept = {int(k): row for row, k in enumerate(results.trajectories.get("trajectory/sample", []))}
    parts = []
    for row, sample in enumerate(results.rows["samples/index"].tolist()):
        trajectories = (
            {name: column[kept[sample]][None] for name, column in results.trajectories.items()}
            if sample in kept
            else {}
        )
        parts.append(
            Results({n: c[row : row + 1] for n, c in results.rows.items()}, trajectories, results.attributes)
        )
    return parts
