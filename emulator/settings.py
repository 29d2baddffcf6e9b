"""Everything a run can be told, with defaults, in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from device_models.adc import AdcSettings
from device_models.lc_oscillator import Limiter
from device_models.readout import full_scale
from emulator.cells import LC_LEVELLING, LC_QUALITY
from emulator.crosscheck import WINDOWS
from emulator.demodulate import Demodulation
from emulator.devices import DevicesAsked, JacobianAsked
from netlists.non_idealities import NonIdealities
from netlists.scaling import Scaling

DEFAULT_RELTOL = 1e-6


def processors() -> int:
    """Processors that this process may use, which in a container are often fewer than there are."""
    return len(os.sched_getaffinity(0))


class Acceptance(BaseModel):
    """What a sample has to reach for the cross-check to pass."""

    model_config = ConfigDict(frozen=True)

    worst_window_rms: float = Field(1e-3, gt=0, description="largest rms defect of a window, in state units")
    codes_within_1lsb: float = Field(0.99, ge=0, le=1, description="share of ADC codes within 1 LSB")


class OscillatorSettings(BaseModel):
    """What the waveform levels can be told beyond the phase level."""

    model_config = ConfigDict(frozen=True)

    cycles: float = Field(
        1000.0,
        ge=10,
        le=1e7,
        description="carrier cycles of the whole run; also what a detuning is in model time",
    )
    points_per_cycle: int | None = Field(
        None, ge=16, le=10_000, description="steps a cycle; None: the cell's own"
    )
    coupler: str | None = Field(None, description="coupler type; None: the cell's first")
    full_scale: float | None = Field(
        None, gt=0, description="weight of the couplers' largest code, model units"
    )
    clip: bool = Field(False, description="weights beyond full scale are set to it")
    demodulation: Demodulation = Field("iq", description="how phases are read from waveforms")
    taps: int = Field(64, ge=2, le=1024, description="sampling flip-flops of that demodulation")
    limiter: Limiter = Field("levelled", description="what limits the amplitude of the level lc's cells")
    levelling: float = Field(
        LC_LEVELLING,
        gt=0,
        le=10,
        description="rate at which a levelled cell restores its amplitude, per radian",
    )
    quality: float = Field(LC_QUALITY, ge=1, le=1000, description="Q of the tank")
    pitch_um: float = Field(20.0, gt=0, description="distance of neighbouring cells, micrometres")
    wire_ff_per_um: float = Field(
        0.0, ge=0, description="capacitance of coupler wires, femtofarad per micrometre"
    )
    trust_includes: bool = Field(False, description="model files that a cell's TOML names are read")


class RunSettings(BaseModel):
    """A run. Those of ``WHILE_RUNNING`` don't bear on the numbers; all others identify the run."""

    model_config = ConfigDict(frozen=True)

    samples: int = Field(8, ge=1, description="number of samples")
    seed: int = Field(0, ge=0, description="seed of the initial states and the converter's noise")
    jobs: int = Field(default_factory=processors, ge=1, description="simulators side by side")
    level: str = Field(
        "phase", description="level of fidelity: phase, lc, ring, or the path of a cell's TOML"
    )
    oscillator: OscillatorSettings = Field(default_factory=lambda: OscillatorSettings.model_validate({}))
    devices: DevicesAsked = Field("auto", description="form of the devices")
    jacobian: JacobianAsked = Field("auto", description="derivatives that compiled devices give the solver")
    scaling: Scaling = Field(default_factory=lambda: Scaling.model_validate({}))
    reltol: float = Field(DEFAULT_RELTOL, gt=0, lt=1, description="ngspice's relative tolerance")
    rows: int = Field(200, ge=WINDOWS, description="rows recorded; the step is at most the run over this")
    non_idealities: NonIdealities = Field(default_factory=lambda: NonIdealities.model_validate({}))
    adc: AdcSettings = Field(default_factory=AdcSettings)
    windows: int = Field(WINDOWS, ge=1, description="windows of the defect")
    acceptance: Acceptance = Field(default_factory=lambda: Acceptance.model_validate({}))
    time_limit_s: float = Field(
        3600.0, gt=0, le=1e6, description="wall-clock limit of one simulation, in seconds"
    )
    keep_trajectories: int = Field(4, ge=0, description="samples whose whole run is kept")


def default_acceptance(level: str) -> Acceptance:
    """At the waveform levels the circuit is more than the ODE: what is accepted is what its readers can tell apart."""
    if level == "phase":
        return Acceptance.model_validate({})
    return Acceptance(worst_window_rms=0.05, codes_within_1lsb=0.9)


def default_bits(level: str) -> int:
    """Of the converter."""
    return 8 if level == "phase" else 4


def settings_for(readout: str, asked: Mapping[str, Any], *, strict: bool = False) -> RunSettings:
    """Settings of a run of weights with this readout: what depends on it, and on the level, filled in.

    Args:
        readout: kind of ``device_models.readout``; its range is the converter's.
        asked: settings as RunSettings takes them, nested; what is not asked for has its default.
        strict: text is no number.

    Raises:
        pydantic.ValidationError: unknown or contradictory.
    """
    level = asked.get("level", RunSettings.model_fields["level"].default)
    low, high = full_scale(readout)
    filled = {
        "adc": {"bits": default_bits(level), "low": low, "high": high, **asked.get("adc", {})},
        "acceptance": {**default_acceptance(level).model_dump(), **asked.get("acceptance", {})},
    }
    return RunSettings.model_validate({**asked, **filled}, strict=strict)


WHILE_RUNNING = frozenset({"samples", "jobs", "time_limit_s", "keep_trajectories"})
