import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.fft import dct
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from msadg.errors import SettingsError
from msadg.extraction.audio.acoustic import FEATURES, NEUTRAL, Acoustic, AcousticConfig
from msadg.extraction.audio.formants import prediction_of
from msadg.extraction.audio.logmel import LogMel
from msadg.extraction.audio.pitch import voicing_of, window_length
from msadg.types import Clip
from tests.extraction.sounds import RATE_HZ, extract_from, pulses, tone
from tests.media import write_clip


def measured(monkeypatch, samples, **settings):
    """Each feature of the steps that do not touch the ends."""
    features = extract_from(monkeypatch, Acoustic(AcousticConfig(**settings)), samples)
    return dict(zip(FEATURES, features.values[1:-1].T, strict=True))


def vowel(pitch_samples, resonances):
    sound = np.zeros(2 * RATE_HZ)
    sound[::pitch_samples] = 1
    for hertz, width in resonances:
        radius = np.exp(-np.pi * width / RATE_HZ)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hertz / RATE_HZ), radius**2], sound)
    return 0.5 * sound / np.abs(sound).max()


@pytest.mark.parametrize("hertz", [70.0, 110.0, 220.0, 333.3, 480.0])
def test_a_tone_has_its_pitch(monkeypatch, hertz):
    made = measured(monkeypatch, tone(hertz))
    assert_allclose(27.5 * 2 ** (made["pitch_semitones"] / 12), hertz, rtol=0.01)
    assert_allclose(made["voiced_share"], 1)
    assert_allclose(made["pitch_semitones_sd"], 0, atol=0.02)


def test_a_pulse_train_has_the_pitch_of_its_pulses_not_an_octave_off(monkeypatch):
    made = measured(monkeypatch, pulses([80.0] * 400, [0.5] * 400))
    assert_allclose(27.5 * 2 ** (made["pitch_semitones"] / 12), 200, rtol=0.01)


def test_the_pitch_leaves_the_search_range_out(monkeypatch):
    made = measured(monkeypatch, tone(70.0), lowest_pitch_hz=100.0)
    assert_allclose(made["voiced_share"], 0)


@pytest.mark.parametrize("share", [0.01, 0.02, 0.04])
def test_cycles_that_alternate_in_length_have_their_jitter(monkeypatch, share):
    # T (1 + j/2), T (1 - j/2), ...: every difference is j T, the mean T.
    lengths = [100 * (1 + share / 2 * (-1) ** number) for number in range(400)]
    made = measured(monkeypatch, pulses(lengths, [0.5] * 400))
    assert_allclose(made["jitter"], share, atol=0.001)
    assert_allclose(made["shimmer"], 0, atol=0.02)  # a pulse between two samples is a little lower


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_cycles_that_alternate_in_height_have_their_shimmer(monkeypatch, share):
    heights = [0.5 * (1 + share / 2 * (-1) ** number) for number in range(400)]
    made = measured(monkeypatch, pulses([100.0] * 400, heights))
    assert_allclose(made["shimmer"], share, rtol=0.02)
    assert_allclose(made["jitter"], 0, atol=0.001)


def test_a_slow_change_of_loudness_is_the_shimmer_of_its_slope(monkeypatch):
    # 1 + 0.5 sin(2 pi t): over a cycle of T seconds the height changes by 2 pi 0.5 |cos| T; averaged over two whole
    # periods, its mean is 4 x 0.5 T and the mean height 1.
    period = 160
    times = np.arange(400) * period / RATE_HZ
    made = measured(monkeypatch, pulses([float(period)] * 400, 0.4 * (1 + 0.5 * np.sin(2 * np.pi * times))), rate=0.5)
    whole = extract_from(
        monkeypatch,
        Acoustic(AcousticConfig(rate=0.5)),
        pulses([float(period)] * 400, 0.4 * (1 + 0.5 * np.sin(2 * np.pi * times))),
    )
    assert not len(made["shimmer"])  # one step in all
    assert_allclose(whole.values[0, FEATURES.index("shimmer")], 4 * 0.5 * period / RATE_HZ, rtol=0.1)


def test_noise_of_known_power_gives_its_harmonics_to_noise_ratio(monkeypatch):
    noise = np.random.default_rng(0).standard_normal(2 * RATE_HZ)
    for decibel in (10, 20):
        mixed = tone(200.0) + 0.3 / np.sqrt(2) * 10 ** (-decibel / 20) * noise
        assert_allclose(measured(monkeypatch, mixed)["hnr_db"], decibel, atol=1.5)


def test_a_vowel_of_known_resonances_has_its_formants(monkeypatch):
    made = measured(monkeypatch, vowel(160, [(600, 80), (1400, 100), (2500, 120)]))
    for name, kilohertz in (("f1_khz", 0.6), ("f2_khz", 1.4), ("f3_khz", 2.5)):
        assert_allclose(made[name], kilohertz, rtol=0.05)


def test_two_resonances_are_found_where_there_are_two(monkeypatch):
    made = measured(monkeypatch, vowel(145, [(700, 90), (1200, 110)]))
    assert_allclose(made["f1_khz"], 0.7, rtol=0.05)
    assert_allclose(made["f2_khz"], 1.2, rtol=0.05)


