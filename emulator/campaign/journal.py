"""What is finished, as it finishes: records that check themselves, appended to one file and on disk when told so.

A record is written in one go and forced to the disk. A process or a machine that dies in the middle leaves a record
that fails its check; reading goes on at the next one that does not, and writing at the end of the last good one.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from netlists.printable import printable

HEADER = b"ais-campaign-journal 1\n"
_MAGIC = b"\xa1AISREC\n"
_HEAD = struct.Struct("<8s32sQI")  # magic, key, bytes of the content, checksum of key and content
LARGEST = 2**32  # bytes of a record; a length beyond is damage

Columns = Mapping[str, npt.NDArray[Any]]


class JournalError(ValueError):
    """A file that is no journal."""


@dataclass(frozen=True)
class _Place:
    start: int
    size: int


class Journal:
    """An open journal; the one writer of its file. Use as a context manager.

    Attributes:
        damaged: bytes of the file that belong to no whole record, found when it was opened.
    """

    def __init__(self, path: Path) -> None:
        """Opens a journal, or begins one.

        Raises:
            JournalError: the file is something else.
            OSError: it can't be opened.
        """
        self._path = path
        self._file: IO[bytes] = path.open("a+b", buffering=0)
        self._places: dict[bytes, _Place] = {}
        self.damaged = 0
        size = self._file.seek(0, os.SEEK_END)
        if size < len(HEADER):  # new, or killed before its first line was whole
            self._file.truncate(0)
            self._file.write(HEADER)
            self._end = len(HEADER)
        else:
            self._index(size)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def read(self, key: bytes) -> Columns:
        """What was recorded under a key."""
        place = self._places[key]
        return unpack(os.pread(self._file.fileno(), place.size, place.start))

    def catch_up(self) -> None:
        """Takes in what is in the file: an interrupt may come between a record and the note of where it is."""
        self._places.clear()
        self._index(self._file.seek(0, os.SEEK_END))

    def append(self, key: bytes, columns: Columns) -> None:
        """Records columns under a key (32 bytes); they are on the disk when this returns.

        Raises:
            OSError: they are not, and the journal is as it was before.
        """
        content = pack(columns)
        record = _HEAD.pack(_MAGIC, key, len(content), zlib.crc32(content, zlib.crc32(key))) + content
        try:
            done = 0
            while done < len(record):
                done += self._file.write(record[done:])
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._end)
            raise
        self._places[key] = _Place(self._end + _HEAD.size, len(content))
        self._end += len(record)

    def _index(self, size: int) -> None:
        """Finds the whole records, and cuts off what is behind the last."""
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[: len(HEADER)] != HEADER:
                raise JournalError(f"{printable(str(self._path))}: is no journal of a campaign")
            self._end, good = len(HEADER), 0
            for key, place in _records(content):
                self._places[key] = place
                self._end = place.start + place.size
                good += _HEAD.size + place.size
        self.damaged = size - len(HEADER) - good
        self._file.truncate(self._end)


def _records(content: mmap.mmap) -> Iterator[tuple[bytes, _Place]]:
    """The records whose check holds; what is between them is passed over."""
    at = len(HEADER)
    while (at := content.find(_MAGIC, at)) >= 0:
        head = content[at : at + _HEAD.size]
        if len(head) == _HEAD.size:
            _, key, size, check = _HEAD.unpack(head)
            start = at + _HEAD.size
            there = size <= min(LARGEST, len(content) - start)
            if there and zlib.crc32(content[start : start + size], zlib.crc32(key)) == check:
                yield key, _Place(start, size)
                at = start + size
                continue
        at += 1


def pack(columns: Columns) -> bytes:
    """Arrays of numbers, truth values and text (numpy's ``U``) as bytes."""
    arrays = {name: np.ascontiguousarray(array) for name, array in columns.items()}
    # ascontiguousarray makes a scalar a vector of one
    heads = {name: [array.dtype.str, np.shape(columns[name])] for name, array in arrays.items()}
    head = json.dumps(heads).encode() + b"\n"
    return zlib.compress(b"".join([head, *(array.tobytes() for array in arrays.values())]), level=1)


def unpack(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """What ``pack`` packed."""
    whole = zlib.decompress(content)
    start = whole.index(b"\n") + 1
    found = {}
    for name, (kind, shape) in json.loads(whole[:start]).items():
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        found[name] = np.frombuffer(whole, dtype, count, start).reshape(shape)
        start += count * dtype.itemsize
    return found
