"""The journal of a campaign: whatever happens to the file, whole records are read and nothing else."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from emulator.campaign.journal import HEADER, Journal, JournalError, pack, unpack

KINDS = st.sampled_from(["<f8", "<i8", "|b1", "<U5", "<U1"])
ANY = KINDS.flatmap(
    lambda kind: arrays.arrays(
        np.dtype(kind), arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)
    )
)


def key(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def row(number: int) -> dict[str, Any]:
    generator = np.random.default_rng(number)
    return {
        "number": np.asarray(number), "pixels": generator.random(50), "codes": generator.integers(0, 255, 50),
        "reason": np.asarray("Σ" * (number % 3)), "accepted": np.asarray(number % 2 == 0),
    }  # fmt: skip


def assert_same(a: Any, b: Any) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
        assert a[name].shape == b[name].shape


def filled(path: Path, count: int) -> Path:
    with Journal(path) as journal:
        for number in range(count):
            journal.append(key(number), row(number))
    return path


@given(st.dictionaries(st.text(max_size=5), ANY, max_size=4))
def test_columns_are_unpacked_as_packed(columns: dict[str, Any]) -> None:
    found = unpack(pack(columns))
    assert_same(found, columns)
    assert all(found[name].dtype == columns[name].dtype for name in columns)


def test_records_are_read_as_appended_also_by_the_next_who_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        for number in range(5):
            assert key(number) not in journal
            journal.append(key(number), row(number))
            assert_same(journal.read(key(number)), row(number))
    with Journal(path) as journal:
        assert (len(journal), journal.damaged) == (5, 0)
        for number in reversed(range(5)):
            assert_same(journal.read(key(number)), row(number))
        journal.append(key(9), row(9))
    with Journal(path) as journal:
        assert len(journal) == 6


def test_the_last_record_of_a_key_counts(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal", 3)
    with Journal(path) as journal:
        journal.append(key(1), row(7))
        assert_same(journal.read(key(1)), row(7))
    with Journal(path) as journal:
        assert len(journal) == 3
        assert_same(journal.read(key(1)), row(7))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_wherever_it_is_cut_off_the_whole_records_before_are_read(
    tmp_path: Path, data: st.DataObject
) -> None:
    whole = filled(tmp_path / "whole", 4).read_bytes() if not (tmp_path / "whole").exists() else (
        tmp_path / "whole"
    ).read_bytes()  # fmt: skip
    ends = _ends(whole)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path / "cut"
    path.write_bytes(whole[:cut])
    expected = sum(end <= cut for end in ends)
    with Journal(path) as journal:
        assert len(journal) == expected
        for number in range(expected):
            assert_same(journal.read(key(number)), row(number))
        journal.append(key(99), row(99))
    with Journal(path) as journal:
        assert (len(journal), journal.damaged) == (expected + 1, 0)


def _ends(whole: bytes) -> list[int]:
    """Where each record ends, from what packing them takes."""
    found, at = [], len(HEADER)
    while at < len(whole):
        size = int.from_bytes(whole[at + 40 : at + 48], "little")
        at += 52 + size
        found.append(at)
    assert at == len(whole)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(len(HEADER), 10**6), st.integers(1, 255))
def test_a_spoilt_byte_costs_its_record_alone(tmp_path: Path, where: int, change: int) -> None:
    path = tmp_path / "spoilt"
    path.unlink(missing_ok=True)
    whole = bytearray(filled(path, 4).read_bytes())
    at = len(HEADER) + where % (len(whole) - len(HEADER))
    whole[at] ^= change
    hit = next(number for number, end in enumerate(_ends(filled_bytes(tmp_path))) if at < end)
    path.write_bytes(whole)
    with Journal(path) as journal:
        assert journal.damaged > 0
        left = [number for number in range(4) if key(number) in journal]
        assert left == [number for number in range(4) if number != hit]
        for number in left:
            assert_same(journal.read(key(number)), row(number))


def filled_bytes(folder: Path) -> bytes:
    path = folder / "good"
    if not path.exists():
        filled(path, 4)
    return path.read_bytes()


def test_a_file_of_others_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thesis"
    path.write_bytes(b"x" * 100)
    with pytest.raises(JournalError, match="is no journal"):
        Journal(path)
    assert path.read_bytes() == b"x" * 100


def test_one_that_was_killed_before_its_first_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(HEADER[:5])
    with Journal(path) as journal:
        journal.append(key(0), row(0))
    with Journal(path) as journal:
        assert (len(journal), journal.damaged) == (1, 0)


def test_a_record_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow."""
    path = filled(tmp_path / "journal", 3)
    size = path.stat().st_size
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_journal import Journal, key, row
with Journal(Path({str(path)!r})) as journal:
    try:
        journal.append(key(3), row(3))
    except OSError as error:
        print(error.strerror)
    print(key(3) in journal, len(journal))
"""
    limit = size + 100
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.stdout.splitlines() == ["File too large", "False 3"]
    assert path.stat().st_size == size
    with Journal(path) as journal:
        assert (len(journal), journal.damaged) == (3, 0)
