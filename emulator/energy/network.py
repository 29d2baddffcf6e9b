"""The energy of a Langevin network that settles: from sources and active conductances, as heat, in capacitors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from emulator.energy.estimate import Estimate, NotThere, over_samples
from emulator.energy.figure import EnergyFigure, Kind, PartName, Share
from emulator.thermo.network_results import NetworkResults
from netlists.bias import amperes
from netlists.core import Array
from netlists.network_circuit import NetworkCircuit
from netlists.network_power import power_forms

CONVERTER_VOLTS = 1.0


@dataclass(frozen=True)
class NetworkEnergy:
    """Joules of one input, from the step of its forces on.

    Attributes:
        seconds: over which they are taken.
        bias: from the sources of the forces into the nodes.
        own: delivered by the nodes' active conductances to ground.
        couplings: delivered by active couplings and transconductors; below 0 where they absorb more.
        heat: in all passive elements.
        stored: in the nodes' capacitors at the end, less that at the start.
        bias_charge: coulomb that the converters of the forces draw: their full scale, whatever their code; of ideal
            sources what they give.
    """

    seconds: float
    bias: float
    own: float
    couplings: float
    heat: float
    stored: float
    bias_charge: float

    @property
    def rows(self) -> dict[str, float]:
        """By dataset of a network's results."""
        return {f"energy/{name}": value for name, value in asdict(self).items()}


def network_energy(circuit: NetworkCircuit, force: Array, time: Array, states: Array) -> NetworkEnergy:
    """The energies of a transient.

    Args:
        circuit: that ran.
        force: (N,) as its sources make it.
        time: (P,) model times, ascending.
        states: (P, N) at these.
    """
    scaling, technology = circuit.scaling, circuit.technology
    forms, quartic = power_forms(circuit.conductances, scaling), _quartic(circuit)
    share = scaling.volts**2 / len(technology.rails)
    joules = scaling.capacitance * share

    def form(matrix: Array) -> float:
        return float(np.trapezoid(((states @ matrix) * states).sum(axis=1), time)) * joules

    wells = float(np.trapezoid(4 * states**4 @ quartic, time)) * joules
    seconds = scaling.seconds(float(time[-1] - time[0]))
    converter = circuit.converter
    full = np.full_like(force, converter.full_scale) if converter is not None else np.abs(force)
    return NetworkEnergy(
        seconds=seconds,
        bias=float(np.trapezoid(states @ force, time)) * joules,
        own=form(forms.own),
        couplings=form(forms.couplings),
        heat=form(forms.heat) + wells,
        stored=float(states[-1] @ states[-1] - states[0] @ states[0]) / 2 * joules,
        bias_charge=float(amperes(full, scaling, technology).sum()) * seconds,
    )


def until(time: Array, states: Array, end: float, longer: float = 0.0) -> tuple[Array, Array]:
    """A transient up to a model time (NaN: all of it) and ``longer`` beyond: as it goes on, and held as it ends."""
    stop = (end if np.isfinite(end) else float(time[-1])) + longer
    if stop == time[-1]:
        return time, states
    last = np.array([np.interp(stop, time, column) for column in states.T])
    kept = time < stop
    return np.append(time[kept], stop), np.vstack([states[kept], last])


def network_figure(
    rows: Mapping[str, Array], name: str, converter_volts: float = CONVERTER_VOLTS, averaged: bool = False
) -> EnergyFigure | NotThere:
    """Joules an input; the converters' by a model, their charge times ``converter_volts``.

    Args:
        rows: ``energy/*`` of the inputs.
        name: of the network, in a few words.
        converter_volts: supply of the converters that make the forces.
        averaged: whether the energies go on for a readout's average, for which the transient is held at its end.
    """
    taken = rows["energy/bias"] + rows["energy/own"]
    nodes = over_samples(np.maximum(taken, 0.0))
    couplers = over_samples(np.maximum(rows["energy/couplings"], 0.0))
    left = converter_volts * rows["energy/bias_charge"] - rows["energy/bias"]
    converters = over_samples(left)
    if nodes is None or couplers is None or converters is None:
        return NotThere("no input has an energy: none was let settle")
    if converters.joules < 0:
        return NotThere(
            f"at {converter_volts:g} V converters would take less than they give: they need a higher supply"
        )
    seconds = rows["energy/seconds"][np.isfinite(rows["energy/seconds"])]
    held = ": settling as simulated, then at rest while a readout averages" if averaged else ""
    over = f"∫ i v dt over {np.mean(seconds):.3g} s{held}; {nodes.said}, of"
    shares: tuple[tuple[PartName, Estimate, Kind, str], ...] = (
        ("oscillators", nodes, Kind.CIRCUIT, f"{over} the forces' sources and the nodes' own active conductances"),
        ("couplers", couplers, Kind.CIRCUIT, f"{over} active couplings; nothing is recovered where they absorb"),
        ("digital_interface", converters, Kind.EXTRAPOLATION,
         f"bias converters: static current times a supply of {converter_volts:g} V times time, less what reaches the "
         f"nodes; {nodes.said}"),
    )  # fmt: skip
    return EnergyFigure(
        name=name,
        shares=tuple(
            Share(part=part, joules=e.joules, low=e.low, high=e.high, kind=kind, source=source)
            for part, e, kind, source in shares
        ),
        outside=_OUTSIDE,
    )


def balance(rows: Mapping[str, Array]) -> Array:
    """(S,) what is lost and stored over what is given, less 1: how far books are from closing; NaN if nothing is."""
    given = rows["energy/bias"] + rows["energy/own"] + rows["energy/couplings"]
    ended = rows["energy/heat"] + rows["energy/stored"]
    return np.asarray(np.divide(ended, given, out=np.full(len(given), np.nan), where=given != 0) - 1)


def network_measured(results: NetworkResults) -> EnergyFigure | NotThere:
    """The same of a network's results."""
    attributes = results.attributes
    return network_figure(
        results.rows,
        f"circuit simulation, Langevin network, {attributes.get('realization', 'unknown')}",
        averaged=attributes.get("noise") in ("on", "johnson"),
    )


_OUTSIDE: dict[PartName, str] = {
    "shil_and_reference_distribution": "a network has neither",
    "weight_storage_and_reload": "conductances are fixed elements: nothing stores or moves them",
    "initialisation": "the network starts discharged; what discharges it is not modelled",
    "readout_and_adc": "a behavioural model without a supply",
    "routing_capacitance": "wires have no capacitance",
}


def _quartic(circuit: NetworkCircuit) -> Array:
    return np.concatenate([module.well for module in circuit.conductances.modules])
