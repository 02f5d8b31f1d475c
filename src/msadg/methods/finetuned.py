"""A method whose text encoder is trained with it: token ids in, the encoder's hidden states to the method.

Works for every method. Frozen features are computed once and stored instead (``msadg extract``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msadg.errors import UsageError
from msadg.methods.method import ClosedForm, Method, Phase
from msadg.methods.wrapped import Wrapped
from msadg.nn.steps import attendable
from msadg.settings import require
from msadg.types import Batch, Prediction, Steps


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """Settings of a text encoder that is trained."""

    learning_rate_ratio: float = 0.1
    """Learning rate of the encoder over that of the rest."""
    frozen_layers: int = 0
    """The embeddings and this many of the first layers stay as they are; 0 trains everything."""
    gradient_checkpointing: bool = False
    """Recompute activations instead of keeping them: less memory, about a third slower."""
    bfloat16: bool = False
    """The encoder multiplies in bfloat16, in training and in scoring; its weights, and all else, keep full precision.
    Faster where the processor has such products (AVX512-BF16, AMX, GPUs), slower elsewhere. A clip's prediction then
    depends in its third digit on how far it is padded."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        require("learning_rate_ratio", self.learning_rate_ratio, at_least=0)
        require("frozen_layers", self.frozen_layers, at_least=0)


LAYERS = ("encoder.layer", "transformer.layer", "layers")
"""Where encoders keep their layers: BERT and its like, DistilBERT, ModernBERT."""


def _parts_of(encoder: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
    """Its embeddings and its layers, first to last."""
    parts = dict(encoder.named_modules())
    for place in LAYERS:
        if "embeddings" in parts and isinstance(layers := parts.get(place), nn.ModuleList):
            return parts["embeddings"], list(layers)
    raise UsageError(
        f"{type(encoder).__name__} keeps no layers by themselves ({', '.join(LAYERS)}), so none can be frozen; train "
        "all of it (frozen_layers = 0)"
    )


class FineTuned(Wrapped):
    """Another method behind a trainable text encoder.

    Args:
        inner: built for text features of the encoder's width.
        encoder: a Hugging Face encoder (``extraction.text.load_encoder``).
        config: how it is trained.

    Raises:
        UsageError: the method has no gradient, or fewer layers exist than are to be frozen.
    """

    def __init__(self, inner: Method, encoder: nn.Module, config: FineTuneConfig) -> None:
        super().__init__(inner)
        if isinstance(inner, ClosedForm):
            raise UsageError(f"{inner.name} is not trained by gradient, so its text encoder cannot be fine-tuned")
        self.text_encoder = encoder
        self.config = config
        self._freeze(config.frozen_layers)
        if config.gradient_checkpointing:
            encoder.gradient_checkpointing_enable()  # type: ignore[operator]

    def _freeze(self, num_layers: int) -> None:
        if num_layers == 0:
            return
        embeddings, layers = _parts_of(self.text_encoder)
        if num_layers > len(layers):
            raise UsageError(f"the text encoder has {len(layers)} layers, so {num_layers} cannot be frozen")
        for module in (embeddings, *layers[:num_layers]):
            module.requires_grad_(False)

    def encoded(self, batch: Batch) -> Batch:
        """The batch with its token ids replaced by the encoder's last hidden states."""
        tokens = batch.steps["text"]
        ids = tokens.values[..., 0].long()
        # A clip without text attends to a token that is then zeroed: attention over nothing may be NaN.
        attended = attendable(tokens.valid).long()
        rounded = torch.autocast(ids.device.type, torch.bfloat16) if self.config.bfloat16 else nullcontext()
        with rounded:
            states: Tensor = self.text_encoder(input_ids=ids, attention_mask=attended).last_hidden_state
        states = states * tokens.valid.unsqueeze(-1).to(states.dtype)
        return replace(batch, steps={**batch.steps, "text": Steps(states.to(torch.float32), tokens.valid)})

    def evidence(
        self, batch: Batch, output: str = "logits"
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]] | None:
        """The inner method's."""
        return self.inner.evidence(self.encoded(batch), output)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        prediction: Prediction = self.inner(self.encoded(batch))
        return prediction

    def phases(self) -> Sequence[Phase]:
        """The inner method's; the encoder moves in the phases that learn from text."""
        phases = []
        for phase in super().phases():
            moving = [name for name, _ in self.named_parameters() if name.startswith(phase.parameters)]
            if any("encoders.text." in name for name in moving):
                phase = replace(phase, parameters=(*phase.parameters, "text_encoder."))
            phases.append(phase)
        return phases

    def learning_rate_ratios(self) -> dict[str, float]:  # noqa: D102
        return super().learning_rate_ratios() | {"text_encoder.": self.config.learning_rate_ratio}
