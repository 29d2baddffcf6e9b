"""Couplings made of kernels: against their definitions, and in the eigenvectors where all of it is two by two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from substrates import activations_file, random_coupling, real_activations

from emulator.thermo.build import Design, build
from netlists.activations import ActivationsError, read_activations
from netlists.bilinear import (
    MENDED_CONDITION,
    Wiring,
    coupled_modules,
    gram_coupling,
    shift_that_mends,
    shifted,
    sign_choices,
    skip_of,
    smallest_rank,
    wiring,
    with_rank,
    without_skips,
)
from netlists.network import LangevinNetwork, NetworkError, Skip, Spectrum

KT = 0.7


def couplings(seed: int, nodes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return random_coupling(generator, nodes, 0.05), random_coupling(generator, nodes, 0.02)


def network(seed: int, rank: int, quadratic: float = 0.1) -> LangevinNetwork:
    return coupled_modules(*couplings(seed), rank, quadratic=quadratic, kt=KT)


def test_gram_coupling_by_its_definition() -> None:
    kernel = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
    found = gram_coupling(kernel, 3, KT)
    for i in range(3):
        for j in range(3):
            columns = [kernel[:3].reshape(3, 18)[:, k] for k in (i, j)]
            assert found[i, j] == pytest.approx(columns[0] @ columns[1] / (4 * KT), rel=1e-13)
    assert (found == found.T).all()


def test_dimensions_that_a_kernel_cannot_give() -> None:
    kernel = np.ones((4, 2, 3, 3))
    for dim in (0, 5):
        with pytest.raises(NetworkError, match=f"dim is {dim}; expected 1 to 4"):
            gram_coupling(kernel, dim, KT)
    for rank in (0, 7):
        with pytest.raises(NetworkError, match=f"rank is {rank}; expected 1 to 6"):
            skip_of(*couplings(0), rank, KT)
    with pytest.raises(NetworkError, match="expected kernels beyond zero"):
        skip_of(np.zeros((3, 3)), np.eye(3), 1, KT)


@given(seed=st.integers(0, 10**6), rank=st.integers(1, 6))
def test_the_skip_by_its_definition(seed: int, rank: int) -> None:
    """(U_e S_e^½)(U_d S_d^½)ᵀ over its norm and 4kT, from eigenvectors instead of singular vectors."""
    skip = skip_of(*couplings(seed), rank, KT)
    block = skip.left @ skip.right.T
    assert np.linalg.norm(block) == pytest.approx(1 / (4 * KT), rel=1e-12)
    terms = []
    for coupling in couplings(seed):
        values, vectors = np.linalg.eigh(coupling)
        order = np.argsort(values)[::-1][:rank]
        leading = vectors[:, order] * np.sign(vectors[np.abs(vectors[:, order]).argmax(axis=0), order])
        terms.append(leading * np.sqrt(values[order]))
    expected = terms[0] @ terms[1].T
    np.testing.assert_allclose(block, expected / np.linalg.norm(expected) / (4 * KT), atol=1e-9)


@given(seed=st.integers(0, 10**6), rank=st.integers(1, 6))
def test_eigenvalues_are_those_of_two_by_two_blocks(seed: int, rank: int) -> None:
    """In the singular vectors, M is [[2 J2 + 2 s_e, ±c], [±c, 2 J2 + 2 s_d]] a pair; the sign does not matter."""
    found = network(seed, rank)
    e, d = (np.linalg.eigvalsh(coupling)[::-1] for coupling in couplings(seed))
    joint = np.sqrt(e[:rank] * d[:rank])
    c = np.zeros(6)
    c[:rank] = joint / np.linalg.norm(joint) / (4 * KT)
    mean, half = 0.2 + e + d, np.hypot(e - d, c)
    expected = np.sort(np.concatenate([mean - half, mean + half]))
    np.testing.assert_allclose(found.spectrum.eigenvalues, expected, atol=1e-12)
    for skip in sign_choices(found.skips[0], 3, seed):
        other = replace(found, skips=(skip,))
        np.testing.assert_allclose(other.spectrum.eigenvalues, expected, atol=1e-12)


def test_other_signs_are_other_couplings() -> None:
    found = network(0, 4)
    blocks = {np.round(s.left @ s.right.T, 9).tobytes() for s in sign_choices(found.skips[0], 100)}
    assert len(blocks) == 2**4


def test_the_smallest_rank_is_where_positive_begins() -> None:
    found = network(0, 6, quadratic=0.09)
    smallest = smallest_rank(found)
    assert smallest is not None
    assert smallest > 1
    assert [with_rank(found, k).spectrum.positive for k in range(1, 7)] == [
        k >= smallest for k in range(1, 7)
    ]
    assert smallest_rank(network(0, 6, quadratic=-1.0)) is None


@given(smallest=st.floats(-5, 0.001), span=st.floats(0.1, 10))
def test_the_shift_mends(smallest: float, span: float) -> None:
    shift = shift_that_mends(Spectrum(np.array([smallest, smallest + span])))
    assert shift > 0
    mended = Spectrum(np.array([smallest, smallest + span]) + shift)
    assert mended.condition == pytest.approx(MENDED_CONDITION, rel=1e-9)


def test_a_shift_is_of_the_diagonal_alone() -> None:
    found = network(0, 2)
    np.testing.assert_allclose(shifted(found, 0.3).matrix, found.matrix + 0.3 * np.eye(12), rtol=1e-14)
    assert shift_that_mends(without_skips(found).spectrum) == 0


@given(onto=st.integers(1, 40), other=st.integers(1, 40), rank=st.integers(1, 40))
def test_a_bus_pays_below_the_break_even(onto: int, other: int, rank: int) -> None:
    found = wiring(Skip(0, 1, np.ones((onto, rank)), np.ones((other, rank))))
    assert (found.bus < found.dense) == (rank < found.break_even)
    assert wiring(Skip(0, 1, np.ones((64, 16)), np.ones((64, 16)))) == Wiring(4 * 64 * 16, 2 * 64**2, 32.0)


def test_rank_one_of_the_trained_network_is_refused_and_mended() -> None:
    activations = read_activations(real_activations())
    with pytest.raises(NetworkError) as caught:
        build(activations, Design(rank=1))
    said = str(caught.value)
    indefinite = coupled_modules(
        *(gram_coupling(activations.kernels[m], 64, 1.0) for m in ("encoder", "decoder")),
        1,
        quadratic=0.1,
        kt=1.0,
    )
    assert indefinite.spectrum.smallest < 0
    assert f"smallest eigenvalue is {indefinite.spectrum.smallest:.4g}" in said
    assert f"smallest rank that works is {smallest_rank(indefinite)}" in said
    assert "--shift would add" in said
    mended = build(activations, Design(rank=1, shift=True))
    assert mended.shift > -indefinite.spectrum.smallest
    assert mended.substrate.network.spectrum.condition == pytest.approx(MENDED_CONDITION)
    # what needs no mending gets none
    assert build(activations, Design(rank=16, shift=True)).shift == 0


def test_the_paper_s_matrix_is_positive_definite_at_rank_16() -> None:
    activations = read_activations(real_activations())
    for dim, low in ((64, 0.12), (128, 0.15)):
        found = build(activations, Design(dim=dim)).substrate.network
        assert low < found.spectrum.smallest < 0.2  # 2 J2 is 0.2


def test_activations_that_cannot_be_used(tmp_path: Path) -> None:
    cases = [
        (
            {"kernels__encoder": np.ones((12, 108))},
            r"kernels/encoder: has shape \(12, 108\); expected \(any, any, any",
        ),
        ({"kernels__decoder": None}, "kernels/decoder: missing"),
        ({"train__encoder": np.full((80, 12), np.nan)}, "train/encoder: 960 of 960 values are NaN"),
        (
            {"test__decoder": np.ones((3, 12))},
            "test: sample counts are encoder 20, decoder 3; expected as many",
        ),
    ]
    for replaced, message in cases:
        with pytest.raises(ActivationsError, match=message):
            read_activations(activations_file(tmp_path / "a.h5", **replaced))
    (tmp_path / "b.h5").write_bytes(b"no HDF5")
    with pytest.raises(ActivationsError, match="not a readable HDF5 file"):
        read_activations(tmp_path / "b.h5")
    with pytest.raises(ActivationsError, match="no such file"):
        read_activations(tmp_path / "c.h5")


def test_builds_that_cannot_be(tmp_path: Path) -> None:
    activations = read_activations(activations_file(tmp_path / "a.h5"))
    with pytest.raises(NetworkError, match="dim is 13; expected at most 12, the activations' channels"):
        build(activations, Design(dim=13))
    with pytest.raises(NetworkError, match="rank is 9; expected 1 to 8"):
        build(activations, Design(dim=8, rank=9))
    with pytest.raises(NetworkError, match="kt is 0; expected above 0"):
        build(activations, Design(dim=8, kt=0.0))
