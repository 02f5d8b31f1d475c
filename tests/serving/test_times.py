"""Times as people write them, and held against a file."""

import pytest

from msadg.errors import UsageError
from msadg.serving.times import check_within, seconds_of
from tests.media import write_clip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90.5", 90.5), ("1:30", 90), ("0:01:30.5", 90.5), ("01:02:03", 3723), ("75:00", 4500), ("-1", -1), (" 3 ", 3)],
)
def test_seconds_and_clock_times_are_read(text: str, seconds: float):
    assert seconds_of(text, "--start") == seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "1:75", "1:60:00", "1:2:3:4", "1:-3", "1:", ":30", "nan", "inf", "1:nan", "-1:30"]
)
def test_what_is_no_time_is_named_with_what_would_be_one(text: str):
    with pytest.raises(
        UsageError, match=r"--end .* is no time; expected seconds such as 90\.5, or a clock time such as 1:30"
    ):
        seconds_of(text, "--end")


def test_a_file_whose_header_says_no_length_is_measured_and_what_is_no_medium_passes(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", seconds=1.0)
    assert check_within(clip, 0.2, 0.9) is None and check_within(clip, None, None) is None
    (tmp_path / "no.mp4").write_bytes(b"no medium")
    assert check_within(tmp_path / "no.mp4", 5.0, 9.0) is None
