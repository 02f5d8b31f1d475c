"""Cases: which clips are drawn, what decided them, and what is withheld."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from msadg.analysis import case_table
from msadg.analysis.case import FeatureShare, StepShare
from msadg.analysis.case_choice import confidence_of, draw_cases
from msadg.analysis.case_parts import tokens_of
from msadg.analysis.case_reasons import case_reasons
from msadg.analysis.case_table import measure, to_frame
from msadg.analysis.case_words import words_of
from msadg.analysis.cases import find_cases, may_be_shown
from msadg.analysis.measurement import Measurement
from msadg.batches.clips import ClipSet
from msadg.protocols.features import DataConfig, load_clips
from msadg.protocols.run import TrainedRun, train_run
from msadg.report.figures.cases import draw
from msadg.results.predictions import Predictions
from tests.analysis.simulated_runs import make_stores, simulated_run
from tests.protocols.helpers import toy_experiment
from tests.protocols.test_regression_run import toy_regression
from tests.report.html.pages import CASE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    experiment = toy_experiment(folder, "s2lif", settings={"order": "text>video"})
    return train_run(replace(experiment, training=replace(experiment.training, epochs=2)), folder / "run")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    experiment = toy_experiment(folder, "mult", settings={"dim": 4, "heads": 2, "layers": 1})
    return train_run(replace(experiment, training=replace(experiment.training, epochs=1)), folder / "run")


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """Its polarity is the sum of what its steps add, for it has no bias."""
    folder = tmp_path_factory.mktemp("regression")
    trained = train_run(toy_regression(folder, "linear"), folder / "run")
    trained.method.bias.data.zero_()
    return trained


def drawn(cases):
    return draw(Measurement(name="cases", title="", caption="", alternative="", table=to_frame(cases)))


def labels_of(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def target_clips(trained: TrainedRun) -> ClipSet:
    return load_clips(trained.experiment.data, trained.experiment.domains.target_domains[0], "test")


def predictions(confidence, right) -> Predictions:
    n = len(confidence)
    rest = (1 - np.asarray(confidence, np.float64)) / 2
    return Predictions(
        clip_id=np.array([f"d/test/{at}" for at in range(n)]),
        video_id=np.array([str(at) for at in range(n)]),
        domain=np.full(n, "d"),
        sentiment=np.where(right, 0, 1),
        polarity=np.full(n, np.nan),
        probabilities=np.stack([np.asarray(confidence, np.float64), rest, rest], axis=1),
    )


def test_a_clip_of_each_kind_is_drawn_from_its_quarter():
    confidence = np.linspace(0.4, 0.95, 12)
    said = predictions(confidence, [True, False] * 6)
    drawn = {kind: (at, number) for kind, at, number in draw_cases(said, confidence_of(said), seed=0)}
    # Quarters of 12: places 0 to 2 and 9 to 11; even places are right.
    assert {kind: number for kind, (_, number) in drawn.items()} == {
        "right and sure": 1, "right and unsure": 2, "wrong and sure": 2, "wrong and unsure": 1,
    }  # fmt: skip
    assert drawn["right and sure"] == (10, 1)
    assert drawn["wrong and unsure"] == (1, 1)
    assert drawn["right and unsure"][0] in (0, 2)
    assert drawn["wrong and sure"][0] in (9, 11)


def test_the_draw_depends_on_the_seed_and_the_clips_alone():
    confidence = np.linspace(0.4, 0.95, 40)
    said = predictions(confidence, [True] * 40)
    order = np.random.default_rng(0).permutation(40)
    turned = said.take(order)

    def ids(p, seed):
        return [str(p.clip_id[at]) for _, at, _ in draw_cases(p, confidence_of(p), seed)]

    assert ids(said, 0) == ids(turned, 0)
    assert len({tuple(ids(said, seed)) for seed in range(5)}) > 1


def test_who_is_equally_sure_of_everything_is_neither_sure_nor_unsure():
    said = predictions([0.5] * 8, [True, False] * 4)
    assert draw_cases(said, confidence_of(said), seed=0) == []


def test_a_polarity_is_as_sure_as_it_is_far_from_the_next_class():
    said = replace(
        predictions([0.5] * 4, [True] * 4),
        probabilities=None,
        predicted_polarity=np.array([-2.0, 0.4, 0.0, 0.6]),
        predicted_sentiment=np.array([0, 1, 1, 2]),
    )
    assert confidence_of(said) == pytest.approx([1.5, 0.1, 0.5, 0.1])
    assert confidence_of(said, round_labels=False) == pytest.approx([2.0, 0.4, 0.0, 0.6])


def test_shares_are_what_the_evidence_adds_beyond_the_classes_mean(run):
    clips = target_clips(run)
    reasons = case_reasons(run.method, clips, 3, predicted=2)
    parts = run.method.evidence(clips.batch([3]))
    support = {m: (p[0, ..., 2] - p[0].mean(dim=-1)).detach().double() for m, p in parts.items()}
    by_step = torch.cat([part.sum(dim=1) for part in support.values()])
    by_feature = torch.cat([part.sum(dim=0) for part in support.values()])
    assert reasons.how == "evidence"
    found = np.concatenate(list(reasons.steps.values()))
    assert found == pytest.approx((by_step / by_step.abs().sum()).numpy(), abs=1e-6)
    assert np.abs(found).sum() == pytest.approx(1)
    found = np.concatenate(list(reasons.features.values()))
    assert found == pytest.approx((by_feature / by_feature.abs().sum()).numpy(), abs=1e-6)


def test_without_a_sum_each_step_is_left_out_in_turn(other):
    clips = target_clips(other)
    at = int(np.argmax(clips.lengths))
    reasons = case_reasons(other.method, clips, at, predicted=1)
    batch = clips.batch([at])

    def support(b):
        with torch.no_grad():
            return float(other.method(b).logits[0].double().log_softmax(-1)[1])

    lost = []
    for modality in ("text", "video"):
        for step in range(batch.steps[modality].valid.shape[1]):
            valid = batch.steps[modality].valid.clone()
            valid[0, step] = False
            values = batch.steps[modality].values.masked_fill(~valid[..., None], 0)
            changed = replace(batch.steps[modality], values=values, valid=valid)
            lost.append(support(batch) - support(replace(batch, steps={**batch.steps, modality: changed})))
    assert reasons.how == "occlusion"
    assert reasons.features == {}
    expected = np.array(lost) / np.abs(lost).sum()
    assert np.concatenate([reasons.steps["text"], reasons.steps["video"]]) == pytest.approx(expected, abs=1e-4)


def polarities_of(trained: TrainedRun) -> np.ndarray:
    clips = target_clips(trained)
    with torch.no_grad():
        return np.array([float(trained.method(clips.batch([at])).logits[0, 0]) for at in range(len(clips))])


def test_what_lowers_a_polarity_below_zero_speaks_for_it(regression):
    clips, polarities = target_clips(regression), polarities_of(regression)
    assert polarities.min() < 0 < polarities.max()
    for at in (int(polarities.argmin()), int(polarities.argmax())):
        parts = regression.method.evidence(clips.batch([at]))
        sizes = sum(float(part[0, ..., 0].sum(dim=1).abs().sum()) for part in parts.values())
        shares = case_reasons(regression.method, clips, at, predicted=0)
        assert sum(part.sum() for part in shares.steps.values()) == pytest.approx(abs(polarities[at]) / sizes, rel=1e-4)
        assert sum(part.sum() for part in shares.features.values()) > 0


def test_a_step_without_which_a_polarity_is_higher_speaks_for_one_below_zero(regression, monkeypatch):
    clips, at = target_clips(regression), int(polarities_of(regression).argmin())
    monkeypatch.setattr(type(regression.method), "evidence", lambda *_, **__: None)
    found = case_reasons(regression.method, clips, at, predicted=0)
    batch = clips.batch([at])
    text = batch.steps["text"]
    valid = text.valid.clone()
    valid[0, 0] = False
    without = replace(
        batch, steps={**batch.steps, "text": replace(text, values=text.values * valid[..., None], valid=valid)}
    )
    with torch.no_grad():
        higher = float(regression.method(without).logits[0, 0] - regression.method(batch).logits[0, 0])
    assert found.how == "occlusion"
    assert np.sign(found.steps["text"][0]) == np.sign(higher) != 0


def test_the_run_that_says_most_of_itself_stands_for_its_sources(run, other):
    cases, _ = find_cases([other, run], may_show=True)
    assert {case.row for case in cases} == {"s2lif"}
    control = replace(run, experiment=replace(run.experiment, intervention="noise"))
    assert find_cases([control]) == ([], [])


def test_transcripts_of_a_corpus_that_may_not_be_shown_are_withheld(run):
    withheld, notes = find_cases([run])
    assert withheld
    assert all(case.text is None and case.words == () and case.clip_path is None for case in withheld)
    assert "Transcripts and frames of c are withheld" in notes[-1]
    shown, notes = find_cases([run], may_show=True)
    assert [case.clip_id for case in shown] == [case.clip_id for case in withheld]
    assert all("class" in str(case.text) for case in shown)
    assert not any("withheld" in note for note in notes)
    assert [may_be_shown(d) for d in ("vignettes-sitcom", "simulated-a", "mosei", "meld", "mine=x.csv")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_a_case_is_what_the_run_says_of_the_clip(run):
    cases, _ = find_cases([run])
    clips = target_clips(run)
    for case in cases:
        at = clips.clip_ids.index(case.clip_id)
        probabilities = torch.softmax(run.method(clips.batch([at])).logits[0].double(), dim=-1)
        assert case.probabilities == pytest.approx(probabilities.tolist(), abs=1e-5)
        assert case.truth == clips.sentiment[at]
        assert case.confidence == max(case.probabilities)
        assert case.kind.startswith("right" if case.predicted == case.truth else "wrong")
        reasons = case_reasons(run.method, clips, at, case.predicted)
        assert case.modality_shares == pytest.approx({m: s.sum() for m, s in reasons.steps.items()}, abs=1e-6)


def test_cases_end_where_there_are_enough_and_that_is_told(run):
    cases, notes = find_cases([run], most=3)
    assert cases == []
    assert notes == ["No more than 3 cases are shown; those of s2lif on c are left out."]


def test_a_domain_that_is_gone_is_told(run):
    gone = replace(run.experiment.data, stores=run.experiment.data.stores / "nowhere")
    cases, notes = find_cases([replace(run, experiment=replace(run.experiment, data=gone))])
    assert cases == []
    assert notes[0].startswith("No cases of s2lif on c: ")


def test_the_measurement_is_a_table_of_shares_and_can_be_drawn(run):
    measured = measure([run])
    assert measured.name == "cases"
    table = measured.table
    assert set(table.loc[table["part"] == "modality", "modality"]) == {"text", "video"}
    assert not table["simulated"].any() and "drawn from labels" not in measured.caption
    assert "neither support nor refute" in measured.caption
    assert len(draw(measured).axes) >= table["clip_id"].nunique()
    assert measure([]) is None


def test_one_clip_of_two_runs_has_two_panels_with_its_own_bars_and_names_of_the_runs():
    other = replace(CASE, row="erm", sources=("meld",), words=(), steps=(StepShare("video", 9, 0.6, None, None),))
    first, second = drawn([CASE, other]).axes[:2]
    assert len(labels_of(first)) == 4 and labels_of(second) == ["video 9"]
    assert first.get_title(loc="left").startswith("S2LIF, mosei\n")
    assert second.get_title(loc="left").startswith("ERM, meld\n")


def test_the_figure_says_how_many_cases_it_leaves_to_the_table():
    few, many = ([replace(CASE, clip_id=str(at)) for at in range(number)] for number in (12, 14))
    assert "more in the table" not in drawn(few).get_supxlabel()
    figure = drawn(many)
    assert len(figure.axes) == 12 and figure.get_supxlabel().endswith("2 more in the table")


def test_steps_of_a_simulated_modality_are_called_simulated():
    simulated = replace(CASE, simulated=("video",))
    table = to_frame([simulated])
    assert set(table.loc[table["simulated"], "modality"]) == {"video"}
    assert not table.loc[table["modality"] == "text", "simulated"].any()
    assert "simulated video 3" in labels_of(drawn([simulated]).axes[0])
    assert "video 3" in labels_of(drawn([CASE]).axes[0])


def test_half_is_counted_within_a_modality(monkeypatch):
    features = tuple(FeatureShare(modality, 0, 9, 0.3) for modality in ("text", "audio", "video"))
    monkeypatch.setattr(case_table, "find_cases", lambda _: ([replace(CASE, features=features)], []))
    # One feature carries all of its modality; of all three, it would take two to carry half.
    assert "features of a modality, 1 in the median" in measure([]).caption


def test_the_caption_of_a_regression_says_what_its_shares_are_for(regression):
    assert "for (+) or against (-) the sign of the predicted polarity" in measure([regression]).caption


def test_pieces_of_words_are_put_together():
    tokens = ["<s>", "Ġun", "believ", "able", ",", "Ġcaf", "é", "</s>"]
    words, rest = words_of("Unbelievable, café", tokens, np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.25]))
    assert [(word.text, round(word.share, 6)) for word in words] == [("Unbelievable,", 0.4), ("café", 0.4)]
    assert rest == pytest.approx(0.75)


def test_a_token_that_the_transcript_does_not_have_counts_as_no_word():
    words, rest = words_of("a 😀 b", ["[CLS]", "a", "[UNK]", "b", "[SEP]"], np.array([0.1, 0.2, 0.3, 0.2, 0.2]))
    assert [round(word.share, 6) for word in words] == [0.2, 0.0, 0.0]
    assert rest == pytest.approx(0.8)


def test_the_words_of_an_encoder_s_layer_are_those_of_the_encoder():
    (last, third) = (
        [*tokens_of(DataConfig(features={"text": name}), "I liked it")] for name in ("minilm", "minilm:layer=3")
    )
    assert last == third == ["[CLS]", "i", "liked", "it", "[SEP]"]
    assert tokens_of(DataConfig(features={"text": "simulated"}), "I liked it") == []


def test_words_without_shares_are_told(run):
    notes = find_cases([run], may_show=True)[1]  # toy features are no encoder's tokens
    assert notes[-1].startswith("No shares of single words are known on c:")
    assert not any("single words" in note for note in find_cases([run])[1])


def test_placeholders_of_simulated_clips_are_not_called_withheld(tmp_path):
    make_stores(tmp_path)
    run = simulated_run(tmp_path, "text")
    cases, notes = find_cases([run])
    assert cases and all(case.text is None for case in cases)
    assert not any("withheld" in note for note in notes)
