"""The same netlists through every way from Python to ngspice that is installed, each in a process of its own.

``python -m benchmarks.peers NAME ANSWER DECK…`` is one of those processes: it runs each deck twice, the first time
to warm up, and writes what the second took to the file ANSWER.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.harness import Measure
from emulator.ngspice import LIBRARY_VARIABLE, Deck, find_library
from emulator.simulator import Simulator
from netlists.compile import compile_core
from netlists.core import Array
from netlists.dialects.ngspice import SolverOptions, write_deck
from netlists.scaling import Scaling
from netlists.synthetic import window_core

# One resistor and one capacitor over 100 rows: all that takes time is getting there and back.
TINY = """one RC
R1 a 0 1k
C1 a 0 1n
.ic v(a)=1
.options reltol=1e-4
.tran 1e-8 1e-6 0 1e-8 uic
.end
"""
TINY_DECK, CORE_DECK = "tiny deck", "16 x 16 core"
LARGEST_DIFFERENCE = 1e-3  # of any final state, in V: beyond, it was another circuit


@dataclass(frozen=True)
class Answer:
    """What a run brought: ngspice's own seconds of analysis, and each vector's last value."""

    analysis_s: float
    last: dict[str, float]


Run = Callable[[Path], Answer]


def peers(rounds: int) -> list[Measure]:
    """Wall seconds of a run and what of it is not ngspice's analysis, for each way that works here."""
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    ways = {name: package for name, (package, _) in WAYS.items() if find_spec(package) is not None}
    with tempfile.TemporaryDirectory() as folder:
        decks = _write_decks(Path(folder))
        expected: dict[str, dict[str, float]] = {}
        for turn in range(rounds + 1):
            for name in list(ways):
                try:
                    answers = in_process(name, Path(folder), decks)
                except RuntimeError as error:
                    print(f"peers: {name} is left out, it does not work here: {error}", file=sys.stderr)
                    del ways[name]
                    continue
                for deck, (wall, analysis, last) in answers.items():
                    _check_same(name, deck, expected.setdefault(deck, last), last)
                    walls, overheads = found.setdefault((name, deck), ([], []))
                    if turn > 0:
                        walls.append(wall)
                        overheads.append(wall - analysis)
    return [
        Measure("peers", f"{name}: {deck}, {what}", "s wall", tuple(values), notes=note)
        for (name, deck), both in found.items()
        if name in ways
        for (what, note), values in zip(_WHAT, both, strict=True)
    ]


_WHAT = (
    ("whole run", "from the netlist's text to arrays of all vectors"),
    ("beside the analysis", "the same less ngspice's total analysis time; reading the netlist is in it"),
)


def _write_decks(folder: Path) -> dict[str, Path]:
    core = window_core(16, 16, strength=0.2)
    circuit = compile_core(core, Scaling(tau=1e-6))
    options = SolverOptions(reltol=1e-4, rows=200)
    decks = {TINY_DECK: folder / "tiny.cir", CORE_DECK: folder / "core.cir"}
    decks[TINY_DECK].write_text(TINY)
    decks[CORE_DECK].write_text(write_deck(circuit, options, core.initial_states(0, 0)))
    return decks


