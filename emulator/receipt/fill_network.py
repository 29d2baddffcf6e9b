"""The receipt of a Langevin network's equilibria, group by group, from whatever is known of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from device_models.adc import AdcSettings
from device_models.langevin import LANGEVIN
from emulator.energy.circuit import NotThere, measured
from emulator.energy.figure import EnergyFigure, Kind
from emulator.estimate import share_of_codes
from emulator.quality import FEWEST
from emulator.receipt.claim import Circumstances, Claim, routing_budget
from emulator.receipt.common import NO_SETTINGS, NO_SILICON, files_of, training_of
from emulator.receipt.facts import (
    attribute,
    estimated,
    integer,
    json_attribute,
    missing,
    real,
    size,
    table,
    text,
)
from emulator.receipt.field import Fact, Lines, Origin, Recorded, value_of
from emulator.receipt.groups import Layout, SampleKind
from emulator.receipt.known import Known
from emulator.receipt.model import FORMAT, VERSION, NetworkReceipt
from emulator.receipt.network_groups import (
    NetworkEnergy,
    NetworkFidelity,
    NetworkPrecision,
    NetworkReadout,
    NetworkSimulation,
    NetworkSubstrate,
    NetworkTime,
)
from emulator.receipt.sources import Sources
from emulator.si import si
from emulator.thermo.network_facts import ADC, NETWORK, NetworkFacts
from emulator.thermo.network_plan import NetworkRunSettings
from emulator.thermo.network_results import NetworkResults
from netlists.network_file import NetworkFile

_NOT_SETTLED = "no input's settling was simulated (--settle)"
_NEGATIVE = {
    "ideal": "voltage-controlled sources where a conductance is negative",
    "passive": "no negative conductance",
    "differential": "pairs of rails, crossed where a conductance is negative",
    "ota": "transconductance amplifiers where a conductance is negative",
}


def network_receipt(sources: Sources, results: NetworkResults) -> NetworkReceipt:
    """The receipt of a network's run."""
    network, settings = _network(sources), _settings(results.attributes)
    groups: dict[str, Any] = {
        "files": files_of(sources), "substrate": _substrate(results, network),
        "precision": _precision(results, settings), "time": _time(results, network, settings),
        "readout": _readout(results, settings), "training": training_of(sources),
        "simulation": _simulation(results, settings), "fidelity": _fidelity(results), "layout": _layout(),
    }  # fmt: skip
    return NetworkReceipt(
        format=FORMAT, version=VERSION, of="equilibria of a Langevin network", energy=_energy(results, groups), **groups
    )  # fmt: skip


def _network(sources: Sources) -> Known[NetworkFacts]:
    kept = sources.results.attributes.get(NETWORK)
    if kept is not None:
        try:
            return Known(NetworkFacts.model_validate_json(str(kept)))
        except ValidationError:
            return Known(missing(f"the attribute {NETWORK} of the results can't be read"))
    if isinstance(sources.weights, NetworkFile):
        return Known(NetworkFacts.of(sources.weights.substrate), "weights file")
    return Known(missing(f"the results do not say it, and {sources.no_weights}"))


def _settings(attributes: Mapping[str, Any]) -> Known[NetworkRunSettings]:
    try:
        return Known(NetworkRunSettings.model_validate_json(str(attributes.get("settings", ""))))
    except ValidationError:
        return Known(missing(NO_SETTINGS))


def _substrate(results: NetworkResults, network: Known[NetworkFacts]) -> NetworkSubstrate:
    nodes = results.rows["rest/circuit"].shape[1]
    visible = results.rows["readout/codes"].shape[1]
    made = _NEGATIVE.get(str(results.attributes.get("realization")), "of what is not said")
    return NetworkSubstrate(
        substrate=text(f"capacitors joined by conductances; {made}", "run"),
        family=text(f"{LANGEVIN.family}: {LANGEVIN.title}, {LANGEVIN.source}", "run"),
        modules=network.fact(lambda known, origin: table(known.modules, origin, "there are no modules")),
        nodes=integer(nodes, "run"),
        visible=integer(visible, "run"),
        hidden=integer(nodes - visible, "computed"),
        topology=network.fact(lambda known, origin: text(_topology(known), origin)),
        skip_ranks=network.fact(lambda known, origin: text(_ranks(known), origin)),
        couplings=network.fact(lambda known, origin: integer(known.couplings, origin)),
        coupling_degree=network.fact(lambda known, origin: real(2 * known.couplings / known.nodes, origin)),
        symmetry=text("symmetric: a coupling is a term of the potential", "computed"),
        temperature_kt=network.fact(lambda known, origin: real(known.kt, origin)),
        interface_parameters=network.fact(_interface),
        realization=attribute(results.attributes, "realization"),
    )


