"""The worker process: reuse and replacement, limits, crashes, logs, and what comes back of all that."""

from __future__ import annotations

import ctypes.util
import os
import signal
import subprocess
import sys
import threading
import time as clock
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emulator import ngspice
from emulator.ngspice import (
    LIBRARY_VARIABLE,
    LOG_FILE,
    Capabilities,
    Deck,
    NgspiceUnavailable,
    Statistics,
    capabilities,
    find_library,
)
from emulator.simulator import Simulator, WorkerDied, WorkerTimeout
from emulator.verdict import Verdict


def rc(ohms: float = 1e3, *, stop: float = 1e-5, start: float = 0.0, extra: str = "") -> Deck:
    """A step of 1 V through a resistor onto 1 nF, from 0 V, kept from ``start`` on."""
    circuit = f"* RC\nV1 a 0 1\nR1 a b {ohms!r}\nC1 b 0 1n\n"
    return Deck(f"{circuit}{extra}.save v(b)\n.tran 1u {stop!r} {start!r} 1u uic\n.end", ("b",), stop)


GOOD = rc()
BAD = Deck("* no such model\nD1 b 0 nomod\nR1 b 0 1k\n.tran 1u 10u uic\n.end", ("b",), 1e-5)
A_SECOND = rc(stop=0.2, start=0.199)
ENDLESS = rc(stop=50.0, start=49.999)  # some minutes


def alive(pid: int) -> bool:
    """Whether a process runs (and does not just wait to be buried)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def open_files() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def pid_of(simulator: Simulator) -> int:
    """The worker's process id, asked from the worker."""
    return simulator.call(os.getpid)


# -- one worker for many runs


def test_reused_worker(simulator: Simulator) -> None:
    pid = pid_of(simulator)
    assert simulator.pid == pid
    for ohms in (1e3, 2e3, 5e3):
        result = simulator.simulate(rc(ohms))
        np.testing.assert_allclose(result.values[:, 0], 1 - np.exp(-result.time / (ohms * 1e-9)), atol=0.01)
    assert pid_of(simulator) == pid


def test_decks_leave_no_trace_in_each_other(any_simulator: Simulator) -> None:
    text = "* A\nV1 a 0 sin(0 1 100k)\nR1 a b 1k\nC1 b 0 1n\nB1 b 0 I=1m*tanh(v(b))\n.tran 1u 100u uic\n.end"
    one = Deck(text, ("b",), 1e-4)
    other = Deck(
        "* B\n.param ohms=3\n.model dd d is=1e-12\nV1 q 0 sin(0 1 100k)\nR1 q w {ohms}\nD1 w 0 dd\n"
        ".options method=gear reltol=1e-2 temp=80\n.ic v(w)=0.1\n.save v(w)\n.tran 1u 100u uic\n.end",
        ("w",), 1e-4,
    )  # fmt: skip
    first, between, again = (any_simulator.simulate(deck) for deck in (one, other, one))
    assert [r.verdict for r in (first, between, again)] == [Verdict.COMPLETED] * 3
    np.testing.assert_array_equal(first.time, again.time)
    np.testing.assert_array_equal(first.values, again.values)
    assert first.statistics.iterations == again.statistics.iterations
    undefined = Deck(text.replace("1k", "{ohms}"), ("b",), 1e-4)
    assert any_simulator.simulate(undefined).verdict is Verdict.PARSE_ERROR


def test_replaced_after_a_failed_run(any_simulator: Simulator) -> None:
    before = pid_of(any_simulator)
    assert any_simulator.simulate(BAD).verdict is Verdict.PARSE_ERROR
    assert any_simulator.pid is None
    assert not alive(before)
    assert any_simulator.simulate(GOOD).verdict is Verdict.COMPLETED
    assert pid_of(any_simulator) != before


def test_nothing_is_left_behind(simulator: Simulator) -> None:
    simulator.simulate(BAD)
    before = open_files()
    for _ in range(3):
        simulator.call(os.getpid)
        pid = simulator.pid
        simulator.simulate(BAD)
        assert pid is not None
        assert not Path(f"/proc/{pid}").exists()  # ended, and buried
    assert open_files() == before


def test_closed_simulator_can_be_used_again() -> None:
    with Simulator() as simulator:
        pid = pid_of(simulator)
    assert simulator.pid is None
    assert not alive(pid)
    assert pid_of(simulator) != pid
    simulator.close()
    simulator.close()


