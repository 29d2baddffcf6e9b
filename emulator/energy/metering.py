"""What the energies of a run mean, and of how much circuit they are: kept with the results, as an attribute."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ATTRIBUTE = "energy"

Meaning = Literal["supplied", "delivered"]


class Metering(BaseModel):
    """What the ``energy/*`` of a run are.

    ``supplied`` is what the supplies of circuit cells gave. ``delivered`` is what active elements without a supply gave
    to tanks, for the loss of these: a lower bound of any supply's energy (``emulator.energy.tanks``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    meaning: Meaning
    cell: str = Field(description="what an oscillator is")
    coupler: str = Field(description="what a coupler is")
    oscillators: int = Field(ge=1)
    couplings: int = Field(
        ge=0, description="weights that a node has for a neighbour, each direction counted"
    )
    seconds: float = Field(gt=0, description="over which energies are taken: the run's")
    cycles: float = Field(gt=0, description="of the carrier, within them")
    wires: bool = Field(False, description="whether couplers' wires have a capacitance")
    quality: float | None = Field(
        None, gt=0, description="Q of the tanks whose loss it is; None of supplied energy"
    )
