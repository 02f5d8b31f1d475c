"""MulT: each modality asks each other one, layer by layer, without any alignment of their steps.

Reference: Tsai, Bai, Liang, Kolter, Morency, Salakhutdinov. "Multimodal Transformer for Unaligned Multimodal Language
Sequences", ACL 2019, doi:10.18653/v1/P19-1656.
Paper -> here: temporal convolution -> ``encoders``; crossmodal Transformer beta -> alpha -> ``crossmodal``,
``<alpha>_from_<beta>``; the self-attention Transformer on their concatenation -> ``memory``, by alpha; the last
residual MLP -> ``hidden``, ``residual``; then ``head``. M modalities in use have M (M - 1) crossmodal Transformers; a
single one has its ``memory`` alone.

``published=True`` computes what the authors' code does with the same weights (``MulT.from_published`` reads theirs; the
table of names is docs/parity.md). By default, what it does to padding is left out, and nothing else: a clip by itself,
without padding, gets the same output from both. Which is why causality is kept as a default (``causal``): the paper's
equations have no mask, but its numbers, and those of every port, come from code that has it switched on. By default
    - Padding and unobserved steps are never attended. There, all are, as steps of zeros.
    - The last *valid* step is read. There, the last of the tensor: of a short clip, a step of padding.
    - Causality counts valid steps, from the clip's end. There, those of the tensor, so that the same clip is masked
      otherwise when it is padded.
    - Every valid step has its position. There, a step whose first projected feature is exactly 0 has none.
    - A modality as wide as ``dim`` is projected like any other. There, it is taken as it is.
A modality that a clip lacks (no valid step) adds nothing to the others' streams, and its own are zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.errors import SettingsError, UsageError
from msadg.methods.method import Method, check_modalities
from msadg.methods.mult_published import read_published
from msadg.methods.task import CLASSIFICATION, Task
from msadg.methods.varied import require_modalities
from msadg.nn.crossmodal import CrossmodalTransformer, Positions, StackDropout, visible_prefix
from msadg.nn.dropout import dropped, relu_dropped
from msadg.nn.encoder import Projector
from msadg.nn.front import at_front, windows
from msadg.settings import require, settings_from
from msadg.types import MODALITIES, Batch, Prediction

MIN_MEMORY_LAYERS = 3
"""The self-attention Transformers have as many layers as the crossmodal ones, and at least so many, as published."""


@dataclass(frozen=True, kw_only=True)
class MulTConfig:
    """Settings of MulT; defaults are those of the authors' code."""

    modalities: tuple[str, ...] = ()
    """Which are used; none named means all that have features."""
    targets: tuple[str, ...] = ()
    """Which of them ask the others and are read in the end; none named means all."""
    dim: int = 30
    """Width of each modality; 40 in the paper's table, 30 in its code."""
    heads: int = 5
    """Attention heads; must divide ``dim``."""
    layers: int = 5
    """Of each crossmodal Transformer, and of each self-attention Transformer if that is at least 3."""
    text_kernel: int = 1
    """Steps that the convolution of text sees; n valid steps become n - text_kernel + 1, but never none."""
    audio_kernel: int = 1
    """Of audio."""
    video_kernel: int = 1
    """Of video."""
    positions: bool = True
    """Whether steps get sinusoidal positions; MMSA's port has none."""
    causal: bool = True
    """Whether a step sees of a sequence only what has been, counted from the clip's end."""
    published: bool = False
    """Compute what the authors' code does, padding and all."""
    text_dropout: float = 0.25
    """Of the features of text, in [0, 1). On a processor, rates of dropout are rounded to 1/256."""
    embedding_dropout: float = 0.25
    """Of the steps that enter a Transformer."""
    attention_dropout: float = 0.1
    """Of the attention weights where text is asked, and in the self-attention Transformers."""
    audio_attention_dropout: float = 0.0
    """Where audio is asked."""
    video_attention_dropout: float = 0.0
    """Where video is asked."""
    relu_dropout: float = 0.1
    """Inside feed-forward parts."""
    residual_dropout: float = 0.1
    """Of what each part of a layer adds."""
    output_dropout: float = 0.0
    """Inside the last MLP."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        rates = [name for name in self.__dataclass_fields__ if name.endswith("dropout")]
        for name in rates:
            require(name, getattr(self, name), at_least=0, at_most=0.999)
        require("dim", self.dim, at_least=4)
        require("layers", self.layers, at_least=1)
        require("heads", self.heads, at_least=1)
        if self.dim % self.heads:
            raise SettingsError(f"heads = {self.heads} does not divide dim = {self.dim}; attention needs whole heads")
        for modality in MODALITIES:
            require(f"{modality}_kernel", self.kernel(modality), at_least=1)
        require_modalities("targets", self.targets)

    def kernel(self, modality: str) -> int:
        """Steps that a modality's convolution sees."""
        width: int = getattr(self, f"{modality}_kernel")
        return width

    def attention_dropout_of(self, source: str) -> float:
        """Of the attention weights where a modality is asked."""
        rates = {"audio": self.audio_attention_dropout, "video": self.video_attention_dropout}
        return rates.get(source, self.attention_dropout)


