"""Conductances of either sign, and what else a Langevin network is made of, in four technologies.

A node is a capacitor; its voltage is ``ais_v`` times the state x, a coupling of K a conductance of ``ais_g`` K:

    C dv_i/dt = −Σ_j g M_ij v_j − (4 g J4_i/V²) v_i³ + g V b_i

A resistor between two nodes makes M_ij < 0 and adds |M_ij| to both diagonal elements, which the nodes' own
conductances to ground make up for. M_ij > 0 takes a negative conductance, and that is where technologies differ:

    ideal         a voltage-controlled current source: a negative conductance between the two nodes
    passive       none: resistors alone
    differential  every node is a pair of rails, v = v_p − v_n; a resistor that crosses from one rail to the other
                  inverts, and adds its conductance to both diagonal elements as a straight one does
    ota           a transconductance amplifier from each node into the other: finite gain, bandwidth and input range

Source of the amplifier: Mead, Analog VLSI and Neural Systems (1989), chapter 5: i = I tanh(κ (v₊ − v₋) / 2U_T); its
macromodel with output conductance and one pole: Geiger & Sánchez-Sinencio, IEEE Circuits and Devices 1 (1985).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import sympy as sp
from pydantic import BaseModel, ConfigDict, Field

from device_models.elements import (
    GROUND,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    Resistor,
    Source,
    Transconductance,
)
from device_models.phase_cell import AIS_C, AIS_G

TechnologyName = Literal["ideal", "passive", "differential", "ota"]
TECHNOLOGIES: tuple[TechnologyName, ...] = get_args(TechnologyName)
Part = Literal[
    "passive", "negative", "leak", "negative_leak", "transconductor", "bus_input", "bus", "well", "ota"
]

AIS_V, AIS_BUS, AIS_CBUS, AIS_LSB = sp.symbols("ais_v ais_bus ais_cbus ais_lsb", positive=True)
OTA_GAIN, OTA_POLE, OTA_RANGE = sp.symbols("ota_gain ota_pole ota_range", positive=True)
K = sp.Symbol("k", positive=True)
_J4 = sp.Symbol("j4", positive=True)
_GM = sp.Symbol("gm", positive=True)
_V = sp.Symbol("v", real=True)
_UNIT = 1e-6  # siemens inside an amplifier, where nothing depends on it
THERMAL_VOLTAGE = 0.02585  # kT/q at 300 K


class Ota(BaseModel):
    """A transconductance amplifier beyond its transconductance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gain: float = Field(
        200.0, gt=1, description="transconductance over output conductance: that of one stage, 46 dB"
    )
    bandwidth_hz: float = Field(100e6, gt=0, description="pole of the transconductance, that of its mirror")
    input_range: float = Field(
        2 * THERMAL_VOLTAGE / 0.7, gt=0,
        description="volts that the output current saturates at, as tanh: 2 U_T/κ in weak inversion, κ = 0.7",
    )  # fmt: skip


@dataclass(frozen=True)
class SiemensRange:
    """Conductances that can be made, and why these."""

    low: float
    high: float
    why: str


@dataclass(frozen=True)
class Technology:
    """How conductances of either sign are made.

    Attributes:
        name: of the technology.
        title: a line for people.
        rails: what a node's name ends in: one wire a node, or two.
        blocks: the parts, by name; ports of node i are ``i`` with each rail.
        diagonal: what an active coupling of strength 1 adds to the diagonal element of both its nodes.
        loading: output conductance of an active part over its transconductance.
        noise: noise density of an active part over that of a resistor of its transconductance: 4kTγ g_m, γ about 1.
        resistors: conductances that resistors can have.
        active: those that active parts can have; None if there are none.
    """

    name: TechnologyName
    title: str
    rails: tuple[str, ...]
    blocks: Mapping[Part, Block]
    diagonal: float
    loading: float
    noise: float
    resistors: SiemensRange
    active: SiemensRange | None

    def wires(self, node: str) -> tuple[str, ...]:
        """Names of a node's wires."""
        return tuple(node + rail for rail in self.rails)

    def inputs(self, node: str, negative: bool) -> tuple[str, str]:
        """What a transconductor's plus and minus inputs are wired to, for a weight of either sign."""
        wires = self.wires(node)
        plus, minus = (wires[0], wires[1]) if len(wires) > 1 else (wires[0], GROUND)
        return (minus, plus) if negative else (plus, minus)