def test_two_simulators_side_by_side() -> None:
    def runs(ohms: float) -> tuple[int, list[float]]:
        with Simulator() as own:
            results = [own.simulate(rc(ohms)) for _ in range(20)]
            assert all(result.verdict is Verdict.COMPLETED for result in results)
            return pid_of(own), [float(result.values[-1, 0]) for result in results]

    with ThreadPoolExecutor(2) as pool:
        (one, first), (two, second) = pool.map(runs, (1e3, 1e4))
    assert one != two
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] == pytest.approx(1 - np.exp(-10), abs=1e-3)
    assert second[0] == pytest.approx(1 - np.exp(-1), abs=1e-3)


# -- what a run tells


def test_progress_rises_to_the_end(any_simulator: Simulator) -> None:
    fractions: list[float] = []
    result = any_simulator.simulate(rc(stop=0.4, start=0.399), on_progress=fractions.append)
    assert result.verdict is Verdict.COMPLETED
    assert len(fractions) >= 2  # ngspice tells a few times a second
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < 0.6 < fractions[-1] <= 1


def test_statistics(any_simulator: Simulator) -> None:
    statistics = any_simulator.simulate(A_SECOND).statistics
    assert statistics.steps == pytest.approx(2e5, rel=0.01)
    assert statistics.iterations >= statistics.steps
    assert 0 < statistics.load_s < statistics.cpu_s
    assert 0 < statistics.cpu_s <= 1.5 * statistics.wall_s
    # wall time, milliseconds at least in both versions
    assert (
        0 < statistics.matrix_load_s + statistics.matrix_factor_s < statistics.analysis_s < statistics.wall_s
    )


def test_statistics_of_a_deck_that_is_not_read(any_simulator: Simulator) -> None:
    any_simulator.simulate(GOOD)
    statistics = any_simulator.simulate(BAD).statistics
    assert statistics.wall_s > 0
    assert (statistics.steps, statistics.iterations, statistics.matrix_load_s) == (0, 0, 0.0)


def test_capabilities(any_simulator: Simulator) -> None:
    found = any_simulator.call(capabilities)
    assert isinstance(found, Capabilities)
    assert found.version >= 39
    assert Path(found.library).is_file()
    assert found.klu == found.osdi == (found.version > ngspice.NEWEST_WITHOUT_KLU)
    assert any_simulator.simulate(GOOD).version == str(found.version)


# -- folder and log


def test_folder_is_the_working_folder_of_its_run_alone(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "part.inc").write_text("V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n")
    deck = Deck("* parts\n.include part.inc\n.save v(b)\n.tran 1u 10u uic\n.end", ("b",), 1e-5)
    assert simulator.simulate(deck, folder=tmp_path).verdict is Verdict.COMPLETED
    assert simulator.call(os.getcwd) == str(Path.cwd())
    assert simulator.simulate(deck).verdict is Verdict.PARSE_ERROR


def test_relative_folder_that_is_not_there_yet(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_of(simulator)  # started in another folder
    monkeypatch.chdir(tmp_path)
    simulator.simulate(GOOD, folder=Path("runs/1"))
    assert (tmp_path / "runs" / "1" / LOG_FILE).is_file()


def test_log_is_kept_and_the_same_as_in_the_result(any_simulator: Simulator, tmp_path: Path) -> None:
    for deck in (GOOD, BAD, GOOD):
        result = any_simulator.simulate(deck, folder=tmp_path)
        assert (tmp_path / LOG_FILE).read_text().splitlines() == list(result.log)
        assert result.log


def test_log_is_streamed(simulator: Simulator, tmp_path: Path) -> None:
    seen: list[str] = []
    simulator.simulate(
        A_SECOND, folder=tmp_path, on_progress=lambda _: seen.append((tmp_path / LOG_FILE).read_text())
    )
    assert "Doing analysis" in seen[0]
    assert "No. of Data Rows" not in seen[0]


def test_log_of_another_run_is_not_taken_for_this_one(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOG_FILE).write_text("Error: circuit not parsed.\n")

    def die(*_args: object, **_options: object) -> None:
        raise WorkerDied("signal SIGSEGV")

    monkeypatch.setattr(simulator, "call", die)
    result = simulator.simulate(GOOD, folder=tmp_path)
    assert result.verdict is Verdict.CRASHED
    assert result.log == ()


def test_worker_that_died_of_a_bad_deck_before_it_could_say_so(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: object, **_options: object) -> None:
        (tmp_path / LOG_FILE).write_text(
            "Error on line 2 or its substitute:\nr1 a b\nError: circuit not parsed.\n"
        )
        raise WorkerDied("signal SIGABRT: double free or corruption (out)")

    monkeypatch.setattr(simulator, "call", die)
    judgement = simulator.simulate(GOOD, folder=tmp_path).judgement
    assert (judgement.verdict, judgement.line) == (Verdict.PARSE_ERROR, "2")


FLOOD = rc(extra=".control\nrepeat 60000\necho a line of many\nend\n.endc\n")


def kept_by_pyspice() -> tuple[int, int]:
    """Lines in PySpice's own lists, in the process that asks."""
    shared = ngspice._instance()
    return len(shared._stdout), len(shared._stderr)


def resident(simulator: Simulator) -> int:
    """Bytes of memory of the worker."""
    pages = Path(f"/proc/{simulator.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_flood_of_lines_is_bounded(any_simulator: Simulator, tmp_path: Path) -> None:
    any_simulator.simulate(FLOOD)
    before = resident(any_simulator)
    result = any_simulator.simulate(FLOOD, folder=tmp_path)
    assert resident(any_simulator) - before < 5e6
    assert result.verdict is Verdict.COMPLETED
    assert len(result.log) == 2 * ngspice._KEPT_LINES
    assert result.log[-1].startswith("No. of Data Rows")
    lines = (tmp_path / LOG_FILE).read_text().splitlines()
    assert len(lines) == ngspice._STREAMED_LINES + 1 + ngspice._KEPT_LINES
    assert "lines left out]" in lines[ngspice._STREAMED_LINES]
    assert lines[-1] == result.log[-1]
    assert max(any_simulator.call(kept_by_pyspice)) < 200


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6, 7, 10, 11, 12, 13, 14, 40])
def test_log_keeps_the_first_and_the_last_lines(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngspice, "_KEPT_LINES", 3)
    monkeypatch.setattr(ngspice, "_STREAMED_LINES", 10)
    said = [f"line {k}" for k in range(count)]
    log = ngspice._Log(tmp_path / LOG_FILE)
    for line in said:
        log.add(line)
        log.add(" Reference value :  1.00000e-09\r")
    log.close()
    assert list(log.lines) == (said if count <= 6 else [*said[:3], *said[-3:]])
    written = (tmp_path / LOG_FILE).read_text().splitlines()
    if count <= 13:
        assert written == said
    else:
        assert written == [*said[:10], f"[{count - 13} lines left out]", *said[-3:]]


