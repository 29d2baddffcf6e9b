"""Images from files, and what features are made of them."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.optimize import check_grad

from emulator import classifier
from emulator.classifier import ClassifierError, read_classifier, train, write_classifier
from emulator.distance import precision_recall
from emulator.features import PIXELS, Extractor, FeaturesError, find_extractor
from emulator.image_sets import ImagesError, ImageSet, read_images
from emulator.quality import quality
from netlists.core import Array, Index

MNIST = Path(os.environ.get("AIS_TEST_MNIST", Path(__file__).parents[2] / "shared" / "data" / "mnist"))


def mnist(name: str) -> Path:
    """A file of MNIST, or no test."""
    path = MNIST / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; AIS_TEST_MNIST may name the folder")
    return path


def striped(count: int, seed: int = 0) -> tuple[Array, Index]:
    """(count, 4, 5) noisy images of three classes: a bright first row, a bright last row, or none."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    images = 0.3 * generator.random((count, 4, 5))
    images[labels == 1, 0] += 0.7
    images[labels == 2, 3] += 0.7
    return images, labels


def saved(path: Path, count: int = 300) -> Path:
    """Such images as .npz."""
    images, labels = striped(count)
    np.savez(path, images=images, labels=labels)
    return path


def image_set(count: int = 300) -> ImageSet:
    images, labels = striped(count)
    return ImageSet(Path("x.npz"), "0" * 64, images, labels, count, "")


# -- images ------------------------------------------


def write_idx(path: Path, values: np.ndarray, *, packed: bool = True) -> Path:
    """An idx file, as MNIST comes."""
    head = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("kind", ["npz", "h5", "idx", "idx.gz"])
def test_images_of_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (7, 3, 4)).astype(np.uint8)
    labels = np.arange(7)
    path = tmp_path / f"images-idx3.{kind}"
    if kind == "npz":
        np.savez(path, images=values, labels=labels)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["images"], file["labels"] = values, labels
    else:
        write_idx(path, values, packed=kind.endswith("gz"))
        write_idx(tmp_path / f"labels-idx1.{kind}", labels, packed=not kind.endswith("gz"))
    read = read_images(path)
    np.testing.assert_array_equal(read.images, values / 255)
    np.testing.assert_array_equal(read.labels, labels)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (read.held, read.remark) == (7, "")


def test_some_of_the_images(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz")
    few, again, other = (read_images(path, most=20, seed=seed) for seed in (0, 0, 1))
    assert few.images.shape == (20, 4, 5)
    assert few.held == 300
    np.testing.assert_array_equal(few.images, again.images)
    assert (few.images != other.images).any()
    # labels stay with their images
    assert few.labels is not None
    np.testing.assert_array_equal(few.labels == 1, few.images[:, 0].min(axis=1) > 0.5)


@pytest.mark.parametrize(
    ("values", "span", "expected", "remark"),
    [
        (np.array([[0, 8, 16]]), (0, 16), [0, 0.5, 1], ""),
        (np.array([[-1.0, 0.0, 1.0]]), None, [0, 0.5, 1], "−1 (black) to 1 (white)"),
        (np.array([[0.0, 0.5, 1.0]]), None, [0, 0.5, 1], ""),
        (np.array([[0, 16]], np.uint8), None, [0, 16 / 255], "the brightest pixel is 16 of 255"),
    ],
)
def test_black_and_white(
    tmp_path: Path, values: Array, span: None, expected: list[float], remark: str
) -> None:
    np.savez(tmp_path / "a.npz", images=values)
    read = read_images(tmp_path / "a.npz", span)
    np.testing.assert_allclose(read.images[0], expected)
    assert remark in read.remark
    assert bool(remark) == bool(read.remark)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x_train": np.zeros((3, 2))}, r"holds x_train; expected an array images \(samples, rows, columns\)"),
        ({"images": np.zeros((3, 2, 2, 2))}, r"images are float64 of shape \(3, 2, 2, 2\)"),
        ({"images": np.zeros((0, 4))}, r"shape \(0, 4\)"),
        ({"images": np.array([["a"]])}, "images are <U1"),
        ({"images": np.array([[np.nan]])}, "not finite"),
        ({"images": np.array([[0, 16]])}, "int64 from 0 to 16; expected bytes.*--data-range"),
        ({"images": np.array([[0.0, 255.0]])}, "float64 from 0 to 255; expected bytes"),
        (
            {"images": np.zeros((3, 2)), "labels": np.zeros(2, int)},
            r"labels are int64 of shape \(2,\); expected .*\(3,\)",
        ),
        ({"images": np.array([[object()]])}, "not readable as images"),
    ],
)  # fmt: skip
def test_images_that_are_none(tmp_path: Path, arrays: dict[str, Array], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ImagesError, match=said):
        read_images(tmp_path / "a.npz")


