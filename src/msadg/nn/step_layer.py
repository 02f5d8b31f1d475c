"""One pre-norm Transformer layer over steps, and its self-attention, as torch computes them but for speed.

Parameters have the names, the first values and the meaning of ``nn.TransformerEncoderLayer`` and
``nn.MultiheadAttention``. Valid steps lie at the front of each clip, so that what is seen is a prefix
(``nn/prefix_attention.py``), and chance for dropout is drawn by the byte (``nn/dropout.py``).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.nn.dropout import dropped
from msadg.nn.prefix_attention import prefix_attention


def self_attention(
    attention: nn.MultiheadAttention,
    steps: Float[Tensor, "batch time feature"],
    limit: Int[Tensor, "#batch 1"],
) -> Float[Tensor, "batch time feature"]:
    """What each step finds among the first ``limit`` steps of its clip, by the weights of ``attention``.

    Args:
        attention: self-attention with biases, batch first; its dropout applies in training.
        steps: queries, keys and values.
        limit: how many steps are seen: 1 or more.
    """
    projected = F.linear(steps, attention.in_proj_weight, attention.in_proj_bias)
    by_head = projected.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)  # type: ignore[no-untyped-call]
    query, key, value = by_head.unbind()
    if attention.training and attention.dropout:
        attended = prefix_attention(query, key, value, limit.expand(-1, steps.shape[1]), attention.dropout)
    else:
        attended = F.scaled_dot_product_attention(query, key, value, _seen(limit, steps))
    found: Tensor = attention.out_proj(attended.transpose(1, 2).flatten(2))
    return found


def _seen(limit: Int[Tensor, "#batch 1"], steps: Tensor) -> Bool[Tensor, "#batch 1 1 time"] | None:
    """Which steps are seen, as torch's attention wants to hear it; None is all."""
    if limit.is_cpu and int(limit.min()) >= steps.shape[1]:
        return None
    return (torch.arange(steps.shape[1], device=steps.device) < limit)[:, None, None]


class StepLayer(nn.Module):
    """x + attention(LN(x)), then x + feed-forward(LN(x)) with GELU inside, four times as wide.

    Args:
        dim: width.
        heads: attention heads; must divide ``dim``.
        dropout: of the attention weights, inside the feed-forward part and of what each part adds, in [0, 1).
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.self_attn = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.linear1 = nn.Linear(dim, 4 * dim)
        self.linear2 = nn.Linear(4 * dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(
        self, steps: Float[Tensor, "batch time feature"], limit: Int[Tensor, "#batch 1"]
    ) -> Float[Tensor, "batch time feature"]:
        """Each step in the light of the first ``limit`` of its clip."""
        steps = steps + self._dropped(self_attention(self.self_attn, self.norm1(steps), limit))
        hidden = self._dropped(F.gelu(self.linear1(self.norm2(steps))))
        return steps + self._dropped(self.linear2(hidden))

    def _dropped(self, values: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch time feature"]:
        return dropped(values, self.dropout, self.training)
