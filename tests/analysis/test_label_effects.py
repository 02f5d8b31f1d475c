"""How much the label explains, against scipy's and statsmodels' analyses of variance."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from msadg.analysis.label_effects import label_effects
from msadg.errors import UsageError


def indicators(codes: np.ndarray) -> np.ndarray:
    return np.eye(codes.max() + 1)[codes]


def data(num_clips: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    label, domain = chance.integers(3, size=num_clips), chance.integers(2, size=num_clips)
    features = chance.normal(size=(num_clips, 4)) + np.outer(label == 2, [0, 0.5, 1, 2]) + 3 * domain[:, None]
    return features, label, domain


def test_the_f_test_is_scipys_one_way_analysis_of_variance():
    features, label, _ = data()
    found = label_effects(features, indicators(label))
    expected = stats.f_oneway(*[features[label == k] for k in range(3)])
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert (found.num_label, found.num_left) == (2, 87)
    total = ((features - features.mean(axis=0)) ** 2).sum(axis=0)
    within = sum(((features[label == k] - features[label == k].mean(axis=0)) ** 2).sum(axis=0) for k in range(3))
    assert found.eta_squared == pytest.approx(1 - within / total, rel=1e-9)


def test_of_several_domains_it_is_the_label_s_test_beside_the_domain():
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    features, label, domain = data()
    found = label_effects(features, indicators(label), indicators(domain))
    for at in range(4):
        frame = pd.DataFrame({"x": features[:, at], "label": label, "domain": domain})
        table = anova_lm(ols("x ~ C(domain) + C(label)", frame).fit(), typ=2)
        assert found.p[at] == pytest.approx(table.loc["C(label)", "PR(>F)"], rel=1e-8)
        explained = table.loc["C(label)", "sum_sq"]
        assert found.eta_squared[at] == pytest.approx(explained / (explained + table.loc["Residual", "sum_sq"]))


def test_of_a_polarity_it_is_the_square_of_pearsons_correlation_and_its_t_test():
    features, label, _ = data()
    polarity = label + np.random.default_rng(1).normal(size=90)
    found = label_effects(features, polarity[:, None])
    for at in range(4):
        r, p = stats.pearsonr(features[:, at], polarity)
        assert found.eta_squared[at] == pytest.approx(r**2)
        assert found.p[at] == pytest.approx(p, rel=1e-9)


def test_a_constant_feature_is_explained_neither_wholly_nor_not_at_all():
    features, label, _ = data()
    features[:, 1] = 0.3
    found = label_effects(features, indicators(label))
    assert np.isnan(found.eta_squared[1]) and np.isnan(found.p[1])
    assert not np.isnan(found.eta_squared[[0, 2, 3]]).any()


def test_a_label_that_is_the_same_for_every_clip_is_told():
    features, _, domain = data()
    with pytest.raises(UsageError, match="every clip has the same label"):
        label_effects(features, np.ones((90, 1)))
    with pytest.raises(UsageError, match="every clip has the same label"):
        label_effects(features, indicators(domain), indicators(domain))  # of each domain
    with pytest.raises(UsageError, match="3 clips are too few"):
        label_effects(features[:3], np.eye(3))
