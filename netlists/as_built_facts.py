"""What was done to the weights of a chip, in words for people and for the heads of netlists."""

from __future__ import annotations

import numpy as np

from netlists.as_built import COUPLING, AsBuilt, Quantised
from netlists.core import Array, Index
from netlists.quantizer import Code

MOST_LEVELS, MOST_NAMES, MOST_CHUNKS = 8, 6, 8


def facts(built: AsBuilt) -> tuple[tuple[str, str], ...]:
    """(what, in words) of everything that was done; empty for the trained weights as they are."""
    found = [(f"codes of {name}", _codes(held)) for name, held in built.quantised.items()]
    if built.clipped:
        found.append(("clipped", f"{built.clipped} weights were beyond full scale and are set to it"))
    if built.full_scale is not None and built.asked.bits is not None:
        found.append((f"codes of {COUPLING}", "those of the couplers' own legs"))
    die, asked = built.die, built.asked
    if die is None:
        return tuple(found)
    if asked.dead:
        found.append(("dead couplers", _broken(built, die.dead, np.zeros(len(die.dead)))))
    if asked.stuck:
        found.append(("stuck couplers", _broken(built, die.stuck, die.stuck_sign)))
    if asked.mismatch_coupling:
        found.append(("mismatch of couplers", _spread(die.coupling - 1, "couplers")))
    if asked.mismatch_shil:
        found.append(("mismatch of injection", _spread(die.shil - 1, "cells")))
    if built.detuning is not None:
        rate = f"; a standard deviation of {built.detuning.std():.3g} rad per model time unit in this run"
        found.append(("detuning", _spread(die.detuning, "cells") + rate))
    return (*found, ("drawn for", f"chip {asked.chip}"))


def _codes(held: Quantised) -> str:
    sizes = "; ".join(
        f"{what} {_list(values)}" for what, values in (("full scale", held.full_scale), ("LSB", held.lsb))
    )
    chunks = " in chunks 1, 2, ..." if len(held.full_scale) > 1 else ""
    clipped = f"; {held.clipped} of {held.codes.size} weights clipped by more than half an LSB"
    return (
        f"{held.code.bits} bits, {held.code.kind}: codes {held.code.lowest} to {held.code.highest}, "
        f"{_levels(held.code)}. Per model time unit: {sizes}{chunks}" + (clipped if held.clipped else "")
    )


def _levels(code: Code) -> str:
    levels = code.levels
    if len(levels) <= MOST_LEVELS:
        return f"levels {', '.join(f'{level:.4g}' for level in levels)} of full scale"
    zero = "" if 0 in levels else ", none of them 0"
    return f"{len(levels)} levels from {levels[0]:.4g} to {levels[-1]:.4g} of full scale{zero}"


def _list(values: Array) -> str:
    shown = ", ".join(f"{value:.4g}" for value in values[:MOST_CHUNKS])
    return shown + (", ..." if len(values) > MOST_CHUNKS else "")


def _broken(built: AsBuilt, numbers: Index, signs: Array) -> str:
    """How many, and which of them first, by the cells that they join."""
    assert built.coupler_of is not None
    _, edge_of = np.unique(built.coupler_of, return_index=True)
    names, edges = built.core.node_names, built.core.edges
    ends = ["" if sign == 0 else " at +" if sign > 0 else " at -" for sign in signs.tolist()]
    shown = [
        f"{names[i]}/{names[j]}{at}"
        for (i, j), at in zip(edges[edge_of[numbers[:MOST_NAMES]]].tolist(), ends, strict=False)
    ]
    more = [f"{len(numbers) - MOST_NAMES} more"] if len(numbers) > MOST_NAMES else []
    which = f": {', '.join([*shown, *more])}" if shown else ""
    return f"{len(numbers)} of {len(edge_of)}{which}"


def _spread(off: Array, what: str) -> str:
    """Of relative departures."""
    if not len(off):
        return f"there are no {what}"
    return (
        f"standard deviation {100 * off.std():.3g} %, {100 * off.min():.3g} % to {100 * off.max():.3g} %, "
        f"over {len(off)} {what}"
    )
