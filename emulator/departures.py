"""What departs from the ideal in a run: each non-ideality in force, with its unit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from device_models.adc import AdcSettings
from emulator.results import Results
from emulator.settings import RunSettings
from netlists.non_idealities import NonIdealities

OF_CONVERTER = {
    "offset_lsb": "LSB", "gain_error": "relative", "dnl_sigma_lsb": "LSB rms", "mismatch_seed": "",
    "aperture_s": "s", "input_noise_rms": "units of the input, rms",
}  # fmt: skip


def departures(settings: RunSettings) -> dict[str, dict[str, Any]]:
    """Name to ``value`` and ``unit`` of every non-ideality in force, of the chip and of its converter, fit for JSON."""
    found = settings.non_idealities.in_force
    default = AdcSettings(bits=settings.adc.bits, low=settings.adc.low, high=settings.adc.high)
    found |= {
        f"adc_{name}": (value, OF_CONVERTER[name])
        for name, value in settings.adc.model_dump().items()
        if value != getattr(default, name)
    }
    return {name: {"value": value, "unit": unit} for name, (value, unit) in found.items()}


def said(results: Results) -> list[tuple[str, str, str]]:
    """(name, value with unit, meaning) of what results say of them; words of a file, to be escaped where shown."""
    text = str(results.attributes.get("non_idealities", "{}"))
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        return [("unread", text, "")]
    return [(str(name), _value(value), _meaning(str(name))) for name, value in found.items()]


def _value(given: Any) -> str:
    """Earlier versions gave the number alone."""
    if not isinstance(given, Mapping):
        return str(given)
    unit, value = str(given.get("unit", "")), given.get("value")
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{shown}{' ' * bool(unit)}{unit}"


def _meaning(name: str) -> str:
    of_adc = name.removeprefix("adc_")
    field = NonIdealities.model_fields.get(name) or AdcSettings.model_fields.get(of_adc)
    # what stands for none is no news of one that is in force
    return (field.description or "").partition("; None:")[0] if field is not None else ""
