"""What a chip lacks against the trained model: each non-ideality with its unit, all off by default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

from device_models.corners import CornerName as Corner

Quantizer = Literal["signed", "offset", "sign-magnitude"]


# Settings that only say how another acts: without it they say nothing
SAYS_HOW = {"quantizer": "bits", "noise_step": "noise"}


def share(value: Any) -> Any:
    """A share as a number: "5%", "5 %" and 0.05 are the same; what is neither is left for pydantic to refuse.

    Raises:
        ValueError: a number from 1 to 100, which looks like one of per cent.
    """
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            return float(value.strip().removesuffix("%")) / 100
        number = float(value)
    except (TypeError, ValueError):
        return value
    if 1 < number <= 100:
        raise ValueError(f"a share is at most 1, which is 100%; for {value} per cent write {value}%")
    return value


Share = Annotated[float, BeforeValidator(share), Field(allow_inf_nan=False)]


def _unit(name: str) -> dict[str, Any]:
    """Of a field's value; a share is said in per cent, and its unit begins with that."""
    return {"unit": name}


class NonIdealities(BaseModel):
    """Departures of the hardware from the trained model. The default is none at all.

    Random ones (mismatch, detuning, dead and stuck couplers) are drawn once a chip: all samples of a run see
    the same die.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int | None = Field(
        None,
        ge=2,
        le=16,
        description="resolution of the weights; None: exact",
        json_schema_extra=_unit("bits"),
    )
    quantizer: Quantizer = Field(
        "signed", description="what the codes of the weights stand for", json_schema_extra=_unit("")
    )
    mismatch_coupling: Share = Field(
        0.0, ge=0, le=1, description="standard deviation of a coupler's strength, relative to it",
        json_schema_extra=_unit("% of the strength"),
    )  # fmt: skip
    mismatch_shil: Share = Field(
        0.0, ge=0, le=1, description="standard deviation of a cell's injection, relative to it",
        json_schema_extra=_unit("% of the injection"),
    )  # fmt: skip
    detuning: Share = Field(
        0.0, ge=0, le=0.5, description="standard deviation of a cell's free-running frequency, relative to it",
        json_schema_extra=_unit("% of the carrier"),
    )  # fmt: skip
    dead: Share = Field(
        0.0, ge=0, le=1, description="share of the couplers that are stuck at zero",
        json_schema_extra=_unit("% of the couplers"),
    )  # fmt: skip
    stuck: Share = Field(
        0.0, ge=0, le=1, description="share of the couplers that are stuck at full scale",
        json_schema_extra=_unit("% of the couplers"),
    )  # fmt: skip
    noise: float = Field(
        0.0, ge=0, allow_inf_nan=False,
        description="sigma of white noise on every state, state unit per root model time",
        json_schema_extra=_unit("state unit per root model time unit"),
    )  # fmt: skip
    noise_step: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="model time between grid points of the noise; None: chosen",
        json_schema_extra=_unit("model time units"),
    )  # fmt: skip
    temperature: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="kelvin of circuit elements: thermal noise of those of lc and ring, the simulator's temperature "
        "for a cell of one's own; None: no thermal noise, and the simulator's own 300.15 K",
        json_schema_extra=_unit("K"),
    )
    corner: Corner = Field(
        "typical", description="process corner of circuit elements", json_schema_extra=_unit("")
    )
    chip: int = Field(
        0, ge=0, lt=2**63, description="number of the die: seed of all that is drawn once a chip",
        json_schema_extra=_unit(""),
    )  # fmt: skip

    @property
    def drawn(self) -> bool:
        """Whether anything is drawn once a chip."""
        return any((self.mismatch_coupling, self.mismatch_shil, self.detuning, self.dead, self.stuck))

    @property
    def in_weights(self) -> bool:
        """Whether the weights are others than the trained ones; noise, temperature and corner leave them alone."""
        return self.bits is not None or self.drawn

    @property
    def in_force(self) -> dict[str, tuple[str | float, str]]:
        """(value, unit) of each that acts, by name; shares in per cent. Empty for the ideal chip."""
        acts = {
            name: getattr(self, name) != field.default for name, field in type(self).model_fields.items()
        } | {"quantizer": self.bits is not None, "chip": self.drawn}
        acts["noise_step"] = acts["noise_step"] and self.noise > 0
        return {
            name: _said(getattr(self, name), unit_of(field))
            for name, field in type(self).model_fields.items()
            if acts[name]
        }


def unit_of(field: FieldInfo) -> str:
    """The unit that a field of ``NonIdealities`` is said in."""
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


def _said(value: Any, unit: str) -> tuple[str | float, str]:
    # twelve digits, so that 7 % is 7 and not 7.000000000000001
    return (float(f"{100 * value:.12g}") if unit.startswith("%") else value), unit
