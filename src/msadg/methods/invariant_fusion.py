"""Invariant fusion with sequential variation regularisation: what modalities share decides what is fused.

Reference: Xu, Song, Xue, Liu, Wang, Zhang. "Invariant Representation Guided Multimodal Sentiment Decoding with
Sequential Variation Regularization" (arXiv 2409.00143, last version). Only its abstract was at hand.

From the abstract: a modality-invariant fusion that carries what modalities share, and a sequential variation term
    that regularises along time. It does not say how either is computed.
From the authors' earlier version (same arXiv number): the encoders, shared and private codes, CMD of order 5, the
    discriminator with its margin and weight, reconstruction, cross-attention from text behind a gate of factorised
    bilinear pooling, Jensen-Shannon divergence of neighbouring steps, and the numbers in ``InvariantFusionConfig``.
Where we differ from the earlier version, and why:
    - The later title speaks of variation: total variation is our reading of it and the default, on audio and video
      (there video alone). The divergence (``jsd``) is kept as a choice. Both are taken clip by clip; there, the
      divergence is of the batch's mean, in which clips cancel out.
    - Private codes are not reversed before the discriminator (``reverse_private`` does): reversal would hide what
      they are meant to show. No weight decay inside the discriminator: its rows are normalised.
    - The hard gate is trained by the slope of S2LIF's Eq. 11; sign() has no gradient. Audio and video each have a
      gate of their own, open at the start. Our sequences are not aligned to words, so the other modality's shared
      code is its mean over time; the text's is each step's own.
    - x_m is reconstructed step by step, not one vector for all steps of a clip, and without moving x_m itself: else
      x_m grows constant, which reconstructs (and varies) least of all (``move_target`` lets it).
    - Padding and unobserved steps never count; Transformers are the pre-norm ones of the rest of this package.
    - The task is classification, unless a run asks for polarity, as the earlier version does.
Paper -> here: u_m, x_m -> inside and after ``encoders``; S_m, I_m -> ``codes`` (private first); T, A, V -> what
``fused_codes`` names, private codes by default; L_adv, L_cmd, L_rec, L_sv -> terms ``adversary``, ``consistency``,
``reconstruction``, ``variation_<modality>``.

A modality that is not in use is left out of every part: without audio there is no attention to it; with text alone,
no gate, no consistency and no adversary. A clip that lacks a modality (no valid step) has zeros for codes; it counts
in no mean over clips that have it, and is attended to by nothing. Without text, one empty step asks the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msadg.errors import UsageError
from msadg.methods.method import Method, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.methods.varied import DEFAULT_MODALITIES, require_modalities, variation_terms
from msadg.nn.adversary import ModalityDiscriminator, reverse_gradient
from msadg.nn.codes import Codes, LateProjection
from msadg.nn.discrepancy import moment_discrepancy
from msadg.nn.encoder import StepTransformer, sinusoidal_positions
from msadg.nn.gate import BilinearGate, GatedAttention, GateKind
from msadg.nn.steps import attendable, mean_over_valid
from msadg.nn.variation import VariationKind
from msadg.settings import require, require_encoder_settings
from msadg.types import MODALITIES, Batch, Prediction

FusedCodes = Literal["private", "shared", "sum"]

FLAT = 0.01
"""A modality whose codes differ less from clip to clip says nothing: with S and I in (0, 1), healthy runs on simulated
domains had .04 to .17, and runs without the modality's help .002 to .009 (docs/log.md)."""


