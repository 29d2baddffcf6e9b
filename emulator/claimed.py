"""Output folders: claimed by one command at a time, nobody else's files touched, resumable at any time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from netlists.files import write_text_whole
from netlists.printable import printable

Mode = Literal["new", "overwrite", "resume"]

LOCK = ".lock"


class FolderError(ValueError):
    """An output folder that can't be used as asked; the message says what would help."""


@dataclass(frozen=True)
class Kind:
    """What a command leaves in its folder.

    Attributes:
        what: what the command is called in messages, such as "run".
        format, record: the JSON file that says whose folder it is, and the format it names.
        files, folders: patterns of all that is ever written there, and so all that may be removed. What says that
            the folder is ours comes last: an interrupted removal can be asked for again.
    """

    what: str
    format: str
    record: str
    files: tuple[str, ...]
    folders: tuple[str, ...] = ()


@contextmanager
def taken(path: Path, kind: Kind, mode: Mode, identity: Mapping[str, Any]) -> Iterator[None]:
    """Takes a folder for a command, for as long as the context lasts.

    Args:
        path: the folder; made if it does not exist.
        kind: what the command leaves there.
        mode: ``new`` wants nothing of that kind there, ``overwrite`` removes it, ``resume`` continues it.
        identity: everything that bears on the numbers; what is resumed must have the same.

    Raises:
        FolderError: holds another's results, is no folder of ours, is in use, or can't be written.
    """
    shown = printable(str(path))
    _check_ours(path, shown, kind)
    with _locked(path, shown):
        _check_mode(path, shown, kind, mode, identity)
        if mode == "overwrite":
            remove(path, kind.files, kind.folders)
        yield


def described(path: Path, kind: Kind) -> dict[str, Any]:
    """What the folder's record says; empty if it is not there."""
    record = path / kind.record
    return dict(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else {}


def describe(path: Path, kind: Kind, **entries: Any) -> None:
    """Adds entries to the folder's record."""
    text = json.dumps({"format": kind.format} | described(path, kind) | entries, indent=2, default=str)
    write_text_whole(path / kind.record, text + "\n")


@contextmanager
def _locked(path: Path, shown: str) -> Iterator[None]:
    """Holds the folder's lock: no two runs write into it.

    A killed run leaves the lock file, but not the lock on it: that is the system's and ends with the process.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / LOCK).open("w")
    except OSError as error:
        raise FolderError(f"{shown}: can't be written ({printable(str(error))})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever held it may have removed it just now, and another run may have made a new one
            ours = os.path.samestat((path / LOCK).stat(), os.fstat(lock.fileno()))
        except (BlockingIOError, FileNotFoundError):
            ours = False
        except OSError as error:  # a network file system without locks
            raise FolderError(f"{shown}: can't be locked ({printable(str(error))})") from error
        if not ours:
            raise FolderError(f"{shown}: another run is writing there; wait for it or choose another --out")
        try:
            yield
        finally:
            (path / LOCK).unlink(missing_ok=True)


def _check_ours(path: Path, shown: str, kind: Kind) -> None:
    """A folder of ours holds a record that says so; nothing is touched in any other."""
    if path.exists() and not path.is_dir():
        raise FolderError(f"{shown}: is a file; --out needs a folder")
    try:
        # a run that was killed before it said what it is leaves no more than these
        if not path.exists() or not any(
            item.name != LOCK and not item.match(f".{kind.record}.*.part") for item in path.iterdir()
        ):
            return
        record = path / kind.record
        known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else None
    except OSError as error:
        raise FolderError(f"{shown}: can't be read ({printable(str(error))})") from error
    except ValueError as error:
        raise FolderError(
            f"{shown}: {kind.record} is not readable ({error}); choose another --out"
        ) from error
    if not isinstance(known, dict) or known.get("format") != kind.format:
        raise FolderError(f"{shown}: holds files, but no {kind.what} of ours; choose another --out")


def _check_mode(path: Path, shown: str, kind: Kind, mode: Mode, identity: Mapping[str, Any]) -> None:
    if not (path / kind.record).is_file():
        return
    if mode == "new":
        raise FolderError(
            f"{shown}: holds a {kind.what}'s results already; --overwrite replaces them, --resume finishes them, "
            "or choose another --out"
        )
    if mode == "resume":
        before = described(path, kind).get("identity", {})
        now = json.loads(json.dumps(dict(identity), default=str))
        if before != now:
            said = "; ".join(_changes(before, now))
            raise FolderError(
                f"{shown}: can't resume a {kind.what} with other settings: {printable(said, None)}"
            )


def _changes(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """What differs, down to the single setting."""
    before, now = _unpacked(before), _unpacked(now)
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _changes(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif before != now:
        yield f"{name} was {before!r}, now {now!r}"


def _unpacked(value: Any) -> Any:
    """Groups of settings are kept as JSON text, for they are attributes of the results too."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            return json.loads(value)
    return value


def remove(path: Path, files: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Removes files by pattern, what an interrupted write left of them, and folders that are empty then."""
    for pattern in files:
        folder, _, name = pattern.rpartition("/")
        for each in (pattern, f"{folder}/.{name}.*.part".lstrip("/")):
            for item in path.glob(each):
                item.unlink()
    for pattern in folders:
        for item in path.glob(pattern):
            with suppress(OSError):  # not empty: what is in there is not ours
                item.rmdir()
