"""What a method is: it predicts from a batch and says what to minimise; ``protocols.loop`` says how.

A method never sees a trainer, an optimiser or a domain's role. If it trains in phases, it returns them as data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.errors import UsageError
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.encoder import Projector
from msadg.types import MODALITIES, Batch, Prediction, Split


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One stretch of training: what moves, what is minimised, and what decides which epoch is kept."""

    name: str = "all"
    parameters: tuple[str, ...] = ("",)
    """Prefixes of the names of the parameters that move; all others are frozen. "" is every parameter."""
    terms: tuple[str, ...] | None = None
    """Names of the loss terms that are added up; None is all of them."""
    output: str = "logits"
    """Which logits selection scores: ``logits`` or a key of ``Prediction.auxiliary``."""
    starts: Mapping[str, float] = field(default_factory=dict)
    """Loss terms that join later -> after which share of the planned epochs, in [0, 1). No epoch that ends before all
    have joined is kept, and patience counts from there."""

    def has_joined(self, term: str, progress: float) -> bool:
        """Whether a term is minimised once this share of the planned epochs is done."""
        return progress >= self.starts.get(term, 0.0)

    def is_candidate(self, progress: float) -> bool:
        """Whether an epoch may be kept at whose end this share of the planned epochs is done."""
        return progress > max(self.starts.values(), default=0.0)


class Method(nn.Module, ABC):
    """A model together with its loss.

    Args:
        config: an instance of the class's ``Config``.
        feature_dims: width of each modality's features, by modality.
        task: what is predicted.
    """

    name: ClassVar[str]
    Config: ClassVar[type]
    deterministic: ClassVar[bool] = False
    """True where the seed changes nothing, so that one run stands for all seeds."""
    fitted_on: ClassVar[Split] = "train"
    """The split of the sources that training is given; features of no other are needed beside dev and test."""
    has_masks: ClassVar[bool] = False
    """True where the method selects features itself, so that +mask would mask twice."""

    modalities: tuple[str, ...] = ()
    """Which it reads; a batch may hold more."""

    min_source_domains: ClassVar[int] = 1
    """How many it needs to learn from: more where it compares them. See ``sources_needed``."""

    has_variation: bool = False
    """True where the method's own loss regularises how its sequences vary, so that +sv would do it twice."""

    counts_domains_alike: ClassVar[bool] = False
    """Whether its loss counts each source domain as much as any other, however many clips it has."""

    reads_inputs_directly: ClassVar[bool] = False
    """True where the features of ``evidence`` are those of the batch, not of a learned representation."""

    encoders: nn.ModuleDict
    """By modality: a module (values, valid) -> representation. ``Masked`` puts its masks behind them."""

    log_prior: Tensor
    """Logarithm of the class shares that are kept out of the logits, one row for all clips or one for each source
    domain; zeros leave them in."""

    def __init__(self, task: Task = CLASSIFICATION) -> None:
        super().__init__()
        self.task = task
        self.register_buffer("log_prior", torch.zeros(task.num_classes), persistent=False)

    @classmethod
    def sources_needed(cls, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """``min_source_domains``, of a method whose settings decide whether it compares them."""
        return cls.min_source_domains

    @abstractmethod
    def forward(self, batch: Batch) -> Prediction:
        """Logits of each clip, or its polarity. Reads neither sentiment, polarity nor domain."""

    @property
    def num_outputs(self) -> int:
        """Numbers that are predicted for each clip: width of each head."""
        return self.task.num_outputs

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Terms of the loss by name; the training loop adds them up."""
        return {"task": self.task_loss(prediction.logits, batch)}

    def task_loss(self, logits: Float[Tensor, "batch output"], batch: Batch) -> Float[Tensor, ""]:
        """What wrong answers cost, by the task; each stage of a method that has several calls it for its own."""
        if not self.task.is_regression:
            return self.cross_entropy(logits, batch)
        return self.clip_losses(logits, batch).mean()

    def clip_losses(self, logits: Float[Tensor, "batch output"], batch: Batch) -> Float[Tensor, " batch"]:
        """What each clip's answer costs, by the task; their mean is ``task_loss``."""
        if not self.task.is_regression:
            return F.cross_entropy(logits + self.prior_of(batch), batch.sentiment, reduction="none")
        error = logits[:, 0] - batch.polarity  # which mixed precision does not round to the 16 bits of the logits
        return error.abs() if self.task.regression_loss == "l1" else error.square()

    def labels(self, batch: Batch) -> Int[Tensor, " batch"] | Float[Tensor, " batch"]:
        """What the task asks of each clip: its class, or its polarity."""
        return batch.polarity if self.task.is_regression else batch.sentiment

    def cross_entropy(self, logits: Float[Tensor, "batch sentiment"], batch: Batch) -> Float[Tensor, ""]:
        """Mean cross-entropy of logits + ``log_prior`` against the class.

        What the class shares explain is then left out of the logits themselves, which answer as under equal shares
        (balanced softmax: Ren et al., NeurIPS 2020; logit adjustment: Menon et al., ICLR 2021).
        """
        return F.cross_entropy(logits + self.prior_of(batch), batch.sentiment)

    def prior_of(self, batch: Batch) -> Float[Tensor, "*batch sentiment"]:
        """What is added to the logits in training: ``log_prior``, or the row of each clip's domain."""
        return self.log_prior if self.log_prior.ndim == 1 else self.log_prior[batch.domain]

    def leave_out_prior(
        self,
        sentiment: Int[Tensor, " clip"],
        domain: Int[Tensor, " clip"] | None = None,
        *,
        of: Literal["clips", "domains", "each_domain"] = "clips",
    ) -> None:
        """Keep class shares of these clips out of the logits; a class without a clip counts as half a clip.

        Args:
            sentiment: classes of the sources' training clips.
            domain: index of each one's source domain; None is one domain.
            of: whose shares: those of all ``clips`` together; the mean of those of the ``domains``, which is what a
                loss meets that counts all domains alike; or to each clip those of its own (``each_domain``).
        """
        num_classes = self.task.num_classes
        rows = torch.zeros_like(sentiment) if domain is None or of == "clips" else domain
        counts = torch.bincount(rows * num_classes + sentiment, minlength=(int(rows.max()) + 1) * num_classes)
        counts = counts.reshape(-1, num_classes)
        shares = F.normalize(counts.clamp_min(0.5), p=1.0, dim=1)
        log_prior = torch.log(shares if of == "each_domain" else shares[counts.any(dim=1)].mean(dim=0))
        for module in self.modules():
            if isinstance(module, Method):
                module.log_prior = log_prior.to(module.log_prior)

    @classmethod
    def longest(cls, config: Any, modality: str) -> int | None:  # noqa: ARG003
        """Steps of a modality that the method can read of a clip under some settings; None where there is no end."""
        return None

    def output_for(self, present: Collection[str]) -> str | None:
        """Name of the best logits that need no other modalities than these; None where there are none.

        ``logits``, or a key of ``Prediction.auxiliary`` that the method was trained to predict by.
        """
        return "logits" if set(self.modalities) <= set(present) else None

    def read_by(self, output: str) -> tuple[str, ...]:  # noqa: ARG002
        """The modalities that decide some logits, a name that ``output_for`` returned."""
        return self.modalities

    def evidence(
        self,
        batch: Batch,  # noqa: ARG002
        output: str = "logits",  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]] | None:
        """What each feature of each step adds to some logits, by modality; None where no sum can say that.

        Summed over time, features and modalities, with the classifier's bias, it is the logits of ``output``.
        """
        return None

    def neutral_input(self, modality: str) -> Float[Tensor, " feature"] | float:  # noqa: ARG002
        """Of a method that reads inputs directly: features of a modality that are evidence for nothing."""
        return 0.0

    def scale_inputs(self, modality: str, mean: Float[Tensor, " feature"], spread: Float[Tensor, " feature"]) -> None:
        """Bring a modality's features to mean 0 and spread 1 before they are read, by these numbers of the sources.

        A method that does not read the modality through an encoder, or scales for itself, does nothing.
        """
        encoder = self.encoders[modality] if hasattr(self, "encoders") and modality in self.encoders else nn.Module()
        for module in encoder.modules():
            if isinstance(module, Projector):
                module.scale(mean, spread)

    def phases(self) -> Sequence[Phase]:
        """How training is divided; by default not at all."""
        return [Phase()]

    def learning_rate_ratios(self) -> Mapping[str, float]:
        """Prefix of parameter names -> factor on the learning rate; the longest prefix counts."""
        return {}

    def measurements(self) -> dict[str, float]:
        """What is worth logging every epoch, by name (``keep_text`` ...)."""
        return {}

    def after_step(self) -> None:
        """Called after each optimiser step."""

    def starts_optimizer_afresh(self) -> bool:
        """Asked after ``after_step``: whether the optimiser forgets its moments, for the loss has changed its scale."""
        return False

    def warnings(self, history: Sequence[Mapping[str, float]]) -> list[str]:  # noqa: ARG002
        """Sentences for the user at the end of training, given each epoch's measurements: what went wrong."""
        return []


