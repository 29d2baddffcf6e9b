"""A small classifier, trained on the user's labelled images, whose hidden layer serves as features.

One hidden layer of tanh units and softmax outputs, by full-batch L-BFGS on the cross-entropy with weight decay:
deterministic for a seed. Its features are its own: distances in them can be compared with each other, never with
figures from another network such as FID.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.special import log_softmax

from emulator.image_sets import ImageSet
from netlists import hdf5
from netlists.core import Array, Index
from netlists.printable import printable

FORMAT, VERSION = "ais-classifier", 1
HIDDEN = 64
MOST_IMAGES = 10_000  # to train and to test with: enough for features, and trained in seconds
HELD_OUT = 0.2
FEWEST = 20  # images of a class, below which a held-out accuracy says nothing
_DECAY = 1e-4
_ITERATIONS = 300


class ClassifierError(ValueError):
    """No classifier can be trained on these images, or read from this file."""


@dataclass(frozen=True)
class Classifier:
    """A trained network: softmax(tanh((x − mean) W₁ + b₁) W₂ + b₂).

    Attributes:
        mean: (P,) mean image of the training set, 0 to 1.
        first: (P, H) weights, and ``first_bias`` (H,).
        second: (H, C) weights, and ``second_bias`` (C,).
        classes: (C,) labels.
        image_shape: of an image, (rows, columns) or (pixels,).
        accuracy: share of the held-out images that it tells right.
        trained, held_out: number of images of each kind.
        seed: of the split and of the start.
        data_sha256: of the file that it was trained on.
    """

    mean: Array
    first: Array
    first_bias: Array
    second: Array
    second_bias: Array
    classes: Index
    image_shape: tuple[int, ...]
    accuracy: float
    trained: int
    held_out: int
    seed: int
    data_sha256: str

    def hidden(self, images: Array) -> Array:
        """(S, H) activations of the hidden layer, for images (S, …) from 0 to 1.

        Raises:
            ClassifierError: images of another number of pixels.
        """
        pixels = images.reshape(len(images), -1)
        if pixels.shape[1] != len(self.mean):
            raise ClassifierError(
                f"the classifier was trained on images of {len(self.mean)} pixels, received {pixels.shape[1]}"
            )
        return np.tanh((pixels - self.mean) @ self.first + self.first_bias)

    def predict(self, images: Array) -> Index:
        """(S,) the most likely label of each image."""
        return np.asarray(
            self.classes[np.argmax(self.hidden(images) @ self.second + self.second_bias, axis=1)]
        )


def train(data: ImageSet, seed: int = 0, hidden: int = HIDDEN) -> Classifier:
    """Trains on four fifths of the images, and measures the accuracy on the others.

    Args:
        data: images with labels; more than ``MOST_IMAGES`` are of no use.
        seed: of the split and of the initial weights.
        hidden: units of the hidden layer.

    Raises:
        ClassifierError: no labels, a single class, or too few images of one.
    """
    shown = printable(str(data.path))
    if data.labels is None:
        raise ClassifierError(f"{shown}: holds no labels; a classifier needs the class of every image")
    classes, label, counts = np.unique(data.labels, return_inverse=True, return_counts=True)
    if len(classes) < 2 or counts.min() < FEWEST:
        raise ClassifierError(
            f"{shown}: has {len(classes)} classes, of {counts.min()} images and more; expected at least two, of at "
            f"least {FEWEST}"
        )
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(label))
    split = int(HELD_OUT * len(label))
    tested, taught = order[:split], order[split:]
    pixels = data.images.reshape(len(label), -1)
    mean = pixels[taught].mean(axis=0)
    x, wanted = pixels[taught] - mean, np.eye(len(classes))[label[taught]]
    shapes = ((x.shape[1], hidden), (hidden,), (hidden, len(classes)), (len(classes),))
    start = np.concatenate([
        (generator.standard_normal(shape) / np.sqrt(shape[0]) if len(shape) == 2 else np.zeros(shape)).ravel()
        for shape in shapes
    ])  # fmt: skip
    from scipy.optimize import minimize  # a fifth of a second, which every command would wait for

    found = minimize(
        _loss, start, (x, wanted, shapes), method="L-BFGS-B", jac=True, options={"maxiter": _ITERATIONS}
    )
    first, first_bias, second, second_bias = _unpacked(found.x, shapes)
    untested = Classifier(
        mean, first, first_bias, second, second_bias, classes.astype(np.int64), data.images.shape[1:], 0.0,
        len(taught), len(tested), seed, data.sha256,
    )  # fmt: skip
    right = untested.predict(data.images[tested]) == data.labels[tested]
    return Classifier(**(vars(untested) | {"accuracy": float(np.mean(right))}))


Shapes = tuple[tuple[int, ...], ...]


def _unpacked(flat: Array, shapes: Shapes) -> list[Array]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def _loss(flat: Array, x: Array, wanted: Array, shapes: Shapes) -> tuple[float, Array]:
    """Mean cross-entropy with weight decay, and its gradient."""
    first, first_bias, second, second_bias = _unpacked(flat, shapes)
    activation = np.tanh(x @ first + first_bias)
    logs = log_softmax(activation @ second + second_bias, axis=1)
    decay = 0.5 * _DECAY * float(np.sum(first**2) + np.sum(second**2))
    out = (np.exp(logs) - wanted) / len(x)
    back = (out @ second.T) * (1 - activation**2)
    gradient = [
        x.T @ back + _DECAY * first, back.sum(axis=0), activation.T @ out + _DECAY * second, out.sum(axis=0)
    ]  # fmt: skip
    return -float(np.sum(wanted * logs)) / len(x) + decay, np.concatenate([part.ravel() for part in gradient])


_ARRAYS = ("mean", "first", "first_bias", "second", "second_bias")
_FACTS = ("accuracy", "trained", "held_out", "seed", "data_sha256")


def write_classifier(path: Path, classifier: Classifier) -> str:
    """Writes it, whole or not at all, and returns the file's SHA-256; the same classifier gives the same file."""

    def fill(file: h5py.File) -> None:
        facts = {name: getattr(classifier, name) for name in _FACTS}
        file.attrs.update({"format": FORMAT, "version": VERSION, **facts})
        for name in _ARRAYS:
            file.create_dataset(name, data=getattr(classifier, name))
        file.create_dataset("classes", data=classifier.classes)
        file.create_dataset("image_shape", data=np.array(classifier.image_shape))

    hdf5.write_file(path, fill)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_classifier(path: Path) -> bool:
    """Whether a file says that it is one."""
    try:
        with hdf5.opened(path) as file:
            return hdf5.attributes(file).get("format") == FORMAT
    except hdf5.Hdf5Error:
        return False


