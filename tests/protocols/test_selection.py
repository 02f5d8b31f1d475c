"""Rules of selection and settings of the papers."""

import json
from dataclasses import replace

import pytest

from msadg.errors import UnknownNameError, UsageError
from msadg.protocols.checkpoint import load_state
from msadg.protocols.domains import leave_one_out, paper_setting, split_domains
from msadg.protocols.fit import source_clips
from msadg.protocols.loop import dev_score
from msadg.protocols.run import train_run
from msadg.protocols.selection import best_common_epochs, check_selection, score_after
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
    for domain, score in trained.state.left_out.items():
        history = json.loads((tmp_path / "run" / "history.json").read_text())
        assert score == score_after(_history_without(tmp_path / "run", domain), len(history))
    assert list(trained.state.left_out) == ["a", "b"]


def _history_without(run, domain: str) -> list[dict]:
    saved = load_state(run / f"without-{domain}")
    assert saved is not None
    return saved.state.history


def test_linear_is_chosen_by_what_it_scores_on_the_source_that_it_was_without(tmp_path):
    strengths = (1e-3, 1e3)
    whole = toy_experiment(tmp_path, "linear", selection="leave_one_source_out")
    whole = replace(whole, method=replace(whole.method, settings={"inverse_regularisation": strengths}))
    trained = train_run(whole, tmp_path / "run")
    expected = {}
    for strength in strengths:
        method = replace(whole.method, settings={"inverse_regularisation": (strength,)})
        for held, kept in zip("ab", reversed(whole.domains.source_domains), strict=True):
            alone = replace(whole, method=method, domains=split_domains([kept], []), selection="source_dev")
            (dev,) = [clips for clips in source_clips(whole, "dev") if clips.domain == held]
            other = train_run(alone, tmp_path / f"{held}-{strength}").method
            expected[strength, held] = dev_score(other, [dev], "f1_macro")
    best = max(strengths, key=lambda strength: expected[strength, "a"] + expected[strength, "b"])
    assert trained.state.left_out == {"a": expected[best, "a"], "b": expected[best, "b"]}
    only = replace(whole, method=replace(whole.method, settings={"inverse_regularisation": (best,)}))
    again = train_run(replace(only, selection="source_dev"), tmp_path / "only").method
    assert trained.method.weight.equal(again.weight)
