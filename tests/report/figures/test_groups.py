"""Which groups a figure of many runs shows."""

import pandas as pd

from msadg.report.figures.groups import MOST_GROUPS, groups_of, num_left_out


def test_every_row_has_its_turn_before_any_has_all_its_sources():
    groups = [("s2lif", str(source)) for source in range(9)] + [("mult", "0"), ("almt", "0"), ("almt", "1")]
    table = pd.DataFrame(groups, columns=["row", "sources"])
    found = groups_of(table)
    assert len(found) == MOST_GROUPS and num_left_out(table) == 4
    assert {("mult", "0"), ("almt", "0"), ("almt", "1")} <= set(found)
    assert found == [group for group in groups if group in found]  # in the order met
    assert groups_of(table.head(3)) == groups[:3]
