"""Two sides compared: what is read, what is paired, what the verdict says, and what the command leaves behind."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small import small_core, small_run, small_weights
from test_cli import ais
from test_distance import normal
from test_features import mnist
from test_report import NASTY, check_page

import emulator.run
from device_models.adc import AdcSettings
from emulator import compare_figures
from emulator.compare_json import as_json
from emulator.compare_receipts import receipts_of
from emulator.compare_report import metric_rows, pair_rows, write_comparison
from emulator.comparison import Comparison, compare
from emulator.distance import energy_distance, precision_recall, sliced_wasserstein
from emulator.image_sets import ImagesError
from emulator.results import ResultsError, read_results, write_results
from emulator.sides import CompareError, Side, read_side
from netlists.core import Array

SAMPLES = 12


def read(given: object, span: tuple[float, float] | None = None) -> Side:
    return read_side(str(given), span, 2000, 0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a small core: ``a``, another seed, four bits, and its results as another file."""
    folder = tmp_path_factory.mktemp("runs")
    weights = small_weights(folder / "weights.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator.run, "_write_report", lambda *_: None)
        for name, settings in [("a", {}), ("seed", {"seed": 1}), ("bits", {"adc": AdcSettings(bits=4)})]:
            small_run(weights, folder / name, samples=SAMPLES, devices="behavioural", **settings)
        six = small_weights(folder / "six.h5", small_core((4, 6)))
        small_run(six, folder / "six", samples=2, devices="behavioural")
    return folder


def side(pixels: Array, name: str = "x", bits: int = 8, starts: int | None = None, **other: Any) -> Side:
    """A run's samples; sides with the same ``starts`` are paired."""
    count, top = len(pixels), 2**bits - 1
    codes = np.round(top * np.clip(pixels, 0, 1)).astype(np.int64)
    return Side(**{
        "name": name, "origin": "circuit", "pixels": codes / top, "analog": pixels, "codes": codes,
        "converter": AdcSettings(bits=bits), "state": pixels, "period": None, "index": np.arange(count),
        "initial": np.random.default_rng(starts).random((count, 5)), "image_shape": None, **other,
    })  # fmt: skip


def images(count: int = 40, seed: int = 0, shift: float = 0.0) -> Array:
    """(count, 16) pixels about half scale."""
    return 0.5 + 0.1 * normal(count, 16, seed) + shift


# -- sides -------------------------------------------


def test_a_run_in_all_its_columns(runs: Path) -> None:
    results = read_results(runs / "a" / "results.h5")
    circuit, reference = read(runs / "a"), read(f"{runs / 'a' / 'results.h5'}:reference")
    assert (circuit.origin, reference.origin) == ("circuit", "reference")
    np.testing.assert_array_equal(read(f"{runs / 'a'}:circuit").codes, circuit.codes)
    np.testing.assert_array_equal(circuit.pixels, results.rows["samples/codes"] / 255)
    np.testing.assert_array_equal(reference.codes, results.rows["samples/codes_reference"])
    # full scale is −1 to 1
    np.testing.assert_allclose(2 * circuit.analog - 1, results.rows["samples/analog"], atol=1e-15)
    assert circuit.period == pytest.approx(2 * np.pi)
    assert (circuit.image_shape, circuit.readout) == ((4, 2), "cos")
    assert circuit.facts["seed"] == "0"
    np.testing.assert_array_equal(circuit.state, results.rows["samples/final"])


def test_the_trained_model_is_a_column_where_there_is_one(runs: Path, tmp_path: Path) -> None:
    results = read_results(runs / "a" / "results.h5")
    rows = dict(results.rows)
    for name in ("final", "analog", "codes"):
        rows[f"samples/{name}_trained"] = rows[f"samples/{name}_reference"]
    write_results(tmp_path / "trained.h5", replace(results, rows=rows))
    trained = read(f"{tmp_path / 'trained.h5'}:trained")
    np.testing.assert_array_equal(trained.codes, rows["samples/codes_reference"])


def test_samples_without_codes_are_left_out(runs: Path, tmp_path: Path) -> None:
    results = read_results(runs / "a" / "results.h5")
    rows = {name: column.copy() for name, column in results.rows.items()}
    rows["samples/codes"][[2, 5]] = -1
    write_results(tmp_path / "some.h5", replace(results, rows=rows))
    some = read(tmp_path / "some.h5")
    assert (some.samples, some.left_out) == (SAMPLES - 2, 2)
    found = compare(some, read(runs / "a"), permutations=99, resamples=50)
    assert found.pairs is not None
    assert found.pairs.index.tolist() == [k for k in range(SAMPLES) if k not in (2, 5)]
    assert any("2 samples of" in remark and "left out" in remark for remark in found.remarks)
    assert any("10 samples started alike" in remark and "2 others" in remark for remark in found.remarks)
    rows["samples/codes"][:] = -1
    write_results(tmp_path / "none.h5", replace(results, rows=rows))
    with pytest.raises(CompareError, match=r"no samples of the circuit; it holds those of: reference"):
        read(tmp_path / "none.h5")


def test_what_is_no_side(runs: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).random((5, 4, 2)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / "campaign.json").touch()
    with h5py.File(tmp_path / "bare.h5", "w") as file:
        file.attrs.update({"format": "ais-results", "version": 1})
    for given, error, said in [
        (tmp_path / "absent", CompareError, "absent: no such file"),
        (f"{runs / 'a'}:original", CompareError, "no such file; behind a run may stand :circuit, :reference, :trained"),
        (f"{tmp_path / 'absent'}:reference", CompareError, "absent: no such file"),
        (tmp_path / "empty", CompareError, r"holds no results.h5; finish the run with --resume"),
        (tmp_path / "swept", CompareError, "swept: is a campaign, whose report compares its points; expected a run"),
        (runs / "weights.h5", ResultsError, "not a ais-results file of version 1"),
        (tmp_path / "bare.h5", ResultsError, "samples/index: missing"),
        (f"{tmp_path / 'images.npz'}:reference", CompareError, "holds images, of which there is no reference"),
        (runs / "a" / "run.json", ImagesError, "neither .npz nor HDF5 nor an idx file"),
    ]:  # fmt: skip
        with pytest.raises(error, match=said):
            read(given)


def test_a_colon_in_a_file_name(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "a:reference").mkdir()
    (tmp_path / "a:reference" / "results.h5").write_bytes((runs / "a" / "results.h5").read_bytes())
    assert read(tmp_path / "a:reference").origin == "circuit"
    assert read(f"{tmp_path / 'a:reference'}:reference").origin == "reference"


def test_a_run_without_its_converter(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "r.h5").write_bytes((runs / "a" / "results.h5").read_bytes())
    with h5py.File(tmp_path / "r.h5", "a") as file:
        del file.attrs["settings"]
    with pytest.raises(CompareError, match="converter is not recorded; expected the attribute settings"):
        read(tmp_path / "r.h5")


def test_a_run_of_an_earlier_release_has_no_image_shape(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "r.h5").write_bytes((runs / "a" / "results.h5").read_bytes())
    with h5py.File(tmp_path / "r.h5", "a") as file:
        del file.attrs["image_shape"], file.attrs["readout"]
    old = read(tmp_path / "r.h5")
    assert (old.image_shape, old.readout) == (None, None)
    found = compare(old, read(runs / "a"), permutations=99, resamples=50)
    assert found.pixels == "codes"
    assert compare_figures.display_shape(found) == (4, 2)


# -- sample by sample --------------------------------


def test_pairs_are_what_the_crosscheck_found(runs: Path) -> None:
    """Circuit against reference, from the file alone: the run's own figures."""
    rows = read_results(runs / "a" / "results.h5").rows
    pairs = compare(read(runs / "a"), read(f"{runs / 'a'}:reference"), permutations=99, resamples=50).pairs
    assert pairs is not None
    np.testing.assert_allclose(pairs.within_1lsb, rows["crosscheck/codes_within_1lsb"])
    np.testing.assert_allclose(pairs.pixel_rms, rows["crosscheck/pixel_rms"] / 2, rtol=1e-9)
    np.testing.assert_allclose(pairs.state_rms, rows["crosscheck/end_rms"], rtol=1e-9)


def test_phases_are_compared_on_the_circle() -> None:
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, (10, 3))
    a = side(images(10), state=phases, period=2 * np.pi, starts=0)
    b = side(images(10), state=phases + 2 * np.pi + 0.1, period=2 * np.pi, starts=0)
    pairs = compare(a, b, permutations=99, resamples=50).pairs
    assert pairs is not None
    np.testing.assert_allclose(pairs.state_rms, 0.1)
    # states of different kinds are not compared
    other = compare(a, replace(b, period=None), permutations=99, resamples=50).pairs
    assert other is not None
    assert np.isnan(other.state_rms).all()


