"""Recipes on utterance features: linear SVM, single-task, multi-task and self-trained network.

The features are scaled within each corpus, which matters more than the choice of the model (see
the benchmarks).
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from sklearn_ser.metrics import uar_scorer
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.model_selection._base import Splitter
from sklearn_ser.preprocessing import GroupScaler, SkipFailedRows
from sklearn_ser.recipes._steps import (
    PARAMETERS,
    Features,
    OnError,
    Store,
    make_net,
    pipeline_of,
    utterance_step,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module

#: Strong regularization suits few speakers and standardized features; the search may go weaker.
SVM_C_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)

_OF_NETWORKS = ("features", "extraction", "random_state", "verbose", "net_params")


@public_module("sklearn_ser.recipes")
@substitute_docstring(
    **{name: PARAMETERS[name] for name in ("features", "scale_by", "on_error", "store")}
)
def make_svm_baseline(
    features: Features = "ge2e",
    *,
    scale_by: str | Sequence[str] | None = "corpus",
    Cs: Sequence[float] = SVM_C_GRID,
    cv: int | Splitter = 5,
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Pipeline | SkipFailedRows:
    """Make a linear SVM on utterance features, with C searched on speaker-disjoint inner folds.

    The baseline of the INTERSPEECH paralinguistics challenges. The scaler is fitted inside the
    inner folds too; the search maximizes unweighted average recall, and classes are weighted
    equally.

    Parameters
    ----------
    %(features)s
    %(scale_by)s
    Cs : sequence of float
        Values of C to search.
    cv : int or splitter, default=5
        Inner folds of the search: a number of speaker-disjoint folds (there must be at least as
        many training speakers; they are taken from the `speaker` metadata, or from the column or
        index level of X), or a splitter such as ``LeaveOneCorpusOut()``, whose choice of C
        transfers better to other corpora.
    n_jobs : int or None, default=None
        Number of joblib workers for the search and for feature extraction.
    %(on_error)s
        :class:`~sklearn_ser.preprocessing.SkipFailedRows` wraps the search.
    %(store)s
    random_state : int, RandomState instance or None, default=None
        Seed or generator of :class:`~sklearn.svm.LinearSVC`, which is deterministic as it is
        configured here.
    verbose : int, default=0
        Verbosity of feature extraction (1 shows progress) and of the search, as in
        :class:`~sklearn.model_selection.GridSearchCV`.

    Returns
    -------
    Pipeline or SkipFailedRows
        A SkipFailedRows where `features` is None, else a Pipeline with it as the step ``search``.
        Its attribute ``estimator_`` is the fitted GridSearchCV.

    References
    ----------
    B. Schuller et al., "The INTERSPEECH 2013 Computational Paralinguistics Challenge", 2013.

    Examples
    --------
    >>> from sklearn_ser import load_features, make_svm_baseline
    >>> data = load_features("egemaps")
    >>> emodb = (data.frame["corpus"] == "emodb").to_numpy()
    >>> svm = make_svm_baseline(features=None, Cs=[1e-3])
    >>> svm.fit(data.X[emodb], data.frame["emotion"][emodb]).estimator_.best_params_
    {'svm__C': 0.001}
    """
    svm = Pipeline(
        [
            ("scaler", GroupScaler(by=scale_by)),
            ("svm", LinearSVC(class_weight="balanced", dual=False, random_state=random_state)),
        ]
    )
    search = GridSearchCV(
        svm,
        {"svm__C": list(Cs)},
        scoring=uar_scorer,
        cv=SpeakerKFold(int(cv)) if isinstance(cv, Integral) else cv,
        n_jobs=n_jobs,
        verbose=verbose,
        error_score="raise",
    )
    step = utterance_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    model = SkipFailedRows(search)
    return model if step is None else pipeline_of(step, ("search", model))


@public_module("sklearn_ser.recipes")
@substitute_docstring(**{name: PARAMETERS[name] for name in (*_OF_NETWORKS, "scale_by")})
def make_single_task_net(
    features: Features = "ge2e",
    *,
    scale_by: str | Sequence[str] | None = "corpus",
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    **net_params: Any,
) -> Pipeline:
    """Make a single-task network, the baseline for multi-task learning.

    Parameters
    ----------
    %(features)s
    %(scale_by)s
    %(extraction)s
    %(random_state)s
    %(verbose)s
    %(net_params)s

    Returns
    -------
    Pipeline
        Unfitted model.

    Examples
    --------
    >>> from sklearn_ser import make_single_task_net
    >>> list(make_single_task_net("ge2e").named_steps)
    ['features', 'scaler', 'net']
    """
    step = utterance_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    net = make_net({"tasks": None, "random_state": random_state, "verbose": verbose}, net_params)
    return pipeline_of(step, ("scaler", GroupScaler(by=scale_by)), ("net", net))


@public_module("sklearn_ser.recipes")
@substitute_docstring(**{name: PARAMETERS[name] for name in (*_OF_NETWORKS, "scale_by")})
def make_multi_task_net(
    features: Features = "ge2e",
    *,
    scale_by: str | Sequence[str] | None = "corpus",
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    **net_params: Any,
) -> Pipeline:
    """Make the multi-task network of Kim et al. (2017): emotion and every auxiliary target of fit.

    Parameters
    ----------
    %(features)s
    %(scale_by)s
    %(extraction)s
    %(random_state)s
    %(verbose)s
    %(net_params)s
        With ``tasks={"gender": "classification"}`` only that column of `aux` is used. Without
        `aux`, fit warns that the network learns emotion alone.

    Returns
    -------
    Pipeline
        Unfitted model.

    References
    ----------
    J. Kim, G. Englebienne, K. P. Truong, V. Evers, "Towards Speech Emotion Recognition 'in the
    Wild' using Aggregated Corpora and Deep Multi-Task Learning", INTERSPEECH 2017.

    Examples
    --------
    >>> from sklearn_ser import make_multi_task_net
    >>> make_multi_task_net(None).named_steps["net"].tasks
    'aux'
    """
    step = utterance_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    net = make_net({"tasks": "aux", "random_state": random_state, "verbose": verbose}, net_params)
    return pipeline_of(step, ("scaler", GroupScaler(by=scale_by)), ("net", net))


@public_module("sklearn_ser.recipes")
@substitute_docstring(**{name: PARAMETERS[name] for name in _OF_NETWORKS})
def make_self_trained_net(
    features: Features = "ge2e",
    *,
    scale_by: str | Sequence[str] | None = ("corpus", "speaker"),
    unlabeled: Literal[-1, "nan"] = "nan",
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    **net_params: Any,
) -> Pipeline:
    """Make a multi-task network that is adapted to unlabeled recordings by self-training.

    The network is fitted on labeled corpora together with unlabeled recordings of the target
    domain. In rounds, it assigns pseudo-labels to the most confident unlabeled samples of each
    class and is trained on them (:class:`~sklearn_ser.neural_network.PseudoLabels`); gender is an
    auxiliary task. Without unlabeled samples it is an ordinary multi-task network. Whether
    self-training helps depends on the target domain; compare with :func:`make_svm_baseline` and
    :func:`make_multi_task_net` on your own data.

    Parameters
    ----------
    %(features)s
    scale_by : None, str or sequence of str, default=("corpus", "speaker")
        Parameter `by` of :class:`~sklearn_ser.preprocessing.GroupScaler`. Use "corpus" where the
        speakers of the target domain are not known.
    unlabeled : -1 or "nan", default="nan"
        Sentinel value of unlabeled samples in `y`.
    %(extraction)s
    %(random_state)s
    %(verbose)s
    %(net_params)s
        Use ``tasks=None`` where gender is not known.

    Returns
    -------
    Pipeline
        Pipeline to be fitted with `aux`, a table with the column ``gender``, which may be missing
        in any row.

    Notes
    -----
    Scores on the unlabeled recordings that the network was fitted on are transductive. To evaluate
    on a corpus, use ``cross_validate`` with
    :class:`~sklearn_ser.model_selection.SemiSupervisedSplit`.

    Examples
    --------
    >>> from sklearn_ser import load_features, make_self_trained_net
    >>> data = load_features("egemaps")
    >>> rows = data.frame.groupby(["speaker", "emotion"]).head(1).index
    >>> frame, X = data.frame.loc[rows], data.X.iloc[rows]
    >>> labeled = frame["corpus"] != "emodb"
    >>> net = make_self_trained_net(None, max_epochs=5, random_state=0)
    >>> net = net.fit(X, frame["emotion"].where(labeled, None), net__aux=frame[["gender"]])
    >>> rounds = net.named_steps["net"].pseudo_labels_
    >>> bool(rounds["selected"].gt(0).any())
    True
    """
    from sklearn_ser.neural_network import ClassificationTask, PseudoLabels  # import torch

    step = utterance_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    defaults = {
        "tasks": {"gender": ClassificationTask(weight=1.0)},
        "hidden_units": (128,),
        "activation": "relu",
        "perturbation__noise": 1.0,
        "y_task__class_weight": "balanced",
        "early_stopping": False,
        "optimization__lr_schedule": "cosine",
        "max_epochs": 20,
        "unlabeled": unlabeled,
        "pseudo_labels": PseudoLabels(share=0.9),
        "random_state": random_state,
        "verbose": verbose,
    }
    by = list(scale_by) if isinstance(scale_by, tuple) else scale_by
    net = make_net(defaults, net_params)
    return pipeline_of(step, ("scaler", GroupScaler(by=by)), ("net", net))
