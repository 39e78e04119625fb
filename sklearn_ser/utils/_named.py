"""One estimator or several with names: the form that everything which compares them takes."""


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
