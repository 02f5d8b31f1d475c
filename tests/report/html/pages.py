"""A page with one of everything, made of nothing."""

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from msadg.analysis.case import Case, FeatureShare, StepShare
from msadg.analysis.case_words import WordShare
from msadg.analysis.measurement import Measurement
from msadg.report.html.content import Content, ShownCase, ShownMeasurement, content_of
from msadg.report.html.frames import _picture
from msadg.report.html.grid import grid_of_frame
from msadg.report.html.page import render_page
from msadg.report.html.svg import inline_svg
from msadg.report.overall_table import Overall
from msadg.report.writing import build_tables
from msadg.results.overall import COLUMNS
from msadg.types import SENTIMENT
from tests.records import record_of

ATTACK = "<script>alert(1)</script>"

CASE = Case(
    kind="wrong and sure",
    row="s2lif",
    sources=("mosei",),
    seed=0,
    domain="vignettes-films",
    clip_id='vignettes-films/test/x" onerror="alert(2)',
    label_set=SENTIMENT,
    truth=0,
    true_polarity=-1.0,
    predicted=2,
    probabilities=(0.1, 0.2, 0.7),
    predicted_polarity=None,
    confidence=0.7,
    num_alike=3,
    num_clips=20,
    how="evidence",
    modality_shares={"text": -0.5, "video": 0.5},
    text=f"loved {ATTACK} it",
    words=(WordShare("loved", -0.3), WordShare(ATTACK, 0.2), WordShare("it", 0.0)),
    no_word=0.01,
    steps=(StepShare("video", 3, 0.25, 0.4, True),),
    features=(FeatureShare("text", 5, 64, -0.2),),
)


def records() -> list:
    """Two rows, two seeds, one that failed."""
    made = [
        record_of(
            row,
            seed,
            metrics={d: {"f1_macro": score, "accuracy": score} for d in ("mosei", "mosi", "meld")},
            environment={"torch": "2.0", "threads": 1},
        )
        for row, scores in (("erm", (0.3, 0.7)), ("linear", (0.4, 0.42)))
        for seed, score in enumerate(scores)
    ]
    return [*made, record_of("s2lif", 0, error="RunError: <b>out of luck</b>")]


def measurement(name: str = "well") -> Measurement:
    """A measurement of nothing."""
    return Measurement(
        name=name,
        title="A measurement",
        caption="What <i>it</i> shows.",
        alternative="It rises.",
        table=pd.DataFrame({"modality": ["text"] * 70, "share_kept": np.linspace(0, 1, 70)}),
        warnings=("A feature never varies.",),
    )


def figure() -> Figure:
    """Any."""
    made = Figure(figsize=(3, 2))
    axes = made.subplots()
    axes.plot([1, 2], [1, 2], marker="o", label="rising")
    axes.legend()
    return made


def content() -> Content:
    """One of everything."""
    from dataclasses import replace

    found = records()
    tables = build_tables(found, lambda _: None, ["f1_macro"])
    shown = [
        ShownMeasurement(
            measurement=measurement(name),
            grid=grid_of_frame("A measurement", measurement(name).table),
            figure=Markup(inline_svg(figure, f"m-{name}", "A measurement", "It rises.")),
        )
        for name in ("one", "two")
    ]
    frame = _picture(np.full((40, 60, 3), 90, np.uint8), CASE.steps[0])
    return replace(
        content_of("A <page>", found, tables, [], overall=[Overall(compared(), "linear", "f1_macro", {"erm": "ERM"})]),
        measurements=shown,
        cases=[ShownCase(case=CASE, frames=[frame], no_frames="")],
        case_notes=["Transcripts of mosi are withheld."],
    )


def compared() -> pd.DataFrame:
    """A row against another over all targets."""
    return pd.DataFrame(
        [dict(zip(COLUMNS, ("erm", 2, 0.5, 0.41, 0.09, 0.02, 0.16, 0.01, 0.01, 2, 0.04, 0.14), strict=True))]
    )


def page_of() -> str:
    """The page as text."""
    return render_page(content())
