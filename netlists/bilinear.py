"""Couplings of a Langevin network made of trained kernels: Gram matrices, and the low-rank skip between modules.

Source: De, arXiv:2604.14332. J = WᵀW/(4kT) of a kernel reshaped to (out, in·3·3) and cut to D × D;
J_skip = (U_e S_e^½)(U_d S_d^½)ᵀ of the first k singular vectors of both, divided by its norm and by 4kT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from netlists.core import Array
from netlists.network import LangevinNetwork, Module, NetworkError, Skip, Spectrum

ENCODER, DECODER = "encoder", "decoder"
# λ_max/λ_min that a shift of the diagonal aims at: far from singular, and far less than the couplings themselves
MENDED_CONDITION = 100.0


def gram_coupling(kernel: Array, dim: int, kt: float) -> Array:
    """(D, D) coupling J = WᵀW/(4kT) of a kernel (out, in, height, width), reshaped to (out, in·height·width) and cut.

    Raises:
        NetworkError: D is beyond one of the two.
    """
    flat = kernel.reshape(len(kernel), -1)
    if not 1 <= dim <= min(flat.shape):
        raise NetworkError(
            f"dim is {dim}; expected 1 to {min(flat.shape)}, what a kernel of shape {kernel.shape} can be cut to"
        )
    cut = flat[:dim, :dim]
    return np.asarray(cut.T @ cut / (4 * kt))


def skip_of(encoder: Array, decoder: Array, rank: int, kt: float) -> Skip:
    """Rank-k coupling of two modules from their Gram couplings (D, D), of Frobenius norm 1/(4kT).

    A singular vector's sign is arbitrary, and with it that of each of the k terms, which the paper leaves to its
    linear algebra library. Here the largest entry of each vector is positive; ``sign_choices`` gives the others.

    Raises:
        NetworkError: a rank below 1 or above the dimension.
    """
    largest = min(len(encoder), len(decoder))
    if not 1 <= rank <= largest:
        raise NetworkError(f"rank is {rank}; expected 1 to {largest}, the dimension of the modules")
    left, right = (_leading(coupling, rank) for coupling in (encoder, decoder))
    # the columns of either factor are orthogonal
    norm = float(np.sqrt(np.sum(np.sum(left**2, axis=0) * np.sum(right**2, axis=0))))
    if norm == 0:
        raise NetworkError(
            "a module without couplings has no singular vectors to join; expected kernels beyond zero"
        )
    scale = 1 / np.sqrt(4 * kt * norm)
    return Skip(0, 1, left * scale, right * scale)


def _leading(coupling: Array, rank: int) -> Array:
    """(D, k) leading singular vectors times the roots of their singular values."""
    vectors, values, _ = np.linalg.svd(coupling)
    vectors = vectors[:, :rank]
    signs = np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(rank)])
    return np.asarray(vectors * signs * np.sqrt(values[:rank]))


def sign_choices(skip: Skip, number: int, seed: int = 0) -> Iterator[Skip]:
    """The same skip with other signs of its terms, at random: what singular vectors leave open."""
    generator = np.random.default_rng(seed)
    for _ in range(number):
        yield replace(skip, right=skip.right * generator.choice([-1.0, 1.0], skip.rank))


def coupled_modules(
    encoder: Array, decoder: Array, rank: int, *, quadratic: float, kt: float
) -> LangevinNetwork:
    """Encoder and decoder modules with the Gram couplings (D, D) given, joined at a rank; the decoder is visible.

    M may be indefinite: see ``smallest_rank`` and ``shifted``.
    """
    modules = tuple(
        Module(name, coupling, np.full(len(coupling), quadratic), np.zeros(len(coupling)))
        for name, coupling in ((ENCODER, encoder), (DECODER, decoder))
    )
    nodes, first = len(encoder) + len(decoder), len(encoder)
    skip = skip_of(encoder, decoder, rank, kt)
    return LangevinNetwork(modules, (skip,), np.zeros(nodes), kt, np.arange(first, nodes))


def with_rank(network: LangevinNetwork, rank: int) -> LangevinNetwork:
    """The same modules joined at another rank.

    Raises:
        NetworkError: a rank out of range, or a network not made of two modules.
    """
    if len(network.modules) != 2:
        raise NetworkError(f"{len(network.modules)} modules; expected an encoder and a decoder to join")
    encoder, decoder = (module.coupling for module in network.modules)
    return replace(network, skips=(skip_of(encoder, decoder, rank, network.kt),))


def without_skips(network: LangevinNetwork) -> LangevinNetwork:
    """The same modules, each for itself."""
    return replace(network, skips=())


def smallest_rank(network: LangevinNetwork) -> int | None:
    """The smallest rank at which M is positive definite, or None."""
    ranks = range(1, min(network.sizes) + 1)
    return next((rank for rank in ranks if with_rank(network, rank).spectrum.positive), None)


def shift_that_mends(spectrum: Spectrum) -> float:
    """What to add to the diagonal of M for λ_max/λ_min = 100; 0 if it is no worse already."""
    if spectrum.positive and spectrum.condition <= MENDED_CONDITION:
        return 0.0
    return (spectrum.largest - MENDED_CONDITION * spectrum.smallest) / (MENDED_CONDITION - 1)


def shifted(network: LangevinNetwork, shift: float) -> LangevinNetwork:
    """The same network with ``shift`` added to the diagonal of M: half of it to every J2."""
    modules = tuple(replace(m, quadratic=m.quadratic + shift / 2) for m in network.modules)
    return replace(network, modules=modules)


@dataclass(frozen=True)
class Wiring:
    """Connections that a skip of rank k takes, as transconductors.

    Attributes:
        bus: 2k (D_onto + D_other), through k summing wires: in and out of them, for both directions. 4Dk if both
            modules have D nodes.
        dense: 2 D_onto D_other, one for each pair and direction. 2D².
        break_even: rank at which both take as many; D/2.
    """

    bus: int
    dense: int
    break_even: float


def wiring(skip: Skip) -> Wiring:
    """Counts a skip's connections."""
    onto, other = len(skip.left), len(skip.right)
    return Wiring(2 * skip.rank * (onto + other), 2 * onto * other, onto * other / (onto + other))
