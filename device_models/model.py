"""What a cell is: states, parameters, self term, features on the wires, and how neighbours act back.

A cell is written once, as SymPy data in model units; the printers turn that one description into every
language a simulator reads. Everything here is per model time unit and dimensionless or in radians: volts,
farads and seconds enter in ``netlists.scaling``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import sympy as sp
from sympy.simplify.fu import TR10i

Storage = Literal["charge", "flux"]
Scope = Literal["core", "node", "node-and-chunk"]


@dataclass(frozen=True)
class State:
    """One state of a cell.

    ``periodic`` is the period in the state's own unit (2π for a phase), ``None`` for the real line: errors
    between two values of the state are measured on the circle or on the line accordingly.
    """

    symbol: sp.Symbol
    unit: str
    storage: Storage = "charge"
    periodic: float | None = None


@dataclass(frozen=True)
class Parameter:
    """One trained or designed number of a cell.

    ``scope`` says how it may vary: ``core`` is one value for all nodes, ``node`` one a node,
    ``node-and-chunk`` one a node and time chunk. ``name`` is also the dataset below ``weights/`` that holds it.
    """

    symbol: sp.Symbol
    name: str
    unit: str
    scope: Scope
    default: float
    low: float
    high: float
    meaning: str
    source: str


@dataclass(frozen=True)
class Carrier:
    """The common reference that every cell hears.

    Attributes:
        phase: θ, which self terms may depend on, in rad: ``frequency`` × model time, 0 at the start.
        frequency: parameter of scope ``core``, in rad per model time unit.
    """

    phase: sp.Symbol
    frequency: Parameter


@dataclass(frozen=True)
class Resonator:
    """An inductor from the state's node to ground, whose current is a second state of the cell.

    Attributes:
        current: y, in units of C/τ times one volt; self terms may depend on it.
        inductance: relative, a parameter of scope ``node``: 1 makes τ²/C henry, which resonates with the cell's
            capacitor at one radian per model time unit. Self terms may depend on it too.
    """

    current: sp.Symbol
    inductance: Parameter


@dataclass(frozen=True)
class CellModel:
    """A family of analog cells, as mathematics.

    The rate of the (single) state of node i is

        dx_i/dt = self_term(x_i) + coupling(x_i, {Σ_j K_ij f(x_j) for every feature f})

    and, with a resonator, a second state: the current y_i of its inductor,

        dx_i/dt = self_term(x_i, y_i) + coupling(...) − y_i,   dy_i/dt = x_i / inductance_i

    Attributes:
        family: name in the weights file and in the netlist (lower case, identifier).
        title: what a person calls it.
        state: the state of a node.
        parameters: everything that ``self_term``, coupling and features depend on besides states and sums.
        self_term: rate of the uncoupled cell, per model time unit.
        features: what a node puts on its wires, each a function of its own state (and of parameters of scope
            ``core``: whoever listens to a wire does not know the sender's own parameters).
        sums: for each feature the symbol that stands for the weighted sum a node receives.
        coupling: the rate the sums cause, a function of the own state, the sums and the parameters.
        source: where the equation comes from.
        default_readout: kind of ``device_models.readout`` that suits the state.
        carrier: the common reference, if ``self_term`` depends on time through its phase.
        resonator: the inductor that makes a tank of the cell; None: there is none.
    """

    family: str
    title: str
    state: State
    parameters: tuple[Parameter, ...]
    self_term: sp.Expr
    features: Mapping[str, sp.Expr]
    sums: Mapping[str, sp.Symbol]
    coupling: sp.Expr
    source: str
    default_readout: str = "linear"
    carrier: Carrier | None = None
    resonator: Resonator | None = None

    def __post_init__(self) -> None:
        if not self.family.isidentifier() or self.family != self.family.lower():
            raise ValueError(f"family must be a lower-case identifier, got {self.family!r}")
        if set(self.features) != set(self.sums):
            raise ValueError(f"features {sorted(self.features)} and sums {sorted(self.sums)} differ")
        own = {self.state.symbol}
        time = {self.carrier.phase} if self.carrier else set()
        known = {p.symbol for p in self.parameters}
        common = {p.symbol for p in self.parameters if p.scope == "core"}
        tank = {self.resonator.current, self.resonator.inductance.symbol} if self.resonator else set()
        for what, expression, allowed in [
            ("self_term", self.self_term, own | known | time | tank),
            ("coupling", self.coupling, own | known | set(self.sums.values())),
            *((f"feature {name}", expression, own | common) for name, expression in self.features.items()),
        ]:
            unknown = expression.free_symbols - allowed
            if unknown:
                raise ValueError(f"{self.family}: {what} uses unknown symbols {sorted(map(str, unknown))}")

    @property
    def given(self) -> tuple[Parameter, ...]:
        """The parameters, and the inductance where there is a resonator: what a node or the core is told."""
        return (*self.parameters, *((self.resonator.inductance,) if self.resonator else ()))

    @property
    def states(self) -> tuple[sp.Symbol, ...]:
        """The state, and the resonator's current."""
        return (self.state.symbol, *((self.resonator.current,) if self.resonator else ()))

    @property
    def rates(self) -> tuple[sp.Expr, ...]:
        """Rate of each of ``states``, with the sums as symbols, per model time unit."""
        rate = self.self_term + self.coupling
        if self.resonator is None:
            return (rate,)
        return (rate - self.resonator.current, self.state.symbol / self.resonator.inductance.symbol)

    @property
    def senses_current(self) -> bool:
        """Whether the self term depends on the resonator's current."""
        return self.resonator is not None and self.resonator.current in self.self_term.free_symbols

    def parameter(self, name: str) -> Parameter:
        """The parameter called ``name``; KeyError names the known ones."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(f"{self.family} has no parameter {name!r}, only {[p.name for p in self.parameters]}")


def with_values(model: CellModel, values: Mapping[str, float]) -> CellModel:
    """The same cell with numbers in place of some of its parameters, by name."""
    numbers = {p.symbol: sp.Float(values[p.name]) for p in model.parameters if p.name in values}
    return replace(
        model,
        parameters=tuple(p for p in model.parameters if p.name not in values),
        self_term=model.self_term.subs(numbers),
        features={name: feature.subs(numbers) for name, feature in model.features.items()},
        coupling=model.coupling.subs(numbers),
    )


OWN, OTHER = sp.symbols("x_own x_other", real=True)

CouplingForm = Literal["reciprocal", "mutual", "directed", "summing"]


def pair_rate(model: CellModel) -> sp.Expr | None:
    """The rate one neighbour causes at weight 1, as a function of ``OWN`` and ``OTHER``.

    Exists only where the coupling is linear in the sums and needs no parameter of the node: then a neighbour
    acts by itself, and a coupler can be a separate element between two nodes. None otherwise.
    """
    sums = list(model.sums.values())
    linear = all(sp.expand(sp.diff(model.coupling, a, b)) == 0 for a in sums for b in sums)
    if not linear or sp.expand(model.coupling.subs(dict.fromkeys(sums, 0))) != 0:
        return None
    received = {
        model.sums[name]: feature.subs(model.state.symbol, OTHER) for name, feature in model.features.items()
    }
    # TR10i turns products of sines and cosines back into the sine of a difference: one call in the netlist
    # instead of four. It is used alone because sympy.simplify costs more than the whole compilation.
    rate = TR10i(sp.expand(model.coupling.subs(model.state.symbol, OWN).subs(received)))
    common = {parameter.symbol for parameter in model.parameters if parameter.scope == "core"}
    return rate if rate.free_symbols <= {OWN, OTHER} | common else None


def is_reciprocal(rate: sp.Expr) -> bool:
    """Whether what j does to i is minus what i does to j, for a rate of ``pair_rate``.

    A two-terminal element, whose current leaves one node and enters the other, can then couple both.
    """
    swapped = rate.subs({OWN: OTHER, OTHER: OWN}, simultaneous=True)
    return bool(sp.expand_trig(rate + swapped).expand() == 0)


def coupling_form(model: CellModel, *, symmetric: bool) -> CouplingForm:
    """What a coupler is as an element.

    ``reciprocal``: one two-terminal current between a pair of nodes. ``mutual``: a pair of currents with one
    weight, each driven by the other node. ``directed``: one current, j acts on i. ``summing``: j pushes a
    feature into a summing node of i, and the cell makes of the sum what its equation says.
    """
    rate = pair_rate(model)
    if rate is None:
        return "summing"
    if not symmetric:
        return "directed"
    return "reciprocal" if is_reciprocal(rate) else "mutual"
