"""Realises trained weights at a level of fidelity: what is measured, chosen and sized before the first sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from device_models.lc_oscillator import LIMITED
from device_models.oscillator_cell import CouplerType, OscillatorCell
from emulator.cells import BUILT_IN, LC_POINTS, Tank, find_cell, level_lc, level_tank
from emulator.characterize import cached
from emulator.devices import choose
from emulator.ladder import ladder_of_array, ladder_of_lc
from emulator.ngspice import Capabilities
from emulator.realisation import PhaseLevel, Realisation
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from emulator.waveform_level import CellLevel, LcLevel, Watch
from netlists.carrier_noise import CarrierNoise, array_noise, check_size, lc_noise, thermal_sigma
from netlists.channel_noise import channel_diffusion
from netlists.characterization import NO_TUNING, Characterization
from netlists.compile import SWITCH_DELAY
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions
from netlists.floorplan import wire_farads
from netlists.lc import TRAINED, LcArray, lc_core
from netlists.noise import NoiseError, NoiseGrid, noise_grid, solver_step
from netlists.oscillator_array import OscillatorArray, build_array
from netlists.sizing import Sizing, SizingError, limited, size, weak_injection
from netlists.tuning import extrapolated, tuned_values
from netlists.weights import Weights

PHASE, LC, RING = "phase", "lc", "ring"
THERMAL = (LC, RING)  # whose elements' noise is known
Status = Callable[[str], None]


def realise(
    weights: Weights, settings: RunSettings, ability: Capabilities, simulator: Simulator, status: Status,
    legs: Array | None = None,
) -> Realisation:  # fmt: skip
    """The level asked for, ready to run.

    Args:
        weights: what was trained.
        settings: of the run.
        ability: of the ngspice found.
        simulator: characterises the cell, where that is not known from before.
        status: told what is being done, if it takes time.
        legs: (E,) mismatch of couplers with codes of their own, which ``weights`` hold already; None without.

    Raises:
        DevicesError, CellFault, CellFileError, SizingError, NoiseError: can't be realised like that.
        BenchFailed: a characterisation did not finish.
    """
    core = weights.core
    if settings.level == PHASE:
        return _phase(core, settings, ability)
    if settings.non_idealities.noise_step is not None:
        raise NoiseError(
            f"noise_step: at --level {settings.level} the grid of the noise is that of the carrier's cycles. Leave it "
            f"out, or take --level {PHASE}."
        )
    if settings.level == LC:
        return _lc(core, settings, ability, simulator, status)
    array, known, remarks = oscillator_array(core, settings, simulator, status, legs)
    rungs = ladder_of_array(core, array.sizing, known, level_coupler(array.cell, settings.oscillator.coupler))
    watch = _watch(settings, known, array.sizing.carrier_hz)
    return CellLevel(
        core, array, known, watch, remarks, rungs, felt=noise_of_cells(array, known, settings, core.duration),
        wires=settings.oscillator.wire_ff_per_um > 0,
    )  # fmt: skip


def noise_of_cells(
    array: OscillatorArray, known: Characterization, settings: RunSettings, duration: float
) -> CarrierNoise | None:
    """What drives circuit cells that carry out a core of a ``duration``: noise asked for, and their channels'."""
    sigma = math.hypot(settings.non_idealities.noise, channel_noise(array, known, settings))
    return array_noise(array, known, sigma, duration, settings.seed) if sigma else None


def channel_noise(array: OscillatorArray, known: Characterization, settings: RunSettings) -> float:
    """rad per root of model time by which the channels of a ring's transistors make its phase diffuse.

    0 for a user's own cell: what in it makes noise is not known here.
    """
    kelvin = settings.non_idealities.temperature
    if kelvin is None or settings.level != RING:
        return 0.0
    return math.sqrt(channel_diffusion(array.cell, known, kelvin) * array.sizing.tau)


def _phase(core: AnalogCore, settings: RunSettings, ability: Capabilities) -> PhaseLevel:
    """Compiled or behavioural phase cells."""
    noise, said = noise_grid(core, settings.non_idealities, settings.rows, settings.seed)
    options = phase_options(core, settings, noise, klu=ability.klu)
    steps = settings.rows
    if options.step is not None:
        steps = math.ceil(settings.scaling.seconds(core.duration) / options.step)
    choice = choose(core, settings.scaling, steps, ability, settings.devices, settings.jacobian, noise)
    return PhaseLevel(core, replace(choice, remarks=(*said, *choice.remarks)), options)


