"""From model units to SI: seconds per model time unit, the capacitor that holds a state, volts per unit of state."""

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


class NetworkScaling(Scaling):
    """The same for a Langevin network, whose states may be small: ``volts`` each.

    A system matrix M is then the conductance matrix g M, a force b the current g × ``volts`` × b.
    """

    volts: float = Field(0.01, gt=1e-9, lt=1e3, description="volts of one unit of state")
    bus_conductance: float | None = Field(
        None, gt=0, description="load of a summing bus, in siemens; None: g"
    )
    bus_capacitance: float = Field(0.0, ge=0, description="of a summing bus to ground, in farad")

    @property
    def bus(self) -> float:
        """Load of a summing bus, in siemens."""
        return self.conductance if self.bus_conductance is None else self.bus_conductance

    @property
    def current(self) -> float:
        """Ampere of a force of one."""
        return self.conductance * self.volts
