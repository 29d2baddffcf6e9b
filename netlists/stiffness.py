"""Whether a core's couplings are weak enough for the own-state Jacobian: an estimate.

A compiled cell normally gives the solver the derivative by its own state alone, so that the matrix stays diagonal
and the couplings are relaxed by the Newton iterations. In a trapezoidal step of h the error then shrinks, from
iteration to iteration, by about

    ρ = (h / 2) · max_i Σ_j |∂rate_i / ∂x_j|

since the storage's 2/h stands on the diagonal. A self term that pulls back helps, one that pushes away (a gain, an
injection near its unstable phase) takes as much from the 2/h as its slope, and the short Euler steps behind a
breakpoint have 1/h there. ngspice stops when an iteration changes little, which leaves an error of about ρ / (1 − ρ)
times that change: beyond a half it would be larger than the tolerance says, and the exact Jacobian is taken instead.
Slopes are the steepest on a grid around zero, over the starting range and beyond; an estimate, as the state may go
anywhere.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from device_models.model import OTHER, OWN, CellModel, pair_rate, with_values
from netlists.core import AnalogCore, Array

LARGEST_RATIO = 0.5
_REACH = 3.0
_GRID = 121  # odd: it holds zero, where a tanh is steepest


def relaxation_ratio(core: AnalogCore, rows: int) -> float:
    """ρ for steps of at most the run over ``rows``."""
    step = core.duration / rows
    strength = np.zeros(core.nodes)
    for chunk in range(core.chunks):
        here = np.bincount(core.edges[:, 0], np.abs(core.coupling[chunk]), minlength=core.nodes)
        strength = np.maximum(strength, here)
    return 0.5 * step * float(strength.max(initial=0.0)) * _steepest(core)


def fastest_rate(core: AnalogCore) -> float:
    """Largest |∂rate_i/∂x_i| of a node, per model time unit: how fast it may relax while its neighbours stand still.

    A bound like ρ's: self term and couplings at their steepest, on a grid over the starting range (a whole turn for
    phases).
    """
    model, x = _with_numbers(core), core.family.state.symbol
    low, high = (0.0, model.state.periodic) if model.state.periodic else (core.initial.low, core.initial.high)
    states = np.linspace(low, high, _GRID)[:, None]
    pair = pair_rate(model)
    # a cell that makes something of its sums is one expression; a coupling by pairs adds up
    alone = model.self_term + (model.coupling if pair is None else 0)
    slope, total = sp.diff(alone, x), sorted(model.sums.values(), key=str)
    sums = np.linspace(-_REACH, _REACH, _GRID) if pair is None else np.zeros(1)
    steepest = 0.0
    if pair is not None:
        own, other = np.meshgrid(states, states)
        steepest = _largest(sp.diff(pair, OWN), {OWN: own, OTHER: other})
    fastest = 0.0
    for chunk in range(core.chunks):
        values = {
            p.symbol: core.parameters[p.name][chunk]
            if p.scope == "node-and-chunk"
            else core.parameters[p.name]
            for p in model.parameters
        }
        here = np.bincount(core.edges[:, 0], np.abs(core.coupling[chunk]), minlength=core.nodes)
        function = sp.lambdify([x, *total, *values], slope, "numpy")
        for at in sums.tolist():
            found = np.abs(function(states, *([at] * len(total)), *values.values()))
            fastest = max(fastest, float(np.max(found + steepest * here)))
    return fastest


def _with_numbers(core: AnalogCore) -> CellModel:
    """The family with the values that all nodes share."""
    common = {p.name: float(core.parameters[p.name]) for p in core.family.parameters if p.scope == "core"}
    return with_values(core.family, common)


def _steepest(core: AnalogCore) -> float:
    """Largest |∂rate_i/∂x_j| of a coupling of weight one, on a grid of states (a whole turn for phases)."""
    model = _with_numbers(core)
    reach = max(_REACH, abs(core.initial.low), abs(core.initial.high))
    states = np.linspace(-reach, reach, _GRID)
    if model.state.periodic is not None:
        states = np.linspace(0.0, model.state.periodic, _GRID)
    rate = pair_rate(model)
    if rate is not None:
        own, other = np.meshgrid(states, states)
        return _largest(sp.diff(rate, OTHER), {OWN: own, OTHER: other})
    return _steepest_sum(model, states)


def _steepest_sum(model: CellModel, states: Array) -> float:
    """The same where the cell makes something of the sums: the steepest response times the steepest feature."""
    x = model.state.symbol
    total = 0.0
    for name, feature in model.features.items():
        response = sp.diff(model.coupling, model.sums[name])
        free = sorted(response.free_symbols, key=str)
        grids = np.meshgrid(*(np.linspace(-_REACH, _REACH, _GRID) for _ in free)) if free else []
        total += _largest(response, dict(zip(free, grids, strict=True))) * _largest(
            sp.diff(feature, x), {x: states}
        )
    return total


def _largest(expression: sp.Expr, values: dict[sp.Symbol, Array]) -> float:
    found = sp.lambdify(list(values), expression, "numpy")(*values.values())
    return float(np.max(np.abs(found)))
