"""A clip on one page: measured in pixels, where the layout says that things lie."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread

from msadg.errors import MediaError, UsageError
from msadg.extraction.media.sound import Sound
from msadg.report import contact_sheet
from msadg.report.contact_sheet import draw_contact_sheet, envelope, layout_of, write_contact_sheet
from msadg.report.inspected_clip import InspectedClip, ShownFrame, find_clip_id, inspect_clip
from msadg.report.lettering import Lettering
from msadg.store import Manifest, Store, StoreWriter
from msadg.types import FACE_MARKS, Clip, Features, Word
from tests.media import write_clip

SKY, BLUE, GREY, GREEN, VERMILLION = (86, 180, 233), (0, 114, 178), (217, 217, 217), (0, 158, 115), (213, 94, 0)
BOX = (0.25, 0.2, 0.5, 0.6)


def marks_of(valid: np.ndarray, *, rate: float = 5.0, box: tuple[float, ...] = BOX) -> np.ndarray:
    marks = np.full((len(valid), 8), np.nan)
    marks[:, 0] = np.arange(len(valid)) / rate
    marks[:, 1] = marks[:, 0] + 1 / rate
    marks[valid, 2:6] = box
    marks[:, 6], marks[:, 7] = np.where(valid, 0.9, np.nan), np.where(valid, 0, -1)
    return marks


def shown_clip(valid=(True, False, True), *, green: bool = True, text: str = "so good", **fields) -> InspectedClip:
    valid = np.array(valid, bool)
    image = np.zeros((120, 160, 3), np.uint8)
    image[..., 1 if green else 0] = 200
    pictures = tuple(ShownFrame(step / 5, step, image) for step in range(len(valid)))
    clip = Clip(clip_id="mine/test/a", text=text, words=fields.pop("words", ()))
    content = {"marks": marks_of(valid), "frames": pictures, "store": "video-made-up (version 1)", "modality": "video"}
    return InspectedClip(clip=clip, valid=valid, **content | fields)


def pixels(shown: InspectedClip) -> np.ndarray:
    canvas = FigureCanvasAgg(draw_contact_sheet(shown))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def frame_box(shown: InspectedClip, number: int) -> tuple[int, int, int, int]:
    left, top, width, height = layout_of(shown, 2, 1).frame(number)
    return round(left), round(top), round(width), round(height)


def test_the_sheet_is_1400_pixels_wide_and_as_high_as_its_content(tmp_path):
    shown = shown_clip()
    write_contact_sheet(shown, tmp_path / "a.png")
    image = imread(tmp_path / "a.png")
    assert image.shape[:2] == (layout_of(shown, 2, 1).height, 1400)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert len(pixels(shown_clip([True] * 7))) > len(pixels(shown_clip([True] * 6)))


def test_the_face_s_box_lies_on_its_share_of_the_picture():
    shown = shown_clip()
    image = pixels(shown)
    left, top, width, height = frame_box(shown, 0)
    middle = left + width // 2
    assert tuple(image[top + round(0.2 * height), middle]) == SKY
    assert tuple(image[top + round(0.8 * height), middle]) == SKY
    assert tuple(image[top + height // 2, left + round(0.25 * width)]) == SKY
    assert tuple(image[top + height // 2, middle]) == (0, 200, 0)


def test_a_frame_without_the_speaker_s_face_is_grey_and_says_so():
    shown = shown_clip()
    image = pixels(shown)
    left, top, width, height = frame_box(shown, 1)
    inside = image[top + 5 : top + 20, left + 5 : left + width - 5].reshape(-1, 3)
    assert (inside == inside[:, :1]).all()
    assert not (image[top : top + height, left : left + width].reshape(-1, 3) == SKY).all(axis=1).any()
    assert image[top + height // 2 - 9, left + width // 2].tolist() == [255, 255, 255]  # beside the words


def test_a_box_beyond_the_picture_is_cut_and_a_small_face_is_shown_large():
    beyond = shown_clip(marks=marks_of(np.ones(3, bool), box=(-0.5, 0.5, 1.0, 2.0)), valid=[True] * 3)
    image = pixels(beyond)
    left, top, width, height = frame_box(beyond, 0)
    assert tuple(image[top + height - 1, left + width // 4]) == SKY
    assert (image[top + height // 2, left - 6] == 255).all()
    small = shown_clip(marks=marks_of(np.ones(3, bool), box=(0.1, 0.1, 0.05, 0.08)), valid=[True] * 3)
    image = pixels(small)
    assert tuple(image[top + height - 72, left + width - 36]) == SKY  # the upper edge of the close-up


def test_a_face_that_is_large_in_the_frame_has_no_close_up_though_it_is_narrow_or_cut():
    for box in ((0.1, 0.1, 0.15, 0.6), (-0.4, 0.1, 0.5, 0.6)):
        shown = shown_clip(marks=marks_of(np.ones(3, bool), box=box), valid=[True] * 3)
        image = pixels(shown)
        left, top, width, height = frame_box(shown, 0)
        corner = image[top + height - 72 : top + height, left + width - 72 : left + width].reshape(-1, 3)
        assert not (corner == SKY).all(axis=1).any()


def test_kept_and_dropped_frames_are_told_apart():
    shown = shown_clip(kept=np.array([True, False, False]))
    image = pixels(shown)
    colours = []
    for number in (0, 2):
        left, top, width, height = frame_box(shown, number)
        colours.append(tuple(image[top + height + 1, left + width // 2].tolist()))
    assert colours == [GREEN, VERMILLION]


def test_the_strips_show_which_steps_are_valid_and_kept():
    shown = shown_clip(kept=np.array([True, False, False]))
    layout, image = layout_of(shown, 2, 1), pixels(shown)
    left, width = 24 + 96, 1400 - 24 - 24 - 96
    thirds = [left + width * (2 * step + 1) // 6 for step in range(3)]
    assert [tuple(image[layout.strips_top + 9, x].tolist()) for x in thirds] == [BLUE, GREY, BLUE]
    assert [tuple(image[layout.strips_top + 33, x].tolist()) for x in thirds] == [GREEN, GREY, VERMILLION]


def test_the_sound_is_drawn_where_it_is_loud():
    samples = np.zeros(9600, np.float32)
    samples[4800:] = np.tile(np.array([0.5, -0.5], np.float32), 2400)
    shown = shown_clip(sound=Sound(samples, 16_000, 0.0))
    layout, image = layout_of(shown, 2, 1), pixels(shown)
    column = image[layout.sound_top : layout.sound_top + 110]
    quiet, loud = column[:, 24 + 96 + 300], column[:, 24 + 96 + 900]
    assert (quiet == 245).all(axis=1).sum() > 100
    assert (loud == 0x66).all(axis=1).sum() > 100


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.ones(3, np.float32)])
def test_hardly_any_sound_is_drawn_too(samples):
    low, high = envelope(samples, 1000)
    assert len(low) == len(high) == max(len(samples), 1)
    pixels(shown_clip(sound=Sound(samples, 16_000, 0.0)))


@pytest.mark.parametrize(
    "text",
    ["你好世界 " * 30, "مرحبا بالعالم", "😀 $\\frac{a}{b$ \x00\ud800 \n\t_{x}", "a" * 30_000, "word " * 10_000, ""],
)
def test_any_transcript_is_drawn_without_a_word_of_complaint(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = pixels(shown_clip(text=text))
    assert image.shape[0] < 900


def test_a_long_transcript_is_cut_and_what_was_cut_is_counted(monkeypatch):
    written: list[str] = []
    original = contact_sheet._Pen.text
    monkeypatch.setattr(
        contact_sheet._Pen,
        "text",
        lambda self, x, y, text, **rest: (written.append(text), original(self, x, y, text, **rest))[1],
    )
    draw_contact_sheet(shown_clip(text="word " * 10_000))
    lines = [line for line in written if line.startswith("word")]
    told = next(line for line in written if line.startswith("(cut here"))
    assert told == f"(cut here: {10_000 - sum(len(line.split()) for line in lines):,} more words)"
    written.clear()
    words = tuple(Word(f"word{n}", n / 4, n / 4 + 0.2) for n in range(60))
    draw_contact_sheet(shown_clip(words=words))
    timed = [line for line in written if " s:  word" in line]
    assert timed[0].startswith("0.00 s:  word0 word1")
    second = int(timed[1].split("word")[1])
    assert timed[1].startswith(f"{second / 4:.2f} s:  word{second} ")


def test_no_line_is_wider_than_it_may_be():
    lettering = Lettering(["WWWW iiii 你好"])
    lines, left_out = lettering.wrapped("W" * 500 + " " + "i " * 300, 11, 200, 200)
    assert left_out == 0
    assert max(lettering.width(line, 11) for line in lines) <= 200
    assert "".join(lines).replace(" ", "") == "W" * 500 + "i" * 300
    assert lettering.width(lettering.shortened("W" * 500, 16, 300), 16) <= 300


@pytest.fixture
def store(tmp_path) -> Store:
    """A store of a real little video, and the manifest beside."""
    path = write_clip(tmp_path / "clips" / "Zoë's clip.mp4", seconds=2.0)
    write_clip(tmp_path / "clips" / "mute.mp4", seconds=1.0, sound=False)
    folder = tmp_path / "stores" / "mine"
    made_by = Manifest(extractor="video-made-up", modality="video", version="1", settings={}, dim=2, marks=FACE_MARKS)
    with StoreWriter(folder / "video-made-up", made_by) as writer:
        valid = np.arange(10) != 4
        for name in ("vid[1]", "vid[2]"):
            features = Features(np.ones((10, 2), np.float32), valid, marks_of(valid).astype(np.float32))
            writer.add(f"mine/train/{name}", features)
        valid = np.ones(5, bool)
        writer.add("mine/test/mute", Features(np.ones((5, 2), np.float32), valid, marks_of(valid).astype(np.float32)))
        writer.lose("mine/dev/gone", "face", "no face in 10 frames")
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "video_id", "text", "label", "split", "start_s", "end_s", "clip_path"])
        writer.writerow(["vid[1]", "vid", "all good", "", "train", "", "", path])
        writer.writerow(["mute", "mute", "", "", "test", "", "", path.with_name("mute.mp4")])
        writer.writerow(["gone", "gone", "where?", "", "dev", 0.5, 1.5, path])
    return Store(folder / "video-made-up")


def test_a_clip_is_found_by_its_id_or_a_part_that_no_other_has(store):
    assert find_clip_id(store, "mine/train/vid[1]") == "mine/train/vid[1]"
    assert find_clip_id(store, "vid[2]") == "mine/train/vid[2]"
    assert find_clip_id(store, "GONE") == "mine/dev/gone"
    with pytest.raises(UsageError, match=r"'vid' may be mine/train/vid\[1\], mine/train/vid\[2\] .* say which"):
        find_clip_id(store, "vid")
    with pytest.raises(UsageError, match=r"no clip 'vd\[1\]' among its 4; nearest: mine/train/vid\[1\]"):
        find_clip_id(store, "vd[1]")


def test_pictures_are_those_of_the_steps_evenly_over_the_clip(store):
    shown = inspect_clip(store, "mine/train/vid[1]", frames=4)
    assert [frame.step for frame in shown.frames] == [0, 3, 6, 9]
    np.testing.assert_allclose([frame.seconds for frame in shown.frames], [0, 0.6, 1.2, 1.8], atol=1e-6)
    assert all(frame.image is not None and frame.image.shape == (240, 320, 3) for frame in shown.frames)
    assert (shown.clip.text, shown.notes) == ("all good", ())
    assert shown.sound is not None and shown.sound.end_seconds == pytest.approx(2.0, abs=0.2)  # the codec pads
    assert len(inspect_clip(store, "mine/train/vid[1]").frames) == 10


def test_a_lost_clip_is_shown_with_the_reason(store):
    shown = inspect_clip(store, "mine/dev/gone", frames=2)
    assert shown.loss is not None and shown.loss.stage == "face"
    assert [frame.step for frame in shown.frames] == [None, None]
    np.testing.assert_allclose([frame.seconds for frame in shown.frames], [0.75, 1.25])
    assert (shown.sound.start_seconds, shown.sound.end_seconds) == pytest.approx((0.5, 1.5), abs=0.01)
    pixels(shown)
    told = contact_sheet._header_of(shown)
    assert told[2][0] == "no features: lost at 'face': no face in 10 frames"
    assert told[3][0] == "the 2 pictures below are spread evenly over the clip: others than those looked at"


def test_what_cannot_be_shown_is_said(store, tmp_path):
    assert "no sound" in inspect_clip(store, "mine/test/mute").notes[0]
    untold = inspect_clip(store, "mine/train/vid[2]")
    assert "does not tell of this clip" in untold.notes[0]
    assert "--clip FILE" in untold.notes[1]
    pixels(untold)
    moved = inspect_clip(store, "mine/train/vid[2]", file=tmp_path / "clips" / "mute.mp4", frames=3)
    assert len(moved.frames) == 3
    short = inspect_clip(store, "mine/train/vid[1]", file=tmp_path / "clips" / "mute.mp4")
    assert [frame.image is None for frame in short.frames] == [False] * 5 + [True] * 5
    assert short.notes[0].startswith("5 of 10 pictures are missing: ")
    pixels(short)
    with pytest.raises(MediaError, match="if the file moved, name it with --clip FILE"):
        inspect_clip(store, "mine/train/vid[1]", file=tmp_path / "nowhere.mp4")
    with pytest.raises(UsageError, match="0 frames; expected 1 or more"):
        inspect_clip(store, "mine/train/vid[1]", frames=0)


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_stores_of_text_and_sound_are_shown_without_frames(tmp_path, modality):
    folder = tmp_path / "mine"
    made_by = Manifest(extractor=f"{modality}-x", modality=modality, version="1", settings={}, dim=2)
    with StoreWriter(folder / "s", made_by) as writer:
        writer.add("mine/train/a", Features(np.ones((4, 2), np.float32), np.array([True, True, False, True])))
    path = write_clip(tmp_path / "a.mp4", seconds=1.0)
    (folder / "manifest.csv").write_text(f"clip_id,split,text,clip_path\na,train,hello,{path}\n")
    shown = inspect_clip(Store(folder / "s"), "mine/train/a")
    assert (shown.frames, shown.is_timed, shown.notes) == ((), False, ())
    layout, image = layout_of(shown, 2, 1), pixels(shown)
    quarters = [120 + 1256 * (2 * step + 1) // 8 for step in range(4)]
    assert [tuple(image[layout.strips_top + 9, x].tolist()) for x in quarters] == [BLUE, BLUE, GREY, BLUE]


@pytest.mark.data
def test_a_real_video_is_drawn(research_data, tmp_path):
    path = Path(research_data) / "media" / "video.mp4"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    made_by = Manifest(extractor="video-x", modality="video", version="1", settings={}, dim=2, marks=FACE_MARKS)
    with StoreWriter(tmp_path / "mine" / "s", made_by) as writer:
        valid = np.ones(15, bool)
        writer.add("mine/test/v", Features(np.ones((15, 2), np.float32), valid, marks_of(valid).astype(np.float32)))
    shown = inspect_clip(Store(tmp_path / "mine" / "s"), "mine/test/v", file=path)
    assert len(shown.frames) == 15
    assert len({frame.image.tobytes() for frame in shown.frames}) == 15
    pixels(shown)
