"""What a user says of a chip that nobody recorded: the operating point that an extrapolation needs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from emulator.energy.frequency import hertz


def _frequency(given: Any) -> Any:
    return hertz(given) if isinstance(given, str) else given


class Stated(BaseModel):
    """Each is used only where the run does not know it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int | None = Field(None, ge=1, le=16, description="of a weight")
    f0: Annotated[float | None, BeforeValidator(_frequency)] = Field(
        None, gt=0, allow_inf_nan=False, description="carrier of the oscillators, Hz"
    )
    cycles: float | None = Field(None, gt=0, allow_inf_nan=False, description="of the carrier a sample")
