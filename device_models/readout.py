"""Readout: how the state of a cell becomes the analog value of a pixel.

The readout sits between the circuit and the converter, `state -> read_out -> adc.digitise`, and is ideal:
what a real readout adds (noise, offset, gain, aperture) is stated once, in `adc.AdcSettings`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

ReadoutKind = Literal["cos", "sin", "linear", "tanh"]


@dataclass(frozen=True)
class Readout:
    """One way to read a state out.

    `function` maps a float64 array to one of the same shape; `full_scale` is the (low, high) its values
    fill, or None where the function has no bounds of its own and the user states them.
    """

    function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    full_scale: tuple[float, float] | None


READOUTS: Mapping[ReadoutKind, Readout] = MappingProxyType(
    {
        "cos": Readout(np.cos, (-1.0, 1.0)),  # in-phase (I) demodulation of a phase in rad
        "sin": Readout(np.sin, (-1.0, 1.0)),  # quadrature (Q) demodulation of a phase in rad
        "linear": Readout(np.positive, None),  # the state itself, e.g. a node voltage
        "tanh": Readout(np.tanh, (-1.0, 1.0)),  # a saturating output stage
    }
)


def read_out(kind: str, state: ArrayLike) -> NDArray[np.float64]:
    """The analog value of each state: cos x, sin x, x or tanh x.

    `state`: any shape; phases in rad for `cos` and `sin` (any number of turns), model units otherwise.
    Returns a new float64 array of the same shape, in units of full scale for `cos`, `sin` and `tanh` and in
    those of the state for `linear`. A NaN stays NaN: it is for the caller, or `adc.digitise`, to refuse it.

    Raises ValueError for an unknown kind.
    """
    function = _readout(kind).function
    # An ndarray even for a 0-d state, where a ufunc would return a scalar.
    return np.asarray(function(np.asarray(state, dtype=np.float64)), dtype=np.float64)


def full_scale(kind: str, *, linear: tuple[float, float] = (-1.0, 1.0)) -> tuple[float, float]:
    """The (low, high) that the values of a readout fill, for `adc.AdcSettings(low=..., high=...)`.

    (-1, 1) for `cos`, `sin` and `tanh`. The `linear` readout has no bounds of its own: it gets those given
    as `linear`, in units of the state, which the other kinds do not look at.

    Raises ValueError for an unknown kind, or bounds of a linear readout that are not finite with low < high.
    """
    bounds = _readout(kind).full_scale
    if bounds is not None:
        return bounds
    low, high = linear
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"full scale of a linear readout must be finite with low < high, received {linear!r}"
        )
    return float(low), float(high)


def _readout(kind: str) -> Readout:
    for known, readout in READOUTS.items():
        if known == kind:
            return readout
    raise ValueError(f"unknown readout kind {kind!r}; known kinds: {', '.join(READOUTS)}")
