"""The receipt of samples drawn from a grid, group by group, from whatever is known of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from device_models.families import FAMILIES
from emulator.conclusion import completed_rows, percent
from emulator.core_facts import CORE, TAU, CoreFacts
from emulator.departures import said as departures_said
from emulator.energy.figure import Kind
from emulator.estimate import resampled, rms, share_of_codes
from emulator.levels import LC, PHASE, RING, THERMAL
from emulator.quality import FEWEST
from emulator.receipt.common import NO_FAMILY, NO_SETTINGS, files_of, only_in, training_of
from emulator.receipt.energies import energies
from emulator.receipt.facts import (
    attribute,
    counted_attribute,
    estimated,
    integer,
    json_attribute,
    missing,
    real,
    size,
    table,
    text,
)
from emulator.receipt.field import (
    Counted,
    Counts,
    Entries,
    Fact,
    Integer,
    Lines,
    NotRecorded,
    Origin,
    Recorded,
)
from emulator.receipt.groups import (
    Fidelity,
    Layout,
    Precision,
    Readout,
    SampleKind,
    Simulation,
    Substrate,
    Symmetry,
    Time,
    WeightBits,
)
from emulator.receipt.known import Known
from emulator.receipt.model import FORMAT, VERSION, GridReceipt
from emulator.receipt.sources import Sources
from emulator.receipt.stated import Stated
from emulator.recorded_settings import recorded_settings
from emulator.results import Results
from emulator.settings import RunSettings
from netlists.weights import Weights

_CELLS = {
    PHASE: "cells that are their equation: a capacitor whose voltage is the state, ideal sources as couplers",
    LC: "LC tanks with an active conductance, transconductors as couplers, a conductance pumped at twice the carrier",
    RING: "five-stage CMOS rings of level-1 transistors, tri-state inverters as couplers",
}
SEEDS = "seeds"  # an attribute in place of the seed, of samples of several
_NO_CARRIER = "the phase level has no carrier: a cell's voltage is its phase"


class Run:
    """A grid's run, with what the groups of its receipt ask for."""

    def __init__(self, sources: Sources, results: Results) -> None:
        self.results, self.attributes, self.run = results, results.attributes, sources.run
        self.settings = Known(recorded_settings(results) or missing(NO_SETTINGS))
        self.level = Path(str(self.attributes.get("level", "unknown"))).name  # of a user's cell, a path
        self.core, self.record = _core(sources), sources.record


def grid_receipt(sources: Sources, results: Results, stated: Stated) -> GridReceipt:
    """The receipt; ``stated`` is what the user says of a chip where nobody recorded it.

    Raises:
        ReceiptError: what was stated contradicts the run.
    """
    run = Run(sources, results)
    groups: dict[str, Any] = {
        "files": files_of(sources), "substrate": _substrate(run), "precision": _precision(run), "time": _time(run),
        "readout": _readout(run), "training": training_of(sources), "simulation": _simulation(run),
        "fidelity": _fidelity(run), "layout": _layout(run),
    }  # fmt: skip
    energy = energies(results, run.core, stated=stated, **groups)
    return GridReceipt(format=FORMAT, version=VERSION, of="samples of a grid", energy=energy, **groups)


def _core(sources: Sources) -> Known[CoreFacts]:
    """From the results, else from the weights file; else why from neither."""
    kept = sources.results.attributes.get(CORE)
    if kept is not None:
        try:
            return Known(CoreFacts.model_validate_json(str(kept)))
        except ValidationError:
            return Known(missing(f"the attribute {CORE} of the results can't be read"))
    if isinstance(sources.weights, Weights):
        return Known(CoreFacts.of(sources.weights.core), "weights file")
    return Known(missing(f"the results do not say it, and {sources.no_weights}"))


def _substrate(run: Run) -> Substrate:
    name = str(run.attributes.get("family", ""))
    title = f"{name}: {FAMILIES[name].title}, {FAMILIES[name].source}" if name in FAMILIES else ""
    visible = run.results.rows["samples/codes"].shape[1]  # the rows themselves say how many there are
    core, nodes = run.core, _nodes(run)
    return Substrate(
        substrate=text(cells(run.level), "run"),
        family=text(title, "run") if title else missing(NO_FAMILY),
        nodes=nodes,
        visible=integer(visible, "run"),
        hidden=integer(nodes.value - visible, "computed") if isinstance(nodes, Integer) else nodes,
        topology=core.fact(lambda core, origin: text(topology(core), origin)),
        coupling_degree=core.fact(lambda core, origin: real(core.degree_mean, origin)),
        couplers=core.fact(lambda core, origin: integer(core.couplers, origin)),
        symmetry=core.fact(symmetry),
        time_chunks=core.fact(lambda core, origin: integer(core.chunks, origin)),
    )


