"""Langevin networks in weights files: format ``ais-weights``, family ``langevin``, with modules instead of a grid.

The README lists the datasets. A plain grid of the family is read as a network of one module. Factors stay factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from device_models.langevin import LANGEVIN
from netlists import hdf5
from netlists.core import AnalogCore, Array
from netlists.hdf5 import Reader, Scalar
from netlists.interface import Interface, TwoLayers
from netlists.network import LangevinNetwork, Module, NetworkError, Skip, check_size, one_module
from netlists.printable import printable
from netlists.weights import (
    FORMAT,
    MODULES,
    VERSION,
    WeightsError,
    opened_weights,
    read_attributes,
    read_weights,
    sha256_of,
)


@dataclass(frozen=True)
class Substrate:
    """A Langevin network and what is run on it.

    Attributes:
        network: with a bias of zero unless the file holds one.
        interface: turns inputs into forces; None if the file has none.
        inputs: activations (S, D) by split and module.
    """

    network: LangevinNetwork
    interface: Interface | None = None
    inputs: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)

    @property
    def module_names(self) -> tuple[str, ...]:
        """In the order of their nodes."""
        return tuple(module.name for module in self.network.modules)

    def biases(self, split: str) -> Array:
        """(S, N) forces b of the inputs of a split, as the digital interface gives them.

        Raises:
            NetworkError: no interface, or no such inputs.
        """
        if self.interface is None:
            raise NetworkError("the file holds no digital interface; expected one to turn inputs into forces")
        return np.concatenate(self.interface.forces(self.activations(split, 0)), axis=1)

    def activations(self, split: str, module: int) -> Array:
        """(S, D) activations of a module.

        Raises:
            NetworkError: no such inputs.
        """
        if split not in self.inputs:
            known = ", ".join(sorted(self.inputs)) or "none"
            raise NetworkError(f"no inputs {printable(repr(split))}; the file holds: {printable(known)}")
        return self.inputs[split][self.module_names[module]]


@dataclass(frozen=True)
class NetworkFile:
    """A network's file, read and found sound.

    Attributes:
        path: where it was read from.
        sha256: of the file's bytes.
        substrate: what it holds.
        provenance: root attributes without a meaning of their own.
    """

    path: Path
    sha256: str
    substrate: Substrate
    provenance: Mapping[str, Scalar]


def holds_modules(path: str | Path) -> bool:
    """Whether a weights file is a network of modules.

    Raises:
        WeightsError: not a weights file at all.
    """
    path = Path(path)
    with opened_weights(path) as file:
        read_attributes(path, file)
        return Reader(file).has(MODULES)


def read_network(path: str | Path) -> NetworkFile:
    """Reads a Langevin network: modules, or a grid of the family as one module.

    Raises:
        WeightsError: with every problem found.
    """
    path = Path(path)
    if holds_modules(path):
        with opened_weights(path) as file:
            return _read(path, file)
    weights = read_weights(path)
    kt = weights.provenance.get("kt", 0.0)
    if isinstance(kt, bool | str):
        raise WeightsError(path, [_no_temperature(kt)])
    try:
        network = network_of_core(weights.core, float(kt))
    except NetworkError as error:
        raise WeightsError(path, [str(error)]) from None
    return NetworkFile(path, weights.sha256, Substrate(network), weights.provenance)


def _no_temperature(received: Scalar) -> str:
    return f"attribute kt: is {printable(repr(received))}; expected the temperature, a number"


def network_of_core(core: AnalogCore, kt: float) -> LangevinNetwork:
    """A grid of Langevin nodes as a network of one module. A file that says no ``kt`` is one without noise.

    Raises:
        NetworkError: another family, several chunks of weights, or couplings that have no potential.
    """
    if core.family_name != LANGEVIN.family:
        raise NetworkError(f"family is {core.family_name}; expected {LANGEVIN.family}, which has a potential")
    if core.chunks != 1:
        raise NetworkError(f"has {core.chunks} chunks of weights; expected one, which has one equilibrium")
    check_size(core.nodes)
    # K of the rates is J + Jᵀ
    coupling = np.zeros((core.nodes, core.nodes))
    coupling[tuple(core.edges.T)] = core.coupling[0] / 2
    parameters = core.parameters
    return one_module(
        coupling, parameters["quadratic"], parameters["quartic"], parameters["bias"][0], kt, core.visible
    )


def _read(path: Path, file: h5py.File) -> NetworkFile:
    attributes, provenance = read_attributes(path, file)
    if attributes.family != LANGEVIN.family or not attributes.symmetric:
        received = f"family {attributes.family!r}, symmetric {attributes.symmetric}"
        raise WeightsError(path, [f"{MODULES}: with {received}; expected family 'langevin', symmetric true"])
    reader = Reader(file)
    kt = provenance.pop("kt", "absent")
    if isinstance(kt, bool | str):
        reader.problems.append(_no_temperature(kt))
    names = reader.texts("topology/modules") or ()
    modules = [module for name in names if (module := _module(reader, name)) is not None]
    if extra := sorted(set(reader.names(MODULES)) - set(names)):
        reader.complain(MODULES, f"holds {printable(', '.join(extra))}; expected what topology/modules lists")
    sizes = {module.name: module.nodes for module in modules}
    skips = _skips(reader, names, sizes)
    # of modules that could not be read nothing is expected of the others
    nodes = sum(sizes.values()) if len(sizes) == len(names) else None
    bias = reader.array("weights/bias", (nodes,), "real", optional=True)
    visible = reader.array("topology/visible", (None,), "integer", optional=True)
    interface = _interface(reader, names, sizes)
    inputs = {
        split: {
            name: reader.array(f"inputs/{split}/{name}", (None, sizes.get(name)), "real") for name in names
        }
        for split in reader.names("inputs")
    }
    if reader.problems or nodes is None:  # never the second without the first
        raise WeightsError(path, reader.problems)
    try:
        network = LangevinNetwork(
            tuple(modules), tuple(skips),
            np.zeros(nodes) if bias is None else bias, float(kt),
            np.arange(nodes) if visible is None else visible,
        )  # fmt: skip
    except NetworkError as error:
        raise WeightsError(path, [str(error)]) from None
    held = {s: {n: a for n, a in split.items() if a is not None} for s, split in inputs.items()}
    return NetworkFile(path, sha256_of(path), Substrate(network, interface, held), provenance)


def _module(reader: Reader, name: str) -> Module | None:
    group = f"{MODULES}/{name}"
    coupling = reader.array(f"{group}/coupling", (None, None), "real")
    nodes = None if coupling is None else len(coupling)
    quadratic = reader.array(f"{group}/quadratic", (nodes,), "real")
    quartic = reader.array(f"{group}/quartic", (nodes,), "real", optional=True)
    if coupling is None or quadratic is None:
        return None
    try:
        return Module(name, coupling, quadratic, np.zeros(len(coupling)) if quartic is None else quartic)
    except NetworkError as error:
        reader.complain(group, str(error))
        return None


def _skips(reader: Reader, names: tuple[str, ...], sizes: Mapping[str, int]) -> list[Skip]:
    found = []
    numbers = reader.names("skips")
    if numbers != sorted(str(k) for k in range(len(numbers))):
        reader.complain("skips", f"holds {printable(', '.join(numbers))}; expected 0, 1, ... without a gap")
    for number in sorted(numbers, key=lambda text: (len(text), text)):
        group = f"skips/{number}"
        ends = reader.texts(f"{group}/modules")
        if ends is not None and (len(ends) != 2 or not set(ends) <= set(names)):
            reader.complain(
                f"{group}/modules", f"is {printable(repr(ends))}; expected two of topology/modules"
            )
            ends = None
        onto, other = ends or ("", "")
        left = reader.array(f"{group}/left", (sizes.get(onto), None), "real")
        right = reader.array(f"{group}/right", (sizes.get(other), None), "real")
        if ends is not None and left is not None and right is not None:
            found.append(Skip(names.index(onto), names.index(other), left, right))
    return found


def _interface(reader: Reader, names: tuple[str, ...], sizes: Mapping[str, int]) -> Interface | None:
    if not reader.has("interface"):
        return None
    if len(names) != 2:
        reader.complain("interface", f"with {len(names)} modules; expected an encoder and a decoder")
        return None
    width, out = (sizes.get(name) for name in names)
    layers = [
        reader.array("interface/encoder/first", (None, width), "real"),
        reader.array("interface/encoder/second", (width, None), "real"),
        reader.array("interface/transfer/first", (None, width), "real"),
        reader.array("interface/transfer/second", (out, None), "real"),
    ]
    given = [layer for layer in layers if layer is not None]
    if len(given) < len(layers):
        return None
    try:
        return Interface(TwoLayers(given[0], given[1], "linear"), TwoLayers(given[2], given[3], "silu"))
    except NetworkError as error:
        reader.complain("interface", str(error))
        return None


def write_network(
    path: str | Path, substrate: Substrate, provenance: Mapping[str, Scalar] | None = None
) -> None:
    """Writes a network as a weights file, whole or not at all.

    Raises:
        NetworkError: module names that a file can't hold.
    """
    network = substrate.network
    names = substrate.module_names
    if len(set(names)) < len(names) or any(not name or name == "." or "/" in name for name in names):
        raise NetworkError(f"module names are {names}; expected different ones without a slash")

    def fill(file: h5py.File) -> None:
        for name, value in (provenance or {}).items():
            with suppress(TypeError):
                file.attrs[name] = value
        file.attrs.update({"format": FORMAT, "version": VERSION, "family": LANGEVIN.family})
        file.attrs.update({"symmetric": True, "kt": network.kt})
        text = h5py.string_dtype()
        file["topology/modules"] = np.array(names, dtype=text)
        file["topology/visible"] = np.asarray(network.visible, dtype=np.int32)
        file["weights/bias"] = network.bias
        for module in network.modules:
            for name in ("coupling", "quadratic", "quartic"):
                file[f"{MODULES}/{module.name}/{name}"] = getattr(module, name)
        for number, skip in enumerate(network.skips):
            file[f"skips/{number}/modules"] = np.array([names[skip.onto], names[skip.other]], dtype=text)
            file[f"skips/{number}/left"], file[f"skips/{number}/right"] = skip.left, skip.right
        if (interface := substrate.interface) is not None:
            for net, layers in (("encoder", interface.encoder), ("transfer", interface.transfer)):
                file[f"interface/{net}/first"] = layers.first
                file[f"interface/{net}/second"] = layers.second
        for split, modules in substrate.inputs.items():
            for name, values in modules.items():
                file[f"inputs/{split}/{name}"] = values

    hdf5.write_file(Path(path), fill)
