"""Tiny batches and methods, built from ``METHODS`` so that a new method meets every test."""

from dataclasses import replace

import torch

from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import Method
from msadg.methods.task import CLASSIFICATION, Task
from msadg.types import Batch, Steps

DIMS = {"text": 6, "video": 5}
NARROW = ("erm", "coral", "groupdro", "vrex", "irm", "ridg", "s2lif", "s2lif_plus", "invariant_fusion")
SETTINGS = {name: {"dim": 8, "heads": 2} for name in NARROW}
SETTINGS["mult"] = {"dim": 8, "heads": 2, "layers": 1, "embedding_dropout": 0.0, "text_dropout": 0.0}
SETTINGS["almt"] = {"dim": 8, "heads": 2, "head_dim": 6, "hyper_head_dim": 4, "tokens": 3, "feedforward_dim": 8}
SETTINGS["mllm"] = {"modality": "text"}
SETTINGS["mad"] = {"dim": 8, "heads": 2, "heads_per_class": 3}


def tiny_batch(
    lengths: tuple[int, ...] = (5, 3, 4, 2), seed: int = 0, modalities: tuple[str, ...] = ("text", "video")
) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    steps = {}
    for modality in modalities:
        valid = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
        values = torch.randn(len(lengths), max(lengths), DIMS.get(modality, 4), generator=generator)
        steps[modality] = Steps(values * valid[..., None], valid)
    return Batch(
        clip_ids=tuple(f"tiny/test/{i}" for i in range(len(lengths))),
        steps=steps,
        sentiment=torch.arange(len(lengths)) % 3,
        polarity=(torch.arange(len(lengths)) % 3 - 1).float(),
        domain=torch.zeros(len(lengths), dtype=torch.int64),
    )


def padded(batch: Batch, extra_steps: int, filling: float = 7.0) -> Batch:
    def longer(steps: Steps) -> Steps:
        size, _, dim = steps.values.shape
        values = torch.cat([steps.values, torch.full((size, extra_steps, dim), filling)], dim=1)
        valid = torch.cat([steps.valid, torch.zeros(size, extra_steps, dtype=torch.bool)], dim=1)
        return Steps(values, valid)

    return replace(batch, steps={modality: longer(steps) for modality, steps in batch.steps.items()})


def chosen(batch: Batch, rows: list[int]) -> Batch:
    steps = {modality: Steps(s.values[rows], s.valid[rows]) for modality, s in batch.steps.items()}
    return replace(
        batch,
        clip_ids=tuple(batch.clip_ids[row] for row in rows),
        steps=steps,
        sentiment=batch.sentiment[rows],
        polarity=batch.polarity[rows],
        domain=batch.domain[rows],
    )


def tiny_method(
    name: str,
    seed: int = 0,
    mask: dict | None = None,
    sv: dict | None = None,
    task: Task = CLASSIFICATION,
    **settings: object,
) -> Method:
    spec = MethodSpec(name=name, settings={**SETTINGS.get(name, {}), **settings}, mask=mask, variation=sv)
    method = build_method(spec, DIMS, seed, task=task)
    if hasattr(method, "fit"):
        batch = tiny_batch(lengths=(3,) * 12, seed=5)
        method.fit(method.pooled(batch), method.labels(batch), lambda: 0.0)
    return method
