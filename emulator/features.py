"""Feature extractors: what the distribution metrics see of an image. None of ours is an Inception network, so none
of our figures is an FID; every report names the extractor it used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from netlists.core import Array


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
    extract: Callable[[Array], Array]
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
