"""The converter against the definitions of IEEE Std 1241, stated here again and not taken from the code."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.adc import (
    AdcSettings,
    aperture_average,
    code_to_value,
    digitise,
    dnl,
    inl,
    lsb,
    noise_rng,
    sine_fit_enob,
    sine_fit_sinad_db,
    transition_levels,
)

SINE_SAMPLES, SINE_CYCLES = 2**16, 1021  # coprime, and more than pi 2**12 samples


def sine(settings: AdcSettings, amplitude: float = 1.0) -> np.ndarray:
    """A coherent sine about the middle of the range; `amplitude` 1 is full scale."""
    middle, half = (settings.high + settings.low) / 2, (settings.high - settings.low) / 2
    phase = 2 * np.pi * SINE_CYCLES * np.arange(SINE_SAMPLES) / SINE_SAMPLES
    return middle + amplitude * half * np.sin(phase + 0.3)


# Ideal converter


@pytest.mark.parametrize("bits", [1, 2, 3, 8, 12, 16])
def test_ideal_transitions_split_the_range_evenly(bits: int) -> None:
    settings = AdcSettings(bits=bits, low=-2.0, high=6.0)
    levels = transition_levels(settings)
    assert lsb(settings) == 8.0 / 2**bits
    assert levels.shape == (2**bits - 1,)
    np.testing.assert_array_equal(levels, [-2.0 + k * 8.0 / 2**bits for k in range(1, 2**bits)])
    assert levels[levels.size // 2] == 2.0  # mid-riser: the middle of the range is a transition
    np.testing.assert_array_equal(dnl(levels), np.zeros(2**bits - 2))
    np.testing.assert_array_equal(inl(levels), np.zeros(2**bits - 1))


def test_a_two_bit_converter_by_hand() -> None:
    values = [-1.0, -0.51, -0.5, -0.01, 0.0, 0.49, 0.5, 1.0]
    np.testing.assert_array_equal(digitise(values, AdcSettings(bits=2)), [0, 0, 1, 1, 2, 2, 3, 3])
    np.testing.assert_array_equal(
        code_to_value([0, 1, 2, 3], AdcSettings(bits=2)), [-0.75, -0.25, 0.25, 0.75]
    )


@hypothesis_settings(deadline=None)
@given(bits=st.integers(1, 16), value=st.floats(-1.5, 1.5))
def test_ideal_code_is_the_floor(bits: int, value: float) -> None:
    bins_above_low = math.floor((Fraction(value) + 1) / 2 * 2**bits)  # in exact arithmetic
    assert int(digitise(value, AdcSettings(bits=bits))) == min(max(bins_above_low, 0), 2**bits - 1)


def test_a_transition_belongs_to_the_code_above() -> None:
    settings = AdcSettings(bits=6, low=0.0, high=3.3, offset_lsb=0.4, gain_error=0.02, dnl_sigma_lsb=0.1)
    levels = transition_levels(settings)
    np.testing.assert_array_equal(digitise(levels, settings), np.arange(1, 64))
    np.testing.assert_array_equal(digitise(np.nextafter(levels, -np.inf), settings), np.arange(63))


def test_quantisation_error_of_a_ramp_is_lsb_over_root_12() -> None:
    settings = AdcSettings(bits=8, low=0.0, high=1.8)
    ramp = np.linspace(0.0, 1.8, 1_000_003)
    error = code_to_value(digitise(ramp, settings), settings) - ramp
    q = 1.8 / 256
    assert np.sqrt(np.mean(error**2)) == pytest.approx(q / math.sqrt(12.0), rel=1e-4)
    assert np.abs(error).max() <= q / 2 * (1 + 1e-9)
    assert abs(error.mean()) < 1e-4 * q


@pytest.mark.parametrize("bits", [6, 8, 10, 12])
def test_enob_of_an_ideal_converter_is_its_bits(bits: int) -> None:
    settings = AdcSettings(bits=bits, low=-0.4, high=1.2)
    assert sine_fit_enob(digitise(sine(settings), settings), settings, SINE_CYCLES) == pytest.approx(
        bits, abs=0.1
    )


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_saturation_at_the_rails(bits: int) -> None:
    settings = AdcSettings(bits=bits)
    codes = digitise([-1e300, -5.0, -1.0, 1.0, 5.0, 1e300], settings)
    np.testing.assert_array_equal(codes, [0, 0, 0, *[2**bits - 1] * 3])


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,)])
def test_codes_keep_the_shape_and_are_integers(shape: tuple[int, ...]) -> None:
    codes = digitise(np.zeros(shape), AdcSettings())
    assert isinstance(codes, np.ndarray)
    assert codes.shape == shape
    assert codes.dtype == np.int64
    assert code_to_value(codes, AdcSettings()).shape == shape


# Offset and gain


@pytest.mark.parametrize("offset", [2.5, -7.0])
def test_offset_moves_every_transition_and_is_no_nonlinearity(offset: float) -> None:
    settings = AdcSettings(bits=8, low=0.0, high=2.0, offset_lsb=offset)
    q = 2.0 / 256
    levels = transition_levels(settings)
    np.testing.assert_allclose(
        levels - transition_levels(AdcSettings(bits=8, low=0.0, high=2.0)), -offset * q, atol=1e-14
    )
    np.testing.assert_allclose(dnl(levels), 0.0, atol=1e-11)
    np.testing.assert_allclose(inl(levels), 0.0, atol=1e-11)


def test_positive_offset_reads_high() -> None:
    middle_of_bin_100 = code_to_value([100], AdcSettings())
    assert digitise(middle_of_bin_100, AdcSettings(offset_lsb=3.0)) == [103]


@pytest.mark.parametrize("gain_error", [0.05, -0.2])
def test_gain_scales_the_widths_and_is_no_nonlinearity(gain_error: float) -> None:
    settings = AdcSettings(bits=8, gain_error=gain_error, offset_lsb=4.0)
    levels = transition_levels(settings)
    q = 2.0 / 256
    np.testing.assert_allclose(np.diff(levels), q / (1.0 + gain_error), rtol=1e-10)
    np.testing.assert_allclose(dnl(levels), 0.0, atol=1e-11)
    np.testing.assert_allclose(inl(levels), 0.0, atol=1e-11)


@hypothesis_settings(deadline=None)
@given(
    gain_error=st.floats(-0.5, 1.0),
    offset=st.floats(-20.0, 20.0),
    low=st.floats(-3.0, 3.0),
    value=st.floats(-6.0, 6.0),
)
def test_gain_and_offset_act_as_a_straight_line_before_an_ideal_converter(
    gain_error: float, offset: float, low: float, value: float
) -> None:
    ideal = AdcSettings(bits=6, low=low, high=low + 2.0)
    real = ideal.model_copy(update={"gain_error": gain_error, "offset_lsb": offset})
    seen = (1.0 + gain_error) * value + offset * 2.0 / 64
    # Both neighbours, for a value that falls on a transition within rounding.
    expected = set(digitise([seen - 1e-12, seen + 1e-12], ideal).tolist())
    assert int(digitise(value, real)) in expected


# Nonlinearity


def test_dnl_and_inl_of_levels_by_hand() -> None:
    levels = [0.0, 1.0, 3.0, 4.0, 5.0]  # mean width 5/4
    np.testing.assert_allclose(dnl(levels), [-0.2, 0.6, -0.2, -0.2], atol=1e-15)
    np.testing.assert_allclose(inl(levels), [0.0, -0.2, 0.4, 0.2, 0.0], atol=1e-15)
    # Neither unit nor origin matter.
    np.testing.assert_allclose(inl(np.array(levels) * 3e-3 - 7.0), inl(levels), atol=1e-10)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_inl_is_the_running_sum_of_dnl(seed: int) -> None:
    levels = transition_levels(AdcSettings(bits=10, dnl_sigma_lsb=0.2, mismatch_seed=seed))
    assert np.abs(inl(levels)).max() > 0.5
    np.testing.assert_allclose(inl(levels)[1:], np.cumsum(dnl(levels)), atol=1e-9)
    assert inl(levels)[0] == 0.0


@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_mismatch_has_the_rms_asked_for_and_keeps_the_end_points(sigma: float) -> None:
    settings = AdcSettings(bits=12, dnl_sigma_lsb=sigma, mismatch_seed=5)
    levels, ideal = transition_levels(settings), transition_levels(AdcSettings(bits=12))
    count = levels.size - 1
    # Five standard deviations of the rms of `count` normal draws.
    assert np.sqrt(np.mean(dnl(levels) ** 2)) == pytest.approx(sigma, rel=5 / math.sqrt(2 * count))
    assert levels[0] == ideal[0]
    assert levels[-1] == pytest.approx(ideal[-1], abs=1e-12)


def test_mismatch_is_apart_from_gain_and_offset() -> None:
    plain = AdcSettings(bits=8, dnl_sigma_lsb=0.3, mismatch_seed=4)
    both = plain.model_copy(update={"gain_error": -0.1, "offset_lsb": 12.0})
    np.testing.assert_allclose(inl(transition_levels(both)), inl(transition_levels(plain)), atol=1e-10)


def test_the_seed_is_the_chip() -> None:
    def levels(seed: int) -> np.ndarray:
        return transition_levels(AdcSettings(dnl_sigma_lsb=0.2, mismatch_seed=seed))

    np.testing.assert_array_equal(levels(3), levels(3))
    # Another chip is another draw, not a shifted or scaled one.
    assert abs(np.corrcoef(dnl(levels(3)), dnl(levels(4)))[0, 1]) < 0.3


def test_ramp_histogram_finds_the_dnl() -> None:
    """The histogram test: on a fine ramp, hits of a code are proportional to its width."""
    settings = AdcSettings(bits=8, low=0.0, high=1.0, dnl_sigma_lsb=0.3, mismatch_seed=11, gain_error=0.03)
    per_code = 2000
    ramp = np.linspace(-0.1, 1.1, int(1.2 * 256 * per_code))
    hits = np.bincount(digitise(ramp, settings), minlength=256)[1:-1]  # the end codes have no width
    measured = hits / hits.mean() - 1.0
    np.testing.assert_allclose(measured, dnl(transition_levels(settings)), atol=3 / per_code)
    assert np.abs(measured).max() > 0.5


def test_a_step_that_would_be_negative_is_a_missing_code() -> None:
    settings = AdcSettings(bits=6, dnl_sigma_lsb=1.0, mismatch_seed=2)
    levels = transition_levels(settings)
    missing = 1 + np.flatnonzero(np.diff(levels) == 0.0)
    assert missing.size > 0
    np.testing.assert_array_equal(dnl(levels)[missing - 1], -1.0)
    codes = digitise(np.linspace(-1.1, 1.1, 200_001), settings)
    assert set(range(64)) - set(codes.tolist()) == set(missing.tolist())


def test_a_converter_with_no_step_left_is_refused() -> None:
    def all_seeds() -> None:
        for seed in range(2000):  # two draws below -1: 2.5 % of the chips
            transition_levels(AdcSettings(bits=2, dnl_sigma_lsb=1.0, mismatch_seed=seed))

    with pytest.raises(ValueError, match=r"no code a width.*lower dnl_sigma_lsb"):
        all_seeds()


def test_one_bit_has_one_transition_and_no_width() -> None:
    levels = transition_levels(AdcSettings(bits=1, dnl_sigma_lsb=0.5))
    np.testing.assert_array_equal(levels, [0.0])
    assert dnl(levels).shape == (0,)
    np.testing.assert_array_equal(inl(levels), [0.0])


@hypothesis_settings(deadline=None)
@given(
    values=st.lists(st.floats(-4.0, 4.0), min_size=2, max_size=40),
    bits=st.integers(1, 10),
    sigma=st.floats(0.0, 0.6),
    gain_error=st.floats(-0.9, 3.0),
    offset=st.floats(-30.0, 30.0),
    seed=st.integers(0, 200),
)
def test_codes_are_monotone_and_in_range(
    values: list[float], bits: int, sigma: float, gain_error: float, offset: float, seed: int
) -> None:
    settings = AdcSettings(
        bits=bits,
        dnl_sigma_lsb=sigma if bits > 3 else 0.0,
        gain_error=gain_error,
        offset_lsb=offset,
        mismatch_seed=seed,
    )
    assert (np.diff(transition_levels(settings)) >= 0.0).all()
    codes = digitise(np.sort(values), settings)
    assert (np.diff(codes) >= 0).all()
    assert codes.min() >= 0
    assert codes.max() <= 2**bits - 1


@pytest.mark.parametrize("bad", [[], [[0.0, 1.0]], [0.0, math.nan], [1.0, 1.0], [1.0, 0.0]])
@pytest.mark.parametrize("measure", [dnl, inl])
def test_levels_that_are_none_are_refused(measure, bad: list) -> None:
    with pytest.raises(ValueError, match="transition levels must"):
        measure(bad)


# Noise


@pytest.mark.parametrize("sigma_lsb", [0.5, 2.0])
def test_input_noise_lowers_sinad_as_predicted(sigma_lsb: float) -> None:
    amplitude = 0.9  # clear of the rails, which would clip the noise
    q = 2.0 / 2**10
    settings = AdcSettings(bits=10, input_noise_rms=sigma_lsb * q)
    codes = digitise(sine(settings, amplitude), settings, rng=noise_rng(1, 0))
    predicted = 10 * math.log10((amplitude**2 / 2) / (q**2 / 12 + (sigma_lsb * q) ** 2))
    # Five standard deviations of a power from this many samples.
    tolerance = 10 * math.log10(1 + 5 * math.sqrt(2 / SINE_SAMPLES))
    assert sine_fit_sinad_db(codes, settings, SINE_CYCLES) == pytest.approx(predicted, abs=tolerance)
    assert sine_fit_enob(codes, settings, SINE_CYCLES) == pytest.approx((predicted - 1.76) / 6.02, abs=0.05)


def test_input_noise_has_the_rms_and_unit_asked_for() -> None:
    settings = AdcSettings(bits=16, low=-5.0, high=5.0, input_noise_rms=0.1)
    read = code_to_value(digitise(np.full(40_000, 1.0), settings, rng=noise_rng(0, 0)), settings)
    assert read.std() == pytest.approx(0.1, rel=5 / math.sqrt(2 * 40_000))
    assert read.mean() == pytest.approx(1.0, abs=5 * 0.1 / math.sqrt(40_000))


def test_noise_of_a_sample_does_not_depend_on_the_order() -> None:
    settings = AdcSettings(input_noise_rms=0.05)
    images = np.random.default_rng(0).uniform(-1.0, 1.0, (5, 30))

    def codes(order: list[int], seed: int = 9) -> dict[int, list[int]]:
        return {s: digitise(images[s], settings, rng=noise_rng(seed, s)).tolist() for s in order}

    assert codes([0, 1, 2, 3, 4]) == codes([3, 0, 4, 2, 1])
    assert codes([0]) != codes([0], seed=10)


def test_samples_have_noise_of_their_own() -> None:
    draws = np.array([noise_rng(7, sample).standard_normal(4000) for sample in range(4)])
    off_diagonal = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert np.abs(off_diagonal).max() < 5 / math.sqrt(4000)


def test_without_noise_the_generator_is_left_alone() -> None:
    rng = noise_rng(0, 0)
    digitise(np.zeros(10), AdcSettings(), rng=rng)
    assert rng.standard_normal() == noise_rng(0, 0).standard_normal()


def test_noise_needs_a_generator() -> None:
    with pytest.raises(ValueError, match=r"input_noise_rms=0\.1 needs a generator"):
        digitise([0.0], AdcSettings(input_noise_rms=0.1))


@pytest.mark.parametrize(("seed", "sample"), [(-1, 0), (0, -1)])
def test_negative_seeds_are_refused(seed: int, sample: int) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        noise_rng(seed, sample)


# Aperture


@pytest.mark.parametrize("aperture", [0.3, 1.0, 2.7])
def test_aperture_attenuates_a_sine_by_sinc(aperture: float) -> None:
    omega, end = 2 * np.pi * 0.8, 4.2345
    time = np.linspace(0.0, 6.0, 60_001)
    waves = np.column_stack([np.sin(omega * time), np.cos(omega * time)])
    middle, x = omega * (end - aperture / 2), omega * aperture / 2
    expected = np.array([np.sin(middle), np.cos(middle)]) * np.sin(x) / x
    # The chords of the record are (omega h)^2 / 8 off the sine at most.
    np.testing.assert_allclose(
        aperture_average(time, waves, end, aperture), expected, atol=(omega * 1e-4) ** 2 / 8
    )


def test_aperture_integral_is_exact_between_uneven_samples() -> None:
    time, values = [0.0, 1.0, 3.0], [[0.0, 5.0], [2.0, 5.0], [0.0, 5.0]]
    # Over [0.5, 2]: (1 + 2)/2 * 0.5 + (2 + 1)/2 * 1 = 2.25, over a width of 1.5.
    np.testing.assert_allclose(aperture_average(time, values, 2.0, 1.5), [1.5, 5.0], rtol=1e-14)
    # Inside one segment: the value at the middle of the window.
    np.testing.assert_allclose(aperture_average(time, values, 2.5, 1.0), [1.0, 5.0], rtol=1e-14)
    # The whole record: a triangle of area 3.
    np.testing.assert_allclose(aperture_average(time, values, 3.0, 3.0), [1.0, 5.0], rtol=1e-14)


@pytest.mark.parametrize(("end", "expected"), [(0.0, 0.0), (0.25, 0.5), (1.0, 2.0), (2.0, 1.0), (3.0, 0.0)])
@pytest.mark.parametrize("aperture", [0.0, 1e-17])
def test_no_aperture_is_the_value_at_the_end(end: float, expected: float, aperture: float) -> None:
    average = aperture_average([0.0, 1.0, 3.0], [[0.0], [2.0], [0.0]], end, aperture)
    np.testing.assert_allclose(average, [expected], atol=1e-15)


@pytest.mark.parametrize(
    ("end", "aperture", "message"),
    [
        (1.0, 1.1, "leaves the record"),
        (2.1, 0.5, "leaves the record"),
        (-0.1, 0.0, "leaves the record"),
        (math.nan, 0.5, "leaves the record"),
        (1.0, -0.1, "not negative, received -0.1"),
        (1.0, math.inf, "finite and not negative, received inf"),
    ],
)
def test_a_window_off_the_record_is_refused(end: float, aperture: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        aperture_average([0.0, 1.0, 2.0], np.zeros((3, 1)), end, aperture)


def test_rounding_at_the_ends_of_the_record_is_forgiven() -> None:
    time, values = np.array([0.1, 1.1, 2.1]), np.array([[4.0], [4.0], [6.0]])
    average = aperture_average(time, values, 2.1 + 1e-12, 2.0 + 2e-12)
    np.testing.assert_allclose(average, [4.5], rtol=1e-14)


@pytest.mark.parametrize(
    ("time", "values", "message"),
    [
        ([0.0, 1.0], [0.0, 1.0], "received shapes"),
        ([0.0, 1.0], [[0.0], [1.0], [2.0]], "received shapes"),
        ([0.0], [[0.0]], "received shapes"),
        ([0.0, 0.0, 1.0], [[0.0]] * 3, "strictly rising"),
        ([0.0, math.nan, 1.0], [[0.0]] * 3, "strictly rising"),
    ],
)
def test_a_record_that_is_none_is_refused(time: list, values: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        aperture_average(time, values, 0.5, 0.1)


# Sine fit


def test_sinad_agrees_with_the_spectrum() -> None:
    """A coherent sine fills one bin of the Fourier transform: all others are noise and distortion."""
    settings = AdcSettings(bits=7, dnl_sigma_lsb=0.4, mismatch_seed=3, offset_lsb=2.0)
    codes = digitise(sine(settings, 0.8), settings)
    power = np.abs(np.fft.fft(codes)[1 : SINE_SAMPLES // 2]) ** 2
    nyquist = np.abs(np.fft.fft(codes)[SINE_SAMPLES // 2]) ** 2 / 2
    signal = power[SINE_CYCLES - 1]
    spectral = 10 * math.log10(signal / (power.sum() - signal + nyquist))
    assert sine_fit_sinad_db(codes, settings, SINE_CYCLES) == pytest.approx(spectral, abs=1e-6)


@pytest.mark.parametrize(
    ("codes", "cycles", "message"),
    [
        (np.tile([0, 1, 2, 1], 4), 4, "coprime with the 16 samples, received 4"),
        (np.arange(16), 0, "cycles must be in 1 ... 7"),
        (np.arange(16), 9, "cycles must be in 1 ... 7"),
        (np.full(17, 200), 3, "no sine in the record"),
        (np.zeros(17, dtype=int), 3, "no sine in the record"),
        (np.arange(3), 1, "M >= 4"),
        (np.arange(16).reshape(4, 4), 1, "M >= 4"),
        (np.linspace(0.0, 9.0, 16), 1, "codes must be integers"),
    ],
)
def test_records_without_a_sine_are_refused(codes: np.ndarray, cycles: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sine_fit_enob(codes, AdcSettings(), cycles)


# Refusals


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_failed_value_is_no_code(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 3 values are NaN or infinite"):
        digitise([0.0, bad, 0.1], AdcSettings())


@pytest.mark.parametrize("bad", [[-1], [256], [0.0, 1.0], [True]])
def test_codes_that_are_none_are_refused(bad: list) -> None:
    with pytest.raises(ValueError, match=r"codes (must be integers|of 8 bits are 0 \.\.\. 255)"):
        code_to_value(bad, AdcSettings())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 0}, "bits"),
        ({"bits": 17}, "bits"),
        ({"bits": 7.5}, "bits"),
        ({"low": 1.0, "high": 1.0}, "high must be above low, received low=1.0, high=1.0"),
        ({"low": 2.0}, "high must be above low, received low=2.0"),
        ({"low": -math.inf}, "low"),
        ({"high": math.nan}, "high"),
        ({"offset_lsb": math.nan}, "offset_lsb"),
        ({"gain_error": -1.0}, "gain_error"),
        ({"dnl_sigma_lsb": -0.1}, "dnl_sigma_lsb"),
        ({"dnl_sigma_lsb": 1.1}, "dnl_sigma_lsb"),
        ({"mismatch_seed": -1}, "mismatch_seed"),
        ({"aperture_s": -1e-9}, "aperture_s"),
        ({"aperture_s": math.inf}, "aperture_s"),
        ({"input_noise_rms": -0.1}, "input_noise_rms"),
        ({"resolution": 8}, "resolution"),
    ],
)
def test_invalid_settings_name_the_field(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AdcSettings(**change)


def test_settings_are_frozen() -> None:
    settings = AdcSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.bits = 9  # type: ignore[misc]
