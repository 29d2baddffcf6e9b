"""Feature extractors: what the distribution metrics see of an image. None of ours is an Inception network, so none
of our figures is an FID; every report names the extractor it used."""

from __future__ import annotations

import hashlib
import importlib
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emulator.classifier import MOST_IMAGES, is_classifier, read_classifier, train, write_classifier
from emulator.image_sets import Span, read_images
from netlists.core import Array
from netlists.printable import printable


class FeaturesError(ValueError):
    """An extractor that can't be had, or that fails; the message says why."""


@dataclass(frozen=True)
class Extractor:
    """From images to features.

    Attributes:
        name: what reports call it.
        meaning: what its features are, in a sentence.
        extract: (S, V) or (S, rows, columns) pixels from 0 to 1, to (S, F).
        facts: what else there is to know, such as hash and accuracy.
    """

    name: str
    meaning: str
    extract: Callable[[Array], Array] = field(repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, images: Array) -> Array:
        """(S, F) features of the images.

        Raises:
            FeaturesError: not (S, F), or not finite.
        """
        features = np.asarray(self.extract(images))
        if features.ndim != 2 or len(features) != len(images) or features.dtype.kind not in "fiu":
            raise FeaturesError(
                f"{self.name}: gave {features.dtype} of shape {features.shape} for {len(images)} images; "
                f"expected numbers of shape ({len(images)}, features)"
            )
        if not np.isfinite(features).all():
            raise FeaturesError(f"{self.name}: gave features that are not finite")
        return features.astype(np.float64)


def _flat(images: Array) -> Array:
    return images.reshape(len(images), -1)


PIXELS = Extractor("pixels", "The pixels themselves, 0 to 1 of full scale.", _flat)


CLASSIFIER = "classifier:"


def find_extractor(
    asked: str, keep: Path | None = None, seed: int = 0, span: Span | None = None
) -> Extractor:
    """The extractor that was asked for.

    Args:
        asked: ``pixels``; ``classifier:FILE``, a trained classifier or labelled images to train one on; or
            ``module:function``, a function of yours from images (S, rows, columns), 0 to 1, to features (S, F).
        keep: file that a classifier trained here is written to.
        seed: of the training.
        span: black and white of labelled images, see ``read_images``.

    Raises:
        FeaturesError, ImagesError, ClassifierError: there is none of that name, or it can't be trained.
        OSError: the trained classifier could not be written.
    """
    if asked == PIXELS.name:
        return PIXELS
    if asked.startswith(CLASSIFIER):
        return _classifier(Path(asked.removeprefix(CLASSIFIER)), keep, seed, span)
    if ":" in asked:
        return _function(asked)
    raise FeaturesError(
        f"no features {printable(repr(asked))}; expected {PIXELS.name}, {CLASSIFIER}FILE or MODULE:FUNCTION"
    )


def _classifier(path: Path, keep: Path | None, seed: int, span: Span | None) -> Extractor:
    if not path.is_file():
        raise FeaturesError(f"{printable(str(path))}: no such file, of a classifier or of labelled images")
    facts = {}
    kept: Path | None = path
    if is_classifier(path):
        network, origin = read_classifier(path), "read from"
    else:
        network, origin, kept = train(read_images(path, span, MOST_IMAGES, seed), seed), "trained on", keep
        if keep is not None:
            write_classifier(keep, network)
    if kept is not None:
        facts["classifier"] = str(kept)
        facts["classifier_sha256"] = hashlib.sha256(kept.read_bytes()).hexdigest()
    facts |= {
        "accuracy": f"{network.accuracy:.4f} on {network.held_out} images it was not trained on",
        "trained_on": f"{network.trained} images, seed {network.seed}, of the file with SHA-256 {network.data_sha256}",
    }
    return Extractor(
        f"classifier ({origin} {path.name})",
        f"{network.first.shape[1]} hidden units of a small classifier of {len(network.classes)} classes.",
        network.hidden,
        facts,
    )


def _function(asked: str) -> Extractor:
    """A function of the user's; modules in the current folder are found too."""
    module, _, name = asked.partition(":")
    shown = printable(asked)
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # what a stranger's module does when it is imported
        raise FeaturesError(f"{shown}: can't be had ({_name(error)})") from error
    finally:
        if added:
            sys.path.remove(here)
    if not callable(found):
        raise FeaturesError(f"{shown}: is no function")
    version = getattr(sys.modules.get(module.partition(".")[0]), "__version__", None)
    facts = {} if version is None else {"version": printable(str(version))}

    def guarded(images: Array) -> Array:
        try:
            return np.asarray(found(images))
        except Exception as error:  # and what its function does
            raise FeaturesError(f"{shown}: failed ({_name(error)})") from error

    return Extractor(shown, "Features of a function that is not part of this package.", guarded, facts)


def _name(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}")
