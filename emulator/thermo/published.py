"""Figures as published, for a column of their own: never computed here, never mixed with what is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SOURCE = "De, arXiv:2604.14332 (trained weights)"

COSINES: Mapping[str, float] = MappingProxyType({"oracle": 1.0, "skip_only": 0.9924, "full": 0.9906})
SHIFT = 0.1274
INTERFACE_PARAMETERS = 2560
CONDITIONING_DEFICIT = 2600.0
