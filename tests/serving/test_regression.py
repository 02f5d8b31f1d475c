"""What a run that predicts polarity says of a clip: the polarity, the sentiment it means, and why."""

import json
import shutil
import warnings

import numpy as np
import pytest

from msadg.cli.predict import lines_of
from msadg.protocols.evaluate import predict_logits
from msadg.protocols.features import load_clips
from msadg.protocols.run import train_run
from msadg.serving.predictor import Predictor
from msadg.types import SENTIMENTS
from tests.protocols.test_regression_run import toy_regression
from tests.serving.helpers import toy_extractor_of, video_of


@pytest.fixture(autouse=True)
def toy_extractors(monkeypatch):
    monkeypatch.setattr("msadg.serving.features.extractor_of", toy_extractor_of)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By method and reading of labels: a run without its corpora, and what scoring it said of the target's clips."""
    folder = tmp_path_factory.mktemp("serving")
    made, expected = {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # masks of a short run are idle
        for method, labels in (("s2lif", "round"), ("erm", "sign"), ("constant", "round")):
            experiment = toy_regression(folder / "data", method, labels=labels, training={"learning_rate": 0.03})
            trained = train_run(experiment, folder / "data" / method)
            clips = load_clips(experiment.data, experiment.domains.target_domains[0], "test")
            said = predict_logits(trained.method, clips)
            expected[method] = {name: dict(zip(clips.clip_ids, v[:, 0], strict=True)) for name, v in said.items()}
            made[method] = shutil.copytree(folder / "data" / method, folder / method)
    shutil.rmtree(folder / "data")
    return made, expected


def of_target(clip_id: str) -> str:
    number = 200 + int(clip_id.rpartition("c")[2])
    return f"clip {number} class {number % 3}"


@pytest.mark.parametrize("method", ["s2lif", "erm"])
def test_it_says_the_polarity_that_scoring_the_run_said(runs, tmp_path, method: str):
    predictor, expected = Predictor(runs[0][method]), runs[1][method]
    for clip_id, polarity in list(expected["logits"].items())[:6]:
        said = of_target(clip_id)
        verdict = predictor.predict(video_of(tmp_path, said), text=said)
        assert verdict.polarity == pytest.approx(polarity, abs=1e-6)
        read = np.sign(polarity if method == "erm" else np.round(polarity))
        assert verdict.sentiment == SENTIMENTS[int(read) + 1]
        assert verdict.probabilities is None and verdict.text_only is None and verdict.multimodal is None
        if method == "s2lif":  # its first stage
            assert verdict.text_only_polarity == pytest.approx(expected["logits_text"][clip_id], abs=1e-6)
        assert sum(map(abs, verdict.modality_shares.values())) == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["s2lif", "erm"])
def test_a_share_is_what_its_step_adds_to_the_polarity(runs, tmp_path, method: str):
    """So that all steps of a clip with the lower of two polarities add less than those of the other."""
    predictor, expected = Predictor(runs[0][method]), runs[1][method]["logits"]
    low, high = min(expected, key=expected.get), max(expected, key=expected.get)
    shares = {}
    for clip_id in (low, high):
        said = of_target(clip_id)
        verdict = predictor.predict(video_of(tmp_path, said), text=said)
        shares[clip_id] = sum(verdict.modality_shares.values())
    assert shares[low] < shares[high]


def test_what_is_missing_is_averaged_over_as_polarities(runs, tmp_path):
    verdict = Predictor(runs[0]["erm"]).predict(text="clip 200 class 2")
    assert verdict.fallback == "average"
    assert verdict.polarity == verdict.text_only_polarity
    assert -3 < verdict.polarity < 3


def test_the_constant_says_the_sources_polarity_of_anything(runs):
    verdict = Predictor(runs[0]["constant"]).predict(text="anything")
    assert verdict.polarity == pytest.approx(0.25)  # of -1.5, .25 and 2, as many of each
    assert verdict.sentiment == "neutral"


def test_a_person_reads_the_polarity_and_a_program_finds_it(runs, tmp_path):
    said = of_target("c/test/c66")
    verdict = Predictor(runs[0]["s2lif"]).predict(video_of(tmp_path, said), text=said)
    lines = list(lines_of(verdict))
    assert f"polarity {verdict.polarity:+.2f} (from -3, negative, to 3, positive); of the text alone" in lines[2]
    assert any("+ raises the polarity, - lowers it" in line for line in lines)
    plain = json.loads(json.dumps(verdict.to_dict()))
    assert plain["polarity"] == verdict.polarity and plain["probabilities"] is None
