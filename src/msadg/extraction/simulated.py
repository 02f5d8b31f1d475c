r"""Simulated features: sequences drawn from a world in which it is known which features are invariant.

No real corpus says which of its features are, so a mask that is meant to find them cannot be scored there.
Here it can. For a clip of sentiment y in domain e, and modality m:

    u    = -1, 0, 1 for negative, neutral, positive   (with chance ``label_noise``, that of another class)
    e_m  = (u + sigma_e eta_m) / sqrt(2/3 + sigma_e^2)     evidence: what m shows of the sentiment
    s_m  = (u + sigma_s zeta_m) / sqrt(2/3 + sigma_s^2)    shortcut: what m shows of it by accident
    z_ti = phi z_(t-1)i + sqrt(1 - phi^2) w_ti             AR(1) noise of feature i: variance 1 at every t

    x_ti = c_i + sqrt(1 - b_i^2) z_ti                      a feature: constant part of the clip, and noise
           invariant (text), complementary (audio, video)  c_i = b_i e_m       b_i = a_i
           redundant (audio, video)                        c_i = b_i e_text    b_i = a_i
           spurious                                        c_i = b_i s_m       b_i = rho_e a_i
           noise                                           c_i = 0             b_i = 0

eta, zeta and w are standard normal and independent; a_i, the loading, belongs to the world and is the same in
every domain; rho_e belongs to the domain. Redundant features repeat text's evidence *with its error*: given
text, they tell nothing new. Complementary ones err on their own: given text, they do. 2/3 is the variance of u
under equal classes, so that evidence and shortcut have variance 1, and so has every feature of every kind in
every domain: the variance does not give the kind away. (Under an unequal prior with Var u = v, the variance of
a feature changes by b^2 (v - 2/3) / (2/3 + sigma^2): -1 % for an invariant feature at v = .6 and the default
settings.) It follows that

    corr(x_ti, u)      = b_i sqrt(2/3) / sqrt(2/3 + sigma^2)    (against the labelled class, with label noise:
                                                                 times 1 - 3/2 label_noise)
    corr(x_ti, x_t'i)  = b_i^2 + (1 - b_i^2) phi^|t - t'|       frame-to-frame redundancy

What is drawn for a clip depends on the world's seed and the clip's id alone: neither on the order of clips, nor
on which others there are, nor on the number of workers.

*Riding on real text*: where the text is real, e_text is not drawn but estimated, once, by ``text_evidence``;
then the redundant features repeat what the real words carry, error included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from msadg.errors import FeatureError, UnknownNameError
from msadg.extraction.simulated_truth import SimulationConfig, generator_named
from msadg.types import MODALITIES, SENTIMENT, SENTIMENTS, Clip, Features, Utterance

SIGNAL_VARIANCE = 2 / 3
"""Variance of u in {-1, 0, 1} under equal classes."""


class TextEvidence:
    """What the real text of one domain carries, fitted when it is first needed.

    Args:
        fit: returns the evidence by clip id.
        fitted_to: digest of all that the fit depends on; it stands for the evidence in a store's hashes.
        source: which text it is, for the store's manifest.
    """

    def __init__(self, fit: Callable[[], Mapping[str, float]], fitted_to: str, source: str = "real text") -> None:
        self._fit = fit
        self.fitted_to = fitted_to
        self.source = source

    @cached_property
    def by_clip(self) -> Mapping[str, float]:
        """Evidence by clip id."""
        return self._fit()


class SimulatedFeatures:
    """Extractor that draws a clip's features from a simulated world; it reads the label, not words or video."""

    version = "1"
    dtype = "float16"
    marks: tuple[str, ...] = ()

    def __init__(
        self,
        modality: str,
        config: SimulationConfig | None = None,
        text_evidence: TextEvidence | None = None,
    ) -> None:
        """Prepare to draw.

        Args:
            modality: text, audio or video.
            config: the world; the default one if None.
            text_evidence: what real text carries, from the function ``text_evidence``; if None, text is simulated
                too.

        Raises:
            UnknownNameError: there is no such modality.
        """
        if modality not in MODALITIES:
            raise UnknownNameError("modality", modality, MODALITIES)
        self.name = f"{modality}-simulated"
        self.modality = modality
        self.config = config or SimulationConfig()
        self.text_evidence = text_evidence
        self.kinds = self.config.kinds(modality)
        self.dim = len(self.kinds)
        self._kind = np.array(self.kinds)
        self._loadings = self.config.loadings(modality)

    @property
    def settings(self) -> dict[str, Any]:
        """What the features depend on, and the truth about them: ``kinds`` has the kind of every feature.

        Plain JSON values, for a store's manifest. ``simulated`` is True in each of them, so that a table can say
        so.
        """
        settings = {
            "simulated": True,
            "config": asdict(self.config),
            "text_evidence": "simulated" if self.text_evidence is None else self.text_evidence.source,
            "kinds": self.kinds,
        }
        return dict(json.loads(json.dumps(settings)))

    def input_of(self, clip: Clip) -> bytes:
        """All that a clip's features are made of beside the settings: its id, its label, its text's evidence."""
        utterance = _labelled(clip)
        evidence = None if self.text_evidence is None else self.text_evidence.fitted_to
        return json.dumps([utterance.clip_id, utterance.sentiment, evidence]).encode("utf-8")

    def extract(self, clips: Iterable[Clip]) -> Iterator[Features]:
        """Yield the features of each clip, in order; every step is valid.

        Raises:
            FeatureError: a clip has no label, or real text's evidence is missing for it.
        """
        for clip in clips:
            yield self._features(_labelled(clip))

    def _features(self, utterance: Utterance) -> Features:
        clip_id = utterance.clip_id
        domain = clip_id.partition("/")[0]
        share = self._loadings * np.where(self._kind == "spurious", self.config.strength_of(domain), 1.0)
        signal = self._signal(clip_id, utterance.sentiment)
        shown = np.zeros(self.dim)
        shown[np.isin(self._kind, ["invariant", "complementary"])] = self._evidence(self.modality, clip_id, signal)
        shown[self._kind == "spurious"] = self._shortcut(clip_id, signal)
        shown[self._kind == "redundant"] = self._evidence("text", clip_id, signal)
        values = share * shown + np.sqrt(1 - share**2) * self._noise(clip_id)
        return Features(values=values.astype(self.dtype), valid=np.ones(len(values), dtype=bool))

    def _generator(self, use: str, clip_id: str) -> np.random.Generator:
        return generator_named(self.config.world_seed, use, clip_id)

    def _signal(self, clip_id: str, sentiment: int) -> int:
        """U of the clip: its class, or with chance ``label_noise`` one of the two others."""
        chance = self._generator("label", clip_id)
        shift = int(chance.integers(1, 3)) if chance.random() < self.config.label_noise else 0
        return (sentiment + shift) % len(SENTIMENTS) - 1

    def _evidence(self, modality: str, clip_id: str, signal: int) -> float:
        """e_m: the same number whichever modality asks for it."""
        if modality == "text" and self.text_evidence is not None:
            return self._text_evidence_of(clip_id)
        return self._observe(signal, self.config.evidence_noise, self._generator(f"evidence {modality}", clip_id))

    def _shortcut(self, clip_id: str, signal: int) -> float:
        """s_m."""
        return self._observe(signal, self.config.spurious_noise, self._generator(f"shortcut {self.modality}", clip_id))

    @staticmethod
    def _observe(signal: int, error: float, chance: np.random.Generator) -> float:
        return float((signal + error * chance.standard_normal()) / np.sqrt(SIGNAL_VARIANCE + error**2))

    def _text_evidence_of(self, clip_id: str) -> float:
        evidence = {} if self.text_evidence is None else self.text_evidence.by_clip
        if clip_id not in evidence:
            raise FeatureError(
                f"{clip_id}: simulated {self.modality} rides on real text, but this clip is not among the "
                f"{len(evidence)} with text evidence; compute text_evidence for every clip of a domain"
            )
        return float(evidence[clip_id])

    def _noise(self, clip_id: str) -> Float[np.ndarray, "time feature"]:
        """AR(1) noise z of one clip, stationary from its first step."""
        fewest, most = self.config.steps
        chance = self._generator(f"noise {self.modality}", clip_id)
        noise = chance.standard_normal((int(chance.integers(fewest, most + 1)), self.dim))
        persistence = self.config.persistence
        noise[1:] *= np.sqrt(1 - persistence**2)
        for t in range(1, len(noise)):
            noise[t] += persistence * noise[t - 1]
        return noise


