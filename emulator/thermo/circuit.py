"""A Langevin network as a circuit that ngspice runs: chosen, compiled, and its operating points found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from device_models.conductances import Ota, TechnologyName, technology
from device_models.elements import Source
from emulator.ngspice import Capabilities, Deck, Simulation
from emulator.simulator import Simulator
from netlists.bias import BiasConverter
from netlists.conductances import ConductanceError, Conductances, conductances, realised
from netlists.core import Array
from netlists.design import Analysis, Design, Transient
from netlists.dialects.ngspice_near import write_near_deck
from netlists.dialects.ngspice_sweep import write_sweep_deck
from netlists.dialects.write import write_design_deck
from netlists.network import LangevinNetwork, NetworkError, require_confining, spectrum
from netlists.network_circuit import NetworkCircuit, compile_network
from netlists.network_design import network_design, operating_point
from netlists.scaling import NetworkScaling

TIME_LIMIT_S = 600.0
# of modes' rates, by amplifiers' poles: what is remarked, what is offered, and what is beyond the first order
LAG, WANTED_LAG, FAR = 0.02, 0.01, 0.3
MOST_TOGETHER = 256  # inputs in one analysis: a table's line is read as a whole


class CircuitFailed(RuntimeError):
    """The simulation of a network did not complete; the message carries its verdict."""


class NetworkSettings(BaseModel):
    """How a network becomes a circuit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    realization: Annotated[TechnologyName, Field(description="how negative conductances are made")] = "ideal"
    scaling: NetworkScaling = Field(default_factory=NetworkScaling, description="model units to SI")
    ota: Ota = Field(default_factory=Ota, description="amplifiers of the realization ota")
    clip: bool = Field(False, description="set conductances that can't be made to the nearest that can")
    bias_bits: int | None = Field(
        None, ge=1, le=24, description="of the forces' converters; None: ideal sources"
    )


def circuit_of(
    network: LangevinNetwork, settings: NetworkSettings, largest_bias: float | None = None
) -> tuple[NetworkCircuit, tuple[str, ...]]:
    """The circuit of a network, and remarks on what that took.

    Args:
        network: whose potential has a bottom.
        settings: how.
        largest_bias: force that is the converters' full scale; None is the largest of the network's own.

    Raises:
        NetworkError: a potential without a bottom.
        ConductanceError: conductances that can't be made, or that leave no bottom when clipped.
    """
    require_confining(network)
    ota = settings.ota if settings.realization == "ota" else None
    wanted = conductances(network, technology(settings.realization, ota))
    made, remark = realised(wanted, settings.scaling, clip=settings.clip)
    free = np.flatnonzero(network.quartic == 0)
    matrix = made.matrix()[np.ix_(free, free)]
    if len(free) and not spectrum((matrix + matrix.T) / 2).positive:
        raise ConductanceError(f"as it can be made the network has no resting point any more: {remark}")
    converter = None
    if settings.bias_bits is not None:
        full_scale = float(np.abs(network.bias).max()) if largest_bias is None else largest_bias
        if not full_scale > 0:
            raise NetworkError("all forces are 0; expected some, for the full scale of their converters")
        converter = BiasConverter(settings.bias_bits, full_scale)
    remarks = (remark, _too_slow(made, settings.scaling, ota) if ota else "")
    return compile_network(made, settings.scaling, converter, ota), tuple(filter(None, remarks))


def _too_slow(made: Conductances, scaling: NetworkScaling, ota: Ota) -> str:
    """How far amplifiers' poles take the modes off the spectrum, where it is much.

    To first order a current −L x that comes 1/p late is −L x + L x'/p: the rates are those of (I − L/p)⁻¹ M.
    """
    matrix, module = made.matrix(), np.searchsorted(made.offsets, np.arange(made.nodes), "right")
    # a bus is two amplifiers one after another; of a module what is above 0 is active, off the diagonal
    late = np.where(module[:, None] == module, np.maximum(matrix, 0.0), 2 * matrix)
    np.fill_diagonal(late, np.minimum(np.concatenate([each.own for each in made.modules]), 0.0))
    pole = 2 * np.pi * ota.bandwidth_hz * scaling.tau  # radian per model time unit
    rates, wanted = (
        np.sort(np.linalg.eigvals(each).real)
        for each in (np.linalg.solve(np.eye(made.nodes) - late / pole, matrix), matrix)
    )
    off = float(np.abs(rates / wanted - 1).max())
    if off <= LAG:
        return ""
    return (
        f"amplifiers of {ota.bandwidth_hz:.3g} Hz have their pole at {pole:.3g} a model time unit of {scaling.tau:.3g} "
        f"s: modes relax {f'about {100 * off:.2g}%' if off < FAR else 'far'} off the conductances' spectrum. --tau "
        f"{scaling.tau * off / WANTED_LAG:.2g}, with the capacitance in proportion, would leave some {WANTED_LAG:.0%}"
    )


