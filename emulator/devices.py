"""Which form the devices take: behavioural or compiled, with which Jacobian, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from device_models.printers.osdi import Jacobian
from emulator.compiled import BuildFailed, build
from emulator.ngspice import HOW_TO_GET_46, Capabilities, Deck
from netlists.circuit import Circuit
from netlists.compile import Devices, compile_core
from netlists.core import AnalogCore, Array
from netlists.dialects.ngspice import SolverOptions, write_body, write_deck
from netlists.noise import Noise, NoiseGrid
from netlists.scaling import Scaling
from netlists.stiffness import LARGEST_RATIO, relaxation_ratio

DevicesAsked = Literal["auto", "behavioural", "compiled"]
JacobianAsked = Literal["auto", "own", "full"]
OLDEST_WITH_OSDI_04 = 44
# Version 44 looks for the model's name among a line's first 20 words: the device's name, its nodes, its neighbours
OLDEST_WITH_ANY_NUMBER = 45
MOST_NODES_BEFORE = 18


class DevicesError(ValueError):
    """The devices asked for can't be had; the message says why and what would help."""


@dataclass(frozen=True)
class Choice:
    """The devices of a run.

    Attributes:
        devices: the form taken.
        jacobian: of compiled devices.
        circuit: compiled with them.
        libraries: shared libraries to load before the netlist.
        remarks: what a user should be told of how the choice fell; empty if all went as wished.
    """

    devices: Devices
    jacobian: Jacobian
    circuit: Circuit
    libraries: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()

    @cached_property
    def body(self) -> str:
        """The text that the decks of all samples share; a quarter of a second's work for a 56 × 56 core."""
        return write_body(self.circuit)


def choose(
    core: AnalogCore, scaling: Scaling, rows: int, ability: Capabilities,
    devices: DevicesAsked = "auto", jacobian: JacobianAsked = "auto", noise: NoiseGrid | None = None,
) -> Choice:  # fmt: skip
    """Compiles a core with the devices asked for; ``auto`` takes compiled ones where it can.

    Args:
        core: the weights.
        scaling: model units to SI.
        rows: steps are at most the run over this.
        ability: of the ngspice found.
        devices, jacobian: what is asked for.
        noise: that drives the cells, or None.

    Raises:
        DevicesError: compiled devices, or an own-state Jacobian, were asked for and can't be had.
    """
    behavioural = partial(_behavioural, core, scaling, jacobian, noise)
    if devices == "behavioural":
        return behavioural()
    lacking = _lacking(core, ability)
    if lacking:
        if devices == "compiled":
            raise DevicesError(f"{lacking}. {HOW_TO_GET_46}")
        remark = (
            f"behavioural devices instead of compiled ones, many times slower: {lacking}. {HOW_TO_GET_46}"
        )
        return behavioural((remark,) if ability.osdi else ())  # else said already
    kind, remarks = _jacobian(core, rows, jacobian)
    circuit = compile_core(core, scaling, "compiled", kind, noise)
    try:
        library = build(circuit.device_source or "")
    except (BuildFailed, OSError) as error:
        if devices == "compiled":
            raise DevicesError(f"the compiled devices can't be built: {error}") from error
        remark = f"behavioural devices instead of compiled ones, which can't be built: {error}"
        return behavioural((remark,))
    return Choice("compiled", kind, circuit, (library,), remarks)


def _behavioural(
    core: AnalogCore, scaling: Scaling, jacobian: JacobianAsked, noise: NoiseGrid | None,
    remarks: tuple[str, ...] = (),
) -> Choice:  # fmt: skip
    if jacobian == "own":
        raise DevicesError(
            "--jacobian own needs compiled devices: behavioural ones always have the full Jacobian. "
            + " ".join(remarks)
        )
    return Choice("behavioural", "full", compile_core(core, scaling, noise=noise), remarks=remarks)


def takes_compiled(ability: Capabilities) -> bool:
    """Whether this ngspice loads our compiled devices."""
    return ability.osdi and ability.version >= OLDEST_WITH_OSDI_04


def most_neighbours(ability: Capabilities, own: int = 1) -> int | None:
    """Of the largest compiled cell whose line this ngspice reads, of ``own`` states; None if there is no largest."""
    return None if ability.version >= OLDEST_WITH_ANY_NUMBER else MOST_NODES_BEFORE - own


def _lacking(core: AnalogCore, ability: Capabilities) -> str:
    """Why this ngspice can't run the core with compiled devices; empty if it can."""
    if not takes_compiled(ability):
        return f"ngspice {ability.version} takes no compiled devices (OSDI 0.4, from version {OLDEST_WITH_OSDI_04} on)"
    most, needed = most_neighbours(ability, len(core.family.states)), int(core.degree.max())
    if most is not None and needed > most:
        return (
            f"ngspice {ability.version} reads compiled devices of at most {most} neighbours, and this core has "
            f"nodes with {needed} (version {OLDEST_WITH_ANY_NUMBER} reads any number)"
        )
    return ""


def _jacobian(core: AnalogCore, rows: int, asked: JacobianAsked) -> tuple[Jacobian, tuple[str, ...]]:
    if asked == "full":
        return "full", ()
    ratio = relaxation_ratio(core, rows)
    if ratio <= LARGEST_RATIO:
        return "own", ()
    said = (
        f"the couplings are too strong for the own-state Jacobian at this step: its iterations shrink the error by "
        f"{ratio:.2g} at worst, and {LARGEST_RATIO:g} is the most allowed"
    )
    needed = int(rows * ratio / LARGEST_RATIO) + 1
    if asked == "own":
        raise DevicesError(f"{said}. Take --jacobian full, or --rows {needed} for shorter steps.")
    return "full", (f"{said}; using the full Jacobian (--rows {needed} would allow the faster one)",)


def make_deck(choice: Choice, options: SolverOptions, initial: Array, noise: Noise | None = None) -> Deck:
    """The deck that runs a circuit from an initial state, with everything that can be checked asked for."""
    circuit = choice.circuit
    return Deck(
        text=write_deck(circuit, options, initial, choice.body, noise=noise),
        vectors=circuit.state_nodes,
        stop=circuit.stop,
        devices=circuit.inventory.devices,
        unknowns=circuit.inventory.unknowns,
        libraries=choice.libraries,
    )
