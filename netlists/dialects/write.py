"""A design as the files of any simulator that we know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from netlists.design import Design
from netlists.dialects.deck import Dialect, write_files
from netlists.dialects.spectre import SPECTRE_DIALECT
from netlists.dialects.spice_ngspice import NGSPICE_DIALECT
from netlists.dialects.xyce import XYCE_DIALECT

DesignDialect = Literal["ngspice", "xyce", "spectre"]
DIALECTS: Mapping[DesignDialect, Dialect] = {
    "ngspice": NGSPICE_DIALECT,
    "xyce": XYCE_DIALECT,
    "spectre": SPECTRE_DIALECT,
}
DESIGN_FILES = frozenset({".spiceinit", *(name for d in DIALECTS.values() for name in d.files.values())})


def write_design_files(design: Design, dialect: DesignDialect) -> dict[str, str]:
    """File name to text; the test bench includes the others by name and says how to run it.

    Raises:
        ValueError: what the dialect can't say, by element, and what to do about it.
    """
    if design.noise and dialect != "ngspice":
        raise ValueError(
            f"noise currents are written for ngspice alone, not for {dialect}: leave the noise out"
        )
    return write_files(design, DIALECTS[dialect])


def write_design_deck(design: Design, dialect: DesignDialect) -> str:
    """The same netlist as one text."""
    return joined_deck(write_design_files(design, dialect), DIALECTS[dialect])


def joined_deck(files: Mapping[str, str], dialect: Dialect) -> str:
    """Files of a dialect's as one text: the test bench with the others in place of their names."""
    names = dialect.files
    text = files[names["testbench"]]
    for name in (names["cells"], names["core"]):
        text = text.replace(f"{dialect.include(name)}\n", files.get(name, ""))
    return text
