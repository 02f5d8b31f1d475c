"""+sv: the regulariser around every method."""

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import Method
from msadg.nn.variation import sequential_variation
from tests.methods.helpers import tiny_batch, tiny_method
from tests.methods.test_finetuned import WIDTH, tiny_encoder, token_batch

ALL = ("text", "audio", "video")


def three(name: str, sv: dict | None = None, mask: dict | None = None, **settings: object) -> Method:
    spec = MethodSpec(name=name, settings={"dim": 8, "heads": 2, **settings}, mask=mask, variation=sv)
    return build_method(spec, {"text": 6, "audio": 4, "video": 5}, 0)


@pytest.mark.parametrize("name", ["erm", "s2lif"])
def test_it_changes_no_prediction_and_no_other_term(name: str):
    batch = tiny_batch()
    plain, varied = tiny_method(name).eval(), tiny_method(name, sv={}).eval()
    assert torch.equal(plain(batch).logits, varied(batch).logits)
    plain_terms, terms = (method.loss(method(batch), batch) for method in (plain, varied))
    assert set(terms) - set(plain_terms) == {"variation_video"}
    assert all(torch.equal(terms[term], plain_terms[term]) for term in plain_terms)


def test_the_term_is_the_weight_times_the_variation_of_what_the_encoder_makes():
    method, batch = tiny_method("erm", sv={"weight": 0.5, "kind": "tv_l2", "modalities": ["text"]}).eval(), tiny_batch()
    steps = batch.steps["text"]
    sequence = method.encoders["text"](steps.values, steps.valid)
    expected = [(x[v][1:] - x[v][:-1]).square().mean() for x, v in zip(sequence, steps.valid, strict=True)]
    assert_close(method.loss(method(batch), batch)["variation_text"], 0.5 * torch.stack(expected).mean())


def test_the_sequence_is_read_where_it_lies():
    method, batch = tiny_method("erm", sv={}), tiny_batch()
    prediction = method(batch)
    gradients: list[torch.Tensor] = []
    prediction.auxiliary["sequence_video"].register_hook(gradients.append)
    method.loss(prediction, batch)["variation_video"].backward()
    assert len(gradients) == 1 and gradients[0].abs().sum() > 0
    assert prediction.auxiliary["sequence_valid_video"] is batch.steps["video"].valid


def test_frames_that_s2lif_drops_and_what_lies_beyond_them_are_no_neighbours():
    method = tiny_method("s2lif", sv={}).eval()
    batch = tiny_batch(lengths=(9, 7))
    kept = torch.tensor([[1, 1, 0, 1, 0, 1, 1, 1, 0], [1, 0, 1, 0, 1, 0, 1, 0, 0]], dtype=torch.bool)
    choose = method.inner.keyframes.forward
    method.inner.keyframes.forward = lambda frames, valid: choose(frames, valid)._replace(valid=kept)
    prediction = method(batch)
    sequence = prediction.auxiliary["sequence_video"]
    pairs = [(0, 1), (5, 6), (6, 7)]
    expected = torch.stack([(sequence[0, b] - sequence[0, a]).abs().mean() for a, b in pairs]).mean() / 2
    assert_close(method.loss(prediction, batch)["variation_video"], expected)


def test_for_s2lif_it_acts_before_the_mask():
    method, batch = tiny_method("s2lif", sv={}).eval(), tiny_batch()
    before = method.loss(method(batch), batch)["variation_video"]
    with torch.no_grad():
        method.inner.masks["video"].threshold.fill_(9.0)
    assert_close(method.loss(method(batch), batch)["variation_video"], before)


def test_audio_and_video_are_the_default_and_others_are_named():
    batch = tiny_batch(modalities=ALL)

    def regularised(sv: dict) -> set[str]:
        method = three("erm", sv=sv)
        return {name for name in method.loss(method(batch), batch) if name.startswith("variation_")}

    assert regularised({}) == {"variation_audio", "variation_video"}
    assert regularised({"modalities": ["text", "video"]}) == {"variation_text", "variation_video"}
    assert regularised({"kind": "none"}) == set()


def test_a_staged_method_regularises_a_sequence_while_its_encoder_learns():
    method = tiny_method("s2lif", sv={"modalities": ["text", "video"]}, schedule="staged")
    added = [[term for term in phase.terms if term.startswith("variation_")] for phase in method.phases()]
    assert added == [["variation_text"], ["variation_video"]]
    assert all(prefix.startswith("inner.") for phase in method.phases() for prefix in phase.parameters)


