"""Options that commands share, with what their help says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from device_models.corners import CornerName as Corner
from device_models.lc_oscillator import Limiter
from emulator.settings import OscillatorSettings, RunSettings
from netlists.non_idealities import SAYS_HOW, NonIdealities, Quantizer

CORE = RunSettings.model_validate({})  # defaults, of a core on a grid

WeightsFile = Annotated[
    Path, typer.Argument(help="Trained weights (HDF5, format ais-weights).", show_default=False)
]
Tau = Annotated[float, typer.Option(help="Seconds per model time unit.")]
Reltol = Annotated[
    float, typer.Option(help="ngspice's relative tolerance: smaller is closer to the reference, and slower.")
]
Level = Annotated[str, typer.Option(
    help="Level of fidelity: phase (a voltage is the phase), lc (waveforms of LC tanks), ring (CMOS transistors), or "
    "the TOML file of a cell of your own."
)]  # fmt: skip
Cycles = Annotated[float, typer.Option(
    min=10, help="Carrier cycles of the whole run. They set the time unit of the waveform levels, not --tau; at the "
    "phase level they only say what --detuning is in model time."
)]  # fmt: skip
PointsPerCycle = Annotated[int | None, typer.Option(
    min=16, max=10_000, help="Steps a cycle at the waveform levels; default: the cell's own.", show_default=False
)]  # fmt: skip
CouplerName = Annotated[str | None, typer.Option(
    help="Coupler of the cell, as `ais characterize` lists them; default: its first.", show_default=False
)]  # fmt: skip
FullScale = Annotated[float | None, typer.Option(
    help="Weight of the couplers' largest code; default: the largest weight, with --bits that of each chunk.",
    show_default=False,
)]  # fmt: skip
Clip = Annotated[bool, typer.Option("--clip", help="Set weights beyond full scale to it.")]
LimiterName = Annotated[Limiter, typer.Option(
    help="What limits amplitudes at the lc level: levelled (the tank's energy sets the conductance), tanh (a "
    "differential pair), or cubic (van der Pol)."
)]  # fmt: skip
Levelling = Annotated[float, typer.Option(
    help="How fast levelled cells of the lc level restore their amplitude, per radian of the carrier; at most 10."
)]  # fmt: skip
Quality = Annotated[float, typer.Option(min=1, help="Q of the lc level's tanks with the other limiters.")]
Pitch = Annotated[float, typer.Option(help="Distance of neighbouring cells, micrometres.")]
WireCapacitance = Annotated[float, typer.Option(
    min=0, help="Capacitance of the couplers' wires, femtofarad per micrometre, at the outputs of circuit cells."
)]  # fmt: skip
TrustIncludes = Annotated[bool, typer.Option(
    "--trust-includes", help="Read the model files that a cell's TOML names. Look through them first."
)]  # fmt: skip


_PANEL = "Non-idealities of the chip (all off by default)"
_SHARE = ", such as 5% or 0.05"


def _help(name: str, more: str = "") -> str:
    """What the setting says of itself."""
    meaning = (NonIdealities.model_fields[name].description or "").partition("; None:")[0]
    return f"{meaning[:1].upper()}{meaning[1:]}{more}."


Bits = Annotated[int | None, typer.Option(
    min=2, max=16, show_default=False, rich_help_panel=_PANEL,
    help=_help("bits", ", bits; default: exact. Couplers of circuit cells that have legs have bits of their own"),
)]  # fmt: skip
QuantizerName = Annotated[Quantizer | None, typer.Option(
    show_default=False, rich_help_panel=_PANEL,
    help=_help("quantizer", ": signed (two's complement, with zero; the default), offset (offset binary, no zero, as "
    "far up as down) or sign-magnitude (zero, as far up as down)"),
)]  # fmt: skip
MismatchCoupling = Annotated[str, typer.Option(
    metavar="SHARE", rich_help_panel=_PANEL, help=_help("mismatch_coupling", _SHARE)
)]  # fmt: skip
MismatchShil = Annotated[str, typer.Option(
    metavar="SHARE", rich_help_panel=_PANEL, help=_help("mismatch_shil", _SHARE)
)]  # fmt: skip
Detuning = Annotated[str, typer.Option(
    metavar="SHARE", rich_help_panel=_PANEL, help=_help("detuning", ", such as 0.2%; --cycles says how far that drifts")
)]  # fmt: skip
Dead = Annotated[
    str, typer.Option(metavar="SHARE", rich_help_panel=_PANEL, help=_help("dead", ", such as 0.1%"))
]
Stuck = Annotated[str, typer.Option(
    metavar="SHARE", rich_help_panel=_PANEL, help=_help("stuck", ", such as 0.1%, positive or negative by chance")
)]  # fmt: skip
Noise = Annotated[str, typer.Option(
    metavar="SIGMA|off|on|johnson", rich_help_panel=_PANEL,
    help="White noise on every state: sigma, in the state's unit per root of a model time unit. Of a network of "
    "modules, which has a temperature: on (Boltzmann's) or johnson (thermal, of every conductance).",
)]  # fmt: skip
NoiseStep = Annotated[float | None, typer.Option(
    metavar="TIME", show_default=False, rich_help_panel=_PANEL, help=_help("noise_step", "; default: chosen")
)]  # fmt: skip
Temperature = Annotated[float | None, typer.Option(
    metavar="KELVIN", show_default=False, rich_help_panel=_PANEL,
    help=_help("temperature", "; default: no thermal noise, 300.15 K"),
)]  # fmt: skip
CornerName = Annotated[Corner, typer.Option(
    rich_help_panel=_PANEL, help=_help("corner", ", of a cell of your own one that its TOML describes")
)]  # fmt: skip
Chip = Annotated[int, typer.Option(min=0, rich_help_panel=_PANEL, help=_help("chip"))]


def core_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a core that ``ais run`` and ``ais compile`` both have, nested as ``RunSettings`` takes them.

    Args:
        given: a command's options by name; settings that it has no option for keep their defaults.

    Raises:
        typer.BadParameter: an option that can't be read, or that says something of another that is not given.
    """
    return {
        "seed": given["seed"], "level": given["level"], "reltol": given["reltol"], "rows": given["rows"],
        "scaling": {"tau": given["tau"]},
        "oscillator": {name: given[name] for name in OscillatorSettings.model_fields if name in given},
        "non_idealities": _non_idealities(given),
    }  # fmt: skip


def _non_idealities(given: Mapping[str, Any]) -> dict[str, Any]:
    asked = {name: given[name] for name in NonIdealities.model_fields if given.get(name) is not None}
    asked["noise"] = _sigma(given["noise"])
    for option, other in SAYS_HOW.items():
        if option in asked and not asked.get(other):
            names = f"--{option.replace('_', '-')}", f"--{other}"
            raise typer.BadParameter(
                f"{names[0]} says how {names[1]} acts: give {names[1]} too, or leave it out."
            )
    return asked


def _sigma(noise: str) -> float:
    if noise == "off":
        return 0.0
    try:
        return float(noise)
    except ValueError:
        raise typer.BadParameter(
            f"--noise {noise}: expected off or a number, sigma in the state's unit per root of a model time unit"
        ) from None
