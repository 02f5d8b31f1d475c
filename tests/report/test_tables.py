"""Small tables, spelled out: what a reader of the report will meet."""

import math
from textwrap import dedent

import pandas as pd
import pytest

from msadg.report.csv_table import to_csv
from msadg.report.latex import to_latex
from msadg.report.markdown import to_markdown
from msadg.report.tables import build_table, split_by_sources
from msadg.results.aggregate import Setting

TEXT = {"text": {"extractor": "minilm", "version": "0.1.0", "digest": "ff"}}
VIDEO = TEXT | {"video": {"extractor": "simulated", "simulated": True}}


def f1(**scores):
    return {domain: {"f1_macro": score} for domain, score in scores.items()}


@pytest.fixture
def records(make_record):
    """One setting; erm with two seeds, one more failed; a row with a pipe in its name."""
    return [
        make_record("erm", 0, features=TEXT, metrics=f1(mosei=0.6, mosi=0.5, meld=0.5)),
        make_record("erm", 1, features=TEXT, metrics=f1(mosei=0.7, mosi=0.51, meld=0.31)),
        make_record("erm", 2, features=TEXT, error="loss is NaN\nat step 3"),
        make_record("s2lif (V|T)", 0, features=VIDEO, metrics=f1(mosei=0.5, mosi=0.25)),
        make_record("constant", 0, metrics=f1(mosei=0.2, mosi=0.2, meld=0.2)),
    ]


def test_a_small_table_in_markdown(records):
    # Two values d apart have half width 12.7062 d / 2. ERM by seed: mean target .5, .41; worst target .5, .31.
    assert to_markdown(build_table(records, "f1_macro", "Single-source")) == dedent(
        """\
        ### Single-source: macro-F1

        | method                         | MOSEI (source) |            MOSI |             MELD |     mean target |     worst target |
        | :----------------------------- | -------------: | --------------: | ---------------: | --------------: | ---------------: |
        | Constant                       |           .200 |            .200 |             .200 |            .200 |             .200 |
        | ERM                            |    .650 ± .635 | **.505 ± .064** | **.405 ± 1.207** | **.455 ± .572** | **.405 ± 1.207** |
        | S2LIF (V\\|T) (simulated video) |           .500 |            .250 |                \N{EN DASH} |               \N{EN DASH} |                \N{EN DASH} |

        Macro-F1 on test: mean ± half the 95 % t-interval over 1 to 2 seeds. Selection: dev. Features: text minilm 0.1.0, simulated video. Bold: best on a target.

        - Failed: ERM, seed 2: loss is NaN at step 3
        """  # noqa: E501
    )


def test_a_small_table_in_latex(records):
    assert to_latex(build_table(records, "f1_macro", "Single-source")) == dedent(
        r"""
        \begin{table*}
        \centering
        \caption{Single-source: macro-F1. Macro-F1 on test: mean $\pm$ half the 95 \% t-interval over 1 to 2 seeds. Selection: dev. Features: text minilm 0.1.0, simulated video. Bold: best on a target.}
        \label{tab:single-source-f1_macro}
        \small
        \begin{tabular}{lccccc}
        \toprule
        method & MOSEI (source) & MOSI & MELD & mean target & worst target \\
        \midrule
        Constant & .200 & .200 & .200 & .200 & .200 \\
        ERM & .650 $\pm$ .635 & \textbf{.505 $\pm$ .064} & \textbf{.405 $\pm$ 1.207} & \textbf{.455 $\pm$ .572} & \textbf{.405 $\pm$ 1.207} \\
        S2LIF (V\textbar{}T) (simulated video) & .500 & .250 & -- & -- & -- \\
        \bottomrule
        \end{tabular}
        \\[2pt] {\footnotesize Failed: ERM, seed 2: loss is NaN at step 3}
        \end{table*}
        """  # noqa: E501
    ).lstrip("\n")


