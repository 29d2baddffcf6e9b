"""Building and caching of compiled devices, with a small library that needs no simulator."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.compiled import BuildFailed, build, cache_folder, compiler

SOURCE = "int answer = 42;\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    try:
        compiler()
    except BuildFailed as error:
        pytest.skip(str(error))


def test_built_once_and_found_again() -> None:
    library = build(SOURCE)
    assert library.parent == cache_folder()
    assert ctypes.c_int.in_dll(ctypes.CDLL(str(library)), "answer").value == 42
    stamp = library.stat().st_mtime_ns
    assert build(SOURCE) == library
    assert library.stat().st_mtime_ns == stamp
    assert [path.name for path in cache_folder().iterdir()] == [library.name]


def test_another_source_or_compiler_is_another_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(SOURCE)
    assert build(SOURCE + "int more;\n") != first
    wrapper = tmp_path / "newer cc"
    wrapper.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo version 99; else exec {compiler()[0]} "$@"; fi\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", f"'{wrapper}'")
    second = build(SOURCE)
    assert second != first
    wrapper.write_text(wrapper.read_text().replace("99", "100"))
    assert build(SOURCE) not in (first, second)


def test_several_processes_at_once() -> None:
    code = f"from emulator.compiled import build; print(build({SOURCE!r}))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=120)[0].strip() for process in running}
    assert all(process.returncode == 0 for process in running)
    assert answers == {str(build(SOURCE))}
    assert len(list(cache_folder().iterdir())) == 1


def test_what_the_compiler_says_is_in_the_error() -> None:
    with pytest.raises(BuildFailed, match=r"(?s)exit code 1.*no_such_type"):
        build("no_such_type x;\n")
    assert list(cache_folder().iterdir()) == []


def test_a_compiler_that_only_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/bin/false")
    with pytest.raises(BuildFailed, match=r"exit code 1.*/bin/false"):
        build(SOURCE)


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nowhere/cc")
    with pytest.raises(BuildFailed, match=r"/nowhere/cc"):
        build(SOURCE)
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildFailed, match="no C compiler found"):
        build(SOURCE)
