"""What a substrate is made of: kernels and activations of a trained U-Net, in HDF5.

Format ``unet-activations`` version 1: ``kernels/encoder`` and ``kernels/decoder`` (out, in, height, width), and
``train/`` and ``test/`` with ``encoder`` (S, channels) and ``decoder`` (S, channels), spatial means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netlists import hdf5
from netlists.bilinear import DECODER, ENCODER
from netlists.core import Array
from netlists.hdf5 import Hdf5Error, Reader, Scalar
from netlists.printable import printable
from netlists.weights import sha256_of

FORMAT, VERSION = "unet-activations", 1
SPLITS = ("train", "test")


class ActivationsError(ValueError):
    """A file of activations that can't be used: every problem found, with dataset, received and expected."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        shown = printable(str(path))
        super().__init__("\n  ".join([f"{shown}: not usable as a file of activations", *problems]))


@dataclass(frozen=True)
class Activations:
    """Kernels and activations by module.

    Attributes:
        sha256: of the file's bytes.
        kernels: (out, in, height, width) of each module.
        inputs: activations (S, channels) by split and module.
        provenance: the file's attributes.
    """

    sha256: str
    kernels: Mapping[str, Array]
    inputs: Mapping[str, Mapping[str, Array]]
    provenance: Mapping[str, Scalar]

    @property
    def channels(self) -> int:
        """What every module and split has at least."""
        return min(int(values.shape[1]) for split in self.inputs.values() for values in split.values())


def read_activations(path: str | Path) -> Activations:
    """Reads and checks a file of activations.

    Raises:
        ActivationsError: with every problem found.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ActivationsError(path, ["no such file" if not path.exists() else "is no regular file"])
        with hdf5.opened(path) as file:
            attributes = hdf5.attributes(file)
            if (attributes.get("format"), attributes.get("version")) != (FORMAT, VERSION):
                received = [printable(repr(attributes.get(name, "absent"))) for name in ("format", "version")]
                raise ActivationsError(
                    path,
                    [
                        f"attributes format, version: are {', '.join(received)}; expected {FORMAT!r}, {VERSION}"
                    ],
                )
            reader = Reader(file)
            kernels = {
                m: reader.array(f"kernels/{m}", (None, None, None, None), "real") for m in (ENCODER, DECODER)
            }
            inputs = {
                split: {m: reader.array(f"{split}/{m}", (None, None), "real") for m in (ENCODER, DECODER)}
                for split in SPLITS
            }
    except OSError as error:
        raise ActivationsError(path, [f"can't be read ({error})"]) from error
    except Hdf5Error as error:
        raise ActivationsError(path, [str(error)]) from error
    _check_samples(reader, inputs)
    if reader.problems:
        raise ActivationsError(path, reader.problems)
    return Activations(
        sha256_of(path),
        {name: kernel for name, kernel in kernels.items() if kernel is not None},
        {s: {m: a for m, a in split.items() if a is not None} for s, split in inputs.items()},
        {k: v for k, v in attributes.items() if k not in ("format", "version")},
    )


def _check_samples(reader: Reader, inputs: Mapping[str, Mapping[str, Array | None]]) -> None:
    for split, modules in inputs.items():
        counts = {m: len(a) for m, a in modules.items() if a is not None}
        if len(set(counts.values())) > 1 or 0 in counts.values():
            said = ", ".join(f"{m} {n}" for m, n in counts.items())
            reader.complain(split, f"sample counts are {said}; expected as many of each, and at least one")