def _interface(network: NetworkFacts, origin: Origin) -> Fact:
    if network.interface_parameters is None:
        return missing("the weights file holds no digital interface")
    return integer(network.interface_parameters, origin)


def _ranks(network: NetworkFacts) -> str:
    found = [f"{rank} ({what})" for rank, what in zip(network.ranks, network.skips, strict=True)]
    return ", ".join(found) or "none: modules are not joined"


def _topology(network: NetworkFacts) -> str:
    wells = (
        f"{network.quartic} of {network.nodes} nodes in quartic wells"
        if network.quartic
        else "quadratic wells"
    )
    joined = f"; skips between {' and between '.join(network.skips)}" if network.skips else ""
    return f"{len(network.modules)} modules, each coupled within{joined}; {wells}"


def _precision(results: NetworkResults, settings: Known[NetworkRunSettings]) -> NetworkPrecision:
    remarks = str(results.attributes.get("remarks", ""))
    made = "some were set to the nearest that can be made" if "clipped" in remarks else "all as wanted"

    def bits(known: NetworkRunSettings, origin: Origin) -> Fact:
        given = known.circuit.bias_bits
        return text("none: ideal sources" if given is None else f"{given} bits", origin)

    return NetworkPrecision(
        bias_bits=settings.fact(bits),
        noise_model=settings.fact(
            lambda known, origin: text(_noise(results.attributes, known.noise), origin)
        ),
        conductances=text(made, "run"),
    )


def _noise(attributes: Mapping[str, Any], asked: str) -> str:
    step = attributes.get("noise_step")
    grid = f", on a grid of {f'{step:.4g}' if isinstance(step, float) else 'unknown'} model time units"
    return {
        "off": "none: no noise drives the nodes",
        "on": f"white and isotropic, at the temperature of the network{grid}",
        "johnson": f"thermal noise of every conductance{grid}",
    }[asked]


def _time(
    results: NetworkResults, network: Known[NetworkFacts], settings: Known[NetworkRunSettings]
) -> NetworkTime:
    settled = results.rows["settling/time"]
    settled = settled[np.isfinite(settled)]

    def settling(known: NetworkRunSettings, _: Origin) -> Fact:
        if not len(settled):
            tried = "no input settled to 1 % while it was simulated"
            return missing(tried if _settled(results) else _NOT_SETTLED)
        seconds = float(np.median(settled)) * known.circuit.scaling.tau
        return real(seconds, "computed", f"over {len(settled)} inputs")

    def averaging(known: NetworkRunSettings, _: Origin) -> Fact:
        if known.noise == "off":
            return missing("without noise nothing is averaged")
        said = f"{known.averaging:g} time constants of the slowest mode of the network as trained"
        seconds = known.averaging * known.circuit.scaling.tau
        unbound = missing("nothing holds the slowest mode of the network as trained")
        return network.fact(
            lambda found, _: (
                size(seconds / found.slowest_rate, "computed", said) if found.slowest_rate else unbound
            )
        )

    return NetworkTime(
        time_unit_s=settings.fact(lambda known, origin: size(known.circuit.scaling.tau, origin)),
        settling_time_s=settings.fact(settling),
        averaging_s=settings.fact(averaging),
    )


def _readout(results: NetworkResults, settings: Known[NetworkRunSettings]) -> NetworkReadout:
    try:
        adc = AdcSettings.model_validate(json_attribute(results.attributes, ADC))
    except ValidationError:
        adc = None
    said = {True: "the state at rest", False: "the state, averaged under noise"}
    return NetworkReadout(
        readout=settings.fact(lambda known, origin: text(said[known.noise == "off"], origin)),
        adc_bits=settings.fact(lambda known, origin: integer(known.adc_bits, origin)),
        adc_range=missing("the results do not say which range the converter had")
        if adc is None
        else text(f"{adc.low:g} to {adc.high:g}", "run"),
    )


