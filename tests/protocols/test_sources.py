"""What a run keeps of its sources: how far is far, a few clips as they were, and nothing of a label or a target."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2
from sklearn.covariance import LedoitWolf

from msadg.errors import RunError
from msadg.protocols.checkpoint import load_tensors, save_tensors
from msadg.protocols.distance import SourceDistance
from msadg.protocols.fit import source_clips
from msadg.protocols.run import MODEL_FILE, load_run, train_run
from msadg.protocols.sources import SOURCES_FILE, read_sources, sources_of, write_sources
from tests.protocols.helpers import toy_data, toy_domain, toy_experiment


def test_the_distance_of_narrow_features_is_mahalanobis_with_the_shrunk_covariance():
    random = np.random.default_rng(0)
    seen = random.normal(size=(300, 4)) @ random.normal(size=(4, 4)) + 5.0
    new = random.normal(size=(3, 4)) * 4
    standardised = (seen - seen.mean(axis=0)) / seen.std(axis=0)
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(standardised).covariance_)
    expected = [mahalanobis((x - seen.mean(axis=0)) / seen.std(axis=0), np.zeros(4), inverse) for x in new]
    np.testing.assert_allclose(SourceDistance.fit(seen)(new), expected, rtol=1e-6)


def test_the_units_of_a_feature_do_not_matter():
    random = np.random.default_rng(1)
    seen, new = random.normal(size=(200, 6)), random.normal(size=(10, 6))
    units = np.array([1e-3, 1.0, 50.0, 1.0, 7.0, 0.2])
    np.testing.assert_allclose(SourceDistance.fit(seen * units)(new * units), SourceDistance.fit(seen)(new), rtol=1e-5)


@pytest.mark.parametrize("num_clips", [40, 400])  # fewer clips than features, and more
def test_of_wide_features_both_far_along_and_outside_of_the_sources_directions_is_far(num_clips: int):
    random = np.random.default_rng(2)
    basis = np.linalg.qr(random.normal(size=(200, 200)))[0]
    spread = np.r_[np.full(5, 3.0), np.full(195, 0.1)]

    def draw(num: int) -> np.ndarray:
        return random.normal(size=(num, 200)) * spread @ basis.T

    distance = SourceDistance.fit(draw(num_clips))
    assert distance.directions.shape[0] < 200 and distance.rest_variance > 0
    clips = draw(200)
    # Thirty standard deviations along the widest direction, and along one that the sources hardly use.
    for offset in (basis[:, 0] * 90.0, basis[:, -1] * 3.0):
        assert distance(clips + offset).min() > distance(clips).max()


def test_a_feature_that_never_changes_does_not_break_the_distance():
    seen = np.random.default_rng(3).normal(size=(50, 3))
    seen[:, 1] = 7.0
    distance = SourceDistance.fit(seen)
    assert np.isfinite(distance(seen)).all()
    assert distance(np.array([[0.0, 9.0, 0.0]]))[0] > distance(seen).max()


def test_the_dev_clips_distances_follow_the_chi_distribution_where_the_features_are_normal(tmp_path):
    random = np.random.default_rng(4)
    distance = SourceDistance.fit(random.normal(size=(4000, 5)))
    found = np.quantile(distance(random.normal(size=(4000, 5))), [0.5, 0.95, 0.99])
    np.testing.assert_allclose(found, np.sqrt(chi2.ppf([0.5, 0.95, 0.99], 5)), rtol=0.04)


def time_means(clip_sets) -> np.ndarray:
    stored = [c.stores["text"][0].features(clip_id).values for c in clip_sets for clip_id in c.clip_ids]
    return np.stack([values.astype(np.float64).mean(axis=0) for values in stored])


@pytest.fixture
def run(tmp_path):
    experiment = toy_experiment(tmp_path, "erm", training={"epochs": 1})
    train_run(experiment, tmp_path / "run")
    return experiment, tmp_path / "run"


def test_a_finished_run_knows_its_sources(run):
    experiment, folder = run
    sources = read_sources(folder)
    assert sources.domains == ("a", "b")
    assert sources.feature_dims == {"text": 6, "video": 5}
    text = sources.modalities["text"]
    stored = [clips.stores["text"][0].manifest for clips in source_clips(experiment, "train")]
    assert {manifest.digest for manifest in stored} == {text.digest}
    assert text.extractor == {"extractor": "text-toy", "version": "1", "settings": {"dim": 6}}
    assert text.num_clips == 96
    means = time_means(source_clips(experiment, "train"))
    np.testing.assert_allclose(text.distance.mean, means.mean(axis=0), atol=1e-6)
    distances = text.distance(time_means(source_clips(experiment, "dev")))
    np.testing.assert_allclose(text.quantiles, np.quantile(distances, [0.5, 0.95, 0.99], method="higher"), rtol=1e-5)


def test_the_kept_clips_are_training_clips_to_the_bit_equally_many_of_each_domain(run):
    experiment, folder = run
    background = read_sources(folder).background
    num_found = []
    for clips in source_clips(experiment, "train"):
        known = {
            tuple(store.features(c).values.astype(np.float32).tobytes() for (store,) in clips.stores.values())
            for c in clips.clip_ids
        }
        rows = range(len(background["text"].valid))
        kept = [tuple(s.values[row][s.valid[row]].numpy().tobytes() for s in background.values()) for row in rows]
        num_found.append(sum(row in known for row in kept))
    assert num_found == [16, 16]


def test_what_is_read_is_what_was_written(run, tmp_path):
    _, folder = run
    before = read_sources(folder)
    write_sources(tmp_path, before)
    after = read_sources(tmp_path)
    assert (tmp_path / SOURCES_FILE).read_bytes() == (folder / SOURCES_FILE).read_bytes()
    for modality, steps in before.background.items():
        assert torch.equal(steps.values, after.background[modality].values)
        assert after.modalities[modality].quantiles == before.modalities[modality].quantiles


def test_no_label_and_no_target_is_read(tmp_path):
    """Other labels, and a target whose features are gone: the same bytes."""
    written = []
    for name, shuffle in (("one", None), ("two", 7)):
        folder = tmp_path / name
        domains = [toy_domain(folder, d, offset=100 * i, shuffle_labels=shuffle) for i, d in enumerate("ab")]
        data = toy_data(folder, domains)
        experiment = toy_experiment(folder / "rest", "erm")
        experiment = replace(
            experiment, data=data, domains=replace(experiment.domains, source_domains=tuple(domains), target_domains=())
        )
        write_sources(folder, sources_of(source_clips(experiment, "train"), source_clips(experiment, "dev"), seed=0))
        written.append((folder / SOURCES_FILE).read_bytes())
    assert written[0] == written[1]


def test_a_run_is_loaded_where_its_stores_and_corpora_are_not(run, tmp_path):
    _, folder = run
    there = load_run(folder).method.state_dict()
    shutil.rmtree(tmp_path / "stores")
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    elsewhere = shutil.copytree(folder, tmp_path / "copy")
    for name, value in load_run(elsewhere).method.state_dict().items():
        assert torch.equal(value, there[name])


def test_a_run_from_before_this_was_kept_is_loaded_and_gets_it_when_resumed(run):
    experiment, folder = run
    before = (folder / SOURCES_FILE).read_bytes()
    (folder / SOURCES_FILE).unlink()
    weights, meta = load_tensors(folder / MODEL_FILE)
    old = {name: value for name, value in weights.items() if ".input_" not in name}  # features were taken as they are
    assert len(old) == len(weights) - 6
    save_tensors(folder / MODEL_FILE, old, meta)
    projector = load_run(folder).method.encoders["video"].projector
    assert (projector.input_mean == 0).all() and (projector.input_spread == 1).all()
    assert projector.input_limit == float("inf")
    assert load_run(folder).experiment == experiment
    assert read_sources(folder) is None
    train_run(experiment, folder, resume=True)
    assert (folder / SOURCES_FILE).read_bytes() == before


@pytest.mark.parametrize("size", [0, 9, 300])
def test_a_damaged_file_is_refused(run, size: int):
    _, folder = run
    content = (folder / SOURCES_FILE).read_bytes()
    (folder / SOURCES_FILE).write_bytes(content[:size])
    with pytest.raises(RunError, match=r"sources.safetensors: damaged or cut; delete it, .* --resume writes it again"):
        load_run(folder)


def test_a_run_without_modality_dropout_has_the_key_it_had_before_there_was_any(run, tmp_path):
    experiment, folder = run
    assert "modality_dropout" not in experiment.training_identity()["training"]
    dropping = replace(experiment, training=replace(experiment.training, modality_dropout=0.1))
    assert dropping.training_key() != experiment.training_key()
    content = json.loads((folder / "run.json").read_text())
    del content["experiment"]["training"]["modality_dropout"]  # as an older run would be
    (folder / "run.json").write_text(json.dumps(content))
    assert load_run(folder).experiment == experiment
