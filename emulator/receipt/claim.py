"""An energy figure as a receipt holds it: the figure whole, and what it comes to, in numbers and in a sentence."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from emulator.energy.figure import VERBS, EnergyFigure, Joules, Kind
from emulator.receipt.field import Frozen, Words
from emulator.si import si

_ROUNDING = 1e-12


class Circumstances(Frozen):
    """What a figure holds under: the five things without which it is a slogan."""

    physical_model: Words = Field(title="physical model", description="what was taken for the hardware")
    routing_budget: Words = Field(title="routing budget", description="what wires are taken to cost")
    precision: Words = Field(title="precision", description="bits of the weights and of the readout")
    workload: Words = Field(title="workload", description="what one sample takes")
    fidelity_target: Words = Field(
        title="fidelity target", description="how good the samples are, and of what that was seen"
    )


class Claim(Frozen):
    """A figure, what it comes to, and what it holds under. What it comes to has to be what the figure says."""

    kind: Kind = Field(
        title="kind of number", description="of the least firm share: silicon, circuit, or extrapolation"
    )
    energy_per_sample_J: Joules = Field(title="energy a sample", description="joules, the sum of the shares")
    low_J: Joules = Field(title="at least", description="joules, if all shares err to the same side")
    high_J: Joules = Field(title="at most", description="joules, the same")
    under: Circumstances = Field(title="under", description="what the figure holds under")
    sentence: Words = Field(title="in a sentence", description="all of it")
    figure: EnergyFigure = Field(
        title="boundary", description="shares inside, and what is outside with the reasons"
    )

    @classmethod
    def of(cls, figure: EnergyFigure, under: Circumstances) -> Claim:
        """A figure that holds under these circumstances."""
        low, high = figure.interval
        return cls(
            kind=figure.kind,
            energy_per_sample_J=figure.joules,
            low_J=low,
            high_J=high,
            under=under,
            sentence=sentence(figure, under),
            figure=figure,
        )

    @model_validator(mode="after")
    def _says_what_the_figure_says(self) -> Self:
        ends = (self.figure.joules, *self.figure.interval)
        said = (self.energy_per_sample_J, self.low_J, self.high_J)
        if not all(math.isclose(a, b, rel_tol=_ROUNDING) for a, b in zip(said, ends, strict=True)):
            msg = f"{self.figure.name}: {said[0]:g} J is said, and the shares come to {ends[0]:g} J"
            raise ValueError(msg)
        if self.kind is not self.figure.kind:
            msg = f"{self.figure.name}: said to be {self.kind}, and a share is {self.figure.kind}"
            raise ValueError(msg)
        if self.sentence != sentence(self.figure, self.under):
            msg = f"{self.figure.name}: the sentence is not that of the figure and what it holds under"
            raise ValueError(msg)
        return self


def sentence(figure: EnergyFigure, under: Circumstances) -> str:
    """The figure with all it rests on, in one sentence."""
    low, high = figure.interval
    between = "" if low == high else f" ({si(low, 'J')} to {si(high, 'J')})"
    return (
        f"Under this physical model ({under.physical_model}), routing budget ({under.routing_budget}), precision "
        f"({under.precision}), workload ({under.workload}) and fidelity target ({under.fidelity_target}), "
        f"{si(figure.joules, 'J')}{between} were {VERBS[figure.kind]} per sample."
    )


def routing_budget(figure: EnergyFigure) -> str:
    """What a figure has for wires: a share and its source, or the reason why there is none."""
    inside = [share.source for share in figure.shares if share.part == "routing_capacitance"]
    return f"inside: {inside[0]}" if inside else f"none: {figure.outside['routing_capacitance']}"
