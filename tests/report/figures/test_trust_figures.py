"""Figures of calibration, trust and faithfulness: they draw the table's numbers, and each group that a legend names."""

import numpy as np
import pandas as pd
import pytest

from msadg.analysis.measurement import Measurement
from msadg.report.curves import COLOURS
from msadg.report.figure_files import write_figure
from msadg.report.figures import coverage, faithfulness, reliability, shift_errors

RUNS = [("erm", "a", 0), ("erm", "a", 1), ("_odd $x$", "a", 0)]


def measured(rows: list[dict]) -> Measurement:
    return Measurement(name="n", title="t", caption="c", alternative="a", table=pd.DataFrame(rows))


def cells(*parts: dict) -> list[dict]:
    runs = [{"row": row, "sources": sources, "seed": seed} for row, sources, seed in RUNS]
    domains = [{"domain": "a", "role": "source"}, {"domain": "b", "role": "target"}]
    return [run | domain | part for run in runs for domain in domains for part in parts]


@pytest.fixture
def bins() -> Measurement:
    rows = cells(
        {"bin": 0, "confidence": 0.4, "share_right": 0.3, "num_clips": 5, "ece": 0.2},
        {"bin": 1, "confidence": 0.9, "share_right": 0.6, "num_clips": 5, "ece": 0.2},
    )
    for row in rows:
        row["share_right"] += 0.1 * row["seed"]
    return measured(rows)


def test_a_diagram_s_marks_are_means_over_seeds(bins):
    figure = reliability.draw(bins)
    axes = figure.axes[1]
    assert [axes.get_title() for axes in figure.axes] == ["a (source)", "b (target)"]
    (mean,) = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(mean.get_ydata(), [0.35, 0.65])
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == " _odd $x$"


def test_calibration_before_is_hollow_and_after_is_filled():
    figure = reliability.draw_errors(measured(cells({"ece_before": 0.3, "ece_after": 0.1})))
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata()[0] for line in hollow] == [0.3, 0.3]


def test_coverage_has_a_panel_for_each_measure_and_domain():
    rows = cells(
        *({"measure": m, "coverage": c, "value": c / 2} for m in ("accuracy", "f1_macro") for c in (0.5, 1.0)),
        {"measure": "aurc", "coverage": np.nan, "value": 0.3},
    )
    figure = coverage.draw(measured(rows))
    assert len(figure.axes) == 4
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [50, 100])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0.25, 0.5])


@pytest.mark.parametrize("without", ["erm", "_odd $x$"])
def test_a_row_without_any_area_is_left_out_and_the_others_keep_their_colours(without: str):
    known = {"auroc": 0.6, "low": 0.5, "high": 0.7, "share_far": 0.1, "median_ratio": 1.0}
    rows = cells({"score": "rejected", "modality": "text"} | known, {"score": "doubt", "modality": ""} | known)
    for row in rows:
        if row["row"] == without:
            row["auroc"] = np.nan
    figure = shift_errors.draw(measured(rows))
    (drawn,) = figure.axes[0].containers
    assert drawn.lines[0].get_color() == COLOURS[1 if without == "erm" else 0]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["doubt", "rejected text"]
    assert not figure.legends


def test_deletion_has_a_panel_for_each_domain_unit_and_modality(tmp_path):
    rows = cells(
        *(
            {"modality": m, "unit": u, "test": "deletion", "measure": "probability", "order": o, "share": s, "value": s}
            for m in ("text", "video")
            for u in ("steps", "features")
            for o in ("evidence", "reverse", "random")
            for s in (0.0, 1.0)
        )
    )
    found = measured(rows)
    assert len(faithfulness.draw(found).axes) == 8
    first = [path.read_bytes() for path in write_figure(lambda: faithfulness.draw(found), "f", tmp_path)]
    assert first == [path.read_bytes() for path in write_figure(lambda: faithfulness.draw(found), "f", tmp_path)]
