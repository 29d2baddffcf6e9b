"""An energy figure: joules a sample with their kind and their boundary.

A figure without its boundary is a slogan. Each part of a generator is therefore either inside a figure, with
joules and a source, or outside, with the reason; a figure that leaves a part unmentioned can't be made.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

PartName = Literal[
    "oscillators",
    "couplers",
    "shil_and_reference_distribution",
    "weight_storage_and_reload",
    "initialisation",
    "readout_and_adc",
    "digital_interface",
    "routing_capacitance",
]
PARTS: tuple[PartName, ...] = get_args(PartName)
Joules = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Kind(StrEnum):
    """What an energy rests on, the firmest first."""

    SILICON = "measured silicon"
    CIRCUIT = "circuit simulation"
    EXTRAPOLATION = "extrapolation"


VERBS = {Kind.SILICON: "measured", Kind.CIRCUIT: "simulated", Kind.EXTRAPOLATION: "estimated"}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(_Frozen):
    """What one part of a generator takes.

    Attributes:
        part: which part. ``oscillators`` stands for nodes of any kind.
        joules: a sample.
        low, high: between which it lies, in joules.
        kind: what the figure rests on.
        source: the formula or the measurement, and where its numbers come from.
    """

    part: PartName
    joules: Joules
    low: Joules
    high: Joules
    kind: Kind
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.joules <= self.high:
            msg = f"{self.part}: {self.joules:g} J does not lie between {self.low:g} and {self.high:g} J"
            raise ValueError(msg)
        return self


class EnergyFigure(_Frozen):
    """Joules a sample, with what is inside and what is not.

    Attributes:
        name: what the figure is called.
        shares: parts inside, each once.
        outside: parts that are not, each with the reason.
        joint: between which the sum lies, in joules, where shares can't all err to one side (they rest on numbers
            found together); None: they can.
    """

    name: str = Field(min_length=1)
    shares: tuple[Share, ...] = Field(min_length=1)
    outside: dict[PartName, str]
    joint: tuple[Joules, Joules] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        inside = [share.part for share in self.shares]
        twice = sorted({part for part in inside if inside.count(part) > 1})
        both = sorted(set(inside) & set(self.outside))
        neither = [part for part in PARTS if part not in inside and part not in self.outside]
        for what, parts in {
            "twice inside": twice,
            "both in and outside": both,
            "unmentioned": neither,
        }.items():
            if parts:
                msg = f"{self.name}: {', '.join(parts)} {what}"
                raise ValueError(msg)
        if self.joint is not None:
            low, high = self.joint
            slack = 1e-12 * self.joules  # of adding up
            if not low - slack <= self.joules <= high + slack:
                msg = f"{self.name}: {self.joules:g} J does not lie between {low:g} and {high:g} J"
                raise ValueError(msg)
        return self

    def simulated(self) -> EnergyFigure:
        """What a circuit simulation alone gave; parts of another kind are outside, and the reason says so.

        Raises:
            ValueError: no part is of one.
        """
        kept = tuple(share for share in self.shares if share.kind is Kind.CIRCUIT)
        others = {
            share.part: f"{share.kind}, not simulated: {share.source}"
            for share in self.shares
            if share.kind is not Kind.CIRCUIT
        }
        return EnergyFigure(name=self.name, shares=kept, outside=self.outside | others)

    @property
    def kind(self) -> Kind:
        """Of the least firm share."""
        order = list(Kind)
        return max((share.kind for share in self.shares), key=order.index)

    @property
    def joules(self) -> float:
        """Joules a sample: the sum of the shares."""
        return math.fsum(share.joules for share in self.shares)

    @property
    def interval(self) -> tuple[float, float]:
        """Between which the sum lies, in joules: ``joint``, else where it is if all shares err to the same side."""
        if self.joint is not None:
            return self.joint
        return math.fsum(share.low for share in self.shares), math.fsum(share.high for share in self.shares)
