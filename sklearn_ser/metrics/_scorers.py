"""Scorers of every metric for scikit-learn's tools: ``scoring=`` of searches and validations."""

import warnings

import numpy as np
import pandas as pd
from sklearn.metrics._scorer import _Scorer

from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.metrics._groups import group_gap
from sklearn_ser.metrics._labels import as_labels, label_set, labeled_rows, listed
from sklearn_ser.metrics._metric_table import METRICS, find_metric
from sklearn_ser.utils._ids import require_id
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import sentinel_as_none

#: What an estimator is asked for, by what a metric needs.
_METHODS = {
    "class": "predict",
    "number": "predict",
    None: "predict",
    "scores": ("predict_proba", "decision_function"),
    "probabilities": "predict_proba",
}


#: What is said of a metric over a label set of which some classes are absent.
_ABSENT = {
    "uar": "the UAR is the mean recall of the other {n}",
    "macro_f1": "macro_f1 is the mean over the other {n}",
    "auc": "auc is undefined (NaN)",
    "eer": "eer is undefined (NaN)",
}


def score_labeled_rows(
    y_true,
    y_pred,
    *,
    metric,
    labels=None,
    classes=None,
    of=None,
    group=None,
    figure=None,
    sample_weight=None,
):
    """`metric` of the rows that have a label; the one function behind all scorers.

    `labels`: the whole label set, whose absent classes are warned of; `classes`: those of the
    estimator, for scores of each class; `of`: the only class whose rows count; `group`, `figure`:
    the groups whose scores are wanted, and what of them.
    """
    metric = find_metric(metric)
    truth, predicted, group, weight = labeled_rows(
        as_labels(y_true, "y_true"), y_pred, group, sample_weight
    )
    if labels is not None and metric.takes_labels:
        _check_labels(truth, labels, len(y_true), metric)
    options = {}
    if metric.needs in ("scores", "probabilities"):
        predicted, options["labels"] = _columns(truth, predicted, labels, classes)
    if figure is not None:
        if weight is not None:
            raise MetadataError("scores of groups take no sample_weight: groups count as they are.")
        found = group_gap(truth, predicted, group, metric=metric, **(options or {"labels": labels}))
        if figure != "worst":
            return getattr(found, figure)
        return float(found.scores["score"].get(found.worst, np.nan))
    if of is not None:
        rows = np.asarray(truth == of)
        truth, predicted, weight = truth[rows], predicted[rows], _rows(weight, rows)
    if weight is not None:
        options["sample_weight"] = weight
    return metric.function(truth, predicted, **options)


def _rows(values, rows):
    return None if values is None else values[rows]


def _check_labels(truth, labels, n_rows, metric):
    """Refuse labels outside the label set, and warn of its classes that are absent."""
    classes, present = label_set(labels), pd.Index(truth).unique()
    strangers = [label for label in present if label not in classes]
    if strangers:
        raise MetadataError(
            f"y_true holds {listed(strangers, 'label')}, not among labels={list(classes)}: drop "
            f"these rows or add the label to labels."
        )
    absent = [label for label in classes if label not in present]
    if absent:
        consequence = _ABSENT.get(metric.name, "{name} does not speak of what is absent")
        warnings.warn(
            f"{listed(absent, 'class')} absent from the {n_rows} rows scored: "
            f"{consequence.format(n=len(present), name=metric.name)}.",
            EvaluationWarning,
            stacklevel=2,
        )


