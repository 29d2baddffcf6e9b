"""What a chip lacks against the trained model: each non-ideality with its unit, all off by default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Quantizer = Literal["signed", "offset", "sign-magnitude"]
Corner = Literal["typical", "slow", "fast"]


def share(value: Any) -> Any:
    """A share as a number: "5%", "5 %" and 0.05 are the same; what is neither is left for pydantic to refuse."""
    if isinstance(value, str) and value.strip().endswith("%"):
        number = value.strip().removesuffix("%").strip()
        try:
            return float(number) / 100
        except ValueError:
            return value
    return value


Share = Annotated[float, BeforeValidator(share), Field(allow_inf_nan=False)]


class NonIdealities(BaseModel):
    """Departures of the hardware from the trained model. The default is none at all.

    Random ones (mismatch, detuning, dead and stuck couplers) are drawn once a chip: all samples of a run see
    the same die.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int | None = Field(None, ge=2, le=16, description="resolution of the weights; None: exact")
    quantizer: Quantizer = Field("signed", description="what the codes of the weights stand for")
    mismatch_coupling: Share = Field(
        0.0, ge=0, le=1, description="standard deviation of a coupler's strength, relative to it"
    )
    mismatch_shil: Share = Field(
        0.0, ge=0, le=1, description="standard deviation of a cell's injection, relative to it"
    )
    detuning: Share = Field(
        0.0, ge=0, le=0.5, description="standard deviation of a cell's free-running frequency, relative to it"
    )
    dead: Share = Field(0.0, ge=0, le=1, description="share of the couplers that are stuck at zero")
    stuck: Share = Field(0.0, ge=0, le=1, description="share of the couplers that are stuck at full scale")
    noise: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="white noise on every state, sigma: state unit per root model time"
    )  # fmt: skip
    noise_step: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="model time between grid points of the noise; None: chosen"
    )  # fmt: skip
    temperature: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="kelvin of the thermal noise of circuit elements; None: no thermal noise",
    )
    corner: Corner = Field("typical", description="process corner of circuit elements")
    chip: int = Field(
        0, ge=0, lt=2**63, description="number of the die: seed of all that is drawn once a chip"
    )
