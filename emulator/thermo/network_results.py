"""Results of a network's run: HDF5, one row an input, written whole or not at all. A part is a file of one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from emulator.results import Column, ResultsError
from netlists import hdf5
from netlists.printable import printable

FORMAT, VERSION = "ais-network-results", 1
LARGEST_DATASET = 300_000_000
ENERGY = "energy"  # the group that files of earlier versions do not have

# letters: N nodes, V visible nodes, R rows of a settling transient, L lengths of averages
ROWS: Mapping[str, Column] = {
    "inputs/index": Column("number of the input in its split", kinds="iu"),
    "inputs/force": Column("force on each node, as the sources or converters make it", "N"),
    "rest/circuit": Column("operating point", "N"),
    "rest/as_made": Column(
        "linear algebra on the conductances as they are made; with quartic wells where the reference comes to", "N"
    ),
    "rest/network": Column(
        "the same on the network as it was trained; of several equilibria the one that 0 leads to, NaN for none", "N"
    ),
    "rest/error": Column("operating point against the conductances as made, relative"),
    "rest/error_network": Column("operating point against the network as trained, relative"),
    "settling/rate_error": Column("largest relative error of a mode's measured rate; NaN if none was"),
    "settling/modes": Column("modes whose rate was measured", kinds="iu"),
    "settling/rates": Column("measured rate of each mode, from the slowest on; NaN if not measured", "N"),
    "settling/local_rate": Column(
        "with quartic wells: slowest rate of the Jacobian at rest, per model time; below 0 at a saddle", optional=True
    ),
    "settling/path_error": Column(
        "with quartic wells: largest distance of a node from the reference on the way, over the largest at rest",
        optional=True,
    ),
    "settling/defect": Column(
        "with quartic wells: the same where the reference starts each of some windows at the circuit's own states; "
        "the worst", optional=True,
    ),
    "settling/sensitivity": Column(
        "with quartic wells: how much a small perturbation of the start grows on the way, at most", optional=True
    ),
    "settling/slowest": Column("measured time constant of the slowest of them, model time"),
    "settling/time": Column("until the visible nodes stay within 1 % of rest, model time"),
    "settling/row_time": Column("model time of each row", "R"),
    "settling/visible": Column("visible nodes at each row, from 0 on", "RV"),
    "equilibrium/mean": Column("time average under noise; NaN without", "N"),
    "equilibrium/variance": Column("variance of each node under noise", "N"),
    "equilibrium/variance_expected": Column("the same in closed form, on the noise's grid", "N"),
    "equilibrium/covariance_error": Column("Frobenius error of the covariance, relative to its closed form"),
    "equilibrium/covariance_bound": Column("standard error of that"),
    "equilibrium/boltzmann_error": Column("Frobenius error of the covariance against kT M⁻¹"),
    "equilibrium/defect": Column(
        "circuit against a reference under the same noise, a time constant of the slowest mode after they were "
        "together: rms over the states' spread", optional=True,
    ),
    "averaging/times": Column("lengths of averages, in time constants of the slowest mode", "L"),
    "averaging/variance": Column("mean variance of a visible node's average over each", "L"),
    "averaging/expected": Column("the same in closed form, on the noise's grid; NaN with quartic wells", "L"),
    "readout/analog": Column("visible nodes at the converter's input: averaged under noise, else at rest", "V"),
    "readout/analog_reference": Column("at rest, by linear algebra as made", "V"),
    "readout/codes": Column("ADC codes", "V", "iu"),
    "readout/codes_reference": Column("ADC codes of the reference, at rest", "V", "iu"),
    "readout/codes_within_1lsb": Column("share of the codes within 1 LSB of the reference's"),
    "energy/seconds": Column("over which energies are taken: settling and averaging; NaN if not simulated"),
    "energy/bias": Column("joules that the sources of the forces give to the nodes"),
    "energy/own": Column("joules that the nodes' active conductances to ground deliver"),
    "energy/couplings": Column("joules that active couplings and transconductors deliver, less what they absorb"),
    "energy/heat": Column("joules that passive elements turn into heat"),
    "energy/stored": Column("joules in the nodes' capacitors at the end"),
    "energy/bias_charge": Column("coulomb that the converters of the forces draw"),
    "verdict/accepted": Column("whether all that was simulated is as linear algebra or a reference says", kinds="b"),
    "verdict/reason": Column("what is not, in a sentence", kinds="OU"),
    "timing/simulator_cpu": Column("processor seconds of the simulator, the operating points' shared evenly"),
}  # fmt: skip

Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class NetworkResults:
    """Rows by dataset (``ROWS``), and what holds for all of them."""

    rows: Columns
    attributes: Mapping[str, Any]

    @property
    def inputs(self) -> int:
        """Number of rows."""
        return len(self.rows["inputs/index"])


def write_network_results(path: Path, results: NetworkResults) -> None:
    """Writes results; on any error ``path`` stays as it was."""

    def fill(file: h5py.File) -> None:
        file.attrs.update({"format": FORMAT, "version": VERSION, **results.attributes})
        for name, column in results.rows.items():
            text = column.dtype.kind in "OU"
            dataset = file.create_dataset(
                name,
                data=column.astype(object) if text else column,
                dtype=h5py.string_dtype() if text else None,
            )
            dataset.attrs["meaning"] = ROWS[name].meaning

    hdf5.write_file(path, fill)


def read_network_results(path: Path) -> NetworkResults:
    """Reads a results file or part.

    Raises:
        ResultsError: not HDF5, another format or version, or datasets that are not there.
    """
    shown = printable(str(path))
    try:
        with hdf5.opened(path) as file:
            attributes = hdf5.attributes(file)
            if attributes.get("format") != FORMAT or attributes.get("version") != VERSION:
                raise ResultsError(f"{shown}: not a {FORMAT} file of version {VERSION}")
            reader, rows = hdf5.Reader(file), dict[str, npt.NDArray[Any]]()
            known = {
                name: column
                for name, column in ROWS.items()
                if (reader.has(ENERGY) or not name.startswith(f"{ENERGY}/"))
                and (reader.has(name) or not column.optional)
            }
            for name, column in known.items():
                item = reader.dataset(name, "one row an input")
                values = None if item is None else reader.values(name, item, LARGEST_DATASET)
                if values is not None and (
                    values.ndim != 1 + len(column.shape) or values.dtype.kind not in column.kinds
                ):
                    reader.complain(
                        name, f"has shape {values.shape}; expected {1 + len(column.shape)} dimensions"
                    )
                elif values is not None:
                    rows[name] = values
    except hdf5.Hdf5Error as error:
        raise ResultsError(f"{shown}: {error}") from error
    if reader.problems or len({len(column) for column in rows.values()}) != 1:
        raise ResultsError(f"{shown}: {'; '.join(reader.problems) or 'datasets of different lengths'}")
    unknown = np.full(len(rows["inputs/index"]), np.nan)
    return NetworkResults({name: rows.get(name, unknown) for name in ROWS}, attributes)


def gather(parts: Sequence[NetworkResults], attributes: Mapping[str, Any]) -> NetworkResults:
    """One results from many, rows ascending by input."""
    ordered = sorted(parts, key=lambda part: int(part.rows["inputs/index"][0]))
    return NetworkResults(
        {name: np.concatenate([part.rows[name] for part in ordered]) for name in ROWS}, attributes
    )


def split(results: NetworkResults) -> list[NetworkResults]:
    """The parts that ``gather`` would make these results of."""
    return [
        NetworkResults({name: column[k : k + 1] for name, column in results.rows.items()}, results.attributes)
        for k in range(results.inputs)
    ]
