"""Simulated features by name, with options."""

import pytest

from msadg.errors import SettingsError, UsageError
from msadg.extraction.simulated import SimulatedFeatures
from msadg.extraction.simulated_options import is_simulated, simulated_folder, simulation_named
from msadg.extraction.simulated_truth import SimulationConfig


def test_without_options_the_world_is_the_default_one():
    assert simulation_named("video", "simulated") == SimulationConfig()
    assert simulation_named("text", "simulated") == SimulationConfig()


@pytest.mark.parametrize(("redundancy", "repeated"), [("0", 0), ("0.25", 3), ("0.5", 6), ("1", 12)])
def test_redundancy_decides_how_many_invariant_features_repeat_text(redundancy: str, repeated: int):
    kinds = simulation_named("video", f"simulated:redundancy={redundancy}").kinds("video")
    assert (kinds.count("redundant"), kinds.count("complementary")) == (repeated, 12 - repeated)
    assert (kinds.count("spurious"), kinds.count("noise")) == (8, 12)


def test_the_default_redundancy_by_name_makes_the_same_features():
    named = SimulatedFeatures("video", simulation_named("video", "simulated:redundancy=0.5"))
    assert named.settings == SimulatedFeatures("video").settings


def test_a_name_that_only_begins_alike_is_not_simulated():
    assert is_simulated("simulated : redundancy=0") and not is_simulated("simulated-tokens") and not is_simulated("")


def test_each_redundancy_has_a_store_of_its_own():
    assert simulated_folder("text", "simulated") == "text-simulated"
    assert simulated_folder("video", "simulated:redundancy=0.75") == "video-simulated-redundancy=0.75"


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("simulated:redundancy=1.5", SettingsError, "redundancy is 1.5, expected 0 to 1"),
        ("simulated:redundancy=nan", SettingsError, "redundancy"),
        ("simulated:redundancy=much", SettingsError, "redundancy"),
        ("simulated:redundncy=1", SettingsError, "did you mean 'redundancy'"),
        ("simulated:redundancy", UsageError, "has no value"),
        ("simulated:redundancy=0,redundancy=1", UsageError, "given twice"),
    ],
)
def test_an_option_that_cannot_be_is_named(name: str, error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        simulation_named("video", name)


def test_text_has_no_redundancy_with_itself():
    with pytest.raises(UsageError, match=r"simulated text has no options.*video = 'simulated:redundancy=1'"):
        simulation_named("text", "simulated:redundancy=1")
