"""The training histories of fitted networks, wherever in a Pipeline or search those are."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.utils._named import named_estimators


def find_histories(estimators):
    """Histories and best epochs of one or several fitted networks, by name.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Each a fitted network, or a Pipeline, a search or another meta-estimator around one, or a
        Pipeline of it and an ELM.

    Returns
    -------
    histories : dict of str to DataFrame
    best_epochs : dict of str to list of int
        One for each member.

    Raises
    ------
    NotFittedError
        If one is not fitted.
    ValueError
        If there is no network in one.
    """
    networks = {
        name: _find_network(estimator, name)
        for name, estimator in named_estimators(estimators).items()
    }
    return (
        {name: network.history_ for name, network in networks.items()},
        {name: network.members_["best_epoch"].tolist() for name, network in networks.items()},
    )


def named_columns(histories, prefix):
    """What follows `prefix` in the names of columns, each once, in the order of the histories."""
    found = [
        column.removeprefix(prefix)
        for history in histories.values()
        for column in history.columns
        if column.startswith(prefix)
    ]
    return list(dict.fromkeys(found))


def has_values(history, column):
    """Whether there is such a column, and a row with a value in it."""
    return column in history and bool(history[column].notna().any())


def draw_curve(ax, history, column, **style):
    """One column over the epochs: a line, or the members' lines, faint, below their mean.

    The mean ends where the first member does.

    Returns
    -------
    Line2D
        The line, or that of the mean.
    """
    values = history[column]
    if values.index.nlevels > 1:
        by_member = values.unstack(level="member").dropna(axis=1, how="all")
        faint = style | {"alpha": 0.25, "linewidth": 0.8, "label": None}
        for member in by_member:
            one = by_member[member].dropna()
            ax.plot(one.index, one.to_numpy(), **faint)
        values = by_member.dropna().mean(axis=1)
    marker = "o" if len(values) == 1 else None  # a line of one point cannot be seen
    (line,) = ax.plot(values.index, values.to_numpy(), marker=marker, markersize=3, **style)
    return line


def value_at(history, column, member, epoch):
    """The value of a column in one epoch of one member."""
    place = (member, epoch) if history.index.nlevels > 1 else epoch
    return float(history[column].loc[place])


def _find_network(estimator, name):
    check_is_fitted(estimator)
    seen = estimator
    while not hasattr(seen, "history_"):
        if isinstance(seen, Pipeline):
            # Before an ELM it is a step of features that holds the network.
            last, before = seen.steps[-1][1], [step for _, step in seen.steps[:-1]]
            holders = [step for step in before if isinstance(step, HighLevelFeatures)]
            seen = holders[-1] if isinstance(last, ELMClassifier) and holders else last
        elif hasattr(seen, "best_estimator_"):
            seen = seen.best_estimator_
        elif hasattr(seen, "estimator_"):
            seen = seen.estimator_
        else:
            inside = "" if seen is estimator else f", and ends in {type(seen).__name__}"
            raise ValueError(
                f"{name!r} has no training history: it is a {type(estimator).__name__}{inside}. "
                f"Give a fitted MTLNeuralClassifier, or a Pipeline or search that ends in one"
            )
    return seen
