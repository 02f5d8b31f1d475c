"""MulT against a restatement of the published computation, and what is corrected."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods.mult import MulT, MulTConfig
from msadg.nn.crossmodal import visible_prefix
from msadg.types import MODALITIES, Batch, Steps
from tests.methods.helpers import tiny_batch, tiny_method

LETTERS = {"text": "l", "audio": "a", "video": "v"}
WIDTHS = {"text": 9, "audio": 5, "video": 7}
DIM, HEADS, LAYERS = 8, 2, 2
LENGTHS = {"text": (6, 3, 1), "audio": (4, 11, 2), "video": (9, 9, 5)}


def batch_of(lengths: dict[str, tuple[int, ...]], dtype: torch.dtype = torch.float64, seed: int = 0) -> Batch:
    chance = torch.Generator().manual_seed(seed)
    steps, size = {}, len(next(iter(lengths.values())))
    for modality, counts in lengths.items():
        valid = torch.arange(max(counts))[None] < torch.tensor(counts)[:, None]
        values = torch.randn(size, max(counts), WIDTHS[modality], generator=chance, dtype=dtype)
        steps[modality] = Steps(values * valid[..., None], valid)
    zeros = torch.zeros(size, dtype=torch.int64)
    return Batch(tuple(f"tiny/test/{n}" for n in range(size)), steps, zeros, zeros.to(dtype), zeros)


def one_clip(batch: Batch, clip: int) -> Batch:
    """By itself, without padding."""
    steps = {}
    for modality, s in batch.steps.items():
        steps[modality] = Steps(s.values[clip][s.valid[clip]][None], s.valid[clip][s.valid[clip]][None])
    here = slice(clip, clip + 1)
    return Batch(batch.clip_ids[here], steps, batch.sentiment[here], batch.polarity[here], batch.domain[here])


def published_weights(
    dtype: torch.dtype = torch.float64,
    kernels: tuple[int, ...] = (1, 1, 1),
    targets: str = "lav",
    positions: bool = True,
) -> dict[str, Tensor]:
    """Random ones, by the names of the authors' files; every bias and norm is away from where it starts."""
    chance = torch.Generator().manual_seed(7)
    weights: dict[str, Tensor] = {}

    def add(name: str, *shape: int) -> None:
        weights[name] = torch.randn(*shape, generator=chance, dtype=dtype) / math.sqrt(shape[-1])

    def add_linear(name: str, inside: int, outside: int) -> None:
        add(f"{name}.weight", outside, inside)
        add(f"{name}.bias", outside)

    def add_norm(name: str, width: int) -> None:
        weights[f"{name}.weight"] = 1 + 0.3 * torch.randn(width, generator=chance, dtype=dtype)
        weights[f"{name}.bias"] = 0.3 * torch.randn(width, generator=chance, dtype=dtype)

    def add_transformer(name: str, width: int, layers: int) -> None:
        weights[f"{name}.version"] = torch.tensor([2.0])
        if positions:
            weights[f"{name}.embed_positions._float_tensor"] = torch.zeros(1)
        for layer in range(layers):
            here = f"{name}.layers.{layer}"
            add(f"{here}.self_attn.in_proj_weight", 3 * width, width)
            add(f"{here}.self_attn.in_proj_bias", 3 * width)
            add_linear(f"{here}.self_attn.out_proj", width, width)
            add_linear(f"{here}.fc1", width, 4 * width)
            add_linear(f"{here}.fc2", 4 * width, width)
            add_norm(f"{here}.layer_norms.0", width)
            add_norm(f"{here}.layer_norms.1", width)
        add_norm(f"{name}.layer_norm", width)

    for (modality, letter), kernel in zip(LETTERS.items(), kernels, strict=True):
        add(f"proj_{letter}.weight", DIM, WIDTHS[modality], kernel)
        for other in LETTERS.values():
            if other != letter and letter in targets:
                add_transformer(f"trans_{letter}_with_{other}", DIM, LAYERS)
        add_transformer(f"trans_{letter}_mem", 2 * DIM, 3)
    width = 2 * DIM * len(targets)
    for name, outside in (("proj1", width), ("proj2", width), ("out_layer", 3)):
        add_linear(name, width, outside)
    return weights


