"""ALMT: text asks audio and video at several scales, and what it finds becomes a modality of its own.

Reference: Zhang, Wang, Yin, Liu, Liu, Yu. "Learning Language-guided Adaptive Hyper-modality Representation for
Multimodal Sentiment Analysis", EMNLP 2023, doi:10.18653/v1/2023.emnlp-main.49.
Paper -> here: E_m^0, H_m^1 -> ``encoders``; E_l, H_l^i -> ``text_scales``; AHL layer j -> ``hyper_layers[j]``, with
alpha V_a + beta V_v inside; H_hyper^0 -> ``hyper``; CrossTrans, H_0 -> ``fusion``, its ``token``.

``published=True`` computes what the authors' code does with the same weights (``ALMT.from_published`` reads theirs; the
table of names is docs/parity.md). By default five things differ:
    - Padding and unobserved steps are not attended. There, every step of the tensor is, and their files pad each clip
      with zeros to the longest of the corpus.
    - H^j = H^{j-1} + ..., as the paper prints it. There, H^{j-1} first goes through a LayerNorm.
    - H^0 starts at 0: what text finds is all that there is. There, at 1 in every feature, where the LayerNorm's output
      is 0 and its slope 1/sqrt(1e-5) = 316.
    - The first token of the last fusion, the one that is read, starts from the mean of text's last scale. There, it
      starts from the same vector for every clip: the eight rows of text beside it are never read, for the rows that ask
      do not meet. So text weighs what audio and video say, and says nothing itself; and as a modality that a clip lacks
      adds nothing here, nothing would be heard of a clip that is text alone.
    - Positions of steps are sinusoids, for the target domain may have longer clips. There, they are a table: a step
      beyond those that training met has a random position, and a step beyond its end has none.
The widths, depths and layers are the published ones; so is the absence of dropout.

A modality that is not in use has no part in any sum; of text alone there is no hyper-modality, and the last fusion
asks text itself. A clip that lacks a modality (no valid step) takes nothing from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msadg.errors import UsageError
from msadg.methods.almt_published import is_unread, read_published
from msadg.methods.method import Method, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.encoder import Projector
from msadg.nn.hyper_modality import FirstTokenFusion, HyperLayer, TextScales, TokenEmbedding
from msadg.nn.wide_attention import WideLayer
from msadg.settings import require, settings_from
from msadg.types import MODALITIES, Batch, Prediction

Positions = Literal["sinusoidal", "learned"]


@dataclass(frozen=True, kw_only=True)
class ALMTConfig:
    """Settings of ALMT; the defaults are those of the published MOSI configuration."""

    modalities: tuple[str, ...] = ()
    """Which are used, text among them; none named means all that have features."""
    dim: int = 128
    """Width of every token."""
    heads: int = 8
    """Of every attention."""
    head_dim: int = 64
    """Width of each head, but for those of the hyper-modality; heads x head_dim need not be ``dim``."""
    hyper_head_dim: int = 16
    """Width of each head that text asks audio and video with."""
    tokens: int = 8
    """Tokens that stand for each modality."""
    embedding_layers: int = 1
    """Of the Transformer that makes them."""
    hyper_layers: int = 3
    """Of hyper-modality learning, each with its own scale of text."""
    fusion_layers: int = 2
    """Of the last fusion; published: 2 for MOSI, 4 for MOSEI and CH-SIMS."""
    feedforward_dim: int = 128
    """Width inside each feed-forward part."""
    dropout: float = 0.0
    """Behind every attention and linear map of a layer, in [0, 1)."""
    positions: Positions = "sinusoidal"
    """Of steps: ``sinusoidal``, of any length, or ``learned``, a table of ``max_steps``."""
    max_steps: tuple[int, int, int] = (512, 1024, 1024)
    """Steps of text, audio and video that ``learned`` positions reach; published: 50, 375, 500 for MOSI."""
    published: bool = False
    """Compute what the published code does, defects included; positions are then learned. It attends to padding, so a
    clip's score depends on how far its batch is padded: the authors pad every clip to ``max_steps``."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        for name in ("dim", "heads", "head_dim", "hyper_head_dim", "tokens", "feedforward_dim"):
            require(name, getattr(self, name), at_least=1)
        for name in ("embedding_layers", "hyper_layers", "fusion_layers"):
            require(name, getattr(self, name), at_least=1)
        for num_steps in self.max_steps:
            require("max_steps", num_steps, at_least=1)
        require("dropout", self.dropout, at_least=0, at_most=0.999)

    def table_of(self, modality: str) -> int | None:
        """Steps that the table of a modality's positions holds; None where there is no table."""
        has_table = self.published or self.positions == "learned"
        return self.max_steps[MODALITIES.index(modality)] if has_table else None


