"""ALMT's parts: tokens of a modality, the hyper-modality, the first token of the last fusion."""

import torch
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.nn.hyper_modality import FirstTokenFusion, HyperLayer, TextScales, TokenEmbedding
from msadg.nn.wide_attention import WideLayer
from tests.nn.test_wide_attention import randomised


def layers(num_layers: int, dim: int = 6) -> list[WideLayer]:
    return [WideLayer(dim, heads=2, head_dim=4, hidden=5) for _ in range(num_layers)]


def embedding(num_layers: int = 1, max_steps: int | None = None, *, attends_padding: bool = False) -> TokenEmbedding:
    made = TokenEmbedding(layers(num_layers), 6, 3, max_steps, attends_padding=attends_padding)
    return randomised(made)


def some_steps(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    valid = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), max(lengths), 6, dtype=torch.float64) * valid[..., None], valid


def test_the_tokens_are_those_of_the_whole_transformer():
    """Every row through every layer, and the first three kept."""
    for num_layers in (1, 2):
        embed, (steps, valid) = embedding(num_layers, max_steps=5), some_steps(5, 5)
        read = torch.cat([embed.tokens.expand(2, -1, -1), steps], dim=1) + embed.positions
        for layer in embed.layers:
            read = layer(read, read)
        assert_close(embed(steps, valid), read[:, :3])


def test_tokens_of_a_clip_do_not_depend_on_padding_unless_it_is_attended():
    for max_steps in (None, 9):
        for num_layers in (1, 2):
            steps, valid = some_steps(5, 3)
            embed = embedding(num_layers, max_steps)
            alone = embed(steps[1:, :3], valid[1:, :3])
            assert_close(embed(steps, valid)[1:], alone)
            there = F.pad(steps, (0, 0, 0, 2), value=7.0), F.pad(valid, (0, 2))
            assert_close(embed(*there)[1:], alone)
    padded = embedding(max_steps=9, attends_padding=True)
    assert (padded(steps, valid)[1:] - padded(steps[1:, :3], valid[1:, :3])).abs().max() > 1e-3


def test_a_clip_without_a_step_has_the_tokens_that_speak_among_themselves():
    embed = embedding()
    steps, valid = some_steps(4, 2)
    tokens = embed(steps, torch.zeros_like(valid))
    assert_close(tokens[0], tokens[1])
    assert_close(tokens[:1], embed.layers[0](embed.tokens[None], embed.tokens[None]))


def test_a_fresh_table_holds_positions_and_tokens_start_at_zero_as_published():
    torch.manual_seed(0)
    fresh = TokenEmbedding(layers(1, 64), 64, 8, 375, attends_padding=True)
    assert fresh.positions.shape == (383, 64) and not fresh.tokens.any()
    assert abs(float(fresh.positions.detach().std()) - 1) < 0.02


def test_the_first_scale_is_text_with_its_positions():
    scales = randomised(TextScales(layers(2), 6, 3))
    tokens = torch.randn(2, 3, 6, dtype=torch.float64)
    first, second, third = scales(tokens)
    assert_close(first, tokens + scales.positions)
    assert_close(second, scales.layers[0](first, first))
    assert_close(third, scales.layers[1](second, second))


def hyper_layer(*, norms_state: bool = False, modalities: tuple[str, ...] = ("audio", "video")) -> HyperLayer:
    return randomised(HyperLayer(modalities, 6, 2, 4, 0.0, norms_state=norms_state))


def test_where_text_asks_for_nothing_the_mean_of_each_modality_is_added():
    """By hand: with W_q = 0 every weight is 1/3, so W_o (mean V_a + mean V_v) + b_o is added to every token."""
    layer = hyper_layer()
    with torch.no_grad():
        layer.query.weight.zero_()
    hyper, text = torch.randn(2, 3, 6, dtype=torch.float64), torch.randn(2, 3, 6, dtype=torch.float64)
    others = {m: torch.randn(2, 3, 6, dtype=torch.float64) for m in ("audio", "video")}
    means = [(layer.norms[m](tokens) @ layer.values[m].weight.T).mean(dim=1) for m, tokens in others.items()]
    added = sum(means) @ layer.out.weight.T + layer.out.bias
    assert_close(layer(hyper, text, others, None), hyper + added[:, None])


def test_the_published_layer_normalises_its_state_and_is_the_long_way_round_otherwise():
    layer = hyper_layer(norms_state=True)
    hyper, text = torch.randn(2, 3, 6, dtype=torch.float64), torch.randn(2, 3, 6, dtype=torch.float64)
    others = {m: torch.randn(2, 3, 6, dtype=torch.float64) for m in ("audio", "video")}
    q = layer.norm_text(text) @ layer.query.weight.T
    found = torch.zeros(2, 3, 8, dtype=torch.float64)
    for m, tokens in others.items():
        k, v = (layer.norms[m](tokens) @ part[m].weight.T for part in (layer.keys, layer.values))
        for head in (slice(0, 4), slice(4, 8)):
            weights = torch.softmax(q[..., head] @ k[..., head].transpose(1, 2) / 2, dim=-1)
            found[..., head] += weights @ v[..., head]
    state = F.layer_norm(hyper, (6,), layer.norm_hyper.weight, layer.norm_hyper.bias)
    assert_close(layer(hyper, text, others, None), state + found @ layer.out.weight.T + layer.out.bias)


def test_a_modality_that_a_clip_lacks_adds_nothing():
    both, (hyper, text) = hyper_layer(), torch.randn(2, 2, 3, 6, dtype=torch.float64)
    others = {m: torch.randn(2, 3, 6, dtype=torch.float64) for m in ("audio", "video")}
    present = {"audio": torch.tensor([True, False]), "video": torch.tensor([True, True])}
    video = hyper_layer(modalities=("video",))
    video.load_state_dict({name: both.state_dict()[name] for name in video.state_dict()})
    alone = video(hyper, text, {"video": others["video"]}, None)
    found = both(hyper, text, others, present)
    assert_close(found[1], alone[1])
    assert_close(found[0], both(hyper, text, others, None)[0])


def test_gradients_of_the_hyper_modality_are_those_of_finite_differences():
    layer = hyper_layer(norms_state=True)
    names = [name for name, _ in layer.named_parameters()]
    parameters = [p.detach().requires_grad_() for p in layer.parameters()]
    inputs = torch.randn(4, 1, 2, 6, dtype=torch.float64).unbind(0)

    def added(hyper, text, audio, video, *values):
        weights = dict(zip(names, values, strict=True))
        return torch.func.functional_call(layer, weights, (hyper, text, {"audio": audio, "video": video}, None))

    assert torch.autograd.gradcheck(added, (*(x.detach().requires_grad_() for x in inputs), *parameters))


def test_the_first_token_is_that_of_all_tokens_asking():
    """The rows that ask do not meet: computed together, the first is the same."""
    fusion = randomised(FirstTokenFusion(layers(2), 6, 3))
    source, text = torch.randn(2, 2, 3, 6, dtype=torch.float64)
    read = torch.cat([fusion.token.expand(2, 1, 6), source], dim=1) + fusion.source_positions
    asking = torch.cat([fusion.token.expand(2, 1, 6) + fusion.position, text], dim=1)
    for layer in fusion.layers:
        asking = layer(asking, read)
    assert_close(fusion(source, None), asking[:, 0])
    assert (fusion(source, text.mean(dim=1)) - asking[:, 0]).abs().max() > 1e-3
