"""Energy figures as others published them, for columns of their own: never computed here.

Of each figure there is what was printed and how it was rounded; what was inferred from print says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.energy.figure import Kind

AIS_PAPER = "Wang & Achour, arXiv:2606.27294"
SPARSE_DEGREE = 24.0  # as printed
CLIPPED_DEGREE = 2 * 35_970 / 56**2  # of 5 × 5 windows, which the edges of a 56 × 56 grid clip
_NODES = 56 * 56


@dataclass(frozen=True)
class PublishedEnergy:
    """Joules a sample that a paper extrapolated.

    Attributes:
        name: of the configuration.
        text: as printed.
        joules: a sample.
        half: of the last printed digit's unit, joules: what was rounded lies within joules ± half.
        nodes, degree, bits, f0_hz, cycles: the configuration. The degree of all-to-all is N − 1.
        kind: what the figure rests on.
        source: where it was printed.
    """

    name: str
    text: str
    joules: float
    half: float
    nodes: int
    degree: float
    bits: int
    f0_hz: float
    cycles: float
    kind: Kind
    source: str


def ais_figures(sparse_degree: float = SPARSE_DEGREE) -> tuple[PublishedEnergy, ...]:
    """The three extrapolated energies of arXiv:2606.27294.

    Args:
        sparse_degree: couplings a node of the sparse core. Printed is 24; which mean went into the figures is not.
    """
    rows = (
        ("sparse, 4 bits", "23 µJ", 23e-6, 0.5e-6, sparse_degree, 4),
        ("all-to-all, 4 bits", "2.5 mJ", 2.5e-3, 0.05e-3, _NODES - 1.0, 4),
        ("sparse, 8 bits", "0.36 mJ", 0.36e-3, 0.005e-3, sparse_degree, 8),
    )
    return tuple(
        PublishedEnergy(name, text, joules, half, _NODES, degree, bits, 100e6, 1000.0, Kind.EXTRAPOLATION, AIS_PAPER)
        for name, text, joules, half, degree, bits in rows
    )  # fmt: skip


@dataclass(frozen=True)
class NodePower:
    """Watt a node of a chip that was measured.

    Attributes:
        watts, half: as printed, and half of the last digit's unit.
        nodes, couplings: of the chip. A coupling joins two nodes.
        area_mm2: of the chip.
        source: where it was printed, and what of it is second-hand.
    """

    watts: float
    half: float
    nodes: int
    couplings: int
    area_mm2: float
    kind: Kind
    source: str

    @property
    def degree(self) -> float:
        """Couplings over nodes, as the extrapolation counts them."""
        return self.couplings / self.nodes


SILICON = NodePower(
    watts=319e-6,
    half=0.5e-6,
    nodes=1440,
    couplings=11_724,
    area_mm2=4.6,
    kind=Kind.SILICON,
    source="28 nm oscillator-based Ising machine, Graber & Hofmann, Commun. Eng. 3 (2024), "
    "doi:10.1038/s44172-024-00261-w; power, counts and area as quoted by others. That the extrapolation starts from "
    "it is inferred: its couplings over its nodes are the degree at which the fit gives its power",
)


@dataclass(frozen=True)
class DigitalRange:
    """Joules a sample of digital generators, as published; ``basis`` is what that rests on."""

    name: str
    low: float
    high: float
    text: str
    basis: str
    source: str


DIGITAL = (
    DigitalRange(
        "digital generators", 7e-3, 79e-3, "7–79 mJ", "as published; what is inside is not recorded",
        AIS_PAPER,
    ),
)  # fmt: skip
