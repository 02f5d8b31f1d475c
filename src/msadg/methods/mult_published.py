"""The names and shapes of MulT's published weights, in terms of ours; docs/parity.md shows them as a table.

The authors' files and MMSA's port have the same names; MMSA's model may stand inside another, as ``Model.``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from msadg.errors import UsageError

MODALITY_LETTERS = {"l": "text", "a": "audio", "v": "video"}

LEFT_OUT = re.compile(r"text_model\..*|.*\.(version|embed_positions\._float_tensor)")
"""MMSA's text encoder, which is no part of the method here, and buffers that hold nothing."""

MODULES = {
    r"proj_([lav])": "encoders.{}.convolution",
    r"trans_([lav])_with_([lav])": "crossmodal.{}_from_{}",
    r"trans_([lav])_mem": "memory.{}",
    r"proj1": "hidden",
    r"proj2": "residual",
    r"out_layer": "head",
}
"""Pattern of a published module -> ours."""

PARTS = {
    "self_attn": "attention",
    "layer_norms.0": "attention_norm",
    "layer_norms.1": "feedforward_norm",
    "fc1": "expand",
    "fc2": "contract",
    "layer_norm": "norm",
}
"""Inside a Transformer: published -> ours; other words are the same."""


def our_name(published: str) -> str:
    """Our name of a published weight.

    Example:
        >>> our_name("trans_l_with_a.layers.0.layer_norms.1.bias")
        'crossmodal.text_from_audio.layers.0.feedforward_norm.bias'

    Raises:
        UsageError: MulT as published has no such weight.
    """
    for pattern, ours in MODULES.items():
        match = re.match(rf"{pattern}\.", published)
        if match is not None:
            rest = published[match.end() :]
            for part, our_part in PARTS.items():
                rest = re.sub(rf"\b{re.escape(part)}\.(?=\w)", f"{our_part}.", rest)
            return f"{ours.format(*(MODALITY_LETTERS[letter] for letter in match.groups()))}.{rest}"
    raise UsageError(
        f"{published!r} is no weight of MulT as published; expected the state dict of the authors' or MMSA's model, "
        "with names as in docs/parity.md"
    )


def read_published(
    state_dict: Mapping[str, Tensor], published: bool
) -> tuple[dict[str, Any], dict[str, int], dict[str, Tensor]]:
    """Return the settings and feature widths that published weights have, and the weights by our names.

    The number of heads is not among them: no weight tells it.

    Args:
        state_dict: by the published names.
        published: whether they are for a model that computes what the published code does.

    Raises:
        UsageError: a weight is unknown, or one that tells a width is missing.
    """
    names = {name: name.removeprefix("Model.") for name in state_dict}
    weights = {our_name(short): state_dict[name] for name, short in names.items() if not LEFT_OUT.fullmatch(short)}
    targets = [m for m in MODALITY_LETTERS.values() if any(n.startswith(f"crossmodal.{m}_from_") for n in weights)]
    # A model of one target (--lonly) still has the self-attention of the others, and never runs it.
    weights = {n: w for n, w in weights.items() if not n.startswith("memory.") or n.split(".")[1] in targets}
    settings: dict[str, Any] = {"targets": targets, "published": published}
    settings["positions"] = any(name.endswith("embed_positions._float_tensor") for name in state_dict)
    settings["layers"] = len({n.split(".")[3] for n in weights if n.startswith("crossmodal.") and ".layers." in n}) or 1
    feature_dims = {}
    for modality in MODALITY_LETTERS.values():
        name = f"encoders.{modality}.convolution.weight"
        if name not in weights:
            raise UsageError(f"published weights of MulT: {name} (as it is called here) is missing")
        settings["dim"], feature_dims[modality], settings[f"{modality}_kernel"] = weights[name].shape
        if settings["dim"] == feature_dims[modality]:  # published code takes these features as they are
            settings[f"{modality}_kernel"] = 1
            unused = weights.pop(name)
            if not published:
                weights[name] = torch.eye(settings["dim"], dtype=unused.dtype).unsqueeze(-1)
    return settings, feature_dims, weights
