"""From a trained run and someone's own clip to a verdict; needs the run's folder and its extractors, no corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from msadg.corpora.labels import sentiment_of_polarity
from msadg.errors import MediaError, RunError, UsageError
from msadg.extraction.extractor import Loss
from msadg.protocols.fit import source_clips
from msadg.protocols.run import load_run
from msadg.protocols.sources import read_sources
from msadg.protocols.training import num_threads
from msadg.serving.features import FeatureMaker, Observed, feature_names
from msadg.serving.inputs import NOT_GIVEN, clips_of
from msadg.serving.reasons import reasons_for, seconds
from msadg.serving.scoring import Plan, Scorer, plan_for
from msadg.serving.shift import shift_of, shift_warning
from msadg.serving.times import check_within
from msadg.serving.verdict import KeyFrame, Shift, Verdict
from msadg.serving.wording import given_by_hand, how_without, listed, not_asked, not_read, nothing_to_read
from msadg.types import MODALITIES, Clip, LabelSet, Prediction, Steps, Word


@dataclass(frozen=True)
class Said:
    """What a run says of some of a clip's modalities: of classes, their probabilities; else a polarity."""

    winner: int
    """Index of the class."""
    probabilities: dict[str, float] | None
    polarity: float | None


class Predictor:
    """Predicts the sentiment of clips with one trained run, or what else the run was trained on.

    A clip that has every modality gets what scoring it from its store gives (``msadg evaluate``): to about 1e-5 where
    text was encoded, since an encoder's last bits depend on the transcripts that it was batched with. One that lacks a
    modality does not: scoring takes it as it is stored, without a valid step there.

    Args:
        run_folder: that ``msadg train`` wrote; it may have been copied here without its corpora and stores.
        device: where the method runs: ``cpu`` or ``cuda``.

    Raises:
        RunError: not a run, not finished, or damaged.
        UsageError: no such device.

    Example::

        predictor = Predictor(Path("runs/first"))
        verdict = predictor.predict("clip.mp4", text="I loved every minute of it", start_seconds=3, end_seconds=9)
        verdict.sentiment, verdict.probabilities, verdict.warnings
    """

    def __init__(self, run_folder: Path | str, *, device: str = "cpu") -> None:
        if device != "cpu" and not torch.cuda.is_available():
            raise UsageError(f"device {device!r} was asked for, but torch sees no CUDA device here; use cpu")
        self.folder = Path(run_folder)
        self.device = device
        trained = load_run(self.folder)
        self.experiment = trained.experiment
        self.method = trained.method.eval().to(device)
        self.sources = read_sources(self.folder)
        self.maker = FeatureMaker(self.experiment.data, self.sources)

    @property
    def label_set(self) -> LabelSet:
        """What the classes of a verdict are."""
        return self.method.task.label_set

    def predict(
        self,
        video: Path | str | None = None,
        *,
        text: str | None = None,
        audio: Path | str | None = None,
        start_seconds: int | float | None = None,
        end_seconds: int | float | None = None,
        words: Sequence[Word] = (),
    ) -> Verdict:
        """Return what the run says of a clip; any of the modalities that the run reads will do.

        Args:
            video: file with the speaker's face.
            text: what is said, between the times.
            audio: file with the sound; the video's own where there is none. Both share one time axis.
            start_seconds: where the clip starts in the files; None is their beginning.
            end_seconds: where it ends; None is their end.
            words: the words of ``text`` with their times, where known: the verdict then says when they were said.

        Raises:
            UsageError: nothing was given that the run reads, or times that cannot be.
            MediaError: a file is not there, the clip would begin after its end, or nothing of what was given can be
                read; says why of each.
            RunError: an extractor here makes other features than the run learned from.
        """
        clips = clips_of(
            video=video,
            text=text,
            audio=audio,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            words=words,
        )
        files = {clip.clip_path: clip for clip in clips.values() if clip.clip_path is not None}
        cut = [check_within(path, clip.start_seconds, clip.end_seconds) for path, clip in files.items()]
        observed, missing = self._observe(clips)
        self._check_anything(observed, missing, clips)
        with num_threads(self.experiment.training.threads):  # to the bits that scoring the run gives
            return self._verdict(clips, observed, missing, [sentence for sentence in cut if sentence])

    def _verdict(
        self,
        clips: Mapping[str, Clip],
        observed: Mapping[str, Observed],
        missing: Mapping[str, Loss],
        cut: Sequence[str],
    ) -> Verdict:
        plan = self._plan(observed)
        scorer = self._scorer(plan)
        read = {modality: observed[modality] for modality in plan.read}
        steps = {modality: seen.steps for modality, seen in read.items()}
        said = self._said(scorer, steps)
        names = {m: feature_names(self.maker.extractor(m)) for m in read}
        unread = tuple(not_read(clips, missing))
        reasons = reasons_for(scorer, read, said.winner, self.sources, names)
        shift = self._shift(read)
        text_only = said if plan.read == ("text",) else self._text_only(observed)
        return Verdict(
            sentiment=self.label_set.classes[said.winner],
            label_set=self.label_set.name,
            probabilities=said.probabilities,
            text_only=text_only.probabilities if text_only else None,
            multimodal=said.probabilities if len(plan.read) > 1 else None,
            polarity=said.polarity,
            text_only_polarity=text_only.polarity if text_only else None,
            modalities=tuple(modality for modality in MODALITIES if modality in plan.read),
            missing={modality: loss.reason for modality, loss in missing.items()},
            fallback=plan.fallback,
            how=how_without(plan, scorer.num_fillings, has_dropout=self._has_dropout),
            modality_shares=reasons.modality_shares,
            num_frames=int(read["video"].steps.valid.sum()) if "video" in read else 0,
            key_frames=_key_frames(scorer.predict(steps), read.get("video")),
            steps=reasons.steps,
            features=reasons.features,
            shift=shift,
            warnings=(*unread, *cut, *self._warnings(plan, clips, observed, missing, shift)),
            not_read=unread,
            text=clips["text"].text if "text" in read else "",
            sources=self._domains(),
            method=self.method.name,
        )

    def _observe(self, clips: Mapping[str, Clip]) -> tuple[dict[str, Observed], dict[str, Loss]]:
        observed: dict[str, Observed] = {}
        missing: dict[str, Loss] = {}
        for modality in [m for m in MODALITIES if m in self.method.modalities]:
            if self.maker.is_simulated(modality):
                why = "the run learned from simulated features, drawn from labels: no clip has any"
                missing[modality] = Loss("simulated", why)
            elif modality not in clips:
                missing[modality] = Loss("input", NOT_GIVEN[modality])
            else:
                made = self.maker.observe(clips[modality], modality)
                if isinstance(made, Loss):
                    missing[modality] = made
                else:
                    observed[modality] = made
        return observed, missing

    def _check_anything(
        self, observed: Mapping[str, Observed], missing: Mapping[str, Loss], clips: Mapping[str, Clip]
    ) -> None:
        if observed or not self.method.modalities:
            return
        whys = "; ".join(f"{modality}: {loss.reason}" for modality, loss in missing.items())
        tried = [loss for modality, loss in missing.items() if loss.stage not in ("input", "simulated")]
        if tried:
            raise MediaError(tried[0].stage, f"nothing of the clip can be read: {whys}")
        simulated = [modality for modality, loss in missing.items() if loss.stage == "simulated"]
        raise UsageError(nothing_to_read(self.method.modalities, simulated, given_by_hand(clips)))

    def _not_for_this_run(self, clips: Mapping[str, Clip]) -> list[str]:
        """What was given and is read in no way by this run."""
        given, read = given_by_hand(clips), set(self.method.modalities)
        if "audio" in read and "audio" in clips and "audio" not in given:
            read.add("video")  # for its sound
        return [modality for modality in given if modality not in read]

    @property
    def _has_dropout(self) -> bool:
        return self.experiment.training.modality_dropout > 0

    def _plan(self, present: Mapping[str, Observed]) -> Plan:
        return plan_for(self.method, present.keys(), has_dropout=self._has_dropout, sources=self.sources)

    def _scorer(self, plan: Plan) -> Scorer:
        return Scorer(self.method, plan, self.sources, self._empty, self.device)

    @cached_property
    def _empty(self) -> dict[str, Steps]:
        """One clip without a valid step, by modality."""
        dims = self.sources.feature_dims if self.sources else source_clips(self.experiment, "dev")[0].feature_dims
        empty = {}
        for modality in self.method.modalities:
            is_ids = modality == "text" and self.experiment.method.finetune is not None
            values = torch.zeros(1, 1, dims[modality], dtype=torch.int64 if is_ids else torch.float32)
            empty[modality] = Steps(values, torch.zeros(1, 1, dtype=torch.bool))
        return empty

    def _said(self, scorer: Scorer, steps: Mapping[str, Steps]) -> Said:
        if self.method.task.is_regression:
            polarity = float(scorer.polarity(steps)[0])
            return Said(sentiment_of_polarity(polarity, self.experiment.data.labels), None, polarity)
        probabilities = scorer.probabilities(steps)[0]
        by_class = dict(zip(self.label_set.classes, probabilities.tolist(), strict=True))
        return Said(int(probabilities.argmax()), by_class, None)

    def _text_only(self, observed: Mapping[str, Observed]) -> Said | None:
        """What the run says where the text is all there is; None where it cannot say."""
        if "text" not in observed:
            return None
        try:
            plan = self._plan({"text": observed["text"]})
        except RunError:
            return None
        if plan.read != ("text",):
            return None
        return self._said(self._scorer(plan), {"text": observed["text"].steps})

    def _shift(self, read: Mapping[str, Observed]) -> dict[str, Shift]:
        known = self.sources.modalities if self.sources else {}
        shifts = {m: shift_of(seen.steps, known[m]) for m, seen in read.items() if m in known}
        return {modality: shift for modality, shift in shifts.items() if shift is not None}

    def _warnings(
        self,
        plan: Plan,
        clips: Mapping[str, Clip],
        observed: Mapping[str, Observed],
        missing: Mapping[str, Loss],
        shift: Mapping[str, Shift],
    ) -> Iterator[str]:
        for modality in self._not_for_this_run(clips):
            yield f"{modality} was given, but this run reads {listed(self.method.modalities or ['nothing'])} only"
        for modality, loss in missing.items():
            if loss.stage == "simulated":
                yield f"{modality} was simulated in training, so the run cannot read it from a clip"
        yield from not_asked(tuple(observed), plan.read, missing)
        for modality, seen in observed.items():
            if seen.is_cut:
                kept = seen.steps.valid.shape[1]
                yield f"{modality} is longer than the run reads: the steps after the first {kept} were left out"
        yield from filter(None, (shift_warning(modality, far) for modality, far in shift.items()))
        if self.sources is None:
            yield "the run has kept nothing of its sources, so how far this clip lies from them is not known"

    def _domains(self) -> tuple[str, ...]:
        return tuple(domain.partition("=")[0] for domain in self.experiment.domains.source_domains)


def _key_frames(prediction: Prediction, video: Observed | None) -> tuple[KeyFrame, ...]:
    kept = prediction.auxiliary.get("kept_video")
    if kept is None or video is None:
        return ()
    weights = prediction.auxiliary["step_weights_video"][0].tolist()
    return tuple(
        KeyFrame(step=at, seconds=seconds(video.times[at, 0]), weight=weights[at])
        for at in torch.nonzero(kept[0].cpu())[:, 0].tolist()
    )
