"""The README's figures, written from a run's results: no figure there is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Measure
from netlists.files import write_text_whole

BEGIN, END = "<!-- benchmarks: written by `python -m benchmarks table` -->", "<!-- end of benchmarks -->"
PEERS = "peers"
_PEERS = ("PySpice", "InSpice", "spicelib")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def markdown(measures: Sequence[Measure], circumstances: Mapping[str, str]) -> str:
    """A table of all benchmarks but the peers, one of these, and where it was measured."""
    counts = sorted({len(m.values) for m in measures if len(m.values) > 1} or {1})
    rounds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    klu = " with KLU" if circumstances.get("klu") == "True" else ""
    said = (
        f"Measured on {circumstances['processor']} ({circumstances['cores']} cores), ngspice "
        f"{circumstances['ngspice']}{klu}, Python {circumstances['python']}, scipy {circumstances['scipy']}: medians "
        f"of {rounds} round(s) and half their range; measured once where there is no ±."
    )
    rows = [(f"`{m.benchmark}`", m.name, figure(m), _asked(m)) for m in measures if m.benchmark != PEERS]
    blocks = [said, _table(("benchmark", "what", "measured", "asked"), rows)]
    peers = [m for m in measures if m.benchmark == PEERS]
    if peers:
        versions = ", ".join(f"{name} {circumstances[name]}" for name in _PEERS if name in circumstances)
        blocks += [f"The same netlists through other ways to ngspice ({versions}):", _pivot(peers)]
    return "\n\n".join(blocks)


def figure(measure: Measure) -> str:
    """Median, spread and unit; no more digits than the spread leaves meaning."""
    unit = "" if measure.unit == "ratio" else f" {measure.unit}"
    if len(measure.values) == 1:
        return f"{_short(measure.median)}{unit}"
    return f"{_short(measure.median)} ± {_short(float(f'{measure.spread:.1g}'))}{unit}"


def replaced(document: str, block: str) -> str:
    """``document`` with what stands between the markers exchanged.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"no place for the table: it goes between the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def rewrite(path: Path, block: str) -> None:
    """``replaced`` in a file."""
    write_text_whole(path, replaced(path.read_text(encoding="utf-8"), block))


def _short(value: float) -> str:
    mantissa, exponent, power = f"{value:.3g}".partition("e")
    if exponent and abs(value) >= 1:
        return f"{value:.0f}"
    return f"{mantissa} · 10{str(int(power)).translate(_RAISED)}" if exponent else mantissa


def _asked(measure: Measure) -> str:
    sign = "≤" if measure.better == "lower" else "≥"
    bounds = [("", measure.must), ("aim ", measure.aim)]
    text = ", ".join(f"{word}{sign} {bound:g}" for word, bound in bounds if bound is not None)
    return f"{text}: missed" if measure.reached == "missed" else text


def _pivot(measures: Sequence[Measure]) -> str:
    """Measures named ``row: column`` as a table of them."""
    cells = {tuple(m.name.split(": ", 1)): figure(m) for m in measures}
    columns = list(dict.fromkeys(column for _, column in cells))
    names = list(dict.fromkeys(row for row, _ in cells))
    return _table(("", *columns), [(row, *(cells.get((row, c), "") for c in columns)) for row in names])


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("|  |", "| |")
