"""What every addition to a method shares: whatever it does not change is the method's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from msadg.methods.method import Method, Phase
from msadg.types import Batch, Prediction


class Wrapped(Method):
    """Another method, to which a subclass adds a part.

    Args:
        inner: the method.
    """

    def __init__(self, inner: Method) -> None:
        super().__init__(inner.task)
        self.inner = inner

    @property
    def name(self) -> str:  # type: ignore[override]
        """The inner method's."""
        return self.inner.name

    @property
    def modalities(self) -> tuple[str, ...]:  # type: ignore[override]
        """The inner method's."""
        return self.inner.modalities

    @property
    def encoders(self) -> nn.ModuleDict:  # type: ignore[override]
        """The inner method's."""
        return self.inner.encoders

    @property
    def has_masks(self) -> bool:  # type: ignore[override]
        """The inner method's."""
        return self.inner.has_masks

    @property
    def has_variation(self) -> bool:  # type: ignore[override]
        """The inner method's."""
        return self.inner.has_variation

    @property
    def counts_domains_alike(self) -> bool:  # type: ignore[override]
        """The inner method's."""
        return self.inner.counts_domains_alike

    def output_for(self, present: Collection[str]) -> str | None:  # noqa: D102
        return self.inner.output_for(present)

    def read_by(self, output: str) -> tuple[str, ...]:  # noqa: D102
        return self.inner.read_by(output)

    def evidence(
        self, batch: Batch, output: str = "logits"
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]] | None:
        """The inner method's."""
        return self.inner.evidence(batch, output)

    def scale_inputs(self, modality: str, mean: Float[Tensor, " feature"], spread: Float[Tensor, " feature"]) -> None:  # noqa: D102
        self.inner.scale_inputs(modality, mean, spread)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        prediction: Prediction = self.inner(batch)
        return prediction

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:  # noqa: D102
        return self.inner.loss(prediction, batch)

    def phases(self) -> Sequence[Phase]:  # noqa: D102
        return [
            replace(phase, parameters=tuple(f"inner.{prefix}" for prefix in phase.parameters))
            for phase in self.inner.phases()
        ]

    def learning_rate_ratios(self) -> dict[str, float]:  # noqa: D102
        return {f"inner.{prefix}": ratio for prefix, ratio in self.inner.learning_rate_ratios().items()}

    def measurements(self) -> dict[str, float]:  # noqa: D102
        return self.inner.measurements()

    def after_step(self) -> None:  # noqa: D102
        self.inner.after_step()

    def starts_optimizer_afresh(self) -> bool:  # noqa: D102
        return self.inner.starts_optimizer_afresh()

    def warnings(self, history: Sequence[Mapping[str, float]]) -> list[str]:  # noqa: D102
        return self.inner.warnings(history)
