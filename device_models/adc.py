"""Analog-to-digital converter: from analog pixel values to codes. Ideal unless a non-ideality is asked for.

Conventions, after IEEE Std 1241 (terminology and test methods for analog-to-digital converters):

- LSB: Q = (high - low) / 2**bits, the ideal width of a code bin.
- Transition levels T[1] ... T[2**bits - 1]; the code is k where T[k] <= v < T[k+1], 0 below T[1] and
  2**bits - 1 from the last transition on: a value outside the range saturates at the rail.
- Mid-riser: T[k] = low + k Q. The 2**bits bins share the range evenly, the middle of the range is a
  transition, code and complement mirror about it, and one bit is a comparator at the middle. (Mid-tread, with
  T[1] = low + Q/2, gives the top code a bin of 3Q/2 and puts a one-bit threshold at a quarter of the range.)
- Gain G = 1 + gain_error and offset V_os = offset_lsb Q belong to the straight line through the end points,
  G T[k] + V_os = low + k Q: the converter acts as an ideal one that sees G v + V_os. So a positive offset
  reads *high* (every transition moves down), and the gain pivots about an input of 0.

The mismatch model is a resistor string or a flash comparator bank, with one random step per inner code:

    w[k] = max(0, 1 + dnl_sigma_lsb * N(0, 1)),   k = 1 ... 2**bits - 2,   in LSB,

rescaled to an average of exactly one LSB (end-point correction), so that it is static nonlinearity alone and
offset and gain stay what their fields say. Steps are never negative, so a converter is always monotone: a
step that would be negative has zero width instead, a *missing code* (DNL = -1), as when two comparators of a
flash swap places and the thermometer code is counted. The realised rms DNL is dnl_sigma_lsb up to about 0.5;
above, clipping makes it smaller (0.81 at 1).

Transition k sits at index k - 1 of every array of levels, DNL or INL here.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

# Keep the streams of this module apart from each other, and from those of any other module that starts from
# the same seed.
_MISMATCH_STREAM = 0xADC0
_NOISE_STREAM = 0xADC1


class AdcSettings(BaseModel):
    """A converter. The defaults are an ideal 8-bit one of full scale -1 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: Annotated[int, Field(ge=1, le=16, description="resolution, bits")] = 8
    low: Annotated[FiniteFloat, Field(description="lower end of full scale, units of the input")] = -1.0
    high: Annotated[FiniteFloat, Field(description="upper end of full scale, units of the input")] = 1.0
    offset_lsb: Annotated[
        FiniteFloat, Field(description="offset, LSB: added to the input, so a positive one reads high")
    ] = 0.0
    gain_error: Annotated[
        FiniteFloat, Field(gt=-1.0, description="relative: the input is multiplied by 1 + gain_error")
    ] = 0.0
    dnl_sigma_lsb: Annotated[
        FiniteFloat, Field(ge=0.0, le=1.0, description="rms mismatch of a step (code width), LSB")
    ] = 0.0
    mismatch_seed: Annotated[int, Field(ge=0, description="which chip: seed of the mismatch draw")] = 0
    aperture_s: Annotated[
        FiniteFloat,
        Field(ge=0.0, description="window before the sampling instant over which the input is averaged, s"),
    ] = 0.0
    input_noise_rms: Annotated[
        FiniteFloat, Field(ge=0.0, description="Gaussian noise at the input, rms, units of the input")
    ] = 0.0

    @model_validator(mode="after")
    def _range_is_a_range(self) -> AdcSettings:
        if not self.high > self.low:
            raise ValueError(f"high must be above low, received low={self.low!r}, high={self.high!r}")
        return self


def lsb(settings: AdcSettings) -> float:
    """Q = (high - low) / 2**bits, the ideal width of a code bin (IEEE Std 1241), in units of the input."""
    return (settings.high - settings.low) / 2.0**settings.bits


