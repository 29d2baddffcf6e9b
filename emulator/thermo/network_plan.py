"""What ``ais run`` does with a Langevin network: settings, and all that can be known before a simulator runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from device_models.adc import AdcSettings
from emulator.thermo.circuit import NetworkSettings, circuit_of
from emulator.thermo.descent import Descent
from emulator.thermo.heun import slowest_rate
from emulator.thermo.netlist import forces_of, ways_to_rest
from emulator.thermo.sampling import Injection, injection
from netlists.core import Array
from netlists.network import LangevinNetwork, NetworkError
from netlists.network_circuit import NetworkCircuit
from netlists.network_file import NetworkFile, read_network

NoiseAsked = Literal["off", "on", "johnson"]
MOST_POINTS = 1e7  # of the noise's grid that an average takes; a node's are 80 MB
HEADROOM = 1.25  # of the converter's full scale over the largest visible state


class NetworkRunSettings(BaseModel):
    """What is simulated of a network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str | None = Field(
        None, description="inputs; None: test, or the file's own bias where it has none"
    )
    samples: int | None = Field(None, ge=1, description="how many of them; None: all")
    circuit: NetworkSettings = Field(default_factory=NetworkSettings, description="how it becomes a circuit")
    settle: int = Field(4, ge=0, description="inputs whose settling is simulated: the first so many")
    noise: NoiseAsked = Field("off", description="off, on (isotropic), or johnson (of every conductance)")
    noise_step: float | None = Field(None, gt=0, description="model time between the noise's grid points")
    averaging: float = Field(
        50.0, ge=1, description="time constants of the slowest mode that a readout averages"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of the noise")
    adc_bits: int = Field(8, ge=1, le=16, description="resolution of the converter")
    adc_range: float | None = Field(
        None, gt=0, description="its full scale, either way; None: what the states take"
    )


@dataclass(frozen=True)
class Plan:
    """What is the same for all inputs.

    Attributes:
        file, settings: what was asked for.
        name: of the inputs.
        biases: (S, N) forces asked for.
        circuit: the network as a circuit.
        drive: the noise, or None.
        remarks: what a user should be told.
        descents: with quartic wells the way of each input to rest, as the conductances are made; else none.
    """

    file: NetworkFile
    settings: NetworkRunSettings
    name: str
    biases: Array
    circuit: NetworkCircuit
    drive: Injection | None
    remarks: tuple[str, ...]
    descents: tuple[Descent, ...] = ()

    @property
    def network(self) -> LangevinNetwork:
        """As it was trained."""
        return self.file.substrate.network

    @cached_property
    def matrix(self) -> Array:
        """(N, N) M of the conductances as made."""
        return self.circuit.conductances.matrix()

    @cached_property
    def forces(self) -> Array:
        """(S, N) forces as sources or converters make them."""
        return self.circuit.forces(self.biases)

    @cached_property
    def slowest(self) -> float:
        """Rate of the slowest mode of the conductances as made."""
        return slowest_rate(self.network, self.matrix)

    @property
    def averaged(self) -> float:
        """Points of the noise's grid that a readout averages; infinite where nothing holds the slowest mode."""
        if self.drive is None:
            return 0.0
        slowest = max(self.slowest, 0.0)
        return self.settings.averaging / slowest / self.drive.grid.step if slowest else math.inf

    @property
    def several(self) -> bool:
        """Whether there can be several equilibria."""
        return bool(self.descents) and _smallest(self.matrix) <= 0

    @property
    def checks_dynamics(self) -> bool:
        """Whether the circuit should move as its conductances say: an amplifier's pole is in none of them."""
        return self.circuit.technology.name != "ota"

    @property
    def judge(self) -> str:
        """What says where inputs rest."""
        return "the reference" if self.descents else "linear algebra"

    @cached_property
    def adc(self) -> AdcSettings:
        """The converter: its full scale as asked for, or what visible nodes take at rest over all inputs, and more."""
        reach = self.settings.adc_range
        if reach is None:
            rests = np.stack([each.rest for each in self.descents]) if self.descents else self._linear()
            visible = rests[:, self.network.visible]
            reach = HEADROOM * float(np.abs(visible).max()) or 1.0
        return AdcSettings(bits=self.settings.adc_bits, low=-reach, high=reach)

    def _linear(self) -> Array:
        return np.asarray(np.linalg.solve(self.matrix, self.forces.T).T)


def plan_network(path: Path, settings: NetworkRunSettings) -> Plan:
    """Reads and checks all there is to check before a simulator runs.

    Raises:
        WeightsError, NetworkError, ConductanceError, BiasError, NoiseError: unusable input.
    """
    file = read_network(path)
    network = file.substrate.network
    name, biases = forces_of(file.substrate, settings.split)
    if settings.samples is not None and settings.samples > len(biases):
        raise NetworkError(f"{settings.samples} inputs {name!r} are asked for; the file holds {len(biases)}")
    # of all inputs: what an input comes to, and the netlist, are the same whatever others are run
    circuit, remarks = circuit_of(network, settings.circuit, float(np.abs(biases).max()))
    biases = biases[: settings.samples]
    drive = None
    if settings.noise != "off":
        drive = injection(
            network, "isotropic" if settings.noise == "on" else "johnson", settings.seed,
            step=settings.noise_step, made=circuit.conductances, scaling=circuit.scaling,
        )  # fmt: skip
        remarks = (*remarks, *drive.remarks)
    plan = Plan(file, settings, name, biases, circuit, drive, remarks)
    if drive is not None and plan.averaged > MOST_POINTS:
        raise NetworkError(
            f"an average over {settings.averaging:g} time constants of the slowest mode (rate {plan.slowest:.3g} per "
            f"model time) takes {plan.averaged:.2g} points of the noise's grid; expected at most {MOST_POINTS:.0e}. "
            "Average over fewer, or give its nodes a well that holds them"
        )
    return replace(plan, descents=ways_to_rest(network, circuit, biases))  # some 0.1 s an input: last


def _smallest(matrix: Array) -> float:
    return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
