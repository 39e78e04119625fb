"""Sample weights that nobody gave: who inside an estimator takes them.

With metadata routing on, scikit-learn wants to be told for every step; these weights are our own,
so that it is up to us.
"""

from copy import deepcopy

from sklearn import config_context
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_ser.utils._parts import parameters_named, parts_of

#: Attribute of a scorer whose requests are ours alone.
_OURS = "_asks_for_our_weights"


def let_ask_for_weights(estimator):
    """Let parts that do not say so take sample weights: predictors do, and nothing else.

    Parameters
    ----------
    estimator : estimator
        A clone, which is changed.

    Returns
    -------
    classes : set of type
        Of the estimators in it that have requests only since.
    scoring : dict of str to (str, list or dict)
        Parameters that hold scorers since, as they were.
    """
    changed, scoring = set(), {}
    with config_context(enable_metadata_routing=True):
        for name, value in parameters_named(estimator, "scoring").items():
            if value is not None and not callable(value):
                scoring[name] = value
                estimator.set_params(**{name: _scorers(value)})
        for part in [estimator, *estimator.get_params().values()]:
            for each in part.values() if isinstance(part, dict) else [part]:
                _set_requests(each, changed)
    return changed, scoring


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
                if callable(part):  # a scorer, of which fitted parts hold copies, as of estimators
                    setattr(part, _OURS, True)
                else:
                    changed.add(type(part))
            getattr(part, f"set_{method}_request")(sample_weight=answer)


def forget_requests(fitted, classes, scoring):
    """Take our requests out of all fitted parts: a model file cannot hold them.

    Parameters
    ----------
    fitted : estimator
    classes, scoring
        As :func:`let_ask_for_weights` returned them.
    """
    for part in parts_of(fitted):
        if type(part) in classes:
            vars(part).pop("_metadata_request", None)
        for scorer in _scorers_in(list(vars(part).values())):
            if vars(scorer).pop(_OURS, False):
                vars(scorer).pop("_metadata_request", None)
    fitted.set_params(**scoring)


def _scorers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _scorers_in(each)
    elif callable(value) and hasattr(value, "set_score_request") and not isinstance(value, type):
        yield value