def restated(weights: dict[str, Tensor], batch: Batch, targets: str = "lav", positions: bool = True) -> Tensor:
    """The published computation, from its description: a clip, a head and a window at a time."""
    said = []
    for clip in range(len(batch)):
        projected = {}
        for modality, letter in LETTERS.items():
            frames, kernel = batch.steps[modality].values[clip], weights[f"proj_{letter}.weight"]
            if kernel.shape[0] == kernel.shape[1]:
                projected[letter] = frames
                continue
            width = kernel.shape[2]
            rows = [(frames[t : t + width].T * kernel).sum(dim=(1, 2)) for t in range(len(frames) - width + 1)]
            projected[letter] = torch.stack(rows)
        read = []
        for target in targets:
            streams = [
                _transformer(weights, f"trans_{target}_with_{source}", projected[target], projected[source], positions)
                for source in "lav"
                if source != target
            ]
            joined = torch.cat(streams, dim=1)
            read.append(_transformer(weights, f"trans_{target}_mem", joined, joined, positions)[-1])
        h = torch.cat(read)
        inner = (weights["proj1.weight"] @ h + weights["proj1.bias"]).clamp_min(0)
        o = h + weights["proj2.weight"] @ inner + weights["proj2.bias"]
        said.append(weights["out_layer.weight"] @ o + weights["out_layer.bias"])
    return torch.stack(said)


def _transformer(weights: dict[str, Tensor], name: str, target: Tensor, source: Tensor, positions: bool) -> Tensor:
    x, y = (_embedded(frames, positions) for frames in (target, source))
    is_self = target is source
    layer = 0
    while f"{name}.layers.{layer}.fc1.weight" in weights:
        w = {n.removeprefix(f"{name}.layers.{layer}."): v for n, v in weights.items()}
        normed = _norm(x, w, "layer_norms.0")
        x = x + _attention(normed, normed if is_self else _norm(y, w, "layer_norms.0"), w)
        hidden = (_norm(x, w, "layer_norms.1") @ w["fc1.weight"].T + w["fc1.bias"]).clamp_min(0)
        x = x + hidden @ w["fc2.weight"].T + w["fc2.bias"]
        layer += 1
    return _norm(x, weights, f"{name}.layer_norm")


def _embedded(frames: Tensor, positions: bool) -> Tensor:
    width = frames.shape[1]
    embedded = math.sqrt(width) * frames
    if not positions:
        return embedded
    half = width // 2
    for t in range(len(frames)):
        if frames[t, 0] != 0:
            angles = [(t + 1) * math.exp(-i * math.log(10_000) / (half - 1)) for i in range(half)]
            wave = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            embedded[t] += torch.tensor(wave, dtype=frames.dtype)
    return embedded