def test_a_small_table_in_csv_is_not_rounded(records):
    lines = to_csv(build_table(records[:1], "f1_macro", "Single-source")).splitlines()
    assert lines[0].startswith("row,label,selection,setting,sources,domain,role,metric,mean,sd,half,n,values")
    assert lines[1] == "erm,ERM,dev,single-A,mosei,mosei,source,f1_macro,0.6,,,1,0.6,0,,,,,"
    assert lines[4] == "erm,ERM,dev,,,mean_target,summary,f1_macro,0.5,,,1,0.5,0,,,,,"
    values = to_csv(build_table(records, "f1_macro", "Single-source")).splitlines()[7].split(",")[8:13]
    assert [float(text) for text in values[:3]] == pytest.approx([0.505, 0.01 / math.sqrt(2), 0.0635310237], rel=1e-6)
    assert values[3:] == ["2", "0.5 0.51"]


def test_several_settings_stand_side_by_side_as_in_the_papers(make_record):
    records = [
        make_record(setting="single-B", sources=("mosi",), targets=("meld", "mosei"), metrics=f1(meld=0.1)),
        make_record(metrics=f1(mosi=0.5)),
        make_record(setting=None, sources=("mine",), targets=("meld",), metrics=f1(meld=0.1)),
    ]
    table = build_table(records, "f1_macro", "Single-source")
    head = to_markdown(table).splitlines()[2]
    assert [name.strip() for name in head.strip("|").split("|")] == [
        *("method", "A: MOSEI (source)", "A: MOSI", "A: MELD"),
        *("B: MOSI (source)", "B: MELD", "B: MOSEI", "from mine: mine (source)", "from mine: MELD"),
        *("mean target", "worst target"),
    ]
    lines = to_latex(table).splitlines()
    assert lines[4] == r"\resizebox{\textwidth}{!}{%"
    assert lines[7:9] == [
        r" & \multicolumn{3}{c}{A} & \multicolumn{3}{c}{B} & \multicolumn{2}{c}{from mine} & \multicolumn{2}{c}{} \\",
        r"\cmidrule(lr){2-4}\cmidrule(lr){5-7}\cmidrule(lr){8-9}",
    ]


def test_one_name_for_two_choices_of_sources_is_told_apart(make_record):
    records = [make_record(metrics=f1(mosi=0.5)), make_record(sources=("films",), metrics=f1(mosi=0.4))]
    groups = [column.group for column in build_table(records, "f1_macro", "Single-source").columns]
    assert groups[0] == "A (MOSEI)"
    assert groups[3] == "A (films)"


def test_records_split_into_the_two_tables_of_the_papers(make_record):
    several = make_record(setting="multi-A", sources=("mosei", "meld"))
    assert split_by_sources([several, make_record()]) == {"Single-source": [make_record()], "Multi-source": [several]}
    assert list(split_by_sources([several])) == ["Multi-source"]


def test_mean_and_worst_go_over_all_settings_by_seed(make_record):
    records = [
        make_record(
            seed=s, setting=f"single-{name}", sources=(source,), targets=(target,), metrics=f1(**{target: score})
        )
        for s, scores in enumerate([(0.2, 0.4), (0.6, 0.5)])
        for name, source, target, score in zip("AB", ("mosei", "mosi"), ("mosi", "mosei"), scores, strict=True)
    ]
    *_, mean, worst = build_table(records, "f1_macro", "Single-source").rows[0].cells
    assert mean.values == pytest.approx({0: 0.3, 1: 0.55})
    assert worst.values == pytest.approx({0: 0.2, 1: 0.5})


def test_of_a_loss_the_smallest_is_best_and_the_largest_worst(make_record):
    def nll(mosi, meld):
        return {"mosi": {"nll": mosi}, "meld": {"nll": meld}}

    records = [make_record("erm", metrics=nll(1.0, 1.5)), make_record("linear", metrics=nll(1.2, 1.1))]
    erm, linear = build_table(records, "nll", "Single-source").rows
    assert [cell.is_best for cell in erm.cells[1:]] == [True, False, False, False]
    assert [cell.is_best for cell in linear.cells[1:]] == [False, True, True, True]
    assert erm.cells[-1].interval.mean == 1.5
    assert "less is better" in build_table(records, "nll", "Single-source").caption


