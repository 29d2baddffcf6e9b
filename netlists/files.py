"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, fill: Callable[[Path], None]) -> None:
    """Lets ``fill`` write a temporary file beside ``path``, then renames it there.

    On any error (a full disk, an interrupt) the temporary file is removed and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        fill(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes private files; what a user gets follows their umask like any other file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text_whole(path: Path, text: str) -> None:
    """``write_whole`` for text, as UTF-8."""
    write_whole(path, lambda temporary: _write_text(temporary, text))


def write_bytes_whole(path: Path, content: bytes) -> None:
    """``write_whole`` for bytes."""
    write_whole(path, lambda temporary: _write_bytes(temporary, content))


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _write_text(path: Path, text: str) -> None:
    # a lone surrogate (from a file name that is no UTF-8) has no encoding
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
