"""Metadata routing for our own meta-estimators and functions (DESIGN, decision 7)."""

from sklearn import config_context
from sklearn.utils.metadata_routing import get_routing_for_object


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


def fit_routed(estimator, X, y, **metadata):
    """Fit `estimator` with routing switched on for this call, giving it what it asks for.

    Returns
    -------
    estimator
        The same object, fitted.
    """
    with config_context(enable_metadata_routing=True):
        return estimator.fit(X, y, **consumed(estimator, "fit", metadata))
