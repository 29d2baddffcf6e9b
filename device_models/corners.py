"""Process corners of the built-in cells: how far all elements of a chip may be off alike; and their temperature.

The figures are our own, of the size of three standard deviations from lot to lot as foundries of mature CMOS nodes
state them: a tenth of the threshold, a seventh of the transconductance, a tenth of a metal capacitor, a fifth of the
loss that wires' sheet resistance makes. ``typical`` changes nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from device_models.elements import MosModel

CornerName = Literal["typical", "slow", "fast"]
ZERO_CELSIUS = 273.15  # kelvin


@dataclass(frozen=True)
class Corner:
    """Factors on what an element is designed for.

    Attributes:
        threshold: VTO of transistors of either polarity.
        transconductance: their KP.
        capacitance: of capacitors.
        loss: of tanks, as a conductance.
    """

    threshold: float = 1.0
    transconductance: float = 1.0
    capacitance: float = 1.0
    loss: float = 1.0


CORNERS: Mapping[CornerName, Corner] = MappingProxyType(
    {
        "typical": Corner(),
        "slow": Corner(1.1, 0.85, 1.1, 1.2),
        "fast": Corner(0.9, 1.15, 0.9, 0.8),
    }
)


def at_corner(model: MosModel, corner: Corner) -> MosModel:
    """A transistor's card at a corner."""
    factors = {"vto": corner.threshold, "kp": corner.transconductance}
    return replace(
        model, parameters={k: v * factors[k] if k in factors else v for k, v in model.parameters.items()}
    )


def temperature_lines(kelvin: float | None) -> tuple[str, ...]:
    """What tells a simulator the temperature of all elements; nothing for None: its own, 300.15 K."""
    return () if kelvin is None else (f".temp {kelvin - ZERO_CELSIUS:.12g}",)