def test_the_constant_comes_first_and_rows_can_be_chosen(make_record):
    records = [make_record(name, metrics=f1(mosi=0.5)) for name in ("erm", "mult", "constant", "linear")]
    assert [row.label for row in build_table(records, "f1_macro", "T").rows] == ["Constant", "ERM", "MulT", "Linear"]
    chosen = build_table(records, "f1_macro", "T", rows=["linear", "erm"])
    assert [row.name for row in chosen.rows] == ["constant", "linear", "erm"]


def test_a_row_selected_on_the_target_is_marked_and_never_best(make_record):
    records = [
        make_record(metrics=f1(mosi=0.5, meld=0.5)),
        make_record(selection="oracle", key="o", metrics=f1(mosi=0.9, meld=0.9)),
    ]
    table = build_table(records, "f1_macro", "T")
    assert [[cell.is_best for cell in row.cells if cell] for row in table.rows] == [[True] * 4, [False] * 4]
    assert "| ERM†" in to_markdown(table)
    assert r"ERM$^{\dagger}$ &" in to_latex(table)
    assert "†: selected on the target" in table.caption


def constant_scores(share: float, num_true: int = 2) -> dict[str, float]:
    """What calling every clip negative scores, by the formulas: F1 = 2s / (1 + s) of one class of three."""
    recalls = {"recall_negative": 1.0, "recall_neutral": 0.0, "recall_positive": 0.0 if num_true == 3 else math.nan}
    return {"accuracy": share, "f1_macro": 2 * share / (1 + share) / 3} | recalls


def test_a_score_that_a_constant_classifier_gets_is_flagged(make_record):
    records = [
        make_record(metrics={"mosi": constant_scores(0.506), "meld": constant_scores(0.481)}),
        make_record(seed=1, metrics={"mosi": constant_scores(0.506), "meld": f1(meld=0.3)["meld"]}),
        make_record("constant", metrics={"mosi": constant_scores(0.506)}),
    ]
    table = build_table(records, "accuracy", "T")
    assert table.notes[0] == (
        "‡ ERM, MOSI: 2 of 2 seeds call every clip negative, which is exactly a constant classifier's score"
    )
    assert table.notes[1].startswith("‡ ERM, MELD: 1 of 2 seeds")
    assert ".506‡" not in to_markdown(table).splitlines()[4]  # the constant itself
    assert "‡" in to_markdown(table).splitlines()[5]


def test_perfect_recall_of_one_class_alone_is_no_constant_classifier(make_record):
    # Of 4 clips (2 negative, 1 neutral, 1 positive) the neutral and the positive one are confused with each other.
    scores = constant_scores(0.5, num_true=3) | {"f1_macro": 1 / 3}
    assert build_table([make_record(metrics={"mosi": scores})], "accuracy", "T").notes == ()


def test_what_differs_from_the_reference_row_is_marked(make_record):
    records = [make_record(name, metrics=f1(mosi=0.5, meld=0.5)) for name in ("linear", "erm")]
    setting = Setting("single-A", ("mosei",))
    line = {"row": "erm", "setting": setting, "difference": 0.1, "low": 0.05, "high": 0.2, "p": 0.001, "num_videos": 9}
    comparison = pd.DataFrame(
        [line | {"domain": "mosi", "p_adjusted": 0.049}, line | {"domain": "meld", "p_adjusted": 0.051}]
    )
    table = build_table(records, "f1_macro", "T", against="linear", comparison=comparison)
    assert [cell.differs for cell in table.rows[1].cells[1:]] == [True, False, False, False]
    assert r"**.500**\*" in to_markdown(table)
    assert r"\textbf{.500}$^{*}$" in to_latex(table)
    assert "differs from Linear (paired bootstrap over videos; Holm-adjusted over 2 cells, p < .05)" in table.caption
    assert to_csv(table).splitlines()[5].endswith(",0.1,0.05,0.2,0.001,0.049")