def test_only_the_same_starts_are_pairs(runs: Path) -> None:
    assert compare(read(runs / "a"), read(runs / "seed"), permutations=99, resamples=50).pairs is None
    assert compare(read(runs / "a"), read(runs / "bits"), permutations=99, resamples=50).pairs is not None
    # the same numbers of another size of core
    a, b = side(images(), starts=0), side(images(), starts=0, initial=np.zeros((40, 9)))
    assert compare(a, b, permutations=99, resamples=50).pairs is None
    # a few starts in common don't make a comparison of pairs
    few = side(images(), starts=1)
    few.initial[:5] = a.initial[:5]
    assert compare(a, few, permutations=99, resamples=50).pairs is None
    few.initial[:20] = a.initial[:20]
    found = compare(a, few, permutations=99, resamples=50)
    assert found.pairs is not None
    assert found.pairs.index.tolist() == list(range(20))
    assert "20 samples started alike on both sides; 20 others are left out." in found.remarks


def test_other_converters_and_readouts_leave_the_pixels_before_the_converter(runs: Path) -> None:
    found = compare(read(runs / "a"), read(runs / "bits"), permutations=99, resamples=50)
    assert found.pixels == "pixels"
    assert found.pairs is not None
    assert np.isnan(found.pairs.within_1lsb).all()
    assert [what for what, *_ in pair_rows(found)] == [
        "pixels before the converter, rms of full scale", "states at the end, rms",
    ]  # fmt: skip
    assert any("converters differ (bits 8 and 4)" in remark for remark in found.remarks)
    # the very same pixels went into both
    assert found.quality.sliced_wasserstein.measured == 0
    assert found.verdict == "The samples are the same: of 12 pairs of samples, all pixels are equal."
    assert found.lsb == 1 / 15
    a, b = side(images(), starts=0, readout="cos"), side(images(), starts=0, readout="sin")
    other = compare(a, b, permutations=99, resamples=50)
    assert other.pixels == "pixels"
    assert any("readouts differ (cos, sin)" in remark for remark in other.remarks)


