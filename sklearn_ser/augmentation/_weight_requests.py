"""Sample weights that nobody gave: who inside an estimator takes them.

With metadata routing on, scikit-learn wants to be told for every step; these weights are our own,
so that it is up to us.
"""

from copy import deepcopy

from sklearn import config_context
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_ser.utils._parts import parts_of


def let_ask_for_weights(estimator):
    """Let parts that do not say so take sample weights: predictors do, and nothing else.

    Parameters
    ----------
    estimator : estimator
        A clone, which is changed.

    Returns
    -------
    set of type
        Classes of the parts that have requests only since.
    """
    changed = set()
    with config_context(enable_metadata_routing=True):
        for name, value in estimator.get_params().items():
            if name.split("__")[-1] == "scoring" and value is not None and not callable(value):
                estimator.set_params(**{name: _scorers(value)})
        for part in [estimator, *estimator.get_params().values()]:
            for each in part.values() if isinstance(part, dict) else [part]:
                _set_requests(each, changed)
    return changed


def _scorers(scoring):
    if isinstance(scoring, str):  # "loss" of histogram boosting, say, is no scorer
        return deepcopy(get_scorer(scoring)) if scoring in get_scorer_names() else scoring
    if not isinstance(scoring, dict):
        scoring = dict(zip(scoring, scoring, strict=True))
    return {name: _scorers(each) if isinstance(each, str) else each
            for name, each in scoring.items()}  # fmt: skip


def _set_requests(part, changed):
    if isinstance(part, type):
        return
    # Rows that are scored are unchanged ones, of weight 1, so that `score` may have it or not; but
    # scikit-learn's Pipeline cannot be scored where its last step says no.
    predicts = hasattr(part, "predict")
    for method, answer in (("fit", predicts), ("score", predicts)):
        if not hasattr(part, f"set_{method}_request"):
            continue
        routing = part.get_metadata_routing()
        if not isinstance(routing, MetadataRequest):  # one that hands them on, and may take them
            routing = routing._self_request
            if routing is None:
                continue
        requests = getattr(routing, method).requests
        # A scorer's signature does not say that it takes weights.
        unset = requests.get("sample_weight", None if callable(part) else False) is None
        if unset:
            if not hasattr(part, "_metadata_request"):
                changed.add(type(part))
            getattr(part, f"set_{method}_request")(sample_weight=answer)


def forget_requests(fitted, classes):
    """Take the requests out of fitted parts of these classes: a model file cannot hold them.

    Parameters
    ----------
    fitted : estimator
    classes : set of type
    """
    for part in parts_of(fitted):
        if type(part) in classes:
            vars(part).pop("_metadata_request", None)
