"""HighLevelFeatures: what a frame-level network says of each frame, summed up per utterance."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, _fit_context, clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_for, arguments_through, routing_is_on

STATISTICS = ("max", "min", "mean", "above")


@public_module("sklearn_ser.neural_network")
class HighLevelFeatures(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Statistics of a network's posteriors over the frames of each utterance.

    A frame-level network gives each frame a probability of each class of each task. Of these, an
    utterance gets four numbers per task and class: the maximum, the minimum, the mean, and the
    fraction of frames whose probability is above `threshold` [1]_ [2]_. All classification tasks
    count, `y` first and then the auxiliary ones, so that a classifier behind this step also sees
    what the network makes of gender or naturalness [3]_. It usually is an :class:`ELMClassifier`.

    After Kim et al. (2017) [3]_ and the trainer that its first author released, with two
    differences: the released trainer stops the network early on the test fold where it is given
    no other rows, which is not copied (:class:`MTLNeuralClassifier` holds out speakers of the
    training rows); and its sequences are padded with zeros that count as frames.

    Parameters
    ----------
    estimator : estimator
        A frame-level network: :class:`MTLNeuralClassifier` with ``encoder="frame_dnn"`` or
        ``"lstm"`` and ``encoder_params={"pooling": "frames"}``, or anything else with its `fit`
        and `predict_frame_proba`.
    threshold : float, default=0.3
        Probability above which a frame counts, in [0, 1). The released code has 0.3.
    cv : int, splitter, iterable or None, default=None
        How the rows that the network is trained on get their features in :meth:`fit_transform`.
        None, as in the released code: from this same network, which is surer of rows that it has
        seen than of new ones. Otherwise each row gets them from a network that was trained without
        it, as in :class:`~sklearn.ensemble.StackingClassifier`: an int is that many
        speaker-disjoint folds (:class:`~sklearn_ser.model_selection.SpeakerKFold`), and as many
        more networks are trained. New rows always get theirs from `estimator_`.

    Attributes
    ----------
    estimator_ : estimator
        The clone that was fitted on all rows.
    n_features_in_ : int
        Of a frame.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Of a frame; only where X brings them.

    See Also
    --------
    ELMClassifier : The classifier that usually follows.
    sklearn_ser.recipes.make_dnn_elm, sklearn_ser.recipes.make_lstm_elm : The whole Pipeline.

    Notes
    -----
    A row of failed audio has NaN throughout.

    In a search over the steps behind this one, the network is trained anew for each candidate; a
    Pipeline with ``memory="folder"`` keeps it, if the network's `random_state` is a number.

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
    Any estimator that answers frame by frame will do:

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

    def __init__(self, estimator, threshold=0.3, *, cv=None):
        self.estimator = estimator
        self.threshold = threshold
        self.cv = cv

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **metadata):
        """Train a clone of the network.

        Parameters
        ----------
        X : frame sequences, as the network takes them
        y : array-like of shape (n_samples,)
            Labels of the utterances.
        **metadata : array-likes of n_samples rows
            For the network: ``aux``, ``groups`` (with metadata routing on: ``speaker``) and
            ``sample_weight``. With routing on, it must have requested them, as
            :class:`MTLNeuralClassifier` does by itself; with routing off, it gets those that it
            requests or its `fit` names, and the rest is dropped.

        Returns
        -------
        self
        """
        self.estimator_ = self._fit_clone(X, y, arguments_through(self, "fit", metadata))
        return self

    def transform(self, X):
        """The statistics over the frames of each utterance.

        Parameters
        ----------
        X : frame sequences, as the network takes them

        Returns
        -------
        ndarray of shape (n_samples, 4 * n_classes), of the classes of all tasks
            For each task and class: maximum, minimum, mean, fraction above the threshold. NaN in
            rows of failed audio.

        Raises
        ------
        ValueError
            If the network does not answer frame by frame.
        """
        check_is_fitted(self)
        return self._statistics(self.estimator_, X)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y, **metadata):
        """Fit, and give the features of the same rows: those of `transform` where `cv` is None.

        Parameters
        ----------
        X, y, **metadata
            As in `fit`; with `cv`, also what the splitter takes (``speaker``, ``corpus``, ...).

        Returns
        -------
        ndarray of shape (n_samples, 4 * n_classes)
            As in `transform`. With `cv`, each row's come from a network that has not seen it.

        Raises
        ------
        ValueError
            If `cv` does not put each row into exactly one test set, or the network of a fold lacks
            a task or class that is in the whole: it names them.
        """
        if self.cv is None:
            return self.fit(X, y, **metadata).transform(X)
        return out_of_fold(self, X, y, metadata)

    def get_feature_names_out(self, input_features=None):
        """Names such as ``y_anger_max``: the task, the class, the statistic.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (4 * n_classes,)
        """
        check_is_fitted(self)
        return np.asarray(
            [
                f"{task}_{label}_{statistic}"
                for task, classes in classes_of_tasks(self.estimator_).items()
                for label in classes
                for statistic in STATISTICS
            ],
            dtype=object,
        )

    @property
    def n_features_in_(self):
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        return self.estimator_.feature_names_in_

    def get_metadata_routing(self):
        """Everything goes to the network; with `cv`, also to the splitter.

        Returns
        -------
        MetadataRouter
        """
        to_network = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=to_network.add(caller="fit_transform", callee="fit"),
        )
        if hasattr(self.cv, "split") or isinstance(self.cv, Integral):
            to_splitter = MethodMapping().add(caller="fit_transform", callee="split")
            router.add(splitter=splitter_of(self.cv), method_mapping=to_splitter)
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = deepcopy(get_tags(self.estimator).input_tags)
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _fit_clone(self, X, y, given):
        # What the parts of the network consume reaches them only with routing on.
        with config_context(enable_metadata_routing=bool(given) or routing_is_on()):
            return clone(self.estimator).fit(X, y, **given)

    def _statistics(self, estimator, X):
        posteriors = estimator.predict_frame_proba(X)
        return np.hstack(
            [
                np.stack([self._of_utterance(frames, len(classes)) for frames in posteriors[task]])
                for task, classes in classes_of_tasks(estimator).items()
            ]
        )

    def _of_utterance(self, frames, n_classes):
        if frames is None:
            return np.full(n_classes * len(STATISTICS), np.nan)
        frames = np.asarray(frames, dtype=np.float64)
        above = frames > self.threshold
        columns = frames.max(axis=0), frames.min(axis=0), frames.mean(axis=0), above.mean(axis=0)
        return np.column_stack(columns).ravel()


#: What the network calls its main task, the emotion; its own constant stands beside torch.
_MAIN_TASK = "y"


def splitter_of(cv):
    """The splitter that the parameter `cv` means."""
    return SpeakerKFold(cv) if isinstance(cv, Integral) else check_cv(cv)


def classes_of_tasks(network):
    """Classes of each classification task of a fitted network: `y`, then the auxiliary ones."""
    return {_MAIN_TASK: network.classes_, **getattr(network, "aux_classes_", {})}


def out_of_fold(step, X, y, metadata):
    """Fit `step`, and give each row the features of a network that was trained without it.

    Parameters
    ----------
    step : HighLevelFeatures
        Its `cv` is not None.
    X, y, metadata
        As given to its ``fit_transform``.

    Returns
    -------
    ndarray of shape (n_samples, n_features_out)
    """
    metadata = {name: value for name, value in metadata.items() if value is not None}
    splitter = splitter_of(step.cv)
    of_network, of_splitter = _shares(step, splitter, metadata)
    folds = [(train, _positions(test, X)) for train, test in splitter.split(X, y, **of_splitter)]
    _check_partition(step.cv, [test for _, test in folds], _num_samples(X))
    step.estimator_ = step._fit_clone(X, y, of_network)
    expected = classes_of_tasks(step.estimator_)
    features = np.empty((_num_samples(X), len(step.get_feature_names_out())))
    for fold, (train, test) in enumerate(folds):
        network = step._fit_clone(
            _safe_indexing(X, train),
            _safe_indexing(y, train),
            _check_method_params(X, of_network, train),
        )
        _check_same_tasks(classes_of_tasks(network), expected, fold)
        features[test] = step._statistics(network, _safe_indexing(X, test))
    return features


def _shares(step, splitter, metadata):
    """What of the metadata goes to the network's `fit`, and what to the splitter."""
    if routing_is_on():
        if not metadata:
            return {}, {}
        routed = process_routing(step, "fit_transform", **metadata)
        return routed["estimator"]["fit"], routed.get("splitter", {}).get("split", {})
    # `groups` are speakers here, whom a splitter may know by that name.
    named = {"speaker": metadata["groups"], **metadata} if "groups" in metadata else metadata
    return arguments_through(step, "fit", metadata), arguments_for(splitter, "split", named)


def _positions(rows, X):
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _check_partition(cv, tests, n_rows):
    times = np.bincount(np.concatenate(tests), minlength=n_rows)
    wrong = np.flatnonzero(times != 1)
    if len(wrong):
        raise ValueError(
            f"cv must put each row into exactly one test set, from which it gets its features; "
            f"with cv={cv!r}, row {wrong[0]} is in {times[wrong[0]]} of {len(tests)} (and "
            f"{len(wrong) - 1} further rows are not in exactly one)."
        )


def _check_same_tasks(found, expected, fold):
    for task, classes in expected.items():
        lacking = sorted(
            set(np.asarray(classes).tolist()) - set(np.asarray(found.get(task, ())).tolist())
        )
        if lacking:
            raise ValueError(
                f"the network of fold {fold} of cv has not learned {lacking} of task {task!r}, of "
                "which its training rows have none (or nothing else): its features would not be "
                "those of the whole. Take other folds, or leave the task out."
            )
