"""What is true in a simulated world: the kind of every feature, and how strongly it shows the sentiment.

A *world* is a seed. All domains share it, and with it the position and the loading of each feature; what
differs between domains is rho, the strength of the spurious ones. ``msadg.extraction.simulated`` draws clips
from a world and has the equations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from msadg.errors import SettingsError

Kind = Literal["invariant", "redundant", "complementary", "spurious", "noise"]

INVARIANT_KINDS: tuple[Kind, ...] = ("invariant", "redundant", "complementary")
"""Kinds whose relation to the sentiment is the same in every domain: text's, and the two of audio and video."""

SPURIOUS_STRENGTH: Mapping[str, float] = {
    "mosi": 0.9,
    "mosei": 0.7,
    "meld": -0.5,
    "vignettes-products": 0.9,
    "vignettes-films": 0.7,
    "vignettes-sitcom": -0.5,
    "simulated-a": 0.9,
    "simulated-b": 0.7,
    "simulated-c": -0.5,
}
"""rho by domain. It belongs to the domain, never to its role, so that one store serves every setting.

Of each three, two agree and one is reversed, for that gives every case. Between the first two, in either
direction, relying on the shortcut pays (a target on which a careful method looks no better than a careless
one). From either of them to the third, or back, it costs. Trained on the first two, the shortcut is alike
in both sources and turns only in the target, which no method can see coming; trained on one of them and the
third, its sign differs between the sources, which a method could see. A domain that is not named has 0: its
spurious features are noise.
"""

SHIFTED_STRENGTH: Mapping[str, float] = {
    "simulated-shift-0": 0.8,
    "simulated-shift-25": 0.4,
    "simulated-shift-50": 0.0,
    "simulated-shift-75": -0.4,
    "simulated-shift-100": -0.8,
}
"""rho of the domains that differ in it alone: 0.8 (1 - 2 shift), where 0.8 lies between simulated-a and simulated-b.

Not part of a world's settings, whose digest is in the records of runs from before there were these domains.
"""


def generator_named(*names: str | int) -> np.random.Generator:
    """Return a random generator that depends on these names, and on nothing else.

    SHA-256 of the names is the seed, so what is drawn for one clip does not change with the order of clips, with
    which other clips there are, or with the number of workers.

    Example:
        >>> bool(generator_named(0, "steps", "a").random() == generator_named(0, "steps", "a").random())
        True
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode("utf-8")).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


@dataclass(frozen=True, kw_only=True)
class KindCounts:
    """How many features of each kind one modality has."""

    invariant: int = 12
    """Features that show the sentiment alike in every domain."""
    spurious: int = 8
    """Features that show it with the strength of the domain."""
    noise: int = 12
    """Features that do not show it."""

    @property
    def dim(self) -> int:
        """Width of the modality, in features."""
        return self.invariant + self.spurious + self.noise

    def __post_init__(self) -> None:
        if min(self.invariant, self.spurious, self.noise) < 0 or not self.dim:
            raise SettingsError(f"{self}: counts of features are 0 or more, and at least one feature is needed")


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """A simulated world, and how hard it is. The defaults make the shortcut the better cue in the sources."""

    world_seed: int = 0
    """Decides positions and loadings of the features and, with a clip's id, all that is drawn for the clip."""
    text: KindCounts = field(default_factory=KindCounts)
    """Features of simulated text; not used where the text is real."""
    audio: KindCounts = field(default_factory=KindCounts)
    """Features of simulated audio."""
    video: KindCounts = field(default_factory=KindCounts)
    """Features of simulated video; 32 by default."""
    redundancy: float = 0.5
    """Share of the invariant audio and video features, in [0, 1], that repeat what text carries; rounded to
    whole features. The rest complement it."""
    signal: float = 0.5
    """Mean loading of invariant features, in [0, 0.8]; a feature's own lies within 20 % of it."""
    spurious_signal: float = 0.6
    """Mean loading of spurious features, before rho, in [0, 0.8]."""
    evidence_noise: float = 1.0
    """Standard deviation of the error in what a modality shows of the sentiment (-1, 0, 1), in [0, 100]."""
    spurious_noise: float = 0.5
    """The same for the shortcut; the defaults make it the better cue where rho is high."""
    spurious_strength: Mapping[str, float] = field(default_factory=lambda: dict(SPURIOUS_STRENGTH))
    """rho by domain, in [-1, 1]; a domain that is not named has that of ``SHIFTED_STRENGTH``, or 0."""
    steps: tuple[int, int] = (12, 20)
    """Fewest and most steps of a clip, both included and all as likely; equal for a fixed length."""
    persistence: float = 0.8
    """AR(1) coefficient of the noise along time, in [0, 1): how much a frame repeats the one before it."""
    label_noise: float = 0.0
    """Share of clips, in [0, 1], whose features show another class than their label."""

    def __post_init__(self) -> None:
        ranges = {
            "redundancy": 1.0, "signal": 0.8, "spurious_signal": 0.8, "label_noise": 1.0,
            "evidence_noise": 100.0, "spurious_noise": 100.0,
        }  # fmt: skip
        for name, most in ranges.items():
            _require_within(name, getattr(self, name), 0.0, most)
        for domain, strength in self.spurious_strength.items():
            _require_within(f"spurious_strength[{domain!r}]", strength, -1.0, 1.0)
        if not 0 <= self.persistence < 1:
            raise SettingsError(f"simulation: persistence is {self.persistence}, expected 0 <= persistence < 1")
        if not 1 <= self.steps[0] <= self.steps[1]:
            raise SettingsError(f"simulation: steps is {self.steps}, expected (fewest, most) with 1 <= fewest <= most")

    def counts(self, modality: str) -> KindCounts:
        """How many features of each kind this modality has."""
        return {"text": self.text, "audio": self.audio, "video": self.video}[modality]

    def strength_of(self, domain: str) -> float:
        """rho_e: how strongly, and with which sign, spurious features show the sentiment in this domain."""
        return self.spurious_strength.get(domain, SHIFTED_STRENGTH.get(domain, 0.0))

    def kinds(self, modality: str) -> list[Kind]:
        """The kind of every feature, in order: the truth that recovery is measured against."""
        counts = self.counts(modality)
        repeated = 0 if modality == "text" else round(self.redundancy * counts.invariant)
        parts: dict[Kind, int] = {
            "redundant": repeated,
            "invariant" if modality == "text" else "complementary": counts.invariant - repeated,
            "spurious": counts.spurious,
            "noise": counts.noise,
        }
        kinds = [kind for kind, num in parts.items() for _ in range(num)]
        order = generator_named(self.world_seed, "positions", modality).permutation(counts.dim)
        return [kinds[i] for i in order]

    def loadings(self, modality: str) -> Float[np.ndarray, " feature"]:
        """Each feature's correlation with its evidence (with its shortcut, at rho = 1); either sign, 0 for noise."""
        mean = {"spurious": self.spurious_signal, "noise": 0.0}
        kinds = self.kinds(modality)
        chance = generator_named(self.world_seed, "loadings", modality)
        sizes = chance.uniform(0.8, 1.2, len(kinds)) * chance.choice([-1.0, 1.0], len(kinds))
        means = np.array([mean.get(kind, self.signal) for kind in kinds])
        return np.asarray(sizes * means)


def _require_within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"simulation: {name} is {value}, expected {low:g} to {high:g}")
