"""Operating points of a design under many sets of currents, in one analysis of ngspice.

Reading a large netlist takes longer than solving it. A source that nothing else hears counts the sets, and each
current is a table over its voltage, looked up at whole numbers alone. A table's literals keep 11 digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from device_models.elements import checked_name
from device_models.printers.spice import wrapped
from netlists.core import Array
from netlists.design import Design, OperatingPoint
from netlists.dialects.deck import write_files
from netlists.dialects.spice_ngspice import NGSPICE_DIALECT
from netlists.dialects.write import joined_deck

_COUNTER = "input_number"


def write_sweep_deck(design: Design, currents: Mapping[tuple[str, str], Array]) -> str:
    """The deck as one text.

    Args:
        design: with an operating point as its analysis, without the currents.
        currents: (S,) ampere of each set, by the nodes of the bench that they flow from and to.

    Raises:
        ValueError: an analysis of another kind, or sets of different sizes.
    """
    sizes = {len(values) for values in currents.values()}
    if not isinstance(design.analysis, OperatingPoint) or len(sizes) != 1:
        raise ValueError(
            f"needs a design at rest and currents of as many sets each, received {sorted(sizes)} sets"
        )
    dialect = replace(NGSPICE_DIALECT, run=partial(_run, currents=currents, sets=sizes.pop()))
    return joined_deck(write_files(design, dialect), dialect)


def _run(design: Design, currents: Mapping[tuple[str, str], Array], sets: int) -> Sequence[str]:
    lines = [f"V{_COUNTER} {_COUNTER} 0 DC 0"]
    for number, ((out_of, into), values) in enumerate(currents.items()):
        # a table of one point is refused
        points = (
            list(enumerate(values.tolist())) if sets > 1 else [(0, float(values[0])), (1, float(values[0]))]
        )
        table = ", ".join(f"{at}, {ampere:.12g}" for at, ampere in points)
        head = f"Btable_{number} {checked_name(out_of)} {checked_name(into)}"
        lines += wrapped(head, [f"I = pwl(v({_COUNTER}), {table})"])
    *rest, _ = NGSPICE_DIALECT.run(design)
    return [*lines, *rest, f".dc V{_COUNTER} 0 {sets - 1} 1"]
