"""Metadata routing for our own meta-estimators and functions (DESIGN, decision 7)."""

from sklearn import config_context
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)


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


def fit_routed(estimator, X, y, **metadata):
    """Fit `estimator` with routing switched on for this call, giving it what it asks for.

    Returns
    -------
    estimator
        The same object, fitted.
    """
    with config_context(enable_metadata_routing=True):
        return estimator.fit(X, y, **arguments_for(estimator, "fit", metadata))
