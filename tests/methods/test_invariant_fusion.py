"""Invariant fusion: its losses clip by clip, its parts one by one, and clips that lack a modality."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.invariant_fusion import InvariantFusion
from msadg.methods.task import Task
from msadg.types import Batch, Steps
from tests.methods.helpers import chosen, padded, tiny_batch

DIMS = {"text": 6, "audio": 4, "video": 5}
ALL = ("text", "audio", "video")
TERMS = {"task", "consistency", "adversary", "reconstruction", "variation_audio", "variation_video"}


def fusion(seed: int = 0, dims: dict[str, int] = DIMS, **settings: object) -> InvariantFusion:
    spec = MethodSpec(name="invariant_fusion", settings={"dim": 8, "heads": 2, **settings})
    return build_method(spec, dims, seed).eval()


def batch_of(lengths: tuple[int, ...] = (5, 3, 4, 2), modalities: tuple[str, ...] = ALL) -> Batch:
    return tiny_batch(lengths, modalities=modalities)


def without(batch: Batch, modality: str, clips: slice = slice(None)) -> Batch:
    steps = batch.steps[modality]
    values, valid = steps.values.clone(), steps.valid.clone()
    values[clips], valid[clips] = 0, False
    return replace(batch, steps={**batch.steps, modality: Steps(values, valid)})


def changed(batch: Batch, modality: str) -> Batch:
    steps = batch.steps[modality]
    return replace(batch, steps={**batch.steps, modality: Steps(-steps.values, steps.valid)})


def terms_of(method: InvariantFusion, batch: Batch) -> dict[str, torch.Tensor]:
    return method.loss(method(batch), batch)


def codes_by_clip(method: InvariantFusion, batch: Batch) -> dict[str, list[torch.Tensor]]:
    """[S ; I] of each clip's own steps, modality by modality: encoded alone, without padding."""
    codes = {}
    for modality in method.modalities:
        steps = batch.steps[modality]
        codes[modality] = []
        for values, valid in zip(steps.values, steps.valid, strict=True):
            encoded = method.encoders[modality](values[valid][None], valid[valid][None])[0]
            private, shared = method.codes.private[modality](encoded), method.codes.shared(encoded)
            codes[modality].append(torch.cat([private, shared], dim=-1).sigmoid())
    return codes


def test_every_part_has_its_term():
    assert set(terms_of(fusion(), batch_of())) == TERMS


@pytest.mark.parametrize(
    ("settings", "terms", "parameters"),
    [
        ({"consistency_weight": 0}, {"consistency"}, ()),
        ({"adversary_weight": 0}, {"adversary"}, ("discriminator.",)),
        ({"reconstruction_weight": 0}, {"reconstruction"}, ("reconstructions.",)),
        ({"variation": "none"}, {"variation_audio", "variation_video"}, ()),
        ({"variation_modalities": ["video"]}, {"variation_audio"}, ()),
        (
            {"codes": False},
            {"consistency", "adversary", "reconstruction"},
            ("codes.", "discriminator.", "reconstructions."),
        ),
        ({"gate": "none"}, set(), ("gates.",)),
        ({"fusion": "concat"}, set(), ("gates.", "streams.", "decoder.")),
    ],
)
def test_a_part_that_is_switched_off_has_neither_term_nor_parameters(settings: dict, terms: set, parameters: tuple):
    method, batch = fusion(**settings).train(), batch_of()
    found = terms_of(method, batch)
    assert set(found) == TERMS - terms
    for prefix in parameters:
        assert any(name.startswith(prefix) for name, _ in fusion().named_parameters())
        assert not any(name.startswith(prefix) for name, _ in method.named_parameters())
    sum(found.values()).backward()
    unused = [n for n, p in method.named_parameters() if p.grad is None and not n.endswith("in_proj_bias")]
    assert not unused


@pytest.mark.parametrize(
    ("setting", "terms"),
    [
        ("consistency_weight", ["consistency"]),
        ("adversary_weight", ["adversary"]),
        ("reconstruction_weight", ["reconstruction"]),
        ("variation_weight", ["variation_audio", "variation_video"]),
    ],
)
def test_a_weight_scales_its_term_alone(setting: str, terms: list[str]):
    batch = batch_of()
    once, thrice = (terms_of(fusion(**{setting: weight}), batch) for weight in (1.0, 3.0))
    for name in TERMS:
        assert_close(thrice[name], once[name] * (3 if name in terms else 1))


