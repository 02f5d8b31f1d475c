"""Figures of measurements: one file for each kind, each with ``draw(measurement) -> Figure``.

A drawing function is imported when its figure is drawn, never before: matplotlib takes a second.
"""

from __future__ import annotations

DRAWN_BY: dict[str, str] = {
    "selected-features": "msadg.report.figures.selected_features:draw",
    "selection-overlap": "msadg.report.figures.selection_overlap:draw",
    "keep-ratio": "msadg.report.figures.keep_ratio:draw",
    "dependence-across": "msadg.report.figures.dependence:draw",
    "dependence-within": "msadg.report.figures.dependence:draw",
    "label-dependence": "msadg.report.figures.label_dependence:draw",
    "label-dependence-shares": "msadg.report.figures.label_dependence_shares:draw",
    "cases": "msadg.report.figures.cases:draw",
    "recovery": "msadg.report.figures.recovery:draw",
    "learning-in-order": "msadg.report.figures.recovery_order:draw",
    "reliability": "msadg.report.figures.reliability:draw",
    "calibration": "msadg.report.figures.reliability:draw_errors",
    "coverage": "msadg.report.figures.coverage:draw",
    "shift-errors": "msadg.report.figures.shift_errors:draw",
    "faithfulness": "msadg.report.figures.faithfulness:draw",
}
"""Name of a measurement -> what draws it, as ``module:function``."""
