"""Metrics by name, with what they need and which values are better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_ser.metrics._class_scores import macro_f1_score, uar_score, war_score
from sklearn_ser.metrics._probability_scores import (
    equal_error_rate,
    expected_calibration_error,
    macro_auc_score,
    multiclass_brier_score,
)
from sklearn_ser.metrics._regression import concordance_cc, mean_absolute_error, pearson_correlation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Metric:
    """A metric ``function(y_true, y_pred)``.

    `needs` is the kind of `y_pred`: "class", "number", "scores" or "probabilities" (one column
    per class); None for a function of the user.
    """

    name: str
    function: Callable[..., Any]
    needs: str | None
    greater_is_better: bool = True
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @property
    def takes_labels(self) -> bool:
        return self.needs in ("class", "scores", "probabilities")

    @property
    def scorer_name(self) -> str:
        return self.name if self.greater_is_better else f"neg_{self.name}"

    def __call__(
        self, y_true: np.ndarray, y_pred: np.ndarray, labels: ArrayLike | None = None
    ) -> Any:
        if self.takes_labels:
            return self.function(y_true, y_pred, labels=labels)
        return self.function(y_true, y_pred)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("uar", uar_score, "class", bounds=(0, 1)),
        Metric("war", war_score, "class", bounds=(0, 1)),
        Metric("macro_f1", macro_f1_score, "class", bounds=(0, 1)),
        Metric("auc", macro_auc_score, "scores", bounds=(0, 1)),
        Metric("eer", equal_error_rate, "scores", False, (0, 1)),
        Metric("brier", multiclass_brier_score, "probabilities", False, (0, 2)),
        Metric("ece", expected_calibration_error, "probabilities", False, (0, 1)),
        Metric("ccc", concordance_cc, "number", bounds=(-1, 1)),
        Metric("pearson", pearson_correlation, "number", bounds=(-1, 1)),
        Metric("mae", mean_absolute_error, "number", False, (0, np.inf)),
    )
}
#: As in scikit-learn greater values of a scorer are better: errors are negated.
SCORERS = {metric.scorer_name: metric for metric in METRICS.values()}


def find_metric(
    metric: str | Callable[..., Any] | Metric,
    *,
    greater_is_better: bool = True,
    names: dict[str, Metric] = METRICS,
) -> Metric:
    """Return the metric of a name, or of a function ``f(y_true, y_pred)``."""
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        known = {entry.function: entry for entry in METRICS.values()}
        name = getattr(metric, "__name__", repr(metric))
        return known.get(metric) or Metric(name, metric, None, greater_is_better)
    if metric not in names:
        raise ValueError(
            f"metric must be a function f(y_true, y_pred) or one of "
            f"{', '.join(map(repr, names))}; got {metric!r}."
        )
    return names[metric]
