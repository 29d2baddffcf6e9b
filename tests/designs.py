"""Designs for the tests: an array of ring-like cells as the compiler makes them, and a linear network."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import sympy as sp
from networks import random_network, resistive_network

from device_models.conductances import Ota, TechnologyName, technology
from device_models.elements import (
    GROUND,
    TIME,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Inductor,
    Mosfet,
    MosModel,
    PiecewiseLinear,
    RawBlock,
    Resistor,
    Sine,
    Source,
    Transconductance,
)
from netlists.bias import BiasConverter
from netlists.circuit import GlobalParameter
from netlists.conductances import conductances
from netlists.design import AverageCurrent, Design, Frequency, Transient
from netlists.network_circuit import compile_network
from netlists.network_design import network_design, operating_point, settling
from netlists.scaling import NetworkScaling

g, load, ratio, k1, k2 = sp.symbols("g load ratio k_1 k_2", real=True)
v, u, i = sp.symbols("v u i", real=True)

NMOS = MosModel("ais_nmos", "nmos", {"vto": 0.3, "kp": 2e-4, "lambda": 0.1, "tox": 4e-9})
PMOS = MosModel("ais_pmos", "pmos", {"vto": -0.3, "kp": 8e-5, "lambda": 0.1, "tox": 4e-9})

INVERTER = Block(
    "inverter", ("a", "y", "vdd"),
    (
        Mosfet("p", ("y", "a", "vdd", "vdd"), "ais_pmos", ratio * sp.Float(2e-7), 2e-7),
        Mosfet("n", ("y", "a", GROUND, GROUND), "ais_nmos", 2e-7, 2e-7),
        Capacitor("load", ("y", GROUND), load),
    ),
    "Inverter", {"load": 4e-14, "ratio": 1.0},
)  # fmt: skip
CELL = Block(
    "ring_cell", ("n1", "vdd"),
    (
        Call("inv1", ("n3", "n1", "vdd"), "inverter", {"load": load}),
        Call("inv2", ("n1", "n2", "vdd"), "inverter", {"load": load, "ratio": 1 + load / sp.Float(8e-14)}),
        Call("inv3", ("n2", "n3", "vdd"), "inverter", {"load": load}),
    ),
    "Ring of three", {"load": 4e-14}, ("n1 is the output",),
)  # fmt: skip
COUPLER = Block(
    "gm_coupler", ("sender", "receiver"),
    (
        Transconductance("m", (GROUND, "receiver"), ("sender", GROUND), g * k1),
        # an odd power, at voltages of both signs
        Behavioural(
            "cube", (GROUND, "receiver"), g * (-k2 * (v - u) ** 3 + sp.tanh(u) / 7 - sp.sign(v) * k1 * v**2),
            {v: ("sender", GROUND), u: ("receiver", "sender")},
        ),
    ),
    "Transconductance with a code", {"k_1": 1.0, "k_2": -0.1},
)  # fmt: skip
SHIL = RawBlock(
    "shil_driver", ("out",),
    "* as its author wrote it\n.subckt shil_driver out amp=1e-6\nB1 0 out I={amp*sin(6.28e8*time)}\n"
    "Rout out 0 1e6\n.ends shil_driver",
    {"amp": "1e-6"},
)  # fmt: skip


def array(rows: int = 2, columns: int = 3, *, raw: bool = True) -> Design:
    """Cells in rows, couplers at core level, a SHIL driver and a supply in the bench."""
    nodes = [[f"r{r:02d}c{c:02d}" for c in range(columns)] for r in range(rows)]
    row_blocks = [
        Block(
            f"row{r:02d}", (*nodes[r], "vdd"),
            tuple(
                Call(name, (name, "vdd"), "ring_cell", {"load": 4e-14 * (1 + 0.01 * c)})
                for c, name in enumerate(nodes[r])
            ),
            f"Row {r}",
        )
        for r in range(rows)
    ]  # fmt: skip
    flat = [name for row in nodes for name in row]
    couplers = [
        Call(f"k_{a}_{b}", (a, b), "gm_coupler", {"k_1": 1.0 + 0.25 * k, "k_2": -0.5 if k % 2 else 1 / 3})
        for k, (a, b) in enumerate(pairwise(flat))
    ]
    core = Block(
        "ais_core", (*nodes[0], "vdd", "shil"),
        (
            *(Call(f"row{r:02d}", (*nodes[r], "vdd"), f"row{r:02d}") for r in range(rows)),
            *couplers,
            Call("shil", ("shil",), "shil_driver", {"amp": 2e-7}) if raw else Resistor("s", ("shil", GROUND), 1e6),
        ),
        "The core",
    )  # fmt: skip
    hidden = [f"core.{name}" for row in nodes[1:] for name in row]
    inside = [f"core.row{r:02d}.{name}.n2" for r in range(rows) for name in nodes[r]]
    return Design(
        title="A small array", notes=("for the tests",),
        parameters=(GlobalParameter("g", 1e-7, "siemens a unit of weight"),),
        models=(NMOS, PMOS),
        blocks=(INVERTER, CELL, COUPLER, *((SHIL,) if raw else ()), *row_blocks, core),
        core=(*(block.name for block in row_blocks), "ais_core"),
        bench=(
            Call("core", (*nodes[0], "vdd", "shil"), "ais_core"),
            Source("dd", "voltage", ("vdd", GROUND), Dc(1.0)),
            Source("chunk", "voltage", ("chunk", GROUND), PiecewiseLinear(((0.0, 0.0), (1e-8, 1.0), (2e-8, 2.0)))),
        ),
        analysis=Transient(4e-8, 2e-11),
        initial={**{node: (k % 2) * 1.0 for k, node in enumerate([*nodes[0], *hidden])}, **dict.fromkeys(inside, 0.3)},
        saved=(*nodes[0], *hidden),
        measurements=(
            Frequency("f_first", "r00c00", 0.5, 2, 4),
            AverageCurrent("i_supply", "dd", 1e-8, 4e-8),
        ),
    )  # fmt: skip


def ladder() -> Design:
    """Resistors, inductors, capacitors, transconductances and a sine, in blocks: any simulator runs it."""
    r = sp.Symbol("r", positive=True)
    section = Block(
        "section", ("a", "b"),
        (
            Inductor("s", ("a", "m"), 1e-6, 0.0),
            Resistor("s", ("m", "b"), r),
            Capacitor("p", ("b", GROUND), 1e-9, 0.0),
            Resistor("p", ("b", GROUND), 10 * r + 5),
        ),
        "LC section", {"r": 10.0},
    )  # fmt: skip
    gain = Block(
        "gain", ("a", "b"),
        (Transconductance("m", (GROUND, "b"), ("a", GROUND), 2e-3), Resistor("o", ("b", GROUND), 500.0)),
        "Transconductance",
    )  # fmt: skip
    return Design(
        title="Ladder", blocks=(section, gain),
        bench=(
            Source("in", "voltage", ("in", GROUND), Sine(0.0, 1.0, 2e6)),
            Call("one", ("in", "x"), "section"),
            Call("two", ("x", "y"), "section", {"r": 33.0}),
            Call("gain", ("y", "z"), "gain"),
            Call("three", ("z", "w"), "section", {"r": 3.0}),
            Transconductance("back", (GROUND, "x"), ("w", "z"), -1e-3),
        ),
        analysis=Transient(4e-6, 2e-9, reltol=1e-6),
        saved=("x", "y", "z", "w"),
    )  # fmt: skip


def every_element() -> Design:
    """One of each element and waveform, expressions wherever they may stand."""
    p = sp.Symbol("p", real=True)
    everything = Block(
        "everything", ("a", "b"),
        (
            Resistor("r1", ("a", "b"), p**2 + 1),
            Capacitor("c1", ("a", "b"), 1e-12 * sp.Abs(p) + sp.Float(1e-15), p / 3),
            Inductor("l1", ("a", "in1"), 1e-6, -p),
            Transconductance("g1", ("in1", GROUND), ("a", "b"), -p / 7),
            Behavioural(
                "b1", ("b", GROUND),
                sp.Mul(
                    p,
                    sp.Piecewise((v**3, sp.Le(TIME, sp.Float(1e-6))), (-(u**2) * v, True)) - sp.sqrt(v**2 + 1),
                    evaluate=False,
                ),
                {v: ("a", "b"), u: (GROUND, "in1")},
            ),
            Behavioural(
                "b2", ("b", "in1"), p * u * (1 - i**2 * v) - i, {v: ("a", "b"), u: (GROUND, "in1")}, sensed={i: "V1"}
            ),
            Source("V1", "voltage", ("in2", GROUND), Sine(p, 1 / p, 1e6 * sp.Abs(p), sp.pi * p)),
            Source("i1", "current", (GROUND, "in2"), Sine(0.1, -0.2, 1e6, -1.25)),
            Source("i2", "current", (GROUND, "b"), Dc(-p)),
            Source("v2", "voltage", ("in3", GROUND), PiecewiseLinear(((0.0, p), (1e-6, -2 * p)))),
            Source("v3", "voltage", ("in4", GROUND), Dc(-1 / 3)),
            Mosfet("m1", ("in3", "in2", "b", GROUND), "ais_nmos", 1e-6 * p**2, 2e-7),
        ),
        "One of each", {"q": 0.25, "p": -sp.Symbol("q", real=True) * 2},
    )  # fmt: skip
    return Design(
        title="One of each", blocks=(everything,), models=(NMOS,),
        bench=(
            Call("one", ("x", "y"), "everything"),
            Call("two", ("x", "y"), "everything", {"q": -math.pi}),
            Call("three", ("y", "x"), "everything", {"p": -1.5}),
            Resistor("x", ("x", GROUND), 1e3),
            Resistor("y", ("y", GROUND), 1e3),
        ),
        analysis=Transient(1e-6, 1e-9),
        initial={"x": -0.1, "one.in1": 1 / 3},
    )  # fmt: skip


def network(name: TechnologyName, *, rest: bool = False, bits: int | None = None) -> Design:
    """A Langevin network with couplings of both signs, wells, and a skip; of resistors alone where they have to do."""
    wanted = resistive_network(4) if name == "passive" else random_network((4, 3), rank=2, quartic=0.3)
    ota = Ota() if name == "ota" else None
    scaling = NetworkScaling(tau=1e-8, capacitance=1e-11)
    made = conductances(wanted, technology(name, ota))
    converter = None if bits is None else BiasConverter(bits, float(np.abs(wanted.bias).max()))
    circuit = compile_network(made, scaling, converter, ota)
    analysis = operating_point(scaling) if rest else settling(scaling, 5.0)
    return network_design(circuit, wanted.bias, analysis)
