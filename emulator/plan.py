"""What all samples of a run share: the weights, the chip that holds them, and the circuit of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from emulator.acquire import check_converter
from emulator.chip import build, settings_as_built
from emulator.levels import realise
from emulator.ngspice import Capabilities
from emulator.realisation import Realisation
from emulator.settings import RunSettings
from emulator.simulator import Simulator
from netlists.as_built import AsBuilt
from netlists.noise import Noise
from netlists.weights import Weights


@dataclass(frozen=True)
class Plan:
    """All that the samples of a run share: trained weights, and the core as the chip holds them."""

    weights: Weights
    built: AsBuilt
    settings: RunSettings
    realisation: Realisation

    def noise(self, sample: int) -> Noise | None:
        """The noise of a sample; None if the run has none."""
        grid = self.realisation.noise
        return None if grid is None else Noise(grid, sample)


def make_plan(
    weights: Weights, settings: RunSettings, ability: Capabilities, simulator: Simulator,
    status: Callable[[str], None],
) -> Plan:  # fmt: skip
    """Puts the weights on a chip and realises it at the level asked for; see ``levels.realise`` for the arguments.

    Raises:
        NonIdealityError: one that has nothing to act on.
        DevicesError, CellFault, CellFileError, SizingError, NoiseError: can't be realised like that.
        BenchFailed: a characterisation did not finish.
        ValueError: a converter that can't read these runs.
    """
    check_converter(weights.core, settings.scaling, settings.adc)
    # a sum's last bits depend on how many threads share it, and a plan must come out the same in any process
    with threadpool_limits(1):
        built = build(weights.core, settings)
        told = settings_as_built(settings, built)
        circuit = realise(replace(weights, core=built.core), told, ability, simulator, status, built.legs)
    return Plan(weights, built, settings, circuit)