# -- limits, crashes, and the way out


def test_time_limit_of_a_call(simulator: Simulator) -> None:
    pid = pid_of(simulator)
    started = clock.monotonic()
    with pytest.raises(WorkerTimeout):
        simulator.call(clock.sleep, 60, limit_s=0.3)
    assert 0.3 <= clock.monotonic() - started < 5
    assert not alive(pid)
    assert simulator.call(abs, -1, limit_s=60) == 1


def test_time_limit_does_not_hit_a_run_in_time(simulator: Simulator) -> None:
    assert simulator.simulate(GOOD, limit_s=60).verdict is Verdict.COMPLETED


@pytest.mark.parametrize(("code", "says"), [("os._exit(3)", "exit code 3"), ("os.abort()", "signal SIGABRT")])
def test_worker_that_dies(simulator: Simulator, code: str, says: str) -> None:
    with pytest.raises(WorkerDied, match=says):
        simulator.call(exec, f"import os; {code}")
    assert simulator.simulate(GOOD).verdict is Verdict.COMPLETED


def test_last_words_of_a_worker(simulator: Simulator) -> None:
    with pytest.raises(WorkerDied, match=r"exit code 1: the last words$"):
        simulator.call(exec, "import os; os.write(2, b'first\\nthe last words\\n\\n'); os._exit(1)")


def test_worker_that_died_while_it_was_idle(simulator: Simulator) -> None:
    pid = pid_of(simulator)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert simulator.simulate(GOOD).verdict is Verdict.COMPLETED


def test_kill_from_another_thread_is_for_good() -> None:
    with Simulator() as simulator:
        threading.Timer(0.7, simulator.kill).start()
        started = clock.monotonic()
        assert simulator.simulate(ENDLESS).verdict is Verdict.CRASHED
        assert clock.monotonic() - started < 10
        with pytest.raises(WorkerDied, match="for good"):
            simulator.simulate(GOOD)
        assert simulator.pid is None


def test_interrupt_ends_the_worker(simulator: Simulator) -> None:
    def interrupt(_fraction: float) -> None:
        raise KeyboardInterrupt

    pid = pid_of(simulator)
    with pytest.raises(KeyboardInterrupt):
        simulator.simulate(ENDLESS, on_progress=interrupt)
    assert not alive(pid)


@pytest.mark.parametrize("error", [BrokenPipeError("the terminal is gone"), EOFError("so is the input")])
def test_error_of_on_progress_is_the_callers(simulator: Simulator, error: Exception) -> None:
    def fail(_fraction: float) -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        simulator.simulate(A_SECOND, on_progress=fail)
    # what is left of that run must not be taken for the answer to this call
    assert simulator.call(abs, -3) == 3


