"""The masks of trained runs, whatever the method: S2LIF's own, or those that +mask put behind another's encoders.

What is measured of a selection is measured of learned masks alone. The controls (``none``, ``dense``, ``l1``) reject
nothing, and ``random`` draws what it keeps from the seed: runs of one seed on different domains share all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from msadg.analysis.remarks import Remarks
from msadg.analysis.stress_curves import label_of
from msadg.methods.masked import Masked
from msadg.methods.method import Method
from msadg.methods.s2lif import S2LIF
from msadg.nn.mask import FeatureMask, LearnableMask
from msadg.protocols.domains import domain_name
from msadg.protocols.run import TrainedRun
from msadg.types import MODALITIES


@dataclass(frozen=True, kw_only=True)
class MaskedRun:
    """A run that selects features."""

    trained: TrainedRun
    row: str
    """Label of its row; one that was selected on the target says so."""
    seed: int
    sources: tuple[str, ...]
    masks: Mapping[str, Float[np.ndarray, " feature"]]
    """m by modality, in the order of MODALITIES: 0 where the feature is rejected."""

    @property
    def selected(self) -> Mapping[str, Bool[np.ndarray, " feature"]]:
        """Which features pass, by modality."""
        return {modality: mask != 0 for modality, mask in self.masks.items()}

    @property
    def identity(self) -> dict[str, object]:
        """The columns that say which run a row of a table is of."""
        return {"row": self.row, "seed": self.seed, "sources": "+".join(self.sources)}


def feature_masks(method: Method) -> dict[str, FeatureMask]:
    """The feature masks of a method by modality, in the order of MODALITIES; {} where it has none. Controls count."""
    found: Mapping[str, FeatureMask] = {}
    for module in method.modules():
        if isinstance(module, S2LIF) and module.config.mask_target == "features":
            found = dict(module.masks.items())  # type: ignore[arg-type]
        if isinstance(module, Masked):
            found = module.masks
    return {modality: found[modality] for modality in MODALITIES if modality in found}


def learned_masks(method: Method) -> dict[str, LearnableMask]:
    """Those of a method's feature masks that learn what to reject; {} where it has none."""
    return {m: mask for m, mask in feature_masks(method).items() if isinstance(mask, LearnableMask)}


def masked_runs(runs: Sequence[TrainedRun], remarks: Remarks) -> list[MaskedRun]:
    """Those of the runs that learned which features to select; why the others did not is remarked."""
    found = []
    for trained in runs:
        experiment, row = trained.experiment, label_of(trained.experiment)
        masks = learned_masks(trained.method)
        if experiment.intervention != "none":
            remarks.add(row, "scored under a control, with the weights of another row; measured there")
        elif not masks:
            remarks.add(row, why_unmasked(trained.method))
        else:
            found.append(
                MaskedRun(
                    trained=trained,
                    row=row,
                    seed=experiment.seed,
                    sources=tuple(map(domain_name, experiment.domains.source_domains)),
                    masks={m: mask.mask.detach().double().cpu().numpy() for m, mask in masks.items()},
                )
            )
    return found


def why_unmasked(method: Method) -> str:
    """Why a method has no learned feature masks."""
    if feature_masks(method):
        return "its masks are a control, which learns no selection"
    return "has no feature masks, so that none of its features is selected or rejected"


def group_names(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(row, sources) -> what its curve is called: the row, with the sources where they are not the same for all.

    Example:
        >>> group_names([("s2lif", "mosi"), ("s2lif", "meld")])
        {('s2lif', 'mosi'): 's2lif, mosi', ('s2lif', 'meld'): 's2lif, meld'}
    """
    alike = len({sources for _, sources in keys}) < 2
    return {(row, sources): row if alike else f"{row}, {sources}" for row, sources in keys}
