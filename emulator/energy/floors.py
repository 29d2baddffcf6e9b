"""Energies next to the thermal floors that thermodynamic computing is advertised with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netlists.carrier_noise import BOLTZMANN

ROOM = 300.0


@dataclass(frozen=True)
class Floor:
    """``joules`` of a thermal floor, and how many times that an energy is."""

    name: str
    joules: float
    ratio: float


def thermal_floors(joules: float, nodes: int, bits: float, kelvin: float = ROOM) -> tuple[Floor, Floor]:
    """An energy against k_B T a node, and against k_B T ln 2 a bit that is read out (Landauer 1961).

    The second is the least that erasing the answer takes, whoever computed it; neither bounds what a circuit takes.
    """
    kt = BOLTZMANN * kelvin
    return (
        Floor(f"k_B T at {kelvin:g} K, {nodes} nodes", kt * nodes, joules / (kt * nodes)),
        Floor(
            f"k_B T ln 2 at {kelvin:g} K, {bits:g} bits",
            kt * math.log(2) * bits,
            joules / (kt * math.log(2) * bits),
        ),
    )
