"""The netlist of a Langevin network, for ``ais compile``: parts, modules, skips, and a bench that lets it settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emulator.netlist_files import Dialect, NetlistError
from emulator.reference import ReferenceFailed
from emulator.thermo.circuit import NetworkSettings, circuit_of
from emulator.thermo.descent import SETTLING, Descent, descent
from emulator.thermo.heun import slowest_rate
from netlists.bilinear import wiring
from netlists.core import Array
from netlists.dialects.write import write_design_files
from netlists.network import LangevinNetwork, NetworkError
from netlists.network_circuit import NetworkCircuit
from netlists.network_design import network_design, settling
from netlists.network_file import Substrate

TIME_CONSTANTS = 10.0  # that the bench runs for: of the slowest mode, or of what a way through wells takes
OWN_BIAS = "bias"  # in place of a split's name: the one that the file holds


@dataclass(frozen=True)
class NetworkNetlist:
    """A netlist, ready to be put in a folder.

    Attributes:
        title: what it is, in a line.
        files: name to content.
        facts: what it holds and what a user should know: name and value.
        remarks: what a user should be warned of.
    """

    title: str
    files: Mapping[str, str]
    facts: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]


def forces_of(substrate: Substrate, split: str | None) -> tuple[str, Array]:
    """Name and (S, N) forces of the inputs of a split; None is ``test`` where there is such, or the file's own bias.

    Raises:
        NetworkError: no such inputs, or no interface to turn them into forces.
    """
    if split is None:
        split = "test" if "test" in substrate.inputs and substrate.interface is not None else OWN_BIAS
    if split == OWN_BIAS:
        return split, substrate.network.bias[None]
    return split, substrate.biases(split)


def network_netlist(
    substrate: Substrate,
    settings: NetworkSettings,
    dialect: Dialect,
    split: str | None,
    sample: int,
    reltol: float = 1e-6,
) -> NetworkNetlist:
    """The files of a network in a dialect, its bench driven by one input.

    Raises:
        NetworkError: no such inputs, or a potential without a bottom.
        ConductanceError: conductances that can't be made.
        NetlistError: a dialect that has no circuits, or an input that is not there.
    """
    if dialect == "verilog-a":
        raise NetlistError(
            "--dialect verilog-a holds the cells of the phase level, and a network of modules is made of circuit "
            "elements: take --dialect ngspice, xyce or spectre"
        )
    name, biases = forces_of(substrate, split)
    if sample >= len(biases):
        raise NetlistError(f"--sample {sample}: there are {len(biases)} inputs {name!r}, counted from 0")
    circuit, remarks = circuit_of(substrate.network, settings, float(np.abs(biases).max()))
    ways = ways_to_rest(substrate.network, circuit, biases[sample : sample + 1])
    duration = bench_duration(substrate.network, circuit, ways)
    design = network_design(
        circuit, biases[sample], settling(circuit.scaling, duration, reltol),
        notes=(
            *(f"{what}: {value}" for what, value in [*counted_facts(circuit, biases[sample]), *_wiring_facts(circuit)]),
            f"Input {sample} of {name}: its force steps from 0 at time 0, and the run lasts {TIME_CONSTANTS:g} time "
            f"constants {'of its way to rest' if ways else 'of the slowest mode'}",
        ),
    )  # fmt: skip
    try:
        files = write_design_files(design, dialect)
    except ValueError as error:  # what the dialect lacks, by element
        raise NetlistError(str(error)) from error
    facts = [*counted_facts(circuit, biases[sample]), *circuit_facts(circuit, duration)]
    return NetworkNetlist(circuit.title, files, tuple(facts), remarks)


def ways_to_rest(network: LangevinNetwork, circuit: NetworkCircuit, biases: Array) -> tuple[Descent, ...]:
    """With quartic wells the way under each of (S, N) forces, as the conductances are made; without them none.

    Raises:
        NetworkError: one comes to no rest.
    """
    if not network.quartic.any():
        return ()
    matrix = circuit.conductances.matrix()
    try:
        return tuple(descent(network, force, matrix) for force in circuit.forces(biases))
    except ReferenceFailed as failure:
        raise NetworkError(f"with its quartic wells it comes to no rest: {failure}") from failure


def bench_duration(network: LangevinNetwork, circuit: NetworkCircuit, ways: Sequence[Descent]) -> float:
    """Model time that the bench runs for: its input's is the first of the ways to rest, if there are wells."""
    if ways:
        return TIME_CONSTANTS / SETTLING * ways[0].duration
    return TIME_CONSTANTS / slowest_rate(network, circuit.conductances.matrix())


def circuit_facts(circuit: NetworkCircuit, duration: float) -> list[tuple[str, str]]:
    """What the circuit is made of and how it is scaled, as name and value."""
    made, scaling = circuit.conductances, circuit.scaling
    couplings = np.concatenate([module.strength for module in made.modules])
    own = np.concatenate([module.own for module in made.modules])
    found = [
        ("realization", f"{circuit.technology.name}: {circuit.technology.title}"),
        ("nodes", f"{made.nodes} in {len(made.modules)} modules"),
        (
            "couplings",
            f"{int((couplings < 0).sum())} resistive, {int((couplings > 0).sum())} negative; D(D − 1)/2 a module",
        ),
        ("own conductances", f"{int((own > 0).sum())} positive, {int((own < 0).sum())} negative"),
    ]
    found += [
        *_wiring_facts(circuit),
        ("forces", _forces_said(circuit)),
        (
            "unit",
            f"{scaling.volts:g} V of state, {scaling.conductance:.4g} S, {scaling.current:.4g} A of force",
        ),
        ("time", f"tau = {scaling.tau:.6g} s; the bench runs {scaling.seconds(duration):.4g} s"),
    ]
    return found


def counted_facts(circuit: NetworkCircuit, bias: Array) -> list[tuple[str, str]]:
    """Elements and unknowns of the netlist under (N,) forces."""
    counted = circuit.inventory(circuit.bench(bias))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counted.devices.items()) if count)
    return [("elements", f"{sum(counted.devices.values()):,} ({kinds}); {counted.unknowns:,} unknowns")]


def _wiring_facts(circuit: NetworkCircuit) -> list[tuple[str, str]]:
    found = []
    for number, skip in enumerate(circuit.conductances.skips, 1):
        counts = wiring(skip)
        found.append((
            f"skip {number}",
            f"rank {skip.rank}: {counts.bus} transconductors (4Dk) through {2 * skip.rank} summing buses, where "
            f"products would take {counts.dense} (2D²); as many at rank {counts.break_even:g}",
        ))  # fmt: skip
    return found


def _forces_said(circuit: NetworkCircuit) -> str:
    converter = circuit.converter
    if converter is None:
        return "ideal current sources, one a node"
    return (
        f"converters of {converter.bits} bits and a sign, one a node: {converter.lsb * circuit.scaling.current:.4g} A "
        f"a code, full scale {converter.full_scale * circuit.scaling.current:.4g} A"
    )