_UNBOUNDED = SiemensRange(0.0, math.inf, "ideal elements")
_POLY = SiemensRange(1e-7, 1e-3, "1 kΩ to 10 MΩ, 5,000 squares of a poly layer of 2 kΩ (SKY130's p− poly)")
_GM_C = SiemensRange(
    1e-10, 1e-3,
    "0.1 nS (Arnaud, Fiorelli & Galup-Montoro, JSSC 41 (2006)) to 1 mS (Nauta, JSSC 27 (1992))",
)  # fmt: skip


def technology(name: TechnologyName, ota: Ota | None = None) -> Technology:
    """The technology of that name; ``ota`` says how the amplifiers of ``ota`` are, whose figures are parameters.

    Raises:
        ValueError: an unknown name.
    """
    single, double = ("",), ("_p", "_n")
    if name == "ideal":
        return Technology(
            name, "resistors, and ideal sources for negative conductances", single,
            {**_common(single), **_ideal()}, -1.0, 0.0, 0.0, _UNBOUNDED, _UNBOUNDED,
        )  # fmt: skip
    if name == "passive":
        return Technology(name, "resistors alone", single, _common(single), 0.0, 0.0, 0.0, _POLY, None)
    if name == "differential":
        return Technology(
            name, "pairs of rails, crossed resistors for negative conductances", double,
            {**_common(double), **_differential()}, 1.0, 0.0, 1.0, _POLY, _GM_C,
        )  # fmt: skip
    if name == "ota":
        return Technology(
            name, "resistors, and transconductance amplifiers for negative conductances", single,
            {**_common(single), **_ota()}, 0.0, 1 / (ota or Ota()).gain, 1.0, _POLY, _GM_C,
        )  # fmt: skip
    raise ValueError(f"unknown technology {name!r}; known: {', '.join(TECHNOLOGIES)}")


def bias_converter(bits: int, rails: tuple[str, ...]) -> Block:
    """A current-steering converter: binary-weighted sources, each on or off, into a node.

    Parameters: ``b_0`` (least significant) to ``b_<bits−1>``, each 1 or 0, and ``side``, 1 or −1. One LSB is
    ``ais_lsb`` ampere; a pair of rails gets half of it each.
    """
    ports = tuple("out" + rail for rail in rails)
    side = sp.Symbol("side", real=True)
    nodes = (GROUND, ports[0]) if len(ports) == 1 else (ports[1], ports[0])
    names = [f"b_{bit}" for bit in range(bits)]
    sources: list[Element] = [
        Source(
            f"b_{bit}", "current", nodes,
            Dc(side * sp.Symbol(name, real=True) * AIS_LSB * sp.Rational(2**bit, len(ports))),
        )
        for bit, name in enumerate(names)
    ]  # fmt: skip
    return Block(
        "bias_converter", ports, tuple(sources), f"Bias: {bits} bits and a sign, ais_lsb ampere each",
        {**dict.fromkeys(names, 0.0), "side": 1.0},
    )  # fmt: skip


def _common(rails: tuple[str, ...]) -> dict[Part, Block]:
    """What needs no gain: resistors, the load of a bus, and the quartic well's cubic conductance."""
    i, j, bus = (tuple(node + rail for rail in rails) for node in ("i", "j", "bus"))
    between: tuple[Element, ...] = tuple(
        Resistor(f"k{rail}", (a, b), 1 / (AIS_G * K)) for a, b, rail in zip(i, j, rails, strict=True)
    )
    to_ground: tuple[Element, ...] = tuple(
        Resistor(f"k{rail}", (a, GROUND), 1 / (AIS_G * K)) for a, rail in zip(i, rails, strict=True)
    )
    load: tuple[Element, ...] = tuple(
        element
        for wire, rail in zip(bus, rails, strict=True)
        for element in (
            Resistor(f"load{rail}", (wire, GROUND), 1 / AIS_BUS),
            Capacitor(f"wire{rail}", (wire, GROUND), AIS_CBUS),
        )
    )
    # rails have a share of the state each, and take as large a share of its current
    share = len(rails)
    cubic = sp.Mul(AIS_G, 4 * share**2 * _J4, _V * _V * _V / AIS_V**2, evaluate=False)
    wells = tuple(
        Behavioural(f"j4{rail}", (wire, GROUND), cubic, {_V: (wire, GROUND)})
        for wire, rail in zip(i, rails, strict=True)
    )
    return {
        "passive": _block("passive", (*i, *j), between, "Coupling M_ij = -k: resistors", "k"),
        "leak": _block("leak", i, to_ground, "Own conductance: a resistor to ground", "k"),
        "bus": Block("bus", bus, load, "Load of a summing bus: one volt per unit of the weighted sum"),
        "well": _block("well", i, wells, "Quartic well: a cubic conductance to ground", "j4"),
    }  # fmt: skip