def _nodes(run: Run) -> Counted:
    """From the rows, where they have states: those of a campaign have none."""
    states = run.results.rows.get("samples/final")
    if states is not None:
        return integer(states.shape[1], "run")
    core = run.core.what
    return core if isinstance(core, NotRecorded) else integer(core.nodes, run.core.origin)


def cells(level: str) -> str:
    """What a cell of a level is."""
    return _CELLS.get(level, f"cells and couplers of a circuit of the user's, {level}")


def topology(core: CoreFacts) -> str:
    """Where nodes stand, and how far couplings reach."""
    return (
        f"{core.rows} x {core.columns} grid, {core.degree_min} to {core.degree_max} neighbours a node, wires of "
        f"{core.mean_wire:.3g} cell pitches on average, {core.longest_wire:g} at most (Manhattan)"
    )


def symmetry(core: CoreFacts, origin: Origin) -> Symmetry:
    """Of the couplings."""
    return Symmetry(value="symmetric" if core.symmetric else "asymmetric", origin=origin)


def _precision(run: Run) -> Precision:
    forces = None
    if json_attribute(run.attributes, "non_idealities") is not None:
        forces = {name: value for name, value, _ in departures_said(run.results)}
    unsaid = missing("the results have no attribute non_idealities that can be read")
    return Precision(
        weight_bits=run.settings.fact(
            lambda settings, origin: WeightBits(
                value=settings.non_idealities.bits or "full precision", origin=origin
            )
        ),
        noise_model=unsaid if forces is None else text(_noise(forces, run.level), "run"),
        non_idealities=unsaid if forces is None else Entries(
            value=forces or {"none": "the chip and its converter are ideal"}, origin="run"
        ),
    )  # fmt: skip


def _noise(forces: Mapping[str, str], level: str) -> str:
    kinds = {
        "noise": "white noise on every state, sigma {}",
        # of other cells it is the temperature of the elements' equations
        **({"temperature": "thermal noise of circuit elements at {}"} if level in THERMAL else {}),
        "phase_noise": "in all, phases diffuse by {}",
        "noise_step": "on a grid of {}",
    }
    found = [said.format(forces[name]) for name, said in kinds.items() if name in forces]
    return ", ".join(found) or "none: no noise drives the cells"


def _time(run: Run) -> Time:
    tau = _tau(run)
    note = "the time unit is a setting (--tau), no property of a cell" if run.level == PHASE else None
    settling = (
        missing(f"the results have no attribute {TAU}")
        if tau is None
        else run.core.fact(lambda core, _: size(core.duration * tau, "computed", note))
    )
    cycles = run.settings.fact(lambda settings, origin: _cycles(run.level, settings, origin))
    if run.level == PHASE:
        clock: Fact = missing(_NO_CARRIER)
    elif isinstance(cycles, Recorded) and isinstance(settling, Recorded):
        clock = size(cycles.value / settling.value, "computed", "cycles over settling time")
    else:
        clock = settling if isinstance(cycles, Recorded) else cycles
    return Time(
        model_time=run.core.fact(lambda core, origin: size(core.duration, origin)),
        settling_time_s=settling,
        clock_Hz=clock,
        cycles_per_sample=cycles,
    )


def _tau(run: Run) -> float | None:
    """Seconds per model time unit; at the phase level a setting."""
    try:
        return float(run.attributes[TAU])
    except (KeyError, ValueError, TypeError):
        settings = run.settings.value
        return settings.scaling.tau if settings is not None and run.level == PHASE else None


def _cycles(level: str, settings: RunSettings, origin: Origin) -> Fact:
    if level == PHASE and not settings.non_idealities.detuning:
        return missing(_NO_CARRIER)
    note = "what the detuning is in model time; there is no carrier" if level == PHASE else None
    return size(settings.oscillator.cycles, origin, note)


