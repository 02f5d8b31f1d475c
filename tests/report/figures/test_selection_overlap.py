"""The overlap's figure: the names of what is compared can be read."""

from itertools import combinations, pairwise

import pandas as pd
import pytest

from msadg.analysis.measurement import Measurement
from msadg.report.figures.selection_overlap import draw


@pytest.mark.parametrize("domains", [("a", "b", "c"), ("vignettes-films", "vignettes-sitcom", "vignettes-vlogs")])
def test_no_name_below_the_axis_runs_into_the_next(domains: tuple[str, ...]):
    rows = [
        {"row": "s2lif", "compared": "two domains", "seed": 0, "between": f"{one} & {other}", "modality": modality}
        | {"shared": 3, "expected": 2.0, "low": 1.0, "high": 4.0}
        for modality in ("text", "video")
        for one, other in combinations(domains, 2)
    ]
    figure = draw(Measurement(name="n", title="t", caption="c", alternative="a", table=pd.DataFrame(rows)))
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
