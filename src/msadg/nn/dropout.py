"""Dropout that draws one byte of chance for each number, where a processor's own draws dominate everything else.

torch draws chance on a processor number by number, in one thread: 7 ns each, ten times what the arithmetic on that
number takes. Eight numbers out of one draw of 64 bits cost 0.5 ns each. A byte knows 256 levels, so that the rate is
rounded to a multiple of 1/256, and what stays is scaled by exactly what that leaves: the expectation is the input.
On an accelerator, torch's own dropout is used.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

LEVELS = 256


def drop_level(dropout: int | float) -> int:
    """How many of the 256 values of a byte stand for a dropped number."""
    return min(round(LEVELS * dropout), LEVELS - 1)


def keep_share(level: int) -> float:
    """Share of the numbers that stay."""
    return 1 - level / LEVELS


def drawn_bytes(*shape: int) -> UInt8[Tensor, "*axes"]:
    """Independent uniform bytes, from torch's own random state."""
    count = torch.Size(shape).numel()
    words = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.uint8)[:count].view(shape)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, level: int) -> Tensor:
        drawn = drawn_bytes(*values.shape)
        ctx.save_for_backward(drawn)
        ctx.level = level
        return _kept(values, drawn, level)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _kept(gradient, ctx.saved_tensors[0], ctx.level), None


def _kept(values: Tensor, drawn: Tensor, level: int) -> Tensor:
    kept = torch.ge(drawn, level, out=torch.empty_like(values, memory_format=torch.contiguous_format))
    return kept.mul_(values).div_(keep_share(level))


class _ReluDropout(torch.autograd.Function):
    """What comes out tells by its zeros what was dropped and what was negative: nothing else need be kept."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, level: int) -> Tensor:
        kept = torch.relu(values)
        if level:
            kept = _kept(kept, drawn_bytes(*values.shape), level)
        ctx.save_for_backward(kept)
        ctx.level = level
        return kept

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        kept = ctx.saved_tensors[0]
        return torch.gt(kept, 0, out=torch.empty_like(kept)).mul_(gradient).div_(keep_share(ctx.level)), None


def dropped(values: Float[Tensor, "*axes"], dropout: int | float, training: bool) -> Float[Tensor, "*axes"]:
    """Each number 0 with probability ``dropout``, else scaled up, in training; as it is otherwise."""
    if not (training and dropout):
        return values
    if not values.is_cpu:
        return F.dropout(values, dropout)
    kept: Tensor = _Dropout.apply(values, drop_level(dropout))  # type: ignore[no-untyped-call]
    return kept


def relu_dropped(values: Float[Tensor, "*axes"], dropout: int | float, training: bool) -> Float[Tensor, "*axes"]:
    """``dropped(relu(values))``; of which training keeps the result alone."""
    if not values.is_cpu:
        return F.dropout(F.relu(values), dropout, training)
    kept: Tensor = _ReluDropout.apply(values, drop_level(dropout) if training else 0)  # type: ignore[no-untyped-call]
    return kept
