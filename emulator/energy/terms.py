"""What the published extrapolation leaves out, part by part, from stated assumptions.

Every function gives joules a sample with the range that its assumptions leave. None of these was measured on such
a chip, nor printed in the paper: they say how large what is missing might be, not what it is.
"""

from __future__ import annotations

import math

from emulator.energy.extrapolation import as_published
from emulator.energy.figure import EnergyFigure, Kind, PartName, Share
from emulator.energy.settings import Assumed, EnergySettings
from emulator.energy.wires import mean_pitches
from emulator.energy.words import in_joules

_FEMTO, _PICO = 1e-15, 1e-12
_LINE_CHARGES = 3  # a cycle: the injection line at 2 f0 twice, the reference at f0 once

Range = tuple[float, float, float]  # low, value, high


def routing(settings: EnergySettings) -> Share:
    """Wires of the couplings: couplers × length × capacitance × V² × charges a cycle × cycles.

    A wire that swings by V takes C V² from the supply with each charge. Wires are not shared, as in
    ``netlists.floorplan``. The pitch stays what it is whatever the degree: a cell that grows with its couplers has
    longer wires still. The power of a coupling goes back to a chip, whose couplings have wires too: short ones are
    counted twice here, long ones are not.
    """
    pitches = settings.wire_pitches
    if pitches is None:
        pitches = mean_pitches(settings.nodes, settings.mean_degree)
    joules = _times(
        settings.couplers * pitches * settings.cycles * _FEMTO, settings.pitch_um, settings.wire_ff_per_um,
        settings.swing_v, settings.swing_v, settings.activity,
    )  # fmt: skip
    said = f"{settings.couplers:,.0f} wires of {pitches:.3g} pitches on average, C V² a charge"
    return _share("routing_capacitance", joules, said)


def distribution(settings: EnergySettings) -> Share:
    """Injection at 2 f0 and reference at f0 to every cell: lines as long as a pitch a cell, and what hangs on them.

    Joules are charges × cells × (wire + load) × V² × drivers. The measured chip that the extrapolation agrees with
    locks its oscillators too; whether its power holds that is not known.
    """
    wire = _times(1.0, settings.pitch_um, settings.wire_ff_per_um)
    load = _times(1.0, settings.line_ff_per_cell)
    rest = _times(
        _LINE_CHARGES * settings.cycles * settings.nodes * _FEMTO, settings.swing_v, settings.swing_v,
        settings.driver_factor,
    )  # fmt: skip
    low, value, high = ((w + c) * r for w, c, r in zip(wire, load, rest, strict=True))
    said = "a line at 2 f0 and one at f0, a pitch of wire and a load a cell, C V² a charge, and drivers"
    return _share("shil_and_reference_distribution", (low, value, high), said)


def reloaded_bits(settings: EnergySettings) -> float:
    """Bits of weights fetched a sample: those of all chunks, as the last one's are in place when the next begins.

    With one chunk the weights stay where they are, and nothing is fetched.
    """
    if settings.chunks == 1:
        return 0.0
    weights = settings.couplers + settings.cell_weights * settings.nodes
    return settings.chunks * settings.bits * weights


def reload_bandwidth(settings: EnergySettings) -> float:
    """Bits a second at which the next chunk's weights have to come while a chunk lasts."""
    return reloaded_bits(settings) / settings.seconds


def weight_reload(settings: EnergySettings) -> Share:
    """Weights fetched a sample × energy a bit. What holding them leaks is left out."""
    bits = reloaded_bits(settings)
    said = f"{bits:,.0f} bits, {reload_bandwidth(settings) / 1e9:.3g} Gb/s"
    if not bits:
        said = "one chunk: the weights stay where they are"
    return _share("weight_storage_and_reload", _times(bits * _PICO, settings.reload_pj_per_bit), said)


