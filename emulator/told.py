"""What results say of the run that they are of: their attributes.

What weights say, and what settings say, is the same in every run of them; the rest only a plan knows.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Any

import numpy as np

from emulator.core_facts import CORE, PROVENANCE, TAU, CoreFacts, told_provenance
from emulator.departures import departures
from emulator.energy.metering import ATTRIBUTE
from emulator.ngspice import Capabilities
from emulator.plan import Plan
from emulator.settings import WHILE_RUNNING
from netlists.as_built_facts import facts
from netlists.printable import printable
from netlists.weights import Weights

# what devices were taken counts, not how they were asked for
_ASKED = frozenset({"devices", "jacobian"})


def identity_of(plan: Plan, ability: Capabilities) -> dict[str, Any]:
    """What bears on the numbers: hashes, versions, options, settings; flat, for attributes and comparison."""
    netlist = plan.realisation.deck(np.zeros(plan.weights.core.nodes), plan.noise(0)).text
    return {
        "weights_sha256": plan.weights.sha256,
        "netlist_sha256": hashlib.sha256(netlist.encode()).hexdigest(),
        "emulator_version": version("ais-emulator"),
        "ngspice_version": str(ability.version),
        "ngspice_options": plan.realisation.options.model_dump_json(),
        **of_settings(plan.settings.model_dump(mode="json")),
        "devices": plan.realisation.devices,
        "jacobian": plan.realisation.jacobian,
        "family": plan.weights.core.family_name,
        "non_idealities": json.dumps(departures(plan.settings) | _noise(plan)),
    }


def told(plan: Plan) -> dict[str, Any]:
    """What results say beyond their identity."""
    found = {**of_weights(plan.weights), TAU: repr(plan.realisation.tau)}
    del found["weights_sha256"], found["family"]  # of the identity
    if done := facts(plan.built):
        found["as_built"] = json.dumps(dict(done))
    if plan.realisation.metering is not None:
        found[ATTRIBUTE] = plan.realisation.metering.model_dump_json()
    if plan.realisation.rungs:
        rungs = [
            {"name": rung.name, "assumption": rung.assumption, "predicted": rung.predicted}
            for rung in plan.realisation.rungs
        ]
        found["ladder"] = json.dumps(rungs)
    return found


def of_weights(weights: Weights) -> dict[str, Any]:
    """Attributes that follow from a weights file alone."""
    core = weights.core
    found: dict[str, Any] = {
        "weights": printable(weights.path.name),
        "weights_sha256": weights.sha256,
        "family": core.family_name,
        "readout": core.readout,
        CORE: CoreFacts.of(core).model_dump_json(),
        PROVENANCE: told_provenance(weights.provenance),
    }
    if core.image_shape is not None:
        found["image_shape"] = f"{core.image_shape[0]} x {core.image_shape[1]}"
    return found


def of_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Attributes that follow from settings alone; given as JSON has all of them."""
    bearing = {name: value for name, value in settings.items() if name not in WHILE_RUNNING | _ASKED}
    return {
        "seed": bearing.pop("seed"), "level": bearing.pop("level"), "settings": json.dumps(bearing),
    }  # fmt: skip


def of_circuit(plan: Plan, ability: Capabilities) -> dict[str, Any]:
    """Attributes that follow from neither: what only the plan of a circuit knows."""
    known = of_weights(plan.weights).keys() | of_settings(plan.settings.model_dump(mode="json")).keys()
    whole = identity_of(plan, ability) | told(plan)
    return {name: value for name, value in whole.items() if name not in known}


def _noise(plan: Plan) -> dict[str, Any]:
    """Value and unit of the noise, in the state's own unit, and of its grid, whoever chose it."""
    asked, step = plan.settings.non_idealities.noise, plan.realisation.noise_step
    if step is None:
        return {}
    unit = plan.weights.core.family.state.unit
    said = f"{'' if unit == '1' else f'{unit} '}per root of model time unit"
    whole = plan.realisation.phase_noise
    return {
        **({"noise": {"value": asked, "unit": said}} if asked else {}),
        # thermal noise of elements is in it
        **({"phase_noise": {"value": whole, "unit": said}} if whole not in (None, asked) else {}),
        "noise_step": {"value": step, "unit": "model time units"},
    }