def test_consistency_is_the_mean_discrepancy_of_the_pairs_of_mean_shared_codes():
    method, batch = fusion(), batch_of()
    means = [torch.stack([z.mean(0)[8:] for z in clips]) for clips in codes_by_clip(method, batch).values()]
    total = 0.0
    for a, b in combinations(means, 2):
        total += (a.mean(0) - b.mean(0)).norm()
        for k in range(2, 6):
            total += (((a - a.mean(0)) ** k).mean(0) - ((b - b.mean(0)) ** k).mean(0)).norm()
    assert_close(terms_of(method, batch)["consistency"], total / 3)


def test_the_adversary_s_loss_is_that_of_each_clip_s_mean_codes():
    method, batch = fusion(), batch_of()
    losses = {"private": [], "shared": []}
    for place, clips in enumerate(codes_by_clip(method, batch).values()):
        for z in clips:
            for kind, code in zip(("private", "shared"), z.mean(0).split(8), strict=True):
                hidden = method.discriminator.hidden(code)
                losses[kind].append(method.discriminator.classifier(hidden, torch.tensor(place)))
    expected = 0.4 * sum(torch.stack(values).mean() for values in losses.values())
    assert_close(terms_of(method, batch)["adversary"], expected, atol=1e-5, rtol=1e-5)


def test_reconstruction_is_of_each_step_from_the_sum_of_its_codes():
    method, batch = fusion(), batch_of()
    parts = []
    for modality, clips in codes_by_clip(method, batch).items():
        steps = batch.steps[modality]
        for clip, z in enumerate(clips):
            valid = steps.valid[clip]
            target = method.encoders[modality](steps.values[clip][valid][None], valid[valid][None])[0]
            parts.append((method.reconstructions[modality](z[:, :8] + z[:, 8:]) - target).square().mean())
    assert_close(terms_of(method, batch)["reconstruction"], torch.stack(parts).mean())


@pytest.mark.parametrize("move_target", [False, True])
def test_what_is_reconstructed_is_moved_only_if_asked_for(move_target: bool):
    method = fusion(move_target=move_target)
    with torch.no_grad():  # codes that say nothing of x_m pass no gradient on to it
        for parameter in method.codes.parameters():
            parameter.zero_()
    terms_of(method, batch_of())["reconstruction"].backward()
    moved = [p.grad.abs().sum() > 0 for p in method.encoders.parameters() if p.grad is not None]
    assert any(moved) == move_target


def test_variation_is_of_private_and_shared_codes_together():
    method, batch = fusion(), batch_of()
    terms = terms_of(method, batch)
    for modality in ("audio", "video"):
        clips = codes_by_clip(method, batch)[modality]
        expected = torch.stack([(z[1:] - z[:-1]).abs().mean() for z in clips]).mean()
        assert_close(terms[f"variation_{modality}"], expected)


@pytest.mark.parametrize("reverse_private", [False, True])
def test_only_what_is_to_be_hidden_learns_against_the_discriminator(reverse_private: bool, monkeypatch):
    def gradients() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        method, batch = fusion(reverse_private=reverse_private), batch_of()
        terms_of(method, batch)["adversary"].backward()
        codes, row = method.codes, method.discriminator.classifier.weight
        return codes.shared.weight.grad, codes.private["audio"].weight.grad, row.grad

    shared, private, row = gradients()
    monkeypatch.setattr("msadg.methods.invariant_fusion.reverse_gradient", lambda values: values)
    plain_shared, plain_private, plain_row = gradients()
    assert_close(shared, -plain_shared)
    assert_close(private, -plain_private if reverse_private else plain_private)
    assert_close(row, plain_row)
    assert plain_shared.abs().sum() > 0 and plain_private.abs().sum() > 0


