"""Everything an energy figure can be told: the core, the workload, and what is assumed of the chip around it.

The core's numbers are known to whoever asks. The others are not: no such chip exists, and the extrapolation leaves
out what they describe. Each therefore has a range beside its value, and the range goes into the interval.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from device_models.adc import AdcSettings

GIVEN = "given"


class Assumed(BaseModel):
    """A number that nobody measured on the chip in question, with its range.

    Attributes:
        value: taken.
        low, high: between which it is thought to lie.
        source: where it comes from; ``given`` if the user said it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float = Field(ge=0, allow_inf_nan=False)
    low: float = Field(ge=0, allow_inf_nan=False)
    high: float = Field(ge=0, allow_inf_nan=False)
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            msg = f"{self.value:g} does not lie between {self.low:g} and {self.high:g}"
            raise ValueError(msg)
        return self


def assumed(given: Any) -> Any:
    """A number of the user's as an ``Assumed``: ``30``, ``"30"``, or with its range ``"20:30:40"``.

    Raises:
        ValueError: neither.
    """
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return given
    words = given.split(":") if isinstance(given, str) else [given]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3):
        msg = f"expected a number, or low:value:high, not {given!r}"
        raise ValueError(msg)
    low, value, high = numbers * 3 if len(numbers) == 1 else numbers
    return Assumed(value=value, low=low, high=high, source=GIVEN)


Assumption = Annotated[Assumed, BeforeValidator(assumed)]


def _assumption(
    value: float, low: float, high: float, unit: str, description: str, source: str
) -> Any:  # a FieldInfo, which pydantic declares so too
    return Field(
        Assumed(value=value, low=low, high=high, source=source),
        description=description,
        json_schema_extra={"unit": unit},
    )


class EnergySettings(BaseModel):
    """A core, a sample's workload, and the chip around it. The default is the core of arXiv:2606.27294."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nodes: int = Field(56 * 56, ge=1, le=10**9, description="nodes of the core")
    mean_degree: float = Field(24.0, ge=0, allow_inf_nan=False, description="couplings a node, mean")
    bits: int = Field(4, ge=1, le=16, description="bits of a weight")
    f0_hz: float = Field(100e6, gt=0, allow_inf_nan=False, description="frequency of the oscillators, hertz")
    cycles: float = Field(1000.0, gt=0, allow_inf_nan=False, description="cycles of a sample")
    chunks: int = Field(1, ge=1, description="time chunks, each with weights of its own")
    cell_weights: int = Field(2, ge=0, description="weights of a cell's own: injection and bias")
    visible: int | None = Field(
        None, ge=0, description="nodes read out; None: one in each 2 × 2 cell, a quarter"
    )
    symmetric: bool = Field(
        True, description="couplings are passive: the two directions of a pair share wire and weight"
    )
    adc_bits: int = Field(
        AdcSettings.model_fields["bits"].default, ge=1, le=16, description="resolution of the readout, bits"
    )
    conversions: int = Field(
        1, ge=1, description="conversions a visible node; a phase read as sine and cosine takes 2"
    )
    wire_pitches: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="mean length of a coupling's wire, in pitches; None: that of square windows of this degree",
    )

    pitch_um: Assumption = _assumption(
        56.5, 20, 100, "µm", "distance of neighbouring cells",
        "4.6 mm² over 1,440 oscillators in 28 nm (Graber & Hofmann 2024), which have 8 couplings each; high: the same "
        "area a coupling for 24 of them; low: the default of this package's floorplans",
    )  # fmt: skip
    wire_ff_per_um: Assumption = _assumption(
        0.2, 0.1, 0.3, "fF/µm", "capacitance of a wire",
        "assumption: textbook figure of CMOS wires, about the same in all processes (Weste & Harris, CMOS VLSI Design)",
    )  # fmt: skip
    swing_v: Assumption = _assumption(
        0.9, 0.6, 1.0, "V", "swing of wires and lines", "assumption: nominal core supply of 28 nm CMOS"
    )  # fmt: skip
    activity: Assumption = _assumption(
        1, 1, 1, "", "charges of an oscillator's wire a cycle", "an oscillation charges its wire once a cycle"
    )  # fmt: skip
    reload_pj_per_bit: Assumption = _assumption(
        1.6, 0.16, 41, "pJ/bit", "energy to fetch a bit of the weights",
        "reads of 64 bits in 45 nm: 100 pJ from 1 MB of SRAM; low: 10 pJ from 8 kB; high: 2.6 nJ from DRAM off chip "
        "(Horowitz, ISSCC 2014)",
    )  # fmt: skip
    line_ff_per_cell: Assumption = _assumption(
        5, 2, 20, "fF", "load of a cell on the SHIL line, and on the reference line",
        "assumption: gates of a few small transistors",
    )  # fmt: skip
    driver_factor: Assumption = _assumption(
        1.3, 1, 2, "", "what lines and their drivers take, over the line alone",
        "assumption: a chain of buffers, each four times the one before, adds a third",
    )  # fmt: skip
    start_cycles: Assumption = _assumption(
        10, 0, 100, "cycles", "cycles in which the oscillators start, at full power",
        "assumption: rings start in a few cycles, resonators in some Q of them",
    )  # fmt: skip
    walden_fj: Assumption = _assumption(
        50, 1, 1000, "fJ/step", "Walden figure of merit of the converter, P/(2^ENOB fs)",
        "assumption: within what Murmann's ADC survey, 1997–2026, holds; Walden, JSAC 17 (1999) 539",
    )  # fmt: skip
    schreier_db: Assumption = _assumption(
        165, 150, 185, "dB", "Schreier figure of merit of the converter, SNDR + 10 lg(fs/2P)",
        "assumption: within what Murmann's ADC survey, 1997–2026, holds; Schreier & Temes, Understanding Delta-Sigma "
        "Data Converters (2005)",
    )  # fmt: skip
    link_pj_per_bit: Assumption = _assumption(
        5, 0.5, 20, "pJ/bit", "energy to send a bit of a sample off the chip",
        "assumption: short serial links to plain pads",
    )  # fmt: skip

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mean_degree > self.nodes - 1:
            msg = (
                f"mean_degree is {self.mean_degree:g}; expected at most {self.nodes - 1} in a core of {self.nodes} "
                "nodes, which is all-to-all"
            )
            raise ValueError(msg)
        if self.visible is not None and self.visible > self.nodes:
            msg = f"visible is {self.visible}; expected at most the {self.nodes} nodes of the core"
            raise ValueError(msg)
        return self

    @property
    def pixels(self) -> int:
        """Nodes read out."""
        return -(-self.nodes // 4) if self.visible is None else self.visible

    @property
    def couplers(self) -> float:
        """Physical couplers, each with a wire and a weight a chunk: one a pair if symmetric, else one a direction."""
        return self.nodes * self.mean_degree / (2 if self.symmetric else 1)

    @property
    def seconds(self) -> float:
        """Of a sample, without start and readout."""
        return self.cycles / self.f0_hz

    @property
    def assumptions(self) -> dict[str, tuple[Assumed, str]]:
        """(value with range, unit) of each assumption by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: (value, unit_of(type(self).model_fields[name]))
            for name, value in found.items()
            if isinstance(value, Assumed)
        }


def unit_of(field: FieldInfo) -> str:
    """The unit of an assumption."""
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""
