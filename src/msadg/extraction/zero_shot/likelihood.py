"""The log-likelihood of each class word after a prompt: the sum over its tokens, each given those before.

Summed, not averaged over tokens: it is the probability that the model says this word, however a tokenizer cuts it. An
average would favour words in several pieces, of which all but the first are nearly certain.

Each distinct beginning of the words is one pass of the model: where every word is one token, that is a single pass.
Encodings are made clip by clip and padded here, so that a score does not depend on the clip's neighbours: a causal
model is padded on the left (its last position then is the prompt's end), an encoder on the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

Encoding = Mapping[str, Tensor]
"""One prompt, as its processor made it: tensors with a first axis of 1, or of the prompt's images or patches."""

Word = tuple[int, ...]


def word_likelihoods(
    model: Any, encodings: Sequence[Encoding], words: Sequence[Word], *, pad_id: int
) -> Float[Tensor, "clip word"]:
    """Return the log-likelihood of each word after each prompt, in float32.

    Args:
        model: a causal model or an encoder-decoder, with ``forward`` as its class has it.
        encodings: the prompts.
        words: tokens of each word.
        pad_id: token that fills up; it is never attended to.
    """
    total = torch.zeros(len(encodings), len(words))
    for beginning in dict.fromkeys(word[:length] for word in words for length in range(len(word))):
        log_probabilities = _next_token(model, encodings, beginning, pad_id)
        for at, word in enumerate(words):
            if len(word) > len(beginning) and word[: len(beginning)] == beginning:
                total[:, at] += log_probabilities[:, word[len(beginning)]]
    return total


def is_encoder_decoder(config: Any) -> bool:
    """Whether a model of this configuration writes its answer by a decoder of its own, as Flan-T5 does."""
    return bool(config.get_text_config().is_encoder_decoder)


@torch.inference_mode()
def _next_token(
    model: Any, encodings: Sequence[Encoding], beginning: Word, pad_id: int
) -> Float[Tensor, "clip vocabulary"]:
    """Log-probabilities of the token that follows each prompt and the beginning of an answer."""
    if is_encoder_decoder(model.config):
        inputs = collated(encodings, pad_id=pad_id, side="right")
        start = torch.tensor([[_start_of_answer(model), *beginning]])
        inputs["decoder_input_ids"] = start.expand(len(encodings), -1)
    else:
        inputs = collated([_continued(one, beginning) for one in encodings], pad_id=pad_id, side="left")
        inputs["logits_to_keep"] = 1  # of a vocabulary of 150,000, all positions would fill the memory
        if not hasattr(getattr(model, "model", model), "get_rope_index"):  # Qwen's positions are of time, row, column
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(dim=1) - 1).clamp_min(0)
    device, dtype = model.device, model.dtype
    moved = {
        name: value.to(device, dtype if value.is_floating_point() else None) if isinstance(value, Tensor) else value
        for name, value in inputs.items()
    }
    logits: Tensor = model(**moved, use_cache=False).logits
    return torch.log_softmax(logits[:, -1].float(), dim=-1).cpu()


def _start_of_answer(model: Any) -> int:
    for config in (model.config.get_text_config(), model.generation_config, model.config):
        start = getattr(config, "decoder_start_token_id", None)
        if start is not None:
            return int(start)
    return int(model.config.get_text_config().pad_token_id)  # T5's convention


def _continued(encoding: Encoding, beginning: Word) -> dict[str, Tensor]:
    """A prompt with the first tokens of an answer behind it."""
    if not beginning:
        return dict(encoding)
    width = encoding["input_ids"].shape[1]
    added = {"input_ids": torch.tensor([beginning]), "attention_mask": torch.ones(1, len(beginning), dtype=torch.long)}
    return {
        name: torch.cat([value, added.get(name, value.new_zeros(1, len(beginning))).to(value.dtype)], dim=1)
        if _is_by_token(name, value, width)
        else value
        for name, value in encoding.items()
    }


def _is_by_token(name: str, value: Tensor, width: int) -> bool:
    """Whether a tensor has an entry for each token of the prompt (and not for those of a question-former)."""
    integers = value.dtype in (torch.int64, torch.int32, torch.bool)
    return integers and value.ndim == 2 and value.shape == (1, width) and not name.startswith("qformer")


def collated(encodings: Sequence[Encoding], *, pad_id: int, side: str) -> dict[str, Any]:
    """Return several prompts as one batch.

    Tokens are padded on ``side``, those of a question-former on the right; pictures come one after the other.
    """
    batch: dict[str, Any] = {}
    for name, first in encodings[0].items():
        parts = [encoding[name] for encoding in encodings]
        widths = [encoding["input_ids"].shape[1] for encoding in encodings]
        if all(_is_by_token(name, part, width) for part, width in zip(parts, widths, strict=True)):
            batch[name] = padded(parts, pad_id if name == "input_ids" else 0, side)
        elif name.startswith("qformer") and first.ndim == 2:
            batch[name] = padded(parts, 0, "right")
        else:
            batch[name] = torch.cat(parts)
    return batch


def padded(rows: Sequence[Int[Tensor, "1 _"]], filling: int, side: str) -> Int[Tensor, "clip token"]:
    """Return rows of different lengths as one tensor."""
    longest = max(row.shape[1] for row in rows)
    filled = rows[0].new_full((len(rows), longest), filling)
    for at, row in enumerate(rows):
        first = longest - row.shape[1] if side == "left" else 0
        filled[at, first : first + row.shape[1]] = row[0]
    return filled