def _ideal() -> dict[Part, Block]:
    minus = -AIS_G * K
    return {
        "negative": _block("negative", ("i", "j"), (Transconductance("k", ("i", "j"), ("i", "j"), minus),),
                           "Coupling M_ij = k: an ideal negative conductance between the nodes", "k"),
        "negative_leak": _block("negative_leak", ("i",),
                                (Transconductance("k", ("i", GROUND), ("i", GROUND), minus),),
                                "Own conductance below zero: an ideal source", "k"),
        **{name: _transconductor(name, ("out",), (GROUND, "out"), unit * K) for name, unit in _UNITS.items()},
    }  # fmt: skip


def _differential() -> dict[Part, Block]:
    crossed = (
        Resistor("k_pn", ("i_p", "j_n"), 1 / (AIS_G * K)),
        Resistor("k_np", ("i_n", "j_p"), 1 / (AIS_G * K)),
    )
    # each rail draws what the other's voltage says: negative for the difference, positive for what both share
    latch = (
        Transconductance("k_p", ("i_p", GROUND), ("i_n", GROUND), AIS_G * K),
        Transconductance("k_n", ("i_n", GROUND), ("i_p", GROUND), AIS_G * K),
    )
    out = ("out_p", "out_n")
    return {
        "negative": _block("negative", ("i_p", "i_n", "j_p", "j_n"), crossed,
                           "Coupling M_ij = k: resistors from rail to opposite rail", "k"),
        "negative_leak": _block("negative_leak", ("i_p", "i_n"), latch,
                                "Own conductance below zero: a cross-coupled pair", "k"),
        **{name: _transconductor(name, out, (out[1], out[0]), unit * K / 2) for name, unit in _UNITS.items()},
    }  # fmt: skip


def _ota() -> dict[Part, Block]:
    inner, volts = "a", sp.Symbol("a", real=True)
    amplifier = Block(
        "ota", ("plus", "minus", "out"),
        (
            Transconductance("in", (GROUND, inner), ("plus", "minus"), _UNIT),
            Resistor("pole", (inner, GROUND), 1 / _UNIT),
            Capacitor("pole", (inner, GROUND), _UNIT / (2 * sp.pi * OTA_POLE)),
            Behavioural("out", (GROUND, "out"), _GM * OTA_RANGE * sp.tanh(volts / OTA_RANGE), {volts: (inner, GROUND)}),
            Resistor("out", ("out", GROUND), OTA_GAIN / _GM),
        ),
        "Transconductance amplifier: one pole, a tanh, an output conductance", {"gm": 1e-6},
    )  # fmt: skip

    def call(name: str, plus: str, minus: str, out: str, unit: sp.Expr = AIS_G) -> Element:
        return Call(name, (plus, minus, out), "ota", {"gm": unit * K})

    both = (call("ij", GROUND, "j", "i"), call("ji", GROUND, "i", "j"))
    return {
        "ota": amplifier,
        "negative": _block("negative", ("i", "j"), both,
                           "Coupling M_ij = k: an inverting amplifier each way", "k"),
        "negative_leak": _block("negative_leak", ("i",), (call("k", "i", GROUND, "i"),),
                                "Own conductance below zero: an amplifier into its own input", "k"),
        **{name: _block(name, ("plus", "minus", "out"), (call("k", "plus", "minus", "out", unit),),
                        _SAID[name], "k") for name, unit in _UNITS.items()},
    }  # fmt: skip


_UNITS: Mapping[Part, sp.Symbol] = {"transconductor": AIS_G, "bus_input": AIS_BUS}
_SAID: Mapping[Part, str] = {
    "transconductor": "From a bus into a node: k times ais_g",
    "bus_input": "From a node into a summing bus: k times ais_bus, so that the bus adds k times the node's voltage",
}


def _transconductor(name: Part, out: tuple[str, ...], nodes: tuple[str, str], value: sp.Expr) -> Block:
    element = Transconductance("k", nodes, ("plus", "minus"), value)
    return _block(name, ("plus", "minus", *out), (element,), _SAID[name], "k")


def _block(
    name: Part, ports: tuple[str, ...], elements: tuple[Element, ...], title: str, parameter: str
) -> Block:
    return Block(name, ports, elements, title, {parameter: 1.0})


def storage(name: str, wires: tuple[str, ...], rails: tuple[str, ...]) -> tuple[Element, ...]:
    """A node's capacitors, one a wire."""
    return tuple(
        Capacitor(f"{name}{rail}", (wire, GROUND), AIS_C) for wire, rail in zip(wires, rails, strict=True)
    )
