"""What is done to a run's input when it is put under stress."""

from __future__ import annotations

from dataclasses import dataclass

from msadg.analysis.perturb import KINDS, TEXT_KINDS, Kind, Perturbation, check_kind
from msadg.errors import UsageError
from msadg.nn.seeds import derive_seed
from msadg.settings import require


@dataclass(frozen=True, kw_only=True)
class StressConfig:
    """What is done to the input.

    Raises:
        UnknownNameError: a kind or modality that there is not.
        SettingsError: a number outside its range.
        UsageError: nothing to do.
    """

    kinds: tuple[str, ...] = KINDS
    rates: tuple[int | float, ...] = (0.1, 0.3, 0.5, 0.7)
    """Shares of a clip's steps; 0 is always measured beside them."""
    modalities: tuple[str, ...] = ("audio", "video")
    """Each by itself; of text only the kinds that make sense of it."""
    repeats: int = 3
    """Draws of each perturbation; ``missing`` leaves nothing to chance and has one."""
    seed: int = 0
    noise_spreads: int | float = 1.0
    """Deviation of the noise, in each feature's standard deviations over the sources' training steps."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not self.kinds or not self.modalities or not self.rates:
            raise UsageError("nothing to measure: name at least one kind, one rate and one modality")
        for kind in self.kinds:
            check_kind(kind, "video")
        for modality in self.modalities:
            check_kind("missing", modality)
        for rate in self.rates:
            require("rate", rate, above=0, at_most=1)
        require("repeats", self.repeats, at_least=1)

    def kinds_for(self, modality: str) -> tuple[Kind, ...]:
        """The kinds that make sense of a modality, in the order of KINDS."""
        return tuple(k for k in KINDS if k in self.kinds and (modality != "text" or k in TEXT_KINDS))

    def draws(self, modality: str, kind: Kind, rate: int | float) -> list[Perturbation]:
        """The repeats of one perturbation, each with a seed of its own that does not depend on the rate."""
        return [
            Perturbation(
                kind=kind,
                modality=modality,
                rate=rate,
                seed=derive_seed(self.seed, "stress", repeat),
                spreads=self.noise_spreads,
            )
            for repeat in range(1 if kind == "missing" else self.repeats)
        ]
