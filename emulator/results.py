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

from netlists.files import write_whole

FORMAT = "ais-results"
VERSION = 1

# dataset -> what a row holds. N nodes, V visible nodes, R+1 rows, W windows
ROWS: Mapping[str, str] = {
    "samples/index": "sample number",
    "samples/initial": "(N,) initial state",
    "samples/final": "(N,) final state of the circuit",
    "samples/final_reference": "(N,) final state of the reference",
    "samples/analog": "(V,) circuit after readout, at the converter's input",
    "samples/analog_reference": "(V,) the same for the reference",
    "samples/codes": "(V,) ADC codes of the circuit, -1 where there is none",
    "samples/codes_reference": "(V,) ADC codes of the reference",
    "samples/verdict": "verdict on the simulation",
    "samples/reason": "the verdict's sentence",
    "samples/accepted": "whether simulation and cross-check pass",
    "crosscheck/global_rms": "rms error over rows and nodes, state units",
    "crosscheck/global_max": "largest error over rows and nodes",
    "crosscheck/end_rms": "rms error over nodes at the end",
    "crosscheck/defect_rms": "rms defect over windows and nodes",
    "crosscheck/defect_max": "largest defect over windows and nodes",
    "crosscheck/defect_window_rms": "(W,) rms defect of each window",
    "crosscheck/pixel_rms": "rms difference of the analog pixels",
    "crosscheck/codes_within_1lsb": "share of the codes within 1 LSB of the reference's",
    "crosscheck/sensitivity": "growth of a small perturbation of the start until the end",
    "crosscheck/row_time": "(R+1,) model time of each row",
    "crosscheck/row_rms": "(R+1,) rms error over nodes at each row",
    "timing/simulator_cpu": "processor seconds of the simulator",
    "timing/simulator_wall": "wall seconds of the simulator",
    "timing/reference_wall": "wall seconds of the reference",
    "timing/steps": "accepted time points",
    "timing/rejected": "rejected time points",
    "timing/iterations": "Newton iterations",
}
TRAJECTORIES: Mapping[str, str] = {
    "trajectory/sample": "sample number of each kept run",
    "trajectory/time": "(R+1,) model time",
    "trajectory/circuit": "(R+1, N) circuit",
    "trajectory/reference": "(R+1, N) reference",
}

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


def write_results(path: Path, results: Results) -> None:
    """Writes results; on any error ``path`` stays as it was."""

    def fill(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs.update({"format": FORMAT, "version": VERSION, **results.attributes})
            for name, column in {**results.rows, **results.trajectories}.items():
                text = column.dtype.kind in "OU"
                # big arrays shrink by half, and nobody waits for the rest
                compression = {"compression": "gzip", "shuffle": True} if column.size > 4096 else {}
                data = column.astype(object) if text else column
                dataset = file.create_dataset(
                    name, data=data, dtype=h5py.string_dtype() if text else None, **compression
                )
                dataset.attrs["meaning"] = {**ROWS, **TRAJECTORIES}.get(name, "")

    write_whole(path, fill)


def read_results(path: Path) -> Results:
    """Reads a results file or part.

    Raises:
        ResultsError: not HDF5, another format or version, or a dataset missing or of another length.
    """
    try:
        with h5py.File(path, "r") as file:
            attributes = {str(k): v for k, v in file.attrs.items()}
            if attributes.get("format") != FORMAT or attributes.get("version") != VERSION:
                raise ResultsError(f"{path}: not a {FORMAT} file of version {VERSION}")
            rows = {name: _read(path, file, name) for name in ROWS}
            kept = {name: _read(path, file, name) for name in TRAJECTORIES if name in file}
    except OSError as error:
        raise ResultsError(f"{path}: not a readable HDF5 file ({error})") from error
    lengths = {name: len(column) for name, column in rows.items()}
    if len(set(lengths.values())) != 1:
        raise ResultsError(f"{path}: datasets differ in their number of samples: {lengths}")
    return Results(rows, kept, attributes)


def _read(path: Path, file: h5py.File, name: str) -> npt.NDArray[Any]:
    if not isinstance(file.get(name), h5py.Dataset):
        raise ResultsError(f"{path}: dataset {name} is missing")
    dataset = file[name]
    return np.asarray(dataset.asstr()[()] if dataset.dtype.kind == "O" else dataset[()])


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
