import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from msadg.batches import ClipSet, joined
from msadg.batches.column import chosen_steps
from msadg.errors import FeatureError, MsadgWarning
from msadg.store import Manifest, Store, StoreWriter
from msadg.types import Features, Utterance


def store_of(folder, clips, *, modality="text", dim=2, dtype="float16", extractor=None):
    """A store in which a clip is a list of steps; None is a step without an observation, a number fills a step."""
    made_by = Manifest(
        extractor=extractor or f"{modality}-made-up", modality=modality, version="1", settings={}, dim=dim, dtype=dtype
    )
    with StoreWriter(folder, made_by) as writer:
        for clip_id, steps in clips.items():
            values = np.array([[0.0 if step is None else step] * dim for step in steps], np.float32).reshape(-1, dim)
            writer.add(clip_id, Features(values, np.array([step is not None for step in steps], bool)))
    return Store(folder)


def utterances_of(*clip_ids, polarity=None):
    return [
        Utterance(clip_id=clip_id, video_id=f"v{at}", text="", split="train", sentiment=at % 3, polarity=polarity)
        for at, clip_id in enumerate(clip_ids)
    ]


def test_a_batch_is_padded_with_steps_that_are_not_valid(tmp_path):
    text = store_of(tmp_path / "text", {"b": [1, 2, 3], "a": [4], "c": [5, 6]})
    clips = ClipSet("mine", utterances_of("a", "b", "c", polarity=1.5), {"text": text}, domain_index=2)
    batch = clips.batch([1, 0])
    assert batch.clip_ids == ("b", "a")
    assert_close(
        batch.steps["text"].values, torch.tensor([[[1.0] * 2, [2.0] * 2, [3.0] * 2], [[4.0] * 2, [0.0] * 2, [0.0] * 2]])
    )
    assert batch.steps["text"].valid.tolist() == [[True, True, True], [True, False, False]]
    assert batch.sentiment.tolist() == [1, 0]
    assert batch.polarity.tolist() == [1.5, 1.5]
    assert batch.domain.tolist() == [2, 2]
    assert clips.lengths.tolist() == [1, 3, 2]
    assert clips.feature_dims == {"text": 2}
    assert clips.video_ids == ("v0", "v1", "v2")


def test_steps_without_an_observation_stay_invalid(tmp_path):
    video = store_of(tmp_path / "video", {"a": [1, None, 3], "b": [None, 5]}, modality="video")
    batch = ClipSet("mine", utterances_of("a", "b"), {"video": video}).batch([0, 1])
    assert batch.steps["video"].valid.tolist() == [[True, False, True], [False, True, False]]
    assert batch.steps["video"].values[:, :, 0].tolist() == [[1, 0, 3], [0, 5, 0]]
    assert torch.isnan(batch.polarity).all()


def test_token_ids_are_integers(tmp_path):
    text = store_of(tmp_path / "text", {"a": [101, 30521, 102], "b": [101]}, dim=1, dtype="int32")
    values = ClipSet("mine", utterances_of("a", "b"), {"text": text}).batch([0, 1]).steps["text"].values
    assert values.dtype == torch.int64
    assert values[:, :, 0].tolist() == [[101, 30521, 102], [101, 0, 0]]


def test_a_clip_without_a_modality_has_no_valid_step_there_and_is_counted(tmp_path):
    text = store_of(tmp_path / "text", {"a": [1], "b": [2, 2]})
    video = store_of(tmp_path / "video", {"b": [3]}, modality="video")
    with pytest.warns(MsadgWarning, match=r"mine: 1 of 2 clips have no features of video.*first: a"):
        clips = ClipSet("mine", utterances_of("a", "b"), {"video": video, "text": text})
    batch = clips.batch([0, 1])
    assert list(batch.steps) == ["text", "video"]
    assert batch.steps["video"].valid.tolist() == [[False], [True]]
    assert clips.batch([0]).steps["video"].valid.tolist() == [[False]]  # one step of padding, never none
    assert clips.lengths.tolist() == [1, 3]


def test_a_clip_without_any_modality_is_left_out_and_counted(tmp_path):
    video = store_of(tmp_path / "video", {"b": [3], "c": [None, None]}, modality="video")
    with pytest.warns(
        MsadgWarning, match=r"2 of 3 clips have no features of any modality; they are left out.*first: a"
    ):
        clips = ClipSet("mine", utterances_of("a", "b", "c"), {"video": video})
    assert clips.clip_ids == ("b",)
    assert clips.batch([0]).steps["video"].values.tolist() == [[[3, 3]]]


def test_no_clip_with_features_is_an_error(tmp_path):
    video = store_of(tmp_path / "video", {"b": [3]}, modality="video")
    with pytest.raises(FeatureError, match="not one of 2 clips has features in"):
        ClipSet("mine", utterances_of("x", "y"), {"video": video})


