"""The common reference of cells that hear one, in SI units."""

from __future__ import annotations

from device_models.phase_cell import CARRIER
from netlists.circuit import GlobalParameter
from netlists.core import AnalogCore
from netlists.scaling import Scaling


def carrier_frequency(core: AnalogCore, scaling: Scaling) -> float | None:
    """Angular frequency of the common reference in rad/s; None where cells hear none."""
    carrier = core.family.carrier
    return None if carrier is None else float(core.parameters[carrier.frequency.name]) / scaling.tau


def carrier_parameter(core: AnalogCore, scaling: Scaling) -> tuple[GlobalParameter, ...]:
    """The same as a line of the cell library."""
    frequency = carrier_frequency(core, scaling)
    if frequency is None:
        return ()
    return (GlobalParameter(CARRIER, frequency, "angular frequency of the common reference, rad/s"),)
