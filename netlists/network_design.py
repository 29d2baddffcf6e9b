"""A compiled Langevin network as a design: with its forces, its start and an analysis, for every dialect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from device_models.elements import PiecewiseLinear, Source
from netlists.bias import amperes, bias_nodes
from netlists.core import Array
from netlists.design import Design, OperatingPoint, Transient
from netlists.network_circuit import NetworkCircuit
from netlists.noise import Noise
from netlists.scaling import NetworkScaling

_POINTS = 2000  # of a settling transient, at least


def operating_point(scaling: NetworkScaling, reltol: float = 1e-9) -> OperatingPoint:
    """The analysis that finds where a network rests."""
    return OperatingPoint(reltol, reltol * scaling.volts, reltol * scaling.current)


def settling(
    scaling: NetworkScaling, duration: float, reltol: float = 1e-6, points: int = _POINTS
) -> Transient:
    """The analysis of a network that is let go for ``duration`` model time units, ``points`` steps or more."""
    stop = scaling.seconds(duration)
    return Transient(
        stop, stop / points, reltol, vntol=1e-2 * reltol * scaling.volts, abstol=1e-3 * reltol * scaling.current,
        chgtol=1e-6 * scaling.capacitance * scaling.volts,
    )  # fmt: skip


def sampling(scaling: NetworkScaling, duration: float, step: float, reltol: float = 1e-6) -> Transient:
    """The analysis of a network under noise for ``duration`` model time units, in the steps of the noise's grid."""
    free = settling(scaling, duration, reltol)
    return replace(free, step=scaling.seconds(step), fixed=True)


def noise_sources(circuit: NetworkCircuit, noise: Noise, duration: float) -> Iterator[Source]:
    """A sample's noise as currents into the nodes, linear between grid points."""
    seconds = (circuit.scaling.tau * noise.grid.times(duration)).tolist()
    currents = amperes(noise.rates(len(circuit.nodes), duration), circuit.scaling, circuit.technology)
    ends = bias_nodes(circuit.nodes, circuit.technology)
    for node, pair, column in zip(circuit.nodes, ends, currents.T.tolist(), strict=True):
        yield Source(
            f"noise_{node}", "current", pair, PiecewiseLinear(tuple(zip(seconds, column, strict=True)))
        )


def network_design(
    circuit: NetworkCircuit, bias: Array | None, analysis: Transient | OperatingPoint, start: Array | None = None,
    notes: tuple[str, ...] = (), sources: tuple[Source, ...] = (),
) -> Design:  # fmt: skip
    """The design of a network under (N,) forces.

    Args:
        circuit: the network.
        bias: forces, in model units; None for a bench without, that others drive.
        analysis: what to run.
        start: (N,) states a transient starts at; None is 0, so that the forces are a step.
        notes: comment lines for whoever opens the test bench.
        sources: what else drives the nodes.

    Raises:
        BiasError: forces beyond the converters' full scale.
    """
    initial = {} if isinstance(analysis, OperatingPoint) else dict.fromkeys(circuit.wires, 0.0)
    if start is not None:
        initial |= circuit.volts(start)
    scaling = circuit.scaling
    return Design(
        title=circuit.title,
        notes=(
            f"One unit of state is {scaling.volts:g} V, a force of one {scaling.current:.6g} A, a rate of one "
            f"{scaling.conductance:.6g} S; tau = {scaling.tau:g} s per model time unit",
            "Node n of module m is m<m>n<n>, modules counted from 1 and nodes from 0; b_<node> is its force",
            *notes,
        ),
        parameters=circuit.parameters,
        blocks=(*circuit.parts, *circuit.core),
        core=tuple(block.name for block in circuit.core),
        core_title="Core: a block a module, a block a skip, and what joins them",
        bench=(*circuit.bench(bias), *sources),
        analysis=analysis,
        initial=initial,
        saved=circuit.wires,
    )
