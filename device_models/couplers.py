"""Couplers that fit any cell."""

from __future__ import annotations

import sympy as sp

from device_models.elements import GROUND, Block, Dc, Source, Transconductance
from device_models.oscillator_cell import CouplerType, Wire

_STRENGTH = sp.Symbol("strength", real=True)


def transconductor(output: str, injection: str, guess: float, mean: float = 0.0) -> CouplerType:
    """An ideal transconductance from the sender's output to the receiver's injection port, of either sign.

    Args:
        output, injection: ports of the cells.
        guess: siemens, weak enough for averaging to hold.
        mean: volts of the output that push no current: about its mean, or the coupler detunes the receiver.
    """
    offset = Source("mean", "current", ("receiver", GROUND), Dc(mean * _STRENGTH))
    block = Block(
        name="gm_coupler",
        ports=("sender", "receiver"),
        elements=(
            # from ground through the element into the receiver: a positive strength pushes when the sender is up
            Transconductance("m", (GROUND, "receiver"), ("sender", GROUND), _STRENGTH),
            *((offset,) if mean else ()),
        ),
        title="Coupler: ideal transconductance",
        parameters={"strength": guess},
        notes=("sender's output to receiver's injection port; strength in siemens, of either sign",),
    )
    return CouplerType(
        name="gm",
        title="ideal transconductance",
        blocks=(block,),
        straight=(Wire("sender", output), Wire("receiver", injection)),
        crossed=None,
        strength="strength",
        strength_unit="S",
        strength_guess=guess,
    )
