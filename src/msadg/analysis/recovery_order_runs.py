"""Runs that learn text and simulated video (or audio) in order or at once, and how far the targets' shortcut turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from msadg.analysis.recovery_runs import redundancy_of, short_order
from msadg.analysis.remarks import Remarks
from msadg.analysis.selected import s2lif_of
from msadg.analysis.stress_curves import label_of
from msadg.extraction.simulated_options import is_simulated
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, predictions_of
from msadg.protocols.features import load_clips, simulated_world
from msadg.protocols.run import TrainedRun
from msadg.results.predictions import Predictions
from msadg.types import MODALITIES


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What runs have in common that differ by seed only."""

    label: str
    """What learned: "T>V", "T&V", "ERM"."""
    in_order: bool
    """Whether its modalities were learned one after the other."""
    masks: str
    """Kind of mask and alpha; "" for ERM, which is held against all."""
    modalities: tuple[str, ...]
    sources: tuple[str, ...]
    redundancy: float

    def is_reference_of(self, other: Cell) -> bool:
        """Whether this learned at once what the other learned in order."""
        same = (self.modalities, self.sources, self.redundancy) == (other.modalities, other.sources, other.redundancy)
        return same and other.in_order and not self.in_order and self.masks in ("", other.masks)


Cells = Mapping[Cell, Mapping[int, TrainedRun]]
"""Cell -> seed -> run."""


def cells_of(runs: Sequence[TrainedRun], remarks: Remarks) -> dict[Cell, dict[int, TrainedRun]]:
    """The runs of what was learned at several redundancies, by cell and seed; of other methods, why not."""
    found: dict[Cell, dict[int, TrainedRun]] = {}
    for trained in runs:
        cell = _cell_of(trained, remarks)
        if cell is None:
            continue
        seed = trained.experiment.seed
        if seed in found.setdefault(cell, {}):
            row = label_of(trained.experiment)
            remarks.add(row, "not compared: another run of the same order, sources, redundancy and seed stands for it")
        found[cell].setdefault(seed, trained)
    found = {cell: seeds for cell, seeds in found.items() if len(_redundancies(cell, found)) > 1}
    if len({cell.masks for cell in found if cell.masks}) > 1:
        found = {replace(c, label=f"{c.label}, {c.masks}" if c.masks else c.label): seeds for c, seeds in found.items()}
    if len({cell.modalities for cell in found}) > 1:  # an order names them, ERM does not
        found = {replace(c, label=c.label if c.masks else _read(c)): seeds for c, seeds in found.items()}
    return found


def _read(cell: Cell) -> str:
    return f"{cell.label} ({', '.join(cell.modalities)})"


def _redundancies(cell: Cell, cells: Cells) -> set[float]:
    """Those at which the same was learned."""
    return {other.redundancy for other in cells if replace(other, redundancy=cell.redundancy) == cell}


def _cell_of(trained: TrainedRun, remarks: Remarks) -> Cell | None:
    experiment, model = trained.experiment, s2lif_of(trained.method)
    redundancy = redundancy_of(experiment)
    if np.isnan(redundancy) or len(trained.method.modalities) < 2 or experiment.task != "classification":
        return None
    if experiment.intervention != "none" or (model is None and experiment.method.name != "erm"):
        remarks.add(label_of(experiment), "not compared: neither ERM nor S2LIF as it was trained")
        return None
    label, masks, in_order = "ERM", "", False
    if model is not None:
        in_order = ">" in model.config.order
        has_schedule = in_order and model.config.schedule != "joint_detach"
        label = short_order(model.config.order) + (f" ({model.config.schedule})" if has_schedule else "")
        masks = f"{model.config.mask} mask, alpha {model.config.sparsity_weight:g}"
    if experiment.method.variation is not None:
        label += " + SV"
    sources = tuple(map(domain_name, experiment.domains.source_domains))
    return Cell(
        label=label,
        in_order=in_order,
        masks=masks,
        modalities=tuple(m for m in MODALITIES if m in trained.method.modalities),
        sources=sources,
        redundancy=redundancy,
    )


def strengths_of(trained: TrainedRun) -> dict[str, tuple[float, float]]:
    """Of each target, rho and shift; {} where the sources have no shortcut, of which there is then no turning."""
    data, domains = trained.experiment.data, trained.experiment.domains
    modality = next(m for m in ("video", "audio") if is_simulated(data.features.get(m, "")))
    world = simulated_world(data, domains.source_domains[0], modality)
    assert world is not None
    at_home = float(np.mean([world.strength_of(domain_name(source)) for source in domains.source_domains]))
    if abs(at_home) < 1e-9:
        return {}
    rho = {domain_name(target): world.strength_of(domain_name(target)) for target in domains.target_domains}
    return {target: (strength, (1 - strength / at_home) / 2) for target, strength in rho.items()}


def predictions_by_target(trained: TrainedRun) -> dict[str, Predictions]:
    """What a run says of the test clips of each of its targets."""
    found = {}
    for target in trained.experiment.domains.target_domains:
        clips = load_clips(trained.experiment.data, target, "test")
        found[clips.domain] = predictions_of(predict_logits(trained.method, clips)["logits"], clips)
    return found