class ClosedForm(Method):
    """A method that is fitted in one go instead of by gradient; what it learns are buffers."""

    deterministic = True

    @abstractmethod
    def fit(
        self,
        features: Float[Tensor, "clip feature"],
        labels: Int[Tensor, " clip"] | Float[Tensor, " clip"],
        score: Callable[[], float],
    ) -> None:
        """Fit to the sources' training clips.

        Args:
            features: time-mean features of the modalities in use, concatenated.
            labels: the classes; in a regression, the polarities.
            score: the selection metric of the method as it stands, on the sources' dev splits.
        """

    def pooled(self, batch: Batch) -> Float[Tensor, "batch feature"]:
        """Time-mean features of the modalities in use, concatenated; the input of ``fit``."""
        return torch.zeros(len(batch), 0)


def check_modalities(method: str, modalities: Sequence[str], feature_dims: Mapping[str, int]) -> None:
    """Stop where a method is asked to use a modality that the data does not have.

    Raises:
        UsageError: a modality is unknown, doubled, or has no features.
    """
    for modality in modalities:
        if modality not in MODALITIES:
            raise UsageError(f"{method}: {modality!r} is not a modality; known: {', '.join(MODALITIES)}")
        if modality not in feature_dims:
            raise UsageError(
                f"{method} was asked to use {modality}, but the features at hand are "
                f"{', '.join(feature_dims) or 'none'}; add {modality} features or leave it out of the method's settings"
            )
    if len(set(modalities)) != len(modalities) or not modalities:
        raise UsageError(f"{method}: modalities must be named once each, got {', '.join(modalities) or 'none'}")
