"""All estimators that an estimator holds, fitted ones too."""

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
