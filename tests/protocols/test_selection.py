"""Rules of selection and settings of the papers."""

import pytest

from msadg.errors import UnknownNameError, UsageError
from msadg.protocols.domains import leave_one_out, paper_setting, split_domains
from msadg.protocols.run import train_run
from msadg.protocols.selection import best_common_epochs, check_selection
from tests.protocols.helpers import toy_experiment


def test_the_papers_settings():
    assert paper_setting("single-A").source_domains == ("mosei",)
    assert paper_setting("single-A").target_domains == ("mosi", "meld")
    assert paper_setting("multi-C").source_domains == ("mosi", "mosei")
    assert paper_setting("multi-C").target_domains == ("meld",)


def test_a_free_choice_that_is_a_paper_s_setting_gets_its_name():
    assert split_domains(["meld", "mosei"], ["mosi"]).setting == "multi-A"
    assert split_domains(["meld"], ["mosi"]).setting is None
    assert split_domains(["mine"], []).setting is None


@pytest.mark.parametrize(
    ("sources", "targets", "said"),
    [
        ([], ["a"], "no source"),
        (["a"], ["a"], "as source and as target"),
        (["a=x.csv"], ["a=y.csv"], "as source and as target"),
        (["a", "a"], [], "named twice"),
        (["a=x.csv", "b=x.csv"], [], "two names have one file"),
    ],
)
def test_domains_that_cannot_be(sources: list[str], targets: list[str], said: str):
    with pytest.raises(UsageError, match=said):
        split_domains(sources, targets)


def test_leaving_one_out_makes_each_domain_the_target_once():
    splits = leave_one_out(["a", "b", "c"])
    assert [s.target_domains for s in splits] == [("a",), ("b",), ("c",)]
    assert [s.source_domains for s in splits] == [("b", "c"), ("a", "c"), ("a", "b")]
    with pytest.raises(UsageError, match="at least two"):
        leave_one_out(["a"])
    with pytest.raises(UsageError, match="named twice"):
        leave_one_out(["a", "a"])


def test_an_unknown_rule_or_setting_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'source_dev'"):
        check_selection("source-dev", ["a"])
    with pytest.raises(UnknownNameError, match="did you mean 'single-A'"):
        paper_setting("single-a")


def test_leaving_a_source_out_needs_two():
    with pytest.raises(UsageError, match="needs two source domains"):
        check_selection("leave_one_source_out", ["a"])


def test_common_epochs_are_best_on_average_and_by_phase():
    def run(text: list[float], video: list[float]) -> list[dict]:
        return [{"phase": "text", "score": s} for s in text] + [{"phase": "video", "score": s} for s in video]

    histories = [run([0.1, 0.9, 0.2], [0.5, 0.4]), run([0.3, 0.4, 0.8], [0.1, 0.9, 1.0])]
    # text: means .2 .65 .5 -> 2 epochs; video: over the two epochs that both have, .3 .65 -> 2
    assert best_common_epochs(histories) == [2, 2]


def test_leaving_one_source_out_trains_for_the_common_number_of_epochs(tmp_path):
    trained = train_run(toy_experiment(tmp_path, selection="leave_one_source_out"), tmp_path / "run")
    inner = sorted(path.name for path in (tmp_path / "run").glob("without-*"))
    assert inner == ["without-a", "without-b"]
    assert len(trained.state.history) == trained.state.best_epochs[0] + 1 <= 4
