"""Speech encoders, on tiny random ones of the real classes."""

import json
import shutil

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from msadg.errors import FeatureError
from msadg.extraction.audio.speech import SpeechConfig, SpeechEncoder
from msadg.extraction.catalog import make_extractor
from msadg.types import Clip
from tests.extraction.sounds import RATE_HZ, extract_from, tiny_wav2vec2_config, tone
from tests.media import write_clip

WIDTH, STRIDE = 400, 320  # of wav2vec 2.0: 25 ms every 20 ms at 16 kHz


@pytest.fixture(scope="module")
def tiny_wav2vec2(tmp_path_factory):
    """A wav2vec 2.0 of width 8 with random weights and the published strides, as files."""
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("models") / "tiny-wav2vec2"
    config = tiny_wav2vec2_config(vocab_size=8, num_hidden_layers=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def encoder(folder, **settings):
    return SpeechEncoder(SpeechConfig(model=str(folder), **settings))


def states_of(folder, samples, layer=-1):
    """What the library's own feature extractor and model make of a whole sound."""
    from transformers import AutoFeatureExtractor, AutoModel

    prepared = AutoFeatureExtractor.from_pretrained(folder)(samples, sampling_rate=RATE_HZ, return_tensors="pt")
    with torch.no_grad():
        heard = AutoModel.from_pretrained(folder).eval()(prepared.input_values, output_hidden_states=True)
    return heard.hidden_states[layer][0].numpy()


def noise(seconds):
    return 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ)).astype(np.float32)


@pytest.mark.parametrize("layer", [-1, 1, 0])
def test_steps_are_the_means_of_the_states_whose_centres_lie_in_them(tiny_wav2vec2, monkeypatch, layer):
    samples = noise(0.7)
    made = extract_from(monkeypatch, encoder(tiny_wav2vec2, layer=layer), samples, start_seconds=2.0)
    states = states_of(tiny_wav2vec2, samples, layer)
    centres = (np.arange(len(states)) * STRIDE + WIDTH / 2) / RATE_HZ
    expected = [states[(centres >= 0.2 * step) & (centres < 0.2 * (step + 1))].mean(axis=0) for step in range(4)]
    assert_allclose(made.values, expected, atol=1e-5)
    assert_allclose(made.marks, [[2.0, 2.2], [2.2, 2.4], [2.4, 2.6], [2.6, 2.7]])
    assert made.valid.all()


def test_a_long_sound_in_pieces_has_the_states_of_the_whole_sound(tiny_wav2vec2, monkeypatch):
    samples = noise(7.3)
    whole = extract_from(monkeypatch, encoder(tiny_wav2vec2), samples)
    pieces = extract_from(monkeypatch, encoder(tiny_wav2vec2, piece_seconds=2), samples)
    assert_array_equal(whole.marks, pieces.marks)
    # Attention reaches over the whole sound, and a piece hears a second on either side only.
    assert_allclose(pieces.values, whole.values, atol=0.1)
    # The first layer's input knows its neighbours alone: there, pieces leave no trace.
    whole, pieces = (
        extract_from(monkeypatch, encoder(tiny_wav2vec2, layer=0, piece_seconds=s), samples) for s in (20, 2)
    )
    assert_allclose(pieces.values, whole.values, atol=1e-5)


def test_no_piece_is_longer_than_asked_for_and_its_context(tiny_wav2vec2, monkeypatch):
    heard = []
    extractor = encoder(tiny_wav2vec2, piece_seconds=2)
    hear = SpeechEncoder._hear
    monkeypatch.setattr(SpeechEncoder, "_hear", lambda self, s: heard.append(len(s)) or hear(self, s))
    extract_from(monkeypatch, extractor, noise(9))
    assert len(heard) == 5
    assert max(heard) <= 4 * RATE_HZ + WIDTH


def test_neighbours_change_nothing(tiny_wav2vec2, tmp_path):
    clips = [
        Clip(clip_id=f"mine/{hertz}", clip_path=str(write_clip(tmp_path / f"{hertz}.mp4", video=False, tone_hz=hertz)))
        for hertz in (200.0, 300.0)
    ]
    extractor = make_extractor("audio", f"speech:model={tiny_wav2vec2}")
    together = list(extractor.extract(clips))
    (alone,) = encoder(tiny_wav2vec2).extract(clips[1:])
    assert_array_equal(together[1].values, alone.values)
    assert np.abs(together[0].values - alone.values).max() > 1e-3


def test_a_quiet_sound_has_the_features_of_a_loud_one_where_the_model_normalises(tiny_wav2vec2, tmp_path, monkeypatch):
    soft, loud = (extract_from(monkeypatch, encoder(tiny_wav2vec2), k * noise(1)).values for k in (1, 4))
    # 1e-7 beside a variance of 0.01.
    assert_allclose(soft, loud, atol=1e-3)
    folder = tmp_path / "as-it-is"
    shutil.copytree(tiny_wav2vec2, folder)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "do_normalize": False}))
    assert encoder(tiny_wav2vec2).settings["is_normalised"]
    assert not encoder(folder).settings["is_normalised"]
    assert np.abs(extract_from(monkeypatch, encoder(folder), noise(1)).values - soft).max() > 1e-3


@pytest.mark.parametrize("num_samples", [1, 399, 400, 3300])
def test_the_shortest_sound_has_features(tiny_wav2vec2, monkeypatch, num_samples):
    made = extract_from(monkeypatch, encoder(tiny_wav2vec2), tone(200)[:num_samples])
    assert made.values.shape == (-(-num_samples // 3200), 8)
    assert np.isfinite(made.values).all()


def test_settings_tell_the_weights_and_not_where_they_lie(tiny_wav2vec2, tmp_path):
    elsewhere = tmp_path / "tiny-wav2vec2"
    shutil.copytree(tiny_wav2vec2, elsewhere)
    settings = dict(encoder(tiny_wav2vec2).settings)
    assert settings == encoder(elsewhere).settings
    assert settings["model"] == "tiny-wav2vec2"
    weights = bytearray((elsewhere / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (elsewhere / "model.safetensors").write_bytes(weights)
    assert settings != encoder(elsewhere).settings


def test_a_model_that_cannot_be_had_is_told_with_what_to_do():
    with pytest.raises(FeatureError, match=r"speech encoder 'org/never-published' cannot be had.*--audio acoustic"):
        dict(SpeechEncoder(SpeechConfig(model="org/never-published")).settings)


def test_a_layer_that_the_model_does_not_have_is_told(tiny_wav2vec2):
    with pytest.raises(FeatureError, match=r"has 2 layers; expected layer between -3 and 2, got 12"):
        encoder(tiny_wav2vec2, layer=12).dim  # noqa: B018


def test_a_model_that_does_not_hear_samples_is_refused(tmp_path):
    from transformers import BertConfig

    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(FeatureError, match=r"\(bert\) is no speech encoder"):
        encoder(tmp_path / "bert").dim  # noqa: B018