def test_pixels_beyond_black_and_white(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.array([[0, 16]]))
    with pytest.raises(ImagesError, match="pixels are 0 to 16; expected 0 to 15"):
        read_images(tmp_path / "a.npz", (0, 15))
    with pytest.raises(ImagesError, match="black is 1 and white 0"):
        read_images(tmp_path / "a.npz", (1, 0))


def test_files_that_are_damaged(tmp_path: Path) -> None:
    good = write_idx(tmp_path / "good.gz", np.zeros((4, 3, 3))).read_bytes()
    plain = gzip.decompress(good)
    cases = {
        "cut.gz": (good[:-12], "not readable as images"),
        "short": (plain[:-1], r"says that it has shape \(4, 3, 3\), 36 bytes, and holds 35"),
        "long": (plain + b"x", "holds more"),
        "huge": (b"\0\0\x08\x03" + b"\xff" * 12, "expected at most 2000000000 bytes"),
        "text": (b"hello there", "neither .npz nor HDF5 nor an idx file"),
        "empty": (b"", "neither .npz"),
        "zip.npz": (b"PK\x03\x04 nothing", "not readable as images"),
        "h5": (b"\x89HDF\r\n\x1a\n nothing", "not a readable HDF5 file"),
    }
    for name, (content, said) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImagesError, match=said):
            read_images(tmp_path / name)
    with pytest.raises(ImagesError, match="No such file"):
        read_images(tmp_path / "absent")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["pictures"] = np.zeros((2, 2))
    with pytest.raises(ImagesError, match="images: missing"):
        read_images(tmp_path / "b.h5")


def test_an_archive_that_would_fill_the_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"")
    # a directory entry may claim any size
    content = bytearray((tmp_path / "bomb.npz").read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 3_000_000_000)
    (tmp_path / "bomb.npz").write_bytes(bytes(content))
    with pytest.raises(ImagesError, match="3000000000 bytes unpacked; expected at most 2000000000"):
        read_images(tmp_path / "bomb.npz")


# -- the classifier ----------------------------------


def test_gradient_of_the_loss() -> None:
    generator = np.random.default_rng(0)
    x, wanted = generator.normal(size=(9, 6)), np.eye(3)[generator.integers(0, 3, 9)]
    shapes = ((6, 4), (4,), (4, 3), (3,))
    at = generator.normal(size=6 * 4 + 4 + 4 * 3 + 3)
    error = check_grad(
        lambda flat: classifier._loss(flat, x, wanted, shapes)[0],
        lambda flat: classifier._loss(flat, x, wanted, shapes)[1],
        at,
    )
    assert error < 1e-6


def test_it_learns_what_can_be_learned_and_nothing_else() -> None:
    found = train(image_set(), hidden=8)
    assert found.accuracy == 1.0
    assert (found.trained, found.held_out) == (240, 60)
    images, labels = striped(50, seed=5)
    np.testing.assert_array_equal(found.predict(images), labels)
    hidden = found.hidden(images)
    assert hidden.shape == (50, 8)
    assert np.abs(hidden).max() <= 1
    # labels that mean nothing: a third are right by chance, however well the training set is known
    shuffled = replace(image_set(), labels=np.random.default_rng(1).integers(0, 3, 300))
    assert train(shuffled, hidden=8).accuracy < 0.6


def test_written_and_read_it_is_the_same_and_so_is_the_file(tmp_path: Path) -> None:
    found = train(image_set(), seed=3, hidden=8)
    digests = {
        write_classifier(tmp_path / f"{name}.h5", train(image_set(), seed=3, hidden=8)) for name in "ab"
    }
    assert len(digests) == 1
    again = read_classifier(tmp_path / "a.h5")
    images, _ = striped(20, seed=9)
    np.testing.assert_array_equal(again.hidden(images), found.hidden(images))
    assert (again.accuracy, again.seed, again.data_sha256) == (found.accuracy, 3, "0" * 64)
    assert again.image_shape == (4, 5)
    assert write_classifier(tmp_path / "c.h5", train(image_set(), seed=4, hidden=8)) not in digests


def test_what_no_classifier_can_be_trained_on() -> None:
    with pytest.raises(ClassifierError, match="holds no labels"):
        train(replace(image_set(), labels=None))
    with pytest.raises(ClassifierError, match="1 classes, of 300 images"):
        train(replace(image_set(), labels=np.zeros(300, int)))
    with pytest.raises(ClassifierError, match="expected at least two, of at least 20"):
        train(image_set(30))


