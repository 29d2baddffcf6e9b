"""What goes beside a netlist to whoever lays the core out: placement, wires, coupler codes, and the weights' memory.

Cells stand on a square grid, node (row, column) at (column, row) × pitch. A coupler stands at its receiver: one wire,
as long as the Manhattan distance between the two cells, brings it the sender's output. Wires are not shared: an output
that goes to many places is counted once for each.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from netlists.core import AnalogCore, Array, Index

PLACEMENT_FILE, CODES_FILE, MEMORY_FILE = "placement.csv", "coupler_codes.csv", "weights.mem"
FLOORPLAN_FILES = frozenset({PLACEMENT_FILE, CODES_FILE, MEMORY_FILE})
MemoryForm = Literal["sign-magnitude", "twos-complement"]
_WIDEST = 64  # bits of a word


def wire_lengths_um(core: AnalogCore, edge_of: Index, pitch_um: float) -> Array:
    """(Q,) length of each coupler's wire; ``edge_of`` is the (Q,) edge that each coupler realises."""
    rows, columns = np.divmod(core.edges[edge_of], core.shape[1])
    return np.asarray((np.abs(np.diff(rows)) + np.abs(np.diff(columns)))[:, 0] * pitch_um)


def wire_farads(
    core: AnalogCore, edge_of: Index, pitch_um: float, farads_per_um: float, *, mutual: bool = False
) -> Array:
    """(N,) capacitance that the wires add to each cell's output.

    Args:
        core: the grid.
        edge_of: (Q,) edge that each coupler realises.
        pitch_um: distance of neighbouring cells, micrometres.
        farads_per_um: capacitance of a wire.
        mutual: a coupler loads both its cells with half its wire; else all of it loads the sender.

    Raises:
        ValueError: a pitch or a capacitance that is not a number from 0 up.
    """
    for what, value in (("pitch", pitch_um), ("capacitance per micrometre", farads_per_um)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"the {what} has to be a number from 0 up, not {value}")
    farads = wire_lengths_um(core, edge_of, pitch_um) * farads_per_um
    receivers, senders = core.edges[edge_of].T
    if not mutual:
        return np.bincount(senders, farads, minlength=core.nodes).astype(np.float64)
    ends = np.concatenate([receivers, senders])
    return np.bincount(ends, np.tile(farads / 2, 2), minlength=core.nodes).astype(np.float64)


def placement(core: AnalogCore, pitch_um: float) -> str:
    """CSV, a line a node: where it stands, whether it is visible, and the pixel that it shows."""
    pixel = {node: number for number, node in enumerate(core.visible.tolist())}
    rows = [["node", "row", "column", "x_um", "y_um", "visible", "pixel"]]
    for node, name in enumerate(core.node_names):
        row, column = divmod(node, core.shape[1])
        shown = pixel.get(node)
        rows.append([
            name, str(row), str(column), repr(column * pitch_um), repr(row * pitch_um),
            str(int(shown is not None)), "" if shown is None else str(shown),
        ])  # fmt: skip
    return _csv(rows)


def coupler_codes(core: AnalogCore, edge_of: Index, codes: Index, lsb: float, pitch_um: float) -> str:
    """CSV, a line a coupler and chunk: the trained weight, its code, and what the code misses of it.

    Args:
        core: trained weights.
        edge_of: (Q,) edge that each coupler realises.
        codes: (T, Q) signed codes.
        lsb: weight of one code.
        pitch_um: distance of neighbouring cells.
    """
    _check_shape(core, edge_of, codes)
    names, lengths = core.node_names, wire_lengths_um(core, edge_of, pitch_um).tolist()
    rows = [["receiver", "sender", "chunk", "weight", "code", "sign", "residual", "length_um"]]
    for chunk in range(core.chunks):
        columns = zip(edge_of.tolist(), codes[chunk].tolist(), lengths, strict=True)
        for edge, code, length in columns:
            receiver, sender = core.edges[edge].tolist()
            weight = float(core.coupling[chunk, edge])
            rows.append([
                names[receiver], names[sender], str(chunk + 1), repr(weight), str(abs(code)),
                "-" if code < 0 else "+", repr(weight - code * lsb), repr(length),
            ])  # fmt: skip
    return _csv(rows)


