"""Scorers: metrics for the parameter `scoring` of scikit-learn's searches and validations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sklearn.metrics._scorer import _Scorer

from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.metrics._groups import group_gap
from sklearn_ser.metrics._metric_names import METRICS, SCORERS, Metric, find_metric
from sklearn_ser.metrics._validation import as_labels, label_set
from sklearn_ser.utils._ids import format_items, require_id
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import drop_unlabeled, sentinel_as_none

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Response method of the estimator, by what a metric needs.
_METHODS = {
    "class": "predict",
    "number": "predict",
    None: "predict",
    "scores": ("predict_proba", "decision_function"),
    "probabilities": "predict_proba",
}


#: Consequence of absent classes of the label set, by metric.
_ABSENT = {
    "uar": "the UAR is the mean recall of the other {n}",
    "macro_f1": "macro_f1 is the mean over the other {n}",
    "auc": "auc is undefined (NaN)",
    "eer": "eer is undefined (NaN)",
}


@public_module("sklearn_ser.metrics")
def score_labeled_samples(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    metric: str | Callable[..., float],
    labels: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    of: object = None,
    group: ArrayLike | None = None,
    figure: str | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the metric of the labeled samples; the score function of all scorers.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes or values; unlabeled samples (None, NaN) are left out.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_classes)
        Input of the metric.
    metric : str or callable
        Metric, as for :func:`group_scores`.
    labels : array-like of shape (n_classes,), default=None
        Fixed label set.
    classes : array-like, default=None
        Classes of the estimator, in the order of the columns of `y_pred`.
    of : object, default=None
        The only class that is scored.
    group : array-like of shape (n_samples,), default=None
        Group of each sample.
    figure : {"worst", "gap", "ratio"} or None, default=None
        Figure of the scores by `group`.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        Score; NaN if it is undefined.
    """
    resolved = find_metric(metric)
    values = as_labels(y_true, "y_true")
    true, predicted, group, weight = drop_unlabeled(values, y_pred, group, sample_weight)
    if labels is not None and resolved.takes_labels:
        _check_labels(true, labels, len(values), resolved)
    options: dict[str, Any] = {}
    if resolved.needs in ("scores", "probabilities"):
        predicted, options["labels"] = _align_columns(true, predicted, labels, classes)
    if figure is not None:
        if weight is not None:
            raise MetadataError(
                "Scorers of groups do not support sample_weight: remove it from the score request."
            )
        by_group = options or {"labels": labels}
        result = group_gap(true, predicted, group, metric=resolved, **by_group)
        if figure != "worst":
            return getattr(result, figure)
        return float(result.scores["score"].get(result.worst, np.nan))
    if of is not None:
        rows = np.asarray(true == of)
        true, predicted = true[rows], predicted[rows]
        weight = None if weight is None else weight[rows]
    if weight is not None:
        options["sample_weight"] = weight
    return resolved.function(true, predicted, **options)


def _check_labels(y_true: np.ndarray, labels: ArrayLike, n_samples: int, metric: Metric) -> None:
    """Raise for labels outside the label set, and warn about absent classes."""
    classes, present = label_set(labels), pd.Index(y_true).unique()
    unknown = [label for label in present if label not in classes]
    if unknown:
        raise MetadataError(
            f"y_true has the unknown {format_items(unknown, 'label')}; labels are {list(classes)}. "
            f"Drop these samples or add the label to labels."
        )
    absent = [label for label in classes if label not in present]
    if absent:
        consequence = _ABSENT.get(metric.name, "{name} does not depend on them")
        warnings.warn(
            f"y_true has no sample of {format_items(absent, 'class')} ({n_samples} samples): "
            f"{consequence.format(n=len(present), name=metric.name)}.",
            EvaluationWarning,
            stacklevel=2,
        )


