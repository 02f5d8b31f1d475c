"""The overlap's figure: the names of what is compared can be read."""

from itertools import combinations, pairwise

import pandas as pd
import pytest

from msadg.analysis.measurement import Measurement
from msadg.report.figures.selection_overlap import draw


@pytest.fixture
def table() -> pd.DataFrame:
    domains = ("vignettes-films", "vignettes-sitcom", "vignettes-vlogs")
    pairs = [("two domains", f"{one} & {other}") for one, other in combinations(domains, 2)]
    kinds = [*pairs, ("all domains", " & ".join(domains)), ("two seeds", "seed 0 & seed 1")]
    return pd.DataFrame(
        {"row": "s2lif", "compared": compared, "seed": 0, "between": between, "modality": modality}
        | {"shared": 3, "expected": 2.0, "low": 1.0, "high": 4.0}
        for modality in ("text", "video")
        for compared, between in kinds
    )


def test_no_name_beside_the_axis_runs_into_the_next_and_the_control_comes_last(table):
    figure = draw(Measurement(name="n", title="t", caption="c", alternative="a", table=table.iloc[::-1]))
    figure.canvas.draw()
    labels = figure.axes[0].get_yticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    assert all(box.x1 <= figure.axes[0].get_window_extent().x0 for box in boxes)
    assert [label.get_text() for label in labels][-2:] == ["all of them", "two seeds (control)"]
    first, second = figure.axes
    assert first.get_tightbbox().x1 <= second.get_window_extent().x0
