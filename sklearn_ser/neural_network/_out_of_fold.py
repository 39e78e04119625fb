"""Features of the training rows of `HighLevelFeatures` from networks that have not seen them."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _check_method_params, _num_samples

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.utils._routing import arguments_for, arguments_through, routing_is_on

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
