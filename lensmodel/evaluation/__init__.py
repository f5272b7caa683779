"""Models against the truth: figures of merit, their intervals, and what they depend on. NumPy only.

`truth` reads what is known of the objects, `metrics` and `intervals` are pure functions, `breakdowns` makes
the groups of lenses, `comparison` applies them to the models of a campaign, `records` is `metrics.json`.
For explanation maps `explanation_metrics` and `explanation_figures`, of `lenses_with_arcs`; `lensmodel.explain.proof`
makes the maps.
"""

from lensmodel.evaluation.metrics import (
    auroc,
    completeness_at,
    expected_calibration_error,
    position_error_arcsec,
)

__all__ = ["auroc", "completeness_at", "expected_calibration_error", "position_error_arcsec"]
