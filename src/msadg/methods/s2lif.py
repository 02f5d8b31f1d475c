"""S2LIF: learn invariant features in order, text first, then video given the selected text.

Reference: Zhao, Qu, Feng, Cai, Tang. "Learning in Order! A Sequential Strategy to Learn Invariant Features for
Multimodal Sentiment Analysis", ACM MM 2024, doi:10.1145/3664647.3681056.
Paper -> here: x_t, x_v -> the outputs of ``encoders``; m_t, m_v -> ``masks``; x^c' (Eq. 15) -> ``fused``; g_t, g_v ->
``heads``; T->V -> order "text>video"; V->T -> "video>text"; T&V -> "text&video"; alpha -> ``sparsity_weight``.
Where the paper is silent: widths, similarity, schedules and the mask's own learning rate (see ``S2LIFConfig``). The
order may be any over the modalities present ("text>audio>video", "text>audio&video"): the paper's future work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msadg.errors import SettingsError, UsageError
from msadg.methods.masked import idle_masks
from msadg.methods.method import Method, Phase, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.encoder import Projection, StepEncoder
from msadg.nn.fusion import Similarity, TokenFusion
from msadg.nn.keyframes import KeyframeMask
from msadg.nn.mask import FeatureMask, MaskedLinear, MaskKind, make_mask
from msadg.settings import require, require_encoder_settings
from msadg.types import MODALITIES, Batch, Prediction, Steps

Schedule = Literal["joint", "joint_detach", "staged"]

Intervention = Callable[[str, Float[Tensor, "batch time feature"], FeatureMask, Batch], tuple[Tensor, Tensor]]
"""(modality, x before the mask, the mask, the batch) -> what is read instead of x^c, and of m; set while scoring."""


@dataclass(frozen=True, kw_only=True)
class S2LIFConfig:
    """Settings of S2LIF; each default is the paper's [P] or, where it is silent, our reading [I] of METHODS 2."""

    order: str = "text>video"
    """In which order modalities are learned; ``&`` joins those learned at once: "text>video" (T->V), "video>text"
    (V->T), "text&video" (T&V), "text" (one modality), "text>audio>video"."""
    schedule: Schedule = "joint_detach"
    """``joint``: L as printed (Eq. 19); ``joint_detach``: later losses do not reach earlier modalities;
    ``staged``: each stage is trained to its best dev epoch and frozen before the next."""
    dim: int = 128
    """Width d of each modality's representation [I]."""
    heads: int = 4
    """Attention heads [I]; must divide ``dim``."""
    layers: int = 1
    """Transformer layers of each modality [P]; 0 leaves them out."""
    dropout: float = 0.1
    """In the Transformer [I], in [0, 1)."""
    projection: Projection = "mlp"
    """Features to the common width: ``mlp`` [P], ``linear`` or ``identity`` (needs features of width ``dim``)."""
    mask: MaskKind = "learned"
    """The learnable mask [P], or a control: ``none``, ``dense``, ``l1``, ``random``."""
    mask_target: Literal["features", "weights"] = "features"
    """What is masked: the features [P], or the weights of the projection's last layer (Liu et al., ICLR 2020)."""
    sparsity_weight: float = 1e-3
    """alpha of Eq. 17-18, of each modality's penalty; 0 leaves the thresholds free."""
    mask_learning_rate_ratio: float = 10.0
    """Learning rate of r and s over that of the rest [I]: at one common rate the mask hardly ever moves."""
    keep_ratio: Mapping[str, float] = field(default_factory=dict)
    """For ``mask="random"``: share of the features kept, by modality; 1 where not named."""
    similarity: Similarity = "cosine"
    """sim of Eq. 14 [I]: ``cosine`` (softmax over steps), ``dot``, ``cosine_raw``, ``mean``."""
    temperature: float = 0.1
    """Of the cosine softmax [I]."""
    keyframes: bool = True
    """Drop redundant video frames (Eq. 20-23)."""
    keyframe_stride: int = 2
    """k of Eq. 20 [I], in frames."""
    reconstruction_weight: float = 1.0
    """Weight of L_recon [P]."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range, or a combination that would leave out what was asked for.
        """
        require_encoder_settings(self)
        require("temperature", self.temperature, above=0)
        require("keyframe_stride", self.keyframe_stride, at_least=1)
        for name in ("sparsity_weight", "mask_learning_rate_ratio", "reconstruction_weight"):
            require(name, getattr(self, name), at_least=0)
        for modality, ratio in self.keep_ratio.items():
            require(f"keep_ratio.{modality}", ratio, above=0, at_most=1)
            if modality not in MODALITIES:
                raise SettingsError(f"keep_ratio names {modality!r}; known modalities: {', '.join(MODALITIES)}")
        if self.mask_target == "weights" and (self.mask != "learned" or self.projection == "identity"):
            raise SettingsError(
                f"mask_target 'weights' needs mask 'learned' and a projection with weights; got mask {self.mask!r}, "
                f"projection {self.projection!r}"
            )


