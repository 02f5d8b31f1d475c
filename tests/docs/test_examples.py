"""The code of the guides: the method trains and keeps what every method keeps, the corpus reads and meets its card."""

import json

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import CorpusError, SettingsError
from tests.methods.helpers import chosen, padded, tiny_batch, tiny_method

SMALL = {"dim": 8, "heads": 2}


@pytest.fixture
def max_pool(monkeypatch):
    from msadg.methods import METHODS

    monkeypatch.setitem(METHODS, "max_pool", "max_pool:MaxPool")
    return lambda **settings: tiny_method("max_pool", **{**SMALL, **settings})


def test_the_example_pools_the_maximum_over_valid_steps_alone(max_pool):
    method, batch = max_pool(layers=0).eval(), tiny_batch()
    steps = batch.steps["text"]
    encoded = method.encoders["text"](steps.values, steps.valid)
    by_hand = torch.stack([encoded[at, : int(steps.valid[at].sum())].max(dim=0).values for at in range(len(batch))])
    assert_close(method(batch).auxiliary["features"][:, :8], by_hand)


def test_padding_and_neighbours_change_nothing_in_the_example(max_pool):
    method, batch = max_pool().eval(), tiny_batch()
    assert_close(method(padded(batch, extra_steps=4)).logits, method(batch).logits)
    assert_close(method(chosen(batch, [2])).logits, method(batch).logits[[2]])


def test_the_example_takes_a_mask_and_learns(max_pool):
    method, batch = max_pool(mask={}, evenness=0.1), tiny_batch()
    optimiser = torch.optim.Adam(method.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        terms = method.loss(method(batch), batch)
        loss = terms["task"] + terms["evenness"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(terms["task"].item())
    assert losses[-1] < 0.2 < 0.8 < losses[0]


def test_the_examples_settings_are_checked(max_pool):
    with pytest.raises(SettingsError, match="evenness = -1"):
        max_pool(evenness=-1)
    with pytest.raises(SettingsError, match="unknown key 'evennes'"):
        max_pool(evennes=1)


def write_turns(folder, polarities):
    turns = [
        {"episode": f"e{at}", "turn": 0, "words": "so it goes", "split": split, "polarity": polarity, "host": "A"}
        for at, (split, polarity) in enumerate(polarities)
    ]
    (folder / "turns.jsonl").write_text("\n".join(map(json.dumps, turns)), encoding="utf-8")


def test_the_example_corpus_reads_and_meets_its_card(tmp_path):
    from podcasts import Podcasts

    write_turns(
        tmp_path, [("train", -2), ("train", 0), ("train", 1.5), ("dev", -1), ("dev", 3), ("test", 0), ("test", 2)]
    )
    met = list(Podcasts(tmp_path).all_utterances())
    assert [utterance.clip_id for utterance in met][:2] == ["podcasts/train/e0_0", "podcasts/train/e1_0"]
    assert [utterance.sentiment for utterance in met] == [0, 1, 2, 0, 2, 1, 2]


def test_the_example_corpus_stops_where_the_counts_are_not_the_cards(tmp_path):
    from podcasts import Podcasts

    write_turns(tmp_path, [("train", -2), ("dev", 3), ("test", 0)])
    with pytest.raises(CorpusError, match="train has 1 / 0 / 0"):
        list(Podcasts(tmp_path).all_utterances())
    with pytest.raises(CorpusError, match=r"turns\.jsonl is not there"):
        list(Podcasts(tmp_path / "elsewhere").all_utterances())
