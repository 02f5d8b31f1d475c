"""Shared and private codes, and the late projection, against their formulas."""

import torch
from torch.testing import assert_close

from msadg.nn.codes import Codes, LateProjection

VALID = torch.tensor([[True, True, True], [True, False, False]])


def test_codes_are_sigmoids_of_one_shared_and_one_own_map_side_by_side():
    torch.manual_seed(0)
    codes, encoded = Codes(("text", "video"), 4), torch.randn(2, 3, 4)
    expected = torch.cat([codes.private["video"](encoded).sigmoid(), codes.shared(encoded).sigmoid()], dim=-1)
    found = codes("video", encoded, VALID)
    assert_close(found[VALID], expected[VALID])
    assert (found[~VALID] == 0).all()


def test_the_same_input_has_the_same_shared_code_in_every_modality():
    codes, encoded = Codes(("text", "video"), 4), torch.randn(2, 3, 4)
    text, video = codes("text", encoded, VALID), codes("video", encoded, VALID)
    assert torch.equal(text[..., 4:], video[..., 4:])
    assert not torch.equal(text[..., :4], video[..., :4])


def test_the_projection_comes_last_and_without_layers_it_is_all_there_is():
    torch.manual_seed(0)
    projection, features = LateProjection(3, 8, 0, 0.1).eval(), torch.randn(2, 3, 3)
    linear = projection.projection[0]
    mapped = (features @ linear.weight.T + linear.bias).clamp_min(0)
    expected = (mapped - mapped.mean(-1, keepdim=True)) / (mapped.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    found = projection(features, VALID)
    assert_close(found[VALID], expected[VALID], atol=1e-5, rtol=1e-5)
    assert (found[~VALID] == 0).all()


def test_the_transformer_before_it_never_reads_invalid_steps():
    torch.manual_seed(0)
    projection, features = LateProjection(3, 8, 1, 0.1).eval(), torch.randn(2, 3, 3)
    other = torch.where(VALID[..., None], features, 7.0)
    assert_close(projection(features, VALID), projection(other, VALID))