def _readout(run: Run) -> Readout:
    return Readout(
        readout=attribute(run.attributes, "readout"),
        image=attribute(run.attributes, "image_shape"),
        adc_bits=run.settings.fact(lambda settings, origin: integer(settings.adc.bits, origin)),
        adc_range=run.settings.fact(
            lambda settings, origin: text(f"{settings.adc.low:g} to {settings.adc.high:g}", origin)
        ),
    )


def _simulation(run: Run) -> Simulation:
    said = attribute(run.attributes, "level")
    options = json_attribute(run.attributes, "ngspice_options")
    return Simulation(
        kind=SampleKind(value=Kind.CIRCUIT, origin="run", note=f"ngspice, level {run.level}"),
        level=text(run.level, "run") if isinstance(said, Recorded) else said,
        devices=attribute(run.attributes, "devices"),
        solver_options=table(options, "run", "the results have no attribute ngspice_options"),
        settings=table(json_attribute(run.attributes, "settings"), "run", NO_SETTINGS),
        seed=counted_attribute(run.attributes, "seed")
        if SEEDS not in run.attributes
        else missing(f"the samples are of several seeds: {run.attributes[SEEDS]}"),
    )


def _fidelity(run: Run) -> Fidelity:
    rows, completed = run.results.rows, completed_rows(run.results)
    pixels = rows["samples/codes"].shape[1]
    settings = run.run.get("settings")
    asked = settings.get("samples") if isinstance(settings, Mapping) else None
    none_done = missing("no sample was simulated to the end and compared")

    def share(name: str) -> Fact:
        if not completed.any():
            return none_done
        return estimated(share_of_codes(rows[f"crosscheck/{name}"][completed], pixels), FEWEST)

    worst = [run.results.worst_window(row) for row in np.flatnonzero(completed).tolist()]
    return Fidelity(
        samples=integer(run.results.samples, "run"),
        samples_asked=integer(asked, "run") if isinstance(asked, int) and asked >= 0 else missing(
            only_in(run.record)
        ),
        verdicts=Counts(value=dict(sorted(Counter(run.results.verdicts).items())), origin="run"),
        accepted=integer(int(rows["samples/accepted"].sum()), "run"),
        demanded=run.settings.fact(lambda settings, origin: text(demanded(settings), origin)),
        codes_within_1lsb=share("codes_within_1lsb"),
        codes_within_1lsb_of_trained=share("trained_codes_within_1lsb"),
        pixel_rms=estimated(resampled(rows["crosscheck/pixel_rms"][completed], rms), FEWEST)
        if completed.any()
        else none_done,
        worst_window=real(float(np.max(worst)), "computed") if worst else none_done,
        fid=missing(
            "this program computes no FID: that takes the Inception network of its definition. ais compare gives "
            "distances in distribution"
        ),
    )  # fmt: skip


def demanded(settings: RunSettings) -> str:
    """Of every sample."""
    wanted = settings.acceptance
    share = percent(wanted.codes_within_1lsb).replace("\N{NO-BREAK SPACE}", " ")
    return (
        f"at most {wanted.worst_window_rms:g} rms defect in every window and {share} of the {settings.adc.bits}-bit "
        "codes within 1 LSB"
    )


def _layout(run: Run) -> Layout:
    caveats = [
        "drawn by nobody: no parasitics were extracted, no crosstalk, no drop along supplies",
        "injection and reference reach every cell at once and undisturbed",
        "weights change at once in the whole core, from nowhere",
    ]
    if run.level == PHASE:
        caveats.append("wires have neither length nor capacitance")
    elif (settings := run.settings.value) is not None:
        told = settings.oscillator
        caveats.append(
            f"couplers' wires have {told.wire_ff_per_um:g} fF/µm at a pitch of {told.pitch_um:g} µm, no resistance"
            if told.wire_ff_per_um
            else "couplers' wires have no capacitance (--wire-ff-per-um gives them one)"
        )
    if (core := run.core.value) is not None:
        caveats.append(
            f"{core.couplers:,} couplers need {core.couplers * core.mean_wire:,.0f} cell pitches of wire, which nobody "
            "routed"
        )
    return Layout(layout_caveats=Lines(value=tuple(caveats), origin="computed"))
