"""Typed elements written for ngspice, and simulated: signs, directions, parameters, expressions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from device_models.elements import (
    TIME,
    Behavioural,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
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
from device_models.printers.spice import NGSPICE, block_text, element_lines, model_lines
from emulator.ngspice import Deck
from emulator.simulator import Simulator
from netlists.core import Array

K, G = sp.symbols("k g", real=True)
V = sp.Symbol("v", real=True)


def write_element(element: Element) -> str:
    return "\n".join(element_lines(element, NGSPICE))


def write_block(block: Block | RawBlock) -> str:
    return block_text(block, NGSPICE)


def write_model(model: MosModel) -> str:
    return "\n".join(model_lines(model))


def simulate(
    simulator: Simulator, elements: list[Element], node: str, *, stop: float = 1e-6, blocks: tuple[Block, ...] = (),
    models: tuple[MosModel, ...] = (),
) -> tuple[Array, Array]:  # fmt: skip
    text = "\n".join([
        "* elements", *map(write_model, models), *map(write_block, blocks), *map(write_element, elements),
        ".options reltol=1e-6", f".tran {stop / 200!r} {stop!r} 0 {stop / 200!r} uic", ".end",
    ])  # fmt: skip
    result = simulator.simulate(Deck(text, (node,), stop))
    assert result.judgement.completed, result.judgement.reason
    return result.time, result.values[:, 0]


def test_currents_flow_from_the_first_node_through_the_element(simulator: Simulator) -> None:
    drop = Resistor("load", ("out", "0"), 1e3)
    control = Source("control", "voltage", ("in", "0"), Dc(-0.5))
    cube = Behavioural("b", ("0", "out"), K * V**3, {V: ("in", "0")})
    block = Block("cube", ("in", "out"), (cube,), "a cube", {"k": 1.0})
    cases: list[tuple[list[Element], float]] = [
        ([Source("i", "current", ("0", "out"), Dc(1e-3))], 1.0),
        ([Transconductance("g", ("0", "out"), ("in", "0"), 1e-3)], -0.5),
        ([Call("c", ("in", "out"), "cube", {"k": -2e-3})], 0.25),  # (-2)(-0.125): the sign of a cube is kept
    ]
    for elements, expected in cases:
        _, values = simulate(simulator, [control, drop, *elements], "out", blocks=(block,))
        assert values[-1] == pytest.approx(expected, rel=1e-6)


def test_storage_starts_from_its_initial_values(simulator: Simulator) -> None:
    tank = Block(
        "tank", ("a",),
        (Capacitor("c", ("a", "0"), 1e-9, K), Inductor("l", ("a", "0"), sp.Float(1e-3), G)), "a tank",
        {"k": 0.0, "g": 0.0},
    )  # fmt: skip
    omega, impedance = 1e6, 1e3
    time, values = simulate(
        simulator, [Call("t", ("a",), "tank", {"k": 0.3, "g": 2e-4})], "a", blocks=(tank,)
    )
    # the current of the coil, from a through it to ground, discharges the capacitor
    expected = 0.3 * np.cos(omega * time) - 2e-4 * impedance * np.sin(omega * time)
    np.testing.assert_allclose(values, expected, atol=1e-3)


def test_waveforms(simulator: Simulator) -> None:
    sine = Sine(0.1, 0.7, 2e6, 0.4)
    time, values = simulate(simulator, [Source("v", "voltage", ("a", "0"), sine)], "a")
    np.testing.assert_allclose(values, 0.1 + 0.7 * np.sin(2 * math.pi * 2e6 * time + 0.4), atol=1e-9)
    steps = PiecewiseLinear(((0.0, 0.2), (2e-7, 0.2), (6e-7, -0.6)))
    time, values = simulate(simulator, [Source("v", "voltage", ("a", "0"), steps)], "a")
    np.testing.assert_allclose(values, np.interp(time, [2e-7, 6e-7], [0.2, -0.6]), atol=1e-9)
    pump = Behavioural("b", ("0", "a"), K * sp.cos(1e7 * TIME), {})
    block = Block("pump", ("a",), (pump, Resistor("r", ("a", "0"), 1 / K)), "a pump", {"k": 1.0})
    time, values = simulate(simulator, [Call("p", ("a",), "pump", {"k": 2e-3})], "a", blocks=(block,))
    np.testing.assert_allclose(values, np.cos(1e7 * time), atol=1e-6)


def test_transistor_in_saturation(simulator: Simulator) -> None:
    card = MosModel("mynmos", "nmos", {"vto": 0.3, "kp": 2e-4})
    elements: list[Element] = [
        Source("d", "voltage", ("d", "0"), Dc(1.0)),
        Source("g", "voltage", ("g", "0"), Dc(0.8)),
        Mosfet("m", ("d", "g", "s", "0"), "mynmos", 2e-6, 1e-6),
        Resistor("s", ("s", "0"), 1.0),
    ]
    _, values = simulate(simulator, elements, "s", models=(card,))
    assert values[-1] == pytest.approx(0.5 * 2e-4 * 2 * 0.5**2, rel=1e-3)  # ½ kp W/L (vgs − vto)²


def test_nothing_gets_in_by_a_name() -> None:
    evil = "a\n.control"
    for element in (
        Resistor(evil, ("a", "0"), 1.0),
        Call("x", ("a",), evil),
        Resistor("r", (evil, "0"), 1.0),
    ):
        with pytest.raises(ValueError, match="not a netlist name"):
            write_element(element)
    with pytest.raises(ValueError, match="not a netlist name"):
        write_block(Block("b", ("a",), (), "title", {"k = 1\n.control": 1.0}))
    title = write_block(Block("b", ("a",), (), "title\n.control\nshell touch pwned"))
    assert title.splitlines()[0] == "* title .control shell touch pwned"
    with pytest.raises(ValueError, match="finite"):
        write_element(Resistor("r", ("a", "0"), math.nan))


def test_raw_blocks_stay_as_they_are() -> None:
    text = ".subckt mine a\nR1 a 0 1k\n.ends mine\n"
    assert write_block(RawBlock("mine", ("a",), text)) == text.rstrip("\n")


def test_long_lines_are_continued() -> None:
    block = Block("b", tuple(f"port{k}" for k in range(40)), (), "many ports")
    lines = write_block(block).splitlines()
    assert max(map(len, lines)) <= 110
    assert [line[0] for line in lines[2:-1]] == ["+"] * (len(lines) - 3)