def in_process(
    name: str, folder: Path, decks: dict[str, Path]
) -> dict[str, tuple[float, float, dict[str, float]]]:
    """Wall and analysis seconds and last values of each deck.

    Raises:
        RuntimeError: the process ended without an answer; the last line it wrote.
    """
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers", name, str(answer), *map(str, decks.values())],
        cwd=Path(__file__).parents[1], capture_output=True, check=False, text=True,
        env=os.environ | {LIBRARY_VARIABLE: find_library(), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if not answer.is_file():
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise RuntimeError(lines[-1])
    rows = json.loads(answer.read_text(encoding="utf-8"))
    return {deck: (row["wall"], row["analysis"], row["last"]) for deck, row in zip(decks, rows, strict=True)}


def _check_same(name: str, deck: str, expected: dict[str, float], last: dict[str, float]) -> None:
    if expected.keys() != last.keys():
        raise RuntimeError(f"{name} brings other vectors of the {deck}: {expected.keys() ^ last.keys()}")
    apart = max(abs(expected[vector] - value) for vector, value in last.items())
    if not apart <= LARGEST_DIFFERENCE:
        raise RuntimeError(f"{name} ends the {deck} {apart:.1g} V away from the others")


def _ours(_: str) -> Run:
    """This package: a worker process, and every run judged."""
    simulator = Simulator()

    def run(path: Path) -> Answer:
        text = path.read_text()
        states = re.findall(r"^\.ic (.*)", text, re.MULTILINE)
        vectors = tuple(re.findall(r"v\((.*?)\)=", " ".join(states)))
        (stop,) = re.findall(r"^\.tran \S+ (\S+)", text, re.MULTILINE)
        found = simulator.simulate(Deck(text, vectors, float(stop)))
        if not found.judgement.completed:
            raise RuntimeError(found.judgement.reason)
        return Answer(found.statistics.analysis_s, _last(dict(zip(vectors, found.values.T, strict=True))))

    return run


def _shared(package: str) -> Run:
    """PySpice, or its fork, in this process: load, run, all vectors of the plot as arrays."""
    module: Any = import_module(f"{package}.Spice.NgSpice.Shared")
    ngspice = module.NgSpiceShared.new_instance()

    def run(path: Path) -> Answer:
        ngspice.load_circuit(path.read_text())
        ngspice.run()
        plot = ngspice.plot(None, ngspice.last_plot)
        vectors = {name: vector._data for name, vector in plot.items() if name != "time"}
        usage = ngspice.exec_command("rusage everything")
        ngspice.destroy()
        ngspice.remove_circuit()
        return Answer(_analysis_seconds(usage), _last(vectors))

    return run


def _spicelib(package: str) -> Run:
    """spicelib: the executable a run, its raw file read back."""
    simulator: Any = import_module(f"{package}.simulators.ngspice_simulator").NGspiceSimulator
    reader: Any = import_module(package).RawRead

    def run(path: Path) -> Answer:
        code = simulator.run(path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if code:
            raise RuntimeError(f"ngspice ends with exit code {code}")
        raw = reader(path.with_suffix(".raw"), verbose=False)
        vectors = {name: raw.get_wave(name) for name in raw.get_trace_names() if name != "time"}
        return Answer(_analysis_seconds(path.with_suffix(".log").read_text()), _last(vectors))

    return run


# name: the package it needs, and what makes a run of it
WAYS: dict[str, tuple[str, Callable[[str], Run]]] = {
    "ais-emulator": ("emulator", _ours),
    "PySpice": ("PySpice", _shared),
    "InSpice": ("InSpice", _shared),
    "spicelib": ("spicelib", _spicelib),
}


def _analysis_seconds(usage: str) -> float:
    said = re.search(r"Total analysis time \(seconds\) = ([-+0-9.eE]+)", usage)
    if said is None:
        raise RuntimeError("ngspice does not say how long the analysis took")
    return float(said.group(1))


def _last(vectors: dict[str, Array]) -> dict[str, float]:
    """Last values by node name: spicelib lists the voltage of a node as v(node)."""
    return {
        re.sub(r"^v\((.*)\)$", r"\1", name.lower()): float(values[-1]) for name, values in vectors.items()
    }


def _serve(name: str, answer: Path, decks: list[Path]) -> None:
    package, make = WAYS[name]
    run = make(package)
    rows = []
    for deck in decks:
        run(deck)
        began = clock.perf_counter()
        found = run(deck)
        wall = clock.perf_counter() - began
        rows.append({"wall": wall, "analysis": found.analysis_s, "last": found.last})
    answer.write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), [Path(deck) for deck in sys.argv[3:]])
