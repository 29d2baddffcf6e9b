"""What is compared: samples of a run, as circuit, reference or trained model made them, or images of a data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from device_models.adc import AdcSettings
from device_models.families import family
from emulator.campaign.sweep import RECORD as OF_A_CAMPAIGN
from emulator.folder import RESULTS
from emulator.image_sets import Span, read_images
from emulator.results import Results, read_results
from netlists import hdf5
from netlists.core import Array, Index
from netlists.printable import printable

SUFFIX = {"circuit": "", "reference": "_reference", "trained": "_trained"}
DATA = "data"
TOLD = ("level", "devices", "family", "seed", "weights", "weights_sha256", "netlist_sha256", "emulator_version",
        "ngspice_version", "non_idealities")  # fmt: skip


class CompareError(ValueError):
    """Something that can't be compared; the message says which, and what was expected."""


@dataclass(frozen=True)
class Side:
    """S samples of V pixels. What a data set lacks is None.

    Attributes:
        name: as the user gave it.
        origin: ``circuit``, ``reference``, ``trained`` or ``data``.
        pixels: (S, V) as delivered, 0 (black) to 1 (white): of a run, its codes.
        analog: (S, V) the same before the converter.
        codes: (S, V).
        converter: that the codes are of.
        state: (S, N) at the end of the run, of the circuit cells' ``period`` if they have one.
        initial: (S, N) the starts.
        index: (S,) sample numbers.
        image_shape: rows and columns, or None if not known.
        readout: of the core, or None if not known.
        left_out: samples without codes, which are not here.
        facts: what else there is to know, in words.
        remarks: what was taken for granted.
        results: the file of the run that the samples are of; None of images.
    """

    name: str
    origin: str
    pixels: Array
    analog: Array | None = None
    codes: Index | None = None
    converter: AdcSettings | None = None
    state: Array | None = None
    period: float | None = None
    initial: Array | None = None
    index: Index | None = None
    image_shape: tuple[int, int] | None = None
    readout: str | None = None
    left_out: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    results: Path | None = None

    @property
    def samples(self) -> int:
        """S."""
        return len(self.pixels)

    def rows(self, chosen: Index) -> Side:
        """These of its samples alone."""
        held = {
            name: None if value is None else value[chosen]
            for name in ("pixels", "analog", "codes", "state", "initial", "index")
            for value in [getattr(self, name)]
        }
        return replace(self, **held)  # type: ignore[arg-type]


def read_side(given: str, span: Span | None, most: int, seed: int) -> Side:
    """Reads what was given: a run's folder or results file, with ``:circuit`` (the default), ``:reference`` or
    ``:trained`` behind it, or a file of images.

    Args:
        given: path and choice.
        span: black and white of a data set's pixels, see ``image_sets.read_images``.
        most: images taken of a data set, at random if it has more.
        seed: of that choice.

    Raises:
        CompareError: no such file or column, no samples, or settings that are not recorded.
        ResultsError, ImagesError: a file that is not readable as what it is.
    """
    path, origin = Path(given), "circuit"
    before, colon, after = given.rpartition(":")
    if colon and not path.exists():
        if after not in SUFFIX:
            raise CompareError(
                f"{printable(given)}: no such file; behind a run may stand "
                + ", ".join(f":{s}" for s in SUFFIX)
            )
        path, origin = Path(before), after
    shown = printable(str(path))
    if path.is_dir():
        path = path / RESULTS
        if not path.is_file():
            if (path.parent / OF_A_CAMPAIGN).is_file():
                raise CompareError(
                    f"{shown}: is a campaign, whose report compares its points; expected a run"
                )
            raise CompareError(f"{shown}: holds no {RESULTS}; finish the run with --resume")
    if not path.is_file():
        raise CompareError(f"{shown}: no such file")
    if _is_ours(path):
        return _of_run(given, path, origin)
    if colon and origin != "circuit":
        raise CompareError(f"{shown}: holds images, of which there is no {origin}")
    data = read_images(path, span, most, seed)
    shape = data.images.shape[1:]
    return Side(
        given, DATA, data.images.reshape(len(data.images), -1),
        image_shape=(shape[0], shape[1]) if len(shape) == 2 else None,
        facts={"images": f"{len(data.images)} of {data.held}", "sha256": data.sha256},
        remarks=(f"{shown}: {data.remark}",) if data.remark else (),
    )  # fmt: skip


def _is_ours(path: Path) -> bool:
    """Whether a file is of a format of this package, and so no data set."""
    try:
        with hdf5.opened(path) as file:
            return str(hdf5.attributes(file).get("format", "")).startswith("ais-")
    except hdf5.Hdf5Error:
        return False


def _of_run(given: str, path: Path, origin: str) -> Side:
    shown = printable(str(path))
    results = read_results(path)
    rows, suffix = results.rows, SUFFIX[origin]
    column = f"samples/codes{suffix}"
    if column not in rows or not (rows[column] >= 0).any():
        held = ", ".join(
            name for name, s in SUFFIX.items() if (rows.get(f"samples/codes{s}", np.array(-1)) >= 0).any()
        )
        raise CompareError(f"{shown}: holds no samples of the {origin}; it holds those of: {held or 'none'}")
    there = np.flatnonzero((rows[column] >= 0).all(axis=1))
    converter = _converter(shown, results)
    codes = rows[column][there].astype(np.int64)
    said = results.attributes
    span = converter.high - converter.low
    return Side(
        name=given,
        origin=origin,
        pixels=codes / (2**converter.bits - 1),
        analog=(rows[f"samples/analog{suffix}"][there] - converter.low) / span,
        codes=codes,
        converter=converter,
        state=rows[f"samples/final{suffix}"][there],
        period=family(str(said["family"])).state.periodic if "family" in said else None,
        initial=rows["samples/initial"][there],
        index=rows["samples/index"][there].astype(np.int64),
        image_shape=_shape(said.get("image_shape"), codes.shape[1]),
        readout=str(said["readout"]) if "readout" in said else None,
        left_out=results.samples - len(there),
        facts={name: str(said[name]) for name in TOLD if name in said},
        results=path,
    )


def _converter(shown: str, results: Results) -> AdcSettings:
    try:
        return AdcSettings.model_validate(json.loads(str(results.attributes["settings"]))["adc"])
    except (KeyError, ValueError, TypeError, ValidationError) as error:
        raise CompareError(
            f"{shown}: its converter is not recorded; expected the attribute settings to hold adc "
            f"({printable(str(error))})"
        ) from error


def _shape(said: Any, pixels: int) -> tuple[int, int] | None:
    """Rows and columns as ``8 x 8``, if they are that many pixels."""
    try:
        rows, columns = (int(n) for n in str(said).split("x"))
    except ValueError:
        return None
    return (rows, columns) if rows * columns == pixels else None
