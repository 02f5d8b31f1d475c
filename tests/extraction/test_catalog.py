"""Names of extractors with options: what they mean, and which folder they are stored in."""

import pytest

from msadg.errors import SettingsError, UnknownNameError, UsageError
from msadg.extraction.catalog import EXTRACTORS, ExtractorSpec, make_extractor
from msadg.extraction.clipwise import ClipExtractor


def folder_of(text: str) -> str:
    return ExtractorSpec.parse("video", text).folder


def test_options_come_in_any_order_and_with_blanks():
    assert folder_of("hog:rate=10,detector=yunet") == folder_of("hog: detector=yunet , rate = 10,")
    assert make_extractor("video", "hog: rate = 10 ").config.rate == 10


@pytest.mark.parametrize("text", ["hog:rate", "hog:rate=", "hog:rate=5,rate=10"])
def test_an_option_without_a_value_or_with_two_is_refused(text: str):
    with pytest.raises(UsageError, match=r"option 'rate=?' (has no value|is given twice)"):
        ExtractorSpec.parse("video", text)


def test_what_does_not_exist_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="unknown video extractor 'hogg'; did you mean 'hog'"):
        make_extractor("video", "hogg")
    with pytest.raises(UnknownNameError, match="known: audio, text, video"):
        make_extractor("smell", "hog")
    with pytest.raises(SettingsError, match="unknown key 'rates'; did you mean 'rate'"):
        make_extractor("video", "hog:rates=5")


def test_a_folder_s_name_holds_no_path_and_stays_short():
    assert folder_of("vggface2:weights=/some/where/w 1.pt") == "video-vggface2-weights=w_1.pt"
    long = [f"openface:columns={'+'.join(f'AU{unit:02}_{kind}' for unit in range(40))}" for kind in "rc"]
    names = [folder_of(text) for text in long]
    assert len(set(names)) == 2
    assert all(name.startswith("video-openface-") and len(name) < 60 for name in names)


@pytest.mark.parametrize(("modality", "name"), [(m, n) for m, names in EXTRACTORS.items() for n in names])
def test_every_name_is_that_of_a_clip_extractor(modality: str, name: str):
    try:
        extractor = make_extractor(modality, name)
    except SettingsError:
        pytest.skip("it does not go without options")
    assert isinstance(extractor, ClipExtractor)
    assert (extractor.name, extractor.modality, extractor.kind) == (f"{modality}-{name}", modality, name)


def test_a_rate_above_any_video_s_own_is_refused():
    with pytest.raises(SettingsError, match=r"hog:rate=61.*rate = 61; expected 60 or less"):
        make_extractor("video", "hog:rate=61")
