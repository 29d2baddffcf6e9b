"""The published extrapolation, re-derived: E = N (a + k b) 2^(bits − 4) cycles / f0.

The paper prints energies and not the two powers a (an oscillator) and b (a coupling) behind them. Every pair that
gives each printed energy to its rounding is as good as any other: they are a polygon, and any further energy of the
same form has the interval that the polygon leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from emulator.energy.feasible import Polygon, Strip, feasible_set
from emulator.energy.figure import EnergyFigure, Kind, PartName, Share
from emulator.energy.published import AIS_PAPER, SILICON, PublishedEnergy, ais_figures
from emulator.energy.settings import EnergySettings

REFERENCE_BITS = 4
FORMULA = "N (a + k b) 2^(bits − 4) cycles / f0"
_MICRO = 1e-6  # the polygon is in microwatts, in which its numbers are of one size

_OUTSIDE: dict[PartName, str] = {
    "shil_and_reference_distribution": "not in the published extrapolation",
    "weight_storage_and_reload": "not in the published extrapolation",
    "initialisation": "not in the published extrapolation",
    "readout_and_adc": "not in the published extrapolation",
    "digital_interface": "not in the published extrapolation",
    "routing_capacitance": "the paper says that routing is not covered",
}


@dataclass(frozen=True)
class Fit:
    """What the published figures say of a and b, in microwatts.

    Attributes:
        polygon: all pairs that give every published energy to its print rounding.
        narrowed: those of them that also give the measured chip's power a node.
        oscillator_uw, coupling_uw: a and b, the centre of ``narrowed``.
    """

    polygon: Polygon
    narrowed: Polygon
    oscillator_uw: float
    coupling_uw: float


def scale(bits: int, cycles: float, f0_hz: float) -> float:
    """Seconds by which a node's power of 4 bits makes its energy."""
    return 2.0 ** (bits - REFERENCE_BITS) * cycles / f0_hz


def strips(figures: Iterable[PublishedEnergy]) -> list[Strip]:
    """What each printed energy says of a and b: its rounding, over N, seconds and bits."""
    found = []
    for printed in figures:
        unit = _MICRO * printed.nodes * scale(printed.bits, printed.cycles, printed.f0_hz)
        low, high = printed.joules - printed.half, printed.joules + printed.half
        found.append(Strip(1.0, printed.degree, low / unit, high / unit))
    return found


@cache
def fit() -> Fit:
    """a and b of the published figures, and all that could stand in their place."""
    published = strips(ais_figures())
    low, high = (SILICON.watts + side * SILICON.half for side in (-1, 1))
    silicon = Strip(1.0, SILICON.degree, low / _MICRO, high / _MICRO)
    narrowed = feasible_set([*published, silicon])
    oscillator, coupling = narrowed.centroid.tolist()
    return Fit(feasible_set(published), narrowed, oscillator, coupling)


def _joules_per_microwatt(settings: EnergySettings) -> float:
    """Joules of the core for each microwatt of a."""
    return _MICRO * settings.nodes * scale(settings.bits, settings.cycles, settings.f0_hz)


def as_published(settings: EnergySettings) -> EnergyFigure:
    """Joules a sample as the paper extrapolates: oscillators and couplers alone.

    Its interval is what the polygon leaves the sum; being linear, its ends are at corners.
    """
    found, unit = fit(), _joules_per_microwatt(settings)
    degree = settings.mean_degree
    least, most = found.polygon.bounds(1.0, degree)
    source = f"{FORMULA}, a and b from the figures of {AIS_PAPER}"
    shares = (
        _share("oscillators", unit, found.oscillator_uw, found.polygon.bounds(1.0, 0.0), source),
        _share("couplers", unit, degree * found.coupling_uw, found.polygon.bounds(0.0, degree), source),
    )
    joint = unit * least, unit * most
    return EnergyFigure(name="extrapolation as published", shares=shares, outside=dict(_OUTSIDE), joint=joint)


def _share(part: PartName, unit: float, power: float, bounds: tuple[float, float], source: str) -> Share:
    low, high = (unit * bound for bound in bounds)
    return Share(part=part, joules=unit * power, low=low, high=high, kind=Kind.EXTRAPOLATION, source=source)


@dataclass(frozen=True)
class Reproduced:
    """A published energy and what the fit gives for it, in joules; the error is relative to print."""

    published: PublishedEnergy
    joules: float
    interval: tuple[float, float]

    @property
    def error(self) -> float:
        """Relative to what was printed."""
        return self.joules / self.published.joules - 1


def reproduced() -> tuple[Reproduced, ...]:
    """The published energies from the fit's a and b."""
    return tuple(_reproduce(printed) for printed in ais_figures())


def _reproduce(printed: PublishedEnergy) -> Reproduced:
    settings = EnergySettings.model_validate({
        "nodes": printed.nodes, "mean_degree": printed.degree, "bits": printed.bits, "f0_hz": printed.f0_hz,
        "cycles": printed.cycles,
    })  # fmt: skip
    figure = as_published(settings)
    return Reproduced(printed, figure.joules, figure.interval)