def read_classifier(path: Path) -> Classifier:
    """Reads a classifier.

    Raises:
        ClassifierError: not one, another version, or arrays that don't fit.
    """
    shown = printable(str(path))
    try:
        with hdf5.opened(path) as file:
            said = hdf5.attributes(file)
            if said.get("format") != FORMAT or said.get("version") != VERSION:
                raise ClassifierError(f"{shown}: not a {FORMAT} file of version {VERSION}")
            reader = hdf5.Reader(file)
            classes = reader.array("classes", (None,), "integer")
            shape = reader.array("image_shape", (None,), "integer")
            mean = reader.array("mean", (None,), "real")
            bias = reader.array("first_bias", (None,), "real")
            if reader.problems or mean is None or bias is None or classes is None or shape is None:
                raise ClassifierError(f"{shown}: {'; '.join(reader.problems)}")
            pixels, hidden, kinds = len(mean), len(bias), len(classes)
            first = reader.array("first", (pixels, hidden), "real")
            second = reader.array("second", (hidden, kinds), "real")
            second_bias = reader.array("second_bias", (kinds,), "real")
    except hdf5.Hdf5Error as error:
        raise ClassifierError(f"{shown}: {error}") from error
    if reader.problems or first is None or second is None or second_bias is None:
        raise ClassifierError(f"{shown}: {'; '.join(reader.problems)}")
    try:
        return Classifier(
            mean, first, bias, second, second_bias, classes, tuple(int(n) for n in shape),
            float(said["accuracy"]), int(said["trained"]), int(said["held_out"]), int(said["seed"]),
            str(said["data_sha256"]),
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise ClassifierError(
            f"{shown}: the attributes {', '.join(_FACTS)} must be there ({printable(str(error))})"
        ) from error
