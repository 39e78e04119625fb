"""Metadata routing of the meta-estimators and functions of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import sklearn
from sklearn import config_context, get_config
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._nested_estimators import nested_estimators


def routing_is_on() -> bool:
    """Return whether metadata routing is enabled."""
    return get_config()["enable_metadata_routing"]


@contextmanager
def routing_for(estimator: Any, metadata: dict[str, Any]) -> Iterator[None]:
    """Return a context in which routing is enabled if it was or if there is metadata to route.

    Some estimators of scikit-learn, such as AdaBoostClassifier, do not implement routing, and raise
    an error for any metadata while it is enabled.
    """
    needed = bool(metadata) and _routing_of(estimator) is not None
    with config_context(enable_metadata_routing=needed or routing_is_on()):
        try:
            yield
        except KeyError as error:
            # TargetEncoder reads params["groups"] whenever routing is on (scikit-learn 1.9).
            if error.args != ("groups",) or not any(
                isinstance(part, TargetEncoder) for part in nested_estimators(estimator)
            ):
                raise
            raise MetadataError(
                f"TargetEncoder of scikit-learn {sklearn.__version__} requires groups while "
                "metadata routing is on, as it is here, and got none. Give groups= and a splitter "
                "that requests them, TargetEncoder(cv=GroupKFold().set_split_request(groups=True)),"
                " or use another encoder."
            ) from error


def consumed(estimator: Any, method: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Select the metadata that a method of an estimator (or of a nested estimator) consumes.

    Values of None are left out. A Pipeline raises for metadata that none of its steps consumes;
    with this filter the same call serves an SVM and a multi-task network.
    """
    present = {name: value for name, value in metadata.items() if value is not None}
    routing = _routing_of(estimator)
    with config_context(enable_metadata_routing=True):
        requested = routing.consumes(method, list(present)) if routing else set()
    return {name: value for name, value in present.items() if name in requested}


def arguments_for(estimator: Any, method: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments for a direct call of a method, under the names of its request.

    An estimator that requests `speaker` as `groups` receives ``groups=``.
    """
    requested = consumed(estimator, method, metadata)
    if not requested:
        return {}
    with config_context(enable_metadata_routing=True):
        router = MetadataRouter(owner=estimator).add(
            estimator=estimator,
            method_mapping=MethodMapping().add(caller=method, callee=method),
        )
        return dict(process_routing(router, method, **requested)["estimator"][method])


def arguments_through(meta: Any, method: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata that a meta-estimator passes to a method of its `estimator`.

    With routing enabled, the inner estimator must have requested all of it; otherwise it receives
    what it requested and what its method names, and the rest is dropped. Values of None are left
    out. The call must be in the context :func:`routing_for`, so that nested estimators receive what
    they consume.
    """
    metadata = {name: value for name, value in metadata.items() if value is not None}
    if not metadata:
        return {}
    if routing_is_on():
        return process_routing(meta, method, **metadata)["estimator"][method]
    # Without routing, the meta-estimators of scikit-learn pass what `fit` names, such as
    # sample_weight, whether it was requested or not.
    inner = meta.estimator
    named = {
        name: value
        for name, value in metadata.items()
        if name in signature(getattr(inner, method)).parameters
    }
    given = {**arguments_for(inner, method, metadata), **named}
    # Without routing, `groups` serves splitters that request speakers or corpora.
    for name in ("speaker", "corpus"):
        if "groups" in metadata and "groups" not in given and name not in metadata:
            given |= arguments_for(inner, method, {name: metadata["groups"]})
    return given


def _routing_of(estimator):
    """Return the routing of an estimator, or None if a part of it does not implement routing."""
    with config_context(enable_metadata_routing=True):
        try:
            return get_routing_for_object(estimator)
        except NotImplementedError:
            return None


def fit_routed(estimator: Any, X: Any, y: Any, **metadata: Any) -> Any:
    """Fit an estimator with the metadata that it requests, routed if there is any."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if hasattr(last, "stack_method"):
        metadata = {
            name: value for name, value in metadata.items() if _final_estimator_accepts(last, name)
        }
    given = arguments_for(estimator, "fit", metadata)
    with routing_for(estimator, given):
        return estimator.fit(X, y, **given)


def _final_estimator_accepts(stacking, name):
    """Return whether the final estimator accepts metadata, all of which it gets unrouted."""
    final = stacking.final_estimator
    if final is None:
        return name == "sample_weight"
    known = signature(final.fit).parameters.values()
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in known):
        return name in consumed(final, "fit", {name: True})
    return name in {parameter.name for parameter in known}
