"""From names and plain settings to a method; errors say what is known."""

import pytest

from msadg.errors import SettingsError, UnknownNameError, UsageError
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.erm import ERMConfig
from msadg.settings import settings_from, settings_to_dict

DIMS = {"text": 6}


def test_an_unknown_method_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"unknown method 's2lfi'; did you mean 's2lif'\?"):
        build_method(MethodSpec(name="s2lfi"), DIMS, seed=0)


def test_an_unknown_setting_gets_the_nearest_name_and_the_list():
    with pytest.raises(
        SettingsError, match=r"unknown key 'sparsity_wieght'; did you mean 'sparsity_weight'\?.*has order"
    ):
        build_method(MethodSpec(name="s2lif", settings={"sparsity_wieght": 1}), DIMS, seed=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dim": "wide"}, "dim = 'wide'"),
        ({"schedule": "later"}, "schedule = 'later'"),
        ({"dim": 10, "heads": 4, "order": "text"}, "divisible|heads"),
        ({"dropout": 2.0, "order": "text"}, "dropout"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict, said: str):
    with pytest.raises(SettingsError, match=said):
        build_method(MethodSpec(name="s2lif", settings=settings), DIMS, seed=0)


def test_a_modality_without_features_is_named():
    with pytest.raises(UsageError, match="asked to use video, but the features at hand are text"):
        build_method(MethodSpec(name="s2lif"), DIMS, seed=0)


def test_settings_survive_json():
    config = ERMConfig(modalities=("text", "video"), dropout=0.3)
    assert settings_from(ERMConfig, settings_to_dict(config), "here") == config


def test_the_identity_needs_features_of_the_common_width():
    spec = MethodSpec(name="erm", settings={"projection": "identity", "dim": 8})
    with pytest.raises(SettingsError, match="identity"):
        build_method(spec, DIMS, seed=0)
