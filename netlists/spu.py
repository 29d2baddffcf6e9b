"""A Gaussian sampler of coupled resonators: cells of a capacitor, an inductor and a resistor, joined by capacitors.

The precision matrix A of the distribution is the capacitance matrix, not the conductance matrix: in units of the state
capacitor and of model time, with node voltages v and inductor currents i,

    A dv/dt = −γ v − i + √(2 γ kT) ξ,   di/dt = ω² v

so that v has the covariance kT A⁻¹ and i, apart from it, kT ω² I, whatever γ and ω: each capacitor and inductor holds
its ½ kT. The mean is 0, as an inductor lets no force stand. A_ij < 0 is a capacitor between two cells; A_ij > 0 would
take a negative one. Source: Melanson et al., arXiv:2312.04836 (the stochastic processing unit); γ and ω are parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sympy as sp
from pydantic import BaseModel, ConfigDict, Field

from device_models.elements import (
    GROUND,
    Block,
    Call,
    Capacitor,
    Element,
    Inductor,
    PiecewiseLinear,
    Resistor,
    Source,
)
from device_models.phase_cell import AIS_C, AIS_G
from netlists.circuit import GlobalParameter, Inventory, scaling_parameters
from netlists.conductances import ConductanceError
from netlists.core import Array
from netlists.design import Design, Transient
from netlists.inventory import inventory
from netlists.network import LangevinNetwork
from netlists.noise import Noise, NoiseGrid
from netlists.scaling import NetworkScaling

_K = sp.Symbol("k", positive=True)
_DAMPING, _RESONANCE = sp.symbols("spu_damping spu_resonance", positive=True)
CORE = "spu_core"


class SpuCell(BaseModel):
    """The resonator of a cell whose capacitance is 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    damping: float = Field(0.5, gt=0, description="γ, per model time unit: the resistor's conductance")
    resonance: float = Field(2.0, gt=0, description="ω, radian per model time unit")


@dataclass(frozen=True)
class Spu:
    """A compiled sampler.

    Attributes:
        precision: (N, N) A.
        cell: damping and resonance.
        scaling: model units to SI.
        blocks: parts and core.
        nodes: (N,) names in the bench.
    """

    precision: Array
    cell: SpuCell
    scaling: NetworkScaling
    blocks: tuple[Block, ...]
    nodes: tuple[str, ...]

    def system(self) -> Array:
        """(2N, 2N) M of d(v, i)/dt = −M (v, i) + …"""
        size = len(self.precision)
        inverse, unit = np.linalg.inv(self.precision), np.eye(size)
        still = np.zeros((size, size))
        return np.block([[self.cell.damping * inverse, inverse], [-(self.cell.resonance**2) * unit, still]])

    def currents(self) -> Array:
        """(2N, 2N) density of the rates that the noise makes, over 2 kT: γ A⁻² on the voltages."""
        size = len(self.precision)
        inverse = np.linalg.inv(self.precision)
        found = np.zeros((2 * size, 2 * size))
        found[:size, :size] = self.cell.damping * inverse @ inverse.T
        return found

    def grid(self, kt: float, step: float, seed: int) -> NoiseGrid:
        """Noise currents of temperature kT: independent, one a cell."""
        return NoiseGrid(math.sqrt(2 * kt * self.cell.damping), step, seed)

    def design(self, noise: Noise, duration: float) -> Design:
        """A run from rest under a sample's noise currents, for ``duration`` model time units, in its grid's steps."""
        scaling, times = self.scaling, noise.grid.times(duration)
        amperes = scaling.current * noise.rates(len(self.nodes), duration)
        sources = [
            Source(f"noise_{node}", "current", (GROUND, node),
                   PiecewiseLinear(tuple(zip((scaling.tau * times).tolist(), column.tolist(), strict=True))))
            for node, column in zip(self.nodes, amperes.T, strict=True)
        ]  # fmt: skip
        parameters = (
            *scaling_parameters(scaling),
            GlobalParameter("spu_damping", self.cell.damping, "resistor of a cell, in units of ais_g"),
            GlobalParameter(
                "spu_resonance", self.cell.resonance, "of a cell of one ais_c, radian per ais_tau"
            ),
        )
        return Design(
            title=f"Coupled resonators: {len(self.nodes)} cells",
            parameters=parameters, blocks=self.blocks, core=(CORE,), bench=(Call("core", self.nodes, CORE), *sources),
            analysis=Transient(
                scaling.seconds(duration), scaling.seconds(noise.grid.step), 1e-6, vntol=1e-8 * scaling.volts,
                abstol=1e-9 * scaling.current, chgtol=1e-6 * scaling.capacitance * scaling.volts, fixed=True,
            ),
            initial=dict.fromkeys(self.nodes, 0.0), saved=self.nodes,
        )  # fmt: skip

    def inventory(self, design: Design) -> Inventory:
        """Primitives and unknowns of a run."""
        return inventory(self.blocks, design.bench)


