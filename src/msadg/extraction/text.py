"""Text features: the last hidden states of a pretrained encoder, or the token ids for one that is fine-tuned.

Every token counts, the encoder's special ones included. Transcripts are taken as they are: MOSI's are all upper case,
which an uncased tokenizer lowers by itself; for a cased encoder there is ``lowercase``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from msadg.errors import FeatureError, MsadgWarning
from msadg.extraction.extractor import JSON, Loss
from msadg.extraction.pretrained import identity_of, load_config, load_encoder, load_tokenizer, short_name
from msadg.extraction.text_layer import TextModel
from msadg.extraction.transcripts.word_times import token_times
from msadg.types import TIME_MARKS, Clip, Features

__all__ = ["TextEncoder", "TextTokens", "load_encoder"]


class TextTokens:
    """The token ids of each transcript, one feature a step: the input of an encoder inside a method.

    Args:
        model: ``minilm``, ``electra``, ``roberta``, a name on the hub, or a local folder.
        max_tokens: special tokens included; longer transcripts are cut, with a warning that counts them. The
            model's own limit holds where it is lower.
        lowercase: lower the transcripts first.
        revision: branch, tag or commit on the hub.

    Raises:
        FeatureError: the model cannot be had; raised when first needed.
    """

    modality = "text"
    version = "1"
    dtype = "int32"
    marks: tuple[str, ...] = TIME_MARKS

    def __init__(
        self, model: str, *, max_tokens: int = 512, lowercase: bool = False, revision: str | None = None
    ) -> None:
        if max_tokens < 3:
            raise FeatureError(f"max_tokens is {max_tokens}; a transcript needs at least 3, two of them special")
        self.model = model
        self.lowercase = lowercase
        self.revision = revision
        self._asked_tokens = max_tokens

    @property
    def name(self) -> str:
        """``text-minilm-tokens``, for instance."""
        return f"text-{short_name(self.model)}-tokens"

    @property
    def dim(self) -> int:
        """1: the id."""
        return 1

    @cached_property
    def settings(self) -> Mapping[str, JSON]:
        """Model, its revision or the hash of its weights, length limit and case."""
        identity = identity_of(self.model, self.revision)
        return {**identity, "max_tokens": self.max_tokens, "lowercase": self.lowercase}

    @cached_property
    def max_tokens(self) -> int:
        """The limit in use: what was asked for, or the model's own where that is lower."""
        positions = getattr(self._config, "max_position_embeddings", None) or self._asked_tokens
        return int(min(self._asked_tokens, self._tokenizer.model_max_length, positions))

    def input_of(self, clip: Clip) -> bytes:
        """The transcript, and the times of its words where they are known."""
        return clip.text.encode("utf-8") + (repr(clip.words).encode("utf-8") if clip.words else b"")

    def extract(self, clips: Sequence[Clip]) -> Iterator[Features | Loss]:
        """Yield the token ids of each clip; a Loss for an empty transcript."""
        for clip, ids in zip(clips, self._token_ids(clips), strict=True):
            # Exact: no vocabulary comes near 2^24, up to which float32 holds every integer.
            values = np.array(ids, np.float32).reshape(-1, 1)
            yield Features(values, np.ones(len(ids), bool), self._times(clip, len(ids))) if ids else EMPTY

    def tokens_of(self, text: str) -> list[str]:
        """Return the tokens of a transcript as the encoder's vocabulary writes them: one for each step."""
        clip = Clip(clip_id="", text=text)
        ids = self._tokenizer(self._text_of(clip), truncation=True, max_length=self.max_tokens)["input_ids"]
        return list(self._tokenizer.convert_ids_to_tokens(ids))

    def _times(self, clip: Clip, num_tokens: int) -> Float[np.ndarray, "token 2"]:
        """When each token was said; NaN where the words have no times."""
        if not clip.words:
            return np.full((num_tokens, 2), math.nan, np.float32)
        text = self._text_of(clip)
        encoded = self._tokenizer(
            text, truncation=True, max_length=self.max_tokens, return_offsets_mapping=True, verbose=False
        )
        return token_times(text, clip.words, encoded["offset_mapping"]).astype(np.float32)

    def _text_of(self, clip: Clip) -> str:
        return clip.text.lower() if self.lowercase else clip.text

    def _token_ids(self, clips: Sequence[Clip]) -> list[list[int]]:
        """Return the ids of each transcript, special tokens included; [] for an empty one."""
        texts = [self._text_of(clip) for clip in clips]
        if not texts:
            return []
        encoded = self._tokenizer(texts, truncation=True, max_length=self.max_tokens)["input_ids"]
        self._warn_of_cuts([at for at, ids in enumerate(encoded) if len(ids) == self.max_tokens], clips, texts)
        return [ids if text.strip() else [] for ids, text in zip(encoded, texts, strict=True)]

    def _warn_of_cuts(self, suspects: list[int], clips: Sequence[Clip], texts: list[str]) -> None:
        lengths = {at: len(self._tokenizer(texts[at], verbose=False)["input_ids"]) for at in suspects}
        cut = {at: length for at, length in lengths.items() if length > self.max_tokens}
        if cut:
            at, length = next(iter(cut.items()))
            message = (
                f"{len(cut)} of {len(texts)} transcripts were cut to {self.max_tokens} tokens "
                f"(first: {clips[at].clip_id}, {length} tokens)"
            )
            warnings.warn(MsadgWarning(message), stacklevel=4)

    @cached_property
    def _config(self) -> Any:
        return load_config(self.model, self.revision)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self.model, self.revision)


