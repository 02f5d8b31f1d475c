"""(prediction, label) -> number: classification, regression, and both by domain."""

from msadg.metrics.by_domain import HEADLINES, LOWER_IS_BETTER, summarise_domains
from msadg.metrics.classification import classification_metrics
from msadg.metrics.confusion import f1_macro
from msadg.metrics.regression import polarity_scores, regression_metrics

__all__ = [
    "HEADLINES",
    "LOWER_IS_BETTER",
    "classification_metrics",
    "f1_macro",
    "polarity_scores",
    "regression_metrics",
    "summarise_domains",
]
