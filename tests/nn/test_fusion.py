"""Token fusion against Eq. 14-15, worked by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from msadg.nn.fusion import TokenFusion

MASK = torch.tensor([1.0, 0.0])
TOKENS = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [9.0, 9.0]]])
VALID = torch.tensor([[True, True, True, False]])
COSINES = [1.0, 0.0, 1 / math.sqrt(2)]


def softmax(scores: list[float]) -> list[float]:
    total = sum(math.exp(score) for score in scores)
    return [math.exp(score) / total for score in scores]


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        ("cosine", softmax([cosine / 0.1 for cosine in COSINES])),
        ("dot", softmax([2 / math.sqrt(2), 0.0, 1 / math.sqrt(2)])),
        ("cosine_raw", COSINES),
        ("mean", [1 / 3] * 3),
    ],
)
def test_weights_are_the_similarity_of_each_valid_step_to_the_mask(similarity: str, expected: list[float]):
    fusion = TokenFusion(similarity, temperature=0.1)
    weights = fusion.weights(TOKENS, VALID, MASK)
    assert_close(weights, torch.tensor([[*expected, 0.0]]))
    fused = sum(w * token for w, token in zip(expected, TOKENS[0, :3], strict=True))
    assert_close(fusion(TOKENS, VALID, MASK), fused[None])


@pytest.mark.parametrize("similarity", ["cosine", "dot", "cosine_raw", "mean"])
def test_a_clip_without_a_valid_step_gives_zeros_and_a_finite_gradient(similarity: str):
    tokens = torch.zeros(1, 2, 3, requires_grad=True)
    mask = torch.ones(3, requires_grad=True)
    fused = TokenFusion(similarity)(tokens, torch.zeros(1, 2, dtype=torch.bool), mask)
    fused.sum().backward()
    assert torch.equal(fused, torch.zeros(1, 3))
    assert tokens.grad.isfinite().all()


def test_mixed_precision_does_not_round_the_similarity():
    torch.manual_seed(0)
    features, mask = torch.randn(4, 6, 128) + 1, torch.rand(128)
    valid = torch.ones(4, 6, dtype=torch.bool)
    fusion = TokenFusion("cosine")
    with torch.autocast("cpu", torch.bfloat16):
        rounded = fusion.weights(features, valid, mask)
    assert_close(rounded, fusion.weights(features, valid, mask), atol=1e-6, rtol=0)
