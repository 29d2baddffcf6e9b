"""From a trained U-Net's kernels and activations to a substrate: couplings, spectrum, trained interface."""

from __future__ import annotations

from dataclasses import dataclass, replace

from emulator.thermo.training import Fit, train_interface
from netlists.activations import Activations
from netlists.bilinear import (
    DECODER,
    ENCODER,
    MENDED_CONDITION,
    coupled_modules,
    gram_coupling,
    shift_that_mends,
    shifted,
    smallest_rank,
)
from netlists.network import LangevinNetwork, NetworkError
from netlists.network_file import Substrate


@dataclass(frozen=True)
class Design:
    """What a substrate is asked to be; the paper's values (De, arXiv:2604.14332) are the defaults.

    Attributes:
        dim: D, nodes of either module.
        rank: k of the skip.
        quadratic: J2 of every node.
        kt: temperature.
        weight_decay: of the interface's training.
        seed: of the interface's start.
        shift: whether to mend an indefinite M by its diagonal.
    """

    dim: int = 64
    rank: int = 16
    quadratic: float = 0.1
    kt: float = 1.0
    weight_decay: float = 1e-4
    seed: int = 0
    shift: bool = False


@dataclass(frozen=True)
class Built:
    """A substrate, what was added to its diagonal, and how well either net of its interface fits."""

    substrate: Substrate
    shift: float
    fits: dict[str, Fit]


def build(activations: Activations, design: Design) -> Built:
    """Makes the network, refuses or mends one that has no equilibrium, and trains its interface.

    Raises:
        NetworkError: a dimension or rank out of range, or an M that is not positive definite and not to be mended.
    """
    if design.dim > activations.channels:
        raise NetworkError(
            f"dim is {design.dim}; expected at most {activations.channels}, the activations' channels"
        )
    if not (design.kt > 0):
        raise NetworkError(f"kt is {design.kt:g}; expected above 0, since the couplings are divided by it")
    couplings = [gram_coupling(activations.kernels[m], design.dim, design.kt) for m in (ENCODER, DECODER)]
    network = coupled_modules(
        couplings[0], couplings[1], design.rank, quadratic=design.quadratic, kt=design.kt
    )
    shift = 0.0
    if not network.spectrum.positive:
        if not design.shift:
            raise NetworkError(_indefinite(network, design))
        shift = shift_that_mends(network.spectrum)
        network = shifted(network, shift)
    cut = {
        split: {module: values[:, : design.dim] for module, values in modules.items()}
        for split, modules in activations.inputs.items()
    }
    bare = Substrate(network, None, cut)
    interface, fits = train_interface(bare, weight_decay=design.weight_decay, seed=design.seed)
    return Built(replace(bare, interface=interface), shift, fits)


def _indefinite(network: LangevinNetwork, design: Design) -> str:
    found = network.spectrum
    rank = smallest_rank(network)
    works = "no rank works" if rank is None else f"the smallest rank that works is {rank}"
    needed = shift_that_mends(found)
    return (
        f"with a skip of rank {design.rank}, M is not positive definite: its smallest eigenvalue is "
        f"{found.smallest:.4g}, expected above 0, or the substrate runs away; {works}, and --shift would add "
        f"{needed:.4g} to the diagonal of M (J2 from {design.quadratic:g} to {design.quadratic + needed / 2:.4g}), for "
        f"λ_max/λ_min = {MENDED_CONDITION:g}"
    )
