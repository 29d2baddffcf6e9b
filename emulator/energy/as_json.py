"""What ``ais energy`` says as JSON, for programs. Joules a sample, watts, SI units unless a name says otherwise."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from emulator.energy.digital import SolverEnergy
from emulator.energy.extrapolation import FORMULA, Reproduced
from emulator.energy.feasible import Polygon
from emulator.energy.figure import EnergyFigure, Kind, Share
from emulator.energy.overview import Overview, remarks
from emulator.energy.published import DIGITAL, SILICON
from emulator.energy.settings import EnergySettings
from emulator.energy.terms import reload_bandwidth

FORMAT, VERSION = "ais-energy", 1


def as_json(found: Overview) -> dict[str, Any]:
    """All figures and what they rest on."""
    core = len(found.published.shares)
    return {
        "format": FORMAT,
        "version": VERSION,
        "emulator_version": version("ais-emulator"),
        "settings": _settings(found.settings),
        "assumptions": {
            name: {**value.model_dump(), "unit": unit, "meaning": _meaning(name)}
            for name, (value, unit) in found.settings.assumptions.items()
        },
        "extrapolation": {
            **_figure(found.published),
            "formula": FORMULA,
            "oscillator_W": found.fit.oscillator_uw * 1e-6,
            "coupling_W": found.fit.coupling_uw * 1e-6,
        },
        "published": [_reproduced(each) for each in found.reproduced],
        "silicon": {**asdict(SILICON), "couplings_per_node": SILICON.degree},
        "feasible": {
            "unit": "W",
            "meaning": "corners (a, b) of all pairs that give each published energy to its print rounding",
            "vertices": _corners(found.fit.polygon),
            "with_silicon": _corners(found.fit.narrowed),
            "readings": [
                {"name": each.name, "vertices": None if each.polygon is None else _corners(each.polygon)}
                for each in found.readings
            ],
        },
        "terms": [_share(share) for share in found.whole.shares[core:]],
        "weight_reload_bit_per_s": reload_bandwidth(found.settings),
        "total": _figure(found.whole),
        "circuit": None
        if found.circuit is None
        else {
            "results": found.circuit.name,
            "run": _figure(found.circuit.run),
            "scaled": _figure(found.circuit.scaled),
        },
        "digital": [asdict(row) for row in DIGITAL],
        "reference_solver": _solver(found.solver),
        "remarks": remarks(found),
    }


def _settings(settings: EnergySettings) -> dict[str, Any]:
    plain = settings.model_dump(exclude=set(settings.assumptions))
    return plain | {"visible": settings.pixels, "couplers": settings.couplers, "seconds": settings.seconds}


def _meaning(name: str) -> str:
    return EnergySettings.model_fields[name].description or ""


def _figure(figure: EnergyFigure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "energy_per_sample_J": figure.joules,
        "interval_J": list(figure.interval),
        "kind": figure.kind.value,
        "shares": [_share(share) for share in figure.shares],
        "outside": figure.outside,
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "part": share.part,
        "energy_per_sample_J": share.joules,
        "interval_J": [share.low, share.high],
        "kind": share.kind.value,
        "source": share.source,
    }


def _reproduced(each: Reproduced) -> dict[str, Any]:
    printed = each.published
    return {
        "name": printed.name,
        "printed": printed.text,
        "printed_J": printed.joules,
        "rounding_J": printed.half,
        "reproduced_J": each.joules,
        "interval_J": list(each.interval),
        "error": each.error,
        "nodes": printed.nodes,
        "mean_degree": printed.degree,
        "bits": printed.bits,
        "f0_hz": printed.f0_hz,
        "cycles": printed.cycles,
        "kind": printed.kind.value,
        "source": printed.source,
    }


def _corners(polygon: Polygon) -> list[list[float]]:
    return [[a * 1e-6, b * 1e-6] for a, b in polygon.vertices.tolist()]


def _solver(solver: SolverEnergy | str) -> dict[str, Any]:
    if isinstance(solver, str):
        return {"energy_per_sample_J": None, "reason": solver}
    return {
        "energy_per_sample_J": solver.joules,
        "kind": Kind.SILICON.value,
        "samples": solver.samples,
        "seconds": solver.seconds,
        "counters": list(solver.counters),
        "solver": solver.solver,
        "boundary": "packages and memory of this machine, with whatever else ran on them",
    }
