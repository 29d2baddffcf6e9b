"""The energies of a receipt: what each kind of number is computed from, what it holds under, or why there is none."""

from __future__ import annotations

import math
from typing import Any

from pydantic import ValidationError

from device_models.families import FAMILIES
from emulator.core_facts import CoreFacts
from emulator.energy.circuit import NotThere, measured
from emulator.energy.extrapolation import as_published
from emulator.energy.figure import EnergyFigure
from emulator.energy.of_core import cell_weights
from emulator.energy.settings import EnergySettings
from emulator.energy.terms import with_terms
from emulator.receipt.claim import Circumstances, Claim, routing_budget
from emulator.receipt.common import NO_FAMILY, NO_SILICON
from emulator.receipt.facts import integer, missing, real, size
from emulator.receipt.field import Fact, NotRecorded, Recorded, value_of
from emulator.receipt.groups import Basis, Energy, Fidelity, Precision, Readout, Substrate, Time, Training
from emulator.receipt.known import Known
from emulator.receipt.model import ReceiptError
from emulator.receipt.stated import Stated
from emulator.results import Results

_BITS = tuple(str(bits) for bits in range(1, 17))
_INFERRED = "phase oscillators whose power was inferred from three published figures"
_FULL = "the weights have full precision, and the extrapolation is a power for each number of bits"


def energies(
    results: Results, core: Known[CoreFacts], *, stated: Stated,
    substrate: Substrate, precision: Precision, time: Time, readout: Readout, training: Training, fidelity: Fidelity,
    **_: Any,
) -> Energy:  # fmt: skip
    """Joules a sample.

    Args:
        results: of a grid.
        core: its counts.
        stated: what the user says.
        substrate, precision, time, readout, training, fidelity: groups of the same receipt.

    Raises:
        ReceiptError: what was stated contradicts the run.
    """
    basis = Basis(
        nodes=substrate.nodes,
        degree=substrate.coupling_degree,
        bits=_bits(precision, training, stated),
        clock_Hz=_stated("f0", time.clock_Hz, stated.f0),
        cycles=_stated("cycles", time.cycles_per_sample, stated.cycles),
        chunks=substrate.time_chunks,
        visible=substrate.visible,
        adc_bits=readout.adc_bits,
        symmetry=substrate.symmetry,
        wire_pitches=core.fact(lambda core, origin: real(core.mean_wire, origin)),
        cell_weights=_cell_weights(results),
    )  # fmt: skip
    target = _fidelity_target(fidelity)
    found = measured(results)
    if isinstance(found, NotThere):
        circuit: Claim | NotRecorded = missing(found.reason)
    else:
        circuit = Claim.of(found, Circumstances(
            physical_model=f"{value_of(substrate.substrate)}, simulated in ngspice",
            routing_budget=routing_budget(found),
            precision=_precision(value_of(precision.weight_bits), readout),
            workload=_workload(substrate, time.settling_time_s, time.cycles_per_sample, time.clock_Hz),
            fidelity_target=target,
        ))  # fmt: skip
    published, with_rest = _extrapolations(results, basis, substrate, precision, readout, target)
    return Energy(
        basis=basis, measured_silicon=missing(NO_SILICON), circuit_simulation=circuit, extrapolation=published,
        extrapolation_with_terms=with_rest,
    )  # fmt: skip


def _bits(precision: Precision, training: Training, stated: Stated) -> Fact:
    """Of the run; else those that the weights were trained for; else what is stated."""
    held: Fact = precision.weight_bits
    if isinstance(held, Recorded):
        trained = (value_of(training.further) or {}).get("bits", "")
        if held.value != "full precision":
            held = integer(held.value, held.origin)
        elif trained in _BITS:
            held = integer(int(trained), "weights file", "trained for; the run held them in full precision")
        else:
            held = missing(_FULL)
    return _stated("bits", held, stated.bits)


def _stated(option: str, fact: Fact, given: float | None) -> Fact:
    """A fact, or in its place what the user states.

    Raises:
        ReceiptError: the run says another value.
    """
    if isinstance(fact, Recorded):
        if given is not None and not math.isclose(given, fact.value, rel_tol=1e-9):
            raise ReceiptError(f"--{option} {given:g}: the run says {fact.value:g}; leave the option out")
        return fact
    if given is None:
        return missing(f"{fact.not_recorded}; --{option} states a chip's")
    return _said(given, fact.not_recorded)


def _said(given: float, reason: str) -> Fact:
    note = f"not of the run: {reason}"
    if isinstance(given, int):
        return integer(given, "stated by the user", note)
    return size(given, "stated by the user", note)


