"""Several processes train one run: each predicts its share of a batch, and all know what the others said of theirs.

The loss is then asked of the whole batch, in every process, as on one device. So any loss is exact, also one that
compares domains or reads statistics over the batch. Gradients are averaged over the processes. What the loss reads
directly (a mask's threshold) has the same gradient in each. What it reads through the prediction has a gradient only
for the process's own clips, the others' answers being given numbers; that gradient is multiplied by the number of
processes, so that the mean over them is the sum over clips.

The library's wrapper for distributed models is not used: it would average losses of shares, which is another loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msadg.methods.method import Method
from msadg.types import Batch, Prediction, Steps

T = TypeVar("T")


@runtime_checkable
class Channel(Protocol):
    """What is needed of Fabric to talk to the other processes."""

    @property
    def global_rank(self) -> int:
        """Number of this process, from 0."""
        ...

    @property
    def world_size(self) -> int:
        """How many there are."""
        ...

    def all_reduce(self, data: Tensor, group: Any = None, reduce_op: str = "mean") -> Any:
        """The sum or the mean over all processes, in each of them."""
        ...

    def broadcast(self, obj: T, src: int = 0) -> T:
        """What the first process has."""
        ...


class _Louder(torch.autograd.Function):
    """The same numbers, with so many times the gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, times: int) -> Tensor:
        ctx.times = times
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.times, None


class Crew:
    """One of the processes of a run.

    Args:
        channel: to the others: a launched ``Fabric``.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rank, self.size = channel.global_rank, channel.world_size

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that scores, writes and reports."""
        return self.rank == 0

    def from_first(self, work: Callable[[], T]) -> T:
        """Let the first process do something, and return in all what came of it."""
        return self.channel.broadcast(work() if self.is_first else None)  # type: ignore[return-value]

    def share_of(self, num_clips: int) -> slice:
        """The clips of a batch that are this process's; shares differ by one at most, and may be empty."""
        return slice(num_clips * self.rank // self.size, num_clips * (self.rank + 1) // self.size)

    def predict(self, method: Method, batch: Batch) -> Prediction:
        """What the processes together say of a batch, with the gradient of this one's share.

        Padding is the whole batch's, so that lengths agree. Each tensor of the prediction has a row for each clip, or
        is a mean over the clips.
        """
        share = self.share_of(len(batch))
        # An empty share is stood in for by a clip of which no row is taken.
        said = method(clips_of(batch, share if share.start < share.stop else slice(0, 1)))
        return Prediction(
            self._whole(said.logits, share, len(batch)),
            {name: self._whole(value, share, len(batch)) for name, value in said.auxiliary.items()},
        )

    def _whole(self, said: Tensor, share: slice, num_clips: int) -> Tensor:
        number = share.stop - share.start
        if said.ndim == 0:
            own = said * (number / num_clips)
            others: Tensor = self._sum(own.detach()) - own.detach()
            return others.add(self._louder(own))
        own = said[:number]
        rows = said.new_zeros(num_clips, *said.shape[1:])
        rows[share] = own.detach()
        rows = self._sum(rows)
        if not own.requires_grad:
            return rows
        return torch.cat([rows[: share.start], self._louder(own), rows[share.stop :]])

    def _louder(self, own: Tensor) -> Tensor:
        loud: Tensor = _Louder.apply(own, self.size)  # type: ignore[no-untyped-call]
        return loud

    def _sum(self, values: Tensor) -> Tensor:
        """Over the processes; exact for rows that all but one have as zeros."""
        at_least = torch.float32 if values.is_floating_point() else torch.int32
        sent = values.to(torch.promote_types(values.dtype, at_least)).contiguous()
        total: Tensor = self.channel.all_reduce(sent, reduce_op="sum")
        return total.to(values.dtype)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give each parameter the mean of its gradients; one that has none in any process keeps none."""
        moving = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in moving]
        has_one = torch.tensor([float(p.grad is not None) for p in moving], device=moving[0].device)
        sent: Float[Tensor, " entry"] = torch.cat([has_one, *(gradient.reshape(-1) for gradient in gradients)])
        mean = self.channel.all_reduce(sent, reduce_op="mean")
        parts = mean[len(moving) :].split([gradient.numel() for gradient in gradients])
        for parameter, share, part in zip(moving, mean[: len(moving)].tolist(), parts, strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype) if share > 0 else None

    def agree(self, method: Method) -> None:
        """Take over the first process's buffers: what a loss keeps may differ in its last bits between devices."""
        parameters = {name for name, _ in method.named_parameters()}
        method.load_state_dict(
            self.from_first(lambda: {n: v.cpu() for n, v in method.state_dict().items() if n not in parameters}),
            strict=False,
        )


def clips_of(batch: Batch, chosen: slice) -> Batch:
    """Some clips of a batch, padded as they were."""
    return replace(
        batch,
        clip_ids=batch.clip_ids[chosen],
        steps={m: Steps(steps.values[chosen], steps.valid[chosen]) for m, steps in batch.steps.items()},
        sentiment=batch.sentiment[chosen],
        polarity=batch.polarity[chosen],
        domain=batch.domain[chosen],
    )
