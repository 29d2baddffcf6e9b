"""Forces of a network as currents into its nodes: ideal sources, or converters with codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from device_models.conductances import Technology
from device_models.elements import GROUND, Call, Dc, Element, Source
from netlists.core import Array, Index
from netlists.scaling import NetworkScaling


class BiasError(ValueError):
    """Forces that the network can't be given; the message says how many, and what can be."""


@dataclass(frozen=True)
class BiasConverter:
    """Codes for the forces.

    Attributes:
        bits: of the magnitude; a sign comes on top.
        full_scale: force of the largest code, in model units.
    """

    bits: int
    full_scale: float

    @property
    def lsb(self) -> float:
        """Force of one code."""
        return self.full_scale / float(2**self.bits - 1)

    def codes(self, bias: Array) -> Index:
        """Signed codes of forces of any shape, the nearest.

        Raises:
            BiasError: forces beyond full scale.
        """
        codes = np.rint(bias / self.lsb).astype(np.int64)
        beyond = np.abs(codes) >= 2**self.bits
        if beyond.any():
            raise BiasError(
                f"{int(beyond.sum())} of {beyond.size} forces are beyond the converters' full scale of "
                f"{self.full_scale:.6g}, up to {np.abs(bias).max():.6g}: take a larger one"
            )
        return codes


def bias_elements(
    nodes: Sequence[str], bias: Array, scaling: NetworkScaling, technology: Technology, converter: BiasConverter | None
) -> Iterator[Element]:  # fmt: skip
    """What drives each node with its force.

    Args:
        nodes: (N,) names, without rails.
        bias: (N,) forces, in model units.
        scaling: of the network.
        technology: of the network; a pair of rails gets half of the current each way.
        converter: None for ideal sources.

    Raises:
        BiasError: beyond the converters' full scale.
    """
    if len(bias) != len(nodes):
        raise BiasError(f"{len(bias)} forces for {len(nodes)} nodes; expected one a node")
    if converter is None:
        ends = bias_nodes(nodes, technology)
        for node, pair, ampere in zip(nodes, ends, amperes(bias, scaling, technology).tolist(), strict=True):
            yield Source(f"b_{node}", "current", pair, Dc(ampere))
        return
    for node, code in zip(nodes, converter.codes(bias).tolist(), strict=True):
        bits = {f"b_{bit}": float(abs(code) >> bit & 1) for bit in range(converter.bits)}
        signed = {**bits, "side": -1.0 if code < 0 else 1.0}
        yield Call(f"b_{node}", technology.wires(node), "bias_converter", signed)


def bias_nodes(nodes: Sequence[str], technology: Technology) -> list[tuple[str, str]]:
    """From which wire, or ground, to which wire of each node its force flows as a current."""
    found = []
    for node in nodes:
        into, out_of = (*technology.wires(node), GROUND)[:2]
        found.append((out_of, into))
    return found


def amperes(forces: Array, scaling: NetworkScaling, technology: Technology) -> Array:
    """Currents of forces, of the same shape: between two rails half of it moves their difference as fast."""
    return forces * (scaling.current / len(technology.rails))