def _cell_weights(results: Results) -> Fact:
    """Weights that a cell itself loads for each chunk."""
    family = FAMILIES.get(str(results.attributes.get("family")))
    if family is None:
        return missing(NO_FAMILY)
    return integer(cell_weights(family), "computed")


def _extrapolations(
    results: Results, basis: Basis, substrate: Substrate, precision: Precision, readout: Readout, target: str
) -> tuple[Claim | NotRecorded, Claim | NotRecorded]:
    """As published, and with what that leaves out."""
    family = FAMILIES.get(str(results.attributes.get("family")))
    if family is None or not family.state.periodic:
        what = "cells of an unknown family" if family is None else f"cells of the family {family.family}"
        reason = missing(f"the published extrapolation is one of phase oscillators; these are {what}")
        return reason, reason
    lacking = [
        f"{field.title}: {fact.not_recorded}"
        for name, field in Basis.model_fields.items()
        if isinstance(fact := getattr(basis, name), NotRecorded)
    ]
    if lacking:
        needs = f"it needs what nobody recorded. {'. '.join(lacking)}"
        return missing(needs), missing("it starts from the extrapolation as published, which is not there")
    try:
        return _figures(basis, substrate, precision, readout, target)
    except ValidationError as error:
        reason = missing(f"the facts do not fit one another: {error.errors()[0]['msg']}")
        return reason, reason


def _figures(
    basis: Basis, substrate: Substrate, precision: Precision, readout: Readout, target: str
) -> tuple[Claim, Claim]:
    """Both, where all that they need is there.

    Raises:
        ValidationError: numbers that can't belong to one core, or energies beyond all numbers.
    """
    settings = EnergySettings.model_validate({
        "nodes": value_of(basis.nodes), "mean_degree": value_of(basis.degree), "bits": value_of(basis.bits),
        "f0_hz": value_of(basis.clock_Hz), "cycles": value_of(basis.cycles), "chunks": value_of(basis.chunks),
        "visible": value_of(basis.visible), "adc_bits": value_of(basis.adc_bits),
        "symmetric": value_of(basis.symmetry) == "symmetric", "wire_pitches": value_of(basis.wire_pitches),
        "cell_weights": value_of(basis.cell_weights),
    })  # fmt: skip
    simulated = value_of(precision.weight_bits)
    seen = target if simulated == settings.bits else f"{target}, of samples with {_weights(simulated)}"

    def claim(figure: EnergyFigure, model: str) -> Claim:
        return Claim.of(figure, Circumstances(
            physical_model=model, routing_budget=routing_budget(figure), precision=_precision(settings.bits, readout),
            workload=_workload(substrate, missing("not in the extrapolation"), basis.cycles, basis.clock_Hz),
            fidelity_target=seen,
        ))  # fmt: skip

    return (
        claim(as_published(settings), _INFERRED),
        claim(with_terms(settings), f"{_INFERRED}, and assumptions with ranges for all else"),
    )


def _weights(bits: int | str | None) -> str:
    return (
        f"weights of {bits} bits"
        if isinstance(bits, int)
        else f"weights of {bits or 'a precision not recorded'}"
    )


def _precision(bits: int | str | None, readout: Readout) -> str:
    adc = value_of(readout.adc_bits)
    return f"{_weights(bits)}, a readout of {f'{adc} bits' if adc else 'a resolution not recorded'}"


def _workload(substrate: Substrate, settling: Fact, cycles: Fact, clock: Fact) -> str:
    """What one sample takes; what was not recorded is left out, as the receipt says it elsewhere."""
    nodes = substrate.nodes
    said = [
        f"{nodes.value:,} oscillators"
        if isinstance(nodes, Recorded)
        else "oscillators, not recorded how many"
    ]
    if isinstance(substrate.coupling_degree, Recorded):
        said.append(f"{substrate.coupling_degree.value:.3g} couplings each")
    if isinstance(substrate.time_chunks, Recorded):
        said.append(f"{substrate.time_chunks.value} time chunks")
    if isinstance(cycles, Recorded):
        at = f" at {clock.value / 1e6:.4g} MHz" if isinstance(clock, Recorded) else ""
        said.append(f"{cycles.value:g} cycles{at}")
    if isinstance(settling, Recorded):
        said.append(f"{settling.value * 1e6:.4g} µs")
    return ", ".join(said)


def _fidelity_target(fidelity: Fidelity) -> str:
    """What was demanded of the samples, and how many reached it."""
    demanded = value_of(fidelity.demanded) or "nothing that was recorded"
    return f"{demanded}: {value_of(fidelity.accepted)} of {value_of(fidelity.samples)} samples"
