"""Every measurement that ``msadg analyse`` makes, in the order in which they are shown."""

from __future__ import annotations

MEASURED_BY: tuple[str, ...] = (
    "msadg.analysis.selected_features:measure",
    "msadg.analysis.selection_overlap:measure",
    "msadg.analysis.keep_ratio:measure",
    "msadg.analysis.dependence:measure_across",
    "msadg.analysis.dependence:measure_within",
    "msadg.analysis.label_dependence:measure",
    "msadg.analysis.label_dependence:measure_shares",
    "msadg.analysis.cases:measure_cases",
    "msadg.analysis.recovery_table:measure",
    "msadg.analysis.recovery_order:measure",
    "msadg.analysis.faithfulness:measure",
    "msadg.analysis.calibration:measure",
    "msadg.analysis.temperature:measure",
    "msadg.analysis.coverage:measure",
    "msadg.analysis.shift_errors:measure",
)
"""``module:function``, imported when it is called; each takes trained runs and returns a Measurement, or None where
nothing of the kind could be measured of any of them."""