@dataclass(frozen=True, kw_only=True)
class InvariantFusionConfig:
    """Settings of invariant fusion; [E] follows the earlier version, [I] is our reading. Each part can be left out."""

    modalities: tuple[str, ...] = ()
    """Which are used, text among them; none named means all that have features."""
    dim: int = 128
    """Width d of x_m and of each code [E]."""
    heads: int = 4
    """Of the cross-attentions [E] and the last Transformer [I]; must divide ``dim``."""
    layers: int = 1
    """Of the Transformer on each of audio and video, and of the last one [E]; 0 leaves them out."""
    dropout: float = 0.6
    """In the discriminator and before the last layer [E], in [0, 1)."""
    encoder_dropout: float = 0.1
    """In the Transformers [E]."""
    codes: bool = True
    """Shared and private codes; False fuses x_m itself, and CMD, discriminator and reconstruction go with the codes."""
    consistency_weight: float = 1.0
    """Of L_cmd [E]; 0 leaves it out."""
    moments: int = 5
    """Order K of the central moment discrepancy [E]."""
    adversary_weight: float = 0.4
    """Of L_adv [E]; 0 leaves the discriminator out."""
    reverse_private: bool = False
    """Reverse the gradient of private codes, too, as the earlier version does."""
    margin: float = 0.5
    """Of the discriminator's softmax, in cosine [E]. With a margin, codes that nothing tells apart still get the full
    gradient: at s = 30 and .5, measured on simulated domains, it flattens the codes of audio and video; 0 does not."""
    margin_scale: float = 30.0
    """s of the discriminator's softmax [E]."""
    reconstruction_weight: float = 1.0
    """Of L_rec [E]; 0 leaves it out."""
    move_target: bool = False
    """Let L_rec also move x_m towards what is reconstructed, as the earlier version does: a constant x_m is easy."""
    fusion: Literal["attention", "concat"] = "attention"
    """``attention``: text asks audio and video; ``concat``: means over time side by side, without any attention."""
    fused_codes: FusedCodes = "private"
    """What is fused: private codes [E], shared codes, or their sum."""
    attention_dropout: float = 0.2
    """In the cross-attentions [E]."""
    gate: GateKind = "hard"
    """On each cross-attention: ``hard`` (trained by the slope of Eq. 11), ``soft`` (a sigmoid), ``none``."""
    gate_dim: int = 32
    """Hidden width of the gate's bilinear pooling [E]."""
    gate_factor: int = 2
    """Products added up for each hidden feature [E]."""
    gate_dropout: float = 0.4
    """Of those products [E]."""
    variation: VariationKind = "tv_l1"
    """L_sv on [S_m ; I_m]: ``tv_l1``, ``tv_l2``, ``jsd`` [E], or ``none``."""
    variation_weight: float = 1.0
    """Of each modality's L_sv [E]."""
    variation_modalities: tuple[str, ...] = DEFAULT_MODALITIES
    """Whose sequences L_sv acts on, as far as they are used; [E] video alone."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        require_encoder_settings(self)
        for name in ("encoder_dropout", "attention_dropout", "gate_dropout"):
            require(name, getattr(self, name), at_least=0, at_most=0.999)
        for name in ("consistency_weight", "adversary_weight", "reconstruction_weight", "variation_weight", "margin"):
            require(name, getattr(self, name), at_least=0)
        for name in ("moments", "gate_dim", "gate_factor"):
            require(name, getattr(self, name), at_least=1)
        require("margin_scale", self.margin_scale, above=0)
        require_modalities("variation_modalities", self.variation_modalities)


class InvariantFusion(Method):
    """Text asks audio and video; how far it listens is decided by what they share."""

    name = "invariant_fusion"
    Config = InvariantFusionConfig

    def __init__(
        self, config: InvariantFusionConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION
    ) -> None:
        super().__init__(task)
        self.config = config
        self.modalities = config.modalities or tuple(m for m in MODALITIES if m in feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        if "text" not in self.modalities:
            given = ", ".join(self.modalities)
            raise UsageError(f"{self.name} lets text ask the others, but it was given {given} only; add text features")
        self.others = tuple(modality for modality in self.modalities if modality != "text")
        self.regularised = tuple(m for m in config.variation_modalities if m in self.modalities)
        self.has_variation = config.variation != "none"
        self.encoders = nn.ModuleDict({m: self._encoder(m, feature_dims[m]) for m in self.modalities})
        self._make_codes()
        self._make_fusion()
        self.open_shares: dict[str, Tensor] = {}
        self.spreads: dict[str, Tensor] = {}
        self.head = nn.Sequential(
            nn.Linear(self._fused_dim(), config.dim),
            nn.Dropout(config.dropout),
            nn.ReLU(),
            nn.Linear(config.dim, self.num_outputs),
        )

    def _encoder(self, modality: str, feature_dim: int) -> LateProjection:
        layers = 0 if modality == "text" else self.config.layers
        return LateProjection(feature_dim, self.config.dim, layers, self.config.encoder_dropout)

    def _make_codes(self) -> None:
        config = self.config
        self.codes = Codes(self.modalities, config.dim) if config.codes else None
        self.reconstructions = nn.ModuleDict()
        if config.codes and config.reconstruction_weight > 0:
            self.reconstructions.update({m: nn.Linear(config.dim, config.dim) for m in self.modalities})
        has_adversary = config.codes and config.adversary_weight > 0 and bool(self.others)
        self.discriminator = (
            ModalityDiscriminator(config.dim, len(self.modalities), config.dropout, config.margin_scale, config.margin)
            if has_adversary
            else None
        )

    def _make_fusion(self) -> None:
        config = self.config
        self.streams, self.gates = nn.ModuleDict(), nn.ModuleDict()
        self.decoder = None
        if config.fusion == "concat":
            return
        for modality in self.others:
            self.streams[modality] = GatedAttention(config.dim, config.heads, config.attention_dropout)
            if config.gate != "none":
                self.gates[modality] = BilinearGate(
                    config.dim,
                    config.gate,
                    hidden=config.gate_dim,
                    factor=config.gate_factor,
                    dropout=config.gate_dropout,
                )
        self.decoder = StepTransformer(self._fused_dim(), config.heads, config.layers, config.encoder_dropout)

    def _fused_dim(self) -> int:
        """Width of what the head reads."""
        num_parts = len(self.modalities) if self.config.fusion == "concat" else max(1, len(self.others))
        return num_parts * self.config.dim

    def forward(self, batch: Batch) -> Prediction:
        """Logits; the sequences, their means and what reconstruction is held against go into ``auxiliary``."""
        means, auxiliary = [], {}
        for modality in self.modalities:
            steps = batch.steps[modality]
            encoded = self.encoders[modality](steps.values, steps.valid)
            sequence = encoded if self.codes is None else self.codes(modality, encoded, steps.valid)
            means.append(sequence.sum(dim=1) / steps.valid.sum(dim=1, keepdim=True).clamp_min(1))
            auxiliary[f"encoded_{modality}"] = encoded
            auxiliary[f"sequence_{modality}"] = sequence
            auxiliary[f"sequence_valid_{modality}"] = steps.valid
        auxiliary["code_means"] = torch.stack(means, dim=1)
        fused = self._concatenated(auxiliary["code_means"]) if self.decoder is None else self._attended(auxiliary)
        return Prediction(self.head(fused), auxiliary)

    def _concatenated(self, means: Float[Tensor, "batch modality codes"]) -> Float[Tensor, "batch fused"]:
        return self._to_fuse(means).flatten(1)

    def _attended(self, auxiliary: dict[str, Tensor]) -> Float[Tensor, "batch fused"]:
        """[at ; vt] through the last Transformer, its mean over the steps of text."""
        sequence = auxiliary["sequence_text"]
        text = self._to_fuse(sequence)
        asking = attendable(auxiliary["sequence_valid_text"])
        query = text + _positions(text)
        streams = []
        for place, modality in enumerate(self.modalities):
            if modality == "text":
                continue
            other = self._to_fuse(auxiliary[f"sequence_{modality}"])
            gate = None
            if modality in self.gates:
                gate = self.gates[modality](self._shared(sequence), self._shared(auxiliary["code_means"][:, place]))
                auxiliary[f"gate_{modality}"] = gate
                self.open_shares[modality] = (gate.detach() * asking).sum() / asking.sum()
            there = auxiliary[f"sequence_valid_{modality}"]
            streams.append(self.streams[modality](text, query, other + _positions(other), there, gate))
        assert self.decoder is not None
        return mean_over_valid(self.decoder(torch.cat(streams or [text], dim=-1), asking), asking)

    def _shared(self, codes: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch feature"]:
        """I_m; x_m where there are no codes."""
        return codes if self.codes is None else codes[..., self.config.dim :]

    def _private(self, codes: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch feature"]:
        return codes[..., : self.config.dim]

    def _to_fuse(self, codes: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch feature"]:
        """T, A or V."""
        match self.config.fused_codes:
            case "private":
                return self._private(codes)
            case "shared":
                return self._shared(codes)
            case "sum":
                return codes if self.codes is None else self._private(codes) + self._shared(codes)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Terms of L = L_task + .4 L_adv + L_cmd + L_rec + L_sv, by name; parts left out have none."""
        config, found = self.config, prediction.auxiliary
        terms = super().loss(prediction, batch)
        present = torch.stack([found[f"sequence_valid_{m}"].any(dim=1) for m in self.modalities], dim=1)
        if self.training and self.codes is not None:
            self.spreads = self._spreads(found["code_means"], present)
        if self.codes is not None and self.others and config.consistency_weight > 0:
            discrepancy = moment_discrepancy(self._shared(found["code_means"]), present, config.moments)
            terms["consistency"] = config.consistency_weight * discrepancy
        if self.discriminator is not None:
            terms["adversary"] = config.adversary_weight * self._adversary(found["code_means"], present)
        if len(self.reconstructions):
            terms["reconstruction"] = config.reconstruction_weight * self._reconstruction(found)
        if self.has_variation:
            terms |= variation_terms(prediction, self.regularised, config.variation, config.variation_weight)
        return terms

    def _adversary(
        self, means: Float[Tensor, "batch modality codes"], present: Bool[Tensor, "batch modality"]
    ) -> Float[Tensor, ""]:
        """L_adv: of the shared codes, whose gradient is reversed, plus that of the private ones, whose is not."""
        shared, private = reverse_gradient(self._shared(means)), self._private(means)
        if self.config.reverse_private:
            private = reverse_gradient(private)
        # There are as many of both, so the mean over all is half the sum of their means.
        codes, there = torch.stack([shared, private]), torch.stack([present, present])
        loss: Tensor = 2 * self.discriminator(codes, there)  # type: ignore[misc]
        return loss

    def _reconstruction(self, found: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """L_rec: R_m(S_m + I_m) against x_m, squared, mean over features, a clip's steps, clips and modalities."""
        parts = []
        for modality, reconstruct in self.reconstructions.items():
            codes = found[f"sequence_{modality}"]
            target = found[f"encoded_{modality}"] if self.config.move_target else found[f"encoded_{modality}"].detach()
            error = reconstruct(self._private(codes) + self._shared(codes)) - target
            squared = error.square().mean(dim=-1, keepdim=True)
            parts.append(mean_over_valid(squared, found[f"sequence_valid_{modality}"]).mean())
        return torch.stack(parts).mean()

    @torch.no_grad()
    def _spreads(
        self, means: Float[Tensor, "batch modality codes"], present: Bool[Tensor, "batch modality"]
    ) -> dict[str, Tensor]:
        """Standard deviation of what is fused, over the clips that have the modality; mean over features.

        Fewer than two clips have none: what was measured before stays; NaN where there never were two.
        """
        weight = present.to(means.dtype).unsqueeze(-1)
        counts = weight.sum(dim=0)
        weight = weight / counts.clamp_min(1)
        fused = self._to_fuse(means)
        variance = (weight * (fused - (weight * fused).sum(dim=0)).square()).sum(dim=0)
        now = dict(zip(self.modalities, variance.sqrt().mean(dim=-1), strict=True))
        enough = dict(zip(self.modalities, counts[:, 0] > 1, strict=True))
        return {m: torch.where(enough[m], spread, self.spreads.get(m, torch.nan)) for m, spread in now.items()}

    def measurements(self) -> dict[str, float]:
        """Of the last batch: how far each gate was open (mean over steps of text), how far codes differed by clip."""
        gates = {f"gate_{modality}": float(share) for modality, share in self.open_shares.items()}
        spreads = {f"spread_{modality}": float(spread) for modality, spread in self.spreads.items()}
        return gates | {name: spread for name, spread in spreads.items() if not math.isnan(spread)}

    def warnings(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """Gates that let nothing through, ever; codes that ended up the same for all clips."""
        last = history[-1] if history else {}
        margin = " its margin (margin = 0) or" if self.discriminator is not None and self.config.margin > 0 else ""
        return [
            f"the {modality} gate was closed in every epoch, so {modality} decided nothing; try gate 'soft' or 'none'"
            for modality in self.gates
            if history and all(epoch.get(f"gate_{modality}") == 0.0 for epoch in history)
        ] + [
            f"the {modality} codes ended up nearly the same for every clip (spread {last[f'spread_{modality}']:.3f} on "
            f"a scale of 0 to 1), so {modality} decides nothing; the discriminator can do that: try without{margin} "
            "its weight (adversary_weight = 0)"
            for modality in self.modalities
            if last.get(f"spread_{modality}", 1.0) < FLAT
        ]


def _positions(codes: Float[Tensor, "batch time feature"]) -> Float[Tensor, "time feature"]:
    return sinusoidal_positions(codes.shape[1], codes.shape[2], codes.device)