def parse_order(order: str) -> tuple[tuple[str, ...], ...]:
    """Return the stages of an order, each a group of modalities.

    Raises:
        UsageError: an empty stage.

    Example:
        >>> parse_order("text>audio&video")
        (('text',), ('audio', 'video'))
    """
    stages = tuple(tuple(name.strip() for name in stage.split("&")) for stage in order.split(">"))
    if not all(name for stage in stages for name in stage):
        raise UsageError(f"order {order!r} has an empty stage; write it like 'text>video' or 'text&video'")
    return stages


class S2LIF(Method):
    """Text features are chosen first; video features, to complement them."""

    name = "s2lif"
    Config = S2LIFConfig
    has_masks = True
    num_mask_resets: Tensor

    def __init__(self, config: S2LIFConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        self.config = config
        self.stages = parse_order(config.order)
        self.modalities = tuple(modality for stage in self.stages for modality in stage)
        check_modalities(f"{self.name} (order {config.order})", self.modalities, feature_dims)
        self.encoders = nn.ModuleDict({m: self._encoder(feature_dims[m]) for m in self.modalities})
        self.masks = nn.ModuleDict({m: self._mask(m) for m in self.modalities})
        self.fusion = TokenFusion(config.similarity, config.temperature)
        has_frames = config.keyframes and "video" in self.modalities
        self.keyframes = KeyframeMask(config.dim, config.heads, config.keyframe_stride) if has_frames else None
        self.heads = nn.ModuleDict()
        width = 0
        for stage in self.stages:
            width += config.dim * len(stage)
            self.heads["&".join(stage)] = nn.Linear(width, self.num_outputs)
        self.intervention: Intervention | None = None
        self.register_buffer("num_mask_resets", torch.zeros((), dtype=torch.int64))

    def _encoder(self, feature_dim: int) -> StepEncoder:
        config = self.config
        return StepEncoder(
            feature_dim,
            config.dim,
            heads=config.heads,
            layers=config.layers,
            dropout=config.dropout,
            projection=config.projection,
            mask_weights=config.mask_target == "weights" and config.mask == "learned",
        )

    def _mask(self, modality: str) -> FeatureMask:
        if self.config.mask_target == "weights":
            return make_mask("none", self.config.dim)
        ratio = self.config.keep_ratio.get(modality, 1.0)
        return make_mask(self.config.mask, self.config.dim, keep_ratio=ratio)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        auxiliary: dict[str, Tensor] = {}
        selected: list[Tensor] = []  # x^c' of each modality read so far
        logits = None
        for stage in self.stages:
            # An earlier modality is settled before this one is read (Sec. 3): L_v must not reopen it.
            given = selected if self.config.schedule == "joint" else [fused.detach() for fused in selected]
            new = [self._fused(modality, batch, auxiliary) for modality in stage]
            features = auxiliary["features_" + "&".join(stage)] = torch.cat([*given, *new], dim=-1)
            logits = self.heads["&".join(stage)](features)
            auxiliary["logits_" + "&".join(stage)] = logits
            selected += new
        assert logits is not None
        return Prediction(logits, auxiliary)

    def _fused(self, modality: str, batch: Batch, auxiliary: dict[str, Tensor]) -> Float[Tensor, "batch feature"]:
        """x^c' of one modality: encoded, masked, fused over its steps (Eq. 13-15)."""
        selected, weights = self._selected(modality, batch, auxiliary)
        fused = torch.einsum("bt,btf->bf", weights, selected)
        auxiliary[f"fused_{modality}"] = fused
        return fused

    def _selected(
        self, modality: str, batch: Batch, auxiliary: dict[str, Tensor]
    ) -> tuple[Float[Tensor, "batch time feature"], Float[Tensor, "batch time"]]:
        """x^c and a_j of one modality: its steps, encoded and masked, and their weights in the fusion."""
        encoded, steps = self.encode(modality, batch.steps[modality], auxiliary)
        mask: FeatureMask = self.masks[modality]  # type: ignore[assignment]
        if self.intervention is None:
            selected, applied = mask(encoded), mask.mask
        else:
            selected, applied = self.intervention(modality, encoded, mask, batch)
        weights = self.fusion.weights(selected, steps.valid, applied)
        auxiliary[f"step_weights_{modality}"] = weights
        auxiliary[f"sequence_{modality}"] = encoded
        auxiliary[f"sequence_valid_{modality}"] = steps.valid
        return selected, weights

    def encode(
        self, modality: str, steps: Steps, auxiliary: dict[str, Tensor] | None = None
    ) -> tuple[Float[Tensor, "batch time feature"], Steps]:
        """x_m before its mask, and which steps are left once redundant frames are dropped.

        With ``auxiliary`` given, L_recon and the kept frames are written into it.
        """
        if modality != "video" or self.keyframes is None:
            return self.encoders[modality](steps.values, steps.valid), steps
        encoder: StepEncoder = self.encoders[modality]  # type: ignore[assignment]
        frames = encoder.projector(steps.values)
        chosen = self.keyframes(frames, steps.valid)
        if auxiliary is not None:
            auxiliary["kept_video"] = chosen.valid
            if self.training:
                auxiliary["reconstruction"] = self.keyframes.reconstruction(frames, chosen.values, steps.valid)
        return encoder.transformer(chosen.values, chosen.valid), Steps(chosen.values, chosen.valid)

    def output_for(self, present: Collection[str]) -> str | None:
        """The logits of the latest stage that, with those before it, needs no other modality than these."""
        ready = list(takewhile(lambda stage: set(stage) <= set(present), self.stages))
        if len(ready) == len(self.stages):
            return "logits"
        return "logits_" + "&".join(ready[-1]) if ready else None

    def read_by(self, output: str) -> tuple[str, ...]:
        """The modalities of the output's stage and of those before it."""
        names = ["&".join(stage) for stage in self.stages]
        last = len(names) - 1 if output == "logits" else names.index(output.removeprefix("logits_"))
        return tuple(modality for stage in self.stages[: last + 1] for modality in stage)

    def evidence(
        self, batch: Batch, output: str = "logits"
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]]:
        """a_j x^c_j W: the classifier of a stage is linear in the fused steps, and fusion is a weighted sum of them."""
        head = "&".join(self.stages[-1]) if output == "logits" else output.removeprefix("logits_")
        rows = self.heads[head].weight.split(self.config.dim, dim=1)  # type: ignore[operator]
        parts = {}
        for modality, weight in zip(self.read_by(output), rows, strict=True):
            selected, weights = self._selected(modality, batch, {})
            parts[modality] = torch.einsum("bt,btf,sf->btfs", weights, selected, weight)
        return parts

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Terms of L = sum over stages of CE + alpha L_sparse, + L_recon for video (Eq. 17-19), by name.

        In a regression, each stage predicts polarity, and its error takes the place of CE.
        """
        terms: dict[str, Tensor] = {}
        for stage in self.stages:
            name = "&".join(stage)
            terms[name] = self.task_loss(prediction.auxiliary[f"logits_{name}"], batch)
            for modality in stage:
                terms[f"sparsity_{modality}"] = self.config.sparsity_weight * self._mask_of(modality).penalty()
        if "reconstruction" in prediction.auxiliary:
            terms["reconstruction"] = self.config.reconstruction_weight * prediction.auxiliary["reconstruction"]
        return terms

    def phases(self) -> Sequence[Phase]:
        """One phase; with ``schedule="staged"``, one for each stage of the order."""
        if self.config.schedule != "staged":
            return [Phase()]
        phases = []
        for name in map("&".join, self.stages):
            parameters, terms = self._of_stage(name)
            phases.append(Phase(name=name, parameters=parameters, terms=terms, output=f"logits_{name}"))
        return phases

    def _of_stage(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Prefixes of the parameters, and names of the loss terms, that belong to one stage."""
        parameters, terms = [f"heads.{name}."], [name]
        for modality in name.split("&"):
            parameters += [f"encoders.{modality}.", f"masks.{modality}."]
            terms.append(f"sparsity_{modality}")
            if modality == "video" and self.keyframes is not None:
                parameters.append("keyframes.")
                terms.append("reconstruction")
        return tuple(parameters), tuple(terms)

    def learning_rate_ratios(self) -> Mapping[str, float]:
        """The masks' parameters have a learning rate of their own."""
        thresholds = {n: 1.0 for n, _ in self.named_parameters() if n.endswith("threshold")}
        return dict.fromkeys(["masks.", *thresholds], self.config.mask_learning_rate_ratio)

    def keep_ratios(self) -> dict[str, float]:
        """Share of the features (or weights) that each modality's mask keeps, by modality."""
        return {modality: self._mask_of(modality).keep_ratio() for modality in self.modalities}

    def measurements(self) -> dict[str, float]:
        """Keep ratio of each modality, and how often an empty mask was reset."""
        ratios = {f"keep_{modality}": ratio for modality, ratio in self.keep_ratios().items()}
        return ratios | {"mask_resets": float(self.num_mask_resets.item())}

    def after_step(self) -> None:
        """The guard: a mask that keeps 1 % or less is opened again, and that is counted."""
        for modality in self.modalities:
            self.num_mask_resets += int(self._mask_of(modality).reset_if_empty())

    def _mask_of(self, modality: str) -> FeatureMask | MaskedLinear:
        """What selects: the feature mask, or the layer whose weights are masked."""
        masked = [m for m in self.encoders[modality].modules() if isinstance(m, MaskedLinear)]
        return masked[-1] if masked else self.masks[modality]  # type: ignore[return-value]

    def warnings(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """Masks that rejected nothing although they were asked to."""
        if self.config.mask != "learned" or self.config.sparsity_weight == 0:
            return []
        return idle_masks(self.keep_ratios(), history)