def test_the_prediction_is_that_of_scipys_toeplitz_solver():
    windows = np.random.default_rng(0).standard_normal((3, 550))
    for window, made in zip(windows, prediction_of(windows), strict=True):
        correlation = np.correlate(window, window, "full")[549 : 549 + 11]
        assert_allclose(made, solve_toeplitz(correlation[:10], correlation[1:]), atol=1e-6)


def test_the_difference_function_is_that_of_its_definition():
    windows = np.random.default_rng(0).standard_normal((2, window_length(60)))
    windows[1] = np.tile(windows[1, :50], 10)[: windows.shape[1]]  # repeats itself every 50 samples
    made = voicing_of(windows, 20, 60)
    assert np.isnan(made.periods[0])
    assert_allclose(made.periods[1], 50, atol=0.05)
    assert_allclose(made.likeness[1], 1, atol=1e-9)


def test_silence_has_no_voice_and_nothing_undefined(monkeypatch):
    made = measured(monkeypatch, np.zeros(RATE_HZ))
    assert all(np.isfinite(values).all() for values in made.values())
    for name, expected in {"voiced_share": 0, "sounding_share": 0, "loudness_db": -100, **NEUTRAL}.items():
        assert_allclose(made[name], expected, rtol=1e-6, err_msg=name)


def test_white_noise_is_unvoiced_and_has_the_spectrum_of_white_noise(monkeypatch):
    made = measured(monkeypatch, 0.1 * np.random.default_rng(0).standard_normal(2 * RATE_HZ))
    assert_allclose(made["voiced_share"], 0)
    assert_allclose(made["pitch_semitones"], NEUTRAL["pitch_semitones"])
    assert_allclose(made["loudness_db"].mean(), -20, atol=0.2)
    assert_allclose(made["centroid_khz"].mean(), 4.0, atol=0.1)
    assert_allclose(made["rolloff_khz"].mean(), 0.85 * 8, atol=0.1)
    assert_allclose(made["slope_db_per_khz"].mean(), 0, atol=0.1)
    assert_allclose(made["zero_crossings_per_ms"].mean(), 8, atol=0.1)  # half of the pairs of samples


def test_a_tone_has_the_loudness_and_the_crossings_of_a_sine(monkeypatch):
    made = measured(monkeypatch, tone(1000, loudness=0.5))
    assert_allclose(made["loudness_db"], 10 * np.log10(0.5**2 / 2), atol=0.01)
    assert_allclose(made["zero_crossings_per_ms"], 2, atol=0.05)
    assert_allclose(made["centroid_khz"], 1, atol=0.01)
    assert_allclose(made["flux"], 0, atol=0.01)


def test_cepstral_coefficients_are_the_cosine_transform_of_the_log_mel_means(monkeypatch):
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ)
    made = extract_from(monkeypatch, Acoustic(), noise).values
    bands = extract_from(monkeypatch, LogMel(), noise).values[:, :64]
    columns = [FEATURES.index(f"mfcc_{number}") for number in range(1, 14)]
    # The transform is linear, so the mean of the transforms is that of the mean.
    assert_allclose(made[:, columns], dct(bands, type=2, norm="ortho", axis=1)[:, 1:14], atol=1e-3)


def test_a_step_half_voiced_says_so_and_has_the_pitch_of_its_voice(monkeypatch):
    sound = np.concatenate([np.zeros(RATE_HZ // 2), tone(200.0, seconds=0.5)])
    made = extract_from(monkeypatch, Acoustic(AcousticConfig(rate=1.0)), sound).values[0]
    assert_allclose(made[FEATURES.index("voiced_share")], 0.5, atol=0.03)
    assert_allclose(27.5 * 2 ** (made[FEATURES.index("pitch_semitones")] / 12), 200, rtol=0.01)


@pytest.mark.parametrize("num_samples", [1, 50, 161, 3300])
def test_the_shortest_sound_has_features(monkeypatch, num_samples):
    values = extract_from(monkeypatch, Acoustic(), tone(300)[:num_samples]).values
    assert np.isfinite(values).all()


def test_a_file_gives_the_same_bits_twice_and_the_pitch_of_its_tone(tmp_path):
    clip = Clip(clip_id="mine/1", clip_path=str(write_clip(tmp_path / "tone.mp4", video=False, tone_hz=180.0)))
    first, again = Acoustic().extract_one(clip), Acoustic().extract_one(clip)
    assert_array_equal(first.values, again.values)
    pitch = first.values[1:-2, FEATURES.index("pitch_semitones")]
    assert_allclose(27.5 * 2 ** (pitch / 12), 180, rtol=0.01)


def test_names_are_unique_and_as_many_as_features():
    assert len(set(FEATURES)) == len(FEATURES) == Acoustic().dim == 44
    assert set(NEUTRAL) <= set(FEATURES)


def test_a_search_range_that_is_none_is_refused():
    with pytest.raises(SettingsError, match=r"expected the highest to be at least 1.5 times the lowest"):
        AcousticConfig(lowest_pitch_hz=300.0, highest_pitch_hz=200.0)