@pytest.mark.parametrize("modalities", [("text",), ("text", "audio"), ("text", "video"), ALL])
@pytest.mark.parametrize("settings", [{}, {"codes": False, "gate": "soft"}, {"fusion": "concat", "fused_codes": "sum"}])
def test_it_works_on_text_and_any_others(modalities: tuple[str, ...], settings: dict):
    method = fusion(dims={m: DIMS[m] for m in modalities}, **settings).train()
    batch = batch_of(modalities=modalities)
    terms = terms_of(method, batch)
    sum(terms.values()).backward()
    assert {n for n in terms if n.startswith("variation")} == {f"variation_{m}" for m in modalities if m != "text"}
    assert ("adversary" in terms) == (len(modalities) > 1 and settings.get("codes", True))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())


@pytest.mark.parametrize("settings", [{}, {"gate": "soft"}, {"gate": "none", "codes": False}, {"fusion": "concat"}])
def test_padding_and_neighbours_change_no_score_of_three_modalities(settings: dict):
    method, batch = fusion(**settings), batch_of()
    assert_close(method(padded(batch, extra_steps=3)).logits, method(batch).logits)
    alone = torch.cat([method(chosen(batch, [row])).logits for row in range(len(batch))])
    assert_close(method(batch).logits, alone)


def test_padding_changes_no_term():
    method, batch = fusion(), batch_of()
    for name, term in terms_of(method, padded(batch, extra_steps=3)).items():
        assert_close(term, terms_of(method, batch)[name])


def test_behind_a_closed_gate_a_modality_decides_nothing():
    method, batch = fusion(), batch_of()
    with torch.no_grad():
        method.gates["audio"].score.bias.fill_(-9.0)
        method.gates["video"].score.bias.fill_(9.0)
    said = method(batch)
    assert (said.auxiliary["gate_audio"] == 0).all() and (said.auxiliary["gate_video"] == 1).all()
    assert torch.equal(method(changed(batch, "audio")).logits, said.logits)
    assert not torch.allclose(method(changed(batch, "video")).logits, said.logits)


def test_gates_are_measured_and_one_that_never_opened_is_told():
    method = fusion()
    assert method.measurements() == {}
    with torch.no_grad():
        method.gates["audio"].score.bias.fill_(-9.0)
        method.gates["video"].score.bias.fill_(9.0)
    method(batch_of())
    assert method.measurements() == {"gate_audio": 0.0, "gate_video": 1.0}
    assert [sentence.split()[1] for sentence in method.warnings([method.measurements()] * 2)] == ["audio"]
    assert method.warnings([method.measurements(), {"gate_audio": 0.5, "gate_video": 1.0}]) == []


def test_the_spread_of_codes_over_clips_is_measured_of_those_that_have_the_modality():
    method, batch = fusion().train(), without(batch_of(), "audio", slice(0, 2))
    said = method(batch)
    method.loss(said, batch)
    private = said.auxiliary["code_means"][..., : method.config.dim].detach()
    assert method.measurements()["spread_text"] == pytest.approx(float(private[:, 0].std(dim=0, correction=0).mean()))
    assert method.measurements()["spread_audio"] == pytest.approx(float(private[2:, 1].std(dim=0, correction=0).mean()))
    before = method.measurements()["spread_video"]
    alone = batch_of((5,))
    method.loss(method(alone), alone)
    assert method.measurements()["spread_video"] == before  # one clip has no spread


def test_codes_of_which_no_two_clips_were_compared_have_no_spread_and_are_not_told_to_be_flat():
    method = fusion().train()
    for batch in (batch_of((5,)), without(batch_of(), "audio")):
        method.loss(method(batch), batch)
        assert "spread_audio" not in method.measurements()
        assert not [sentence for sentence in method.warnings([method.measurements()]) if "audio codes" in sentence]
    assert method.measurements()["spread_text"] > 0


def test_codes_that_ended_up_flat_are_told_with_what_may_help():
    history = [{"spread_text": 0.001, "spread_audio": 0.1}, {"spread_text": 0.1, "spread_audio": 0.004}]
    (sentence,) = fusion().warnings(history)
    assert "the audio codes" in sentence and "spread 0.004" in sentence and "margin = 0" in sentence
    (sentence,) = fusion(margin=0.0).warnings(history)
    assert "margin" not in sentence and "adversary_weight = 0" in sentence