def transition_levels(settings: AdcSettings) -> NDArray[np.float64]:
    """The inputs at which the code changes, T[1] ... T[2**bits - 1]; the conventions are in the module text.

    Shape (2**bits - 1,), never decreasing, in units of the input. The same settings give the same levels;
    noise and aperture are not static and do not enter. With one bit there is a single transition and no inner
    step, so mismatch has nothing to act on.

    Raises ValueError where the mismatch drew no step above zero: 2 or 3 bits and a dnl_sigma_lsb near 1.
    """
    position = np.arange(1.0, 2.0**settings.bits)  # in LSB above low
    if settings.dnl_sigma_lsb > 0.0 and settings.bits > 1:
        rng = _generator(settings.mismatch_seed, _MISMATCH_STREAM)
        steps = np.maximum(1.0 + settings.dnl_sigma_lsb * rng.standard_normal(position.size - 1), 0.0)
        if not steps.any():
            raise ValueError(
                f"mismatch left no code a width: dnl_sigma_lsb={settings.dnl_sigma_lsb!r} at "
                f"bits={settings.bits}, mismatch_seed={settings.mismatch_seed}; lower dnl_sigma_lsb"
            )
        position[1:] = 1.0 + np.cumsum(steps) * (steps.size / steps.sum())
    q = lsb(settings)
    levels: NDArray[np.float64] = (settings.low + q * position - settings.offset_lsb * q) / (
        1.0 + settings.gain_error
    )
    return levels


