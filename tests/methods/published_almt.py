"""The published ALMT, stated anew from its equations and with the published names; nothing of ``msadg`` is in it.

It was checked against the authors' files themselves (models/almt.py and models/almt_layer.py of March 2025): with
their model's own weights, perturbed, outputs and gradients of the two and of ``ALMT.from_published`` are equal to
1e-6 in 32 bits and 3e-15 in 64, on sequences as long as the tables of positions and on shorter ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

LETTERS = {"text": "l", "audio": "a", "video": "v"}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Of the model; by default those of the published configuration for MOSI."""

    dim: int = 128
    heads: int = 8
    tokens: int = 8
    hidden: int = 128
    lengths: Mapping[str, int]
    feature_dims: Mapping[str, int]


def published_weights(sizes: Sizes, dtype: torch.dtype = torch.float64, seed: int = 0) -> dict[str, Tensor]:
    """Random weights in the shapes of the authors' model: embedding depth 1, three AHL layers, fusion depth 2."""
    generator = torch.Generator().manual_seed(seed)
    dim, weights = sizes.dim, {}

    def make(name: str, *shape: int) -> None:
        weights[name] = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) / shape[-1] ** 0.5

    def make_norm(name: str) -> None:
        make(f"{name}.weight", dim)
        make(f"{name}.bias", dim)

    def make_linear(name: str, inputs: int, outputs: int) -> None:
        make(f"{name}.weight", outputs, inputs)
        make(f"{name}.bias", outputs)

    def make_layers(name: str, depth: int) -> None:
        for layer in range(depth):
            for part in ("q", "k", "v"):
                make_norm(f"{name}.{layer}.0.norm_{part}")
                make(f"{name}.{layer}.0.fn.to_{part}.weight", sizes.heads * 64, dim)
            make_linear(f"{name}.{layer}.0.fn.to_out.0", sizes.heads * 64, dim)
            make_norm(f"{name}.{layer}.1.norm")
            make_linear(f"{name}.{layer}.1.fn.net.0", dim, sizes.hidden)
            make_linear(f"{name}.{layer}.1.fn.net.3", sizes.hidden, dim)

    make("h_hyper", 1, sizes.tokens, dim)
    for modality, letter in LETTERS.items():
        make_linear(f"proj_{letter}.0", sizes.feature_dims[modality], dim)
        make(f"proj_{letter}.1.pos_embedding", 1, sizes.lengths[modality] + sizes.tokens, dim)
        make(f"proj_{letter}.1.extra_token", 1, sizes.tokens, dim)
        make_layers(f"proj_{letter}.1.encoder.layers", 1)
    make("l_encoder.pos_embedding", 1, sizes.tokens, dim)
    make_layers("l_encoder.encoder.layers", 2)
    for layer in range(3):
        name = f"h_hyper_layer.layers.{layer}.0"
        for number in (1, 2, 3, 4):
            make_norm(f"{name}.norm{number}")
        for part in ("q", "k_ta", "k_tv", "v_ta", "v_tv"):
            make(f"{name}.fn.to_{part}.weight", sizes.heads * 16, dim)
        make_linear(f"{name}.fn.to_out.0", sizes.heads * 16, dim)
    make("fusion_layer.extra_token", 1, 1, dim)
    make("fusion_layer.pos_embedding_s", 1, sizes.tokens + 1, dim)
    make("fusion_layer.pos_embedding_t", 1, sizes.tokens + 1, dim)
    make_layers("fusion_layer.CrossTransformerEncoder.layers", 2)
    make_linear("regression_layer.0", dim, 1)
    return weights


def published_output(sizes: Sizes, w: Mapping[str, Tensor], text: Tensor, audio: Tensor, video: Tensor) -> Tensor:
    """What the authors' ``forward`` returns, after BERT: every step attended, every row computed."""

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

    def norm(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

    def heads_of(x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], sizes.heads, -1).permute(0, 2, 1, 3)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = heads_of(q), heads_of(k), heads_of(v)
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1)
        return (weights @ v).permute(0, 2, 1, 3).flatten(2)

    def layer(name: str, x: Tensor, source: Tensor) -> Tensor:
        read = {part: norm(f"{name}.0.norm_{part}", x if part == "q" else source) for part in ("q", "k", "v")}
        found = attend(*(linear(f"{name}.0.fn.to_{part}", value) for part, value in read.items()))
        x = x + linear(f"{name}.0.fn.to_out.0", found)
        return x + linear(f"{name}.1.fn.net.3", F.gelu(linear(f"{name}.1.fn.net.0", norm(f"{name}.1.norm", x))))

    def embed(letter: str, steps: Tensor) -> Tensor:
        x = linear(f"proj_{letter}.0", steps)
        x = torch.cat([w[f"proj_{letter}.1.extra_token"].expand(len(x), -1, -1), x], dim=1)
        x = x + w[f"proj_{letter}.1.pos_embedding"][:, : x.shape[1]]
        return layer(f"proj_{letter}.1.encoder.layers.0", x, x)[:, : sizes.tokens]

    h_l, h_a, h_v = embed("l", text), embed("a", audio), embed("v", video)
    scales = [h_l + w["l_encoder.pos_embedding"]]
    for number in range(2):
        scales.append(layer(f"l_encoder.encoder.layers.{number}", scales[-1], scales[-1]))
    hyper = w["h_hyper"].expand(len(h_l), -1, -1)
    for number, scale in enumerate(scales):
        name = f"h_hyper_layer.layers.{number}.0"
        q = linear(f"{name}.fn.to_q", norm(f"{name}.norm1", scale))
        a, v = norm(f"{name}.norm2", h_a), norm(f"{name}.norm3", h_v)
        found = attend(q, linear(f"{name}.fn.to_k_ta", a), linear(f"{name}.fn.to_v_ta", a))
        found = found + attend(q, linear(f"{name}.fn.to_k_tv", v), linear(f"{name}.fn.to_v_tv", v))
        hyper = norm(f"{name}.norm4", hyper) + linear(f"{name}.fn.to_out.0", found)
    token = w["fusion_layer.extra_token"].expand(len(h_l), -1, -1)
    source = torch.cat([token, hyper], dim=1) + w["fusion_layer.pos_embedding_s"]
    target = torch.cat([token, scales[-1]], dim=1) + w["fusion_layer.pos_embedding_t"]
    for number in range(2):
        target = layer(f"fusion_layer.CrossTransformerEncoder.layers.{number}", target, source)
    return linear("regression_layer.0", target[:, 0])
