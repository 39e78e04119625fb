"""Scores of emotion recognition: recall, agreement of numbers, calibration."""

from sklearn_ser.metrics._calibration import expected_calibration_error
from sklearn_ser.metrics._concordance import concordance_cc
from sklearn_ser.metrics._uar import make_uar_scorer, uar_score, uar_scorer

__all__ = [
    "concordance_cc",
    "expected_calibration_error",
    "make_uar_scorer",
    "uar_score",
    "uar_scorer",
]
