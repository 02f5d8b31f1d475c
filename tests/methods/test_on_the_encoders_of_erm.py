"""What every method that is erm with another loss keeps of erm."""

import pytest
import torch
from torch.testing import assert_close

from msadg.methods import METHODS, load_method
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.erm import ERM
from tests.methods.helpers import SETTINGS, chosen, tiny_batch, tiny_method

NAMES = [name for name in sorted(METHODS) if issubclass(load_method(name), ERM) and name != "erm"]


@pytest.mark.parametrize("name", NAMES)
def test_with_the_same_seed_it_begins_as_erm_does(name: str):
    erm, other = tiny_method("erm").state_dict(), tiny_method(name).state_dict()
    assert all(torch.equal(other[key], value) for key, value in erm.items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mask", [None, {}])
def test_the_evidence_and_the_bias_are_the_logits(name: str, mask: dict | None):
    method, batch = tiny_method(name, mask=mask).eval(), tiny_batch()
    head = (method if mask is None else method.inner).head
    summed = sum(part.sum(dim=(1, 2)) for part in method.evidence(batch).values())
    assert_close(summed + head.bias, method(batch).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["mad", "ridg"])
@pytest.mark.parametrize("modalities", [("text",), ("video",), ("audio", "video"), ("text", "audio", "video")])
def test_it_takes_any_of_the_modalities_with_masks_and_variation(name: str, modalities: tuple[str, ...]):
    settings = {**SETTINGS[name], "dim": 16, "modalities": list(modalities)}
    spec = MethodSpec(name=name, settings=settings, mask={}, variation={"modalities": list(modalities)})
    method = build_method(spec, {"text": 6, "audio": 4, "video": 5}, seed=0).train()
    batch = tiny_batch(modalities=("text", "audio", "video"))
    terms = method.loss(method(batch), batch)
    assert {f"variation_{m}" for m in modalities} | {f"sparsity_{m}" for m in modalities} < set(terms)
    sum(terms.values()).backward()
    assert method.modalities == modalities and method.inner.inner.head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("name", "settings"), [("mad", {}), ("ridg", {}), ("ridg", {"published": True})])
def test_clips_without_anything_and_a_single_clip_keep_every_gradient_finite(name: str, settings: dict):
    method, batch = tiny_method(name, **settings).train(), tiny_batch(lengths=(0, 0, 1))
    for rows in ([0, 1, 2], [0], [2]):
        given = chosen(batch, rows)
        sum(method.loss(method(given), given).values()).backward()
        method.after_step()
    assert all(parameter.grad.isfinite().all() for parameter in method.parameters())
    assert all(buffer.isfinite().all() for buffer in method.buffers() if buffer.numel() > 1)