def phase_options(
    core: AnalogCore, settings: RunSettings, noise: NoiseGrid | None, *, klu: bool = False
) -> SolverOptions:
    """Of the solver, at the level ``phase``.

    Under noise the steps are equal ones from grid point to grid point: to the control of the local error every grid
    point, where the noise has a kink, looks like an error, and it would cut the step to a twentieth.
    """
    step = None
    if noise is not None:
        step = settings.scaling.seconds(solver_step(core, noise, settings.rows, settings.reltol))
    return SolverOptions(reltol=settings.reltol, rows=settings.rows, step=step, klu=klu)


def oscillator_array(
    core: AnalogCore, settings: RunSettings, simulator: Simulator, status: Status, legs: Array | None = None
) -> tuple[OscillatorArray, Characterization, tuple[str, ...]]:
    """The array of circuit cells of a level, its cell's characterisation, and remarks for the user.

    ``legs`` are (E,) factors of couplers with codes of their own, as of ``realise``.
    """
    asked = settings.oscillator
    cell = level_cell(settings)
    coupler = level_coupler(cell, asked.coupler)
    known = cached(simulator, cell, asked.points_per_cycle, lambda part, *_: status(f"{cell.name}: {part}"))
    sizing = size(
        core, cell, known, cycles=asked.cycles, coupler=coupler, full_scale=asked.full_scale, clip=asked.clip,
        mismatch=legs,
    )  # fmt: skip
    tuned, further = None, None
    if np.any(sizing.detuning):
        if known.tuning is None:
            why = known.settings.get(NO_TUNING, "it has no parameter for that")
            raise SizingError(f"{cell.name}: no cell can be detuned: {why}")
        tuned = tuned_values(known.tuning, sizing.detuning)
        further = extrapolated(known.tuning, tuned)
    switches = tuple(float(t) * sizing.tau * (1 + SWITCH_DELAY) for t in core.boundaries[1:-1])
    if switches and coupler.in_chunks is not None:
        coupler = coupler.in_chunks(switches)
    watch = _watch(settings, known, sizing.carrier_hz)
    array = build_array(
        sizing.as_built, cell, known, sizing, coupler, switches, watch.stop, _wires(sizing, coupler, settings),
        tuned,
    )  # fmt: skip
    pulled = sizing.pulling * sizing.tau + sizing.as_built.parameters["detuning"]
    weak = weak_injection(sizing.as_built, pulled)
    remarks = (said for said in (weak, further) if said is not None)
    return array, known, (*remarks, *clipped_remark(sizing.clipped))


def clipped_remark(count: int) -> tuple[str, ...]:
    """What a user should be told of clipped weights; empty without any."""
    return (f"{count} weights were beyond the couplers' full scale and are clipped",) if count else ()


def level_cell(settings: RunSettings) -> OscillatorCell:
    """The cell of a waveform level."""
    asked, name, chip = settings.oscillator, settings.level, settings.non_idealities
    if name == LC:
        return level_lc(
            asked.limiter, asked.levelling, asked.quality, asked.points_per_cycle or LC_POINTS, chip.corner
        )
    if name not in BUILT_IN and not Path(name).is_file():
        raise SizingError(
            f"there is no level {name!r}: take --level {PHASE}, {', '.join(BUILT_IN)}, or the path of a "
            "cell's TOML file."
        )
    return find_cell(name, trust_includes=asked.trust_includes, corner=chip.corner, kelvin=chip.temperature)


def level_coupler(cell: OscillatorCell, name: str | None) -> CouplerType:
    """The one asked for, or the cell's first."""
    if not cell.couplers:
        raise SizingError(f"{cell.name!r} has no couplers: describe one in its TOML file.")
    if name is None:
        return cell.couplers[0]
    try:
        return cell.coupler(name)
    except KeyError:
        known = ", ".join(coupler.name for coupler in cell.couplers)
        raise SizingError(
            f"the cell {cell.name!r} has no coupler {name!r}. Its couplers, for --coupler: {known}."
        ) from None