@dataclass(frozen=True)
class CircuitSolver:
    """Equilibria of networks as operating points of their circuits: what ``thermo.evaluation`` calls a solver.

    Attributes:
        simulator: that runs them.
        ability: of its ngspice.
        settings: how networks become circuits.
    """

    simulator: Simulator
    ability: Capabilities
    settings: NetworkSettings = field(default_factory=NetworkSettings)

    def __call__(self, network: LangevinNetwork, biases: Array, /) -> Array:
        """(S, N) operating points under (S, N) forces, in model units.

        Raises:
            ConductanceError, NetworkError: as ``circuit_of``.
            CircuitFailed: no operating point was found.
        """
        circuit, _ = circuit_of(network, self.settings, float(np.abs(biases).max(initial=0.0)))
        return operating_points(self.simulator, self.ability, circuit, biases)[0]


def operating_points(
    simulator: Simulator, ability: Capabilities, circuit: NetworkCircuit, biases: Array, near: Array | None = None
) -> tuple[Array, float]:  # fmt: skip
    """(S, N) operating points under (S, N) forces, in model units, and processor seconds of the simulator.

    Where there can be several, ``near`` (S, N) are states next to those that are meant: from 0 on, an operating point
    would be any of them, saddles not excepted.

    Raises:
        BiasError: forces beyond the converters' full scale.
        CircuitFailed: no operating point was found.
    """
    if near is not None:
        return _operating_points_near(simulator, ability, circuit, biases, near)
    design = network_design(circuit, None, operating_point(circuit.scaling))
    counts = circuit.inventory(design.bench)
    found, cpu_s = [], 0.0
    for first in range(0, len(biases), MOST_TOGETHER):
        sets = biases[first : first + MOST_TOGETHER]
        text = write_sweep_deck(with_klu(design, ability), circuit.currents(sets))
        nodes = len(circuit.nodes)
        deck = Deck(
            text, circuit.wires, None, points=len(sets),
            # a table a node, and the source that counts with its node and branch current
            devices={**counts.devices, "behavioural": counts.devices.get("behavioural", 0) + nodes, "voltage": 1},
            unknowns=counts.unknowns + 2,
        )  # fmt: skip
        simulation = completed(simulator.simulate(deck, limit_s=TIME_LIMIT_S))
        found.append(circuit.states(simulation.values))
        cpu_s += simulation.statistics.cpu_s
    return np.concatenate(found), cpu_s


def _operating_points_near(
    simulator: Simulator, ability: Capabilities, circuit: NetworkCircuit, biases: Array, near: Array
) -> tuple[Array, float]:
    """An analysis each: a sweep would go on from where the input before has its own."""
    analysis, found, cpu_s = operating_point(circuit.scaling), [], 0.0
    for bias, state in zip(biases, near, strict=True):
        design = with_klu(network_design(circuit, bias, analysis), ability)
        counts = circuit.inventory(design.bench)
        text = write_near_deck(design, circuit.volts(state))
        deck = Deck(text, circuit.wires, None, counts.devices, counts.unknowns)
        simulation = completed(simulator.simulate(deck, limit_s=TIME_LIMIT_S))
        found.append(circuit.states(simulation.values[0]))
        cpu_s += simulation.statistics.cpu_s
    return np.stack(found), cpu_s


def element_deck(
    circuit: NetworkCircuit,
    bias: Array,
    analysis: Analysis,
    ability: Capabilities,
    start: Array | None = None,
    sources: tuple[Source, ...] = (),
) -> Deck:
    """The deck of one analysis of a network under (N,) forces, with everything that can be checked asked for."""
    design = network_design(circuit, bias, analysis, start, sources=sources)
    counts = circuit.inventory(design.bench)
    stop = analysis.stop if isinstance(analysis, Transient) else None
    text = write_design_deck(with_klu(design, ability), "ngspice")
    return Deck(text, circuit.wires, stop, counts.devices, counts.unknowns)


def with_klu(design: Design, ability: Capabilities) -> Design:
    """The design solved by KLU where there is one: a module's matrix is dense, and takes a tenth of the time."""
    return replace(design, options=(*design.options, ".options klu")) if ability.klu else design


def completed(simulation: Simulation) -> Simulation:
    """The simulation, if it completed.

    Raises:
        CircuitFailed: it did not.
    """
    if not simulation.judgement.completed:
        raise CircuitFailed(f"{simulation.verdict}: {simulation.judgement.reason}")
    return simulation
