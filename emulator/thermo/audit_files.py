"""An audit as files: ``audit.json`` for programs, ``audit.md`` for people, ``audit.png`` to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emulator.thermo import published
from emulator.thermo.audit import Audit
from emulator.thermo.audit_tables import HEADINGS, length_rows, transient_rows, transients_json
from emulator.thermo.evaluation import Score
from emulator.thermo.findings import findings
from netlists.files import write_bytes_whole, write_text_whole
from netlists.printable import printable

JSON, TABLE, FIGURE = "audit.json", "audit.md", "audit.png"
FORMAT, VERSION = "ais-thermo-audit", 1

# what the rows are called, and what each of them is
REGIMES = {
    "oracle": ("oracle", "forces A x and B d, solved with the skip on"),
    "learned_encoder": ("learned encoder", "b_enc of the interface, B d"),
    "skip_only": ("skip only", "b_enc of the interface, nothing for the decoder"),
    "full": ("full pipeline", "both forces of the interface"),
}
BASELINES = {
    "constant": ("constant predictor", "the mean of the training activations, whatever the input"),
    "no_skip": ("no skip", "the full pipeline with the skip taken out"),
    "interface_only": ("interface only", "the digital net's b_dec, without a substrate"),
    "oracle_exact": ("exact-bias oracle", "forces M [x; d]: 1 but for the solver's error"),
    "oracle_no_skip": ("oracle, no skip", "forces A x and B d without the skip: 1 by construction"),
}


def write_audit(folder: Path, audit: Audit) -> list[Path]:
    """Writes the three files, each whole or not at all; returns their paths."""
    from emulator.thermo.audit_figure import (
        audit_figure,  # with matplotlib, which other commands need not wait for
    )

    figure = audit_figure(audit)
    write_text_whole(folder / JSON, json.dumps(as_json(audit), indent=2, allow_nan=False) + "\n")
    write_text_whole(folder / TABLE, as_markdown(audit))
    write_bytes_whole(folder / FIGURE, figure)
    return [folder / name for name in (JSON, TABLE, FIGURE)]


def as_json(audit: Audit) -> dict[str, Any]:
    """The audit as plain data; ``published`` alone is not ours."""
    network, scores = audit.substrate.network, audit.evaluation
    return {
        "format": FORMAT,
        "version": VERSION,
        "substrate": {
            "file": audit.path.name, "sha256": audit.sha256, "modules": list(network.sizes),
            "rank": network.skips[0].rank, "kt": network.kt,
        },
        "solver": audit.solver,
        "findings": findings(audit),
        "inputs": {"split": audit.split, "number": len(audit.equilibria)},
        "interface_parameters": audit.interface_parameters,
        "operating_point_relative_error": audit.operating_point_error,
        "regimes": {name: score.cosine for name, score in scores.regimes.items()},
        "baselines": {name: score.cosine for name, score in scores.baselines.items()},
        "centred_r2": {
            name: score.r2 for name, score in {**scores.regimes, **scores.baselines}.items()
        },
        "decoder_shift": scores.shift,
        "over_ranks": [asdict(row) for row in audit.ranks],
        "over_signs": asdict(audit.signs),
        "conditioning_deficit": audit.deficit,
        "spectrum": {
            "smallest": audit.spectrum.smallest, "largest": audit.spectrum.largest,
            "condition": audit.spectrum.condition,
        },
        "wiring": asdict(audit.wiring),
        "settling": asdict(audit.settling),
        "averaging": [asdict(row) for row in audit.averaging],
        "transients": transients_json(audit.transients) if audit.transients else None,
        "published": {
            "source": published.SOURCE, "regimes": dict(published.COSINES), "decoder_shift": published.SHIFT,
            "interface_parameters": published.INTERFACE_PARAMETERS,
            "conditioning_deficit": published.CONDITIONING_DEFICIT,
        },
    }  # fmt: skip


def score_rows(audit: Audit) -> Iterator[tuple[str, str, Score, str]]:
    """Name, explanation, our score and the published cosine (or nothing) of every row of the table."""
    for names, scores in ((REGIMES, audit.evaluation.regimes), (BASELINES, audit.evaluation.baselines)):
        for key, (name, said) in names.items():
            figure = published.COSINES.get(key) if names is REGIMES else None
            yield name, said, scores[key], "" if figure is None else f"{figure:.4f}"


def other_rows(audit: Audit) -> Iterator[tuple[str, str, str]]:
    """Name, our figure and the published one (or nothing) of what is no score."""
    shift, signs = audit.evaluation.shift, audit.signs
    settled, error = audit.settling, audit.operating_point_error
    yield "interface parameters", f"{audit.interface_parameters:,}", f"{published.INTERFACE_PARAMETERS:,}"
    yield "decoder shift", f"{shift:.2%}", f"{published.SHIFT:.2%}"
    for name, (low, high) in (
        ("decoder shift", signs.shift), ("oracle", signs.oracle), ("skip only", signs.skip_only)
    ):  # fmt: skip
        span = f"{low:.2%} to {high:.2%}" if name == "decoder shift" else f"{low:.4f} to {high:.4f}"
        yield f"{name}, other signs of the singular vectors ({signs.choices} choices)", span, ""
    yield (
        "conditioning deficit, std(A x)/std(J x)",
        f"{audit.deficit:.1f}×",
        f"{published.CONDITIONING_DEFICIT:,.0f}×",
    )
    found = audit.spectrum
    yield "eigenvalues of M", f"{found.smallest:.4f} to {found.largest:.4f}, ratio {found.condition:.2f}", ""
    yield (
        "transconductors of the skip",
        f"{audit.wiring.bus:,} by bus, {audit.wiring.dense:,} dense; as many at rank {audit.wiring.break_even:g}",
        "",
    )
    if error is not None:
        yield "operating point against linear algebra, relative", f"{error:.1e}", ""
    yield (
        f"settling to {settled.tolerance:.0%}",
        f"{settled.time:.3g} model time units, {settled.time / settled.slowest:.2f}/λ_min (bound "
        f"{settled.bound / settled.slowest:.2f}/λ_min)",
        "",
    )
    for row in audit.averaging:
        yield (
            f"averaging until thermal noise is {row.ratio:g} × what tells inputs apart",
            f"{row.samples:,.0f} independent readouts, or {row.time:,.0f} model time units (noise {row.noise:.3g}, "
            f"signal {row.signal:.3g} rms; correlation time {row.correlation_time:.3g}; one readout would do at "
            f"kT = {row.kt_of_one:.2g})",
            "",
        )


def as_markdown(audit: Audit) -> str:
    """The tables as Markdown."""
    network = audit.substrate.network
    lines = [
        f"Substrate `{printable(audit.path.name)}`, modules of {' and '.join(map(str, network.sizes))} nodes, skip of "
        f"rank {network.skips[0].rank}, kT = {network.kt:g}; {len(audit.equilibria)} inputs; equilibria by "
        f"{audit.solver}. Published: {published.SOURCE}.",
        "",
        *[f"- {sentence}" for sentence in findings(audit)],
        "",
        "| | decoder cosine | centred R² | published cosine |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name}: {said} | {score.cosine:.4f} | {score.r2:.4f} | {figure} |"
        for name, said, score, figure in score_rows(audit)
    ]
    lines += ["", "| | measured | published |", "|---|---|---|"]
    lines += [f"| {name} | {ours} | {theirs} |" for name, ours, theirs in other_rows(audit)]
    lines += ["", "| rank | λ_min of M | decoder shift | oracle cosine |", "|---|---|---|---|"]
    for row in audit.ranks:
        shift, cosine = (
            ("not positive definite", "") if row.shift is None else (f"{row.shift:.2%}", f"{row.cosine:.4f}")
        )
        lines.append(f"| {row.rank} | {row.smallest_eigenvalue:.4f} | {shift} | {cosine} |")
    return "\n".join([*lines, *_transients(audit)]) + "\n"


_NOISES = {
    "isotropic": "isotropic noise (the Boltzmann answer)",
    "johnson": "Johnson noise (of the conductances: the negative control)",
}


def _transients(audit: Audit) -> Iterator[str]:
    """The tables of what was simulated over time."""
    found = audit.transients
    if found is None:
        return
    yield from (
        "",
        f"Over time, in ngspice: settling element by element, noise by {found.devices}. Model time units; "
        "closed forms under noise are on its grid, which takes a few percent of an instant's variance, and nothing of "
        "a long average's.",
        "",
        "| | circuit | linear algebra |",
        "|---|---|---|",
    )
    yield from (f"| {name} | {ours} | {exact} |" for name, ours, exact in transient_rows(found))
    for noise in found.noise:
        yield from (
            "",
            f"Readouts of {noise.runs} inputs under {_NOISES[noise.kind]}, averaged; the correlation time is "
            f"{noise.correlation_time:.3g}:",
            "",
            f"| {' | '.join(HEADINGS)} |",
            f"|{'---|' * len(HEADINGS)}",
        )
        yield from (f"| {' | '.join(row)} |" for row in length_rows(noise))
