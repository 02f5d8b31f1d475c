"""Runs on simulated features whose masks are learned: what was chosen in each (alpha, order, schedule, redundancy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msadg.analysis.remarks import Remarks
from msadg.analysis.selected import s2lif_of
from msadg.analysis.stress_curves import label_of
from msadg.extraction.simulated_options import is_simulated
from msadg.methods.s2lif import S2LIFConfig
from msadg.protocols.domains import domain_name
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import simulated_world
from msadg.protocols.run import TrainedRun

LETTERS = {"text": "T", "audio": "A", "video": "V"}
SCHEDULES = {"joint": "joint", "joint_detach": "joint, detached", "staged": "staged"}
"""As recipes and tables write them."""


@dataclass(frozen=True, kw_only=True)
class SimulatedRun:
    """An S2LIF with learned masks on simulated features."""

    trained: TrainedRun
    row: str
    seed: int
    sources: tuple[str, ...]
    config: S2LIFConfig
    redundancy: float
    """Of video with text, or of audio where there is no simulated video; NaN where only text is simulated."""

    @property
    def order(self) -> str:
        """As the paper writes it.

        Example: "T>V", "T&V", "T>A>V".
        """
        return short_order(self.config.order)

    @property
    def schedule(self) -> str:
        """In words; where there is one stage, all schedules are the same."""
        return SCHEDULES[self.config.schedule] if ">" in self.config.order else "one stage"

    @property
    def place(self) -> tuple[object, ...]:
        """What tables and figures tell runs apart by: two of one place would count as two seeds."""
        redundancy = None if np.isnan(self.redundancy) else self.redundancy
        return self.order, self.schedule, self.config.sparsity_weight, redundancy, self.sources, self.seed


def short_order(order: str) -> str:
    """An order as the paper writes it.

    Example:
        >>> short_order("text>video"), short_order("text & video")
        ('T>V', 'T&V')
    """
    for modality, letter in LETTERS.items():
        order = order.replace(modality, letter)
    return order.replace(" ", "")


def is_on_simulated(experiment: Experiment) -> bool:
    """Whether any features of a run were simulated."""
    return any(map(is_simulated, experiment.data.features.values()))


def redundancy_of(experiment: Experiment) -> float:
    """Share of the invariant features of simulated video (else audio) that repeat text; NaN where there are none."""
    source = experiment.domains.source_domains[0]
    for modality in ("video", "audio"):
        if is_simulated(experiment.data.features.get(modality, "")):
            world = simulated_world(experiment.data, source, modality)
            return float("nan") if world is None else world.redundancy
    return float("nan")


def simulated_runs(runs: Sequence[TrainedRun], remarks: Remarks) -> list[SimulatedRun]:
    """Those of the runs whose selection can be held against a truth; of the others on simulated features, why not."""
    found: dict[tuple[object, ...], SimulatedRun] = {}
    measured: set[str] = set()
    for trained in runs:
        experiment, row = trained.experiment, label_of(trained.experiment)
        if not is_on_simulated(experiment):
            continue
        model = s2lif_of(trained.method)
        if experiment.intervention != "none":
            remarks.add(row, "scored under a control, with the weights of another row; its recovery is measured there")
        elif model is None:
            remarks.add(row, "not S2LIF, so there is no selection to hold against the truth")
        elif model.config.mask != "learned" or model.config.mask_target != "features":
            remarks.add(row, "its features are not selected by a learned mask; recovery is measured of those that are")
        elif (key := experiment.training_key()) in measured:
            remarks.add(row, "its weights are those of another run, measured there")
        else:
            measured.add(key)
            run = SimulatedRun(
                trained=trained,
                row=row,
                seed=experiment.seed,
                sources=tuple(map(domain_name, experiment.domains.source_domains)),
                config=model.config,
                redundancy=redundancy_of(experiment),
            )
            if found.setdefault(run.place, run) is not run:
                remarks.add(
                    row, "not measured: another run of its order, schedule, alpha, redundancy, sources and seed is"
                )
    return list(found.values())


def middle_of(redundancies: Sequence[float]) -> float:
    """The redundancy nearest to one half; NaN where no run has any.

    Example:
        >>> middle_of([0.0, 0.25, 1.0])
        0.25
    """
    known = [value for value in redundancies if not np.isnan(value)]
    return min(known, key=lambda value: (abs(value - 0.5), value)) if known else float("nan")
