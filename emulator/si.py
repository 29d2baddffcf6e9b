"""Numbers with their unit and an SI prefix."""

from __future__ import annotations

_PREFIXES = (
    (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"),
    (1e-18, "a"), (1e-21, "z"),
)  # fmt: skip


def si(value: float, unit: str, figures: int = 3) -> str:
    """Such as 22.5 µJ."""
    rounded = abs(float(f"{value:.{figures}g}"))  # 999.9 nJ are 1 µJ
    size, letter = next((each for each in _PREFIXES if rounded >= each[0]), _PREFIXES[-1])
    if value == 0:
        size, letter = 1.0, ""
    return f"{float(f'{value:.{figures}g}') / size:.{figures}g} {letter}{unit}"
