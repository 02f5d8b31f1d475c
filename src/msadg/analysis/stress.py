"""How much a trained run's predictions move, and how much its scores fall, when its input is disturbed.

Each modality is disturbed by itself, the others are as stored. What is scored are the method's own logits: it is not
told that anything is wrong (a prediction on a clip of one's own is, and may answer from what is left).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from msadg.analysis.movement import movements
from msadg.analysis.perturb import TEXT_KINDS, Kind, Perturbation, Perturbed
from msadg.analysis.stress_config import StressConfig
from msadg.batches.clips import ClipSet, joined
from msadg.batches.moments import step_moments
from msadg.errors import UsageError
from msadg.protocols.domains import DomainSplit
from msadg.protocols.evaluate import predict_logits, predictions_of, scores_of
from msadg.protocols.features import feature_manifests, load_clips
from msadg.protocols.fit import source_clips
from msadg.protocols.intervention import intervened
from msadg.protocols.run import TrainedRun, check_classes
from msadg.protocols.training import num_threads, resolved_device
from msadg.results.predictions import Predictions
from msadg.types import MODALITIES, Split

SCORES = ("accuracy", "f1_macro", "mae")
"""As far as there are: classes have no mean absolute error."""

CHANGES = tuple(f"{score}_change" for score in SCORES)
"""What the run scores, less what it scores on the same clips as they are."""

Progress = Callable[[int, int], None]
"""(scorings done, scorings in all)"""


@dataclass(frozen=True, kw_only=True)
class Stress:
    """What one run did on one domain under one perturbation."""

    domain: str
    modality: str
    kind: Kind
    rate: float
    """0 = as stored; 1 for ``missing``."""
    values: Mapping[str, tuple[float, ...]]
    """Movement or score, by its name, for each repeat; one where nothing is left to chance."""
    by_clip: Mapping[str, Float[np.ndarray, " clip"]]
    """Those that are means over clips: each clip's mean over the repeats."""
    video_id: tuple[str, ...]
    """Of each clip."""


def stressed_modalities(trained: TrainedRun, config: StressConfig) -> tuple[str, ...]:
    """The modalities of a configuration that the run has features of."""
    return tuple(m for m in MODALITIES if m in config.modalities and m in trained.experiment.data.features)


def stress_run(
    trained: TrainedRun,
    config: StressConfig,
    domains: Sequence[str] = (),
    *,
    split: Split = "test",
    progress: Progress | None = None,
) -> list[Stress]:
    """Score a run as it is and under every perturbation.

    Args:
        trained: the run.
        config: what is done to its input.
        domains: where; none stands for the run's targets, or its sources if it has no target.
        split: of each domain.
        progress: told after each scoring.

    Raises:
        UsageError: the run reads none of the modalities, or noise is asked of token ids.
        FeatureError: a domain's features come from another extractor than the sources'.
        CorpusError: a domain's classes are not those that the run was trained on.
    """
    experiment = trained.experiment
    names = tuple(domains) or default_domains(experiment.domains)
    feature_manifests(experiment.data, [*experiment.domains.source_domains, *names])
    modalities = stressed_modalities(trained, config)
    if not modalities:
        raise UsageError(
            f"the run has {', '.join(experiment.data.features)} features, and {', '.join(config.modalities)} was to be "
            "disturbed; name a modality that it has"
        )
    for modality in modalities:
        if not config.kinds_for(modality):
            raise UsageError(
                f"nothing to measure of {modality}: {', '.join(config.kinds)} is for audio and video; "
                f"of text there are {', '.join(TEXT_KINDS)}"
            )
    device = resolved_device(experiment.training.device)
    method = trained.method.to(device)
    spreads = _spreads(trained, modalities) if "noise" in config.kinds else {}
    plan = [(m, kind, rate) for m in modalities for kind in config.kinds_for(m) for rate in _rates(config, kind)]
    tell = _counter(progress, len(names) * (1 + sum(len(config.draws(*cell)) for cell in plan)))
    found: list[Stress] = []
    dev_sets = source_clips(experiment, "dev")
    with num_threads(experiment.training.threads), intervened(method, experiment.intervention, dev_sets, device):
        for name in names:
            clips = load_clips(experiment.data, name, split)
            check_classes(trained, [clips])
            scorer = _Scorer(method, clips, device, tell)
            found += scorer.unperturbed([(m, kind) for m in modalities for kind in config.kinds_for(m)])
            for m, kind, rate in plan:
                found.append(scorer.under(config.draws(m, kind, rate), spreads.get(m)))
    method.cpu()
    return found


