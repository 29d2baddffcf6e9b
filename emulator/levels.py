"""Realises trained weights at a level of fidelity: what is measured, chosen and sized before the first sample."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from emulator.cells import LC_POINTS, find_cell, level_lc
from emulator.characterize import cached
from emulator.devices import choose
from emulator.ngspice import Capabilities
from emulator.realisation import PhaseLevel, Realisation
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from emulator.waveform_level import CellLevel, LcLevel, Watch
from netlists.characterization import Characterization
from netlists.compile import SWITCH_DELAY
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions
from netlists.floorplan import wire_farads
from netlists.lc import Corrections, lc_core
from netlists.oscillator_array import OscillatorArray, build_array
from netlists.sizing import size
from netlists.weights import Weights

PHASE, LC = "phase", "lc"
Status = Callable[[str], None]


def realise(
    weights: Weights, settings: RunSettings, ability: Capabilities, simulator: Simulator, status: Status
) -> Realisation:
    """The level asked for, ready to run.

    Args:
        weights: what was trained.
        settings: of the run.
        ability: of the ngspice found.
        simulator: characterises the cell, where that is not known from before.
        status: told what is being done, if it takes time.

    Raises:
        DevicesError, CellFault, CellFileError, SizingError: can't be realised like that.
        BenchFailed: a characterisation did not finish.
    """
    core = weights.core
    if settings.level == PHASE:
        options = SolverOptions(reltol=settings.reltol, rows=settings.rows, klu=ability.klu)
        choice = choose(core, settings.scaling, settings.rows, ability, settings.devices, settings.jacobian)
        return PhaseLevel(core, choice, options)
    if settings.level == LC:
        return _lc(core, settings, ability, simulator, status)
    array, known, remarks = oscillator_array(core, settings, simulator, status)
    return CellLevel(core, array, known, _watch(settings, known, array.sizing.carrier_hz), remarks)


def oscillator_array(
    core: AnalogCore, settings: RunSettings, simulator: Simulator, status: Status
) -> tuple[OscillatorArray, Characterization, tuple[str, ...]]:
    """The array of circuit cells of a level, its cell's characterisation, and remarks for the user."""
    asked = settings.oscillator
    cell = find_cell(settings.level, trust_includes=asked.trust_includes)
    if settings.level == LC:
        cell = level_lc(asked.quality, asked.points_per_cycle or LC_POINTS)
    known = cached(simulator, cell, asked.points_per_cycle, lambda part, *_: status(f"{cell.name}: {part}"))
    coupler = cell.coupler(asked.coupler) if asked.coupler else cell.couplers[0]
    sizing = size(
        core, cell, known, cycles=asked.cycles, coupler=coupler, full_scale=asked.full_scale, clip=asked.clip
    )
    switches = tuple(float(t) * sizing.tau * (1 + SWITCH_DELAY) for t in core.boundaries[1:-1])
    if switches and coupler.in_chunks is not None:
        coupler = coupler.in_chunks(switches)
    watch = _watch(settings, known, sizing.carrier_hz)
    array = build_array(
        sizing.as_built, cell, known, sizing, coupler, switches, watch.stop, _wires(sizing.as_built, settings)
    )
    remarks = []
    if sizing.clipped:
        remarks.append(f"{sizing.clipped} weights were beyond the couplers' full scale and are clipped")
    return array, known, tuple(remarks)


def _wires(core: AnalogCore, settings: RunSettings) -> Array | None:
    asked = settings.oscillator
    if not asked.wire_ff_per_um:
        return None
    _, edge_of = core.couplers
    return wire_farads(core, edge_of, asked.pitch_um, asked.wire_ff_per_um * 1e-15)


def _lc(
    core: AnalogCore, settings: RunSettings, ability: Capabilities, simulator: Simulator, status: Status
) -> LcLevel:
    """Compiled or behavioural LC cells, with the gains that their characterisation measured."""
    asked = settings.oscillator
    cell = level_lc(asked.quality, asked.points_per_cycle or LC_POINTS)
    known = cached(simulator, cell, None, lambda part, *_: status(f"lc: {part}"))
    nominal = 1 / cell.period_guess
    array = lc_core(
        core, nominal, asked.cycles, asked.quality, points_per_cycle=known.points_per_cycle,
        family_name="lc_tanh", corrections=lc_corrections(known, float(cell.block.parameters["c"])),
    )  # fmt: skip
    watch = _watch(settings, known, array.f0_hz, array.tau * core.duration)
    rows = math.ceil(array.core.duration * array.scaling.tau / array.step)
    choice = choose(array.core, array.scaling, rows, ability, settings.devices, settings.jacobian)
    # KLU gains nothing on 2 x 2 blocks; behavioural cells have the couplings in the matrix
    klu = ability.klu and choice.devices == "behavioural"
    options = SolverOptions(reltol=1e-4, step=array.step, rows=settings.rows, klu=klu)
    return LcLevel(core, array, choice, options, watch)


def lc_corrections(known: Characterization, capacitance: float) -> Corrections:
    """Measured gains relative to those of the averaged equation: 1/(2C) a siemens, 1/(4C) pumped, 1/(2CA) an ampere.

    Not the frequency: the array's tanks are designed to run at the nominal one in the very steps of the run, and do to
    1e-8, while the characterisation's bench, with steps of its own, is 1e-5 off, 0.06 rad in 1000 cycles.
    """
    if known.shil is None:
        raise ValueError("the LC cell's injection was not characterised")
    return Corrections(
        coupling_gain=known.coupling["gm"].gain * 2 * capacitance,
        shil_gain=known.shil.gain * 4 * capacitance,
        shil_phase=known.shil.drive_phase,
        reference_gain=known.reference_gain * 2 * capacitance * known.amplitude_v,
        reference_phase=known.reference_phase,
    )


def _watch(
    settings: RunSettings, known: Characterization, carrier_hz: float, duration_s: float | None = None
) -> Watch:
    asked = settings.oscillator
    if duration_s is None:
        duration_s = asked.cycles / known.f0_hz
    return Watch(
        asked.demodulation, asked.taps, settings.rows, carrier_hz, duration_s, known.amplitude_v, known.mean_v,
        offset=0.0 if asked.demodulation == "iq" else _crossing_offset(known),
    )  # fmt: skip


def _crossing_offset(known: Characterization) -> float:
    """rad by which the output's rising crossing of its mean stands off from its fundamental's."""
    phase = np.linspace(-math.pi, math.pi, 20_001)
    order = np.arange(1, len(known.harmonics))
    wave = (np.exp(1j * np.multiply.outer(phase, order)) @ known.harmonics[1:]).real
    rises = np.flatnonzero((wave[:-1] < 0) & (wave[1:] >= 0))
    crossing = phase[rises[np.argmin(np.abs(phase[rises] + math.pi / 2))]]
    return float(-math.pi / 2 - crossing)
