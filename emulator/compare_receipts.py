"""The receipts of two sides that are compared: energies side by side, and every field of both.

The receipt of a run is of its circuit. Its reference and the trained model are mathematics, solved in software: of what
a circuit costs they have nothing, and of the rest the reference has what it shares with the circuit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from emulator.receipt.beside import Section, grouped, rows_of_differences, telling
from emulator.receipt.claim import Claim
from emulator.receipt.difference import Difference, Status, as_rows, differences
from emulator.receipt.make import receipt_of
from emulator.receipt.model import Receipt
from emulator.receipt.page import SlotView, receipt_view
from emulator.sides import DATA, Side
from netlists.printable import printable

# What holds for a reference too: the weights as the chip holds them, the noise, the schedule, the readout
SHARED_GROUPS = ("precision", "readout", "training")
SHARED_FIELDS = frozenset({
    "files.weights_file", "files.weights_sha256", "files.program_version", "substrate.family", "substrate.nodes",
    "substrate.visible", "substrate.hidden", "substrate.topology", "substrate.coupling_degree", "substrate.symmetry",
    "substrate.time_chunks", "time.model_time", "simulation.seed",
})  # fmt: skip


@dataclass(frozen=True)
class OfSide:
    """What there is of a side.

    Attributes:
        name: A or B.
        receipt: of the run that its samples are of; None if there is none.
        reason: why there is none, or why of it not everything holds; empty if all of it does.
    """

    name: str
    receipt: Receipt | None
    reason: str = ""

    @property
    def of_circuit(self) -> bool:
        """Whether the whole receipt is of these samples, energies and all."""
        return self.receipt is not None and not self.reason


@dataclass(frozen=True)
class Receipts:
    """Of both sides."""

    first: OfSide
    second: OfSide

    @property
    def sides(self) -> tuple[OfSide, OfSide]:
        """A and B."""
        return self.first, self.second

    @property
    def found(self) -> list[Difference] | None:
        """Fields that hold for both sides; None where a side has no receipt."""
        if self.first.receipt is None or self.second.receipt is None:
            return None
        found = differences(self.first.receipt, self.second.receipt)
        whole = self.first.of_circuit and self.second.of_circuit
        return found if whole else [each for each in found if _shared(each.field)]


def receipts_of(first: Side, second: Side) -> Receipts:
    """The receipts of two sides; what keeps one from being made is its reason, and no error."""
    return Receipts(_of(first, "A"), _of(second, "B"))


def _of(side: Side, name: str) -> OfSide:
    shown = printable(side.name, None)
    if side.origin == DATA:
        return OfSide(
            name, None, f"{name} has no receipt: {shown} holds images, and nobody here knows what made them."
        )
    if side.origin == "trained":
        return OfSide(
            name, None, f"{name} has no receipt: it is what the trained model gives, mathematics solved in software. "
            "No chip holds its weights, and no circuit spends energy on its samples.",
        )  # fmt: skip
    if side.results is None:
        return OfSide(name, None, f"{name} has no receipt: its samples come from no file.")
    try:
        receipt = receipt_of(side.results)
    except Exception as error:  # a comparison is worth having without it
        return OfSide(
            name, None, f"{name} has no receipt: it could not be made of {shown} ({printable(str(error))})."
        )
    if side.origin == "reference":
        return OfSide(
            name, receipt, f"{name} is the reference, mathematics solved in software. Its run’s receipt is of the "
            "circuit beside it: the weights as the chip holds them, noise, schedule and readout are the reference’s "
            "too, and are compared; energies, devices, solver, fidelity and layout are the circuit’s alone and left "
            "out.",
        )  # fmt: skip
    return OfSide(name, receipt)


def _shared(field: str) -> bool:
    return field in SHARED_FIELDS or field.partition(".")[0] in SHARED_GROUPS


# -- for programs --------------------------------------------------------------------------------------------


def as_json(receipts: Receipts) -> dict[str, Any]:
    """Energies of each side, or why it has none, and all fields as ``ais receipt A B --json`` has them."""
    found = receipts.found
    return {
        **{
            key: {
                "receipt": side.receipt is not None,
                "reason": side.reason or None,
                "energy": _energies(side.receipt) if side.receipt is not None and side.of_circuit else None,
            }
            for key, side in zip(("first", "second"), receipts.sides, strict=True)
        },
        "comparison": None if found is None else as_rows(found),
    }


def _energies(receipt: Receipt) -> dict[str, Any]:
    slots = {
        name: getattr(receipt.energy, name) for name in type(receipt.energy).model_fields if name != "basis"
    }
    told = ("kind", "energy_per_sample_J", "low_J", "high_J", "sentence")
    return {
        name: slot.model_dump(mode="json", include=set(told))
        if isinstance(slot, Claim)
        else slot.model_dump()
        for name, slot in slots.items()
    }


# -- for a page ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Energies:
    """A kind of number: (A or B, the figure or why there is none) of the sides whose receipt has energies at all."""

    title: str
    slots: tuple[tuple[str, SlotView], ...]

    @property
    def nobody(self) -> str:
        """Why no side has a figure, if all say the same; else empty."""
        reasons = {slot.missing for _, slot in self.slots}
        return next(iter(reasons)) if len(reasons) == 1 else ""


@dataclass(frozen=True)
class ReceiptsView:
    """Both receipts for a page.

    Attributes:
        reasons: sentences on sides that have no receipt, or not all of one.
        energies: by kind of number.
        shown: what differs, and what only one has.
        folded: what is the same, and what neither has.
        compared: whether fields could be compared.
    """

    reasons: tuple[str, ...]
    energies: tuple[Energies, ...]
    shown: tuple[Section, ...]
    folded: tuple[Section, ...]
    compared: bool


_SECTIONS: dict[Status, tuple[str, tuple[str, ...]]] = {
    "different": ("What differs", ("A", "B")),
    "only in A": ("What only A has", ("A", "Why B has not")),
    "only in B": ("What only B has", ("Why A has not", "B")),
    "same": ("What is the same", ("A and B",)),
    "in neither": ("What neither has", ("Why",)),
}


def receipts_view(receipts: Receipts) -> ReceiptsView:
    """Receipts in words, for the template."""
    sides, found = receipts.sides, receipts.found
    slots = [
        (side.name, slot)
        for side in sides
        if side.receipt is not None and side.of_circuit
        for slot in receipt_view(side.receipt).slots
    ]
    titles = dict.fromkeys(slot.title for _, slot in slots)
    sections = {status: _section(receipts, found or [], status) for status in _SECTIONS}
    return ReceiptsView(
        reasons=tuple(side.reason for side in sides if side.reason),
        energies=tuple(
            Energies(title, tuple(each for each in slots if each[1].title == title)) for title in titles
        ),
        shown=_there(sections[status] for status in ("different", "only in A", "only in B")),
        folded=_there(sections[status] for status in ("same", "in neither")),
        compared=found is not None,
    )


def _there(sections: Iterable[Section]) -> tuple[Section, ...]:
    return tuple(section for section in sections if section.groups)


def _section(receipts: Receipts, found: list[Difference], status: Status) -> Section:
    title, heads = _SECTIONS[status]
    some = [each for each in found if each.status == status and telling(each) and not _said_above(each)]
    first, second = receipts.first.receipt, receipts.second.receipt
    rows = rows_of_differences(some, first, second) if first is not None and second is not None else ()
    return Section(title, heads, grouped(rows))


def _said_above(difference: Difference) -> bool:
    """Whether the energies side by side say it: what a figure comes to, and what it holds under."""
    group, _, rest = difference.field.partition(".")
    if group != "energy" or rest.startswith("basis"):
        return group in ("format", "version", "of")
    return ".figure." not in rest or difference.status != "different"
