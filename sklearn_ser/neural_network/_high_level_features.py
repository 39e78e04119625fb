"""Statistics of the frame-level predictions of a network, per utterance."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, _fit_context, clone
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_for, arguments_through, routing_for, routing_is_on
from sklearn_ser.utils._types import FramesInput

STATISTICS = ("max", "min", "mean", "above")


@public_module("sklearn_ser.neural_network")
@substitute_docstring(
    X="X : frame sequences\n    Frames in a form that the network takes.",
    y="y : array-like of shape (n_samples,)\n    Labels of the utterances.",
)
class HighLevelFeatures(MetaEstimatorMixin, TransformerMixin, SuggestingEstimator):
    """Statistics of a network's posteriors over the frames of each utterance.

    A frame-level network predicts, for each frame, a probability of each class of each task. For
    each utterance, task and class, four statistics of these are the features: the maximum, the
    minimum, the mean, and the fraction of frames whose probability is above `threshold` [1]_ [2]_.
    All classification tasks are used, first `y` and then the auxiliary tasks, so that the next
    step, usually an :class:`ELMClassifier`, also receives what the network predicts of gender or
    naturalness [3]_.

    The features are those of Kim et al. (2017) [3]_ and the trainer released by its first author,
    with two differences. The released trainer stops the network early on the test fold if no other
    data is given; here, :class:`MTLNeuralClassifier` validates on speakers of the training data.
    And in the released trainer, the zeros with which sequences are padded count as frames.

    Parameters
    ----------
    estimator : estimator
        A frame-level network: :class:`MTLNeuralClassifier` with ``encoder="frame_dnn"`` or
        ``"lstm"`` and ``encoder_params={"pooling": "frames"}``, or another estimator with the
        methods `fit` and `predict_frame_proba`.
    threshold : float, default=0.3
        Probability above which a frame counts, in [0, 1). The released code uses 0.3.
    cv : int, splitter, iterable or None, default=None
        Cross-validation by which :meth:`fit_transform` computes the features of the training
        samples. None, as in the released code, uses the network that was trained on these samples,
        which is more confident for them than for new ones. Otherwise the features of each sample
        come from a network that was trained without it, as in
        :class:`~sklearn.ensemble.StackingClassifier`; an int is the number of speaker-disjoint
        folds (:class:`~sklearn_ser.model_selection.SpeakerKFold`). One more network is trained per
        fold. Features of new samples always come from `estimator_`.

    Attributes
    ----------
    estimator_ : estimator
        Clone of `estimator` that is fitted on all samples.
    n_features_in_ : int
        Number of features of a frame.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features of a frame, if X has them.

    See Also
    --------
    ELMClassifier : The classifier that usually follows.
    sklearn_ser.recipes.make_dnn_elm, sklearn_ser.recipes.make_lstm_elm : Complete pipelines.

    Notes
    -----
    All features of failed audio are NaN.

    In a search over parameters of later steps, the network is trained again for each candidate. A
    Pipeline with ``memory="folder"`` avoids this if the network's `random_state` is an integer.

    References
    ----------
    .. [1] Han, K., Yu, D., Tashev, I. (2014). Speech Emotion Recognition Using Deep Neural Network
       and Extreme Learning Machine. Interspeech 2014.
    .. [2] Lee, J., Tashev, I. (2015). High-level Feature Representation using Recurrent Neural
       Network for Speech Emotion Recognition. Interspeech 2015.
    .. [3] Kim, J., Englebienne, G., Truong, K. P., Evers, V. (2017). Towards Speech Emotion
       Recognition "in the wild" using Aggregated Corpora and Deep Multi-Task Learning.
       Interspeech 2017. https://arxiv.org/abs/1708.03920

    Examples
    --------
    Any estimator that predicts frame by frame can be used:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ser.neural_network import HighLevelFeatures
    >>> class ByFrame(LogisticRegression):
    ...     def fit(self, X, y):
    ...         return super().fit(np.vstack(X), np.repeat(y, [len(frames) for frames in X]))
    ...
    ...     def predict_frame_proba(self, X):
    ...         return {"y": [self.predict_proba(frames) for frames in X]}
    >>> X = [np.array([[-2.0], [-1.0], [0.5]]), np.array([[2.0], [1.0]])]
    >>> step = HighLevelFeatures(ByFrame()).fit(X, ["calm", "anger"])
    >>> step.get_feature_names_out()[:4]
    array(['y_anger_max', 'y_anger_min', 'y_anger_mean', 'y_anger_above'], dtype=object)
    >>> step.transform(X)[:, :4].round(2)
    array([[0.44, 0.07, 0.22, 0.33],
           [0.77, 0.56, 0.67, 1.  ]])
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_frame_proba"])],
        "threshold": [Interval(Real, 0, 1, closed="left")],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            HasMethods("__iter__"),
            None,
        ],
    }

    estimator_: Any

    def __init__(
        self,
        estimator: BaseEstimator,
        threshold: float = 0.3,
        *,
        cv: int | BaseCrossValidator | Iterable | None = None,
    ):
        self.estimator = estimator
        self.threshold = threshold
        self.cv = cv

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: FramesInput, y: ArrayLike, **metadata: Any) -> Self:
        """Train a clone of the network.

        Parameters
        ----------
        %(X)s
        %(y)s
        **metadata : array-likes of n_samples rows
            Metadata for the network: ``aux``, ``groups`` (with metadata routing enabled:
            ``speaker``) and ``sample_weight``. With routing enabled, the network must request
            them, as :class:`MTLNeuralClassifier` does by default. With routing disabled, it
            receives those that it requests or that its `fit` has as arguments; others are ignored.

        Returns
        -------
        self : HighLevelFeatures
            The fitted transformer.

        Raises
        ------
        ValueError
            If the network does not predict frame by frame.
        """
        self.estimator_ = self._fit_clone(X, y, arguments_through(self, "fit", metadata))
        return self

    def transform(self, X: FramesInput) -> np.ndarray:
        """Compute the statistics over the frames of each utterance.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        features : ndarray of shape (n_samples, 4 * n_classes)
            Maximum, minimum, mean and fraction above the threshold for each task and class, where
            n_classes is the number of classes of all tasks. NaN for failed audio.

        Raises
        ------
        ValueError
            If the network does not predict frame by frame.
        """
        check_is_fitted(self)
        return self._statistics(self.estimator_, X)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: FramesInput, y: ArrayLike, **metadata: Any) -> np.ndarray:
        """Fit, and compute the features of the training samples.

        Parameters
        ----------
        %(X)s
        %(y)s
        **metadata : array-likes of n_samples rows
            Metadata for the network, see :meth:`fit`. With `cv`, also metadata for the splitter
            (``speaker``, ``corpus``, ...).

        Returns
        -------
        features : ndarray of shape (n_samples, 4 * n_classes)
            Features as of :meth:`transform`.

        Raises
        ------
        ValueError
            If `cv` does not assign each sample to exactly one test set, or the network of a fold
            lacks a task or a class that the network of all samples has.
        """
        if self.cv is None:
            return self.fit(X, y, **metadata).transform(X)
        return self._fit_transform_out_of_fold(X, y, metadata)

    def get_feature_names_out(self, input_features: None = None) -> np.ndarray:
        """Return names such as ``y_anger_max``: the task, the class, the statistic.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str of shape (4 * n_classes,)
            Names of the output columns.
        """
        check_is_fitted(self)
        return np.asarray(
            [
                f"{task}_{label}_{statistic}"
                for task, classes in _classes_of_tasks(self.estimator_).items()
                for label in classes
                for statistic in STATISTICS
            ],
            dtype=object,
        )

    @property
    def n_features_in_(self) -> int:
        """Number of features of a frame."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features of a frame."""
        return self.estimator_.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata to the network and, with `cv`, to the splitter.

        Returns
        -------
        routing : MetadataRouter
            Requests of metadata by method.
        """
        to_network = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=to_network.add(caller="fit_transform", callee="fit"),
        )
        if hasattr(self.cv, "split") or isinstance(self.cv, Integral):
            to_splitter = MethodMapping().add(caller="fit_transform", callee="split")
            router.add(splitter=_splitter(self.cv), method_mapping=to_splitter)
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = deepcopy(get_tags(self.estimator).input_tags)
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _fit_clone(self, X, y, given):
        # Metadata reaches the parts of the network only with routing enabled.
        if hasattr(self.estimator, "_check_predicts_frames"):
            self.estimator._check_predicts_frames()  # before a long training
        with routing_for(self.estimator, given):
            network = clone(self.estimator).fit(X, y, **given)
        if isinstance(X, list | np.ndarray | pd.DataFrame | pd.Series):
            self._statistics(network, X[:1])  # raises what transform would
        return network

    def _fit_transform_out_of_fold(self, X, y, metadata):
        """Fit, and compute the features of each sample by a network trained without it."""
        metadata = {name: value for name, value in metadata.items() if value is not None}
        splitter = _splitter(self.cv)
        for_network, for_splitter = self._route(splitter, metadata)
        folds = [
            (train, _positions(test, X)) for train, test in splitter.split(X, y, **for_splitter)
        ]
        n_samples = _num_samples(X)
        _check_partition(self.cv, [test for _, test in folds], n_samples)
        self.estimator_ = self._fit_clone(X, y, for_network)
        expected = _classes_of_tasks(self.estimator_)
        features = np.empty((n_samples, len(self.get_feature_names_out())))
        for fold, (train, test) in enumerate(folds):
            network = self._fit_clone(
                _safe_indexing(X, train),
                _safe_indexing(y, train),
                _check_method_params(X, for_network, train),
            )
            _check_same_tasks(_classes_of_tasks(network), expected, fold)
            features[test] = self._statistics(network, _safe_indexing(X, test))
        return features

    def _route(self, splitter, metadata):
        """Return the metadata for the network's `fit`, and those for the splitter."""
        if routing_is_on():
            if not metadata:
                return {}, {}
            routed = process_routing(self, "fit_transform", **metadata)
            return routed["estimator"]["fit"], routed.get("splitter", {}).get("split", {})
        # `groups` are speakers here, and a splitter may call them so.
        named = {"speaker": metadata["groups"], **metadata} if "groups" in metadata else metadata
        return arguments_through(self, "fit", metadata), arguments_for(splitter, "split", named)

    def _statistics(self, estimator, X):
        posteriors = estimator.predict_frame_proba(X)
        return np.hstack(
            [
                np.stack([self._of_utterance(frames, len(classes)) for frames in posteriors[task]])
                for task, classes in _classes_of_tasks(estimator).items()
            ]
        )

    def _of_utterance(self, frames, n_classes):
        if frames is None:
            return np.full(n_classes * len(STATISTICS), np.nan)
        frames = np.asarray(frames, dtype=np.float64)
        above = frames > self.threshold
        columns = frames.max(axis=0), frames.min(axis=0), frames.mean(axis=0), above.mean(axis=0)
        return np.column_stack(columns).ravel()


