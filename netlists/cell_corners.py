"""A corner or a temperature of a user's own cell: other values of its parameters, other model files.

What the SPICE text says is the typical corner; a table ``[corners.slow]`` of the TOML says what is another there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from device_models.printers.ngspice import number
from netlists.spice_text import assignments, spice_number

Described = Literal["slow", "fast"]  # typical is the text itself
_SETS_TEMPERATURE = re.compile(r"\.temp\b|\.opt\w*\s(?:.*[\s,])?temp\s*=", re.IGNORECASE)


class CornerEntry(BaseModel):
    """``[corners.NAME]`` of the TOML: values by parameter, as numbers or in SPICE's way, such as ``"80u"``.

    ``includes`` stand in place of the file's own, as foundries have a model file a corner.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[float, Field(strict=True, allow_inf_nan=False)] | str]

    includes: tuple[str, ...] | None = None

    @property
    def values(self) -> Mapping[str, float | str]:
        """By parameter."""
        return self.__pydantic_extra__


def check_corners(
    corners: Mapping[Described, CornerEntry], lines: Sequence[str], problems: list[str]
) -> None:
    """That every corner changes something, and nothing but parameters that the lines set."""
    known = [found.name for line in lines for found in assignments(line)]
    for name, corner in corners.items():
        if not corner.values and corner.includes is None:
            problems.append(f"corners.{name}: says nothing. Give it values of parameters, or leave it out.")
        for parameter, value in corner.values.items():
            where = f"corners.{name}.{parameter}"
            if parameter.lower() not in map(str.lower, known):
                problems.append(
                    f"{where}: no .param line outside of the subcircuits sets it, only {', '.join(known) or 'none'}"
                )
            if isinstance(value, str) and spice_number(value) is None:
                problems.append(f'{where}: received {value!r}; expected a number, such as 80e-6 or "80u"')


def at_corner(lines: Sequence[str], corner: CornerEntry) -> tuple[str, ...]:
    """Lines of SPICE with the corner's values in place of their own."""
    return tuple(_with_values(line, corner.values) for line in lines)


def _with_values(line: str, values: Mapping[str, float | str]) -> str:
    texts = {
        name.lower(): value.strip() if isinstance(value, str) else number(value)
        for name, value in values.items()
    }
    for found in reversed(assignments(line)):
        if found.name.lower() in texts:
            line = line[: found.start] + texts[found.name.lower()] + line[found.stop :]
    return line


def sets_temperature(line: str) -> bool:
    """Whether a line tells the simulator the temperature of all elements."""
    return bool(_SETS_TEMPERATURE.match(line))
