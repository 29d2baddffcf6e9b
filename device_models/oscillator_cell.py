"""An oscillator as a circuit: subcircuit, ports, supply, start-up, and the couplers that go with it.

Built-in cells (``lc``, ``ring``) and a user's own come in this one form; characterisation, compiler and run know
no other. Conventions, everywhere at the waveform levels:

- The **phase** φ of a cell is that of its output's fundamental against the common reference at frequency f₀:
  v_out ∝ cos(2π f₀ t + φ) + harmonics. θ = 2π f₀ t + φ is its whole phase, 0 where the fundamental peaks.
- The **PPV** of an injection port is in rad per coulomb: dφ/dt = PPV(θ) · i, with i flowing *into* the port.
- The **coupling function** Γ of a coupler: dφ_i/dt = strength · Γ(φ_i − φ_j), rad/s per unit of strength. The trained
  ODE has Γ(x) = −sin x; compilers match the first harmonic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from device_models.elements import Block, MosModel, RawBlock

Side = Literal["sender", "receiver", "global"]
ShilKind = Literal["current", "pump"]


@dataclass(frozen=True)
class Wire:
    """What a port of a coupler is connected to: a port of the sending or receiving cell, or a global node."""

    side: Side
    port: str


@dataclass(frozen=True)
class CouplerType:
    """How one cell acts on another.

    Attributes:
        name: what ``--coupler`` calls it.
        title: a line for people.
        blocks: the subcircuits it is made of, the coupler itself last.
        straight: for each port of the coupler, in order, where it goes.
        crossed: the same for the opposite sign of the weight; None if a negative ``strength`` does it.
        strength: parameter of the block that scales the action continuously (siemens for a transconductor, a
            width-to-length factor for transistors).
        strength_unit: its unit.
        strength_guess: a value weak enough for averaging to hold, to characterise at.
        bits: (b,) names of the parameters that enable binary-weighted legs, least significant first; empty if the
            coupler has no digital code. Each is 1 or 0, in chunk T as ``<name>_T``.
        mutual: acts on both cells (a passive element); directed otherwise.
        in_chunks: gives the same coupler for weights that change at (T−1,) seconds: with parameters a chunk,
            ``<strength>_T`` or ``<bit>_T``. None: it can't change in time.
        scheduled: it is one of those, with ``<strength>_T``.
    """

    name: str
    title: str
    blocks: tuple[Block | RawBlock, ...]
    straight: tuple[Wire, ...]
    crossed: tuple[Wire, ...] | None
    strength: str
    strength_unit: str
    strength_guess: float
    bits: tuple[str, ...] = ()
    mutual: bool = False
    in_chunks: Callable[[Sequence[float]], CouplerType] | None = None
    scheduled: bool = False


@dataclass(frozen=True)
class OscillatorCell:
    """An oscillator cell as a circuit.

    Attributes:
        name: identifier; ``lc``, ``ring``, or a user's.
        title: a line for people.
        block: the subcircuit.
        blocks: subcircuits that it uses, before it.
        models: transistor model cards of our own.
        includes: model files of a user's, read by the simulator (only with ``--trust-includes``).
        options: lines such as ``.option scale=1e-6`` that those files need.
        behaviour: ngspice's ``ngbehavior`` that those files need, or empty.
        output: port whose fundamental is the phase.
        injections: ports that take a current, the preferred one first.
        supplies: volts of each supply port; a port named ``0`` in the netlist is ground.
        start: initial volts of ports, or of nodes inside as ``node`` names, that break the symmetry and start it.
        inductors: names of inductors directly inside whose current is a state. Each takes its initial current, in
            ampere, from the block's parameter ``ic_<name>``, which is 0 by default.
        period_guess: seconds; the measured one has to lie within a factor of 5.
        couplers: the first is the default.
        shil: port for the sub-harmonic injection.
        shil_kind: ``current`` into that port, or ``pump``: a conductance from the port to ground at twice f₀.
        points_per_cycle: of the fixed step, what the cell needs for accurate waveforms.
        source: where it comes from.
        tuning: parameter of the block, such as a capacitance, by which a copy gets a frequency of its own; empty if
            none does. Its default is a number other than 0.
    """

    name: str
    title: str
    block: Block | RawBlock
    output: str
    injections: tuple[str, ...]
    supplies: Mapping[str, float]
    start: Mapping[str, float]
    period_guess: float
    couplers: tuple[CouplerType, ...]
    shil: str
    source: str
    blocks: tuple[Block | RawBlock, ...] = ()
    models: tuple[MosModel, ...] = ()
    includes: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()
    behaviour: str = ""
    inductors: tuple[str, ...] = field(default=())
    shil_kind: ShilKind = "current"
    points_per_cycle: int = 200
    tuning: str = ""

    def coupler(self, name: str) -> CouplerType:
        """The coupler called ``name``; KeyError names the known ones."""
        for coupler in self.couplers:
            if coupler.name == name:
                return coupler
        raise KeyError(f"{self.name} has no coupler {name!r}, only {[c.name for c in self.couplers]}")
