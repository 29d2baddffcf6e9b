"""The picture of an audit: scores with their baselines, ranks, spectrum, settling, averaging."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emulator.canvas import BLUE, FAINT, INK, ORANGE, RED, WIDTH, drawing, png
from emulator.thermo import published
from emulator.thermo.audit import Audit
from emulator.thermo.audit_files import BASELINES, REGIMES
from emulator.thermo.audit_noise import NoisyReadout
from emulator.thermo.thermal import averaged_noise, distances

DPI = 150


def audit_figure(audit: Audit) -> bytes:
    """PNG of an audit. Published figures are open circles, of a colour of their own."""
    with drawing():
        noisy = bool(_noise(audit))
        figure = Figure(figsize=(WIDTH, 10.7 if noisy else 8.0), layout="constrained")
        (scores, centred), (ranks, spectrum), (settling, averaging), *last = figure.subplots(3 + noisy, 2)
        _cosines(scores, audit)
        _centred(centred, audit)
        _ranks(ranks, audit)
        _spectrum(spectrum, audit)
        _settling(settling, audit)
        _averaging(averaging, audit)
        for left, right in last:
            _readouts(left, audit)
            _deviations(right, audit)
        return png(figure, DPI)


def _names() -> list[str]:
    # the oracle without a skip is 1 by construction, and tells a picture nothing
    return [*REGIMES, *(name for name in BASELINES if name != "oracle_no_skip")]


def _labelled(axes: Axes) -> None:
    titles = {**REGIMES, **BASELINES}
    names = _names()
    axes.set_yticks(range(len(names)), [titles[name][0] for name in names])
    axes.invert_yaxis()
    axes.axhline(len(REGIMES) - 0.5, color=FAINT, linewidth=0.7)


def _cosines(axes: Axes, audit: Audit) -> None:
    axes.set_title("Decoder cosine: distance from 1")
    floor = 1e-6
    for row, name in enumerate(_names()):
        ours = {**audit.evaluation.regimes, **audit.evaluation.baselines}[name].cosine
        axes.plot(max(1 - ours, floor), row, "o", color=BLUE if name in REGIMES else ORANGE)
        if name in published.COSINES:
            axes.plot(max(1 - published.COSINES[name], floor), row, "o", color=RED, markerfacecolor="none")
    axes.set_xscale("log")
    axes.set_xlim(floor / 1.5, 2)
    axes.set_xlabel(f"1 − cosine (left is better; at {floor:g}: no further than that)")
    axes.plot([], [], "o", color=BLUE, label="substrate")
    axes.plot([], [], "o", color=ORANGE, label="baseline")
    axes.plot([], [], "o", color=RED, markerfacecolor="none", label="published")
    axes.legend(loc="lower left")
    _labelled(axes)


def _centred(axes: Axes, audit: Audit) -> None:
    axes.set_title("Centred R²: what tells the inputs apart")
    for row, name in enumerate(_names()):
        ours = {**audit.evaluation.regimes, **audit.evaluation.baselines}[name].r2
        axes.barh(row, ours, color=BLUE if name in REGIMES else ORANGE, height=0.6)
        axes.text(max(ours, 0) + 0.02, row, f"{ours:.3f}", va="center", fontsize=8)
    axes.set_xlim(min(0, *axes.get_xlim()), 1.25)
    axes.set_xlabel("R² of the deviations from the mean")
    _labelled(axes)


def _ranks(axes: Axes, audit: Audit) -> None:
    axes.set_title("Decoder shift over the rank of the skip")
    found = [(row.rank, row.shift) for row in audit.ranks if row.shift is not None]
    axes.plot([k for k, _ in found], [100 * shift for _, shift in found], "o-", color=BLUE)
    for row in audit.ranks:
        if row.shift is None:
            axes.axvspan(row.rank / 1.3, row.rank * 1.3, color=RED, alpha=0.15, linewidth=0)
            axes.text(row.rank, axes.get_ylim()[1] * 0.9, "indefinite", color=RED, ha="center", fontsize=8)
    low, high = audit.signs.shift
    rank = audit.substrate.network.skips[0].rank
    axes.plot(
        [rank, rank], [100 * low, 100 * high], color=ORANGE, linewidth=3, alpha=0.6, label="other signs"
    )
    axes.plot(rank, 100 * published.SHIFT, "o", color=RED, markerfacecolor="none", label="published")
    axes.set_xscale("log", base=2)
    axes.set_xticks([row.rank for row in audit.ranks], [str(row.rank) for row in audit.ranks], fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("rank")
    axes.set_ylabel("shift (%)")
    axes.legend(loc="upper right")


def _spectrum(axes: Axes, audit: Audit) -> None:
    axes.set_title("Spectrum of the system matrix")
    values = audit.spectrum.eigenvalues
    axes.plot(np.arange(1, len(values) + 1), values, ".", color=BLUE)
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.set_ylim(min(0.0, 1.1 * audit.spectrum.smallest), 1.1 * audit.spectrum.largest)
    axes.set_xlabel("mode")
    axes.set_ylabel("rate (1/model time)")


def _settling(axes: Axes, audit: Audit) -> None:
    axes.set_title("Settling, without noise")
    settled = audit.settling
    times = np.linspace(0, 1.5 * max(settled.time, settled.bound), 200)
    curve = distances(audit.substrate.network, audit.equilibria, times)
    axes.semilogy(times, curve, color=BLUE, label="linear algebra, all inputs")
    axes.semilogy(times, np.exp(-times / settled.slowest), "--", color=FAINT, label="exp(−λ_min t)")
    axes.axhline(settled.tolerance, color=ORANGE, linewidth=0.9)
    if audit.transients is not None:
        found = audit.transients.settling
        axes.semilogy(
            found.curve_time, found.curve, color=ORANGE, linewidth=3, alpha=0.5, zorder=1.5,
            label=f"circuit, {len(found.times)} inputs",
        )  # fmt: skip
        axes.set_xlim(0, times[-1])
        axes.set_ylim(bottom=0.5 * curve[-1])
    axes.set_xlabel("model time")
    axes.set_ylabel("distance, relative")
    axes.legend(loc="upper right")


def _averaging(axes: Axes, audit: Audit) -> None:
    axes.set_title(f"Thermal noise left in an average, kT = {audit.substrate.network.kt:g}")
    end = max([row.time for row in audit.averaging] + [audit.settling.bound])
    times = np.geomspace(1e-2 * audit.settling.slowest, 2 * end, 200)
    axes.loglog(times, averaged_noise(audit.substrate.network, times), color=BLUE, label="closed form")
    for found, colour in zip(_noise(audit), (BLUE, RED), strict=False):
        rows = found.lengths
        axes.errorbar(
            [row.time for row in rows], [row.variance**0.5 for row in rows],
            [row.error / (2 * row.variance**0.5) for row in rows], fmt="o", markersize=4, color=colour,
            label=f"circuit, {found.kind}",
        )  # fmt: skip
        if found.kind == "isotropic":
            axes.plot(found.total_time, found.residual, "s", color=colour, markersize=5, label="all its runs")
        else:
            axes.plot([row.time for row in rows], [row.expected**0.5 for row in rows], "--", color=colour)
    for row, style in zip(audit.averaging, ("-", "--"), strict=False):
        axes.axhline(row.ratio * row.signal, color=ORANGE, linewidth=0.9, linestyle=style)
        axes.annotate(
            f"{row.ratio:g} × what tells inputs apart", (0.02, row.ratio * row.signal), (0, 2),
            xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8, color=ORANGE,
        )  # fmt: skip
    axes.set_xlabel("averaged over, model time")
    axes.set_ylabel("rms")
    axes.legend(loc="upper right")


def _noise(audit: Audit) -> list[NoisyReadout]:
    return audit.transients.noise if audit.transients else []


def _readouts(axes: Axes, audit: Audit) -> None:
    axes.set_title("Decoder cosine of averaged readouts, full pipeline")
    for found, colour in zip(_noise(audit), (BLUE, RED), strict=False):
        rows = found.lengths
        times = [row.correlation_times for row in rows]
        axes.errorbar(
            times, [row.cosine for row in rows], [row.cosine_error for row in rows], fmt="o", markersize=4,
            color=colour, label=f"circuit, {found.kind}",
        )  # fmt: skip
        axes.plot(times, [row.cosine_expected for row in rows], color=colour, linewidth=0.9)
        axes.axhline(found.resting_cosine, color=FAINT, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_ylim(top=1.05)
    axes.set_xlabel("averaged over, correlation times")
    axes.legend(loc="lower right")


def _deviations(axes: Axes, audit: Audit) -> None:
    axes.set_title("1 − centred R² of averaged readouts, full pipeline")
    for found, colour in zip(_noise(audit), (BLUE, RED), strict=False):
        rows = found.lengths
        times = [row.correlation_times for row in rows]
        axes.plot(
            times,
            [1 - row.r2 for row in rows],
            "o",
            markersize=4,
            color=colour,
            label=f"circuit, {found.kind}",
        )
        axes.plot(times, [1 - row.r2_expected for row in rows], color=colour, linewidth=0.9)
        axes.axhline(1 - found.resting_r2, color=FAINT, linewidth=0.9, linestyle="--")
    axes.axhline(1, color=ORANGE, linewidth=0.9)
    axes.annotate("a constant", (0.02, 1), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                  fontsize=8, color=ORANGE)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("averaged over, correlation times")
    axes.legend(loc="upper right")
