"""How one input of a network settles: its transient from 0, against the spectrum, or a solver of quartic wells."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from emulator.devices import takes_compiled
from emulator.energy.network import NetworkEnergy, network_energy, until
from emulator.ngspice import Capabilities
from emulator.reference import ReferenceFailed
from emulator.simulator import Simulator
from emulator.thermo.circuit import CircuitFailed
from emulator.thermo.descent import SETTLING, Descent
from emulator.thermo.equilibrium import equilibrium_near
from emulator.thermo.network_plan import Plan
from emulator.thermo.part import Part, relative
from emulator.thermo.relaxation import relaxation, settling_time
from emulator.thermo.transients import Run, cells, run_cells, run_elements
from netlists.core import Array

SETTLED = 0.01
ROWS = 200
RATE_TOLERANCE = 0.02
WINDOWS = 20  # of the way, at the start of each of which the reference is put at the circuit's own states
WINDOW_TOLERANCE = 1e-3  # of the largest state at rest: how far the two part in a window
SAME = 1e-2  # of the state: what still is the same equilibrium
NOT_SIMULATED = NetworkEnergy(*(math.nan,) * 7)


def settling_part(plan: Plan, simulator: Simulator, ability: Capabilities, index: int, rest: Array) -> Part:
    """The step from 0 to the input's force.

    Args:
        plan: of the run.
        simulator, ability: its ngspice.
        index: number of the input.
        rest: (N,) its operating point: about another point next to it, slopes would be of the distance.
    """
    visible = plan.network.visible
    rows: dict[str, Any] = {
        "settling/rate_error": math.nan, "settling/modes": 0, "settling/slowest": math.nan, "settling/time": math.nan,
        "settling/rates": np.full(plan.network.nodes, math.nan),
        "settling/local_rate": math.nan, "settling/path_error": math.nan, "settling/defect": math.nan,
        "settling/sensitivity": math.nan,
        "settling/row_time": np.full(ROWS, math.nan), "settling/visible": np.full((ROWS, len(visible)), math.nan),
        **NOT_SIMULATED.rows,
    }  # fmt: skip
    if index >= plan.settings.settle:
        return Part(rows)
    try:
        run = _settle(plan, simulator, ability, index)
    except CircuitFailed as failure:
        return Part(rows, [f"settling: {failure}"])
    faults: list[str] = []
    if plan.descents:
        try:
            rest, faults = _compared(plan, run, index, rest, rows)
        except ReferenceFailed as failure:
            return Part(rows, [str(failure)], run.simulation.statistics.cpu_s)
    found = relaxation(run, rest, plan.matrix, plan.network.quartic)
    rows["settling/rates"][found.numbers] = found.measured
    at = np.clip(np.searchsorted(run.time, np.linspace(0, run.time[-1], ROWS)), 0, len(run.time) - 1)
    settled = settling_time(run, rest, visible, SETTLED)
    rows |= {
        "settling/rate_error": found.error, "settling/modes": len(found.rates), "settling/slowest": found.slowest,
        "settling/time": settled,
        "settling/row_time": run.time[at], "settling/visible": run.states[np.ix_(at, visible)],
    }  # fmt: skip
    # a readout under noise goes on for its average, at rest on the mean
    averages = plan.settings.averaging / plan.slowest if plan.drive is not None else 0.0
    over = until(run.time, run.states, settled, averages)
    rows |= network_energy(plan.circuit, plan.forces[index], *over).rows
    # nothing moves without a force, and wells may bend every mode's decay to the end
    if plan.checks_dynamics and len(found.rates) and not found.error <= RATE_TOLERANCE:
        faults.append(f"a mode's rate is off by {found.error:.2g}")
    elif plan.checks_dynamics and not len(found.rates) and not plan.descents and plan.forces[index].any():
        faults.append("no mode's rate could be measured")
    return Part(rows, faults, run.simulation.statistics.cpu_s)


def _settle(plan: Plan, simulator: Simulator, ability: Capabilities, index: int) -> Run:
    """As compiled cells where the circuit is the equation and there are such, else element by element."""
    duration = plan.descents[index].duration if plan.descents else SETTLING / plan.slowest
    start = np.zeros(plan.network.nodes)
    if plan.circuit.technology.name != "ideal" or not takes_compiled(ability):
        return run_elements(
            simulator, ability, plan.circuit, plan.biases[index], duration, start, points=ROWS
        )
    scaling = plan.circuit.scaling
    prepared = cells(plan.network, plan.forces[index], duration, ROWS, ability, scaling, matrix=plan.matrix)
    return run_cells(simulator, prepared, start)


def _compared(plan: Plan, run: Run, index: int, rest: Array, rows: dict[str, Any]) -> tuple[Array, list[str]]:
    """Adds what the reference of quartic wells says; where the run comes to rest, and what is not met."""
    reference = plan.descents[index]
    defect = window_defect(run, reference)
    rows |= {
        "settling/local_rate": float(reference.rates[0]), "settling/path_error": path_error(run, reference),
        "settling/defect": defect, "settling/sensitivity": reference.sensitivity,
    }  # fmt: skip
    faults, remark = [], f" ({reference.close_call})" if reference.close_call else ""
    ended = equilibrium_near(plan.matrix, plan.network.quartic, plan.forces[index], run.states[-1])
    if ended is None or relative(ended, reference.rest) > SAME:
        faults.append(f"it settles in another equilibrium than the reference{remark}")
        rest = run.states[-1] if ended is None else ended
    if plan.checks_dynamics and not defect <= WINDOW_TOLERANCE:
        faults.append(
            f"on its way it parts from the reference by {defect:.2g} of the largest state in a window"
        )
    return rest, faults


def path_error(run: Run, reference: Descent) -> float:
    """The largest distance of a node on the way from where the reference has it then, over the largest at rest."""
    return float(np.abs(run.states - reference.at(run.time)).max()) / (
        float(np.abs(reference.rest).max()) or 1.0
    )


def window_defect(run: Run, reference: Descent) -> float:
    """The same where the reference starts each window at the circuit's own states: apart from sensitivity."""
    edges = np.unique(
        np.searchsorted(run.time, np.linspace(0, run.time[-1], WINDOWS + 1)).clip(max=len(run.time) - 1)
    )
    apart = [
        np.abs(reference.carried(run.states[a], float(run.time[b] - run.time[a])) - run.states[b]).max()
        for a, b in itertools.pairwise(edges.tolist())
    ]
    return float(max(apart)) / (float(np.abs(reference.rest).max()) or 1.0)
