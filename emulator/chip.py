"""The chip of a run: the core as it holds the weights, at a level that can show what is asked for."""

from __future__ import annotations

from device_models.oscillator_cell import CouplerType, OscillatorCell
from emulator.cells import BUILT_IN
from emulator.levels import LC, PHASE, RING, level_cell, level_coupler
from emulator.settings import RunSettings
from netlists.as_built import AsBuilt, NonIdealityError, as_built
from netlists.core import AnalogCore
from netlists.non_idealities import NonIdealities


def build(core: AnalogCore, settings: RunSettings) -> AsBuilt:
    """The core as the chip of these settings holds it; the core itself, where no non-ideality acts on weights.

    Couplers of circuit cells that have binary legs are coded by these, and nothing here codes their weights again:
    ``bits`` may only say what the legs are.

    Raises:
        NonIdealityError: nothing at this level, or in this family, that one of them could act on.
        CellFileError, SizingError: no such cell, corner of it or coupler, or weights beyond full scale.
    """
    asked, told = settings.non_idealities, settings.oscillator
    _check_elements(settings)
    coupler = None
    if asked.in_weights and settings.level not in (
        PHASE,
        LC,
    ):  # there, couplers stand where the core has them
        cell = level_cell(settings)
        coupler = level_coupler(cell, told.coupler)
        _check_circuit(asked, cell, coupler, settings.level)
    built = as_built(
        core, asked, cycles=told.cycles, full_scale=told.full_scale, clip=told.clip,
        coded=coupler is not None and bool(coupler.bits),
        directed=coupler is not None and not coupler.mutual,
    )  # fmt: skip
    if built.legs is not None and built.legs.min(initial=1.0) <= 0:
        raise NonIdealityError(
            f"--mismatch-coupling {100 * asked.mismatch_coupling:g}%: transistors of a coupler would have no width "
            "left. Take less, or a --coupler without legs."
        )
    return built


def settings_as_built(settings: RunSettings, built: AsBuilt) -> RunSettings:
    """Settings for what is made of the core as built: its weights are within full scale, or missed it by mismatch."""
    if not built.asked.in_weights:
        return settings
    told = settings.oscillator.model_copy(update={"full_scale": built.full_scale, "clip": False})
    return settings.model_copy(update={"oscillator": told})


def _check_elements(settings: RunSettings) -> None:
    """Of what acts on the elements of circuits."""
    asked, level = settings.non_idealities, settings.level
    named = {"--temperature": asked.temperature is not None, "--corner": asked.corner != "typical"}
    for option in (name for name, given in named.items() if given):
        if level == PHASE:
            raise NonIdealityError(
                f"{option} acts on circuit elements, and the phase level has none: its cells are equations. Leave it "
                f"out there; it is for the levels {LC}, {RING} and cells of your own."
            )
        if level in BUILT_IN and level not in (LC, RING):
            raise NonIdealityError(
                f"{option}: what is in a cell of --level {level} is fixed. Take --level {LC}, {RING} or a cell of "
                "your own."
            )
        level_cell(settings)  # reads the file of a user's, which says what corners it has


def _check_circuit(asked: NonIdealities, cell: OscillatorCell, coupler: CouplerType, level: str) -> None:
    """Of what the elements of circuit cells can't show."""
    if asked.detuning and not cell.tuning:
        raise NonIdealityError(
            f"--detuning: no element gives a cell of --level {level} a frequency of its own. Take --level {RING}, "
            f"{LC} or {PHASE}"
            + ("." if level in BUILT_IN else ', or name one in the TOML: [detuning] parameter = "…".')
        )
    if not coupler.bits:
        return
    legs = len(coupler.bits)
    if asked.bits is not None and (asked.bits, asked.quantizer) != (legs + 1, "sign-magnitude"):
        raise NonIdealityError(
            f"--bits {asked.bits} --quantizer {asked.quantizer}: the coupler {coupler.name!r} codes its weights "
            f"itself, with {legs} legs and a sign. Take --bits {legs + 1} --quantizer sign-magnitude, which gives "
            "injection and reference as many, or a --coupler without legs, or leave --bits out."
        )
