"""From the state at the end of a run to pixels and codes: readout, aperture, ADC."""

from __future__ import annotations

import numpy as np

from device_models.adc import AdcSettings, aperture_average, digitise, noise_rng, transition_levels
from device_models.readout import read_out
from emulator.trajectory import Trajectory
from netlists.core import AnalogCore, Array, Index
from netlists.scaling import Scaling


def check_converter(core: AnalogCore, scaling: Scaling, adc: AdcSettings) -> None:
    """Whether a converter can read a core's runs at all: to be known before hours of simulation.

    Raises:
        ValueError: its aperture is longer than the run, or its mismatch left no code a width.
    """
    duration = scaling.seconds(core.duration)
    if adc.aperture_s > duration:
        raise ValueError(
            f"the ADC's aperture of {adc.aperture_s:g} s is longer than the run's {duration:g} s"
        )
    transition_levels(adc)


def acquire(
    core: AnalogCore, run: Trajectory, scaling: Scaling, adc: AdcSettings, seed: int, sample: int
) -> tuple[Array, Index]:
    """Reads the visible nodes at the end of a run and digitises them.

    Returns:
        (V,) analog values at the converter's input, averaged over its aperture, and (V,) codes.

    Raises:
        ValueError: the aperture is longer than the run.
    """
    pixels = read_out(core.readout, run.state[:, core.visible])
    seconds = run.time * scaling.tau
    values = aperture_average(seconds, pixels, float(seconds[-1]), adc.aperture_s)
    return values, digitise(values, adc, rng=noise_rng(seed, sample))


def on_rails(codes: Index, adc: AdcSettings) -> float:
    """Share of the codes at either end of the scale, where a converter no longer tells values apart."""
    return float(np.mean((codes == 0) | (codes == 2**adc.bits - 1)))