class ALMT(Method):
    """Text, audio and video as eight tokens each; text gathers the hyper-modality that it is fused with."""

    name = "almt"
    Config = ALMTConfig

    def __init__(self, config: ALMTConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        self.config = config
        self.modalities = config.modalities or tuple(m for m in MODALITIES if m in feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        if "text" not in self.modalities:
            given = ", ".join(self.modalities)
            raise UsageError(f"{self.name} is guided by text, but it was given {given} only; add text features")
        self.others = tuple(modality for modality in self.modalities if modality != "text")
        self.projectors = nn.ModuleDict(
            {m: Projector(feature_dims[m], config.dim, "linear") for m in self.modalities},
        )
        self.encoders = nn.ModuleDict({m: self._embedding(m) for m in self.modalities})
        self.text_scales = TextScales(self._layers(config.hyper_layers - 1), config.dim, config.tokens)
        self.hyper_layers = nn.ModuleList()
        if self.others:
            start = torch.ones if config.published else torch.zeros
            self.hyper = nn.Parameter(start(config.tokens, config.dim))
            self.hyper_layers.extend(self._hyper_layer() for _ in range(config.hyper_layers))
        self.fusion = FirstTokenFusion(self._layers(config.fusion_layers), config.dim, config.tokens)
        self.head = nn.Linear(config.dim, self.num_outputs)

    def _layers(self, num_layers: int) -> list[WideLayer]:
        config = self.config
        return [
            WideLayer(config.dim, config.heads, config.head_dim, config.feedforward_dim, config.dropout)
            for _ in range(num_layers)
        ]

    def _embedding(self, modality: str) -> TokenEmbedding:
        config = self.config
        layers = self._layers(config.embedding_layers)
        return TokenEmbedding(
            layers, config.dim, config.tokens, config.table_of(modality), attends_padding=config.published
        )

    def _hyper_layer(self) -> HyperLayer:
        config = self.config
        return HyperLayer(
            self.others,
            config.dim,
            config.heads,
            config.hyper_head_dim,
            config.dropout,
            norms_state=config.published,
        )

    def forward(self, batch: Batch) -> Prediction:
        """Logits; each modality's projected steps, before they become tokens, go into ``auxiliary``.

        Raises:
            UsageError: a clip is longer than the table of learned positions.
        """
        tokens, present, found = {}, {}, {}
        for modality in self.modalities:
            values, valid = self._within_table(modality, batch)
            projected = self.projectors[modality](values)
            if not self.config.published:
                projected = projected * valid.unsqueeze(-1).to(projected.dtype)
            tokens[modality] = self.encoders[modality](projected, valid)
            present[modality] = valid.any(dim=1)
            found[f"sequence_{modality}"] = projected
            found[f"sequence_valid_{modality}"] = valid
        scales = self.text_scales(tokens.pop("text"))
        source = self._hyper_modality(scales, tokens, present) if self.others else scales[-1]
        start = None if self.config.published else scales[-1].mean(dim=1)
        return Prediction(self.head(self.fusion(source, start)), found)

    def _hyper_modality(
        self, scales: list[Tensor], others: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch token feature"]:
        """H_hyper after the last layer."""
        hyper = self.hyper.expand_as(scales[0])
        for layer, text in zip(self.hyper_layers, scales, strict=True):
            hyper = layer(hyper, text, others, None if self.config.published else present)
        return hyper

    @classmethod
    def longest(cls, config: ALMTConfig, modality: str) -> int | None:
        """As long as its table of positions, where it has one; what it does not read has no end."""
        is_read = not config.modalities or modality in config.modalities
        return config.table_of(modality) if is_read else None

    def _within_table(
        self, modality: str, batch: Batch
    ) -> tuple[Float[Tensor, "batch time feature"], Bool[Tensor, "batch time"]]:
        """A modality's steps; padding beyond the table of positions is cut off."""
        steps, limit = batch.steps[modality], self.config.table_of(modality)
        if limit is None or steps.valid.shape[1] <= limit:
            return steps.values, steps.valid
        beyond = steps.valid[:, limit:].any(dim=1)
        if beyond.any():
            clip = int(beyond.nonzero()[0, 0])
            length = int(steps.valid[clip].nonzero()[-1, 0]) + 1
            raise UsageError(
                f"{self.name}: {modality} of {batch.clip_ids[clip]} has {length} steps, but the table of learned "
                f"positions ends at {limit}; train with a larger max_steps, or with positions 'sinusoidal' (and not "
                "published), which have no end"
            )
        return steps.values[:, :limit], steps.valid[:, :limit]

    def scale_inputs(self, modality: str, mean: Float[Tensor, " feature"], spread: Float[Tensor, " feature"]) -> None:  # noqa: D102
        if modality in self.projectors:
            self.projectors[modality].scale(mean, spread)  # type: ignore[operator]

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], *, published: bool = True, task: Task | None = None
    ) -> ALMT:
        """ALMT with the weights of the authors' implementation, or of MMSA's; BERT's are left out.

        The result takes what BERT says of each token as its text features, and expects every step of the batch to be
        marked valid that the published code would attend to.

        Args:
            state_dict: by the published names (docs/parity.md).
            published: compute what the published code does; False corrects it, and leaves out the weights that only
                its defects use.
            task: what the last layer predicts; None is the polarity.

        Raises:
            UsageError: a weight is missing, unknown or of another shape than the others ask for.
        """
        settings, feature_dims, weights = read_published(state_dict)
        settings |= {"published": published, "positions": "learned"}
        config = settings_from(ALMTConfig, settings, where="published weights of ALMT")
        method = cls(config, feature_dims, task or Task(kind="regression"))
        method.to(weights["head.weight"].dtype)
        for name, parameter in method.named_parameters():
            if name not in weights:
                raise UsageError(f"published weights of ALMT: {name} (as it is called here) is missing")
            if weights[name].shape != parameter.shape:
                raise UsageError(
                    f"published weights of ALMT: {name} is {tuple(weights[name].shape)}, but the other weights, or "
                    f"the task, ask for {tuple(parameter.shape)}"
                )
        own = dict(method.named_parameters())
        if unread := sorted(name for name in weights.keys() - own.keys() if not is_unread(name, published=published)):
            raise UsageError(f"published weights of ALMT: nothing here reads {unread[0]} (as it is called here)")
        method.load_state_dict({name: weights[name] for name in own}, strict=False)
        return method
