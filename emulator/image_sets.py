"""Images of a data set, from the files they come in: .npz, HDF5, and the idx files of MNIST, plain or gzipped.

Pixels are brought to 0 (black) to 1 (white); what their numbers mean is never guessed beyond what the type says.
"""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netlists import hdf5
from netlists.core import Array, Index
from netlists.printable import printable

IMAGES, LABELS = "images", "labels"
LARGEST = 2_000_000_000  # bytes of a file's images, unpacked
_SHAPE = "(samples, rows, columns) or (samples, pixels)"
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)

Span = tuple[float, float]
Raw = tuple[npt.NDArray[Any], npt.NDArray[Any] | None]


class ImagesError(ValueError):
    """A file that holds no usable images; the message says which, and what was expected."""


@dataclass(frozen=True)
class ImageSet:
    """Images, and what they came from.

    Attributes:
        path: the file.
        sha256: its hash.
        images: (S, rows, columns) or (S, pixels), 0 to 1.
        labels: (S,) class of each image, or None.
        held: images in the file, of which these are all or a random choice.
        remark: what was taken for granted about the pixels, empty if nothing.
    """

    path: Path
    sha256: str
    images: Array
    labels: Index | None
    held: int
    remark: str


def read_images(path: Path, span: Span | None = None, most: int | None = None, seed: int = 0) -> ImageSet:
    """Reads images, and labels where there are any.

    In .npz and HDF5 they are the arrays ``images`` and ``labels``; for an idx file the labels are looked for beside
    it, under the name with ``labels-idx1`` for ``images-idx3``.

    Args:
        path: the file.
        span: numbers of black and of white; None: 0 to 255 of bytes, otherwise 0 to 1 or −1 to 1, as the values say.
        most: a random choice of that many, in the file's order; None: all.
        seed: of the choice.

    Raises:
        ImagesError: not readable, no images, or pixels without a known black and white.
    """
    shown = printable(str(path))
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        raw, labels = _read(path, shown)
    except ImagesError:
        raise
    except _DAMAGE as error:
        raise ImagesError(f"{shown}: not readable as images ({printable(str(error))})") from error
    _check(shown, raw, labels)
    held = len(raw)
    if most is not None and most < held:
        chosen = np.sort(np.random.default_rng(seed).choice(held, most, replace=False))
        raw, labels = raw[chosen], None if labels is None else labels[chosen]
    images, remark = _scaled(shown, raw, span)
    return ImageSet(path, digest, images, None if labels is None else labels.astype(np.int64), held, remark)


def _read(path: Path, shown: str) -> Raw:
    """Pixels and labels as the file has them."""
    with path.open("rb") as stream:
        head = stream.read(4)
    if head[:2] == b"PK":
        return _npz(path, shown)
    if head == b"\x89HDF":
        return _hdf5(path, shown)
    images = _idx(path, shown)
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    there = beside != path and beside.is_file()
    return images, _idx(beside, printable(str(beside))) if there else None


def _npz(path: Path, shown: str) -> Raw:
    with zipfile.ZipFile(path) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > LARGEST:
        raise ImagesError(f"{shown}: holds {size} bytes unpacked; expected at most {LARGEST}")
    with np.load(path, allow_pickle=False) as file:
        if IMAGES not in file:
            found = printable(", ".join(file.files)) or "nothing"
            raise ImagesError(f"{shown}: holds {found}; expected an array {IMAGES} {_SHAPE}")
        return file[IMAGES], file.get(LABELS)


def _hdf5(path: Path, shown: str) -> Raw:
    try:
        with hdf5.opened(path) as file:
            reader = hdf5.Reader(file)
            found = [
                None if item is None else reader.values(name, item, LARGEST // 8)
                for name, optional in ((IMAGES, False), (LABELS, True))
                for item in [reader.dataset(name, f"an array {_SHAPE}", optional=optional)]
            ]
    except hdf5.Hdf5Error as error:
        raise ImagesError(f"{shown}: {error}") from error
    if reader.problems or found[0] is None:
        raise ImagesError(f"{shown}: {'; '.join(reader.problems)}")
    return found[0], found[1]


def _idx(path: Path, shown: str) -> npt.NDArray[np.uint8]:
    """An idx file of bytes: two zeros, 8 for bytes, the number of dimensions, each as 32 bits (big-endian), values."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 3:
            raise ImagesError(f"{shown}: is neither .npz nor HDF5 nor an idx file of bytes")
        shape = tuple(int(n) for n in np.frombuffer(stream.read(4 * head[3]), ">u4"))
        size = int(np.prod(shape, dtype=object))
        if len(shape) != head[3] or size > LARGEST:
            raise ImagesError(f"{shown}: says that it has shape {shape}; expected at most {LARGEST} bytes")
        values = stream.read(size + 1)
    if len(values) != size:
        more = "more" if len(values) > size else f"{len(values)}"
        raise ImagesError(f"{shown}: says that it has shape {shape}, {size} bytes, and holds {more}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _check(shown: str, raw: npt.NDArray[Any], labels: npt.NDArray[Any] | None) -> None:
    if raw.ndim not in (2, 3) or not raw.size or raw.dtype.kind not in "uif":
        raise ImagesError(
            f"{shown}: {IMAGES} are {raw.dtype} of shape {raw.shape}; expected numbers {_SHAPE}"
        )
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise ImagesError(f"{shown}: {IMAGES} hold values that are not finite")
    if labels is not None and (labels.shape != raw.shape[:1] or labels.dtype.kind not in "ui"):
        raise ImagesError(
            f"{shown}: {LABELS} are {labels.dtype} of shape {labels.shape}; expected integers of shape ({len(raw)},)"
        )


def _scaled(shown: str, raw: npt.NDArray[Any], span: Span | None) -> tuple[Array, str]:
    """Pixels from 0 to 1, and what was taken for granted."""
    low, high = float(raw.min()), float(raw.max())
    black, white, remark = 0.0, 1.0, ""
    if span is not None:
        black, white = span
        if not black < white:
            raise ImagesError(f"{shown}: black is {black:g} and white {white:g}; expected white above black")
        if low < black or high > white:
            raise ImagesError(f"{shown}: pixels are {low:g} to {high:g}; expected {black:g} to {white:g}")
    elif raw.dtype == np.uint8:
        white = 255.0
        if high < 128:
            remark = f"the brightest pixel is {high:g} of 255; if that is white, say so with --data-range"
    elif raw.dtype.kind == "f" and -1 <= low < 0 and high <= 1:
        black, remark = -1.0, "pixels are taken as −1 (black) to 1 (white)"
    elif raw.dtype.kind != "f" or low < 0 or high > 1:
        raise ImagesError(
            f"{shown}: pixels are {raw.dtype} from {low:g} to {high:g}; expected bytes, or numbers from 0 to 1 or "
            "−1 to 1. Say what is black and white with --data-range"
        )
    return (raw.astype(np.float64) - black) / (white - black), remark
