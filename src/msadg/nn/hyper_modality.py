"""ALMT's own parts: a modality as a few tokens, the scales of text, the hyper-modality, and the last fusion.

Reference: Zhang et al., "Learning Language-guided Adaptive Hyper-modality Representation for Multimodal Sentiment
Analysis", EMNLP 2023, Sec. 3. ``published`` is what the authors' code computes; what differs otherwise, and why, is
told in ``msadg.methods.almt``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.nn.encoder import sinusoidal_positions
from msadg.nn.wide_attention import WideLayer


class TokenEmbedding(nn.Module):
    """H_m^1: a few learned tokens after a Transformer over [tokens ; steps]; the steps themselves are then dropped.

    In the last layer only the tokens ask, for nothing else of it is kept.

    Args:
        layers: at least one.
        num_tokens: how many are kept.
        max_steps: length of the table of learned positions; None is sinusoids, of any length.
        attends_padding: read every step of the batch, there or not.
    """

    def __init__(
        self, layers: Sequence[WideLayer], dim: int, num_tokens: int, max_steps: int | None, *, attends_padding: bool
    ) -> None:
        super().__init__()
        self.max_steps = max_steps
        self.attends_padding = attends_padding
        self.layers = nn.ModuleList(layers)
        if max_steps is None:
            self.tokens = nn.Parameter(torch.randn(num_tokens, dim))
        else:
            self.tokens = nn.Parameter(torch.zeros(num_tokens, dim))
            self.positions = nn.Parameter(torch.randn(num_tokens + max_steps, dim))

    def forward(
        self, steps: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch token feature"]:
        """The tokens; of a clip without a valid step, what tokens say among themselves."""
        batch, num_steps, dim = steps.shape
        num_tokens = len(self.tokens)
        tokens = self.tokens[None]
        if self.max_steps is None:
            steps = steps + sinusoidal_positions(num_steps, dim, steps.device).to(steps.dtype)
        else:
            tokens = tokens + self.positions[:num_tokens]
            steps = steps + self.positions[num_tokens : num_tokens + num_steps]
        attended = None if self.attends_padding else F.pad(valid, (num_tokens, 0), value=True)
        read = torch.cat([tokens.expand(batch, -1, -1), steps], dim=1)
        *earlier, last = self.layers
        for layer in earlier:
            read = layer(read, read, attended)
        # Of one layer, the tokens ask the same of every clip.
        asking = read[:, :num_tokens] if earlier else tokens
        kept: Tensor = last(asking, read, attended)
        return kept


class TextScales(nn.Module):
    """H_text^1, H_text^2 ...: the tokens of text with their positions, and after each of some layers."""

    def __init__(self, layers: Sequence[WideLayer], dim: int, num_tokens: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(num_tokens, dim))
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Float[Tensor, "batch token feature"]) -> list[Float[Tensor, "batch token feature"]]:
        """One more than there are layers."""
        scales = [tokens + self.positions]
        for layer in self.layers:
            scales.append(layer(scales[-1], scales[-1]))
        return scales


class HyperLayer(nn.Module):
    """Adaptive hyper-modality learning: text asks each of the others, and the sum of the answers is added.

    H^j = H^{j-1} + W_o sum_m softmax(Q K_m^T / sqrt(head_dim)) V_m, with Q from text at scale j.

    Args:
        modalities: the others.
        dim: width of all.
        heads: number of heads.
        head_dim: width of each.
        dropout: of what is added, in [0, 1).
        norms_state: put the state through LayerNorm before adding to it, as the published code does.
    """

    def __init__(
        self, modalities: Sequence[str], dim: int, heads: int, head_dim: int, dropout: float, *, norms_state: bool
    ) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_dim
        self.norm_text = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, inner, bias=False)
        self.norms = nn.ModuleDict({m: nn.LayerNorm(dim) for m in modalities})
        self.keys = nn.ModuleDict({m: nn.Linear(dim, inner, bias=False) for m in modalities})
        self.values = nn.ModuleDict({m: nn.Linear(dim, inner, bias=False) for m in modalities})
        self.out = nn.Linear(inner, dim)
        self.dropout = nn.Dropout(dropout)
        self.norm_hyper = nn.LayerNorm(dim) if norms_state else nn.Identity()

    def forward(
        self,
        hyper: Float[Tensor, "#batch token feature"],
        text: Float[Tensor, "batch token feature"],
        others: Mapping[str, Float[Tensor, "batch token feature"]],
        present: Mapping[str, Bool[Tensor, " batch"]] | None,
    ) -> Float[Tensor, "batch token feature"]:
        """H^j.

        Args:
            hyper: H^{j-1}.
            text: H_text^j.
            others: H_m^1 of each other modality.
            present: which clips have it; it adds nothing to the others. None is all.
        """
        query = self._per_head(self.query(self.norm_text(text)))
        found = torch.zeros_like(query)
        for modality, tokens in others.items():
            normed = self.norms[modality](tokens)
            key, value = self.keys[modality](normed), self.values[modality](normed)
            answer = F.scaled_dot_product_attention(query, self._per_head(key), self._per_head(value))
            if present is not None:
                answer = answer * present[modality][:, None, None, None].to(answer.dtype)
            found = found + answer
        added: Tensor = self.norm_hyper(hyper) + self.dropout(self.out(found.transpose(1, 2).flatten(2)))
        return added

    def _per_head(self, values: Float[Tensor, "batch token inner"]) -> Float[Tensor, "batch head token feature"]:
        return values.view(*values.shape[:2], self.heads, -1).transpose(1, 2)


class FirstTokenFusion(nn.Module):
    """Crossmodal Transformer of which the first token is kept: it asks [token ; source], which stays as it is.

    The rows of the side that asks never meet one another: each is its own query. So the first one is all there is to
    compute, and what it starts from is all that it knows beside the source.
    """

    def __init__(self, layers: Sequence[WideLayer], dim: int, num_tokens: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(dim))
        self.position = nn.Parameter(torch.randn(dim))
        self.source_positions = nn.Parameter(torch.randn(1 + num_tokens, dim))
        self.layers = nn.ModuleList(layers)

    def forward(
        self, source: Float[Tensor, "batch token feature"], start: Float[Tensor, "batch feature"] | None
    ) -> Float[Tensor, "batch feature"]:
        """The first token.

        Args:
            source: what is asked.
            start: added to the token; None asks the same of every clip.
        """
        batch, _, dim = source.shape
        read = torch.cat([self.token.expand(batch, 1, dim), source], dim=1) + self.source_positions
        asking = (self.token + self.position).expand(1, 1, dim)
        if start is not None:
            asking = asking + start.unsqueeze(1)
        for layer in self.layers:
            asking = layer(asking, read)
        return asking.squeeze(1)