def test_images_of_different_shapes_are_refused(runs: Path) -> None:
    with pytest.raises(CompareError, match=r"a has 8 pixels \(4 × 2\) and .*six has 12 pixels \(4 × 3\)"):
        compare(read(runs / "a"), read(runs / "six"))
    with pytest.raises(CompareError, match="only images of one shape"):
        compare(side(images(), image_shape=(4, 4)), side(images(), image_shape=(2, 8)))


# -- in distribution ---------------------------------


def against(first: Side, second: Side, **options: Any) -> Comparison:
    return compare(first, second, **{"permutations": 199, "resamples": 100, **options})


def test_the_figures_are_those_of_the_pixels() -> None:
    a, b = side(images(30), starts=0), side(images(25, seed=1), starts=1)
    found = against(a, b)
    assert found.quality.sliced_wasserstein.measured == pytest.approx(sliced_wasserstein(a.pixels, b.pixels))
    assert found.quality.energy.measured == pytest.approx(energy_distance(a.pixels, b.pixels))
    both = (found.quality.precision.measured, found.quality.recall.measured)
    assert both == precision_recall(b.pixels, a.pixels)


def test_alike() -> None:
    found = against(side(images(40, 0), starts=0), side(images(40, 1), starts=1))
    assert found.outcome == "alike"
    assert found.test is not None
    assert re.fullmatch(
        r"The distributions can’t be told apart with 40 samples of each: p = [\d.]+; a shift of less than [\d.]+ of "
        r"full scale in sliced Wasserstein distance would not be seen\.",
        found.verdict,
    )
    assert f"p = {found.test.p:.2g};" in found.verdict
    # a shift of twice that is seen
    moved = images(40, 1, shift=2 * found.test.unseen)
    assert against(side(images(40, 0), starts=0), side(moved, starts=1)).outcome == "different"


def test_different() -> None:
    found = against(side(images(40, 0, shift=0.2), starts=0), side(images(50, 1), starts=1))
    assert found.outcome == "different"
    assert found.test is not None
    assert found.test.p == pytest.approx(1 / 200)
    assert found.verdict.startswith(
        "The distributions differ (p = 0.005, with 40 and 50 samples; seen best by: "
    )
    metric = found.quality.sliced_wasserstein
    assert metric.low < 0.2 < metric.high
    assert f"distance is {metric.estimate:.2g} of full scale" in found.verdict
    assert f": {metric.low:.2g} to {metric.high:.2g})." in found.verdict


def test_within_one_lsb_whatever_the_test_sees() -> None:
    """Every pixel a little brighter, by less than a code of four bits: seen, and of no weight."""
    pixels = np.random.default_rng(0).uniform(0.2, 0.8, (60, 16))
    a, b = side(pixels, starts=0, bits=4, readout="cos"), side(pixels + 0.02, starts=0, bits=4, readout="sin")
    found = against(a, b, permutations=999)
    assert found.test is not None
    assert found.test.p < 0.01
    assert found.outcome == "within"
    assert found.quality.sliced_wasserstein.high < 1 / 15
    assert "agree to within 1 LSB: with 60 pairs of samples" in found.verdict
    assert f"A difference smaller than that is there (p = {found.test.p:.2g})" in found.verdict
    # of sixteen bits, it is far more than a code
    finer = against(*(replace(each, converter=AdcSettings(bits=16)) for each in (a, b)))
    assert finer.outcome == "different"


