"""Toy domains: manifests with stored features that a few epochs can learn, no encoder needed."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from msadg.corpora.catalog import open_corpus
from msadg.methods.build import MethodSpec
from msadg.protocols.domains import split_domains
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig, folder_of
from msadg.protocols.training import TrainingConfig
from msadg.store.fill import fill_store
from msadg.types import Features, Utterance

SENTIMENTS = ("negative", "neutral", "positive")
SIZES = {"train": 48, "dev": 18, "test": 24}


class Toy:
    """Features that carry the class which is in the text ("... class 2"), not the label."""

    version, dtype, marks = "1", "float16", ()

    def __init__(self, modality: str, dim: int) -> None:
        self.name, self.modality, self.dim = f"{modality}-toy", modality, dim
        self.settings = {"dim": dim}

    def input_of(self, utterance: Utterance) -> bytes:
        return utterance.text.encode()

    def extract(self, utterances: Sequence[Utterance]) -> Iterator[Features]:
        for utterance in utterances:
            number = int(utterance.text.split()[1])
            generator = np.random.default_rng([number, self.dim])
            values = generator.normal(size=(3 + number % 4, self.dim))
            values[:, int(utterance.text.split()[-1])] += 1.0
            yield Features(values.astype(np.float16), np.ones(len(values), dtype=bool))


def toy_domain(
    folder: Path, name: str, *, offset: int = 0, shuffle_labels: int | None = None, polarity: bool = False
) -> str:
    """Write a manifest and return it as ``name=path``; with ``shuffle_labels``, its labels are noise.

    With ``polarity``, labels are -1.5, 0.25 and 2.0 instead of negative, neutral and positive.
    """
    rows = []
    generator = np.random.default_rng(shuffle_labels or 0)
    for split, size in SIZES.items():
        for i in range(size):
            number = offset + len(rows)
            label = int(generator.integers(3)) if shuffle_labels is not None else number % 3
            clip = {
                "clip_id": f"c{len(rows)}",
                "video_id": f"{split}{i // 3}",
                "text": f"clip {number} class {number % 3}",
            }
            said = {"label": str((-1.5, 0.25, 2.0)[label])} if polarity else {"sentiment": SENTIMENTS[label]}
            rows.append(clip | said | {"split": split})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return f"{name}={path}"


def toy_data(folder: Path, domains: Sequence[str]) -> DataConfig:
    """Store features for some toy domains."""
    data = DataConfig(features={"text": "toy", "video": "toy"}, stores=folder / "stores")
    for domain in domains:
        utterances = list(open_corpus(domain).all_utterances())
        for modality, dim in (("text", 6), ("video", 5)):
            fill_store(folder_of(data, domain, modality), utterances, Toy(modality, dim))
    return data


def toy_experiment(folder: Path, method: str = "s2lif", *, row: str | None = None, **changes: object) -> Experiment:
    """Two sources, one target, a narrow method, four epochs."""
    domains = [toy_domain(folder, name, offset=100 * i) for i, name in enumerate(("a", "b", "c"))]
    settings = {"s2lif": {"dim": 8, "heads": 2}, "erm": {"dim": 8, "heads": 2}}.get(method, {})
    training = {"learning_rate": 1e-2, "batch_size": 8, "epochs": 4, "warmup_epochs": 1.0}
    return Experiment(
        row=row or method,
        method=MethodSpec(name=method, settings={**settings, **changes.pop("settings", {})}),
        domains=split_domains(domains[:2], domains[2:]),
        training=TrainingConfig(**training | changes.pop("training", {})),
        data=toy_data(folder, domains),
        **changes,
    )


def tiny_encoder(folder: Path) -> Path:
    """A BERT of width 16 with random weights, and a tokenizer that reads the toy texts' classes, as files."""
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "clip", "class", "0", "1", "2"]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: at for at, word in enumerate(words)}).save_pretrained(folder)
    return folder
