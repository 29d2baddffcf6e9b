"""HDF5: files of strangers read with every dataset checked before it is loaded, and our own written whole."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt

from netlists.files import write_whole
from netlists.printable import printable

# Ten times the largest core anyone simulates; a file can declare any shape without holding a byte of it.
LARGEST_DATASET = 20_000_000

Scalar = str | int | float | bool

# What h5py raises on damaged files, depending on the byte that is damaged
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)


class Hdf5Error(ValueError):
    """Not HDF5, or damaged beyond reading; the message says what HDF5 says of it."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading.

    Raises:
        Hdf5Error: it can't be opened.
    """
    try:
        file = h5py.File(path, "r")
    except _DAMAGE as error:
        raise Hdf5Error(f"not a readable HDF5 file ({printable(str(error))})") from error
    with file:
        yield file


def attributes(file: h5py.File) -> dict[str, Scalar]:
    """The root attributes as text and numbers; what is neither is described in words.

    Raises:
        Hdf5Error: they can't be listed.
    """
    try:
        names = list(file.attrs)
    except _DAMAGE as error:
        raise Hdf5Error(f"damaged: the attributes can't be listed ({printable(str(error))})") from error
    found: dict[str, Scalar] = {}
    for name in names:
        try:
            found[_text(name)] = _scalar(file.attrs[name])
        except _DAMAGE as error:
            found[_text(name)] = f"unreadable ({printable(str(error))})"
    return found


def contents(file: h5py.File) -> list[tuple[str, str]]:
    """Name and description of every dataset, for people.

    Raises:
        Hdf5Error: damaged.
    """
    found: list[tuple[str, str]] = []

    def visit(name: str | bytes, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((printable(_text(name)), f"{kind_text(item)} {shape_text(item.shape)}"))

    try:
        file.visititems(visit)
    except _DAMAGE as error:
        raise Hdf5Error(f"damaged: the datasets can't be listed ({printable(str(error))})") from error
    return found


class Reader:
    """Reads datasets and collects what is wrong with them, so that a user sees every problem at once."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self.problems: list[str] = []

    def complain(self, dataset: str, message: str) -> None:
        """Adds a problem; neither a name nor a message can smuggle control characters in."""
        self.problems.append(printable(f"{dataset}: {message}", longest=None))

    def has(self, name: str) -> bool:
        """Whether there is anything of that name."""
        try:
            return name in self.file
        except _DAMAGE as error:
            self.complain(name, f"damaged ({error})")
            return True

    def names(self, group: str) -> list[str]:
        """Names in a group, sorted; empty if there is no such group."""
        try:
            item = self.file.get(group)
            return sorted(map(_text, item)) if isinstance(item, h5py.Group) else []
        except _DAMAGE as error:
            self.complain(group, f"damaged ({error})")
            return []

    def dataset(self, name: str, wanted: str, *, optional: bool = False) -> h5py.Dataset | None:
        """The dataset, not loaded yet, or None with a complaint; ``wanted`` says what was expected."""
        try:
            item = self.file.get(name)
            if item is None:
                if not optional:
                    self.complain(name, f"missing; expected {wanted}")
                return None
            if not isinstance(item, h5py.Dataset):
                kind = "group" if isinstance(item, h5py.Group) else "type"
                self.complain(name, f"is a {kind}; expected a dataset, {wanted}")
                return None
            # a link elsewhere would escape the file's hash, and read what the user did not name
            if item.file.filename != self.file.filename or item.external or item.is_virtual:
                self.complain(name, f"is stored in another file; expected {wanted} in this one")
                return None
            _ = item.dtype  # raises for a type numpy has no name for
        except _DAMAGE as error:
            self.complain(name, f"damaged ({error}); expected {wanted}")
            return None
        return item

    def values(
        self, name: str, item: h5py.Dataset, largest: int = LARGEST_DATASET
    ) -> npt.NDArray[Any] | None:
        """All of a dataset, text as str objects, or None with a complaint."""
        if item.size is not None and item.size > largest:
            said = f"has shape {shape_text(item.shape)}; expected at most {largest} numbers in all"
            self.complain(name, said)
            return None
        try:
            text = h5py.check_string_dtype(item.dtype) is not None
            return np.asarray(item.asstr(errors="replace")[()] if text else item[()])
        except _DAMAGE as error:
            self.complain(name, f"damaged: {error}")
            return None

    def array(
        self,
        dataset: str,
        shape: tuple[int | None, ...],
        kind: Literal["integer", "real"],
        *,
        optional: bool = False,
    ) -> npt.NDArray[Any] | None:
        """The dataset as int64 or float64, or None with a complaint; ``None`` in the shape is any length."""
        wanted = f"{kind} numbers of shape {shape_text(shape)}"
        item = self.dataset(dataset, wanted, optional=optional)
        if item is None:
            return None
        allowed = "iu" if kind == "integer" else "iuf"
        if item.dtype.kind not in allowed:
            self.complain(dataset, f"has dtype {kind_text(item)}; expected {wanted}")
            return None
        if item.shape is None or len(item.shape) != len(shape) or any(
            want is not None and want != got for want, got in zip(shape, item.shape, strict=True)
        ):  # fmt: skip
            self.complain(dataset, f"has shape {shape_text(item.shape)}; expected {shape_text(shape)}")
            return None
        values = self.values(dataset, item)
        if values is None:
            return None
        if kind == "integer":
            if values.dtype.kind == "u" and (values > np.iinfo(np.int64).max).any():
                self.complain(dataset, f"holds {values.max()}; expected numbers below 2^63")
                return None
            return np.asarray(values, dtype=np.int64)
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, and is refused
            values = np.asarray(values, dtype=np.float64)
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
        wanted = f"one of {', '.join(known)}"
        item = self.dataset(dataset, wanted)
        if item is None:
            return None
        if h5py.check_string_dtype(item.dtype) is None or item.shape != ():
            self.complain(
                dataset, f"is {kind_text(item)} of shape {shape_text(item.shape)}; expected {wanted}"
            )
            return None
        value = self.values(dataset, item)
        if value is None:
            return None
        text = str(value.item())
        if text not in known:
            self.complain(dataset, f"is {printable(repr(text))}; expected {wanted}")
            return None
        return text

    def texts(self, dataset: str) -> tuple[str, ...] | None:
        """A list of different strings, at least one, or None with a complaint."""
        wanted = "different texts of shape (any,)"
        item = self.dataset(dataset, wanted)
        if item is None:
            return None
        if h5py.check_string_dtype(item.dtype) is None or item.shape is None or len(item.shape) != 1:
            self.complain(
                dataset, f"is {kind_text(item)} of shape {shape_text(item.shape)}; expected {wanted}"
            )
            return None
        values = self.values(dataset, item)
        if values is None:
            return None
        found = tuple(str(value) for value in values)
        if not found or len(set(found)) < len(found):
            self.complain(dataset, f"is {printable(repr(found))}; expected {wanted}, at least one")
            return None
        return found


