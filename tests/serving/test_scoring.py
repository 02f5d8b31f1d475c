"""What is done where a modality is missing: which way, and by hand to what number."""

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import RunError
from msadg.methods.build import MethodSpec, build_method
from msadg.protocols.sources import Sources
from msadg.serving.scoring import Scorer, plan_for
from msadg.serving.wording import how_without, not_asked
from msadg.types import Steps
from tests.methods.helpers import DIMS, SETTINGS, chosen, tiny_batch, tiny_method

EMPTY = {m: Steps(torch.zeros(1, 1, dim), torch.zeros(1, 1, dtype=torch.bool)) for m, dim in DIMS.items()}


def background(lengths: tuple[int, ...] = (4, 2, 5)) -> Sources:
    return Sources(("a",), {}, tiny_batch(lengths, seed=9).steps)


def planned(method, present, *, has_dropout=False, sources=None):
    return plan_for(method, present, has_dropout=has_dropout, sources=sources)


def test_with_everything_there_it_is_the_method_s_own_answer():
    method, batch = tiny_method("s2lif").eval(), chosen(tiny_batch(), [1])
    plan = planned(method, {"text", "video"})
    assert plan.fallback is None and plan.read == ("text", "video")
    said = Scorer(method, plan, None, EMPTY, "cpu").probabilities(batch.steps)
    assert_close(said, method(batch).logits.double().softmax(dim=-1))


def test_an_earlier_stage_comes_first_and_does_not_notice_what_stands_in_for_the_video():
    method, batch = tiny_method("s2lif").eval(), chosen(tiny_batch(), [0])
    plan = planned(method, {"text"}, has_dropout=True, sources=background())
    assert (plan.fallback, plan.output, plan.read) == ("stage", "logits_text", ("text",))
    said = Scorer(method, plan, None, EMPTY, "cpu").probabilities({"text": batch.steps["text"]})
    assert_close(said, method(batch).auxiliary["logits_text"].double().softmax(dim=-1))


def test_after_modality_dropout_the_steps_are_invalid_as_in_training():
    method, batch = tiny_method("erm").eval(), chosen(tiny_batch(), [0])
    plan = planned(method, {"text"}, has_dropout=True, sources=background())
    assert plan.fallback == "dropout"
    said = Scorer(method, plan, background(), EMPTY, "cpu").probabilities({"text": batch.steps["text"]})
    pooled = method.encoders["text"](batch.steps["text"].values, batch.steps["text"].valid).mean(dim=1)
    logits = pooled @ method.head.weight[:, :8].T + method.head.bias  # the video's half adds nothing
    assert_close(said, logits.double().softmax(dim=-1))


def test_otherwise_it_is_the_mean_probability_over_what_the_sources_showed():
    method, batch, sources = tiny_method("erm").eval(), chosen(tiny_batch(), [2]), background()
    plan = planned(method, {"text"}, sources=sources)
    assert (plan.fallback, plan.missing) == ("average", ("video",))
    scorer = Scorer(method, plan, sources, EMPTY, "cpu")
    assert scorer.num_fillings == 3
    text = batch.steps["text"]
    each = []
    for row in range(3):
        shown = chosen(tiny_batch((4, 2, 5), seed=9), [row]).steps["video"]
        each.append(method(type(batch)(("x",), {"text": text, "video": shown}, *one_label())).logits.double())
    assert_close(scorer.probabilities({"text": text}), torch.stack(each).softmax(dim=-1).mean(dim=0))
    # Several variants at once are averaged each by itself.
    two = {"text": Steps(torch.cat([text.values, text.values * 2]), text.valid.repeat(2, 1))}
    assert_close(scorer.probabilities(two)[0], scorer.probabilities({"text": text})[0])


def one_label():
    whole = torch.zeros(1, dtype=torch.int64)
    return whole, torch.zeros(1), whole


def test_only_clips_that_show_the_missing_modality_are_averaged_over():
    sources = background()
    hidden = sources.background["video"]
    hidden.valid[1] = False
    plan = planned(tiny_method("erm").eval(), {"text"}, sources=sources)
    assert Scorer(tiny_method("erm").eval(), plan, sources, EMPTY, "cpu").num_fillings == 2


def test_a_method_that_is_not_trained_by_gradient_never_saw_dropout():
    plan = planned(tiny_method("linear"), {"text"}, has_dropout=True, sources=background())
    assert plan.fallback == "average"


def test_a_run_that_kept_nothing_of_its_sources_says_so():
    with pytest.raises(RunError, match=r"no video, which this run reads.*--resume adds that"):
        planned(tiny_method("erm"), {"text"})


def of_three(name: str, **settings: object):
    """A method that reads text, audio and video."""
    return build_method(MethodSpec(name=name, settings={**SETTINGS[name], **settings}), {**DIMS, "audio": 5}, 0)


def test_where_two_modalities_are_missing_after_dropout_it_is_said_why_averaging_is_used():
    method = of_three("erm", modalities=["video", "text", "audio"])
    sources = background()
    sources.background["audio"] = sources.background["video"]
    plan = planned(method, {"text"}, has_dropout=True, sources=sources)
    assert (plan.fallback, plan.missing) == ("average", ("audio", "video"))
    assert how_without(plan, 3, has_dropout=True) == (
        "the verdict is the mean over 3 clips of the sources, whose audio and video stood in for what is missing; "
        "in training, clips lost one modality and never two, so the run has not learned to go without both"
    )
    assert "never two" not in how_without(plan, 3, has_dropout=False)


def test_a_modality_that_a_stage_cannot_use_names_the_one_it_needs():
    method = of_three("s2lif", order="text>audio>video")
    plan = planned(method, {"text", "video"})
    assert (plan.fallback, plan.read) == ("stage", ("text",))
    assert list(not_asked(("text", "video"), plan.read, ("audio",))) == [
        "video was given but not used: this run reads it only together with audio, which this clip lacks"
    ]