def test_structure_that_distances_average_away_is_seen_by_neighbours() -> None:
    """One set is ten thin clusters, the other a Gaussian of the same mean and covariance."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(10, 16))
    clustered = centres[np.arange(80) % 10] + 0.3 * generator.normal(size=(80, 16))
    wide = np.cov(clustered.T, bias=True)
    spread = generator.multivariate_normal(clustered.mean(axis=0), wide, 80)
    found = against(*(side(0.5 + 0.05 * each, starts=k) for k, each in enumerate((clustered, spread))))
    assert found.test is not None
    assert found.outcome == "different"
    assert found.test.clearest == "nearest neighbours"
    assert found.test.energy.p > 0.05


def test_few_samples_leave_it_open(runs: Path) -> None:
    few = read(runs / "six")
    found = compare(few, replace(few, origin="reference"))
    assert found.outcome == "open"
    assert found.verdict == (
        "There are too few samples to compare distributions: 2 pairs of samples; expected at least 8 of each."
    )
    assert found.pairs is not None
    assert found.pairs.equal.tolist() == [1, 1]


def test_against_data(runs: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=generator.integers(0, 17, (30, 4, 2)))
    data = read(tmp_path / "images.npz", (0, 16))
    found = against(read(runs / "a"), data)
    assert found.pairs is None
    assert found.lsb is None
    assert (found.quality.samples, found.quality.reference) == (SAMPLES, 30)
    assert found.outcome == "different"
    assert "Precision is" in found.verdict
    assert data.facts["images"] == "30 of 30"
    with pytest.raises(CompareError, match=r"4 × 2\) and .* has 30 pixels"):
        compare(read(runs / "a"), replace(data, pixels=np.zeros((4, 30)), image_shape=None))


def test_mnist_is_like_itself() -> None:
    """Training and test images, and training images turned upside down."""
    train, test = (
        read_side(str(mnist(f"{name}-images-idx3-ubyte.gz")), None, 150, 1) for name in ("train", "t10k")
    )
    assert against(train, test).outcome == "alike"
    turned = replace(test, pixels=test.pixels.reshape(-1, 28, 28)[:, ::-1].reshape(-1, 784))
    assert against(train, turned).outcome == "different"


# -- what is left behind -----------------------------


def strict(text: str) -> Any:
    """JSON as the standard has it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def written(folder: Path, found: Comparison) -> list[Path]:
    """The files of a comparison, and of its receipts."""
    return write_comparison(folder, found, receipts_of(found.first, found.second))