def _columns(truth, scores, labels, classes):
    """Scores with a column for each class of the label set, and that set.

    A class that the estimator never saw has 0 throughout.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim == 1:  # scikit-learn's scorers are given the second of two classes only
        scores = np.column_stack([1 - scores, scores])
    if classes is None:
        return scores, labels
    known = pd.Index(classes, dtype=object)
    wanted = (
        known.union(pd.Index(truth).unique(), sort=False) if labels is None else label_set(labels)
    )
    full = np.zeros((len(scores), len(wanted)))
    full[np.isnan(scores).all(axis=1)] = np.nan
    places = wanted.get_indexer(known)
    full[:, places[places >= 0]] = scores[:, places >= 0]
    return full, list(wanted)


class _SerScorer(_Scorer):
    """scikit-learn's scorer, which knows of rows that the estimator itself marks as unlabeled.

    (`make_scorer` makes a `_Scorer`, whose `_score` alone sees the estimator, X and the truth.)
    """

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        y_true = sentinel_as_none(estimator, y_true)
        # On a copy: one scorer may serve several threads.
        scorer = _Scorer(self._score_func, self._sign, dict(self._kwargs), self._response_method)
        if self._response_method != "predict" and hasattr(estimator, "classes_"):
            scorer._kwargs["classes"] = estimator.classes_
        by = scorer._kwargs.pop("by", None)
        if by is not None and kwargs.get("group") is None:
            kwargs["group"] = np.asarray(require_id(X, by, "a scorer of groups"), dtype=object)
        return scorer._score(method_caller, estimator, X, y_true, **kwargs)


@public_module("sklearn_ser.metrics")
def make_ser_scorer(metric, *, labels=None, greater_is_better=True):
    """A scorer of any metric for ``scoring=``, that leaves rows without a label out.

    Parameters
    ----------
    metric : str or callable
        "uar", "war", "macro_f1" (from ``predict``); "auc", "eer" (``predict_proba``, else
        ``decision_function``); "brier", "ece" (``predict_proba``); "ccc", "pearson", "mae"
        (``predict`` of a regressor); or a function ``f(y_true, y_pred)``.
    labels : array-like of shape (n_classes,), default=None
        Every class of the problem. With it the scorer warns about classes that are absent
        (:class:`~sklearn_ser.exceptions.EvaluationWarning`) and refuses labels outside
        (:class:`~sklearn_ser.exceptions.MetadataError`). The score itself is of the classes
        present, as for one fold of a protocol; "auc" and "eer" are NaN where a class of `labels`,
        or one that the estimator knows, is absent.
    greater_is_better : bool, default=True
        Of a function of your own; the metrics with a name know it.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, also in ``scoring={...}`` and with metadata routing on, where
        ``set_score_request(sample_weight=True)`` asks for weights. Errors ("eer", "brier", "ece",
        "mae") come out negative, as scikit-learn's ``neg_...`` scorers have it.

    See Also
    --------
    uar_scorer, war_scorer, macro_f1_scorer, auc_scorer, neg_eer_scorer, neg_brier_scorer,
    neg_ece_scorer, ccc_scorer, pearson_scorer, neg_mae_scorer : Ready ones without `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn_ser.metrics import make_ser_scorer
    >>> X, y = np.zeros((6, 1)), ["anger", "sadness", "sadness"] * 2
    >>> scoring = {"war": make_ser_scorer("war"), "brier": make_ser_scorer("brier")}
    >>> scores = cross_validate(DummyClassifier(), X, y, cv=2, scoring=scoring)
    >>> scores["test_war"], scores["test_brier"]
    (array([0.66..., 0.66...]), array([-0.44..., -0.44...]))
    """
    metric = find_metric(metric, greater_is_better=greater_is_better)
    return _scorer(metric, 1 if metric.greater_is_better else -1, labels)


@public_module("sklearn_ser.metrics")
def make_recall_scorers(labels):
    """Scorers of the recall of each class, for ``scoring=`` of ``cross_validate``.

    Parameters
    ----------
    labels : array-like of shape (n_classes,)
        Every class of the problem.

    Returns
    -------
    dict
        From ``"recall_<label>"`` to a scorer, which gives NaN where its class is absent.

    Examples
    --------
    >>> from sklearn_ser.metrics import make_recall_scorers
    >>> sorted(make_recall_scorers(["anger", "sadness"]))
    ['recall_anger', 'recall_sadness']
    """
    return {
        f"recall_{label}": _scorer(find_metric("uar"), 1, None, of=label)
        for label in label_set(labels)
    }


@public_module("sklearn_ser.metrics")
def make_group_scorer(metric="uar", *, by, figure="worst", labels=None):
    """A scorer of the group that fares worst, or of how far groups lie apart.

    Parameters
    ----------
    metric : str or callable, default="uar"
        As for :func:`make_ser_scorer`.
    by : str
        The column or index level of X that holds the groups. With metadata routing on they can
        come as metadata instead: ``set_score_request(group="gender")``.
    figure : {"worst", "gap", "ratio"}, default="worst"
        Score of the worst group; best minus worst; worst / best. See :func:`group_gap`.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set; a group that lacks a class has no recall over it. None takes the
        classes of all rows scored.

    Returns
    -------
    callable
        Greater is better: a gap comes out negative. NaN where a group has no score.

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
        raise ValueError(f"figure must be 'worst', 'gap' or 'ratio', got {figure!r}.")
    metric = find_metric(metric)
    better = metric.greater_is_better and figure != "gap"
    return _scorer(metric, 1 if better else -1, labels, by=by, figure=figure)


def _scorer(metric, sign, labels, **options):
    known = {} if labels is None else {"labels": label_set(labels).tolist()}
    named = metric.name if METRICS.get(metric.name) is metric else metric.function
    return _SerScorer(
        score_labeled_rows, sign, {"metric": named, **known, **options}, _METHODS[metric.needs]
    )


@public_module("sklearn_ser.metrics")
def make_uar_scorer(labels):
    """A scorer like `uar_scorer` that knows the whole label set and warns about absent classes.

    Parameters
    ----------
    labels : array-like of shape (n_classes,)
        Every class of the problem.

    Returns
    -------
    callable
        ``make_ser_scorer("uar", labels=labels)``. It gives the mean recall over the classes
        present in the truth, with an :class:`~sklearn_ser.exceptions.EvaluationWarning` that
        names those of `labels` that are absent, and raises
        :class:`~sklearn_ser.exceptions.MetadataError` at a label outside `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn_ser.metrics import make_uar_scorer
    >>> scorer = make_uar_scorer(["anger", "sadness"])
    >>> X, y = np.zeros((3, 1)), ["anger", "anger", "sadness"]
    >>> scorer(DummyClassifier().fit(X, y), X, y)
    0.5
    """
    return make_ser_scorer("uar", labels=labels)


#: ``scoring=uar_scorer``: UAR of a fold over the classes present in its truth. Rows without a
#: label (None, NaN, and -1 where the estimator has ``unlabeled=-1``) are left out; a missing
#: prediction is a miss. Each scorer is one shared object: copy it (``copy.deepcopy``) before
#: ``set_score_request``. Those of errors are negative, so that greater is better.
uar_scorer = make_ser_scorer("uar")
war_scorer = make_ser_scorer("war")
macro_f1_scorer = make_ser_scorer("macro_f1")
auc_scorer = make_ser_scorer("auc")
neg_eer_scorer = make_ser_scorer("eer")
neg_brier_scorer = make_ser_scorer("brier")
neg_ece_scorer = make_ser_scorer("ece")
ccc_scorer = make_ser_scorer("ccc")
pearson_scorer = make_ser_scorer("pearson")
neg_mae_scorer = make_ser_scorer("mae")
