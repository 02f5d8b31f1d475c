"""What a method says once some of a clip's steps, or of its learned features, are gone: the model itself is run again.

A deleted step is one that was not observed: it is invalid, and nothing attends to it. A deleted feature is 0 at every
step, behind the encoder (and the mask, where there is one) and before the steps are fused: as a mask rejects it. Of a
method that reads its inputs directly, it is an input feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msadg.methods.method import Method
from msadg.methods.s2lif import S2LIF
from msadg.methods.wrapped import Wrapped
from msadg.nn.encoder import Projector, StepEncoder, StepTransformer
from msadg.nn.keyframes import KeyframeMask
from msadg.types import Batch, Steps

STAGES = (StepEncoder, Projector, StepTransformer, KeyframeMask)
"""What takes the time, and depends on nothing but what it is given."""


def steps_deleted(batch: Batch, modality: str, gone: Bool[Tensor, "batch time"]) -> Batch:
    """The batch without some steps of a modality."""
    steps = batch.steps[modality]
    left = Steps(steps.values.masked_fill(gone.unsqueeze(-1), 0), steps.valid & ~gone)
    return replace(batch, steps={**batch.steps, modality: left})


@torch.no_grad()
def logits_without_features(
    method: Method, batch: Batch, modality: str, gone: Bool[Tensor, "batch feature"]
) -> Float[Tensor, "batch output"]:
    """What the method says without some of the features that its ``evidence`` is of, clip by clip.

    Args:
        method: that has evidence.
        batch: of any clips.
        modality: whose features they are.
        gone: which, of each clip.
    """
    inner = unwrapped(method)
    if inner.reads_inputs_directly:
        steps = batch.steps[modality]
        left = Steps(torch.where(gone.unsqueeze(1), inner.neutral_input(modality), steps.values), steps.valid)
        return _logits(method, replace(batch, steps={**batch.steps, modality: left}))
    with _zeroed(_last_before_fusion(inner, modality), gone):
        return _logits(method, batch)


def unwrapped(method: Method) -> Method:
    """The method inside all additions."""
    while isinstance(method, Wrapped):
        method = method.inner
    return method


@contextmanager
def remembered(method: Method) -> Iterator[None]:
    """While this lasts, an encoder that is given the very tensors of its first call answers as it did then.

    What is deleted in one modality, or behind the encoders, need not be paid for in all of them. The method must not
    change meanwhile.
    """
    stages = [module for module in unwrapped(method).modules() if isinstance(module, STAGES)]
    for module in stages:
        module.__dict__["forward"] = _remembering(module.forward)
    try:
        yield
    finally:
        for module in stages:
            del module.__dict__["forward"]


def _remembering(forward: Callable[..., Any]) -> Callable[..., Any]:
    first: list[tuple[tuple[Any, ...], Any]] = []

    def answer(*inputs: Any) -> Any:
        if first and len(inputs) == len(first[0][0]) and all(a is b for a, b in zip(inputs, first[0][0], strict=True)):
            return first[0][1]
        output = forward(*inputs)
        if not first:
            first.append((inputs, output))
        return output

    return answer


def _last_before_fusion(inner: Method, modality: str) -> nn.Module:
    """The module whose output is summed over steps into the logits."""
    return inner.masks[modality] if isinstance(inner, S2LIF) else inner.encoders[modality]


@contextmanager
def _zeroed(module: nn.Module, gone: Bool[Tensor, "batch feature"]) -> Iterator[None]:
    """While this lasts, some features of the module's output are 0."""

    def zero(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output.masked_fill(gone.unsqueeze(1), 0)

    handle = module.register_forward_hook(zero)
    try:
        yield
    finally:
        handle.remove()


def _logits(method: Method, batch: Batch) -> Float[Tensor, "batch output"]:
    prediction = method(batch)
    logits: Tensor = prediction.logits
    return logits