def compile_spu(network: LangevinNetwork, cell: SpuCell, scaling: NetworkScaling) -> Spu:
    """A sampler of the network's Gaussian, M in the part of the precision matrix.

    Raises:
        ConductanceError: quartic wells, or a matrix that capacitors can't make: how many entries, and how far.
    """
    matrix = network.matrix
    rows, above = matrix.sum(axis=1), np.triu(matrix, 1)
    rounding = len(matrix) * np.finfo(np.float64).eps * float(np.abs(matrix).max())
    said = []
    if network.quartic.any():
        said.append(f"{int((network.quartic > 0).sum())} nodes have quartic wells")
    if (above > rounding).any():
        said.append(f"{int((above > rounding).sum())} couplings have M_ij above 0, up to {above.max():.4g}")
    if (rows < -rounding).any():
        said.append(
            f"{int((rows < -rounding).sum())} nodes have couplings beyond M_ii, by up to {-rows.min():.4g}"
        )
    if said:
        raise ConductanceError(
            f"coupled resonators: capacitors alone can't make this network: {'; '.join(said)}"
        )
    width = max(3, len(str(len(matrix) - 1)))
    names = tuple(f"n{node:0{width}d}" for node in range(len(matrix)))
    elements: list[Element] = [
        Call(f"c_{name[1:]}", (name,), "spu_cell", {"k": max(float(own), 0.0)})
        for name, own in zip(names, rows, strict=True)
    ]
    i, j = np.nonzero(above < -rounding)
    elements += [
        Call(
            f"k_{names[a][1:]}_{names[b][1:]}",
            (names[a], names[b]),
            "spu_coupling",
            {"k": -float(above[a, b])},
        )
        for a, b in zip(i.tolist(), j.tolist(), strict=True)
    ]
    core = Block(CORE, names, tuple(elements), f"Core: {len(names)} cells, {len(i)} coupling capacitors")
    return Spu(matrix, cell, scaling, (_CELL, _COUPLING, core), names)


_CELL = Block(
    "spu_cell", ("v",),
    (
        Capacitor("own", ("v", GROUND), AIS_C * _K),
        Resistor("loss", ("v", GROUND), 1 / (AIS_G * _DAMPING)),
        # L = τ²/(C ω²): resonates with one state capacitor at ω
        Inductor("tank", ("v", GROUND), AIS_C / (AIS_G * _RESONANCE) ** 2, 0.0),
    ),
    "Cell: what is left of A_ii as a capacitor, a resistor, an inductor", {"k": 1.0},
)  # fmt: skip
_COUPLING = Block(
    "spu_coupling", ("i", "j"), (Capacitor("k", ("i", "j"), AIS_C * _K),),
    "Coupling A_ij = -k: a capacitor", {"k": 1.0},
)  # fmt: skip
