"""What receipts of grids and of networks are filled with alike: files and versions, and the training's provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.core_facts import PROVENANCE
from emulator.receipt.facts import attribute, json_attribute, missing, table, text
from emulator.receipt.groups import Files, Training
from emulator.receipt.sources import Sources

# Attributes of a weights file that say what a field of ``Training`` asks for; the first that is there
TRAINING: Mapping[str, tuple[str, ...]] = {
    "dataset": ("dataset",),
    "objective": ("objective",),
    "discriminator": ("discriminator",),
    "ode_solver": ("ode_solver", "solver"),
    "training_seed": ("seed", "training_seed"),
    "fid_protocol": ("fid_protocol",),
    "baseline_reproduction": ("baseline_reproduction", "baseline"),
    "training_energy_boundary": ("training_energy_boundary", "training_energy"),
}

NO_SETTINGS = "the results hold no settings that this version can read"
NO_SILICON = "this program simulates circuits; it measures none"
NO_FAMILY = "the results name no family that this version knows"


def only_in(record: str) -> str:
    """The reason where a record would say something, and is not there."""
    return f"only {record} says it, and it does not lie beside the results"


def training_of(sources: Sources) -> Training:
    """What the weights file says of its training: as the results or ``run.json`` kept it, or as it stands there."""
    kept = json_attribute(sources.results.attributes, PROVENANCE)
    told = sources.run.get("weights")
    if kept is not None:
        return training(kept)
    if sources.weights is not None:
        return training(sources.weights.provenance)
    if isinstance(told, Mapping) and isinstance(told.get("provenance"), Mapping):
        return training(told["provenance"])
    nobody = missing(f"the results do not say it, and {sources.no_weights}")
    return Training(**dict.fromkeys(Training.model_fields, nobody))


def training(provenance: Mapping[str, Any]) -> Training:
    """The fields of a weights file's attributes."""
    found: dict[str, Any] = {}
    for name, attributes in TRAINING.items():
        said = [key for key in attributes if str(provenance.get(key, "")).strip()]
        found[name] = (
            text(provenance[said[0]], "weights file")
            if said
            else missing(f"the weights file has no attribute {' or '.join(attributes)}")
        )
    known = {key for keys in TRAINING.values() for key in keys}
    rest = {key: value for key, value in provenance.items() if key not in known}
    return Training(**found, further=table(rest, "weights file", "the weights file has no other attributes"))


def files_of(sources: Sources) -> Files:
    """Names, hashes, versions."""
    run, attributes = sources.run, sources.results.attributes
    finished = run.get("finished")
    no_end = (
        "the run is not finished" if run.get("state") == "running" else f"{sources.record} does not say it"
    )
    return Files(
        weights_file=attribute(attributes, "weights"),
        weights_sha256=attribute(attributes, "weights_sha256"),
        netlist_sha256=attribute(attributes, "netlist_sha256"),
        program_version=attribute(attributes, "emulator_version"),
        ngspice_version=attribute(attributes, "ngspice_version"),
        finished=text(finished, "run") if finished else missing(no_end if run else only_in(sources.record)),
    )
