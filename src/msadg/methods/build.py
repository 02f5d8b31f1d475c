"""From names and plain settings to a method: its class, what is added to it, and a trained text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from msadg.errors import SettingsError
from msadg.methods import load_method
from msadg.methods.finetuned import FineTuneConfig, FineTuned
from msadg.methods.masked import Masked, MaskedConfig
from msadg.methods.method import Method
from msadg.methods.task import CLASSIFICATION, Task
from msadg.methods.varied import Varied, VariedConfig
from msadg.nn.seeds import derive_seed
from msadg.settings import settings_from


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """What determines a method before it has seen data."""

    name: str
    """A name in ``METHODS``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of its ``Config``."""
    mask: Mapping[str, Any] | None = None
    """Of ``MaskedConfig``; None adds no mask."""
    variation: Mapping[str, Any] | None = None
    """Of ``VariedConfig``; None adds no sequential variation regularisation."""
    finetune: Mapping[str, Any] | None = None
    """Of ``FineTuneConfig``; None keeps the text encoder frozen, out of the method."""


def build_method(
    spec: MethodSpec,
    feature_dims: Mapping[str, int],
    seed: int,
    encoder: nn.Module | None = None,
    task: Task = CLASSIFICATION,
) -> Method:
    """Build a method with the weights that belong to a seed.

    Args:
        spec: which method.
        feature_dims: width of each modality's features; for a trained text encoder, its hidden width.
        seed: of the initial weights; the caller's random state is left as it is.
        encoder: the text encoder to train, where ``spec.finetune`` is given.
        task: what is predicted.

    Raises:
        UnknownNameError: no such method.
        SettingsError: settings that the method does not have or cannot take.
        UsageError: a combination that cannot be, such as a mask on the constant classifier.
    """
    kind: Any = load_method(spec.name)
    config: Any = settings_from(kind.Config, spec.settings, where=f"settings of {spec.name}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights"))
        try:
            method: Method = kind(config, feature_dims, task)
        except (
            AssertionError,
            ValueError,
        ) as error:  # torch's own words: heads do not divide dim
            raise SettingsError(f"settings of {spec.name}: {error}") from None
        if spec.mask is not None:
            mask = settings_from(MaskedConfig, spec.mask, where="settings of +mask")
            method = Masked(method, mask, dim=getattr(config, "dim", 0))
        if spec.variation is not None:
            variation = settings_from(VariedConfig, spec.variation, where="settings of +sv")
            method = Varied(method, variation)
        if spec.finetune is not None:
            assert encoder is not None, "fine-tuning needs an encoder"
            finetune = settings_from(FineTuneConfig, spec.finetune, where="settings of fine-tuning")
            method = FineTuned(method, encoder, finetune)
    return method
