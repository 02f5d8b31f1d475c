"""The names and shapes of ALMT's published weights, in terms of ours; docs/parity.md shows them as a table.

Three layouts are known: the authors' (from March 2025), their first one (of February 2024), and MMSA's port. They
compute the same and differ in the names of the outermost modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from msadg.errors import UsageError

HEAD_DIM = 64
"""Of every published attention but those of the hyper-modality; fixed in the code, so the weights do not tell it."""

MODALITY_LETTERS = {"l": "text", "a": "audio", "v": "video"}

LEFT_OUT = ("bertmodel.",)
"""What starts so is the text encoder's, and no part of the method here."""

LAYER = {
    "0.norm_q": "attention.norm_query",
    "0.norm_k": "attention.norm_key",
    "0.norm_v": "attention.norm_value",
    "0.fn.to_q": "attention.query",
    "0.fn.to_k": "attention.key",
    "0.fn.to_v": "attention.value",
    "0.fn.to_out.0": "attention.out",
    "1.norm": "feedforward.0",
    "1.fn.net.0": "feedforward.1",
    "1.fn.net.3": "feedforward.4",
}
"""Inside a Transformer layer: published -> ours."""

HYPER_LAYER = {
    "0.norm1": "norm_text",
    "0.norm2": "norms.audio",
    "0.norm3": "norms.video",
    "0.norm4": "norm_hyper",
    "0.fn.to_q": "query",
    "0.fn.to_k_ta": "keys.audio",
    "0.fn.to_k_tv": "keys.video",
    "0.fn.to_v_ta": "values.audio",
    "0.fn.to_v_tv": "values.video",
    "0.fn.to_out.0": "out",
}
"""Inside a layer of hyper-modality learning."""

MODULES = {
    r"(?:proj|embedding)_([lav])\.0|proj_([lav])0": "projectors.{}.0",
    r"(?:proj|embedding)_([lav])(?:\.1)?\.extra_token": "encoders.{}.tokens",
    r"(?:proj|embedding)_([lav])(?:\.1)?\.pos_embedding": "encoders.{}.positions",
    r"(?:proj|embedding)_([lav])(?:\.1)?\.encoder\.layers": "encoders.{}.layers",
    r"(?:l_encoder|text_encoder)\.pos_embedding": "text_scales.positions",
    r"(?:l_encoder|text_encoder)\.encoder\.layers": "text_scales.layers",
    r"h_hyper": "hyper",
    r"h_hyper_layer\.layers": "hyper_layers",
    r"fusion_layer\.extra_token": "fusion.token",
    r"fusion_layer\.pos_embedding_s": "fusion.source_positions",
    r"fusion_layer\.pos_embedding_t": "fusion.position",
    r"fusion_layer\.CrossTransformerEncoder\.layers": "fusion.layers",
    r"regression_layer\.0|cls_head\.0|regression_head": "head",
}
"""Pattern of a published module or parameter -> ours."""

CANCELLED = "attention.norm_key.bias"
"""Adds the same to all scores of a query, so softmax takes it out again: the one weight without a counterpart."""

OF_DEFECTS = re.compile(r"hyper_layers\.\d+\.norm_hyper\..*")
"""What only the published computation reads."""


def our_name(published: str) -> str:
    """Our name of a published weight.

    Example:
        >>> our_name("proj_a.1.encoder.layers.0.0.fn.to_q.weight")
        'encoders.audio.layers.0.attention.query.weight'

    Raises:
        UsageError: no published layout has such a weight.
    """
    for pattern, ours in MODULES.items():
        match = re.fullmatch(rf"({pattern})(?:\.(\d+)\.(.+))?(?:\.(weight|bias))?", published)
        if match is None:
            continue
        _, *letters, number, part, kind = match.groups()
        name = ours.format(*(MODALITY_LETTERS[letter] for letter in letters if letter))
        if part is not None:
            inside, _, kind = part.rpartition(".")
            parts = HYPER_LAYER if ours == "hyper_layers" else LAYER
            if inside not in parts:
                break
            name = f"{name}.{number}.{parts[inside]}"
        return f"{name}.{kind}" if kind else name
    raise UsageError(
        f"{published!r} is no weight of ALMT as published; expected the state dict of the authors' or MMSA's model, "
        "with names as in docs/parity.md"
    )


def is_unread(name: str, *, published: bool) -> bool:
    """Whether nothing here reads one of the published weights, by our name, and nothing is lost by that."""
    return name.endswith(CANCELLED) or (not published and OF_DEFECTS.fullmatch(name) is not None)


def read_published(
    state_dict: Mapping[str, Tensor],
) -> tuple[dict[str, Any], dict[str, int], dict[str, Tensor]]:
    """Return the settings and feature widths that published weights have, and the weights by our names.

    Raises:
        UsageError: a weight is unknown, or one that tells a width is missing.
    """
    weights = {}
    for published, value in state_dict.items():
        if not published.startswith(LEFT_OUT):
            name = our_name(published)
            weights[name] = _reshaped(name, value)
    try:
        return _settings(weights), _feature_dims(weights), weights
    except KeyError as error:
        raise UsageError(f"published weights of ALMT: {error.args[0]} (as it is called here) is missing") from None


def _reshaped(name: str, value: Tensor) -> Tensor:
    """Without the leading axis of 1; of the positions of the side that asks, the first, which alone is read."""
    if name == "fusion.token":
        return value.reshape(-1)
    if name == "fusion.position":
        return value[0, 0]
    is_table = name.endswith((".tokens", "positions")) or name == "hyper"
    return value.squeeze(0) if is_table else value


def _settings(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    tokens = len(weights["hyper"])
    heads = weights["encoders.text.layers.0.attention.query.weight"].shape[0] // HEAD_DIM
    return {
        "dim": weights["head.weight"].shape[1],
        "heads": heads,
        "head_dim": HEAD_DIM,
        "hyper_head_dim": weights["hyper_layers.0.query.weight"].shape[0] // max(1, heads),
        "tokens": tokens,
        "embedding_layers": _num_layers(weights, "encoders.text.layers"),
        "hyper_layers": _num_layers(weights, "hyper_layers"),
        "fusion_layers": _num_layers(weights, "fusion.layers"),
        "feedforward_dim": weights["encoders.text.layers.0.feedforward.1.weight"].shape[0],
        "max_steps": [len(weights[f"encoders.{m}.positions"]) - tokens for m in MODALITY_LETTERS.values()],
    }


def _feature_dims(weights: Mapping[str, Tensor]) -> dict[str, int]:
    return {m: weights[f"projectors.{m}.0.weight"].shape[1] for m in MODALITY_LETTERS.values()}


def _num_layers(weights: Mapping[str, Tensor], prefix: str) -> int:
    numbers = {name.removeprefix(f"{prefix}.").split(".")[0] for name in weights if name.startswith(f"{prefix}.")}
    return len(numbers)
