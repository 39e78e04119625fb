"""What an estimator holds: other estimators, fitted ones too, and parameters at any depth."""

from sklearn.base import BaseEstimator


def parts_of(estimator):
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
