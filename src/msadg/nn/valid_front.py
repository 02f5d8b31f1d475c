"""Valid steps to the front of each clip, and back: what lies between then works on prefixes, and on fewer steps."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msadg.nn.steps import compact_order


class ValidFront:
    """Where each clip's valid steps lie.

    Args:
        valid: which steps are valid.
    """

    count: Int[Tensor, "batch 1"]
    """How many each clip has."""

    def __init__(self, valid: Bool[Tensor, "batch time"]) -> None:
        self.valid = valid
        self.count = valid.sum(dim=1, keepdim=True)
        self._order: Tensor | None = None
        time = valid.shape[1]
        # On an accelerator, to ask is to wait for it.
        longest = max(int(self.count.max()), 1) if valid.is_cpu else time
        is_front = valid.is_cpu and bool((valid == (torch.arange(time) < self.count)).all())
        if not is_front or longest < time:
            self._order = compact_order(valid)[:, :longest]

    def gather(self, values: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch longest feature"]:
        """The valid steps of each clip in their order, then others; as many as the longest clip has of them."""
        if self._order is None:
            return values
        return values.gather(1, self._order.unsqueeze(-1).expand(-1, -1, values.shape[2]))

    def scatter(self, values: Float[Tensor, "batch longest feature"]) -> Float[Tensor, "batch time feature"]:
        """Undo ``gather``, with 0 at invalid steps."""
        front = torch.arange(values.shape[1], device=values.device) < self.count
        values = values * front.unsqueeze(-1).to(values.dtype)
        if self._order is None:
            return values
        index = self._order.unsqueeze(-1).expand_as(values)
        return values.new_zeros(*self.valid.shape, values.shape[2]).scatter(1, index, values)
