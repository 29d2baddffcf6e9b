"""Averaged readouts of an audited substrate under noise, as its circuit shows them, beside closed forms.

Every run is an input at rest under noise of its own. A readout is the mean of so many grid points of the visible nodes;
its noise is what it is off the resting point, whose distribution is known to the very grid (``grid_covariance``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from emulator.thermo.grid_covariance import grid_covariance
from emulator.thermo.sampling import Equilibrium, Injection, NoiseKind, averaged, expected_covariance
from emulator.thermo.scores import centred_r2, decoder_cosine
from emulator.thermo.thermal import averaging
from netlists.core import Array, Index
from netlists.network import LangevinNetwork

CORRELATION_TIMES = (1, 3, 10, 30, 100, 300)  # lengths of averages, after a single point
DRAWS = 200  # of readouts, for what their scores are expected to be


@dataclass(frozen=True)
class AveragedReadout:
    """Averages of one length, from all runs.

    Attributes:
        points: grid points in one.
        time: that they take, model time units.
        correlation_times: the same in these.
        averages: how many there are of each visible node.
        variance: of a visible node about its resting point, on the mean.
        error: standard error of that, in closed form too: averages count as independent two correlation times apart.
        expected: the variance in closed form, on the noise's grid.
        cosine, r2: the decoder's scores, on the mean over sets of a readout of each run.
        cosine_expected, r2_expected: the same of readouts drawn from the closed form about linear algebra.
        cosine_error: standard error of ``cosine``, from the same draws.
    """

    points: int
    time: float
    correlation_times: float
    averages: int
    variance: float
    error: float
    expected: float
    cosine: float
    cosine_expected: float
    cosine_error: float
    r2: float
    r2_expected: float


@dataclass(frozen=True)
class NoisyReadout:
    """What noise of a kind does to readouts.

    Attributes:
        kind: of the noise.
        runs: inputs, a run each.
        points: grid points kept of each run.
        step: model time between them.
        correlation_time: of isotropic noise, by linear algebra.
        boltzmann: variance of a visible node at one instant that the network's distribution has, on the mean.
        lengths: ascending; the first is one point, the last a whole run.
        resting_cosine, resting_r2: scores of the same inputs without noise, by linear algebra.
        signal: what tells inputs apart, rms of a node.
        residual: rms over visible nodes of the mean of all runs' noise.
        residual_expected: the same in closed form.
    """

    kind: NoiseKind
    runs: int
    points: int
    step: float
    correlation_time: float
    boltzmann: float
    lengths: list[AveragedReadout]
    resting_cosine: float
    resting_r2: float
    signal: float
    residual: float
    residual_expected: float

    @property
    def total_time(self) -> float:
        """Model time of all runs together: what ``residual`` is averaged over."""
        return self.runs * self.points * self.step

    @property
    def samples(self) -> tuple[float, float]:
        """Independent readouts that average the noise down to the signal: as measured, and in closed form."""
        one = self.lengths[0]
        return max(1.0, one.variance / self.signal**2), max(1.0, one.expected / self.signal**2)

    @property
    def time_needed(self) -> tuple[float, float, float]:
        """Model time of a continuous average to the same end: as measured, its standard error, and in closed form.

        From the longest averages, of which there are enough, as their variance falls as one over their length.
        """
        longest = max(
            (row for row in self.lengths if row.averages >= 2 * self.runs), key=lambda row: row.points
        )
        scale = longest.time / self.signal**2
        return scale * longest.variance, scale * longest.error, scale * longest.expected


def correlation_points(network: LangevinNetwork, drive: Injection) -> float:
    """Grid points in a correlation time of the visible nodes' noise."""
    return averaging(network, 1.0).correlation_time / drive.grid.step


def noisy_readout(
    network: LangevinNetwork, matrix: Array, drive: Injection, rests: Array, runs: list[Equilibrium],
    wanted: Array, signal: float,
) -> NoisyReadout:  # fmt: skip
    """What the runs show, a run an input.

    Args:
        network: as it was trained.
        matrix: (N, N) M of the conductances as made.
        drive: the noise.
        rests: (S, N) resting points of the inputs, by linear algebra as made.
        runs: S of them, of as many points each.
        wanted: (S, D) what the decoder should show.
        signal: rms of what tells inputs apart.
    """
    grid, decoder, points = drive.grid, network.span(1), len(runs[0].states)
    kt = grid.sigma**2 / 2
    per_time = correlation_points(network, drive)
    noise = [replace(run, states=run.states - rest) for run, rest in zip(runs, rests, strict=True)]
    asked = (max(1, round(k * per_time)) for k in CORRELATION_TIMES)
    sizes = sorted({1, *(size for size in asked if size < 0.9 * points), points})
    lengths = []
    for size in sizes:
        covariance = expected_covariance(matrix, drive, size)
        lengths.append(_length(size, per_time, noise, rests, covariance, network.visible, decoder, wanted))
    shown = network.visible
    instant = grid_covariance(matrix, np.eye(network.nodes), kt, grid.step)
    whole = np.mean([run.states[:, shown].mean(axis=0) for run in noise], axis=0)
    return NoisyReadout(
        kind=drive.kind, runs=len(runs), points=points, step=grid.step, correlation_time=per_time * grid.step,
        boltzmann=float(np.diag(instant)[shown].mean()), lengths=lengths,
        resting_cosine=decoder_cosine(rests[:, decoder], wanted), resting_r2=centred_r2(rests[:, decoder], wanted),
        signal=signal, residual=float(np.sqrt(np.mean(whole**2))),
        residual_expected=math.sqrt(lengths[-1].expected / len(runs)),
    )  # fmt: skip


def _length(
    points: int, per_time: float, noise: list[Equilibrium], rests: Array, covariance: Array, shown: Index,
    decoder: slice, wanted: Array,
) -> AveragedReadout:  # fmt: skip
    squares = float(np.mean([np.mean(averaged(run, shown, points) ** 2) for run in noise]))
    nodes = np.arange(decoder.start, decoder.stop)
    blocks = np.stack([averaged(run, nodes, points) for run in noise], axis=1)  # (B, S, D)
    cosines, deviations = _scores(blocks + rests[:, nodes], wanted)
    factor = np.linalg.cholesky(covariance[decoder, decoder])
    drawn = np.random.default_rng(0).standard_normal((DRAWS, len(rests), len(nodes))) @ factor.T
    expected, expected_r2 = _scores(drawn + rests[:, nodes], wanted)
    independent = max(1.0, min(len(blocks), len(noise[0].states) / per_time / 2))  # in a run
    seen = covariance[np.ix_(shown, shown)]
    # of a mean of squares of V normal numbers: 2 tr Σ²/V²
    spread = math.sqrt(2 * float(np.sum(seen**2)) / (independent * len(noise))) / len(shown)
    return AveragedReadout(
        points=points, time=points * noise[0].spacing, correlation_times=points / per_time,
        averages=len(blocks) * len(noise), variance=squares, error=spread,
        expected=float(np.diag(seen).mean()),
        cosine=float(cosines.mean()), cosine_expected=float(expected.mean()),
        cosine_error=float(expected.std() / math.sqrt(independent)),
        r2=float(deviations.mean()), r2_expected=float(expected_r2.mean()),
    )  # fmt: skip


def _scores(found: Array, wanted: Array) -> tuple[Array, Array]:
    """(B,) decoder cosines and centred R² of (B, S, D) readouts."""
    return (
        np.array([decoder_cosine(batch, wanted) for batch in found]),
        np.array([centred_r2(batch, wanted) for batch in found]),
    )