def test_names_cannot_break_the_formats(make_record):
    row = "a_b & 50 % <i> $x^2$ {z} #1 \\ ~ `c` *d* [e]"
    records = [make_record("constant"), make_record(key="x", row=row, metrics=f1(mosi=0.5))]
    table = build_table(records, "f1_macro", "T")
    assert r"| a\_b & 50 % \<i\> $x^2$ {z} #1 \\ ~ \`c\` \*d\* \[e\] |" in to_markdown(table)
    assert (
        r"a\_b \& 50 \% \textless{}i\textgreater{} \$x\textasciicircum{}2\$ \{z\} \#1 \textbackslash{} "
        r"\textasciitilde{} `c` *d* [e] &"
    ) in to_latex(table)


def test_a_row_alone_is_not_the_best(make_record):
    (row,) = build_table([make_record(metrics=f1(mosi=0.5, meld=0.5))], "f1_macro", "T").rows
    assert not any(cell.is_best for cell in row.cells if cell)


def test_test_sets_of_few_videos_are_named(make_record):
    records = [
        make_record(row, key=row, metrics=f1(mosi=0.5, meld=0.5, mosei=0.5), targets=("mosi", "meld", "mosei"))
        for row in ("erm", "linear")
    ]
    setting = Setting(records[0].setting, records[0].source_domains)
    found = [
        {"row": "erm", "setting": setting, "domain": domain, "difference": 0.1, "low": 0.0, "high": 0.2}
        | {"p": p, "p_adjusted": p, "num_videos": number}
        for domain, number, p in (("mosi", 3, 0.25), ("meld", 1, math.nan), ("mosei", 10, 0.5))
    ]
    table = build_table(records, "f1_macro", "T", against="linear", comparison=pd.DataFrame(found))
    said = "Few test videos to draw from: MOSI has 3 (no p below 0.25); MELD has 1 (not tested: nothing can be drawn)"
    assert said in table.notes


def test_nan_is_a_dash_and_never_best(make_record):
    def recall(value):
        return {"mosi": {"recall_neutral": value}}

    records = [make_record(metrics=recall(math.nan)), make_record("linear", metrics=recall(0.1))]
    erm, linear = build_table(records, "recall_neutral", "T").rows
    assert not erm.cells[1].is_best
    assert linear.cells[1].is_best
    assert [
        line.split("|")[3].strip()
        for line in to_markdown(build_table(records, "recall_neutral", "T")).splitlines()[4:6]
    ] == [
        "\N{EN DASH}",
        "**.100**",
    ]


def test_a_row_of_failures_only_is_still_a_row(make_record):
    records = [make_record(metrics=f1(mosi=0.5)), make_record("mult", error="out of memory")]
    table = build_table(records, "f1_macro", "T")
    assert table.rows[1].cells == (None,) * len(table.columns)
    assert table.notes == ("Failed: MulT, seed 0: out of memory",)


def test_order_of_records_within_a_row_changes_nothing(records):
    shuffled = [records[1], records[0], *records[2:]]
    found, again = (to_csv(build_table(some, "f1_macro", "T")) for some in (records, shuffled))
    assert found == again


def test_a_row_names_the_simulated_features_that_it_reads_and_no_others(make_record):
    scores = f1(mosei=0.5, mosi=0.25)
    reads = {"erm (text)": ["text"], "erm (text, video)": ["text", "video"], "constant": []}
    records = [
        make_record(row, 0, features=VIDEO, metrics=scores, extra={"modalities": modalities})
        for row, modalities in reads.items()
    ]
    labels = [row.label for row in build_table(records, "f1_macro", "Single-source").rows]
    assert labels == ["Constant", "ERM (text)", "ERM (text, video) (simulated video)"]
