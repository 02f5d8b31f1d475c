"""From features, some of which may be missing, to probabilities: what is missing is done without, never made up.

In this order: the method's own earlier stage, where that needs only what is there; a run trained with modality dropout
goes without as it did in training (where a clip lost one modality, never two); else the probabilities are averaged over
what the sources' clips showed in the missing modality.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from msadg.errors import RunError
from msadg.methods.method import ClosedForm, Method
from msadg.protocols.sources import Sources
from msadg.serving.verdict import Fallback
from msadg.types import MODALITIES, Batch, Prediction, Steps

MOST_ROWS = 256
"""Clips that are scored at once."""


@dataclass(frozen=True)
class Plan:
    """Which logits are read, and how what is missing is done without."""

    output: str
    read: tuple[str, ...]
    """The modalities that decide."""
    missing: tuple[str, ...]
    """Those that the method reads for this output too, but the clip lacks."""
    fallback: Fallback | None


def plan_for(method: Method, present: Collection[str], *, has_dropout: bool, sources: Sources | None) -> Plan:
    """Choose what to do with the modalities at hand, at least one of which the method reads.

    Raises:
        RunError: something is missing that this run knows no way to do without.
    """
    reads = [modality for modality in MODALITIES if modality in method.modalities]
    missing = tuple(modality for modality in reads if modality not in present)
    output = method.output_for(present)
    if output is not None:
        decide = method.read_by(output)
        read = tuple(modality for modality in reads if modality in decide)
        return Plan(output, read, (), "stage" if missing else None)
    read = tuple(modality for modality in reads if modality in present)
    if has_dropout and len(missing) == 1 and not isinstance(method, ClosedForm):
        return Plan("logits", read, missing, "dropout")
    if sources is None or not len(_shown(sources, missing)):
        raise RunError(
            f"the clip has no {' and no '.join(missing)}, which this run reads, and the run has kept nothing of its "
            "sources to do without; its `msadg train` command with --resume adds that"
        )
    return Plan("logits", read, missing, "average")


def _shown(sources: Sources, missing: Collection[str]) -> Tensor:
    """Which of the sources' kept clips show all of the missing modalities."""
    shown = torch.stack([sources.background[modality].valid.any(dim=1) for modality in missing])
    return torch.nonzero(shown.all(dim=0))[:, 0]


class Scorer:
    """Scores variants of one clip by a plan.

    Args:
        method: in eval mode.
        plan: for the clip.
        sources: needed where the plan averages.
        empty: one clip without a valid step, by modality.
        device: where the method is.
    """

    def __init__(
        self, method: Method, plan: Plan, sources: Sources | None, empty: Mapping[str, Steps], device: str
    ) -> None:
        self.method = method
        self.plan = plan
        self.device = device
        self.filling = {modality: empty[modality] for modality in method.modalities if modality not in plan.read}
        if plan.fallback == "average":
            assert sources is not None
            rows = _shown(sources, plan.missing)
            self.filling |= {m: _chosen(sources.background[m], rows) for m in plan.missing}

    @property
    def num_fillings(self) -> int:
        """Clips that are averaged over; 1 where nothing is averaged."""
        return max((len(steps.valid) for steps in self.filling.values()), default=1)

    def batch(self, steps: Mapping[str, Steps]) -> Batch:
        """Each variant with each filling, variants outermost.

        Args:
            steps: of the modalities that the plan reads, for some variants of the clip.
        """
        num_variants = max((len(s.valid) for s in steps.values()), default=1)
        whole = {modality: _repeated(steps[modality], self.num_fillings) for modality in self.plan.read}
        for modality, filling in self.filling.items():
            times = self.num_fillings // len(filling.valid) * num_variants
            whole[modality] = Steps(filling.values.repeat(times, 1, 1), filling.valid.repeat(times, 1))
        size = num_variants * self.num_fillings
        return Batch(
            clip_ids=("clip",) * size,
            steps={modality: whole[modality] for modality in self.method.modalities},
            sentiment=torch.zeros(size, dtype=torch.int64),
            polarity=torch.full((size,), torch.nan),
            domain=torch.full((size,), -1),
        ).to(self.device)

    @torch.no_grad()
    def predict(self, steps: Mapping[str, Steps]) -> Prediction:
        """What the method says of the clip with the first filling."""
        prediction: Prediction = self.method(self.batch(steps))
        return prediction

    def probabilities(self, steps: Mapping[str, Steps]) -> Float[Tensor, "variant sentiment"]:
        """Of each variant, averaged over the fillings; in double precision."""
        return self._averaged(steps)

    def polarity(self, steps: Mapping[str, Steps]) -> Float[Tensor, " variant"]:
        """That a regression predicts of each variant, averaged alike."""
        return self._averaged(steps)[:, 0]

    def support(self, steps: Mapping[str, Steps], winner: int) -> Float[Tensor, " variant"]:
        """The winning class's log-probability; in a regression, the polarity."""
        if self.method.task.is_regression:
            return self.polarity(steps)
        return self.probabilities(steps).clamp_min(1e-300).log()[:, winner]

    @torch.no_grad()
    def _averaged(self, steps: Mapping[str, Steps]) -> Float[Tensor, "variant output"]:
        num_variants = max((len(s.valid) for s in steps.values()), default=1)
        at_once = max(MOST_ROWS // self.num_fillings, 1)
        rows = []
        for start in range(0, num_variants, at_once):
            chunk = slice(start, start + at_once)
            part = {modality: Steps(s.values[chunk], s.valid[chunk]) for modality, s in steps.items()}
            prediction = self.method(self.batch(part))
            logits = prediction.logits if self.plan.output == "logits" else prediction.auxiliary[self.plan.output]
            each = logits.double() if self.method.task.is_regression else logits.double().softmax(dim=-1)
            rows.append(each.cpu().reshape(-1, self.num_fillings, each.shape[-1]).mean(dim=1))
        return torch.cat(rows)


def _chosen(steps: Steps, rows: Tensor) -> Steps:
    return Steps(steps.values[rows], steps.valid[rows])


def _repeated(steps: Steps, times: int) -> Steps:
    return Steps(steps.values.repeat_interleave(times, dim=0), steps.valid.repeat_interleave(times, dim=0))