class TemporalConvolution(nn.Module):
    """A modality's features to the common width, some neighbouring steps at a time; no bias, no padding.

    Args:
        feature_dim: width of the features.
        dim: common width.
        kernel: how many steps.
        dropout: of the features.
        projects: False takes the features as they are.
    """

    def __init__(self, feature_dim: int, dim: int, kernel: int, dropout: float, projects: bool = True) -> None:
        super().__init__()
        self.kernel = kernel
        self.dropout = dropout
        self.scaling = Projector(feature_dim, feature_dim, "identity")
        self.convolution = nn.Conv1d(feature_dim, dim, kernel, bias=False) if projects else None

    def forward(
        self, values: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch window hidden"]:
        """x_m; steps that are not valid count as zeros."""
        features = self.scaling(values) * valid.unsqueeze(-1)
        features = dropped(features, self.dropout, self.training)
        if self.convolution is None:
            return features
        if self.kernel == 1:
            return F.linear(features, self.convolution.weight.squeeze(-1))
        short = max(0, self.kernel - features.shape[1])
        convolved: Tensor = self.convolution(F.pad(features, (0, 0, 0, short)).transpose(1, 2))
        return convolved.transpose(1, 2)


@dataclass(frozen=True)
class Sequence:
    """A modality on its way through the Transformers, valid steps first."""

    steps: Float[Tensor, "batch time feature"]
    num_steps: Int[Tensor, " clips"]
    """How many count, of each clip; one number where the tensor's length does for all."""

    @property
    def present(self) -> Float[Tensor, "clips 1 1"]:
        """1 where the clip has the modality, else 0."""
        return (self.num_steps > 0).to(self.steps.dtype)[:, None, None]


class MulT(Method):
    """Crossmodal Transformers for each ordered pair, a self-attention Transformer for each target, a residual MLP."""

    name = "mult"
    Config = MulTConfig

    def __init__(self, config: MulTConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        self.config = config
        self.modalities = config.modalities or tuple(m for m in MODALITIES if m in feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        self.targets = config.targets or self.modalities
        if extra := [target for target in self.targets if target not in self.modalities]:
            raise UsageError(
                f"{self.name}: targets name {extra[0]}, but only {', '.join(self.modalities)} are used; "
                "name it among the modalities, or leave it out of the targets"
            )
        self.encoders = nn.ModuleDict({m: self._encoder(m, feature_dims[m]) for m in self.modalities})
        self.crossmodal = nn.ModuleDict(
            {
                f"{target}_from_{source}": self._transformer(config.dim, config.attention_dropout_of(source))
                for target in self.targets
                for source in self._others(target)
            }
        )
        streams = max(1, len(self.modalities) - 1) * config.dim
        self.memory = nn.ModuleDict(
            {m: self._transformer(streams, config.attention_dropout, MIN_MEMORY_LAYERS) for m in self.targets}
        )
        width = streams * len(self.targets)
        self.hidden = nn.Linear(width, width)
        self.residual = nn.Linear(width, width)
        self.head = nn.Linear(width, self.num_outputs)

    def _encoder(self, modality: str, feature_dim: int) -> TemporalConvolution:
        config = self.config
        dropout = config.text_dropout if modality == "text" else 0.0
        projects = not (config.published and feature_dim == config.dim)
        return TemporalConvolution(feature_dim, config.dim, config.kernel(modality), dropout, projects)

    def _transformer(self, dim: int, attention_dropout: float, min_layers: int = 1) -> CrossmodalTransformer:
        config = self.config
        dropout = StackDropout(
            embedding=config.embedding_dropout,
            attention=attention_dropout,
            relu=config.relu_dropout,
            residual=config.residual_dropout,
        )
        positions: Positions = "none" if not config.positions else "marked" if config.published else "all"
        return CrossmodalTransformer(dim, config.heads, max(config.layers, min_layers), dropout, positions)

    def _others(self, target: str) -> list[str]:
        return [modality for modality in self.modalities if modality != target]

    def forward(self, batch: Batch) -> Prediction:
        """Logits; the convolved sequences go into ``auxiliary``."""
        sequences, auxiliary = {}, {}
        for modality in self.modalities:
            encoded, valid = self._encoded(modality, batch)
            auxiliary[f"sequence_{modality}"] = encoded
            auxiliary[f"sequence_valid_{modality}"] = valid
            sequences[modality] = self._sequence(encoded, valid)
        read = torch.cat([self._read(target, sequences) for target in self.targets], dim=-1)
        hidden = relu_dropped(self.hidden(read), self.config.output_dropout, self.training)
        return Prediction(self.head(self.residual(hidden) + read), auxiliary)

    def _encoded(
        self, modality: str, batch: Batch
    ) -> tuple[Float[Tensor, "batch window feature"], Bool[Tensor, "batch window"]]:
        """x_m, and which of its steps saw nothing but valid ones."""
        values, valid = batch.steps[modality].values, batch.steps[modality].valid
        kernel = self.config.kernel(modality)
        if self.config.published:
            return self.encoders[modality](values, valid), windows(valid, kernel)
        if kernel > 1:  # what a convolution sees are neighbours
            values, valid = at_front(values, valid)
        seen = windows(valid, kernel)
        return self.encoders[modality](values, valid) * seen.unsqueeze(-1), seen

    def _sequence(self, steps: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]) -> Sequence:
        if self.config.published:
            return Sequence(steps, torch.tensor([steps.shape[1]], device=steps.device))
        steps, valid = at_front(steps, valid)
        return Sequence(steps, valid.sum(dim=1))

    def _read(self, target: str, sequences: Mapping[str, Sequence]) -> Float[Tensor, "batch feature"]:
        """What the last step of a target has found in all others and then in itself; 0 where there is no step."""
        asking = sequences[target]
        streams = []
        for source in self._others(target):
            asked = sequences[source]
            transformer = self.crossmodal[f"{target}_from_{source}"]
            present = None if self.config.published else asked.present
            streams.append(transformer(asking.steps, asked.steps, self._limit(asking, asked), present))
        steps = torch.cat(streams or [asking.steps], dim=-1)
        last = (asking.num_steps - 1).clamp_min(0).expand(len(steps))
        read: Tensor = self.memory[target].at(steps, self._limit(asking, asking), last)  # type: ignore[operator]
        return read * asking.present.flatten(1)

    def _limit(self, asking: Sequence, asked: Sequence) -> Int[Tensor, "clips time"]:
        return visible_prefix(asking.num_steps, asked.num_steps, asking.steps.shape[1], self.config.causal)

    @classmethod
    def from_published(
        cls,
        state_dict: Mapping[str, Tensor],
        *,
        heads: int = 5,
        causal: bool = True,
        positions: bool | None = None,
        published: bool = True,
        task: Task | None = None,
    ) -> MulT:
        """MulT with the weights of the authors' implementation, or of MMSA's; a text encoder's are left out.

        Everything else that the weights do not tell, dropout, has its default.

        Args:
            state_dict: by the published names (docs/parity.md).
            heads: attention heads, which no weight tells; 5 is the authors' default.
            causal: whether they were trained with causal masks, as they are unless that is switched off.
            positions: whether steps get positions; None is yes for the authors' model and no for MMSA's, whose files
                lack a buffer of theirs.
            published: compute what the published code does; False corrects it.
            task: what the last layer predicts; None is the polarity where it has one number, else the classes.

        Raises:
            UsageError: a weight is missing, unknown or of another shape than the others ask for.
        """
        settings, feature_dims, weights = read_published(state_dict, published)
        settings |= {"heads": heads, "causal": causal}
        if positions is not None:
            settings["positions"] = positions
        config = settings_from(MulTConfig, settings, where="published weights of MulT")
        is_polarity = "head.weight" in weights and len(weights["head.weight"]) == 1
        method = cls(config, feature_dims, task or (Task(kind="regression") if is_polarity else CLASSIFICATION))
        own = dict(method.named_parameters())
        for name, parameter in own.items():
            if name not in weights:
                raise UsageError(f"published weights of MulT: {name} (as it is called here) is missing")
            if weights[name].shape != parameter.shape:
                raise UsageError(
                    f"published weights of MulT: {name} is {tuple(weights[name].shape)}, but the other weights, the "
                    f"number of heads or the task ask for {tuple(parameter.shape)}"
                )
        if unread := sorted(weights.keys() - own.keys()):
            raise UsageError(f"published weights of MulT: nothing here reads {unread[0]} (as it is called here)")
        method.to(weights["head.weight"].dtype)
        method.load_state_dict({name: weights[name] for name in own}, strict=False)
        return method
