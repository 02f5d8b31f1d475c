"""Frames of a video: the right picture at the right time, upright; and a plain word where there is none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skimage.io import imsave

from msadg.errors import MediaError
from msadg.extraction.media.decode import frames_at, probe, sampled_frames
from msadg.extraction.media.reel import _packets
from msadg.extraction.media.timeline import step_starts
from tests.broken_media import LOST, flv_tags, write_broken_corpus
from tests.media import picture, turned, write_clip, write_frames

SIDE = 64
"""Of a numbered picture, in pixels."""


def numbered(number: int) -> np.ndarray:
    """A picture that says its number: two grey halves, 12 levels each, 16 apart."""
    image = np.empty((SIDE, SIDE, 3), np.uint8)
    image[:, : SIDE // 2], image[:, SIDE // 2 :] = 32 + 16 * (number % 12), 32 + 16 * (number // 12 % 12)
    return image


def number_of(image: np.ndarray) -> int:
    left, right = image[:, 4 : SIDE // 2 - 4].mean(), image[:, SIDE // 2 + 4 : -4].mean()
    return round((left - 32) / 16) + 12 * round((right - 32) / 16)


def num_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def media_error(action: Callable[[], object]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        action()
    return caught.value


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """62 numbered frames, 25 a second: 2.48 s."""
    folder = tmp_path_factory.mktemp("clip")
    return write_frames(folder / "clip.mp4", [numbered(number) for number in range(62)])


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_broken_corpus(tmp_path_factory.mktemp("broken"))


def test_a_clip_is_sampled_five_times_a_second(clip: Path):
    frames = list(sampled_frames(clip))
    assert [frame.seconds for frame in frames] == pytest.approx([k / 5 for k in range(13)])
    assert [number_of(frame.image) for frame in frames] == list(range(0, 62, 5))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.floats(0, 2.4),
    lasts=st.floats(0.01, 4),
    rate=st.one_of(st.floats(0.3, 60), st.integers(1, 30)),
)
def test_the_sampled_times_are_the_steps_of_the_time_axis(clip: Path, start: float, lasts: float, rate: float):
    sampled = sampled_frames(clip, rate=rate, start_seconds=start, end_seconds=start + lasts, max_side=8)
    last_moment = 2.479  # a millisecond before the end: times may be rounded so
    expected = step_starts(start, min(start + lasts, last_moment), float(rate))
    assert [frame.seconds for frame in sampled] == expected.tolist()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_picture_is_the_one_shown_at_the_moment_when_the_rate_varies(tmp_path: Path, suffix: str):
    times = [0.0, 0.1, 0.45, 0.5, 1.3, 1.31, 2.0]
    path = write_frames(tmp_path / f"varies.{suffix}", [numbered(k) for k in range(7)], times=times)
    shown = {frame.seconds: number_of(frame.image) for frame in sampled_frames(path, end_seconds=2.01)}
    by_hand = [0, 1, 1, 3, 3, 3, 3, 5, 5, 5, 6]  # the last frame begun at 0, 0.2, ... 2.0 s
    assert list(shown.values()) == by_hand


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv"])
def test_pictures_that_stand_for_minutes_are_not_taken_for_damage(tmp_path: Path, suffix: str):
    times = [0.0, 0.1, 400.0, 400.1, 400.2, 900.0, 1800.0]
    path = write_frames(tmp_path / f"slides.{suffix}", [numbered(k) for k in range(7)], times=times)
    shown = [number_of(frame.image) for frame in sampled_frames(path, rate=0.01, end_seconds=1801)]
    assert shown == [0, 1, 1, 1, 2, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6]  # the last begun at 0, 100, ... 1800 s


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "flv", "mov"])
def test_a_start_far_into_a_file_gives_the_frames_that_decoding_from_its_beginning_gives(tmp_path: Path, suffix: str):
    # 60 s of 10 frames a second; with a frame to begin from every 20 s, and frames that lean on later ones.
    images = [numbered(number % 144) for number in range(600)]
    path = write_frames(tmp_path / f"long.{suffix}", images, fps=10, keyframe_every=200, preset="veryfast")
    late = list(sampled_frames(path, rate=10, start_seconds=41.3, end_seconds=42.0))
    whole = {round(frame.seconds, 3): frame.image for frame in sampled_frames(path, rate=10, start_seconds=0)}
    assert [round(frame.seconds, 3) for frame in late] == pytest.approx([41.3 + k / 10 for k in range(7)])
    for frame in late:
        assert np.array_equal(frame.image, whole[round(frame.seconds, 3)])
    assert [number_of(frame.image) for frame in late] == [(413 + k) % 144 for k in range(7)]


def test_a_clip_may_begin_before_its_file_and_end_after_it(clip: Path):
    inside = [(frame.seconds, number_of(frame.image)) for frame in sampled_frames(clip)]
    beyond = [(f.seconds, number_of(f.image)) for f in sampled_frames(clip, start_seconds=-3, end_seconds=99)]
    assert inside == beyond


@pytest.mark.parametrize(
    ("suffix", "codec"), [("avi", "mpeg4"), ("mpg", "mpeg2video"), ("ts", "mpeg2video"), ("avi", "mjpeg")]
)
def test_a_late_start_gives_the_same_frames_where_an_older_codec_looks_ahead(tmp_path: Path, suffix: str, codec: str):
    import av

    path = tmp_path / f"old.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={} if codec == "mjpeg" else {"bf": "2"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 40
        for number in range(300):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number % 144))))
        container.mux(stream.encode(None))
    whole = [frame.image for frame in sampled_frames(path, rate=25)]
    for first in (76, 115, 154, 193, 271):  # seconds 3 to 11: near a frame to begin from, and far from one
        late = sampled_frames(path, rate=25, start_seconds=first / 25, end_seconds=(first + 8) / 25)
        for number, frame in enumerate(late, start=first):
            assert np.array_equal(frame.image, whole[number]), number


@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_times_beyond_any_file_are_an_error_of_time(tmp_path: Path, suffix: str):
    path = write_frames(tmp_path / f"short.{suffix}", [numbered(k) for k in range(20)])
    error = media_error(lambda: list(sampled_frames(path, start_seconds=1e30, end_seconds=1e300)))
    assert error.stage == "time"


@pytest.mark.parametrize(("start", "end"), [(2.48, 3.0), (50.0, 60.0), (1.0, 1.0), (1.5, 1.0), (float("nan"), 2.0)])
def test_times_outside_the_file_are_an_error_of_time(clip: Path, start: float, end: float):
    error = media_error(lambda: list(sampled_frames(clip, start_seconds=start, end_seconds=end)))
    assert (error.stage, "clip.mp4" in error.reason) == ("time", True)


def test_a_clip_shorter_than_a_step_has_one_frame(clip: Path):
    frames = list(sampled_frames(clip, start_seconds=1.01, end_seconds=1.02))
    assert [(frame.seconds, number_of(frame.image)) for frame in frames] == [(1.01, 25)]


def test_frames_at_gives_each_moment_its_picture_in_rising_order(clip: Path):
    frames = frames_at(clip, [2.0, 0.41, 0.41, -1.0])
    assert [frame.seconds for frame in frames] == [-1.0, 0.41, 0.41, 2.0]
    assert [number_of(frame.image) for frame in frames] == [0, 10, 10, 50]
    assert frames_at(clip, []) == []


def test_frames_at_of_moments_far_apart_and_beyond_the_end(tmp_path: Path):
    path = write_frames(tmp_path / "minute.mp4", [numbered(k % 144) for k in range(300)], fps=5)
    assert [number_of(frame.image) for frame in frames_at(path, [1.0, 30.0, 59.9])] == [5, 150 % 144, 299 % 144]
    assert media_error(lambda: frames_at(path, [1.0, 60.5])).stage == "time"
    assert media_error(lambda: frames_at(path, [1.0, 90.0])).stage == "time"


@pytest.mark.parametrize(
    ("degrees", "row", "column"), [(0, 0, 0), (90, 0, -1), (180, -1, -1), (270, -1, 0)]
)  # where the top left corner goes when a picture is turned clockwise
def test_a_turned_picture_is_shown_upright(tmp_path: Path, degrees: int, row: int, column: int):
    image = np.full((48, 96, 3), 40, np.uint8)
    image[:16, :16] = (255, 0, 0)
    flat = write_frames(tmp_path / "flat.mp4", [image] * 3)
    path = turned(flat, tmp_path / "turned.mp4", degrees)
    shown = next(sampled_frames(path)).image
    assert shown.shape == ((96, 48, 3) if degrees in (90, 270) else (48, 96, 3))
    red = shown[..., 0].astype(int) - shown[..., 1] > 100
    assert red.mean() == pytest.approx(16 * 16 / (48 * 96), rel=0.15)
    assert red[row, column]
    info = probe(path)
    assert (info.height, info.width) == shown.shape[:2]


def test_colours_come_out_as_they_went_in(tmp_path: Path):
    colours = np.array([(200, 40, 40), (40, 180, 60), (50, 60, 220), (230, 230, 230)], np.uint8)
    image = np.repeat(np.repeat(colours[None], 64, axis=0), 32, axis=1)
    path = write_frames(tmp_path / "colours.mp4", [image] * 2)
    shown = next(sampled_frames(path)).image
    centres = shown[32, 16::32].astype(int)
    assert np.abs(centres - colours).max() <= 6  # 8-bit YCbCr, and what the encoder lost


def test_large_pictures_are_scaled_down_and_small_ones_are_not(broken: dict[str, Path], clip: Path):
    assert next(sampled_frames(broken["4k.mp4"])).image.shape == (360, 640, 3)
    assert next(sampled_frames(broken["4k.mp4"], max_side=None)).image.shape == (2160, 3840, 3)
    assert next(sampled_frames(broken["turned-90.mp4"], max_side=160)).image.shape == (160, 120, 3)
    assert next(sampled_frames(clip)).image.shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("num_frames", [1, 2, 7, 33])
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "libx264"),
        ("mkv", "libx264"),
        ("webm", "libvpx"),
        ("avi", "mpeg4"),
        ("ts", "libx264"),
        ("flv", "libx264"),
    ],
)
def test_good_files_of_any_length_pass(tmp_path: Path, suffix: str, codec: str, num_frames: int):
    if suffix == "ts" and num_frames < 7:
        pytest.skip("FFmpeg knows a transport stream by its first eight packets")
    path = write_frames(tmp_path / f"good.{suffix}", [numbered(k) for k in range(num_frames)], codec=codec, fps=30)
    frames = list(sampled_frames(path, rate=30))
    assert [number_of(frame.image) for frame in frames] == list(range(num_frames))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "avi", "ts", "flv", "mov"])
def test_good_files_whose_sound_is_longer_than_their_pictures_pass(tmp_path: Path, suffix: str):
    import av

    path = tmp_path / f"good.{suffix}"
    codecs = ("libvpx", "libopus") if suffix == "webm" else ("libx264", "aac")
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream(codecs[0], rate=25), container.add_stream(codecs[1], rate=48_000)
        video.width = video.height = SIDE
        video.pix_fmt = "yuv420p"
        for number in range(25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number))))
        container.mux(video.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 3 * 2 * 48_000), np.int16), format="s16", layout="stereo")
        silence.sample_rate = 48_000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    assert len(list(sampled_frames(path))) == 5


@pytest.mark.parametrize("name", sorted(LOST))
def test_a_broken_file_ends_as_an_error_that_names_the_stage_and_the_file(broken: dict[str, Path], name: str):
    error = media_error(lambda: list(sampled_frames(broken[name])))
    assert error.stage == LOST[name]
    assert name in error.reason


def test_every_other_file_of_the_broken_corpus_gives_frames(broken: dict[str, Path]):
    for name, path in broken.items():
        if name not in LOST:
            assert list(sampled_frames(path)), name


def test_a_missing_file_a_folder_and_an_impossible_name_are_errors_of_opening(tmp_path: Path):
    for path in (tmp_path / "missing.mp4", tmp_path, "http://localhost/clip.mp4", "nul\0.mp4"):
        assert media_error(lambda path=path: probe(path)).stage == "open"  # type: ignore[misc]


@pytest.mark.parametrize("suffix", ["mkv", "flv", "avi", "mp4"])
def test_a_file_that_was_cut_is_an_error_only_for_what_lies_behind_the_cut(tmp_path: Path, suffix: str):
    images = [numbered(number) for number in range(100)]
    whole = write_frames(
        tmp_path / f"whole.{suffix}", images, options={"movflags": "faststart"} if suffix == "mp4" else {}
    )
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    before = [number_of(frame.image) for frame in sampled_frames(path, end_seconds=1.0)]
    assert before == [number_of(frame.image) for frame in sampled_frames(whole, end_seconds=1.0)]
    assert media_error(lambda: list(sampled_frames(path))).stage == "decode"


def test_damage_is_counted_and_the_frames_before_it_are_yielded_first(tmp_path: Path):
    path = write_frames(tmp_path / "good.mp4", [numbered(number) for number in range(100)], keyframe_every=10)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    seen = []

    def watch() -> None:
        seen.extend(number_of(frame.image) for frame in sampled_frames(path))

    error = media_error(watch)
    assert (error.stage, "of 100 frames are damaged" in error.reason) == ("decode", True)
    assert seen[:3] == [0, 5, 10]
    assert seen == list(range(0, 5 * len(seen), 5))


def test_a_clip_that_builds_on_a_damaged_frame_before_it_is_lost_up_to_the_next_frame_to_begin_from(tmp_path: Path):
    import av

    path = write_frames(tmp_path / "good.mp4", [picture(k, sway=40.0) for k in range(100)], keyframe_every=50)
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][20]
    whole = [frame.image for frame in sampled_frames(path, rate=25)]
    content = bytearray(path.read_bytes())
    middle = slice(packet.pos + packet.size // 3, packet.pos + packet.size // 2)
    content[middle] = bytes(byte ^ 0x5A for byte in content[middle])
    path.write_bytes(content)
    error = media_error(lambda: list(sampled_frames(path, start_seconds=1.0, end_seconds=1.4)))
    assert (error.stage, "the frame at 0.80 s is damaged" in error.reason) == ("decode", True)
    after = [frame.image for frame in sampled_frames(path, rate=25, start_seconds=2.04, end_seconds=2.4)]
    assert np.array_equal(after, whole[51:60])


def test_a_frame_whose_time_lies_days_beyond_the_file_is_damaged_and_no_pause(tmp_path: Path):
    path = write_frames(tmp_path / "good.flv", [numbered(k) for k in range(100)])
    content = bytearray(path.read_bytes())
    content[flv_tags(content, 9)[50] + 7] ^= 0x10  # the highest byte of a time in milliseconds: 2 ** 28 of them
    path.write_bytes(content)
    seen = []

    def watch() -> None:
        for frame in sampled_frames(path):
            seen.append(number_of(frame.image))
            assert len(seen) < 100

    error = media_error(watch)
    assert (error.stage, "1 of 100 frames are damaged" in error.reason) == ("decode", True)
    assert seen == list(range(0, 5 * len(seen), 5))


def test_a_stream_that_begins_amid_the_file_disturbs_nothing():
    from types import SimpleNamespace

    def packet(number: int) -> SimpleNamespace:
        return SimpleNamespace(dts=number, size=9)

    class Growing:
        """What PyAV makes of such a file (its issue 692): IndexError, after which reading can go on."""

        packets = iter([packet(1), packet(2), IndexError, packet(3), SimpleNamespace(dts=None, size=0), IndexError])

        def demux(self, stream):
            for item in self.packets:
                if item is IndexError:
                    raise IndexError("list index out of range")
                yield item

    assert [packet.dts for packet in _packets(Growing(), None)] == [1, 2, 3, None]  # type: ignore[arg-type]


def test_a_name_is_never_a_pattern_an_option_or_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        imsave(tmp_path / f"shot{number}.jpg", numbered(number), check_contrast=False)
    assert media_error(lambda: probe("shot%d.jpg")).stage == "open"  # that file does not exist
    for name in ("shot%d.mp4", "-f.mp4", "concat:a|b.mp4", "file:clip.mp4"):
        write_frames(tmp_path / "clip.mp4", [numbered(7)]).rename(name)
        assert [number_of(frame.image) for frame in sampled_frames(name)] == [7]


def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path):
    for name in ("picture.png", "picture.jpg"):
        imsave(tmp_path / name, numbered(17), check_contrast=False)
        assert [(f.seconds, number_of(f.image)) for f in sampled_frames(tmp_path / name)] == [(0.0, 17)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_an_abandoned_video_is_closed(clip: Path):
    before = num_open_files()
    frames = sampled_frames(clip)
    next(frames)
    assert num_open_files() == before + 1
    del frames
    assert num_open_files() == before


def test_probe_says_what_is_in_a_file(tmp_path: Path, broken: dict[str, Path]):
    info = probe(write_clip(tmp_path / "clip.mp4", seconds=2.0, width=320, height=240))
    assert (info.has_video, info.has_sound, info.width, info.height) == (True, True, 320, 240)
    assert info.frames_per_second == 25
    assert info.duration_seconds == pytest.approx(2.0, abs=0.1)
    assert (probe(broken["sound-only.m4a"]).has_video, probe(broken["sound-only.m4a"]).width) == (False, None)
    assert probe(broken["video-only.mp4"]).has_sound is False


@pytest.mark.data
def test_a_real_video_is_decoded_from_end_to_end(research_data: Path):
    video = research_data / "media" / "video.mp4"
    if not video.exists():
        pytest.skip(f"needs {video}")
    frames = list(sampled_frames(video))
    assert [frame.seconds for frame in frames] == step_starts(0.0, 105 / 25, 5.0).tolist()  # 105 frames, 25 a second
    assert {frame.image.shape for frame in frames} == {(360, 640, 3)}
    assert np.array_equal(frames[10].image, frames_at(video, [2.0])[0].image)
