"""The settings of a run as its results say them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from emulator.results import Results
from emulator.settings import RunSettings


def recorded_settings(results: Results, run: Mapping[str, Any] | None = None) -> RunSettings | None:
    """Those of ``run.json``, else those of the results; None where they can't be read, or are another version's."""
    said = (run or {}).get("settings")
    attributes = results.attributes
    if not isinstance(said, dict):
        try:
            said = json.loads(str(attributes["settings"])) | {"samples": results.samples}
            said |= {name: attributes[name] for name in ("level", "seed") if name in attributes}
        except (KeyError, ValueError, TypeError):
            return None
    try:
        return RunSettings.model_validate(said)
    except ValidationError:
        return None
