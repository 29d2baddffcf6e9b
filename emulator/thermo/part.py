"""What one simulation adds to the row of a network's input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netlists.core import Array


@dataclass(frozen=True)
class Part:
    """Of one input.

    Attributes:
        rows: dataset to value.
        faults: what is not as linear algebra, or the reference of a network with quartic wells, says.
        cpu_s: processor seconds of the simulator.
        readout: (N,) states that are read out, if it says so.
    """

    rows: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    readout: Array | None = None


def relative(found: Array, wanted: Array) -> float:
    """Distance over the size of what is wanted; the distance itself where that is 0."""
    size = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / (size or 1.0)