def test_files_that_hold_no_classifier(tmp_path: Path) -> None:
    write_classifier(tmp_path / "a.h5", train(image_set(), hidden=8))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["second"]
        file["second"] = np.zeros((9, 3))
    with pytest.raises(ClassifierError, match=r"second: has shape \(9, 3\); expected \(8, 3\)"):
        read_classifier(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["mean"]
    with pytest.raises(ClassifierError, match="mean: missing"):
        read_classifier(tmp_path / "a.h5")
    write_classifier(tmp_path / "b.h5", train(image_set(), hidden=8))
    with h5py.File(tmp_path / "b.h5", "a") as file:
        del file.attrs["accuracy"]
    with pytest.raises(ClassifierError, match="attributes accuracy, trained"):
        read_classifier(tmp_path / "b.h5")
    (tmp_path / "c.h5").write_text("no")
    with pytest.raises(ClassifierError, match="not a readable HDF5 file"):
        read_classifier(tmp_path / "c.h5")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.attrs["format"] = "ais-weights"
    with pytest.raises(ClassifierError, match="not a ais-classifier file of version 1"):
        read_classifier(tmp_path / "d.h5")


# -- extractors --------------------------------------


def test_pixels() -> None:
    images = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(find_extractor("pixels")(images), images.reshape(2, 6))


def test_a_classifier_is_trained_kept_and_found_again(tmp_path: Path) -> None:
    data, keep = saved(tmp_path / "images.npz"), tmp_path / "out" / "classifier.h5"
    trained = find_extractor(f"classifier:{data}", keep)
    assert "FID" not in trained.name
    assert trained.facts["classifier_sha256"] == hashlib.sha256(keep.read_bytes()).hexdigest()
    assert "1.0000 on 60 images it was not trained on" in trained.facts["accuracy"]
    assert hashlib.sha256(data.read_bytes()).hexdigest() in trained.facts["trained_on"]
    again = find_extractor(f"classifier:{keep}")
    images, _ = striped(20, seed=9)
    np.testing.assert_array_equal(again(images), trained(images))
    assert "read from" in again.name
    assert again.facts["classifier_sha256"] == trained.facts["classifier_sha256"]
    # its features see classes: two of three are precise, but recall two thirds
    labels = striped(200, seed=1)[1]
    real, made = striped(200, seed=1)[0], striped(200, seed=2)[0]
    dropped = made[striped(200, seed=2)[1] != 2]
    found = quality(dropped, real, again, resamples=50)
    assert found.recall.estimate < np.mean(labels != 2) + 0.05
    assert found.precision.estimate > 0.8
    assert precision_recall(again(real), again(dropped)) == (found.precision.estimate, found.recall.estimate)
    with pytest.raises(ClassifierError, match="trained on images of 20 pixels, received 9"):
        again(np.zeros((2, 9)))


def test_a_function_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_features.py").write_text(
        "__version__ = '1.2'\n"
        "def brightness(images): return images.mean(axis=(1, 2))[:, None]\n"
        "def flat(images): return images.mean(axis=(1, 2))\n"
        "def bad(images): return images.reshape(len(images), -1) / 0.0\n"
        "def failing(images): return 1 / 0\n"
        "number = 7\n"
    )
    monkeypatch.chdir(tmp_path)
    found = find_extractor("my_features:brightness")
    images = np.random.default_rng(0).random((5, 2, 3))
    np.testing.assert_allclose(found(images)[:, 0], images.mean(axis=(1, 2)))
    assert (found.name, found.facts) == ("my_features:brightness", {"version": "1.2"})
    with pytest.raises(
        FeaturesError, match=r"gave float64 of shape \(5,\) for 5 images; expected .*\(5, features\)"
    ):
        find_extractor("my_features:flat")(images)
    with np.errstate(divide="ignore"), pytest.raises(FeaturesError, match="not finite"):
        find_extractor("my_features:bad")(images)
    with pytest.raises(
        FeaturesError, match=r"my_features:failing: failed \(ZeroDivisionError: division by zero\)"
    ):
        find_extractor("my_features:failing")(images)
    for asked, said in [
        ("my_features:absent", "can't be had .*absent"),
        ("no_such_module_of_mine:f", "can't be had .*no_such_module_of_mine"),
        ("my_features:number", "is no function"),
        ("my_features:", "can't be had"),
        ("inception", "no features 'inception'; expected pixels, classifier:FILE or MODULE:FUNCTION"),
        (f"classifier:{tmp_path}/absent.npz", "no such file"),
    ]:
        with pytest.raises(FeaturesError, match=said):
            find_extractor(asked)


def test_quality_names_its_features() -> None:
    images = np.random.default_rng(0).random((10, 2, 3))
    named = Extractor("mine", "", lambda x: x.reshape(len(x), -1)[:, :2])
    assert quality(images, images + 0.1, named, resamples=20).features == "mine"
    assert quality(images, images + 0.1, PIXELS, resamples=20).dimensions == 6


# -- real data ---------------------------------------


def test_mnist() -> None:
    test = read_images(mnist("t10k-images-idx3-ubyte.gz"))
    assert test.images.shape == (10_000, 28, 28)
    assert test.labels is not None
    # counts of the digits 0 to 9 in the published test set
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_digits_are_learned() -> None:
    data = read_images(mnist("t10k-images-idx3-ubyte.gz"), most=2000)
    assert train(data, hidden=32).accuracy > 0.85
