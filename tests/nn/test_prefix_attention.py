import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.nn import prefix_attention as module
from msadg.nn.prefix_attention import prefix_attention


@pytest.fixture(params=[(300_000, 64), (60, 4), (1, 1)], ids=["one block", "many blocks", "a row a block"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SCORES", request.param[0])
    monkeypatch.setattr(module, "BLOCK_ROWS", request.param[1])


def inputs(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    shapes = [(3, 2, 7, 4), (3, 2, 9, 4), (3, 2, 9, 4)]
    return [torch.randn(shape, generator=chance, dtype=dtype).requires_grad_() for shape in shapes]


LIMITS = {
    "each clip's own": torch.tensor([[1, 2, 3, 4, 5, 6, 7], [4, 4, 4, 4, 4, 4, 4], [3, 4, 5, 6, 7, 8, 9]]),
    "the same for all": torch.tensor([[3, 4, 5, 6, 7, 8, 9]]),
    "everything": torch.full((1, 7), 9),
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_it_is_torch_s_attention_under_a_mask(limit, blocks):
    leaves = inputs()
    seen = (torch.arange(9) < limit[:, :, None]).unsqueeze(1).expand(3, 2, -1, -1)
    expected = F.scaled_dot_product_attention(*leaves, seen)
    attended = prefix_attention(*leaves, limit)
    assert_close(attended, expected)
    slope = torch.randn(attended.shape, generator=torch.Generator().manual_seed(1))
    for own, theirs in zip(*(torch.autograd.grad(x, leaves, slope) for x in (attended, expected)), strict=True):
        assert_close(own, theirs)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_are_those_of_finite_differences(dropout, blocks):
    def same_draw(*leaves: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(5)
        return prefix_attention(*leaves, LIMITS["each clip's own"], dropout)

    assert torch.autograd.gradcheck(same_draw, inputs(torch.float64), fast_mode=True)


def test_dropout_drops_weights_and_keeps_their_mean(blocks):
    """Values of one-hot rows show the weights themselves."""
    query, key = torch.zeros(1, 1, 500, 4), torch.zeros(1, 1, 4, 4)
    torch.manual_seed(0)
    shown = prefix_attention(query, key, torch.eye(4)[None, None], torch.full((1, 500), 4), dropout=0.25)
    assert_close(shown.unique(), torch.tensor([0.0, 0.25 / 0.75]))
    assert (shown == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_keys_beyond_the_limit_are_not_read_at_all():
    query, key, value = inputs()
    limit = torch.full((1, 7), 6)
    spoiled = torch.cat([value.detach()[:, :, :6], torch.full((3, 2, 3, 4), 1e30)], dim=2)
    assert_close(prefix_attention(query, key, spoiled, limit), prefix_attention(query, key, value, limit))
