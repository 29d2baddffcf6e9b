"""A receipt of whatever is given: results, a run's folder, or a receipt that was made before."""

from __future__ import annotations

from pathlib import Path

from emulator.folder import RESULTS
from emulator.receipt.fill import grid_receipt
from emulator.receipt.fill_network import network_receipt
from emulator.receipt.model import Receipt, ReceiptError, read_receipt
from emulator.receipt.sources import Sources, find_sources
from emulator.receipt.stated import Stated
from emulator.results import Results
from netlists.printable import printable

NOTHING_STATED = Stated.model_validate({})


def receipt_of(path: Path, weights: Path | None = None, stated: Stated = NOTHING_STATED) -> Receipt:
    """The receipt of a run, made from its results; of a receipt's file, what it says.

    Args:
        path: the folder of a run, its ``results.h5``, or a receipt's JSON.
        weights: the weights file; None looks where it may lie.
        stated: what the user says of a chip where the run does not know it.

    Raises:
        ReceiptError: nothing that a receipt can be made of, or what was stated contradicts it.
    """
    if path.is_file() and path.suffix == ".json":
        if stated != NOTHING_STATED or weights is not None:
            raise ReceiptError(
                f"{printable(str(path))}: a receipt that is made can't be added to; give the folder of its run, or "
                f"its {RESULTS}"
            )
        return read_receipt(path)
    return receipt_from(find_sources(path, weights), stated)


def receipt_from(sources: Sources, stated: Stated = NOTHING_STATED) -> Receipt:
    """The same from sources that are at hand."""
    if isinstance(sources.results, Results):
        return grid_receipt(sources, sources.results, stated)
    if stated != NOTHING_STATED:
        raise ReceiptError("what an extrapolation needs was stated, and a Langevin network has none")
    return network_receipt(sources, sources.results)
