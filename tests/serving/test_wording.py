"""What a verdict says of what it did not read."""

from msadg.extraction.extractor import Loss
from msadg.serving.wording import not_read, nothing_to_read
from msadg.types import Clip

BROKEN = Loss("open", "v.mp4: is empty")
VIDEO, WAV = Clip(clip_id="v", clip_path="v.mp4"), Clip(clip_id="w", clip_path="w.wav")


def test_a_file_that_was_given_once_is_told_of_once():
    clips = {"audio": VIDEO, "video": VIDEO}
    told = ["video was given but not read: v.mp4: is empty"]
    assert list(not_read(clips, {"audio": BROKEN, "video": BROKEN})) == told
    assert list(not_read(clips, {"audio": Loss("sound", "v.mp4: has no sound")})) == []
    assert list(not_read({}, {"video": Loss("input", "no video was given")})) == []


def test_sound_of_its_own_without_sound_is_told_of_and_a_face_that_is_not_there_too():
    missing = {"audio": Loss("sound", "w.wav: has no sound"), "video": Loss("face", "v.mp4: no face")}
    assert list(not_read({"audio": WAV, "video": VIDEO}, missing)) == [
        "audio was given but not read: w.wav: has no sound",
        "video was given but not used: v.mp4: no face",
    ]


def test_simulated_features_are_named_where_nothing_can_be_read():
    assert nothing_to_read(("video", "text"), ("video",), ()) == (
        "this run reads text and video, of which video was simulated in training and is read from no clip, "
        "and nothing was given; give text"
    )
