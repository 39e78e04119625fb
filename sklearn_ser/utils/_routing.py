"""Metadata routing for our own meta-estimators and functions (DESIGN, decision 7)."""

from inspect import signature

from sklearn import config_context, get_config
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)


def routing_is_on():
    """Whether metadata routing is switched on, here and now."""
    return get_config()["enable_metadata_routing"]


def consumed(estimator, method, metadata):
    """The part of `metadata` that `estimator.method` (or a step inside it) asks for.

    An SVM Pipeline raises on metadata that nothing in it consumes; through this filter an SVM and
    a multi-task net go through one and the same call.

    Parameters
    ----------
    estimator : estimator
    method : str
        "fit", "partial_fit", "score", ...
    metadata : dict
        Name -> value; values of None are left out.

    Returns
    -------
    dict
    """
    present = {name: value for name, value in metadata.items() if value is not None}
    with config_context(enable_metadata_routing=True):
        wanted = get_routing_for_object(estimator).consumes(method, list(present))
    return {name: value for name, value in present.items() if name in wanted}


def arguments_for(estimator, method, metadata):
    """Keyword arguments for a direct call of `estimator.method`: what it asks for, by its names.

    A net that asks for `speaker` under the name `groups` gets ``groups=``.

    Parameters
    ----------
    estimator, method, metadata
        As in :func:`consumed`.

    Returns
    -------
    dict
    """
    with config_context(enable_metadata_routing=True):
        router = MetadataRouter(owner=estimator).add(
            estimator=estimator,
            method_mapping=MethodMapping().add(caller=method, callee=method),
        )
        wanted = consumed(estimator, method, metadata)
        return dict(process_routing(router, method, **wanted)["estimator"][method])


def arguments_through(meta, method, metadata):
    """What a meta-estimator hands its inner estimator's `method`, of the metadata it was given.

    The call itself must have routing switched on where there is any: what the inner estimator's
    parts consume reaches them only so.

    Parameters
    ----------
    meta : estimator
        Its ``estimator`` is the inner one, and its ``get_metadata_routing`` a router to it.
    method : str
        Of both of them.
    metadata : dict
        Name -> value; values of None are left out. With routing on, the inner estimator must have
        requested all of it; with routing off, it gets what it requested and what its method
        names, and the rest is dropped.

    Returns
    -------
    dict
    """
    metadata = {name: value for name, value in metadata.items() if value is not None}
    if not metadata:
        return {}
    if routing_is_on():
        return process_routing(meta, method, **metadata)["estimator"][method]
    # With routing off, scikit-learn's own meta-estimators pass what `fit` names, such as
    # sample_weight, whether it was requested or not.
    inner = meta.estimator
    named = {
        name: value
        for name, value in metadata.items()
        if name in signature(getattr(inner, method)).parameters
    }
    given = {**arguments_for(inner, method, metadata), **named}
    # With routing off, `groups` serves a splitter that asks for speakers or corpora.
    for name in ("speaker", "corpus"):
        if "groups" in metadata and "groups" not in given and name not in metadata:
            given |= arguments_for(inner, method, {name: metadata["groups"]})
    return given


def fit_routed(estimator, X, y, **metadata):
    """Fit `estimator` with routing switched on for this call, giving it what it asks for.

    Returns
    -------
    estimator
        The same object, fitted.
    """
    with config_context(enable_metadata_routing=True):
        return estimator.fit(X, y, **arguments_for(estimator, "fit", metadata))
