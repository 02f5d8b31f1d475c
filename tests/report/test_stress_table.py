"""Stress as tables and figures: every number is there, every label is legible."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from msadg.analysis.stress import Stress
from msadg.analysis.stress_curves import MEASURES, StressedRun, curves_of
from msadg.methods.build import MethodSpec
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment
from msadg.report.curves import COLOURS, draw_curves, style_of, write_curves
from msadg.report.names import MISSING
from msadg.report.stress_table import MEASURE_NAMES, to_csv, to_markdown, to_short_table

RATES = {"drop": (0.0, 0.1, 0.5), "missing": (0.0, 1.0)}


def run_of(label: str, seed: int = 0, *, slope: float = 0.2, modalities: tuple[str, ...] = ("video",)) -> StressedRun:
    """Moves by ``slope`` times the rate; macro-F1 is .6 and falls by as much."""
    experiment = Experiment(
        row="erm", method=MethodSpec(name="erm"), domains=DomainSplit(("a", "b"), ("c",)), seed=seed
    )
    found = []
    for modality in modalities:
        for kind, rates in RATES.items():
            for rate in rates:
                moved = slope * rate + 0.01 * seed * (rate > 0)
                values = dict.fromkeys(("js_distance", "total_variation", "flip_share"), (moved, moved))
                values |= dict.fromkeys(("accuracy", "f1_macro"), (0.6 - moved,))
                values |= dict.fromkeys(("accuracy_change", "f1_macro_change"), (-moved,))
                by_clip = {"js_distance": np.array([moved, moved, 0.0])}
                found.append(
                    Stress(
                        domain="c",
                        modality=modality,
                        kind=kind,
                        rate=rate,
                        values=values,
                        by_clip=by_clip,
                        video_id=("u", "v", "w"),
                    )
                )
    return StressedRun(label=label, experiment=experiment, found=found)


def test_the_csv_has_one_line_for_every_number_and_rounds_nothing():
    rows = list(csv.DictReader(io.StringIO(to_csv([run_of("plain", slope=1 / 3), run_of("varied")]))))
    assert len(rows) == 2 * 5 * (3 * 2 + 4)  # runs, cells, three measures of two repeats and four of one
    (row,) = [
        r
        for r in rows
        if (r["label"], r["kind"], r["rate"], r["measure"], r["repeat"]) == ("plain", "drop", "0.5", "js_distance", "1")
    ]
    assert float(row["value"]) == 1 / 3 * 0.5
    assert (row["sources"], row["domain"], row["role"], row["seed"], row["num_clips"]) == (
        "a+b",
        "c",
        "target",
        "0",
        "3",
    )


def test_the_short_table_says_how_far_and_at_what_cost():
    table = to_short_table(curves_of([run_of("erm"), run_of("erm", seed=1), run_of("s2lif", slope=0.0)]))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert rows[0] == ["method", "macro-F1", "drop 50 %", "missing"]
    assert rows[2] == ["ERM", ".600", ".105 (-.105)", ".205 (-.205)"]  # .2 x .5, half a hundredth for the seeds
    assert rows[3] == ["S2LIF", ".600", ".000 (+.000)", ".000 (+.000)"]


def test_the_markdown_has_a_table_for_each_measure_and_says_what_its_brackets_are():
    text = to_markdown(curves_of([run_of("erm"), run_of("erm", seed=1)]), "# Title")
    assert text.startswith("# Title\n\n") and text.count("\n## video: ") == 7  # as many measures as the runs have
    assert "t-interval over seeds" in text and "bootstrap" not in text
    # t of .975 at one degree of freedom is 12.706; the standard error of .1 and .11 is .005.
    (line,) = [line for line in text.split("## video: total")[0].splitlines() if line.startswith("| ERM    |    drop")]
    assert [cell.strip() for cell in line.strip("|").split("|")][2:] == [
        ".000", ".025 [-.039, .089]", ".105 [.041, .169]", MISSING,
    ]  # fmt: skip
    assert "bootstrap over videos" in to_markdown(curves_of([run_of("erm")]), "# Title")


def test_a_figure_has_a_panel_for_each_kind_and_modality_and_each_label_once():
    labels = ["erm", "s2lif (V|T)", "_under", "$x$", *(f"row {n}" for n in range(6))]
    curves = curves_of([run_of(label, slope=0.1 * n, modalities=("audio", "video")) for n, label in enumerate(labels)])
    figure = draw_curves(curves, "js_distance")
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in panels] == [
        "audio: steps dropped", "audio: modality missing", "video: steps dropped", "video: modality missing",
    ]  # fmt: skip
    assert panels[0].get_xlabel() == "share of steps, %"
    assert panels[0].get_ylabel() == "Jensen-Shannon distance, 0 to 1"
    assert panels[0].get_lines()[1].get_xydata().tolist() == pytest.approx(np.array([[0, 0], [10, 0.01], [50, 0.05]]))
    assert panels[0].get_ylim() == panels[2].get_ylim() and panels[0].get_ylim()[0] == 0
    (legend,) = figure.legends
    assert [text.get_text().strip() for text in legend.get_texts()] == ["ERM", "S2LIF (V|T)", *labels[2:]]


@pytest.mark.parametrize("num_labels", [1, 3, 16])
def test_the_legend_lies_below_the_panels_and_inside_the_figure(num_labels: int):
    figure = draw_curves(curves_of([run_of(f"a method of some name {n}") for n in range(num_labels)]), "f1_macro")
    FigureCanvasAgg(figure).draw()  # lays it out
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0
    for axes in figure.axes:
        assert axes.get_tightbbox().y0 >= box.y1
        assert axes.get_window_extent().height > 100  # pixels at 150 dpi: not squeezed out by the legend


def test_no_two_of_28_labels_look_alike():
    looks = [(s["color"], s["marker"], s["linestyle"]) for s in map(style_of, range(28))]
    assert len(set(looks)) == 28
    assert len({look[:2] for look in looks}) == len(COLOURS)


def test_the_files_are_whole_and_the_same_each_time(tmp_path):
    curves = curves_of([run_of("erm"), run_of("s2lif", slope=0.4)])
    first = [path.read_bytes() for path in write_curves(curves, "f1_macro_change", tmp_path / "one")]
    again = [path.read_bytes() for path in write_curves(curves, "f1_macro_change", tmp_path / "two")]
    assert first == again
    assert first[0][:8] == b"\x89PNG\r\n\x1a\n" and b"</svg>" in first[1]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "stress-f1_macro_change.png", "stress-f1_macro_change.svg",
    ]  # fmt: skip


def test_a_measure_without_an_interval_is_drawn_without_a_band():
    point = next(c for c in curves_of([run_of("erm")]) if (c.kind, c.measure) == ("missing", "f1_macro")).points[-1]
    assert math.isnan(point.low)
    figure = draw_curves(curves_of([run_of("erm")]), "f1_macro")
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == pytest.approx([0.6, 0.58, 0.5])


def test_every_measure_has_a_name_and_those_of_a_regression_their_own_table_and_unit():
    assert set(MEASURE_NAMES) == set(MEASURES)
    run = run_of("erm + SV")
    shifted = [replace(s, values={**s.values, "polarity_shift": s.values["js_distance"]}) for s in run.found]
    for stress in shifted:
        del stress.values["js_distance"]
    both = curves_of([run_of("erm"), replace(run, found=shifted)])
    first, second = to_short_table(both).split("\n\nvideo: ")
    assert "| ERM " in first and "+ SV" not in first
    assert second.startswith("mean shift of the predicted polarity, in points of -3 to 3") and "| ERM + SV " in second
    assert draw_curves(both, "polarity_shift").axes[0].get_ylabel() == "mean shift of polarity, points"