def coupler_strengths(core: AnalogCore, edge_of: Index, strengths: Array, unit: str, pitch_um: float) -> str:
    """CSV, a line a coupler and chunk, for couplers without a digital code: the trained weight and the strength.

    Args:
        core: trained weights.
        edge_of: (Q,) edge that each coupler realises.
        strengths: (T, Q) signed strengths.
        unit: of those.
        pitch_um: distance of neighbouring cells.
    """
    _check_shape(core, edge_of, strengths)
    names, lengths = core.node_names, wire_lengths_um(core, edge_of, pitch_um).tolist()
    rows = [["receiver", "sender", "chunk", "weight", "strength", "unit", "length_um"]]
    for chunk in range(core.chunks):
        columns = zip(edge_of.tolist(), strengths[chunk].tolist(), lengths, strict=True)
        for edge, strength, length in columns:
            receiver, sender = core.edges[edge].tolist()
            rows.append([
                names[receiver], names[sender], str(chunk + 1), repr(float(core.coupling[chunk, edge])),
                repr(strength), unit, repr(length),
            ])  # fmt: skip
    return _csv(rows)


def memory_image(
    core: AnalogCore, edge_of: Index, codes: Index, bits: int, form: MemoryForm = "sign-magnitude"
) -> str:
    """The codes as a file for ``$readmemh``: a word a coupler and chunk.

    Word t·Q + q is coupler q in chunk t, both from 0; couplers in the order of ``coupler_codes``.

    Args:
        core: gives the names in the comments.
        edge_of: (Q,) edge that each coupler realises.
        codes: (T, Q) signed codes.
        bits: of a word, the sign included.
        form: ``sign-magnitude``: the topmost bit is the sign, 1 for minus; or ``twos-complement``.

    Raises:
        ValueError: a code that needs more bits.
    """
    _check_shape(core, edge_of, codes)
    if not 2 <= bits <= _WIDEST:
        raise ValueError(f"a word has 2 to {_WIDEST} bits, one of them the sign, not {bits}")
    top = 1 << (bits - 1)
    least = 1 - top if form == "sign-magnitude" else -top
    wrong = np.argwhere((codes < least) | (codes > top - 1))
    if len(wrong):
        chunk, coupler = wrong[0].tolist()
        raise ValueError(
            f"{len(wrong)} codes do not fit {bits} bits in {form}, which hold {least} to {top - 1}; the first is "
            f"{codes[chunk, coupler]} of coupler {coupler} in chunk {chunk + 1}: take more bits"
        )
    digits = -(-bits // 4)
    names, count = core.node_names, len(edge_of)
    lines = [
        f"// {core.chunks} chunk(s) of {count} couplers; word = chunk * {count} + coupler, both from 0",
        f"// {bits} bits a word, {form}{', the topmost bit is the sign' if form == 'sign-magnitude' else ''}",
    ]
    for chunk, row in enumerate(codes.tolist()):
        if count:
            lines.append(f"@{chunk * count:x} // chunk {chunk + 1}")
        for edge, code in zip(edge_of.tolist(), row, strict=True):
            receiver, sender = core.edges[edge].tolist()
            word = (top if code < 0 else 0) | abs(code) if form == "sign-magnitude" else code % (2 * top)
            lines.append(f"{word:0{digits}x} // {names[receiver]} from {names[sender]}")
    return "\n".join([*lines, ""])


def read_memory_image(text: str, bits: int, form: MemoryForm = "sign-magnitude") -> list[int]:
    """The signed codes of a memory image, in the order of its words, as ``$readmemh`` takes them.

    Raises:
        ValueError: not such a file, or words that are missing.
    """
    top = 1 << (bits - 1)
    words: dict[int, int] = {}
    address = 0
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    for token in plain.split():
        if token.startswith("@"):
            address = int(token[1:], 16)
            continue
        word = int(token, 16)
        if word >= 2 * top:
            raise ValueError(f"word {token!r} has more than {bits} bits")
        magnitude = word & (top - 1)
        if form == "sign-magnitude":
            words[address] = -magnitude if word & top else magnitude
        else:
            words[address] = word - 2 * top if word & top else word
        address += 1
    if sorted(words) != list(range(len(words))):
        raise ValueError("the words do not follow one another from address 0")
    return [words[place] for place in range(len(words))]


def write_floorplan_files(
    core: AnalogCore, edge_of: Index, codes: Index | None, lsb: float, *, pitch_um: float, bits: int,
    form: MemoryForm = "sign-magnitude",
) -> dict[str, str]:  # fmt: skip
    """File name to text; without ``codes`` (couplers without a digital code) the placement alone."""
    files = {PLACEMENT_FILE: placement(core, pitch_um)}
    if codes is not None:
        files[CODES_FILE] = coupler_codes(core, edge_of, codes, lsb, pitch_um)
        files[MEMORY_FILE] = memory_image(core, edge_of, codes, bits, form)
    return files


def _check_shape(core: AnalogCore, edge_of: Index, codes: Index | Array) -> None:
    if codes.shape != (core.chunks, len(edge_of)):
        raise ValueError(f"codes have shape {codes.shape}, expected {(core.chunks, len(edge_of))}")


def _csv(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
