"""Options of ``ais run`` and ``ais compile`` for Langevin networks, and which of the others mean something to them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from device_models.conductances import Ota, TechnologyName
from emulator.thermo.circuit import NetworkSettings
from emulator.thermo.network_plan import NetworkRunSettings
from netlists.network_file import holds_modules
from netlists.scaling import NetworkScaling

_PANEL = "Langevin networks"
NETWORK = NetworkRunSettings.model_validate({})  # defaults


def _said(model: type[NetworkScaling] | type[Ota] | type[NetworkSettings], field: str) -> str:
    """What the setting says of itself."""
    meaning = model.model_fields[field].description or ""
    return f"{meaning[:1].upper()}{meaning[1:]}."


Inputs = Annotated[str | None, typer.Option(
    metavar="SPLIT", show_default=False, rich_help_panel=_PANEL,
    help="Inputs that the digital interface turns into forces, a split of the file's; bias: the file's own forces. "
    "Default: test where there is one.",
)]  # fmt: skip
Realization = Annotated[TechnologyName, typer.Option(
    rich_help_panel=_PANEL,
    help="How negative conductances are made: ideal sources, passive (not at all), differential (crossed resistors "
    "between two rails), ota (transconductance amplifiers).",
)]  # fmt: skip
Capacitance = Annotated[float, typer.Option(
    metavar="FARAD", rich_help_panel=_PANEL, help=_said(NetworkScaling, "capacitance")
)]  # fmt: skip
Volts = Annotated[
    float, typer.Option(metavar="VOLTS", rich_help_panel=_PANEL, help=_said(NetworkScaling, "volts"))
]
BusCapacitance = Annotated[float, typer.Option(
    metavar="FARAD", rich_help_panel=_PANEL, help=_said(NetworkScaling, "bus_capacitance")
)]  # fmt: skip
BiasBits = Annotated[int | None, typer.Option(
    show_default=False, rich_help_panel=_PANEL, help=_said(NetworkSettings, "bias_bits")
)]  # fmt: skip
OtaGain = Annotated[float, typer.Option(rich_help_panel=_PANEL, help=_said(Ota, "gain"))]
OtaBandwidth = Annotated[
    float, typer.Option(metavar="HERTZ", rich_help_panel=_PANEL, help=_said(Ota, "bandwidth_hz"))
]
OtaRange = Annotated[
    float, typer.Option(metavar="VOLTS", rich_help_panel=_PANEL, help=_said(Ota, "input_range"))
]
Settle = Annotated[int, typer.Option(
    min=0, rich_help_panel=_PANEL, help="Inputs whose settling transient is simulated: the first so many."
)]  # fmt: skip
Averaging = Annotated[float, typer.Option(
    metavar="TIMES", rich_help_panel=_PANEL,
    help="Time constants of the slowest mode that a readout under noise averages over.",
)]  # fmt: skip
AdcRange = Annotated[float | None, typer.Option(
    show_default=False, rich_help_panel=_PANEL,
    help="Full scale of the converter, either way, in units of state; default: what the inputs take at rest.",
)]  # fmt: skip

# settings whose option is called something else
OPTION_OF = {
    "split": "inputs", "gain": "ota-gain", "bandwidth_hz": "ota-bandwidth", "input_range": "ota-range",
}  # fmt: skip
NETWORKS_ALONE = frozenset({
    "inputs", "realization", "capacitance", "volts", "bus_capacitance", "bias_bits", "ota_gain", "ota_bandwidth",
    "ota_range", "settle", "averaging", "adc_range",
})  # fmt: skip
SHARED = frozenset({
    "weights", "out", "tau", "clip", "noise", "noise_step", "seed", "samples", "adc_bits", "overwrite", "resume",
    "dialect", "sample", "reltol",
})  # fmt: skip


def network_settings(given: dict[str, Any]) -> NetworkSettings:
    """How a network becomes a circuit, from the options of a command.

    Raises:
        ValidationError: a value out of range.
    """
    return NetworkSettings.model_validate({
        "realization": given["realization"], "clip": given["clip"], "bias_bits": given["bias_bits"],
        "scaling": {name: given[name] for name in ("tau", "capacitance", "volts", "bus_capacitance")},
        "ota": {
            "gain": given["ota_gain"], "bandwidth_hz": given["ota_bandwidth"], "input_range": given["ota_range"]
        },
    })  # fmt: skip


def given_options(context: typer.Context) -> set[str]:
    """Parameters that the user gave by hand."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def is_network(context: typer.Context, weights: Path) -> bool:
    """Whether the file holds a network of modules; options that mean nothing to what it holds are refused.

    Raises:
        WeightsError: not usable as a weights file.
        typer.BadParameter: names the options.
    """
    given, network = given_options(context), holds_modules(weights)
    if network:
        _refuse(given - SHARED - NETWORKS_ALONE, "a network of modules")
    else:
        _refuse(given & NETWORKS_ALONE, "a core on a grid, and not a network of modules")
    return network


def _refuse(names: Collection[str], what: str) -> None:
    if names:
        said = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(names))
        raise typer.BadParameter(f"{said}: the file holds {what}, to which this means nothing. Leave it out.")
