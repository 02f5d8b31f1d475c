"""Attention with heads of any width over normalised steps, as ALMT uses it, without a key or value for each step.

Published implementations project every step to keys and values of heads x head_dim features (512 from 128) and only
then compare them with the few tokens that ask. The same numbers come from taking the projections over to the side
that asks, of which there is little: with n_j the normalised step and LN_k, LN_v its affine parts,

    q . W_k (g_k * n_j)  =  (g_k * W_k^T q) . n_j        and        sum_j a_j W_v (g_v * n_j + b_v)  =
    W_v (g_v * sum_j a_j n_j + b_v),   since the weights a_j of one query sum to 1.

All heads then read the same n_j: heads x tokens queries of width ``dim`` attend to one shared sequence. For 8 tokens,
8 heads of 64 and width 128, this is an eighth of the arithmetic, and no tensor of time x 512 is ever made. The bias of
LN_k adds the same to all scores of a query, which softmax does not see: it has no parameter here.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class WideAttention(nn.Module):
    """W_o softmax(q k^T / sqrt(head_dim)) v, with q = W_q LN_q(x), k = W_k LN_k(y), v = W_v LN_v(y).

    Args:
        dim: width of what asks, of what is read and of the answer.
        heads: number of heads.
        head_dim: width of each head; heads x head_dim need not be ``dim``.
        dropout: of the answer, in [0, 1).
    """

    def __init__(self, dim: int, heads: int, head_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.scale = head_dim**-0.5
        self.norm_query = nn.LayerNorm(dim)
        self.norm_key = nn.LayerNorm(dim, bias=False)
        self.norm_value = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, heads * head_dim, bias=False)
        self.key = nn.Linear(dim, heads * head_dim, bias=False)
        self.value = nn.Linear(dim, heads * head_dim, bias=False)
        self.out = nn.Linear(heads * head_dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        asking: Float[Tensor, "#batch token feature"],
        read: Float[Tensor, "batch time feature"],
        valid: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch token feature"]:
        """What each token finds; one clip's tokens may ask for all clips.

        Args:
            asking: x.
            read: y.
            valid: which steps of y are attended, at least one of each clip; None is all.
        """
        batch, num_tokens, dim = len(read), asking.shape[1], read.shape[2]
        steps = F.layer_norm(read, (dim,), eps=self.norm_key.eps).unsqueeze(1)
        asked: Tensor = self.query(self.norm_query(asking))
        queries = torch.einsum("btho,hof->bhtf", asked.view(*asked.shape[:2], self.heads, -1), self._by_head(self.key))
        queries = (queries * (self.norm_key.weight * self.scale)).flatten(1, 2).unsqueeze(1).expand(batch, -1, -1, -1)
        mask = None if valid is None else valid[:, None, None, :].expand(-1, -1, queries.shape[2], -1)
        means = F.scaled_dot_product_attention(queries, steps, steps, mask, scale=1.0)
        means = torch.addcmul(self.norm_value.bias, means.squeeze(1), self.norm_value.weight)
        means = means.view(batch, self.heads, num_tokens, dim)
        values = torch.einsum("bhtf,hof->btho", means, self._by_head(self.value))
        answer: Tensor = self.dropout(self.out(values.flatten(2)))
        return answer

    def _by_head(self, projection: nn.Linear) -> Float[Tensor, "head out_feature feature"]:
        """A projection's weights, head by head."""
        return projection.weight.view(self.heads, -1, projection.in_features)


class WideLayer(nn.Module):
    """Pre-norm Transformer layer: x + attention(x, y), then x + feed-forward(LN(x)).

    Args:
        dim: width.
        heads: attention heads.
        head_dim: width of each.
        hidden: width inside the feed-forward part.
        dropout: after attention and after each linear map of the feed-forward part, in [0, 1).
    """

    def __init__(self, dim: int, heads: int, head_dim: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = WideAttention(dim, heads, head_dim, dropout)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
            nn.Dropout(dropout),
        )

    def forward(
        self,
        asking: Float[Tensor, "#batch token feature"],
        read: Float[Tensor, "batch time feature"],
        valid: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch token feature"]:
        """``asking`` in the light of ``read``; the same twice is self-attention."""
        attended = asking + self.attention(asking, read, valid)
        layered: Tensor = attended + self.feedforward(attended)
        return layered
