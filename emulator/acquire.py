"""From the state at the end of a run to pixels and codes: readout, aperture, ADC."""

from __future__ import annotations

from device_models.adc import AdcSettings, aperture_average, digitise, noise_rng
from device_models.readout import read_out
from emulator.trajectory import Trajectory
from netlists.core import AnalogCore, Array, Index
from netlists.scaling import Scaling


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
