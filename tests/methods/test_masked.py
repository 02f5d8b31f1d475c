"""+Mask: one wrapper for every method."""

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import UsageError
from tests.methods.helpers import tiny_batch, tiny_method


def test_a_fresh_mask_changes_no_prediction():
    batch = tiny_batch()
    plain, masked = tiny_method("erm").eval(), tiny_method("erm", mask={}).eval()
    assert torch.equal(plain(batch).logits, masked(batch).logits)


def test_the_penalty_of_each_modality_is_added_to_the_method_s_own_loss():
    batch = tiny_batch()
    masked = tiny_method("erm", mask={"sparsity_weight": 0.5}).eval()
    terms = masked.loss(masked(batch), batch)
    assert set(terms) == {"task", "sparsity_text", "sparsity_video"}
    assert_close(terms["sparsity_text"], torch.tensor(0.5 * 8))


def test_a_rejected_feature_is_not_read():
    masked = tiny_method("erm", mask={}).eval()
    with torch.no_grad():
        masked.masks["text"].threshold[:5] = 9.0
    before = masked(tiny_batch()).logits
    with torch.no_grad():
        masked.inner.head.weight[:, :5] = 100.0
    assert torch.equal(masked(tiny_batch()).logits, before)
    assert masked.measurements()["keep_text"] == pytest.approx(3 / 8)


def test_the_masks_have_their_own_learning_rate():
    masked = tiny_method("erm", mask={"learning_rate_ratio": 5.0})
    names = [n for n, _ in masked.named_parameters() if ".mask." in n]
    ratios = masked.learning_rate_ratios()
    assert len(names) == 4
    assert all(ratios[max((p for p in ratios if n.startswith(p)), key=len)] == 5.0 for n in names)


def test_a_mask_that_closed_is_opened_again_counted_and_an_idle_one_is_told():
    masked = tiny_method("erm", mask={})
    with torch.no_grad():
        masked.masks["text"].threshold.fill_(9.0)
    masked.after_step()
    assert masked.measurements()["mask_resets"] == 1.0
    sentences = masked.warnings([masked.measurements()])
    assert [s.split()[1] for s in sentences] == ["text", "video"]
    assert tiny_method("erm", mask={"kind": "dense"}).warnings([{"keep_text": 1.0}]) == []


@pytest.mark.parametrize(("name", "said"), [("constant", "nothing to mask"), ("s2lif", "twice")])
def test_what_cannot_be_masked_says_so(name: str, said: str):
    with pytest.raises(UsageError, match=said):
        tiny_method(name, mask={})
