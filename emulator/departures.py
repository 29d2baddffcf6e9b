"""What departs from the ideal in a run: each non-ideality in force, with its unit, and what all of them cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from device_models.adc import AdcSettings
from emulator.conclusion import completed_rows, percent
from emulator.results import Results
from emulator.settings import RunSettings
from netlists.core import Array
from netlists.non_idealities import NonIdealities

OF_ADC = "adc_"  # begins the names of the converter's
UNITS_OF_ADC = {
    "offset_lsb": "LSB", "gain_error": "relative", "dnl_sigma_lsb": "LSB rms", "mismatch_seed": "",
    "aperture_s": "s", "input_noise_rms": "units of the input, rms",
}  # fmt: skip


def departures(settings: RunSettings) -> dict[str, dict[str, Any]]:
    """Name to ``value`` and ``unit`` of every non-ideality in force, of the chip and of its converter, fit for JSON."""
    found = settings.non_idealities.in_force
    default = AdcSettings(bits=settings.adc.bits, low=settings.adc.low, high=settings.adc.high)
    found |= {
        f"{OF_ADC}{name}": (value, UNITS_OF_ADC[name])
        for name, value in settings.adc.model_dump().items()
        if value != getattr(default, name)
    }
    return {name: {"value": value, "unit": unit} for name, (value, unit) in found.items()}


def said(results: Results) -> list[tuple[str, str, str]]:
    """(name, value with unit, meaning) of what results say of them; words of a file, to be escaped where shown."""
    found = _object(results, "non_idealities")
    if found is None:
        return [("unread", str(results.attributes["non_idealities"]), "")]
    return [(str(name), _value(value), _meaning(str(name))) for name, value in found.items()]


def as_built_said(results: Results) -> list[tuple[str, str]]:
    """(what, in words) of what was done to the weights, as results say it; words of a file."""
    return [(str(name), str(value)) for name, value in (_object(results, "as_built") or {}).items()]


@dataclass(frozen=True)
class Cost:
    """Circuit and trained model, of the C completed samples of a chip that is not ideal.

    Attributes:
        pixel_rms: (C,) rms difference of the analog pixels.
        codes: (C,) share of the codes within 1 LSB.
    """

    pixel_rms: Array
    codes: Array

    @property
    def sentence(self) -> str:
        """The medians."""
        of = f"medians of {len(self.codes)} samples" if len(self.codes) > 1 else "one sample"
        return (
            f"What the non-idealities cost, sample by sample: pixels {np.median(self.pixel_rms):.2g} rms "
            f"(readout unit) from the trained model's, {percent(float(np.median(self.codes)))} of the codes within "
            f"1 LSB of its ({of})."
        )


def cost(results: Results) -> Cost | None:
    """None for an ideal chip, whatever its converter, and without a completed sample."""
    of_chip = [name for name in _object(results, "non_idealities") or {} if not name.startswith(OF_ADC)]
    completed = completed_rows(results)
    if not of_chip or not completed.any():
        return None
    return Cost(*(
        results.rows[f"crosscheck/trained_{name}"][completed] for name in ("pixel_rms", "codes_within_1lsb")
    ))  # fmt: skip


def _object(results: Results, attribute: str) -> Mapping[str, Any] | None:
    """What an attribute holds as JSON: an object, empty if it is not there; None if it is none."""
    try:
        found = json.loads(str(results.attributes.get(attribute, "{}")))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _value(given: Any) -> str:
    """Earlier versions gave the number alone."""
    if not isinstance(given, Mapping):
        return str(given)
    unit, value = str(given.get("unit", "")), given.get("value")
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{shown}{' ' * bool(unit)}{unit}"


def _meaning(name: str) -> str:
    field = NonIdealities.model_fields.get(name) or AdcSettings.model_fields.get(name.removeprefix(OF_ADC))
    # what stands for none is no news of one that is in force
    return (field.description or "").partition("; None:")[0] if field is not None else ""