def _wires(sizing: Sizing, coupler: CouplerType, settings: RunSettings) -> Array | None:
    """What the couplers' wires add to each output; one to each receiver, or to both cells of a mutual coupler."""
    asked = settings.oscillator
    if not asked.wire_ff_per_um:
        return None
    edges = np.unique(sizing.links.edge)
    farads = asked.wire_ff_per_um * 1e-15
    return wire_farads(sizing.as_built, edges, asked.pitch_um, farads, mutual=coupler.mutual)


def _lc(
    core: AnalogCore, settings: RunSettings, ability: Capabilities, simulator: Simulator, status: Status
) -> LcLevel:
    """Compiled or behavioural LC cells."""
    array, watch, remarks = lc_array(core, settings, simulator, status)
    rows = math.ceil(array.core.duration * array.scaling.tau / array.step)
    felt = noise_of_lc(array, settings, core.duration)
    noise = None if felt is None else felt.grid
    choice = choose(array.core, array.scaling, rows, ability, settings.devices, settings.jacobian, noise)
    choice = replace(choice, remarks=(*remarks, *choice.remarks))
    if noise is not None and choice.devices == "behavioural":
        check_size(noise, core.nodes, array.core.duration)
    # KLU gains nothing on 2 x 2 blocks; behavioural cells have the couplings in the matrix
    klu = ability.klu and choice.devices == "behavioural"
    rungs = ladder_of_lc(core, settings.oscillator.cycles, array.design.restoring)
    quality = _tank(settings).quality
    return LcLevel(core, array, choice, lc_options(array, settings, klu=klu), watch, quality, rungs, felt)


def noise_of_lc(array: LcArray, settings: RunSettings, duration: float) -> CarrierNoise | None:
    """What drives the tanks of an array that carries out a core of a ``duration``: noise asked for, and Johnson's."""
    sigma = math.hypot(settings.non_idealities.noise, thermal_noise(array, settings, duration))
    return lc_noise(array, sigma, duration, settings.seed) if sigma else None


def thermal_noise(array: LcArray, settings: RunSettings, duration: float) -> float:
    """rad per root of model time by which the tanks' Johnson noise makes phases diffuse; 0 without a temperature."""
    kelvin = settings.non_idealities.temperature
    return 0.0 if kelvin is None else thermal_sigma(array, _tank(settings).quality, kelvin, duration)


def _tank(settings: RunSettings) -> Tank:
    return level_tank(settings.oscillator.quality, settings.non_idealities.corner)


def lc_options(array: LcArray, settings: RunSettings, *, klu: bool = False) -> SolverOptions:
    """Of the solver, at the level ``lc``."""
    return SolverOptions(reltol=1e-4, step=array.step, rows=settings.rows, klu=klu)


def lc_array(
    core: AnalogCore, settings: RunSettings, simulator: Simulator, status: Status
) -> tuple[LcArray, Watch, tuple[str, ...]]:
    """The LC array of a level, and remarks for the user.

    Its gains and its frequency are the design's, solved for the very steps of the run. What a characterisation measures
    agrees to 1e-5 in the couplings and the frequency, but only to half a per cent in the injections, whose PPV comes
    from charges of a finite width, and trained dynamics are sensitive enough to tell.

    Raises:
        SizingError: another family, an unknown coupler, or weights beyond full scale.
    """
    asked = settings.oscillator
    cell = level_cell(settings)
    level_coupler(cell, asked.coupler)
    if core.family_name not in TRAINED:
        raise SizingError(
            f"LC cells realise {' and '.join(TRAINED)}, not {core.family_name}. Take --level phase."
        )
    built, _, clipped = limited(core, asked.full_scale, asked.clip)
    known = cached(simulator, cell, None, lambda part, *_: status(f"lc: {part}"))
    tank = _tank(settings)
    array = lc_core(
        built, 1 / cell.period_guess, asked.cycles, tank.epsilon(asked.limiter, asked.levelling),
        capacitance=tank.capacitance, points_per_cycle=known.points_per_cycle,
        family_name=LIMITED[asked.limiter].family,
    )  # fmt: skip
    watch = _watch(settings, known, array.f0_hz, array.tau * core.duration)
    return array, watch, clipped_remark(clipped)


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
