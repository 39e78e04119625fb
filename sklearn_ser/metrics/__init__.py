"""Scores of emotion recognition: recall, agreement of numbers, calibration, groups."""

from sklearn_ser.metrics._agreement import mean_absolute_error, pearson_cc
from sklearn_ser.metrics._brier import brier_score
from sklearn_ser.metrics._calibration import expected_calibration_error
from sklearn_ser.metrics._class_scores import macro_f1_score, recall_by_class, war_score
from sklearn_ser.metrics._concordance import concordance_cc
from sklearn_ser.metrics._corrections import CorrectedTTest, corrected_t_test, holm
from sklearn_ser.metrics._groups import GroupGap, group_gap, group_scores
from sklearn_ser.metrics._intervals import ClusterInterval, cluster_interval
from sklearn_ser.metrics._one_vs_rest import auc_score, equal_error_rate
from sklearn_ser.metrics._paired import PairedTest, paired_test
from sklearn_ser.metrics._ranks import CriticalDifference, critical_difference
from sklearn_ser.metrics._scorers import (
    auc_scorer,
    ccc_scorer,
    macro_f1_scorer,
    make_group_scorer,
    make_recall_scorers,
    make_ser_scorer,
    make_uar_scorer,
    neg_brier_scorer,
    neg_ece_scorer,
    neg_eer_scorer,
    neg_mae_scorer,
    pearson_scorer,
    uar_scorer,
    war_scorer,
)
from sklearn_ser.metrics._uar import uar_score

__all__ = [
    "ClusterInterval",
    "CorrectedTTest",
    "CriticalDifference",
    "GroupGap",
    "PairedTest",
    "auc_score",
    "auc_scorer",
    "brier_score",
    "ccc_scorer",
    "cluster_interval",
    "concordance_cc",
    "corrected_t_test",
    "critical_difference",
    "equal_error_rate",
    "expected_calibration_error",
    "group_gap",
    "group_scores",
    "holm",
    "macro_f1_score",
    "macro_f1_scorer",
    "make_group_scorer",
    "make_recall_scorers",
    "make_ser_scorer",
    "make_uar_scorer",
    "mean_absolute_error",
    "neg_brier_scorer",
    "neg_ece_scorer",
    "neg_eer_scorer",
    "neg_mae_scorer",
    "paired_test",
    "pearson_cc",
    "pearson_scorer",
    "recall_by_class",
    "uar_score",
    "uar_scorer",
    "war_score",
    "war_scorer",
]
