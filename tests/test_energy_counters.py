"""The processor's energy counters, on a tree of files that stands for the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.energy.digital import NoCounter, SolverEnergy, find_counters, measure, solver_energy, spent
from emulator.energy.overview import measured_solver
from netlists.synthetic import window_core

WRAP = 262_143_328_850


def zone(root: Path, name: str, kind: str, energy: str = "1000") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "max_energy_range_uj").write_text(f"{WRAP}\n")
    (folder / "energy_uj").write_text(f"{energy}\n")
    return folder / "energy_uj"


def test_packages_and_memory_are_counted_once(tmp_path: Path) -> None:
    for name, kind in (
        ("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "package-1"), ("intel-rapl:2", "psys"), ("intel-rapl-mmio:0", "package-0"),
    ):  # fmt: skip
        zone(tmp_path, name, kind)
    (tmp_path / "intel-rapl").mkdir()
    found = [counter.name for counter in find_counters(tmp_path)]
    assert found == ["intel-rapl:0 package-0", "intel-rapl:0:1 dram", "intel-rapl:1 package-1"]


def test_a_counter_that_began_anew() -> None:
    assert spent(10, 2_000_010, WRAP) == pytest.approx(2.0)
    assert spent(WRAP - 1_000_000, 500_000, WRAP) == pytest.approx(1.5)
    assert spent(7, 7, WRAP) == 0


def test_work_is_measured_over_all_counters(tmp_path: Path) -> None:
    first = zone(tmp_path, "intel-rapl:0", "package-0", str(WRAP - 250_000))
    second = zone(tmp_path, "intel-rapl:1", "package-1", "5")

    def work() -> None:
        first.write_text("750000\n")  # beyond its end
        second.write_text("2000005\n")

    joules, seconds = measure(work, find_counters(tmp_path))
    assert joules == pytest.approx(1.0 + 2.0)
    assert seconds >= 0


def test_the_solver_runs_until_there_is_enough_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sample moves the counter by 0.3 J; nothing else does."""
    path = zone(tmp_path, "intel-rapl:0", "package-0", "0")

    def sample(*_: object) -> None:
        path.write_text(f"{int(path.read_text()) + 300_000}\n")

    monkeypatch.setattr("emulator.energy.digital.trajectory", sample)
    found = solver_energy(window_core(4, 4), tmp_path, least_seconds=0.005)
    assert found.joules == pytest.approx(0.3)
    assert found.samples >= 1
    assert found.seconds >= 0.005


def test_the_real_solver_runs(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0")
    found = solver_energy(window_core(4, 4, duration=1.0), tmp_path, least_seconds=0.0)
    assert (found.samples, found.joules) == (1, 0)
    assert found.counters == ("intel-rapl:0 package-0",)
    assert "DOP853" in found.solver


def test_what_is_said_of_the_solver(tmp_path: Path) -> None:
    core = window_core(4, 4, duration=0.5)
    assert str(measured_solver(core, tmp_path / "absent")).startswith("not measurable here: there is no")
    zone(tmp_path, "intel-rapl:0", "package-0")
    assert measured_solver(None, tmp_path) == "not measured: --measure runs it"
    assert isinstance(measured_solver(core, tmp_path), SolverEnergy)


def test_why_nothing_can_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoCounter, match=r"there is no .*absent: the kernel shows no energy counter"):
        find_counters(tmp_path / "absent")
    empty = tmp_path / "empty"
    zone(empty, "intel-rapl:0:0", "core")
    with pytest.raises(NoCounter, match="no zone of a processor's package"):
        find_counters(empty)
    broken = tmp_path / "broken"
    zone(broken, "intel-rapl:0", "package-0", "many")
    with pytest.raises(NoCounter, match="energy_uj holds 'many'; expected microjoules"):
        find_counters(broken)
    locked = tmp_path / "locked"
    path = zone(locked, "intel-rapl:0", "package-0")
    read = Path.read_text

    def refuse(self: Path, *words: str, **names: str) -> str:
        if self == path:  # as the kernel does; a test that is root may read whatever it likes
            raise PermissionError(13, "Permission denied")
        return read(self, *words, **names)

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(NoCounter, match="energy_uj can be read by root alone"):
        find_counters(locked)
