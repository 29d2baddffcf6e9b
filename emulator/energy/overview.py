"""All there is to say of a core's energy: figures, what they rest on, and remarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emulator.energy.beside import Beside
from emulator.energy.digital import POWERCAP, NoCounter, SolverEnergy, find_counters, solver_energy
from emulator.energy.extrapolation import Fit, Reproduced, as_published, fit, reproduced
from emulator.energy.figure import EnergyFigure
from emulator.energy.published import SILICON
from emulator.energy.readings import Reading, readings
from emulator.energy.settings import EnergySettings
from emulator.energy.terms import reload_bandwidth, with_terms
from emulator.energy.words import PART_NAMES, between, in_joules, share_of
from emulator.reference import ReferenceFailed
from netlists.core import AnalogCore

_LARGE = 0.1  # of the whole: a term that is said to be there


@dataclass(frozen=True)
class Overview:
    """What ``ais energy`` says.

    Attributes:
        settings: what was asked.
        published: as the paper extrapolates.
        whole: with the terms that leaves out.
        fit: the extrapolation's a and b, and all that could stand in their place.
        reproduced: the published figures from it.
        readings: other ways to read them.
        solver: the energy of the reference solver, or why there is none.
        circuit: of a run, if one was given.
    """

    settings: EnergySettings
    published: EnergyFigure
    whole: EnergyFigure
    fit: Fit
    reproduced: tuple[Reproduced, ...]
    readings: tuple[Reading, ...]
    solver: SolverEnergy | str
    circuit: Beside | None = None


def overview(settings: EnergySettings, solver: SolverEnergy | str, circuit: Beside | None = None) -> Overview:
    """All figures of these settings."""
    return Overview(
        settings, as_published(settings), with_terms(settings), fit(), reproduced(), readings(), solver,
        circuit,
    )  # fmt: skip


def measured_solver(core: AnalogCore | None, root: Path = POWERCAP) -> SolverEnergy | str:
    """The reference solver's energy on a core, or why there is none; without a core only whether it could be had."""
    try:
        if core is not None:
            return solver_energy(core, root)
        find_counters(root)
    except NoCounter as reason:
        return f"not measurable here: {reason}"
    except ReferenceFailed as failure:
        return f"not measured: {failure}"
    return "not measured: --measure runs it"


def remarks(found: Overview) -> list[str]:
    """What a reader should know before quoting a figure."""
    settings, whole = found.settings, found.whole
    said = [
        "The extrapolation rests on three printed figures of two digits, which themselves are extrapolations. Its "
        "interval is what their rounding leaves, and not how far a chip would be from it."
    ]
    for share in whole.shares:
        if share.part not in ("oscillators", "couplers") and share.joules > _LARGE * whole.joules:
            said.append(
                f"{PART_NAMES[share.part].capitalize()} is {share_of(share.joules, whole.joules)} of the sum."
            )
        elif share.part not in ("oscillators", "couplers") and share.high > _LARGE * whole.joules:
            said.append(
                f"{PART_NAMES[share.part].capitalize()} may be up to {in_joules(share.high)}, "
                f"{share_of(share.high, found.published.joules)} of the published extrapolation."
            )
    if settings.chunks > 1:
        said.append(
            f"{settings.chunks} chunks of weights in {settings.seconds * 1e6:.3g} µs are "
            f"{reload_bandwidth(settings) / 1e9:.3g} Gb/s, unless the chip holds them all."
        )
    if found.circuit is not None:
        said.append(
            f"{found.circuit.name} was simulated as a circuit. Scaled to this core it is an extrapolation too: other "
            "weights, routing and process are not in its interval, which is of the run's samples alone."
        )
    if settings.symmetric and settings.mean_degree:
        once = as_published(settings.model_copy(update={"mean_degree": settings.mean_degree / 2}))
        said.append(
            f"{settings.mean_degree:.4g} neighbours a node are taken as so many couplings, each of power b. "
            f"The measured chip that a and b agree with has {SILICON.degree:.3g} couplers a node, each "
            f"between two nodes; counted like those, this core has {settings.mean_degree / 2:.4g}, and the same a and "
            f"b give {in_joules(once.joules)} ({between(once.interval)}). Inferred: the paper does not say."
        )
    return said