def default_domains(domains: DomainSplit) -> tuple[str, ...]:
    """The targets; the sources of a run that has none."""
    return domains.target_domains or domains.source_domains


def _rates(config: StressConfig, kind: Kind) -> tuple[int | float, ...]:
    return (1.0,) if kind == "missing" else tuple(sorted(set(config.rates)))


def _spreads(trained: TrainedRun, modalities: Sequence[str]) -> dict[str, Tensor]:
    train = joined(source_clips(trained.experiment, "train"))
    return {modality: step_moments(train, modality)[1] for modality in modalities}


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return tell


class _Scorer:
    """Scores one method on one domain, as it is and disturbed."""

    def __init__(self, method: nn.Module, clips: ClipSet, device: str, tell: Callable[[], None]) -> None:
        self.method, self.clips, self.device, self.tell = method, clips, device, tell
        self.before, self.scores = self._predict(method)

    def _predict(self, method: nn.Module) -> tuple[Predictions, dict[str, float]]:
        logits = predict_logits(method, self.clips, device=self.device)["logits"]
        self.tell()
        return predictions_of(logits, self.clips), scores_of(logits, self.clips)

    def unperturbed(self, cells: Sequence[tuple[str, Kind]]) -> list[Stress]:
        """The run's own scores, as the beginning of each curve."""
        return [self._stress(m, kind, 0.0, [(self.before, self.scores)]) for m, kind in cells]

    def under(self, draws: Sequence[Perturbation], spread: Tensor | None) -> Stress:
        """The scores under each draw of one perturbation."""
        found = [self._predict(Perturbed(self.method, draw, spread)) for draw in draws]
        return self._stress(draws[0].modality, draws[0].kind, float(draws[0].rate), found)

    def _stress(
        self, modality: str, kind: Kind, rate: float, found: Sequence[tuple[Predictions, dict[str, float]]]
    ) -> Stress:
        moved = [movements(self.before, after) for after, _ in found]
        values = {name: tuple(float(by_clip[name].mean()) for by_clip in moved) for name in moved[0]}
        known = [name for name in SCORES if name in self.scores]
        values |= {name: tuple(scores[name] for _, scores in found) for name in known}
        values |= {f"{name}_change": tuple(s[name] - self.scores[name] for _, s in found) for name in known}
        by_clip = {name: np.mean([part[name] for part in moved], axis=0) for name in moved[0]}
        before, after = _scored_by_clip(self.before), [_scored_by_clip(predictions) for predictions, _ in found]
        for name in set(before) & set(known):
            by_clip[name] = np.mean([part[name] for part in after], axis=0)
            by_clip[f"{name}_change"] = by_clip[name] - before[name]
        return Stress(
            domain=self.clips.domain,
            modality=modality,
            kind=kind,
            rate=rate,
            values=values,
            by_clip=by_clip,
            video_id=self.clips.video_ids,
        )


def _scored_by_clip(predictions: Predictions) -> dict[str, Float[np.ndarray, " clip"]]:
    """The scores that are means over clips."""
    scores = {"accuracy": (predictions.predicted == predictions.sentiment).astype(np.float64)}
    if predictions.predicted_polarity is not None:
        scores["mae"] = np.abs(predictions.predicted_polarity - predictions.polarity)
    return scores
