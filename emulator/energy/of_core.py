"""What a weights file says of the core whose energy is asked for."""

from __future__ import annotations

from typing import Any

from netlists.core import AnalogCore
from netlists.weights import Weights


def core_settings(core: AnalogCore) -> dict[str, Any]:
    """Fields of ``EnergySettings`` that a core decides."""
    lengths = core.wire_lengths
    chunked = [p for p in core.family.parameters if p.scope == "node-and-chunk"]
    return {
        "nodes": core.nodes,
        "mean_degree": len(core.edges) / core.nodes,
        "chunks": core.chunks,
        "visible": len(core.visible),
        "symmetric": core.symmetric,
        "cell_weights": len(chunked),
        "wire_pitches": float(lengths.mean()) if len(lengths) else 0.0,
    }


def file_settings(weights: Weights) -> dict[str, Any]:
    """The same of a weights file, with the bits that it was trained for where its attribute ``bits`` says so."""
    bits = weights.provenance.get("bits")
    known = isinstance(bits, int) and not isinstance(bits, bool)
    return core_settings(weights.core) | ({"bits": bits} if known else {})