def _align_columns(y_true, scores, labels, classes):
    """Return scores with one column for each class of the label set, and that set.

    A class that was absent from training has the score 0 for all samples.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim == 1:  # scikit-learn's scorers pass only the second of two classes
        scores = np.column_stack([1 - scores, scores])
    if classes is None:
        return scores, labels
    known = pd.Index(classes, dtype=object)
    wanted = (
        known.union(pd.Index(y_true).unique(), sort=False) if labels is None else label_set(labels)
    )
    full = np.zeros((len(scores), len(wanted)))
    full[np.isnan(scores).all(axis=1)] = np.nan
    positions = wanted.get_indexer(known)
    full[:, positions[positions >= 0]] = scores[:, positions >= 0]
    return full, list(wanted)


@public_module("sklearn_ser.metrics")
class SerScorer(_Scorer):
    """Scorer of scikit-learn that drops the samples that are unlabeled for the estimator.

    (``_Scorer._score``, which ``make_scorer`` uses, is the only method that receives the estimator,
    X and `y_true`.)

    Parameters
    ----------
    score_func : callable
        Function that is called with true labels, predictions and `kwargs`.
    sign : {1, -1}
        -1 negates the score, so that greater is better.
    kwargs : dict
        Keyword arguments of `score_func`; `by` names a column or index level of X with groups.
    response_method : str or tuple of str
        Methods of the estimator that give the predictions; the first one that it has is used.
    """

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        y_true = sentinel_as_none(estimator, y_true)
        # On a copy: several threads may use one scorer.
        scorer = _Scorer(self._score_func, self._sign, dict(self._kwargs), self._response_method)
        if self._response_method != "predict" and hasattr(estimator, "classes_"):
            scorer._kwargs["classes"] = estimator.classes_
        by = scorer._kwargs.pop("by", None)
        if by is not None and kwargs.get("group") is None:
            kwargs["group"] = np.asarray(require_id(X, by, "a scorer of groups"), dtype=object)
        return scorer._score(method_caller, estimator, X, y_true, **kwargs)


@public_module("sklearn_ser.metrics")
def make_ser_scorer(
    metric: str | Callable[..., float],
    *,
    labels: ArrayLike | None = None,
    greater_is_better: bool = True,
) -> Callable[..., float]:
    """Make a scorer for the parameter ``scoring`` that leaves out unlabeled samples.

    Unlabeled samples are those whose label is missing (None, NaN), and those with -1 if the
    estimator has ``unlabeled=-1``. A missing prediction is wrong.

    Parameters
    ----------
    metric : str or callable
        Name of the scorer: "uar", "war" or "macro_f1" (from ``predict``); "auc" or "neg_eer" (from
        ``predict_proba``, else ``decision_function``); "neg_brier" or "neg_ece" (from
        ``predict_proba``); "ccc", "pearson" or "neg_mae" (from ``predict`` of a regressor). Or a
        function ``f(y_true, y_pred)``.
    labels : array-like of shape (n_classes,), default=None
        All classes of the problem. If given, the scorer warns about absent classes
        (:class:`~sklearn_ser.exceptions.EvaluationWarning`) and raises an error for other labels
        (:class:`~sklearn_ser.exceptions.MetadataError`). The score is over the classes that are
        present, as for one fold of a protocol; "auc" and "neg_eer" are NaN if a class of `labels`
        or of the estimator is absent.
    greater_is_better : bool, default=True
        Whether greater values of a function `metric` are better; ignored for metrics of
        sklearn_ser.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``. Errors are negated, so that greater is better. With metadata
        routing ``set_score_request(sample_weight=True)`` requests weights.

    Raises
    ------
    ValueError
        If there is no scorer of that name.

    See Also
    --------
    uar_scorer : ``make_ser_scorer("uar")``, one shared object.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn_ser.metrics import make_ser_scorer
    >>> X, y = np.zeros((6, 1)), ["anger", "sadness", "sadness"] * 2
    >>> scoring = {name: make_ser_scorer(name) for name in ("war", "neg_brier")}
    >>> scores = cross_validate(DummyClassifier(), X, y, cv=2, scoring=scoring)
    >>> scores["test_war"], scores["test_neg_brier"]
    (array([0.66..., 0.66...]), array([-0.44..., -0.44...]))
    """
    resolved = find_metric(metric, greater_is_better=greater_is_better, names=SCORERS)
    return _scorer(resolved, 1 if resolved.greater_is_better else -1, labels)


@public_module("sklearn_ser.metrics")
def make_recall_scorers(labels: ArrayLike) -> dict[str, Callable[..., float]]:
    """Make scorers of the recall of each class, for ``scoring`` of ``cross_validate``.

    Parameters
    ----------
    labels : array-like of shape (n_classes,)
        All classes of the problem.

    Returns
    -------
    dict of str to callable
        ``"recall_<label>"`` to a scorer, which is NaN if the class is absent.

    Examples
    --------
    >>> from sklearn_ser.metrics import make_recall_scorers
    >>> sorted(make_recall_scorers(["anger", "sadness"]))
    ['recall_anger', 'recall_sadness']
    """
    return {
        f"recall_{label}": _scorer(METRICS["uar"], 1, None, of=label) for label in label_set(labels)
    }


@public_module("sklearn_ser.metrics")
def make_group_scorer(
    metric: str | Callable[..., float] = "uar",
    *,
    by: str,
    figure: Literal["worst", "gap", "ratio"] = "worst",
    labels: ArrayLike | None = None,
) -> Callable[..., float]:
    """Make a scorer of the worst group, or of the gap between groups.

    Parameters
    ----------
    metric : str or callable, default="uar"
        Metric, as for :func:`group_scores`.
    by : str
        Column or index level of X with the groups. With metadata routing
        ``set_score_request(group="gender")`` requests them as metadata instead.
    figure : {"worst", "gap", "ratio"}, default="worst"
        Figure that is the score: score of the worst group; best minus worst; worst / best. See
        :func:`group_gap`.
    labels : array-like of shape (n_classes,), default=None
        Fixed label set; the score is NaN if a group lacks one of its classes. With None the
        classes of all scored samples.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``. Errors and gaps are negated, so that greater is better. NaN if
        a group has no score.

    Raises
    ------
    ValueError
        If there is no metric or figure of that name.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn_ser.metrics import make_group_scorer
    >>> X = pd.DataFrame({"corpus": ["emodb", "emodb", "urdu", "urdu"]})
    >>> y = ["anger", "sadness", "anger", "sadness"]
    >>> model = DummyClassifier().fit(X, y)
    >>> make_group_scorer(by="corpus")(model, X, y)
    0.5
    """
    if figure not in ("worst", "gap", "ratio"):
        raise ValueError(f"figure must be 'worst', 'gap' or 'ratio'; got {figure!r}.")
    resolved = find_metric(metric)
    better = resolved.greater_is_better and figure != "gap"
    return _scorer(resolved, 1 if better else -1, labels, by=by, figure=figure)


def _scorer(metric: Metric, sign: int, labels: ArrayLike | None, **options: Any) -> SerScorer:
    fixed = {} if labels is None else {"labels": label_set(labels).tolist()}
    named = metric.name if METRICS.get(metric.name) is metric else metric.function
    return SerScorer(
        score_labeled_samples, sign, {"metric": named, **fixed, **options}, _METHODS[metric.needs]
    )


#: ``scoring=uar_scorer``: UAR over the classes present in a fold. It is one shared object: copy it
#: (``copy.deepcopy``) before ``set_score_request``.
uar_scorer = make_ser_scorer("uar")
