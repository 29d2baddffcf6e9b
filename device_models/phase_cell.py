"""A family at the phase level as a circuit: cell and coupler as typed blocks, which every dialect writes.

The state is a voltage of one volt per unit on a capacitor: C dv/dt = (C/τ) · rate. The global parameters (``ais_c``,
``ais_g`` = C/τ, the chunk switching times) stand at the netlist's head, where a designer looks.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from device_models.elements import (
    GROUND,
    TIME,
    Behavioural,
    Block,
    Capacitor,
    Element,
    Inductor,
    Resistor,
    Value,
    ammeter,
)
from device_models.model import OTHER, OWN, CellModel, CouplingForm, coupling_form, pair_rate

AIS_C, AIS_G, AIS_W = sp.symbols("ais_c ais_g ais_w", positive=True)
CARRIER = AIS_W.name  # global parameter: the common reference's angular frequency, rad/s
INITIAL_CURRENT = "ic"  # parameter of a cell with a resonator
_WEIGHT = sp.Symbol("weight", real=True)
_AMPERE = sp.Symbol("i_tank", real=True)
_FORMS: Mapping[CouplingForm, str] = {
    "reciprocal": "reciprocal: one current between the two nodes",
    "mutual": "mutual: each node drives a current into the other, at the same weight",
    "directed": "directed: j acts on i alone",
    "summing": "summing: j pushes its feature into a summing node of i",
}


def schedule(parameter: str, chunks: int) -> sp.Expr:
    """A parameter that changes from chunk to chunk, ``<parameter>_1`` first, as a function of simulated time.

    A step that ends at a boundary still belongs to the chunk before it; a simulator that restarts with backward
    Euler after a breakpoint sees the new chunk only in the next step.
    """
    values = [sp.Symbol(f"{parameter}_{chunk}", real=True) for chunk in range(1, chunks + 1)]
    ends = [sp.Symbol(f"ais_switch_{chunk}", positive=True) for chunk in range(1, chunks)]
    cases = [(value, sp.Le(TIME, end)) for value, end in zip(values, ends, strict=False)]
    if not cases:
        return values[-1]
    return sp.Piecewise(*cases, (values[-1], True), evaluate=False)  # conditions as they are written


def cell_block(model: CellModel, chunks: int) -> Block:
    """The cell: storage and self term, and where the coupling needs them, its summing nodes.

    Ports: the state, then a summing node for each feature if the coupling form is ``summing``. Parameters:
    one value, or one a chunk; with a resonator its relative inductance, and the inductor's initial current in
    ampere. A summing node holds one volt per unit of the weighted sum.
    """
    port = str(model.state.symbol)
    where: dict[sp.Symbol, sp.Expr] = common_symbols(model)
    parameters: dict[str, Value] = {}
    for parameter in model.given:
        if parameter.scope == "node":
            where[parameter.symbol] = sp.Symbol(parameter.name, real=True)
            parameters[parameter.name] = parameter.default
        elif parameter.scope == "node-and-chunk":
            where[parameter.symbol] = schedule(parameter.name, chunks)
            parameters |= {f"{parameter.name}_{k}": parameter.default for k in range(1, chunks + 1)}
    if model.carrier is not None:
        where[model.carrier.phase] = AIS_W * TIME
    tank: tuple[Element, ...] = ()
    sensed: dict[sp.Symbol, str] = {}
    rate, sums = model.self_term, summing_ports(model)
    if model.resonator is not None:
        henry = sp.Symbol(model.resonator.inductance.name, positive=True) * AIS_C / (AIS_G * AIS_G)
        parameters[INITIAL_CURRENT] = 0.0
        end = GROUND
        if model.senses_current:
            end = f"{port}_{model.resonator.current}"
            sensed[_AMPERE] = "sense"
            rate = rate.subs(model.resonator.current, _AMPERE / AIS_G)
        tank = (
            Inductor("tank", (port, end), henry, sp.Symbol(INITIAL_CURRENT, real=True)),
            *(ammeter(name, (end, GROUND)) for name in sensed.values()),
        )
    controls = {model.state.symbol: (port, GROUND)}
    if sums:
        rate = rate + model.coupling
        controls |= {model.sums[feature]: (node, GROUND) for feature, node in sums.items()}
    return Block(
        name=f"{model.family}_cell",
        ports=(port, *sums.values()),
        elements=(
            Capacitor("state", (port, GROUND), AIS_C),
            *tank,
            *(Resistor(node, (node, GROUND), 1 / AIS_G) for node in sums.values()),
            Behavioural("self", (GROUND, port), _product(AIS_G, rate), controls, where, sensed),
        ),
        title=f"Cell: {model.title}",
        parameters=parameters,
        notes=(model.source, f"rate = {rate}   (per model time unit; 1 V is {_unit(model)})"),
    )


def coupler_block(model: CellModel, chunks: int, form: CouplingForm) -> Block:
    """One coupler, see ``coupling_form``. Ports: ``i j``, or the summing nodes of i and then j."""
    rate, inputs = pair_rate(model), summing_ports(model)
    where = {_WEIGHT: schedule("k", chunks), **common_symbols(model)}

    def push(name: str, nodes: tuple[str, str], rate: sp.Expr, own: str, other: str) -> Behavioural:
        """A current of weight × ``rate``, a function of ``OWN`` and ``OTHER`` at the nodes given."""
        difference = sp.Symbol("difference", real=True)
        relative = rate.subs(OTHER, OWN + difference)
        # a difference is one controlling pair, with half the derivatives of two
        if OWN in relative.free_symbols:
            controls = {OWN: (own, GROUND), OTHER: (other, GROUND)}
        else:
            rate, controls = relative, {difference: (other, own)}
        return Behavioural(name, nodes, _product(AIS_G, _WEIGHT, rate), controls, where)

    ports: tuple[str, ...] = ("i", "j")
    elements: tuple[Element, ...]
    if rate is None:
        ports = (*inputs.values(), "j")
        meaning = ", ".join(
            f"{node} += K * ({feature})"
            for node, feature in zip(inputs.values(), model.features.values(), strict=True)
        )
        elements = tuple(
            Behavioural(
                node,
                (GROUND, node),
                _product(AIS_G, _WEIGHT, model.features[feature]),
                {model.state.symbol: ("j", GROUND)},
                where,
            )
            for feature, node in inputs.items()
        )
    else:
        meaning = f"rate of i = K * ({_indexed(rate)})"
        if form == "reciprocal":
            elements = (push("k", ("j", "i"), rate, "i", "j"),)
        else:
            elements = (push("ij", (GROUND, "i"), rate, "i", "j"),)
            if form == "mutual":
                elements += (push("ji", (GROUND, "j"), rate, "j", "i"),)
    return Block(
        name=coupler_name(model, form),
        ports=ports,
        elements=elements,
        title=f"Coupler, {_FORMS[form]}",
        parameters={f"k_{chunk}": 0.0 for chunk in range(1, chunks + 1)},
        notes=(meaning,),
    )


def summing_ports(model: CellModel) -> dict[str, str]:
    """Port of the summing node of each feature; empty where couplers act on the state itself."""
    if coupling_form(model, symmetric=False) != "summing":
        return {}
    return {feature: f"sum_{feature}" for feature in model.features}


def coupler_name(model: CellModel, form: CouplingForm) -> str:
    """Name of the coupler's block."""
    return f"{model.family}_coupler" + ("_directed" if form == "directed" else "")


def common_parameter(model: CellModel, name: str) -> str:
    """Name of the global netlist parameter that holds a cell parameter of scope ``core``."""
    return f"{model.family}_{name}"


def common_symbols(model: CellModel) -> dict[sp.Symbol, sp.Expr]:
    """The global netlist parameter of each cell parameter of scope ``core``."""
    return {
        p.symbol: sp.Symbol(common_parameter(model, p.name), real=True)
        for p in model.parameters
        if p.scope == "core"
    }


def _product(*factors: sp.Expr) -> sp.Expr:
    """Factors as they stand: the conductance first, the rate in one piece."""
    return sp.Mul(*factors, evaluate=False)


def _unit(model: CellModel) -> str:
    return "a state of 1" if model.state.unit == "1" else f"1 {model.state.unit}"


def _indexed(rate: sp.Expr) -> str:
    return str(rate).replace("x_own", "x_i").replace("x_other", "x_j")
