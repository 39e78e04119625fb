"""Nested estimators and parameters of an estimator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sklearn.base import BaseEstimator

#: Estimators as `named_estimators` takes them.
Estimators: TypeAlias = (
    BaseEstimator | Mapping[str, BaseEstimator] | Sequence[tuple[str, BaseEstimator]]
)


def nested_estimators(estimator: Any) -> Iterator[BaseEstimator]:
    """Yield an estimator and all estimators in its attributes, also in lists, tuples and dicts.

    Both parameters (templates of clones) and fitted estimators are yielded, each once.
    """
    seen: set[int] = set()
    waiting = [estimator]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, BaseEstimator) and id(value) not in seen:
            seen.add(id(value))
            yield value
            waiting += vars(value).values()


def parameters_named(estimator: Any, name: str) -> dict[str, Any]:
    """Return the parameters of a given name of an estimator and its nested estimators.

    The keys are names for `set_params`, such as "net__random_state".
    """
    return {
        path: value
        for path, value in estimator.get_params().items()
        if path.split("__")[-1] == name
    }


def named_estimators(estimators: Estimators) -> dict[str, Any]:
    """Return a dict of name to estimator from such a dict, pairs, or a single estimator.

    The name of a single estimator is that of its class.
    """
    if hasattr(estimators, "fit"):
        name = (estimators if isinstance(estimators, type) else type(estimators)).__name__
        estimators = {name: estimators}
    expected = (
        "estimators must be an estimator, a dict of name to estimator or a list of (name, "
        "estimator)"
    )
    if isinstance(estimators, Mapping):
        estimators = estimators.items()
    elif not isinstance(estimators, list | tuple):
        raise ValueError(f"{expected}; got a {type(estimators).__name__}")
    pairs = list(estimators)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError(f"{expected}; found {pair!r} in the list")
        if isinstance(pair[1], type):
            found = pair[1].__name__
            raise ValueError(
                f"estimator {pair[0]!r} is the class {found}, not an instance: write {found}()"
            )
        if not hasattr(pair[1], "fit"):
            raise ValueError(f"estimator {pair[0]!r} has no fit: it is a {type(pair[1]).__name__}")
    names = [name for name, _ in pairs]
    if not pairs or len(set(names)) < len(names):
        raise ValueError(f"estimators must have one or more unique names, got {names}")
    return dict(pairs)
