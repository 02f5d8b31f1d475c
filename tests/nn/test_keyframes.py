"""Keyframe-aware masking against Eq. 20-23."""

import pytest
import torch
from torch.testing import assert_close

from msadg.nn.keyframes import KeyframeMask, local_difference


def literal_local_difference(frames: torch.Tensor, stride: int) -> torch.Tensor:
    """Eq. 20 for one clip without padding, frame by frame, with replicated ends."""
    last = len(frames) - 1
    rows = []
    for i in range(len(frames)):
        before = [frames[max(j, 0)] for j in range(i - stride, i)]
        after = [frames[min(j, last)] for j in range(i + 1, i + stride + 1)]
        rows.append(torch.stack(before + after).sum(dim=0) / (2 * stride) - frames[i])
    return torch.stack(rows)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_local_difference_is_equation_20(stride: int, length: int):
    frames = torch.randn(length, 3, dtype=torch.float64)
    found = local_difference(frames[None], torch.tensor([[length]]), stride)[0]
    assert_close(found, literal_local_difference(frames, stride))


def test_local_difference_ends_with_the_last_valid_frame():
    frames = torch.randn(3, 6, 3, dtype=torch.float64)
    found = local_difference(frames, torch.tensor([[3], [6], [1]]), stride=2)
    for clip, count in enumerate((3, 6, 1)):
        assert_close(found[clip, :count], literal_local_difference(frames[clip, :count], stride=2))


def test_decisions_pass_over_invalid_frames_wherever_they_are():
    mask = biased(0.0)
    frames = torch.randn(1, 6, 4)
    valid = torch.tensor([[False, True, True, False, True, False]])
    among_others = mask(frames, valid)
    alone = mask(frames[valid][None], torch.ones(1, 3, dtype=torch.bool))
    assert_close(among_others.probability[valid], alone.probability[0])
    assert torch.equal(among_others.valid[valid], alone.valid[0])


def test_a_still_video_has_no_local_difference():
    frames = torch.ones(1, 7, 2)
    assert torch.equal(local_difference(frames, torch.tensor([[7]]), 2), torch.zeros(1, 7, 2))


def biased(keep: float) -> KeyframeMask:
    """A keyframe mask whose decision is ``keep`` for every frame, save for a hair's breadth."""
    torch.manual_seed(0)
    mask = KeyframeMask(4, heads=2).eval()
    with torch.no_grad():
        mask.decide[-1].weight.mul_(1e-4)
        mask.decide[-1].bias.copy_(torch.tensor([-keep, keep]))
    return mask


def test_all_frames_pass_a_mask_that_keeps_and_dropped_ones_become_invalid_zeros():
    frames, valid = torch.randn(2, 5, 4), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    kept = biased(+10.0)(frames, valid)
    assert torch.equal(kept.valid, valid)
    assert torch.equal(kept.values[valid], frames[valid])
    assert torch.equal(kept.values[~valid], torch.zeros(2, 4))


@pytest.mark.parametrize("training", [False, True])
def test_a_clip_never_loses_all_its_frames_and_keeps_its_likeliest(training: bool):
    frames, valid = torch.randn(3, 5, 4), torch.ones(3, 5, dtype=torch.bool)
    valid[2] = False
    chosen = biased(-10.0).train(training)(frames, valid)
    assert chosen.valid.sum(dim=1).tolist() == [1, 1, 0]
    best = chosen.probability[:2].argmax(dim=1)
    assert torch.equal(chosen.valid[:2].float().argmax(dim=1), best)
    assert_close(chosen.values[0, best[0]], frames[0, best[0]])


def test_the_decision_is_hard_and_has_the_gradient_of_the_soft_one():
    torch.manual_seed(1)
    mask = KeyframeMask(4, heads=2).train()
    frames, valid = torch.randn(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)
    chosen = mask(frames, valid)
    ratio = chosen.values / frames
    assert_close(ratio, ratio.round(), atol=1e-6, rtol=0)  # the straight-through sum leaves a rounding error
    (chosen.values.sum() + mask.reconstruction(frames, chosen.values, valid)).backward()
    for name, parameter in mask.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_reconstruction_is_the_distance_of_the_final_states_of_one_gru():
    mask = KeyframeMask(3, heads=1)
    frames, kept = torch.randn(2, 4, 3), torch.randn(2, 4, 3)
    valid = torch.tensor([[True] * 4, [True, True, False, False]])
    distances = []
    for clip, length in ((0, 4), (1, 2)):
        _, one = mask.summary(frames[clip : clip + 1, :length])
        _, other = mask.summary(kept[clip : clip + 1, :length])
        distances.append((one - other).square().sum().sqrt())
    assert_close(mask.reconstruction(frames, kept, valid), torch.stack(distances).mean())


def test_reconstruction_of_a_clip_that_lost_nothing_is_zero_with_a_finite_gradient():
    mask = KeyframeMask(3, heads=1)
    frames = torch.randn(1, 4, 3, requires_grad=True)
    loss = mask.reconstruction(frames, frames * 1.0, torch.ones(1, 4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert frames.grad.isfinite().all()
