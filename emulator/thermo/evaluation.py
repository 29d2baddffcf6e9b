"""The published table again, by any solver, with the baselines that its score needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emulator.thermo.equilibrium import Solver, equilibrium
from emulator.thermo.forces import regimes
from emulator.thermo.scores import centred_r2, decoder_cosine, relative_error, relative_shift
from netlists.bilinear import sign_choices, with_rank, without_skips
from netlists.core import Array
from netlists.network import LangevinNetwork
from netlists.network_file import Substrate

SIGN_CHOICES = 200


@dataclass(frozen=True)
class Score:
    """Of one way to the decoder's activations, on the test inputs."""

    cosine: float
    r2: float


@dataclass(frozen=True)
class Evaluation:
    """What a solver makes of a substrate.

    Attributes:
        regimes: scores of the substrate by regime, see ``forces.regimes``.
        baselines: scores of what needs no substrate, or no skip: see ``evaluate``.
        shift: decoder shift of the skip, under the oracle's forces.
        operating_point_error: largest relative error of any of these equilibria against linear algebra.
    """

    regimes: dict[str, Score]
    baselines: dict[str, Score]
    shift: float
    operating_point_error: float


def evaluate(substrate: Substrate, solve: Solver, split: str = "test") -> Evaluation:
    """Scores a solver's equilibria on the inputs of a split.

    Baselines: ``constant``, the mean of the training activations whatever the input. ``no_skip``, the full pipeline
    with the skip taken out. ``oracle_no_skip``, the same under the oracle's forces, 1 by construction.
    ``interface_only``, the digital net's b_dec itself, times one gain fitted on the training inputs, which a cosine
    does not see. ``oracle_exact``, the forces under which the substrate rests at the true activations, 1 but for the
    solver's error.

    Raises:
        NetworkError: no interface, no inputs, not two modules, or an M that is not positive definite.
    """
    network, wanted = substrate.network, substrate.activations(split, 1)
    apart = without_skips(network)
    given = regimes(substrate, split)
    decoder = network.span(1)
    errors = []

    def solved(of: LangevinNetwork, forces: Array) -> Array:
        found = solve(of, forces)
        errors.append(relative_error(found, equilibrium(of, forces)))
        return found[:, decoder]

    found = {name: solved(network, forces) for name, forces in given.items()}
    oracle_apart = solved(apart, given["oracle"])
    constant = np.broadcast_to(substrate.activations("train", 1).mean(axis=0), wanted.shape)
    baselines = {
        "constant": constant,
        "no_skip": solved(apart, given["full"]),
        "oracle_no_skip": oracle_apart,
        "interface_only": _interface_only(substrate, given["full"][:, decoder]),
        "oracle_exact": found.pop("oracle_exact"),
    }
    return Evaluation(
        {name: _score(y, wanted) for name, y in found.items()},
        {name: _score(y, wanted) for name, y in baselines.items()},
        relative_shift(found["oracle"], oracle_apart, wanted),
        max(errors),
    )


def _score(found: Array, wanted: Array) -> Score:
    return Score(decoder_cosine(found, wanted), centred_r2(found, wanted))


def _interface_only(substrate: Substrate, forces: Array) -> Array:
    trained = substrate.biases("train")[:, substrate.network.span(1)]
    wanted = substrate.activations("train", 1)
    return forces * float(np.sum(trained * wanted) / np.sum(trained**2))


@dataclass(frozen=True)
class RankRow:
    """A substrate joined at another rank.

    Attributes:
        rank: k.
        smallest_eigenvalue: of M.
        shift: decoder shift under the oracle's forces; None where M is not positive definite.
        cosine: of the oracle; None likewise.
    """

    rank: int
    smallest_eigenvalue: float
    shift: float | None
    cosine: float | None


def over_ranks(
    substrate: Substrate, ranks: Sequence[int], solve: Solver, split: str = "test"
) -> list[RankRow]:
    """Decoder shift and oracle cosine of skips of other ranks."""
    wanted, forces = substrate.activations(split, 1), regimes(substrate, split)["oracle"]
    rows = []
    for rank in ranks:
        network = with_rank(substrate.network, rank)
        found = network.spectrum
        if not found.positive:
            rows.append(RankRow(rank, found.smallest, None, None))
            continue
        y = solve(network, forces)[:, network.span(1)]
        rows.append(RankRow(rank, found.smallest, _oracle_shift(y, wanted), decoder_cosine(y, wanted)))
    return rows


@dataclass(frozen=True)
class SignSpread:
    """Smallest and largest of what the signs of singular vectors leave open, over random choices of them.

    Attributes:
        choices: how many were tried.
        shift: decoder shift under the oracle's forces.
        oracle, skip_only: decoder cosines of these regimes.
    """

    choices: int
    shift: tuple[float, float]
    oracle: tuple[float, float]
    skip_only: tuple[float, float]


def over_signs(substrate: Substrate, split: str = "test") -> SignSpread:
    """The skip's effect for random signs of its terms, by linear algebra: what depends on the signs is no result."""
    network, wanted = substrate.network, substrate.activations(split, 1)
    decoder = network.span(1)
    given = regimes(substrate, split)
    rows = []
    for skip in sign_choices(network.skips[0], SIGN_CHOICES):
        other = replace(network, skips=(skip,))
        oracle, skip_only = (equilibrium(other, given[name])[:, decoder] for name in ("oracle", "skip_only"))
        rows.append(
            (_oracle_shift(oracle, wanted), decoder_cosine(oracle, wanted), decoder_cosine(skip_only, wanted))
        )
    spans = [(min(column), max(column)) for column in zip(*rows, strict=True)]
    return SignSpread(len(rows), *spans)


def _oracle_shift(found: Array, wanted: Array) -> float:
    # without a skip either module rests at the activations that its forces were made for
    return relative_shift(found, wanted, wanted)
