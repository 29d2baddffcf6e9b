"""Everything a run can be told, with defaults, in one place."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from device_models.adc import AdcSettings
from emulator.crosscheck import WINDOWS
from emulator.devices import DevicesAsked, JacobianAsked
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


class RunSettings(BaseModel):
    """A run. Those of ``WHILE_RUNNING`` don't bear on the numbers; all others identify the run."""

    model_config = ConfigDict(frozen=True)

    samples: int = Field(8, ge=1, description="number of samples")
    seed: int = Field(0, ge=0, description="seed of the initial states and the converter's noise")
    jobs: int = Field(default_factory=processors, ge=1, description="simulators side by side")
    level: Literal["phase"] = Field("phase", description="level of fidelity")
    devices: DevicesAsked = Field("auto", description="form of the devices")
    jacobian: JacobianAsked = Field("auto", description="derivatives that compiled devices give the solver")
    scaling: Scaling = Field(default_factory=lambda: Scaling.model_validate({}))
    reltol: float = Field(DEFAULT_RELTOL, gt=0, lt=1, description="ngspice's relative tolerance")
    rows: int = Field(200, ge=WINDOWS, description="rows recorded; the step is at most the run over this")
    adc: AdcSettings = Field(default_factory=AdcSettings)
    windows: int = Field(WINDOWS, ge=1, description="windows of the defect")
    acceptance: Acceptance = Field(default_factory=lambda: Acceptance.model_validate({}))
    time_limit_s: float = Field(
        3600.0, gt=0, le=1e6, description="wall-clock limit of one simulation, in seconds"
    )
    keep_trajectories: int = Field(4, ge=0, description="samples whose whole run is kept")


WHILE_RUNNING = frozenset({"samples", "jobs", "time_limit_s", "keep_trajectories"})
