"""Attention in which each query sees the first keys of its clip, up to a number of its own.

A clip's length and causality are both such a number. Scores of 500 steps against 500 are what takes the time and the
memory of a Transformer on audio and video, and with heads of 6 or 12 features a score costs little arithmetic but many
passes over memory. On a processor they are therefore made, used and forgotten in blocks that stay in its cache, once
forwards and once again backwards; keys that a whole block does not see are left out; and chance for dropout is drawn by
the byte (``nn/dropout.py``). On an accelerator, torch's own attention does the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from msadg.nn.dropout import drawn_bytes, drop_level, keep_share

BLOCK_SCORES = 1_000_000
"""How many scores a block has at most, if a single row of one clip has no more: four megabytes. In smaller ones, two
threads wait for each other more than they save."""

BLOCK_ROWS = 128
"""How many queries a block has at most; fewer leave out more keys that none of them sees."""


def prefix_attention(
    query: Float[Tensor, "batch head time feature"],
    key: Float[Tensor, "batch head other_time feature"],
    value: Float[Tensor, "batch head other_time feature"],
    limit: Int[Tensor, "#batch time"],
    dropout: int | float = 0.0,
) -> Float[Tensor, "batch head time feature"]:
    """Softmax(q k^T / sqrt(feature)) v over the keys that each query sees.

    Args:
        query: q.
        key: k.
        value: v.
        limit: how many keys each query sees, from the first on: 1 or more.
        dropout: of the attention weights.
    """
    if query.is_cpu:
        if (limit == limit[:1]).all():
            limit = limit[:1]
        attended: Tensor = _BlockedAttention.apply(query, key, value, limit, drop_level(dropout))  # type: ignore[no-untyped-call]
        return attended
    seen = torch.arange(key.shape[2], device=key.device) < limit[:, None, :, None]
    return F.scaled_dot_product_attention(query, key, value, seen, dropout)


@dataclass(frozen=True)
class _Block:
    """Some queries of some clips, and the keys that at least one of them sees."""

    clips: slice
    rows: slice
    limit: Tensor
    seen_by_all: int
    seen: int


def _blocks(limit: Tensor, batch: int, heads: int, num_keys: int) -> Iterator[_Block]:
    num_rows = limit.shape[1]
    rows = max(1, min(BLOCK_ROWS, BLOCK_SCORES // (heads * num_keys)))
    for start in range(0, num_rows, rows):
        here = slice(start, min(start + rows, num_rows))
        of_rows = limit[:, here]
        lowest, highest = of_rows.amin(dim=1).tolist(), of_rows.amax(dim=1).tolist()
        size = max(1, BLOCK_SCORES // ((here.stop - start) * heads * max(highest)))
        for first in range(0, batch, size):
            clips = slice(first, min(first + size, batch))
            mine = clips if len(of_rows) > 1 else slice(0, 1)
            yield _Block(clips, here, of_rows[mine], min(lowest[mine]), max(highest[mine]))


def _weights(query: Tensor, key: Tensor, block: _Block, heads: int) -> Tensor:
    """Softmax of a block's scores; queries and keys of all its heads, one after the other."""
    scores = torch.bmm(query, key.transpose(1, 2))
    if block.seen_by_all < block.seen:
        position = torch.arange(block.seen_by_all, block.seen)
        hidden = torch.where(position < block.limit[:, None, :, None], 0.0, -torch.inf).to(scores.dtype)
        scores.view(-1, heads, *scores.shape[1:])[..., block.seen_by_all :].add_(hidden)
    return torch.softmax(scores, dim=-1)


def _rows_of(values: Tensor, block: _Block) -> Tensor:
    return values[block.clips, :, block.rows].flatten(0, 1)


def _keys_of(values: Tensor, block: _Block) -> Tensor:
    return values[block.clips, :, : block.seen].flatten(0, 1)


def _by_clip(values: Tensor, heads: int) -> Tensor:
    return values.view(-1, heads, *values.shape[1:])


class _BlockedAttention(torch.autograd.Function):
    """Products are written so that the long axis is the last of the result: twice as fast, with heads this narrow."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, limit: Tensor, level: int) -> Tensor:
        batch, heads, _, width = query.shape
        # With every head's steps next to each other, a block of one clip is a view.
        query, key, value = (query * width**-0.5).contiguous(), key.contiguous(), value.contiguous()
        attended = torch.empty(query.shape, dtype=query.dtype)
        drawn = []
        for block in _blocks(limit, batch, heads, key.shape[2]):
            weights = _weights(_rows_of(query, block), _keys_of(key, block), block, heads)
            if level:
                drawn.append(drawn_bytes(*weights.shape))
                weights.mul_(torch.ge(drawn[-1], level, out=torch.empty_like(weights)))
            found = torch.bmm(_keys_of(value, block).transpose(1, 2), weights.transpose(1, 2))
            attended[block.clips, :, block.rows] = _by_clip(found, heads).transpose(2, 3)
        if level:
            attended.div_(keep_share(level))
        ctx.save_for_backward(query, key, value, limit, attended, *drawn)
        ctx.level = level
        return attended

    @staticmethod
    @torch.autograd.function.once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:  # type: ignore[override]
        query, key, value, limit, attended, *drawn = ctx.saved_tensors
        batch, heads, _, width = query.shape
        # dS = P * (K * dP - D), where K is what dropout kept, over its share, and D = sum over features of dO * O.
        mean = (gradient * attended).sum(dim=-1, keepdim=True)
        gradient = (gradient / keep_share(ctx.level)).contiguous()
        to_query = torch.empty_like(query)
        to_key, to_value = (values.new_zeros(values.transpose(2, 3).shape) for values in (key, value))
        for number, block in enumerate(_blocks(limit, batch, heads, key.shape[2])):
            rows, keys = _rows_of(query, block), _keys_of(key, block)
            slopes, means = _rows_of(gradient, block), _rows_of(mean, block)
            weights = _weights(rows, keys, block, heads)
            to_scores = torch.bmm(slopes, _keys_of(value, block).transpose(1, 2))
            if ctx.level:
                kept = torch.ge(drawn[number], ctx.level, out=torch.empty_like(weights)).mul_(weights)
                to_scores.mul_(kept).addcmul_(weights, means, value=-1)
            else:
                kept = weights
                to_scores.sub_(means).mul_(weights)
            found = torch.bmm(keys.transpose(1, 2), to_scores.transpose(1, 2))
            to_query[block.clips, :, block.rows] = _by_clip(found, heads).transpose(2, 3)
            for total, left, right in ((to_key, rows, to_scores), (to_value, slopes, kept)):
                total[block.clips, :, :, : block.seen] += _by_clip(torch.bmm(left.transpose(1, 2), right), heads)
        return to_query * width**-0.5, to_key.transpose(2, 3), to_value.transpose(2, 3), None, None
