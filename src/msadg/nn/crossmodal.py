"""The crossmodal Transformer of MulT: one sequence asks another, layer after layer (Tsai et al., ACL 2019, Sec. 3.2).

Z^0 = the target's steps, then in each layer, with LN the layer's LayerNorms and Y the other sequence as it came in,

    Z' = Z + CM(LN_0(Z), LN_0(Y)),     Z = Z' + W_2 ReLU(W_1 LN_1(Z')),

CM being attention with queries from Z, keys and values from Y; Y = Z is an ordinary Transformer. One LayerNorm ends it.
Steps come in as sqrt(dim) x + position. Valid steps lie at the front of each clip, so that what a query may see is
a prefix of the other sequence (``nn/prefix_attention.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.nn.dropout import dropped, relu_dropped
from msadg.nn.prefix_attention import prefix_attention

Positions = Literal["all", "marked", "none"]
"""Which steps get their position: all; those whose first feature is not exactly 0, as published; or none."""


@dataclass(frozen=True)
class StackDropout:
    """Dropout at the places where a crossmodal Transformer has it."""

    embedding: float = 0.0
    """Of the steps with their positions; drawn for queries, keys and values by itself."""
    attention: float = 0.0
    """Of the attention weights."""
    relu: float = 0.0
    """Inside the feed-forward part."""
    residual: float = 0.0
    """Of what each part adds."""


def half_split_positions(
    num_steps: int, dim: int, dtype: torch.dtype, device: torch.device | None = None
) -> Float[Tensor, "time feature"]:
    """Sinusoids, all sines before all cosines, counted from 1: [sin(p w_i) ..., cos(p w_i) ...].

    w_i = exp(-i ln(10000) / (dim/2 - 1)); an odd width ends with a zero. This is tensor2tensor's order, not the
    interleaved one of the paper it cites. Angles have 32 bits or more: 16 cannot even count to 300.
    """
    half, exact = dim // 2, torch.promote_types(dtype, torch.float32)
    rate = torch.exp(torch.arange(half, dtype=exact, device=device) * -(math.log(10_000) / (half - 1)))
    angle = torch.arange(1, num_steps + 1, dtype=exact, device=device)[:, None] * rate
    return F.pad(torch.cat([angle.sin(), angle.cos()], dim=1), (0, dim % 2)).to(dtype)


def visible_prefix(
    num_queries: Int[Tensor, " batch"], num_keys: Int[Tensor, " batch"], time: int, causal: bool
) -> Int[Tensor, "batch time"]:
    """How many keys each query sees: all, or where ``causal``, key j is seen by query i if j <= i + |keys - queries|.

    So the last query of a clip always sees everything; the first does, too, where the queries are many more than the
    keys. A clip without keys counts as having one.

    Args:
        num_queries: valid steps of each clip that ask.
        num_keys: valid steps of each clip that are asked.
        time: how many queries there are, with padding.
        causal: whether a query sees only what has been.
    """
    if not causal:
        return num_keys.clamp_min(1)[:, None].expand(-1, time)
    step = torch.arange(1, time + 1, device=num_keys.device)
    seen = step + (num_keys - num_queries).abs()[:, None]
    return torch.minimum(seen, num_keys[:, None]).clamp_min(1)


class PackedAttention(nn.Module):
    """Multi-head attention with queries', keys' and values' projections in one matrix.

    Args:
        dim: width of everything.
        heads: number of heads; must divide ``dim``.
        dropout: of the attention weights.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        for weight in (self.in_proj_weight, self.out_proj.weight):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Float[Tensor, "batch time feature"],
        key: Float[Tensor, "batch other_time feature"],
        value: Float[Tensor, "batch other_time feature"],
        limit: Int[Tensor, "#batch time"],
    ) -> Float[Tensor, "batch time feature"]:
        """One vector for each query; each sees the first ``limit`` keys."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        asked = (query, key, value)
        q, k, v = (
            F.linear(x, w, b).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
            for x, w, b in zip(asked, weights, biases, strict=True)
        )
        attended = prefix_attention(q, k, v, limit, self.dropout if self.training else 0.0)
        found: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return found


class CrossmodalLayer(nn.Module):
    """One layer of the Transformer, with the normalisation first.

    Args:
        dim: width.
        heads: attention heads; must divide ``dim``.
        dropout: at each place.
    """

    def __init__(self, dim: int, heads: int, dropout: StackDropout) -> None:
        super().__init__()
        self.dropout = dropout
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = PackedAttention(dim, heads, dropout.attention)
        self.feedforward_norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 4 * dim)
        self.contract = nn.Linear(4 * dim, dim)
        for linear in (self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        steps: Float[Tensor, "batch time feature"],
        key: Float[Tensor, "batch other_time feature"],
        value: Float[Tensor, "batch other_time feature"],
        limit: Int[Tensor, "#batch time"],
        present: Float[Tensor, "batch 1 1"] | None = None,
    ) -> Float[Tensor, "batch time feature"]:
        """Each step with what it found.

        Args:
            steps: Z.
            key: Y, as keys.
            value: Y, as values: the same but for dropout.
            limit: how many keys each step sees.
            present: 1 where the clip has Y at all, else 0; None is 1 everywhere.
        """
        keys = self.attention_norm(key)
        values = keys if value is key else self.attention_norm(value)
        found = self.attention(self.attention_norm(steps), keys, values, limit)
        if present is not None:
            found = found * present
        steps = steps + self._dropped(found)
        hidden = relu_dropped(self.expand(self.feedforward_norm(steps)), self.dropout.relu, self.training)
        return steps + self._dropped(self.contract(hidden))

    def _dropped(self, added: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch time feature"]:
        return dropped(added, self.dropout.residual, self.training)


class CrossmodalTransformer(nn.Module):
    """Layers in which a sequence asks another one, or itself.

    Args:
        dim: width of both.
        heads: attention heads; must divide ``dim``.
        layers: number of layers.
        dropout: at each place.
        positions: which steps get their position.
    """

    def __init__(self, dim: int, heads: int, layers: int, dropout: StackDropout, positions: Positions = "all") -> None:
        super().__init__()
        self.dim = dim
        self.dropout = dropout
        self.positions = positions
        self.layers = nn.ModuleList(CrossmodalLayer(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        target: Float[Tensor, "batch time feature"],
        source: Float[Tensor, "batch other_time feature"],
        limit: Int[Tensor, "#batch time"],
        present: Float[Tensor, "batch 1 1"] | None = None,
    ) -> Float[Tensor, "batch time feature"]:
        """The target's steps with what they found in the source.

        Args:
            target: what asks.
            source: what is asked.
            limit: how many steps of the source each of the target sees.
            present: 1 where the clip has the source at all, else 0.
        """
        steps, placed = self._placed(target), self._placed(source)
        steps, key, value = (self._dropped(x) for x in (steps, placed, placed))
        for layer in self.layers:
            steps = layer(steps, key, value, limit, present)
        ended: Tensor = self.norm(steps)
        return ended

    def at(
        self,
        steps: Float[Tensor, "batch time feature"],
        limit: Int[Tensor, "#batch time"],
        position: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch feature"]:
        """What one step of each clip has found in its own sequence; the last layer computes no other step.

        Args:
            steps: the sequence.
            limit: how many of its steps each step sees.
            position: of the step that is read.
        """
        clip = torch.arange(len(steps), device=steps.device)
        steps = self._dropped(self._placed(steps))
        for layer in list(self.layers)[:-1]:
            steps = layer(steps, steps, steps, limit)
        asking = steps[clip, position].unsqueeze(1)
        read = self.layers[-1](asking, steps, steps, limit.expand(len(steps), -1)[clip, position].unsqueeze(1))
        ended: Tensor = self.norm(read.squeeze(1))
        return ended

    def _placed(self, steps: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch time feature"]:
        """Sqrt(dim) x + position."""
        scaled = steps * math.sqrt(self.dim)
        if self.positions == "none":
            return scaled
        positions = half_split_positions(steps.shape[1], self.dim, steps.dtype, steps.device)
        if self.positions == "marked":
            return scaled + positions * (steps[:, :, :1] != 0)
        return scaled + positions

    def _dropped(self, steps: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch time feature"]:
        return dropped(steps, self.dropout.embedding, self.training)
