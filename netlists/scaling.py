"""From model units to SI: seconds per model time unit, and the capacitor that holds a state."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Scaling(BaseModel):
    """How one model time unit and one unit of state become seconds, volts and amperes.

    One unit of state (a radian) is one volt. A rate of one per model time unit is a current of
    ``conductance`` × 1 V into ``capacitance``.
    """

    model_config = ConfigDict(frozen=True)

    tau: float = Field(1e-6, gt=1e-18, lt=1e6, description="seconds per model time unit")
    capacitance: float = Field(1e-12, gt=1e-21, lt=1.0, description="state capacitor of a cell, in farad")

    @property
    def conductance(self) -> float:
        """g = C/τ, in siemens."""
        return self.capacitance / self.tau

    def seconds(self, model_time: float) -> float:
        """Model time in seconds."""
        return model_time * self.tau