@pytest.mark.parametrize(("name", "output"), [("erm", "logits"), ("s2lif", "logits_text")])
def test_what_a_method_says_of_itself_passes_through(name: str, output: str):
    plain, varied, batch = tiny_method(name).eval(), tiny_method(name, sv={}).eval(), tiny_batch()
    assert varied.name == f"{name}+sv"
    assert varied.output_for(["text", "video"]) == "logits"
    assert varied.output_for(["text"]) == plain.output_for(["text"])
    assert varied.read_by(output) == plain.read_by(output)
    for modality, part in varied.evidence(batch, output).items():
        assert torch.equal(part, plain.evidence(batch, output)[modality])
    assert varied.measurements() == plain.measurements()
    ratios = {f"inner.{prefix}": ratio for prefix, ratio in plain.learning_rate_ratios().items()}
    assert varied.learning_rate_ratios() == ratios


def test_inputs_are_scaled_and_priors_left_out_beneath_it():
    method = tiny_method("erm", sv={})
    method.scale_inputs("video", torch.full((5,), 2.0), torch.full((5,), 3.0))
    assert torch.equal(method.inner.encoders["video"].projector.input_mean, torch.full((5,), 2.0))
    method.leave_out_prior(torch.tensor([0, 0, 1, 2]))
    assert_close(method.inner.log_prior.exp(), torch.tensor([0.5, 0.25, 0.25]))


def test_it_goes_on_top_of_a_mask_and_beneath_a_trained_encoder():
    spec = MethodSpec(name="erm", settings={"dim": 8, "heads": 2}, mask={}, variation={}, finetune={})
    method = build_method(spec, {"text": WIDTH, "video": 5}, 0, encoder=tiny_encoder())
    batch = token_batch()
    terms = method.loss(method(batch), batch)
    assert method.name == "erm+mask+sv"
    assert {"task", "sparsity_text", "sparsity_video", "variation_video"} == set(terms)
    sum(terms.values()).backward()
    assert method.inner.inner.inner.encoders["video"].mask.weight.grad is not None


def test_invariant_fusion_takes_it_instead_of_its_own():
    with pytest.raises(UsageError, match="regularises its variation itself"):
        three("invariant_fusion", sv={})
    with pytest.raises(UsageError, match="regularises its variation itself"):
        three("invariant_fusion", sv={}, mask={})
    batch = tiny_batch(modalities=ALL)
    own, added = three("invariant_fusion").eval(), three("invariant_fusion", sv={}, variation="none").eval()
    own_terms, terms = (method.loss(method(batch), batch) for method in (own, added))
    assert set(own_terms) == set(terms)
    assert_close(terms["variation_video"], own_terms["variation_video"])


def test_it_makes_sequences_vary_less():
    batch = tiny_batch(lengths=(6,) * 9)
    variations = []
    for sv in ({"weight": 0.0}, {"weight": 10.0}):
        method = tiny_method("erm", sv=sv, dropout=0.0)
        optimizer = torch.optim.Adam(method.parameters(), 1e-2)
        for _ in range(30):
            optimizer.zero_grad()
            sum(method.loss(method(batch), batch).values()).backward()
            optimizer.step()
        found = method(batch).auxiliary
        variations.append(sequential_variation(found["sequence_video"], found["sequence_valid_video"]).item())
    assert variations[1] < 0.5 * variations[0]


@pytest.mark.parametrize("name", ["constant", "linear"])
def test_what_has_no_sequences_says_so(name: str):
    with pytest.raises(UsageError, match="nothing to regularise"):
        tiny_method(name, sv={})


@pytest.mark.parametrize(("sv", "order"), [({}, "text"), ({"modalities": ["audio"]}, "text>video")])
def test_a_modality_that_is_not_read_is_named(sv: dict, order: str):
    with pytest.raises(UsageError, match=r"\+sv acts on audio.*but s2lif reads text"):
        tiny_method("s2lif", sv=sv, order=order)


@pytest.mark.parametrize(
    ("sv", "said"),
    [
        ({"weight": -1.0}, "weight"),
        ({"modalities": ["smell"]}, "smell"),
        ({"modalities": ["video", "video"]}, "twice"),
        ({"kind": "tv"}, "kind"),
        ({"wieght": 1.0}, "did you mean 'weight'"),
    ],
)
def test_a_setting_out_of_range_is_named(sv: dict, said: str):
    with pytest.raises(SettingsError, match=said):
        tiny_method("erm", sv=sv)
