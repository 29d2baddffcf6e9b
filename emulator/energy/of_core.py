"""What a weights file says of the core whose energy is asked for."""

from __future__ import annotations

from typing import Any

from device_models.model import CellModel
from emulator.core_facts import CoreFacts
from netlists.core import AnalogCore
from netlists.weights import Weights


def core_settings(core: AnalogCore) -> dict[str, Any]:
    """Fields of ``EnergySettings`` that a core decides."""
    counts = CoreFacts.of(core)
    return {
        "nodes": counts.nodes,
        "mean_degree": counts.degree_mean,
        "chunks": counts.chunks,
        "visible": counts.visible,
        "symmetric": counts.symmetric,
        "cell_weights": cell_weights(core.family),
        "wire_pitches": counts.mean_wire,
    }


def cell_weights(family: CellModel) -> int:
    """Weights of a cell's own that are loaded for each chunk."""
    return sum(parameter.scope == "node-and-chunk" for parameter in family.parameters)


def file_settings(weights: Weights) -> dict[str, Any]:
    """The same of a weights file, with the bits that it was trained for where its attribute ``bits`` says so."""
    bits = weights.provenance.get("bits")
    known = isinstance(bits, int) and not isinstance(bits, bool)
    return core_settings(weights.core) | ({"bits": bits} if known else {})
