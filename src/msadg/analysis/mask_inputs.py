"""What the feature masks of a method are given while it runs: the features before anything is rejected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def mask_inputs(masks: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """By modality, what its mask was given last; filled anew by each batch as long as this lasts."""
    given: dict[str, Tensor] = {}

    def keeping(modality: str) -> Any:
        def keep(_mask: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            given[modality] = inputs[0]

        return keep

    handles = [mask.register_forward_pre_hook(keeping(modality)) for modality, mask in masks.items()]
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()
