"""A run's circuit-simulated energy beside the extrapolation: as it was, and scaled to the core asked for."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.energy.circuit import NotThere, measured, scaled_to
from emulator.energy.figure import EnergyFigure
from emulator.energy.settings import EnergySettings
from emulator.results import Results


@dataclass(frozen=True)
class Beside:
    """What a run's circuit took.

    Attributes:
        name: of the results.
        run: of a sample of the run; a circuit simulation.
        scaled: the same for the core asked for: an extrapolation.
    """

    name: str
    run: EnergyFigure
    scaled: EnergyFigure


def beside(name: str, results: Results, settings: EnergySettings) -> Beside:
    """A run's energies.

    Raises:
        ValueError: the run has none, or none that can be scaled; the message says why.
    """
    couplings = round(settings.nodes * settings.mean_degree)
    run = measured(results)
    if isinstance(run, NotThere):
        raise ValueError(run.reason)
    scaled = scaled_to(results, settings.nodes, couplings, settings.cycles)
    if isinstance(scaled, NotThere):
        raise ValueError(scaled.reason)
    return Beside(name, run, scaled)
