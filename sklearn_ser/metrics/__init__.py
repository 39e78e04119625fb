"""Scores of emotion recognition: unweighted average recall and its scorers."""

from sklearn_ser.metrics._uar import make_uar_scorer, uar_score, uar_scorer

__all__ = ["make_uar_scorer", "uar_score", "uar_scorer"]
