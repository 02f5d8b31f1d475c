"""Zero-shot: what a multimodal language model says, without any training; METHODS 4, the papers' MLLM rows.

The model was asked when the features were extracted (extraction.zero_shot): they are the log-likelihoods of the class
words after each clip's prompt. They are the logits, so that the probabilities are those of the words, given that one of
them is said. With ``calibrated``, the log-likelihood of each word after a prompt without content is taken off first: a
model likes some words whatever it is shown (Zhao et al., "Calibrate before use", ICML 2021).

In a regression the polarity is the words' mean on CMU-MOSI's own scale, where negative is -2, neutral 0, positive 2
(Zadeh et al., 2016). No source clip is read: neither labels nor class shares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from msadg.errors import UsageError
from msadg.methods.method import ClosedForm, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.steps import mean_over_valid, share_of_mean
from msadg.types import SENTIMENT, SENTIMENTS, Batch, Prediction, Split

POLARITIES = (-2.0, 0.0, 2.0)
"""Of the class words."""


@dataclass(frozen=True, kw_only=True)
class MLLMConfig:
    """Settings of the zero-shot method."""

    modality: str = ""
    """Whose features are a model's answers: ``text`` (asked with transcripts alone) or ``video``; where only one
    modality has features, it need not be named."""
    calibrated: bool = False
    """Take off what the model says of a prompt without content."""


class MLLM(ClosedForm):
    """Reads the answers of a multimodal language model; has nothing to learn."""

    name = "mllm"
    Config = MLLMConfig
    fitted_on: ClassVar[Split] = "dev"  # The smaller one: nothing is learned, and to ask costs more than to train.
    reads_inputs_directly = True
    weight: Tensor
    """By class and feature: what the logits take of the log-likelihoods with and without content."""

    def __init__(self, config: MLLMConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        if task.label_set != SENTIMENT:
            raise UsageError(
                f"mllm asks whether a person sounds {', '.join(SENTIMENTS)}, and these clips are labelled with "
                f"{task.label_set.name} ({', '.join(task.label_set.classes)})"
            )
        if not config.modality and len(feature_dims) > 1:
            raise UsageError(
                f"mllm: the features at hand are {' and '.join(feature_dims)}; say which of them are a model's answers "
                "(settings.modality = 'video'), or leave the others out"
            )
        self.modalities = (config.modality,) if config.modality else tuple(feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        (width,) = (feature_dims[modality] for modality in self.modalities)
        if width != 2 * len(SENTIMENTS):
            raise UsageError(
                f"mllm reads what a multimodal language model says of clips, {2 * len(SENTIMENTS)} numbers each; the "
                f"{self.modalities[0]} features at hand have {width}. Name an extractor such as mllm:model=llava-1.5-7b"
            )
        self.encoders = nn.ModuleDict()
        words = torch.eye(len(SENTIMENTS))
        self.register_buffer("weight", torch.cat([words, -words if config.calibrated else 0 * words], dim=1))

    def fit(
        self,
        features: Float[Tensor, "clip feature"],
        labels: Int[Tensor, " clip"] | Float[Tensor, " clip"],
        score: Callable[[], float],
    ) -> None:
        """Learn nothing."""

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        steps = batch.steps[self.modalities[0]]
        logits = mean_over_valid(steps.values, steps.valid) @ self.weight.T
        if self.task.is_regression:
            return Prediction(torch.softmax(logits, dim=1) @ logits.new_tensor(POLARITIES)[:, None])
        return Prediction(logits)

    def evidence(
        self,
        batch: Batch,
        output: str = "logits",  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]] | None:
        """The log-likelihoods themselves; None in a regression, whose mean over words is no sum over features."""
        if self.task.is_regression:
            return None
        steps = batch.steps[self.modalities[0]]
        share = share_of_mean(steps.values, steps.valid)
        return {self.modalities[0]: torch.einsum("btf,sf->btfs", share, self.weight)}
