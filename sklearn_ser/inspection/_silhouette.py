"""How well emotions stand apart in a representation, on speakers that it was not learned from."""

from numbers import Integral

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import silhouette_score
from sklearn.utils import _safe_indexing, check_consistent_length

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._nested_estimators import named_estimators
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_for, fit_routed
from sklearn_ser.utils._unlabeled import labeled_rows, sentinel_as_none

METRICS = ("euclidean", "cosine")


@public_module("sklearn_ser.inspection")
def representation_silhouette(
    estimators,
    X,
    y,
    *,
    aux=None,
    speaker=None,
    corpus=None,
    cv=5,
    metric="euclidean",
    n_jobs=None,
):
    """Silhouette of the emotion clusters in the representation of held-out speakers, fold by fold.

    In each fold a clone is fitted on the training rows, transforms the held-out ones, and the
    silhouette of their classes is taken there: for each row (b - a) / max(a, b), with a the mean
    distance to the other rows of its class and b that to the rows of the nearest other class, and
    the mean over the rows [1]_. It lies between -1 and 1; around 0 the clusters overlap. On the
    rows that a network was trained on it says little: a network can pull those apart at will.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        What has ``transform``: :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, a Pipeline
        that ends in one, or any other transformer, such as a scaler alone for comparison. Clones
        are fitted.
    X : array-like of shape (n_samples, n_features), table or frame sequences
        What the estimators take.
    y : array-like of shape (n_samples,)
        Emotions. Held-out rows without one (None, NaN, and -1 where the estimator has
        ``unlabeled=-1``) are left out.
    aux : DataFrame of shape (n_samples, n_aux), default=None
        Auxiliary targets, for estimators that ask for them; they see those of training rows.
    speaker, corpus : array-like of shape (n_samples,), default=None
        For the splitter and for estimators that ask for them. Where not given, the splitters and
        networks of this package look in the columns and index levels of X.
    cv : int or splitter, default=5
        A number of speaker-disjoint folds (:class:`~sklearn_ser.model_selection.SpeakerKFold`), or
        a splitter, such as ``LeaveOneCorpusOut()``. One that asks for `groups` gets `speaker`.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance between rows of the representation.
    n_jobs : int, default=None
        Fits at the same time.

    Returns
    -------
    DataFrame
        A row per estimator and fold: ``estimator``, ``fold`` (from 0), ``n_rows`` (scored) and
        ``silhouette``: NaN where fewer than two classes are left in the fold, or each row has a
        class of its own.

    Raises
    ------
    MetadataError
        If no speaker is found, or `y`, `aux`, `speaker` or `corpus` do not go with X.
    ValueError
        If an estimator has no ``transform``, or another `metric`.

    References
    ----------
    .. [1] P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
       cluster analysis", Journal of Computational and Applied Mathematics, vol. 20, 1987,
       pp. 53-65.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ser.inspection import representation_silhouette
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> rng = np.random.default_rng(0)
    >>> y, speaker = np.tile(["anger", "sadness"], 100), np.repeat(["a", "b", "c", "d"], 50)
    >>> X = rng.normal(size=(200, 10)) + 2 * (y == "anger")[:, None] * (np.arange(10) < 2)
    >>> estimators = {"net": MTLNeuralClassifier(random_state=0), "features": StandardScaler()}
    >>> table = representation_silhouette(estimators, X, y, speaker=speaker, cv=4)
    >>> means = table.groupby("estimator")["silhouette"].mean()
    >>> bool(means["net"] > means["features"] > 0)
    True
    """
    check_metric(metric)
    estimators = named_estimators(estimators)
    for name, estimator in estimators.items():
        require_transform(name, estimator)
    metadata = {"aux": aux, "speaker": speaker, "corpus": corpus}
    if isinstance(aux, dict):
        raise MetadataError("aux is a dict: give a DataFrame, whose rows are those of X")
    check_consistent_length(X, y, *metadata.values())
    for name, values in (metadata | {"y": y}).items():
        check_row_order(values, X, name, "X")
    splitter = SpeakerKFold(cv) if isinstance(cv, Integral) else cv
    known = {"speaker": speaker, "corpus": corpus, "groups": speaker}
    folds = list(splitter.split(X, y, **arguments_for(splitter, "split", known)))
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_score_fold)(clone(estimator), X, y, metadata, train, test, metric)
        for estimator in estimators.values()
        for train, test in folds
    )
    places = [(name, fold) for name in estimators for fold in range(len(folds))]
    return pd.DataFrame(
        [(*place, *score) for place, score in zip(places, scores, strict=True)],
        columns=["estimator", "fold", "n_rows", "silhouette"],
    )


def _score_fold(estimator, X, y, metadata, train, test, metric):
    given = {
        name: None if values is None else _safe_indexing(values, train)
        for name, values in metadata.items()
    }
    fit_routed(estimator, _safe_indexing(X, train), _safe_indexing(y, train), **given)
    representation = represent(estimator, _safe_indexing(X, test))
    labels = np.asarray(sentinel_as_none(estimator, _safe_indexing(y, test)), dtype=object)
    scored = labeled_rows(labels) & np.isfinite(representation).all(axis=1)
    return int(scored.sum()), silhouette(representation[scored], labels[scored], metric)


def represent(estimator, X):
    """The representation as a float64 array; rows of failed audio are NaN."""
    return np.asarray(estimator.transform(X), dtype=np.float64)


def silhouette(representation, labels, metric):
    """Mean silhouette of the classes; NaN where it is undefined."""
    codes, classes = pd.factorize(np.asarray(labels, dtype=object))
    representation, codes = representation[codes >= 0], codes[codes >= 0]  # the others are missing
    if not 2 <= len(classes) < len(codes):
        return float("nan")
    return float(silhouette_score(representation, codes, metric=metric))


def check_metric(metric):
    """Raise at a distance that is not known."""
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")


def require_transform(name, estimator):
    """Raise where there is no representation to look at."""
    if not hasattr(estimator, "transform"):
        raise ValueError(
            f"{name!r} has no transform, so no representation: {type(estimator).__name__}. Give an "
            f"MTLNeuralClassifier, a Pipeline that ends in one, or another transformer"
        )
