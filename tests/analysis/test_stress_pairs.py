"""Rows held against each other seed by seed: the tests are SciPy's, and relying on less is told from moving less."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from msadg.analysis.stress import Stress
from msadg.analysis.stress_curves import PlannedRun, StressedRun
from msadg.analysis.stress_pairs import StressPair, pairs_of, planned_comparisons
from msadg.errors import UnknownNameError, UsageError
from msadg.methods.build import MethodSpec
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment

MOVED = {  # by seed: at drop .1, drop .5, missing
    "plain": [(0.02, 0.10, 0.40), (0.03, 0.14, 0.44), (0.02, 0.12, 0.48)],
    "steady": [(0.01, 0.06, 0.40), (0.02, 0.07, 0.42), (0.01, 0.09, 0.46)],
    "deaf": [(0.01, 0.05, 0.20), (0.01, 0.07, 0.22), (0.01, 0.06, 0.24)],
}


def run_of(label: str, seed: int) -> StressedRun:
    cells = [("drop", 0.0, 0.0), *zip(("drop", "drop", "missing"), (0.1, 0.5, 1.0), MOVED[label][seed], strict=True)]
    found = [
        Stress(
            domain="c",
            modality="video",
            kind=kind,
            rate=rate,
            values={"js_distance": (moved - 0.01, moved + 0.01), "flip_share": (moved,), "f1_macro_change": (-moved,)},
            by_clip={},
            video_id=("u",),
        )
        for kind, rate, moved in cells
    ]
    domains = DomainSplit(("a",), ("c",))
    experiment = Experiment(row="erm", method=MethodSpec(name="erm"), domains=domains, seed=seed)
    return StressedRun(label=label, experiment=experiment, found=found)


RUNS = [run_of(label, seed) for label in MOVED for seed in (0, 1, 2)]


def pair_of(pairs: list[StressPair], **wanted: object) -> StressPair:
    (chosen,) = [pair for pair in pairs if all(getattr(pair, key) == value for key, value in wanted.items())]
    return chosen


def test_differences_are_tested_by_paired_t_over_seeds_and_adjusted_by_holm():
    pairs = pairs_of(RUNS, [("steady", "plain")])
    moved = {label: np.array(values) for label, values in MOVED.items()}
    expected = [ttest_rel(moved["steady"][:, i], moved["plain"][:, i]) for i in (1, 2)]
    drop, missing = (pair_of(pairs, kind=kind, measure="js_distance") for kind in ("drop", "missing"))
    assert_allclose([drop.p, missing.p], [found.pvalue for found in expected], rtol=1e-12)
    assert_allclose([drop.p_adjusted, missing.p_adjusted], multipletests([drop.p, missing.p], method="holm")[1])
    low, high = expected[0].confidence_interval(0.95)
    assert_allclose([drop.low, drop.high], [low, high], rtol=1e-9)
    assert_allclose([drop.first, drop.second], [(0.06 + 0.07 + 0.09) / 3, 0.12])
    assert drop.rate == 0.5 and drop.num_seeds == 3  # the highest, for each kind


def test_relative_movement_tells_stability_from_relying_on_less():
    pairs = pairs_of(RUNS, [("steady", "plain"), ("deaf", "plain")])
    relative = {label: pair_of(pairs, label=label, measure="relative_js_distance") for label in ("steady", "deaf")}
    assert_allclose(relative["deaf"].first, np.mean([0.05 / 0.20, 0.07 / 0.22, 0.06 / 0.24]))
    assert_allclose(relative["deaf"].second, np.mean([0.10 / 0.40, 0.14 / 0.44, 0.12 / 0.48]))
    assert relative["deaf"].first == pytest.approx(relative["deaf"].second)  # half the movement, half the reliance
    assert relative["steady"].first < relative["steady"].second
    assert not [pair for pair in pairs if pair.measure == "relative_f1_macro_change" or pair.measure == "flip_share"]


def test_what_cannot_be_compared_is_named():
    with pytest.raises(UnknownNameError, match="curve to compare 'stead'; did you mean 'steady'"):
        pairs_of(RUNS, [("stead", "plain")])
    with pytest.raises(UsageError, match=r"steady and plain share 1 seed, .* two at least"):
        pairs_of([run_of("steady", 0), run_of("plain", 0)], [("steady", "plain")])


def planned(label: str, source: str = "a", target: str = "c", seeds: tuple[int, ...] = (0, 1)) -> list[PlannedRun]:
    return [PlannedRun(label, seed, (source,), (target,)) for seed in seeds]


def test_a_row_of_several_settings_is_held_against_the_other_in_each():
    runs = [*planned("x"), *planned("y"), *planned("x", "b"), *planned("y", "b"), *planned("y", "c", "a")]
    in_each = [("x, a to c", "y, a to c"), ("x, b to c", "y, b to c")]
    assert planned_comparisons(runs, [("x", "y")]) == in_each
    assert planned_comparisons(runs, [("x", "y, b to c")]) == in_each[1:]
    across = [("x, a to c", "y, c to a")]  # as asked for, word by word
    assert planned_comparisons(runs, across) == across
    assert planned_comparisons([*planned("x"), *planned("y")], [("x", "y")]) == [("x", "y")]


def test_what_cannot_be_compared_is_told_before_anything_is_scored():
    runs = [*planned("x"), *planned("y", seeds=(0,)), *planned("xyz")]
    with pytest.raises(UnknownNameError, match="curve to compare 'xz'; did you mean 'xyz'"):
        planned_comparisons(runs, [("xz", "x")])  # begins with a row's name, and is none
    with pytest.raises(UsageError, match="x and y share 1 seed, "):
        planned_comparisons(runs, [("x", "y")])
    with pytest.raises(UsageError, match="x and z have no curves of the same sources and domains"):
        planned_comparisons([*runs, *planned("z", "b")], [("x", "z")])