def write_file(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Lets ``fill`` fill a new HDF5 file; on any error ``path`` stays as it was.

    What is filled in goes to the disk at once: no more of the file is in memory than HDF5 itself keeps.
    """
    write_whole(path, lambda temporary: _write_to(temporary, fill))


def _write_to(path: Path, fill: Callable[[h5py.File], None]) -> None:
    with path.open("w+b", buffering=0) as stream:
        guarded = _Guarded(stream)
        try:
            with h5py.File(guarded, "w") as file:
                fill(file)
        finally:
            if guarded.error is not None:
                raise guarded.error


class _Guarded(io.RawIOBase):
    """A file whose first error is kept, and after which nothing is written.

    HDF5 itself, on a disk that is full, leaves handles behind that end the process with a segmentation fault.
    """

    def __init__(self, stream: io.FileIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._stream.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        self._unless_failed(lambda: self._write_all(view))
        return view.nbytes

    def truncate(self, size: int | None = None) -> int:
        self._unless_failed(lambda: self._stream.truncate(size))
        return size or 0

    def _write_all(self, view: memoryview) -> None:
        done = 0
        while done < view.nbytes:  # a disk that fills up takes a part first
            done += self._stream.write(view[done:])

    def _unless_failed(self, action: Callable[[], object]) -> None:
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = error


def shape_text(shape: tuple[int | None, ...] | None) -> str:
    """A shape as Python writes it, with ``any`` where a length is free; an HDF5 null has none."""
    if shape is None:
        return "(null)"
    inside = ", ".join("any" if n is None else str(n) for n in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def kind_text(item: h5py.Dataset) -> str:
    """The dtype in a word or two."""
    try:
        if h5py.check_string_dtype(item.dtype) is not None:
            return "text"
        return printable(str(item.dtype), longest=60)
    except _DAMAGE:
        return "a type of its own"


def _scalar(value: Any) -> Scalar:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bytes):
        return _text(value)
    if isinstance(value, int | float | bool):
        return value
    if isinstance(value, h5py.Empty):
        return "nothing (an HDF5 null)"
    if isinstance(value, h5py.Reference | h5py.RegionReference):
        return "a reference to another object"
    return str(value)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
