"""Placement, wires, codes and memory image of a core."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pytest
from cores import both_ways, core, window_grid
from hypothesis import given
from hypothesis import strategies as st

from netlists.core import AnalogCore
from netlists.floorplan import (
    coupler_codes,
    memory_image,
    placement,
    read_memory_image,
    wire_farads,
    wire_lengths_um,
    write_floorplan_files,
)

GRID = core((3, 4), window_grid(3, 4, 1), 0.5, boundaries=(0.0, 1.0, 2.0), visible=[7, 0, 5])
LINE = core((2, 3), [(0, 1), (0, 5), (3, 2)], [[0.5, -0.2, 0.31]])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def everything(analog_core: AnalogCore) -> np.ndarray:
    return np.arange(len(analog_core.edges))


def test_placement_says_where_each_node_stands_and_what_it_shows() -> None:
    found = rows(placement(GRID, 12.5))
    assert [row["node"] for row in found] == list(GRID.node_names)
    assert found[7] == {
        "node": "r01c03", "row": "1", "column": "3", "x_um": "37.5", "y_um": "12.5", "visible": "1", "pixel": "0",
    }  # fmt: skip
    assert [row["node"] for row in sorted(found, key=lambda r: r["pixel"]) if row["pixel"]] == [
        "r01c03",
        "r00c00",
        "r01c01",
    ]
    assert sum(row["visible"] == "1" for row in found) == 3


def test_wires_are_as_long_as_the_way_between_the_cells() -> None:
    assert wire_lengths_um(LINE, everything(LINE), 10.0).tolist() == [10.0, 30.0, 30.0]
    assert wire_lengths_um(LINE, np.array([2, 0]), 10.0).tolist() == [30.0, 10.0]
    pairs, edge_of = GRID.couplers
    assert len(pairs)
    np.testing.assert_array_equal(wire_lengths_um(GRID, edge_of, 1.0), GRID.wire_lengths)


def test_wires_load_the_cells_that_drive_them() -> None:
    farads = wire_farads(LINE, everything(LINE), 10.0, 2e-16)
    np.testing.assert_allclose(farads, [0, 2e-15, 6e-15, 0, 0, 6e-15], rtol=1e-12)
    shared = wire_farads(LINE, everything(LINE), 10.0, 2e-16, mutual=True)
    np.testing.assert_allclose(shared, [4e-15, 1e-15, 3e-15, 3e-15, 0, 3e-15], rtol=1e-12)
    assert not wire_farads(LINE, np.array([], dtype=int), 10.0, 2e-16).any()
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="from 0 up"):
            wire_farads(LINE, everything(LINE), wrong, 1e-16)
        with pytest.raises(ValueError, match="capacitance per micrometre"):
            wire_farads(LINE, everything(LINE), 1.0, wrong)


def test_codes_and_residuals_make_up_the_weights() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(-7, 8, size=(2, len(GRID.edges)))
    lsb = 0.09
    found = rows(coupler_codes(GRID, everything(GRID), codes, lsb, 3.0))
    assert len(found) == codes.size
    index = {name: node for node, name in enumerate(GRID.node_names)}
    for row, code in zip(found, codes.ravel().tolist(), strict=True):
        signed = int(row["code"]) * (-1 if row["sign"] == "-" else 1)
        assert signed == code
        edge = GRID.edges.tolist().index([index[row["receiver"]], index[row["sender"]]])
        assert float(row["weight"]) == GRID.coupling[int(row["chunk"]) - 1, edge]
        assert signed * lsb + float(row["residual"]) == pytest.approx(float(row["weight"]), abs=1e-15)
    assert {row["length_um"] for row in found} == {"3.0", "6.0"}


@given(st.integers(2, 64), st.data())
def test_memory_image_reads_back(bits: int, data: st.DataObject) -> None:
    for form in ("sign-magnitude", "twos-complement"):
        top = 2 ** (bits - 1) - 1
        least = -top - (form == "twos-complement")
        codes = np.array([
            [data.draw(st.integers(least, top)) for _ in LINE.edges], [least, top, 0],
        ])  # fmt: skip
        two = core((2, 3), LINE.edges, 0.0, boundaries=(0.0, 1.0, 2.0))
        text = memory_image(two, everything(two), codes, bits, form)
        assert read_memory_image(text, bits, form) == codes.ravel().tolist()
        assert read_verilog(text) == [int(code) % 2**bits for code in signed_words(codes.ravel(), bits, form)]


def signed_words(codes: Sequence[int], bits: int, form: str) -> list[int]:
    """What the hardware reads, worked out the other way round."""
    if form == "twos-complement":
        return [int(code) for code in codes]
    return [int(code) if code >= 0 else 2 ** (bits - 1) - int(code) for code in codes]


def read_verilog(text: str) -> list[int]:
    """``$readmemh`` of IEEE 1364 in short: hex words, @ addresses, comments."""
    words: dict[int, int] = {}
    place = 0
    for line in text.splitlines():
        for token in line.partition("//")[0].split():
            if token[0] == "@":
                place = int(token[1:], 16)
            else:
                words[place] = int(token, 16)
                place += 1
    return [words[k] for k in range(len(words))]


def test_memory_image_as_a_person_reads_it() -> None:
    text = memory_image(LINE, everything(LINE), np.array([[3, -2, 0]]), 4)
    assert text.splitlines() == [
        "// 1 chunk(s) of 3 couplers; word = chunk * 3 + coupler, both from 0",
        "// 4 bits a word, sign-magnitude, the topmost bit is the sign",
        "@0 // chunk 1",
        "3 // r00c00 from r00c01",
        "a // r00c00 from r01c02",
        "0 // r01c00 from r00c02",
    ]
    assert "e // r00c00 from r01c02" in memory_image(
        LINE, everything(LINE), np.array([[3, -2, 0]]), 4, "twos-complement"
    )


def test_codes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"1 codes do not fit 4 bits .* -7 to 7; the first is -8 of coupler 1 in chunk 1"
    ):
        memory_image(LINE, everything(LINE), np.array([[3, -8, 0]]), 4)
    assert read_memory_image(
        memory_image(LINE, everything(LINE), np.array([[3, -8, 0]]), 4, "twos-complement"),
        4,
        "twos-complement",
    ) == [3, -8, 0]
    with pytest.raises(ValueError, match="2 to 64 bits"):
        memory_image(LINE, everything(LINE), np.array([[0, 0, 0]]), 1)
    with pytest.raises(ValueError, match=r"codes have shape \(3,\), expected \(1, 3\)"):
        memory_image(LINE, everything(LINE), np.array([3, 1, 0]), 4)
    for broken in ("3\n@5 2", "1f"):
        with pytest.raises(ValueError, match=r"follow one another|more than 4 bits"):
            read_memory_image(broken, 4)


def test_files_of_a_symmetric_core_have_a_line_a_pair() -> None:
    analog_core = core((1, 3), both_ways([(0, 1), (1, 2)]), 0.25, symmetric=True)
    _, edge_of = analog_core.couplers
    files = write_floorplan_files(analog_core, edge_of, np.array([[2, -3]]), 0.1, pitch_um=5.0, bits=3)
    assert set(files) == {"placement.csv", "coupler_codes.csv", "weights.mem"}
    assert [(r["receiver"], r["sender"]) for r in rows(files["coupler_codes.csv"])] == [
        ("r00c00", "r00c01"), ("r00c01", "r00c02"),
    ]  # fmt: skip
    assert read_memory_image(files["weights.mem"], 3) == [2, -3]
    assert set(write_floorplan_files(analog_core, edge_of, None, 0.0, pitch_um=5.0, bits=3)) == {
        "placement.csv"
    }