@pytest.mark.parametrize("case", ["pairs", "data", "few", "strip"])
def test_files(tmp_path: Path, runs: Path, case: str) -> None:
    if case == "pairs":
        found = against(read(runs / "a"), read(f"{runs / 'a'}:reference"))
    elif case == "few":
        found = compare(read(runs / "six"), read(f"{runs / 'six'}:reference"))
    elif case == "strip":  # no image shape, and 17 pixels are no square
        pixels = np.random.default_rng(0).random((20, 17))
        found = against(side(pixels, starts=0), side(pixels[::-1], starts=1))
        assert compare_figures.display_shape(found) == (1, 17)
    else:
        np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).random((30, 4, 2)))
        found = against(read(runs / "a"), read(tmp_path / "images.npz"))
    files = written(tmp_path / "out", found)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in files)
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    check_page(page)
    assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")
    said = strict((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert said["verdict"] == found.verdict
    assert said["outcome"] == found.outcome
    assert said["metrics"]["energy"]["measured"] == pytest.approx(found.quality.energy.measured)
    assert (said["test"] is None) == (case == "few")
    assert (said["samples"] is None) == (case in ("data", "strip"))
    assert said["features"]["name"] == "pixels"
    if case == "pairs":  # the same comparison gives the same files
        before = {path: path.read_bytes() for path in files}
        written(tmp_path / "out", found)
        assert before == {path: path.read_bytes() for path in files}


def test_names_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    pixels = images(10)
    found = against(side(pixels, name=NASTY, starts=0), side(pixels, starts=0))
    written(tmp_path, found)
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    check_page(page)
    assert "<script>" not in page
    assert "\x1b" not in page


def test_rows_for_people() -> None:
    rows = {
        row[0]: row[1:]
        for row in metric_rows(against(side(images(20), starts=0), side(images(20, 1), starts=1)))
    }
    assert list(rows) == [
        "sliced Wasserstein", "energy distance", "MMD²", "nearest neighbours", "precision", "recall",
    ]  # fmt: skip
    assert re.fullmatch(
        r"0\.\d+ \(0 to 0\.\d+\)|0 \(0 to 0\.\d+\)|0\.\d+ \(0\.\d+ to 0\.\d+\)", rows["sliced Wasserstein"][3]
    )
    assert rows["precision"][0].endswith("%")


def test_a_sheet_of_images() -> None:
    made = np.zeros((5, 2, 3))
    made[4] = 1.0
    canvas = compare_figures.sheet(made)
    # three across, two down, a white line between
    assert canvas.shape == (5, 11, 3)
    assert (canvas[:2, :3] == 0).all()
    assert (canvas[3:5, 4:7] == 255).all()
    assert (canvas[2] == 255).all()


# -- the command -------------------------------------


def test_the_command(runs: Path, tmp_path: Path) -> None:
    done = ais(
        "compare", runs / "a", f"{runs / 'a'}:reference", "--out", tmp_path / "out", "--permutations", 99
    )
    assert done.exit_code == 0
    for text in ("12 samples of the circuit", "12 samples of the reference", "codes within 1 LSB", "nearest neighbours",
                 "The samples are the same", "features: pixels", "compare.html"):  # fmt: skip
        assert text in done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.html",
        "compare.json",
        "compare.png",
    }


def test_json_and_nothing_else(runs: Path) -> None:
    done = ais("compare", runs / "a", runs / "bits", "--json", "--permutations", 99)
    said = strict(done.stdout)
    assert said["pixels"] == "pixels"
    assert said["test"]["rearrangements"] == 99
    assert "converters differ" in done.stderr


def test_fail_if_different(runs: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=np.ones((30, 4, 2)))
    words = ("compare", runs / "a", tmp_path / "images.npz", "--permutations", 99)
    assert ais(*words).exit_code == 0
    assert ais(*words, "--fail-if-different").exit_code == 1
    assert ais("compare", runs / "a", runs / "a", "--fail-if-different", "--permutations", 99).exit_code == 0


def test_a_classifier_goes_with_the_report(runs: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(200) % 2
    np.savez(
        tmp_path / "images.npz",
        images=0.5 * generator.random((200, 4, 2)) + 0.5 * labels[:, None, None],
        labels=labels,
    )
    done = ais("compare", runs / "a", tmp_path / "images.npz", "--features", f"classifier:{tmp_path / 'images.npz'}",
               "--out", tmp_path / "out", "--permutations", 99, "--seed", 3)  # fmt: skip
    assert done.exit_code == 0
    said = strict((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert said["features"]["name"] == "classifier (trained on images.npz)"
    assert said["features"]["accuracy"] == "1.0000 on 40 images it was not trained on"
    again = ais("compare", runs / "a", runs / "seed", "--features", f"classifier:{tmp_path / 'out' / 'classifier.h5'}",
                "--json", "--permutations", 99)  # fmt: skip
    assert strict(again.stdout)["features"]["classifier_sha256"] == said["features"]["classifier_sha256"]
    assert strict(again.stdout)["features"]["dimensions"] == 64


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "absent"], "absent: no such file"),
        (["a", "six"], "only images of one shape can be compared"),
        (["a", "weights.h5"], "not a ais-results file"),
        (["a", "run.json"], "no such file"),
        (["a", "seed", "--features", "inception"], "no features 'inception'; expected pixels"),
        (["a", "seed", "--features", "no.such.module:f"], "can't be had (ModuleNotFoundError"),
        (["a", "seed", "--features", "classifier:absent.npz"], "absent.npz: no such file"),
    ],
)
def test_bad_input_ends_with_one_message(
    runs: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    done = ais("compare", *words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_folder_that_can_not_be_written(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = ais("compare", runs / "a", runs / "seed", "--out", tmp_path / "file", "--permutations", 99)
    assert done.exit_code == 2
    assert "can't write to" in done.stderr


def test_the_json_of_a_side_names_its_weights(runs: Path) -> None:
    found = against(read(runs / "a"), read(runs / "seed"))
    said = as_json(found, receipts_of(found.first, found.second))
    assert said["first"]["seed"] == "0"
    assert said["second"]["seed"] == "1"
    assert said["first"]["weights_sha256"] == said["second"]["weights_sha256"]
    assert said["first"]["converter"]["bits"] == 8