def digitise(
    values: ArrayLike, settings: AdcSettings, *, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Codes 0 ... 2**bits - 1 of values in units of the input; same shape, int64.

    Values beyond the rails saturate. `rng` is needed where input_noise_rms > 0, and not drawn from otherwise:
    give each sample its own, `noise_rng(seed, sample)`, and digitise the pixels of one sample in one call.
    The aperture acts on waveforms, not on values: apply `aperture_average` first.

    Raises ValueError for NaN or infinite values (a failed simulation, not an over-range input), and where
    noise is asked for without an `rng`.
    """
    v = np.asarray(values, dtype=np.float64)
    bad = int(np.count_nonzero(~np.isfinite(v)))
    if bad:
        raise ValueError(f"cannot digitise: {bad} of {v.size} values are NaN or infinite")
    if settings.input_noise_rms > 0.0:
        if rng is None:
            raise ValueError(
                f"input_noise_rms={settings.input_noise_rms!r} needs a generator: rng=noise_rng(seed, sample)"
            )
        v = v + settings.input_noise_rms * rng.standard_normal(v.shape)
    # side="right" counts the transitions at or below the value: T[k] <= v < T[k+1] gives k.
    return np.asarray(np.searchsorted(transition_levels(settings), v, side="right"), dtype=np.int64)


def code_to_value(codes: ArrayLike, settings: AdcSettings) -> NDArray[np.float64]:
    """Reconstruction levels: the middle of the *ideal* bin, low + (code + 1/2) LSB.

    Same shape, in units of the input. Offset, gain error and mismatch are not undone: whoever reads the codes
    does not know them. Within half an LSB of the input for an ideal converter inside its range.

    Raises ValueError for codes that are not integers or not in 0 ... 2**bits - 1.
    """
    middle = _checked_codes(codes, settings) + np.float64(0.5)
    return np.asarray(settings.low + middle * lsb(settings), dtype=np.float64)


def noise_rng(seed: int, sample: int) -> np.random.Generator:
    """The generator of one sample's input noise, for `digitise`.

    A function of (seed, sample) alone: neither the order of the samples nor the worker that converts them
    changes a code. Raises ValueError for a negative seed or sample.
    """
    return _generator(seed, _NOISE_STREAM, sample)


def dnl(levels: ArrayLike) -> NDArray[np.float64]:
    """Differential nonlinearity in LSB: DNL[k] = W[k] / Q' - 1, with W[k] = T[k+1] - T[k] (IEEE Std 1241).

    `levels`: (2**bits - 1,) transition levels. Returns (2**bits - 2,), for codes 1 ... 2**bits - 2; the two
    end codes have no width, and one level gives an empty array. Q' is the mean width between the end points,
    which takes gain and offset out (end-point method). -1 is a missing code.

    Raises ValueError unless levels are 1-D, finite and rising from first to last.
    """
    t = _checked_levels(levels)
    if t.size == 1:
        return np.zeros(0)
    widths = np.diff(t)
    # First to last rather than the mean of the widths: that sum would round, and an ideal converter not be 0.
    relative: NDArray[np.float64] = widths / ((t[-1] - t[0]) / widths.size) - 1.0
    return relative


def inl(levels: ArrayLike) -> NDArray[np.float64]:
    """Integral nonlinearity in LSB by the end-point method, INL[k] = (T[k] - T[1]) / Q' - (k - 1).

    `levels`: (2**bits - 1,) transition levels. Returns the same shape, 0 at the first and the last. Q' is as
    in `dnl`, of which this is the running sum: a transition that comes late is positive. (IEEE Std 1241 adds
    its residual to the corrected level, G T[k] + V_os + eps[k] = ideal, so that one is the negative of this.)

    Raises ValueError unless levels are 1-D, finite and rising from first to last.
    """
    t = _checked_levels(levels)
    if t.size == 1:
        return np.zeros(1)
    lag: NDArray[np.float64] = (t - t[0]) / ((t[-1] - t[0]) / (t.size - 1)) - np.arange(t.size)
    return lag


def aperture_average(time: ArrayLike, values: ArrayLike, end: float, aperture: float) -> NDArray[np.float64]:
    """What a converter with an aperture sees: the mean input over [end - aperture, end].

    `time` (R,) rising, in s; `values` (R, V), any unit; `end` and `aperture` in s. Returns (V,). The integral
    is exact for the piecewise-linear waveform through the record; aperture 0 gives the value at `end`. On a
    sine of angular frequency w the result is its value at the middle of the window, end - aperture / 2, times
    sin(x) / x with x = w aperture / 2. Pass the waveform after readout: the mean of a cosine is not the
    cosine of the mean phase.

    Raises ValueError for shapes that do not fit, times that do not rise, a negative or non-finite aperture,
    and a window that leaves the record (by more than 1e-9 of the record, which is rounding and is clamped).
    """
    t = np.asarray(time, dtype=np.float64)
    v = np.asarray(values, dtype=np.float64)
    if t.ndim != 1 or t.size < 2 or v.ndim != 2 or v.shape[0] != t.size:
        raise ValueError(
            f"need time (R,) with R >= 2 and values (R, V), received shapes {t.shape} and {v.shape}"
        )
    if not (np.isfinite(t).all() and (np.diff(t) > 0.0).all()):
        raise ValueError("time must be finite and strictly rising")
    if not (math.isfinite(aperture) and aperture >= 0.0):
        raise ValueError(f"aperture must be finite and not negative, received {aperture!r}")
    first, last = float(t[0]), float(t[-1])
    start = end - aperture
    slack = 1e-9 * (last - first)
    if not (start >= first - slack and end <= last + slack):
        raise ValueError(f"window [{start!r}, {end!r}] s leaves the record [{first!r}, {last!r}] s")
    start, end = max(start, first), min(end, last)

    v_end = _interpolate(t, v, end)
    # Also where the aperture is below the resolution of the time axis: there is nothing to average over.
    if start >= end:
        return v_end
    inside = (t > start) & (t < end)
    knots = np.concatenate([[start], t[inside], [end]])
    heights = np.concatenate([_interpolate(t, v, start)[None], v[inside], v_end[None]])
    # Divide by the width integrated over, which differs from `aperture` by the rounding of end - aperture.
    mean: NDArray[np.float64] = np.diff(knots) @ (0.5 * (heights[1:] + heights[:-1])) / (end - start)
    return mean


def sine_fit_sinad_db(codes: ArrayLike, settings: AdcSettings, cycles: int) -> float:
    """Signal to noise and distortion of a converted sine, in dB, by the three-parameter fit of IEEE Std 1241.

    `codes`: (M,) codes of a sine sampled coherently, exactly `cycles` periods in M samples. Amplitude, phase
    and offset are fitted by linear least squares at that known frequency; SINAD is the rms of the fitted sine
    over the rms of what is left. A record should touch every code: M > pi 2**bits, M and `cycles` coprime.

    Raises ValueError for codes that are not (M,) with M >= 4 or not codes of this converter, for cycles that
    are not in 1 ... (M - 1) // 2 or not coprime with M (the record would repeat and hide errors), and for a
    record that holds no sine.
    """
    y = _checked_codes(codes, settings).astype(np.float64)
    if y.ndim != 1 or y.size < 4:
        raise ValueError(f"a sine fit needs codes (M,) with M >= 4, received shape {y.shape}")
    m = y.size
    if not 1 <= cycles <= (m - 1) // 2 or math.gcd(cycles, m) != 1:
        raise ValueError(
            f"cycles must be in 1 ... {(m - 1) // 2} and coprime with the {m} samples, received {cycles!r}"
        )
    # Reduce modulo whole turns in integers first: exact phases, whatever the length of the record.
    angle = (2.0 * np.pi / m) * ((cycles * np.arange(m)) % m)
    design = np.column_stack([np.cos(angle), np.sin(angle), np.ones(m)])
    fit = np.linalg.lstsq(design, y, rcond=None)[0]
    signal_power = 0.5 * float(fit[0] ** 2 + fit[1] ** 2)
    residual_power = float(np.mean((y - design @ fit) ** 2))
    # A constant record fits to rounding: code² times the square of the float resolution.
    if signal_power <= (1e-12 * 2.0**settings.bits) ** 2:
        raise ValueError(
            f"no sine in the record: the fitted amplitude is 0 at {cycles} cycles in {m} samples"
        )
    return math.inf if residual_power == 0.0 else 10.0 * math.log10(signal_power / residual_power)


def sine_fit_enob(codes: ArrayLike, settings: AdcSettings, cycles: int) -> float:
    """Effective number of bits of a converted *full-scale* sine: (SINAD - 1.76 dB) / 6.02 dB.

    The constants are unrounded, 10 log10(3/2) and 20 log10(2): the SINAD of an ideal converter is that of a
    full-scale sine over an error of LSB / sqrt(12) rms (IEEE Std 1241). A sine below full scale loses its
    share of bits. Arguments and errors are those of `sine_fit_sinad_db`.
    """
    return (sine_fit_sinad_db(codes, settings, cycles) - 10.0 * math.log10(1.5)) / (20.0 * math.log10(2.0))


def _generator(seed: int, *key: int) -> np.random.Generator:
    if seed < 0 or min(key) < 0:
        raise ValueError(
            f"a seed and a sample number must not be negative, received {seed!r} and {key[-1]!r}"
        )
    # The bit generator by name: `default_rng` may change it from one numpy to the next.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def _checked_codes(codes: ArrayLike, settings: AdcSettings) -> NDArray[np.int64]:
    c = np.asarray(codes)
    if not np.issubdtype(c.dtype, np.integer):
        raise ValueError(f"codes must be integers, received dtype {c.dtype}")
    top = 2**settings.bits - 1
    if c.size and (c.min() < 0 or c.max() > top):
        raise ValueError(f"codes of {settings.bits} bits are 0 ... {top}, received {c.min()} ... {c.max()}")
    return c.astype(np.int64)


def _checked_levels(levels: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(levels, dtype=np.float64)
    if t.ndim != 1 or t.size < 1 or not np.isfinite(t).all():
        raise ValueError(f"transition levels must be (2**bits - 1,) and finite, received shape {t.shape}")
    if t.size > 1 and not t[-1] > t[0]:
        raise ValueError(f"transition levels must rise, received {t[0]!r} first and {t[-1]!r} last")
    return t


def _interpolate(t: NDArray[np.float64], v: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """v (R, V) at one instant, linear between samples. np.interp takes one column at a time."""
    i = min(int(np.searchsorted(t, at, side="right")) - 1, t.size - 2)
    f = (at - t[i]) / (t[i + 1] - t[i])
    value: NDArray[np.float64] = (1.0 - f) * v[i] + f * v[i + 1]
    return value
