"""Builds compiled devices: C source to a library that ngspice loads, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

# -march=native ties the library to this processor, which the cache key therefore names. No -ffast-math: a
# node that is not a number has to stay one; -fopenmp-simd lets only those loops be reordered that say so.
_FLAGS = ("-std=gnu11", "-O3", "-fopenmp-simd", "-fPIC", "-shared")
_NATIVE = ("-march=native",)
_LIMIT_S = 300
_MOST_SAID = 100_000  # characters of a compiler's message; more is no message


class BuildFailed(RuntimeError):
    """No compiled devices: no C compiler, or it refused the source; the message carries its own."""


def compiler() -> list[str]:
    """The C compiler's command: ``CC`` if set, else the first of cc, gcc and clang there is.

    Raises:
        BuildFailed: there is none, or ``CC`` names none.
    """
    named = os.environ.get("CC")
    if named:
        command = shlex.split(named)
        if command and shutil.which(command[0]):
            return command
        raise BuildFailed(f"CC names {named!r}, which is not there. Unset it, or name a C compiler.")
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise BuildFailed("no C compiler found (looked for cc, gcc, clang). Install gcc or clang, or set CC.")


def cache_folder() -> Path:
    """Where built libraries are kept, by the platform's convention."""
    named = os.environ.get("XDG_CACHE_HOME")
    if named and Path(named).is_absolute():
        base = Path(named)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path.home() / ".cache"
    return base / "ais-emulator" / "devices"


def build(source: str) -> Path:
    """The library of a C source; built now unless the very same one was built before.

    Several processes may build the same one at once: each writes a file of its own and renames it.

    Args:
        source: from ``device_models.printers.osdi``.

    Raises:
        BuildFailed: there is no compiler, or it failed; the message carries what it said.
        OSError: the cache folder can't be written.
    """
    command = compiler()
    identity = "\n".join([_version(command), *command, *_FLAGS, *_NATIVE, _processor(), source])
    library = cache_folder() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.osdi"
    if not library.is_file():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent, prefix="building-") as folder:
            _compile(command, source, Path(folder) / "devices.c", Path(folder) / "devices.osdi")
            (Path(folder) / "devices.osdi").replace(library)
    return library


def _compile(command: list[str], source: str, text: Path, library: Path) -> None:
    text.write_text(source, encoding="utf-8")
    for flags in ((*_FLAGS, *_NATIVE), _FLAGS):  # not every compiler knows this processor
        whole = [*command, *flags, "-o", str(library), str(text), "-lm"]
        try:
            answer = subprocess.run(
                whole, capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildFailed(f"the C compiler did not run: {shlex.join(whole)}: {error}") from error
        if answer.returncode == 0 and library.is_file():
            return
    said = (answer.stderr or answer.stdout).strip()[:_MOST_SAID]
    raise BuildFailed(
        f"the C compiler failed (exit code {answer.returncode}): {shlex.join(whole)}"
        + (f"\n{said}" if said else "")
    )


def _version(command: list[str]) -> str:
    try:
        answer = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, errors="replace", check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"the C compiler does not tell its version: {error}") from error
    return answer.stdout


@lru_cache(maxsize=1)
def _processor() -> str:
    """What ``-march=native`` may depend on."""
    described = Path("/proc/cpuinfo")
    if described.is_file():
        keys = ("model name", "flags", "features", "cpu part")
        lines = described.read_text(encoding="utf-8", errors="replace").lower().splitlines()
        return "\n".join(sorted({line for line in lines if line.startswith(keys)}))
    return f"{platform.machine()} {platform.processor()}"
