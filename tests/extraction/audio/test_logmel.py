import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from msadg.errors import SettingsError
from msadg.extraction.audio.logmel import FLOOR, LogMel, LogMelConfig, band_edges, hertz_of, mel_bands, mel_of
from msadg.extraction.audio.windows import mean_and_spread, steps_of
from msadg.extraction.extractor import Loss
from msadg.extraction.media.sound import Sound
from msadg.types import Clip
from tests.extraction.sounds import RATE_HZ, extract_from, tone
from tests.media import write_clip


def test_the_scale_is_slaneys():
    # 3 mel for 200 Hz below 1 kHz; above, 27 steps multiply by 6.4 (Slaney 1998).
    assert_allclose(mel_of(np.array([0.0, 200.0, 1000.0, 6400.0])), [0, 3, 15, 42])
    assert_allclose(hertz_of(np.array([0.0, 3.0, 15.0, 42.0])), [0, 200, 1000, 6400])


def test_the_bands_are_triangles_that_share_out_every_frequency_between_the_outer_centres():
    edges, bins = band_edges(), np.arange(257) * 31.25
    inside = (bins >= edges[1]) & (bins <= edges[-2])
    assert_allclose(mel_bands().sum(axis=0)[inside], 1)
    assert_allclose([edges[0], edges[-1]], [20, 8000])
    # Worked by hand for the first band: it rises from edge 0 to 1 and falls to edge 2.
    assert_allclose(mel_bands()[0, 2], (62.5 - edges[0]) / (edges[1] - edges[0]))
    assert_allclose(mel_bands()[0, 3], (edges[2] - 93.75) / (edges[2] - edges[1]))


def test_a_tone_is_loudest_in_the_band_that_it_lies_in(monkeypatch):
    for band in (5, 30, 60):
        features = extract_from(monkeypatch, LogMel(), tone(float(band_edges()[band + 1])))
        assert (features.values[:, :64].argmax(axis=1) == band).all()


def test_ten_times_the_amplitude_adds_the_logarithm_of_a_hundred(monkeypatch):
    noise = 0.02 * np.random.default_rng(0).standard_normal(RATE_HZ)
    soft, loud = (extract_from(monkeypatch, LogMel(), times * noise).values for times in (1, 10))
    assert_allclose(loud[:, :64] - soft[:, :64], np.log(100), atol=1e-4)
    assert_allclose(loud[:, 64:], soft[:, 64:], atol=1e-4)


def test_a_steady_tone_does_not_vary_and_silence_is_the_floor(monkeypatch):
    # 1000 Hz fits the hop of 10 ms: every window but those at the ends has the same samples.
    steady = extract_from(monkeypatch, LogMel(), tone(1000)).values
    band = int(mel_bands()[:, 32].argmax())  # bin 32 is 1000 Hz
    assert_allclose(steady[1:-1, 64 + band], 0, atol=1e-3)
    silent = extract_from(monkeypatch, LogMel(), np.zeros(RATE_HZ)).values
    assert_allclose(silent[:, :64], np.log(FLOOR), rtol=1e-6)
    assert_allclose(silent[:, 64:], 0, atol=1e-6)


def test_steps_last_a_fifth_of_a_second_and_the_last_one_what_is_left(monkeypatch):
    features = extract_from(monkeypatch, LogMel(), tone(300, seconds=0.75), start_seconds=3.0)
    assert_allclose(features.marks, [[3.0, 3.2], [3.2, 3.4], [3.4, 3.6], [3.6, 3.75]])
    assert features.valid.all()


def test_each_window_counts_in_the_step_that_its_centre_lies_in():
    centres = np.array([0.05, 0.15, 0.25, 0.35])
    steps = steps_of(Sound(np.zeros(8, np.float32), 20, 0.0), 5.0, centres)
    assert (steps.first.tolist(), steps.last.tolist()) == ([0, 2], [2, 4])
    # Steps of 0.04 s: those without a centre take the nearest window.
    fine = steps_of(Sound(np.zeros(4, np.float32), 20, 0.0), 25.0, np.array([0.05, 0.145]))
    assert (fine.first.tolist(), fine.last.tolist()) == ([0, 0, 1, 1, 1], [1, 1, 2, 2, 2])


def test_mean_and_deviation_pass_over_what_is_undefined():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [5.0, 2.0]])
    mean, spread, number = mean_and_spread(values, np.array([0, 1]), np.array([2, 3]))
    assert_allclose(mean, [[2, np.nan], [4, 2]])
    assert_allclose(spread, [[1, np.nan], [1, 0]])
    assert number.tolist() == [[2, 0], [2, 1]]


@pytest.mark.parametrize("num_samples", [1, 100, 161, 3201])
def test_the_shortest_sound_has_features(monkeypatch, num_samples):
    features = extract_from(monkeypatch, LogMel(), tone(300)[:num_samples])
    assert len(features.values) == -(-num_samples // 3200)
    assert np.isfinite(features.values).all()


def test_a_long_sound_has_the_features_of_its_parts(monkeypatch):
    sound = 0.1 * np.random.default_rng(1).standard_normal(25 * RATE_HZ)  # three blocks
    whole = extract_from(monkeypatch, LogMel(), sound).values
    part = extract_from(monkeypatch, LogMel(), sound[9 * RATE_HZ : 12 * RATE_HZ]).values
    # Away from the ends of the part, where it has silence for a neighbour; float32 transforms.
    assert_allclose(part[1:-1], whole[46:59], atol=1e-4)


def test_a_file_gives_the_same_bits_twice_and_in_another_process(tmp_path):
    clip = Clip(clip_id="mine/1", clip_path=str(write_clip(tmp_path / "a b.mp4", video=False)), start_seconds=0.5)
    extractor = LogMel(LogMelConfig(rate=4.0))
    first = extractor.extract_one(clip)
    again = pickle.loads(pickle.dumps(extractor)).extract_one(clip)
    assert_array_equal(first.values, again.values)
    assert_allclose(first.marks[:2], [[0.5, 0.75], [0.75, 1.0]])
    # Around 220 Hz, tests.media's tone: (220 - 20) Hz over bands 46 Hz apart.
    assert set(first.values[:, :64].argmax(axis=1)) <= {3, 4}


def test_a_clip_without_sound_is_a_loss(tmp_path):
    clip = Clip(clip_id="mine/1", clip_path=str(write_clip(tmp_path / "mute.mp4", seconds=0.4, sound=False)))
    lost = LogMel().extract_one(clip)
    assert isinstance(lost, Loss)
    assert lost.stage == "sound"


def test_a_rate_that_no_window_can_follow_is_refused():
    with pytest.raises(SettingsError, match="rate = 80; expected 50 or less"):
        LogMelConfig(rate=80)
