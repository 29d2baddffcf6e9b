"""``campaign.h5``: all finished samples of a campaign, a row each, in the order of points, seeds and samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from emulator.campaign.file import Campaign
from emulator.campaign.journal import Journal
from emulator.campaign.work import COLUMNS, TOLD, Circumstances, Item
from emulator.results import Column
from emulator.told import of_weights
from netlists import hdf5
from netlists.printable import printable

FORMAT, VERSION = "ais-campaign", 1
ROWS_AT_ONCE = 256  # in memory while the file is written

PLACE: Mapping[str, Column] = {
    "samples/point": Column("row of points/* it belongs to", kinds="iu"),
    "samples/seed": Column("seed of the initial states and the converter's noise", kinds="iu"),
}
LAYOUT = {**PLACE, **COLUMNS}
TOLD_OF_WEIGHTS = "weights/told"
_TYPES = {"f": "f8", "iu": "i8", "b": "?"}

Columns = Mapping[str, npt.NDArray[Any]]


class StoreError(ValueError):
    """A file that holds no readable campaign."""


def write_campaign(
    path: Path, campaign: Campaign, ours: Circumstances, journal: Journal, finished: Sequence[Item]
) -> None:
    """Writes the file, whole or not at all; no more than ``ROWS_AT_ONCE`` rows are in memory.

    Args:
        finished: items in order, all in the journal.

    Raises:
        OSError: it can't be written; ``path`` is as it was.
    """

    def fill(file: h5py.File) -> None:
        file.attrs.update({
            "format": FORMAT, "version": VERSION, "title": campaign.title, "campaign": campaign.text,
            "axes": json.dumps(campaign.axes), "circumstances": json.dumps(vars(ours)),
            "samples": campaign.samples, "seeds": json.dumps(campaign.seeds),
            "stated": campaign.stated.model_dump_json(),
        })  # fmt: skip
        _fill_weights(file, campaign)
        _fill_points(file, campaign, _told(campaign, journal, finished))
        datasets = _datasets(file, campaign, len(finished))
        for start in range(0, len(finished), ROWS_AT_ONCE):
            some = finished[start : start + ROWS_AT_ONCE]
            for name, values in _block(some, journal, datasets).items():
                datasets[name][start : start + len(some)] = values

    hdf5.write_file(path, fill)


def _fill_weights(file: h5py.File, campaign: Campaign) -> None:
    text = h5py.string_dtype()
    cores = [source.weights.core for source in campaign.sources]
    file.create_dataset("weights/label", data=[source.label for source in campaign.sources], dtype=text)
    file.create_dataset(
        "weights/file", data=[source.weights.path.name for source in campaign.sources], dtype=text
    )
    file.create_dataset(
        "weights/sha256", data=[source.weights.sha256 for source in campaign.sources], dtype=text
    )
    file.create_dataset("weights/pixels", data=[len(core.visible) for core in cores])
    shapes = [core.image_shape or (1, len(core.visible)) for core in cores]
    file.create_dataset("weights/image_shape", data=shapes)
    said = [json.dumps(of_weights(source.weights)) for source in campaign.sources]
    file.create_dataset(TOLD_OF_WEIGHTS, data=said, dtype=text)


def _told(campaign: Campaign, journal: Journal, finished: Sequence[Item]) -> list[str]:
    """What the first sample of each point that came to anything says of its circuit; empty where none does."""
    found = [""] * len(campaign.points)
    for item in finished:
        if not found[item.point]:
            found[item.point] = str(journal.read(item.key).get(TOLD, ""))
    return found


def _fill_points(file: h5py.File, campaign: Campaign, told: Sequence[str]) -> None:
    text, points = h5py.string_dtype(), campaign.points
    file.create_dataset("points/weights", data=[point.source for point in points])
    # JSON, as an axis may have numbers and words, and some of its values be none
    values = [json.dumps(dict(point.values)) for point in points]
    file.create_dataset("points/values", data=values, dtype=text)
    settings = [point.settings.model_dump_json() for point in points]
    file.create_dataset("points/settings", data=settings, dtype=text)
    file.create_dataset(TOLD, data=told, dtype=text)


def _datasets(file: h5py.File, campaign: Campaign, count: int) -> dict[str, h5py.Dataset]:
    pixels = max(len(source.weights.core.visible) for source in campaign.sources)
    found = {}
    for name, column in LAYOUT.items():
        shape = (count, pixels) if column.shape else (count,)
        dtype = h5py.string_dtype() if "O" in column.kinds else _TYPES[column.kinds]
        packed = {
            "compression": "gzip", "shuffle": True, "chunks": (min(count, ROWS_AT_ONCE), *shape[1:]),
        } if count else {}  # fmt: skip
        found[name] = file.create_dataset(name, shape, dtype, **packed)
        more = "; fewer pixels than the most are padded with NaN or -1" if column.shape else ""
        found[name].attrs["meaning"] = column.meaning + more
    return found


def _block(
    items: Sequence[Item], journal: Journal, datasets: Mapping[str, h5py.Dataset]
) -> dict[str, npt.NDArray[Any]]:
    """Rows of some items; what an item lacks, a failed simulation most of all, is NaN or −1."""
    rows: dict[str, npt.NDArray[Any]] = {}
    for name, column in LAYOUT.items():
        shape = (len(items), *datasets[name].shape[1:])
        empty: Any = "" if "O" in column.kinds else {"f": np.nan, "iu": -1, "b": False}[column.kinds]
        rows[name] = np.full(shape, empty, object if "O" in column.kinds else _TYPES[column.kinds])
    for row, item in enumerate(items):
        place = {
            "samples/point": np.asarray(item.point), "samples/seed": np.asarray(item.settings.seed),
            "samples/index": np.asarray(item.sample),
        }  # fmt: skip
        for name, value in {**journal.read(item.key), **place}.items():
            if name not in rows:
                continue
            if value.ndim:
                rows[name][row, : len(value)] = value
            else:
                rows[name][row] = value.item()
    return rows


@dataclass(frozen=True)
class StoredPoint:
    """A point as the file has it.

    Attributes:
        number: row of ``points/*``.
        label: of the weights.
        image_shape, pixels: of their samples.
        values: on each axis.
        settings: all of them, as JSON has them.
        told, weights: what the results of such a run say of its circuit, and of its weights: attributes. Of files
            of earlier versions little or nothing.
    """

    number: int
    label: str
    image_shape: tuple[int, int]
    pixels: int
    values: Mapping[str, Any]
    settings: Mapping[str, Any]
    told: Mapping[str, Any]
    weights: Mapping[str, Any]


class Store:
    """An open ``campaign.h5``; rows are read point by point. Use as a context manager.

    Attributes:
        attributes: those of the file.
        axes: names of the settings swept.
        points: all of them, finished or not.
    """

    def __init__(self, path: Path) -> None:
        """Opens a file and checks what it says of itself.

        Raises:
            StoreError: not HDF5, another format or version, or datasets that don't fit together.
        """
        self._shown = printable(str(path))
        self._opened = hdf5.opened(path)
        try:
            self._file = self._opened.__enter__()
            self.attributes = hdf5.attributes(self._file)
        except hdf5.Hdf5Error as error:
            raise StoreError(f"{self._shown}: {error}") from error
        try:
            self._check()
            self.axes = tuple(json.loads(str(self.attributes["axes"])))
            self.points = tuple(self._points())
            self._of_rows = np.asarray(self._file["samples/point"][()])
        except StoreError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise StoreError(f"{self._shown}: damaged ({error})") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._opened.__exit__(None, None, None)

    @property
    def samples(self) -> int:
        """Number of rows."""
        return len(self._of_rows)

    def count(self, point: StoredPoint) -> int:
        """Rows of a point."""
        low, high = self._between(point)
        return high - low

    def _between(self, point: StoredPoint) -> tuple[int, int]:
        # rows of a point stand together
        low, high = np.searchsorted(self._of_rows, [point.number, point.number + 1])
        return int(low), int(high)

    def rows(self, point: StoredPoint) -> dict[str, npt.NDArray[Any]]:
        """The columns of a point's samples, without padding.

        Raises:
            StoreError: damaged.
        """
        low, high = self._between(point)
        found: dict[str, npt.NDArray[Any]] = {}
        for name, column in LAYOUT.items():
            if name not in self._file:  # an optional one
                found[name] = np.full(high - low, np.nan)
                continue
            try:
                part = self._file[name].asstr() if "O" in column.kinds else self._file[name]
                values = np.asarray(part[low:high])
            except Exception as error:  # h5py raises many kinds
                raise StoreError(f"{self._shown}: {name}: damaged ({error})") from error
            found[name] = values[:, : point.pixels] if column.shape else values
        return found

    def _check(self) -> None:
        if self.attributes.get("format") != FORMAT or self.attributes.get("version") != VERSION:
            raise StoreError(f"{self._shown}: not a {FORMAT} file of version {VERSION}")
        reader = hdf5.Reader(self._file)
        counts = set()
        for name, column in LAYOUT.items():
            if column.optional and not reader.has(name):
                continue
            item = reader.dataset(name, "one row a sample")
            if item is None:
                continue
            if item.ndim != 1 + len(column.shape) or item.dtype.kind not in column.kinds:
                reader.complain(name, f"is {hdf5.kind_text(item)} of shape {hdf5.shape_text(item.shape)}")
            else:
                counts.add(item.shape[0])
        if len(counts) > 1:
            reader.complain("samples", f"has datasets of {' and '.join(map(str, sorted(counts)))} rows")
        if reader.problems:
            raise StoreError(f"{self._shown}: {'; '.join(reader.problems)}")

    def _points(self) -> Iterator[StoredPoint]:
        labels = self._file["weights/label"].asstr()[()]
        shapes, pixels = self._file["weights/image_shape"][()], self._file["weights/pixels"][()]
        weights = self._said(TOLD_OF_WEIGHTS, len(labels))
        files, sums = (self._file[f"weights/{name}"].asstr()[()] for name in ("file", "sha256"))
        rows = zip(
            self._file["points/weights"][()], self._file["points/values"].asstr()[()],
            self._file["points/settings"].asstr()[()], strict=True,
        )  # fmt: skip
        told = self._said(TOLD, len(self._file["points/weights"]))
        for number, (source, values, settings) in enumerate(rows):
            yield StoredPoint(
                number, str(labels[source]), (int(shapes[source][0]), int(shapes[source][1])), int(pixels[source]),
                json.loads(values), json.loads(settings), told[number],
                {"weights": str(files[source]), "weights_sha256": str(sums[source]), **weights[source]},
            )  # fmt: skip

    def _said(self, name: str, count: int) -> list[dict[str, Any]]:
        """Attributes as JSON, one object each; of a file of an earlier version nothing."""
        said = self._file[name].asstr()[()] if name in self._file else [""] * count
        return [dict(json.loads(each)) if each else {} for each in said]