@pytest.mark.parametrize("settings", [{}, {"codes": False}, {"fusion": "concat"}, {"variation": "jsd"}])
@pytest.mark.parametrize("modality", ALL)
@pytest.mark.parametrize("clips", [slice(None), slice(0, 1)])
def test_a_missing_modality_gives_finite_scores_losses_and_gradients(modality: str, clips: slice, settings: dict):
    method = fusion(**settings).train()
    batch = without(batch_of(), modality, clips)
    terms = terms_of(method, batch)
    assert all(term.isfinite() for term in terms.values())
    sum(terms.values()).backward()
    assert all(p.grad.isfinite().all() for p in method.parameters() if p.grad is not None)


def test_a_modality_that_no_clip_has_is_in_no_mean():
    method, batch = fusion(), batch_of()
    lacking = without(batch, "audio")
    terms = terms_of(method, lacking)
    means = [torch.stack([z.mean(0)[8:] for z in codes_by_clip(method, batch)[m]]) for m in ("text", "video")]
    expected = (means[0].mean(0) - means[1].mean(0)).norm()
    for k in range(2, 6):
        expected = expected + torch.stack([((m - m.mean(0)) ** k).mean(0) for m in means]).diff(dim=0).norm()
    assert_close(terms["consistency"], expected)
    assert terms["variation_audio"] == 0


def test_a_clip_without_text_is_still_read_by_what_it_has():
    method, silent = fusion(gate="soft"), without(batch_of(), "text")
    assert not torch.allclose(method(silent).logits, method(changed(silent, "video")).logits)
    mute = without(without(silent, "video"), "audio")
    assert_close(method(mute).logits, method(mute).logits[:1].expand(4, -1))


def test_one_clip_of_one_step_has_a_distance_of_means_and_no_variation():
    method, batch = fusion(), batch_of(lengths=(1,))
    terms = terms_of(method, batch)
    a, b, c = (clips[0][0, 8:] for clips in codes_by_clip(method, batch).values())
    assert_close(terms["consistency"], ((a - b).norm() + (a - c).norm() + (b - c).norm()) / 3)
    assert terms["variation_audio"] == 0 and terms["variation_video"] == 0


def test_all_private_codes_the_shared_or_both_can_be_fused():
    batch = batch_of()
    private, shared, both = (fusion(fusion="concat", fused_codes=kind) for kind in ("private", "shared", "sum"))
    means = private(batch).auxiliary["code_means"]
    assert_close(private(batch).logits, private.head(means[..., :8].flatten(1)))
    assert_close(shared(batch).logits, shared.head(means[..., 8:].flatten(1)))
    assert_close(both(batch).logits, both.head((means[..., :8] + means[..., 8:]).flatten(1)))


def test_the_natural_units_of_features_are_scaled_before_the_encoders_read_them():
    method, batch = fusion(), batch_of()
    before = method(batch).logits
    loud = batch.steps["audio"]
    loud = Steps((loud.values * 50 + 1000) * loud.valid[..., None], loud.valid)
    method.scale_inputs("audio", torch.full((4,), 1000.0), torch.full((4,), 50.0))
    assert_close(method(replace(batch, steps={**batch.steps, "audio": loud})).logits, before, atol=1e-4, rtol=1e-4)


def test_asked_for_polarity_it_answers_with_one_number_and_pays_for_its_squared_error():
    method = build_method(
        MethodSpec(name="invariant_fusion", settings={"dim": 8, "heads": 2}), DIMS, 0, task=Task(kind="regression")
    ).eval()
    batch = batch_of()
    said = method(batch).logits
    assert said.shape == (4, 1)
    terms = terms_of(method, batch)
    assert set(terms) == TERMS
    assert_close(terms["task"], ((said[:, 0] - torch.tensor([-1.0, 0.0, 1.0, -1.0])) ** 2).mean())


def test_without_text_there_is_nobody_to_ask():
    with pytest.raises(UsageError, match="lets text ask the others, but it was given audio, video only"):
        fusion(modalities=["audio", "video"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"adversary_weight": -1}, "adversary_weight"),
        ({"gate_dropout": 1.0}, "gate_dropout"),
        ({"moments": 0}, "moments"),
        ({"variation_modalities": ["smell"]}, "smell"),
        ({"variation_modalities": ["video", "video"]}, "twice"),
        ({"gate": "ajar"}, "gate"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict, said: str):
    with pytest.raises(SettingsError, match=said):
        fusion(**settings)
