"""What cannot be trained, or not as one may think, is told before anything is trained."""

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msadg.corpora.catalog import open_corpus
from msadg.errors import FeatureError, MsadgWarning, SettingsError, StoreError, UsageError
from msadg.methods.build import MethodSpec
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig, folder_of
from msadg.protocols.run import train_run
from msadg.protocols.stores import prepare_stores
from msadg.store.fill import fill_store
from msadg.types import Features
from tests.protocols.helpers import Toy, tiny_encoder, toy_experiment

ALMT = {"dim": 8, "heads": 2, "head_dim": 6, "hyper_head_dim": 4, "tokens": 3, "feedforward_dim": 8}


def test_a_clip_longer_than_a_table_of_positions_is_told_with_what_to_do(tmp_path):
    """Toy clips have 3 to 6 steps: the number in their text, modulo 4, and 3."""
    settings = ALMT | {"positions": "learned", "max_steps": (6, 6, 5)}
    experiment = toy_experiment(tmp_path / "d", "almt", settings=settings, training={"epochs": 1})
    said = r"12 of 48 clips of a have more steps of video than the 5 .* \(longest: a/train/c3, 6\); raise its max_steps"
    with pytest.raises(UsageError, match=said):
        train_run(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    fitting = replace(experiment.method, settings=settings | {"max_steps": (6, 6, 6)})
    assert train_run(replace(experiment, method=fitting), tmp_path / "run").state.finished
    endless = replace(experiment.method, settings=settings | {"positions": "sinusoidal"})
    assert train_run(replace(experiment, method=endless), tmp_path / "other").state.finished


@pytest.mark.parametrize(("selection", "split"), [("source_dev", "test"), ("oracle", "dev")])
def test_too_long_a_target_clip_is_told_before_training_too(tmp_path, selection, split):
    settings = ALMT | {"positions": "learned", "max_steps": (6, 6, 6)}
    experiment = toy_experiment(tmp_path, "almt", settings=settings, selection=selection)
    manifest = Path(experiment.domains.target_domains[0].partition("=")[2])

    class Long(Toy):
        def extract(self, utterances):
            for utterance, made in zip(utterances, super().extract(utterances), strict=True):
                times = 3 if utterance.split == split else 1
                yield Features(np.tile(made.values, (times, 1)), np.tile(made.valid, times))

    data = replace(experiment.data, stores=tmp_path / "long")
    for domain in experiment.domains.all_domains:
        utterances = list(open_corpus(domain).all_utterances())
        for modality, dim in (("text", 6), ("video", 5)):
            kind = Long if modality == "video" and str(manifest) in domain else Toy
            fill_store(folder_of(data, domain, modality), utterances, kind(modality, dim))
    with pytest.raises(UsageError, match=r"(\d+) of \1 clips of c have more steps of video than the 6"):
        train_run(replace(experiment, data=data), tmp_path / "run")


def without_class(domain: str, sentiment: str, splits: tuple[str, ...] = ("train",)) -> None:
    """Turn a class of a toy domain's splits into another."""
    path = Path(domain.partition("=")[2])
    header, *rows = path.read_text().splitlines()
    kept = [r.replace(sentiment, "positive") if r.split(",")[-1] in splits else r for r in rows]
    path.write_text("\n".join([header, *kept]) + "\n")


def warned(experiment: Experiment, folder: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MsadgWarning)
        assert train_run(experiment, folder).state.finished
    return [str(w.message) for w in caught if issubclass(w.category, MsadgWarning)]


def test_a_class_that_a_source_lacks_is_told_and_training_goes_on(tmp_path):
    told = []
    for number in range(3):
        experiment = toy_experiment(tmp_path / f"{number}", "erm", training={"epochs": 1})
        for domain in experiment.domains.source_domains[:number]:
            without_class(domain, "neutral")
        told.append(warned(experiment, tmp_path / f"run{number}"))
    assert told == [
        [],
        [
            "a has no training clip that is neutral, which other sources have: what tells the domain then tells the "
            "class"
        ],
        [
            "no source has a training clip that is neutral, so nothing can be learned of it; where the truth has it, "
            "it counts as recall and F1 of 0"
        ],
    ]


@pytest.fixture
def finetuned(tmp_path) -> Experiment:
    encoder = tiny_encoder(tmp_path / "models" / "tiny")
    data = DataConfig(features={"text": f"{encoder}-tokens"}, stores=tmp_path / "tokens")
    toy = toy_experiment(tmp_path, training={"epochs": 1})
    prepare_stores(data, toy.domains.all_domains)
    spec = MethodSpec(name="erm", settings={"dim": 8, "heads": 2, "modalities": ("text",)}, finetune={})
    return replace(toy, data=data, method=spec)


def test_token_ids_of_another_encoder_are_refused(finetuned, tmp_path):
    """A folder of the same name with other weights, or another vocabulary."""
    weights = tmp_path / "models" / "tiny" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = r"was written by text-tiny-tokens .*: settings\.weights_sha256 is .* there and .* here\. Choose another"
    with pytest.raises(StoreError, match=said):
        train_run(finetuned, tmp_path / "run")
    with pytest.raises(StoreError, match=said):
        prepare_stores(finetuned.data, finetuned.domains.all_domains)
    assert not (tmp_path / "run").exists()


def test_an_encoder_on_a_hub_out_of_reach_is_told_before_a_folder_is_taken(finetuned, tmp_path):
    away = replace(finetuned.data, features={"text": "org/never-published-tokens"})
    for domain in finetuned.domains.all_domains:
        shutil.copytree(folder_of(finetuned.data, domain, "text"), folder_of(away, domain, "text"))
    with pytest.raises(FeatureError, match=r"'org/never-published' cannot be had.*--text minilm.*local folder"):
        train_run(replace(finetuned, data=away), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_modality_that_is_not_read_has_no_end(tmp_path):
    settings = ALMT | {"positions": "learned", "max_steps": (6, 6, 2), "modalities": ["text"]}
    experiment = toy_experiment(tmp_path, "almt", settings=settings, training={"epochs": 1})
    assert train_run(experiment, tmp_path / "run").state.finished


def test_shares_by_domain_are_refused_of_linear_before_a_folder_is_taken(tmp_path):
    with pytest.raises(SettingsError, match="linear has one bias for the clips of all sources"):
        toy_experiment(tmp_path, "linear", training={"class_prior": "uniform_by_domain"})


def test_equal_shares_are_refused_where_domains_count_anew_at_each_step(tmp_path):
    with pytest.raises(SettingsError, match=r"groupdro counts its source domains anew.*uniform_by_domain"):
        toy_experiment(tmp_path, "groupdro", training={"class_prior": "uniform"})


def test_a_local_encoder_is_found_again_from_another_folder_with_and_without_a_layer(tmp_path, monkeypatch):
    experiment = toy_experiment(tmp_path / "d")
    tiny_encoder(tmp_path / "mymodel")
    monkeypatch.chdir(tmp_path)
    found = {}
    for name in ("mymodel", "mymodel:layer=1", "minilm:layer=1"):
        data = replace(experiment.data, features={"text": name})
        found[name] = replace(experiment, data=data).to_dict()["data"]["features"]["text"]
    assert found == {
        "mymodel": str(tmp_path / "mymodel"),
        "mymodel:layer=1": f"{tmp_path / 'mymodel'}:layer=1",
        "minilm:layer=1": "minilm:layer=1",
    }