@pytest.mark.parametrize(
    ("limit", "text", "video"), [(3, [1, 2, 3], [1, None, 5]), ({"video": 2}, [1, 2, 3, 4], [1, 5])]
)
def test_long_text_loses_its_end_and_long_video_is_thinned(tmp_path, limit, text, video):
    stores = {
        "text": store_of(tmp_path / "text", {"a": [1, 2, 3, 4]}),
        "video": store_of(tmp_path / "video", {"a": [1, 2, None, 4, 5]}, modality="video"),
    }
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        clips = ClipSet("mine", utterances_of("a"), stores, max_steps=limit)
    assert "1 of 1 clips have more than" in str(told[-1].message)
    assert "steps of video and are shortened to that (longest: 5)" in str(told[-1].message)
    assert len(told) == (2 if len(text) < 4 else 1)
    steps = clips.batch([0]).steps
    for modality, expected in (("text", text), ("video", video)):
        assert steps[modality].values[0, :, 0].tolist() == [step or 0 for step in expected]
        assert steps[modality].valid[0].tolist() == [step is not None for step in expected]
    assert clips.lengths.tolist() == [len(text) + len(video)]


@given(num_steps=st.integers(1, 400), max_steps=st.integers(1, 50), from_head=st.booleans())
def test_chosen_steps_rise_and_are_no_more_than_allowed(num_steps, max_steps, from_head):
    steps = chosen_steps(num_steps, max_steps, from_head=from_head)
    assert len(steps) == min(num_steps, max_steps)
    assert (np.diff(steps) > 0).all()
    assert 0 <= steps[0] <= steps[-1] < num_steps


def test_joined_clips_keep_order_domain_and_features(tmp_path):
    first = ClipSet("one", utterances_of("a", "b"), {"text": store_of(tmp_path / "1", {"a": [1], "b": [None, 2]})}, 0)
    second = ClipSet("two", utterances_of("c", "d"), {"text": store_of(tmp_path / "2", {"d": [4], "c": [None, 3]})}, 1)
    both = joined([first, second])
    assert both.clip_ids == ("a", "b", "c", "d")
    batch = both.batch([3, 0, 2])
    assert batch.steps["text"].values[:, :, 0].tolist() == [[4, 0], [1, 0], [0, 3]]
    assert batch.steps["text"].valid.tolist() == [[True, False], [True, False], [False, True]]
    assert batch.domain.tolist() == [1, 0, 1]
    assert both.lengths.tolist() == [1, 2, 2, 1]
    assert both.domain == "one+two"


def test_domains_with_other_features_cannot_be_joined(tmp_path):
    text = store_of(tmp_path / "1", {"a": [1]})
    other = store_of(tmp_path / "2", {"a": [1]}, extractor="text-other")
    video = store_of(tmp_path / "3", {"a": [1]}, modality="video")
    one = ClipSet("one", utterances_of("a"), {"text": text})
    with pytest.raises(FeatureError, match=r"text-made-up \(version 1.* 2 float16 features of text-other"):
        joined([one, ClipSet("two", utterances_of("a"), {"text": other})])
    with pytest.raises(FeatureError, match="one has text features and two has video"):
        joined([one, ClipSet("two", utterances_of("a"), {"video": video})])


def test_a_set_goes_to_another_process_without_its_features(tmp_path):
    text = store_of(tmp_path / "text", {"a": [1] * 5000})
    pickled = pickle.dumps(ClipSet("mine", utterances_of("a"), {"text": text}))
    assert len(pickled) < 3000
    assert pickle.loads(pickled).batch([0]).steps["text"].values.sum() == 10_000


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_batch_equals_one_built_clip_by_clip(tmp_path_factory, data):
    step = st.one_of(st.none(), st.integers(1, 9))
    clips = data.draw(st.lists(st.lists(step, min_size=1, max_size=6).filter(any), min_size=1, max_size=8))
    by_id = {f"c{at}": steps for at, steps in enumerate(clips)}
    store = store_of(tmp_path_factory.mktemp("store") / "s", by_id)
    chosen = data.draw(st.lists(st.integers(0, len(clips) - 1), min_size=1, max_size=10))
    steps = ClipSet("mine", utterances_of(*by_id), {"text": store}).batch(chosen).steps["text"]
    longest = max(len(clips[at]) for at in chosen)
    padded = [clips[at] + [None] * (longest - len(clips[at])) for at in chosen]
    assert steps.values[:, :, 1].tolist() == [[one or 0 for one in row] for row in padded]
    assert steps.valid.tolist() == [[one is not None for one in row] for row in padded]