PARENT = f"""
import sys
from emulator.ngspice import Deck
from emulator.simulator import Simulator
simulator = Simulator()
deck = Deck({ENDLESS.text!r}, ("b",), 50.0)
simulator.simulate(deck, on_progress=lambda fraction: print(simulator.pid, flush=True))
"""


def test_worker_of_a_killed_parent_ends() -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())  # said in the middle of the run
        assert alive(worker)
        parent.kill()
    deadline = clock.monotonic() + 2
    while alive(worker) and clock.monotonic() < deadline:
        clock.sleep(0.05)
    assert not alive(worker)


def test_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    before = open_files()
    simulator = Simulator()
    with pytest.raises(WorkerDied, match=r"does not start.*exit code 1"):
        simulator.simulate(GOOD)
    assert open_files() == before


def test_modules_of_the_working_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "PySpice", "pickle"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')\n")
    monkeypatch.chdir(tmp_path)
    with Simulator() as simulator:
        assert simulator.simulate(GOOD, folder=tmp_path).verdict is Verdict.COMPLETED


# -- functions and their errors


class TwoPart(Exception):
    """Can be pickled, but not made again from what is pickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail_in_two_parts() -> None:
    """Raises what can't travel."""
    raise TwoPart(1, 2)


@pytest.mark.parametrize(
    ("function", "argument", "error", "says"),
    [
        (int, "x", ValueError, "invalid literal"),
        (os.stat, "/no/such/file", FileNotFoundError, "/no/such/file"),
        (exec, "raise EOFError('nothing to read')", EOFError, "nothing to read"),
        (exec, "raise ConnectionResetError('gone')", ConnectionResetError, "gone"),
        (exec, "class Own(Exception): pass\nraise Own('of its own')", RuntimeError, "of its own"),
    ],
)
def test_exception_comes_back(
    simulator: Simulator, function: Callable[..., object], argument: str, error: type[Exception], says: str
) -> None:
    pid = pid_of(simulator)
    with pytest.raises(error, match=says) as caught:
        simulator.call(function, argument)
    notes = "".join(getattr(caught.value, "__notes__", ())) or str(caught.value)
    assert "Traceback" in notes
    assert pid_of(simulator) == pid


def test_exception_that_can_not_travel(simulator: Simulator) -> None:
    with pytest.raises(RuntimeError, match="1 and 2"):
        simulator.call(fail_in_two_parts)
    assert simulator.call(abs, -1) == 1


def test_function_that_can_not_travel(simulator: Simulator) -> None:
    with pytest.raises(Exception, match=r"pickle|local object"):
        simulator.call(lambda: 1)
    assert simulator.call(abs, -1) == 1


def test_result_that_can_not_travel(simulator: Simulator) -> None:
    with pytest.raises(TypeError, match="pickle"):
        simulator.call(threading.Lock)
    assert simulator.call(abs, -1) == 1


def test_large_result(simulator: Simulator) -> None:
    assert simulator.call(np.arange, 10**6)[-1] == 10**6 - 1


# -- the library


def no_library(tmp_path: Path, kind: str) -> str:
    """Something that is not ngspice."""
    if kind == "text":
        (tmp_path / "libngspice.so").write_text("this is a text\n")
        return str(tmp_path / "libngspice.so")
    return {
        "missing": "/no/such/libngspice.so",
        "folder": str(tmp_path),
        "other": ctypes.util.find_library("m"),
    }[kind] or pytest.skip("no libm")


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "other"])
def test_no_ngspice(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = no_library(tmp_path, kind)
    monkeypatch.setenv(LIBRARY_VARIABLE, path)
    with Simulator() as simulator:
        for _ in range(2):  # the second time in a process that has tried once
            with pytest.raises(NgspiceUnavailable) as caught:
                simulator.simulate(GOOD)
            assert path in str(caught.value)
            assert "make setup" in str(caught.value)
        with pytest.raises(NgspiceUnavailable, match=LIBRARY_VARIABLE):
            simulator.call(capabilities)


def test_library_given_to_the_simulator(tmp_path: Path) -> None:
    with Simulator(tmp_path / "none.so") as simulator, pytest.raises(NgspiceUnavailable, match=r"none\.so"):
        simulator.simulate(GOOD)
    with Simulator() as simulator:
        library = simulator.call(capabilities).library
    copy = tmp_path / "lib{of}ngspice.so"
    copy.symlink_to(library)
    with Simulator(copy) as simulator:
        assert simulator.simulate(GOOD).verdict is Verdict.COMPLETED


def test_no_ngspice_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: None)
    with pytest.raises(NgspiceUnavailable, match="make setup"):
        find_library()


def test_statistics_without_a_run_are_zero() -> None:
    assert Statistics() == Statistics(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
