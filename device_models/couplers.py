"""Couplers that fit any cell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import sympy as sp

from device_models.elements import (
    GROUND,
    Behavioural,
    Block,
    Dc,
    Element,
    Source,
    Transconductance,
    scheduled,
)
from device_models.oscillator_cell import CouplerType, Wire

_STRENGTH = sp.Symbol("strength", real=True)
_SENDER = sp.Symbol("v_sender", real=True)


def transconductor(
    output: str, injection: str, guess: float, mean: float = 0.0, switches: Sequence[float] = ()
) -> CouplerType:
    """An ideal transconductance from the sender's output to the receiver's injection port, of either sign.

    Args:
        output, injection: ports of the cells.
        guess: siemens, weak enough for averaging to hold.
        mean: volts of the output that push no current: about its mean, or the coupler detunes the receiver.
        switches: seconds at which the strength changes, to ``strength_2`` and so on.
    """
    elements: list[Element]
    if switches:
        current = scheduled("strength", switches) * (_SENDER - mean)
        elements = [Behavioural("m", (GROUND, "receiver"), current, {_SENDER: ("sender", GROUND)})]
    else:
        # from ground through the element into the receiver: a positive strength pushes when the sender is up
        elements = [Transconductance("m", (GROUND, "receiver"), ("sender", GROUND), _STRENGTH)]
        elements += [Source("mean", "current", ("receiver", GROUND), Dc(mean * _STRENGTH))] if mean else []
    block = Block(
        name="gm_coupler",
        ports=("sender", "receiver"),
        elements=tuple(elements),
        title="Coupler: ideal transconductance",
        parameters=(
            {f"strength_{chunk}": 0.0 for chunk in range(1, len(switches) + 2)}
            if switches
            else {"strength": guess}
        ),
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
        in_chunks=partial(_in_chunks, output, injection, guess, mean),
        scheduled=bool(switches),
    )


def _in_chunks(
    output: str, injection: str, guess: float, mean: float, switches: Sequence[float]
) -> CouplerType:
    return transconductor(output, injection, guess, mean, switches)
