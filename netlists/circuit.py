"""A circuit as typed data: elements, subcircuits, test bench. Dialects write it as text.

Names are made by the compiler from numbers; ``device_models.elements.checked_name``, which every writer asks, is what
keeps anything else, such as a ``.control`` line, from ever becoming one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netlists.noise import NoiseGrid
from netlists.scaling import Scaling


@dataclass(frozen=True, slots=True)
class Instance:
    """A subcircuit put to use, or a device of a model; ``lists`` are parameters of several numbers each."""

    name: str
    nodes: tuple[str, ...]
    subcircuit: str
    parameters: Mapping[str, float]
    lists: Mapping[str, Sequence[float]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)  # parameters that are global ones, by name


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A model card: instances name it, ``kind`` is the type of device in the library."""

    name: str
    kind: str
    parameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class VoltageSteps:
    """A voltage source that is piecewise linear through (seconds, volts) points: each is a breakpoint."""

    name: str
    nodes: tuple[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class GlobalParameter:
    """A number at the head of the cell library, in SI units, with a word on what it is."""

    name: str
    value: float
    meaning: str


def scaling_parameters(scaling: Scaling) -> tuple[GlobalParameter, ...]:
    """What every cell library begins with."""
    return (
        GlobalParameter(
            "ais_tau",
            scaling.tau,
            "seconds per model time unit; for people: the numbers in the bench follow from it",
        ),
        GlobalParameter("ais_c", scaling.capacitance, "state capacitor of a cell, farad"),
        GlobalParameter(
            "ais_g",
            scaling.conductance,
            "ampere per unit of rate: ais_c / ais_tau",
        ),
    )


@dataclass(frozen=True)
class Subcircuit:
    """A named block with ports and instances inside."""

    name: str
    ports: tuple[str, ...]
    instances: tuple[Instance, ...]
    title: str


@dataclass(frozen=True)
class Inventory:
    """What a simulator must report to have read this very circuit.

    ``devices`` counts flattened primitives by kind (``capacitor``, ``behavioural``, ``voltage``);
    ``unknowns`` is the number of node voltages and branch currents, ground not counted.
    """

    devices: Mapping[str, int]
    unknowns: int


@dataclass(frozen=True)
class Circuit:
    """A compiled core with everything a test bench needs.

    Attributes:
        title: one line that names it.
        globals: global parameters; they stand at the head of the cell library.
        scaling: seconds and farads of the cells.
        library: cell subcircuits as the device printer wrote them.
        core: the core subcircuit.
        bench: instances and sources of the test bench.
        clock: source whose corners are the schedule's breakpoints, or None for a single chunk.
        state_nodes: (N,) name of each node's voltage as seen from the test bench.
        stop: end of the transient, in seconds.
        inventory: the counts a simulator has to confirm.
        models: model cards of compiled devices.
        device_source: C source of the library that holds them; to be built and loaded before the netlist.
        flat: the core's instances stand in the test bench itself, not in a subcircuit.
        tanks: (N,) where the initial currents of cells with a resonator go, in the order of ``state_nodes``; else
            empty. Names of global parameters, in ampere; with compiled cells, of nodes: their voltage stands for the
            current, a volt for ``scaling.conductance`` ampere.
        noise: that drives the cells, or None; which numbers it has is a sample's.
    """

    title: str
    globals: tuple[GlobalParameter, ...]
    scaling: Scaling
    library: tuple[str, ...]
    core: Subcircuit
    bench: tuple[Instance, ...]
    clock: VoltageSteps | None
    state_nodes: tuple[str, ...]
    stop: float
    inventory: Inventory
    models: tuple[DeviceModel, ...] = ()
    device_source: str | None = None
    flat: bool = False
    tanks: tuple[str, ...] = ()
    noise: NoiseGrid | None = None

    @property
    def makes_noise(self) -> bool:
        """Whether the cells make their noise by themselves; else a source a node does, if there is any."""
        return bool(self.models) and self.noise is not None and self.noise.mixing is None
