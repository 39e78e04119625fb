"""What an estimator holds: other estimators, fitted ones too, and parameters at any depth."""

from sklearn.base import BaseEstimator


def nested_estimators(estimator):
    """An estimator and every one that its attributes hold, in lists, tuples and dicts too.

    Parameters
    ----------
    estimator : estimator, or a container of estimators

    Yields
    ------
    BaseEstimator
        Each once; parameters (templates that were cloned) as well as what was fitted.
    """
    seen, waiting = set(), [estimator]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list | tuple):
            waiting += found
        elif isinstance(found, BaseEstimator) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += vars(found).values()


def parameters_named(estimator, name):
    """The estimator's and its parts' parameters of one name.

    Parameters
    ----------
    estimator : estimator
    name : str
        Such as "random_state".

    Returns
    -------
    dict of str to object
        Name for `set_params` (such as "net__random_state") to value.
    """
    return {
        path: value
        for path, value in estimator.get_params().items()
        if path.split("__")[-1] == name
    }


def named_estimators(estimators):
    """A dict of name to estimator, whatever form was given.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)

    Returns
    -------
    dict of str to estimator
        One estimator alone is named by its class.
    """
    if hasattr(estimators, "fit"):
        return {type(estimators).__name__: estimators}
    pairs = list(estimators.items() if hasattr(estimators, "items") else estimators)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError(
                f"estimators must be an estimator, a dict of name to estimator or a list of "
                f"(name, estimator); found {pair!r} in the list"
            )
        if not hasattr(pair[1], "fit"):
            raise ValueError(f"estimator {pair[0]!r} has no fit: {pair[1]!r}")
    names = [name for name, _ in pairs]
    if not pairs or len(set(names)) < len(names):
        raise ValueError(f"estimators need names, each once; got {names}")
    return dict(pairs)
