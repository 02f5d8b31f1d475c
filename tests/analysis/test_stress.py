"""A run under stress: at rate 0 its own scores, and movement only where the method looks."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from msadg.analysis.movement import js_distance
from msadg.analysis.perturb import perturbed
from msadg.analysis.stress import Stress, stress_run
from msadg.analysis.stress_config import StressConfig
from msadg.analysis.stress_curves import StressedRun, curves_of, label_of
from msadg.batches.clips import joined
from msadg.errors import SettingsError, UnknownNameError, UsageError
from msadg.protocols.evaluate import softmax
from msadg.protocols.features import load_clips
from msadg.protocols.fit import source_clips
from msadg.protocols.run import load_run, train_run
from msadg.protocols.score import score_run
from tests.protocols.helpers import toy_experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stressed")
    return train_run(toy_experiment(folder, "erm", settings={"modalities": ["text", "video"]}), folder / "run")


@pytest.fixture(scope="module")
def text_only(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text_only")
    return train_run(toy_experiment(folder, "erm", settings={"modalities": ["text"]}), folder / "run")


def cell(found: list[Stress], **wanted: object) -> Stress:
    (chosen,) = [s for s in found if all(getattr(s, key) == value for key, value in wanted.items())]
    return chosen


def test_rate_0_is_the_run_s_own_score_to_the_bit(run):
    record, predictions = score_run(run)
    found = stress_run(run, StressConfig(kinds=("drop", "missing"), rates=(0.5,), repeats=1))
    for stress in [s for s in found if s.rate == 0]:
        assert stress.values["accuracy"] == (record.metrics["c"]["accuracy"],)
        assert stress.values["f1_macro"] == (record.metrics["c"]["f1_macro"],)
        assert stress.values["js_distance"] == stress.values["flip_share"] == stress.values["f1_macro_change"] == (0.0,)
    assert [(s.kind, s.rate) for s in found] == [("drop", 0.0), ("missing", 0.0), ("drop", 0.5), ("missing", 1.0)]
    assert found[0].video_id == tuple(predictions.of_domain("c").video_id)


def test_a_cell_is_what_the_method_says_of_the_perturbed_clips(run):
    config = StressConfig(kinds=("noise",), rates=(0.7,), repeats=2, seed=3, noise_spreads=4.0)
    found = cell(stress_run(run, config), rate=0.7)
    clips = load_clips(run.experiment.data, run.experiment.domains.target_domains[0], "test")
    train = joined(source_clips(run.experiment, "train"))
    rows = train.batch(range(len(train))).steps["video"]
    spread = rows.values[rows.valid].double().std(dim=0, correction=0).float()
    batch = clips.batch(range(len(clips)))
    before = softmax(run.method(batch).logits.detach().double().numpy())
    for at, draw in enumerate(config.draws("video", "noise", 0.7)):
        assert draw.spreads == 4.0
        after = softmax(run.method(perturbed(batch, draw, spread)).logits.detach().double().numpy())
        truth, predicted = clips.sentiment, after.argmax(axis=1)
        assert found.values["accuracy"][at] == accuracy_score(truth, predicted)
        assert found.values["f1_macro"][at] == f1_score(truth, predicted, average="macro", labels=[0, 1, 2])
        assert found.values["flip_share"][at] == (predicted != before.argmax(axis=1)).mean()
        # The spread is stored to float32, the batch is padded otherwise: the last bits differ.
        assert found.values["js_distance"][at] == pytest.approx(js_distance(before, after).mean(), abs=1e-5)
    assert found.by_clip["js_distance"].mean() == pytest.approx(np.mean(found.values["js_distance"]))
    assert found.values["js_distance"][0] != found.values["js_distance"][1]


def test_a_method_that_does_not_read_video_does_not_move(text_only):
    found = stress_run(text_only, StressConfig(modalities=("text", "video"), rates=(0.7,), repeats=1))
    moved = {(s.modality, s.kind): s.values["js_distance"][0] for s in found if s.rate > 0}
    assert {value for (modality, _), value in moved.items() if modality == "video"} == {0.0}
    assert min(value for (modality, _), value in moved.items() if modality == "text") > 1e-3
    assert [kind for modality, kind in moved if modality == "text"] == ["drop", "noise", "missing"]


def test_without_text_a_text_only_method_says_the_same_of_every_clip(text_only):
    found = cell(stress_run(text_only, StressConfig(modalities=("text",), kinds=("missing",))), rate=1.0)
    assert found.values["accuracy"] == (8 / 24,)  # the toy target has 24 clips, 8 of each sentiment
    assert found.values["f1_macro"] == (pytest.approx(0.5 / 3),)


def test_the_same_seed_gives_the_same_numbers_and_another_others(run, tmp_path):
    config = StressConfig(kinds=("drop", "noise"), rates=(0.5,), repeats=2)
    once, again = stress_run(run, config), stress_run(run, config)
    assert [s.values for s in once] == [s.values for s in again]
    other = stress_run(run, replace(config, seed=1))
    assert cell(once, kind="drop", rate=0.5).values != cell(other, kind="drop", rate=0.5).values


def test_every_draw_is_told_and_the_method_is_left_as_it_was(run):
    told: list[tuple[int, int]] = []
    config = StressConfig(kinds=("drop", "missing"), rates=(0.3, 0.5), repeats=2)
    stress_run(run, config, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 6) for n in range(1, 7)]  # as it is; 2 rates x 2 repeats; missing
    assert not run.method.training


def test_sources_can_be_stressed_by_name(run):
    domains = run.experiment.domains.source_domains
    found = stress_run(run, StressConfig(kinds=("missing",)), domains)
    assert [s.domain for s in found] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"kinds": ("dropp",)}, UnknownNameError, "did you mean 'drop'"),
        ({"modalities": ("vidoe",)}, UnknownNameError, "did you mean 'video'"),
        ({"rates": (0.0,)}, SettingsError, "rate = 0.0; expected more than 0"),
        ({"rates": (30.0,)}, SettingsError, "rate = 30.0; expected 1 or less"),
        ({"repeats": 0}, SettingsError, "repeats = 0; expected 1 or more"),
        ({"kinds": ()}, UsageError, "nothing to measure"),
    ],
)
def test_what_cannot_be_is_told(fields: dict, error: type, said: str):
    with pytest.raises(error, match=said):
        StressConfig(**fields)


def test_a_modality_that_the_run_has_not_is_told(run):
    with pytest.raises(UsageError, match="the run has text, video features, and audio was to be disturbed"):
        stress_run(run, StressConfig(modalities=("audio",)))
    with pytest.raises(UsageError, match="nothing to measure of text: repeat is for audio and video"):
        stress_run(run, StressConfig(modalities=("text",), kinds=("repeat",)))


def test_no_modality_is_read_twice_and_text_comes_first(run):
    config = StressConfig(modalities=("video", "text"), kinds=("missing",))
    assert [s.modality for s in stress_run(run, config) if s.rate > 0] == ["text", "video"]


def stressed(experiment, seed: int, values: dict[float, tuple[float, ...]], label: str = "erm") -> StressedRun:
    """A run with a mean Jensen-Shannon distance for each rate and domain."""
    by_clip = {"js_distance": np.array([0.0, 0.0, 1.0])}
    names = ("js_distance", "total_variation", "flip_share", "accuracy", "f1_macro")
    found = [
        Stress(
            domain=f"d{at}",
            modality="video",
            kind="drop",
            rate=rate,
            values=dict.fromkeys([*names, "accuracy_change", "f1_macro_change"], (value - 0.1, value + 0.1)),
            by_clip=by_clip,
            video_id=("v", "v", "w"),
        )
        for rate, by_domain in values.items()
        for at, value in enumerate(by_domain)
    ]
    return StressedRun(label=label, experiment=replace(experiment, seed=seed), found=found)


def test_a_curve_is_the_mean_over_repeats_and_domains_with_an_interval_over_seeds(run):
    runs = [
        stressed(run.experiment, 0, {0.0: (0.2, 0.2), 0.5: (0.2, 0.4)}),
        stressed(run.experiment, 1, {0.0: (0.2, 0.2), 0.5: (0.4, 0.6)}),
    ]
    curve = curves_of(runs)[0]
    assert (curve.label, curve.modality, curve.kind, curve.measure, curve.band) == (
        "erm", "video", "drop", "js_distance", "seeds",
    )  # fmt: skip
    assert [point.rate for point in curve.points] == [0.0, 0.5]
    assert curve.points[1].values == pytest.approx((0.3, 0.5))
    assert curve.points[1].mean == pytest.approx(0.4)
    # t of .975 at one degree of freedom is 12.706, the standard error of .3 and .5 is .1.
    assert curve.points[1].high == pytest.approx(0.4 + 1.2706, abs=1e-4)
    assert curve.points[0].low == pytest.approx(0.2)


def test_one_seed_has_an_interval_over_videos_where_the_measure_is_a_mean_over_clips(run):
    curves = curves_of([stressed(run.experiment, 0, {0.5: (0.3,)})])
    js, flips = curves[0], curves[2]
    # Clips 0, 0 | 1 in two videos: a draw is 0, 1/3 or 1, the ends a quarter of the time each.
    assert (js.band, js.points[0].low, js.points[0].high) == ("videos", 0.0, 1.0)
    assert flips.band == "none" and np.isnan(flips.points[0].low)


def test_runs_that_differ_by_more_than_their_seed_are_no_curve(run):
    one = stressed(run.experiment, 0, {0.5: (0.3,)})
    with pytest.raises(UsageError, match=r"two runs are called erm and have seed 0.*NAME=RUN"):
        curves_of([one, one])
    other = replace(run.experiment, method=replace(run.experiment.method, settings={"dim": 4}))
    with pytest.raises(UsageError, match=r"two runs are called erm and differ in their method"):
        curves_of([one, stressed(other, 1, {0.5: (0.3,)})])
    assert len({c.label for c in curves_of([one, stressed(other, 1, {0.5: (0.3,)}, label="narrow")])}) == 2


def test_labels_say_what_runs_were_scored_on_where_that_differs(run):
    domains = run.experiment.domains
    turned = replace(
        run.experiment,
        domains=replace(domains, source_domains=domains.target_domains, target_domains=domains.source_domains),
    )
    both = [stressed(experiment, 0, {0.5: (0.3,)}) for experiment in (run.experiment, turned)]
    assert {curve.label for curve in curves_of(both)} == {"erm, a+b to d0", "erm, c to d0"}
    assert label_of(replace(run.experiment, selection="oracle")) == "erm (oracle)"


def test_a_run_that_was_read_again_from_its_folder_moves_alike(tmp_path):
    experiment = toy_experiment(tmp_path, "s2lif", settings={"mask": "none"}, training={"epochs": 1})
    trained = train_run(experiment, tmp_path / "run")
    config = StressConfig(rates=(0.5,), repeats=1)
    found, again = stress_run(trained, config), stress_run(load_run(tmp_path / "run"), config)
    assert [s.values for s in found] == [s.values for s in again]
    assert {s.kind for s in found} == {"drop", "repeat", "jitter", "noise", "missing"}


def test_a_regression_is_measured_by_how_far_its_polarity_shifts(tmp_path):
    experiment = toy_experiment(tmp_path, "erm", settings={"modalities": ["text", "video"]}, task="regression")
    for manifest in tmp_path.glob("*.csv"):
        told = manifest.read_text().replace("sentiment", "label")
        for name, polarity in (("negative", "-1.0"), ("neutral", "0.0"), ("positive", "1.0")):
            told = told.replace(name, polarity)
        manifest.write_text(told)
    run = train_run(experiment, tmp_path / "run")
    found = stress_run(run, StressConfig(kinds=("drop",), rates=(0.7,), repeats=1))
    clips = load_clips(experiment.data, experiment.domains.target_domains[0], "test")
    draw = StressConfig().draws("video", "drop", 0.7)[0]
    batch = clips.batch(range(len(clips)))
    before = run.method(batch).logits[:, 0].detach().double().numpy()
    after = run.method(perturbed(batch, draw)).logits[:, 0].detach().double().numpy()
    under = cell(found, rate=0.7)
    assert under.values["polarity_shift"][0] == pytest.approx(np.abs(after - before).mean(), abs=1e-5)
    assert under.values["mae"][0] == pytest.approx(np.abs(after - clips.polarity).mean(), abs=1e-5)
    assert under.by_clip["mae_change"].mean() == pytest.approx(under.values["mae_change"][0])
    assert "js_distance" not in under.values
    measures = [c.measure for c in curves_of([StressedRun(label="erm", experiment=experiment, found=found)])]
    assert measures == [
        "polarity_shift", "flip_share", "accuracy", "f1_macro", "mae",
        "accuracy_change", "f1_macro_change", "mae_change",
    ]  # fmt: skip
