"""Keyframe-aware masking: drop the frames that their neighbours make redundant (S2LIF, Appendix A, Eq. 20-23).

Paper -> here: M^local, M^global -> local_difference, context; pi -> probability; D -> kept; x~ -> values.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.nn.step_layer import self_attention
from msadg.nn.valid_front import ValidFront


class KeyframeSelection(NamedTuple):
    """What keyframe masking makes of a batch of frame sequences."""

    values: Float[Tensor, "batch time feature"]
    """x~ = x * D: dropped frames are 0."""
    valid: Bool[Tensor, "batch time"]
    """Frames that were valid and are kept; at least one in each clip that had any."""
    probability: Float[Tensor, "batch time"]
    """pi of keeping each frame, in (0, 1); meaningless where the frame was not valid."""


def local_difference(
    frames: Float[Tensor, "batch time feature"], count: Int[Tensor, "batch 1"], stride: int
) -> Float[Tensor, "batch time feature"]:
    """Mean of the ``stride`` frames before and the ``stride`` after each frame, less the frame itself (Eq. 20).

    The first ``count`` frames of each clip are valid, neighbours are valid frames, and the first and the last of them
    is repeated beyond the ends. What is returned of other frames means nothing.
    """
    time = frames.shape[1]
    is_valid = (torch.arange(time, device=frames.device) < count).unsqueeze(-1)
    last = frames[torch.arange(len(frames), device=frames.device), (count[:, 0] - 1).clamp_min(0)].unsqueeze(1)
    before, after = frames[:, :1].expand(-1, stride, -1), last.expand(-1, stride, -1)
    padded = torch.cat([before, torch.where(is_valid, frames, last), after], dim=1)
    neighbours = [padded[:, at : at + time] for at in range(2 * stride + 1) if at != stride]
    return sum(neighbours[1:], start=neighbours[0]) / (2 * stride) - frames


class KeyframeMask(nn.Module):
    """Decide frame by frame, from its local and global neighbours, whether it is kept.

    Training samples the decision by a straight-through Gumbel-softmax; evaluation takes the likelier side. A clip
    never loses all its frames: if every frame would go, the likeliest is kept.

    Args:
        dim: width of the frames.
        heads: heads of the global attention; must divide ``dim``.
        stride: k, neighbours on each side of the local difference.
        temperature: of the Gumbel-softmax.
    """

    def __init__(self, dim: int, heads: int = 4, stride: int = 2, temperature: float = 1.0) -> None:
        super().__init__()
        self.stride = stride
        self.temperature = temperature
        self.context = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.decide = nn.Sequential(nn.Linear(2 * dim, dim), nn.GELU(), nn.Linear(dim, 2))
        self.summary = nn.GRU(dim, dim, batch_first=True)

    def logits(
        self, frames: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time 2"]:
        """Scores of dropping (index 0) and keeping (index 1) each valid frame (Eq. 22, before the softmax)."""
        front = ValidFront(valid)
        compact = front.gather(frames)
        near = local_difference(compact, front.count, self.stride)
        far = self_attention(self.context, compact, front.count.clamp_min(1))
        return front.scatter(self.decide(torch.cat([near, far], dim=-1)))

    def forward(
        self, frames: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> KeyframeSelection:
        """Drop frames; dropped ones become invalid steps."""
        logits = self.logits(frames, valid)
        probability = logits.softmax(dim=-1)[..., 1]
        if self.training:
            decision = F.gumbel_softmax(logits, tau=self.temperature, hard=True)[..., 1]
        else:
            decision = (logits[..., 1] >= logits[..., 0]).to(frames.dtype)
        decision = decision * valid.to(frames.dtype)
        kept = decision.detach() > 0.5
        likeliest = probability.detach().masked_fill(~valid, -1.0).argmax(dim=1)
        rescued = F.one_hot(likeliest, frames.shape[1]).bool() & ~kept.any(dim=1, keepdim=True) & valid
        decision = torch.where(rescued, 1 + probability - probability.detach(), decision)
        return KeyframeSelection(frames * decision.unsqueeze(-1), kept | rescued, probability)

    def reconstruction(
        self,
        frames: Float[Tensor, "batch time feature"],
        kept: Float[Tensor, "batch time feature"],
        valid: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, ""]:
        """L_recon (Eq. 23): mean over clips of || GRU(x) - GRU(x~) ||_2, final states of one GRU.

        The GRU reads the valid frames; in x~ the dropped ones among them are 0. Clips without frames count as 0.
        """
        front = ValidFront(valid)
        states: Tensor = self.summary(torch.cat([front.gather(frames), front.gather(kept)]))[0]
        last = (front.count[:, 0] - 1).clamp_min(0).repeat(2)
        final = states[torch.arange(len(states), device=states.device), last]
        distance: Tensor = torch.linalg.vector_norm(final[: len(frames)] - final[len(frames) :], dim=-1)
        loss: Tensor = (distance * valid.any(dim=1)).mean()
        return loss
