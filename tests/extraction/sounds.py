"""Sounds with known properties, and extraction from samples without a file."""

from __future__ import annotations

import numpy as np

RATE_HZ = 16_000


def tone(hertz, seconds=2.0, loudness=0.3):
    return loudness * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def pulses(lengths, heights, num_samples=32_000):
    """Soft pulses (so that their places need not be whole samples), ``lengths`` samples apart."""
    sound, at = np.zeros(num_samples), 200.0
    for length, height in zip(lengths, heights, strict=True):
        if at > num_samples - 100:
            break
        near = np.arange(int(at) - 40, int(at) + 40)
        sound[near] += height * np.exp(-(((near - at) / 6) ** 2))
        at += length
    return sound


def extract_from(monkeypatch, extractor, samples, *, start_seconds=0.0, sample_rate_hz=RATE_HZ):
    """The features of a clip whose file sounds like this."""
    from msadg.extraction.audio import windows
    from msadg.extraction.media.sound import Sound
    from msadg.types import Clip

    sound = Sound(np.asarray(samples, np.float32), sample_rate_hz, start_seconds)
    monkeypatch.setattr(windows, "read_sound", lambda *_, **__: sound)
    return extractor.features_of(Clip(clip_id="mine/1", clip_path="some.mp4"))


def tiny_wav2vec2_config(**changes):
    """A wav2vec 2.0 of width 8 with the published strides; imported late, for transformers takes seconds."""
    from transformers import Wav2Vec2Config

    tiny = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16, "conv_dim": [8] * 7}
    positions = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    return Wav2Vec2Config(**tiny, **positions, feat_extract_norm="layer", **changes)
