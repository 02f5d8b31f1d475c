"""Sound of a file: the right samples at the right time, in one channel."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from msadg.errors import MediaError
from msadg.extraction.media.decode import sampled_frames
from msadg.extraction.media.sound import read_sound
from tests.broken_media import flipped, flv_tags
from tests.media import write_clip, write_sound

RATE = 16_000
PCM_STEP = 2**-15
"""Of 16-bit samples."""


def tone(hz: float, seconds: float, loudness: float = 0.3, sample_rate_hz: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    return loudness * np.sin(2 * np.pi * hz * time)


def loudest_hz(samples: np.ndarray, sample_rate_hz: int = RATE) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * sample_rate_hz / len(samples))


def media_error(action: Callable[[], object]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        action()
    return caught.value


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of 16-bit sound without loss, in which the sample number is the value."""
    return write_sound(tmp_path_factory.mktemp("ramp") / "ramp.wav", np.arange(4 * RATE)[None] % 30_000 * PCM_STEP)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "ts", "flv"])
def test_a_tone_has_its_frequency_and_loudness(tmp_path: Path, suffix: str):
    path = write_clip(tmp_path / f"clip.{suffix}", seconds=2.0, tone_hz=440.0, loudness=0.3)
    sound = read_sound(path, start_seconds=0.5, end_seconds=1.5)
    assert (sound.sample_rate_hz, sound.start_seconds, sound.end_seconds) == (RATE, 0.5, 1.5)
    assert sound.samples.dtype == np.float32
    assert loudest_hz(sound.samples) == pytest.approx(440, abs=1)
    assert np.sqrt((sound.samples**2).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.03)  # AAC is lossy


def test_start_and_end_are_kept_to_the_sample(ramp: Path):
    sound = read_sound(ramp, start_seconds=0.5, end_seconds=1.25)
    assert np.array_equal(sound.samples, np.arange(8_000, 20_000, dtype=np.float32) * np.float32(PCM_STEP))


def test_a_late_start_gives_the_samples_that_lie_there(ramp: Path):
    sound = read_sound(ramp, start_seconds=3.0)
    assert np.array_equal(sound.samples, np.arange(48_000, 64_000) % 30_000 * np.float32(PCM_STEP))


def test_without_times_the_whole_sound_is_returned(ramp: Path):
    for times in ({}, {"start_seconds": -1, "end_seconds": 99}, {"start_seconds": 0.0, "end_seconds": None}):
        sound = read_sound(ramp, **times)
        assert (len(sound.samples), sound.start_seconds, sound.end_seconds) == (4 * RATE, 0.0, 4.0)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.flac", "flac"), ("a.ogg", "libopus")]
)
def test_a_late_start_gives_what_decoding_from_the_beginning_gives(tmp_path: Path, name: str, codec: str):
    chirp = 0.5 * np.sin(2 * np.pi * np.cumsum(np.linspace(100, 3_000, 40 * 48_000)) / 48_000)
    path = write_sound(tmp_path / name, chirp[None], sample_rate_hz=48_000, codec=codec)
    whole = read_sound(path).samples
    late = read_sound(path, start_seconds=30.0, end_seconds=31.0).samples
    assert len(late) == RATE
    # Blocks of 48 kHz begin between samples of 16 kHz, half of one at most: sin(pi 2.3 / 16) * 0.5 of such a tone.
    assert np.abs(late - whole[30 * RATE : 31 * RATE]).max() < 0.25
    assert loudest_hz(late) == pytest.approx(100 + 2_900 * 30.5 / 40, abs=60)


def test_an_impulse_stays_at_its_time_when_the_rate_changes(tmp_path: Path):
    for rate in (8_000, 44_100, 48_000):
        samples = np.zeros((1, 2 * rate))
        samples[0, round(1.25 * rate)] = 0.9
        path = write_sound(tmp_path / f"{rate}.wav", samples, sample_rate_hz=rate)
        heard = np.abs(read_sound(path, start_seconds=0.5).samples).argmax()
        assert heard == pytest.approx(0.75 * RATE, abs=1)


def test_channels_are_averaged(tmp_path: Path):
    left, right = tone(300, 1.0, loudness=0.8), np.full(RATE, 0.1)
    path = write_sound(tmp_path / "stereo.wav", np.stack([left, right]))
    assert read_sound(path).samples == pytest.approx((left + right) / 2, abs=2 * PCM_STEP)


@pytest.mark.parametrize(
    ("layout", "channels", "name", "codec"),
    [
        ("5.1", 6, "a.wav", "pcm_s16le"),
        ("7.1", 8, "a.wav", "pcm_s16le"),
        ("7.1.4", 12, "a.wav", "pcm_s16le"),
        ("7.1", 8, "a.flac", "flac"),
    ],
)
def test_any_number_of_channels_is_averaged(tmp_path: Path, layout: str, channels: int, name: str, codec: str):
    import av

    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        levels = np.tile(np.arange(1, channels + 1, dtype=np.int16) * 1000, RATE)[None]  # one for each channel
        frame = av.AudioFrame.from_ndarray(levels, format="s16", layout=layout)
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples = read_sound(path).samples
    assert len(samples) == RATE
    assert samples == pytest.approx(500 * (channels + 1) * PCM_STEP, abs=PCM_STEP)


