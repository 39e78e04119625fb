"""The metrics by name, and what everything above them must know of each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sklearn_ser.metrics._agreement import concordance_cc, mean_absolute_error, pearson_cc
from sklearn_ser.metrics._calibration import brier_score, expected_calibration_error
from sklearn_ser.metrics._class_scores import macro_f1_score, uar_score, war_score
from sklearn_ser.metrics._one_vs_rest import auc_score, equal_error_rate


@dataclass(frozen=True)
class Metric:
    """A metric ``function(truth, prediction)``.

    `needs` is what a prediction is: a "class", a "number", or "scores" and "probabilities" of
    each class; None for a function of the user's own.
    """

    name: str
    function: Callable
    needs: str | None
    greater_is_better: bool = True
    bounds: tuple = (-np.inf, np.inf)

    @property
    def takes_labels(self):
        return self.needs in ("class", "scores", "probabilities")

    def __call__(self, truth, prediction, labels=None):
        if self.takes_labels:
            return self.function(truth, prediction, labels=labels)
        return self.function(truth, prediction)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("uar", uar_score, "class", bounds=(0, 1)),
        Metric("war", war_score, "class", bounds=(0, 1)),
        Metric("macro_f1", macro_f1_score, "class", bounds=(0, 1)),
        Metric("auc", auc_score, "scores", bounds=(0, 1)),
        Metric("eer", equal_error_rate, "scores", False, (0, 1)),
        Metric("brier", brier_score, "probabilities", False, (0, 2)),
        Metric("ece", expected_calibration_error, "probabilities", False, (0, 1)),
        Metric("ccc", concordance_cc, "number", bounds=(-1, 1)),
        Metric("pearson", pearson_cc, "number", bounds=(-1, 1)),
        Metric("mae", mean_absolute_error, "number", False, (0, np.inf)),
    )
}


def find_metric(metric, *, greater_is_better=True):
    """The entry of a name, or one made for a function of the user's own."""
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        known = {entry.function: entry for entry in METRICS.values()}
        own = getattr(metric, "__name__", repr(metric))
        return known.get(metric) or Metric(own, metric, None, greater_is_better)
    if metric not in METRICS:
        raise ValueError(
            f"metric must be one of {', '.join(map(repr, METRICS))} or a function of truth and "
            f"prediction, got {metric!r}."
        )
    return METRICS[metric]
