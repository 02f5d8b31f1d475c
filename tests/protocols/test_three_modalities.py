"""Text, audio and video through a run, in any order and any subset, on simulated domains."""

import warnings
from functools import cache
from pathlib import Path

import pytest

from msadg.methods.build import MethodSpec
from msadg.protocols.domains import split_domains
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig
from msadg.protocols.run import train_run
from msadg.protocols.score import score_run
from msadg.protocols.stores import prepare_stores
from msadg.protocols.training import TrainingConfig
from msadg.report.markdown import to_markdown
from msadg.report.tables import build_table

NAMES = ("simulated-a", "simulated-b")


@pytest.fixture(autouse=True)
def _masks_may_be_idle() -> None:
    """In a run of a few epochs they reject nothing, and it says so."""
    warnings.filterwarnings("ignore", r"the .* mask (never rejected|rejects nothing)")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DataConfig:
    stores = tmp_path_factory.mktemp("stores")
    data = DataConfig(features=dict.fromkeys(("text", "audio", "video"), "simulated"), stores=stores)
    prepare_stores(data, NAMES)
    return data


@cache
def _experiment(data_key: Path, method: str, choice: tuple[str, str]) -> Experiment:
    key, value = choice
    settings = {"dim": 8, "heads": 2, key: value.split("+") if key == "modalities" else value}
    return Experiment(
        row=f"{method} ({value})",
        method=MethodSpec(name=method, settings=settings),
        domains=split_domains(NAMES[:1], NAMES[1:]),
        training=TrainingConfig(learning_rate=1e-2, batch_size=64, epochs=2, warmup_epochs=0.5),
        data=DataConfig(features=dict.fromkeys(("text", "audio", "video"), "simulated"), stores=data_key),
    )


@pytest.mark.parametrize(
    ("method", "choice"),
    [
        ("s2lif", ("order", "text>audio>video")),
        ("s2lif", ("order", "video>audio>text")),
        ("s2lif", ("order", "audio>text&video")),
        ("erm", ("modalities", "text+audio+video")),
        ("erm", ("modalities", "audio+video")),
        ("erm", ("modalities", "audio")),
    ],
)
def test_it_reads_what_it_was_asked_to_and_tables_name_it(tmp_path, data, method, choice):
    experiment = _experiment(data.stores, method, choice)
    trained = train_run(experiment, tmp_path / "run")
    asked = set(choice[1].replace(">", "+").replace("&", "+").split("+"))
    assert set(trained.method.modalities) == asked
    record, _ = score_run(trained)
    assert set(record.features) == {"text", "audio", "video"}
    # Three equal classes: guessing scores a third.
    assert record.metrics["simulated-a"]["accuracy"] > 0.45
    printed = to_markdown(build_table([record], "f1_macro", "Single-source"))
    for modality in ("text", "audio", "video"):
        assert f"simulated {modality}" in printed
    if method == "s2lif":
        assert set(record.extra["stages"]) == {f"logits_{stage}" for stage in choice[1].split(">")}
        assert set(record.extra["keep_ratio"]) == asked
