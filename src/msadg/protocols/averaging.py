"""The running mean of a method's weights: what is scored, selected and kept where ``training.averaging`` asks for it.

Reference: Polyak, Juditsky. "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 1992; for
generalisation to unseen domains, Arpit et al., "Ensemble of Averages", NeurIPS 2022 (arXiv 2110.10832), and Cha et al.,
"SWAD", NeurIPS 2021. The mean begins as the weights after the first step (t = 0); after each later step t,

    mean <- mean + (1 - beta_t) (weights - mean),   beta_t = min(decay, (1 + t) / (10 + t))

so that it forgets the first weights quickly. Buffers are those of the latest weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from msadg.methods.method import Method


class RunningMean:
    """A method beside another whose weights it follows.

    Args:
        method: it begins with the weights of this one.
        decay: beta at the end, in [0, 1).
    """

    def __init__(self, method: Method, decay: float) -> None:
        self._averaged = AveragedModel(method, multi_avg_fn=self._approach)
        self._decay = decay
        self._still: set[int] = set()
        """Where weights lie that do not move, and so are their own mean: most of a partly frozen encoder's."""

    @property
    def method(self) -> Method:
        """With the mean weights."""
        method: Method = self._averaged.module  # type: ignore[assignment]
        return method

    def update(self, method: Method) -> None:
        """Follow the weights after an optimiser step."""
        _fit_buffers(self.method, method)
        self._still = {weight.data_ptr() for weight in method.parameters() if not weight.requires_grad}
        self._averaged.update_parameters(method)

    def state_dict(self) -> dict[str, Tensor]:
        """All that is needed to go on."""
        return dict(self._averaged.state_dict())

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a saved mean."""
        self._averaged.load_state_dict(tensors)

    @torch.no_grad()
    def _approach(self, means: Sequence[Tensor], weights: Sequence[Tensor], num_averaged: Tensor | int) -> None:
        step = int(num_averaged)
        moving = [place for place, weight in enumerate(weights) if weight.data_ptr() not in self._still]
        beta = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([means[place] for place in moving], [weights[place] for place in moving], 1 - beta)


def _fit_buffers(ours: Method, theirs: Method) -> None:
    """Give a method's buffers the shapes of another's: Group DRO learns as it trains how many domains there are."""
    for here, there in zip(ours.modules(), theirs.modules(), strict=True):
        for name, buffer in there.named_buffers(recurse=False):
            if getattr(here, name).shape != buffer.shape:
                setattr(here, name, buffer.clone())