def walden_joules(bits: float, femtojoules: float) -> float:
    """Joules of a conversion by the Walden figure of merit: P/fs = FoM 2^ENOB (Walden, JSAC 17 (1999) 539)."""
    return femtojoules * _FEMTO * math.exp2(bits)


def schreier_joules(bits: float, decibels: float) -> float:
    """Joules of a conversion by the Schreier figure of merit: FoM = SNDR + 10 lg(BW/P) at BW = fs/2.

    Schreier & Temes, Understanding Delta-Sigma Data Converters (2005), with SNDR in the denominator as in Murmann's
    survey. The SNDR of ``bits`` effective bits is 20 lg(2) bits + 10 lg(3/2) (IEEE Std 1241).
    """
    sndr = 20 * math.log10(2) * bits + 10 * math.log10(1.5)
    return math.pow(10, (sndr - decibels) / 10) / 2


def readout(settings: EnergySettings) -> Share:
    """Conversions × energy of one, the higher of Walden's and Schreier's.

    Walden's doubles with each bit, Schreier's (noise) grows fourfold: the one says what few bits take, the other
    what many do.
    """
    bits, fom_w, fom_s = settings.adc_bits, settings.walden_fj, settings.schreier_db
    pairs = ((fom_w.low, fom_s.high), (fom_w.value, fom_s.value), (fom_w.high, fom_s.low))
    count = settings.pixels * settings.conversions
    walden = [count * walden_joules(bits, w) for w, _ in pairs]
    schreier = [count * schreier_joules(bits, s) for _, s in pairs]
    low, value, high = (max(each) for each in zip(walden, schreier, strict=True))
    said = (
        f"{count:,} conversions of {bits} bits: {in_joules(walden[1])} by Walden's figure of merit, "
        f"{in_joules(schreier[1])} by Schreier's; the higher one"
    )
    return _share("readout_and_adc", (low, value, high), said)


def digital_interface(settings: EnergySettings) -> Share:
    """The sample's bits off the chip × energy a bit."""
    bits = settings.pixels * settings.conversions * settings.adc_bits
    return _share(
        "digital_interface", _times(bits * _PICO, settings.link_pj_per_bit), f"{bits:,} bits off the chip"
    )


def initialisation(settings: EnergySettings) -> Share:
    """Oscillators that start: so many cycles of the whole core at full power.

    A start from the oscillators' own noise needs no random numbers.
    """
    core = as_published(settings)
    low, high = core.interval
    start = settings.start_cycles
    joules = tuple(
        cycles / settings.cycles * power
        for cycles, power in ((start.low, low), (start.value, core.joules), (start.high, high))
    )
    said = f"{start.value:g} cycles of the core at full power"
    return _share("initialisation", (joules[0], joules[1], joules[2]), said)


def terms(settings: EnergySettings) -> tuple[Share, ...]:
    """All parts that the published extrapolation leaves out."""
    return (
        routing(settings), distribution(settings), weight_reload(settings), initialisation(settings),
        readout(settings), digital_interface(settings),
    )  # fmt: skip


def with_terms(settings: EnergySettings) -> EnergyFigure:
    """The published extrapolation with what it leaves out: no part is outside."""
    core, added = as_published(settings), terms(settings)
    low, high = core.interval
    joint = (
        math.fsum([low, *(share.low for share in added)]),
        math.fsum([high, *(share.high for share in added)]),
    )
    return EnergyFigure(
        name="extrapolation with what it leaves out", shares=(*core.shares, *added), outside={}, joint=joint
    )


def _times(factor: float, *numbers: Assumed) -> Range:
    """Low, value and high of the factor times all numbers."""
    return (
        factor * math.prod(number.low for number in numbers),
        factor * math.prod(number.value for number in numbers),
        factor * math.prod(number.high for number in numbers),
    )


def _share(part: PartName, joules: Range, said: str) -> Share:
    low, value, high = joules
    return Share(part=part, joules=value, low=low, high=high, kind=Kind.EXTRAPOLATION, source=said)
