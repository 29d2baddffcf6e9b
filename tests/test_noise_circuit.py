"""Circuits under noise, path by path: against the reference that sees it too, and one form against the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from noisy import SCALING, NoisyRun, noisy_run, uncoupled
from small import family_core, small_core

from emulator.crosscheck import CrossCheck, crosscheck
from emulator.ngspice import Deck
from emulator.reference import RATES
from emulator.simulator import Simulator
from netlists.compile import Devices, compile_core
from netlists.core import AnalogCore
from netlists.dialects.ngspice import (
    BENCH_FILE,
    CORE_FILE,
    LIBRARY_FILE,
    SolverOptions,
    write_deck,
    write_netlist,
)
from netlists.noise import Noise, NoiseGrid, noise_grid, solver_step
from netlists.non_idealities import NonIdealities
from netlists.weights import read_weights

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits16-kurashil.h5"


def chosen(core: AnalogCore, sigma: float, rows: int, sample: int = 0) -> Noise:
    """On the grid that a run takes by itself."""
    grid, remarks = noise_grid(core, NonIdealities.model_validate({"noise": sigma}), rows, seed=0)
    assert grid is not None
    assert not remarks
    return Noise(grid, sample)


def checked(core: AnalogCore, run: NoisyRun, rows: int = 200, windows: int = 50) -> CrossCheck:
    return crosscheck(core, run.trajectory, rows, windows, run.noise)[0]


def first_chunk(core: AnalogCore) -> AnalogCore:
    """The same core, over before its first weights change."""
    early = {name: v[:1] if v.ndim == 2 else v for name, v in core.parameters.items()}
    return replace(core, boundaries=core.boundaries[:2], coupling=core.coupling[:1], parameters=early)


# --- the trained digits


@pytest.mark.parametrize(("sigma", "reltol", "limit"), [
    (0.01, 1e-6, 1e-4), (0.1, 1e-6, 5e-5), (1.0, 1e-6, 5e-5), (0.1, 1e-4, 2e-4), (1.0, 1e-4, 4e-4),
])  # fmt: skip
def test_digits_follow_the_reference_under_noise(
    compiling: Simulator, sigma: float, reltol: float, limit: float
) -> None:
    """As closely at any σ, and as closely as the tolerance asks for. Measured: 6, 2, 2, 8 and 19 · 10⁻⁵ rad rms."""
    core = read_weights(EXAMPLE).core
    noise = chosen(core, sigma, 200)
    step = solver_step(core, noise.grid, 200, reltol)
    run = noisy_run(compiling, core, noise, step=step, reltol=reltol)
    assert checked(core, run).worst_window < limit
    # no more points than there are steps, but for the start and behind each chunk's end
    steps = round(core.duration / step)
    assert steps <= run.simulation.statistics.steps <= steps + 25 * core.chunks
    assert run.simulation.statistics.rejected == 0
    run.at_grid  # noqa: B018 - asserts that the solver landed on the grid


def test_digits_of_sources_follow_the_reference_under_noise(any_simulator: Simulator) -> None:
    """Behavioural cells, on any ngspice, over the first chunk: 3.4 · 10⁻⁵ rad rms in the worst window."""
    core = first_chunk(read_weights(EXAMPLE).core)
    run = noisy_run(any_simulator, core, chosen(core, 0.1, 50), "behavioural")
    assert checked(core, run, 50, 10).worst_window < 1e-4
    run.at_grid  # noqa: B018


# --- all families, both forms


@pytest.mark.parametrize("family", sorted(RATES))
def test_both_forms_of_every_family_follow_the_reference(compiling: Simulator, family: str) -> None:
    core = family_core(family, symmetric=False)
    noise = Noise(NoiseGrid(0.3, 0.01, seed=5), 6)
    runs = [noisy_run(compiling, core, noise, devices) for devices in ("compiled", "behavioural")]
    for run in runs:
        assert checked(core, run).worst_window < 2e-4
    assert np.abs(runs[0].at_grid - runs[1].at_grid).max() < 1e-3


@pytest.mark.parametrize("devices", ["compiled", "behavioural"])
def test_noise_alone_is_integrated_exactly(compiling: Simulator, devices: Devices) -> None:
    """A line between grid points is what the trapezoidal rule has no error on; Euler's first steps have a little."""
    core = uncoupled("kurashil", 9, 2.0)
    noise = Noise(NoiseGrid(0.5, 0.05, seed=2**62 + 3), 2**61 + 1)
    rates = noise.rates(9, core.duration)
    walk = np.vstack([np.zeros(9), np.cumsum(0.05 * (rates[1:] + rates[:-1]) / 2, axis=0)])
    found = noisy_run(compiling, core, noise, devices).at_grid
    # Euler's step of s < 0.1 h behind a breakpoint errs by s²/2 times the slope; the slopes of all add up to ξ/h
    limit = 1e-5 if devices == "compiled" else 0.005 * 0.05 * 2 * np.abs(rates).max()
    assert np.abs(found - walk).max() < limit