def test_a_block_whose_time_lies_days_beyond_the_file_is_damaged_and_no_silence(tmp_path: Path):
    path = write_clip(tmp_path / "good.flv", seconds=2.0)
    content = bytearray(path.read_bytes())
    content[flv_tags(content, 8)[15] + 7] ^= 0x10  # the highest byte of a time in milliseconds: 2 ** 28 of them
    path.write_bytes(content)
    error = media_error(lambda: read_sound(path))
    assert (error.stage, "1 of " in error.reason) == ("decode", True)


def test_sound_that_begins_after_the_pictures_follows_silence(tmp_path: Path):
    path = _clip_with_sound_at(tmp_path / "late.mkv", [1.0])
    samples = read_sound(path).samples
    assert np.abs(samples[: RATE - 200]).max() == 0
    assert np.abs(samples[RATE + 200 : RATE + 6_000]).max() == pytest.approx(0.5, abs=0.01)
    assert len(samples) == pytest.approx(1.5 * RATE, abs=2)
    assert np.array_equal(read_sound(path, start_seconds=0.25).samples, samples[RATE // 4 :])


def test_a_pause_within_the_sound_is_silence_and_moves_nothing(tmp_path: Path):
    samples = read_sound(_clip_with_sound_at(tmp_path / "gap.mkv", [0.0, 2.0])).samples
    loud = np.abs(samples.reshape(-1, RATE // 4)).max(axis=1) > 0.1  # quarters of a second
    assert loud.tolist() == [True, True, False, False, False, False, False, False, True, True]


def _clip_with_sound_at(path: Path, times: list[float]) -> Path:
    """A black video from 0 s on, with half a second of a loss-free tone at each of some times."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        sound = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        for _ in range(75):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        container.mux(video.encode(None))
        for start in times:
            samples = np.round(tone(500, 0.5, loudness=0.5) / PCM_STEP).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), round(start * RATE)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("start", "end"), [(4.0, 5.0), (4.5, None), (60.0, 61.0), (2.0, 2.0), (float("nan"), None)])
def test_times_outside_the_sound_are_an_error_of_time(ramp: Path, start: float, end: float | None):
    error = media_error(lambda: read_sound(ramp, start_seconds=start, end_seconds=end))
    assert (error.stage, "ramp.wav" in error.reason) == ("time", True)


def test_messages_name_the_times_that_were_asked_for_and_neither_none_nor_what_was_read_ahead(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4", seconds=1.0)
    for read in (read_sound, lambda *args, **rest: list(sampled_frames(*args, **rest))):
        assert ": 1000.00 s lies beyond its end at 1." in media_error(lambda: read(clip, start_seconds=1000)).reason  # noqa: B023
        for times, told in (
            ({"start_seconds": float("nan")}, "the clip's start is nan, which is no time; expected seconds"),
            ({"end_seconds": float("nan")}, "the clip's end is nan, which is no time; expected seconds"),
            ({"end_seconds": -1.0}, "a clip from 0 s to -1 s does not last at all"),
            ({"start_seconds": 2, "end_seconds": 1.5}, "a clip from 2 s to 1.5 s does not last at all"),
        ):
            error = media_error(lambda: read(clip, **times))  # noqa: B023
            assert (error.stage, error.reason) == ("time", f"{clip}: {told}")


def test_a_file_without_sound_says_so(tmp_path: Path):
    error = media_error(lambda: read_sound(write_clip(tmp_path / "mute.mp4", seconds=0.5, sound=False)))
    assert (error.stage, error.reason.endswith("mute.mp4: has no sound")) == ("sound", True)


def test_a_missing_file_is_an_error_of_opening(tmp_path: Path):
    assert media_error(lambda: read_sound(tmp_path / "missing.wav")).stage == "open"


@pytest.mark.parametrize("suffix", ["mkv", "flac"])
def test_sound_that_was_cut_is_an_error_only_behind_the_cut(tmp_path: Path, suffix: str):
    codec = "flac" if suffix == "flac" else "pcm_s16le"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 6 * RATE))
    whole = write_sound(tmp_path / f"whole.{suffix}", noise, codec=codec)
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    before = read_sound(path, end_seconds=2.0).samples
    assert np.array_equal(before, read_sound(whole, end_seconds=2.0).samples)
    assert media_error(lambda: read_sound(path)).stage == "decode"


def test_flipped_bits_are_an_error_of_decoding(tmp_path: Path):
    path = write_sound(tmp_path / "sound.m4a", tone(300, 3.0)[None], codec="aac")
    path.write_bytes(flipped(path.read_bytes(), num_flips=200))
    error = media_error(lambda: read_sound(path))
    assert (error.stage, "blocks of sound are damaged" in error.reason) == ("decode", True)


@pytest.mark.data
def test_the_sound_of_a_real_video_is_as_long_as_its_track(research_data: Path):
    video = research_data / "media" / "video.mp4"
    if not video.exists():
        pytest.skip(f"needs {video}")
    sound = read_sound(video)
    assert sound.end_seconds == pytest.approx(4.2127, abs=1e-3)  # 201,728 + 480 samples at 48 kHz
    assert np.abs(sound.samples).max() < 1
