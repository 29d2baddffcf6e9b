"""The CMOS ring oscillator: inverters of level-1 transistors of our own, and couplers with binary-weighted legs.

Stage k drives node n(k+1); n1 is the output and the injection port. Each stage inverts and delays by 1/(2N) of a
cycle, so n2 is n1 inverted and π/N later, and the last node n1 inverted and π/N earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import sympy as sp

from device_models.corners import CORNERS, CornerName, at_corner, temperature_lines
from device_models.couplers import transconductor
from device_models.elements import (
    GROUND,
    Block,
    Call,
    Capacitor,
    Dc,
    Element,
    Mosfet,
    MosModel,
    PiecewiseLinear,
    Source,
    Waveform,
)
from device_models.oscillator_cell import CouplerType, OscillatorCell, Wire

VDD = 1.0  # volts
LENGTH = 0.2e-6  # metres
WIDTH_N = 0.2e-6  # metres
LOAD = 38e-15  # farad a node, wires and what hangs on them; the gates add about 2 fF
BALANCED = 2.5  # Wp/Wn at which both edges are equally fast: the ratio of the cards' KP
ASYMMETRIC = 1.0  # has a second harmonic to lock on
DIFFUSION = 2e-15  # farad, of a node between stacked transistors, per W/L
SWITCH_TIME = 100e-12  # seconds a bit takes to change

# ampere, of some 0.1 µm² of junction. SPICE's default, 10⁻¹⁴ A, leaks a nanoampere a transistor at 400 K: as much as
# a weak coupler drives
JUNCTION = 1e-18
NMOS = MosModel("ais_nmos", "nmos", {
    "vto": 0.3, "kp": 255e-6, "lambda": 0.1, "tox": 4e-9, "cgso": 3e-10, "cgdo": 3e-10, "is": JUNCTION,
})  # fmt: skip
PMOS = MosModel("ais_pmos", "pmos", {
    "vto": -0.3, "kp": 102e-6, "lambda": 0.1, "tox": 4e-9, "cgso": 3e-10, "cgdo": 3e-10, "is": JUNCTION,
})  # fmt: skip


def ring_cell(
    stages: int = 5, ratio: float = ASYMMETRIC, bits: int = 3, switches: Sequence[float] = (), *,
    corner: CornerName = "typical", kelvin: float | None = None,
) -> OscillatorCell:  # fmt: skip
    """A ring of inverters.

    Args:
        stages: odd, at least 3.
        ratio: Wp/Wn of the inverters; at ``BALANCED`` the ring has no second harmonic to lock on.
        bits: binary legs of the couplers.
        switches: seconds at which time chunks end, for the couplers' bits; one chunk if empty.
        corner: of the process: transistors, and the capacitors of the nodes.
        kelvin: temperature of the transistors; None leaves the simulator's own, 300.15 K.
    """
    if stages < 3 or stages % 2 == 0:
        raise ValueError(f"a ring needs an odd number of stages from 3 up, not {stages}")
    nodes = tuple(f"n{k}" for k in range(1, stages + 1))
    ring = Block(
        name="ring_cell",
        ports=(*nodes, "vdd"),
        elements=tuple(
            element
            for k, (gate, out) in enumerate(pairwise((*nodes, nodes[0])), start=1)
            for element in (
                Call(f"inv{k}", (gate, out, "vdd"), "ring_inverter"),
                Capacitor(f"load{k}", (out, GROUND), sp.Symbol("load", positive=True)),
            )
        ),
        title=f"Ring oscillator cell, {stages} stages",
        parameters={"load": LOAD * CORNERS[corner].capacitance},
        notes=("n1 is output and injection port, the others are taps; load: farad a node",),
    )
    return OscillatorCell(
        name="ring",
        title=f"CMOS ring, {stages} stages, level-1 transistors, Wp/Wn {ratio:g}",
        block=ring,
        output="n1",
        injections=("n1",),
        supplies={"vdd": VDD},
        start={node: VDD * (k % 2) for k, node in enumerate(nodes)},
        period_guess=2 * stages * 0.7e-9,
        couplers=(
            inverter_coupler(stages, bits, switches),
            transmission_gate_coupler(bits, switches),
            transconductor("n1", "n1", 1e-7, mean=VDD / 2),
        ),
        shil="n1",
        source="level-1 (Shichman-Hodges) transistors of our own: VDD 1 V, 40 fF a node",
        blocks=(_inverter(ratio),),
        tuning="load",
        models=tuple(at_corner(model, CORNERS[corner]) for model in (NMOS, PMOS)),
        options=temperature_lines(kelvin),
    )


def _inverter(ratio: float) -> Block:
    return Block(
        name="ring_inverter",
        ports=("a", "y", "vdd"),
        elements=(
            Mosfet("p", ("y", "a", "vdd", "vdd"), PMOS.name, ratio * WIDTH_N, LENGTH),
            Mosfet("n", ("y", "a", GROUND, GROUND), NMOS.name, WIDTH_N, LENGTH),
        ),
        title="Inverter of the ring",
        notes=(f"Wp/Wn = {ratio:g}; {BALANCED:g} is balanced",),
    )


_STRENGTH = sp.Symbol("strength", positive=True)
LEAD = 0.171  # rad by which the couplers' taps lead, since the PPV of the default ring lags by so much


def inverter_coupler(stages: int, bits: int = 3, switches: Sequence[float] = ()) -> CouplerType:
    """Tri-state inverters with binary legs from the sender's taps into the receiver's n1.

    Each leg listens to three taps with fixed shares, since mixing taps sets the phase. Straight these are n1, and a
    little of the node two stages before: an inverted copy of the sender, a negative coupling. Crossed they are the
    nodes one stage before and after: inverted copies of −n1, π/N early and late: a positive coupling.

    Args:
        stages: of the ring.
        bits: legs of strength 1, 2, 4, …
        switches: seconds at which time chunks end.
    """
    shares = _shares(stages)
    data = [
        transistor
        for k, share in enumerate(shares, start=1)
        for transistor in (
            Mosfet(
                f"p{k}",
                ("p", f"a{k}", "vdd", "vdd"),
                PMOS.name,
                BALANCED * LENGTH * share * _STRENGTH,
                LENGTH,
            ),
            Mosfet(f"n{k}", ("n", f"a{k}", GROUND, GROUND), NMOS.name, LENGTH * share * _STRENGTH, LENGTH),
        )
    ]
    leg = Block(
        name="tristate_inverter",
        ports=("a1", "a2", "a3", "y", "on", "off", "vdd"),
        elements=(
            # at the output, so that a leg that is off does not load it
            Mosfet("p", ("y", "off", "p", "vdd"), PMOS.name, BALANCED * LENGTH * _STRENGTH, LENGTH),
            Mosfet("n", ("y", "on", "n", GROUND), NMOS.name, LENGTH * _STRENGTH, LENGTH),
            *data,
            # without them a node between transistors that are off would float, and the solver lose it
            Capacitor("p", ("p", "vdd"), DIFFUSION * _STRENGTH),
            Capacitor("n", ("n", GROUND), DIFFUSION * _STRENGTH),
        ),
        title="Tri-state inverter with three inputs that push the same output",
        parameters={"strength": 1.0},
        notes=(f"strength: W/L of the NMOS; shares of the inputs {', '.join(f'{s:.3f}' for s in shares)}",),
    )
    calls = [
        Call(f"leg{b}", ("a1", "a2", "a3", "y", f"on{b}", f"off{b}", "vdd"), leg.name,
             {"strength": 2**b * _STRENGTH})
        for b in range(bits)
    ]  # fmt: skip
    block = Block(
        name="inverter_coupler",
        ports=("a1", "a2", "a3", "y", "vdd"),
        elements=(*calls, *_bit_cells(bits, switches)),
        title=f"Coupler: tri-state inverters, {bits} binary legs",
        parameters={"strength": 1.0, **_bit_parameters(bits, switches)},
        notes=("strength: W/L of the unit leg; bB_T: bit B in time chunk T",),
    )

    def wiring(*taps: str) -> tuple[Wire, ...]:
        return (*(Wire("sender", tap) for tap in taps), Wire("receiver", "n1"), Wire("global", "vdd"))

    before, after = f"n{stages}", "n2"
    return CouplerType(
        name="inverter",
        title="tri-state inverters with binary legs",
        blocks=(leg, block),
        straight=wiring("n1", "n1", f"n{stages - 1}"),
        crossed=wiring(before, after, before),
        strength="strength",
        strength_unit="W/L of the unit leg",
        strength_guess=0.001 / (2**bits - 1),
        bits=tuple(f"b{b}" for b in range(bits)),
        in_chunks=partial(inverter_coupler, stages, bits),
    )


def _shares(stages: int) -> tuple[float, float, float]:
    """What part of a leg listens to each tap, so that both wirings lead by ``LEAD``."""
    early = math.tan(LEAD) / math.tan(math.pi / stages)  # crossed: share before less share after
    turn = 2 * math.pi / stages  # straight: how far the node two stages before is ahead
    third = math.tan(LEAD) / (math.sin(turn) + math.tan(LEAD) * (1 - math.cos(turn)))
    second = (1 - early) / 2
    return 1 - second - third, second, third


def transmission_gate_coupler(bits: int = 3, switches: Sequence[float] = ()) -> CouplerType:
    """Transmission gates with binary legs between two rings: passive, so it acts on both.

    Half of each leg joins n1 to n1, half n2 to n2: a positive coupling. Crossed they join n1 to n2 and n2 to n1,
    whose lags cancel on both sides: a negative coupling.
    """
    leg = Block(
        name="transmission_gate",
        ports=("a", "b", "on", "off", "vdd"),
        elements=(
            Mosfet("n", ("a", "on", "b", GROUND), NMOS.name, LENGTH * _STRENGTH, LENGTH),
            Mosfet("p", ("a", "off", "b", "vdd"), PMOS.name, BALANCED * LENGTH * _STRENGTH, LENGTH),
        ),
        title="Transmission gate",
        parameters={"strength": 1.0},
        notes=("strength: W/L of the NMOS",),
    )
    calls = [
        Call(f"{a}{b}", (a, z, f"on{b}", f"off{b}", "vdd"), leg.name, {"strength": 2**b * _STRENGTH / 2})
        for b in range(bits)
        for a, z in (("a1", "z1"), ("a2", "z2"))
    ]
    block = Block(
        name="gate_coupler",
        ports=("a1", "a2", "z1", "z2", "vdd"),
        elements=(*calls, *_bit_cells(bits, switches)),
        title=f"Coupler: transmission gates, {bits} binary legs",
        parameters={"strength": 1.0, **_bit_parameters(bits, switches)},
        notes=("strength: W/L of the unit leg, half of it in each gate; bB_T: bit B in time chunk T",),
    )
    sender = (Wire("sender", "n1"), Wire("sender", "n2"))
    n1, n2, vdd = Wire("receiver", "n1"), Wire("receiver", "n2"), Wire("global", "vdd")
    return CouplerType(
        name="gate",
        title="transmission gates with binary legs",
        blocks=(leg, block),
        straight=(*sender, n1, n2, vdd),
        crossed=(*sender, n2, n1, vdd),
        strength="strength",
        strength_unit="W/L of the unit leg",
        strength_guess=0.001 / (2**bits - 1),
        bits=tuple(f"b{b}" for b in range(bits)),
        mutual=True,
        in_chunks=partial(transmission_gate_coupler, bits),
    )


def _bit_parameters(bits: int, switches: Sequence[float]) -> dict[str, float]:
    """All legs on in all chunks."""
    return {f"b{b}_{chunk}": 1.0 for b in range(bits) for chunk in range(1, len(switches) + 2)}


def _bit_cells(bits: int, switches: Sequence[float]) -> list[Element]:
    """Ideal memory: two sources a bit, VDD and ground or the other way round, that change between chunks."""
    cells: list[Element] = []
    for b in range(bits):
        values = [sp.Symbol(f"b{b}_{chunk}", real=True) for chunk in range(1, len(switches) + 2)]
        for name, levels in ((f"on{b}", values), (f"off{b}", [1 - value for value in values])):
            volts = [VDD * level for level in levels]
            cells.append(Source(name, "voltage", (name, GROUND), _steps(volts, switches)))
    return cells


def _steps(levels: Sequence[sp.Expr], switches: Sequence[float]) -> Waveform:
    if not switches:
        return Dc(levels[0])
    points: list[tuple[float, sp.Expr]] = [(0.0, levels[0])]
    for switch, (before, after) in zip(switches, pairwise(levels), strict=True):
        points += [(switch, before), (switch + SWITCH_TIME, after)]
    return PiecewiseLinear(tuple(points))
