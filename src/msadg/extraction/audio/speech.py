"""Speech features: hidden states of a pretrained speech encoder (wav2vec 2.0, HuBERT, WavLM and their kin), averaged.

The encoder gives a state about every 20 ms; those whose centre lies in a step are averaged. A long sound is heard in
pieces of 20 s, each with up to a second on both sides that is listened to and thrown away, so that the memory does not
grow with the clip; a sound of up to 20 s is heard as a whole. Where the model's ``preprocessor_config.json`` asks for
it, the samples are brought to mean 0 and variance 1 first, over the whole clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from msadg.errors import FeatureError
from msadg.extraction.audio.windows import mean_and_spread, sound_of, steps_of
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.extractor import JSON
from msadg.extraction.media.timeline import RATE
from msadg.extraction.pretrained import SPEECH, identity_of, load_part, load_weights
from msadg.settings import require
from msadg.types import Clip, Features

CONTEXT_SECONDS = 1.0
"""Heard before and after each piece of a long sound, and thrown away."""


@dataclass(frozen=True, kw_only=True)
class SpeechConfig:
    """Settings of the speech features."""

    model: str = "wav2vec2"
    """``wav2vec2``, ``hubert``, ``wavlm``, a name on the hub, or a local folder."""
    layer: int = -1
    """Whose states: 0 is the first layer's input, 1 its output; -1 the last layer's, -2 the one's before."""
    rate: int | float = RATE
    """Steps a second."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    piece_seconds: int | float = 20.0
    """Sound that is heard at once."""

    def __post_init__(self) -> None:
        require("rate", self.rate, at_least=0.1, at_most=50)
        require("piece_seconds", self.piece_seconds, at_least=1, at_most=120)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the encoder's states lie among the samples: state i is of ``width`` samples from ``i * stride`` on."""

    stride: int
    width: int

    def num_states(self, num_samples: int) -> int:
        return max((num_samples - self.width) // self.stride + 1, 1)


@dataclass(frozen=True, slots=True)
class _Normalisation:
    """Brings samples to mean 0 and variance 1."""

    mean: float
    scale: float

    @classmethod
    def of(cls, samples: Float[np.ndarray, " sample"]) -> _Normalisation:
        mean = float(samples.mean(dtype=np.float64))
        variance = float(np.einsum("s,s->", samples, samples, dtype=np.float64)) / len(samples) - mean**2
        return cls(mean, 1 / float(np.sqrt(max(variance, 0) + 1e-7)))  # 1e-7: as the library's own


class SpeechEncoder(ClipExtractor):
    """The hidden states of a frozen speech encoder, averaged over each step.

    Raises:
        FeatureError: the model cannot be had, or is no speech encoder of this type; raised when first needed.
    """

    modality = "audio"
    kind = "speech"
    version = "1"
    Config = SpeechConfig

    @property
    def settings(self) -> Mapping[str, JSON]:
        """The config, with what identifies the weights, and how the model wants its samples."""
        return self._settings

    @cached_property
    def _settings(self) -> Mapping[str, JSON]:
        wants = {"sample_rate_hz": self._sample_rate_hz, "is_normalised": self._is_normalised}
        return {**asdict(self.config), **identity_of(self.config.model, self.config.revision, SPEECH), **wants}

    @property
    def dim(self) -> int:
        """Width of the encoder's hidden states."""
        return int(self._model_config.hidden_size)

    def features_of(self, clip: Clip) -> Features:
        """Return the averaged states of one clip."""
        sound = sound_of(clip, self._sample_rate_hz)
        centres = np.arange(self._grid.num_states(len(sound.samples))) * self._grid.stride + self._grid.width / 2
        steps = steps_of(sound, self.config.rate, centres / self._sample_rate_hz)
        normalise = _Normalisation.of(sound.samples) if self._is_normalised else _Normalisation(0.0, 1.0)
        values = np.zeros((len(steps.first), self.dim), np.float32)
        for piece in steps.blocks(self.config.rate, self.config.piece_seconds):
            begin, end = int(steps.first[piece][0]), int(steps.last[piece][-1])
            states = self._states(sound.samples, begin, end, normalise).astype(np.float64)
            values[piece] = mean_and_spread(states, steps.first[piece] - begin, steps.last[piece] - begin)[0]
        return Features(values, np.ones(len(values), bool), steps.marks)

    def _states(
        self, samples: Float[np.ndarray, " sample"], begin: int, end: int, normalise: _Normalisation
    ) -> Float[np.ndarray, "state feature"]:
        """Return states ``begin`` to ``end - 1`` of a sound, heard with their context."""
        grid, num_states = self._grid, self._grid.num_states(len(samples))
        context = int(CONTEXT_SECONDS * self._sample_rate_hz) // grid.stride
        heard_from, heard_to = max(begin - context, 0), min(end + context, num_states)
        # The samples after the last whole state go along with it, as they do in a sound heard as a whole.
        stop = (heard_to - 1) * grid.stride + grid.width if heard_to < num_states else len(samples)
        heard = (samples[heard_from * grid.stride : stop] - normalise.mean) * normalise.scale
        heard = np.pad(heard, (0, max(grid.width - len(heard), 0)))  # shorter than one state: silence behind it
        return self._hear(heard.astype(np.float32))[begin - heard_from : end - heard_from]

    @torch.inference_mode()
    def _hear(self, samples: Float[np.ndarray, " sample"]) -> Float[np.ndarray, "state feature"]:
        is_last = self.config.layer in (-1, self._model_config.num_hidden_layers)
        heard = self._encoder(torch.from_numpy(samples)[None], output_hidden_states=not is_last)
        states = heard.last_hidden_state if is_last else heard.hidden_states[self.config.layer]
        return np.asarray(states[0].float())

    @cached_property
    def _grid(self) -> _Grid:
        stride, width = 1, 1
        for kernel, step in zip(self._model_config.conv_kernel, self._model_config.conv_stride, strict=True):
            width += (kernel - 1) * stride
            stride *= step
        return _Grid(stride, width)

    @cached_property
    def _model_config(self) -> Any:
        from transformers import AutoConfig

        config = load_part(AutoConfig.from_pretrained, self.config.model, self.config.revision, SPEECH)
        if not (hasattr(config, "conv_kernel") and hasattr(config, "conv_stride")):
            raise FeatureError(
                f"{self.config.model} ({config.model_type}) is no speech encoder that hears samples; choose one of the "
                "type of wav2vec2, hubert or wavlm"
            )
        num_layers = config.num_hidden_layers
        if not -num_layers - 1 <= self.config.layer <= num_layers:
            raise FeatureError(
                f"{self.config.model} has {num_layers} layers; expected layer between {-num_layers - 1} and "
                f"{num_layers}, got {self.config.layer}"
            )
        return config

    @cached_property
    def _preprocessor(self) -> Any:
        from transformers import AutoFeatureExtractor

        return load_part(AutoFeatureExtractor.from_pretrained, self.config.model, self.config.revision, SPEECH)

    @property
    def _sample_rate_hz(self) -> int:
        return int(self._preprocessor.sampling_rate)

    @property
    def _is_normalised(self) -> bool:
        return bool(getattr(self._preprocessor, "do_normalize", False))

    @cached_property
    def _encoder(self) -> torch.nn.Module:
        from transformers import AutoModel

        return load_weights(AutoModel.from_pretrained, self.config.model, self.config.revision, SPEECH).requires_grad_(
            False
        )
