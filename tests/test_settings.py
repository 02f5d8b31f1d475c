"""What a wrong setting is told."""

from dataclasses import dataclass
from typing import Literal

import pytest

from msadg.errors import SettingsError
from msadg.settings import settings_from


@dataclass(frozen=True)
class Config:
    rate: int | float = 5
    faces: int | None = None
    speaker: Literal["largest", "mouth"] = "largest"
    is_cut: bool = False
    files: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rate", "abc", "here: rate = 'abc'; expected a number"),
        ("faces", "1.5", "here: faces = '1.5'; expected a whole number or nothing"),
        ("speaker", "me", "here: speaker = 'me'; expected one of largest, mouth"),
        ("is_cut", "perhaps", "here: is_cut = 'perhaps'; expected true or false"),
        ("files", [1], "here: files = [1]; expected a list (each: text)"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_in_plain_words(key, value, said):
    with pytest.raises(SettingsError) as error:
        settings_from(Config, {key: value}, "here")
    assert str(error.value) == said
