"""The whole way on a corpus of two classes: the published pickles, training, scores, stress, tables, a prediction."""

import csv
import json
import pickle
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from msadg.cli import main
from msadg.protocols import stores as protocol_stores
from msadg.serving import features as serving_features
from tests.protocols.helpers import toy_domain
from tests.serving.helpers import toy_extractor_of

SIZES = {"train": 40, "dev": 16, "test": 24}
CLASSES = ("not humorous", "humorous")
SMALL = ["--text", "toy", "--set", "training.device=cpu", "--set", "training.epochs=3"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSADG_DATA", str(tmp_path / "data"))
    for module in (protocol_stores, serving_features):
        monkeypatch.setattr(module, "extractor_of", toy_extractor_of)


def clips() -> list[tuple[int, str, int]]:
    """Number, split and class; the text says the class, and a toy extractor reads it there."""
    splits = [split for split, size in SIZES.items() for _ in range(size)]
    return [(number, split, number % 2) for number, split in enumerate(splits)]


@pytest.fixture
def ur_funny(tmp_path: Path) -> None:
    """UR-FUNNY's pickles, as they are published."""
    said = {n: {"context_sentences": ["clip"], "punchline_sentence": f"{n} class {label}"} for n, _, label in clips()}
    tables = {
        "data_folds": {split: [n for n, own, _ in clips() if own == split] for split in SIZES},
        "humor_label_sdk": {n: label for n, _, label in clips()},
        "language_sdk": said,
    }
    folder = tmp_path / "data" / "ur-funny"
    folder.mkdir(parents=True)
    for name, table in tables.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(table, protocol=3))


@pytest.fixture
def shows(tmp_path: Path) -> str:
    """Another domain of humour, as a manifest."""
    with (tmp_path / "shows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "video_id", "text", "label", "split"])
        writer.writerows([f"c{n}", f"v{n // 2}", f"clip {500 + n} class {y}", CLASSES[y], s] for n, s, y in clips())
    return f"shows={tmp_path / 'shows.csv'}"


@pytest.mark.usefixtures("ur_funny")
def test_from_published_pickles_to_a_prediction(tmp_path, shows, capsys):
    train = ["train", "--method", "linear", "--source", "ur-funny", "--target", shows, "-o", "run", *SMALL]
    assert main([*train, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    scores = record["metrics"]["shows"]
    assert {"recall_not_humorous", "recall_humorous", "nll", "ece", "brier", "balanced_accuracy"} < scores.keys()
    assert scores["accuracy"] > 0.7 and record["extra"]["label_set"]["name"] == "humour"
    table = pq.read_table(tmp_path / "run" / "runs" / record["key"] / "predictions.parquet")
    assert table.column_names[3:] == ["humour", "polarity", "p_not_humorous", "p_humorous"]

    assert main(["evaluate", "run", "--split", "dev"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:3] == ["domain", "role", "macro-F1"]
    assert [line.split()[:2] for line in printed[1:3]] == [["ur-funny", "source"], ["shows", "target"]]

    assert main(["report", "run", "--metric", "f1_macro", "recall_humorous"]) == 0
    assert capsys.readouterr().out.startswith("### Single-source humour: macro-F1\n")
    assert (tmp_path / "run/report/single-source-humour-recall_humorous.csv").exists()

    assert main(["stress", "run", "--modalities", "text", "--kinds", "drop", "--rates", "0.5", "--repeats", "1"]) == 0
    assert "text: mean Jensen-Shannon distance" in capsys.readouterr().out
    measures = {line["measure"] for line in csv.DictReader((tmp_path / "run/stress/stress.csv").open())}
    assert {"js_distance", "flip_share", "f1_macro"} < measures and not {"polarity_shift", "mae"} & measures

    said = ["predict", "run", "--text", "clip 901 class 1"]
    assert main([*said, "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert list(verdict["probabilities"]) == list(CLASSES) and sum(verdict["probabilities"].values()) == pytest.approx(
        1
    )
    assert verdict["label_set"] == "humour" and verdict["humour"] == "humorous" and "sentiment" not in verdict
    assert main(said) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "humorous: linear, trained on ur-funny"
    assert [line[:12].strip() for line in printed[3:5]] == list(CLASSES)
    assert printed[3].index("0.") == printed[4].index("0.")  # in one column
    assert any("+ speaks for humorous, - against" in line for line in printed)


@pytest.mark.usefixtures("ur_funny")
def test_a_grid_compares_rows_on_two_classes(tmp_path, shows, capsys):
    grid = ["benchmark", "--methods", "constant", "linear", "erm", "--seeds", "2", "--jobs", "1", "-o", "grid"]
    narrow = ["--set", "methods.erm.dim=8", "--set", "methods.erm.heads=2"]
    assert main([*grid, "--leave-one-out", "ur-funny", shows, *SMALL, *narrow]) == 0
    assert main(["report", "grid", "--against", "constant", "--draws", "200"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("### Leave one domain out humour: macro-F1")
    assert "*: differs from Constant" in printed and "neutral" not in printed


@pytest.mark.usefixtures("ur_funny")
def test_what_cannot_be_is_one_clear_sentence(tmp_path, capsys):
    toys = toy_domain(tmp_path, "toys")
    train = ["train", "--method", "linear", *SMALL]
    assert main([*train, "--source", "ur-funny", "--target", toys]) == 1
    assert (
        "ur-funny is labelled with humour (not humorous, humorous), but toys with sentiment" in capsys.readouterr().err
    )
    assert main([*train, "--source", "ur-funny", "--task", "regression"]) == 1
    assert "ur-funny is labelled with humour (not humorous, humorous), which has no polarity" in capsys.readouterr().err
    assert main(["train", "--source", "ur-funny", "--text", "simulated"]) == 1
    assert "simulated text is drawn from a world whose classes are negative" in capsys.readouterr().err

    assert main([*train, "--source", "ur-funny", "-o", "run"]) == 0
    for verb in ("evaluate", "stress"):
        capsys.readouterr()
        assert main([verb, "run", "--target", toys]) == 1
        error = capsys.readouterr().err
        assert "ur-funny is labelled with humour" in error and "Traceback" not in error
