"""Energies in words."""

from __future__ import annotations

import math

from emulator.energy.figure import PartName
from emulator.si import si

PART_NAMES: dict[PartName, str] = {
    "oscillators": "oscillators",
    "couplers": "couplers",
    "shil_and_reference_distribution": "SHIL and reference lines",
    "weight_storage_and_reload": "weight reload",
    "initialisation": "initialisation",
    "readout_and_adc": "readout and ADC",
    "digital_interface": "digital interface",
    "routing_capacitance": "routing",
}
NETWORK_PART_NAMES = PART_NAMES | {
    "oscillators": "nodes"
}  # of a network of modules, which has no oscillators


def in_joules(joules: float, digits: int = 3) -> str:
    """An energy with an SI prefix, such as 22.7 µJ."""
    if joules == 0 or not math.isfinite(joules):
        return "0" if joules == 0 else "–"
    return si(joules, "J", digits)


def between(bounds: tuple[float, float]) -> str:
    """An interval of energies in words."""
    low, high = (in_joules(bound) for bound in bounds)
    return f"{low} to {high}"


def share_of(part: float, whole: float) -> str:
    """A share in per cent with two figures."""
    return f"{float(f'{100 * part / whole:.2g}'):,g} %" if whole else "–"
