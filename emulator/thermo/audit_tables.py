"""An audit's transients as rows of words, and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from emulator.thermo.audit_noise import AveragedReadout, NoisyReadout
from emulator.thermo.audit_settling import MeasuredSettling
from emulator.thermo.audit_transients import Transients

HEADINGS = (
    "averaged over",
    "variance",
    "closed form",
    "decoder cosine",
    "expected",
    "centred R²",
    "expected",
)


def transients_json(found: Transients) -> dict[str, Any]:
    """Everything but the curves; what is not a number is null."""
    settling = {name: value for name, value in asdict(found.settling).items() if not name.startswith("curve")}
    settling |= {"slowest_error": found.settling.slowest_error, "time_error": found.settling.time_error}
    noise = {
        row.kind: {
            **asdict(row), "total_time": row.total_time,
            "samples": dict(zip(("measured", "closed_form"), row.samples, strict=True)),
            "time_needed": dict(zip(("measured", "error", "closed_form"), row.time_needed, strict=True)),
        }
        for row in found.noise
    }  # fmt: skip
    said = {"settling": settling, "noise": noise, "devices": found.devices, "cpu_s": found.cpu_s}
    plain: dict[str, Any] = _plain(said)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def transient_rows(found: Transients) -> Iterator[tuple[str, str, str]]:
    """Name, what the circuit showed, and what linear algebra says."""
    yield from _settling_rows(found.settling)
    for noise in found.noise:
        if noise.kind == "isotropic":
            yield from _noise_rows(noise)
        else:
            one = noise.lengths[0]
            yield (
                "variance of a node under Johnson noise, which is not the network's",
                f"{one.variance:.3g} ± {one.error:.2g}",
                f"{one.expected:.3g} (kT/M: {noise.boltzmann:.3g})",
            )


def _settling_rows(found: MeasuredSettling) -> Iterator[tuple[str, str, str]]:
    inputs = f"{len(found.times)} inputs"
    yield (
        f"time constant of the slowest mode, {inputs}",
        f"{_span(found.slowest)}, off by at most {100 * found.slowest_error:.1g} %",
        _span(found.slowest_predicted),
    )
    yield (
        f"rates of {min(found.modes)} modes or more, largest error",
        f"{100 * found.rate_error:.1g} %",
        "",
    )
    yield (
        f"settled to {found.tolerance:.0%}, {inputs}",
        f"{_span(found.times)}, off by at most {100 * found.time_error:.1g} %",
        _span(found.predicted),
    )


def _noise_rows(found: NoisyReadout) -> Iterator[tuple[str, str, str]]:
    (samples, samples_expected), (time, error, time_expected) = found.samples, found.time_needed
    yield (
        "independent readouts that average the noise down to what tells inputs apart",
        f"{samples:,.0f}",
        f"{samples_expected:,.0f}",
    )
    yield (
        "model time to the same end, by the longest averages",
        f"{time:,.0f} ± {error:,.0f}",
        f"{time_expected:,.0f}",
    )
    yield (
        f"noise left over all {found.total_time:,.0f} model time units, where the signal is {found.signal:.3g}",
        f"{found.residual:.3g}",
        f"{found.residual_expected:.3g}",
    )


def length_rows(found: NoisyReadout) -> Iterator[tuple[str, ...]]:
    """``HEADINGS`` of each length of an average, and what rest itself scores."""
    for row in found.lengths:
        yield (
            _length(row), f"{row.variance:.3g} ± {row.error:.2g}", f"{row.expected:.3g}",
            f"{row.cosine:.4f} ± {row.cosine_error:.4f}", f"{row.cosine_expected:.4f}", _r2(row.r2),
            _r2(row.r2_expected),
        )  # fmt: skip
    yield (
        "no noise: at rest", "0", "0", "", f"{found.resting_cosine:.4f}", "", _r2(found.resting_r2)
    )  # fmt: skip


def _length(row: AveragedReadout) -> str:
    times = f"{row.correlation_times:.0f}"
    return "one instant" if row.points == 1 else f"{times} correlation time{'s' * (times != '1')}"


def _r2(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"


def _span(values: list[float]) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"