class TextEncoder(TextTokens):
    """The hidden states of a frozen encoder, of its last layer or of one before, one step a token; in float32.

    Args:
        model: ``minilm``, ``electra``, ``roberta``, a name on the hub, or a local folder.
        max_tokens: as in TextTokens.
        lowercase: as in TextTokens.
        revision: branch, tag or commit on the hub.
        batch_size: transcripts encoded at once, of similar length; on a CPU few, or half of the work is padding.
        device: where the encoder runs.
        layer: whose states are taken: 0 is the embeddings, None the last.

    Raises:
        FeatureError: the model cannot be had, or has fewer layers; raised when first needed.
    """

    dtype = "float16"

    def __init__(
        self,
        model: str = "google/electra-base-discriminator",
        *,
        max_tokens: int = 512,
        lowercase: bool = False,
        revision: str | None = None,
        batch_size: int = 8,
        device: str = "cpu",
        layer: int | None = None,
    ) -> None:
        super().__init__(model, max_tokens=max_tokens, lowercase=lowercase, revision=revision)
        self.batch_size = batch_size
        self.device = device
        self.layer = layer

    @property
    def name(self) -> str:
        """``text-minilm`` or ``text-minilm-layer4``, for instance."""
        return f"text-{TextModel(self.model, self.layer).short}"

    @cached_property
    def settings(self) -> Mapping[str, JSON]:
        """As of TextTokens, and the layer where it is not the last."""
        return {**super().settings, **({} if self.layer is None else {"layer": self.layer})}

    @property
    def dim(self) -> int:
        """Width of the encoder's hidden states."""
        return int(self._config.hidden_size)

    def extract(self, clips: Sequence[Clip]) -> Iterator[Features | Loss]:
        """Yield the hidden states of each clip; a Loss for an empty transcript."""
        ids = self._token_ids(clips)
        made: list[Features | Loss] = [EMPTY] * len(ids)
        by_length = sorted((at for at in range(len(ids)) if ids[at]), key=lambda at: len(ids[at]))
        for start in range(0, len(by_length), self.batch_size):
            batch = by_length[start : start + self.batch_size]
            for at, states in zip(batch, self._hidden_states([ids[at] for at in batch]).numpy(), strict=True):
                num_tokens = len(ids[at])
                times = self._times(clips[at], num_tokens)
                made[at] = Features(states[:num_tokens].copy(), np.ones(num_tokens, bool), times)
        yield from made

    @torch.inference_mode()
    def _hidden_states(self, ids: list[list[int]]) -> Float[Tensor, "batch time feature"]:
        longest = max(map(len, ids))
        padding = self._tokenizer.pad_token_id or 0
        padded = torch.tensor([[*one, *[padding] * (longest - len(one))] for one in ids], device=self.device)
        lengths = torch.tensor([len(one) for one in ids], device=self.device)
        valid = torch.arange(longest, device=self.device) < lengths[:, None]
        encoder = self._encoder
        made = encoder(input_ids=padded, attention_mask=valid.long(), output_hidden_states=self.layer is not None)
        states: Tensor = made.last_hidden_state if self.layer is None else made.hidden_states[self.layer]
        return states.float().cpu()

    @cached_property
    def _encoder(self) -> torch.nn.Module:
        encoder = load_encoder(self.model, self.revision).requires_grad_(False).to(self.device)
        if self.layer is not None:
            check_layer(self.layer, encoder, self.model)
            leave_out_layers(self.layer, encoder)
        return encoder


def check_layer(layer: int, encoder: torch.nn.Module, model: str) -> None:
    """Stop where an encoder has not so many layers.

    Raises:
        FeatureError: says how many it has.
    """
    num_layers = int(encoder.config.num_hidden_layers)  # type: ignore[union-attr,arg-type]
    if layer > num_layers:
        raise FeatureError(f"{model} has {num_layers} layers, so there is no layer {layer}; take 0 to {num_layers}")


def leave_out_layers(layer: int, encoder: torch.nn.Module) -> None:
    """Take out what need not be computed for the states of a layer, where layers are kept as BERT keeps them.

    The next layer stays: what it reads are those states, also where an encoder normalises only after its last layer.
    """
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    if isinstance(layers, torch.nn.ModuleList):
        del layers[layer + 1 :]


EMPTY = Loss("transcript", "the transcript is empty")
