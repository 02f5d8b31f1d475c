"""What a search found, in words and numbers worked by hand."""

from msadg.protocols.changes import Changes
from msadg.protocols.search import Choice, Draw, Score
from msadg.report.names import MISSING
from msadg.report.tune_table import tune_tables


def choice_of(row: str, metric: str, by_draw: list[dict[int, float]], errors: dict[int, str] | None = None) -> Choice:
    scores = tuple(
        Score(
            Draw(row, n, Changes(training={"learning_rate": n / 1000}, settings={"dim": 8 * n}) if n else Changes()),
            by_seed,
            ((errors or {})[n],) if n in (errors or {}) else (),
        )
        for n, by_seed in enumerate(by_draw)
    )
    return Choice(row, "multi-A", ("mosei", "meld"), metric, scores)


def test_a_row_is_told_with_its_winner_its_spread_and_its_budget():
    scores = [{0: 0.2, 1: 0.4}, {0: 0.5, 1: 0.5}, {0: 0.1, 1: 0.3}, {0: 0.9}]
    chosen = choice_of("erm", "f1_macro", scores, errors={3: "seed 1: RunError: too | high"})
    constant = choice_of("constant", "f1_macro", [{0: 0.2}])
    told = tune_tables([constant, chosen], num_draws=4, said="How.")
    assert told.startswith("# Settings found by random search\n\nHow.\n\n### multi-A: from MOSEI+MELD\n\n")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines() if line.startswith("|")
    ]
    assert cells[0] == ["row", "best draw", "dev macro-F1", "draw 0", "all draws: mean, sd", "worst", "draws scored"]
    assert cells[2] == ["Constant", "0", ".200", ".200", f".200, {MISSING}", ".200", "1 of 1, nothing to search"]
    # (.3 + .5 + .2) / 3 = .333; sd = sqrt((.0333^2 + .1667^2 + .1333^2) / 2) = .153
    assert cells[3] == ["ERM", "1", ".500 ± .000", ".300", ".333, .153", ".200", "3 of 4"]
    assert "- ERM, draw 1: `training.learning_rate = 0.001`, `dim = 8`\n" in told
    assert "- Constant, draw 0: as the recipe has it\n" in told
    assert "ERM: 1 of 4 draws are left out of the choice; runs failed: 1 (first: draw 3, seed 1: RunError: too" in told


def test_a_metric_of_which_less_is_better_is_told_as_it_is():
    told = tune_tables([choice_of("erm", "mae", [{0: -1.25}, {0: -0.75}])], num_draws=2, said="")
    row = [cell.strip() for cell in told.splitlines()[8].strip("|").split("|")]
    assert row == ["ERM", "1", ".750", "1.250", "1.000, .354", "1.250", "2 of 2"]


def test_a_row_without_a_winner_says_so():
    told = tune_tables([choice_of("erm", "f1_macro", [{}], errors={0: "seed 0: no"})], num_draws=1, said="")
    row = [cell.strip() for cell in told.splitlines()[8].strip("|").split("|")]
    assert row == ["ERM", *[MISSING] * 5, "0 of 1"]
    assert "- ERM, no draw: as the recipe has it" in told