def _labelled(clip: Clip) -> Utterance:
    if not isinstance(clip, Utterance):
        raise FeatureError(f"{clip.clip_id}: simulated features are drawn from a clip's label, and it has none")
    if clip.label_set != SENTIMENT:
        raise FeatureError(f"{clip.clip_id}: simulated features are of sentiments only, and it is {clip.class_name!r}")
    return clip


def text_evidence(
    features: Float[np.ndarray, "clip feature"],
    sentiment: Int[np.ndarray, " clip"],
    video_ids: Sequence[str],
    seed: int = 0,
) -> Float[np.ndarray, " clip"]:
    """What the real text of one domain's clips shows of the sentiment: e_text for ``SimulatedFeatures``.

    A logistic regression on time-mean text features predicts each clip from the clips of other videos (five
    folds by video, or as many as there are videos); its expected u = P(positive) - P(negative), in [-1, 1], is
    then brought to mean 0 and variance 1, the scale of the simulated evidence. Where the classes cannot be told
    apart at all (the expectation is constant), it is 0.

    Part of the data generator: it reads the labels of every split, and no method ever sees it except through
    the simulated features. Call it for each domain alone, so that a domain's data do not depend on which others
    there are.

    Raises:
        FeatureError: fewer than two videos, or a fold without at least two classes to learn from.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    num_folds = min(5, len(set(video_ids)))
    if num_folds < 2:
        raise FeatureError(f"text evidence needs clips of at least 2 videos, met {num_folds}: pass a whole domain")
    expected = np.empty(len(features))
    folds = GroupKFold(num_folds, shuffle=True, random_state=seed)
    for learned, scored in folds.split(features, sentiment, groups=np.asarray(video_ids)):
        if len(np.unique(sentiment[learned])) < 2:
            raise FeatureError(
                "text evidence: all clips outside one fold of videos have one class; pass a whole domain"
            )
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        model.fit(features[learned], sentiment[learned])
        expected[scored] = model.predict_proba(features[scored]) @ (model[-1].classes_ - 1)
    spread = expected.std()
    return (expected - expected.mean()) / spread if spread > 1e-9 else np.zeros_like(expected)
