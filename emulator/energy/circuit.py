"""The energy of a sample as the circuit simulation had it, and scaled to a core of another size."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from emulator.energy.estimate import NotThere as NotThere
from emulator.energy.estimate import over_samples
from emulator.energy.figure import EnergyFigure, Kind, PartName, Share
from emulator.energy.metering import ATTRIBUTE, Metering
from emulator.energy.network import network_measured
from emulator.results import Results
from emulator.thermo.network_results import NetworkResults

OSCILLATORS, COUPLERS, INJECTION = "energy/oscillators", "energy/couplers", "energy/injection"
DATASETS: Mapping[str, PartName] = {
    OSCILLATORS: "oscillators", COUPLERS: "couplers", INJECTION: "shil_and_reference_distribution"
}  # fmt: skip


def metering(results: Results) -> Metering | NotThere:
    """What the energies of these results mean."""
    if results.attributes.get("level") == "phase":
        return NotThere(
            "at the phase level a cell is an equation and draws no current: take --level ring, or lc for what its "
            "active elements deliver"
        )
    kept = results.attributes.get(ATTRIBUTE)
    if kept is None:
        return NotThere(
            "these results do not say what their energies mean, as those of later versions do: run again"
        )
    try:
        return Metering.model_validate_json(str(kept))
    except ValidationError as error:
        return NotThere(
            f"the attribute {ATTRIBUTE!r} of these results can't be read: {error.errors()[0]['msg']}"
        )


def measured(results: Results | NetworkResults) -> EnergyFigure | NotThere:
    """Joules a sample of a run, from the supplies of its cells or, of LC tanks and networks, as delivered to them.

    Of every sample whose simulation completed, accepted or not.
    """
    if isinstance(results, NetworkResults):
        return network_measured(results)
    told = metering(results)
    if isinstance(told, NotThere):
        return told
    return _figure(results, told, dict.fromkeys(DATASETS, 1.0), "", Kind.CIRCUIT)


def scaled_to(
    results: Results, nodes: int, couplings: int, cycles: float | None = None
) -> EnergyFigure | NotThere:
    """The same for a core of another size: what an oscillator takes a cycle, and a coupling a sample, times how many.

    A coupling's energy does not go with the cycles: it has to turn phases by as much in a sample, however many cycles
    that takes, and is sized the weaker for it. Neither does the injection's. It is an extrapolation: that other weights
    take what those of the run do is assumed, and the interval is of the run's samples alone.

    Args:
        results: of a run.
        nodes: oscillators of the core.
        couplings: weights of the core, each direction counted: nodes times degree.
        cycles: of the carrier a sample takes; None: as many as the run.
    """
    told = metering(results)
    if isinstance(told, NotThere):
        return told
    longer = 1.0 if cycles is None else cycles / told.cycles
    larger = nodes / told.oscillators
    factors = {OSCILLATORS: longer * larger, INJECTION: larger}
    if told.couplings:
        factors[COUPLERS] = couplings / told.couplings
    elif couplings:
        return NotThere("the run has no couplings, so what one takes is not known")
    said = (
        f", scaled from {told.oscillators} oscillators, {told.couplings} couplings and {told.cycles:g} cycles to "
        f"{nodes}, {couplings} and {told.cycles * longer:g}"
    )
    return _figure(results, told, factors, said, Kind.EXTRAPOLATION)


def _figure(
    results: Results, told: Metering, factors: Mapping[str, float], scaled: str, kind: Kind
) -> EnergyFigure | NotThere:
    sources = _SOURCES[told.meaning]
    shares = []
    outside = _outside(told)
    whats = {
        OSCILLATORS: told.cell,
        COUPLERS: told.coupler,
        INJECTION: "drivers into cells, without their lines",
    }
    for dataset, part in DATASETS.items():
        found = over_samples(results.rows[dataset])
        if found is None or dataset not in factors:
            continue
        if found.joules < 0:
            outside[part] = "they give their supply back more than they take from it"
            continue
        factor = factors[dataset]
        shares.append(Share(
            part=part, joules=factor * found.joules, low=factor * found.low, high=factor * found.high, kind=kind,
            source=f"{sources} ({whats[dataset]}), {found.said}{scaled}",
        ))  # fmt: skip
        outside.pop(part, None)
    if not any(share.part == "oscillators" for share in shares):
        return NotThere("no sample has an energy: none completed, or the cell has no supply")
    of = "circuit simulation" if kind is Kind.CIRCUIT else "extrapolation of a circuit simulation"
    name = f"{of}, {told.oscillators} oscillators, {told.meaning}{scaled}"
    return EnergyFigure(name=name, shares=tuple(shares), outside=outside)


_SOURCES = {
    "supplied": "current of their supply times its voltage, over the run",
    "delivered": "what active elements without a supply deliver to the tanks, by their cycles' mean power: "
    "a lower bound of any supply's energy, as no efficiency is assumed",
}


def _outside(told: Metering) -> dict[PartName, str]:
    """What no element with a supply stands for, with the reasons; couplers too, unless they turn out to have one."""
    return {
        "couplers": "they have no supply of their own in this circuit",
        "shil_and_reference_distribution": "lines are ideal voltage sources, their drivers ideal transconductors: they "
        "have no supply",
        "weight_storage_and_reload": "weights are parameters of the netlist: nothing stores or moves them",
        "initialisation": "cells start at their phases by initial conditions, which costs nothing",
        "readout_and_adc": "a behavioural model without a supply",
        "digital_interface": "not modelled",
        "routing_capacitance": (
            "the wires' charge is in the shares of the oscillators and couplers that drive them"
            if told.wires
            else "wires have no capacitance at this level"
            if told.meaning == "delivered"
            else "wires have no capacitance in this run; --pitch-um and --wire-ff-per-um give them one"
        ),
    }