def _simulation(results: NetworkResults, settings: Known[NetworkRunSettings]) -> NetworkSimulation:
    said = json_attribute(results.attributes, "settings")
    return NetworkSimulation(
        kind=SampleKind(value=Kind.CIRCUIT, origin="run", note="ngspice: operating points and transients"),
        inputs=attribute(results.attributes, "inputs"),
        inputs_sha256=attribute(results.attributes, "inputs_sha256"),
        settings=table(said, "run", NO_SETTINGS),
        seed=settings.fact(lambda known, origin: integer(known.seed, origin)),
    )


def _fidelity(results: NetworkResults) -> NetworkFidelity:
    rows, settled = results.rows, _settled(results)
    codes = share_of_codes(rows["readout/codes_within_1lsb"], rows["readout/codes"].shape[1])
    return NetworkFidelity(
        inputs=integer(results.inputs, "run"),
        accepted=integer(int(rows["verdict/accepted"].sum()), "run"),
        rest_error=_worst(rows["rest/error"], "no operating point was found"),
        rest_error_trained=_worst(rows["rest/error_network"], "the trained network has several equilibria"),
        rate_error=_worst(rows["settling/rate_error"], "no mode's rate was measured" if settled else _NOT_SETTLED),
        path_error=_worst(
            rows["settling/path_error"], "wells are quadratic: rates say it all" if settled else _NOT_SETTLED
        ),
        covariance_error=_worst(rows["equilibrium/covariance_error"], "no equilibrium was sampled under noise"),
        noise_defect=_worst(rows["equilibrium/defect"], "no equilibrium was sampled under noise"),
        codes_within_1lsb=estimated(codes, FEWEST),
    )  # fmt: skip


def _settled(results: NetworkResults) -> bool:
    """Whether the settling of any input was simulated."""
    return bool(np.isfinite(results.rows["settling/row_time"]).any())


def _worst(values: Any, reason: str) -> Fact:
    found = values[np.isfinite(values)]
    return real(float(found.max()), "computed") if len(found) else missing(reason)


def _layout() -> Layout:
    return Layout(
        layout_caveats=Lines(
            value=(
                "drawn by nobody: no parasitics were extracted, no crosstalk, no drop along supplies",
                "wires have neither length nor capacitance, but for what --bus-capacitance gives the summing buses",
            ),
            origin="computed",
        )
    )


def _energy(results: NetworkResults, groups: Mapping[str, Any]) -> NetworkEnergy:
    """What was simulated by itself, and with the converters, which are a model, what that makes an extrapolation."""
    found = measured(results)
    if isinstance(found, NotThere):
        simulated = modelled = missing(found.reason)
        return NetworkEnergy(
            measured_silicon=missing(NO_SILICON), circuit_simulation=simulated, extrapolation=modelled
        )
    judge = NetworkFacts.judge(results.attributes)
    return NetworkEnergy(
        measured_silicon=missing(NO_SILICON),
        circuit_simulation=_claim(found.simulated(), judge, **groups),
        extrapolation=_claim(found, judge, **groups),
    )


def _claim(
    found: EnergyFigure, judge: str, *, substrate: NetworkSubstrate, precision: NetworkPrecision, time: NetworkTime,
    readout: NetworkReadout, fidelity: NetworkFidelity, **_: Any,
) -> Claim:  # fmt: skip
    """An energy with what it holds under."""
    settled = time.settling_time_s
    waited = f", settled after {si(settled.value, 's')}" if isinstance(settled, Recorded) else ""
    averaged = time.averaging_s
    waited += f", averaged over {si(averaged.value, 's')}" if isinstance(averaged, Recorded) else ""
    return Claim.of(found, Circumstances(
        physical_model=f"{value_of(substrate.substrate)}, simulated in ngspice",
        routing_budget=routing_budget(found),
        precision=f"forces' converters {value_of(precision.bias_bits) or 'not recorded'}, a readout of "
        f"{value_of(readout.adc_bits) or 'unknown'} bits",
        workload=f"one input of {value_of(substrate.nodes)} nodes{waited}",
        fidelity_target=f"as {judge} says: {value_of(fidelity.accepted)} of {value_of(fidelity.inputs)} inputs",
    ))  # fmt: skip
