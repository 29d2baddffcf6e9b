"""What the receipt's section of a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.energy.figure import PARTS, PartName
from emulator.energy.words import between, in_joules, share_of
from emulator.receipt.claim import Claim
from emulator.receipt.field import NotRecorded
from emulator.receipt.lines import Group, basis_group, energy_slots, groups, part_names
from emulator.receipt.model import Receipt

TAGS = {"measured silicon": "silicon", "circuit simulation": "circuit", "extrapolation": "extrapolated"}


@dataclass(frozen=True)
class PartView:
    """A part of a generator in a figure: joules and their share of the whole, or outside; why, in words."""

    name: str
    joules: str
    share: str
    why: str

    @property
    def inside(self) -> bool:
        """Of the boundary."""
        return bool(self.joules)


@dataclass(frozen=True)
class SlotView:
    """A kind of number: a figure in words, or the reason why there is none."""

    title: str
    missing: str
    tag: str = ""
    kind: str = ""
    joules: str = ""
    plain: str = ""
    between: str = ""
    sentence: str = ""
    parts: tuple[PartView, ...] = ()


@dataclass(frozen=True)
class ReceiptView:
    """A receipt for a page."""

    slots: tuple[SlotView, ...]
    slips: tuple[Group, ...]


def receipt_view(receipt: Receipt) -> ReceiptView:
    """A receipt in words, for the template."""
    names = part_names(receipt)
    slots = tuple(_slot(title, slot, names) for title, slot in energy_slots(receipt))
    basis = basis_group(receipt)
    return ReceiptView(slots, (*([basis] if basis is not None else []), *groups(receipt)))


def _slot(title: str, slot: Claim | NotRecorded, names: Mapping[PartName, str]) -> SlotView:
    if isinstance(slot, NotRecorded):
        return SlotView(title, slot.not_recorded)
    return SlotView(
        title=title,
        missing="",
        tag=TAGS[slot.kind],
        kind=str(slot.kind),
        joules=in_joules(slot.energy_per_sample_J),
        plain=f"{slot.energy_per_sample_J:.3g} J",
        between=between((slot.low_J, slot.high_J)),
        sentence=slot.sentence,
        parts=tuple(_parts(slot, names)),
    )


def _parts(claim: Claim, names: Mapping[PartName, str]) -> list[PartView]:
    inside = {share.part: share for share in claim.figure.shares}
    return [
        PartView(
            names[part],
            in_joules(inside[part].joules),
            share_of(inside[part].joules, claim.energy_per_sample_J),
            inside[part].source,
        )
        if part in inside
        else PartView(names[part], "", "", claim.figure.outside[part])
        for part in PARTS
    ]
