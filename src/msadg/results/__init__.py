"""Record: one run, on disk and aggregated."""

from msadg.results.aggregate import compare, to_frame
from msadg.results.journal import append_record, read_records
from msadg.results.predictions import Predictions, read_predictions, write_predictions
from msadg.results.record import Record, digest_of
from msadg.results.statistics import Difference, holm, paired_cluster_bootstrap, t_interval

__all__ = [
    "Difference",
    "Predictions",
    "Record",
    "append_record",
    "compare",
    "digest_of",
    "holm",
    "paired_cluster_bootstrap",
    "read_predictions",
    "read_records",
    "t_interval",
    "to_frame",
    "write_predictions",
]
