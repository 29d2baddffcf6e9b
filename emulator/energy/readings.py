"""Other ways to read the published figures, and whether all three then have an a and b in common."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.energy.extrapolation import REFERENCE_BITS, strips
from emulator.energy.feasible import InfeasibleError, Polygon, Strip, feasible_set
from emulator.energy.published import CLIPPED_DEGREE, PublishedEnergy, ais_figures


@dataclass(frozen=True)
class Reading:
    """A way to read the figures, and all a and b that it leaves (in microwatts); None: none."""

    name: str
    polygon: Polygon | None


def readings() -> tuple[Reading, ...]:
    """The reading that is used, and two more."""
    return (
        Reading("24 couplings a node, as printed; bits scale oscillators and couplings", _left(strips(ais_figures()))),
        Reading(
            f"{CLIPPED_DEGREE:.2f} couplings a node, the mean of clipped windows; bits scale both",
            _left(strips(ais_figures(CLIPPED_DEGREE))),
        ),
        Reading("24 couplings a node; bits scale couplings alone", _left(_couplings_alone())),
    )  # fmt: skip


def _left(found: list[Strip]) -> Polygon | None:
    try:
        return feasible_set(found)
    except InfeasibleError:
        return None


def _couplings_alone() -> list[Strip]:
    """Of E = N (a + k b 2^(bits − 4)) cycles / f0."""
    return [
        _unscaled(strip, figure) for strip, figure in zip(strips(ais_figures()), ais_figures(), strict=True)
    ]


def _unscaled(strip: Strip, figure: PublishedEnergy) -> Strip:
    more = 2.0 ** (figure.bits - REFERENCE_BITS)
    return Strip(1.0, strip.second * more, strip.low * more, strip.high * more)