def test_chunks_and_rows_off_the_grid_are_only_less_exact(compiling: Simulator) -> None:
    core = small_core((3, 3), 3, 2.0)
    noise = Noise(NoiseGrid(0.2, 0.0171, seed=1), 0)
    for devices in ("compiled", "behavioural"):
        found = checked(core, noisy_run(compiling, core, noise, devices, step=0.0171 / 2))
        assert found.worst_window < 2e-4


# --- the solver's order


def test_the_defect_shrinks_with_the_square_of_the_step(compiling: Simulator) -> None:
    """The grid and so the noise stay; the steps between its points are halved. Measured: slope −2.00."""
    core = small_core((6, 6), 2, 4.0)
    noise, pieces = Noise(NoiseGrid(0.3, 0.04, seed=1), 0), np.array([1, 2, 4, 8])
    runs = [noisy_run(compiling, core, noise, step=0.04 / count, reltol=1e-9) for count in pieces.tolist()]
    slope = np.polyfit(np.log(pieces), np.log([checked(core, run).defect_rms for run in runs]), 1)[0]
    assert -2.05 < slope < -1.95


# --- netlists


def test_a_sample_changes_the_test_bench_alone() -> None:
    core, grid = small_core(), NoiseGrid(0.1, 0.02, seed=2**40 + 7)
    options, start = SolverOptions(step=SCALING.seconds(grid.step)), np.zeros(core.nodes)
    benches = []
    for devices in ("compiled", "behavioural"):
        circuit = compile_core(core, SCALING, devices, noise=grid)
        one, two = (write_netlist(circuit, options, start, noise=Noise(grid, k)) for k in (0, 2**35))
        assert (one.library, one.core, one.devices) == (two.library, two.core, two.devices)
        assert one.bench != two.bench
        said = (
            "* Noise of 0.1 state units per root of model time, on a grid of 0.02: seed 1099511627783, sample"
        )
        assert f"{said} 0\n" in one.bench
        assert f"{said} {2**35}\n" in two.bench
        benches.append(two.bench)
    compiled, behavioural = benches
    cards = [line for line in compiled.splitlines() if line.startswith(".model")]
    assert len(cards) == len(set(core.degree.tolist()))
    for card in cards:
        assert card.endswith("seed_low=7.0 seed_high=256.0 sample_low=0.0 sample_high=8.0")
    assert behavioural.count("Inoise_") == core.nodes


def test_noise_has_to_be_that_the_circuit_was_compiled_for() -> None:
    core, grid = small_core(), NoiseGrid(0.1, 0.02, seed=0)
    plain, noisy = (compile_core(core, SCALING, noise=given) for given in (None, grid))
    start = np.zeros(core.nodes)
    for circuit, given in [
        (plain, Noise(grid, 0)),
        (noisy, None),
        (noisy, Noise(replace(grid, sigma=0.2), 0)),
    ]:
        with pytest.raises(ValueError, match="the circuit was compiled for"):
            write_deck(circuit, SolverOptions(), start, noise=given)


def test_written_files_run_as_the_deck_does(any_simulator: Simulator, tmp_path: Path) -> None:
    core, noise = small_core(), Noise(NoiseGrid(0.2, 0.02, seed=0), 3)
    circuit = compile_core(core, SCALING, noise=noise.grid)
    options, start = SolverOptions(step=SCALING.seconds(0.02)), core.initial_states(0, 3)
    files = write_netlist(circuit, options, start, noise=noise).by_name()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    bench = files[BENCH_FILE]
    for name in (LIBRARY_FILE, CORE_FILE):
        bench = bench.replace(f".include {name}", f".include {tmp_path / name}")
    decks = [
        Deck(text, circuit.state_nodes, circuit.stop, circuit.inventory.devices, circuit.inventory.unknowns)
        for text in (bench, write_deck(circuit, options, start, noise=noise))
    ]
    first, second = (any_simulator.simulate(deck, limit_s=60) for deck in decks)
    assert first.judgement.completed, first.judgement.reason
    np.testing.assert_array_equal(first.values, second.values)
