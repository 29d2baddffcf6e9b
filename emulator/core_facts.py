"""What results say of the core that ran, so that whoever has them needs no weights file: its size, couplings, schedule.

And of its training: what the weights file's attributes say, in words that fit beside the results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from netlists.core import AnalogCore
from netlists.hdf5 import Scalar
from netlists.printable import printable

CORE, PROVENANCE, TAU = "core", "provenance", "tau"  # attributes of results
MOST_PROVENANCE = 24_000  # bytes; an attribute of HDF5 holds 64 kB


class CoreFacts(BaseModel):
    """Counts of a core, and what they were counted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    visible: int = Field(ge=1)
    couplings: int = Field(ge=0, description="directed: i receives from j")
    couplers: int = Field(
        ge=0, description="elements; one serves both directions where couplings are passive"
    )
    degree_min: int = Field(ge=0)
    degree_mean: float = Field(ge=0)
    degree_max: int = Field(ge=0)
    longest_wire: float = Field(ge=0, description="cell pitches, Manhattan")
    mean_wire: float = Field(ge=0, description="the same, over the couplers")
    symmetric: bool
    chunks: int = Field(ge=1)
    duration: float = Field(gt=0, description="model time from start to readout")

    @classmethod
    def of(cls, core: AnalogCore) -> CoreFacts:
        """Of a core."""
        degree = core.degree
        return cls(
            rows=core.shape[0],
            columns=core.shape[1],
            visible=len(core.visible),
            couplings=len(core.edges),
            couplers=len(core.couplers[1]),
            degree_min=int(degree.min()),
            degree_mean=float(degree.mean()),
            degree_max=int(degree.max()),
            longest_wire=float(core.wire_lengths.max(initial=0.0)),
            mean_wire=float(core.wire_lengths.mean()) if len(core.wire_lengths) else 0.0,
            symmetric=core.symmetric,
            chunks=core.chunks,
            duration=core.duration,
        )

    @property
    def nodes(self) -> int:
        """N."""
        return self.rows * self.columns


def told_provenance(provenance: Mapping[str, Scalar]) -> str:
    """Attributes of a weights file as JSON, each word cut to what can be shown, and as many as fit."""
    found: dict[str, Scalar] = {}
    for name, value in provenance.items():
        if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
            value = printable(str(value))
        longer = {**found, printable(name): value}
        if len(json.dumps(longer)) > MOST_PROVENANCE:
            break
        found = longer
    return json.dumps(found)