def _splitter(cv):
    return SpeakerKFold(int(cv)) if isinstance(cv, Integral) else check_cv(cv)


def _classes_of_tasks(network):
    """Return the classes of each classification task of a fitted network, first those of `y`."""
    return {"y": network.classes_, **getattr(network, "aux_classes_", {})}


def _positions(rows, X):
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _check_partition(cv, tests, n_samples):
    times = np.bincount(np.concatenate(tests), minlength=n_samples)
    wrong = np.flatnonzero(times != 1)
    if len(wrong):
        raise ValueError(
            f"cv must assign each sample to exactly one test set, from which it gets its features. "
            f"With cv={cv!r}, sample {wrong[0]} is in {times[wrong[0]]} of {len(tests)} test sets "
            f"(and {len(wrong) - 1} further samples are not in exactly one)."
        )


def _check_same_tasks(classes_of_fold, expected, fold):
    for task, classes in expected.items():
        learned = np.asarray(classes_of_fold.get(task, ())).tolist()
        lacking = sorted(set(np.asarray(classes).tolist()) - set(learned))
        if lacking:
            raise ValueError(
                f"the training samples of fold {fold} of cv lack the labels {lacking} of task "
                f"{task!r}. Its network must learn the same tasks and labels as the other "
                "networks. Use other folds, or leave the task out."
            )