def _norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _attention(query: Tensor, source: Tensor, w: dict[str, Tensor]) -> Tensor:
    width = query.shape[1]
    matrix, bias = w["self_attn.in_proj_weight"], w["self_attn.in_proj_bias"]
    q = query @ matrix[:width].T + bias[:width]
    k = source @ matrix[width : 2 * width].T + bias[width : 2 * width]
    v = source @ matrix[2 * width :].T + bias[2 * width :]
    head, found = width // HEADS, []
    for first in range(0, width, head):
        part = slice(first, first + head)
        scores = q[:, part] @ k[:, part].T * head**-0.5
        for i in range(len(query)):
            scores[i, i + abs(len(source) - len(query)) + 1 :] = -math.inf
        found.append(scores.softmax(dim=1) @ v[:, part])
    return torch.cat(found, dim=1) @ w["self_attn.out_proj.weight"].T + w["self_attn.out_proj.bias"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_published_weights_give_the_published_output(dtype: torch.dtype, tolerance: float):
    weights, batch = published_weights(dtype), batch_of(LENGTHS, dtype)
    method = MulT.from_published(weights, heads=HEADS).eval()
    assert_close(method(batch).logits, restated(weights, batch), atol=tolerance, rtol=tolerance)


def test_mmsa_s_weights_too_without_positions_and_with_wider_kernels():
    weights, batch = published_weights(kernels=(1, 3, 2), positions=False), batch_of(LENGTHS)
    method = MulT.from_published({f"Model.{name}": w for name, w in weights.items()}, heads=HEADS).eval()
    assert_close(method(batch).logits, restated(weights, batch, positions=False), atol=1e-10, rtol=1e-10)


def test_a_model_of_one_target_too():
    weights, batch = published_weights(targets="a"), batch_of(LENGTHS)
    method = MulT.from_published(weights, heads=HEADS).eval()
    assert method.targets == ("audio",)
    assert_close(method(batch).logits, restated(weights, batch, targets="a"), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(("published", "prefix"), [(True, ""), (False, ""), (False, "Model.")])
def test_features_as_wide_as_the_model_are_taken_as_they_are_by_published_weights(published, prefix, monkeypatch):
    monkeypatch.setitem(WIDTHS, "video", DIM)
    weights, batch = published_weights(), one_clip(batch_of(LENGTHS), 1)
    named = {prefix + name: weight for name, weight in weights.items()}
    method = MulT.from_published(named, heads=HEADS, published=published).eval()
    assert_close(method(batch).logits, restated(weights, batch), atol=1e-10, rtol=1e-10)


def test_corrected_each_clip_gets_what_the_published_code_says_of_it_alone():
    weights, batch = published_weights(kernels=(1, 2, 2)), batch_of(LENGTHS)
    corrected = MulT.from_published(weights, heads=HEADS, published=False).eval()
    alone = torch.cat([restated(weights, one_clip(batch, clip)) for clip in range(len(batch))])
    assert_close(corrected(batch).logits, alone, atol=1e-10, rtol=1e-10)
    published = MulT.from_published(weights, heads=HEADS).eval()(batch).logits
    assert not torch.allclose(published, alone, atol=1e-3)


def test_a_step_that_was_not_observed_is_as_if_it_were_not_there():
    method = tiny_method("mult").double().eval()
    whole = batch_of({"text": (6, 3), "video": (7, 4)})
    whole = replace(whole, steps={"text": narrowed(whole.steps["text"], 6), "video": narrowed(whole.steps["video"], 5)})
    steps = whole.steps["video"]
    there = steps.valid.clone()
    there[0, 2:4] = False
    gapped = replace(whole, steps={**whole.steps, "video": Steps(steps.values, there)})
    for clip in range(2):
        assert_close(method(gapped).logits[clip], method(one_clip(gapped, clip)).logits[0])


def narrowed(steps: Steps, width: int) -> Steps:
    return Steps(steps.values[..., :width], steps.valid)


@pytest.mark.parametrize("used", [("text",), ("text", "video"), MODALITIES])
def test_each_ordered_pair_has_a_crossmodal_transformer(used: tuple[str, ...]):
    config = MulTConfig(modalities=used, dim=8, heads=2, layers=1)
    method = MulT(config, WIDTHS).double().eval()
    assert len(method.crossmodal) == len(used) * (len(used) - 1)
    assert method.hidden.in_features == max(1, len(used) - 1) * 8 * len(used)
    assert method(batch_of(LENGTHS)).logits.isfinite().all()


def test_with_causality_an_early_step_does_not_see_a_late_one():
    """Of equally long sequences; the last step, which is read, sees all."""
    batch = batch_of(dict.fromkeys(MODALITIES, (5,)))
    for causal in (True, False):
        torch.manual_seed(0)
        method = MulT(MulTConfig(dim=8, heads=2, layers=1, causal=causal), WIDTHS).double().eval()
        video = method.encoders["video"](batch.steps["video"].values, batch.steps["video"].valid)
        text = method.encoders["text"](batch.steps["text"].values, batch.steps["text"].valid)
        changed = torch.cat([video[:, :3], -video[:, 3:]], dim=1)
        count = torch.tensor([5])
        limit = visible_prefix(count, count, 5, causal)
        difference = method.crossmodal["text_from_video"](text, video, limit)
        difference = difference - method.crossmodal["text_from_video"](text, changed, limit)
        assert torch.equal(difference[:, :3] == 0, torch.full((1, 3, 8), causal))
        assert (difference[:, 3:] != 0).all()


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("published", [False, True])
def test_clips_that_lack_a_modality_or_have_one_step_have_finite_losses_and_gradients(kernel: int, published: bool):
    batch = batch_of({"text": (3, 1, 0), "audio": (0, 1, 2), "video": (4, 1, 0)})
    config = MulTConfig(dim=8, heads=2, layers=1, audio_kernel=kernel, video_kernel=kernel, published=published)
    torch.manual_seed(0)
    method = MulT(config, WIDTHS).double().train()
    sum(method.loss(method(batch), batch).values()).backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_an_absent_modality_reads_as_zeros_and_changes_nothing_elsewhere():
    method = tiny_method("mult").double().eval()
    batch = batch_of({"text": (3, 3), "video": (4, 0)})
    batch = replace(batch, steps={"text": narrowed(batch.steps["text"], 6), "video": narrowed(batch.steps["video"], 5)})
    noise = Steps(torch.full_like(batch.steps["video"].values, 9.0), batch.steps["video"].valid)
    noisy = replace(batch, steps={**batch.steps, "video": noise})
    assert_close(method(noisy).logits[1], method(batch).logits[1])


@pytest.mark.parametrize("addition", [{"mask": {}}, {"sv": {}}, {"mask": {}, "sv": {}}])
def test_masks_and_variation_can_be_added(addition: dict):
    method, batch = tiny_method("mult", **addition), tiny_batch()
    terms = method.loss(method(batch), batch)
    assert set(terms) - {"task"} == {
        *(f"sparsity_{m}" for m in ("text", "video") if "mask" in addition),
        *(["variation_video"] if "sv" in addition else []),
    }
    assert all(term.isfinite() for term in terms.values())


def test_features_in_natural_units_can_be_scaled():
    method, plain = tiny_method("mult").eval(), tiny_method("mult").eval()
    mean, spread = torch.full((5,), 40.0), torch.full((5,), 8.0)
    method.scale_inputs("video", mean, spread)
    batch = tiny_batch()
    video = batch.steps["video"]
    raw = replace(batch, steps={**batch.steps, "video": Steps(video.values * spread + mean, video.valid)})
    assert_close(method(raw).logits, plain(batch).logits)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"dim": 10, "heads": 4}, "does not divide"), ({"layers": 0}, "layers"), ({"video_kernel": 0}, "video_kernel")],
)
def test_settings_that_cannot_be_are_refused(settings: dict, said: str):
    with pytest.raises(SettingsError, match=said):
        MulTConfig(**settings)


def test_a_target_that_is_not_used_is_refused():
    with pytest.raises(UsageError, match="targets name audio"):
        MulT(MulTConfig(modalities=("text", "video"), targets=("audio",)), WIDTHS)


def test_weights_that_are_missing_unknown_or_of_another_shape_are_named():
    weights = published_weights()
    with pytest.raises(UsageError, match=r"'trans_x_mem\.fc1' is no weight of MulT"):
        MulT.from_published({**weights, "trans_x_mem.fc1": torch.zeros(1)}, heads=HEADS)
    with pytest.raises(UsageError, match=r"memory\.text\.layers\.0\.expand\.weight .* is missing"):
        MulT.from_published({n: w for n, w in weights.items() if n != "trans_l_mem.layers.0.fc1.weight"}, heads=HEADS)
    with pytest.raises(UsageError, match=r"hidden\.bias is \(5,\)"):
        MulT.from_published({**weights, "proj1.bias": torch.zeros(5)}, heads=HEADS)
    with pytest.raises(UsageError, match="nothing here reads"):
        MulT.from_published({**weights, "trans_l_mem.layers.9.fc1.bias": torch.zeros(64)}, heads=HEADS)
