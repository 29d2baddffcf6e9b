"""Options of ``ais energy``, with what their help says, and from them the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from emulator.energy import frequency
from emulator.energy.settings import Assumed, EnergySettings, unit_of

_ASSUMED = "Assumptions of the chip (a number, or low:value:high)"
# settings whose option is called something else
OPTION_OF = {"mean_degree": "degree", "f0_hz": "f0"}


def _help(name: str) -> str:
    """What the setting says of itself; of an assumption with its range."""
    field = EnergySettings.model_fields[name]
    meaning = (field.description or "").partition("; None:")[0]
    said = f"{meaning[:1].upper()}{meaning[1:]}"
    if isinstance(field.default, Assumed):
        unit = unit_of(field)
        numbers = field.default
        said += f"; default: {numbers.value:g} ({numbers.low:g} to {numbers.high:g}){unit and f' {unit}'}"
    return f"{said}."


def _assumption(name: str) -> Any:  # an OptionInfo, which typer declares so too
    return typer.Option(metavar="NUMBER", show_default=False, rich_help_panel=_ASSUMED, help=_help(name))


Nodes = Annotated[int, typer.Option(help=_help("nodes"))]
Degree = Annotated[float, typer.Option(help=f"{_help('mean_degree')[:-1]}; all-to-all is nodes − 1.")]
Bits = Annotated[int, typer.Option(help=_help("bits"))]
Frequency = Annotated[
    str,
    typer.Option("--f0", metavar="FREQUENCY", help="Frequency of the oscillators, such as 100MHz or 1e8."),
]
Cycles = Annotated[float, typer.Option(help=_help("cycles"))]
Chunks = Annotated[int, typer.Option(help=_help("chunks"))]
Visible = Annotated[int | None, typer.Option(
    help=f"{_help('visible')[:-1]}; default: a quarter.", show_default=False
)]  # fmt: skip
Symmetric = Annotated[bool, typer.Option(
    "--symmetric/--directed", help="Whether the two directions of a pair share a coupler, and so wire and weight."
)]  # fmt: skip
AdcBits = Annotated[int, typer.Option(help=_help("adc_bits"))]
Conversions = Annotated[int, typer.Option(help=_help("conversions"))]

PitchUm = Annotated[str | None, _assumption("pitch_um")]
WireFfPerUm = Annotated[str | None, _assumption("wire_ff_per_um")]
SwingV = Annotated[str | None, _assumption("swing_v")]
Activity = Annotated[str | None, _assumption("activity")]
ReloadPjPerBit = Annotated[str | None, _assumption("reload_pj_per_bit")]
LineFfPerCell = Annotated[str | None, _assumption("line_ff_per_cell")]
DriverFactor = Annotated[str | None, _assumption("driver_factor")]
StartCycles = Annotated[str | None, _assumption("start_cycles")]
WaldenFj = Annotated[str | None, _assumption("walden_fj")]
SchreierDb = Annotated[str | None, _assumption("schreier_db")]
LinkPjPerBit = Annotated[str | None, _assumption("link_pj_per_bit")]


def hertz(text: str) -> float:
    """The frequency that ``--f0`` says.

    Raises:
        typer.BadParameter: none.
    """
    try:
        return frequency.hertz(text)
    except ValueError as error:
        raise typer.BadParameter(f"--f0 {text}: {error}") from error


def energy_settings(given: Mapping[str, Any]) -> EnergySettings:
    """Settings from the options that were given; the others have their defaults.

    Raises:
        typer.BadParameter: with every problem found, by its option.
    """
    try:
        return EnergySettings.model_validate(given)
    except ValidationError as error:
        said = []
        for problem in error.errors():
            message = problem["msg"].removeprefix("Value error, ")
            if not problem["loc"]:
                said.append(_named(message))
                continue
            name = str(problem["loc"][0])
            said.append(f"--{_option(name)}: {message}, received {given.get(name, problem['input'])!r}")
        # low, value and high of a range may all be wrong in the same way
        raise typer.BadParameter("; ".join(dict.fromkeys(said))) from None


def _named(message: str) -> str:
    """A message about several settings, with the options' names."""
    for name in ("mean_degree", "visible"):
        message = message.replace(f"{name} is", f"--{_option(name)} is")
    return message


def _option(name: str) -> str:
    return OPTION_OF.get(name, name).replace("_", "-")
